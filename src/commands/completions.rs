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
    ui.print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
