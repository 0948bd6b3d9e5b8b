//! Canaries for every secret, through every command and at every loudness: they must turn up nowhere but where they were put.

use std::path::Path;

use jane_migrate_sandbox::{Fate, Passing, Proxy};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::Scene;
use crate::support::Ran;

const JANE_SECRET: &str = "canary-jane-client-secret";
const AWS_SECRET: &str = "canary-aws-secret-key";
const SESSION_TOKEN: &str = "canary-aws-session-token";

/// Ways to say more than usual.
const LOUDNESS: [&[&str]; 3] = [&[], &["--verbose"], &["--json"]];

struct Canaries {
    scene: Scene,
    client_secret: String,
}

impl Canaries {
    async fn new() -> Self {
        let mut scene = Scene::new().await;
        let server = json!({ "ClientName": "server", "GenerateSecret": true });
        let client = scene.corner.create_client(&scene.pool, server).await;
        let described = scene.corner.client(&scene.pool, &client).await;
        for (name, value) in [
            ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN),
            ("JANE_CLIENT_SECRET", JANE_SECRET),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
        ] {
            let variable = (name.to_owned(), value.to_owned());
            scene.corner.environment.push(variable);
        }
        Self {
            scene,
            client_secret: described["ClientSecret"]
                .as_str()
                .expect("a secret")
                .to_owned(),
        }
    }

    #[track_caller]
    fn assert_hidden(&self, where_: &str, text: &str) {
        for canary in [JANE_SECRET, AWS_SECRET, SESSION_TOKEN, &self.client_secret] {
            assert!(!text.contains(canary), "{where_} shows {canary}");
        }
    }

    /// Runs the command, with `--no-probe` where it deploys: this Jane knows another secret.
    async fn run(&self, endpoint: &str, name: &str, more: &[&str]) -> Ran {
        let mut command = self.scene.command(endpoint, name).await;
        command.args(more);
        if name == "deploy" {
            command.arg("--no-probe");
        }
        let ran = Ran::of(command).await;
        let what = format!("{name} {more:?}");
        self.assert_hidden(&what, &ran.stdout);
        self.assert_hidden(&what, &ran.stderr);
        self.assert_files(&what, self.scene.corner.folder.path());
        ran
    }

    #[track_caller]
    fn assert_files(&self, what: &str, folder: &Path) {
        for file in std::fs::read_dir(folder).expect("the folder").flatten() {
            let text = std::fs::read(file.path()).expect("a file");
            let where_ = format!("{what}: {}", file.path().display());
            self.assert_hidden(&where_, &String::from_utf8_lossy(&text));
        }
    }
}

#[tokio::test]
async fn no_command_shows_a_secret_however_loud_it_is() {
    let canaries = Canaries::new().await;
    let endpoint = canaries.scene.corner.endpoint.clone();
    for more in LOUDNESS {
        canaries
            .run(&endpoint, "plan", &["--enable-password-auth"])
            .await
            .ended(0);
        // The directory does not know the canary, and verify says so.
        canaries.run(&endpoint, "deploy", more).await;
        canaries.run(&endpoint, "verify", more).await;
        canaries.run(&endpoint, "status", more).await;
        canaries.run(&endpoint, "teardown", more).await.ended(0);
        let snapshot = std::fs::read_dir(canaries.scene.corner.folder.path())
            .expect("the folder")
            .flatten()
            .find(|file| file.path().to_string_lossy().ends_with(".snapshot.json"));
        let snapshot = snapshot.expect("a snapshot").file_name();
        let snapshot = snapshot.to_string_lossy();
        let mut restore = canaries
            .scene
            .corner
            .command(&["restore", "--snapshot", &snapshot]);
        restore.arg("--yes").args(more);
        let ran = Ran::of(restore).await;
        canaries.assert_hidden("restore", &(ran.stdout + &ran.stderr));
    }
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let canaries = Canaries::new().await;
    let faults: [fn(&Passing) -> Fate; 4] = [
        |_| Fate::Refuse(403, "AccessDeniedException", "User is not authorized"),
        |_| {
            Fate::Refuse(
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )
        },
        |_| Fate::CutAnswer,
        |passing| match passing.action.as_str() {
            "CreateFunction" | "DeleteFunction" => Fate::Page(503),
            _ => Fate::Pass,
        },
    ];
    for fault in faults {
        let proxy = Proxy::start(&canaries.scene.corner.endpoint, fault).await;
        let proxy = proxy.expect("a proxy");
        for command in ["deploy", "verify", "teardown"] {
            for more in LOUDNESS {
                canaries.run(&proxy.url(), command, more).await;
            }
        }
    }
}

#[tokio::test]
async fn nobody_who_lists_processes_sees_a_secret() {
    let canaries = Canaries::new().await;
    let scene = &canaries.scene;
    let proxy = Proxy::start(&scene.corner.endpoint, |passing| {
        match passing.action.as_str() {
            "CreateFunction" => Fate::HoldRequest,
            _ => Fate::Pass,
        }
    });
    let proxy = proxy.await.expect("a proxy");
    let mut program = scene.start(&proxy.url(), "deploy").await;
    proxy.held().await;
    let id = program.id().expect("it runs");
    let arguments = std::fs::read_to_string(format!("/proc/{id}/cmdline")).expect("Linux");
    assert!(arguments.contains("deploy"));
    canaries.assert_hidden("the list of processes", &arguments);
    program.kill().await.expect("killed");
    let mut said = String::new();
    let mut stderr = program.stderr.take().expect("piped");
    stderr.read_to_string(&mut said).await.expect("text");
    canaries.assert_hidden("a killed program", &said);
}
