//! The sandbox as a whole: its parts, its start and stop, and the endpoint and credentials for its clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::emulator::{self, Emulator};
use crate::gateway::Gateway;
use crate::jane::JaneDirectory;
use crate::venv::Progress;
use crate::wire::{Callers, Key, Server};

/// How to start a sandbox.
#[derive(Clone)]
pub struct Options {
    /// The loopback port of the AWS endpoint; 0 for any free one.
    pub port: u16,
    /// The folder in which MiniStack is installed, once.
    pub cache_dir: PathBuf,
    /// How old a role must be before Lambda accepts it, and how long a change of its policies takes to apply.
    pub role_age: Duration,
    /// Whether callers are checked.
    pub callers: Callers,
    /// Called with each step of the start.
    pub progress: Arc<Progress>,
}

impl Options {
    /// Any port, a role age of two seconds, trusted callers, no progress.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self {
            port: 0,
            cache_dir,
            role_age: Duration::from_secs(2),
            callers: Callers::Trusted,
            progress: Arc::new(|_| ()),
        }
    }
}

/// A running sandbox. All of it stops when this is dropped, and when the process ends, even if it is killed.
///
/// Every access key of twelve digits is an account of its own, so that one sandbox serves parallel tests. Their functions need
/// unique names: reconfiguring one restarts those with the same name in every account.
pub struct Sandbox {
    gateway: Gateway,
    jane: JaneDirectory,
    ministack: Emulator,
    key: Key,
}

impl Sandbox {
    /// Starts a sandbox.
    pub async fn start(options: &Options) -> Result<Self> {
        let key = Key::random()?;
        let listener = Server::bind(options.port).await?;
        // Functions also call AWS through the gateway, so the emulator needs its address.
        let endpoint = format!("http://{}", listener.local_addr()?);
        let ministack = emulator::ministack(
            &options.cache_dir,
            &endpoint,
            options.role_age,
            options.callers,
            &key,
            &*options.progress,
        )
        .await?;
        let jane = JaneDirectory::start().await?;
        let gateway = Gateway::start(
            listener,
            ministack.url(),
            options.role_age,
            options.callers,
            &key,
            jane.told(),
        )?;
        Ok(Self {
            gateway,
            jane,
            ministack,
            key,
        })
    }

    /// The AWS endpoint, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        self.gateway.url()
    }

    /// The gateway, for its journal and codes.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The simulated Jane API.
    pub fn jane(&self) -> &JaneDirectory {
        &self.jane
    }

    /// The account of the demo, which is also the id of the access key to use.
    pub fn account_id(&self) -> &'static str {
        "123456789012"
    }

    /// The secret key of every account. It is new at each start, and only Cognito's public calls work without it.
    pub fn secret_key(&self) -> &str {
        self.key.expose()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The Region of the demo.
    pub fn region(&self) -> &'static str {
        "us-west-2"
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(self) -> Result<()> {
        drop(self.gateway);
        drop(self.jane);
        self.ministack.stop().await
    }
}
