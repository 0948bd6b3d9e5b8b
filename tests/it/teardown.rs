//! `teardown` with the sandbox: what it shows about the migration before it ends it, and what it finds if the pool no longer
//! exists.

use serde_json::{Value, json};

use crate::support::Corner;

async fn deployed(corner: &Corner) -> (String, String) {
    corner.add_accounts();
    corner.deployed().await
}

async fn migrate(corner: &Corner, client: &str) {
    let body = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
        "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
    });
    corner.cognito("InitiateAuth", body).await;
}

#[tokio::test]
async fn teardown_shows_what_would_be_lost_and_waits_for_the_last_customers() {
    let corner = Corner::new().await;
    corner.configure("[window]\ntotal_users = 3\n");
    let (pool, client) = deployed(&corner).await;
    migrate(&corner, &client).await;

    let teardown = ["teardown", "--pool", &pool, "--yes"];
    let ran = corner.run(&teardown).await.ended(1);
    assert!(
        ran.stdout
            .contains("1 customer(s) have migrated, the last on 20"),
        "{ran:#?}"
    );
    assert!(
        ran.stdout
            .contains("2 have not: without the migration they can no longer sign in"),
        "{ran:#?}"
    );
    assert!(
        ran.stderr
            .contains("customers migrated within the last 7 days"),
        "{ran:#?}"
    );
    let ran = corner
        .run(&[&teardown[..], &["--json"]].concat())
        .await
        .ended(1);
    assert_eq!(ran.json()["migration"]["left"], 2);

    // With zero days the check is skipped.
    let ran = corner
        .run(&[&teardown[..], &["--recent-days", "0", "--json"]].concat())
        .await
        .ended(0);
    assert_eq!(ran.json()["result"], "done");
    assert_eq!(ran.json()["migration"]["arrived"], 1);
}

#[tokio::test]
async fn teardown_shows_what_the_apps_can_do_afterwards() {
    let corner = Corner::new().await;
    let (pool, client) = deployed(&corner).await;
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);
    for words in [
        "Nothing of jane-migrate is left",
        "USER_SRP_AUTH",
        &format!("client web ({client}) does not allow SRP yet"),
        &format!("client web ({client}) allows USER_PASSWORD_AUTH"),
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{ran:#?}");
    }
}

#[tokio::test]
async fn resources_of_a_deleted_pool_are_found_and_removed() {
    let corner = Corner::new().await;
    let (pool, _) = deployed(&corner).await;
    corner
        .cognito("DeleteUserPool", json!({ "UserPoolId": pool }))
        .await;
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);
    assert!(ran.stdout.contains("3 to delete"), "{ran:#?}");
    let aws = corner.aws().await;
    let name = format!("jane-migrate-{pool}");
    assert!(aws.function(&name).await.unwrap().is_none());
    assert!(aws.role(&name).await.unwrap().is_none());
    let group = format!("/aws/lambda/{name}");
    assert!(aws.log_group_settings(&group).await.unwrap().is_none());

    // The second run finds nothing, and the pool does not exist.
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stderr.contains("failed to find user pool"), "{ran:#?}");
}

#[tokio::test]
async fn a_deleted_pools_log_group_is_removed_if_only_that_is_left() {
    let corner = Corner::new().await;
    let (pool, _) = deployed(&corner).await;
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes", "--keep-logs"])
        .await
        .ended(0);
    let left = format!("Only the log group /aws/lambda/jane-migrate-{pool} is left");
    assert!(ran.stdout.contains(&left), "{ran:#?}");
    assert!(!ran.stdout.contains("Nothing"), "{ran:#?}");
    corner
        .cognito("DeleteUserPool", json!({ "UserPoolId": pool }))
        .await;
    let ran = corner
        .run(&["teardown", "--pool", &pool, "--yes", "--json"])
        .await
        .ended(0);
    let steps: Vec<Value> = ran.json()["steps"].as_array().unwrap().clone();
    assert_eq!(steps.len(), 1, "{ran:#?}");
    assert_eq!(steps[0]["resource"], "log-group");
}
