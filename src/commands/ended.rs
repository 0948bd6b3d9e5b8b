//! How the run for one pool ended: its output, and its ending.

use jane_migrate_core::plan::Action;

use super::many::Ending;
use crate::apply::{Report, RunResult, StepResult};
use crate::ui::Ui;

/// Shows how an unfinished run ended: its error, what was done, and what to run next. Returns whether the run was
/// finished.
pub(super) fn show_ending(report: &Report, ui: &Ui, command: &str) -> bool {
    let (done, left) = (
        report.count(StepResult::Done),
        report.count(StepResult::NotTried),
    );
    let counted =
        format!("{done} step(s) done and kept, {left} not tried; `{command}` continues from there");
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
        // Already shown with the plan or the answer.
        RunResult::Blocked | RunResult::Declined => {}
        RunResult::Interrupted | RunResult::Terminated => {
            ui.warn(&format!("interrupted: {counted}"))
        }
        _ => {
            // Also show the errors after the first, and those of steps that ran in spite of it.
            for error in &report.errors {
                ui.error(error);
            }
            ui.note(&counted);
        }
    }
    false
}

/// The ending of the run, for the summary of several pools.
pub(super) fn ending(result: RunResult) -> Ending {
    match result {
        RunResult::Done => Ending::Done,
        RunResult::NothingToDo => Ending::Nothing,
        RunResult::Interrupted => Ending::Interrupted,
        RunResult::Terminated => Ending::Terminated,
        RunResult::Blocked | RunResult::Declined | RunResult::Failed => Ending::Failed,
    }
}
