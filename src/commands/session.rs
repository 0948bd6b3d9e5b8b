//! What the commands about a pool have in common: observing it, planning its deploy, applying with progress and interrupts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use jane_migrate_config::{Config, Date, HandlerSettings};

use crate::apply::{Event, Inputs, Interrupt, Report, apply};
use crate::artifact::{self, Artifact, Progress};
use crate::aws::Aws;
use crate::facts::pool_facts;
use crate::ids::Names;
use crate::observe::observe;
use crate::plan::{self, Allowed, Change, Observed, Plan};
use crate::resources::Desired;
use crate::settings::{self, Target};
use crate::ui::{Task, Ui};

/// One pool, connected and observed.
pub(super) struct Session {
    pub target: Target,
    pub aws: Aws,
    pub names: Names,
    pub observed: Observed,
}

impl Session {
    pub(super) async fn open(target: Target, ui: &Ui) -> anyhow::Result<Self> {
        let aws = Aws::connect(&target.connection).await;
        let task = ui.task(format!("reading user pool {}", target.pool));
        let (names, observed) = observe(
            &aws,
            &target.pool,
            &target.connection.region,
            target.clients.as_deref(),
        )
        .await?;
        task.clear();
        Ok(Self {
            target,
            aws,
            names,
            observed,
        })
    }

    pub(super) fn handler_settings(&self, config: &Config) -> HandlerSettings {
        HandlerSettings::new(config, &pool_facts(&self.observed.pool, &self.observed.mfa))
    }

    /// What deploy would do; `source` is the digest of what the handler is built from.
    pub(super) fn plan_deploy(
        &self,
        config: &Config,
        source: &str,
        allowed: &Allowed,
    ) -> anyhow::Result<Plan> {
        let deployed = self
            .observed
            .function
            .as_ref()
            .map(|function| &function.function.environment);
        let desired = Desired::new(
            &self.names,
            config,
            &self.handler_settings(config),
            source,
            settings::environment_secrets(config, deployed)?,
        );
        Ok(plan::deploy(&self.names, &desired, &self.observed, allowed))
    }

    /// Applies the plan, showing each step; the first Ctrl-C lets the step in hand finish.
    pub(super) async fn apply(&self, plan: &Plan, inputs: &Inputs, ui: &Ui) -> Report {
        let interrupt = Interrupt::default();
        let listener = tokio::spawn(listen(interrupt.clone(), ui.clone()));
        let tasks: Mutex<BTreeMap<String, Task>> = Mutex::new(BTreeMap::new());
        let key = |change: &Change| {
            format!(
                "{:?} {} {}",
                change.action,
                change.resource.label(),
                change.name
            )
        };
        let tell = |event: Event<'_>| {
            let mut tasks = tasks
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            match event {
                Event::Started(change) => {
                    tasks.insert(key(change), ui.task(label(change)));
                }
                Event::Waiting(change, what) => {
                    if let Some(task) = tasks.get(&key(change)) {
                        task.doing(&format!("waiting {what}"));
                    }
                }
                Event::Done(change, _) => {
                    if let Some(task) = tasks.remove(&key(change)) {
                        task.done();
                    }
                }
                Event::Failed(change, _) => {
                    if let Some(task) = tasks.remove(&key(change)) {
                        task.failed();
                    }
                }
            }
        };
        let report = apply(&self.aws, &self.names, plan, inputs, &interrupt, &tell).await;
        listener.abort();
        report
    }
}

fn label(change: &Change) -> String {
    format!(
        "{} {} {}",
        change.action.symbol(),
        change.resource.label(),
        change.name
    )
}

async fn listen(interrupt: Interrupt, ui: Ui) {
    if tokio::signal::ctrl_c().await.is_ok() {
        interrupt.request();
        ui.note("interrupted: finishing the step in hand; press Ctrl-C again to stop at once");
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        #[expect(clippy::exit, reason = "the operator asked twice to stop at once")]
        std::process::exit(130);
    }
}

/// Where the function's code comes from.
pub(super) enum Code {
    /// A zip that was given.
    Given(Box<Artifact>),
    /// To be built from the bundled sources with this digest.
    Built(String),
}

impl Code {
    /// Decides without building anything.
    pub(super) fn choose(
        config: &Config,
        artifact: Option<&std::path::Path>,
    ) -> anyhow::Result<Self> {
        let architecture = config.function.architecture;
        match artifact {
            Some(zip) => Ok(Self::Given(Box::new(artifact::open(zip, architecture)?))),
            None => Ok(Self::Built(artifact::source_digest(
                config.directory.kind(),
                architecture,
            ))),
        }
    }

    /// The digest that the function's tag will hold.
    pub(super) fn source(&self) -> &str {
        match self {
            Self::Given(artifact) => &artifact.source,
            Self::Built(source) => source,
        }
    }

    /// The artifact, built now if it must be.
    pub(super) async fn artifact(self, config: &Config, ui: &Ui) -> anyhow::Result<Artifact> {
        match self {
            Self::Given(artifact) => Ok(*artifact),
            Self::Built(_) => build(config, ui).await,
        }
    }
}

/// Builds the handler for the configured directory, with progress.
pub(super) async fn build(config: &Config, ui: &Ui) -> anyhow::Result<Artifact> {
    let request = artifact::Request {
        kind: config.directory.kind(),
        architecture: config.function.architecture,
        cache: artifact::default_cache()?,
    };
    let task = ui.task(format!(
        "building the handler for `{}`, {}",
        request.kind,
        request.architecture.as_str()
    ));
    let progress = |progress: Progress<'_>| match progress {
        Progress::Step(what) => task.doing(&format!("({what})")),
        Progress::Note(note) => ui.note(&format!("  {note}")),
        Progress::Crate { name, done, total } => task.doing(&format!("({done}/{total} {name})")),
    };
    let built = artifact::build(&request, &progress).await;
    match &built {
        Ok(artifact) if artifact.cached => task.clear(),
        Ok(artifact) => task.done_with(&format!("{} KB", artifact.size / 1000)),
        Err(_) => task.failed(),
    }
    built
}

/// Today in UTC.
pub(super) fn today() -> anyhow::Result<Date> {
    let days = since_epoch_ms() / 86_400_000;
    Date::from_epoch_days(days).context("the clock of this machine is off")
}

/// Milliseconds since 1970.
pub(super) fn since_epoch_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        .unwrap_or_default()
}

/// Makes each probe's user a new one.
pub(super) fn nonce() -> String {
    format!("{:x}{:x}", since_epoch_ms(), std::process::id())
}
