//! Restores of a snapshot that was taken while the migration was live.

use serde_json::{Value, json};

use super::super::{Kept, Operation, Plan, restore};
use super::live;
use crate::document::{ClientDocument, Decisions, PoolDocument};
use crate::observed::Observed;
use crate::record::Record;
use crate::resources::tag;

const OPEN: &str = "ALLOW_USER_PASSWORD_AUTH";

fn client(flows: &[&str], name: &str) -> ClientDocument {
    let client = json!({
        "UserPoolId": "us-west-2_Ab1", "ClientId": "web", "ClientName": name, "ExplicitAuthFlows": flows,
    });
    ClientDocument::from_json(client).unwrap()
}

fn set_pool(observed: &mut Observed, change: impl Fn(&mut Value)) {
    let Ok(Some(pool)) = &mut observed.pool else {
        panic!("no pool")
    };
    let mut document = pool.document.json().clone();
    change(&mut document);
    pool.document = PoolDocument::from_json(document).unwrap();
}

/// A live migration that opened a client, and its snapshot.
fn kept() -> (Observed, Kept) {
    let (_, mut observed, _) = live();
    observed.clients = Ok(vec![client(&["ALLOW_USER_SRP_AUTH", OPEN], "web")]);
    let record = (tag::OPENED_CLIENTS.to_owned(), format!("web={OPEN}"));
    if let (Ok(Some(function)), Ok(Some(role))) = (&mut observed.function, &mut observed.role) {
        function.function.tags.extend([record.clone()]);
        role.tags.extend([record]);
    }
    let pool = observed.pool().unwrap();
    let kept = Kept {
        id: observed.names.pool.id.clone(),
        pool: pool.document.clone(),
        mfa: pool.mfa.clone().unwrap(),
        clients: observed.clients.clone().unwrap(),
        changed: observed.records(&[]).unwrap().agreed(),
        untouched: true,
    };
    (observed, kept)
}

fn expected(plan: &Plan) -> Vec<&Value> {
    let written = plan.changes.iter().map(|change| match &change.operation {
        Operation::UpdateClient(rewrite) | Operation::UpdatePool(rewrite) => {
            rewrite.update.expected()
        }
        other => panic!("{other:?}"),
    });
    written.collect()
}

fn says_so(plan: &Plan) -> bool {
    let mut findings = plan.findings.iter();
    findings.any(|finding| finding.id == "migration-not-restored")
}

#[test]
fn after_a_teardown_the_rest_is_restored_and_no_client_is_opened() {
    let (mut observed, kept) = kept();
    assert_eq!(kept.changed.opened["web"], OPEN);
    (observed.function, observed.role) = (Ok(None), Ok(None));
    observed.clients = Ok(vec![client(&["ALLOW_USER_SRP_AUTH"], "renamed")]);
    set_pool(&mut observed, |pool| {
        pool["LambdaConfig"] =
            json!({ "UserMigration": "arn:aws:lambda:us-west-2:123456789012:function:old" });
        pool["DeletionProtection"] = json!("ACTIVE");
    });
    let plan = restore(&observed, &kept, &[], &Decisions::new()).unwrap();
    assert!(plan.conflicts.is_empty() && says_so(&plan), "{plan:?}");
    let [web, pool] = &expected(&plan)[..] else {
        panic!("{plan:?}")
    };
    assert_eq!(web["ClientName"], "web");
    assert_eq!(web["ExplicitAuthFlows"], json!(["ALLOW_USER_SRP_AUTH"]));
    let now = &observed.pool().unwrap().document;
    assert_eq!(pool["LambdaConfig"], now.json()["LambdaConfig"]);
    let before = &kept.pool.json()["DeletionProtection"];
    assert_eq!(&pool["DeletionProtection"], before);
}

/// Terraform had put it back.
#[test]
fn a_trigger_without_a_function_is_not_written_again() {
    let (mut observed, kept) = kept();
    (observed.function, observed.role) = (Ok(None), Ok(None));
    let plan = restore(&observed, &kept, &[], &Decisions::new()).unwrap();
    let [_, pool] = &expected(&plan)[..] else {
        panic!("{plan:?}")
    };
    assert!(
        pool["LambdaConfig"].get("UserMigration").is_none(),
        "{pool}"
    );
}

#[test]
fn while_the_migration_is_live_it_stays_live() {
    let (mut observed, kept) = kept();
    let plan = restore(&observed, &kept, &[], &Decisions::new()).unwrap();
    assert!(plan.is_empty() && !says_so(&plan), "{plan:?}");

    observed.clients = Ok(vec![client(&["ALLOW_USER_SRP_AUTH"], "web")]);
    let plan = restore(&observed, &kept, &[], &Decisions::new()).unwrap();
    let flows = &expected(&plan)[0]["ExplicitAuthFlows"];
    assert_eq!(*flows, json!(["ALLOW_USER_SRP_AUTH", OPEN]));
}

/// The client allowed it before the migration.
#[test]
fn a_flow_that_is_not_the_migrations_is_restored() {
    let (mut observed, mut kept) = kept();
    kept.changed = Record::default();
    (observed.function, observed.role) = (Ok(None), Ok(None));
    observed.clients = Ok(vec![client(&["ALLOW_USER_SRP_AUTH"], "web")]);
    let plan = restore(&observed, &kept, &[], &Decisions::new()).unwrap();
    let flows = &expected(&plan)[0]["ExplicitAuthFlows"];
    assert_eq!(*flows, json!(["ALLOW_USER_SRP_AUTH", OPEN]));
}
