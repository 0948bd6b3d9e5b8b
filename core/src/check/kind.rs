//! What a check is, and the form of its findings: a check that holds has a short message; one that fails has what was expected,
//! what was found, and the fix.

use super::subject::Subject;
use crate::finding::{Finding, Severity};
use crate::fix::Fix;
use crate::read::Unread;

/// One condition that must hold.
#[derive(Debug)]
pub struct Check {
    /// Its id: kebab-case, stable, never reused.
    pub id: &'static str,
    /// Its severity; the reset of a pool (`pool-unchanged`) is more severe.
    pub severity: Severity,
    /// When it runs.
    pub when: When,
    /// Its effect on a deploy.
    pub deploy: Deploy,
    /// The condition, in a few words.
    pub holds: &'static str,
    pub(super) run: fn(&Check, &Subject<'_>) -> Findings,
}

/// When a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// With `--probe`: it invokes the function.
    Probe,
    /// With `--probe`, and with `--only`: it reads the whole log.
    Asked,
}

/// The effect of a failed check on a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploy {
    /// It is about the pool, its clients or the configuration, which deploy does not fix: its errors stop a deploy.
    Stops,
    /// It is about what deploy creates. If it still fails afterwards, that is reported and stops nothing.
    Reports,
}

/// A check's findings, or why it could not be made. Empty if it does not apply.
pub type Findings = Result<Vec<Finding>, Unread>;

impl Check {
    /// The check's findings for the subject.
    pub fn findings(&self, subject: &Subject<'_>) -> Vec<Finding> {
        match (self.run)(self, subject) {
            Ok(findings) => findings,
            Err(Unread::NotAsked) => Vec::new(),
            Err(unread) => vec![self.unchecked(&unread)],
        }
    }

    /// The finding that the check holds, as the only one.
    pub(super) fn holds(&self, message: impl Into<String>) -> Findings {
        Ok(vec![self.holding(message)])
    }

    /// The finding that the check holds, fully or in part.
    pub(super) fn holding(&self, message: impl Into<String>) -> Finding {
        Finding::holds(self.id, self.severity, message)
    }

    /// A finding that fails, with its fix.
    pub(super) fn fails(
        &self,
        message: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<Fix>,
    ) -> Finding {
        Finding {
            stops_deploy: self.deploy == Deploy::Stops,
            ..Finding::failed(self.id, self.severity, message, expected, found, fix)
        }
    }

    /// The finding for an unreadable part; other findings of the check remain.
    pub(super) fn unchecked(&self, unread: &Unread) -> Finding {
        let (why, fix) = unread.explain();
        Finding {
            fix: fix.map(Fix::from),
            ..Finding::unchecked(self.id, self.severity, why)
        }
    }

    /// The findings that fail, or else that the check holds.
    pub(super) fn unless(&self, wrong: Vec<Finding>, message: impl Into<String>) -> Findings {
        match wrong.is_empty() {
            true => self.holds(message),
            false => Ok(wrong),
        }
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Ok(vec![finding])
    }
}

/// `--qualifier Q`, if there is one.
pub(super) fn with_qualifier(command: String, qualifier: Option<&str>) -> String {
    match qualifier {
        Some(qualifier) => format!("{command} --qualifier {qualifier}"),
        None => command,
    }
}
