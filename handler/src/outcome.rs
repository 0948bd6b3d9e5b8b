//! What becomes of an invocation: the outcomes, the refusals with their constant texts, and the one line of JSON that
//! each invocation writes, which carries CloudWatch metrics in embedded metric format, but for trials: those are nobody's
//! sign-in.
//!
//! The line names no user. A keyed hash lets two lines be recognised as the same user's, by nobody who lacks the key.

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_runtime::Diagnostic;
use ring::hmac;
use serde_json::{Value, json};

use crate::{budget::Call, escape::hex};

/// What made Cognito ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `UserMigration_Authentication`: a sign-in with a password.
    Authentication,
    /// `UserMigration_ForgotPassword`: a forgotten password.
    ForgotPassword,
}

impl Trigger {
    /// Cognito's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "UserMigration_Authentication",
            Self::ForgotPassword => "UserMigration_ForgotPassword",
        }
    }
}

/// What became of a sign-in or a forgotten password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password was right; Cognito creates the user.
    Migrated,
    /// The directory vouches for the user; Cognito creates it and sends a code.
    MigratedForReset,
    /// The directory does not know the name.
    NotFound,
    /// The directory knows the name, but it is not for this pool, or not complete enough.
    NotEligible,
    /// The password was wrong.
    WrongPassword,
    /// The account has no password, because its owner signs in elsewhere.
    SsoOnly,
    /// The migration is over.
    WindowClosed,
    /// The invocation was refused.
    Refused(Refusal),
}

impl Outcome {
    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::MigratedForReset => "migrated-for-reset",
            Self::NotFound => "not-found",
            Self::NotEligible => "not-eligible",
            Self::WrongPassword => "wrong-password",
            Self::SsoOnly => "sso-only",
            Self::WindowClosed => "window-closed",
            Self::Refused(Refusal::DirectoryUnavailable) => "directory-unavailable",
            Self::Refused(Refusal::UnsupportedTrigger) => "unsupported-trigger",
            Self::Refused(Refusal::InvalidEvent) => "invalid-event",
            Self::Refused(Refusal::InvalidSettings) => "invalid-settings",
        }
    }
}

/// Why an invocation ends in an error. Its text reaches the customer's screen, so it says nothing about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The directory did not answer in time, or not as it should.
    DirectoryUnavailable,
    /// The event is of a trigger this function does not serve.
    UnsupportedTrigger,
    /// The event is not one of this function's pool.
    InvalidEvent,
    /// The function's environment is not what this build expects.
    InvalidSettings,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let (error_type, message) = match refusal {
            Refusal::DirectoryUnavailable => {
                ("DirectoryUnavailable", "Sign-in is not possible right now")
            }
            Refusal::UnsupportedTrigger => ("UnsupportedTrigger", "This trigger is not supported"),
            Refusal::InvalidEvent => ("InvalidEvent", "This event is not supported"),
            Refusal::InvalidSettings => ("InvalidSettings", "The function is not set up"),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: message.to_owned(),
        }
    }
}

/// What the line of one invocation says.
pub struct Record<'a> {
    /// What became of it.
    pub outcome: Outcome,
    /// The pool it was for.
    pub pool: &'a str,
    /// What made Cognito ask, where that is known.
    pub trigger: Option<Trigger>,
    /// The app client, where one is known.
    pub client_id: Option<&'a str>,
    /// [`user_hash`] of the name, where one is known.
    pub user: Option<String>,
    /// How long the invocation took.
    pub took: Duration,
    /// The calls to the directory.
    pub calls: &'a [Call],
    /// Whether it was the first invocation of this process.
    pub cold: bool,
    /// How long this process took to get ready, for its first invocation: Cognito waits for that, too.
    pub init: Option<Duration>,
    /// Whether no customer asked, but the operator's tool.
    pub trial: bool,
    /// What went wrong with the directory, in one word.
    pub reason: Option<&'static str>,
    /// Required attributes the directory's user lacks.
    pub missing: &'a [String],
}

impl Record<'_> {
    /// A record of which nothing but the outcome is known.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            pool: "",
            trigger: None,
            client_id: None,
            user: None,
            took: Duration::ZERO,
            calls: &[],
            cold: false,
            init: None,
            trial: false,
            reason: None,
            missing: &[],
        }
    }

    /// Writes the line to standard output, where Lambda's log takes it from.
    pub fn write(&self) {
        write_line(&self.to_json());
    }

    fn to_json(&self) -> Value {
        let timestamp = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as u64;
        let upstream = self.calls.iter().map(|Call { call, took, status }| {
            json!({ "call": call, "ms": millis(*took), "status": status })
        });
        let mut line = json!({
            "outcome": self.outcome.as_str(),
            "triggerSource": self.trigger.map(Trigger::as_str),
            "count": 1,
            "durationMs": millis(self.took),
            "upstream": upstream.collect::<Vec<_>>(),
            "cold": self.cold,
            "clientId": self.client_id,
            "user": self.user,
        });
        // A dimension's value must not be empty, and settings that cannot be read name no pool.
        let dimensions = match self.pool {
            "" => json!([["outcome"]]),
            pool => {
                line["userPoolId"] = pool.into();
                json!([["userPoolId"], ["userPoolId", "outcome"]])
            }
        };
        if self.trial {
            line["trial"] = true.into();
        } else {
            line["_aws"] = json!({
                "Timestamp": timestamp,
                "CloudWatchMetrics": [{
                    "Namespace": "JaneMigrate",
                    "Dimensions": dimensions,
                    "Metrics": [{ "Name": "count", "Unit": "Count" }, { "Name": "durationMs", "Unit": "Milliseconds" }],
                }],
            });
        }
        if let Some(init) = self.init {
            line["initMs"] = millis(init).into();
        }
        if let Some(reason) = self.reason {
            line["reason"] = reason.into();
        }
        if !self.missing.is_empty() {
            line["missing"] = self.missing.into();
        }
        line
    }
}

/// Writes one line of JSON, at once: in pieces it could become several entries of the log. A log that cannot be written
/// must not fail a sign-in.
pub fn write_line(line: &Value) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// Milliseconds with three digits after the point.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// A hash of a user's name that only the holder of the key can compute.
pub fn user_hash(key: &hmac::Key, name: &str) -> String {
    hex(&hmac::sign(key, name.as_bytes()).as_ref()[..12])
}
