//! How verify reads: in few round trips, and what is denied keeps only its own checks from being made.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jane_migrate_sandbox::{Fate, Proxy};
use serde_json::{Value, json};

use super::bench::{Bench, wrong};

/// The ids of the findings that could not be checked.
fn unknown(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["unknown"] == true)
        .filter_map(|finding| finding["id"].as_str())
        .collect()
}

#[tokio::test]
async fn a_denied_read_keeps_only_its_own_checks_from_being_made() {
    let mut bench = Bench::new().await;
    let endpoint = bench.corner.endpoint.clone();
    let cases: [(&'static str, &str, &[&str]); 15] = [
        (
            "ListFunctionUrlConfigs",
            "lambda:ListFunctionUrlConfigs",
            &["function-url"],
        ),
        (
            "ListEventSourceMappings",
            "lambda:ListEventSourceMappings",
            &["event-sources"],
        ),
        (
            "GetPolicy",
            "lambda:GetPolicy",
            &["invoke-permission", "invoke-permission-only"],
        ),
        (
            "ListAliases",
            "lambda:ListAliases",
            &["invoke-permission-only", "event-sources", "aliases"],
        ),
        (
            "GetUserPoolMfaConfig",
            "cognito-idp:GetUserPoolMfaConfig",
            &["function-settings", "mfa-phone", "pool-unchanged"],
        ),
        (
            "DescribeUserPoolClient",
            "cognito-idp:DescribeUserPoolClient",
            &[
                "client-password-auth",
                "client-user-existence",
                "attributes-writable",
            ],
        ),
        (
            "GetRole",
            "iam:GetRole",
            &["role-trust", "role-permissions", "role-needs"],
        ),
        (
            "ListRolePolicies",
            "iam:ListRolePolicies",
            &["role-permissions", "role-needs"],
        ),
        (
            "DescribeLogGroups",
            "logs:DescribeLogGroups",
            &["log-group"],
        ),
        (
            "DescribeSubscriptionFilters",
            "logs:DescribeSubscriptionFilters",
            &["log-subscriptions"],
        ),
        (
            "DescribeAccountPolicies",
            "logs:DescribeAccountPolicies",
            &["log-account-policy"],
        ),
        ("GetMetricData", "cloudwatch:GetMetricData", &["health"]),
        (
            "DescribeSecret",
            "secretsmanager:DescribeSecret",
            &["secret-exists", "secret-encrypted"],
        ),
        (
            "GetResourcePolicy",
            "secretsmanager:GetResourcePolicy",
            &["secret-policy"],
        ),
        (
            "GetRuntimeManagementConfig",
            "lambda:GetRuntimeManagementConfig",
            &["runtime-updates"],
        ),
    ];
    for (call, permission, ids) in cases {
        let proxy = Proxy::start(&endpoint, move |passing| match passing.action == call {
            true => Fate::Refuse(403, "AccessDeniedException", "User is not authorized"),
            false => Fate::Pass,
        })
        .await
        .expect("a proxy");
        bench.corner.endpoint = proxy.url();
        let ran = bench.verify(&[]).await.ended(2);
        let document = ran.json();
        assert_eq!(unknown(&document), *ids, "{call}");
        assert!(wrong(&ran).is_empty(), "{call}: {ran:#?}");
        assert!(ran.stdout.contains(permission), "{call}: {ran:#?}");
    }
}

#[tokio::test]
async fn without_the_pool_the_function_is_still_checked() {
    let mut bench = Bench::new().await;
    let _proxy = bench
        .behind(|passing| match passing.action.as_str() {
            "DescribeUserPool" => {
                Fate::Refuse(400, "AccessDeniedException", "User is not authorized")
            }
            _ => Fate::Pass,
        })
        .await;
    let ran = bench.verify(&[]).await.ended(2);
    let document = ran.json();
    let unknown = unknown(&document);
    assert!(unknown.contains(&"trigger-registered"), "{unknown:?}");
    assert!(!unknown.contains(&"function-code"), "{unknown:?}");
    assert!(wrong(&ran).is_empty(), "{ran:#?}");
}

#[tokio::test]
async fn the_triggers_alias_is_known_without_a_list_of_them() {
    let mut bench = Bench::new().await;
    let alias = json!({ "Name": "live", "FunctionVersion": "$LATEST" });
    let alias = bench.function("POST", "/aliases", alias).await["AliasArn"].take();
    bench
        .update_pool(json!({ "LambdaConfig": { "UserMigration": alias } }))
        .await;
    bench.fails_and_is_fixed("invoke-permission", "error").await;
    let _proxy = bench
        .behind(|passing| match passing.action.as_str() {
            "ListAliases" => Fate::Refuse(403, "AccessDeniedException", "no"),
            _ => Fate::Pass,
        })
        .await;
    let ran = bench.verify(&[]).await.ended(2);
    let document = ran.json();
    assert_eq!(
        unknown(&document),
        ["invoke-permission-only", "event-sources", "aliases"]
    );
}

#[tokio::test]
async fn tags_that_are_not_told_are_not_taken_for_absent() {
    let mut bench = Bench::new().await;
    let _proxy = bench.behind(|passing| {
        match passing.action.as_str() {
            "GetFunction" => Fate::Edit(|answer| {
                let answer = answer.as_object_mut().expect("an answer");
                answer.remove("Tags");
                let error = json!({ "ErrorCode": "AccessDeniedException", "Message": "not authorized to perform: lambda:ListTags" });
                answer.insert("TagsError".into(), error);
            }),
            _ => Fate::Pass,
        }
    }).await;
    let ran = bench.verify(&[]).await.ended(2);
    assert_eq!(unknown(&ran.json()), ["function-code", "pool-unchanged"]);
    assert!(wrong(&ran).is_empty(), "{ran:#?}");
    assert!(ran.stdout.contains("allow `lambda:ListTags`"), "{ran:#?}");
    // Nor does anything else take the function for somebody else's.
    let arguments = ["deploy", "--pool", &bench.pool, "--yes", "--replace"];
    let ran = bench.corner.run(&arguments).await.ended(1);
    assert!(ran.stderr.contains("grant `lambda:ListTags`"), "{ran:#?}");
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let mut bench = Bench::new().await;
    let _proxy = bench
        .behind(|passing| match (passing.action.as_str(), passing.attempt) {
            ("GetMetricData", 1) => Fate::Refuse(400, "ThrottlingException", "Rate exceeded"),
            ("DescribeSecret", 1) => Fate::Refuse(500, "InternalServiceError", "sorry"),
            ("GetResourcePolicy", 1) => Fate::Page(503),
            _ => Fate::Pass,
        })
        .await;
    bench.verify(&[]).await.ended(0);

    // Not for ever.
    let proxy = bench
        .behind(|passing| match passing.action.as_str() {
            "GetMetricData" => Fate::Refuse(400, "ThrottlingException", "Rate exceeded"),
            _ => Fate::Pass,
        })
        .await;
    let tries = ("AWS_MAX_ATTEMPTS".to_owned(), "2".to_owned());
    bench.corner.environment.push(tries);
    bench.verify(&["--only", "health"]).await.ended(2);
    assert_eq!(
        proxy
            .passed()
            .iter()
            .filter(|call| call.action == "GetMetricData")
            .count(),
        2
    );
}

#[tokio::test]
async fn every_read_goes_through_the_proxy_of_the_network() {
    let mut bench = Bench::new().await;
    let way_out = std::mem::replace(&mut bench.corner.endpoint, "http://aws.invalid".into());
    bench
        .corner
        .environment
        .push(("HTTP_PROXY".into(), way_out));
    bench
        .verify(&["--only", "health,secret-exists,secret-policy"])
        .await
        .ended(0);
}

#[tokio::test]
async fn without_a_configuration_jane_is_asked_as_the_function_asks() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.corner.folder.path().join("migrate.toml")).unwrap();
    let other = "us-east-1_Other";
    bench
        .corner
        .jane
        .register_client(&bench.client, other, crate::support::REGION);
    let ran = bench
        .verify(&["--only", "jane-knows-client"])
        .await
        .ended(1);
    assert_eq!(wrong(&ran)[0]["subject"], json!(bench.client));
}

#[tokio::test]
async fn a_pool_that_is_not_there_could_not_be_checked() {
    let bench = Bench::new().await;
    let ran = bench
        .corner
        .run(&["verify", "--pool", "us-west-2_Nothing1"])
        .await
        .ended(2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("failed to read user pool"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn four_round_trips_are_enough() {
    // Every answer takes this long, so that what waits for an answer shows in when it was asked.
    const ROUND_TRIP: Duration = Duration::from_secs(1);
    let mut bench = Bench::new().await;
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noting = asked.clone();
    let proxy = Proxy::start(&bench.corner.endpoint, move |_| {
        noting.lock().unwrap().push(Instant::now());
        Fate::Delay(ROUND_TRIP)
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let ran = bench.verify(&[]).await.ended(0);
    assert!(
        ran.stderr.is_empty(),
        "no progress where there is no terminal: {ran:#?}"
    );
    // A call is as deep as the deepest one that was answered before it.
    let asked = asked.lock().unwrap();
    let mut depths: Vec<usize> = Vec::new();
    for (n, at) in asked.iter().enumerate() {
        let answered = asked[..n].iter().zip(&depths);
        let deepest = answered
            .filter(|(before, _)| *at >= **before + ROUND_TRIP)
            .map(|(_, depth)| *depth)
            .max();
        depths.push(deepest.unwrap_or(0) + 1);
    }
    assert!(asked.len() > 20, "{} calls", asked.len());
    let deepest = depths.iter().max().unwrap();
    assert!(*deepest <= 4, "{deepest} round trips");
}
