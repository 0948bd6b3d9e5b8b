//! What deploy and teardown would do with another tool's function: let Cognito invoke it, make the pool's triggers call it,
//! change clients; nothing of the function, its role or its log group is changed. There is no alias or role of ours for a lease,
//! so only the comparison before each write protects against a second run.

use std::collections::BTreeMap;

use super::change::{Action, Allowed, Operation, Plan, Resource};
use super::deploy::{PoolTriggers, concluded, plan_clients};
use super::role::plan_role;
use super::watch::plan_watch;
use crate::check::Asked;
use crate::fix::{Fix, fix};
use crate::ids::{Names, digest_of_statement};
use crate::observed::Observed;
use crate::permission::{self, Policy};
use crate::read::Read;
use crate::record::{Record, Records, Trust, given_statements};
use crate::resources::Desired;
use crate::trigger::Trigger;
use crate::watch;

pub(super) fn deploy(
    desired: &Desired,
    observed: &Observed,
    asked: &Asked<'_>,
    allowed: &Allowed,
) -> Read<Plan> {
    let names = &observed.names;
    let pool = observed.pool()?;
    let clients = observed.clients.as_ref()?;
    let role = observed.whole_role()?;
    let policy = observed.policy(names.live())?;
    let records = Records::given(&policy, asked.snapshots);
    let mut plan = Plan::new(names);
    is_there(&mut plan, observed)?;
    plan_role(&mut plan, names, &desired.role, role.as_ref(), allowed);
    let is_on = |trigger: Trigger| {
        let asked_for = |config| trigger.is_on(config, asked.today);
        asked.config.is_none_or(asked_for)
            || (trigger == Trigger::UserMigration && observed.calls_us(trigger))
    };
    let mut opened = BTreeMap::new();
    if is_on(Trigger::UserMigration) {
        plan_clients(&mut plan, clients, allowed, &mut opened);
    }
    let replaced = PoolTriggers {
        names,
        pool: &pool.document,
        adopted: false,
        allowed,
        records: &records,
        trust: Trust::default(),
    }
    .plan(&mut plan, &is_on);
    let mut record = records.snapshot.clone().unwrap_or_default();
    for (client, word) in opened {
        record.opened.entry(client).or_insert(word);
    }
    for (trigger, arn) in replaced {
        match arn {
            Some(arn) => record.replaced.insert(trigger, arn),
            None => record.replaced.remove(&trigger),
        };
    }
    plan_statement(&mut plan, names, &policy, &records, record);
    if let Some(config) = asked.config {
        let found = observed.watch.as_ref()?;
        let limit = *observed.concurrency_limit.as_ref()?;
        let wanted = watch::wanted(names, config, asked.today, limit);
        plan_watch(&mut plan, names, &wanted, found, allowed);
    }
    concluded(plan, desired, observed, asked, allowed, &is_on)
}

/// Checks that the function exists, with the alias or version that the pool is to call.
fn is_there(plan: &mut Plan, observed: &Observed) -> Read<()> {
    let names = &observed.names;
    let settings = Fix::ours("settings", &names.pool.id, "");
    if observed.function.as_ref()?.is_none() {
        plan.conflict(
            Resource::Function,
            &names.function,
            format!("there is no function {}", names.function_arn),
            fix![
                "let the tool that owns it make it, of the zip of `jane-migrate build` and with what `",
                settings,
                "` prints",
            ],
        );
    } else if let (Some(qualifier), None) = (names.live(), observed.behind.as_ref()?) {
        plan.conflict(
            Resource::Alias,
            qualifier,
            format!(
                "function {} has no alias or version {qualifier}",
                names.function
            ),
            "let the tool that owns the function make it, or name another one as arn under [function]",
        );
    }
    Ok(())
}

/// Lets Cognito invoke the function, with a statement whose id names the snapshot that records deploy's changes.
fn plan_statement(
    plan: &mut Plan,
    names: &Names,
    policy: &Policy,
    records: &Records,
    record: Record,
) {
    let ours = |id: &&str| {
        let statement = policy.statement(id);
        statement.is_some_and(|statement| permission::is_for_pool(statement, names))
    };
    let all: Vec<String> = given_statements(policy).map(str::to_owned).collect();
    let good: Vec<&str> = given_statements(policy).filter(ours).collect();
    let known = records.snapshot.as_ref();
    let settled = match known {
        Some(known) => *known == record,
        // The snapshot is on another machine; if this run changes nothing more, it is not needed here.
        None => record == Record::default(),
    };
    if let ([_], [_], true) = (&all[..], &good[..], settled) {
        return;
    }
    if let (Some(id), None) = (all.first(), known) {
        return plan.conflict(
            Resource::Permission,
            id,
            "the changes of an earlier deploy are in a snapshot that is not on this machine, and this run would change more",
            fix![
                format!(
                    "put {} next to the configuration, as deploy wrote it",
                    file_of(names, id)
                ),
            ],
        );
    }
    let action = match all.is_empty() {
        true => Action::Create,
        false => Action::Update,
    };
    plan.change(
        action,
        Resource::Permission,
        names.live_name(),
        "cognito-idp.amazonaws.com for this pool only",
        Operation::Attach { record, stale: all },
    );
}

/// Stops a teardown if the record is not on this machine, unless it is to continue without.
pub(super) fn missing_record(
    plan: &mut Plan,
    names: &Names,
    policy: &Policy,
    records: &Records,
    allowed: &Allowed,
) {
    let (Some(id), None, None) = (
        given_statements(policy).next(),
        &records.snapshot,
        allowed.trust,
    ) else {
        return;
    };
    plan.conflict(
        Resource::Permission,
        id,
        format!(
            "the changes of deploy are recorded in {}, which is not next to the configuration, or was changed",
            file_of(names, id)
        ),
        fix![
            "put it there as deploy wrote it; where it is lost, `",
            Fix::ours("teardown", &names.pool.id, " --trust function"),
            "` takes the trigger away, puts none back and closes no app client",
        ],
    );
}

/// The snapshot that a statement's id names.
fn file_of(names: &Names, id: &str) -> String {
    let digest = digest_of_statement(id).unwrap_or_default();
    let begin = digest.get(..8).unwrap_or(digest);
    format!("jane-migrate.{}.{begin}.snapshot.json", names.pool.id)
}

/// Removes our statements, or keeps what other triggers of the pool need.
pub(super) fn detach(
    plan: &mut Plan,
    names: &Names,
    policy: &Policy,
    records: &Records,
    all: bool,
) {
    let ids: Vec<String> = given_statements(policy).map(str::to_owned).collect();
    if ids.is_empty() {
        return;
    }
    if all {
        return plan.change(
            Action::Delete,
            Resource::Permission,
            names.live_name(),
            "",
            Operation::Detach { statements: ids },
        );
    }
    let Some(record) = &records.snapshot else {
        return;
    };
    let rest = record.without_migration();
    if rest != *record {
        plan.change(
            Action::Update,
            Resource::Permission,
            names.live_name(),
            "stays for other triggers, and no longer names what was taken back",
            Operation::Attach {
                record: rest,
                stale: ids,
            },
        );
    }
}
