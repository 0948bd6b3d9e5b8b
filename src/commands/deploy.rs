//! `deploy`: plan, confirm, build, apply, verify.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::approved::{self, Approved};
use super::ended::{ending, show_ending};
use super::many::{Ending, Endings, each};
use super::session::{self, Codes, Operator, Planned, Planning, Session, Taking};
use super::verify::{self, Verifying};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::Invoker;
use crate::cli::{Deploy, Global, Pools};
use crate::dates::today;
use crate::error::Result;
use crate::probe;
use crate::report::{PlanDocument, Verdict, Written, verdict, written};
use crate::settings;
use crate::snapshot::{self, Snapshot};
use crate::ui::Ui;
use jane_migrate_core::check::Choice;
use jane_migrate_core::document::Rewrite;
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::{Fix, Flags, fix};
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::plan::{Change, Operation, Plan};
use jane_migrate_core::probe::events;
use jane_migrate_core::record::Record;
use jane_migrate_core::resources::ours;
use jane_migrate_core::trigger::Trigger;

/// The JSON document of deploy.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Written>,
    /// The warnings of the plan: they are not shown again.
    #[serde(skip)]
    shown: Vec<Finding>,
}

pub(super) async fn run(global: &Global, args: &Deploy, ui: &Ui) -> Result<ExitCode> {
    let mut codes = Codes::new(args.allow.artifact.clone());
    let approved = Approved::read(args)?;
    let pools = match &approved {
        Some(approved) if args.pools.pools.is_empty() => Pools {
            pools: approved.pools()?,
            all: false,
        },
        _ => args.pools.clone(),
    };
    let targets = settings::targets(global, &pools, Some(settings::load(global)?))?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let several = targets.len() > 1;
    // They are the same for all targets.
    let given = targets.first().map(|target| target.given.clone());
    let taking = |pool: &PoolId| Taking::of_pool("deploy", args.break_lease, &args.again(), pool);
    let planning = Planning {
        allow: &args.allow,
        probe: !args.no_probe,
        thorough: false,
        taking: Some(&taking),
    };
    let mut planned = session::plan_deploys(targets, &planning, &mut codes, ui).await;
    for (_, planned) in &planned {
        if let Ok(planned) = planned {
            planned.show(ui);
        }
    }
    if let Some(approved) = &approved {
        for (pool, planned) in &mut planned {
            let Ok(ready) = planned else { continue };
            let checked = codes
                .source(ready.session.target.required()?)
                .and_then(|source| approved::of(ready, source))
                .and_then(|now| approved.check(pool, &now, args));
            if let Err(error) = checked {
                *planned = Err(error);
            }
        }
    }
    let agreed = args.yes
        || approved.is_some()
        || session::agree(ui, &planned, &args.again(), |what| {
            format!("Apply this to {what}?")
        })?;
    let operator = Operator::listen(several, ui)?;
    // Everything that can fail without AWS is done before the first change.
    if agreed {
        for (_, planned) in &mut planned {
            if let Ok(ready) = planned
                && !ready.plan.is_blocked()
                && ready.plan.needs_code()
            {
                let build = codes.build(ready.session.target.required()?, ui);
                if let Some(Err(error)) = operator.unless_stopped(build).await {
                    *planned = Err(error);
                }
            }
        }
    }
    let run = Deploying {
        args,
        taking: &taking,
        given: given.unwrap_or_default(),
        codes: &codes,
        agreed,
        operator,
        ui,
    };
    let deployed = each(planned, async |(pool, planned)| {
        let deployed = match planned {
            Ok(planned) => run.deploy(planned).await,
            Err(error) => Err(error),
        };
        (pool, deployed)
    })
    .await;
    for (pool, deployed) in deployed {
        match deployed {
            Ok(document) => {
                let ending = run.show(&document, several)?;
                endings.ran(pool, &document.report, &document, ending)?;
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    endings.finish()
}

/// What the deploys of one run share.
struct Deploying<'a> {
    args: &'a Deploy,
    taking: &'a dyn Fn(&PoolId) -> Taking,
    given: Flags,
    codes: &'a Codes,
    agreed: bool,
    operator: Operator,
    ui: &'a Ui,
}

impl Deploying<'_> {
    async fn deploy(&self, planned: Planned) -> Result<Document> {
        let Planned { session, plan } = planned;
        let config = session.target.required()?;
        let pool = session.names().pool.id.to_string();
        let flags = &session.target.given;
        let shown: Vec<Finding> = plan
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Warning)
            .cloned()
            .collect();
        let ended = |result, plan| Document {
            report: Report::without_steps(pool.clone(), result),
            plan,
            findings: Vec::new(),
            shown: shown.clone(),
        };
        if plan.is_blocked() {
            let plan = json!(PlanDocument::new(&plan, flags));
            return Ok(ended(RunResult::Blocked, Some(plan)));
        }
        if plan.is_empty() {
            let names = session.names();
            let client = session.probing_client()?.map(|client| client.id());
            let answers = async {
                match client.filter(|_| !self.args.no_probe) {
                    Some(client) => {
                        let nonce = session::nonce();
                        let triggers = Trigger::on(config, today()?);
                        let events = events(&names.pool, client, &triggers, &nonce);
                        let invoker = Invoker::new(&session.aws);
                        let live = probe::live(&session.observed);
                        probe::ask(&invoker, &live, &events).await
                    }
                    None => Ok(()),
                }
            };
            let rechecked = verify::recheck(&session, config, self.ui);
            let (findings, answers) = tokio::join!(rechecked, answers);
            answers.map_err(|error| probe::outage(error, &names.pool.id))?;
            return Ok(Document {
                findings: written(findings?, flags),
                ..ended(RunResult::NothingToDo, None)
            });
        }
        if !self.agreed {
            let plan = json!(PlanDocument::new(&plan, flags));
            let again = format!("{} --yes", self.args.again());
            return Ok(Document {
                report: Report::declined(&*pool, flags.ours(&again, &pool)),
                ..ended(RunResult::Declined, Some(plan))
            });
        }
        let saved = match self.operator.stops() {
            true => None,
            false => keep_snapshot(&session, &plan, self.ui)?,
        };
        let inputs = Inputs {
            interface_wait: Duration::from_secs(self.args.interface_wait),
            code: self.codes.get(config).filter(|_| plan.needs_code()),
            snapshot: saved.as_ref().and_then(Saved::first).cloned(),
            mfa: session.mfa()?,
            accepted: self.args.allow.accept_difference.clone(),
            kept: session.kept_snapshot(),
            claim: Some(session.claim((self.taking)(&session.target.pool))?),
            tags: ours(session.names(), config),
        };
        let applied = session.apply_and_hold(&plan, &inputs, &self.operator, self.ui);
        let (report, held) = applied.await;
        if let Some(saved) = saved {
            saved.discard_unless_used(&report, self.ui);
        }
        // There are no more writes, so another run may start while this one verifies its changes.
        let release = async {
            if let Some(held) = held {
                held.release().await;
            }
        };
        let findings = async {
            Ok(match report.result {
                RunResult::Done => {
                    let made =
                        |change: &Change| matches!(change.operation, Operation::CreateFunction(_));
                    let verifying = Verifying {
                        fresh: plan.changes.iter().any(made),
                        ..Verifying::new(&session.target)
                    };
                    verify::check(&session.aws, &verifying, &Choice::default(), None, self.ui)
                        .await
                        .map_err(|error| {
                            let verify = Fix::ours("verify", &session.names().pool.id, "");
                            error
                                .context("everything was put in place, but reading it back failed")
                                .or_hint(fix!["`", verify, "` proves that it holds"])
                        })?
                }
                _ => Vec::new(),
            })
        };
        let (findings, ()): (Result<Vec<Finding>>, ()) = tokio::join!(findings, release);
        let findings = findings?;
        Ok(Document {
            report,
            plan: None,
            findings: written(findings, flags),
            shown,
        })
    }

    /// Shows the result and the next steps.
    fn show(&self, document: &Document, several: bool) -> Result<Ending> {
        let (report, ui) = (&document.report, self.ui);
        let pool = &report.pool;
        if report.result == RunResult::Declined {
            ui.note("nothing was changed");
        }
        if !show_ending(report, ui, &self.given.ours(&self.args.again(), pool))
            || report.result == RunResult::Declined
        {
            return Ok(ending(report.result));
        }
        verify::show(pool, &document.findings, ui, |finding| {
            let same = |shown: &Finding| {
                (shown.id, &shown.subject, &shown.message)
                    == (finding.id, &finding.subject, &finding.message)
            };
            !finding.ok && !document.shown.iter().any(same)
        });
        let verdict = verdict(&document.findings, false);
        if verdict == Verdict::Fails {
            return Ok(Ending::Failed);
        }
        let holds = verdict == Verdict::Holds;
        if holds && report.result == RunResult::Done && !several {
            ui.remark(&format!(
                "Customers of pool {pool} now migrate as they sign in. `{}` proves it at any time.",
                self.given.ours("verify", pool)
            ));
        }
        Ok(ending(report.result))
    }
}

/// A snapshot that this run has saved.
pub(super) struct Saved {
    snapshot: Snapshot,
    /// Whether it is the pool before any change by deploy, so that the tag names it.
    first: bool,
}

impl Saved {
    /// The snapshot, if the tag names it.
    pub(super) fn first(&self) -> Option<&Snapshot> {
        Some(&self.snapshot).filter(|_| self.first)
    }

    /// Removes the file if the run did not change the pool, because it found another run at work, for example. It may show changes that the
    /// other run made while this one read the pool, without the record of them.
    pub(super) fn discard_unless_used(self, report: &Report, ui: &Ui) {
        let path = &self.snapshot.path;
        if self.snapshot.new && report.needs_no_snapshot() && std::fs::remove_file(path).is_ok() {
            ui.note(&format!(
                "  {} was removed, because the pool was not changed",
                path.display()
            ));
        }
    }
}

/// The first deploy of a pool saves a snapshot. A later deploy saves another if it changes a client for the first time or
/// replaces a trigger.
pub(super) fn keep_snapshot(session: &Session, plan: &Plan, ui: &Ui) -> Result<Option<Saved>> {
    // For a function that another tool made, the snapshot is the record. Otherwise it says which settings in it are the migration's
    // own, which `restore` leaves out.
    let attached = plan
        .changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::Attach { record, .. } => Some(record),
            _ => None,
        });
    let first = session.kept_snapshot().is_none();
    let replaces = |rewrite: &Rewrite| {
        let at =
            |document: &Value, trigger: Trigger| document["LambdaConfig"][trigger.member()].clone();
        let replaced = |trigger| {
            let (from, to) = (
                at(&rewrite.seen, trigger),
                at(rewrite.update.expected(), trigger),
            );
            let foreign = from
                .as_str()
                .is_some_and(|arn| !session.names().is_our_function(arn));
            foreign && from != to
        };
        Trigger::ALL.into_iter().any(replaced)
    };
    let due = plan.changes.iter().any(|change| match &change.operation {
        Operation::UpdateClient(..) => true,
        Operation::UpdatePool(rewrite) => first || replaces(rewrite),
        Operation::Attach { .. } => true,
        _ => false,
    });
    if !due {
        return Ok(None);
    }
    let clients = session.needs(session.observed.clients.as_deref().map_err(Into::into))?;
    let changed = attached.cloned().or_else(|| {
        let agreed = session.observed.records(&[]).ok()?.agreed();
        (agreed != Record::default()).then_some(agreed)
    });
    let snapshot = snapshot::keep(
        session.target.folder(),
        &session.pool()?.document,
        &session.mfa()?,
        clients,
        changed.as_ref(),
    )?;
    ui.note(&format!(
        "  the pool as it is now is kept in {}",
        snapshot.path.display()
    ));
    Ok(Some(Saved {
        snapshot,
        first: first || attached.is_some(),
    }))
}
