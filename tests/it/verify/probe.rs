//! `--probe`: the deployed function is invoked, and no user is migrated by that.

use jane_migrate_sandbox::Fault;
use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::{Value, json};

use super::bench::{Bench, zip_of};
use crate::support::Ran;

/// The finding with this id.
fn finding(ran: &Ran, id: &str) -> Value {
    let document = ran.json();
    let findings = document["findings"].as_array().expect("findings");
    findings
        .iter()
        .find(|finding| finding["id"] == id)
        .unwrap_or_else(|| panic!("no {id}: {ran:#?}"))
        .clone()
}

async fn users(bench: &Bench) -> Vec<Value> {
    let answer = bench
        .corner
        .cognito("ListUsers", json!({ "UserPoolId": bench.pool }))
        .await;
    answer["Users"].as_array().cloned().unwrap_or_default()
}

/// Runs verify with a test user whose password comes from standard input.
async fn with_test_user(bench: &Bench, name: &str, password: &str) -> Ran {
    let arguments = [
        "verify",
        "--pool",
        &bench.pool,
        "--format",
        "json",
        "--probe",
        "--test-user",
        name,
        "--password-stdin",
    ];
    bench
        .corner
        .run_with(&format!("{password}\n"), &arguments)
        .await
}

#[tokio::test]
async fn the_function_is_probed_and_the_pool_stays_empty() {
    let bench = Bench::new().await;
    // Restarted, to have a cold start.
    bench.reconfigure(json!({ "Timeout": 5 })).await;
    let ran = bench.verify(&["--probe"]).await.ended(0);
    for id in ["probe-unknown-user", "probe-forgot-password"] {
        let message = finding(&ran, id)["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("warm ") && message.contains("of 5000 ms"),
            "{message}"
        );
    }
    assert!(ran.stdout.contains("cold "), "{ran:#?}");
    for id in ["probe-migrates-nobody", "log-hygiene"] {
        assert_eq!(finding(&ran, id)["ok"], true);
    }
    assert!(users(&bench).await.is_empty());

    // Without the flag, nothing is invoked.
    let before = bench
        .corner
        .jane
        .count(jane_migrate_sandbox::JaneCall::UserExists);
    let ran = bench.verify(&[]).await.ended(0);
    assert!(!ran.stdout.contains("probe-"), "{ran:#?}");
    let after = bench
        .corner
        .jane
        .count(jane_migrate_sandbox::JaneCall::UserExists);
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_test_user_would_be_migrated_and_is_not() {
    let bench = Bench::new().await;
    let ran = with_test_user(&bench, "ada@example.com", "Right-Pass-1")
        .await
        .ended(0);
    assert_eq!(finding(&ran, "probe-test-user")["ok"], true);
    assert!(users(&bench).await.is_empty());

    let ran = with_test_user(&bench, "ada@example.com", "Wrong-Pass-1")
        .await
        .ended(1);
    let found = finding(&ran, "probe-test-user");
    assert_eq!(found["ok"], false);
    for shown in [&ran.stdout, &ran.stderr] {
        assert!(!shown.contains("Wrong-Pass-1"), "{ran:#?}");
    }
    let group = format!("/aws/lambda/{}", bench.function);
    let logged = bench
        .json(
            "logs",
            "Logs_20140328.FilterLogEvents",
            json!({ "logGroupName": group }),
        )
        .await;
    assert!(!logged.to_string().contains("-Pass-1"), "{logged}");
}

#[tokio::test]
async fn a_directory_that_is_down_fails_the_probe() {
    let bench = Bench::new().await;
    bench
        .corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(503)));
    let ran = bench
        .verify(&[
            "--probe",
            "--only",
            "probe-unknown-user,probe-forgot-password",
        ])
        .await
        .ended(1);
    for id in ["probe-unknown-user", "probe-forgot-password"] {
        let found = finding(&ran, id);
        assert_eq!(found["ok"], false, "{found:#}");
        assert!(
            found["found"].as_str().unwrap().contains("directory"),
            "{found:#}"
        );
    }
    bench.corner.jane.set_fault_everywhere(None);
    bench
        .verify(&[
            "--probe",
            "--only",
            "probe-unknown-user,probe-forgot-password",
        ])
        .await
        .ended(0);
}

#[tokio::test]
async fn a_function_that_migrates_every_user_is_found() {
    let mut bench = Bench::new().await;
    let endpoint = bench.corner.endpoint.clone();
    let migrates: fn(&mut Value) = |answer| {
        answer["response"]["userAttributes"] = json!({ "email": "x@example.com" });
        answer["response"]["finalUserStatus"] = json!("CONFIRMED");
    };
    let proxy = Proxy::start(&endpoint, move |call| match call.action.as_str() {
        "Invoke" => Fate::Edit(migrates),
        _ => Fate::Pass,
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let ran = bench
        .verify(&["--probe", "--only", "probe-unknown-user"])
        .await
        .ended(1);
    assert_eq!(finding(&ran, "probe-unknown-user")["ok"], false);
}

/// A function that answers like ours, and also does something else with each event.
async fn put_in_its_place(bench: &Bench, besides: &str) {
    let bootstrap = r#"#!/bin/sh
calls="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
head=$(mktemp)
while event=$(curl -s -D "$head" "$calls/next"); do
    id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([^[:cntrl:]]*\).*/\1/Ip' "$head")
    BESIDES
    curl -s -o /dev/null -d "$event" "$calls/$id/response"
done
"#;
    let zip = zip_of(&bootstrap.replace("BESIDES", besides));
    bench
        .function("PUT", "/code", json!({ "ZipFile": zip }))
        .await;
    bench.go_live().await;
}

#[tokio::test]
async fn a_function_that_logs_passwords_is_found() {
    let bench = Bench::new().await;
    put_in_its_place(&bench, "echo \"$event\"").await;
    let ran = bench
        .verify(&["--probe", "--only", "probe-unknown-user,log-hygiene"])
        .await
        .ended(1);
    assert_eq!(finding(&ran, "probe-unknown-user")["ok"], true);
    let found = finding(&ran, "log-hygiene");
    assert_eq!(found["found"], "the password of a probe", "{found:#}");
}

#[tokio::test]
async fn a_function_that_creates_users_itself_is_found() {
    let bench = Bench::new().await;
    let besides = format!(
        "name=$(echo \"$event\" | sed 's/.*\"userName\": *\"\\([^\"]*\\)\".*/\\1/')
    curl -s -o /dev/null -H 'content-type: application/x-amz-json-1.1' -H 'authorization: {}' -H 'x-sandbox-key: {}' \\
        -H 'x-amz-target: AWSCognitoIdentityProviderService.AdminCreateUser' \\
        -d '{{\"UserPoolId\":\"{}\",\"Username\":\"'\"$name\"'\",\"MessageAction\":\"SUPPRESS\"}}' {}",
        bench.corner.authorization("cognito-idp"),
        bench.corner.secret,
        bench.pool,
        bench.corner.endpoint
    );
    put_in_its_place(&bench, &besides).await;
    let ran = bench
        .verify(&[
            "--probe",
            "--only",
            "probe-unknown-user,probe-migrates-nobody",
        ])
        .await
        .ended(1);
    assert_eq!(finding(&ran, "probe-unknown-user")["ok"], true);
    let found = finding(&ran, "probe-migrates-nobody");
    let name = found["found"].as_str().expect("a name");
    assert!(name.ends_with("@probe.invalid"), "{found:#}");
}

#[tokio::test]
async fn a_closed_window_is_not_reported_as_a_wrong_password() {
    let bench = Bench::new().await;
    bench.configure("[window]\ncloses = 2020-01-01\n");
    let arguments = ["deploy", "--pool", &bench.pool, "--yes"];
    bench.corner.run(&arguments).await.ended(1);
    let ran = with_test_user(&bench, "ada@example.com", "Right-Pass-1")
        .await
        .ended(1);
    let found = finding(&ran, "probe-test-user");
    assert!(
        found["found"]
            .as_str()
            .unwrap()
            .contains("window is closed"),
        "{found:#}"
    );
}

#[tokio::test]
async fn without_a_function_there_is_nothing_to_probe() {
    let bench = Bench::new().await;
    bench
        .corner
        .run(&["teardown", "--pool", &bench.pool, "--yes", "--force"])
        .await
        .ended(0);
    let ran = bench
        .verify(&["--probe", "--only", "probe-unknown-user"])
        .await
        .ended(2);
    assert_eq!(finding(&ran, "probe-unknown-user")["unknown"], true);
}
