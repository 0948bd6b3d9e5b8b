//! Puts a pool and its clients back to the state of a snapshot.

use super::change::{Action, Operation, Plan, Resource, refuse, short};
use crate::document::{Decisions, Difference, Rewrite};
use crate::finding::{Finding, Severity};
use crate::fix::{Fix, fix};
use crate::kept::Kept;
use crate::observed::Observed;
use crate::read::Read;
use crate::trigger::Trigger;

/// What restore would do. Nothing is created or deleted: settings that updates cannot change are named for the
/// operator.
///
/// # Errors
/// Something that the plan needs was not read.
pub fn restore(observed: &Observed, kept: &Kept, unknown: &Decisions) -> Read<Plan> {
    let names = &observed.names;
    let pool = observed.pool()?;
    let clients = observed.clients.as_ref()?;
    let mut plan = Plan::new(names);
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
        match Rewrite::client_back(now, earlier, unknown) {
            Ok(rewrite) => change(&mut plan, Resource::Client, now.id(), rewrite),
            Err(refusal) => refuse(&mut plan, Resource::Client, now.id(), &refusal),
        }
    }
    let id = names.pool.id.as_str();
    let called = |trigger| kept.pool.trigger(trigger) == Some(&names.live_arn);
    if matches!(observed.function, Ok(None)) && Trigger::ALL.into_iter().any(called) {
        plan.conflict(
            Resource::Pool,
            id,
            format!(
                "the snapshot was taken while the migration was live: its triggers call {}, which no longer exists, and sign-ins would fail",
                short(&names.live_arn)
            ),
            "restore an earlier snapshot; or deploy first, and then restore this one",
        );
    }
    match Rewrite::pool_back(&pool.document, &kept.pool, unknown) {
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

fn shown(pool: &serde_json::Value, member: &str) -> String {
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
