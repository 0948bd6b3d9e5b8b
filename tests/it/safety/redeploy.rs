//! A deploy to a pool with customers: settings that fail do not go live, and an outage is reported and fixed.

use jane_migrate_core::resources::tag;
use jane_migrate_sandbox::Fault;
use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_test_kit::{Fate, Passing};
use serde_json::json;

use super::{Scene, assert_same};
use crate::support::{Ran, http};

impl Scene {
    /// Deployed, with a user in the directory.
    pub(super) async fn live() -> Self {
        let scene = Self::new().await;
        scene.corner.add_accounts();
        scene.run_undisturbed("deploy").await.ended(0);
        scene
    }

    async fn deploy(&self) -> Ran {
        self.run_undisturbed("deploy").await
    }
}

#[tokio::test]
async fn settings_that_fail_never_go_live_and_sign_ins_work() {
    let mut scene = Scene::live().await;
    scene.assert_migrates("deployed").await;
    let wrong = ("JANE_CLIENT_SECRET".to_owned(), "not-the-secret".to_owned());
    scene.corner.environment.push(wrong);
    // At each attempt.
    for _ in 0..2 {
        let ran = scene.deploy().await.ended(1);
        assert!(ran.stderr.contains("stays where it was"), "{ran:#?}");
        assert!(
            ran.stderr.contains("the directory is unavailable"),
            "{ran:#?}"
        );
        scene.assert_migrates("settings that fail").await;
    }
    scene.corner.environment.pop();
    scene.deploy().await.ended(0);
    scene.assert_migrates("deployed").await;
}

#[tokio::test]
async fn an_outage_is_reported_even_if_there_is_nothing_to_change() {
    let scene = Scene::live().await;
    scene
        .corner
        .jane
        .set_fault_everywhere(Some(Fault::Status(500)));
    let ran = scene.deploy().await.ended(1);
    for words in [
        "customers who have not migrated cannot sign in now",
        "hint: fix the cause",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.corner.configure("[function]\nmemory_mb = 512\n");
    let ran = scene.deploy().await.ended(1);
    assert!(ran.stderr.contains("stays where it was"), "{ran:#?}");
    scene.corner.jane.set_fault_everywhere(None);
    scene.deploy().await.ended(0);
    scene.assert_migrates("deployed").await;
}

#[tokio::test]
async fn a_failed_function_is_fixed_by_a_deploy() {
    let scene = Scene::live().await;
    let failed = |passing: &Passing| match passing.action.as_str() {
        // The function and the live version.
        "GetFunction" if passing.nth <= 2 => Fate::Edit(|answer| {
            answer["Configuration"]["State"] = json!("Failed");
            answer["Configuration"]["StateReason"] = json!("The subnet is gone.");
        }),
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], failed).await.ended(0);
    assert!(
        ran.stdout.contains("failed: The subnet is gone"),
        "{ran:#?}"
    );
    scene.assert_deployed("mended").await;
}

#[tokio::test]
async fn a_deploy_waits_for_a_function_that_is_not_ready() {
    let scene = Scene::live().await;
    let pending = |passing: &Passing| match passing.action.as_str() {
        "GetFunction" if passing.nth < 5 => {
            Fate::Edit(|answer| answer["Configuration"]["State"] = json!("Pending"))
        }
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], pending).await.ended(0);
    assert!(
        ran.stdout.contains("waits, because it is pending"),
        "{ran:#?}"
    );
    scene.assert_deployed("waited for").await;
}

/// A call to an inactive function fails, and activates it.
#[tokio::test]
async fn an_inactive_function_is_waited_for_and_is_no_outage() {
    let scene = Scene::live().await;
    let sleeping = |passing: &Passing| match passing.action.as_str() {
        "Invoke" if passing.nth < 3 => Fate::Refuse(
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Inactive",
        ),
        _ => Fate::Pass,
    };
    scene.disturbed("deploy", &[], sleeping).await.ended(0);
    let probe = ["--probe"];
    scene.disturbed("verify", &probe, sleeping).await.ended(0);
}

#[tokio::test]
async fn teardown_restores_the_pool_even_if_the_function_was_deleted() {
    let scene = Scene::live().await;
    let function = &scene.names.function;
    scene.aws.delete_function(function).await;
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    assert!(!ran.stdout.contains("no-record"), "{ran:#?}");
    scene.assert_gone("by the role's record").await;

    scene.run_undisturbed("deploy").await.ended(0);
    scene.aws.delete_function(function).await;
    scene.run_undisturbed("deploy").await.ended(0);
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone("healed, then torn down").await;
}

#[tokio::test]
async fn teardown_reports_a_missing_record() {
    let scene = Scene::live().await;
    let (function, pool) = (&scene.names.function, &scene.pool);
    scene.aws.delete_function(function).await;
    let role = scene.aws.role(function).await.unwrap().expect("a role");
    for policy in role.policies.keys() {
        scene.aws.delete_role_policy(function, policy).await;
    }
    scene.aws.delete_role(function).await;
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    assert!(ran.stdout.contains("warning no-record"), "{ran:#?}");
    let now = scene.corner.pool(pool).await;
    assert_same(&scene.before[0], &now, "the trigger is gone all the same");
}

#[tokio::test]
async fn an_unreadable_record_does_not_stop_teardown() {
    let scene = Scene::live().await;
    let record = format!("{}=Sideways", scene.clients[1]);
    let (arn, role) = (&scene.names.function_arn, &scene.names.function);
    // A value in only one of the two places is not trusted.
    let key = format!("{}-z", tag::OPENED_CLIENTS);
    scene.aws.tag_role(role, &key, &record).await;
    let tags = [(key, record)].into();
    scene.aws.tag_function(arn, &tags).await;
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    assert!(ran.stdout.contains("warning unreadable-record"), "{ran:#?}");
    assert_same(&scene.before[0], &scene.documents().await[0], "torn down");
}

#[tokio::test]
async fn a_snapshot_is_saved_before_a_client_is_first_changed() {
    let scene = Scene::new().await;
    let clients = |ids: &[String]| format!("[pool]\nclients = {ids:?}\n");
    scene.corner.configure(&clients(&scene.clients[..1]));
    scene.deploy().await.ended(0);
    scene.corner.configure(&clients(&scene.clients));
    let ran = scene.deploy().await.ended(0);
    assert!(
        ran.stderr.contains("the pool as it is now is kept in"),
        "{ran:#?}"
    );
    let kept = std::fs::read_dir(scene.corner.folder.path())
        .unwrap()
        .flatten();
    let texts: Vec<String> = kept
        .filter(|file| {
            file.file_name()
                .to_string_lossy()
                .ends_with(".snapshot.json")
        })
        .map(|file| std::fs::read_to_string(file.path()).unwrap())
        .collect();
    assert!(
        texts.iter().any(|text| text.contains(&scene.clients[1])),
        "{}",
        texts.len()
    );
}

#[tokio::test]
async fn a_statement_with_our_id_for_another_caller_is_a_conflict() {
    let scene = Scene::live().await;
    let function = &scene.names.function;
    let ours = "jane-migrate-live";
    scene.aws.remove_permission(function, ours).await;
    let path = format!("/2015-03-31/functions/{function}/policy?Qualifier=live");
    let body = json!({ "StatementId": ours, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com" });
    let headers = [
        ("content-type", "application/json"),
        ("authorization", &scene.corner.authorization("lambda")),
        (KEY_HEADER, &scene.corner.secret),
    ];
    let (endpoint, body) = (&scene.corner.endpoint, body.to_string());
    let (status, _) = http(endpoint, "POST", &path, &headers, body.as_bytes()).await;
    assert_eq!(status, 201);
    let ran = scene.deploy().await.ended(1);
    assert!(ran.stdout.contains("apigateway.amazonaws.com"), "{ran:#?}");
    assert!(!ran.stderr.contains("not tried"), "{ran:#?}");
    let replace = ["--replace"];
    scene
        .disturbed("deploy", &replace, |_| Fate::Pass)
        .await
        .ended(0);
    scene.assert_deployed("replaced").await;
}
