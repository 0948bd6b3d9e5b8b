//! What deploy would do with the function, its versions and the alias that the pool calls. The function itself is changed first,
//! and customers do not use it; then it is published as a version, the version is probed, and only then the alias points to it.

use std::collections::BTreeMap;

use serde_json::json;

use super::change::{
    Action, Allowed, Operation, Plan, Probe, Resource, Target, foreign, missing_tags,
};
use super::shown;
use crate::fix::{Fix, fix};
use crate::ids::{ALIAS, Names};
use crate::observed::{Observed, PoolState, settings_of};
use crate::probe::{self, Source};
use crate::read::Read;
use crate::resources::{
    Environment, Function, FunctionState, ObservedFunction, Role, Tags, is_ours, tag,
};
use crate::trigger::{Trigger, listed};
use crate::version;

/// If the pool calls the function itself, puts the alias in between before the function changes.
pub(super) fn plan_adoption(plan: &mut Plan, observed: &Observed) -> Read<bool> {
    let Some(found) = observed.function()? else {
        return Ok(false);
    };
    // A failed function cannot be published; it is fixed first, and probed like every new version.
    let works = !matches!(found.state, FunctionState::Failed(_));
    if !(observed.calls_function_itself() && works) {
        return Ok(false);
    }
    let from = observed.alias.as_ref()?.clone();
    plan.change(
        action(&from),
        Resource::Alias,
        ALIAS,
        "leads to the function as it is, for the pool to call",
        Operation::Adopt {
            function: Box::new(found.clone()),
            from,
        },
    );
    Ok(true)
}

fn action<T>(from: &Option<T>) -> Action {
    match from {
        Some(_) => Action::Update,
        None => Action::Create,
    }
}

pub(super) fn plan_function(
    plan: &mut Plan,
    names: &Names,
    mut desired: Function,
    (role, own): (Option<&Role>, &Role),
    observed: &Observed,
    allowed: &Allowed,
) -> Read<()> {
    let size = environment_size(&desired.environment);
    if size > LARGEST_ENVIRONMENT {
        plan.conflict(
            Resource::Function,
            desired.name,
            format!(
                "the settings and secrets have {size} bytes as environment variables, and Lambda takes {LARGEST_ENVIRONMENT}"
            ),
            "shorten what is long in the configuration: one certificate in `ca_certificate` and no bundle, a view of the \
             database in place of a long `query`, secrets in Secrets Manager or SSM",
        );
        return Ok(());
    }
    desired.role_id = role.and_then(|role| role.id.clone());
    let Some(found) = observed.function()? else {
        let told = settings_of(&desired.environment).and_then(|settings| settings.on_migrated);
        let told = told.map(|told| format!("; tells of each migration by {}", told.summary()));
        let detail = format!(
            "{}, {} MB, {} s; alias {ALIAS}{}",
            desired.architecture.as_str(),
            desired.memory_mb,
            desired.timeout_s,
            told.unwrap_or_default()
        );
        plan.change(
            Action::Create,
            Resource::Function,
            desired.name.clone(),
            detail,
            Operation::CreateFunction(desired),
        );
        return Ok(());
    };
    if !is_ours(&found.function.tags, &names.pool)
        && foreign(plan, Resource::Function, &desired.name, allowed)
    {
        return Ok(());
    }
    let now = &found.function;
    let (settings, mut code, concurrency) = function_differences(&desired, found);
    // A role that this run creates is not the one that the function has, even with the same name.
    let made_again = match (&now.role_id, role) {
        (_, None) => true,
        // A run was interrupted while it did this, and left the spare role.
        _ if now.role_arn == names.spare_role_arn => true,
        (Some(then), Some(Role { id: Some(id), .. })) => then != id,
        _ => false,
    };
    if made_again && names.given_role && now.role_arn == desired.role_arn {
        plan.conflict(
            Resource::Role,
            &names.role,
            "the role was made again since the function was given it, so Lambda cannot decrypt the function's environment; no role may be made to give it the new one",
            fix![
                "take the migration away and deploy it again: `",
                Fix::ours("teardown", &names.pool.id, " --everything --force"),
                "`",
            ],
        );
        return Ok(());
    }
    // Deploy created this role, and with the current configuration nothing would delete it any more.
    if names.given_role && now.role_arn.ends_with(&format!("/{}", names.function)) {
        plan.conflict(
            Resource::Role,
            &names.function,
            format!(
                "the function runs as {}, which deploy made and would leave behind",
                now.role_arn
            ),
            fix![
                "leave role_arn out, run `",
                Fix::ours("teardown", &names.pool.id, " --everything"),
                "`, and deploy with role_arn",
            ],
        );
        return Ok(());
    }
    let renew = (made_again && !names.given_role).then(|| {
        Box::new(Role {
            name: names.spare_role.clone(),
            ..own.clone()
        })
    });
    // After a failure of Lambda, for any reason, the code is uploaded again; a trigger must not go live on a function that cannot
    // answer.
    let failed = [Some(found), observed.behind.as_ref()?.as_ref()]
        .into_iter()
        .flatten()
        .any(|found| matches!(found.state, FunctionState::Failed(_)));
    code |= failed;
    if code {
        desired.tags.extend(code_before(found, observed));
    }
    let untag: Vec<String> = now
        .tags
        .keys()
        .filter(|key| key.starts_with("jane-migrate:"))
        .filter(|key| !desired.tags.contains_key(*key))
        .filter(|key| ![tag::CODE, tag::CODE_BEFORE, tag::SNAPSHOT].contains(&key.as_str()))
        .cloned()
        .collect();
    let tags = !untag.is_empty() || !missing_tags(&desired.tags, &now.tags).is_empty();
    let mut details = settings.clone();
    if renew.is_some() {
        details.push("its role was made again: gives it the new one".into());
    }
    match &found.state {
        FunctionState::Ready | FunctionState::Inactive => {}
        FunctionState::Settling(what) => details.push(format!("waits, because it is {what}")),
        FunctionState::Failed(reason) => details.push(format!("failed: {reason}")),
    }
    if code {
        details.push("code".into());
    }
    details.extend(concurrency.clone());
    if tags && details.is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        let difference = shown::function(found, &desired, &untag);
        plan.change(
            Action::Update,
            Resource::Function,
            desired.name.clone(),
            details.join(", "),
            Operation::UpdateFunction {
                function: desired,
                renew,
                configuration: failed || !settings.is_empty(),
                code,
                settling: matches!(found.state, FunctionState::Settling(_)),
                concurrency: concurrency.is_some(),
                untag,
            },
        );
        plan.differs_by(difference);
    }
    Ok(())
}

/// The code that customers use until the alias points to the new one, and again after a rollback.
fn code_before(found: &ObservedFunction, observed: &Observed) -> Tags {
    let live = match &observed.behind {
        Ok(Some(behind)) => behind,
        _ => found,
    };
    let tags = &found.function.tags;
    let ours = [tag::CODE, tag::CODE_BEFORE]
        .iter()
        .any(|key| tags.get(*key) == Some(&live.code_sha256));
    let before = (tag::CODE_BEFORE.to_owned(), live.code_sha256.clone());
    Some(before).filter(|_| ours).into_iter().collect()
}

/// Publishes the function and points the alias to it, unless the alias already points to the same code and settings.
pub(super) fn plan_version(plan: &mut Plan, observed: &Observed, adopted: bool) -> Read<()> {
    let Some(found) = observed.function()? else {
        return Ok(());
    };
    let changed = plan.changes.iter().any(|change| match &change.operation {
        Operation::UpdateFunction {
            renew,
            configuration,
            code,
            ..
        } => renew.is_some() || *configuration || *code,
        _ => false,
    });
    let from = observed.alias.as_ref()?.clone();
    let (there, whole) = match (&from, observed.behind.as_ref()?) {
        (Some(alias), Some(behind)) => {
            let numbered = alias.version.bytes().all(|digit| digit.is_ascii_digit());
            let same = version::differences(behind, found).is_empty();
            (same && numbered, alias.shares.is_empty())
        }
        _ => (false, true),
    };
    if !changed && (adopted || (there && whole)) {
        return Ok(());
    }
    if changed || !there {
        plan.change(
            Action::Create,
            Resource::Version,
            &observed.names.function,
            "the function as it will be, under a number of its own",
            Operation::Publish(Box::new(found.clone())),
        );
    }
    let detail = match whole {
        true => "leads to the new version, once that has answered; the version before is kept",
        false => "leads to one version alone",
    };
    plan.change(
        action(&from.as_ref().map(drop).or(adopted.then_some(()))),
        Resource::Alias,
        ALIAS,
        detail,
        Operation::PointAlias { from, to: None },
    );
    Ok(())
}

/// Lambda's limit for all variables, in bytes.
const LARGEST_ENVIRONMENT: usize = 4096;

/// Lambda measures the JSON of all variables, with the escapes that it needs.
fn environment_size(environment: &Environment) -> usize {
    let variables = environment.iter();
    let variables: BTreeMap<_, _> = variables
        .map(|(name, value)| (name, value.expose()))
        .collect();
    json!(variables).to_string().len()
}

/// The differences as text: settings; code; reserved concurrency. Values of the environment are never shown.
fn function_differences(
    desired: &Function,
    found: &ObservedFunction,
) -> (Vec<String>, bool, Option<String>) {
    let Function {
        name: _,
        runtime,
        handler,
        architecture,
        memory_mb,
        timeout_s,
        role_arn,
        role_id: _,
        environment,
        kms_key_arn,
        vpc,
        layers,
        reserved_concurrency,
        tags,
    } = desired;
    let now = &found.function;
    let mut details = Vec::new();
    let mut differs = |what: &str, from: &str, to: &str| {
        if from != to {
            details.push(format!("{what}: {from} => {to}"));
        }
    };
    differs("runtime", &now.runtime, runtime);
    differs("handler", &now.handler, handler);
    differs(
        "memory",
        &format!("{} MB", now.memory_mb),
        &format!("{memory_mb} MB"),
    );
    differs(
        "timeout",
        &format!("{} s", now.timeout_s),
        &format!("{timeout_s} s"),
    );
    differs("role", &now.role_arn, role_arn);
    differs(
        "KMS key",
        now.kms_key_arn.as_deref().unwrap_or("Lambda's own"),
        kms_key_arn.as_deref().unwrap_or("Lambda's own"),
    );
    if now.vpc != *vpc {
        details.push("VPC".into());
    }
    if now.layers != *layers {
        details.push("layers".into());
    }
    let changed = shown::changed_variables(&now.environment, environment);
    if !changed.is_empty() {
        details.push(format!("environment: {}", changed.join(", ")));
    }
    // The tags contain the source digest of the deployed code and Lambda's digest of it; if either differs, the code differs.
    let code = now.architecture != *architecture
        || now.tags.get(tag::SOURCE) != tags.get(tag::SOURCE)
        || now.tags.get(tag::CODE) != Some(&found.code_sha256);
    let shown = |n: &Option<u32>| n.map_or("none".to_owned(), |n| n.to_string());
    let concurrency = (now.reserved_concurrency != *reserved_concurrency).then(|| {
        format!(
            "reserved concurrency: {} => {}",
            shown(&now.reserved_concurrency),
            shown(reserved_concurrency)
        )
    });
    (details, code, concurrency)
}

/// What is probed, as text.
pub(super) fn tried(triggers: &[Trigger]) -> String {
    let others = triggers
        .iter()
        .filter(|trigger| **trigger != Trigger::UserMigration);
    let others: Vec<&str> = others.map(|trigger| Source::of(*trigger).label()).collect();
    let tried = "tried with a user that does not exist";
    match others.is_empty() {
        true => tried.to_owned(),
        false => format!(
            "{tried}: {}",
            listed([Source::SignIn.label()].into_iter().chain(others))
        ),
    }
}

/// Probes the code before customers use it, and again before permissions are removed. The live version is probed too, whatever
/// changes: an earlier run may have ended because it did not answer. Without an app client there is no probe.
pub(super) fn plan_probes(
    plan: &mut Plan,
    names: &Names,
    pool: &PoolState,
    (client, triggers): (Option<&str>, &[Trigger]),
    nonce: &str,
) {
    let any = |is: fn(&Operation) -> bool| plan.changes.iter().any(|change| is(&change.operation));
    let published = any(|operation| {
        matches!(
            operation,
            Operation::Publish(_) | Operation::CreateFunction(_)
        )
    });
    let changed = any(|operation| !matches!(operation, Operation::NarrowRole { .. }));
    let narrowed = any(|operation| matches!(operation, Operation::NarrowRole { .. }));
    // The permissions that a sign-in needs, without the log: no response waits for it.
    let needed = |role: &Role| {
        let policies = role.policies.values();
        let statements = policies.filter_map(|policy| policy["Statement"].as_array());
        statements.flatten().count() > 1
    };
    let patient = plan.changes.iter().any(|change| match &change.operation {
        Operation::CreateRole(role) | Operation::WidenRole(role) => needed(role),
        Operation::UpdateFunction { renew, .. } => renew.is_some(),
        _ => false,
    });
    let Some(client) = client else {
        return;
    };
    let called = pool.document.our_triggers(names).next().is_some();
    let probe = |target, nonce: &str| {
        Box::new(Probe {
            events: probe::events(&names.pool, client, triggers, nonce),
            target,
            live: called,
            patient,
        })
    };
    let name = &names.function;
    // An alias with weighted versions is pointed to one of them.
    let remaining = plan
        .changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::PointAlias { from, to: None } => Some(from.as_ref()?.version.clone()),
            _ => None,
        });
    let target = match (published, remaining) {
        (true, _) => Target::Published,
        (false, Some(version)) => Target::Version(version),
        (false, None) => Target::Live,
    };
    if changed {
        plan.change(
            Action::Probe,
            Resource::Function,
            name,
            tried(triggers),
            Operation::Probe(probe(target, nonce)),
        );
    }
    if narrowed {
        plan.change(
            Action::Probe,
            Resource::Alias,
            ALIAS,
            "tried once more, before the role's rights are cut",
            Operation::ProbeLive(probe(Target::Live, &format!("{nonce}n"))),
        );
    }
}
