//! The pool and our resources after a deploy, and every check that would then fail.

use super::change::{Operation, Plan};
use crate::check::{Asked, Check, Choice, Deploy, Subject, checks};
use crate::document::{ClientDocument, PoolDocument};
use crate::exposure::{Alias, Version};
use crate::finding::Finding;
use crate::ids::{ALIAS, LATEST, OLD_STATEMENT_ID, STAND_IN_ID, STATEMENT_ID};
use crate::observed::Observed;
use crate::permission::{Policy, statement_for};
use crate::read::Read;
use crate::resources::{Desired, Function, FunctionState, LogGroup, ObservedFunction, Role, tag};
use crate::watch;

/// The findings that `verify` would report after this deploy, and those that stop it.
pub(super) fn findings(
    plan: &Plan,
    desired: &Desired,
    observed: &Observed,
    asked: &Asked<'_>,
) -> Read<Vec<Finding>> {
    let made = made(plan, desired, observed, asked)?;
    let asked = Asked {
        // After an upload, the code is the one for this configuration.
        code_serves: asked.code_serves.filter(|_| !plan.needs_code()),
        ..asked.clone()
    };
    let subject = Subject::new(&made, &asked);
    let choice = Choice::default();
    let given = observed.names.given_function;
    let apply = |check: &Check| match check.deploy {
        Deploy::Stops => check.findings(&subject),
        // The snapshot for this check is not written yet.
        Deploy::Reports if given && check.id == "record-intact" => Vec::new(),
        // A deploy fixes nothing of another tool's function, so a finding about it stops the
        // deploy.
        Deploy::Reports if given && plan.conflicts.is_empty() => {
            let findings = check.findings(&subject).into_iter();
            let stops = !FIXED.contains(&check.id);
            findings.map(|one| one.stopping(stops)).collect()
        }
        // With a conflict, deploy creates nothing, and the future state is unknown.
        Deploy::Reports if plan.conflicts.is_empty() => check.findings(&subject),
        Deploy::Reports => Vec::new(),
    };
    let accepted = asked.config.map(|config| &config.verify.accept);
    Ok(checks()
        .filter(|check| choice.includes(check))
        .flat_map(apply)
        .filter(|finding| !finding.ok && !finding.unknown)
        .filter(|finding| accepted.is_none_or(|accepted| !accepted.contains_key(finding.id)))
        .collect())
}

/// The checks that a deploy fixes for another tool's function, or that are not about the function.
const FIXED: [&str; 7] = [
    "trigger-registered",
    "invoke-permission",
    "record-intact",
    "sign-up-guard",
    "jane-connection",
    "jane-knows-client",
    "window-open",
];

/// The state after the plan.
fn made(plan: &Plan, desired: &Desired, observed: &Observed, asked: &Asked<'_>) -> Read<Observed> {
    let mut made = observed.clone();
    // Another tool's function stays as it is.
    if !observed.names.given_function {
        let function = function(&desired.function, observed.function()?, plan);
        made.function = Ok(Some(function.clone()));
        made.behind = Ok(Some(function.clone()));
        made.live = Ok(Some(function));
        made.alias_gone = false;
        point_alias(&mut made);
        made.log_group = Ok(Some(LogGroup {
            tags: Default::default(),
            ..desired.log_group.clone()
        }));
    }
    // A given role stays as it is.
    if !observed.names.given_role {
        let Role {
            policies, boundary, ..
        } = desired.role.clone();
        let found = observed.role.as_ref()?.as_ref();
        if found.is_none() && boundary.is_none() {
            made.boundary = Ok(None);
        }
        made.role = Ok(Some(Role {
            boundary: boundary.or(found.and_then(|role| role.boundary.clone())),
            ..desired.role.clone()
        }));
        made.role_policies = Ok(policies);
        made.attached_policies = Ok(Default::default());
    }
    if let Some(config) = asked.config {
        let limit = *observed.concurrency_limit.as_ref()?;
        made.watch = Ok(watch::wanted(&observed.names, config, asked.today, limit));
    }
    if let Ok(policies) = &mut made.policies {
        let live = observed.names.live().map(str::to_owned);
        allow_pool(policies.entry(live).or_default(), observed);
        if plan
            .changes
            .iter()
            .any(|change| matches!(change.operation, Operation::ForbidInvoke(_)))
        {
            forget(policies.entry(None).or_default());
        }
    }
    for change in &plan.changes {
        match &change.operation {
            Operation::UpdateClient(rewrite) => {
                let after = ClientDocument::from_json(rewrite.update.expected().clone());
                if let (Ok(clients), Ok(after)) = (&mut made.clients, after)
                    && let Some(client) =
                        clients.iter_mut().find(|client| client.id() == after.id())
                {
                    *client = after;
                }
            }
            Operation::UpdatePool(rewrite) | Operation::MoveTrigger(rewrite) => {
                let after = PoolDocument::from_json(rewrite.update.expected().clone());
                if let (Ok(Some(pool)), Ok(after)) = (&mut made.pool, after) {
                    pool.document = after;
                }
            }
            _ => {}
        }
    }
    Ok(made)
}

/// Stands for the number of the version to be published, which is not known yet.
const NEXT: &str = "the new version";

/// The alias points to the published version; if the versions were listed, it is added to them.
fn point_alias(made: &mut Observed) {
    let Ok(Some(runs)) = made.behind.clone() else {
        return;
    };
    let alias = Alias {
        name: ALIAS.into(),
        version: NEXT.into(),
        shares: Vec::new(),
        revision: None,
        lease: None,
    };
    made.alias = Ok(Some(alias.clone()));
    if let Ok(aliases) = &mut made.aliases {
        aliases.retain(|alias| alias.name != ALIAS);
        aliases.push(alias);
    }
    if let Ok(versions) = &mut made.versions {
        versions.retain(|version| version.number != LATEST);
        for number in [LATEST, NEXT] {
            versions.push(Version {
                number: number.into(),
                runs: runs.clone(),
            });
        }
    }
}

fn allow_pool(policy: &mut Policy, observed: &Observed) {
    forget(policy);
    policy.statements.push(statement_for(&observed.names));
}

fn forget(policy: &mut Policy) {
    let ours = |id: &str| [STATEMENT_ID, OLD_STATEMENT_ID, STAND_IN_ID].contains(&id);
    policy
        .statements
        .retain(|statement| !statement["Sid"].as_str().is_some_and(ours));
}

fn function(desired: &Function, found: Option<&ObservedFunction>, plan: &Plan) -> ObservedFunction {
    let uploaded = plan.needs_code();
    let changed = plan.changes.iter().any(|change| {
        matches!(
            change.operation,
            Operation::CreateFunction(_) | Operation::UpdateFunction { .. }
        )
    });
    let mut made = match found {
        Some(found) => found.clone(),
        None => ObservedFunction::fresh(desired.clone()),
    };
    let mut tags = made.function.tags.clone();
    tags.extend(desired.tags.clone());
    made.function = Function {
        tags,
        ..desired.clone()
    };
    if uploaded {
        let digest = made.code_sha256.clone();
        made.function.tags.insert(tag::CODE.into(), digest);
    }
    if changed {
        made.state = FunctionState::Ready;
    }
    made
}
