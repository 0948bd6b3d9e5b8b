//! The record of deploy's changes is in tags, and tags are easily written: a value in only one place is not trusted, and two
//! parallel deploys do not overwrite each other's record.

use std::collections::BTreeMap;

use jane_migrate_core::ids::STATEMENT_ID;
use jane_migrate_core::resources::tag;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::Scene;
use crate::support::Ran;

impl Scene {
    async fn trigger(&self) -> Value {
        self.documents().await[0]["LambdaConfig"]["UserMigration"].clone()
    }

    async fn teardown_with(&self, more: &[&str]) -> Ran {
        self.disturbed("teardown", more, |_| Fate::Pass).await
    }

    async fn tag_function(&self, key: &str, value: &str) {
        let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        self.aws.tag_function(&self.names.function_arn, &tags).await;
    }

    /// Verify's findings about the records.
    async fn record_findings(&self) -> Vec<Value> {
        let mut verify = self.command(&self.corner.endpoint, "verify").await;
        verify.args(["--only", "record-intact", "--json"]);
        let found = Ran::of(verify).await.json()["findings"].clone();
        let found = found.as_array().expect("findings").iter();
        found
            .filter(|found| found["ok"] == false)
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn a_tag_of_the_function_alone_exposes_no_passwords() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    assert_eq!(scene.record_findings().await, Vec::<Value>::new());
    let foreign = scene.names.function_arn.replace("jane-migrate-", "evil-");
    scene.tag_function(tag::REPLACED_TRIGGER, &foreign).await;

    // A deploy does not copy it to the second place either.
    for _ in 0..2 {
        let ran = scene.run_undisturbed("teardown").await.ended(1);
        for words in [
            "the tags of the function and those of the role name different values for the user migration trigger to put back",
            &foreign,
            "--trust role",
        ] {
            assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
        }
        assert_eq!(scene.trigger().await, json!(scene.names.live_arn));
        scene.corner.configure("[function]\nmemory_mb = 512\n");
        scene.run_undisturbed("deploy").await;
    }
    let found = scene.record_findings().await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["severity"], "error", "{found:#?}");

    scene.teardown_with(&["--trust", "role"]).await.ended(0);
    scene.assert_gone("torn down").await;
}

#[tokio::test]
async fn the_snapshot_contradicts_two_changed_tags_and_another_account_is_named() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    let foreign = scene.names.function_arn.replace("jane-migrate-", "evil-");
    let (role, key) = (&scene.names.function, tag::REPLACED_TRIGGER);
    scene.tag_function(key, &foreign).await;
    scene.aws.tag_role(role, key, &foreign).await;
    let ran = scene.run_undisturbed("teardown").await.ended(1);
    assert!(
        ran.stdout
            .contains("no snapshot of the pool on this machine has it"),
        "{ran:#?}"
    );
    assert_eq!(scene.record_findings().await.len(), 1);

    let elsewhere = foreign.replace(&scene.names.pool.account, "210987654321");
    scene.tag_function(key, &elsewhere).await;
    scene.aws.tag_role(role, key, &elsewhere).await;
    let trusted = ["--trust", "function"];
    let ran = scene.teardown_with(&trusted).await.ended(1);
    assert!(
        ran.stdout.contains("--trigger-account 210987654321"),
        "{ran:#?}"
    );
    assert_eq!(scene.trigger().await, json!(scene.names.live_arn));
    let account = ["--trigger-account", "210987654321"];
    scene
        .teardown_with(&[trusted, account].concat())
        .await
        .ended(0);
    assert_eq!(scene.trigger().await, json!(elsewhere));
}

#[tokio::test]
async fn a_client_in_only_one_record_is_not_changed_without_a_flag() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    // Open before deploy: closing it would lock out its users.
    let word = format!("{}=ALLOW_USER_PASSWORD_AUTH", scene.clients[0]);
    let key = format!("{}-x", tag::OPENED_CLIENTS);
    scene.tag_function(&key, &word).await;
    let ran = scene.run_undisturbed("teardown").await.ended(1);
    assert!(
        ran.stdout
            .contains("the flows of app client web before deploy"),
        "{ran:#?}"
    );
    let found = scene.record_findings().await;
    assert_eq!(found[0]["subject"], json!(scene.clients[0]), "{found:#?}");
    scene.teardown_with(&["--trust", "role"]).await.ended(0);
    scene.assert_gone("torn down").await;
}

#[tokio::test]
async fn an_open_client_without_a_record_is_reported() {
    let scene = Scene::new().await;
    let mobile = &scene.clients[1];
    scene.run_undisturbed("deploy").await.ended(0);
    for key in scene.record_keys().await {
        scene
            .aws
            .untag_function(&scene.names.function_arn, &key)
            .await;
        scene.aws.tag_role(&scene.names.function, &key, "").await;
    }
    let found = scene.record_findings().await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["subject"], json!(mobile), "{found:#?}");
    assert_eq!(found[0]["severity"], "warning", "{found:#?}");
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    let open = format!("client mobile ({mobile}) allows USER_PASSWORD_AUTH");
    assert!(ran.stdout.contains(&open), "{ran:#?}");
}

impl Scene {
    async fn record_keys(&self) -> Vec<String> {
        let function = self.aws.function(&self.names.function).await.unwrap();
        let tags = function.expect("a function").function.tags.into_keys();
        tags.filter(|key| key.starts_with(tag::OPENED_CLIENTS))
            .collect()
    }

    /// Adds another client for deploy to change.
    async fn with_client(mut self, name: &str) -> Self {
        let settings = json!({ "ClientName": name, "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
        let client = self.corner.create_client(&self.pool, settings).await;
        self.clients.push(client);
        self.before = self.documents().await;
        self
    }

    fn opens(&self, client: usize) {
        let clients = [&self.clients[0], &self.clients[client]];
        self.corner
            .configure(&format!("[pool]\nclients = {clients:?}\n"));
    }
}

/// Two deploys that change different clients; the first one is held before this call while the other runs.
async fn two_deploys(live: bool, action: &'static str) {
    let when = format!("live: {live}, before {action}");
    let scene = Scene::new().await.with_client("tablet").await;
    if live {
        let first = format!("[pool]\nclients = [{:?}]\n", scene.clients[0]);
        scene.corner.configure(&first);
        scene.run_undisturbed("deploy").await.ended(0);
    }
    scene.opens(1);
    let there = move |passing: &Passing| match passing.action == action && passing.nth == 1 {
        true => Fate::HoldRequest,
        false => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, there).await;
    let proxy = proxy.expect("a proxy");
    let other = async {
        proxy.held().await;
        scene.opens(2);
        scene.run_breaking("deploy").await.ended(0);
        proxy.release();
    };
    let url = proxy.url();
    let (one, ()) = tokio::join!(scene.run(&url, "deploy"), other);
    let expected = [
        "changed since the plan was made",
        "another run or tool created it meanwhile",
        "something with this name exists already",
        "another run is at work on this pool",
        "another run has been at work on this pool",
        "PreconditionFailedException",
    ];
    assert!(
        one.code == 0
            || expected
                .iter()
                .any(|expected| one.stderr.contains(expected)),
        "{when}: {one:#?}"
    );
    let policy = scene.aws.policy(&scene.names.function, Some("live")).await;
    assert!(policy.unwrap().statement(STATEMENT_ID).is_some(), "{when}");
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone(&when).await;
}

#[tokio::test]
async fn a_teardown_closes_the_clients_of_two_parallel_deploys() {
    for action in ["TagRole", "TagResource", "UpdateUserPoolClient"] {
        two_deploys(true, action).await;
    }
    for action in ["CreateRole", "CreateFunction", "UpdateUserPoolClient"] {
        two_deploys(false, action).await;
    }
}
