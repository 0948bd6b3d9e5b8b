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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names() -> Names {
        let pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        Names::new(pool.parse().unwrap())
    }

    fn alarm(name: &str, threshold: f64, description: &str) -> ((Part, String), Value) {
        let body =
            json!({ "AlarmName": name, "AlarmDescription": description, "Threshold": threshold });
        ((Part::Alarm, name.to_owned()), body)
    }

    fn planned(wanted: &Watch, found: &Watch, replace: bool) -> (Vec<String>, usize) {
        let mut plan = Plan::new(&names());
        let allowed = Allowed {
            replace,
            ..Allowed::default()
        };
        plan_watch(&mut plan, &names(), wanted, found, &allowed);
        let changes = plan.changes.iter();
        let changes = changes.map(|change| format!("{:?} {}", change.action, change.name));
        (changes.collect(), plan.conflicts.len())
    }

    #[test]
    fn alarms_are_created_updated_and_deleted_and_another_owners_kept() {
        let ours = format!("The function failed (jane-migrate, {})", names().pool);
        let wanted = |threshold| Watch::from([alarm("errors", threshold, &ours)]);
        let changes = |changes: &[&str]| -> Vec<String> {
            changes.iter().map(|change| (*change).to_owned()).collect()
        };
        let none = Watch::new();
        let (created, conflicts) = planned(&wanted(1.0), &none, false);
        assert_eq!((created, conflicts), (changes(&["Create errors"]), 0));
        assert_eq!(planned(&wanted(1.0), &wanted(1.0), false), (Vec::new(), 0));
        let (updated, conflicts) = planned(&wanted(2.0), &wanted(1.0), false);
        assert_eq!((updated, conflicts), (changes(&["Update errors"]), 0));

        let theirs = Watch::from([alarm("errors", 1.0, "of another team"), alarm("x", 1.0, "")]);
        assert_eq!(planned(&wanted(2.0), &theirs, false), (Vec::new(), 1));
        let replaced = changes(&["Update errors"]);
        assert_eq!(planned(&wanted(2.0), &theirs, true), (replaced, 0));

        let surplus = Watch::from([alarm("errors", 1.0, &ours), alarm("slow", 1.0, &ours)]);
        let deleted = changes(&["Delete slow"]);
        assert_eq!(planned(&wanted(1.0), &surplus, false), (deleted, 0));
        let exported = ours.replace("(jane-migrate,", "(jane-migrate export,");
        let exported = Watch::from([alarm("errors", 1.0, &exported)]);
        assert_eq!(planned(&wanted(2.0), &exported, false), (Vec::new(), 0));
    }
}
