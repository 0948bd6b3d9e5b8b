//! What a check is, and the words in which it answers: what holds says so in a few words; what does not says what was expected,
//! what was found and what mends it.

use super::subject::Subject;
use crate::finding::{Finding, Severity};
use crate::fix::Fix;
use crate::read::Unread;

/// One thing that must hold.
#[derive(Debug)]
pub struct Check {
    /// Its id: kebab-case, stable, never reused.
    pub id: &'static str,
    /// How much it matters, at worst; of a pool that was reset (`pool-unchanged`) more.
    pub severity: Severity,
    /// When it is made.
    pub when: When,
    /// What it means for a deploy.
    pub deploy: Deploy,
    /// What holds, in a few words.
    pub holds: &'static str,
    pub(super) run: fn(&Check, &Subject<'_>) -> Findings,
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

/// What a check that fails means for a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploy {
    /// It is about the pool, its clients or the configuration, which no deploy changes: a deploy stops at its errors.
    Stops,
    /// It is about what deploy makes. What still fails afterwards is reported and stops nothing.
    Reports,
}

/// What a check found, or why it could not be made. None: it does not apply.
pub type Findings = Result<Vec<Finding>, Unread>;

impl Check {
    /// What it says of the subject.
    pub fn findings(&self, subject: &Subject<'_>) -> Vec<Finding> {
        match (self.run)(self, subject) {
            Ok(findings) => findings,
            Err(Unread::NotAsked) => Vec::new(),
            Err(unread) => vec![self.unchecked(&unread)],
        }
    }

    /// Nothing but that it holds.
    pub(super) fn holds(&self, message: impl Into<String>) -> Findings {
        Ok(vec![self.holding(message)])
    }

    /// That it holds, or that a part of it does.
    pub(super) fn holding(&self, message: impl Into<String>) -> Finding {
        Finding::holds(self.id, self.severity, message)
    }

    /// One thing wrong, with what mends it.
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

    /// What could not be read keeps one finding from being made, not the others.
    pub(super) fn unchecked(&self, unread: &Unread) -> Finding {
        let (why, fix) = unread.explain();
        Finding {
            fix: fix.map(Fix::from),
            ..Finding::unchecked(self.id, self.severity, why)
        }
    }

    /// What is wrong, or else that it holds.
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

/// `--qualifier Q`, where there is one.
pub(super) fn with_qualifier(command: String, qualifier: Option<&str>) -> String {
    match qualifier {
        Some(qualifier) => format!("{command} --qualifier {qualifier}"),
        None => command,
    }
}
