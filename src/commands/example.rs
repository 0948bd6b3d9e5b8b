//! `example`: the configuration file with every key, its default and its reason; with `--schema` its JSON Schema.

use std::process::ExitCode;

use crate::cli::Example;
use crate::ui::Ui;

const EXAMPLE: &str = include_str!("../../migrate.example.toml");

/// The JSON Schema of the configuration file, with which editors complete and check it.
pub(super) const SCHEMA: &str = include_str!("../../migrate.schema.json");

pub(super) fn run(args: &Example, ui: &Ui) -> ExitCode {
    ui.print(if args.schema { SCHEMA } else { EXAMPLE });
    ExitCode::SUCCESS
}
