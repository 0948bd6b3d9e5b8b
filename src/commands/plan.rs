//! `plan`: what deploy would do. Reads, and changes nothing.

use std::process::ExitCode;

use super::approved;
use super::many::{Ending, Endings};
use super::session::{self, Codes, Planning};
use crate::cli::{Global, Plan};
use crate::error::Result;
use crate::report::PlanDocument;
use crate::settings;
use crate::ui::Ui;

pub(super) async fn run(global: &Global, args: &Plan, ui: &Ui) -> Result<ExitCode> {
    let mut codes = Codes::new(args.allow.artifact.clone());
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let planning = Planning {
        allow: &args.allow,
        probe: true,
        thorough: true,
        taking: None,
    };
    let mut approvable = Some(Vec::new());
    for (pool, planned) in session::plan_deploys(targets, &planning, &mut codes, ui).await {
        match planned {
            Ok(planned) => {
                planned.show(ui);
                let plan = &planned.plan;
                let ending = match (plan.is_blocked(), plan.is_empty()) {
                    (true, _) => Ending::Failed,
                    (false, true) => Ending::Nothing,
                    (false, false) if args.detailed_exitcode => Ending::Changes,
                    (false, false) => Ending::Done,
                };
                match (&mut approvable, args.out.is_some() && !plan.is_blocked()) {
                    (Some(plans), true) => {
                        let source = codes.source(planned.session.target.required()?)?;
                        plans.push(approved::of(&planned, source)?);
                    }
                    _ => approvable = None,
                }
                let flags = &planned.session.target.given;
                endings.ended(pool, &PlanDocument::new(plan, flags), ending)?;
            }
            Err(error) => {
                approvable = None;
                endings.broke_off(pool, error)?;
            }
        }
    }
    match (&args.out, approvable) {
        (Some(path), Some(plans)) => {
            approved::write(path, &plans)?;
            let command = ui.given.for_pools(&args.applied());
            ui.note(&format!(
                "the plan is in {}; `{command}` applies it and nothing else",
                path.display()
            ));
        }
        (Some(path), None) => ui.warn(&format!(
            "{} was not written: not every pool has a plan that can be applied",
            path.display()
        )),
        (None, _) => {}
    }
    endings.finish()
}
