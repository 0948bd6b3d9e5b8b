//! One line of the function's log with what status counts: the outcome of one invocation. A user's name or its hash is not
//! even parsed.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome for an invocation without one, because the function timed out or crashed.
pub const ABORTED: &str = "aborted";

/// The outcome of a sign-in whose stored hash cannot be checked.
pub const UNSUPPORTED_HASH: &str = "unsupported-hash";

/// Jane was notified of a user's Cognito user name.
pub const CONNECTED: &str = "connected";

/// Jane could not be notified, and the user was created anyway.
pub const UNCONNECTED: &str = "unconnected";

/// A sign-up was allowed.
pub const SIGN_UP_ALLOWED: &str = "sign-up-allowed";

/// A customer signed in with another provider, and was allowed.
pub const ADMITTED: &str = "admitted";

/// A sign-up with a customer's address was rejected.
pub const USER_EXISTS: &str = "user-exists";

/// The directory rejected a sign-up.
pub const SIGN_UP_REFUSED: &str = "sign-up-refused";

/// Jane created an account for a new user.
pub const ACCOUNT_CREATED: &str = "account-created";

/// Lambda's text for an invocation without an outcome, and its short reason.
const ABORTS: [(&str, &str); 2] = [
    ("Task timed out after", "timeout"),
    ("Runtime exited", "crash"),
];

/// How an outcome counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A customer migrated.
    Migrated,
    /// A correct rejection: an unknown user, another shop's customer, a wrong password.
    Refused,
    /// An error; the customer perhaps should have migrated.
    Failed,
    /// An outcome of the other triggers: neither a migration nor a rejected one.
    Account,
}

impl Class {
    /// The class of an outcome, by the handler's name for it.
    pub fn of(outcome: &str) -> Self {
        match outcome {
            "migrated" | "migrated-for-reset" => Self::Migrated,
            "directory-unavailable"
            | UNSUPPORTED_HASH
            | "unsupported-trigger"
            | "invalid-event"
            | "invalid-settings"
            | "not-connected"
            | "sign-up-unavailable"
            | "account-not-created"
            | ABORTED => Self::Failed,
            CONNECTED | UNCONNECTED | SIGN_UP_ALLOWED | ADMITTED | USER_EXISTS
            | SIGN_UP_REFUSED | ACCOUNT_CREATED | "nothing-to-do" | "trigger-off"
            | "unknown-source" => Self::Account,
            _ => Self::Refused,
        }
    }
}

/// The result of one invocation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The time, in milliseconds since 1970.
    #[serde(skip)]
    pub at_ms: i64,
    /// The outcome's name.
    pub outcome: String,
    /// The app client, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How long Cognito waited for the response: the invocation, and the function's start before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// How long the function's start took, if this invocation started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_ms: Option<f64>,
    /// The reason of a failure, in a word or two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The result of the notification of the migration: `sent`, or the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_migrated: Option<String>,
    /// The requests to the directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<Call>,
    /// An operator's test, not a customer's sign-in.
    #[serde(skip)]
    pub trial: bool,
}

/// One request to the directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub call: String,
    /// How long it took.
    pub ms: f64,
    /// The HTTP status of the response, if there was one.
    pub status: Option<u16>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, ms, status } = self;
        match status {
            Some(status) => write!(f, "{call} {status} in {ms:.1} ms"),
            // Databases and the function's own work have no status.
            None => write!(f, "{call} in {ms:.1} ms"),
        }
    }
}

/// The line in the handler's format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    client_id: Option<Cow<'a, str>>,
    duration_ms: Option<f64>,
    init_ms: Option<f64>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    on_migrated: Option<Cow<'a, str>>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    upstream: Vec<Call>,
    #[serde(default)]
    trial: bool,
}

impl Entry {
    /// Parses a line; `None` if it has no outcome.
    pub fn read(at_ms: i64, message: &str) -> Option<Self> {
        if let Some((_, reason)) = ABORTS.iter().find(|(words, _)| message.contains(words)) {
            return Some(Self {
                at_ms,
                outcome: ABORTED.to_owned(),
                client: None,
                took_ms: None,
                init_ms: None,
                reason: Some((*reason).to_owned()),
                on_migrated: None,
                upstream: Vec::new(),
                trial: false,
            });
        }
        // Three of four lines are Lambda's own.
        if !message.starts_with('{') {
            return None;
        }
        let line: Line<'_> = serde_json::from_str(message).ok()?;
        let missing = (!line.missing.is_empty()).then(|| lacking(&line.missing.join(", ")));
        Some(Self {
            at_ms,
            outcome: line.outcome.into_owned(),
            client: line.client_id.map(Cow::into_owned),
            took_ms: line
                .duration_ms
                .map(|duration| duration + line.init_ms.unwrap_or_default()),
            init_ms: line.init_ms,
            reason: line.reason.map(Cow::into_owned).or(missing),
            on_migrated: line.on_migrated.map(Cow::into_owned),
            upstream: line.upstream,
            trial: line.trial,
        })
    }

    /// Its class.
    pub fn class(&self) -> Class {
        Class::of(&self.outcome)
    }

    /// Whether it needs attention: an error, or a customer that the pool rejects.
    pub fn is_trouble(&self) -> bool {
        self.class() == Class::Failed || self.reason.is_some()
    }
}

/// The reason if the directory's user lacks attributes that the pool requires.
pub(super) fn lacking(attributes: &str) -> String {
    format!("the directory has no {attributes}")
}

/// The property of every line, for the property test and the fuzzer: it counts as one outcome or not at all, and its user is not
/// read.
#[cfg(any(test, fuzzing))]
pub fn holds(line: &str) {
    let Some(entry) = Entry::read(7, line) else {
        return;
    };
    let class = entry.class();
    assert!(!entry.outcome.is_empty() || class == Class::Refused);
    let trouble = class == Class::Failed || entry.reason.is_some();
    assert_eq!(entry.is_trouble(), trouble);
    for call in &entry.upstream {
        assert!(call.to_string().ends_with(" ms"));
    }
    assert!(serde_json::to_string(&entry).is_ok());
    if entry.outcome != ABORTED
        && let Ok(serde_json::Value::Object(mut members)) = serde_json::from_str(line)
    {
        members.remove("user");
        let line = serde_json::Value::Object(members).to_string();
        assert_eq!(Entry::read(7, &line), Some(entry));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"outcome":"migrated","userPoolId":"us-west-2_A","triggerSource":"UserMigration_Authentication","count":1,"durationMs":12.5,"upstream":[{"call":"user_exists","ms":3.25,"status":200},{"call":"verify_credentials","ms":4.0,"status":null}],"cold":true,"clientId":"web","user":"0123456789abcdef01234567","initMs":2.5}"#;

    #[test]
    fn a_log_line_is_parsed_without_its_user() {
        let entry = Entry::read(7, LINE).unwrap();
        assert_eq!((entry.at_ms, entry.outcome.as_str()), (7, "migrated"));
        assert_eq!(entry.client.as_deref(), Some("web"));
        assert_eq!((entry.took_ms, entry.init_ms), (Some(15.0), Some(2.5)));
        assert_eq!(entry.upstream[0].status, Some(200));
        assert_eq!(entry.upstream[1].status, None);
        assert!(!entry.trial && !entry.is_trouble());
        let shown = format!("{entry:?} {}", serde_json::to_string(&entry).unwrap());
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
    }

    #[test]
    fn an_invocation_that_timed_out_counts_as_aborted() {
        for (message, reason) in [
            (
                "2026-11-20T10:00:00.000Z 8f5a Task timed out after 5.00 seconds",
                "timeout",
            ),
            (
                "RequestId: 8f5a Error: Runtime exited with error: signal: killed",
                "crash",
            ),
        ] {
            let entry = Entry::read(0, message).unwrap();
            assert_eq!(
                (entry.outcome.as_str(), entry.reason.as_deref()),
                (ABORTED, Some(reason))
            );
            assert_eq!(entry.class(), Class::Failed);
        }
    }

    #[test]
    fn lines_without_an_outcome_are_ignored() {
        for message in [
            "",
            "START RequestId: 8f5a Version: $LATEST",
            "{\"level\":\"INFO\"}",
            "{",
        ] {
            assert_eq!(Entry::read(0, message), None, "{message}");
        }
    }

    #[test]
    fn a_customer_without_a_required_attribute_needs_attention() {
        let line = r#"{"outcome":"not-eligible","durationMs":1.0,"missing":["birthdate"]}"#;
        let entry = Entry::read(0, line).unwrap();
        assert_eq!(
            entry.reason.as_deref(),
            Some("the directory has no birthdate")
        );
        assert!(entry.is_trouble());
        assert_eq!(entry.class(), Class::Refused);
    }

    /// A line of the handler or of Lambda with a few characters removed, doubled or changed.
    fn damaged() -> impl Strategy<Value = String> {
        let lines = [
            LINE,
            r#"{"outcome":"not-eligible","durationMs":1.0,"missing":["birthdate"],"user":"0123456789abcdef01234567"}"#,
            "2026-11-20T10:00:00.000Z 8f5a Task timed out after 5.00 seconds",
            "REPORT RequestId: 1\tDuration: 12.50 ms\tBilled Duration: 53 ms\tInit Duration: 40.25 ms\t",
        ];
        let pieces = [
            "", "{", "}", "\"", "\\u0000", "1e308", "-", "null", "[", "ä", ":", ",",
        ];
        let change = (
            0..400_usize,
            prop::sample::select(pieces.to_vec()),
            0..3_usize,
        );
        let changes = prop::collection::vec(change, 0..4);
        (prop::sample::select(lines.to_vec()), changes).prop_map(|(line, changes)| {
            let mut line: Vec<char> = line.chars().collect();
            for (at, piece, gone) in changes {
                let at = at % (line.len() + 1);
                let end = (at + gone).min(line.len());
                line.splice(at..end, piece.chars());
            }
            line.into_iter().collect()
        })
    }

    #[test]
    fn every_line_in_the_corpus_of_the_fuzzer_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/log_line");
        let lines = std::fs::read_dir(folder).unwrap().map(|file| {
            let line = std::fs::read(file.unwrap().path()).unwrap();
            holds(&String::from_utf8_lossy(&line));
        });
        assert!(lines.count() > 10);
    }

    proptest! {
        #[test]
        fn a_damaged_line_counts_or_not_and_shows_no_user(line in damaged()) {
            holds(&line);
            if let Some(entry) = Entry::read(7, &line) {
                let shown = format!("{entry:?} {}", serde_json::to_string(&entry).unwrap());
                prop_assert!(!shown.contains("0123456789abcdef"), "{}", shown);
            }
        }
    }
}
