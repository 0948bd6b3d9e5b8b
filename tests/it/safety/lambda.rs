//! Lambda takes time: new roles, functions that are not ready, updates in progress; and a permission that a live function
//! must always have.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use jane_migrate_core::permission::COGNITO;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::json;

use super::{AT_ONCE, Scene, points, reads, turn};

#[tokio::test]
async fn a_deploy_waits_half_a_minute_for_lambda_to_accept_the_role() {
    let scene = Scene::new().await;
    let made = Mutex::new(None::<Instant>);
    let fresh = move |passing: &Passing| {
        let mut made = made.lock().unwrap();
        match passing.action.as_str() {
            "CreateRole" => *made = Some(Instant::now()),
            "CreateFunction"
                if made.is_some_and(|made| made.elapsed() < Duration::from_secs(30)) =>
            {
                return Fate::Refuse(
                    400,
                    "InvalidParameterValueException",
                    "The role defined for the function cannot be assumed by Lambda.",
                );
            }
            _ => {}
        }
        Fate::Pass
    };
    let ran = scene.disturbed("deploy", &[], fresh).await.ended(0);
    assert!(
        ran.stderr.contains("for the new role to take effect"),
        "{ran:#?}"
    );
    scene.assert_deployed("a fresh role").await;
}

#[tokio::test]
async fn a_deploy_waits_for_a_pending_function() {
    let scene = Scene::new().await;
    let pending = |passing: &Passing| match passing.action.as_str() {
        "CreateFunction" => Fate::Edit(|function| function["State"] = json!("Pending")),
        // The first is the plan's, which finds no function.
        "GetFunction" if passing.nth < 7 => Fate::Edit(|answer| {
            if let Some(function) = answer.get_mut("Configuration") {
                function["State"] = json!("Pending");
            }
        }),
        _ => Fate::Pass,
    };
    scene.disturbed("deploy", &[], pending).await.ended(0);
    scene.assert_deployed("pending").await;
}

#[tokio::test]
async fn a_failed_function_is_reported_and_never_becomes_a_trigger() {
    let scene = Scene::new().await;
    let failed = |passing: &Passing| match passing.action.as_str() {
        "CreateFunction" => Fate::Edit(|function| function["State"] = json!("Pending")),
        "GetFunction" => Fate::Edit(|answer| {
            if let Some(function) = answer.get_mut("Configuration") {
                function["State"] = json!("Failed");
                function["StateReason"] = json!("The subnet is gone.");
            }
        }),
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], failed).await.ended(1);
    assert!(ran.stderr.contains("The subnet is gone"), "{ran:#?}");
    assert!(ran.stderr.contains("not tried: permission"), "{ran:#?}");
    assert!(scene.documents().await[0]["LambdaConfig"]["UserMigration"].is_null());
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("mended").await;
}

#[tokio::test]
async fn a_deploy_waits_for_an_update_in_progress() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    scene.corner.configure("[function]\nmemory_mb = 512\n");
    let busy = |passing: &Passing| match passing.action.as_str() {
        "UpdateFunctionConfiguration" if passing.nth < 3 => Fate::Refuse(
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource",
        ),
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], busy).await.ended(0);
    assert!(ran.stdout.contains("256 MB => 512 MB"), "{ran:#?}");
    scene.assert_deployed("busy").await;
}

#[tokio::test]
async fn a_deploy_waits_for_another_update_of_the_pool() {
    let scene = Scene::new().await;
    let busy = |passing: &Passing| match passing.action.as_str() {
        "UpdateUserPool" | "UpdateUserPoolClient" if passing.nth < 4 => Fate::Refuse(
            400,
            "ConcurrentModificationException",
            "Only one request to update this UserPool can be processed at a time",
        ),
        _ => Fate::Pass,
    };
    scene.disturbed("deploy", &[], busy).await.ended(0);
    scene.assert_deployed("busy").await;
}

impl Scene {
    /// Deployed, but with a statement that allows every pool instead of only ours: live, but not in deploy's form.
    async fn with_a_wide_permission() -> Self {
        let scene = Self::new().await;
        scene.run_undisturbed("deploy").await.ended(0);
        let function = &scene.names.function;
        let ours = "jane-migrate-live";
        scene.aws.remove_permission(function, ours).await;
        let every = "arn:aws:cognito-idp:us-west-2:*:userpool/*";
        let account = &scene.corner.account;
        let added = scene.aws.add_permission(function, ours, every, account);
        added.await;
        scene
    }

    async fn assert_invocable(&self, when: &str) {
        let policy = self
            .aws
            .policy(&self.names.function, Some("live"))
            .await
            .unwrap();
        let cognito = |statement: &&serde_json::Value| statement["Principal"]["Service"] == COGNITO;
        assert!(policy.statements.iter().any(|s| cognito(&s)), "{when}");
    }
}

#[tokio::test]
async fn a_permission_is_replaced_without_failing_sign_ins() {
    let scene = Scene::with_a_wide_permission().await;
    let course = points(&scene.calls_of("deploy").await);
    scene.assert_deployed("replaced").await;
    let writes = course.iter().filter(|point| !reads(&point.action));
    stream::iter(writes)
        .for_each_concurrent(AT_ONCE, async |point| {
            let _turn = turn().await;
            let scene = Scene::with_a_wide_permission().await;
            let there = point.clone();
            let decide = move |passing: &Passing| match there.is(passing) {
                true => Fate::HoldAnswer,
                false => Fate::Pass,
            };
            let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
            let proxy = proxy.expect("a proxy");
            let mut program = scene.start(&proxy.url(), "deploy").await;
            proxy.held().await;
            scene.assert_invocable(&format!("at {point}")).await;
            program.kill().await.expect("killed");
            scene.run_undisturbed("deploy").await.ended(0);
            scene.assert_deployed(&format!("killed at {point}")).await;
        })
        .await;
}
