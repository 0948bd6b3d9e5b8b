//! The requests to Jane when users are created, and what happens with the user.

use std::time::{Duration, Instant};

use jane_migrate_config::{HandlerSettings, PoolFacts};
use serde_json::{Value, json};

use super::{Jane, PASSWORD, SECRET, SOURCE, USER};
use crate::{
    function::{Answer, Function, POOL, account, forgot_password, settings_for, sign_in},
    server::{Reply, Request, Server, faults},
};

const ID: &str = "5a3f2c1e-0000-4000-8000-000000000001";
const CLIENT: &str = "1example23456789";

/// Settings of a pool whose users sign in with their email, with both triggers on.
fn triggers(jane: &Jane, more: &str) -> HandlerSettings {
    let tables = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";
    let pool = PoolFacts {
        id: POOL.into(),
        username_attributes: vec!["email".into()],
        ..PoolFacts::default()
    };
    settings_for(&jane.toml(&format!("{tables}{more}")), &pool)
}

fn admin_create(email: &str) -> Value {
    let attributes = json!({ "email": email, "email_verified": "true", "given_name": "Ann", "locale": "en", "custom:shop": "7", "sub": "1", "cognito:user_status": "CONFIRMED" });
    account("PreSignUp_AdminCreateUser", ID, attributes)
}

fn sign_up(email: &str) -> Value {
    account(
        "PreSignUp_SignUp",
        ID,
        json!({ "email": email, "birthdate": "2015-02-28" }),
    )
}

/// The body of the only request with this call.
fn told(jane: &Jane, call: &str) -> Value {
    let requests = jane.server.requests();
    let of = |request: &&Request| request.path == format!("{SOURCE}/{call}");
    let bodies: Vec<_> = requests.iter().filter(of).map(Request::json).collect();
    assert_eq!(bodies.len(), 1, "{call}");
    bodies[0].clone()
}

fn error(kind: &str, message: &str) -> Answer {
    Answer::Error {
        kind: kind.into(),
        message: message.into(),
    }
}

#[test]
fn a_customer_who_migrates_is_connected_by_one_more_request() {
    let jane = Jane::start_tls();
    let function = jane.function(&triggers(&jane, "[window]\ncloses = 2999-01-01"));
    jane.calls();
    assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
    let event = admin_create(USER);
    let expected = ("connected".to_owned(), Answer::Event(event.clone()));
    assert_eq!(function.outcome(&event), expected);
    let body = told(&jane, "ensure_external_user_exists");
    let calls = [
        "user_exists",
        "verify_credentials",
        "ensure_external_user_exists",
    ];
    assert_eq!(jane.calls(), calls, "the token is kept");
    assert_eq!(jane.server.connections(), 1, "and so is the connection");
    assert_eq!(
        body,
        json!({ "pool_id": POOL, "external_id": ID, "email": USER, "user_attributes": { "locale": "en", "shop": "7" } })
    );
}

#[test]
fn a_failed_connection_stops_the_user_and_the_next_attempt_succeeds() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, ""));
    // For this call a response without a user is valid.
    let bad = faults(PASSWORD)
        .into_iter()
        .filter(|(name, _)| *name != "no user");
    for (name, reply) in bad {
        jane.fault("ensure_external", reply);
        let started = Instant::now();
        let (outcome, answer) = function.outcome(&admin_create(USER));
        assert!(started.elapsed() < Duration::from_millis(3500), "{name}");
        assert_eq!(outcome, "not-connected", "{name}");
        let expected = error("NotConnected", "Sign-in is not possible right now");
        assert_eq!(answer, expected, "{name}");
    }
    jane.heal();
    for _ in 0..3 {
        assert_eq!(function.outcome(&admin_create(USER)).0, "connected");
    }
    assert!(!function.output().to_lowercase().contains("canary"));
}

#[test]
fn a_missing_connection_is_accepted_if_configured() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, "connect = 'best-effort'"));
    for status in [404, 422, 500] {
        jane.fault("ensure_external", Reply::status(status));
        let event = admin_create(USER);
        let expected = ("unconnected".to_owned(), Answer::Event(event.clone()));
        assert_eq!(function.outcome(&event), expected);
    }
}

#[test]
fn after_the_window_connections_and_sign_ups_continue() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, "[window]\ncloses = 2020-02-29"));
    assert_eq!(
        function.outcome(&sign_in(USER, PASSWORD)).0,
        "window-closed"
    );
    assert_eq!(function.outcome(&admin_create(USER)).0, "connected");
    assert_eq!(
        function.outcome(&sign_up("new@example.com")).0,
        "sign-up-allowed"
    );
}

#[test]
fn a_new_customer_may_sign_up_and_jane_decides_whether_a_code_is_needed() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, ""));
    jane.calls();
    let event = sign_up("New@Example.com");
    let expected = ("sign-up-allowed".to_owned(), Answer::Event(event.clone()));
    assert_eq!(function.outcome(&event), expected);
    let body = told(&jane, "validate_user");
    assert_eq!(
        body,
        json!({ "pool_id": POOL, "email": "new@example.com", "birth_date": "2015-02-28", "user_attributes": {} })
    );
    jane.state.lock().unwrap().auto_confirm = true;
    let mut confirmed = event.clone();
    confirmed["response"]["autoConfirmUser"] = true.into();
    confirmed["response"]["autoVerifyEmail"] = true.into();
    assert_eq!(function.invoke(&event), Answer::Event(confirmed));
}

#[test]
fn the_calls_of_a_sign_up_run_in_parallel() {
    let jane = Jane::slow(Duration::from_millis(150));
    let function = jane.function(&triggers(&jane, ""));
    function.invoke(&sign_up("new@example.com")).event();
    let record = function.record();
    assert_eq!(record["upstream"].as_array().unwrap().len(), 3, "{record}");
    let took = record["durationMs"].as_f64().unwrap();
    assert!(
        (150.0..420.0).contains(&took),
        "three sequential calls would take 450 ms: {record}"
    );
}

#[test]
fn an_existing_customer_who_signs_up_must_log_in_in_any_spelling() {
    let jane = Jane::start();
    for username in ["lowercase", "as-typed"] {
        let more = format!("[response]\nusername = '{username}'");
        let function = jane.function(&triggers(&jane, &more));
        for typed in [USER.to_owned(), USER.to_uppercase(), format!(" {USER} ")] {
            let expected = error("UserExists", "User already exists, please log in");
            assert_eq!(
                function.outcome(&sign_up(&typed)),
                ("user-exists".to_owned(), expected),
                "{typed:?}"
            );
        }
    }
}

#[test]
fn a_sign_up_that_jane_rejects_names_only_the_customers_own_input() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, ""));
    let constant = "Sign-up is not possible with these details";
    for (body, message) in [
        (
            json!({ "errors": { "birth_date": ["must be 21 years ago"] } }),
            "birth date must be 21 years ago",
        ),
        (json!({ "errors": "PG::Error: relation canary" }), constant),
        (
            json!({ "errors": { "email": ["belongs to bob@example.com"] } }),
            constant,
        ),
        (json!("canary"), constant),
    ] {
        jane.fault("validate_user", Reply::json(400, body));
        let (outcome, answer) = function.outcome(&sign_up("new@example.com"));
        assert_eq!(outcome, "sign-up-refused");
        assert_eq!(answer, error("SignUpRefused", message));
    }
    jane.heal();
    let mut unknown = sign_up("new@example.com");
    unknown["callerContext"]["clientId"] = "another".into();
    assert_eq!(function.invoke(&unknown), error("SignUpRefused", constant));
    assert_eq!(function.record()["reason"], "app-client");
    for call in ["app_clients", "user_exists", "validate_user"] {
        jane.fault(call, Reply::status(500));
        let (outcome, answer) = function.outcome(&sign_up("new@example.com"));
        assert_eq!(outcome, "sign-up-unavailable", "{call}");
        let expected = error("SignUpUnavailable", "Sign-up is not possible right now");
        assert_eq!(answer, expected);
    }
    assert!(!function.output().contains("canary"));
}

#[test]
fn a_customer_of_the_old_menu_uses_another_provider_and_a_new_one_signs_up() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, ""));
    let event = |email: &str| {
        account(
            "PreSignUp_ExternalProvider",
            "google_1",
            json!({ "email": email, "cognito:phone_number_alias": "" }),
        )
    };
    let known = event("sso@example.com");
    let mut admitted = known.clone();
    admitted["response"]["autoConfirmUser"] = true.into();
    admitted["response"]["autoVerifyEmail"] = true.into();
    let expected = ("admitted".to_owned(), Answer::Event(admitted));
    assert_eq!(function.outcome(&known), expected);
    let new = event("new@example.com");
    let expected = ("sign-up-allowed".to_owned(), Answer::Event(new.clone()));
    assert_eq!(function.outcome(&new), expected);
}

/// The user pool, for the one call that the function makes to it.
fn pool(status: u16) -> Server {
    Server::start(move |_| Reply::json(status, json!({})))
}

fn with_pool(jane: &Jane, pool: &Server) -> Function {
    let environment = [
        ("JANE_CLIENT_SECRET", SECRET),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
        ("AWS_ENDPOINT_URL", &pool.url()),
    ];
    Function::start(&triggers(jane, ""), &environment)
}

fn confirmed(email: &str, identities: Option<&str>) -> Value {
    let mut attributes = json!({ "sub": "1", "email": email, "email_verified": "true", "phone_number": "+15550100000" });
    if let Some(identities) = identities {
        attributes["identities"] = identities.into();
    }
    account("PostConfirmation_ConfirmSignUp", "google_1", attributes)
}

const GOOGLE: &str = r#"[{"userId":"1","providerName":"Google","providerType":"Google"}]"#;

#[test]
fn a_confirmed_customer_gets_an_account() {
    let jane = Jane::start();
    let pool = pool(200);
    let function = with_pool(&jane, &pool);
    jane.calls();
    let event = confirmed("new@example.com", None);
    let expected = ("account-created".to_owned(), Answer::Event(event.clone()));
    assert_eq!(function.outcome(&event), expected);
    assert_eq!(
        told(&jane, "create_user"),
        json!({
            "pool_id": POOL, "external_id": "google_1", "app_client_id": CLIENT, "email": "new@example.com",
            "phone": "+15550100000", "user_attributes": {},
        })
    );
    assert_eq!(jane.calls(), ["create_user"]);
    assert_eq!(pool.paths(), [""; 0]);

    jane.fault("create_user", Reply::status(500));
    let expected = error(
        "AccountNotCreated",
        "The account could not be set up right now",
    );
    assert_eq!(
        function.outcome(&event),
        ("account-not-created".to_owned(), expected)
    );
}

#[test]
fn a_customer_of_another_provider_gets_janes_profile() {
    let jane = Jane::start();
    let pool = pool(200);
    let function = with_pool(&jane, &pool);
    let (outcome, _) = function.outcome(&confirmed("sso@example.com", Some(GOOGLE)));
    assert_eq!(outcome, "account-created");
    assert_eq!(
        told(&jane, "verify_sso_user"),
        json!({ "email": "sso@example.com", "app_client_id": CLIENT, "user_attributes": {
            "identities": [{ "userId": "1", "providerName": "Google", "providerType": "Google" }],
        } })
    );
    let requests = pool.requests();
    assert_eq!(requests.len(), 1);
    let target = requests[0].header("x-amz-target");
    assert_eq!(
        target,
        "AWSCognitoIdentityProviderService.AdminUpdateUserAttributes"
    );
    let scope = "/us-east-1/cognito-idp/aws4_request";
    assert!(requests[0].header("authorization").contains(scope));
    assert_eq!(
        requests[0].json(),
        json!({ "UserPoolId": POOL, "Username": "google_1", "UserAttributes": [
            { "Name": "birthdate", "Value": "1980-02-29" }, { "Name": "family_name", "Value": "Lee" },
            { "Name": "given_name", "Value": "Ann" }, { "Name": "phone_number", "Value": "+11112224444" },
        ] })
    );
}

#[test]
fn the_account_is_created_even_without_a_writable_profile() {
    let jane = Jane::start();
    let refusing = pool(400);
    let function = with_pool(&jane, &refusing);
    for email in ["sso@example.com", "new@example.com"] {
        let (outcome, _) = function.outcome(&confirmed(email, Some(GOOGLE)));
        assert_eq!(outcome, "account-created", "{email}");
    }
    assert_eq!(
        refusing.paths().len(),
        1,
        "only Jane's customer has a profile"
    );
    jane.fault("verify_sso_user", Reply::status(500));
    let (outcome, _) = function.outcome(&confirmed("sso@example.com", Some(GOOGLE)));
    assert_eq!(outcome, "account-created");
    assert!(!function.output().to_lowercase().contains("canary"));
}

#[test]
fn a_new_password_does_not_notify_jane() {
    let jane = Jane::start();
    let function = jane.function(&triggers(&jane, ""));
    jane.calls();
    let event = account(
        "PostConfirmation_ConfirmForgotPassword",
        ID,
        json!({ "email": USER }),
    );
    let expected = ("nothing-to-do".to_owned(), Answer::Event(event.clone()));
    assert_eq!(function.outcome(&event), expected);
    for source in ["PreSignUp_New", "PostConfirmation_New"] {
        let event = account(source, ID, json!({ "email": USER }));
        let expected = ("unknown-source".to_owned(), Answer::Event(event.clone()));
        assert_eq!(function.outcome(&event), expected);
    }
    assert_eq!(jane.calls(), [""; 0]);
}

#[test]
fn a_forgotten_password_costs_one_request() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    jane.calls();
    assert_eq!(
        function.outcome(&forgot_password(USER)).0,
        "migrated-for-reset"
    );
    assert_eq!(jane.calls(), ["user_can_reset_password"]);
}

#[test]
fn a_test_shows_the_notification_to_jane_and_stores_nothing() {
    let jane = Jane::start();
    let pool = pool(200);
    let function = with_pool(&jane, &pool);
    jane.calls();
    for (mut event, calls) in [
        (admin_create(USER), &["ensure_external_user_exists"][..]),
        (
            confirmed("sso@example.com", Some(GOOGLE)),
            &["AdminUpdateUserAttributes", "create_user"],
        ),
    ] {
        event["janeMigrateTrial"] = true.into();
        let answer = function.invoke(&event).event();
        let told = answer["janeMigrateTold"].as_array().unwrap();
        let names: Vec<_> = told
            .iter()
            .map(|told| told["call"].as_str().unwrap())
            .collect();
        assert_eq!(names, calls);
        assert_eq!(told.last().unwrap()["body"]["pool_id"], POOL);
    }
    assert_eq!(
        jane.calls(),
        ["user_exists", "verify_sso_user", "user_exists"]
    );
    assert_eq!(pool.paths(), [""; 0]);
    jane.fault("user_exists", Reply::status(500));
    let mut event = admin_create(USER);
    event["janeMigrateTrial"] = true.into();
    function.record();
    function.record();
    assert_eq!(function.outcome(&event).0, "not-connected");
}
