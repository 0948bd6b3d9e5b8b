//! What passed through the gateway: which calls, by whom, about what, and how they ended. Never a body: bodies hold passwords.

use std::sync::Mutex;

use crate::wire::Call;
use serde_json::{Value, json};

/// The members of a request that say what it is about, and that are no secret.
const IDENTIFIERS: [&str; 15] = [
    "UserPoolId",
    "ClientId",
    "AuthFlow",
    "ResourceArn",
    "FunctionName",
    "StatementId",
    "Qualifier",
    "RoleName",
    "PolicyName",
    "logGroupName",
    "logGroupNamePrefix",
    "resourceArn",
    "retentionInDays",
    "SecretId",
    "Name",
];

/// One call that the gateway saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service, by its signing name: `cognito-idp`, `lambda`, `iam`, `logs`, ...
    pub service: String,
    /// The API's name of the call, such as `UpdateUserPool`. A trigger that Cognito invoked is `Invoke UserMigration_...`.
    pub action: String,
    /// The account it was about.
    pub account: String,
    /// What it was about: pairs such as (`FunctionName`, `jane-migrate-...`).
    pub about: Vec<(String, String)>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The error code of the answer, if it was one.
    pub error: Option<String>,
}

impl Entry {
    /// The identifier called `name`.
    pub fn about(&self, name: &str) -> Option<&str> {
        let found = self.about.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }

    pub(crate) fn to_json(&self) -> Value {
        let about = self.about.iter().cloned().map(|(k, v)| (k, json!(v)));
        json!({
            "service": self.service,
            "action": self.action,
            "account": self.account,
            "about": Value::Object(about.collect()),
            "status": self.status,
            "error": self.error,
        })
    }
}

/// What a call is about, wherever its protocol says so.
pub(crate) fn about(call: &Call) -> Vec<(String, String)> {
    let members = call.members().unwrap_or_default();
    let text = |(name, value)| match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    };
    let named: Vec<(String, String)> = match call.service.as_str() {
        "iam" | "sts" => call.form().collect(),
        "lambda" => {
            let member = |name: &str| Some(members.get(name)?.as_str()?.to_owned());
            let (function, qualifier) = call.function().unzip();
            let statement = member("StatementId");
            [
                ("FunctionName", function.or_else(|| member("FunctionName"))),
                (
                    "StatementId",
                    statement.or_else(|| call.path_after("policy").map(str::to_owned)),
                ),
                ("Qualifier", qualifier.flatten()),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
        }
        _ => members.into_iter().map(text).collect(),
    };
    let identifies = |(name, _): &(String, String)| IDENTIFIERS.contains(&name.as_str());
    named.into_iter().filter(identifies).collect()
}

#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    /// Enough for any test run, and bounded for a sandbox that runs for days.
    const LIMIT: usize = 50_000;

    pub fn write(&self, entry: Entry) {
        let mut entries = self.lock();
        if entries.len() == Self::LIMIT {
            entries.drain(..Self::LIMIT / 2);
        }
        entries.push(entry);
    }

    pub fn of(&self, account: &str) -> Vec<Entry> {
        let entries = self.lock();
        entries
            .iter()
            .filter(|entry| entry.account == account)
            .cloned()
            .collect()
    }

    pub fn all(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
