//! Another tool's function: what deploy and teardown plan for it, and the record in a snapshot.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Allowed, Extent, Operation, Plan, Resource, deploy, teardown};
use super::{desired, live};
use crate::check::Asked;
use crate::document::{ClientDocument, PoolDocument};
use crate::fixtures::Fixture;
use crate::ids::given_statement;
use crate::observed::Observed;
use crate::permission::{Policy, statement_for};
use crate::record::{CHANGED, Place, Record};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;

const OPEN: &str = "ALLOW_USER_PASSWORD_AUTH";
const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// A pool with one closed client and no trigger, and a function of another tool that Cognito may not invoke yet.
fn given() -> (Fixture, Observed) {
    let (mut fixture, before, _) = live();
    let arn = before
        .names
        .function_arn
        .replace("jane-migrate-", "theirs-");
    let role = before.names.role_arn;
    let toml = fixture.json["config"]["toml"].as_str().unwrap();
    let more = format!("[function]\narn = '{arn}:prod'\nrole_arn = '{role}'\n");
    fixture.json["config"]["toml"] = format!("{toml}\n{more}").into();
    let mut observed = fixture.observed_for_plan();
    observed.function = before.function.clone();
    observed.behind = before.function.clone();
    observed.live = before.function;
    observed.policies = Ok([(Some("prod".to_owned()), Policy::default())].into());
    observed.watch = Ok(BTreeMap::new());
    observed.concurrency_limit = Ok(None);
    set_triggers(&mut observed, json!({}));
    set_flows(&mut observed, &["ALLOW_USER_SRP_AUTH"]);
    assert!(observed.names.given_function);
    let wanted = desired(&fixture, &observed, &fixture.config().unwrap());
    observed.role_policies = Ok(wanted.role.policies);
    (fixture, observed)
}

fn set_triggers(observed: &mut Observed, triggers: Value) {
    let Ok(Some(pool)) = &mut observed.pool else {
        panic!("no pool")
    };
    let mut document = pool.document.json().clone();
    document["LambdaConfig"] = triggers;
    pool.document = PoolDocument::from_json(document).unwrap();
}

fn set_flows(observed: &mut Observed, flows: &[&str]) {
    let client = json!({ "UserPoolId": "us-west-2_Ab1", "ClientId": "web", "ClientName": "web",
        "PreventUserExistenceErrors": "ENABLED", "ExplicitAuthFlows": flows });
    observed.clients = Ok(vec![ClientDocument::from_json(client).unwrap()]);
}

fn set_statement(observed: &mut Observed, id: &str) {
    let mut statement = statement_for(&observed.names);
    statement["Sid"] = id.into();
    let policy = Policy {
        statements: vec![statement],
    };
    observed.policies = Ok([(Some("prod".to_owned()), policy)].into());
}

fn snapshot(record: &Record) -> Snapshot {
    Snapshot {
        json: json!({ CHANGED: record.to_json() }),
        digest: DIGEST.to_owned(),
        path: String::new(),
    }
}

fn plan_of(fixture: &Fixture, observed: &Observed, snapshots: &[Snapshot]) -> Plan {
    let config = fixture.config().unwrap();
    let desired = desired(fixture, observed, &config);
    let asked = Asked {
        config: Some(&config),
        clients: None,
        snapshots,
        today: "2026-11-26".parse().unwrap(),
        code_serves: None,
    };
    let allowed = Allowed {
        enable_password_auth: true,
        replace: true,
        ..Allowed::default()
    };
    deploy(&desired, observed, &asked, &allowed).unwrap()
}

fn torn_down(observed: &Observed, snapshots: &[Snapshot], trust: Option<Place>) -> Plan {
    let allowed = Allowed {
        trust,
        ..Allowed::default()
    };
    teardown(observed, Extent::default(), snapshots, &allowed).unwrap()
}

fn changed(plan: &Plan) -> Vec<Resource> {
    plan.changes.iter().map(|change| change.resource).collect()
}

/// The record that the plan writes, and the statements that it removes.
fn attached(plan: &Plan) -> Option<(&Record, &[String])> {
    plan.changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::Attach { record, stale } => Some((record, &stale[..])),
            _ => None,
        })
}

fn recorded(replaced: Option<&str>) -> Record {
    let replaced = replaced.map(|arn| (Trigger::UserMigration, arn.to_owned()));
    Record {
        opened: [("web".to_owned(), OPEN.to_owned())].into(),
        replaced: replaced.into_iter().collect(),
    }
}

#[test]
fn only_the_permission_the_clients_and_the_trigger_are_changed_and_recorded() {
    let (fixture, mut observed) = given();
    let theirs = observed.names.function_arn.replace("theirs-", "old-");
    set_triggers(&mut observed, json!({ "UserMigration": theirs }));
    let plan = plan_of(&fixture, &observed, &[]);
    assert!(!plan.is_blocked(), "{:?}", plan.conflicts);
    let expected = [Resource::Permission, Resource::Client, Resource::Trigger];
    assert_eq!(changed(&plan), expected);
    let (record, stale) = attached(&plan).unwrap();
    assert_eq!(*record, recorded(Some(&theirs)));
    assert!(stale.is_empty());
}

#[test]
fn with_the_statement_and_its_snapshot_nothing_is_changed() {
    let (fixture, mut observed) = given();
    let live = observed.names.live_arn.clone();
    set_triggers(&mut observed, json!({ "UserMigration": live }));
    set_flows(&mut observed, &["ALLOW_USER_SRP_AUTH", OPEN]);
    set_statement(&mut observed, &given_statement(DIGEST));
    let snapshots = [snapshot(&recorded(None))];
    let plan = plan_of(&fixture, &observed, &snapshots);
    assert!(plan.is_empty(), "{:#?}", plan.changes);
    // On another machine, and this run has nothing more to record.
    let elsewhere = plan_of(&fixture, &observed, &[]);
    assert!(elsewhere.is_empty() && !elsewhere.is_blocked());
    // A client was closed since: the run would have to add to a record that is not here.
    set_flows(&mut observed, &["ALLOW_USER_SRP_AUTH"]);
    let elsewhere = plan_of(&fixture, &observed, &[]);
    let conflict = &elsewhere.conflicts[0];
    assert_eq!(conflict.resource, Resource::Permission);
    let fix = conflict.fix.render(&Default::default());
    let file = format!(
        "jane-migrate.{}.01234567.snapshot.json",
        observed.names.pool.id
    );
    assert!(fix.contains(&file), "{fix}");
}

#[test]
fn a_statement_that_does_not_let_cognito_in_is_replaced() {
    let (fixture, mut observed) = given();
    let live = observed.names.live_arn.clone();
    set_triggers(&mut observed, json!({ "UserMigration": live }));
    let id = given_statement(DIGEST);
    set_statement(&mut observed, &id);
    if let Ok(policies) = &mut observed.policies {
        let policy = policies.values_mut().next().unwrap();
        policy.statements[0]["Condition"]["ArnLike"]["AWS:SourceArn"] = "arn:aws:x".into();
    }
    let snapshots = [snapshot(&recorded(None))];
    let plan = plan_of(&fixture, &observed, &snapshots);
    let (record, stale) = attached(&plan).expect("a new statement");
    assert_eq!((record, stale), (&recorded(None), &[id][..]));
}

#[test]
fn the_function_and_the_configured_alias_must_exist() {
    let (fixture, mut observed) = given();
    observed.behind = Ok(None);
    let said = |plan: Plan| plan.conflicts.into_iter().next().unwrap().message;
    let missing = said(plan_of(&fixture, &observed, &[]));
    assert!(
        missing.contains("has no alias or version prod"),
        "{missing}"
    );
    observed.function = Ok(None);
    let missing = said(plan_of(&fixture, &observed, &[]));
    assert!(missing.contains("there is no function"), "{missing}");
}

/// A deployed migration with these triggers, the id of its statement, and a function that ours may have replaced.
fn attached_for(triggers: &[Trigger]) -> (Observed, String, String) {
    let (_, mut observed) = given();
    let live = &observed.names.live_arn;
    let triggers = triggers.iter();
    let triggers: BTreeMap<_, _> = triggers.map(|one| (one.member(), live)).collect();
    let triggers = json!(triggers);
    set_triggers(&mut observed, triggers);
    set_flows(&mut observed, &["ALLOW_USER_SRP_AUTH", OPEN]);
    let id = given_statement(DIGEST);
    set_statement(&mut observed, &id);
    let old = observed.names.function_arn.replace("theirs-", "old-");
    (observed, id, old)
}

#[test]
fn a_teardown_needs_the_snapshot_or_the_operators_word() {
    let (observed, id, old) = attached_for(&[Trigger::UserMigration]);
    let plan = torn_down(&observed, &[], None);
    let message = &plan.conflicts[0].message;
    assert!(message.contains("recorded in jane-migrate."), "{message}");

    let detached = |plan: &Plan| {
        plan.changes.iter().any(|change| match &change.operation {
            Operation::Detach { statements } => statements[..] == [id.clone()],
            _ => false,
        })
    };
    let plan = torn_down(&observed, &[], Some(Place::Function));
    assert!(!plan.is_blocked() && detached(&plan));
    assert_eq!(changed(&plan), [Resource::Trigger, Resource::Permission]);

    let plan = torn_down(&observed, &[snapshot(&recorded(Some(&old)))], None);
    assert!(!plan.is_blocked() && detached(&plan));
    let all = [Resource::Trigger, Resource::Client, Resource::Permission];
    assert_eq!(changed(&plan), all);
}

#[test]
fn a_teardown_of_the_migration_alone_keeps_what_other_triggers_need() {
    let (observed, id, old) = attached_for(&[Trigger::UserMigration, Trigger::PreSignUp]);
    let mut record = recorded(Some(&old));
    record.replaced.insert(Trigger::PreSignUp, old.clone());
    let plan = torn_down(&observed, &[snapshot(&record)], None);
    let (left, stale) = attached(&plan).expect("a new statement");
    assert_eq!(*left, record.without_migration());
    assert_eq!(left.replaced, [(Trigger::PreSignUp, old)].into());
    assert_eq!(stale, [id]);
}
