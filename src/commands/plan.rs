//! `plan`: what deploy would do. Reads, and changes nothing.

use std::process::ExitCode;

use super::session::{Code, Session};
use crate::cli::{Global, Plan};
use crate::settings;
use crate::ui::{self, Ui};

pub(super) async fn run(global: &Global, args: &Plan, ui: &Ui) -> anyhow::Result<ExitCode> {
    let loaded = settings::load(global)?;
    let code = Code::choose(&loaded.config, args.allow.artifact.as_deref())?;
    let mut documents = Vec::new();
    let (mut blocked, mut changes) = (false, false);
    for target in settings::targets(global, &args.pools, Some(&loaded.config))? {
        let session = Session::open(target, ui).await?;
        let plan = session.plan_deploy(
            &loaded.config,
            code.source(),
            &settings::allowed(&args.allow, &session.target),
        )?;
        ui.say(&ui::plan::render(
            &plan,
            &session.observed.pool,
            &session.names.pool,
            &ui.out,
        ));
        blocked |= plan.is_blocked();
        changes |= !plan.changes.is_empty();
        documents.push(plan);
    }
    super::print_documents(ui, &documents)?;
    Ok(match (blocked, changes && args.detailed_exitcode) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(2),
        (false, false) => ExitCode::SUCCESS,
    })
}
