//! Emulators as child processes: MiniStack, and any other that starts in the same way. Each binds a free loopback port, and ends
//! with this process, even if this process is killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use http_body_util::Full;
use hyper::Request;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::venv::{Progress, Venv};
use crate::wire::{Callers, Client, KEY_HEADER, Key};

const MINISTACK: &str = "ministack==1.5.33";
/// Half a second is usual; a cold disk or a busy machine takes longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Starts the pinned MiniStack, and installs it under `cache` if it is missing. It answers only callers with the `key`. The
/// functions that it runs find AWS at `functions_endpoint`, where they use the same key. A change of a role's policies takes
/// effect after `role_age`.
pub(crate) async fn ministack(
    cache: &Path,
    functions_endpoint: &str,
    role_age: Duration,
    callers: Callers,
    key: &Key,
    progress: &Progress,
) -> Result<Emulator> {
    let venv = Venv::install(cache, "ministack-1.5.33", MINISTACK, progress).await?;
    progress("starting MiniStack");
    let auth = match callers {
        Callers::Trusted => "false",
        Callers::Checked => "true",
    };
    Emulator::start(
        &venv,
        "MiniStack",
        include_str!("../python/ministack.py"),
        &[
            ("AWS_ENDPOINT_URL", functions_endpoint),
            ("ROLE_AGE", &role_age.as_secs_f64().to_string()),
            ("PERSIST_STATE", "0"),
            ("SFTP_ENABLED", "0"),
            ("IOT_MTLS_ENABLED", "0"),
            ("LOG_LEVEL", "WARNING"),
            ("AUTH", auth),
        ],
        "/_ministack/health",
        key,
    )
    .await
}

/// An emulator of our own. It stops when this is dropped.
pub struct Emulator {
    name: &'static str,
    url: String,
    child: Child,
    /// The child and its functions end when this closes, which also happens if this process is killed.
    lifeline: Option<ChildStdin>,
    /// Its temporary files and its log.
    directory: TempDir,
}

impl Emulator {
    /// Runs the Python program `launcher`, which prints the port that it serves, ends with its standard input and removes
    /// `TMPDIR`; waits until it answers at the path `health`. It finds the `key` in `AWS_SECRET_ACCESS_KEY`.
    pub async fn start(
        venv: &Venv,
        name: &'static str,
        launcher: &str,
        environment: &[(&str, &str)],
        health: &str,
        key: &Key,
    ) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("jane-migrate-sandbox-")
            .tempdir()
            .context("failed to create a temporary directory")?;
        let log = std::fs::File::create(directory.path().join("log"))?;
        let mut child = Command::new(venv.python())
            .args(["-c", launcher])
            // The operator's AWS settings must not reach the emulator or its functions.
            .env_clear()
            .envs(
                std::env::vars_os()
                    .filter(|(key, _)| key == "PATH" || key == "HOME" || key == "LANG"),
            )
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_SECRET_ACCESS_KEY", key.expose())
            .env("TMPDIR", directory.path())
            .env("STATE_DIR", directory.path().join("state"))
            .envs(environment.iter().copied())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().context("the child has no stdout")?;
        let mut emulator = Self {
            name,
            url: String::new(),
            child,
            lifeline,
            directory,
        };

        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            let port = lines.next_line().await?.context("it ended")?;
            let url = format!("http://127.0.0.1:{}", port.trim());
            let health = Request::get(format!("{url}{health}"))
                .header(KEY_HEADER, key.expose())
                .body(Full::default())?;
            // The port accepts connections before the application is ready: the request waits until it is.
            let status = Client::default().send(health).await?.status();
            ensure!(status.is_success(), "it is not healthy: {status}");
            anyhow::Ok(url)
        };
        match timeout(START_LIMIT, ready).await {
            Ok(Ok(url)) => emulator.url = url,
            Ok(Err(error)) => bail!("failed to start {name}: {error:#}\n{}", emulator.log_tail()),
            Err(_) => bail!(
                "{name} did not answer within {} s\n{}",
                START_LIMIT.as_secs(),
                emulator.log_tail()
            ),
        }
        // A full pipe would block the emulator.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(emulator)
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.lifeline.take());
        timeout(Duration::from_secs(5), self.child.wait())
            .await
            .map_err(|_| anyhow!("{} did not stop", self.name))??;
        Ok(())
    }
}
