//! `restore`: puts a pool and its clients back to the state of a snapshot, after a failure that no run has repaired.

use std::process::ExitCode;

use super::ended::{ending, show_ending};
use super::many::{Ending, Endings};
use super::session::{Look, Operator, Planned, Session, Taking};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::Connections;
use crate::cli::{Global, Pools, Restore};
use crate::error::Result;
use crate::settings;
use crate::snapshot;
use crate::ui::Ui;
use jane_migrate_core::plan;

pub(super) async fn run(global: &Global, args: &Restore, ui: &Ui) -> Result<ExitCode> {
    let kept = snapshot::read(&args.snapshot)?;
    if !kept.untouched {
        ui.warn(
            "this file is not as deploy kept it: it was edited or renamed since; look at the plan",
        );
    }
    let loaded = settings::load_if_there(global)?;
    let pools = Pools {
        pools: vec![kept.id.clone()],
        all: false,
    };
    let mut targets = settings::targets(global, &pools, loaded)?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let mut target = targets.remove(0);
    let given = target.given.clone();
    // All clients are read, not only those that migrate: the snapshot decides which ones matter.
    target.clients = None;
    let session = Session::open(
        target,
        Look::Ours { left: false },
        &Connections::default(),
        ui,
    )
    .await?;
    let unknown = args.unknown.iter().cloned().collect();
    let snapshots = snapshot::kept(session.target.folder(), &session.target.pool);
    let plan = plan::restore(&session.observed, &kept, &snapshots, &unknown);
    let mut plan = session.needs(plan)?;
    session.look_out(&mut plan, &taking(args));
    let planned = Planned { session, plan };
    planned.show(ui);
    let report = put_back(&planned, args, ui).await?;
    show_ending(&report, ui, &given.command(&args.again()));
    endings.ran(kept.id, &report, &report, ending(report.result))?;
    endings.finish()
}

fn taking(args: &Restore) -> Taking {
    Taking::of("restore", args.break_lease, &args.again())
}

async fn put_back(planned: &Planned, args: &Restore, ui: &Ui) -> Result<Report> {
    let Planned { session, plan } = planned;
    let pool = session.names().pool.id.as_str();
    if plan.is_blocked() {
        return Ok(Report::without_steps(pool, RunResult::Blocked));
    }
    if plan.is_empty() {
        return Ok(Report::without_steps(pool, RunResult::NothingToDo));
    }
    let question = format!("Put user pool {pool} back to this?");
    let command = session
        .target
        .given
        .command(&format!("{} --yes", args.again()));
    if !args.yes && !ui.confirm(&question, &command)? {
        ui.note("nothing was changed");
        return Ok(Report::declined(pool, command));
    }
    let inputs = Inputs {
        mfa: session.mfa()?,
        accepted: args.accept_difference.clone(),
        claim: Some(session.claim(taking(args))?),
        ..Inputs::default()
    };
    let operator = Operator::listen(false, ui)?;
    Ok(session.apply(plan, &inputs, &operator, ui).await)
}
