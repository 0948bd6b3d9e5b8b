//! The events that try a function when no customer does, and what the answer to a probe must look like.

use anyhow::{Context, bail};
use jane_migrate_handler::TRIAL;
use serde_json::{Value, json};

use crate::aws::{Invocation, Invoker};
use crate::failure::Failure;
use jane_migrate_core::ids::{PoolArn, PoolId};

/// What made Cognito call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A sign-in with a password.
    SignIn,
    /// A forgotten password.
    ForgotPassword,
}

impl Source {
    /// The event's `triggerSource`.
    pub fn trigger_source(self) -> &'static str {
        match self {
            Self::SignIn => "UserMigration_Authentication",
            Self::ForgotPassword => "UserMigration_ForgotPassword",
        }
    }
}

/// An event as Cognito sends it, nulls included, for a user that cannot exist (`.invalid` is reserved for that). `nonce` makes it
/// a new user each time; it is no secret.
pub fn event(pool: &PoolArn, client: &str, source: Source, nonce: &str) -> Value {
    let user = format!("jane-migrate-probe-{nonce}@probe.invalid");
    let password = match source {
        Source::SignIn => Some(format!("probe-{nonce}")),
        Source::ForgotPassword => None,
    };
    event_for(pool, client, &user, password.as_deref())
}

/// The same for any user: a sign-in where there is a password, else a forgotten one. It says of itself that it is a trial, so
/// that nobody counts it as a customer's.
pub fn event_for(pool: &PoolArn, client: &str, user: &str, password: Option<&str>) -> Value {
    let (source, request) = match password {
        Some(password) => (
            Source::SignIn,
            json!({ "password": password, "validationData": null, "userAttributes": null }),
        ),
        None => (
            Source::ForgotPassword,
            json!({ "clientMetadata": null, "userAttributes": null }),
        ),
    };
    json!({
        "version": "1",
        "triggerSource": source.trigger_source(),
        "region": pool.region,
        "userPoolId": pool.id.as_str(),
        "userName": user,
        "callerContext": { "awsSdkVersion": TRIAL, "clientId": client },
        "request": request,
        "response": {
            "userAttributes": null,
            "forceAliasCreation": null,
            "enableSMSMFA": null,
            "finalUserStatus": null,
            "messageAction": null,
            "desiredDeliveryMediums": null,
        },
    })
}

/// Invokes the function with the event, and judges its answer.
pub(crate) async fn ask(invoker: &Invoker, function: &str, event: &Value) -> anyhow::Result<()> {
    let answer = invoker
        .invoke(function, event)
        .await
        .with_context(|| format!("failed to invoke function `{function}`"))?;
    judge(event, &answer)
        .with_context(|| format!("function `{function}` does not answer as it should"))
}

/// What it means that a function fails which customers reach.
pub fn outage(pool: &PoolId) -> Failure {
    Failure::new(
        format!(
            "the trigger of user pool `{pool}` calls this function: customers who have not come over cannot sign in now"
        ),
        format!(
            "mend the cause and deploy again, or go back to the configuration or version that worked; `jane-migrate teardown --pool {pool} --force` detaches the trigger"
        ),
    )
}

/// A user nobody knows must not be migrated: the event comes back with its response untouched.
pub fn judge(event: &Value, answer: &Invocation) -> anyhow::Result<()> {
    if answer.error.is_some() {
        let kind = answer.payload["errorType"]
            .as_str()
            .unwrap_or("no error type");
        let message = answer.payload["errorMessage"].as_str().unwrap_or_default();
        let failure = anyhow::anyhow!("it threw {kind}: {message}");
        return Err(match kind {
            "DirectoryUnavailable" => failure.context(
                "the directory did not answer; its log says which call failed (credentials, url, network), and no customer could be migrated",
            ),
            _ => failure.context("the function failed; its log says why"),
        });
    }
    let response = answer
        .payload
        .get("response")
        .context("it answered with no event")?;
    if *response != event["response"] {
        bail!("it would migrate a user that cannot exist");
    }
    if answer.payload["userName"] != event["userName"] {
        bail!("it answered with another event");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sent() -> Value {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        event(&arn.parse().unwrap(), "client", Source::SignIn, "n1")
    }

    fn answered(payload: Value, error: Option<&str>) -> Invocation {
        Invocation {
            payload,
            error: error.map(str::to_owned),
            took: Duration::ZERO,
            log: String::new(),
        }
    }

    #[test]
    fn the_event_handed_back_is_right() {
        assert!(judge(&sent(), &answered(sent(), None)).is_ok());
    }

    #[test]
    fn a_migrated_probe_is_wrong() {
        let mut payload = sent();
        payload["response"]["finalUserStatus"] = json!("CONFIRMED");
        assert!(judge(&sent(), &answered(payload, None)).is_err());
    }

    #[test]
    fn a_thrown_error_is_told() {
        let payload = json!({"errorType": "DirectoryUnavailable", "errorMessage": "down"});
        let error = judge(&sent(), &answered(payload, Some("Unhandled"))).unwrap_err();
        assert!(format!("{error:#}").contains("DirectoryUnavailable"));
        assert!(judge(&sent(), &answered(Value::Null, None)).is_err());
    }

    #[test]
    fn a_forgot_password_event_has_no_password() {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        let event = event(&arn.parse().unwrap(), "c", Source::ForgotPassword, "n");
        assert!(event["request"].get("password").is_none());
    }
}
