//! `rollback`: points the alias that the pool calls back to the previous version, after a probe of that version. Needs no
//! configuration and no build, and only three sequential AWS calls.

use std::process::ExitCode;

use super::ended::{ending, show_ending};
use super::many::{Ending, Endings, each};
use super::session::{self, MaybePlanned, Operator, Planned, Session, Taking, nonce};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::Connections;
use crate::cli::{Global, Rollback};
use crate::error::Result;
use crate::observe;
use crate::settings::{self, Target};
use crate::ui::Ui;
use jane_migrate_core::plan::{self, Change, Resource};

pub(super) async fn run(global: &Global, args: &Rollback, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let targets = settings::targets(global, &args.pools, loaded)?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let several = targets.len() > 1;
    let connections = Connections::default();
    let planned: Vec<MaybePlanned> = each(targets, async |target| {
        let pool = target.pool.clone();
        (pool, look(target, args, &connections, ui).await)
    })
    .await;
    for (_, planned) in &planned {
        if let Ok(planned) = planned {
            planned.show(ui);
        }
    }
    let agreed = args.yes
        || session::agree(ui, &planned, &args.again(), |what| {
            format!("Roll {what} back?")
        })?;
    let operator = Operator::listen(several, ui)?;
    let rolled_back = each(planned, async |(pool, planned)| {
        let rolled_back = match planned {
            Ok(planned) => Ok(roll_back(planned, args, agreed, &operator, ui).await),
            Err(error) => Err(error),
        };
        (pool, rolled_back)
    })
    .await;
    for (pool, rolled_back) in rolled_back {
        let (target, report) = match rolled_back {
            Ok(rolled_back) => rolled_back,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        match report.result {
            RunResult::Declined => ui.note("nothing was changed"),
            RunResult::NothingToDo => ui.remark(&format!(
                "Customers of pool {pool} meet the version before the newest already, and there is none before it."
            )),
            RunResult::Done => ui.remark(&format!(
                "Customers of pool {pool} meet the version before. The newest stays, and `{}` brings what is configured live again.",
                target.given.ours("deploy", pool.as_str())
            )),
            _ => {
                let command = target.given.ours(&args.again(), pool.as_str());
                show_ending(&report, ui, &command);
            }
        }
        endings.ran(pool, &report, &report, ending(report.result))?;
    }
    endings.finish()
}

async fn look(
    target: Target,
    args: &Rollback,
    connections: &Connections,
    ui: &Ui,
) -> Result<Planned> {
    let aws = connections.get(&target.connection).await;
    let task = ui.task(format!("reading user pool {}", target.pool));
    let (region, clients) = (&target.connection.region, target.clients.as_deref());
    let (observed, client) =
        observe::versions(&aws, &target.pool, region, clients, target.config()).await?;
    task.clear();
    let session = Session {
        target,
        aws,
        observed,
    };
    let plan = plan::rollback(&session.observed, client.as_deref(), &nonce());
    let mut plan = session.needs(plan)?;
    session.look_out(&mut plan, &taking(&session, args));
    Ok(Planned { session, plan })
}

fn taking(session: &Session, args: &Rollback) -> Taking {
    let pool = &session.target.pool;
    Taking::of_pool("rollback", args.break_lease, &args.again(), pool)
}

async fn roll_back(
    planned: Planned,
    args: &Rollback,
    agreed: bool,
    operator: &Operator,
    ui: &Ui,
) -> (Target, Report) {
    let Planned { session, plan } = planned;
    let ended = |result| Report::without_steps(session.names().pool.id.as_str(), result);
    let report = match agreed {
        _ if plan.is_blocked() => ended(RunResult::Blocked),
        _ if plan.is_empty() => ended(RunResult::NothingToDo),
        false => {
            let pool = session.names().pool.id.as_str();
            let again = format!("{} --yes", args.again());
            Report::declined(pool, session.target.given.ours(&again, pool))
        }
        true => {
            // The move of the alias names its revision, which changes with each lease. The role's permissions have no such guard.
            let of_role = |change: &Change| change.resource == Resource::Role;
            let claim = match plan.changes.iter().any(of_role) {
                true => session.claim(taking(&session, args)).ok(),
                false => None,
            };
            let inputs = Inputs {
                claim,
                ..Inputs::default()
            };
            session.apply(&plan, &inputs, operator, ui).await
        }
    };
    (session.target, report)
}
