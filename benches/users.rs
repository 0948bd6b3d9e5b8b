//! `remaining` with a million users on each side: a file of the directory's users, and a stub of Cognito that lists the pool's users,
//! half of them the same. Shows seconds, the seconds of a processor and the most memory of the program.
//!
//!     cargo bench --profile dist --bench users [-- --users 1000000]
//!
//! The program lists 60 users in a call and makes 29 calls a second, AWS's rate less one: a million users take ten minutes.

#[path = "../tests/it/aws.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod aws;
mod common;
#[path = "../tests/it/printed.rs"]
mod printed;
#[path = "../handler/tests/it/server.rs"]
#[expect(dead_code, reason = "the handler's tests use all of it")]
mod server;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod support;

use std::fmt::Write;

use common::{given, run, say};
use serde_json::{Value, json};
use server::{Reply, Request, Server};
use support::Corner;

const GOAL_MB: u64 = 100;

const PAGE: usize = 60;

fn main() {
    let users = given("--users").map_or(1_000_000, |users| {
        users.parse().expect("--users takes a number")
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(users));
}

async fn measure(users: usize) {
    let mut corner = Corner::new().await;
    let pool = corner
        .create_pool(json!({ "UsernameAttributes": ["email"] }))
        .await;
    corner.configure("[import]\nid_column = \"id\"\n");
    // The second half of these users is in the pool, which has as many more.
    let mut list = String::from("email,id\n");
    for user in 0..users {
        writeln!(list, "{},{user}", address(user)).expect("a string");
    }
    std::fs::write(corner.folder.path().join("users.csv"), list).expect("written");
    let mut described = Vec::new();
    for action in ["DescribeUserPool", "GetUserPoolMfaConfig"] {
        let answer = corner.cognito(action, json!({ "UserPoolId": pool })).await;
        described.push((action, answer));
    }
    described[0].1["UserPool"]["EstimatedNumberOfUsers"] = users.into();
    let stub = Server::start(move |request| answer(request, &described, users));
    corner.environment = vec![(
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER".into(),
        stub.url(),
    )];
    let arguments =
        "remaining --from users.csv --names names.csv --mapping mapping.csv --json --pool";
    let arguments: Vec<&str> = arguments.split(' ').chain([&*pool]).collect();
    let run = run(corner.command(&arguments)).await;
    let counted: Value = serde_json::from_str(&run.stdout).expect("a document");
    let (migrated, remaining) = (&counted["migrated"], &counted["remaining"]);
    let half = users / 2;
    assert_eq!(
        (migrated, remaining, &counted["pool_users"]),
        (&json!(users - half), &json!(half), &json!(users)),
        "{counted:#}"
    );
    let met = match run.peak_kb <= GOAL_MB * 1024 {
        true => "met",
        false => "not met",
    };
    say(format_args!(
        "remaining with {users} users on each side, {half} of them in both\n  {:>6.1} s, {:>5.1} s of a processor, at most {} MB (goal {GOAL_MB}: {met})",
        run.took.as_secs_f64(),
        run.processor,
        run.peak_kb / 1024,
    ));
}

fn address(user: usize) -> String {
    format!("customer-{user:07}@example.com")
}

fn answer(request: &Request, described: &[(&str, Value)], users: usize) -> Reply {
    let target = request.header("x-amz-target").rsplit('.').next();
    let action = target.unwrap_or_default();
    if let Some((_, answer)) = described.iter().find(|(of, _)| *of == action) {
        return Reply::json(200, answer.clone());
    }
    assert_eq!(action, "ListUsers");
    let at = &request.json()["PaginationToken"];
    let at: usize = at.as_str().map_or(0, |at| at.parse().expect("our token"));
    let until = users.min(at + PAGE);
    let first = users / 2;
    let listed: Vec<Value> = (first + at..first + until)
        .map(|user| {
            let sub = format!("8f5a2c1e-0000-4000-8000-{user:012}");
            json!({ "Username": sub, "UserStatus": "CONFIRMED", "Enabled": true, "Attributes": [
                { "Name": "sub", "Value": sub },
                { "Name": "email", "Value": address(user) }, { "Name": "email_verified", "Value": "true" },
                { "Name": "name", "Value": "A customer" },
            ] })
        })
        .collect();
    let mut page = json!({ "Users": listed });
    if until < users {
        page["PaginationToken"] = until.to_string().into();
    }
    Reply::json(200, page)
}
