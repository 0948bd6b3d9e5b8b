//! Tries the deployed function, as Cognito would call it: twice for each source with users that cannot exist, once for a test
//! user where one is given, and then asks the pool whether any of them is there. What is kept of an answer holds no password.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::aws::{AwsError, Invocation, Invoker, Reader};
use crate::probe::{self, Source};
use jane_migrate_core::ids::Names;

/// A user of the directory who may be asked about.
#[derive(Debug)]
pub struct TestUser {
    /// The name as typed at sign-in.
    pub name: String,
    /// The password.
    pub password: SecretString,
}

/// What came of trying the function.
#[derive(Debug)]
pub struct Probes {
    /// The answers about users that cannot exist.
    pub unknown: Vec<Attempt>,
    /// The answer about the test user.
    pub known: Option<Attempt>,
    /// The names that the pool knows now and did not know before.
    pub migrated: Result<Vec<String>, AwsError>,
}

/// One answer.
#[derive(Debug)]
pub struct Attempt {
    /// What the function was told had made Cognito call.
    pub source: Source,
    /// Whether the answer was right; otherwise what is wrong with it.
    pub answer: Result<Answer, AwsError>,
}

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What is wrong with it.
    pub wrong: Option<String>,
    /// Whether the function had to be started first.
    pub cold: bool,
    /// How long it took, the start included.
    pub took: Duration,
    /// Whether the log it wrote holds the password.
    pub leaked: bool,
}

/// Tries the function as an app client's users would reach it. `nonce` makes the users new ones.
pub async fn probe(
    aws: &Reader,
    names: &Names,
    qualifier: Option<&str>,
    client: &str,
    test_user: Option<&TestUser>,
    nonce: &str,
) -> Probes {
    let function = match qualifier {
        Some(qualifier) => format!("{}:{qualifier}", names.function),
        None => names.function.clone(),
    };
    let invoker = Invoker::new(aws);
    let event = |source: Source, round: u8| {
        let kind = match source {
            Source::SignIn => 's',
            Source::ForgotPassword => 'f',
        };
        probe::event(
            &names.pool,
            client,
            source,
            &format!("{nonce}{kind}{round}"),
        )
    };
    let status = async |name: &str| {
        let user = aws.user(&names.pool.id, name).await?;
        Ok::<_, AwsError>(user.map(|(status, _)| status))
    };
    let before = match test_user {
        Some(user) => status(&user.name).await,
        None => Ok(None),
    };

    // Side by side first, so that Lambda starts what it has not started yet; then again, warm.
    let mut unknown = Vec::new();
    let mut probed = Vec::new();
    for round in [1, 2] {
        let events = [
            event(Source::SignIn, round),
            event(Source::ForgotPassword, round),
        ];
        let (sign_in, forgotten) = tokio::join!(
            attempt(&invoker, &function, Source::SignIn, &events[0], unmigrated),
            attempt(
                &invoker,
                &function,
                Source::ForgotPassword,
                &events[1],
                unmigrated
            ),
        );
        unknown.extend([sign_in, forgotten]);
        let name = |event: &Value| event["userName"].as_str().unwrap_or_default().to_owned();
        probed.extend(events.iter().map(name));
    }
    let known = match test_user {
        Some(user) => {
            let password = user.password.expose_secret();
            let event = probe::event_for(&names.pool, client, &user.name, Some(password));
            Some(attempt(&invoker, &function, Source::SignIn, &event, migrated).await)
        }
        None => None,
    };

    let migrated = async {
        let mut migrated = Vec::new();
        for name in probed {
            if status(&name).await?.is_some() {
                migrated.push(name);
            }
        }
        if let Some(user) = test_user
            && before? != status(&user.name).await?
        {
            migrated.push(user.name.clone());
        }
        Ok(migrated)
    };
    Probes {
        unknown,
        known,
        migrated: migrated.await,
    }
}

async fn attempt(
    invoker: &Invoker,
    function: &str,
    source: Source,
    event: &Value,
    judge: fn(&Value, &Invocation) -> anyhow::Result<()>,
) -> Attempt {
    let answer = invoker.invoke(function, event).await;
    let answer = answer.map(|invocation| {
        let log = &invocation.log;
        let password = event["request"]["password"].as_str();
        Answer {
            wrong: judge(event, &invocation)
                .err()
                .map(|error| format!("{error:#}")),
            leaked: password.is_some_and(|password| log.contains(password)),
            cold: started(log),
            took: billed(log).unwrap_or(invocation.took),
        }
    });
    Attempt { source, answer }
}

fn unmigrated(event: &Value, answer: &Invocation) -> anyhow::Result<()> {
    probe::judge(event, answer)
}

/// The test user's answer must hold a user.
fn migrated(event: &Value, answer: &Invocation) -> anyhow::Result<()> {
    anyhow::ensure!(
        answer.error.is_none(),
        "it threw {}",
        answer.payload["errorType"].as_str().unwrap_or("an error")
    );
    anyhow::ensure!(
        answer.payload["userName"] == event["userName"],
        "it answered with another event"
    );
    let attributes = answer.payload["response"]["userAttributes"].as_object();
    anyhow::ensure!(
        attributes.is_some_and(|attributes| !attributes.is_empty()),
        "it would not migrate the user: {}",
        why_not(&answer.log)
    );
    Ok(())
}

/// Why nobody is migrated: the answer does not say, the handler's line in the log does.
fn why_not(log: &str) -> &'static str {
    let line = lines(log).find(|line| line["outcome"].is_string());
    let outcome = line.as_ref().and_then(|line| line["outcome"].as_str());
    match outcome.unwrap_or_default() {
        "window-closed" => "the migration's window is closed",
        "not-found" => "the directory does not know the name",
        "wrong-password" => "the password is wrong",
        "not-eligible" => {
            "the directory knows the name, but not for this pool, or not enough about it"
        }
        "sso-only" => "the account has no password, because its owner signs in elsewhere",
        _ => "the directory does not know the name, or the password is wrong",
    }
}

/// Whether this invocation was the first of its process, by Lambda's report or by the handler's own line.
fn started(log: &str) -> bool {
    log.contains("Init Duration:")
        || log.contains("\"initDurationMs\"")
        || lines(log).any(|line| line["cold"] == true)
}

/// How long Lambda says it took, the start of the process included.
fn billed(log: &str) -> Option<Duration> {
    let report = log.lines().find(|line| line.starts_with("REPORT "));
    let ms = match report {
        Some(report) => {
            let field = |name: &str| {
                let value = report
                    .split('\t')
                    .find_map(|field| field.trim().strip_prefix(name))?;
                value.trim().strip_suffix(" ms")?.parse::<f64>().ok()
            };
            field("Duration:")? + field("Init Duration:").unwrap_or_default()
        }
        None => {
            let report = lines(log).find(|line| line["type"] == "platform.report")?;
            let metrics = &report["record"]["metrics"];
            metrics["durationMs"].as_f64()? + metrics["initDurationMs"].as_f64().unwrap_or_default()
        }
    };
    Duration::try_from_secs_f64(ms / 1000.0).ok()
}

fn lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "START RequestId: 1 Version: $LATEST\n{\"outcome\":\"not-found\",\"cold\":true}\nEND RequestId: 1\n\
        REPORT RequestId: 1\tDuration: 12.50 ms\tBilled Duration: 53 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\tInit Duration: 40.25 ms\t\n";

    #[test]
    fn a_cold_start_counts_into_the_time() {
        assert!(started(TEXT));
        assert_eq!(billed(TEXT), Some(Duration::from_micros(52_750)));
    }

    #[test]
    fn a_warm_answer_is_no_start() {
        let log = "REPORT RequestId: 1\tDuration: 3.00 ms\tBilled Duration: 3 ms\n";
        assert!(!started(log));
        assert_eq!(billed(log), Some(Duration::from_millis(3)));
    }

    #[test]
    fn logs_in_json_are_read_too() {
        let log = r#"{"time":"t","type":"platform.report","record":{"requestId":"1","metrics":{"durationMs":2.5,"initDurationMs":30.0}}}"#;
        assert!(started(log));
        assert_eq!(billed(log), Some(Duration::from_micros(32_500)));
        assert_eq!(billed("nothing of it"), None);
    }
}
