//! What teardown would do, from the observed state only: delete our resources, and put back what deploy changed.

use super::attach;
use super::change::{
    Action, Allowed, Operation, Plan, Resource, recovering, refuse, set_triggers, short,
};
use super::role::INTERFACES;
use super::watch::take_away;
use crate::document::{ClientDocument, Reason, Rewrite, close_password_auth};
use crate::finding::{Finding, Severity};
use crate::fix::{Fix, fix};
use crate::ids::Names;
use crate::observed::{Observed, PoolState};
use crate::read::Read;
use crate::record::{self, Doubt, Records, Trust};
use crate::resources::{ObservedFunction, Role, Tags, is_ours, tag};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;
use crate::watch::is_exported;

/// How much teardown removes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent {
    /// `--everything`: also what triggers other than the migration's need.
    pub everything: bool,
    /// `--keep-logs`: without the log group.
    pub keep_logs: bool,
}

/// The triggers that still call the function after this teardown.
pub fn remaining(observed: &Observed, extent: Extent) -> Vec<Trigger> {
    let others = observed.our_triggers().map(|(trigger, _)| trigger);
    let stays = |trigger: &Trigger| !extent.everything && *trigger != Trigger::UserMigration;
    others.filter(stays).collect()
}

/// What teardown would do.
///
/// # Errors
/// Something that the plan needs was not read.
pub fn teardown(
    observed: &Observed,
    extent: Extent,
    snapshots: &[Snapshot],
    allowed: &Allowed,
) -> Read<Plan> {
    let names = &observed.names;
    let pool = observed.pool.as_ref()?.as_ref();
    let (found_role, found_group) = (observed.whole_role()?, observed.whole_log_group()?);
    let mut plan = Plan::new(names);
    let is_ours = |tags: &Tags| is_ours(tags, &names.pool);
    let (function, foreign_function) = split(observed.function()?, |function| {
        is_ours(&function.function.tags)
    });
    let (role, foreign_role) = split(found_role.as_ref(), |role| is_ours(&role.tags));
    let (group, foreign_group) = split(found_group.as_ref(), |group| is_ours(&group.tags));

    recovering(&mut plan, observed);
    let given = match names.given_function {
        true => Some(observed.policy(names.live())?),
        false => None,
    };
    let records = match &given {
        Some(policy) => Records::given(policy, snapshots),
        None => Records::of(function, role, &names.pool),
    };
    let trust = Trust {
        alone: allowed.trust,
        account: allowed.trigger_account.as_deref(),
        snapshots,
    };
    if let Some(pool) = pool {
        if !foreign_function || names.given_function {
            plan_triggers(&mut plan, names, pool, &records, &trust, extent, allowed);
        }
        let clients = observed.clients.as_ref()?;
        plan_clients(&mut plan, names, clients, &records, &trust, allowed);
    }
    if let Some(policy) = &given {
        attach::missing_record(&mut plan, names, policy, &records, allowed);
    }
    let recorded = function.is_some() || role.is_some() || records.snapshot.is_some();
    if !recorded && !plan.changes.is_empty() {
        plan.findings.push(no_record(names));
    }
    let left = observed.import_role.as_ref()?.as_ref();
    if left.is_some_and(|role| is_ours(&role.tags)) {
        plan.change(
            Action::Delete,
            Resource::Role,
            &names.import_role,
            "left by an import that was stopped",
            Operation::DeleteImportRole,
        );
    }
    let ends = remaining(observed, extent).is_empty();
    if let Some(policy) = &given {
        attach::detach(&mut plan, names, policy, &records, ends);
        let watch = observed.watch.as_ref()?;
        if ends && !is_exported(watch) {
            take_away(&mut plan, names, watch.iter());
        }
        return Ok(plan);
    }
    if !ends {
        forget(&mut plan, names, function, role);
        return Ok(plan);
    }
    take_away(&mut plan, names, observed.watch.as_ref()?.iter());
    let mut delete = |resource, name: &str, detail: &str, operation| {
        plan.change(Action::Delete, resource, name, detail, operation);
    };
    if function.is_some() {
        let operation = Operation::DeleteFunction {
            record: records.function.unwrap_or_default(),
        };
        delete(Resource::Function, &names.function, "", operation);
    }
    if group.is_some() && !extent.keep_logs {
        let operation = Operation::DeleteLogGroup;
        delete(Resource::LogGroup, &names.log_group, "", operation);
    }
    if let Some(role) = role {
        let detail = match role.keeps_interfaces() {
            true => INTERFACES,
            false => "",
        };
        let operation = Operation::DeleteRole(role.clone());
        delete(Resource::Role, &names.role, detail, operation);
    }
    for (resource, foreign) in [
        (Resource::Function, foreign_function),
        (Resource::Role, foreign_role && !names.given_role),
        (Resource::LogGroup, foreign_group),
    ] {
        if foreign {
            plan.findings.push(left_alone(resource));
        }
    }
    Ok(plan)
}

/// The function stays, so its record must not let a later teardown change a client that an operator opens meanwhile.
fn forget(
    plan: &mut Plan,
    names: &Names,
    function: Option<&ObservedFunction>,
    role: Option<&Role>,
) {
    // What could not be put back stays in the record.
    if plan.findings.iter().any(|it| it.id == UNREADABLE) {
        return;
    }
    let settled = |tags: Option<&Tags>| tags.map(record::settled).unwrap_or_default();
    let (function, role) = (
        settled(function.map(|function| &function.function.tags)),
        settled(role.map(|role| &role.tags)),
    );
    if !function.is_empty() || !role.is_empty() {
        plan.change(
            Action::Update,
            Resource::Function,
            &names.function,
            "stays for other triggers; its tags no longer say what was taken back",
            Operation::Forget { function, role },
        );
    }
}

/// An existing resource: ours, or whether another owner has it.
fn split<T>(there: Option<&T>, is_ours: impl Fn(&T) -> bool) -> (Option<&T>, bool) {
    let ours = there.filter(|there| is_ours(there));
    (ours, there.is_some() && ours.is_none())
}

/// Someone else deleted function and role, and with them the record; or the snapshot is not on this machine.
fn no_record(names: &Names) -> Finding {
    Finding::failed(
        "no-record",
        Severity::Warning,
        "nothing is left that remembers what deploy changed: a client whose flows it opened stays as it is, and a trigger it replaced is not put back",
        match names.given_function {
            true => "the snapshot that the id of our statement in the function's policy names",
            false => "the function or the role, with their tags",
        },
        "neither",
        fix![
            "compare the pool and its clients with the snapshot kept next to migrate.toml; `",
            Fix::command("restore --snapshot FILE", ""),
            "` puts them back to it",
        ],
    )
}

/// The conflict for a record that is not trusted: nothing is changed until an operator has looked.
fn doubted(
    plan: &mut Plan,
    names: &Names,
    resource: Resource,
    name: &str,
    what: &str,
    doubt: &Doubt,
) {
    let message = format!("{} ({})", doubt.explain(what), doubt.found());
    const LOOK: &str =
        "find out what changed the tags: CloudTrail has TagResource of Lambda and TagRole of IAM. ";
    let teardown = |flag: &str| Fix::ours("teardown", &names.pool.id, flag);
    let fix = match doubt.flag() {
        Some(flag) => fix![LOOK, "If it is right: `", teardown(&flag), "`"],
        None => fix![
            LOOK,
            "Give both the right value, or `none`, then: `",
            teardown(""),
            "`"
        ],
    };
    plan.conflict(resource, name, message, fix);
}

const UNREADABLE: &str = "unreadable-record";

/// Another version wrote the record, or the tag was edited.
fn unreadable(client: &ClientDocument, record: &str) -> Finding {
    Finding::failed(
        UNREADABLE,
        Severity::Warning,
        format!(
            "what deploy did to app client {} ({}) cannot be read, so its flows stay as they are",
            client.name(),
            client.id()
        ),
        format!("a record in the tag {}", tag::OPENED_CLIENTS),
        record,
        "take ALLOW_USER_PASSWORD_AUTH away by hand if the client had it from deploy alone",
    )
}

fn left_alone(resource: Resource) -> Finding {
    Finding::failed(
        "not-ours",
        Severity::Warning,
        format!(
            "the {} of our name was not made by jane-migrate for this pool and is left alone",
            resource.label()
        ),
        format!("tag {}", tag::POOL),
        "no such tag",
        "look at it and delete it by hand if it is not needed",
    )
}

/// Removes our function from the pool, and puts back the trigger that it replaced.
fn plan_triggers(
    plan: &mut Plan,
    names: &Names,
    pool: &PoolState,
    records: &Records,
    trust: &Trust<'_>,
    extent: Extent,
    allowed: &Allowed,
) {
    let ours = pool
        .document
        .our_triggers(names)
        .filter(|(trigger, _)| extent.everything || *trigger == Trigger::UserMigration);
    let (mut triggers, mut details) = (Vec::new(), Vec::new());
    for (trigger, arn) in ours {
        let back = match records.replaced(trigger, names, trust) {
            Ok(back) => back,
            Err(doubt) => {
                let what = format!("the {} trigger to put back", trigger.label());
                let id = names.pool.id.as_str();
                return doubted(plan, names, Resource::Trigger, id, &what, &doubt);
            }
        };
        let (label, to) = (trigger.label(), back.unwrap_or("none"));
        details.push(format!("{label}: {} => {to}", short(arn)));
        triggers.push((trigger, back));
    }
    if triggers.is_empty() {
        return;
    }
    let id = names.pool.id.as_str();
    match set_triggers(&pool.document, &triggers, &allowed.unknown) {
        Ok(rewrite) => plan.change(
            match triggers.iter().any(|(_, back)| back.is_some()) {
                true => Action::Update,
                false => Action::Delete,
            },
            Resource::Trigger,
            id,
            details.join("; "),
            Operation::UpdatePool(Box::new(rewrite)),
        ),
        Err(refusal) => refuse(plan, Resource::Trigger, id, &refusal),
    }
}

/// Restores the clients' flows from before the deploy.
fn plan_clients(
    plan: &mut Plan,
    names: &Names,
    clients: &[ClientDocument],
    records: &Records,
    trust: &Trust<'_>,
    allowed: &Allowed,
) {
    for id in records.clients() {
        let Some(client) = clients.iter().find(|client| client.id() == id) else {
            continue; // deleted since
        };
        let record = match records.opened(id, trust) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            // An interrupted run recorded it in one place, but had not changed the client yet.
            Err(_) if !client.allows_password_auth() => continue,
            Err(doubt) => {
                let what = format!("the flows of app client {} before deploy", client.name());
                doubted(plan, names, Resource::Client, id, &what, &doubt);
                continue;
            }
        };
        let closing = close_password_auth(client, record, &allowed.unknown).and_then(|update| {
            update
                .map(|update| Rewrite::of_client(client, update, &allowed.unknown))
                .transpose()
        });
        match closing {
            Ok(Some(rewrite)) => plan.change(
                Action::Update,
                Resource::Client,
                client.id(),
                format!("{}: its flows as before deploy", client.name()),
                Operation::UpdateClient(Box::new(rewrite)),
            ),
            Ok(None) => {}
            Err(refusal) if refusal.reasons().contains(&Reason::UnreadableRecord) => {
                plan.findings.push(unreadable(client, record));
            }
            Err(refusal) => refuse(plan, Resource::Client, client.id(), &refusal),
        }
    }
}
