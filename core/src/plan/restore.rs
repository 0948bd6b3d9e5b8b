//! Puts a pool and its clients back to the state of a snapshot. The migration's own parts of a snapshot, our triggers and the flows
//! that deploy added, are not put back: they need a function and a record, which only `deploy` creates.

use serde_json::Value;

use super::change::{Action, Operation, Plan, Resource, refuse};
use crate::document::{ClientDocument, Decisions, Difference, PoolDocument, Rewrite};
use crate::finding::{Finding, Severity};
use crate::fix::{Fix, fix};
use crate::ids::PoolId;
use crate::observed::Observed;
use crate::read::Read;
use crate::record::{Record, Records};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;

/// The content of a snapshot to restore.
#[derive(Debug)]
pub struct Kept {
    /// The pool's id.
    pub id: PoolId,
    /// The pool.
    pub pool: PoolDocument,
    /// Its MFA settings.
    pub mfa: Value,
    /// Its clients.
    pub clients: Vec<ClientDocument>,
    /// What the migration had changed, or was about to change, when the snapshot was taken; `replaced` only for another tool's
    /// function.
    pub changed: Record,
    /// Whether the file is unchanged, by the digest in its name.
    pub untouched: bool,
}

/// What restore would do. Nothing is created or deleted: settings that updates cannot change are named for the
/// operator.
///
/// # Errors
/// Something that the plan needs was not read.
pub fn restore(
    observed: &Observed,
    kept: &Kept,
    snapshots: &[Snapshot],
    unknown: &Decisions,
) -> Read<Plan> {
    let names = &observed.names;
    let pool = observed.pool()?;
    let clients = observed.clients.as_ref()?;
    let mut plan = Plan::new(names);
    let mut incomplete = false;
    let records = match kept.changed.opened.is_empty() {
        true => Records::default(),
        false => observed.records(snapshots)?,
    };
    let opened = records.clients();
    for earlier in &kept.clients {
        let now = clients.iter().find(|client| client.id() == earlier.id());
        let Some(now) = now else {
            plan.findings.push(Finding::failed(
                "client-gone",
                Severity::Warning,
                format!(
                    "app client {} ({}) is in the snapshot and no longer in the pool",
                    earlier.name(),
                    earlier.id()
                ),
                "the client",
                "no such client",
                "make a new one if an app still needs it; its id cannot be had again",
            ));
            continue;
        };
        let closed = match kept.changed.opened.get(earlier.id()) {
            Some(record) if !opened.contains(earlier.id()) => earlier.closed(record),
            _ => Ok(None),
        };
        let rewrite = closed.and_then(|closed| {
            incomplete |= closed.is_some();
            Rewrite::client_back(now, closed.as_ref().unwrap_or(earlier), unknown)
        });
        match rewrite {
            Ok(rewrite) => change(&mut plan, Resource::Client, now.id(), rewrite),
            Err(refusal) => refuse(&mut plan, Resource::Client, now.id(), &refusal),
        }
    }
    let id = names.pool.id.as_str();
    // Another tool may have put our trigger back after a teardown. It calls a function that does not exist.
    let gone = matches!(observed.function, Ok(None));
    let works = |arn: &&str| !gone || !names.is_our_function(arn);
    let ours = kept.pool.our_triggers(names);
    let as_now: Vec<_> = ours
        .map(|(trigger, _)| (trigger, pool.document.trigger(trigger).filter(works)))
        .collect();
    let differs = |(trigger, arn): &(Trigger, _)| kept.pool.trigger(*trigger) != *arn;
    if incomplete || as_now.iter().any(differs) {
        plan.findings.push(Finding::failed(
            "migration-not-restored",
            Severity::Warning,
            "the snapshot was taken while the migration was live, and restore does not put back the migration's own triggers and flows",
            "as in the snapshot",
            "as they are now",
            fix!["if customers should still migrate: `", Fix::ours("deploy", &names.pool.id, ""), "`"],
        ));
    }
    let earlier = kept.pool.with_triggers(&as_now);
    match Rewrite::pool_back(&pool.document, &earlier, unknown) {
        Ok(rewrite) => change(&mut plan, Resource::Pool, id, rewrite),
        Err(refusal) => refuse(&mut plan, Resource::Pool, id, &refusal),
    }
    for member in kept.pool.out_of_reach_of(&pool.document) {
        plan.findings.push(Finding::failed(
            "kept-setting",
            Severity::Warning,
            format!("{member} is not as in the snapshot, and stays: Cognito keeps what an update leaves out, and the snapshot says nothing to put in its place"),
            shown(pool.document.json(), member),
            shown(kept.pool.json(), member),
            format!("set it in the console; or write it into a copy of the snapshot as it should be, {}, and restore that", off(member)),
        ));
    }
    let mfa = crate::document::differences(pool.mfa.as_ref()?, &kept.mfa);
    if !mfa.is_empty() {
        plan.findings.push(Finding::failed(
            "mfa-settings",
            Severity::Warning,
            "the pool's MFA settings are not those of the snapshot, and restore does not touch them",
            listed(&mfa),
            "other settings",
            fix![
                "`",
                Fix::aws(format_args!(
                    "cognito-idp set-user-pool-mfa-config --user-pool-id {id}"
                )),
                "`, with the snapshot's UserPoolMfaConfig",
            ],
        ));
    }
    Ok(plan.sorted())
}

fn change(plan: &mut Plan, resource: Resource, name: &str, rewrite: Rewrite) {
    let differences = rewrite.differences();
    if differences.is_empty() {
        return;
    }
    let operation = match resource {
        Resource::Client => Operation::UpdateClient(Box::new(rewrite)),
        _ => Operation::UpdatePool(Box::new(rewrite)),
    };
    let detail = format!("{} setting(s) as the snapshot has them", differences.len());
    plan.change(Action::Update, resource, name, detail, operation);
}

fn shown(pool: &Value, member: &str) -> String {
    pool.get(member)
        .map_or_else(|| "not set".to_owned(), ToString::to_string)
}

/// How to turn off a setting that Cognito keeps.
fn off(member: &str) -> &'static str {
    match member {
        "DcrConfiguration" => r#"off by {"EnableStatus": "Disabled"}"#,
        _ => r#"off by {"AttributesRequireVerificationBeforeUpdate": []}"#,
    }
}

fn listed(differences: &[Difference]) -> String {
    let listed: Vec<String> = differences.iter().map(ToString::to_string).collect();
    listed.join("; ")
}
