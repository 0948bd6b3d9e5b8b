//! What deploy would do with the function, its versions and the alias that the pool calls. The function itself is changed first, and
//! no customer meets it; it is then published as a version, the version is tried, and only then does the alias lead to it.

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

/// Where the pool calls the function itself, puts the alias in between, before anything of the function is changed.
pub(super) fn plan_adoption(plan: &mut Plan, observed: &Observed) -> Read<bool> {
    let Some(found) = observed.function()? else {
        return Ok(false);
    };
    // What failed cannot be published; it is mended first, and tried as every new version is.
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
    // A role that is made in this run is another one than the function was given, whatever its name.
    let made_again = match (&now.role_id, role) {
        (_, None) => true,
        // A run was cut short in the middle of it, and left the spare role.
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
    // Whatever stands in the configuration by now, this is the role that deploy made, and nothing would take it away any more.
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
    // Whatever it was that Lambda failed at, it is tried again; a trigger must not go live on a function that cannot answer.
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

/// The code that customers go on meeting, for as long as the new one is not behind the alias, and after a rollback.
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

/// Publishes the function and points the alias to it, where the alias leads to anything else than what the function will be.
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

/// The most Lambda keeps of variables, in bytes.
const LARGEST_ENVIRONMENT: usize = 4096;

/// As Lambda measures: the JSON of all variables, with the escapes that it needs.
fn environment_size(environment: &Environment) -> usize {
    let variables = environment.iter();
    let variables: BTreeMap<_, _> = variables
        .map(|(name, value)| (name, value.expose()))
        .collect();
    json!(variables).to_string().len()
}

/// What differs, in words: settings; code; reserved concurrency. Values of the environment are never shown.
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
    // The tags say what the deployed code was built from and what Lambda called it then; either being off means other code.
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

/// How the function is tried, in words.
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

/// Tries what customers will meet before they do, and once more before rights are taken away. Without an app client there is nobody
/// to try it as.
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
    let goes_live = any(|operation| {
        matches!(
            operation,
            Operation::UpdateFunction { .. } | Operation::UpdatePool(_) | Operation::MoveTrigger(_)
        )
    });
    let narrowed = any(|operation| matches!(operation, Operation::NarrowRole { .. }));
    // What a sign-in needs of it besides its log, which no answer waits for.
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
    let target = match published {
        true => Target::Published,
        false => Target::Live,
    };
    if published || goes_live {
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
