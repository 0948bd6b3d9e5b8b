//! The pool before the first change: saved without secrets, found again by its digest, and put back by a command.

use std::path::{Path, PathBuf};

use jane_migrate_core::resources::tag;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::{Scene, assert_same};
use crate::support::{REGION, Ran, aws_cli};

impl Scene {
    fn snapshots(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.corner.folder.path()).expect("the folder");
        files
            .flatten()
            .map(|file| file.path())
            .filter(|path| path.to_string_lossy().ends_with(".snapshot.json"))
            .collect()
    }

    async fn restore(&self, snapshot: &str, more: &[&str]) -> Ran {
        let mut command = self.corner.command(&["restore", "--snapshot", snapshot]);
        command.args(more);
        Ran::of(command).await
    }
}

#[tokio::test]
async fn the_first_deploy_saves_a_snapshot_and_later_ones_keep_it() {
    let scene = Scene::new().await;
    let secret = json!({ "ClientName": "server", "GenerateSecret": true });
    let client = scene.corner.create_client(&scene.pool, secret).await;
    let described = scene.corner.client(&scene.pool, &client).await;
    let secret = described["ClientSecret"].as_str().expect("a secret");

    scene.run_undisturbed("deploy").await.ended(0);
    let [snapshot] = &scene.snapshots()[..] else {
        panic!("not one snapshot: {:?}", scene.snapshots());
    };
    let text = std::fs::read_to_string(snapshot).unwrap();
    assert!(text.contains(&client) && !text.contains(secret));
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert_same(&scene.before[0], &kept["UserPool"], "kept");

    // Anyone with credentials can find the right file.
    let function = scene.aws.function(&scene.names.function).await.unwrap();
    let digest = &function.unwrap().function.tags[tag::SNAPSHOT];
    let name = snapshot.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(name, jane_migrate::snapshot::file_name(&scene.pool, digest));

    scene.run_undisturbed("deploy").await.ended(0);
    scene.corner.configure("[function]\nmemory_mb = 512\n");
    scene.run_undisturbed("deploy").await.ended(0);
    assert_eq!(scene.snapshots().len(), 1);

    // On another machine, without the configuration.
    std::fs::remove_file(snapshot).unwrap();
    std::fs::remove_file(scene.corner.folder.path().join("migrate.toml")).unwrap();
    let ran = scene.run_undisturbed("teardown").await.ended(0);
    assert!(ran.stderr.contains(&name), "{ran:#?}");
}

#[tokio::test]
async fn a_second_migration_saves_its_own_snapshot() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    scene.run_undisturbed("teardown").await.ended(0);
    let change = json!({ "UserPoolId": scene.pool, "ClientId": scene.clients[0], "ClientName": "renamed",
        "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    scene.corner.cognito("UpdateUserPoolClient", change).await;
    scene.run_undisturbed("deploy").await.ended(0);
    let snapshots = scene.snapshots();
    assert_eq!(snapshots.len(), 2);
    let renamed = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains("renamed");
    assert_eq!(snapshots.iter().filter(|path| renamed(path)).count(), 1);
}

#[tokio::test]
async fn snapshots_that_differ_only_in_dates_are_one() {
    let scene = Scene::new().await;
    for life in 0..3 {
        scene.run_undisturbed("deploy").await.ended(0);
        assert_eq!(scene.snapshots().len(), 1, "life {life}");
        scene.run_undisturbed("teardown").await.ended(0);
        // Changed and changed back: only a later date is left.
        let client = scene.corner.client(&scene.pool, &scene.clients[0]).await;
        for name in ["renamed", client["ClientName"].as_str().expect("a name")] {
            scene.set_of_client(0, "ClientName", name.into()).await;
        }
    }
}

#[tokio::test]
async fn restore_puts_back_lost_settings() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    let snapshot = scene.snapshots()[0].to_string_lossy().into_owned();
    // The classic mistake: an update that names one setting and resets all others.
    let wipe = json!({ "UserPoolId": scene.pool, "PoolName": "Roots", "MfaConfiguration": "OFF" });
    scene.corner.cognito("UpdateUserPool", wipe).await;
    let wipe =
        json!({ "UserPoolId": scene.pool, "ClientId": scene.clients[1], "ClientName": "mobile" });
    scene.corner.cognito("UpdateUserPoolClient", wipe).await;
    let wiped = scene.documents().await;

    // One finding that says what is lost and prints the complete command, and no deploy on top of it.
    let verify = [
        "verify",
        "--pool",
        &scene.pool,
        "--only",
        "pool-unchanged",
        "--json",
    ];
    let document = scene.corner.run(&verify).await.ended(1).json();
    let [finding] = &document["findings"].as_array().expect("findings")[..] else {
        panic!("not one finding: {document:#}");
    };
    let found = finding["found"].as_str().expect("found");
    for member in [
        "AutoVerifiedAttributes",
        "DeletionProtection",
        "LambdaConfig",
    ] {
        assert!(found.contains(member), "{finding:#}");
    }
    let command = format!(
        "jane-migrate restore --snapshot {}",
        snapshot.rsplit('/').next().expect("a name")
    );
    assert!(
        finding["fix"].as_str().expect("a fix").contains(&command),
        "{finding:#}"
    );
    let ran = scene.run_undisturbed("deploy").await.ended(1);
    assert!(
        ran.stdout.contains("the pool was reset") && ran.stdout.contains(&command),
        "{ran:#?}"
    );
    assert_eq!(wiped, scene.documents().await, "a deploy changes nothing");

    let ran = scene.restore(&snapshot, &[]).await.ended(1);
    assert!(ran.stdout.contains("AutoVerifiedAttributes"), "{ran:#?}");
    assert_eq!(
        wiped,
        scene.documents().await,
        "restore changes nothing without a confirmation"
    );

    let ran = scene
        .restore(&snapshot, &["--yes", "--json"])
        .await
        .ended(0);
    assert_eq!(ran.json()["result"], "done");
    for (before, now) in scene.before.iter().zip(scene.documents().await) {
        assert_same(before, &now, "restored");
    }
    let ran = scene.restore(&snapshot, &["--yes"]).await.ended(0);
    assert!(ran.stdout.contains("No changes."), "{ran:#?}");

    // The migration is off then, and can be deployed or torn down as before.
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("after restore").await;
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone("after restore").await;
}

/// The shell block in docs/restore.md, with the AWS CLI.
#[tokio::test]
async fn the_documented_commands_put_a_pool_back_without_this_program() {
    let scene = Scene::new().await;
    let secret = json!({ "ClientName": "server", "GenerateSecret": true });
    let client = scene.corner.create_client(&scene.pool, secret).await;
    let server = scene.corner.client(&scene.pool, &client).await;
    scene.run_undisturbed("deploy").await.ended(0);
    let snapshot = scene.snapshots()[0].to_string_lossy().into_owned();
    let wipe = json!({ "UserPoolId": scene.pool, "PoolName": "Roots", "MfaConfiguration": "OFF" });
    scene.corner.cognito("UpdateUserPool", wipe).await;
    for client in [&scene.clients[0], &scene.clients[1], &client] {
        let wipe = json!({ "UserPoolId": scene.pool, "ClientId": client, "ClientName": "wiped" });
        scene.corner.cognito("UpdateUserPoolClient", wipe).await;
    }

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/restore.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```sh\n").nth(1).expect("a block of shell");
    let block = block.split("```").next().expect("its end");
    let example = "jane-migrate.us-east-1_AbC123456.3f9c21d0.snapshot.json";
    let block = block.replace(example, &snapshot);
    let cli = aws_cli().await;
    let line = format!(
        "set -e; PATH=\"{}:$PATH\"; {block}",
        cli.python().parent().expect("a folder").display()
    );
    let mut shell = scene.corner.shell(&line);
    shell.env("AWS_DEFAULT_REGION", REGION);
    let ran = Ran::of(shell).await.ended(0);
    let kept = server["ClientSecret"].as_str().expect("a secret");
    assert!(!ran.stdout.contains(kept), "{ran:#?}");
    for (before, now) in scene.before.iter().zip(scene.documents().await) {
        assert_same(before, &now, "put back by hand");
    }
    let now = scene.corner.client(&scene.pool, &client).await;
    assert_same(&server, &now, "put back by hand");
}

#[tokio::test]
async fn restore_reports_what_cognito_keeps_and_puts_back_the_rest() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    let snapshot = scene.snapshots()[0].clone();
    let registration = json!({ "EnableStatus": "Enabled" });
    let wipe = json!({ "UserPoolId": scene.pool, "PoolName": "Roots", "MfaConfiguration": "OFF", "DcrConfiguration": registration });
    scene.corner.cognito("UpdateUserPool", wipe).await;

    // Cognito keeps it, and the snapshot has no value for it, or an incomplete one.
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&snapshot).unwrap()).unwrap();
    kept["UserPool"]["DcrConfiguration"] = json!({ "AllowedScopes": ["openid"] });
    let vague = scene.corner.folder.path().join("vague.json");
    std::fs::write(&vague, kept.to_string()).unwrap();
    for (file, result) in [(&snapshot, "done"), (&vague, "nothing-to-do")] {
        let file = file.to_str().unwrap();
        let ran = scene.restore(file, &["--yes"]).await.ended(0);
        assert!(ran.stdout.contains("warning kept-setting"), "{ran:#?}");
        assert!(
            ran.stdout.contains(r#"{"EnableStatus": "Disabled"}"#),
            "{ran:#?}"
        );
        assert_eq!(
            result == "nothing-to-do",
            ran.stdout.contains("No changes.")
        );
        let mut now = scene.documents().await.swap_remove(0);
        let members = now.as_object_mut().expect("a pool");
        assert_eq!(
            members.remove("DcrConfiguration").as_ref(),
            Some(&registration)
        );
        assert_same(&scene.before[0], &now, "all but what Cognito keeps");
    }

    // The fix.
    kept["UserPool"]["DcrConfiguration"] = json!({ "EnableStatus": "Disabled" });
    std::fs::write(&vague, kept.to_string()).unwrap();
    let ran = scene.restore("vague.json", &["--yes"]).await.ended(0);
    assert!(!ran.stdout.contains("kept-setting"), "{ran:#?}");
    let now = scene.documents().await.swap_remove(0);
    assert_eq!(now["DcrConfiguration"]["EnableStatus"], "Disabled");
}

#[tokio::test]
async fn a_setting_that_cannot_be_restored_does_not_undo_the_rest() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    let snapshot = scene.snapshots()[0].to_string_lossy().into_owned();
    let wipe = json!({ "UserPoolId": scene.pool, "PoolName": "Roots", "MfaConfiguration": "OFF" });
    scene.corner.cognito("UpdateUserPool", wipe).await;
    let stays = |passing: &Passing| match passing.action.as_str() {
        "DescribeUserPool" => Fate::Edit(|answer| {
            answer["UserPool"]["AcrConfiguration"] =
                json!({ "Level1": { "AcrValue": "of-my-own" } });
        }),
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, stays).await;
    let proxy = proxy.expect("a proxy");
    for _ in 0..2 {
        let arguments = ["restore", "--snapshot", &snapshot, "--yes"];
        let mut command = scene.corner.command(&arguments);
        command.env("AWS_ENDPOINT_URL", proxy.url());
        let ran = Ran::of(command).await.ended(1);
        assert!(ran.stderr.contains("kept these as they were"), "{ran:#?}");
        assert!(ran.stderr.contains("of-my-own"), "{ran:#?}");
        let now = scene.documents().await.swap_remove(0);
        assert_same(&scene.before[0], &now, "the rest is put back");
    }
}

#[tokio::test]
async fn an_invalid_snapshot_is_refused() {
    let scene = Scene::new().await;
    let file = scene.corner.folder.path().join("other.json");
    std::fs::write(&file, "{}").unwrap();
    let ran = scene.restore("other.json", &["--yes"]).await.ended(1);
    assert!(
        ran.stderr
            .contains("failed to read the snapshot `other.json`"),
        "{ran:#?}"
    );
    let ran = scene.restore("missing.json", &["--yes"]).await.ended(1);
    assert!(ran.stderr.contains("missing.json"), "{ran:#?}");
}
