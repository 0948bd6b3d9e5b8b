//! Proves that a deployed migration still holds. Each check is a small pure function over [`Evidence`]; reading is `read`'s
//! business, trying the function `probe`'s, printing `report`'s.

mod checks;
mod evidence;
pub mod jane;
pub mod probe;
mod read;
pub mod report;

use std::collections::BTreeMap;

pub(crate) use evidence::deployed_settings;
pub use evidence::{Evidence, KeptSecret, Read, Snapshot, Unread};
pub use read::{Subject, observed, read};

use checks::{Line, Said};
use evidence::Obstacle;
use jane_migrate_core::finding::{Finding, Severity};

/// One thing that must hold.
#[derive(Debug)]
pub struct Check {
    /// Its id: kebab-case, stable, never reused.
    pub id: &'static str,
    /// How much it matters, at worst.
    pub severity: Severity,
    /// When it is made.
    pub when: When,
    /// What holds, in a few words.
    pub holds: &'static str,
    run: for<'e> fn(&'e Evidence<'_>) -> Said<'e>,
}

/// When a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// With `--probe`: it invokes the function.
    Probe,
    /// With `--probe`, and with `--only`: it reads through the log.
    Asked,
}

/// Every check, in the order they are made and shown.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    checks::ALL.iter().copied().flatten()
}

/// Which checks are made.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these; empty: all.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Those that invoke the function too.
    pub probe: bool,
}

impl Choice {
    /// Whether the check is made.
    pub fn includes(&self, check: &Check) -> bool {
        let named = self.only.iter().any(|id| id == check.id);
        let when = match check.when {
            When::Always => true,
            When::Probe => self.probe,
            When::Asked => self.probe || named,
        };
        when && (named || self.only.is_empty()) && !self.skip.iter().any(|id| id == check.id)
    }

    /// Whether the check of this id is made.
    pub(crate) fn wants(&self, id: &str) -> bool {
        checks().any(|check| check.id == id && self.includes(check))
    }
}

/// Makes the chosen checks. `accepted` says which findings are known and why that is fine.
pub fn run(
    evidence: &Evidence<'_>,
    choice: &Choice,
    accepted: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in checks().filter(|check| choice.includes(check)) {
        match (check.run)(evidence) {
            Ok(lines) => findings.extend(lines.into_iter().map(|line| finding(check, line))),
            Err(Obstacle::NotAsked) => {}
            Err(obstacle) => {
                findings.push(finding(check, obstacle.into()));
            }
        }
    }
    for finding in &mut findings {
        if !finding.ok && !finding.unknown {
            finding.accepted = accepted.get(finding.id).cloned();
        }
    }
    findings
}

fn finding(check: &Check, line: Line) -> Finding {
    match line {
        Line::Holds(message) => Finding::holds(check.id, check.severity, message),
        Line::Told(finding) => finding,
        Line::Unknown(why, fix) => Finding {
            fix,
            ..Finding::unchecked(check.id, check.severity, why)
        },
        Line::Fails(wrong) => Finding {
            subject: wrong.subject,
            ..Finding::failed(
                check.id,
                wrong.severity.unwrap_or(check.severity),
                wrong.message,
                wrong.expected,
                wrong.found,
                wrong.fix,
            )
        },
    }
}
