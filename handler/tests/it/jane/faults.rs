//! What may go wrong between the handler and Jane: tokens, connections, outages.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Jane, PASSWORD, TOKEN, USER};
use crate::{
    function::{Answer, Function, forgot_password, settings, sign_in},
    server::{Reply, faults},
};

#[test]
fn the_token_and_the_connection_exist_before_the_first_sign_in_and_are_kept() {
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

#[test]
fn every_fault_ends_inside_the_budget_with_the_same_text() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for (name, reply) in faults(PASSWORD) {
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
fn a_password_is_sent_once_even_if_the_request_fails() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for (name, reply) in faults(PASSWORD) {
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
fn a_directory_that_is_down_at_the_start_gives_an_error_within_cognitos_timeout() {
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
fn a_directory_that_hangs_gets_no_request_for_a_moment_and_is_then_called_again() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.fault("user_exists", Reply::Hang);
    for name in [USER, "bob@example.com"] {
        assert_eq!(
            function.outcome(&sign_in(name, PASSWORD)).0,
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
            "the directory is not called again"
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

/// An attacker can measure only the total time. Each call has a network's delay: an unknown name needs one call, a wrong password two.
#[test]
fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let jane = Jane::slow(Duration::from_millis(60));
    let function = jane.function(&jane.settings());
    let took = |name: &str| {
        let started = Instant::now();
        function.invoke(&sign_in(name, "wrong")).event();
        function.record();
        started.elapsed()
    };
    // The first sign-in includes the function's start, so it is not measured. The others teach the function how long a wrong password
    // takes.
    took(USER);
    let mut wrong: Vec<_> = (0..5).map(|_| took(USER)).collect();
    let mut unknown: Vec<_> = (0..5)
        .map(|number| took(&format!("nobody{number}@example.com")))
        .collect();
    wrong.sort();
    unknown.sort();
    let (wrong, unknown) = (wrong[2], unknown[2]);
    assert!(wrong > Duration::from_millis(110), "{wrong:?}");
    assert!(
        unknown.abs_diff(wrong) < Duration::from_millis(40),
        "{unknown:?} {wrong:?}"
    );
}

#[test]
fn after_ten_guesses_the_directory_gets_no_request_about_a_name_whether_it_exists_or_not() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    for name in [USER, "nobody@example.com"] {
        let refused = function.outcome(&sign_in(name, "wrong")).1.event();
        for _ in 1..10 {
            function.outcome(&sign_in(name, "wrong"));
        }
        jane.calls();
        // Now the right password gets the response to a wrong one.
        let (outcome, answer) = function.outcome(&sign_in(name, PASSWORD));
        let mut answer = answer.event();
        answer["request"]["password"] = "wrong".into();
        assert_eq!(answer, refused);
        assert_eq!(outcome, "too-many-guesses");
        assert_eq!(jane.calls(), [""; 0], "the directory got a request");
    }
    let other = function.outcome(&sign_in("other@example.com", "wrong")).0;
    assert_ne!(other, "too-many-guesses", "each name is counted separately");
}
