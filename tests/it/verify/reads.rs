//! How verify reads: in few round trips, and what is denied keeps only its own checks from being made.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jane_migrate_sandbox::{Fate, Proxy};
use serde_json::Value;

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
    let cases: [(&'static str, &str, &[&str]); 13] = [
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
        ("ListAliases", "lambda:ListAliases", &["aliases"]),
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
    let proxy = Proxy::start(&bench.corner.endpoint, |passing| {
        match passing.action.as_str() {
            "DescribeUserPool" => {
                Fate::Refuse(400, "AccessDeniedException", "User is not authorized")
            }
            _ => Fate::Pass,
        }
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let ran = bench.verify(&[]).await.ended(2);
    let document = ran.json();
    let unknown = unknown(&document);
    assert!(unknown.contains(&"trigger-registered"), "{unknown:?}");
    assert!(!unknown.contains(&"function-code"), "{unknown:?}");
    assert!(wrong(&ran).is_empty(), "{ran:#?}");
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
