//! `deploy`: plan, confirm, build, apply, verify.

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use super::session::{self, Code, Session};
use super::verify;
use crate::apply::{Inputs, Report, RunResult};
use crate::cli::{Deploy, Global};
use crate::finding::Finding;
use crate::plan::{Operation, Plan};
use crate::probe::{self, Source};
use crate::resources::tag;
use crate::settings::{self, Loaded, Target};
use crate::snapshot;
use crate::ui::{self, Ui};
use crate::verify::Choice;
use crate::verify::report::{Verdict, verdict};

/// The JSON document of deploy.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

pub(super) async fn run(global: &Global, args: &Deploy, ui: &Ui) -> anyhow::Result<ExitCode> {
    let loaded = settings::load(global)?;
    let mut code = ExitCode::SUCCESS;
    let mut documents = Vec::new();
    for target in settings::targets(global, &args.pools, Some(&loaded.config))? {
        let (document, ended) = deploy(target, &loaded, args, ui).await?;
        documents.push(document);
        if ended != ExitCode::SUCCESS {
            code = ended;
        }
    }
    super::print_documents(ui, &documents)?;
    Ok(code)
}

async fn deploy(
    target: Target,
    loaded: &Loaded,
    args: &Deploy,
    ui: &Ui,
) -> anyhow::Result<(Document, ExitCode)> {
    let config = &loaded.config;
    let code = Code::choose(config, args.allow.artifact.as_deref())?;
    let session = Session::open(target, ui).await?;
    let pool = session.names.pool.id.to_string();
    let plan = session.plan_deploy(
        config,
        code.source(),
        &settings::allowed(&args.allow, &session.target),
    )?;
    ui.say(&ui::plan::render(
        &plan,
        &session.observed.pool,
        &session.names.pool,
        &ui.out,
    ));
    let without_steps = |result, plan| Document {
        report: Report::without_steps(pool.clone(), result),
        plan,
        findings: Vec::new(),
    };
    if plan.is_blocked() {
        return Ok((
            without_steps(RunResult::Blocked, Some(plan)),
            ExitCode::FAILURE,
        ));
    }
    if !plan.changes.is_empty()
        && !args.yes
        && !ui.confirm(&format!("Apply this to user pool {pool}?"))?
    {
        ui.note("nothing was changed");
        return Ok((without_steps(RunResult::Declined, None), ExitCode::FAILURE));
    }

    let report = if plan.changes.is_empty() {
        Report::without_steps(pool.clone(), RunResult::NothingToDo)
    } else {
        // Whatever can fail without AWS fails before anything is changed.
        let inputs = Inputs {
            artifact: match plan.needs_code() {
                true => Some(code.artifact(config, ui).await?),
                false => None,
            },
            snapshot: keep_snapshot(&session, loaded, &plan, ui)?,
            mfa: session.observed.mfa.clone(),
            probe: (!args.no_probe)
                .then(|| probe_event(&session, &plan))
                .flatten(),
        };
        session.apply(&plan, &inputs, ui).await
    };
    if !super::show_ending(&report, ui, "deploy") {
        let code = super::exit_code(report.result);
        return Ok((
            Document {
                report,
                plan: None,
                findings: Vec::new(),
            },
            code,
        ));
    }

    let findings = verify::check(
        &session.aws,
        &session.target,
        Some((config, &loaded.path)),
        &Choice::default(),
        None,
        ui,
    )
    .await
    .context(
        "everything was put in place, but reading it back failed; `jane-migrate verify` proves it",
    )?;
    verify::show(&pool, &findings, ui, false);
    let holds = verdict(&findings, false) == Verdict::Holds;
    let code = match verdict(&findings, false) {
        Verdict::Fails => ExitCode::FAILURE,
        Verdict::Holds | Verdict::Unknown => ExitCode::SUCCESS,
    };
    if holds && report.result == RunResult::Done {
        ui.say(&format!(
            "Customers of pool {pool} now migrate as they sign in. `jane-migrate verify --pool {pool}` proves it at any time."
        ));
    }
    Ok((
        Document {
            report,
            plan: None,
            findings,
        },
        code,
    ))
}

/// The first deploy of a pool keeps it as it was.
fn keep_snapshot(
    session: &Session,
    loaded: &Loaded,
    plan: &Plan,
    ui: &Ui,
) -> anyhow::Result<Option<String>> {
    let touches_pool = plan.changes.iter().any(|change| {
        matches!(
            change.operation,
            Operation::UpdatePool(..) | Operation::UpdateClient(..)
        )
    });
    let kept = session
        .observed
        .function
        .as_ref()
        .is_some_and(|function| function.function.tags.contains_key(tag::SNAPSHOT));
    if !touches_pool || kept {
        return Ok(None);
    }
    let path = settings::snapshot_path(Some(&loaded.path), &session.names.pool.id);
    let digest = snapshot::keep(&path, &session.observed)?;
    ui.note(&format!(
        "  the pool as it is now is kept in {}",
        path.display()
    ));
    Ok(Some(digest))
}

/// The event that tries the function, where the plan changes what a customer would meet. Without an app client there is nobody
/// to try it as.
fn probe_event(session: &Session, plan: &Plan) -> Option<serde_json::Value> {
    let touched = plan.changes.iter().any(|change| {
        matches!(
            change.operation,
            Operation::CreateFunction(_)
                | Operation::UpdateFunction { .. }
                | Operation::UpdatePool(..)
        )
    });
    let client = session.observed.clients.first()?;
    touched.then(|| {
        probe::event(
            &session.names.pool,
            client.id(),
            Source::SignIn,
            &session::nonce(),
        )
    })
}
