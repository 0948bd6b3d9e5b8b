//! `teardown`: detach the trigger, put clients back, delete what is ours. Needs no configuration: tags say what to do.

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::ending;
use super::many::{Ending, Endings, each};
use super::session::{self, Operator, Planned, Session, since_epoch_ms, today};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::logs::LogEvent;
use crate::cli::{Global, Teardown};
use crate::plan::{self, Allowed, Plan};
use crate::settings;
use crate::ui::Ui;
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
    let mut targets = settings::targets(global, &args.pools, config)?;
    for target in &mut targets {
        // Which clients are configured does not matter here: the tags name those that deploy opened.
        target.clients = Some(Vec::new());
    }
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let several = targets.len() > 1;
    let planned = each(
        session::open_all(targets, ui).await,
        async |(pool, session)| {
            let planned = match session {
                Ok(session) => plan(session, args).await,
                Err(error) => Err(error),
            };
            (pool, planned)
        },
    )
    .await;
    let mut ready = Vec::new();
    for (pool, planned) in planned {
        match planned {
            Ok((planned, early)) => {
                planned.show(ui);
                if let Some(reason) = early {
                    ui.error(&anyhow::anyhow!(
                        "{reason}; nothing was changed. --force tears down all the same: whoever has not migrated by then can no longer sign in"
                    ));
                    let document = Document {
                        report: Report::without_steps(pool.as_str(), RunResult::Blocked),
                        plan: Some(planned.plan),
                        refused: Some(reason),
                    };
                    endings.ended(pool, &document, Ending::Failed)?;
                } else {
                    ready.push((pool, Ok(planned)));
                }
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    let agreed = args.yes
        || session::agree(ui, &ready, |what| {
            format!("Take the migration away from {what}?")
        })?;
    let operator = Operator::listen(several, ui);
    let torn_down = each(ready, async |(pool, planned)| {
        let torn_down = match planned {
            Ok(planned) => Ok(teardown(planned, agreed, &operator, ui).await),
            Err(error) => Err(error),
        };
        (pool, torn_down)
    })
    .await;
    for (pool, document) in torn_down {
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        let report = &document.report;
        match report.result {
            RunResult::Declined => ui.note("nothing was changed"),
            RunResult::Done if !several => ui.say(&format!(
                "Nothing of jane-migrate is left at pool {pool}. Apps may sign in with USER_SRP_AUTH from now on."
            )),
            _ => {
                super::show_ending(report, ui, "teardown");
            }
        }
        endings.ended(pool, &document, ending(report.result))?;
    }
    endings.finish()
}

/// What there is to take away, and why it may be too early for it.
async fn plan(session: Session, args: &Teardown) -> anyhow::Result<(Planned, Option<String>)> {
    let allowed = Allowed {
        unknown: args.unknown.iter().cloned().collect(),
        ..Allowed::default()
    };
    let plan = plan::teardown(&session.names, &session.observed, args.keep_logs, &allowed);
    let early = match args.force || plan.is_blocked() || plan.changes.is_empty() {
        true => None,
        false => too_early(&session).await?,
    };
    Ok((Planned { session, plan }, early))
}

async fn teardown(planned: Planned, agreed: bool, operator: &Operator, ui: &Ui) -> Document {
    let Planned { session, plan } = planned;
    let pool = session.names.pool.id.as_str();
    let ended = |result, plan| Document {
        report: Report::without_steps(pool, result),
        plan,
        refused: None,
    };
    if plan.is_blocked() {
        return ended(RunResult::Blocked, Some(plan));
    }
    if plan.changes.is_empty() {
        return ended(RunResult::NothingToDo, None);
    }
    if !agreed {
        return ended(RunResult::Declined, None);
    }
    let inputs = Inputs {
        mfa: session.observed.mfa.clone(),
        ..Inputs::default()
    };
    Document {
        report: session.apply(&plan, &inputs, operator, ui).await,
        plan: None,
        refused: None,
    }
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
