//! Executes a plan stage by stage, and reports what was done, what failed and what was not tried. Every write to AWS starts here.
//! The plan decides what happens; this module decides nothing and does not use the terminal.

mod documents;
mod function;
pub(crate) mod import;
mod lease;
mod network;
mod probe;
mod reading;
mod steps;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{self, watch};

pub(crate) use self::lease::holding;
pub use self::lease::{Claim, Held};
use crate::aws::{Reader, Writer};
use crate::error::{Error, Result};
use crate::host::Instant;
use crate::signals::Signal;
use crate::snapshot::Snapshot;
use jane_migrate_core::exposure::Alias;
use jane_migrate_core::ids::Names;
use jane_migrate_core::plan::{Action, Change, Operation, Plan, Resource};
use jane_migrate_core::resources::{ObservedFunction, Tags};
use reading::{Look, Reading};

/// What applying needs beyond the plan.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The built code, if the plan uploads any.
    pub code: Option<Code>,
    /// The snapshot taken before the first change.
    pub snapshot: Option<Snapshot>,
    /// The pool's MFA settings as observed, to check that they do not change.
    pub mfa: Value,
    /// Differences of a pool or client that the operator accepts, as JSON pointers.
    pub accepted: Vec<String>,
    /// The tags of alarms, the same as of all our resources.
    pub tags: Tags,
    /// The file of the snapshot, if an earlier run saved it before the very first change.
    pub kept: Option<String>,
    /// The lease that the run takes.
    pub claim: Option<Claim>,
    /// How long to wait for Lambda to delete network interfaces; zero leaves them.
    pub interface_wait: Duration,
}

/// A built handler. Cheap to clone: pools of one kind share its bytes.
#[derive(Debug, Clone)]
pub struct Code {
    /// The zip.
    pub zip: Arc<[u8]>,
    /// Its digest, as Lambda shows it.
    pub code_sha256: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// It took effect.
    Done,
    /// It failed, or its effect is unknown.
    Failed,
    /// It was not started.
    NotTried,
}

/// One step of the report.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What it was to do.
    pub action: Action,
    /// To what kind of thing.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub result: StepResult,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// All steps are done.
    Done,
    /// There was nothing to do.
    NothingToDo,
    /// The plan has conflicts or errors; nothing was changed.
    Blocked,
    /// The operator declined; nothing was changed.
    Declined,
    /// A step failed.
    Failed,
    /// The operator interrupted it between two steps.
    Interrupted,
    /// SIGTERM ended it between two steps.
    Terminated,
}

/// What a run did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The pool's id.
    pub pool: String,
    /// In the order of the plan.
    pub steps: Vec<Step>,
    /// How it ended.
    pub result: RunResult,
    /// The command that does what this run only showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What failed; the first error stopped the run.
    #[serde(skip)]
    pub errors: Vec<Error>,
}

impl Report {
    /// A run without a step.
    pub fn without_steps(pool: impl Into<String>, result: RunResult) -> Self {
        Self {
            pool: pool.into(),
            steps: Vec::new(),
            result,
            next: None,
            errors: Vec::new(),
        }
    }

    /// A run that only showed what this command would do.
    pub fn declined(pool: impl Into<String>, command: String) -> Self {
        Self {
            next: Some(command),
            ..Self::without_steps(pool, RunResult::Declined)
        }
    }

    /// Records an error that belongs to no step.
    fn fails(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.errors.push(error);
            self.result = RunResult::Failed;
        }
    }

    /// Whether a snapshot of this run has no use: no step took effect, and none that failed can have changed the pool, a client or
    /// the function, whose tag names the snapshot.
    pub fn needs_no_snapshot(&self) -> bool {
        let harmless = |step: &Step| match step.result {
            StepResult::Done => false,
            StepResult::Failed => matches!(step.resource, Resource::Role | Resource::LogGroup),
            StepResult::NotTried => true,
        };
        self.steps.iter().all(harmless)
    }

    /// How many steps ended with this result.
    pub fn count(&self, result: StepResult) -> usize {
        self.steps
            .iter()
            .filter(|step| step.result == result)
            .count()
    }
}

/// What happens while a plan is applied, for display.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step begins.
    Started(&'a Change),
    /// A step is waiting.
    Waiting(&'a Change, &'a str),
    /// Something changed and stays changed.
    Noted(&'a str),
    /// A step took effect.
    Done(&'a Change),
    /// A step failed.
    Failed(&'a Change),
}

/// The request to stop. The current step is finished first, so that no step has an unknown result.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Sender<Option<Signal>>);

impl Default for Interrupt {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Interrupt {
    /// Requests the stop.
    pub fn request(&self, signal: Signal) {
        self.0.send_replace(Some(signal));
    }

    /// The signal that requested the stop, if there was one.
    pub fn requested(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits until a stop is requested.
    pub async fn wait(&self) {
        // The sender is this very value, so the channel stays open.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

/// How many steps of one stage run in parallel. A pool may have hundreds of clients, and Cognito allows few updates a second.
const SIDE_BY_SIDE: usize = 4;

/// A plan being applied.
struct Run<'a> {
    reader: &'a Reader,
    writer: Writer,
    names: &'a Names,
    inputs: &'a Inputs,
    interrupt: &'a Interrupt,
    tell: &'a (dyn Fn(Event<'_>) + Sync),
    made: Mutex<Made>,
    /// Only one of the step and the lease renewal may change the alias at a time.
    turn: sync::Mutex<()>,
    plan: &'a Plan,
}

/// What a step leaves for a later one.
#[derive(Debug, Default)]
struct Made {
    /// The id of the role, if this run created it.
    role_id: Option<String>,
    /// The role's tag holds the lease.
    role: bool,
    /// The function after this run's last change of it.
    latest: Option<ObservedFunction>,
    /// The tags to set on the function.
    retag: Option<Retag>,
    /// The version that was published.
    version: Option<String>,
    /// The versions that existed before.
    versions: Vec<String>,
    /// The alias after this run's last change of it.
    alias: Option<Alias>,
    /// The first step of the next stage, if its reads can be made ahead.
    next: Option<usize>,
    /// What the next steps change, read while the lease was taken or the previous step was checked.
    ahead: BTreeMap<String, (Instant, Reading)>,
    /// The pool after this run's last change of it.
    pool: Option<Reading>,
    /// The read that allows the function's deletion, made while the previous step was checked.
    look: Option<Look>,
    /// The function was deleted, and the pool has not been read since.
    deleted: bool,
    /// The roles no longer have policies.
    cleared: bool,
    /// Another run has taken the lease.
    lost: Option<Error>,
}

/// The new tags of the function.
#[derive(Debug)]
struct Retag {
    tags: Tags,
    untag: Vec<String>,
}

/// Applies the plan. The steps of one stage run in parallel; after a failure no other step starts. Returns the lease for the
/// caller to release, which can happen in the background.
pub async fn apply(
    reader: &Reader,
    names: &Names,
    plan: &Plan,
    inputs: &Inputs,
    interrupt: &Interrupt,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> (Report, Option<Held>) {
    let run = Run::new(reader, names, plan, inputs, interrupt, tell);
    let (claimed, ()) = tokio::join!(run.claim(), run.read_ahead(run.stage_from(0)));
    if let Err(error) = claimed {
        let mut report = Report::without_steps(&plan.pool, RunResult::Failed);
        report.steps = plan.changes.iter().map(not_tried).collect();
        report.errors.push(error);
        return (report, None);
    }
    let lease = async {
        let lost = run.keep_lease().await;
        run.made().lost = Some(lost);
        std::future::pending().await
    };
    let mut report = tokio::select! {
        // A finished run cannot lose the lease.
        biased;
        report = run.carry_out() => report,
        report = lease => report,
    };
    if let Some(error) = run.made().lost.take() {
        report.errors.push(error);
        report.result = RunResult::Failed;
    }
    (report, run.held())
}

impl<'a> Run<'a> {
    fn new(
        reader: &'a Reader,
        names: &'a Names,
        plan: &'a Plan,
        inputs: &'a Inputs,
        interrupt: &'a Interrupt,
        tell: &'a (dyn Fn(Event<'_>) + Sync),
    ) -> Self {
        Self {
            reader,
            writer: Writer::new(reader),
            names,
            inputs,
            interrupt,
            tell,
            made: Mutex::default(),
            turn: sync::Mutex::default(),
            plan,
        }
    }

    /// The changes of the stage that begins with this one.
    fn stage_from(&self, first: usize) -> &[Change] {
        let same = |a: &Change, b: &Change| a.operation.stage() == b.operation.stage();
        let rest = &self.plan.changes[first..];
        rest.chunk_by(same).next().unwrap_or_default()
    }

    async fn carry_out(&self) -> Report {
        let plan = self.plan;
        let mut report = Report::without_steps(&plan.pool, RunResult::Done);
        let mut begun = 0;
        while begun < plan.changes.len() {
            let stage = self.stage_from(begun);
            begun += stage.len();
            // With several steps, the last one to end is not known.
            self.made().next = (stage.len() == 1).then_some(begun);
            // The log group of a deleted function can be deleted in the meantime; the role's tag shows that this run is active.
            if !matches!(stage[0].operation, Operation::DeleteLogGroup) {
                report.fails(self.look_after().await);
            }
            // Steps in progress are finished; after a failure or a signal no other starts.
            let failed = AtomicBool::new(!report.errors.is_empty());
            let steps = stream::iter(stage)
                .map(async |change| {
                    let lost = self.made().lost.is_some();
                    let stop =
                        failed.load(Ordering::Relaxed) || self.interrupt.requested().is_some();
                    if stop || lost {
                        return None;
                    }
                    let result = self.step(change).await;
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    Some(result)
                })
                .buffered(SIDE_BY_SIDE)
                .collect::<Vec<_>>();
            let (results, looked) = tokio::join!(steps, self.look_after());
            report.fails(looked);
            for (change, result) in stage.iter().zip(results) {
                let (result, error) = match result {
                    None => (StepResult::NotTried, None),
                    Some(Ok(())) => (StepResult::Done, None),
                    Some(Err(error)) => (StepResult::Failed, Some(error)),
                };
                report.steps.push(Step {
                    result,
                    error: error.as_ref().map(|error| format!("{error:#}")),
                    ..not_tried(change)
                });
                if let Some(error) = error {
                    report.errors.push(error);
                    report.result = RunResult::Failed;
                }
            }
        }
        report.fails(self.look_after().await);
        if report.errors.is_empty() && report.count(StepResult::NotTried) > 0 {
            report.result = match self.interrupt.requested() {
                Some(Signal::Terminate) => RunResult::Terminated,
                _ => RunResult::Interrupted,
            };
        }
        report
    }
}

fn not_tried(change: &Change) -> Step {
    Step {
        action: change.action,
        resource: change.resource,
        name: change.name.clone(),
        result: StepResult::NotTried,
        error: None,
    }
}

impl Run<'_> {
    /// What earlier steps left. Do not hold it across an await.
    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step(&self, change: &Change) -> Result<()> {
        (self.tell)(Event::Started(change));
        let result = self.operate(change).await;
        (self.tell)(match result {
            Ok(()) => Event::Done(change),
            Err(_) => Event::Failed(change),
        });
        result
    }

    async fn operate(&self, change: &Change) -> Result<()> {
        // Only the next step may use a look.
        let look = self.made().look.take();
        match &change.operation {
            Operation::CreateLogGroup(group) => self.create_log_group(group).await,
            Operation::UpdateLogGroup { group, key } => self.update_log_group(group, *key).await,
            Operation::CreateRole(role) => self.create_role(role).await,
            Operation::WidenRole(role) => self.widen_role(role).await,
            Operation::NarrowRole {
                role,
                surplus,
                detach,
                leaves_vpc,
            } => {
                if *leaves_vpc {
                    self.delete_versions_in_a_vpc().await?;
                    self.until_interfaces_are_gone(change).await?;
                }
                self.narrow_role(role, surplus, detach).await
            }
            Operation::Adopt { function, from } => {
                self.adopt(change, function, from.as_ref()).await
            }
            Operation::CreateFunction(function) => self.create_function(change, function).await,
            Operation::UpdateFunction { .. } => self.update_function(change).await,
            Operation::AllowInvoke { replaces, .. } => self.allow_invoke(*replaces).await,
            Operation::Publish(seen) => self.publish(change, seen).await,
            Operation::Probe(probe) | Operation::ProbeLive(probe) => {
                self.probe(change, probe).await
            }
            Operation::PointAlias { from, to } => {
                self.point_alias(from.as_ref(), to.as_deref()).await
            }
            Operation::Watch(part, body) => self.watch(change, *part, body).await,
            Operation::Unwatch(part) => self.unwatch(change, *part).await,
            Operation::ForbidInvoke(ids) => self.forbid_invoke(ids).await,
            Operation::Attach { record: _, stale } => self.attach(stale).await,
            Operation::Detach { statements } => self.detach(statements).await,
            Operation::UpdateClient(rewrite) => self.update_client(change, rewrite).await,
            Operation::MoveTrigger(rewrite) => self.move_trigger(change, rewrite).await,
            Operation::UpdatePool(rewrite) => self.update_pool(change, rewrite).await,
            Operation::Forget { function, role } => self.forget(function, role).await,
            Operation::DeleteFunction { record } => self.delete_function(record, look).await,
            Operation::DeleteRole(role) => {
                if role.keeps_interfaces() {
                    self.until_interfaces_are_gone(change).await?;
                }
                self.delete_roles(role).await
            }
            Operation::DeleteImportRole => self.delete_import_role().await,
            Operation::DeleteLogGroup => self.delete_log_group().await,
        }
    }
}
