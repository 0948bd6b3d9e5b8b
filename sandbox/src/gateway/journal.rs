//! The journal of calls: service, action, account, identifiers and result. It never keeps a body, because bodies contain
//! passwords.

use std::sync::Mutex;

use super::pool::Pool;
use crate::lock::lock;
use crate::wire::{Call, Refusal};
use serde_json::{Value, json};

/// The fields of a request that identify a resource and are not secret.
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

/// One call to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service, by its signing name: `cognito-idp`, `lambda`, `iam`, `logs`, ...
    pub service: String,
    /// The API's name of the call, such as `UpdateUserPool`. A call of a trigger by Cognito is `Invoke UserMigration_...`.
    pub action: String,
    /// The account.
    pub account: String,
    /// The resources in the request: pairs such as (`FunctionName`, `jane-migrate-...`).
    pub about: Vec<(String, String)>,
    /// The HTTP status of the response.
    pub status: u16,
    /// The error code of the response, if it was an error.
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

/// The identifiers in a call. Each protocol has them in another place.
pub(crate) fn about(call: &Call) -> Vec<(String, String)> {
    let request = call.request().unwrap_or_default();
    let named: Vec<(String, Option<String>)> = match call.service.as_str() {
        "iam" | "sts" => call
            .form()
            .map(|(name, value)| (name, Some(value)))
            .collect(),
        "lambda" => {
            let member = |name: &str| request[name].as_str().map(str::to_owned);
            let (function, qualifier) = call.function().unzip();
            let in_path = || call.path_after("policy").map(str::to_owned);
            vec![
                (
                    "FunctionName".into(),
                    function.or_else(|| member("FunctionName")),
                ),
                ("StatementId".into(), member("StatementId").or_else(in_path)),
                ("Qualifier".into(), qualifier.flatten()),
            ]
        }
        _ => {
            let members = request.as_object().into_iter().flatten();
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            members
                .map(|(name, value)| (name.clone(), Some(text(value))))
                .collect()
        }
    };
    named
        .into_iter()
        .filter(|(name, _)| IDENTIFIERS.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    /// Enough for any test run, and a limit for a sandbox that runs for days.
    const LIMIT: usize = 50_000;

    pub fn write(&self, entry: Entry) {
        let mut entries = lock(&self.0);
        if entries.len() == Self::LIMIT {
            entries.drain(..Self::LIMIT / 2);
        }
        entries.push(entry);
    }

    /// Records that Cognito called a trigger.
    pub fn invocation(
        &self,
        pool: &Pool,
        arn: &str,
        client: &str,
        source: &str,
        refused: Option<&Refusal>,
    ) {
        let about = [
            ("FunctionName", arn),
            ("UserPoolId", &pool.id),
            ("ClientId", client),
        ];
        self.write(Entry {
            service: "lambda".into(),
            action: format!("Invoke {source}"),
            account: pool.scope.account.clone(),
            about: about
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            status: refused.map_or(200, |refusal| refusal.status.as_u16()),
            error: refused.map(|refusal| refusal.code.clone()),
        });
    }

    /// The calls of one account, or of all.
    pub fn read(&self, account: Option<&str>) -> Vec<Entry> {
        let entries = lock(&self.0);
        let about = |entry: &&Entry| account.is_none_or(|account| entry.account == account);
        entries.iter().filter(about).cloned().collect()
    }
}
