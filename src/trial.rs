//! Interprets the response to a test event: whether the user would migrate, and what Cognito would store. Pure; no value
//! contains the password.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use jane_migrate_config::TOLD;
use serde::Serialize;
use serde_json::Value;

use crate::status::entry::{Class, Entry};
use jane_migrate_core::document::PoolDocument;
use jane_migrate_core::probe::Invocation;

/// One trial migration.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The outcome, by the handler's name for it.
    pub outcome: String,
    /// Whether the user would be in the pool now.
    pub would_migrate: bool,
    /// What Cognito would store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Why Cognito would reject the user that the handler accepts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pool_refuses: Vec<String>,
    /// The handler's log line: timings, the directory's responses, the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Entry>,
    /// The notification to Jane, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// The notification of the migration, if `[on_migrated]` is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_migrated: Option<OnMigrated>,
    /// How long the invocation took, measured by this program.
    pub took_ms: f64,
}

/// What `[on_migrated]` would send.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnMigrated {
    /// `checked`, or what would fail, as far as that shows without sending it.
    pub outcome: String,
    /// The request that would be sent.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub would_send: Value,
}

impl OnMigrated {
    /// The notification in the response to a test event, if there is one.
    pub fn of(answer: &Invocation) -> Option<Self> {
        let mut told = answer.payload[TOLD].as_array().into_iter().flatten();
        let would = told.find(|told| told["call"] == ON_MIGRATED);
        Some(Self {
            outcome: entry_of(answer)?.on_migrated?,
            would_send: would.map_or(Value::Null, |told| told["body"].clone()),
        })
    }
}

/// The call of `[on_migrated]`, by the handler's name for it.
const ON_MIGRATED: &str = "on_migrated";

/// The handler's log line in a response.
fn entry_of(answer: &Invocation) -> Option<Entry> {
    let mut lines = answer.log.lines().rev();
    lines.find_map(|line| Entry::read(0, line))
}

/// The notification that would connect the user in the pool with the account at Jane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Connection {
    /// The outcome, by the handler's name for it.
    pub outcome: String,
    /// The requests that Jane would get, with their bodies.
    pub told: Vec<Value>,
    /// Whether Cognito would not create the user.
    pub refused: bool,
}

impl Connection {
    /// The notification in the response to the event before the user's creation.
    pub fn new(answer: &Invocation) -> Self {
        let logged = entry_of(answer);
        let thrown = answer.payload["errorType"].as_str();
        let outcome = logged.map(|entry| entry.outcome);
        let told = answer.payload[TOLD].as_array();
        Self {
            outcome: outcome
                .or(thrown.map(str::to_owned))
                .unwrap_or_else(|| "unknown".to_owned()),
            told: told
                .into_iter()
                .flatten()
                .filter(|told| told["call"] != ON_MIGRATED)
                .cloned()
                .collect(),
            refused: answer.error.is_some(),
        }
    }
}

/// A user as Cognito would store it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct User {
    /// `CONFIRMED` or `RESET_REQUIRED`.
    pub status: String,
    /// The profile.
    pub attributes: BTreeMap<String, String>,
    /// The channels of the welcome message; empty if there is none.
    pub welcome: Vec<String>,
    /// Whether an alias moves to this user from another.
    pub force_alias_creation: bool,
    /// Whether SMS becomes the second factor.
    pub sms_mfa: bool,
}

impl Trial {
    /// The trial for the response to this event, for this pool.
    pub fn new(event: &Value, answer: &Invocation, pool: &PoolDocument) -> anyhow::Result<Self> {
        let log = entry_of(answer);
        let thrown = answer.payload["errorType"].as_str();
        let trial = |outcome: &str, user: Option<User>| {
            let pool_refuses = user
                .as_ref()
                .map_or_else(Vec::new, |user| refusals(user, pool));
            Self {
                outcome: outcome.to_owned(),
                would_migrate: user.is_some() && pool_refuses.is_empty(),
                user,
                pool_refuses,
                log: log.clone(),
                connection: None,
                on_migrated: OnMigrated::of(answer),
                took_ms: answer.took.as_secs_f64() * 1000.0,
            }
        };
        let outcome = log.as_ref().map(|entry| entry.outcome.as_str());
        if answer.error.is_some() {
            let outcome = outcome
                .or(thrown)
                .context("the function failed and gave no reason")?;
            if Class::of(outcome) != Class::Failed && log.is_some() {
                bail!("the function failed after it had decided `{outcome}`; its log says why");
            }
            return Ok(trial(outcome, None));
        }
        let response = answer
            .payload
            .get("response")
            .filter(|response| response.is_object())
            .context("the function answered with no event")?;
        if *response == event["response"] {
            return Ok(trial(outcome.unwrap_or("not-migrated"), None));
        }
        Ok(trial(
            outcome.unwrap_or("migrated"),
            Some(User::new(response)),
        ))
    }
}

impl Trial {
    /// The same with the notification: if a required one fails, the user is not created.
    pub fn with_connection(self, connection: Connection) -> Self {
        Self {
            would_migrate: self.would_migrate && !connection.refused,
            connection: Some(connection),
            ..self
        }
    }

    /// The same with the notification of `[on_migrated]` from this response.
    pub fn with_on_migrated(self, answer: &Invocation) -> Self {
        Self {
            on_migrated: OnMigrated::of(answer).or(self.on_migrated),
            ..self
        }
    }
}

impl User {
    fn new(response: &Value) -> Self {
        let attributes = response["userAttributes"].as_object();
        let texts = |value: &Value| -> Vec<String> {
            let texts = value.as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mediums = texts(&response["desiredDeliveryMediums"]);
        Self {
            // Without a status, Cognito makes the user choose a new password.
            status: response["finalUserStatus"]
                .as_str()
                .unwrap_or("RESET_REQUIRED")
                .to_owned(),
            attributes: attributes
                .into_iter()
                .flatten()
                .map(|(name, value)| {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    (name.clone(), text)
                })
                .collect(),
            welcome: match response["messageAction"].as_str() {
                Some("SUPPRESS") => Vec::new(),
                _ if mediums.is_empty() => vec!["SMS".to_owned()],
                _ => mediums,
            },
            force_alias_creation: response["forceAliasCreation"] == true,
            sms_mfa: response["enableSMSMFA"] == true,
        }
    }
}

/// Why the user does not match the pool's schema. Cognito rejects the whole user for one such attribute.
fn refusals(user: &User, pool: &PoolDocument) -> Vec<String> {
    let schema: Vec<_> = pool.schema_attributes().collect();
    let unknown = user
        .attributes
        .keys()
        .filter(|name| {
            !schema.is_empty() && !schema.iter().any(|known| known.name == name.as_str())
        })
        .map(|name| format!("the pool has no attribute {name}"));
    let missing = schema
        .iter()
        .filter(|known| known.required && known.name != "sub")
        .filter(|known| !user.attributes.contains_key(known.name))
        .map(|known| format!("the pool requires the attribute {}", known.name));
    unknown.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use jane_migrate_core::probe;

    const ARN: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";

    fn event() -> Value {
        probe::event_for(
            &ARN.parse().unwrap(),
            "web",
            "ada@example.com",
            Some("Secret-Pass-1"),
        )
    }

    fn pool() -> PoolDocument {
        PoolDocument::from_json(json!({
            "Id": "us-east-1_Ab1", "Name": "Roots", "Arn": ARN,
            "SchemaAttributes": [
                { "Name": "sub", "Required": true }, { "Name": "email", "Required": true }, { "Name": "name" },
            ],
        }))
        .unwrap()
    }

    fn answer(response: Value, outcome: &str) -> Invocation {
        let mut payload = event();
        payload["response"] = response;
        Invocation {
            payload,
            error: None,
            took: Duration::from_millis(20),
            log: format!(
                "START RequestId: 1\n{}\nEND RequestId: 1\n",
                json!({ "outcome": outcome, "durationMs": 12.5, "upstream": [{ "call": "user_exists", "ms": 3.0, "status": 200 }] })
            ),
        }
    }

    #[test]
    fn a_migrated_user_is_shown_as_cognito_would_store_it() {
        let response = json!({ "userAttributes": { "email": "ada@example.com" }, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS" });
        let trial = Trial::new(&event(), &answer(response, "migrated"), &pool()).unwrap();
        assert!(trial.would_migrate && trial.outcome == "migrated");
        let user = trial.user.clone().unwrap();
        assert_eq!((user.status.as_str(), user.welcome.len()), ("CONFIRMED", 0));
        assert_eq!(user.attributes["email"], "ada@example.com");
        let shown = format!("{trial:?} {}", serde_json::to_string(&trial).unwrap());
        assert!(!shown.contains("Secret-Pass-1"), "{shown}");
    }

    #[test]
    fn a_user_that_the_pool_rejects_would_not_migrate() {
        let response =
            json!({ "userAttributes": { "custom:shop": "1" }, "messageAction": "SUPPRESS" });
        let trial = Trial::new(&event(), &answer(response, "migrated-for-reset"), &pool()).unwrap();
        assert!(!trial.would_migrate);
        assert_eq!(
            trial.pool_refuses,
            [
                "the pool has no attribute custom:shop",
                "the pool requires the attribute email"
            ]
        );
        assert_eq!(trial.user.unwrap().status, "RESET_REQUIRED");
    }

    #[test]
    fn an_unchanged_response_is_no_user() {
        let trial = Trial::new(
            &event(),
            &answer(event()["response"].clone(), "wrong-password"),
            &pool(),
        )
        .unwrap();
        assert!(!trial.would_migrate && trial.user.is_none());
        assert_eq!(trial.outcome, "wrong-password");
    }

    #[test]
    fn a_user_without_a_notification_to_jane_would_not_migrate() {
        let trial = |connection: &Invocation| {
            let mut response = event()["response"].clone();
            response["userAttributes"] = json!({ "email": "ada@example.com", "name": "Ada" });
            let trial = Trial::new(&event(), &answer(response, "migrated"), &pool()).unwrap();
            trial.with_connection(Connection::new(connection))
        };
        let told = json!([{ "call": "ensure_external_user_exists", "body": { "email": "ada@example.com" } }]);
        let mut connected = answer(json!({}), "connected");
        connected.payload[TOLD] = told.clone();
        let shown = trial(&connected);
        assert!(shown.would_migrate);
        let connection = shown.connection.unwrap();
        assert_eq!(
            (connection.outcome.as_str(), json!(connection.told)),
            ("connected", told)
        );

        let mut refused = answer(json!({}), "not-connected");
        refused.error = Some("Unhandled".into());
        assert!(!trial(&refused).would_migrate);
    }

    #[test]
    fn a_thrown_error_has_an_outcome_too() {
        let mut thrown = answer(Value::Null, "directory-unavailable");
        thrown.error = Some("Unhandled".into());
        thrown.payload = json!({ "errorType": "DirectoryUnavailable", "errorMessage": "x" });
        let trial = Trial::new(&event(), &thrown, &pool()).unwrap();
        assert_eq!(
            (trial.outcome.as_str(), trial.would_migrate),
            ("directory-unavailable", false)
        );
        thrown.log.clear();
        thrown.payload = Value::Null;
        assert!(Trial::new(&event(), &thrown, &pool()).is_err());
    }
}
