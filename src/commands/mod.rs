//! One file per command. A command reads its settings, calls the core, and shows the result.

mod approved;
mod build;
mod coexist;
mod completions;
mod connect;
mod deploy;
mod doctor;
mod ended;
mod example;
mod explain;
mod export;
mod history;
mod import;
mod init;
mod machine;
mod man;
mod many;
mod plan;
mod policy;
mod remaining;
mod restore;
mod rollback;
mod sample;
#[cfg(feature = "sandbox")]
mod sandbox;
mod session;
mod settings;
mod status;
mod teardown;
#[cfg(feature = "sandbox")]
mod tour;
mod try_;
mod verify;

use std::process::ExitCode;

use crate::aws;
use crate::cli::{Cli, Command};
use crate::error::Result;
use crate::ui::Ui;

/// Runs the command. If `verify` fails, something could not be checked.
pub async fn run(cli: Cli, ui: &Ui) -> Result<ExitCode> {
    let asking = ui.clone();
    aws::ask_for_codes(move |question| asking.code(question));
    let ended = command(&cli, ui).await;
    let ended = ended.and_then(|code| ui.is_read().map(|_| code));
    ended.map_err(|error| match cli.command {
        Command::Verify(_) => error.unchecked(),
        _ => error,
    })
}

async fn command(cli: &Cli, ui: &Ui) -> Result<ExitCode> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args, ui).await,
        Command::Build(args) => build::run(global, args, ui).await,
        Command::Plan(args) => plan::run(global, args, ui).await,
        Command::Deploy(args) => deploy::run(global, args, ui).await,
        Command::Verify(args) => verify::run(global, args, ui).await,
        Command::Status(args) => status::run(global, args, ui).await,
        Command::Doctor(args) => doctor::run(global, args, ui).await,
        Command::Example(args) => Ok(example::run(args, ui)),
        Command::Explain(args) => explain::run(args, ui),
        Command::Try(args) => try_::run(global, args, ui).await,
        Command::Teardown(args) => teardown::run(global, args, ui).await,
        Command::Policy(args) => policy::run(global, args, ui).await,
        Command::Connect(args) => connect::run(global, args, ui).await,
        Command::Remaining(args) => remaining::run(global, args, ui).await,
        Command::Import(args) => import::run(global, args, ui).await,
        Command::Rollback(args) => rollback::run(global, args, ui).await,
        Command::Restore(args) => restore::run(global, args, ui).await,
        Command::History(args) => history::run(global, args, ui).await,
        Command::Settings(args) => settings::run(global, args, ui).await,
        Command::Export(args) => export::run(global, args, ui).await,
        Command::Coexist(args) => coexist::run(global, args, ui).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args, ui).await,
        Command::Completions(args) => completions::run(args, ui),
        Command::Man(args) => man::run(args, ui),
    }
}
