//! The way from the pool to the function, and every other way to it.

use serde_json::json;

use super::bench::{Bench, foreign_zip};

#[tokio::test]
async fn every_way_to_the_function_is_watched() {
    let bench = Bench::new().await;
    bench.holds().await;

    bench.update_pool(json!({ "LambdaConfig": {} })).await;
    // Nothing else of the pool was changed, and so only this is wrong.
    bench
        .fails_and_is_fixed("trigger-registered", "error")
        .await;

    bench
        .function("DELETE", "/policy/jane-migrate-user-pool", json!({}))
        .await;
    bench.fails_and_is_fixed("invoke-permission", "error").await;

    let everybody =
        json!({ "StatementId": "everybody", "Action": "lambda:InvokeFunction", "Principal": "*" });
    bench.function("POST", "/policy", everybody).await;
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
async fn an_alias_is_a_way_to_other_code_and_to_other_callers() {
    let bench = Bench::new().await;
    let foreign = json!({ "ZipFile": foreign_zip() });
    bench.function("PUT", "/code", foreign).await;
    bench.settled().await;
    let version = bench.function("POST", "/versions", json!({})).await;
    bench.fails_and_is_fixed("function-code", "error").await;

    let alias = json!({ "Name": "live", "FunctionVersion": version["Version"] });
    bench.function("POST", "/aliases", alias).await;
    bench.fails_and_is_fixed("aliases", "error").await;

    // Each alias has a policy of its own.
    let everybody =
        json!({ "StatementId": "everybody", "Action": "lambda:InvokeFunction", "Principal": "*" });
    bench
        .function("POST", "/policy?Qualifier=live", everybody)
        .await;
    let fix = bench.fails("invoke-permission-only", "error").await;
    assert!(fix.ends_with("--qualifier live"), "{fix}");
    bench.run_fix(&fix).await;
    bench.holds().await;

    // A trigger on the alias is ours, and wants a permission of the alias.
    let alias = format!(
        "arn:aws:lambda:{}:{}:function:{}:live",
        crate::support::REGION,
        bench.corner.account,
        bench.function
    );
    bench
        .update_pool(json!({ "LambdaConfig": { "UserMigration": alias } }))
        .await;
    bench.fails_and_is_fixed("invoke-permission", "error").await;
}
