//! Others change the same pool at the same time: by hand, with another tool, with this one. No change of others is
//! overwritten, and the second one gets an error. Runs of this tool exclude each other (`leases`); here the lease is taken by
//! force, or is not held.

use std::time::Duration;

use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::Scene;
use crate::support::Ran;

impl Scene {
    /// Runs deploy, with another change at the moment in which this call is about to be made.
    async fn deploy_while(
        &self,
        at: impl Fn(&Passing) -> bool + Send + Sync + 'static,
        change: impl Future<Output = ()>,
    ) -> Ran {
        let decide = move |passing: &Passing| match at(passing) {
            true => Fate::HoldRequest,
            false => Fate::Pass,
        };
        let proxy = Proxy::start(&self.corner.endpoint, decide).await;
        let proxy = proxy.expect("a proxy");
        let changed = async {
            proxy.held().await;
            change.await;
            proxy.release();
        };
        let url = proxy.url();
        let (ran, ()) = tokio::join!(self.run(&url, "deploy"), changed);
        ran
    }

    /// Another tool's change of the pool that keeps everything else.
    async fn rename_reply_to(&self, address: &str) {
        let mut pool = self.documents().await.swap_remove(0);
        pool["EmailConfiguration"]["ReplyToEmailAddress"] = json!(address);
        let kept = [
            "Policies",
            "DeletionProtection",
            "LambdaConfig",
            "AutoVerifiedAttributes",
            "VerificationMessageTemplate",
            "UserAttributeUpdateSettings",
            "DeviceConfiguration",
            "EmailConfiguration",
            "AccountRecoverySetting",
            "UserPoolAddOns",
            "UserPoolTier",
            "UserPoolTags",
        ];
        let mut body = json!({ "UserPoolId": self.pool, "PoolName": "Roots",
            "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
        for member in kept {
            body[member] = pool[member].take();
        }
        self.corner.cognito("UpdateUserPool", body).await;
    }
}

#[tokio::test]
async fn a_pool_changed_since_the_plan_is_not_written() {
    let scene = Scene::new().await;
    let before_the_write =
        |passing: &Passing| passing.action == "DescribeUserPool" && passing.nth == 2;
    let change = scene.rename_reply_to("support@example.com");
    let ran = scene.deploy_while(before_the_write, change).await.ended(1);
    for words in [
        "changed since the plan was made",
        "support@example.com",
        "run the command again",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.documents().await.swap_remove(0);
    assert_eq!(
        now["EmailConfiguration"]["ReplyToEmailAddress"],
        "support@example.com"
    );
    assert!(now["LambdaConfig"]["UserMigration"].is_null());

    scene.run_undisturbed("deploy").await.ended(0);
    let now = scene.documents().await.swap_remove(0);
    assert_eq!(
        now["EmailConfiguration"]["ReplyToEmailAddress"],
        "support@example.com"
    );
    assert_eq!(
        now["LambdaConfig"]["UserMigration"],
        json!(scene.names.live_arn)
    );
}

#[tokio::test]
async fn a_change_during_the_comparison_is_reported_and_not_overwritten_later() {
    let scene = Scene::new().await;
    // One change before the comparison, which is the fourth description, and another before anything could be put back.
    let first = scene.rename_reply_to("first@example.com");
    let before_the_proof =
        |passing: &Passing| passing.action == "DescribeUserPool" && passing.nth == 4;
    let ran = scene.deploy_while(before_the_proof, async {
        first.await;
    });
    let ran = ran.await.ended(1);
    assert!(
        ran.stderr.contains("or another tool changed it"),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("first@example.com"), "{ran:#?}");

    let scene = Scene::new().await;
    let lost = |passing: &Passing| match (passing.action.as_str(), passing.nth) {
        ("DescribeUserPool", 4) => Fate::Edit(|answer| {
            answer["UserPool"]["EmailConfiguration"] =
                json!({ "EmailSendingAccount": "COGNITO_DEFAULT" });
        }),
        ("DescribeUserPool", 5) => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, lost).await.unwrap();
    let url = proxy.url();
    let change = async {
        proxy.held().await;
        scene.rename_reply_to("second@example.com").await;
        proxy.release();
    };
    let (ran, ()) = tokio::join!(scene.run(&url, "deploy"), change);
    let ran = ran.ended(1);
    assert!(ran.stderr.contains("nothing was put back"), "{ran:#?}");
    let now = scene.documents().await.swap_remove(0);
    let address = &now["EmailConfiguration"]["ReplyToEmailAddress"];
    assert_eq!(address, "second@example.com");
}

#[tokio::test]
async fn a_change_before_a_late_comparison_is_not_overwritten() {
    let scene = Scene::new().await;
    let the_proof = |passing: &Passing| passing.action == "DescribeUserPool" && passing.nth == 4;
    let change = async {
        scene.rename_reply_to("later@example.com").await;
        // Longer than the program takes for the time of its own update.
        tokio::time::sleep(Duration::from_secs(11)).await;
    };
    let ran = scene.deploy_while(the_proof, change).await.ended(1);
    for words in [
        "nothing was put back",
        "later@example.com",
        "restore --snapshot",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.documents().await.swap_remove(0);
    let address = &now["EmailConfiguration"]["ReplyToEmailAddress"];
    assert_eq!(address, "later@example.com");
}

#[tokio::test]
async fn a_deploy_does_not_wait_for_the_read_beside_its_update() {
    let mut scene = Scene::new().await;
    // A read without a response would hold the deploy for that long.
    let timeout = ("JANE_MIGRATE_TIMEOUT".to_owned(), "600".to_owned());
    scene.corner.environment.push(timeout);
    let beside = |passing: &Passing| match (passing.action.as_str(), passing.nth) {
        ("DescribeUserPool", 3) => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, beside).await.unwrap();
    let url = proxy.url();
    let ran = tokio::time::timeout(Duration::from_secs(300), scene.run(&url, "deploy")).await;
    ran.expect("it ends by itself").ended(0);
    scene.assert_deployed("beside a read that hangs").await;
}

#[tokio::test]
async fn a_change_that_the_update_overwrites_is_reported() {
    let scene = Scene::new().await;
    // After the last read of the pool, and before the update arrives.
    let decide = |passing: &Passing| match (passing.action.as_str(), passing.nth) {
        ("UpdateUserPool", _) => Fate::Delay(Duration::from_secs(5)),
        ("DescribeUserPool", 3) => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, decide).await.unwrap();
    let url = proxy.url();
    let change = async {
        proxy.held().await;
        scene.rename_reply_to("support@example.com").await;
        proxy.release();
    };
    let (ran, ()) = tokio::join!(scene.run(&url, "deploy"), change);
    let ran = ran.ended(1);
    for words in [
        "another person or tool changed the pool at the same moment, and the update overwrote that",
        "/EmailConfiguration/ReplyToEmailAddress",
        "support@example.com",
        "set these again",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.assert_deployed("overwritten").await;
    scene.run_undisturbed("deploy").await.ended(0);
}

#[tokio::test]
async fn a_client_changed_since_the_plan_is_not_written() {
    let scene = Scene::new().await;
    // Two clients are described for the plan; the third description is just before the write.
    let before_the_write =
        |passing: &Passing| passing.action == "DescribeUserPoolClient" && passing.nth == 3;
    let client = &scene.clients[1];
    let change = async {
        let body = json!({ "UserPoolId": scene.pool, "ClientId": client, "ClientName": "mobile",
            "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"], "AccessTokenValidity": 15,
            "TokenValidityUnits": { "AccessToken": "minutes" } });
        scene.corner.cognito("UpdateUserPoolClient", body).await;
    };
    let ran = scene.deploy_while(before_the_write, change).await.ended(1);
    for words in [
        "changed since the plan was made",
        "AccessTokenValidity: 30 => 15",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.corner.client(&scene.pool, client).await;
    assert_eq!(now["AccessTokenValidity"], 15);
    assert_eq!(now["ExplicitAuthFlows"].as_array().map(Vec::len), Some(2));
}

/// The read beside the update fails, so only the update's response shows that it was right.
#[tokio::test]
async fn a_client_changed_right_after_the_update_is_not_written_again() {
    let scene = Scene::new().await;
    // Two descriptions are for the plan, the third is before the write, the fourth beside it, the fifth is the comparison.
    let decide = |passing: &Passing| match (passing.action.as_str(), passing.nth) {
        ("DescribeUserPoolClient", 4) => Fate::Refuse(400, "AccessDeniedException", "no"),
        ("DescribeUserPoolClient", 5) => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
    let proxy = proxy.expect("a proxy");
    let url = proxy.url();
    let change = async {
        proxy.held().await;
        scene
            .set_of_client(1, "AccessTokenValidity", 15.into())
            .await;
        proxy.release();
    };
    let (ran, ()) = tokio::join!(scene.run(&url, "deploy"), change);
    let ran = ran.ended(1);
    for words in ["nothing was put back", "AccessTokenValidity: 30 => 15"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.corner.client(&scene.pool, &scene.clients[1]).await;
    assert_eq!(now["AccessTokenValidity"], 15);
}

#[tokio::test]
async fn of_two_parallel_deploys_of_a_pool_the_second_is_rejected() {
    let scene = Scene::new().await;
    let before_the_write =
        |passing: &Passing| passing.action == "DescribeUserPool" && passing.nth == 2;
    let other = async {
        scene.run_breaking("deploy").await.ended(0);
    };
    let ran = scene.deploy_while(before_the_write, other).await.ended(1);
    for words in [
        "changed since the plan was made",
        "/LambdaConfig/UserMigration: none => ",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.assert_deployed("two deploys").await;
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone("two deploys").await;
}

#[tokio::test]
async fn two_racing_deploys_leave_one_migration() {
    for round in 0..4 {
        let scene = Scene::new().await;
        let (one, other) = tokio::join!(
            scene.run_undisturbed("deploy"),
            scene.run_undisturbed("deploy")
        );
        let when = format!("round {round}: {one:#?} {other:#?}");
        assert!(one.code == 0 || other.code == 0, "{when}");
        for ran in [one, other] {
            let expected = [
                "changed since the plan was made",
                "another run or tool created it meanwhile",
                "continues from there",
            ];
            assert!(
                ran.code == 0
                    || expected
                        .iter()
                        .any(|expected| ran.stderr.contains(expected))
                    || ran.stdout.contains("another run is at work on this pool"),
                "{when}"
            );
        }
        scene.assert_deployed(&when).await;
        scene.run_undisturbed("teardown").await.ended(0);
        scene.assert_gone(&when).await;
    }
}

#[tokio::test]
async fn foreign_resources_with_our_names_are_conflicts_until_replaced() {
    let scene = Scene::new().await;
    // Resources of another owner, of every kind and without our tags.
    scene.run_undisturbed("deploy").await.ended(0);
    let arn = &scene.names.function_arn;
    let ours = "jane-migrate:pool";
    scene.aws.untag_function(arn, ours).await;
    let foreign = scene.names.pool.to_string() + "-of-another-owner";
    scene
        .aws
        .tag_role(&scene.names.function, ours, &foreign)
        .await;
    let tagged = json!({ "resourceArn": scene.names.log_group_arn, "tags": { ours: foreign } });
    scene.corner.logs("TagResource", tagged).await;
    let before = scene.documents().await;

    let ran = scene.run_undisturbed("deploy").await.ended(1);
    for kind in ["function", "role", "log group"] {
        let conflict = format!("a {kind} of this name exists and was not made by jane-migrate");
        assert!(ran.stdout.contains(&conflict), "{conflict}: {ran:#?}");
    }
    assert!(ran.stdout.contains("`--replace`"), "{ran:#?}");
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    assert!(ran.stdout.contains("is left alone"), "{ran:#?}");
    assert_eq!(before, scene.documents().await);
    assert!(
        scene
            .aws
            .function(&scene.names.function)
            .await
            .unwrap()
            .is_some()
    );

    scene
        .disturbed("deploy", &["--replace"], |_| Fate::Pass)
        .await
        .ended(0);
    scene.assert_deployed("replaced").await;
}

#[tokio::test]
async fn a_trigger_removed_by_another_tool_is_detected() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    let wipe = json!({ "UserPoolId": scene.pool, "PoolName": "Roots", "LambdaConfig": {} });
    scene.corner.cognito("UpdateUserPool", wipe).await;
    let mut verify = scene.command(&scene.corner.endpoint, "verify").await;
    verify.args(["--format", "json"]);
    let ran = Ran::of(verify).await.ended(1);
    let document = ran.json();
    let missing =
        |finding: &&Value| finding["id"] == "trigger-registered" && finding["ok"] == false;
    assert!(
        document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| missing(&f)),
        "{document:#}"
    );
}

/// A deploy while a teardown is held before this call: the second one stops with an error, and what is live stays complete.
async fn deploy_during_teardown(action: &'static str) {
    let scene = Scene::new().await;
    scene.corner.add_accounts();
    scene.run_undisturbed("deploy").await.ended(0);
    let there = move |passing: &Passing| match passing.action == action && passing.nth == 1 {
        true => Fate::HoldRequest,
        false => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, there).await;
    let proxy = proxy.expect("a proxy");
    let other = async {
        proxy.held().await;
        let ran = scene.run_breaking("deploy").await;
        proxy.release();
        ran
    };
    let url = proxy.url();
    let (torn_down, deployed) = tokio::join!(scene.run(&url, "teardown"), other);
    deployed.ended(0);
    if torn_down.code == 0 {
        // As if the deploy had come first, and had found nothing to do.
        scene.assert_gone(action).await;
    } else {
        let torn_down = torn_down.ended(1);
        let words = "another run deploys this pool, so nothing more is taken away";
        assert!(torn_down.stderr.contains(words), "{action}: {torn_down:#?}");
        if action == "DeleteFunction" {
            // The one gap that no order of calls closes: it is reported, and the same command removes the rest.
            scene.run_undisturbed("teardown").await.ended(0);
            return scene.assert_gone(action).await;
        }
        scene.assert_migrates(action).await;
        scene.run_undisturbed("deploy").await.ended(0);
        scene.assert_deployed(action).await;
    }
}

#[tokio::test]
async fn a_deploy_during_a_teardown_leaves_no_trigger_without_a_function() {
    for action in ["UpdateUserPoolClient", "UpdateUserPool", "DeleteFunction"] {
        deploy_during_teardown(action).await;
    }
}

#[tokio::test]
async fn a_teardown_during_a_deploy_removes_the_trigger_again() {
    let scene = Scene::new().await;
    let before_the_write = |passing: &Passing| passing.action == "UpdateUserPool";
    let teardown = async {
        scene.run_breaking("teardown").await.ended(0);
    };
    let ran = scene
        .deploy_while(before_the_write, teardown)
        .await
        .ended(1);
    assert!(
        ran.stderr.contains("a teardown runs beside this deploy"),
        "{ran:#?}"
    );
    let now = scene.documents().await.swap_remove(0);
    assert!(now["LambdaConfig"]["UserMigration"].is_null(), "{now}");
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("afterwards").await;
}
