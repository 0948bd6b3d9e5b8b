//! Probing the function without a customer: the events, what a correct response is, and what is kept of it. No password is kept.
//! The program invokes the function.

use std::time::Duration;

use jane_migrate_config::{SAMPLE, TRIAL};
use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::ids::PoolArn;
use crate::reason;
use crate::trigger::Trigger;

/// Why Cognito calls the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A sign-in with a password.
    SignIn,
    /// A forgotten password.
    ForgotPassword,
    /// A sign-up.
    SignUp,
    /// A confirmed new password: of all confirmations the only one that creates no account.
    NewPassword,
}

impl Source {
    /// The event's `triggerSource`.
    pub fn trigger_source(self) -> &'static str {
        match self {
            Self::SignIn => "UserMigration_Authentication",
            Self::ForgotPassword => "UserMigration_ForgotPassword",
            Self::SignUp => "PreSignUp_SignUp",
            Self::NewPassword => "PostConfirmation_ConfirmForgotPassword",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::SignIn => "a sign-in",
            Self::ForgotPassword => "a forgotten password",
            Self::SignUp => "a sign-up",
            Self::NewPassword => "a confirmation",
        }
    }

    /// The event that probes the function for this trigger.
    pub fn of(trigger: Trigger) -> Self {
        match trigger {
            Trigger::UserMigration => Self::SignIn,
            Trigger::PreSignUp => Self::SignUp,
            Trigger::PostConfirmation => Self::NewPassword,
        }
    }

    /// How to judge a response.
    pub fn judge(self) -> Judge {
        match self {
            Self::SignIn | Self::ForgotPassword => unmigrated,
            Self::SignUp => admitted,
            Self::NewPassword => untouched,
        }
    }
}

/// An event as Cognito sends it, with nulls, for a user that cannot exist (`.invalid` is reserved for that). `nonce` makes the
/// user unique; it is no secret.
pub fn event(pool: &PoolArn, client: &str, source: Source, nonce: &str) -> Value {
    let user = format!("jane-migrate-probe-{nonce}@probe.invalid");
    let email = |user: &str| json!({ "email": user });
    match source {
        Source::SignIn => event_for(pool, client, &user, Some(&format!("probe-{nonce}"))),
        Source::ForgotPassword => event_for(pool, client, &user, None),
        Source::SignUp => {
            let request = json!({ "userAttributes": email(&user), "validationData": null });
            let response = json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false });
            trial(
                pool,
                client,
                source.trigger_source(),
                &user,
                request,
                response,
            )
        }
        Source::NewPassword => {
            let request = json!({ "userAttributes": email(&user) });
            trial(
                pool,
                client,
                source.trigger_source(),
                &user,
                request,
                json!({}),
            )
        }
    }
}

/// The event that Cognito would send before it creates a migrated user. It is marked as a test: the response says what the
/// directory would be notified of, and no notification is sent.
pub fn connection(pool: &PoolArn, client: &str, user: &str, attributes: Value) -> Value {
    let request = json!({ "userAttributes": attributes, "validationData": null });
    let response =
        json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false });
    trial(
        pool,
        client,
        "PreSignUp_AdminCreateUser",
        user,
        request,
        response,
    )
}

/// The same for each of these triggers; without any, for a sign-in.
pub fn events(
    pool: &PoolArn,
    client: &str,
    triggers: &[Trigger],
    nonce: &str,
) -> Vec<(Source, Value)> {
    let others = triggers
        .iter()
        .copied()
        .filter(|trigger| *trigger != Trigger::UserMigration);
    let sources = [Source::SignIn].into_iter().chain(others.map(Source::of));
    sources
        .map(|source| (source, event(pool, client, source, nonce)))
        .collect()
}

/// The same for any user: a sign-in if there is a password, or else a forgotten password. It is marked as a test, so that it does
/// not count as a customer's.
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
    let response = json!({
        "userAttributes": null,
        "forceAliasCreation": null,
        "enableSMSMFA": null,
        "finalUserStatus": null,
        "messageAction": null,
        "desiredDeliveryMediums": null,
    });
    trial(
        pool,
        client,
        source.trigger_source(),
        user,
        request,
        response,
    )
}

fn trial(
    pool: &PoolArn,
    client: &str,
    source: &str,
    user: &str,
    request: Value,
    response: Value,
) -> Value {
    json!({
        "version": "1",
        "triggerSource": source,
        "region": pool.region,
        "userPoolId": pool.id.as_str(),
        "userName": user,
        // A function of an earlier version checks `awsSdkVersion`.
        "callerContext": { "awsSdkVersion": "jane-migrate", "clientId": client },
        TRIAL: true,
        "request": request,
        "response": response,
    })
}

/// The event that requests the formats of this many stored hashes.
pub fn sample(rows: u32) -> Value {
    json!({ TRIAL: true, SAMPLE: rows })
}

/// The result of an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The payload, or `Null` if it is not JSON.
    pub payload: Value,
    /// `Unhandled` or `Handled` if the function threw an error.
    pub error: Option<String>,
    /// The time from request to response for the caller.
    pub took: Duration,
    /// The end of its log, if requested.
    pub log: String,
}

/// The results of the probe.
#[derive(Debug, Clone)]
pub struct Probes {
    /// The responses for users that cannot exist.
    pub unknown: Vec<Attempt>,
    /// The response for the test user.
    pub known: Option<Attempt>,
    /// The names that are in the pool now and were not before.
    pub migrated: Result<Vec<String>, AwsError>,
}

/// One response.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The event that the function received.
    pub source: Source,
    /// The response if it is correct, or else the error.
    pub answer: Result<Answer, AwsError>,
}

/// What is kept of a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What is wrong with it, if anything.
    pub wrong: Option<String>,
    /// Whether the function had to be started first.
    pub cold: bool,
    /// How long it took, the start included.
    pub took: Duration,
    /// Whether its log contains the password.
    pub leaked: bool,
}

impl Answer {
    /// The part of the response to `event` that is kept.
    pub fn new(event: &Value, invocation: &Invocation, judge: Judge) -> Self {
        let password = event["request"]["password"].as_str();
        let log = &invocation.log;
        Self {
            wrong: judge(event, invocation).err().map(|why| why.join(": ")),
            leaked: password.is_some_and(|password| log.contains(password)),
            cold: started(log),
            took: billed(log).unwrap_or(invocation.took),
        }
    }
}

/// Returns what is wrong with a response: a sentence, then its causes.
pub type Judge = fn(&Value, &Invocation) -> Result<(), Vec<String>>;

fn wrong(what: &str) -> Result<(), Vec<String>> {
    Err(vec![what.to_owned()])
}

/// What is wrong with an error response.
fn failed(answer: &Invocation) -> Vec<String> {
    let kind = kind(answer);
    let message = answer.payload["errorMessage"].as_str().unwrap_or_default();
    let what = match kind {
        "DirectoryUnavailable" => "the directory is unavailable, and no customer could be migrated",
        "SignUpUnavailable" => "the directory is unavailable, and no sign-up would succeed",
        "UserExists" => "it takes an address that cannot exist for a customer's",
        "UnsupportedTrigger" => "it does not know this trigger",
        _ => "the function failed; its log says why",
    };
    let thrown = format!("it threw {kind}: {message}");
    [what.to_owned(), unavailable(&answer.log).unwrap_or(thrown)].into()
}

fn kind(answer: &Invocation) -> &str {
    let kind = answer.payload["errorType"].as_str();
    kind.unwrap_or("no error type")
}

/// The response must contain the event with a response.
fn event_back<'a>(event: &Value, answer: &'a Invocation) -> Result<&'a Value, Vec<String>> {
    if answer.error.is_some() {
        return Err(failed(answer));
    }
    let Some(response) = answer.payload.get("response") else {
        return Err(vec!["it answered with no event".to_owned()]);
    };
    match answer.payload["userName"] == event["userName"] {
        true => Ok(response),
        false => Err(vec!["it answered with another event".to_owned()]),
    }
}

/// An unknown user must not be migrated: the event returns with its response unchanged.
pub fn unmigrated(event: &Value, answer: &Invocation) -> Result<(), Vec<String>> {
    match *event_back(event, answer)? == event["response"] {
        true => Ok(()),
        false => wrong("it would migrate a user that cannot exist"),
    }
}

/// A user who is no customer may sign up. The directory may also reject the probe's data, which is a correct response, too.
fn admitted(event: &Value, answer: &Invocation) -> Result<(), Vec<String>> {
    if answer.error.is_some() && kind(answer) == "SignUpRefused" {
        return Ok(());
    }
    let response = event_back(event, answer)?;
    let answers = |member: &str| response[member].is_boolean();
    match ["autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone"]
        .into_iter()
        .all(answers)
    {
        true => Ok(()),
        false => wrong("its answer to a sign-up is not one that Cognito takes"),
    }
}

/// Nothing is done, so the event returns unchanged.
fn untouched(event: &Value, answer: &Invocation) -> Result<(), Vec<String>> {
    match *event_back(event, answer)? == event["response"] {
        true => Ok(()),
        false => wrong("it did something about a new password, where nothing is to be done"),
    }
}

/// The response for the test user must contain a user.
pub fn migrated(event: &Value, answer: &Invocation) -> Result<(), Vec<String>> {
    if answer.error.is_some() {
        let kind = answer.payload["errorType"].as_str().unwrap_or("an error");
        return Err(vec![format!("it threw {kind}")]);
    }
    if answer.payload["userName"] != event["userName"] {
        return wrong("it answered with another event");
    }
    let attributes = answer.payload["response"]["userAttributes"].as_object();
    if attributes.is_none_or(|attributes| attributes.is_empty()) {
        let why = why_not(&answer.log);
        return Err(vec![format!("it would not migrate the user: {why}")]);
    }
    Ok(())
}

/// Why the directory is unavailable, from the handler's log line: the call, the host and the reason.
fn unavailable(log: &str) -> Option<String> {
    let line = lines(log).find(|line| line["outcome"].is_string())?;
    let reason = line["reason"].as_str()?;
    let meaning = reason::meaning(reason).unwrap_or(reason);
    let last = line["upstream"].as_array().and_then(|calls| calls.last());
    let Some(call) = last.and_then(|call| call["call"].as_str()) else {
        return Some(meaning.to_owned());
    };
    let host = line["host"].as_str();
    let host = host.map_or_else(String::new, |host| format!(" to {host}"));
    let status = last.and_then(|call| call["status"].as_u64());
    let status = status.map_or_else(String::new, |status| format!(", answered with {status}"));
    Some(format!("call `{call}`{host}{status}: {meaning}"))
}

/// Why no user is migrated: the response does not say, but the handler's log line does.
fn why_not(log: &str) -> &'static str {
    let line = lines(log).find(|line| line["outcome"].is_string());
    let text = |member: &str| line.as_ref().and_then(|line| line[member].as_str());
    if let Some(meaning) = text("reason").and_then(reason::meaning) {
        return meaning;
    }
    let outcome = text("outcome");
    match outcome.unwrap_or_default() {
        "window-closed" => "the migration's window is closed",
        "outside-share" => {
            "the name is not in the share of names that migrate yet ([window] share)"
        }
        "not-found" => "the directory does not know the name",
        "wrong-password" => "the password is wrong",
        "too-many-guesses" => "too many sign-ins with this name were refused",
        "unsupported-hash" => "the stored hash is of a format that cannot be checked",
        "not-eligible" => {
            "the directory knows the name, but not for this pool, or not enough about it"
        }
        "sso-only" => "the account has no password, because its owner signs in elsewhere",
        _ => "the directory does not know the name, or the password is wrong",
    }
}

/// Whether this invocation was the first of its process, from Lambda's report or the handler's own line.
fn started(log: &str) -> bool {
    log.contains("Init Duration:")
        || log.contains("\"initDurationMs\"")
        || lines(log).any(|line| line["cold"] == true)
}

/// The duration in Lambda's report, including the start of the process.
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

    fn source(source: Source) -> Value {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        event(&arn.parse().unwrap(), "client", source, "n1")
    }

    #[test]
    fn the_probe_accepts_an_allowed_or_rejected_sign_up_only() {
        let sent = source(Source::SignUp);
        let judge = |payload: Value, error: Option<&str>| {
            Source::SignUp.judge()(&sent, &answered(payload, error))
        };
        let mut confirmed = sent.clone();
        confirmed["response"]["autoConfirmUser"] = json!(true);
        assert!(judge(sent.clone(), None).is_ok() && judge(confirmed, None).is_ok());
        let thrown = |kind: &str| judge(json!({ "errorType": kind }), Some("Unhandled"));
        assert!(thrown("SignUpRefused").is_ok());
        for kind in [
            "UserExists",
            "SignUpUnavailable",
            "UnsupportedTrigger",
            "NotConnected",
        ] {
            assert!(thrown(kind).unwrap_err()[1].contains(kind), "{kind}");
        }
        let mut empty = sent.clone();
        empty["response"] = json!({});
        assert!(judge(empty, None).is_err());
        let mut other = sent.clone();
        other["userName"] = json!("somebody@else.example");
        assert!(judge(other, None).is_err());
    }

    #[test]
    fn a_confirmation_must_return_unchanged() {
        let sent = source(Source::NewPassword);
        assert_eq!(
            sent["triggerSource"],
            "PostConfirmation_ConfirmForgotPassword"
        );
        let judge = |payload: Value| Source::NewPassword.judge()(&sent, &answered(payload, None));
        assert!(judge(sent.clone()).is_ok());
        let mut changed = sent.clone();
        changed["response"]["autoConfirmUser"] = json!(true);
        assert!(judge(changed).is_err());
    }

    #[test]
    fn each_trigger_that_is_on_is_probed_and_always_a_sign_in() {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        let sources = |triggers: &[Trigger]| -> Vec<Source> {
            let events = events(&arn.parse().unwrap(), "c", triggers, "n");
            for (source, event) in &events {
                assert_eq!(event["triggerSource"], source.trigger_source());
                assert_eq!(event[TRIAL], true);
            }
            events.into_iter().map(|(source, _)| source).collect()
        };
        assert_eq!(sources(&[]), [Source::SignIn]);
        assert_eq!(
            sources(&Trigger::ALL),
            [Source::SignIn, Source::SignUp, Source::NewPassword]
        );
        assert_eq!(
            sources(&[Trigger::PreSignUp]),
            [Source::SignIn, Source::SignUp]
        );
    }

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
    fn an_unchanged_event_is_correct() {
        assert!(unmigrated(&sent(), &answered(sent(), None)).is_ok());
    }

    #[test]
    fn a_migrated_probe_is_wrong() {
        let mut payload = sent();
        payload["response"]["finalUserStatus"] = json!("CONFIRMED");
        assert!(unmigrated(&sent(), &answered(payload, None)).is_err());
    }

    #[test]
    fn a_response_to_another_event_is_wrong() {
        let mut payload = sent();
        payload["userName"] = json!("somebody@else.example");
        assert!(unmigrated(&sent(), &answered(payload.clone(), None)).is_err());
        payload["response"]["userAttributes"] = json!({ "email": "a@b.example" });
        assert!(migrated(&sent(), &answered(payload, None)).is_err());
    }

    #[test]
    fn a_thrown_error_is_reported() {
        let payload = json!({"errorType": "DirectoryUnavailable", "errorMessage": "down"});
        let why = unmigrated(&sent(), &answered(payload.clone(), Some("Unhandled"))).unwrap_err();
        assert!(why.join(": ").contains("DirectoryUnavailable"));
        assert!(unmigrated(&sent(), &answered(Value::Null, None)).is_err());
        assert!(migrated(&sent(), &answered(payload, Some("Unhandled"))).is_err());
    }

    #[test]
    fn an_unavailable_directory_is_reported_with_the_call_the_host_and_the_reason() {
        let why = |line: Value| {
            let payload = json!({"errorType": "DirectoryUnavailable", "errorMessage": "down"});
            let mut answer = answered(payload, Some("Unhandled"));
            answer.log = format!("START RequestId: 1\n{line}\nEND RequestId: 1\n");
            unmigrated(&sent(), &answer).unwrap_err().pop().unwrap()
        };
        let line = json!({
            "outcome": "directory-unavailable", "reason": "token", "host": "id.example.com",
            "upstream": [{ "call": "token", "ms": 12.0, "status": 401 }],
        });
        assert_eq!(
            why(line),
            "call `token` to id.example.com, answered with 401: the token endpoint refused the client id or the client secret"
        );
        let line =
            json!({ "outcome": "directory-unavailable", "reason": "secret", "upstream": [] });
        assert_eq!(why(line), "the directory's secret could not be read");
        let newer = json!({
            "outcome": "directory-unavailable", "reason": "moon",
            "upstream": [{ "call": "query", "ms": 1.0, "status": null }],
        });
        assert_eq!(why(newer), "call `query`: moon");
    }

    #[test]
    fn a_response_with_attributes_is_a_migration() {
        let mut payload = sent();
        assert!(migrated(&sent(), &answered(payload.clone(), None)).is_err());
        payload["response"]["userAttributes"] = json!({ "email": "a@b.example" });
        assert!(migrated(&sent(), &answered(payload, None)).is_ok());
    }

    #[test]
    fn a_forgot_password_event_has_no_password() {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        let event = event(&arn.parse().unwrap(), "c", Source::ForgotPassword, "n");
        assert!(event["request"].get("password").is_none());
    }

    const TEXT: &str = "START RequestId: 1 Version: $LATEST\n{\"outcome\":\"not-found\",\"cold\":true}\nEND RequestId: 1\n\
        REPORT RequestId: 1\tDuration: 12.50 ms\tBilled Duration: 53 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\tInit Duration: 40.25 ms\t\n";

    #[test]
    fn a_cold_start_is_part_of_the_duration() {
        assert!(started(TEXT));
        assert_eq!(billed(TEXT), Some(Duration::from_micros(52_750)));
    }

    #[test]
    fn a_warm_response_has_no_cold_start() {
        let log = "{\"outcome\":\"not-found\",\"cold\":false}\nREPORT RequestId: 1\tDuration: 3.00 ms\tBilled Duration: 3 ms\n";
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

    #[test]
    fn each_error_of_the_function_is_explained() {
        let why = |kind: &str| {
            let payload = json!({ "errorType": kind, "errorMessage": "down" });
            unmigrated(&sent(), &answered(payload, Some("Unhandled"))).unwrap_err()
        };
        for (kind, words) in [
            ("DirectoryUnavailable", "no customer could be migrated"),
            ("SignUpUnavailable", "no sign-up would succeed"),
            ("UserExists", "an address that cannot exist"),
            ("UnsupportedTrigger", "does not know this trigger"),
            ("Runtime.ExitError", "its log says why"),
        ] {
            let why = why(kind);
            assert!(why[0].contains(words), "{why:?}");
            assert_eq!(why[1], format!("it threw {kind}: down"));
        }
    }

    #[test]
    fn the_log_explains_why_a_test_user_is_not_migrated() {
        for (outcome, words) in [
            ("window-closed", "window is closed"),
            ("outside-share", "[window] share"),
            ("not-found", "the directory does not know the name"),
            ("wrong-password", "the password is wrong"),
            ("too-many-guesses", "too many sign-ins"),
            ("unsupported-hash", "a format that cannot be checked"),
            ("not-eligible", "not for this pool"),
            ("sso-only", "signs in elsewhere"),
        ] {
            let mut answer = answered(sent(), None);
            answer.log = json!({ "outcome": outcome }).to_string();
            let why = migrated(&sent(), &answer).unwrap_err().remove(0);
            let (before, meaning) = why.split_once(": ").unwrap();
            assert_eq!(before, "it would not migrate the user");
            assert!(meaning.contains(words), "{outcome}: {meaning}");
            let other = "the directory does not know the name, or the password is wrong";
            assert_ne!(meaning, other, "{outcome}");
        }
    }

    #[test]
    fn each_event_has_a_name_and_the_sample_a_number() {
        assert_eq!(sample(7), json!({ TRIAL: true, SAMPLE: 7 }));
        let labels = [
            Source::SignIn,
            Source::ForgotPassword,
            Source::SignUp,
            Source::NewPassword,
        ]
        .map(Source::label);
        assert_eq!(
            labels,
            [
                "a sign-in",
                "a forgotten password",
                "a sign-up",
                "a confirmation"
            ]
        );
    }
}
