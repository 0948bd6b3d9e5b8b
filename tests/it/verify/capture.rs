//! Where an event is logged, and where copies of it could go.

use serde_json::json;

use super::bench::{Bench, commands, foreign_zip};

#[tokio::test]
async fn log_retention_and_destinations_are_checked() {
    let bench = Bench::new().await;
    let group = format!("/aws/lambda/{}", bench.function);

    bench
        .json(
            "logs",
            "Logs_20140328.DeleteRetentionPolicy",
            json!({ "logGroupName": group }),
        )
        .await;
    bench.fails_and_is_fixed("log-group", "error").await;

    bench
        .reconfigure(json!({ "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/everybody/reads/this" } }))
        .await;
    bench.fails_and_is_fixed("log-destination", "error").await;

    let trace = json!({ "LogFormat": "JSON", "ApplicationLogLevel": "TRACE", "LogGroup": group });
    bench.reconfigure(json!({ "LoggingConfig": trace })).await;
    bench.fails_and_is_fixed("log-level", "error").await;

    let filter = json!({
        "logGroupName": group, "filterName": "all", "filterPattern": "",
        "destinationArn": format!("arn:aws:lambda:{}:{}:function:{}", crate::support::REGION, bench.corner.account, bench.function),
    });
    bench
        .json("logs", "Logs_20140328.PutSubscriptionFilter", filter)
        .await;
    bench
        .fails_and_is_fixed("log-subscriptions", "warning")
        .await;

    let mut policy = json!({
        "policyName": "to-the-lake", "policyType": "SUBSCRIPTION_FILTER_POLICY",
        "policyDocument": json!({ "DestinationArn": "arn:aws:firehose:us-west-2:210987654321:deliverystream/lake", "FilterPattern": "" }).to_string(),
    });
    bench
        .json("logs", "Logs_20140328.PutAccountPolicy", policy.clone())
        .await;
    let fix = bench.fails("log-account-policy", "warning").await;
    // A policy that leaves this log group out is fine.
    policy["selectionCriteria"] = json!(format!("LogGroupName NOT IN [\"{group}\"]"));
    bench
        .json("logs", "Logs_20140328.PutAccountPolicy", policy.clone())
        .await;
    bench.holds().await;
    policy["selectionCriteria"] = json!("LogGroupName NOT IN [\"another\"]");
    bench
        .json("logs", "Logs_20140328.PutAccountPolicy", policy)
        .await;
    bench.fails("log-account-policy", "warning").await;
    bench.run_fix(fix.split('`').nth(1).unwrap()).await;
    bench.holds().await;
}

#[tokio::test]
async fn a_password_in_the_log_is_found_if_the_check_is_requested() {
    let bench = Bench::new().await;
    let group = format!("/aws/lambda/{}", bench.function);
    bench.verify(&["--only", "log-hygiene"]).await.ended(0);

    let stream = json!({ "logGroupName": group, "logStreamName": "somebody" });
    bench
        .json("logs", "Logs_20140328.CreateLogStream", stream)
        .await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let events = json!({
        "logGroupName": group, "logStreamName": "somebody",
        "logEvents": [{ "timestamp": u64::try_from(now).unwrap(), "message": r#"{"request":{"password":"hunter2"}}"# }],
    });
    bench
        .json("logs", "Logs_20140328.PutLogEvents", events)
        .await;
    bench.holds().await;
    let ran = bench.verify(&["--only", "log-hygiene"]).await.ended(1);
    assert!(!ran.stdout.contains("hunter2"), "{ran:#?}");
    let found = super::bench::wrong(&ran);
    assert_eq!(found[0]["id"], "log-hygiene");

    for command in commands(found[0]["fix"].as_str().unwrap()) {
        bench.run_fix(command).await;
    }
    bench.verify(&["--only", "log-hygiene"]).await.ended(0);
}

#[tokio::test]
async fn copies_of_events_are_found() {
    let bench = Bench::new().await;
    let layer = json!({ "Content": { "ZipFile": foreign_zip() }, "CompatibleRuntimes": ["provided.al2023"] });
    let layer = bench
        .lambda(
            "POST",
            &format!("layers/spy-{}/versions", bench.corner.account),
            layer,
        )
        .await;
    bench
        .reconfigure(json!({ "Layers": [layer["LayerVersionArn"]] }))
        .await;
    bench.fails_and_is_fixed("layers", "error").await;

    bench
        .json(
            "sqs",
            "AmazonSQS.CreateQueue",
            json!({ "QueueName": "copies" }),
        )
        .await;
    let queue = format!(
        "arn:aws:sqs:{}:{}:copies",
        crate::support::REGION,
        bench.corner.account
    );
    let copies = json!({ "DestinationConfig": { "OnFailure": { "Destination": queue } } });
    bench.function("PUT", "/event-invoke-config", copies).await;
    bench.fails_and_is_fixed("event-copies", "error").await;
    bench
        .reconfigure(json!({ "DeadLetterConfig": { "TargetArn": queue } }))
        .await;
    bench.fails_and_is_fixed("event-copies", "error").await;

    bench
        .reconfigure(json!({ "TracingConfig": { "Mode": "Active" } }))
        .await;
    bench.fails_and_is_fixed("tracing", "warning").await;
}
