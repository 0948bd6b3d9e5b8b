//! What the commands about a pool have in common: observing it, planning its deploy, applying with progress and interrupts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use jane_migrate_config::{Config, Date, HandlerSettings};
use serde_json::Value;

use super::many::each;
use super::signals::Signals;
use crate::apply::{Code, Event, Inputs, Interrupt, Report, RunResult, apply};
use crate::artifact::{self, Artifact, Progress};
use crate::aws::{Connections, Reader};
use crate::cli::Allow;
use crate::observe::{observe, observe_without_pool};
use crate::settings::{self, Target};
use crate::snapshot;
use crate::ui::{self, Task, Ui};
use jane_migrate_core::document::{ClientDocument, Decisions};
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::ids::{Names, PoolId};
use jane_migrate_core::plan::{self, Allowed, Change, Observed, Plan};
use jane_migrate_core::resources::{Desired, tag};
use jane_migrate_core::suitability::{self, Subject};

/// One pool, connected and observed.
pub(super) struct Session {
    pub target: Target,
    pub aws: Reader,
    pub names: Names,
    pub observed: Observed,
}

impl Session {
    pub(super) async fn open(
        target: Target,
        connections: &Connections,
        ui: &Ui,
    ) -> anyhow::Result<Self> {
        let aws = connections.get(&target.connection).await;
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

    /// What is left of ours where the pool itself is gone; `None` where nothing is.
    pub(super) async fn open_without_pool(
        target: Target,
        connections: &Connections,
    ) -> anyhow::Result<Option<Self>> {
        let aws = connections.get(&target.connection).await;
        let left = observe_without_pool(&aws, &target.pool, &target.connection.region).await?;
        Ok(left.map(|(names, observed)| Self {
            target,
            aws,
            names,
            observed,
        }))
    }

    /// Whether the pool itself is there: what was read of it always says more than that.
    pub(super) fn has_pool(&self) -> bool {
        !self.observed.mfa.is_null()
    }

    /// The clients whose sign-ins must migrate.
    pub(super) fn watched_clients(&self) -> impl Iterator<Item = &ClientDocument> {
        let named = self.target.clients.as_deref();
        self.observed.clients.iter().filter(move |client| {
            named.is_none_or(|named| named.iter().any(|id| id == client.id()))
        })
    }

    pub(super) fn handler_settings(&self, config: &Config) -> HandlerSettings {
        HandlerSettings::new(config, &pool_facts(&self.observed.pool, &self.observed.mfa))
    }

    /// The file of the snapshot that the first deploy kept, wherever that was.
    pub(super) fn kept_snapshot(&self) -> Option<String> {
        let tags = &self.observed.function.as_ref()?.function.tags;
        let digest = tags.get(tag::SNAPSHOT)?;
        Some(snapshot::file_name(self.names.pool.id.as_str(), digest))
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
        let mut plan = plan::deploy(&self.names, &desired, &self.observed, allowed);
        plan.findings.extend(self.unsuitable(config));
        plan.findings.extend(self.undecided(&allowed.unknown));
        Ok(plan)
    }

    /// Decisions about settings that neither the pool nor a client has: misspelt, as a rule.
    fn undecided(&self, decisions: &Decisions) -> Vec<Finding> {
        let clients = self.observed.clients.iter().map(ClientDocument::json);
        let documents: Vec<&Value> = clients.chain([self.observed.pool.json()]).collect();
        decisions
            .keys()
            .filter(|member| documents.iter().all(|document| document.get(*member).is_none()))
            .map(|member| {
                Finding::failed(
                    "unknown-decision",
                    Severity::Warning,
                    format!("--unknown {member} is about a setting that neither the pool nor its clients have"),
                    "the name of a setting as the plan gives it",
                    member,
                    "leave it out, or mend its spelling",
                )
            })
            .collect()
    }

    /// What speaks against this configuration for this pool, but for what the operator accepts.
    fn unsuitable(&self, config: &Config) -> impl Iterator<Item = Finding> {
        let clients: Vec<&ClientDocument> = self.watched_clients().collect();
        let findings = suitability::findings(&Subject {
            pool: &self.observed.pool,
            mfa: &self.observed.mfa,
            clients: &clients,
            config,
            given: &self.target.given,
        });
        findings
            .into_iter()
            .filter(|finding| !finding.ok && !config.verify.accept.contains_key(finding.id))
    }

    /// Applies the plan, showing each step, or one line for the pool where there are several.
    pub(super) async fn apply(
        &self,
        plan: &Plan,
        inputs: &Inputs,
        operator: &Operator,
        ui: &Ui,
    ) -> Report {
        let whole = operator
            .several
            .then(|| ui.task(format!("user pool {}", plan.pool)));
        let tasks: Mutex<BTreeMap<String, Task>> = Mutex::new(BTreeMap::new());
        let tell = |event: Event<'_>| {
            if let Some(whole) = &whole {
                match event {
                    Event::Started(change) => whole.doing(&label(change)),
                    Event::Waiting(change, what) => {
                        whole.doing(&format!("{} waiting {what}", label(change)));
                    }
                    Event::Done(..) | Event::Failed(..) => {}
                }
                return;
            }
            let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::Started(change) => {
                    let label = label(change);
                    tasks.insert(label.clone(), ui.task(label));
                }
                Event::Waiting(change, what) => {
                    if let Some(task) = tasks.get(&label(change)) {
                        task.doing(&format!("waiting {what}"));
                    }
                }
                Event::Done(change, _) => {
                    if let Some(task) = tasks.remove(&label(change)) {
                        task.done();
                    }
                }
                Event::Failed(change, _) => {
                    if let Some(task) = tasks.remove(&label(change)) {
                        task.failed();
                    }
                }
            }
        };
        let report = apply(
            &self.aws,
            &self.names,
            plan,
            inputs,
            &operator.interrupt,
            &tell,
        )
        .await;
        match whole {
            Some(whole) if report.result == RunResult::Done => whole.done(),
            Some(whole) => whole.failed(),
            None => {}
        }
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

/// Whoever watches the run: what is shown to them, and what they ask for by Ctrl-C or SIGTERM.
pub(super) struct Operator {
    several: bool,
    interrupt: Interrupt,
    listener: tokio::task::JoinHandle<()>,
}

impl Operator {
    /// The first Ctrl-C or SIGTERM lets the steps in hand finish, the second ends at once.
    pub(super) fn listen(several: bool, ui: &Ui) -> anyhow::Result<Self> {
        let interrupt = Interrupt::default();
        let signals = Signals::listen().context("failed to listen for signals")?;
        Ok(Self {
            several,
            listener: tokio::spawn(listen(signals, interrupt.clone(), ui.clone())),
            interrupt,
        })
    }

    /// Whether the run is to stop.
    pub(super) fn stops(&self) -> bool {
        self.interrupt.requested().is_some()
    }

    /// Does what changes nothing and may be dropped at any time; `None` where the run was stopped meanwhile.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.interrupt.wait() => None,
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(mut signals: Signals, interrupt: Interrupt, ui: Ui) {
    interrupt.request(signals.next().await);
    ui.note("interrupted: finishing the step in hand; press Ctrl-C again to stop at once");
    let again = signals.next().await;
    #[expect(clippy::exit, reason = "it was asked twice to stop at once")]
    std::process::exit(again.exit_code().into());
}

/// A pool with what is to be done about it.
pub(super) struct Planned {
    pub session: Session,
    pub plan: Plan,
}

impl Planned {
    /// What holds for this pool.
    pub(super) fn config<'a>(&self, config: &'a Config) -> &'a Config {
        config.for_pool(&self.session.target.pool)
    }

    pub(super) fn show(&self, ui: &Ui) {
        ui.show(&ui::plan::render(
            &self.plan,
            &self.session.observed.pool,
            &self.session.names.pool,
            &ui.out,
        ));
    }
}

/// A pool with its plan, or why there is none.
pub(super) type MaybePlanned = (PoolId, anyhow::Result<Planned>);

/// Observes all pools side by side and plans the deploy of each.
pub(super) async fn plan_deploys(
    targets: Vec<Target>,
    config: &Config,
    allow: &Allow,
    codes: &mut Codes,
    ui: &Ui,
) -> Vec<MaybePlanned> {
    let plan = |session: Session, codes: &mut Codes| {
        let config = config.for_pool(&session.target.pool);
        let allowed = settings::allowed(allow, &session.target);
        let plan = session.plan_deploy(config, codes.source(config)?, &allowed)?;
        Ok(Planned { session, plan })
    };
    open_all(targets, ui)
        .await
        .into_iter()
        .map(|(pool, session)| (pool, session.and_then(|session| plan(session, codes))))
        .collect()
}

/// Observes all pools side by side.
pub(super) async fn open_all(
    targets: Vec<Target>,
    ui: &Ui,
) -> Vec<(PoolId, anyhow::Result<Session>)> {
    let connections = Connections::default();
    each(targets, async |target| {
        let pool = target.pool.clone();
        (pool, Session::open(target, &connections, ui).await)
    })
    .await
}

/// Asks once for all pools that have something to change; yes where there is none. Gives `what` the question is about.
pub(super) fn agree(
    ui: &Ui,
    planned: &[MaybePlanned],
    question: impl Fn(&str) -> String,
) -> anyhow::Result<bool> {
    let to_change: Vec<&PoolId> = planned
        .iter()
        .filter(|(_, planned)| {
            planned
                .as_ref()
                .is_ok_and(|planned| !planned.plan.is_blocked() && !planned.plan.changes.is_empty())
        })
        .map(|(pool, _)| pool)
        .collect();
    match &to_change[..] {
        [] => Ok(true),
        [pool] => ui.confirm(&question(&format!("user pool {pool}"))),
        pools => ui.confirm(&question(&format!(
            "{} of {} user pools",
            pools.len(),
            planned.len()
        ))),
    }
}

/// The code of the functions: chosen without building, and built once for each kind of directory and architecture, whatever the
/// number of pools.
pub(super) struct Codes {
    given: Option<PathBuf>,
    handlers: BTreeMap<(&'static str, &'static str), Handler>,
}

/// One handler.
struct Handler {
    /// The digest that the function's tag will hold.
    source: String,
    /// The zip, once it is there.
    code: Option<Code>,
    /// It could not be built, and need not be tried again.
    failed: bool,
}

impl Codes {
    /// Code from this zip, or else to be built.
    pub(super) fn new(given: Option<PathBuf>) -> Self {
        Self {
            given,
            handlers: BTreeMap::new(),
        }
    }

    /// The digest of what the handler for this configuration is made of.
    pub(super) fn source(&mut self, config: &Config) -> anyhow::Result<&str> {
        let key = key(config);
        if self.given.is_some()
            && let Some((kind, _)) = self.handlers.keys().find(|(kind, _)| *kind != key.0)
        {
            bail!(
                "--artifact is one handler, and these pools have directories of kind `{kind}` and `{}`; deploy them one kind at a time",
                key.0
            );
        }
        let handler = match self.handlers.entry(key) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(match &self.given {
                Some(zip) => {
                    let artifact = artifact::open(zip, key.0, config.function.architecture)?;
                    Handler {
                        code: Some(code(&artifact)?),
                        source: artifact.source,
                        failed: false,
                    }
                }
                None => Handler {
                    source: artifact::source_digest(key.0, config.function.architecture),
                    code: None,
                    failed: false,
                },
            }),
        };
        Ok(&handler.source)
    }

    /// Makes sure that the code for this configuration is there.
    pub(super) async fn build(&mut self, config: &Config, ui: &Ui) -> anyhow::Result<()> {
        let Some(handler) = self.handlers.get_mut(&key(config)) else {
            return Ok(());
        };
        if handler.failed {
            bail!("its handler could not be built, as told above");
        }
        if handler.code.is_none() {
            let built = build(config, ui).await.and_then(|built| code(&built));
            handler.failed = built.is_err();
            handler.code = Some(built?);
        }
        Ok(())
    }

    /// The code for this configuration, once it was built.
    pub(super) fn get(&self, config: &Config) -> Option<Code> {
        self.handlers.get(&key(config))?.code.clone()
    }
}

fn code(artifact: &Artifact) -> anyhow::Result<Code> {
    Ok(Code {
        zip: artifact.read()?.into(),
        code_sha256: artifact.code_sha256.clone(),
    })
}

fn key(config: &Config) -> (&'static str, &'static str) {
    (
        config.directory.kind(),
        config.function.architecture.as_str(),
    )
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
