//! `completions`: what a shell needs to complete this program's commands and flags.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::ui::Ui;

pub(super) fn run(args: &Completions, ui: &Ui) -> ExitCode {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    // For bash, clap_complete 4.6 reads the hyphen of the program's name as the beginning of a subcommand, in one of two places.
    let script = String::from_utf8_lossy(&script).replace("jane__subcmd__migrate", "jane__migrate");
    ui.print(&script);
    ExitCode::SUCCESS
}
