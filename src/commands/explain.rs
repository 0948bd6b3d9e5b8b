//! `explain`: what a check, an outcome, a reason in the log or an error means, without a network.

use std::process::ExitCode;

use crate::cli::Explain;
use crate::error::{Error, Result};
use crate::guide::{self, Entry};
use crate::ui::Ui;
use jane_migrate_core::check::{Deploy, When, checks};
use jane_migrate_core::finding::Severity;

pub(super) fn run(args: &Explain, ui: &Ui) -> Result<ExitCode> {
    let words = args.what.join(" ");
    let mut pages: Vec<String> = Vec::new();
    if let Some(check) = checks().find(|check| check.id == words) {
        let severity = match check.severity {
            Severity::Error => "an error: sign-ins fail or leak",
            Severity::Warning => "a warning: it fails verify only with --strict",
        };
        let when = match check.when {
            When::Always => "each run of verify makes it",
            When::Probe => "verify makes it with --probe, which invokes the function",
            When::Asked => "verify makes it with --probe, or where --only names it",
        };
        let deploy = match check.deploy {
            Deploy::Stops => "deploy makes it first, and stops at an error",
            Deploy::Reports => "deploy makes it afterwards, and reports it",
        };
        pages.push(format!(
            "{} (check)\n  holds where: {}\n  otherwise:   {severity}\n  when:        {when}; {deploy}\n  now:         jane-migrate verify --only {}",
            check.id, check.holds, check.id
        ));
    }
    pages.extend(guide::outcome(&words).map(|entry| page(&entry, "outcome of a sign-in", "means")));
    pages.extend(guide::reason(&words).map(|entry| page(&entry, "reason in the log", "means")));
    if pages.is_empty() {
        let errors = guide::errors(&words);
        pages.extend(errors.iter().map(|entry| page(entry, "error", "because")));
    }
    if pages.is_empty() {
        return Err(Error::new(
            format!("nothing is known of `{words}`"),
            "name a check (`jane-migrate verify --help` lists them), an outcome or a reason in the log (`jane-migrate status` shows them), or words of an error message",
        ));
    }
    ui.print(&pages.join("\n\n"));
    Ok(ExitCode::SUCCESS)
}

fn page(entry: &Entry, kind: &str, means: &str) -> String {
    let todo = match entry.todo.as_str() {
        "" => String::new(),
        todo => format!("\n  to do:   {todo}"),
    };
    format!(
        "{} ({kind})\n  {means:<8} {}{todo}",
        entry.name, entry.means
    )
}
