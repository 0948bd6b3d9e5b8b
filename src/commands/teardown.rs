//! `teardown`: detach the trigger, put clients back, delete what is ours. Needs no configuration: tags say what to do.

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::session::{Session, since_epoch_ms, today};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::logs::LogEvent;
use crate::cli::{Global, Teardown};
use crate::plan::{self, Allowed, Plan};
use crate::settings::{self, Target};
use crate::ui::{self, Ui};
use crate::verify::deployed_settings;

/// How recent a migration counts as people still migrating.
const RECENT_DAYS: i64 = 7;

/// The JSON document of teardown.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

pub(super) async fn run(global: &Global, args: &Teardown, ui: &Ui) -> anyhow::Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let config = loaded.as_ref().map(|loaded| &loaded.config);
    let mut code = ExitCode::SUCCESS;
    let mut documents = Vec::new();
    for target in settings::targets(global, &args.pools, config)? {
        let (document, ended) = teardown(target, args, ui).await?;
        documents.push(document);
        if ended != ExitCode::SUCCESS {
            code = ended;
        }
    }
    super::print_documents(ui, &documents)?;
    Ok(code)
}

async fn teardown(
    target: Target,
    args: &Teardown,
    ui: &Ui,
) -> anyhow::Result<(Document, ExitCode)> {
    // Which clients are configured does not matter here: the tags name those that deploy opened.
    let target = Target {
        clients: Some(Vec::new()),
        ..target
    };
    let session = Session::open(target, ui).await?;
    let pool = session.names.pool.id.to_string();
    let allowed = Allowed {
        unknown: args.unknown.iter().cloned().collect(),
        ..Allowed::default()
    };
    let plan = plan::teardown(&session.names, &session.observed, args.keep_logs, &allowed);
    ui.say(&ui::plan::render(
        &plan,
        &session.observed.pool,
        &session.names.pool,
        &ui.out,
    ));
    let ended = |result, plan, refused| Document {
        report: Report::without_steps(pool.clone(), result),
        plan,
        refused,
    };
    if plan.is_blocked() {
        let document = ended(RunResult::Blocked, Some(plan), None);
        return Ok((document, ExitCode::FAILURE));
    }
    if plan.changes.is_empty() {
        let document = ended(RunResult::NothingToDo, None, None);
        return Ok((document, ExitCode::SUCCESS));
    }
    if !args.force
        && let Some(reason) = too_early(&session).await?
    {
        ui.error(&anyhow::anyhow!(
            "{reason}; nothing was changed. --force tears down all the same: whoever has not migrated by then can no longer sign in"
        ));
        let document = ended(RunResult::Blocked, Some(plan), Some(reason));
        return Ok((document, ExitCode::FAILURE));
    }
    if !args.yes && !ui.confirm(&format!("Take the migration away from user pool {pool}?"))? {
        ui.note("nothing was changed");
        return Ok((ended(RunResult::Declined, None, None), ExitCode::FAILURE));
    }
    let inputs = Inputs {
        mfa: session.observed.mfa.clone(),
        ..Inputs::default()
    };
    let report = session.apply(&plan, &inputs, ui).await;
    if super::show_ending(&report, ui, "teardown") {
        ui.say(&format!(
            "Nothing of jane-migrate is left at pool {pool}. Apps may sign in with USER_SRP_AUTH from now on."
        ));
    }
    let code = super::exit_code(report.result);
    let document = Document {
        report,
        plan: None,
        refused: None,
    };
    Ok((document, code))
}

/// Why it is too early to tear down, if it is: the window is open, or customers migrated lately.
async fn too_early(session: &Session) -> anyhow::Result<Option<String>> {
    let Some(function) = &session.observed.function else {
        return Ok(None);
    };
    if let Some(closes) = deployed_settings(function).and_then(|settings| settings.window_closes)
        && today()? <= closes
    {
        return Ok(Some(format!("the migration window is open until {closes}")));
    }
    if session.observed.log_group.is_none() {
        return Ok(None);
    }
    let since = since_epoch_ms() - RECENT_DAYS * 86_400_000;
    let migrated = |event: &LogEvent| {
        serde_json::from_str::<Value>(&event.message).is_ok_and(|line| {
            matches!(
                line["outcome"].as_str(),
                Some("migrated" | "migrated-for-reset")
            )
        })
    };
    let recent = session
        .aws
        .find_log_event(
            &session.names.log_group,
            "{ $.outcome = \"migrated*\" }",
            since,
            migrated,
        )
        .await
        .with_context(|| {
            format!(
                "failed to look in log group `{}` whether customers still migrate (--force does not look)",
                session.names.log_group
            )
        })?;
    Ok(recent
        .is_some()
        .then(|| format!("customers migrated within the last {RECENT_DAYS} days")))
}
