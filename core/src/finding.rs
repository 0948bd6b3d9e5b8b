//! What a check found, the same for plan and verify, for people and machines.

use serde::Serialize;

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; fails only where `--strict` says so.
    Warning,
    /// Sign-ins fail or leak.
    Error,
}

/// The result of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Stable id, kebab-case.
    pub id: &'static str,
    /// How much it matters when it does not hold.
    pub severity: Severity,
    /// Which of several things of a kind it is about: an app client, a variable, a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether it holds.
    pub ok: bool,
    /// In a sentence.
    pub message: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The command or setting that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// It could not be checked; the message says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// It does not hold, and the configuration says why that is fine.
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
            message: message.into(),
            expected: None,
            found: None,
            fix: None,
            unknown: false,
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
        fix: impl Into<String>,
    ) -> Self {
        Self {
            ok: false,
            expected: Some(expected.into()),
            found: Some(found.into()),
            fix: Some(fix.into()),
            ..Self::holds(id, severity, message)
        }
    }

    /// The same, about one of several things of a kind.
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
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
}
