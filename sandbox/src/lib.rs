//! A corner of AWS on this machine, to try and test a migration in: MiniStack behind a gateway that behaves where it matters as
//! AWS does, and a stand-in for the Jane API. It knows nothing of the client that will use it.

mod emulator;
mod gateway;
mod http;
mod jane;
mod proxy;
mod seed;
mod venv;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

pub use emulator::{Ministack, Moto};
pub use gateway::{Entry, Gateway, PoolHold};
pub use jane::{Account, AccountKind, Fault, JaneCall, JaneDirectory};
pub use proxy::{Fate, Passing, Proxy};
pub use seed::Demo;
pub use venv::{Progress, Venv};

/// Whether callers are who they say, and may do what they ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callers {
    /// Anybody may do anything: no signature is checked.
    #[default]
    Trusted,
    /// Signatures and IAM policies are checked. An access key of twelve digits is its account's root and needs neither.
    Checked,
}

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

impl Default for Options {
    /// Any port, the user's cache directory, roles of two seconds, trusted callers, and silence.
    fn default() -> Self {
        Self {
            port: 0,
            cache_dir: default_cache_dir(),
            role_age: Duration::from_secs(2),
            callers: Callers::Trusted,
            progress: Arc::new(|_| ()),
        }
    }
}

/// `jane-migrate` in the user's cache directory.
pub fn default_cache_dir() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    cache
        .or_else(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("jane-migrate")
}

/// A running sandbox. Everything in it stops when this is dropped, and when the process that holds it ends, however it does.
///
/// Every access key of twelve digits is an account of its own, so that one sandbox serves tests that run side by side. Their
/// functions need names of their own: reconfiguring one restarts those of the same name in every account.
pub struct Sandbox {
    gateway: Gateway,
    jane: JaneDirectory,
    ministack: Ministack,
}

impl Sandbox {
    /// Starts one.
    pub async fn start(options: &Options) -> Result<Self> {
        let listener = http::Server::bind(options.port).await?;
        // Functions call AWS through the gateway, too, so that it comes first and waits for the emulator.
        let endpoint = format!("http://{}", listener.local_addr()?);
        let ministack = Ministack::start(
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
