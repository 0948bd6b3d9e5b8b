//! `completions`: prints the shell completions of this program; with `--install` writes them where the shell looks for them.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::{Cli, Completions};
use crate::environment;
use crate::error::{Error, Result};
use crate::files;
use crate::ui::Ui;

/// The hint for another place of the completions.
const OTHERWISE: &str =
    "write them to a file of your choice: `jane-migrate completions SHELL > FILE`";

pub(super) fn run(args: &Completions, ui: &Ui) -> Result<ExitCode> {
    let shell = args.shell.or_else(own_shell).ok_or_else(|| {
        Error::new(
            "failed to tell which shell to complete for: SHELL names none that is supported",
            "name one: `jane-migrate completions bash --install`",
        )
    })?;
    let script = script(shell);
    if !args.install {
        ui.print(&script);
        return Ok(ExitCode::SUCCESS);
    }
    let place = place(shell).ok_or_else(|| {
        Error::new(
            format!("failed to find the folder for completions of {shell}"),
            OTHERWISE,
        )
    })?;
    place
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| files::write(&place, script.as_bytes()))
        .map_err(|error| Error::unwritable(&place, error, OTHERWISE))?;
    ui.note(&format!(
        "completions for {shell} are in {}",
        place.display()
    ));
    ui.note(match shell {
        Shell::Bash => "a new shell has them, where the package bash-completion is installed",
        Shell::Zsh => {
            "a new shell has them, where .zshrc has before `compinit`: fpath=(~/.local/share/zsh/site-functions $fpath)"
        }
        _ => "a new shell has them",
    });
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    // For bash, clap_complete 4.6 reads the hyphen in the program's name as the start of a subcommand, in one of two places.
    String::from_utf8_lossy(&script).replace("jane__subcmd__migrate", "jane__migrate")
}

/// The user's login shell.
fn own_shell() -> Option<Shell> {
    let path = PathBuf::from(environment::var("SHELL")?);
    Shell::from_str(path.file_name()?.to_str()?, true).ok()
}

/// Where a shell looks for a user's completions. None for shells that load completions only from their profile.
fn place(shell: Shell) -> Option<PathBuf> {
    match shell {
        Shell::Bash => Some(
            environment::folder("XDG_DATA_HOME", ".local/share")?
                .join("bash-completion/completions/jane-migrate"),
        ),
        // zsh has no variable for this: the note names the same folder.
        Shell::Zsh => Some(env::home_dir()?.join(".local/share/zsh/site-functions/_jane-migrate")),
        Shell::Fish => Some(
            environment::folder("XDG_CONFIG_HOME", ".config")?
                .join("fish/completions/jane-migrate.fish"),
        ),
        _ => None,
    }
}
