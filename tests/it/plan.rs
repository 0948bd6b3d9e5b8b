//! `plan`: the exact difference of each update, the findings, and what scripts rely on.

use serde_json::{Value, json};

use crate::support::{Corner, REGION};

fn change<'a>(plan: &'a Value, resource: &str) -> &'a Value {
    plan["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|change| change["resource"] == resource)
        .unwrap_or_else(|| panic!("no change of a {resource}: {plan:#}"))
}

#[tokio::test]
async fn the_plan_shows_the_pools_update_in_one_line() {
    let corner = Corner::new().await;
    // Settings that an update must carry, one of which it must move.
    let settings = json!({
        "LambdaConfig": { "CustomMessage": format!("arn:aws:lambda:{REGION}:{}:function:message", corner.account) },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "UserPoolTags": { "team": "roots" },
    });
    let pool = corner.create_pool(settings).await;
    corner.create_client(&pool, json!({})).await;
    let plan = corner
        .run(&["plan", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    let arn = format!(
        "arn:aws:lambda:{REGION}:{}:function:jane-migrate-{pool}:live",
        corner.account
    );
    assert_eq!(
        change(&plan, "trigger")["difference"],
        json!([{ "pointer": "/LambdaConfig/UserMigration", "before": null, "after": arn }])
    );
    let found: Vec<&str> = plan["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    assert_eq!(found, ["environment-secret"]);
}

#[tokio::test]
async fn unsuitable_settings_stop_the_deploy_or_are_reported() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let plan = ["plan", "--pool", &pool];
    corner.configure(
        "[attributes]\n\"custom:loyalty\" = \"x\"\n[response]\nforce_alias_creation = true\n",
    );
    let ran = corner.run(&plan).await.ended(1);
    for expected in [
        "error attributes-schema",
        "warning alias-takeover",
        "warning open-sign-up",
        "Stopped: 1",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {ran:#?}");
    }
    let ran = corner
        .run(&["deploy", "--pool", &pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stdout.contains("custom:loyalty"), "{ran:#?}");
    // An accepted finding is not printed any more.
    corner.configure("[verify.accept]\nopen-sign-up = \"closed in the app\"\n");
    let ran = corner.run(&plan).await.ended(0);
    assert!(!ran.stdout.contains("open-sign-up"), "{ran:#?}");
}

#[tokio::test]
async fn printed_commands_use_the_same_target() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let srp = json!({ "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, srp).await;
    corner.configure("[attributes]\n\"custom:loyalty\" = \"x\"\n");
    let folder = corner.folder.path();
    std::fs::rename(folder.join("migrate.toml"), folder.join("our shop.toml")).unwrap();
    let mut plan = vec!["plan", "--pool", &pool, "--config", "our shop.toml"];
    plan.extend(["--region", REGION, "--json"]);
    let document = corner.run(&plan).await.ended(1).json();
    let fix = |id: &str| {
        let findings = document["findings"].as_array().into_iter().flatten();
        let finding = findings.clone().find(|finding| finding["id"] == id);
        finding
            .and_then(|finding| finding["fix"].as_str())
            .unwrap_or_default()
    };
    let add = fix("attributes-schema").split('`').nth(1).unwrap();
    assert!(add.ends_with(&format!("--region {REGION}")), "{add}");
    assert_eq!(
        fix("client-password-auth"),
        format!(
            "jane-migrate deploy --pool {pool} --config 'our shop.toml' --region {REGION} --enable-password-auth"
        )
    );
}

#[tokio::test]
async fn a_later_change_is_shown_field_by_field_and_no_change_as_none() {
    let corner = Corner::new().await;
    let (pool, _) = corner.deployed().await;
    let plan = ["plan", "--pool", &pool, "--detailed-exitcode"];
    let ran = corner.run(&plan).await.ended(0);
    assert!(ran.stdout.contains("\nNo changes."), "{ran:#?}");
    corner.configure(
        "[function]\nmemory_mb = 512\nlog_retention_days = 7\n[window]\ncloses = 2999-12-31\n",
    );
    let ran = corner
        .run(&[&plan[..], &["--json"]].concat())
        .await
        .ended(2);
    let document = ran.json();
    assert_eq!(
        change(&document, "function")["difference"],
        json!([
            { "pointer": "/MemorySize", "before": 256, "after": 512 },
            { "pointer": "/Environment/Variables/JANE_MIGRATE_SETTINGS/window_closes", "before": null, "after": "2999-12-31" },
        ])
    );
    assert_eq!(
        change(&document, "log-group")["difference"],
        json!([{ "pointer": "/retentionInDays", "before": 400, "after": 7 }])
    );
    assert!(
        !ran.stdout.contains(corner.jane.client_secret()),
        "{ran:#?}"
    );
    let ran = corner.run(&plan).await.ended(2);
    assert!(
        ran.stdout.contains("      /MemorySize: 256 => 512\n"),
        "{ran:#?}"
    );
}

/// A client for machines, which Jane does not have and whose flows allow no password.
#[tokio::test]
async fn clients_without_users_are_not_changed() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let machine = json!({ "UserPoolId": pool, "ClientName": "billing", "GenerateSecret": true,
        "AllowedOAuthFlows": ["client_credentials"], "AllowedOAuthFlowsUserPoolClient": true,
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"] });
    let made = corner.cognito("CreateUserPoolClient", machine).await;
    let machine = made["UserPoolClient"]["ClientId"].as_str().expect("an id");
    let before = corner.client(&pool, machine).await;
    let plan = corner.run(&["plan", "--pool", &pool]).await.ended(0);
    let said = format!("app client billing ({machine}) is left alone: it is a machine's");
    assert!(plan.stdout.contains(&said), "{plan:#?}");
    let plan = corner.run(&["plan", "--pool", &pool, "--json"]).await;
    assert_eq!(plan.json()["left_alone"][0]["client"], machine);
    let deploy = ["deploy", "--pool", &pool, "--yes", "--enable-password-auth"];
    corner.run(&deploy).await.ended(0);
    assert_eq!(before, corner.client(&pool, machine).await);
    corner.run(&["verify", "--pool", &pool]).await.ended(0);
}
