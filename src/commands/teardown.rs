//! `teardown`: detaches the trigger, restores the clients, deletes what deploy created. It needs no configuration: the tags say
//! what to do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use jane_migrate_config::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::deploy::{Saved, keep_snapshot};
use super::ended::{ending, show_ending};
use super::many::{Ending, Endings, each};
use super::session::{self, Look, Operator, Planned, Session, Taking};
use crate::apply::{Inputs, Report, RunResult};
use crate::aws::{AwsError, Connections, Reader};
use crate::cli::{Global, Teardown};
use crate::dates::{DAY_MS, date, day_of, minute, now_ms, today, utc};
use crate::error::{Error, Result};
use crate::exact::Exact;
use crate::report::PlanDocument;
use crate::settings;
use crate::snapshot;
use crate::status::read::{self, Wanted};
use crate::status::tally::Tally;
use crate::status::{Basis, Coverage, Earlier, Facts, LONGEST_DAYS, Source, Status};
use crate::ui::Ui;
use crate::ui::layout::Layout;
use crate::ui::numbers::thousands;
use jane_migrate_core::document::ClientDocument;
use jane_migrate_core::observed::deployed_settings;
use jane_migrate_core::plan::{self, Allowed, Change, Extent, Operation, Plan};
use jane_migrate_core::trigger::{Trigger, listed};

/// The JSON document of teardown.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<Migration>,
    /// The pool's triggers that still need the function.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<&'static str>,
}

/// The progress of the migration that would end.
#[derive(Debug, Clone, Serialize)]
struct Migration {
    arrived: u64,
    basis: Basis,
    left: Option<u64>,
    last_migration: Option<String>,
}

/// A teardown that could be planned.
struct Prepared {
    planned: Planned,
    migration: Option<Migration>,
    /// Why it is too early.
    early: Option<String>,
}

pub(super) async fn run(global: &Global, args: &Teardown, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let mut targets = settings::targets(global, &args.pools, loaded)?;
    for target in &mut targets {
        // The configured clients do not matter here: the tags name those that deploy changed. For another tool's function the
        // snapshot names them; it is read later, so all clients are read.
        let given = target
            .config()
            .is_some_and(|config| config.function.arn.is_some());
        target.clients = (!given).then(Vec::new);
    }
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let several = targets.len() > 1;
    let connections = Connections::default();
    let prepared = each(targets, async |target| {
        let pool = target.pool.clone();
        // Counting the log takes as long as the reads, so both run in parallel.
        let group = target.log_group();
        let counting = connections.get(&target.connection).await;
        let look = Look::Ours { left: true };
        let (session, counted) = tokio::join!(
            Session::open(target, look, &connections, ui),
            count(&counting, &group, args)
        );
        let prepared = session.and_then(|session| prepare(session, counted, args, ui));
        (pool, prepared)
    })
    .await;
    let mut ready = Vec::new();
    let mut migrations = BTreeMap::new();
    for (pool, prepared) in prepared {
        let Prepared {
            planned,
            migration,
            early,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        planned.show(ui);
        let kept = kept(&planned.session, args);
        let stays = (!kept.is_empty()).then(|| stays(&planned.session, &kept));
        let sentences = [migration.as_ref().map(Migration::sentence), stays];
        for sentence in sentences.into_iter().flatten() {
            let sentence = Layout::of(&ui.out).wrap(&sentence, 0);
            ui.say(&format!("\n{sentence}"));
        }
        if let Some(reason) = early {
            ui.error(&Error::new(
                format!("{reason}; nothing was changed"),
                "--force tears down anyway: customers who have not migrated by then can no longer sign in with their password",
            ));
            let document = Document {
                report: Report::without_steps(pool.as_str(), RunResult::Blocked),
                plan: Some(json!(PlanDocument::new(
                    &planned.plan,
                    &planned.session.target.given,
                ))),
                refused: Some(reason),
                migration,
                kept: members(&kept),
            };
            endings.ended(pool, &document, Ending::Failed)?;
        } else {
            migrations.insert(pool.clone(), migration);
            ready.push((pool, Ok(planned)));
        }
    }
    let agreed = args.yes
        || session::agree(ui, &ready, &args.again(), |what| match args.everything {
            true => format!("Take everything that deploy made away from {what}?"),
            false => format!("Take the migration away from {what}?"),
        })?;
    let operator = Operator::listen(several, ui)?;
    let torn_down = each(ready, async |(pool, planned)| {
        let torn_down = match planned {
            Ok(planned) => teardown(planned, args, agreed, &operator, ui).await,
            Err(error) => Err(error),
        };
        (pool, torn_down)
    })
    .await;
    for (pool, torn_down) in torn_down {
        let (session, mut document, clients) = match torn_down {
            Ok(torn_down) => torn_down,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        document.migration = migrations.remove(&pool).flatten();
        let kept = kept(&session, args);
        document.kept = members(&kept);
        let report = &document.report;
        match report.result {
            RunResult::Declined => ui.note("nothing was changed"),
            RunResult::Done => {
                let left = match args.keep_logs {
                    _ if !kept.is_empty() => {
                        let on = listed(kept.iter().map(|trigger| trigger.label()));
                        format!(
                            "Migration has ended at pool {pool}; the function stays for {on}. A deploy begins migration again, unless the day that closes under [window] names has passed."
                        )
                    }
                    true => format!(
                        "Only the log group {} is left of jane-migrate at pool {pool}.",
                        session.names().log_group
                    ),
                    false => format!("Nothing of jane-migrate is left at pool {pool}."),
                };
                ui.remark(&format!("{left}{}", afterwards(&session, &clients)));
            }
            _ => {
                let command = session.target.given.ours(&args.again(), pool.as_str());
                show_ending(report, ui, &command);
            }
        }
        endings.ran(pool, report, &document, ending(report.result))?;
    }
    endings.finish()
}

/// What there is to remove, the migration's progress, and why it may be too early.
fn prepare(
    session: Session,
    counted: Result<Counted, AwsError>,
    args: &Teardown,
    ui: &Ui,
) -> Result<Prepared> {
    let allowed = Allowed {
        unknown: args.unknown.iter().cloned().collect(),
        trust: args.trust,
        trigger_account: args.trigger_account.clone(),
        ..Allowed::default()
    };
    let snapshots = snapshot::kept(session.target.folder(), &session.target.pool);
    let plan = plan::teardown(&session.observed, extent(args), &snapshots, &allowed);
    let mut plan = session.needs(plan)?;
    session.look_out(&mut plan, &taking(&session, args));
    // Fails if it is unknown whether another run is active.
    session.needs(session.observed.alias.clone())?;
    let (mut migration, mut early) = (None, None);
    // If only other triggers are left, an earlier teardown has ended the migration.
    let others_alone = session.observed.our_triggers().next().is_some()
        && !session.observed.calls_us(Trigger::UserMigration);
    if !plan.is_blocked() && !plan.is_empty() && session.observed.pool().is_ok() && !others_alone {
        let status = match status(&session, counted) {
            Ok(status) => status,
            Err(error) if args.force => {
                ui.warn(&format!(
                    "how far the migration has come is not known: {error:#}"
                ));
                None
            }
            Err(error) => return Err(error),
        };
        if !args.force {
            early = too_early(&session, status.as_ref(), args.recent_days)?;
        }
        migration = status.map(|status| Migration {
            arrived: status.progress.arrived,
            basis: status.progress.basis,
            left: status.outlook.left,
            last_migration: status.progress.last_migration,
        });
    }
    Ok(Prepared {
        planned: Planned { session, plan },
        migration,
        early,
    })
}

fn taking(session: &Session, args: &Teardown) -> Taking {
    let pool = &session.target.pool;
    Taking::of_pool("teardown", args.break_lease, &args.again(), pool)
}

fn extent(args: &Teardown) -> Extent {
    Extent {
        everything: args.everything,
        keep_logs: args.keep_logs,
    }
}

/// The triggers that still need the function.
fn kept(session: &Session, args: &Teardown) -> Vec<Trigger> {
    plan::remaining(&session.observed, extent(args))
}

fn members(kept: &[Trigger]) -> Vec<&'static str> {
    kept.iter().map(|trigger| trigger.member()).collect()
}

/// What stays, and the command that removes it.
fn stays(session: &Session, kept: &[Trigger]) -> String {
    let pool = session.names().pool.id.as_str();
    format!(
        "The function stays for {} triggers of the pool, with its role and its log group. `{}` removes these as well.",
        listed(kept.iter().map(|trigger| trigger.label())),
        session.target.given.ours("teardown --everything", pool),
    )
}

/// Shows where the snapshot is: the function's tags, which name it, are about to be deleted.
fn say_where_the_snapshot_is(session: &Session, ui: &Ui) {
    if let Some(name) = session.kept_snapshot() {
        ui.note(&format!(
            "  the pool as it was before deploy is in {name}, where deploy was run"
        ));
    }
}

/// The count of the log.
struct Counted {
    tally: Tally,
    source: Source,
    since: Date,
    now_ms: i64,
}

/// Counts the log, which may not exist.
async fn count(aws: &Reader, group: &str, args: &Teardown) -> Result<Counted, AwsError> {
    let now_ms = now_ms();
    let days = LONGEST_DAYS.max(args.recent_days.into());
    let since = date(day_of(now_ms) - days);
    let (tally, source) = read::count(aws, group, since, now_ms, Wanted::Days).await?;
    Ok(Counted {
        tally,
        source,
        since,
        now_ms,
    })
}

/// The migration's progress, according to the log.
fn status(session: &Session, counted: Result<Counted, AwsError>) -> Result<Option<Status>> {
    let Ok(Some(log_group)) = &session.observed.log_group else {
        return Ok(None);
    };
    let group = &session.names().log_group;
    let counted = counted.map_err(|error| {
        Error::from(error)
            .context(format!(
                "failed to look in log group `{group}` whether customers still migrate"
            ))
            .or_hint("with --force it does not matter whether customers still migrate")
    })?;
    let pool = &session.pool()?.document;
    let facts = Facts {
        pool: session.target.pool.clone(),
        name: pool.name().into_owned(),
        pool_users: pool.estimated_users(),
        clients: BTreeMap::new(),
        total_users: session
            .target
            .config()
            .and_then(|config| config.window.total_users),
        exact: Exact::kept(session.target.folder(), &session.target.pool),
        window_share: None,
        closes: closes(session),
        connects: false,
        since: counted.since,
        everything: false,
        coverage: Coverage::of(log_group),
        earlier: Earlier::NotAsked,
        now_ms: counted.now_ms,
        findings: Vec::new(),
        flags: session.target.given.clone(),
    };
    Ok(Some(Status::new(&counted.tally, &facts, counted.source)))
}

/// The last day of the window, from the deployed function.
fn closes(session: &Session) -> Option<Date> {
    deployed_settings(session.observed.function().ok()??)?.window_closes
}

/// Why it is too early to tear down, or `None`: the window is open, or customers migrated lately.
fn too_early(
    session: &Session,
    status: Option<&Status>,
    recent_days: u32,
) -> Result<Option<String>> {
    if let Some(closes) = closes(session)
        && today()? <= closes
    {
        return Ok(Some(format!("the migration window is open until {closes}")));
    }
    let since = utc(now_ms() - i64::from(recent_days) * DAY_MS);
    // Zero days skip this check, even if a customer migrated this second.
    let recent = recent_days > 0
        && status
            .and_then(|status| status.progress.last_migration.as_ref())
            .is_some_and(|last| *last >= since);
    Ok(recent.then(|| format!("customers migrated within the last {recent_days} days")))
}

impl Migration {
    fn sentence(&self) -> String {
        let Self {
            arrived,
            basis,
            left,
            last_migration,
        } = self;
        let (at_least, at_most) = match basis {
            Basis::Log | Basis::LogAndMetrics => ("", ""),
            Basis::PartOfLog => ("As far as the log reaches back, ", "At most "),
        };
        let last = last_migration.as_ref().map_or_else(String::new, |last| {
            format!(", the last on {} UTC", minute(last))
        });
        let left = match left {
            Some(0) => "No customer is left.".to_owned(),
            Some(left) => format!(
                "{at_most}{} have not: without the migration they can no longer sign in with their password.",
                thousands(*left)
            ),
            None => "How many have not is not known: `remaining` counts them.".to_owned(),
        };
        format!(
            "{at_least}{} customer(s) have migrated{last}. {left}",
            thousands(*arrived)
        )
    }
}

/// All clients of the pool, read only for advice while the plan is applied: a client that cannot be read is left out.
async fn clients(session: &Session) -> Vec<ClientDocument> {
    let pool = &session.names().pool.id;
    let ids = match session.observed.pool().is_ok() {
        true => session.aws.client_ids(pool).await.unwrap_or_default(),
        false => Vec::new(),
    };
    let described = each(ids, async |id| session.aws.describe_client(pool, &id).await);
    described.await.into_iter().flatten().collect()
}

/// What the apps can do from now on, for each client.
fn afterwards(session: &Session, clients: &[ClientDocument]) -> String {
    if session.observed.pool().is_err() {
        return String::new();
    }
    let mut text = " Apps may sign in with USER_SRP_AUTH from now on, which sends no password; in Amplify that is authFlowType \"USER_SRP_AUTH\".".to_owned();
    for client in clients {
        let (name, id) = (client.name(), client.id());
        if !client.allows_srp() {
            let _ = write!(
                text,
                "\n  client {name} ({id}) does not allow SRP yet: add ALLOW_USER_SRP_AUTH before its app changes"
            );
        }
        if client.allows_password_auth() {
            let _ = write!(
                text,
                "\n  client {name} ({id}) allows USER_PASSWORD_AUTH: take it away once no app uses it"
            );
        }
    }
    text
}

/// The client after the plan: it was read before or during the plan's updates.
fn closed(client: ClientDocument, plan: &Plan) -> ClientDocument {
    let rewritten = plan
        .changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::UpdateClient(rewrite) if change.name == client.id() => {
                ClientDocument::from_json(rewrite.update.expected().clone()).ok()
            }
            _ => None,
        });
    rewritten.unwrap_or(client)
}

async fn teardown(
    planned: Planned,
    args: &Teardown,
    agreed: bool,
    operator: &Operator,
    ui: &Ui,
) -> Result<(Session, Document, Vec<ClientDocument>)> {
    let Planned { session, plan } = planned;
    let pool = session.names().pool.id.to_string();
    let flags = &session.target.given;
    let document = |report, plan: Option<&Plan>| Document {
        report,
        plan: plan.map(|plan| json!(PlanDocument::new(plan, flags))),
        refused: None,
        migration: None,
        kept: Vec::new(),
    };
    let without_steps = |result| Report::without_steps(&*pool, result);
    let mut left = Vec::new();
    let document = if plan.is_blocked() {
        document(without_steps(RunResult::Blocked), Some(&plan))
    } else if plan.is_empty() {
        document(without_steps(RunResult::NothingToDo), None)
    } else if !agreed {
        let again = format!("{} --yes", args.again());
        let report = Report::declined(&*pool, flags.ours(&again, &pool));
        document(report, Some(&plan))
    } else {
        if kept(&session, args).is_empty() {
            say_where_the_snapshot_is(&session, ui);
        }
        let recorded = |change: &Change| matches!(change.operation, Operation::Attach { .. });
        let saved = match plan.changes.iter().any(recorded) {
            true => keep_snapshot(&session, &plan, ui)?,
            false => None,
        };
        let inputs = Inputs {
            interface_wait: Duration::from_secs(args.interface_wait),
            snapshot: saved.as_ref().and_then(Saved::first).cloned(),
            mfa: session.mfa().unwrap_or_default(),
            accepted: args.accept_difference.clone(),
            kept: session.kept_snapshot(),
            claim: session.claim(taking(&session, args)).ok(),
            ..Inputs::default()
        };
        let applied = session.apply(&plan, &inputs, operator, ui);
        let (report, read) = tokio::join!(applied, clients(&session));
        if let Some(saved) = saved {
            saved.discard_unless_used(&report, ui);
        }
        left = read
            .into_iter()
            .map(|client| closed(client, &plan))
            .collect();
        document(report, None)
    };
    Ok((session, document, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_log_is_not_reported_as_complete() {
        let said = |basis| {
            let migration = Migration {
                arrived: 1_000,
                basis,
                left: Some(11_000),
                last_migration: None,
            };
            migration.sentence()
        };
        let whole = said(Basis::Log);
        assert!(
            whole.starts_with("1,000 customer(s) have migrated. 11,000 have not"),
            "{whole}"
        );
        let part = said(Basis::PartOfLog);
        assert!(
            part.starts_with("As far as the log reaches back, 1,000 customer(s)"),
            "{part}"
        );
        assert!(part.contains("At most 11,000 have not"), "{part}");
    }
}
