//! `man`: the manual pages, made from the same text as `--help`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::cli::{Cli, Man};
use crate::error::{Error, Result};
use crate::files;
use crate::ui::Ui;

pub(super) fn run(args: &Man, ui: &Ui) -> Result<ExitCode> {
    if let Some(folder) = &args.output {
        let failed = |path: &Path, error| {
            Error::unwritable(path, error, "name another folder with --output")
        };
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        for command in commands() {
            let page = folder.join(format!("{}.1", page_name(&command)));
            files::write(&page, &roff(command)?).map_err(|error| failed(&page, error))?;
        }
        ui.note(&format!("the manual pages are in {}", folder.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = match &args.page {
        None => "jane-migrate".to_owned(),
        Some(page) => format!("jane-migrate-{page}"),
    };
    let command = commands()
        .find(|command| page_name(command) == wanted)
        .ok_or_else(|| {
            let page = args.page.as_deref().unwrap_or_default();
            Error::new(
                format!("failed to find a manual page for `{page}`"),
                "`jane-migrate --help` lists the commands",
            )
        })?;
    ui.print(&String::from_utf8_lossy(&roff(command)?));
    Ok(ExitCode::SUCCESS)
}

/// The program and each of its commands. The build sets the names of their pages: `jane-migrate-deploy`.
fn commands() -> impl Iterator<Item = clap::Command> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<_> = program.get_subcommands().cloned().collect();
    std::iter::once(program).chain(commands)
}

fn page_name(command: &clap::Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn roff(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Page::new(command)
        .render(&mut page)
        .map_err(|error| Error::bug(format!("failed to write a manual page: {error}")))?;
    Ok(page)
}
