//! How the pool calls the function, and all other ways to call it.

use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::json;

use super::bench::{Bench, foreign_zip, wrong};

#[tokio::test]
async fn every_other_way_to_call_the_function_is_found() {
    let bench = Bench::new().await;
    bench.holds().await;

    bench.update_pool(json!({ "LambdaConfig": {} })).await;
    // Nothing else of the pool was changed, so only this is wrong.
    bench
        .fails_and_is_fixed("trigger-registered", "error")
        .await;

    bench
        .function(
            "DELETE",
            "/policy/jane-migrate-live?Qualifier=live",
            json!({}),
        )
        .await;
    bench.fails_and_is_fixed("invoke-permission", "error").await;

    let every_principal =
        json!({ "StatementId": "everybody", "Action": "lambda:InvokeFunction", "Principal": "*" });
    bench.function("POST", "/policy", every_principal).await;
    bench
        .fails_and_is_fixed("invoke-permission-only", "error")
        .await;

    bench
        .function("POST", "/url", json!({ "AuthType": "NONE" }))
        .await;
    bench.fails_and_is_fixed("function-url", "error").await;

    bench
        .json(
            "sqs",
            "AmazonSQS.CreateQueue",
            json!({ "QueueName": "orders" }),
        )
        .await;
    let mapping = json!({
        "FunctionName": bench.function, "Enabled": false,
        "EventSourceArn": format!("arn:aws:sqs:{}:{}:orders", crate::support::REGION, bench.corner.account),
    });
    bench.lambda("POST", "event-source-mappings", mapping).await;
    bench.fails_and_is_fixed("event-sources", "error").await;
}

#[tokio::test]
async fn an_alias_for_other_code_or_other_callers_is_found() {
    let bench = Bench::new().await;
    let foreign = json!({ "ZipFile": foreign_zip() });
    bench.function("PUT", "/code", foreign).await;
    let version = bench.go_live().await;
    bench.fails_and_is_fixed("function-code", "error").await;

    let alias = json!({ "Name": "other", "FunctionVersion": version });
    bench.function("POST", "/aliases", alias).await;
    bench.fails_and_is_fixed("aliases", "error").await;

    // Each alias has its own policy.
    let every_principal =
        json!({ "StatementId": "everybody", "Action": "lambda:InvokeFunction", "Principal": "*" });
    bench
        .function("POST", "/policy?Qualifier=other", every_principal)
        .await;
    let fix = bench.fails("invoke-permission-only", "error").await;
    assert!(fix.ends_with("--qualifier other"), "{fix}");
    bench.run_fix(&fix).await;
    bench.holds().await;

    bench.function("DELETE", "/aliases/live", json!({})).await;
    bench
        .fails_and_is_fixed("trigger-registered", "error")
        .await;
}

#[tokio::test]
async fn the_live_version_must_be_the_newest_one_of_our_alias() {
    let bench = Bench::new().await;
    // An operator tries something.
    let change = json!({ "MemorySize": 512 });
    bench.function("PUT", "/configuration", change).await;
    bench.settled().await;
    bench.fails_and_is_fixed("live-version", "warning").await;

    // Some of the customers use another version.
    let change = json!({ "Timeout": 30 });
    bench.function("PUT", "/configuration", change).await;
    bench.settled().await;
    let slow = bench.function("POST", "/versions", json!({})).await;
    bench.deploy().await;
    let slow = slow["Version"].as_str().expect("a number").to_owned();
    let share = json!({ "RoutingConfig": { "AdditionalVersionWeights": { slow: 0.1 } } });
    bench.function("PUT", "/aliases/live", share).await;
    bench.fails_and_is_fixed("aliases", "error").await;

    // The pool calls the function itself, as before the alias existed.
    let own = format!(
        "arn:aws:lambda:{}:{}:function:{}",
        crate::support::REGION,
        bench.corner.account,
        bench.function
    );
    bench
        .update_pool(json!({ "LambdaConfig": { "UserMigration": own } }))
        .await;
    let wrong = bench.wrong().await;
    let registered = wrong.iter().find(|one| one["id"] == "trigger-registered");
    let registered = registered.expect("the finding");
    assert_eq!(registered["severity"], "warning");
    bench.deploy().await;
    bench.holds().await;
}

#[tokio::test]
async fn every_version_of_an_alias_is_checked() {
    let bench = Bench::new().await;
    let layer = json!({ "Content": { "ZipFile": foreign_zip() }, "CompatibleRuntimes": ["provided.al2023"] });
    let name = format!("layers/spy-{}/versions", bench.corner.account);
    let layer = bench.lambda("POST", &name, layer).await;
    bench
        .reconfigure(json!({ "Layers": [layer["LayerVersionArn"]] }))
        .await;
    bench
        .set_variable("AWS_ENDPOINT_URL", "https://attacker.example")
        .await;
    let spied = bench.go_live().await;
    bench.deploy().await;
    // A version without an alias is harmless.
    bench.holds().await;

    let good = bench.function("GET", "/aliases/live", json!({})).await;
    let number = spied.as_str().expect("a number");
    let alias = json!({
        "Name": "other", "FunctionVersion": good["FunctionVersion"],
        "RoutingConfig": { "AdditionalVersionWeights": { number: 0.1 } },
    });
    bench.function("POST", "/aliases", alias).await;
    let wrong = bench.wrong().await;
    let found = wrong[0]["found"].as_str().expect("what was found");
    assert!(
        found.contains("layer arn:") && found.contains("variable AWS_ENDPOINT_URL"),
        "{wrong:#?}"
    );
    assert!(!found.contains("attacker"), "{found}");
    bench.fails_and_is_fixed("aliases", "error").await;
}

#[tokio::test]
async fn a_permission_that_does_not_allow_cognito_does_not_count() {
    let mut bench = Bench::new().await;
    let statement = |id: &str, more: serde_json::Value| {
        let mut statement = json!({
            "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "cognito-idp.amazonaws.com",
            "SourceAccount": bench.corner.account,
            "SourceArn": format!("arn:aws:cognito-idp:{}:{}:userpool/{}", crate::support::REGION, bench.corner.account, bench.pool),
        });
        let members = statement.as_object_mut().expect("members");
        members.extend(more.as_object().expect("members").clone());
        statement
    };
    bench
        .function(
            "DELETE",
            "/policy/jane-migrate-live?Qualifier=live",
            json!({}),
        )
        .await;
    let narrow = statement("jane-migrate-live", json!({ "EventSourceToken": "t" }));
    bench
        .function("POST", "/policy?Qualifier=live", narrow)
        .await;
    bench.fails_and_is_fixed("invoke-permission", "error").await;

    let arn = format!(
        "arn:aws:cognito-idp:{}:{}:userpool/*",
        crate::support::REGION,
        bench.corner.account
    );
    let every_pool = statement("every-pool", json!({ "SourceArn": arn }));
    bench.function("POST", "/policy", every_pool).await;
    bench
        .fails_and_is_fixed("invoke-permission-only", "error")
        .await;

    let proxy = Proxy::start(&bench.corner.endpoint, |call| match call.action.as_str() {
        "GetPolicy" => Fate::Edit(|answer| {
            // Not every qualifier has one.
            let Some(policy) = answer["Policy"].as_str() else {
                return;
            };
            let mut policy: serde_json::Value = serde_json::from_str(policy).expect("JSON");
            let statements = policy["Statement"].as_array_mut().expect("statements");
            statements.push(json!({
                "Sid": "closed", "Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*",
            }));
            answer["Policy"] = json!(policy.to_string());
        }),
        _ => Fate::Pass,
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let fix = bench.fails("invoke-permission", "error").await;
    assert!(
        fix.contains("remove-permission") && fix.contains("--statement-id closed"),
        "{fix}"
    );
}

#[tokio::test]
async fn printed_fixes_use_the_same_target() {
    let bench = Bench::new().await;
    let folder = bench.corner.folder.path();
    std::fs::rename(folder.join("migrate.toml"), folder.join("our shop.toml")).unwrap();
    let given = [
        "--config",
        "our shop.toml",
        "--region",
        crate::support::REGION,
    ];
    bench
        .function(
            "DELETE",
            "/policy/jane-migrate-live?Qualifier=live",
            json!({}),
        )
        .await;
    bench
        .function("POST", "/url", json!({ "AuthType": "NONE" }))
        .await;
    let wrong = wrong(&bench.verify(&given).await);
    let fixes: Vec<&str> = wrong.iter().filter_map(|f| f["fix"].as_str()).collect();
    let region = crate::support::REGION;
    let flags = format!("--config 'our shop.toml' --region {region}");
    assert!(fixes[0].ends_with(&flags), "{fixes:?}");
    assert!(
        fixes[1].ends_with(&format!("--region {region}")),
        "{fixes:?}"
    );
    // The last fix first, because deploy verifies everything.
    for fix in fixes.into_iter().rev() {
        bench.run_fix(fix).await;
    }
    bench.verify(&given).await.ended(0);
}
