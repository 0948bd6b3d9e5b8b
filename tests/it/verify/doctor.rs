//! `doctor`: each incident that an operator meets is named first, with what was seen and what to do.

use jane_migrate_sandbox::Fault;
use serde_json::{Value, json};

use super::bench::Bench;
use crate::support::Ran;

async fn doctor(bench: &Bench, code: i32) -> Value {
    let ran: Ran = bench
        .corner
        .run(&["doctor", "--pool", &bench.pool, "--json"])
        .await
        .ended(code);
    ran.json()
}

/// The first cause, which must be of this id.
async fn diagnosed(bench: &Bench, id: &str) -> Value {
    let document = doctor(bench, 1).await;
    let cause = document["causes"][0].clone();
    assert_eq!(cause["id"], id, "{document:#}");
    assert!(
        !cause["evidence"].as_array().unwrap().is_empty(),
        "{cause:#}"
    );
    assert!(cause["next"].is_string(), "{cause:#}");
    cause
}

#[tokio::test]
async fn each_incident_is_named_first() {
    let bench = Bench::new().await;
    let fine = doctor(&bench, 0).await;
    assert_eq!(fine["causes"], json!([]), "{fine:#}");

    // The directory is down.
    bench
        .corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(503)));
    let down = diagnosed(&bench, "probe-unknown-user").await;
    let cause = down["cause"].as_str().unwrap();
    assert!(
        cause.contains("call `user_exists` to 127.0.0.1, answered with 503"),
        "{cause}"
    );
    bench.corner.jane.set_fault_everywhere(None);

    // Another tool removed the trigger.
    bench.update_pool(json!({ "LambdaConfig": {} })).await;
    let gone = diagnosed(&bench, "trigger-registered").await;
    assert_eq!(
        gone["next"],
        format!("jane-migrate deploy --pool {}", bench.pool)
    );
    let shown = bench
        .corner
        .run(&["doctor", "--pool", &bench.pool])
        .await
        .ended(1);
    assert!(
        shown.stdout.contains("  The pool does not call the function: another tool has changed the trigger.\n    seen: "),
        "{}",
        shown.stdout
    );
    bench.deploy().await;

    // Nobody may run it.
    bench
        .function(
            "PUT",
            "/concurrency",
            json!({ "ReservedConcurrentExecutions": 0 }),
        )
        .await;
    diagnosed(&bench, "concurrency").await;
    bench.deploy().await;

    // The window has closed.
    bench.configure("[window]\ncloses = 2020-01-01\n");
    diagnosed(&bench, "window-open").await;
}
