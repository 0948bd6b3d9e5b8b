//! The result of an invocation: why Cognito called, the outcomes, the refusals with their constant texts, and the log line of
//! each invocation. The line is JSON and contains CloudWatch metrics in embedded metric format, except for the operator's tests,
//! which are no sign-ins.
//!
//! The line names no user. A keyed hash shows that two lines belong to the same user, but only the holder of the key can compute
//! it.

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_runtime::Diagnostic;
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    budget::{Call, ON_MIGRATED, ON_WRONG_PASSWORD},
    escape::hex,
};

/// Why Cognito called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `UserMigration_Authentication`: a sign-in with a password.
    Authentication,
    /// `UserMigration_ForgotPassword`: a forgotten password.
    ForgotPassword,
    /// `PreSignUp_AdminCreateUser`: a user is about to be created, by a migration or by an operator.
    AdminCreateUser,
    /// `PreSignUp_SignUp`: a user signs up.
    SignUp,
    /// `PreSignUp_ExternalProvider`: a user signs in with another provider for the first time.
    ExternalProvider,
    /// `PostConfirmation_ConfirmSignUp`: a new user is confirmed.
    ConfirmSignUp,
    /// `PostConfirmation_ConfirmForgotPassword`: a new password is set.
    ConfirmForgotPassword,
    /// Any other source of the trigger pre sign-up.
    OtherPreSignUp,
    /// Any other source of the trigger post confirmation.
    OtherPostConfirmation,
}

impl Trigger {
    /// The trigger of a source, by its name in Cognito.
    pub fn of(source: &str) -> Option<Self> {
        Some(match source {
            "UserMigration_Authentication" => Self::Authentication,
            "UserMigration_ForgotPassword" => Self::ForgotPassword,
            "PreSignUp_AdminCreateUser" => Self::AdminCreateUser,
            "PreSignUp_SignUp" => Self::SignUp,
            "PreSignUp_ExternalProvider" => Self::ExternalProvider,
            "PostConfirmation_ConfirmSignUp" => Self::ConfirmSignUp,
            "PostConfirmation_ConfirmForgotPassword" => Self::ConfirmForgotPassword,
            other if other.starts_with("PreSignUp_") => Self::OtherPreSignUp,
            other if other.starts_with("PostConfirmation_") => Self::OtherPostConfirmation,
            _ => return None,
        })
    }

    /// Whether it is a migration.
    pub fn is_migration(self) -> bool {
        matches!(self, Self::Authentication | Self::ForgotPassword)
    }

    /// Whether it comes after a user was confirmed.
    pub fn is_post_confirmation(self) -> bool {
        matches!(
            self,
            Self::ConfirmSignUp | Self::ConfirmForgotPassword | Self::OtherPostConfirmation
        )
    }
}

/// The outcome of a sign-in or a forgotten password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password was right; Cognito creates the user.
    Migrated,
    /// The user may set a new password; Cognito creates the user and sends a code.
    MigratedForReset,
    /// The directory does not have the name.
    NotFound,
    /// The directory has the name, but the account is not for this pool or lacks a required attribute.
    NotEligible,
    /// The password was wrong.
    WrongPassword,
    /// The account has no password: the user signs in through another provider.
    SsoOnly,
    /// The stored hash cannot be checked. The response is the one for a wrong password.
    UnsupportedHash,
    /// There were too many refused sign-ins with this name; there was no request to the directory. The response is the one for a
    /// wrong password.
    TooManyGuesses,
    /// The migration window is closed.
    WindowClosed,
    /// The name is not in the share of names that migrate yet.
    OutsideShare,
    /// Jane has the Cognito user name of the user who is about to be created.
    Connected,
    /// Jane could not be notified; the user is created anyway.
    Unconnected,
    /// The directory does not object to the sign-up.
    SignUpAllowed,
    /// A customer of the directory signs in with another provider, and is allowed.
    Admitted,
    /// Jane has an account for the new user.
    AccountCreated,
    /// There is nothing to do for this event.
    NothingToDo,
    /// The settings do not have this trigger.
    TriggerOff,
    /// The trigger has a source that this version does not support.
    UnknownSource,
    /// The invocation ended with an error.
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
            Self::UnsupportedHash => "unsupported-hash",
            Self::TooManyGuesses => "too-many-guesses",
            Self::WindowClosed => "window-closed",
            Self::OutsideShare => "outside-share",
            Self::Connected => "connected",
            Self::Unconnected => "unconnected",
            Self::SignUpAllowed => "sign-up-allowed",
            Self::Admitted => "admitted",
            Self::AccountCreated => "account-created",
            Self::NothingToDo => "nothing-to-do",
            Self::TriggerOff => "trigger-off",
            Self::UnknownSource => "unknown-source",
            Self::Refused(Refusal::DirectoryUnavailable) => "directory-unavailable",
            Self::Refused(Refusal::UnsupportedTrigger) => "unsupported-trigger",
            Self::Refused(Refusal::InvalidEvent) => "invalid-event",
            Self::Refused(Refusal::InvalidSettings) => "invalid-settings",
            Self::Refused(Refusal::NotConnected) => "not-connected",
            Self::Refused(Refusal::UserExists) => "user-exists",
            Self::Refused(Refusal::SignUpRefused) => "sign-up-refused",
            Self::Refused(Refusal::SignUpUnavailable) => "sign-up-unavailable",
            Self::Refused(Refusal::AccountNotCreated) => "account-not-created",
        }
    }
}

/// Why an invocation ends in an error. The customer sees its text, so it contains nothing about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The directory gave no usable response in time.
    DirectoryUnavailable,
    /// The event belongs to a trigger that this function does not serve.
    UnsupportedTrigger,
    /// The event cannot be read, or belongs to another pool.
    InvalidEvent,
    /// This build cannot use the settings in the function's environment.
    InvalidSettings,
    /// Jane could not be notified of the user, so the user is not created.
    NotConnected,
    /// A user signs up with an address that the directory has.
    UserExists,
    /// The directory rejects the sign-up.
    SignUpRefused,
    /// The directory gave no usable response about a sign-up in time.
    SignUpUnavailable,
    /// Jane could not be notified of a new user.
    AccountNotCreated,
}

/// The error that an invocation ends in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// The reason.
    pub refusal: Refusal,
    /// The text for the customer instead of the constant one: it is about what the customer typed.
    pub shown: Option<String>,
}

impl From<Refusal> for Thrown {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            shown: None,
        }
    }
}

impl From<Thrown> for Diagnostic {
    fn from(thrown: Thrown) -> Self {
        let (error_type, message) = match thrown.refusal {
            Refusal::DirectoryUnavailable => {
                ("DirectoryUnavailable", "Sign-in is not possible right now")
            }
            Refusal::UnsupportedTrigger => ("UnsupportedTrigger", "This trigger is not supported"),
            Refusal::InvalidEvent => ("InvalidEvent", "This event is not supported"),
            Refusal::InvalidSettings => ("InvalidSettings", "The function is not set up"),
            // During a migration Cognito calls this trigger in the same request, so a customer reads this text after signing in.
            Refusal::NotConnected => ("NotConnected", "Sign-in is not possible right now"),
            Refusal::UserExists => ("UserExists", "User already exists, please log in"),
            Refusal::SignUpRefused => (
                "SignUpRefused",
                "Sign-up is not possible with these details",
            ),
            Refusal::SignUpUnavailable => {
                ("SignUpUnavailable", "Sign-up is not possible right now")
            }
            Refusal::AccountNotCreated => (
                "AccountNotCreated",
                "The account could not be set up right now",
            ),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: thrown.shown.unwrap_or_else(|| message.to_owned()),
        }
    }
}

/// The content of an invocation's log line.
pub struct Record<'a> {
    /// The outcome.
    pub outcome: Outcome,
    /// The pool; empty if the settings cannot be read.
    pub pool: &'a str,
    /// Cognito's name for why it called, if the event could be read.
    pub source: Option<&'a str>,
    /// The app client, if the event could be read.
    pub client_id: Option<&'a str>,
    /// [`user_hash`] of the name, if the event could be read.
    pub user: Option<String>,
    /// How long the invocation took.
    pub took: Duration,
    /// The calls to the directory.
    pub calls: &'a [Call],
    /// Whether it was the first invocation of this process.
    pub cold: bool,
    /// How long this process took to start, for its first invocation: Cognito waits for that too.
    pub init: Option<Duration>,
    /// Whether the operator's tool sent the event.
    pub trial: bool,
    /// Why the directory is unavailable or the user not eligible, in one word; or the format of a hash that cannot be checked.
    pub reason: Option<&'a str>,
    /// Required attributes that the directory's user lacks.
    pub missing: &'a [String],
    /// The result of the notification that the user has migrated, in a word.
    pub told: Option<&'static str>,
    /// Why the directory could not count a refused sign-in.
    pub not_counted: Option<&'static str>,
}

impl Record<'_> {
    /// A record with only an outcome.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            pool: "",
            source: None,
            client_id: None,
            user: None,
            took: Duration::ZERO,
            calls: &[],
            cold: false,
            init: None,
            trial: false,
            reason: None,
            missing: &[],
            told: None,
            not_counted: None,
        }
    }

    /// The line, as JSON.
    pub fn to_json(&self) -> Value {
        let timestamp = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as u64;
        let upstream = self.calls.iter().map(
            |Call {
                 call, took, status, ..
             }| { json!({ "call": call, "ms": millis(*took), "status": status }) },
        );
        let mut line = json!({
            "outcome": self.outcome.as_str(),
            "triggerSource": self.source,
            "count": 1,
            "durationMs": millis(self.took),
            "upstream": upstream.collect::<Vec<_>>(),
            "cold": self.cold,
            "clientId": self.client_id,
            "user": self.user,
        });
        // A dimension's value must not be empty.
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
            // The host of the call that failed. Other calls are the same in every sign-in.
            let mut calls = self
                .calls
                .iter()
                .rev()
                .filter(|call| ![ON_MIGRATED, ON_WRONG_PASSWORD].contains(&call.call));
            if let Some(host) = calls.next().and_then(|call| call.host.as_deref()) {
                line["host"] = host.into();
            }
        }
        if let Some(told) = self.told {
            line["onMigrated"] = told.into();
        }
        if let Some(why) = self.not_counted {
            line["notCounted"] = why.into();
        }
        if !self.missing.is_empty() {
            line["missing"] = self.missing.into();
        }
        line
    }
}

/// Writes a line of JSON to standard output, which Lambda sends to the log. One write: several could become several log
/// entries. A log that cannot be written must not fail a sign-in.
pub fn write_line(line: &Value) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// Milliseconds with three decimals.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// A keyed hash of a user's name.
pub fn user_hash(key: &hmac::Key, name: &str) -> String {
    hex(&hmac::sign(key, name.as_bytes()).as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(outcome: Outcome) -> Record<'static> {
        Record {
            pool: "us-east-1_AbC123456",
            ..Record::new(outcome)
        }
    }

    #[test]
    fn every_outcome_and_trigger_has_its_name() {
        let names = [
            (Outcome::Migrated, "migrated"),
            (Outcome::MigratedForReset, "migrated-for-reset"),
            (Outcome::NotFound, "not-found"),
            (Outcome::NotEligible, "not-eligible"),
            (Outcome::WrongPassword, "wrong-password"),
            (Outcome::SsoOnly, "sso-only"),
            (Outcome::UnsupportedHash, "unsupported-hash"),
            (Outcome::TooManyGuesses, "too-many-guesses"),
            (Outcome::WindowClosed, "window-closed"),
            (Outcome::OutsideShare, "outside-share"),
            (Outcome::Connected, "connected"),
            (Outcome::Unconnected, "unconnected"),
            (Outcome::SignUpAllowed, "sign-up-allowed"),
            (Outcome::Admitted, "admitted"),
            (Outcome::AccountCreated, "account-created"),
            (Outcome::NothingToDo, "nothing-to-do"),
            (Outcome::TriggerOff, "trigger-off"),
            (Outcome::UnknownSource, "unknown-source"),
        ];
        for (outcome, name) in names {
            assert_eq!(outcome.as_str(), name);
        }
    }

    #[test]
    fn every_source_has_its_trigger_and_new_ones_belong_to_a_family() {
        for (source, trigger) in [
            (
                "UserMigration_Authentication",
                Some(Trigger::Authentication),
            ),
            (
                "UserMigration_ForgotPassword",
                Some(Trigger::ForgotPassword),
            ),
            ("PreSignUp_AdminCreateUser", Some(Trigger::AdminCreateUser)),
            ("PreSignUp_SignUp", Some(Trigger::SignUp)),
            (
                "PreSignUp_ExternalProvider",
                Some(Trigger::ExternalProvider),
            ),
            (
                "PostConfirmation_ConfirmSignUp",
                Some(Trigger::ConfirmSignUp),
            ),
            (
                "PostConfirmation_ConfirmForgotPassword",
                Some(Trigger::ConfirmForgotPassword),
            ),
            ("PreSignUp_Passkey", Some(Trigger::OtherPreSignUp)),
            ("PostConfirmation_X", Some(Trigger::OtherPostConfirmation)),
            ("UserMigration_Other", None),
            ("PostAuthentication_Authentication", None),
            ("", None),
        ] {
            assert_eq!(Trigger::of(source), trigger, "{source}");
        }
    }

    #[test]
    fn every_refusal_has_its_name_and_constant_texts() {
        use Refusal::*;
        for (refusal, name, kind, message) in [
            (
                DirectoryUnavailable,
                "directory-unavailable",
                "DirectoryUnavailable",
                "Sign-in is not possible right now",
            ),
            (
                UnsupportedTrigger,
                "unsupported-trigger",
                "UnsupportedTrigger",
                "This trigger is not supported",
            ),
            (
                InvalidEvent,
                "invalid-event",
                "InvalidEvent",
                "This event is not supported",
            ),
            (
                InvalidSettings,
                "invalid-settings",
                "InvalidSettings",
                "The function is not set up",
            ),
            (
                NotConnected,
                "not-connected",
                "NotConnected",
                "Sign-in is not possible right now",
            ),
            (
                UserExists,
                "user-exists",
                "UserExists",
                "User already exists, please log in",
            ),
            (
                SignUpRefused,
                "sign-up-refused",
                "SignUpRefused",
                "Sign-up is not possible with these details",
            ),
            (
                SignUpUnavailable,
                "sign-up-unavailable",
                "SignUpUnavailable",
                "Sign-up is not possible right now",
            ),
            (
                AccountNotCreated,
                "account-not-created",
                "AccountNotCreated",
                "The account could not be set up right now",
            ),
        ] {
            assert_eq!(Outcome::Refused(refusal).as_str(), name);
            let Diagnostic {
                error_type,
                error_message,
            } = Thrown::from(refusal).into();
            assert_eq!((&*error_type, &*error_message), (kind, message));
        }
    }

    #[test]
    fn a_refusal_can_be_about_the_customers_own_input() {
        let thrown = Thrown {
            refusal: Refusal::SignUpRefused,
            shown: Some("birth date is too late".into()),
        };
        let Diagnostic {
            error_type,
            error_message,
        } = thrown.into();
        let said = (&*error_type, &*error_message);
        assert_eq!(said, ("SignUpRefused", "birth date is too late"));
    }

    #[test]
    fn a_line_contains_the_known_fields_and_counts_once() {
        let calls = [Call {
            call: "user_exists",
            host: Some("api.example".into()),
            took: Duration::from_micros(12_345),
            status: Some(200),
        }];
        let missing = ["email".to_owned()];
        let mut line = Record {
            source: Some("UserMigration_Authentication"),
            client_id: Some("client-1"),
            user: Some("0a".into()),
            took: Duration::from_micros(1_500),
            calls: &calls,
            cold: true,
            init: Some(Duration::from_millis(80)),
            reason: Some("timeout"),
            missing: &missing,
            ..record(Outcome::NotEligible)
        }
        .to_json();
        let metrics = line["_aws"].take();
        assert_eq!(
            line,
            json!({
                "outcome": "not-eligible",
                "triggerSource": "UserMigration_Authentication",
                "count": 1,
                "durationMs": 1.5,
                "upstream": [{ "call": "user_exists", "ms": 12.345, "status": 200 }],
                "cold": true,
                "clientId": "client-1",
                "user": "0a",
                "userPoolId": "us-east-1_AbC123456",
                "initMs": 80.0,
                "reason": "timeout",
                "host": "api.example",
                "missing": ["email"],
                "_aws": null,
            })
        );
        let dimensions = &metrics["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(
            dimensions,
            &json!([["userPoolId"], ["userPoolId", "outcome"]])
        );
        assert!(metrics["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    }

    #[test]
    fn unknown_fields_are_left_out() {
        let line = record(Outcome::Migrated).to_json();
        for field in ["trial", "initMs", "reason", "host", "missing"] {
            assert!(line.get(field).is_none(), "{field}");
        }
        let without_pool = Record::new(Outcome::Migrated).to_json();
        assert!(without_pool.get("userPoolId").is_none());
        let dimensions = &without_pool["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(dimensions, &json!([["outcome"]]));
    }

    #[test]
    fn a_test_is_marked_and_not_counted() {
        let trial = Record {
            trial: true,
            ..record(Outcome::Migrated)
        }
        .to_json();
        assert_eq!(trial["trial"], true);
        assert!(trial.get("_aws").is_none());
    }

    #[test]
    fn a_user_has_one_hash_for_each_key() {
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let hash = user_hash(&key(b"one"), "ann");
        assert_eq!(hash.len(), 24);
        assert_eq!(hash, user_hash(&key(b"one"), "ann"));
        assert_ne!(hash, user_hash(&key(b"one"), "bob"));
        assert_ne!(hash, user_hash(&key(b"two"), "ann"));
    }
}
