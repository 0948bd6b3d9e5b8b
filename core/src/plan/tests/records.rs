//! Teardowns that find incomplete records.

use serde_json::json;

use super::super::{Extent, Operation, Plan, Resource, teardown};
use super::live;
use crate::document::ClientDocument;
use crate::observed::Observed;
use crate::record::Place;
use crate::resources::tag;

const OPEN: &str = "ALLOW_USER_PASSWORD_AUTH";

/// A live migration with one client and this record of it in the tags of the function, of the role, or of both.
fn recorded(open: bool, word: &str, places: &[Place]) -> Observed {
    let (_, mut observed, _) = live();
    let mut flows = vec!["ALLOW_USER_SRP_AUTH"];
    flows.extend(open.then_some(OPEN));
    let client = json!({ "UserPoolId": "us-west-2_Ab1", "ClientId": "web", "ClientName": "web",
        "ExplicitAuthFlows": flows });
    observed.clients = Ok(vec![ClientDocument::from_json(client).unwrap()]);
    let record = (tag::OPENED_CLIENTS.to_owned(), format!("web={word}"));
    if let (Ok(Some(function)), Ok(Some(role))) = (&mut observed.function, &mut observed.role) {
        for place in places {
            match place {
                Place::Function => function.function.tags.extend([record.clone()]),
                Place::Role => role.tags.extend([record.clone()]),
            }
        }
    }
    observed
}

fn plan_of(observed: &Observed) -> Plan {
    teardown(observed, Extent::default(), &[], &super::Allowed::default()).unwrap()
}

fn closes(plan: &Plan) -> bool {
    let is_client = |operation: &Operation| matches!(operation, Operation::UpdateClient(_));
    plan.changes
        .iter()
        .any(|change| is_client(&change.operation))
}

#[test]
fn a_client_that_only_one_record_names_stops_a_teardown_if_it_is_open() {
    let both = [Place::Function, Place::Role];
    let plan = plan_of(&recorded(true, OPEN, &both));
    assert!(closes(&plan) && !plan.is_blocked());
    for place in both {
        let plan = plan_of(&recorded(true, OPEN, &[place]));
        let conflicts: Vec<_> = plan.conflicts.iter().map(|one| one.resource).collect();
        assert_eq!(conflicts, [Resource::Client], "{place:?}");
        // A deploy was interrupted between the two records, before it opened the client.
        let plan = plan_of(&recorded(false, OPEN, &[place]));
        assert!(!closes(&plan) && !plan.is_blocked(), "{place:?}");
    }
}

#[test]
fn a_client_whose_record_cannot_be_read_stays_as_it_is_and_is_reported() {
    let plan = plan_of(&recorded(true, "TOMORROW", &[Place::Function, Place::Role]));
    assert!(!closes(&plan) && !plan.is_blocked());
    let found: Vec<_> = plan.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(found, ["unreadable-record"]);
}
