//! What may go wrong between the handler and Jane: tokens, connections, outages, and that nothing secret is written.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Jane, PASSWORD, SECRET, TOKEN, USER};
use crate::{
    function::{Answer, Function, forgot_password, settings, sign_in},
    server::Reply,
};

#[test]
fn the_token_and_the_connection_are_there_before_the_first_sign_in_and_stay() {
    let jane = Jane::start_tls();
    let function = jane.function(&jane.settings());
    assert_eq!(jane.calls(), ["token"]);
    for _ in 0..3 {
        function.invoke(&sign_in(USER, PASSWORD)).event();
        assert_eq!(jane.calls(), ["user_exists", "verify_credentials"]);
    }
    assert_eq!(jane.server.connections(), 1);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.state.lock().unwrap().issued += 1;
    jane.calls();
    assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
    assert_eq!(
        jane.calls(),
        ["user_exists", "token", "user_exists", "verify_credentials"]
    );

    jane.fault("user_exists", Reply::status(401));
    assert_eq!(
        function.invoke(&sign_in(USER, PASSWORD)).error(),
        "DirectoryUnavailable"
    );
    assert_eq!(jane.calls(), ["user_exists", "token", "user_exists"]);
}

#[test]
fn a_token_about_to_expire_is_replaced_before_it_does() {
    let jane = Jane::start();
    jane.state.lock().unwrap().expires_in = Some(0);
    let function = jane.function(&jane.settings());
    jane.calls();
    jane.state.lock().unwrap().expires_in = Some(3600);
    for calls in [
        &["token", "user_exists", "verify_credentials"][..],
        &["user_exists", "verify_credentials"],
    ] {
        assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
        assert_eq!(jane.calls(), calls);
    }
}

#[test]
fn a_connection_that_died_while_idle_is_opened_again() {
    let jane = Jane::start();
    let token = json!({ "access_token": format!("{TOKEN}-0") }).to_string();
    jane.fault(
        "/oauth/token",
        Reply::AnswerAndClose(200, token.into_bytes()),
    );
    let function = jane.function(&jane.settings());
    jane.heal();
    assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
}

/// Every way a directory can fail to answer.
fn faults() -> Vec<(&'static str, Reply)> {
    let huge = format!(
        "{{\"user\":{{\"first_name\":\"{}\"}}}}",
        "x".repeat(400_000)
    );
    let endless_head =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let redirect = vec![("location".to_owned(), "http://127.0.0.1:9/".to_owned())];
    vec![
        ("hang", Reply::Hang),
        ("reset", Reply::Reset),
        (
            "continue for ever",
            Reply::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
        ),
        ("closed", Reply::Bytes(Vec::new())),
        (
            "garbage",
            Reply::Bytes(b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec()),
        ),
        (
            "half an answer",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        ),
        (
            "no JSON",
            Reply::Answer(200, Vec::new(), b"<html>".to_vec()),
        ),
        (
            "drip",
            Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()),
        ),
        (
            "another protocol",
            Reply::Bytes(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_vec()),
        ),
        (
            "two lengths",
            Reply::Bytes(
                b"HTTP/1.1 200 X\r\ncontent-length: 11\r\ncontent-length: 2\r\n\r\n{\"user\":{}}"
                    .to_vec(),
            ),
        ),
        ("no user", Reply::json(200, json!({ "user": null }))),
        ("500", Reply::json(500, json!({ "error": PASSWORD }))),
        ("503", Reply::status(503)),
        ("403", Reply::status(403)),
        ("429", Reply::status(429)),
        ("302", Reply::Answer(302, redirect.clone(), Vec::new())),
        ("307", Reply::Answer(307, redirect, Vec::new())),
        ("huge", Reply::Answer(200, Vec::new(), huge.into_bytes())),
        (
            "endless head",
            Reply::Endless(b"x-header: value\r\n".to_vec()),
        ),
        (
            "endless body",
            Reply::Endless([&endless_head[..], &b"5\r\nxxxxx\r\n".repeat(1000)].concat()),
        ),
    ]
}

#[test]
fn every_fault_ends_inside_the_budget_with_the_same_text() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for (name, reply) in faults() {
        jane.fault("verify_credentials", reply);
        let started = Instant::now();
        let (outcome, answer) = function.outcome(&sign_in(USER, PASSWORD));
        assert!(
            started.elapsed() < Duration::from_millis(2000),
            "{name} took {:?}",
            started.elapsed()
        );
        assert_eq!(outcome, "directory-unavailable", "{name}");
        let expected = Answer::Error {
            kind: "DirectoryUnavailable".into(),
            message: "Sign-in is not possible right now".into(),
        };
        assert_eq!(answer, expected, "{name}");
    }
    jane.heal();
    assert_eq!(
        function.outcome(&sign_in(USER, PASSWORD)).0,
        "migrated",
        "it recovers"
    );
    assert!(!function.output().contains(PASSWORD));
}

#[test]
fn a_password_is_sent_once_whatever_becomes_of_it() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for (name, reply) in faults() {
        if matches!(reply, Reply::Hang | Reply::Drip(_) | Reply::Endless(_)) {
            continue;
        }
        jane.fault("verify_credentials", reply);
        jane.calls();
        assert_eq!(
            function.outcome(&sign_in(USER, PASSWORD)).0,
            "directory-unavailable"
        );
        assert_eq!(
            jane.calls(),
            ["user_exists", "verify_credentials"],
            "{name}: the directory may lock the account after a few"
        );
    }
}

#[test]
fn a_directory_that_is_down_from_the_start_costs_less_than_cognito_waits() {
    let jane = Jane::start();
    jane.fault("/", Reply::Hang);
    let started = Instant::now();
    let function = jane.function(&settings(&jane.toml("").replace("1500", "4500")));
    assert!(
        function.init < Duration::from_secs(2),
        "{:?}",
        function.init
    );
    assert_eq!(
        function.invoke(&sign_in(USER, PASSWORD)).error(),
        "DirectoryUnavailable"
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    jane.heal();
    assert_eq!(
        function.outcome(&forgot_password(USER)).1.event()["response"]["messageAction"],
        "SUPPRESS"
    );
}

#[test]
fn a_directory_that_hangs_is_left_alone_for_a_moment_and_then_tried_again() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.fault("user_exists", Reply::Hang);
    for _ in 0..2 {
        assert_eq!(
            function.outcome(&sign_in(USER, PASSWORD)).0,
            "directory-unavailable"
        );
    }
    jane.heal();
    jane.calls();
    let started = Instant::now();
    function.invoke(&sign_in(USER, PASSWORD)).error();
    assert!(started.elapsed() < Duration::from_millis(500));
    assert_eq!(function.record()["reason"], "paused");
    assert_eq!(jane.calls(), [""; 0]);
    while function.outcome(&sign_in(USER, PASSWORD)).0 != "migrated" {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "it should have recovered"
        );
    }
}

#[test]
fn a_wrong_client_secret_is_an_outage_and_not_a_wrong_password() {
    let jane = Jane::start();
    let function = Function::start(&jane.settings(), &[("JANE_CLIENT_SECRET", "wrong")]);
    assert_eq!(
        function.invoke(&sign_in(USER, PASSWORD)).error(),
        "DirectoryUnavailable"
    );
    let record = function.record();
    assert_eq!(
        (&record["reason"], &record["upstream"][0]["status"]),
        (&json!("token"), &json!(401))
    );
    let function = Function::start(&jane.settings(), &[]);
    assert_eq!(
        function.invoke(&sign_in(USER, PASSWORD)).error(),
        "DirectoryUnavailable"
    );
    assert_eq!(function.record()["reason"], "secret");
}

#[test]
fn nothing_secret_is_ever_written() {
    let jane = Jane::start_tls();
    let function = jane.function(&jane.settings());
    let mut event = sign_in(USER, PASSWORD);
    event["request"]["validationData"] = json!({ "k": "canary-validation-11" });
    let mut forgot = forgot_password(USER);
    forgot["request"]["clientMetadata"] = json!({ "k": "canary-metadata-22" });
    let mut answers = Vec::new();
    for (_, reply) in [("fine", None)].into_iter().chain(
        faults()
            .into_iter()
            .map(|(name, reply)| (name, Some(reply))),
    ) {
        for path in [
            "user_exists",
            "verify_credentials",
            "user_can_reset_password",
        ] {
            match &reply {
                Some(Reply::Hang | Reply::Drip(_) | Reply::Endless(_)) => continue,
                Some(reply) => jane.fault(path, reply.clone()),
                None => jane.heal(),
            }
            answers.push(function.invoke(&event));
            answers.push(function.invoke(&forgot));
        }
    }
    for answer in answers {
        if let Answer::Error { kind, message } = answer {
            assert_eq!(
                (kind.as_str(), message.as_str()),
                ("DirectoryUnavailable", "Sign-in is not possible right now")
            );
        }
    }
    let output = function.output();
    assert!(output.lines().count() > 50);
    for canary in [
        SECRET,
        TOKEN,
        PASSWORD,
        USER,
        "canary",
        "11112224444",
        "Ann",
    ] {
        assert!(
            !output.to_lowercase().contains(&canary.to_lowercase()),
            "{canary} in {output}"
        );
    }
}
