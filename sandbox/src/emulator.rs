//! The emulators as child processes: MiniStack, which the gateway stands in front of, and moto, the tests' second opinion.
//! Each binds a free loopback port of its own, and none outlives us, even when we are killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::Callers;
use crate::http::Client;
use crate::venv::{Progress, Venv};

const MINISTACK: &str = "ministack==1.5.33";
const MOTO: &str = "moto[server]==5.2.5";
/// Half a second is usual; a cold disk and a busy machine take longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A MiniStack of our own. It stops when this is dropped.
pub struct Ministack(Server);

impl Ministack {
    /// Starts the pinned MiniStack, installing it under `cache` when it is not there. The functions it runs find AWS at
    /// `functions_endpoint`.
    pub async fn start(
        cache: &Path,
        functions_endpoint: &str,
        callers: Callers,
        progress: &Progress,
    ) -> Result<Self> {
        let venv = Venv::install(cache, "ministack-1.5.33", MINISTACK, progress).await?;
        progress("starting MiniStack");
        let auth = match callers {
            Callers::Trusted => "false",
            Callers::Checked => "true",
        };
        let server = Server::start(
            &venv,
            "MiniStack",
            include_str!("../python/ministack.py"),
            &[
                ("AWS_ENDPOINT_URL", functions_endpoint),
                ("PERSIST_STATE", "0"),
                ("SFTP_ENABLED", "0"),
                ("IOT_MTLS_ENABLED", "0"),
                ("LOG_LEVEL", "WARNING"),
                ("AUTH", auth),
            ],
            "/_ministack/health",
        )
        .await?;
        Ok(Self(server))
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        self.0.stop().await
    }
}

/// A moto server of our own. It stops when this is dropped.
pub struct Moto(Server);

impl Moto {
    /// Starts the pinned moto, installing it under `cache` when it is not there.
    pub async fn start(cache: &Path, progress: &Progress) -> Result<Self> {
        let venv = Venv::install(cache, "moto-5.2.5", MOTO, progress).await?;
        progress("starting moto");
        let server = Server::start(
            &venv,
            "moto",
            include_str!("../python/moto.py"),
            &[],
            "/moto-api/data.json",
        )
        .await?;
        Ok(Self(server))
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        self.0.stop().await
    }
}

struct Server {
    name: &'static str,
    url: String,
    child: Child,
    /// The child, and whatever it runs, ends when this closes, which also happens when we are killed.
    lifeline: Option<ChildStdin>,
    /// Its temporary files and its log.
    directory: TempDir,
}

impl Server {
    async fn start(
        venv: &Venv,
        name: &'static str,
        launcher: &str,
        environment: &[(&str, &str)],
        health: &str,
    ) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("jane-migrate-sandbox-")
            .tempdir()
            .context("failed to create a temporary directory")?;
        let log = std::fs::File::create(directory.path().join("log"))?;
        let mut child = Command::new(venv.python())
            .args(["-c", launcher])
            // The operator's own AWS settings must not reach the emulator, nor the functions that it runs.
            .env_clear()
            .envs(
                std::env::vars_os()
                    .filter(|(key, _)| key == "PATH" || key == "HOME" || key == "LANG"),
            )
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
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
        let mut server = Self {
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
            let client = Client::default();
            // The port listens before it is told: this waits in its queue until the application behind it serves.
            let (status, _) = client.get(&format!("{url}{health}")).await?;
            anyhow::ensure!(status.is_success(), "it is not healthy: {status}");
            anyhow::Ok(url)
        };
        match timeout(START_LIMIT, ready).await {
            Ok(Ok(url)) => server.url = url,
            Ok(Err(error)) => bail!("failed to start {name}: {error:#}\n{}", server.log_tail()),
            Err(_) => bail!(
                "{name} did not answer within {} s\n{}",
                START_LIMIT.as_secs(),
                server.log_tail()
            ),
        }
        // A full pipe would block the emulator.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(server)
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    async fn stop(mut self) -> Result<()> {
        drop(self.lifeline.take());
        timeout(Duration::from_secs(5), self.child.wait())
            .await
            .map_err(|_| anyhow!("{} did not stop", self.name))??;
        Ok(())
    }
}
