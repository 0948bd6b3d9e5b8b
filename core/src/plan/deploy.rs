//! What deploy would do: compares each resource with its desired state.

use std::collections::BTreeMap;

use serde_json::Value;

use super::after;
use super::change::{
    Action, Allowed, Change, LeftAlone, Operation, Plan, Resource, foreign, missing_tags, refuse,
    set_triggers, short,
};
use super::function::{plan_adoption, plan_function, plan_probes, plan_version};
use super::keys;
use super::role::plan_role;
use super::shown;
use super::watch::plan_watch;
use crate::check::Asked;
use crate::document::{
    ClientDocument, Decisions, Opening, PoolDocument, Rewrite, open_password_auth,
};
use crate::finding::{Finding, Severity};
use crate::ids::{ALIAS, Names, OLD_STATEMENT_ID, STAND_IN_ID, STATEMENT_ID, plain_name};
use crate::observed::{Observed, PoolState};
use crate::permission::{self, Policy};
use crate::read::Read;
use crate::record::{self, Doubt, Place, Record, Records, Trust};
use crate::resources::{Desired, LogGroup, Tags, is_ours};
use crate::retention;
use crate::trigger::Trigger;
use crate::watch;

/// What deploy would do if it creates the function itself.
pub(super) fn deploy(
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
    let mut desired = desired.clone();
    let why = keep_log(&mut desired.log_group, log_group.as_ref(), asked);
    let logs = (&desired.log_group, why.as_deref());
    plan_log_group(&mut plan, names, logs, log_group.as_ref(), allowed);
    let records = Records::of(function, role.as_ref(), &names.pool);
    let mut opened = BTreeMap::new();
    // The migration is over if the window has closed and teardown has removed its trigger.
    let is_on = |trigger: Trigger| {
        let asked_for = |config| trigger.is_on(config, asked.today);
        asked.config.is_none_or(asked_for)
            || (trigger == Trigger::UserMigration && observed.calls_us(trigger))
    };
    if is_on(Trigger::UserMigration) {
        plan_clients(&mut plan, clients, allowed, &mut opened);
    }
    let adopted = plan_adoption(&mut plan, observed)?;
    let pool_triggers = PoolTriggers {
        names,
        pool: &pool.document,
        adopted,
        allowed,
        records: &records,
        trust: Trust {
            snapshots: asked.snapshots,
            ..Trust::default()
        },
    };
    let replaced = pool_triggers.plan(&mut plan, &is_on);
    // The record is written before the clients and the pool change: a teardown after an interrupted run finds it.
    let recorded = |place, found: Option<&Tags>| {
        let found = found.cloned().unwrap_or_default();
        let (mut record, there) = match records.at(place) {
            Some(own) => (own.clone(), found),
            // It is created, or taken over.
            None => (records.for_new(place), record::forgotten(&found)),
        };
        for (client, word) in &opened {
            let client = record.opened.entry(client.clone());
            client.or_insert_with(|| word.clone());
        }
        for (trigger, arn) in &replaced {
            match arn {
                Some(arn) => record.replaced.insert(*trigger, arn.clone()),
                None => record.replaced.remove(trigger),
            };
        }
        record.tags_beside(&there)
    };
    let role_tags = role.as_ref().map(|role| &role.tags);
    let role_tags = recorded(Place::Role, role_tags);
    desired.role.tags.extend(role_tags);
    plan_role(&mut plan, names, &desired.role, role.as_ref(), allowed);
    let function_tags = function.map(|function| &function.function.tags);
    let function_tags = recorded(Place::Function, function_tags);
    desired.function.tags.extend(function_tags);
    plan_function(
        &mut plan,
        names,
        desired.function.clone(),
        (role.as_ref(), &desired.role),
        observed,
        allowed,
    )?;
    plan_version(&mut plan, observed, adopted)?;
    let policy = observed.policy(Some(ALIAS))?;
    plan_permission(&mut plan, names, &policy, adopted, allowed);
    plan_old_permission(&mut plan, names, &observed.policy(None)?);
    if let Some(config) = asked.config {
        let found = observed.watch.as_ref()?;
        let limit = *observed.concurrency_limit.as_ref()?;
        let wanted = watch::wanted(names, config, asked.today, limit);
        plan_watch(&mut plan, names, &wanted, found, allowed);
    }
    keys::check(&mut plan, names, asked.config);
    if desired.function.tags.len() > MOST_TAGS {
        plan.conflict(
            Resource::Function,
            &names.function,
            format!(
                "the record of {} opened clients takes more tags than AWS allows a function",
                Record::of(&desired.function.tags).opened.len()
            ),
            "name the clients whose sign-ins migrate under [pool] clients",
        );
    }
    concluded(plan, &desired, observed, asked, allowed, &is_on)
}

/// The plan with the probe, the clients that are not changed, and the findings.
pub(super) fn concluded(
    mut plan: Plan,
    desired: &Desired,
    observed: &Observed,
    asked: &Asked<'_>,
    allowed: &Allowed,
    is_on: &dyn Fn(Trigger) -> bool,
) -> Read<Plan> {
    let (pool, clients) = (observed.pool()?, observed.clients.as_ref()?);
    if let Some(nonce) = &allowed.probe {
        let client = observed.probing_client(asked.clients)?;
        let client = client.map(ClientDocument::id);
        let triggers: Vec<Trigger> = Trigger::ALL
            .into_iter()
            .filter(|trigger| is_on(*trigger))
            .collect();
        plan_probes(&mut plan, &observed.names, pool, (client, &triggers), nonce);
    }
    let alone = observed.clients_left_alone(asked.clients)?;
    plan.left_alone = alone.into_iter().filter_map(LeftAlone::of).collect();
    plan.findings = after::findings(&plan, desired, observed, asked)?;
    plan.findings
        .extend(undecided(pool, clients, &allowed.unknown));
    Ok(plan.sorted())
}

/// AWS's limit of tags for a function or role, minus three more: two digests of code, one of the snapshot.
const MOST_TAGS: usize = 50 - 3;

/// Decides how long the log is kept if the configuration does not, and returns the reason.
fn keep_log(group: &mut LogGroup, found: Option<&LogGroup>, asked: &Asked<'_>) -> Option<String> {
    if group.retention_days.is_some() {
        return None;
    }
    let closes = asked.config.and_then(|config| config.window.closes);
    let (days, why) = retention::by_default(closes, found, asked.today);
    group.retention_days = Some(days);
    Some(why)
}

fn plan_log_group(
    plan: &mut Plan,
    names: &Names,
    (desired, why): (&LogGroup, Option<&str>),
    found: Option<&LogGroup>,
    allowed: &Allowed,
) {
    let LogGroup {
        name,
        retention_days,
        kms_key_arn,
        created_ms: _,
        tags,
    } = desired;
    let keeps = |days: &Option<u32>| match days {
        Some(days) => format!("keeps {days} days"),
        None => "keeps for ever".to_owned(),
    };
    let for_long = || match why {
        Some(why) => format!("{}: {why}", keeps(retention_days)),
        None => keeps(retention_days),
    };
    let Some(found) = found else {
        return plan.change(
            Action::Create,
            Resource::LogGroup,
            name,
            for_long(),
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
            for_long()
        ));
    }
    let key = |key: &Option<String>| key.clone().unwrap_or("CloudWatch's own".into());
    let other_key = found.kms_key_arn != *kms_key_arn;
    if other_key {
        details.push(format!(
            "KMS key: {} => {}",
            key(&found.kms_key_arn),
            key(kms_key_arn)
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
            Operation::UpdateLogGroup {
                group: desired.clone(),
                key: other_key,
            },
        );
        plan.differs_by(shown::log_group(found, desired));
    }
}

fn plan_permission(
    plan: &mut Plan,
    names: &Names,
    policy: &Policy,
    adopted: bool,
    allowed: &Allowed,
) {
    let made_late = |change: &Change| {
        matches!(change.operation, Operation::PointAlias { from: None, .. }) && !adopted
    };
    let early = !plan.changes.iter().any(made_late);
    let detail = "cognito-idp.amazonaws.com for this pool only";
    let ours = policy.statement(STATEMENT_ID);
    if let Some(other) = ours.filter(|statement| !permission::names_cognito(statement))
        && !allowed.replace
    {
        return plan.conflict(
            Resource::Permission,
            STATEMENT_ID,
            format!(
                "a statement of this id lets another caller invoke alias `{ALIAS}`: {}",
                other["Principal"]
            ),
            "look at it; `--replace` puts ours in its place",
        );
    }
    // Left by a run that was interrupted while it replaced ours.
    let stand_in = policy.statement(STAND_IN_ID).is_some();
    let good = ours.is_some_and(|statement| permission::is_for_pool(statement, names));
    // An adoption already lets Cognito invoke; a wrong statement with our id is still replaced.
    if !stand_in && (good || (ours.is_none() && adopted)) {
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
            early,
        },
    );
}

/// Removes the statements that let Cognito invoke the function itself, from versions of this tool without the alias.
fn plan_old_permission(plan: &mut Plan, names: &Names, policy: &Policy) {
    let ours = [OLD_STATEMENT_ID, STAND_IN_ID].into_iter().filter(|id| {
        let statement = policy.statement(id);
        statement.is_some_and(|statement| permission::lets_in_only(statement, &names.pool))
    });
    let ids: Vec<&'static str> = ours.collect();
    if !ids.is_empty() {
        plan.change(
            Action::Delete,
            Resource::Permission,
            OLD_STATEMENT_ID,
            "the pool calls the alias",
            Operation::ForbidInvoke(ids),
        );
    }
}

pub(super) fn plan_clients(
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
            continue; // a check reports it
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
                opened.insert(client.id().to_owned(), record.to_owned());
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

/// The pool's triggers, now and in the plan.
pub(super) struct PoolTriggers<'a> {
    pub names: &'a Names,
    pub pool: &'a PoolDocument,
    /// The alias is put between the pool and the function.
    pub adopted: bool,
    pub allowed: &'a Allowed,
    pub records: &'a Records,
    pub trust: Trust<'a>,
}

/// The triggers that a teardown puts back; `None`: it only removes ours.
pub(super) type Replaced = BTreeMap<Trigger, Option<String>>;

/// A trigger, its new target, and the text for the plan.
type Setting = (Trigger, Option<String>, String);

impl PoolTriggers<'_> {
    /// Plans at most two changes of the pool: before the function changes, remove what the pool must not call meanwhile; after
    /// the probe, set what it calls from then on. Returns the triggers to put back later, if this run replaces any.
    pub(super) fn plan(&self, plan: &mut Plan, is_on: &dyn Fn(Trigger) -> bool) -> Replaced {
        let names = self.names;
        let mut replaced = Replaced::new();
        let (mut first, mut last): (Vec<Setting>, Vec<Setting>) = Default::default();
        for trigger in Trigger::ALL {
            let now = self.pool.trigger(trigger);
            let ours = now.is_some_and(|arn| names.is_our_function(arn));
            let said = |to: &str| {
                let from = now.unwrap_or("none");
                let from = if ours { short(from) } else { from };
                format!("{}: {from} => {to}", trigger.label())
            };
            if !is_on(trigger) {
                if ours {
                    let back = match self.records.replaced(trigger, names, &self.trust) {
                        Ok(back) => back.map(str::to_owned),
                        Err(doubt) => {
                            self.doubted(plan, trigger, &doubt);
                            continue;
                        }
                    };
                    let to = said(back.as_deref().unwrap_or("none"));
                    first.push((trigger, back, to));
                }
                continue;
            }
            match now {
                Some(arn) if arn == names.live_arn => continue,
                Some(_) if ours => {}
                Some(arn) if !self.allowed.replace => {
                    let ours = plain_name(&names.pool.id, &names.pool.region);
                    plan.conflict(
                        Resource::Trigger,
                        names.pool.id.to_string(),
                        format!("the pool already has a {} trigger: {arn}", trigger.label()),
                        match short(arn).contains(&ours) {
                            true => "it looks like jane-migrate's own under another name_prefix: set that one under [function] again, or run `jane-migrate teardown --everything` with it first",
                            false => "`--replace` puts ours in its place and lets teardown put it back",
                        },
                    );
                    continue;
                }
                now => {
                    replaced.insert(trigger, now.map(str::to_owned));
                }
            }
            let to = said(&names.live_name());
            let settings = match self.adopted && ours {
                true => &mut first,
                false => &mut last,
            };
            settings.push((trigger, Some(names.live_arn.clone()), to));
        }
        let moved = self.change(plan, self.pool, first, |rewrite| {
            Operation::MoveTrigger(Box::new(rewrite))
        });
        let pool = moved.as_ref().unwrap_or(self.pool);
        self.change(plan, pool, last, |rewrite| {
            Operation::UpdatePool(Box::new(rewrite))
        });
        replaced
    }

    /// The conflict for a trigger that is turned off, if the record of the one to put back is not trusted.
    fn doubted(&self, plan: &mut Plan, trigger: Trigger, doubt: &Doubt) {
        let what = format!("the {} trigger to put back", trigger.label());
        plan.conflict(
            Resource::Trigger,
            self.names.pool.id.to_string(),
            format!("{} ({})", doubt.explain(&what), doubt.found()),
            "find out what changed the tags (CloudTrail has TagResource of Lambda and TagRole of IAM), and give both the right value",
        );
    }

    /// Plans one change of the pool; returns the pool after it.
    fn change(
        &self,
        plan: &mut Plan,
        pool: &PoolDocument,
        settings: Vec<Setting>,
        operation: impl Fn(Rewrite) -> Operation,
    ) -> Option<PoolDocument> {
        if settings.is_empty() {
            return None;
        }
        let (id, unknown) = (self.names.pool.id.as_str(), &self.allowed.unknown);
        let triggers = settings.iter();
        let triggers: Vec<_> = triggers
            .map(|(trigger, arn, _)| (*trigger, arn.as_deref()))
            .collect();
        match set_triggers(pool, &triggers, unknown) {
            Ok(rewrite) => {
                let after = PoolDocument::from_json(rewrite.update.expected().clone());
                let details: Vec<&str> = settings.iter().map(|(.., said)| &**said).collect();
                let action = match settings.iter().all(|(_, arn, _)| arn.is_none()) {
                    true => Action::Delete,
                    false => Action::Update,
                };
                let operation = operation(rewrite);
                plan.change(action, Resource::Trigger, id, details.join("; "), operation);
                after.ok()
            }
            Err(refusal) => {
                refuse(plan, Resource::Trigger, id, &refusal);
                None
            }
        }
    }
}

/// Decisions about settings that neither the pool nor a client has: usually a typing mistake.
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
            alias: Ok(None),
            behind: Ok(None),
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
    fn a_record_with_too_many_tags_stops_the_deploy() {
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
            replaced: BTreeMap::new(),
        };
        assert_eq!(Record::of(record.unwrap()), opened);

        let plan = plan_for(250);
        assert!(plan.is_blocked());
        assert!(
            plan.conflicts[0].message.contains("250 opened clients"),
            "{:?}",
            plan.conflicts
        );
    }
}
