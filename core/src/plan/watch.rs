//! What deploy and teardown would do with the alarms and what belongs to them.

use super::change::{Action, Allowed, Operation, Plan, Resource, foreign};
use crate::document::differences;
use crate::ids::Names;
use crate::watch::{Part, Watch, is_exported, is_ours};

fn resource(part: Part) -> Resource {
    match part {
        Part::MetricFilter => Resource::MetricFilter,
        Part::Alarm => Resource::Alarm,
        Part::Dashboard => Resource::Dashboard,
    }
}

/// Creates what is missing, updates what differs and deletes what is no longer wanted.
pub(super) fn plan_watch(
    plan: &mut Plan,
    names: &Names,
    wanted: &Watch,
    found: &Watch,
    allowed: &Allowed,
) {
    // Another tool's alarms are not changed.
    if is_exported(found) {
        return;
    }
    for ((part, name), body) in wanted {
        let resource = resource(*part);
        let operation = Operation::Watch(*part, body.clone());
        let there = found.get(&(*part, name.clone()));
        match there {
            None => {
                let what = body["AlarmDescription"].as_str().unwrap_or_default();
                let what = what.split(" (jane-migrate").next().unwrap_or_default();
                plan.change(Action::Create, resource, name, what, operation);
            }
            // Services differ in how they show empty values.
            Some(there) if differences(there, body).is_empty() => {}
            Some(there)
                if !is_ours(*part, there, names) && foreign(plan, resource, name, allowed) => {}
            Some(there) => {
                plan.change(Action::Update, resource, name, "as configured", operation);
                plan.differs_by(differences(there, body));
            }
        }
    }
    let surplus = |key: &&(Part, String)| !wanted.contains_key(*key);
    take_away(plan, names, found.iter().filter(|(key, _)| surplus(key)));
}

/// Deletes what is ours.
pub(super) fn take_away<'a>(
    plan: &mut Plan,
    names: &Names,
    found: impl Iterator<Item = (&'a (Part, String), &'a serde_json::Value)>,
) {
    for ((part, name), _) in found.filter(|((part, _), body)| is_ours(*part, body, names)) {
        plan.change(
            Action::Delete,
            resource(*part),
            name,
            "",
            Operation::Unwatch(*part),
        );
    }
}
