//! A sandbox as a whole: what it is made of, how it is started, and what to give to who works in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::emulator::{self, Emulator};
use crate::gateway::Gateway;
use crate::jane::JaneDirectory;
use crate::venv::Progress;
use crate::wire::{Callers, Server};

/// How to start a sandbox.
#[derive(Clone)]
pub struct Options {
    /// The loopback port of the AWS endpoint; 0 is any free one.
    pub port: u16,
    /// Where MiniStack is installed, once.
    pub cache_dir: PathBuf,
    /// How old a role must be before Lambda takes it.
    pub role_age: Duration,
    /// Whether callers are checked.
    pub callers: Callers,
    /// Told what is going on.
    pub progress: Arc<Progress>,
}

impl Options {
    /// Any port, roles of two seconds, trusted callers, and silence.
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

/// A running sandbox. Everything in it stops when this is dropped, and when the process that holds it ends, however it does.
///
/// Every access key of twelve digits is an account of its own, so that one sandbox serves tests that run side by side. Their
/// functions need names of their own: reconfiguring one restarts those of the same name in every account.
pub struct Sandbox {
    gateway: Gateway,
    jane: JaneDirectory,
    ministack: Emulator,
}

impl Sandbox {
    /// Starts one.
    pub async fn start(options: &Options) -> Result<Self> {
        let listener = Server::bind(options.port).await?;
        // Functions call AWS through the gateway, too, so that it comes first and waits for the emulator.
        let endpoint = format!("http://{}", listener.local_addr()?);
        let ministack = emulator::ministack(
            &options.cache_dir,
            &endpoint,
            options.callers,
            &*options.progress,
        )
        .await?;
        let gateway = Gateway::start(listener, ministack.url(), options.role_age, options.callers)?;
        let jane = JaneDirectory::start().await?;
        Ok(Self {
            gateway,
            jane,
            ministack,
        })
    }

    /// The AWS endpoint, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        self.gateway.url()
    }

    /// The gateway, to ask what happened and to order what shall go wrong.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The stand-in for the Jane API.
    pub fn jane(&self) -> &JaneDirectory {
        &self.jane
    }

    /// The account that the demo is in, which is also the access key to use.
    pub fn account_id(&self) -> &'static str {
        "123456789012"
    }

    /// The secret key to use; any other would do, too.
    pub fn secret_key(&self) -> &'static str {
        "sandbox"
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
