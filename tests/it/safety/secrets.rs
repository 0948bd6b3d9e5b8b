//! Canaries for every secret, in every command and with every output flag: they must appear only where they were put.

use std::collections::BTreeSet;
use std::path::Path;

use jane_migrate_sandbox::{Account, AccountKind};
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::Scene;
use crate::support::Ran;
use crate::terminal::Terminal;

const JANE_SECRET: &str = "canary-jane-client-secret";
const SESSION_TOKEN: &str = "canary-aws-session-token";

const PASSWORD: &str = "Canary-Password-1";

/// Flags for more output.
const LOUDNESS: [&[&str]; 4] = [&[], &["--verbose"], &["--json"], &["--verbose", "--json"]];

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
        let jane = self.scene.corner.jane.client_secret();
        let client = &self.client_secret;
        for canary in [
            JANE_SECRET,
            &self.scene.corner.secret,
            SESSION_TOKEN,
            PASSWORD,
            jane,
            client,
        ] {
            assert!(!text.contains(canary), "{where_} shows {canary}");
        }
    }

    /// The directory accepts the program's secret, and has a user.
    fn known_to_jane(mut self) -> Self {
        let corner = &mut self.scene.corner;
        corner
            .environment
            .retain(|(name, _)| name != "JANE_CLIENT_SECRET");
        let email = "ada@example.com";
        corner
            .jane
            .add_account(Account::new(AccountKind::Password, email, Some(PASSWORD)));
        self
    }

    /// Runs any command with this on its standard input.
    async fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        let ran = self.scene.corner.run_with(input, arguments).await;
        let what = arguments.join(" ");
        self.assert_hidden(&what, &ran.stdout);
        self.assert_hidden(&what, &ran.stderr);
        self.assert_files(&what, self.scene.corner.folder.path());
        ran
    }

    /// Runs the command; a deploy with `--no-probe`, because this Jane expects another secret.
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
async fn no_command_shows_a_secret_with_any_output_flag() {
    let canaries = Canaries::new().await;
    let endpoint = canaries.scene.corner.endpoint.clone();
    for more in LOUDNESS {
        canaries
            .run(&endpoint, "plan", &["--enable-password-auth"])
            .await
            .ended(0);
        // The directory does not accept the canary, and verify reports that.
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
        let wipe = json!({ "UserPoolId": canaries.scene.pool, "PoolName": "Roots", "MfaConfiguration": "OFF" });
        canaries.scene.corner.cognito("UpdateUserPool", wipe).await;
        let mut restore = canaries
            .scene
            .corner
            .command(&["restore", "--snapshot", &snapshot]);
        restore.arg("--yes").args(more);
        let ran = Ran::of(restore).await.ended(0);
        canaries.assert_hidden("restore", &(ran.stdout + &ran.stderr));
    }
}

#[tokio::test]
async fn no_read_only_command_shows_a_secret() {
    let canaries = Canaries::new().await;
    let pool = canaries.scene.pool.as_str();
    let name_secret = ["--client-secret-env", "JANE_CLIENT_SECRET"];
    for (n, more) in LOUDNESS.into_iter().enumerate() {
        let file = format!("draft-{n}.toml");
        let html = format!("status-{n}.html");
        let url = canaries.scene.corner.jane.url();
        let init = [
            "init", "--pool", pool, "--yes", "--output", &file, "--url", &url,
        ];
        let commands: [&[&str]; 6] = [
            &[&init[..], &name_secret].concat(),
            &["policy", "--pool", pool, "--for", "deploy,verify,probe"],
            &["coexist", "--pool", pool, "--for", "terraform"],
            &["status", "--pool", pool, "--html", &html],
            &["verify", "--pool", pool],
            &["plan", "--pool", pool],
        ];
        for command in commands {
            let ran = canaries.run_with("", &[command, more].concat()).await;
            let understood = !ran.stderr.contains("Usage:");
            assert!(understood && ran.code >= 0, "{command:?}: {ran:#?}");
        }
        assert!(canaries.scene.corner.folder.path().join(&file).exists());
    }
}

#[tokio::test]
async fn a_test_users_password_is_never_shown() {
    let canaries = Canaries::new().await.known_to_jane();
    canaries.scene.run_undisturbed("deploy").await.ended(0);
    let pool = canaries.scene.pool.as_str();
    let user = ["--pool", pool, "--password-stdin"];
    let by_function = ["try", "--user", "ada@example.com"];
    let here = ["try", "--user", "ada@example.com", "--local"];
    let probe = ["verify", "--probe", "--test-user", "ada@example.com"];
    let (right, wrong) = (format!("{PASSWORD}\n"), format!("{PASSWORD}-not\n"));
    for more in LOUDNESS {
        for command in [&by_function[..], &here[..], &probe[..]] {
            let arguments = [command, &user[..], more].concat();
            let ran = canaries.run_with(&right, &arguments).await;
            assert!(ran.code <= 0 || command == probe, "{arguments:?}: {ran:#?}");
            canaries.run_with(&wrong, &arguments).await;
        }
    }
    for command in [&by_function[..], &here[..], &probe[..]] {
        let arguments = [command, &user[..2], &["--verbose"]].concat();
        let mut terminal = Terminal::start(&canaries.scene.corner, 80, &arguments);
        terminal.until("Password of ada@example.com:").await;
        terminal.until_hidden().await;
        terminal.types(PASSWORD);
        let (_, shown) = terminal.ended().await;
        canaries.assert_hidden("a terminal", &shown);
    }
}

/// Without free file descriptors the runtime cannot start: a panic of the real program, without code for the test in it.
#[tokio::test]
async fn a_panic_shows_no_secret() {
    let canaries = Canaries::new().await;
    let corner = &canaries.scene.corner;
    let mut panics = 0;
    for descriptors in 3..24 {
        let line = format!(
            "ulimit -n {descriptors}; exec jane-migrate deploy --yes --verbose --pool {}",
            canaries.scene.pool
        );
        let ran = Ran::of(corner.shell(&line)).await;
        assert_ne!(ran.code, 0, "{ran:#?}");
        panics += usize::from(ran.stderr.contains("panicked"));
        canaries.assert_hidden(&line, &(ran.stdout + &ran.stderr));
    }
    assert!(panics > 0, "it does panic");
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
            for more in &LOUDNESS[1..3] {
                canaries.run(&proxy.url(), command, more).await;
            }
        }
    }
}

/// Lambda's error about a too large environment quotes every variable; here each call of each command is rejected in that way,
/// one at a time.
#[tokio::test]
async fn no_refusal_that_quotes_its_request_shows_a_secret() {
    const ESCAPED: &str = "canary \"of\" \\ Jäne/<+>";
    let mut canaries = Canaries::new().await;
    let canary = ("JANE_CLIENT_SECRET".to_owned(), ESCAPED.to_owned());
    canaries.scene.corner.environment.push(canary);
    let as_ada = ["--user", "ada", "--password-stdin"];
    let probe = ["--probe", "--test-user", "ada", "--password-stdin"];
    let commands: [(&str, &[&str]); 6] = [
        ("deploy", &["--no-probe"]),
        ("redeploy", &["--no-probe"]),
        ("verify", &probe),
        ("try", &as_ada),
        ("status", &[]),
        ("teardown", &[]),
    ];
    let run = async |command: &'static str, more: &[&str], refused: Option<String>| {
        match command {
            "deploy" => {
                canaries.scene.run_undisturbed("teardown").await.ended(0);
            }
            // A command that only reads does not change the deployment.
            "verify" | "try" | "status" if refused.is_some() => {}
            _ => {
                let endpoint = &canaries.scene.corner.endpoint;
                canaries.run(endpoint, "deploy", &[]).await;
            }
        }
        let action = refused.clone();
        let proxy = Proxy::start(&canaries.scene.corner.endpoint, move |passing| {
            match refused.as_ref() == Some(&passing.action) {
                true => Fate::Quote("InvalidParameterValueException"),
                false => Fate::Pass,
            }
        });
        let proxy = proxy.await.expect("a proxy");
        let mut program = canaries.scene.command(&proxy.url(), command).await;
        let loud = ["--verbose", "--json"][action.as_ref().map_or(0, String::len) % 2];
        program.args(more).arg(loud);
        let ran = Ran::of_with(program, PASSWORD).await;
        let shown = ran.stdout + &ran.stderr;
        let hidden = !shown.to_lowercase().contains("canary");
        assert!(hidden, "{command}, {action:?} quoted: {shown}");
        let actions = proxy.passed().into_iter().map(|call| call.action);
        let quotes = shown.contains("Invalid request");
        (quotes, actions.collect::<BTreeSet<String>>())
    };
    let mut quoted = 0;
    for (command, more) in commands {
        let (_, actions) = run(command, more, None).await;
        for action in actions {
            let (quotes, _) = run(command, more, Some(action)).await;
            quoted += usize::from(quotes);
        }
    }
    assert!(quoted > 30, "{quoted}");
}

#[tokio::test]
async fn the_process_list_shows_no_secret() {
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
