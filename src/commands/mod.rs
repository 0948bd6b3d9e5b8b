//! One file a command. A command reads its settings, asks the core what to do, and shows what came of it.

mod build;
mod coexist;
mod completions;
mod deploy;
mod init;
mod man;
mod many;
mod plan;
mod policy;
mod restore;
#[cfg(feature = "sandbox")]
mod sandbox;
mod session;
mod status;
mod teardown;
#[cfg(feature = "sandbox")]
mod tour;
mod try_;
mod verify;

use std::process::ExitCode;

use self::many::Ending;
use crate::apply::{Report, RunResult, StepResult};
use crate::cli::{Cli, Command};
use crate::error::Result;
use crate::ui::Ui;
use jane_migrate_core::plan::Action;

/// Runs the command. Where `verify` fails, something could not be checked.
pub async fn run(cli: Cli, ui: &Ui) -> Result<ExitCode> {
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
        Command::Try(args) => try_::run(global, args, ui).await,
        Command::Teardown(args) => teardown::run(global, args, ui).await,
        Command::Policy(args) => policy::run(global, args, ui).await,
        Command::Restore(args) => restore::run(global, args, ui).await,
        Command::Coexist(args) => coexist::run(global, args, ui).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args, ui).await,
        Command::Completions(args) => Ok(completions::run(args, ui)),
        Command::Man(args) => man::run(args, ui),
    }
}

/// How a run that was not finished ended: its error, what was done, and what to run next. Says whether it was finished.
fn show_ending(report: &Report, ui: &Ui, command: &str) -> bool {
    let (done, left) = (
        report.count(StepResult::Done),
        report.count(StepResult::NotTried),
    );
    let back = match report.count(StepResult::TakenBack) {
        0 => String::new(),
        back => format!(", {back} taken back"),
    };
    let counted = format!(
        "{done} step(s) done and kept{back}, {left} not tried; `{command}` goes on from there"
    );
    let left: Vec<String> = report
        .steps
        .iter()
        .filter(|step| step.result == StepResult::NotTried)
        .map(|step| match step.action {
            Action::Probe => format!("probe of {}", step.name),
            _ => format!("{} {}", step.resource.label(), step.name),
        })
        .collect();
    let counted = match &left[..] {
        [] => counted,
        left => format!("{counted}\n  not tried: {}", left.join(", ")),
    };
    match report.result {
        RunResult::Done | RunResult::NothingToDo => return true,
        // Told with the plan, or with the answer.
        RunResult::Blocked | RunResult::Declined => {}
        RunResult::Interrupted | RunResult::Terminated => {
            ui.warn(&format!("interrupted: {counted}"))
        }
        _ => {
            // What failed beside the first, or was tried in spite of it, is not lost.
            for error in &report.errors {
                ui.error(error);
            }
            ui.note(&counted);
        }
    }
    false
}

fn ending(result: RunResult) -> Ending {
    match result {
        RunResult::Done => Ending::Done,
        RunResult::NothingToDo => Ending::Nothing,
        RunResult::Interrupted => Ending::Interrupted,
        RunResult::Terminated => Ending::Terminated,
        RunResult::Blocked | RunResult::Declined | RunResult::Failed => Ending::Failed,
    }
}
