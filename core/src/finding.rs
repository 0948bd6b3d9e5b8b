//! What a check found, the same for plan and verify, for people and machines. `fix` is a value: the report renders it.

use std::borrow::Cow;

use serde::Serialize;

use crate::fix::Fix;
use crate::line::one_line;

/// How severe a failed check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; fails only with `--strict`.
    Warning,
    /// Sign-ins fail, or something leaks.
    Error,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Stable id, kebab-case.
    pub id: &'static str,
    /// The severity if it does not hold.
    pub severity: Severity,
    /// Which of several things it is about: an app client, a variable, a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether it holds.
    pub ok: bool,
    /// The message, as a sentence.
    pub message: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The fix. The report adds it to the document, with the given flags.
    #[serde(skip)]
    pub fix: Option<Fix>,
    /// It could not be checked; the message says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// If it is an error, it stops a deploy.
    #[serde(skip)]
    pub stops_deploy: bool,
    /// It does not hold, and the configuration accepts it for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Finding {
    /// The check holds.
    pub fn holds(id: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            subject: None,
            ok: true,
            message: line(message),
            expected: None,
            found: None,
            fix: None,
            unknown: false,
            stops_deploy: false,
            accepted: None,
        }
    }

    /// The check does not hold.
    pub fn failed(
        id: &'static str,
        severity: Severity,
        message: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<Fix>,
    ) -> Self {
        Self {
            ok: false,
            expected: Some(line(expected)),
            found: Some(line(found)),
            fix: Some(fix.into()),
            ..Self::holds(id, severity, message)
        }
    }

    /// The check could not be made.
    pub fn unchecked(id: &'static str, severity: Severity, why: impl Into<String>) -> Self {
        Self {
            ok: false,
            unknown: true,
            ..Self::holds(id, severity, why)
        }
    }

    /// The same, about one of several things.
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(line(subject)),
            ..self
        }
    }

    /// The same, less severe than the check's other findings.
    pub fn warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// The same; `stops` says whether it stops a deploy because a deploy would not fix it.
    pub fn stopping(self, stops: bool) -> Self {
        Self {
            stops_deploy: self.stops_deploy || stops,
            ..self
        }
    }

    /// Whether it stops a deploy.
    pub fn stops(&self) -> bool {
        self.stops_deploy && self.is_open() && self.severity == Severity::Error
    }

    /// Whether it was checked, does not hold, and is not accepted.
    pub fn is_open(&self) -> bool {
        !self.ok && !self.unknown && self.accepted.is_none()
    }
}

/// Names and values from elsewhere are part of the text: they must not look like more of it.
fn line(text: impl Into<String>) -> String {
    let text = text.into();
    match one_line(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(line) => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Finding {
        Finding::failed("id", Severity::Error, "m", "e", "f", "fix")
    }

    #[test]
    fn a_finding_is_open_if_it_failed_and_is_not_accepted() {
        assert!(failed().is_open());
        assert!(!Finding::holds("id", Severity::Error, "m").is_open());
        assert!(!Finding::unchecked("id", Severity::Error, "m").is_open());
        let accepted = Finding {
            accepted: Some("known".into()),
            ..failed()
        };
        assert!(!accepted.is_open());
    }

    #[test]
    fn only_an_open_error_of_a_stopping_check_stops_a_deploy() {
        let stopping = Finding {
            stops_deploy: true,
            ..failed()
        };
        assert!(stopping.stops() && !failed().stops());
        assert!(!stopping.clone().warning().stops());
        let accepted = Finding {
            accepted: Some("known".into()),
            ..stopping
        };
        assert!(!accepted.stops());
    }
}
