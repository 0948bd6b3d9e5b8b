//! `example`: the configuration file with every key, its default and its reason.

use std::process::ExitCode;

use crate::ui::Ui;

const EXAMPLE: &str = include_str!("../../migrate.example.toml");

pub(super) fn run(ui: &Ui) -> ExitCode {
    ui.print(EXAMPLE);
    ExitCode::SUCCESS
}
