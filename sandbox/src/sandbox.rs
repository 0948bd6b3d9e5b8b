//! The sandbox as a whole: its parts, how it starts and stops, and the endpoint and credentials for its clients.

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
    /// The loopback port of the AWS endpoint; 0 is any free one.
    pub port: u16,
    /// Where MiniStack is installed, once.
    pub cache_dir: PathBuf,
    /// How old a role must be before Lambda accepts it, and a change of its policies before it counts.
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
/// Every access key of twelve digits is an account of its own, so that one sandbox serves tests that run side by side. Their
/// functions need names of their own: reconfiguring one restarts those of the same name in every account.
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
        // Functions call AWS through the gateway too, so the emulator must know its address.
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

    /// The stand-in for the Jane API.
    pub fn jane(&self) -> &JaneDirectory {
        &self.jane
    }

    /// The account that the demo is in, which is also the id of the access key to use.
    pub fn account_id(&self) -> &'static str {
        "123456789012"
    }

    /// The secret key of every account. It is made anew at each start, and nothing but Cognito's public calls works without it.
    pub fn secret_key(&self) -> &str {
        self.key.expose()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The region that the demo is in.
    pub fn region(&self) -> &'static str {
        "us-west-2"
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        drop(self.gateway);
        drop(self.jane);
        self.ministack.stop().await
    }
}
