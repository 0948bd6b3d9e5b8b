//! What the commands about a pool share: observing it, planning its deploy, applying with progress and interrupts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jane_migrate_config::{Config, HandlerSettings};
use serde_json::Value;

use super::many::each;
use crate::apply::{Claim, Code, Event, Held, Inputs, Interrupt, Report, RunResult, apply};
use crate::artifact::{self, Artifact, Progress};
use crate::aws::{Connections, Reader};
use crate::cli::Allow;
use crate::dates::{now_ms, today};
use crate::error::{Error, Explain, Result};
use crate::lease;
use crate::observe::{Depth, Scope, observe, unread};
use crate::settings::{self, Target};
use crate::signals::Signals;
use crate::snapshot;
use crate::ui::{self, Task, Ui};
use jane_migrate_core::check::{self, Asked, Choice};
use jane_migrate_core::document::ClientDocument;
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::fix::Fix;
use jane_migrate_core::ids::{Names, PoolId, digest_of_statement};
use jane_migrate_core::observed::{Observed, PoolState};
use jane_migrate_core::plan::{self, Allowed, Change, Plan};
use jane_migrate_core::read::Read;
use jane_migrate_core::record::given_statements;
use jane_migrate_core::resources::{Desired, Environment, ObservedFunction, tag};

/// How much a session reads.
#[derive(Clone, Copy)]
pub(super) enum Look<'a> {
    /// What deploy and teardown change. With `left`, what remains of it if the pool no longer exists.
    Ours {
        /// A deleted pool is no error.
        left: bool,
    },
    /// What a deploy changes and needs.
    Deploy,
    /// Also what these checks need: a plan reports them.
    Plan(&'a Choice),
}

/// One pool, connected and observed.
pub(super) struct Session {
    pub target: Target,
    pub aws: Reader,
    pub observed: Observed,
}

impl Session {
    /// Reads as much of the pool as a command needs.
    pub(super) async fn open(
        target: Target,
        look: Look<'_>,
        connections: &Connections,
        ui: &Ui,
    ) -> Result<Self> {
        let aws = connections.get(&target.connection).await;
        let task = ui.task(format!("reading user pool {}", target.pool));
        let scope = Scope {
            clients: target.clients.as_deref(),
            config: target.config(),
            depth: match look {
                Look::Ours { left } => Depth::Ours { left, judge: false },
                Look::Deploy => Depth::Ours {
                    left: false,
                    judge: true,
                },
                Look::Plan(choice) => Depth::Checks {
                    choice,
                    fresh: false,
                    plan: true,
                },
            },
        };
        let observed = observe(&aws, &target.pool, &target.connection.region, scope).await?;
        task.clear();
        Ok(Self {
            target,
            aws,
            observed,
        })
    }

    /// The pool and all names that follow from it.
    pub(super) fn names(&self) -> &Names {
        &self.observed.names
    }

    /// The value of a read, or an error if it failed.
    pub(super) fn needs<T>(&self, read: Read<T>) -> Result<T> {
        read.map_err(|why| unread(self.names(), &why))
    }

    /// The pool, which exists.
    pub(super) fn pool(&self) -> Result<&PoolState> {
        self.needs(self.observed.pool())
    }

    /// The pool's MFA settings.
    pub(super) fn mfa(&self) -> Result<Value> {
        self.needs(self.observed.mfa()).cloned()
    }

    /// The clients whose sign-ins must migrate.
    pub(super) fn watched_clients(&self) -> Result<Vec<&ClientDocument>> {
        self.needs(
            self.observed
                .watched_clients(self.target.clients.as_deref()),
        )
    }

    /// The client for the function's probe.
    pub(super) fn probing_client(&self) -> Result<Option<&ClientDocument>> {
        let named = self.target.clients.as_deref();
        self.needs(self.observed.probing_client(named))
    }

    /// The function that deploy made, if it exists.
    pub(super) fn function(&self) -> Result<Option<&ObservedFunction>> {
        self.needs(self.observed.function())
    }

    /// What is requested for this pool, beside what was observed.
    pub(super) fn asked<'a>(
        &'a self,
        config: &'a Config,
        snapshots: &'a [check::Snapshot],
    ) -> Result<Asked<'a>> {
        Ok(Asked {
            config: Some(config),
            clients: self.target.clients.as_deref(),
            snapshots,
            today: today()?,
            code_serves: code_serves(&self.observed),
        })
    }

    pub(super) fn handler_settings(&self, config: &Config) -> Result<HandlerSettings> {
        let pool = self.pool()?;
        Ok(HandlerSettings::new(
            config,
            &pool_facts(&pool.document, &self.mfa()?),
        ))
    }

    /// The file of the snapshot that the first deploy saved, on whatever machine that was.
    pub(super) fn kept_snapshot(&self) -> Option<String> {
        let pool = self.names().pool.id.as_str();
        if self.names().given_function {
            let policy = self.observed.policy(self.names().live()).ok()?;
            let id = given_statements(&policy).next()?;
            return Some(snapshot::file_name(pool, digest_of_statement(id)?));
        }
        let found = self.observed.function().ok().flatten()?;
        let digest = found.function.tags.get(tag::SNAPSHOT)?;
        Some(snapshot::file_name(pool, digest))
    }

    /// What deploy would do; `source` is the digest of the handler's sources.
    pub(super) fn plan_deploy(
        &self,
        config: &Config,
        snapshots: &[check::Snapshot],
        source: &str,
        allowed: &Allowed,
    ) -> Result<Plan> {
        let secrets = match self.names().given_function {
            // The function's owner sets its secrets.
            true => Environment::new(),
            false => {
                let deployed = self.function()?.map(|found| &found.function.environment);
                settings::environment_secrets(config, deployed)?
            }
        };
        let settings = self.handler_settings(config)?;
        let desired = Desired::new(self.names(), config, &settings, source, secrets);
        let asked = self.asked(config, snapshots)?;
        self.needs(plan::deploy(&desired, &self.observed, &asked, allowed))
    }

    /// Blocks the plan if another run is changing the pool, unless its lease is to be taken over.
    pub(super) fn look_out(&self, plan: &mut Plan, taking: &Taking) {
        let lease = self.observed.lease();
        if let Some(lease) = lease.filter(|lease| !taking.breaks && lease::holds(lease)) {
            plan.stop_for(&lease, &taking.by_force);
        }
    }

    /// What this run needs to take the lease of the pool.
    pub(super) fn claim(&self, taking: Taking) -> Result<Claim> {
        Ok(Claim {
            alias: self.needs(self.observed.alias.clone())?,
            role: self.observed.own_role().is_some(),
            ..taking.claim()
        })
    }

    /// Applies the plan and shows each step, or with several pools one line for each pool. Releases the lease.
    pub(super) async fn apply(
        &self,
        plan: &Plan,
        inputs: &Inputs,
        operator: &Operator,
        ui: &Ui,
    ) -> Report {
        let (report, held) = self.apply_and_hold(plan, inputs, operator, ui).await;
        if let Some(held) = held {
            held.release().await;
        }
        report
    }

    /// The same, but the caller releases the lease.
    pub(super) async fn apply_and_hold(
        &self,
        plan: &Plan,
        inputs: &Inputs,
        operator: &Operator,
        ui: &Ui,
    ) -> (Report, Option<Held>) {
        let whole = operator
            .several
            .then(|| ui.task(format!("user pool {}", plan.pool)));
        let tasks: Mutex<BTreeMap<String, Task>> = Mutex::new(BTreeMap::new());
        let tell = |event: Event<'_>| {
            if let Event::Noted(what) = event {
                return ui.note(&format!("  {what}"));
            }
            if let Some(whole) = &whole {
                match event {
                    Event::Started(change) => whole.doing(&label(change)),
                    Event::Waiting(change, what) => {
                        whole.doing(&format!("{} waiting {what}", label(change)));
                    }
                    Event::Noted(..) | Event::Done(_) | Event::Failed(_) => {}
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
                Event::Noted(..) => {}
                Event::Done(change) => {
                    if let Some(task) = tasks.remove(&label(change)) {
                        task.done();
                    }
                }
                Event::Failed(change) => {
                    if let Some(task) = tasks.remove(&label(change)) {
                        task.failed();
                    }
                }
            }
        };
        let (report, held) = apply(
            &self.aws,
            self.names(),
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
        (report, held)
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

/// The person or pipeline that watches the run: what they see, and their Ctrl-C or SIGTERM.
pub(super) struct Operator {
    several: bool,
    interrupt: Interrupt,
    listener: tokio::task::JoinHandle<()>,
}

impl Operator {
    /// The first Ctrl-C or SIGTERM lets the current steps finish, the second ends the program at once.
    pub(super) fn listen(several: bool, ui: &Ui) -> Result<Self> {
        let interrupt = Interrupt::default();
        let signals = Signals::listen().explain(
            "failed to listen for signals",
            "this system is short of something, such as open files: free some, and run the command again",
        )?;
        Ok(Self {
            several,
            listener: tokio::spawn(listen(signals, interrupt.clone(), ui.clone())),
            interrupt,
        })
    }

    /// The request to stop.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Whether the run should stop.
    pub(super) fn stops(&self) -> bool {
        self.interrupt.requested().is_some()
    }

    /// Runs work that changes nothing and can be dropped at any time; `None` if the run was stopped meanwhile.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
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

/// How a command takes the lease of a pool.
pub(super) struct Taking {
    command: &'static str,
    /// Take over the lease of another run.
    breaks: bool,
    /// The command that takes it over.
    by_force: Fix,
}

impl Taking {
    /// `again` is the command without its pool.
    pub(super) fn of_pool(command: &'static str, breaks: bool, again: &str, pool: &PoolId) -> Self {
        let by_force = Fix::ours(again, pool, more(breaks));
        Self {
            command,
            breaks,
            by_force,
        }
    }

    /// A claim for a run that has observed nothing.
    pub(super) fn claim(self) -> Claim {
        Claim {
            lease: lease::of(self.command),
            alias: None,
            role: false,
            breaks: self.breaks,
            by_force: self.by_force,
        }
    }

    /// `again` is the command, with its pool.
    pub(super) fn of(command: &'static str, breaks: bool, again: &str) -> Self {
        let by_force = Fix::command(again, more(breaks));
        Self {
            command,
            breaks,
            by_force,
        }
    }
}

fn more(breaks: bool) -> &'static str {
    if breaks { "" } else { " --break-lease" }
}

/// A pool with its plan.
pub(super) struct Planned {
    pub session: Session,
    pub plan: Plan,
}

impl Planned {
    pub(super) fn show(&self, ui: &Ui) {
        ui.show(&ui::plan::render(
            &self.plan,
            self.session.observed.pool().ok().map(|pool| &pool.document),
            &self.session.names().pool,
            &self.session.target.given,
            &ui.out,
        ));
    }
}

/// A pool with its plan, or the error.
pub(super) type MaybePlanned = (PoolId, Result<Planned>);

/// How a deploy is planned.
pub(super) struct Planning<'a> {
    pub allow: &'a Allow,
    /// The function is probed before customers use it.
    pub probe: bool,
    /// Reads all that the checks need, not only what deploy changes: a deploy verifies itself afterwards.
    pub thorough: bool,
    /// How the lease of a pool is taken; none for `plan`, which changes nothing and may run beside another run.
    pub taking: Option<&'a dyn Fn(&PoolId) -> Taking>,
}

/// Observes all pools in parallel and plans the deploy of each.
pub(super) async fn plan_deploys(
    targets: Vec<Target>,
    planning: &Planning<'_>,
    codes: &mut Codes,
    ui: &Ui,
) -> Vec<MaybePlanned> {
    let plan = |session: Session, codes: &mut Codes| {
        let config = session.target.required()?;
        let allowed = Allowed {
            probe: planning.probe.then(nonce),
            ..settings::allowed(planning.allow, &session.target)
        };
        let snapshots = snapshot::kept(session.target.folder(), &session.target.pool);
        let source = codes.source(config)?;
        let mut plan = session.plan_deploy(config, &snapshots, source, &allowed)?;
        if let Some(taking) = planning.taking {
            session.look_out(&mut plan, &taking(&session.target.pool));
        }
        Ok(Planned { session, plan })
    };
    let choice = Choice::default();
    let look = match planning.thorough {
        true => Look::Plan(&choice),
        false => Look::Deploy,
    };
    open_all(targets, look, ui)
        .await
        .into_iter()
        .map(|(pool, session)| (pool, session.and_then(|session| plan(session, codes))))
        .collect()
}

/// Observes all pools in parallel.
pub(super) async fn open_all(
    targets: Vec<Target>,
    look: Look<'_>,
    ui: &Ui,
) -> Vec<(PoolId, Result<Session>)> {
    let connections = Connections::default();
    each(targets, async |target| {
        let pool = target.pool.clone();
        (pool, Session::open(target, look, &connections, ui).await)
    })
    .await
}

/// The kind of directory that the deployed code serves, if this version built it.
pub(super) fn code_serves(observed: &Observed) -> Option<&'static str> {
    let found = observed.function().ok().flatten()?;
    let source = found.function.tags.get(tag::SOURCE)?;
    artifact::kind_of(source, found.function.architecture)
}

/// Asks for one confirmation for all pools with changes; yes if there are none. Passes the pools to `what` for the question.
/// `again` is the command to continue with, without pools and global flags.
pub(super) fn agree(
    ui: &Ui,
    planned: &[MaybePlanned],
    again: &str,
    question: impl Fn(&str) -> String,
) -> Result<bool> {
    let to_change: Vec<&PoolId> = planned
        .iter()
        .filter(|(_, planned)| {
            planned
                .as_ref()
                .is_ok_and(|planned| !planned.plan.is_blocked() && !planned.plan.is_empty())
        })
        .map(|(pool, _)| pool)
        .collect();
    let question = match &to_change[..] {
        [] => return Ok(true),
        [pool] => question(&format!("user pool {pool}")),
        pools => question(&format!("{} of {} user pools", pools.len(), planned.len())),
    };
    ui.confirm(&question, &ui.given.for_pools(&format!("{again} --yes")))
}

/// The code of the functions: chosen without building, and built once for each kind of directory and architecture, for any number
/// of pools.
pub(super) struct Codes {
    given: Option<PathBuf>,
    handlers: BTreeMap<(&'static str, &'static str), Handler>,
}

/// One handler.
struct Handler {
    /// The digest that the function's tag will hold.
    source: String,
    /// The zip, once it exists.
    code: Option<Code>,
    /// The build failed, and need not be tried again.
    failed: bool,
}

impl Codes {
    /// Code from this zip, or from a build.
    pub(super) fn new(given: Option<PathBuf>) -> Self {
        Self {
            given,
            handlers: BTreeMap::new(),
        }
    }

    /// The digest of the handler's sources for this configuration.
    pub(super) fn source(&mut self, config: &Config) -> Result<&str> {
        let key = key(config);
        if self.given.is_some()
            && let Some((kind, _)) = self.handlers.keys().find(|(kind, _)| *kind != key.0)
        {
            return Err(Error::new(
                format!(
                    "--artifact is one handler, and these pools have directories of kind `{kind}` and `{}`",
                    key.0
                ),
                "deploy them one kind at a time: name the pools with --pool",
            ));
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

    /// Builds the code for this configuration, if it does not exist yet.
    pub(super) async fn build(&mut self, config: &Config, ui: &Ui) -> Result<()> {
        let Some(handler) = self.handlers.get_mut(&key(config)) else {
            return Ok(());
        };
        if handler.failed {
            return Err(Error::new(
                "its handler could not be built",
                "the error of the pool above has the reason",
            ));
        }
        if handler.code.is_none() {
            let built = build(config, ui).await.and_then(|built| code(&built));
            handler.failed = built.is_err();
            handler.code = Some(built?);
        }
        Ok(())
    }

    /// The code for this configuration, after its build.
    pub(super) fn get(&self, config: &Config) -> Option<Code> {
        self.handlers.get(&key(config))?.code.clone()
    }
}

fn code(artifact: &Artifact) -> Result<Code> {
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
pub(super) async fn build(config: &Config, ui: &Ui) -> Result<Artifact> {
    let request = artifact::Request {
        kind: config.directory.kind(),
        architecture: config.function.architecture,
        cache: artifact::default_cache()?,
        records: artifact::default_records()?,
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

/// Makes the user of each probe unique.
pub(super) fn nonce() -> String {
    format!("{:x}{:x}", now_ms(), std::process::id())
}
