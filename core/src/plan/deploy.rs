//! What deploy would do: each resource as it is beside as it should be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::after;
use super::change::{
    Action, Allowed, Before, LeftAlone, Operation, Plan, Probe, Resource, missing_tags, refuse,
    set_trigger,
};
use super::keys;
use super::shown;
use crate::check::Asked;
use crate::document::{ClientDocument, Decisions, Opening, Rewrite, open_password_auth};
use crate::finding::{Finding, Severity};
use crate::ids::{Names, STAND_IN_ID, STATEMENT_ID};
use crate::observed::{Observed, PoolState};
use crate::permission::{self, Policy};
use crate::probe;
use crate::read::Read;
use crate::resources::{
    Desired, Environment, Function, FunctionState, LogGroup, ObservedFunction, Record, Role,
    is_ours, tag,
};

/// What deploy would do, and what speaks against it: every check that would fail afterwards.
///
/// # Errors
/// What the plan rests on was not read.
pub fn deploy(
    desired: &Desired,
    observed: &Observed,
    asked: &Asked<'_>,
    allowed: &Allowed,
) -> Read<Plan> {
    let names = &observed.names;
    let pool = observed.pool()?;
    let clients = observed.clients.as_ref()?;
    let function = observed.function()?;
    let role = observed.whole_role()?;
    let mut plan = Plan::new(names);
    let log_group = observed.whole_log_group()?;
    plan_log_group(
        &mut plan,
        names,
        &desired.log_group,
        log_group.as_ref(),
        allowed,
    );
    let mut record = Record::of(function, role.as_ref(), &names.pool);
    plan_clients(&mut plan, clients, allowed, &mut record.opened);
    plan_trigger(
        &mut plan,
        names,
        pool,
        allowed,
        &mut record.replaced_trigger,
    );
    // The record is kept before the clients and the pool are changed: whoever tears down after a run that was cut short finds it.
    let mut desired_role = desired.role.clone();
    desired_role.tags.extend(record.tags());
    plan_role(&mut plan, names, &desired_role, role.as_ref(), allowed);
    let mut desired_function = desired.function.clone();
    desired_function.tags.extend(record.tags());
    plan_function(&mut plan, names, desired_function, function, allowed);
    plan_permission(&mut plan, names, &observed.policy()?, allowed);
    keys::check(&mut plan, names, asked.config);
    if desired.function.tags.len() + record.tags().len() > MOST_TAGS {
        plan.conflict(
            Resource::Function,
            &names.function,
            format!(
                "the record of {} opened clients takes more tags than AWS allows a function",
                record.opened.len()
            ),
            "name the clients whose sign-ins migrate under [pool] clients",
        );
    }
    if let Some(nonce) = &allowed.probe {
        let client = observed.probing_client(asked.clients)?;
        let client = client.map(ClientDocument::id);
        plan_probe(&mut plan, names, pool, client, function, nonce);
    }
    let alone = observed.clients_left_alone(asked.clients)?;
    plan.left_alone = alone.into_iter().filter_map(LeftAlone::of).collect();
    plan.findings = after::findings(&plan, desired, observed, asked)?;
    plan.findings
        .extend(undecided(pool, clients, &allowed.unknown));
    Ok(plan.sorted())
}

/// What AWS allows a function or role, less the two that are added while applying.
const MOST_TAGS: usize = 50 - 2;

fn foreign(plan: &mut Plan, resource: Resource, name: &str, allowed: &Allowed) -> bool {
    if allowed.replace {
        return false;
    }
    plan.conflict(
        resource,
        name,
        format!(
            "a {} of this name exists and was not made by jane-migrate for this pool",
            resource.label()
        ),
        "look at it; `--replace` takes it over",
    );
    true
}

fn plan_log_group(
    plan: &mut Plan,
    names: &Names,
    desired: &LogGroup,
    found: Option<&LogGroup>,
    allowed: &Allowed,
) {
    let LogGroup {
        name,
        retention_days,
        created_ms: _,
        tags,
    } = desired;
    let keeps = |days: &Option<u32>| match days {
        Some(days) => format!("keeps {days} days"),
        None => "keeps for ever".to_owned(),
    };
    let Some(found) = found else {
        return plan.change(
            Action::Create,
            Resource::LogGroup,
            name,
            keeps(retention_days),
            Operation::CreateLogGroup(desired.clone()),
        );
    };
    if !is_ours(&found.tags, &names.pool) && foreign(plan, Resource::LogGroup, name, allowed) {
        return;
    }
    let mut details = Vec::new();
    if found.retention_days != *retention_days {
        details.push(format!(
            "{} => {}",
            keeps(&found.retention_days),
            keeps(retention_days)
        ));
    }
    if !missing_tags(tags, &found.tags).is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        plan.change(
            Action::Update,
            Resource::LogGroup,
            name,
            details.join(", "),
            Operation::UpdateLogGroup(desired.clone()),
        );
        plan.differs_by(shown::log_group(found, desired));
    }
}

fn plan_role(
    plan: &mut Plan,
    names: &Names,
    desired: &Role,
    found: Option<&Role>,
    allowed: &Allowed,
) {
    let Role {
        name,
        trust,
        policies,
        attached,
        boundary: _,
        tags,
    } = desired;
    let Some(found) = found else {
        return plan.change(
            Action::Create,
            Resource::Role,
            name,
            "for Lambda alone; writes its own logs",
            Operation::CreateRole(desired.clone()),
        );
    };
    if !is_ours(&found.tags, &names.pool) && foreign(plan, Resource::Role, name, allowed) {
        return;
    }
    let surplus: Vec<String> = found
        .policies
        .keys()
        .filter(|policy| !policies.contains_key(*policy))
        .cloned()
        .collect();
    let detach: Vec<String> = found
        .attached
        .iter()
        .filter(|arn| !attached.contains(arn))
        .cloned()
        .collect();
    let mut details = Vec::new();
    if found.trust != *trust {
        details.push("trust policy".to_owned());
    }
    if policies
        .iter()
        .any(|(policy, document)| found.policies.get(policy) != Some(document))
    {
        details.push("permissions".into());
    }
    if !surplus.is_empty() {
        details.push(format!("removes policy {}", surplus.join(", ")));
    }
    if !detach.is_empty() {
        details.push(format!("detaches {}", detach.join(", ")));
    }
    if !missing_tags(tags, &found.tags).is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        plan.change(
            Action::Update,
            Resource::Role,
            name,
            details.join(", "),
            Operation::UpdateRole {
                role: desired.clone(),
                surplus,
                detach,
            },
        );
        plan.differs_by(shown::role(found, desired));
    }
}

fn plan_function(
    plan: &mut Plan,
    names: &Names,
    desired: Function,
    found: Option<&ObservedFunction>,
    allowed: &Allowed,
) {
    let size = environment_size(&desired.environment);
    if size > LARGEST_ENVIRONMENT {
        return plan.conflict(
            Resource::Function,
            desired.name,
            format!(
                "the settings and secrets have {size} bytes as environment variables, and Lambda takes {LARGEST_ENVIRONMENT}"
            ),
            "shorten what is long in the configuration: one certificate in `ca_certificate` and no bundle, a view of the \
             database in place of a long `query`, secrets in Secrets Manager or SSM",
        );
    }
    let Some(found) = found else {
        let detail = format!(
            "{}, {} MB, {} s",
            desired.architecture.as_str(),
            desired.memory_mb,
            desired.timeout_s
        );
        return plan.change(
            Action::Create,
            Resource::Function,
            desired.name.clone(),
            detail,
            Operation::CreateFunction(desired),
        );
    };
    if !is_ours(&found.function.tags, &names.pool)
        && foreign(plan, Resource::Function, &desired.name, allowed)
    {
        return;
    }
    let (settings, mut code, concurrency) = function_differences(&desired, found);
    let untag: Vec<String> = found
        .function
        .tags
        .keys()
        .filter(|key| key.starts_with("jane-migrate:"))
        .filter(|key| !desired.tags.contains_key(*key))
        .filter(|key| *key != tag::CODE && *key != tag::SNAPSHOT)
        .cloned()
        .collect();
    let tags = !untag.is_empty() || !missing_tags(&desired.tags, &found.function.tags).is_empty();
    let mut details = settings.clone();
    // Whatever it was that Lambda failed at, it is tried again; a trigger must not go live on a function that cannot answer.
    let failed = matches!(found.state, FunctionState::Failed(_));
    code |= failed;
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
                configuration: failed || !settings.is_empty(),
                code,
                settling: matches!(found.state, FunctionState::Settling(_)),
                concurrency: concurrency.is_some(),
                untag,
            },
        );
        plan.differs_by(difference);
    }
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

fn plan_permission(plan: &mut Plan, names: &Names, policy: &Policy, allowed: &Allowed) {
    let detail = "cognito-idp.amazonaws.com for this pool only";
    let ours = policy.statement(STATEMENT_ID);
    if let Some(other) = ours.filter(|statement| !permission::names_cognito(statement))
        && !allowed.replace
    {
        return plan.conflict(
            Resource::Permission,
            STATEMENT_ID,
            format!(
                "a statement of this id lets somebody else invoke the function: {}",
                other["Principal"]
            ),
            "look at it; `--replace` puts ours in its place",
        );
    }
    // Left by a run that was cut short while it replaced ours.
    let stand_in = policy.statement(STAND_IN_ID).is_some();
    if !stand_in && ours.is_some_and(|statement| permission::is_for_pool(statement, &names.pool)) {
        return;
    }
    let action = match ours {
        Some(_) => Action::Update,
        None => Action::Create,
    };
    plan.change(
        action,
        Resource::Permission,
        STATEMENT_ID,
        detail,
        Operation::AllowInvoke {
            replaces: ours.is_some() || stand_in,
        },
    );
}

fn plan_clients(
    plan: &mut Plan,
    clients: &[ClientDocument],
    allowed: &Allowed,
    opened: &mut BTreeMap<String, String>,
) {
    let watched = |client: &&ClientDocument| {
        let named = allowed.clients.as_deref();
        named.is_none_or(|named| named.iter().any(|id| id == client.id()))
    };
    let has_users = |client: &&ClientDocument| client.without_users().is_none();
    for client in clients.iter().filter(watched).filter(has_users) {
        if !client.allows_password_auth() && !allowed.enable_password_auth {
            continue; // a check says so
        }
        let opening = open_password_auth(client, &allowed.unknown).and_then(|opening| {
            opening
                .map(|Opening { update, record }| {
                    Ok((
                        Rewrite::of_client(client, update, &allowed.unknown)?,
                        record,
                    ))
                })
                .transpose()
        });
        match opening {
            Ok(None) => {}
            Ok(Some((rewrite, record))) => {
                // What an earlier, interrupted run recorded is what the client was at first.
                opened
                    .entry(client.id().to_owned())
                    .or_insert_with(|| record.to_owned());
                plan.change(
                    Action::Update,
                    Resource::Client,
                    client.id(),
                    format!("{}: allows USER_PASSWORD_AUTH", client.name()),
                    Operation::UpdateClient(Box::new(rewrite)),
                );
            }
            Err(refusal) => refuse(plan, Resource::Client, client.id(), &refusal),
        }
    }
}

/// Plans the pool's change; `replaced` is the trigger to put back one day.
fn plan_trigger(
    plan: &mut Plan,
    names: &Names,
    pool: &PoolState,
    allowed: &Allowed,
    replaced: &mut Option<String>,
) {
    let now = pool.document.user_migration();
    match now {
        Some(arn) if names.is_our_function(arn) => return,
        Some(arn) if !allowed.replace => {
            return plan.conflict(
                Resource::Trigger,
                names.pool.id.to_string(),
                format!("the pool already has a user migration trigger: {arn}"),
                "`--replace` puts ours in its place and lets teardown put it back",
            );
        }
        now => *replaced = now.map(str::to_owned),
    }
    let ours = Some(names.function_arn.as_str());
    match set_trigger(&pool.document, ours, &allowed.unknown) {
        Ok(rewrite) => plan.change(
            Action::Update,
            Resource::Trigger,
            names.pool.id.to_string(),
            format!(
                "user migration: {} => {}",
                now.unwrap_or("none"),
                names.function
            ),
            Operation::UpdatePool(Box::new(rewrite)),
        ),
        Err(refusal) => refuse(plan, Resource::Trigger, names.pool.id.as_str(), &refusal),
    }
}

/// Decisions about settings that neither the pool nor a client has: misspelt, as a rule.
fn undecided(pool: &PoolState, clients: &[ClientDocument], decisions: &Decisions) -> Vec<Finding> {
    let clients = clients.iter().map(ClientDocument::json);
    let documents: Vec<&Value> = clients.chain([pool.document.json()]).collect();
    decisions
        .keys()
        .filter(|member| documents.iter().all(|document| document.get(*member).is_none()))
        .map(|member| {
            Finding::failed(
                "unknown-decision",
                Severity::Warning,
                format!("--unknown {member} is about a setting that neither the pool nor its clients have"),
                "the name of a setting as the plan gives it",
                member,
                "leave it out, or correct its spelling",
            )
        })
        .collect()
}

/// Tries the function before the trigger goes live, where the run changes what a customer would meet. Without an app client there
/// is nobody to try it as.
fn plan_probe(
    plan: &mut Plan,
    names: &Names,
    pool: &PoolState,
    client: Option<&str>,
    found: Option<&ObservedFunction>,
    nonce: &str,
) {
    let mut touched = false;
    let (mut configured, mut recoded) = (false, false);
    for change in &plan.changes {
        match change.operation {
            Operation::UpdateFunction {
                configuration,
                code,
                ..
            } => {
                touched = true;
                (configured, recoded) = (configuration, code);
            }
            Operation::CreateFunction(_) | Operation::UpdatePool(..) => touched = true,
            _ => {}
        }
    }
    let Some(client) = client.filter(|_| touched) else {
        return;
    };
    let trigger = pool.document.user_migration();
    let live = trigger.is_some_and(|arn| names.is_our_function(arn));
    let worked = found.filter(|found| {
        live && matches!(found.state, FunctionState::Ready | FunctionState::Inactive)
    });
    let probe = Probe {
        event: probe::event(&names.pool, client, probe::Source::SignIn, nonce),
        live,
        before: worked
            .filter(|_| configured || recoded)
            .map(|found| Before {
                function: found.function.clone(),
                code_sha256: found.code_sha256.clone(),
                configured,
                recoded,
            }),
    };
    plan.change(
        Action::Probe,
        Resource::Function,
        &names.function,
        "tried with a user that does not exist",
        Operation::Probe(Box::new(probe)),
    );
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::{HandlerSettings, parse};
    use serde_json::json;

    use super::*;
    use crate::document::PoolDocument;
    use crate::facts::pool_facts;

    const ARN: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";

    fn plan_for(clients: usize) -> Plan {
        let names = Names::new(ARN.parse().unwrap());
        let toml = "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n";
        let config = parse(toml, "migrate.toml").unwrap();
        let pool = json!({ "Id": "us-east-1_Ab1", "Name": "Roots", "Arn": ARN });
        let pool = PoolDocument::from_json(pool).unwrap();
        let settings = HandlerSettings::new(&config, &pool_facts(&pool, &Value::Null));
        let client = |n| {
            let client = json!({ "UserPoolId": "us-east-1_Ab1", "ClientId": format!("{n:026}"),
                "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"] });
            ClientDocument::from_json(client).unwrap()
        };
        let observed = Observed {
            pool: Ok(Some(PoolState {
                document: pool,
                mfa: Ok(Value::Null),
            })),
            clients: Ok((0..clients).map(client).collect()),
            function: Ok(None),
            live: Ok(None),
            policies: Ok(BTreeMap::new()),
            role: Ok(None),
            log_group: Ok(None),
            ..Observed::nothing(names.clone())
        };
        let desired = Desired::new(&names, &config, &settings, "source", Default::default());
        let allowed = Allowed {
            enable_password_auth: true,
            ..Allowed::default()
        };
        let asked = Asked {
            config: Some(&config),
            clients: None,
            snapshots: &[],
            today: "2026-11-26".parse().unwrap(),
            code_serves: None,
        };
        deploy(&desired, &observed, &asked, &allowed).unwrap()
    }

    #[test]
    fn a_record_that_no_function_can_hold_stops_the_deploy() {
        let plan = plan_for(150);
        assert!(
            !plan.is_blocked(),
            "{:?} {:?}",
            plan.conflicts,
            plan.findings
        );
        let record = plan
            .changes
            .iter()
            .find_map(|change| match &change.operation {
                Operation::CreateRole(role) => Some(&role.tags),
                _ => None,
            });
        let opened = Record {
            opened: (0..150)
                .map(|n| (format!("{n:026}"), "ALLOW_USER_PASSWORD_AUTH".into()))
                .collect(),
            replaced_trigger: None,
        };
        assert!(missing_tags(&opened.tags(), record.unwrap()).is_empty());

        let plan = plan_for(250);
        assert!(plan.is_blocked());
        assert!(
            plan.conflicts[0].message.contains("250 opened clients"),
            "{:?}",
            plan.conflicts
        );
    }
}
