//! The checks, a file a subject, one function each. A line that holds says so in a few words; one that does not says what was
//! expected, what was found and the command or setting that mends it.

mod capture;
mod clients;
mod function;
mod logs;
mod pool;
mod probe;
mod role;
mod secrets;
mod time;
mod trigger;

use super::evidence::{Evidence, Obstacle};
use super::{Check, When};
use jane_migrate_core::finding::{Finding, Severity};

/// All of them, in the order they are shown.
pub(super) const ALL: &[&[Check]] = &[
    trigger::CHECKS,
    function::CHECKS,
    secrets::CHECKS,
    role::CHECKS,
    logs::CHECKS,
    capture::CHECKS,
    clients::CHECKS,
    pool::CHECKS,
    time::CHECKS,
    probe::CHECKS,
];

/// What a check says, or why it could not be made. No line: it does not apply.
pub(super) type Said<'e> = Result<Vec<Line>, Obstacle<'e>>;

/// One thing a check says.
#[derive(Debug)]
pub(super) enum Line {
    /// It holds.
    Holds(String),
    /// This part of it could not be made, and what would let it be.
    Unknown(String, Option<String>),
    /// It does not hold.
    Fails(Wrong),
    /// What `suitability` says of it.
    Told(Finding),
}

/// What is wrong. Without a severity it is the check's own.
#[derive(Debug)]
pub(super) struct Wrong {
    pub severity: Option<Severity>,
    pub subject: Option<String>,
    pub message: String,
    pub expected: String,
    pub found: String,
    pub fix: String,
}

/// A check of this severity that is always made.
const fn check(
    id: &'static str,
    severity: Severity,
    holds: &'static str,
    run: for<'e> fn(&'e Evidence<'_>) -> Said<'e>,
) -> Check {
    Check {
        id,
        severity,
        when: When::Always,
        holds,
        run,
    }
}

/// Nothing but that it holds.
fn holds<'e>(message: impl Into<String>) -> Said<'e> {
    Ok(vec![Line::Holds(message.into())])
}

/// What `suitability` says.
fn told<'e>(findings: Vec<Finding>) -> Said<'e> {
    Ok(findings.into_iter().map(Line::Told).collect())
}

/// What is wrong, or else that it holds.
fn unless(wrong: Vec<Wrong>, message: impl Into<String>) -> Said<'static> {
    if wrong.is_empty() {
        return holds(message);
    }
    Ok(wrong.into_iter().map(Line::Fails).collect())
}

/// One thing wrong, with what mends it.
fn wrong(
    message: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
    fix: impl Into<String>,
) -> Wrong {
    Wrong {
        severity: None,
        subject: None,
        message: message.into(),
        expected: expected.into(),
        found: found.into(),
        fix: fix.into(),
    }
}

impl Wrong {
    /// Is about one of several things of a kind.
    fn of(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// Matters less than the check can.
    fn warning(self) -> Self {
        Self {
            severity: Some(Severity::Warning),
            ..self
        }
    }
}

impl<'e> From<Wrong> for Said<'e> {
    fn from(wrong: Wrong) -> Self {
        Ok(vec![Line::Fails(wrong)])
    }
}

/// What could not be read keeps one line from being said, not the others.
impl<'e> From<Obstacle<'e>> for Line {
    fn from(obstacle: Obstacle<'e>) -> Self {
        let (why, fix) = obstacle.explain();
        Self::Unknown(why, fix)
    }
}

/// `--qualifier Q`, where there is one.
fn with_qualifier(command: String, qualifier: Option<&str>) -> String {
    match qualifier {
        Some(qualifier) => format!("{command} --qualifier {qualifier}"),
        None => command,
    }
}
