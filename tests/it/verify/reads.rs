//! How verify reads: in few round trips; a denied read affects only its own checks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jane_migrate_core::finding::Severity;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};
use tokio::sync::watch;

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
async fn endless_lists_are_stopped_and_reported() {
    let mut bench = Bench::new().await;
    let endpoint = bench.corner.endpoint.clone();
    let many: fn(&mut Value) = |answer| {
        answer["Aliases"] = (0..1001)
            .map(|n| json!({ "Name": format!("a{n}"), "FunctionVersion": "1" }))
            .collect();
    };
    let clients: fn(&mut Value) = |answer| {
        answer["UserPoolClients"] = (0..10_001)
            .map(|n| json!({ "ClientId": format!("c{n}"), "ClientName": "web" }))
            .collect();
    };
    let again: fn(&mut Value) = |answer| {
        for token in ["NextMarker", "NextToken", "nextToken"] {
            answer[token] = "0".into();
        }
    };
    for (action, edit, words) in [
        ("ListAliases", again, "the token of an earlier page"),
        ("ListAliases", many, "more than 1000"),
        (
            "ListVersionsByFunction",
            again,
            "the token of an earlier page",
        ),
        ("ListUserPoolClients", again, "the token of an earlier page"),
        ("ListUserPoolClients", clients, "more than 10000"),
    ] {
        bench.corner.endpoint.clone_from(&endpoint);
        let decide = move |passing: &Passing| match passing.action == action {
            true => Fate::Edit(edit),
            false => Fate::Pass,
        };
        let proxy = bench.behind(decide).await;
        let ran = bench.verify(&[]).await.ended(2);
        assert!(ran.stdout.contains(words), "{action}: {ran:#?}");
        let calls = proxy.passed();
        let asked = calls.iter().filter(|call| call.action == action).count();
        assert!(asked <= 4, "{action} was called {asked} times");
    }
}

#[tokio::test]
async fn a_denied_read_affects_only_its_own_checks() {
    let mut bench = Bench::new().await;
    let endpoint = bench.corner.endpoint.clone();
    let cases: [(&'static str, &str, &[&str]); 17] = [
        (
            "GetSecretValue",
            "secretsmanager:GetSecretValue",
            &["jane-knows-client"],
        ),
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
            &[
                "invoke-permission-only",
                "event-sources",
                "aliases",
                "live-version",
            ],
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
                "record-intact",
                "client-password-auth",
                "client-user-existence",
                "attributes-writable",
            ],
        ),
        (
            "GetRole",
            "iam:GetRole",
            &[
                "record-intact",
                "role-trust",
                "role-permissions",
                "role-needs",
            ],
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
            "ListPointInTimeRecoveries",
            "cognito-idp:ListPointInTimeRecoveries",
            &["point-in-time-recovery"],
        ),
        (
            "DescribeSecret",
            "secretsmanager:DescribeSecret",
            &[
                "secret-exists",
                "secret-encrypted",
                "secret-key",
                "secret-copies",
            ],
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
        let ran = bench.verify(&[]).await;
        let document = ran.json();
        assert_eq!(unknown(&document), *ids, "{call}");
        // A warning that could not be checked is no worse than one that fails.
        let hides_error = |id: &&str| {
            let mut checks = jane_migrate_core::check::checks();
            let severity = checks
                .find(|check| check.id == *id)
                .map(|check| check.severity);
            severity == Some(Severity::Error)
        };
        let expected = if ids.iter().any(hides_error) { 2 } else { 0 };
        assert_eq!(
            (ran.code, document["ok"].clone()),
            (expected, json!(expected == 0)),
            "{call}"
        );
        bench
            .verify(&["--strict", "--skip", "client-user-existence"])
            .await
            .ended(2);
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
        [
            "invoke-permission-only",
            "event-sources",
            "aliases",
            "live-version"
        ]
    );
}

#[tokio::test]
async fn unreadable_tags_do_not_count_as_absent() {
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
    assert_eq!(
        unknown(&ran.json()),
        ["record-intact", "function-code", "pool-unchanged"]
    );
    assert!(wrong(&ran).is_empty(), "{ran:#?}");
    assert!(ran.stdout.contains("allow `lambda:ListTags`"), "{ran:#?}");
    // No other command takes the function for another owner's either.
    let arguments = ["deploy", "--pool", &bench.pool, "--yes", "--replace"];
    let ran = bench.corner.run(&arguments).await.ended(1);
    assert!(ran.stderr.contains("grant `lambda:ListTags`"), "{ran:#?}");
}

#[tokio::test]
async fn a_call_to_a_busy_service_is_retried() {
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

    // Not forever.
    let proxy = bench
        .behind(|passing| match passing.action.as_str() {
            "GetMetricData" => Fate::Refuse(400, "ThrottlingException", "Rate exceeded"),
            _ => Fate::Pass,
        })
        .await;
    let tries = ("AWS_MAX_ATTEMPTS".to_owned(), "2".to_owned());
    bench.corner.environment.push(tries);
    bench.verify(&["--only", "health"]).await.ended(0);
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
async fn every_read_uses_the_configured_proxy() {
    let mut bench = Bench::new().await;
    let way_out = std::mem::replace(&mut bench.corner.endpoint, "http://aws.invalid".into());
    bench
        .corner
        .environment
        .push(("HTTP_PROXY".into(), way_out));
    bench
        .verify(&[
            "--only",
            "health,secret-exists,secret-policy,jane-knows-client",
        ])
        .await
        .ended(0);
}

#[tokio::test]
async fn without_a_configuration_jane_is_called_with_the_functions_settings() {
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
async fn a_missing_pool_counts_as_unchecked() {
    let bench = Bench::new().await;
    let nothing = ["verify", "--pool", "us-west-2_Nothing1"];
    let json = [&nothing[..], &["--format", "json"]].concat();
    let document = bench.corner.run(&json).await.ended(2).json();
    let message = document["error"]["message"].as_str().expect("a message");
    assert!(message.contains("failed to find user pool"), "{document:#}");
    let ran = bench.corner.run(&nothing).await.ended(2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("failed to find user pool"),
        "{ran:#?}"
    );
}

/// Calls that need an earlier response: this many calls of a kind are made at once with all others, the rest in the second
/// wave. There is no third one.
const SECOND_WAVE: [(&str, usize); 8] = [
    ("DescribeUserPoolClient", 0),
    ("GetRolePolicy", 0),
    ("GetSecretValue", 0),
    ("GetFunction", 1),
    ("GetPolicy", 1),
    ("ListEventSourceMappings", 1),
    ("GetPolicyVersion", 0),
    ("GetWebACLForResource", 0),
];

fn wave(call: &Passing) -> usize {
    let later = |(action, first): &&(&str, usize)| *action == call.action && call.nth > *first;
    usize::from(SECOND_WAVE.iter().any(|entry| later(&entry)))
}

#[tokio::test]
async fn two_waves_of_calls_are_enough_with_many_clients_and_aliases() {
    let mut bench = Bench::new().await;
    for n in 0..6 {
        bench.corner.create_client(&bench.pool, json!({})).await;
        let alias = json!({ "Name": format!("alias{n}"), "FunctionVersion": "$LATEST" });
        bench.function("POST", "/aliases", alias).await;
    }
    let all = bench.behind(|_| Fate::Pass).await;
    bench.verify(&[]).await.ended(0);
    let waves = [0, 1].map(|n| all.passed().iter().filter(|call| wave(call) == n).count());
    assert!(waves[0] > 20 && waves[1] > 20, "{waves:?}");

    // No response of a wave is sent before the complete wave has arrived: a call that waits for a response of its own wave waits forever.
    let gates = [(); 2].map(|()| watch::Sender::new(false));
    let asked = [(); 2].map(|()| AtomicUsize::new(0));
    let gated = bench
        .behind(move |call| {
            let n = wave(call);
            if call.attempt == 1 && asked[n].fetch_add(1, Ordering::Relaxed) + 1 == waves[n] {
                gates[n].send_replace(true);
            }
            Fate::HoldUntil(gates[n].subscribe())
        })
        .await;
    let verified = tokio::time::timeout(Duration::from_secs(30), bench.verify(&[])).await;
    let Ok(ran) = verified else {
        let asked: Vec<String> = gated.passed().into_iter().map(|call| call.action).collect();
        panic!(
            "a call waits for a response of its own wave; only these of {waves:?} were made: {asked:?}"
        );
    };
    let ran = ran.ended(0);
    assert!(
        ran.stderr.is_empty(),
        "there is no progress without a terminal: {ran:#?}"
    );
}
