//! Triggers that are turned on and off, and a teardown that keeps some.

use serde_json::{Value, json};

use super::super::{Allowed, Extent, Operation, Plan, Resource, remaining, teardown};
use super::{desired, live, plan_of, steps, without_alias};
use crate::document::{ClientDocument, PoolDocument};
use crate::fixtures::Fixture;
use crate::observed::Observed;
use crate::resources::tag;
use crate::trigger::Trigger;

/// The recorded run with these lines added to its configuration.
fn configured(fixture: Fixture, more: &str) -> Fixture {
    let mut fixture = fixture;
    let toml = fixture.json["config"]["toml"].as_str().unwrap();
    fixture.json["config"]["toml"] = format!("{toml}\n{more}").into();
    fixture
}

const BOTH: &str = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";

fn set_trigger(observed: &mut Observed, trigger: Trigger, arn: Option<&str>) {
    let Ok(Some(pool)) = &mut observed.pool else {
        panic!("no pool")
    };
    let mut document = pool.document.json().clone();
    let triggers = document["LambdaConfig"].as_object_mut().unwrap();
    match arn {
        Some(arn) => triggers.insert(trigger.member().into(), arn.into()),
        None => triggers.remove(trigger.member()),
    };
    pool.document = PoolDocument::from_json(document).unwrap();
}

/// The same with both triggers on and deployed.
fn live_with_both() -> (Fixture, Observed, Allowed) {
    let (fixture, mut observed, allowed) = live();
    let fixture = configured(fixture, BOTH);
    let desired = desired(&fixture, &observed, &fixture.config().unwrap());
    for found in [
        &mut observed.function,
        &mut observed.behind,
        &mut observed.live,
    ] {
        let Ok(Some(found)) = found else {
            panic!("no function")
        };
        found.function.environment = desired.function.environment.clone();
    }
    observed.role_policies = Ok(desired.role.policies);
    let arn = observed.names.live_arn.clone();
    for trigger in [Trigger::PreSignUp, Trigger::PostConfirmation] {
        set_trigger(&mut observed, trigger, Some(&arn));
    }
    let plan = plan_of(&fixture, &observed, &allowed);
    assert!(plan.is_empty(), "{:?}", steps(&plan));
    (fixture, observed, allowed)
}

/// The functions that the pool calls after this plan.
fn called(plan: &Plan) -> Value {
    let mut rewrites = plan
        .changes
        .iter()
        .filter_map(|change| match &change.operation {
            Operation::UpdatePool(rewrite) | Operation::MoveTrigger(rewrite) => Some(rewrite),
            _ => None,
        });
    rewrites
        .next_back()
        .expect("a change of the pool")
        .update
        .expected()["LambdaConfig"]
        .clone()
}

#[test]
fn triggers_are_turned_on_last_and_their_permissions_added_first() {
    let (fixture, observed, allowed) = live();
    let fixture = configured(fixture, BOTH);
    let plan = plan_of(&fixture, &observed, &allowed);
    let expected = [
        "widen role",
        "update function",
        "publish",
        "probe",
        "point alias",
        "trigger",
    ];
    assert_eq!(steps(&plan), expected);
    let live = &observed.names.live_arn;
    let all = json!({ "UserMigration": live, "PreSignUp": live, "PostConfirmation": live });
    assert_eq!(called(&plan), all);
}

#[test]
fn triggers_are_turned_off_first_and_their_permissions_removed_last() {
    let (_, mut observed, allowed) = live_with_both();
    let theirs = &observed
        .names
        .function_arn
        .replace("jane-migrate", "theirs");
    let record = (tag::REPLACED_PRE_SIGN_UP.to_owned(), theirs.to_owned());
    if let Ok(Some(role)) = &mut observed.role {
        role.tags.extend([record.clone()]);
    }
    for found in [&mut observed.function, &mut observed.behind] {
        let Ok(Some(found)) = found else {
            panic!("no function")
        };
        found.function.tags.extend([record.clone()]);
    }
    let (off, ..) = live();
    let plan = plan_of(&off, &observed, &allowed);
    let expected = [
        "move trigger",
        "update function",
        "publish",
        "probe",
        "point alias",
        "probe live",
        "narrow role",
    ];
    assert_eq!(steps(&plan), expected);
    let live = &observed.names.live_arn;
    assert_eq!(
        called(&plan),
        json!({ "UserMigration": live, "PreSignUp": theirs })
    );
    // A trigger that only one tag names is not put back, so users' names do not go there.
    let mut doubted = observed.clone();
    if let Ok(Some(role)) = &mut doubted.role {
        role.tags.remove(tag::REPLACED_PRE_SIGN_UP);
    }
    let plan_of_doubt = plan_of(&off, &doubted, &allowed);
    assert!(plan_of_doubt.is_blocked());
    // A run that is interrupted after this still has the record to put back.
    for change in &plan.changes {
        if let Operation::UpdateFunction {
            function, untag, ..
        } = &change.operation
        {
            assert_eq!(function.tags[tag::REPLACED_PRE_SIGN_UP], *theirs);
            assert!(untag.is_empty(), "{untag:?}");
        }
    }
}

#[test]
fn new_triggers_wait_for_the_new_version_if_the_pool_calls_the_function_itself() {
    let (fixture, mut observed, allowed) = live();
    without_alias(&mut observed);
    let plan = plan_of(&configured(fixture, BOTH), &observed, &allowed);
    let steps = steps(&plan);
    assert_eq!(steps[..2], ["adopt", "move trigger"]);
    assert_eq!(
        steps.iter().filter(|step| **step == "trigger").count(),
        1,
        "{steps:?}"
    );
    let moved = plan
        .changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::MoveTrigger(rewrite) => Some(rewrite.update.expected()),
            _ => None,
        });
    let live = &observed.names.live_arn;
    assert_eq!(
        moved.unwrap()["LambdaConfig"],
        json!({ "UserMigration": live })
    );
    assert_eq!(called(&plan)["PreSignUp"], json!(live));
}

#[test]
fn another_functions_trigger_is_a_conflict_until_replaced_and_is_put_back() {
    let (fixture, mut observed, allowed) = live();
    let theirs = &observed
        .names
        .function_arn
        .replace("jane-migrate", "theirs");
    set_trigger(&mut observed, Trigger::PostConfirmation, Some(theirs));
    let fixture = configured(fixture, BOTH);
    let plan = plan_of(&fixture, &observed, &allowed);
    let conflict = &plan.conflicts[0].message;
    assert_eq!(
        *conflict,
        format!("the pool already has a post confirmation trigger: {theirs}")
    );

    let allowed = Allowed {
        replace: true,
        ..allowed
    };
    let plan = plan_of(&fixture, &observed, &allowed);
    assert!(plan.conflicts.is_empty());
    let mut recorded = plan
        .changes
        .iter()
        .filter_map(|change| match &change.operation {
            Operation::WidenRole(role) => Some(&role.tags),
            Operation::UpdateFunction { function, .. } => Some(&function.tags),
            _ => None,
        });
    for tags in [recorded.next().unwrap(), recorded.next().unwrap()] {
        assert_eq!(tags[tag::REPLACED_POST_CONFIRMATION], *theirs);
    }

    // In that state, teardown puts back what was replaced, and only our part.
    let (_, mut observed, allowed) = live_with_both();
    let Ok(Some(found)) = &mut observed.function else {
        panic!("no function")
    };
    let replaced = (
        tag::REPLACED_POST_CONFIRMATION.to_owned(),
        theirs.to_owned(),
    );
    found.function.tags.extend([replaced.clone()]);
    if let Ok(Some(role)) = &mut observed.role {
        role.tags.extend([replaced]);
    }
    let everything = Extent {
        everything: true,
        ..Extent::default()
    };
    let plan = teardown(&observed, everything, &[], &allowed).unwrap();
    assert_eq!(called(&plan), json!({ "PostConfirmation": theirs }));
    set_trigger(&mut observed, Trigger::PostConfirmation, None);
    let plan = teardown(&observed, everything, &[], &allowed).unwrap();
    assert_eq!(called(&plan), json!({}));
}

#[test]
fn teardown_keeps_the_function_for_the_remaining_triggers() {
    let (_, mut observed, allowed) = live_with_both();
    let plan = teardown(&observed, Extent::default(), &[], &allowed).unwrap();
    let resources: Vec<_> = plan.changes.iter().map(|change| change.resource).collect();
    assert_eq!(resources, [Resource::Trigger]);
    let live = observed.names.live_arn.clone();
    assert_eq!(
        called(&plan),
        json!({ "PreSignUp": live, "PostConfirmation": live })
    );
    let left = [Trigger::PreSignUp, Trigger::PostConfirmation];
    assert_eq!(remaining(&observed, Extent::default()), left);

    set_trigger(&mut observed, Trigger::UserMigration, None);
    let plan = teardown(&observed, Extent::default(), &[], &allowed).unwrap();
    assert!(plan.is_empty() && !plan.is_blocked());
    let everything = Extent {
        everything: true,
        ..Extent::default()
    };
    let plan = teardown(&observed, everything, &[], &allowed).unwrap();
    let resources: Vec<_> = plan.changes.iter().map(|change| change.resource).collect();
    let all = [
        Resource::Trigger,
        Resource::Function,
        Resource::LogGroup,
        Resource::Role,
    ];
    assert_eq!(resources, all);
    assert!(remaining(&observed, everything).is_empty());
}

/// What was put back once is not put back again: a client that an operator opens afterwards stays open.
#[test]
fn a_teardown_that_keeps_the_function_clears_the_record() {
    let (_, mut observed, allowed) = live_with_both();
    let clients = observed.clients.as_ref().unwrap();
    let opened = format!("{}=ALLOW_USER_PASSWORD_AUTH", clients[0].id());
    let theirs = "arn:aws:lambda:us-west-2:100000000016:function:theirs";
    let tags = [
        (format!("{}-1", tag::OPENED_CLIENTS), opened),
        (tag::REPLACED_PRE_SIGN_UP.to_owned(), theirs.to_owned()),
    ];
    let Ok(Some(found)) = &mut observed.function else {
        panic!("no function")
    };
    found.function.tags.extend(tags.clone());
    let Ok(Some(role)) = &mut observed.role else {
        panic!("no role")
    };
    role.tags.extend(tags);
    let plan = teardown(&observed, Extent::default(), &[], &allowed).unwrap();
    let last = plan.changes.last().unwrap();
    let Operation::Forget { function, role } = &last.operation else {
        panic!("not a change of the tags: {}", last.detail)
    };
    let key = format!("{}-1", tag::OPENED_CLIENTS);
    assert!(function.contains_key(&key), "{function:?}");
    assert!(!function.contains_key(tag::REPLACED_PRE_SIGN_UP));
    assert_eq!(function, role);
    // Another run was interrupted after it had cleared one of the two.
    let mut half = observed.clone();
    if let Ok(Some(role)) = &mut half.role {
        role.tags.remove(&key);
    }
    half.clients = Ok(Vec::new());
    let half = teardown(&half, Extent::default(), &[], &allowed).unwrap();
    let Operation::Forget { role: left, .. } = &half.changes.last().unwrap().operation else {
        panic!("{half:#?}")
    };
    assert!(left.is_empty(), "{left:?}");
    for tags in [
        &mut observed
            .function
            .as_mut()
            .unwrap()
            .as_mut()
            .unwrap()
            .function
            .tags,
        &mut observed.role.as_mut().unwrap().as_mut().unwrap().tags,
    ] {
        tags.extend(function.clone());
    }
    set_trigger(&mut observed, Trigger::UserMigration, None);
    let plan = teardown(&observed, Extent::default(), &[], &allowed).unwrap();
    assert!(plan.changes.is_empty(), "{plan:#?}");
}

#[test]
fn after_the_window_has_closed_a_removed_migration_trigger_stays_removed() {
    let (fixture, mut observed, allowed) = live_with_both();
    set_trigger(&mut observed, Trigger::UserMigration, None);
    let Ok(clients) = &mut observed.clients else {
        panic!("no clients")
    };
    for client in clients {
        let mut document = client.json().clone();
        document["ExplicitAuthFlows"] = json!(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
        *client = ClientDocument::from_json(document).unwrap();
    }
    let allowed = Allowed {
        enable_password_auth: true,
        ..allowed
    };
    let closed = configured(fixture, "[window]\ncloses = 2026-01-31\n");
    let plan = plan_of(&closed, &observed, &allowed);
    assert!(!plan.is_blocked(), "{:?}", plan.findings);
    // The settings contain the last day.
    let updated = ["update function", "publish", "probe", "point alias"];
    assert_eq!(steps(&plan), updated);
}
