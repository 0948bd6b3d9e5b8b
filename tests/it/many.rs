//! Several pools in one run: each independent, in parallel; a failure stops no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::json;

use crate::support::{Corner, assert_same};

/// Pools with a client each; their ids.
async fn pools(corner: &Corner, count: usize) -> Vec<String> {
    let mut pools = Vec::new();
    for _ in 0..count {
        let pool = corner.create_pool(json!({})).await;
        corner.create_client(&pool, json!({})).await;
        pools.push(pool);
    }
    pools
}

/// The pools as tables of the configuration; `more` comes after the first.
fn tables(pools: &[String], more: &str) -> String {
    pools
        .iter()
        .enumerate()
        .map(|(n, pool)| {
            let more = if n == 0 { more } else { "" };
            format!("[[pool]]\nid = \"{pool}\"\n{more}\n")
        })
        .collect()
}

async fn trigger(corner: &Corner, pool: &str) -> Option<String> {
    let pool = corner.pool(pool).await;
    pool["LambdaConfig"]["UserMigration"]
        .as_str()
        .map(str::to_owned)
}

#[tokio::test]
async fn the_configured_pools_are_deployed_and_torn_down_together() {
    let corner = Corner::new().await;
    let pools = pools(&corner, 3).await;
    corner.configure(&tables(&pools, "function = { memory_mb = 512 }"));

    let plan = corner.run(&["plan", "--json"]).await.ended(0).json();
    assert_eq!(plan["pools"].as_array().unwrap().len(), 3);

    let deploy = corner.run(&["deploy", "--yes", "--json"]).await.ended(0);
    assert!(deploy.stderr.contains("3 pools: 3 done"), "{deploy:#?}");
    let documents = deploy.json();
    for (document, pool) in documents["pools"].as_array().unwrap().iter().zip(&pools) {
        assert_eq!(document["pool"], pool.as_str());
        assert_eq!(document["result"], "done");
        let live = format!("{pool}:live");
        assert!(trigger(&corner, pool).await.unwrap().ends_with(&live));
    }
    let aws = corner.aws().await;
    for (n, pool) in pools.iter().enumerate() {
        let name = format!("jane-migrate-{pool}");
        let function = aws.function(&name).await.unwrap().unwrap();
        let expected = if n == 0 { 512 } else { 256 };
        assert_eq!(
            function.function.memory_mb, expected,
            "the override is {pool}'s alone"
        );
    }

    let verify = corner.run(&["verify"]).await.ended(0);
    for pool in &pools {
        assert!(
            verify.stdout.contains(&format!("User pool {pool}")),
            "{verify:#?}"
        );
    }
    let again = corner.run(&["deploy", "--all", "--yes"]).await.ended(0);
    assert!(again.stderr.contains("3 pools: 3 unchanged"), "{again:#?}");

    let teardown = corner.run(&["teardown", "--yes"]).await.ended(0);
    assert!(teardown.stderr.contains("3 pools: 3 done"), "{teardown:#?}");
    for pool in &pools {
        assert_eq!(trigger(&corner, pool).await, None);
    }
}

/// A chain has stores in several Regions, and one command for all of them.
#[tokio::test]
async fn each_pool_is_deployed_in_its_own_region() {
    const REGIONS: [&str; 2] = ["us-west-2", "eu-central-1"];
    let mut corner = Corner::new().await;
    corner.add_accounts();
    let mut pools = Vec::new();
    for region in REGIONS {
        corner.region = region;
        let pool = corner.create_pool(json!({})).await;
        let client = corner.create_client(&pool, json!({})).await;
        assert!(pool.starts_with(region), "{pool}");
        pools.push((region, pool, client));
    }
    let ids: Vec<String> = pools.iter().map(|(_, pool, _)| pool.clone()).collect();
    corner.configure(&tables(&ids, ""));

    let deploy = corner.run(&["deploy", "--yes"]).await.ended(0);
    assert!(deploy.stderr.contains("2 pools: 2 done"), "{deploy:#?}");
    for (region, pool, client) in &pools {
        corner.region = region;
        let trigger = trigger(&corner, pool).await.expect("a trigger");
        let there = format!("arn:aws:lambda:{region}:{}:function:", corner.account);
        assert!(trigger.starts_with(&there), "{trigger}");
        let function = corner.aws().await.function(&trigger).await;
        assert!(function.expect("asked").is_some(), "{trigger}");
        let ada = json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
            "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
        });
        corner.cognito("InitiateAuth", ada).await;
    }
    corner.run(&["verify"]).await.ended(0);
    corner.run(&["teardown", "--yes", "--force"]).await.ended(0);
    for (region, pool, _) in &pools {
        corner.region = region;
        assert_eq!(self::trigger(&corner, pool).await, None);
        let name = format!("jane-migrate-{pool}");
        let function = corner.aws().await.function(&name).await;
        assert!(function.expect("asked").is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_pool_that_fails_stops_no_other_and_is_named() {
    let corner = Corner::new().await;
    let pools = pools(&corner, 2).await;
    let missing = format!("{}_Nowhere1", crate::support::REGION);
    let arguments = [
        "deploy", "--yes", "--json", "--pool", &pools[0], "--pool", &missing, "--pool", &pools[1],
    ];
    let deploy = corner.run(&arguments).await.ended(1);
    assert!(
        deploy
            .stderr
            .contains(&format!("3 pools: 2 done, 1 failed ({missing})")),
        "{deploy:#?}"
    );
    let documents = deploy.json();
    let failed = &documents["pools"][1];
    assert_eq!(failed["pool"], missing.as_str());
    assert_eq!(failed["error"]["aws"]["code"], "ResourceNotFoundException");
    for pool in &pools {
        assert!(trigger(&corner, pool).await.is_some());
    }
}

#[tokio::test]
async fn every_pool_is_planned_before_any_is_changed() {
    let corner = Corner::new().await;
    let pools = pools(&corner, 2).await;
    corner.configure(&tables(&pools, ""));
    corner.run(&["deploy", "--yes"]).await.ended(0);
    let gateway = corner.gateway().await;
    let calls: Vec<String> = gateway
        .journal(&corner.account)
        .into_iter()
        .map(|call| call.action)
        .collect();
    let first_write = calls
        .iter()
        .position(|action| action == "CreateLogGroup" || action == "CreateRole")
        .expect("something was written");
    let reads = calls[..first_write]
        .iter()
        .filter(|action| *action == "GetUserPoolMfaConfig")
        .count();
    assert_eq!(
        reads, 2,
        "both pools were read before anything was written: {calls:#?}"
    );
}

/// Other callers of the account use up the rate: each update succeeds at its third attempt.
#[tokio::test]
async fn throttled_updates_succeed_in_the_end_and_nothing_is_lost() {
    let mut corner = Corner::new().await;
    let pools = pools(&corner, 15).await;
    corner.configure(&tables(&pools, ""));
    let mut before = Vec::new();
    for pool in &pools {
        before.push(corner.pool(pool).await);
    }
    let throttled = Arc::new(AtomicUsize::new(0));
    let counted = throttled.clone();
    let proxy = Proxy::start(&corner.endpoint, move |passing| {
        if passing.action != "UpdateUserPool" || passing.attempt > 2 {
            return Fate::Pass;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        Fate::Refuse(400, "TooManyRequestsException", "Rate exceeded")
    })
    .await
    .unwrap();
    corner
        .environment
        .push(("AWS_ENDPOINT_URL".into(), proxy.url()));

    let deploy = corner.run(&["deploy", "--yes"]).await.ended(0);
    assert!(deploy.stderr.contains("15 pools: 15 done"), "{deploy:#?}");
    assert_eq!(throttled.load(Ordering::Relaxed), 2 * pools.len());
    for (pool, before) in pools.iter().zip(before) {
        let mut after = corner.pool(pool).await;
        let triggers = after["LambdaConfig"].as_object_mut().expect("triggers");
        assert!(triggers.remove("UserMigration").is_some(), "{pool}");
        assert_same(&before, &after, pool);
    }
    corner.run(&["verify"]).await.ended(0);
}
