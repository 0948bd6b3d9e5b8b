//! What rollback would do: point the alias to the previous version, after a probe of it and with the permissions it needs.

use super::change::{Action, Operation, Plan, Probe, Resource, Target, recovering};
use super::function::tried;
use super::role::widen_for;
use crate::exposure::Version;
use crate::fix::Fix;
use crate::ids::ALIAS;
use crate::observed::{Observed, deployed_config};
use crate::probe;
use crate::read::Read;
use crate::resources::{is_ours, role_policy};
use crate::trigger::Trigger;
use crate::version;

/// What rollback would do. The version is probed with `client`; `nonce` makes the user's name unique.
///
/// # Errors
/// Something that the plan needs was not read.
pub fn rollback(observed: &Observed, client: Option<&str>, nonce: &str) -> Read<Plan> {
    let names = &observed.names;
    let mut plan = Plan::new(names);
    recovering(&mut plan, observed);
    if names.given_function {
        plan.conflict(
            Resource::Alias,
            names.live_name(),
            "another tool made the function and moves its alias",
            "roll back with that tool; `verify` says whether what it leads to then is what is configured",
        );
        return Ok(plan);
    }
    let (Some(found), Some(alias)) = (observed.function()?, observed.alias.as_ref()?) else {
        plan.conflict(
            Resource::Alias,
            ALIAS,
            "the function or its alias is not there, so there is no version to go back from",
            Fix::ours("deploy", &names.pool.id, ""),
        );
        return Ok(plan);
    };
    if !is_ours(&found.function.tags, &names.pool) {
        plan.conflict(
            Resource::Function,
            &names.function,
            "the function of this name was not made by jane-migrate for this pool",
            "look at it; nothing of it is changed",
        );
        return Ok(plan);
    }
    let versions = observed.versions.as_ref()?;
    let Some(before) = before(versions, &alias.version) else {
        if newer(versions, &alias.version) {
            // An earlier run has done it.
            return Ok(plan);
        }
        plan.conflict(
            Resource::Version,
            &names.function,
            format!(
                "there is no version before {}, the one that customers meet",
                alias.version
            ),
            "restore the configuration that worked and deploy it",
        );
        return Ok(plan);
    };
    let number = &before.number;
    // The version's own settings show what it needs. If they cannot be read, the role stays as it is, and the probe shows
    // whether that is enough.
    if let (false, Some(config), Some(role)) = (
        names.given_role,
        deployed_config(&before.runs),
        observed.whole_role()?,
    ) {
        widen_for(&mut plan, &role, &role_policy(names, &config));
    }
    // The previous version may not support a trigger that the pool calls now.
    let triggers: Vec<Trigger> = observed
        .our_triggers()
        .map(|(trigger, _)| trigger)
        .collect();
    if let Some(client) = client {
        plan.change(
            Action::Probe,
            Resource::Version,
            number,
            tried(&triggers),
            Operation::Probe(Box::new(Probe {
                events: probe::events(&names.pool, client, &triggers, nonce),
                target: Target::Version(number.clone()),
                live: true,
                patient: !plan.changes.is_empty(),
            })),
        );
    }
    let live = versions.iter().find(|one| one.number == alias.version);
    let differs = live.map(|live| version::differences(&before.runs, &live.runs));
    let differs = differs.filter(|differs| !differs.is_empty());
    let differs = differs.map_or_else(String::new, |differs| format!(": {}", differs.join(", ")));
    plan.change(
        Action::Update,
        Resource::Alias,
        ALIAS,
        format!("version {} => {number}{differs}", alias.version),
        Operation::PointAlias {
            from: Some(alias.clone()),
            to: Some(number.clone()),
        },
    );
    Ok(plan.sorted())
}

fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

/// The version before this one: the newest of the older ones.
fn before<'a>(versions: &'a [Version], live: &str) -> Option<&'a Version> {
    let live = number(live)?;
    versions
        .iter()
        .filter(|version| number(&version.number).is_some_and(|number| number < live))
        .max_by_key(|version| number(&version.number))
}

/// Whether a newer version exists.
fn newer(versions: &[Version], live: &str) -> bool {
    let newer = |live| {
        let mut numbers = versions.iter().filter_map(|one| number(&one.number));
        numbers.any(|number| number > live)
    };
    number(live).is_some_and(newer)
}
