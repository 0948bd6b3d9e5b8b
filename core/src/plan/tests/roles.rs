//! Roles under a company's rules: with a path and a boundary, or created by another owner.

use super::super::{Operation, Resource};
use super::{live, plan_of, steps};
use crate::fixtures::Fixture;
use crate::observed::Observed;

/// The recorded run with these lines added to its configuration, read with the names that follow from it.
fn configured(more: &str) -> (Fixture, Observed) {
    let (mut fixture, _, _) = live();
    let toml = fixture.json["config"]["toml"].as_str().unwrap();
    fixture.json["config"]["toml"] = format!("{toml}\n[function]\n{more}\n").into();
    let mut observed = fixture.observed_for_plan();
    let (_, before, _) = live();
    observed.function = before.function;
    observed.behind = before.behind;
    observed.live = before.live;
    (fixture, observed)
}

fn conflicts(more: &str, change: impl FnOnce(&mut Observed)) -> Vec<String> {
    let (fixture, mut observed) = configured(more);
    let (_, _, allowed) = live();
    change(&mut observed);
    let plan = plan_of(&fixture, &observed, &allowed);
    plan.conflicts
        .into_iter()
        .map(|conflict| conflict.message)
        .collect()
}

const GIVEN: &str = "role_arn = 'arn:aws:iam::123456789012:role/owned/migration'";

#[test]
fn a_role_that_cannot_be_moved_stops_the_deploy() {
    let said = conflicts("role_path = '/apps/'", |_| ());
    assert!(
        said[0].contains("with the path / and not /apps/"),
        "{said:?}"
    );
    let said = conflicts(GIVEN, |_| ());
    assert!(
        said[0].contains("with the path / and not /owned/"),
        "{said:?}"
    );
}

#[test]
fn names_that_aws_rejects_stop_the_deploy() {
    let said = conflicts("name_prefix = 'abcdefghijklmnopqrstuvwxyz'", |observed| {
        observed.names.spare_role = "x".repeat(65);
    });
    assert!(
        said.iter().any(|said| said.contains("has 65 characters")),
        "{said:?}"
    );
}

#[test]
fn a_role_of_ours_is_not_left_behind_for_a_given_one() {
    let said = conflicts(GIVEN, |observed| {
        let Ok(Some(role)) = &mut observed.role else {
            panic!("no role")
        };
        role.path = "/owned/".into();
    });
    assert!(
        said[0].contains("deploy made and would leave behind"),
        "{said:?}"
    );
}

#[test]
fn a_given_role_is_never_changed_and_gets_no_spare_role() {
    let given = |id: &str| {
        let (fixture, mut observed) = configured(GIVEN);
        let Ok(Some(role)) = &mut observed.role else {
            panic!("no role")
        };
        role.path = "/owned/".into();
        role.id = Some(id.into());
        role.trust = serde_json::Value::Null;
        let arn = observed.names.role_arn.clone();
        for found in [
            &mut observed.function,
            &mut observed.behind,
            &mut observed.live,
        ] {
            let Ok(Some(found)) = found else {
                panic!("no function")
            };
            found.function.role_arn.clone_from(&arn);
            found.function.role_id = Some("AROA1".into());
        }
        plan_of(&fixture, &observed, &live().2)
    };
    let plan = given("AROA1");
    assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
    assert!(
        plan.changes
            .iter()
            .all(|change| change.resource != Resource::Role),
        "{:?}",
        steps(&plan)
    );
    // Its owner has created it again: no spare role may be created.
    let plan = given("AROA2");
    assert!(
        plan.conflicts[0].message.contains("was made again"),
        "{:?}",
        plan.conflicts
    );
}

#[test]
fn a_boundary_is_set_if_it_differs_and_kept_if_none_is_configured() {
    let boundary = "arn:aws:iam::123456789012:policy/b";
    let changed = |more: &str, found: Option<&str>| {
        let (fixture, mut observed) = configured(more);
        let Ok(Some(role)) = &mut observed.role else {
            panic!("no role")
        };
        role.boundary = found.map(str::to_owned);
        let plan = plan_of(&fixture, &observed, &live().2);
        let mut widened = plan
            .changes
            .iter()
            .filter_map(|change| match &change.operation {
                Operation::WidenRole(role) => Some(role.boundary.clone()),
                _ => None,
            });
        widened.next()
    };
    let named = format!("permissions_boundary = '{boundary}'");
    assert_eq!(changed(&named, None), Some(Some(boundary.into())));
    assert_eq!(changed(&named, Some("other")), Some(Some(boundary.into())));
    assert_eq!(changed(&named, Some(boundary)), None);
    assert_eq!(changed("", Some("other")), None);
}
