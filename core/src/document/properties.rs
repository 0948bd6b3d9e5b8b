//! The properties of the updates, checked with generated pools and clients and a model of the
//! service.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::generate::{SECRET, client, flows, pool};
use super::service::{FUTURE, READ_ONLY_POOL, meaning, update_client, update_pool};
use super::*;
use crate::trigger::Trigger;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:jane-migrate-us-east-1_Example01";

fn config() -> ProptestConfig {
    // 256 cases of each, or `PROPTEST_CASES`.
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn newer_members(document: &Value) -> Vec<&String> {
    document
        .as_object()
        .expect("a document")
        .keys()
        .filter(|member| member.starts_with(FUTURE))
        .collect()
}

fn all(decision: Decision, document: &Value) -> Decisions {
    newer_members(document)
        .into_iter()
        .map(|member| (member.clone(), decision))
        .collect()
}

fn pool_document(pool: &Value) -> PoolDocument {
    PoolDocument::from_describe(json!({ "UserPool": pool })).expect("a pool")
}

fn client_document(client: &Value) -> ClientDocument {
    ClientDocument::from_describe(json!({ "UserPoolClient": client })).expect("a client")
}

fn migration(arn: Option<&str>) -> (Trigger, Option<&str>) {
    (Trigger::UserMigration, arn)
}

fn changed(before: &Value, after: &Value) -> Vec<String> {
    differences(before, after)
        .into_iter()
        .map(|difference| difference.pointer)
        .collect()
}

/// Without such cases the properties below would hold trivially: check that the generators make
/// them.
#[test]
fn the_generators_make_the_interesting_cases() {
    let mut runner = TestRunner::deterministic();
    let pools: Vec<Value> = (0..200)
        .map(|_| pool().new_tree(&mut runner).expect("a pool").current())
        .collect();
    let clients: Vec<Value> = (0..200)
        .map(|_| client().new_tree(&mut runner).expect("a client").current())
        .collect();
    let open = |client: &Value| client_document(client).allows_password_auth();
    assert!(clients.iter().any(open) && !clients.iter().all(open));
    let newer = |document: &Value| !newer_members(document).is_empty();
    assert!(pools.iter().any(newer) && !pools.iter().all(newer));
    assert!(clients.iter().any(newer) && !clients.iter().all(newer));
    assert!(
        clients
            .iter()
            .any(|client| client["ClientSecret"].is_string())
    );
    let alike = pools
        .iter()
        .filter(|pool| meaning(pool) == meaning(&pools[0]));
    assert_eq!(alike.count(), 1);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn attaching_and_detaching_triggers_changes_nothing_else(
        pool in pool(),
        which in proptest::sample::subsequence(Trigger::ALL.to_vec(), 1..=3),
    ) {
        let carry = all(Decision::Carry, &pool);
        let before = pool_document(&pool);

        let ours: Vec<_> = which.iter().map(|trigger| (*trigger, Some(ARN))).collect();
        let theirs: Vec<_> = which.iter().map(|trigger| (*trigger, before.trigger(*trigger))).collect();
        let attach = pool_update(&before, &ours, &carry)?;
        let attached = update_pool(&pool, attach.body()).map_err(TestCaseError::fail)?;
        let mut wanted = pool.clone();
        if !wanted["LambdaConfig"].is_object() {
            wanted["LambdaConfig"] = json!({});
        }
        for trigger in &which {
            wanted["LambdaConfig"][trigger.member()] = ARN.into();
        }
        prop_assert_eq!(meaning(&attached), meaning(&wanted));
        prop_assert_eq!(attach.differences(&attached), vec![]);
        let mut pointers: Vec<_> = which.iter().map(|trigger| format!("/LambdaConfig/{}", trigger.member())).collect();
        pointers.sort();
        let mut really = changed(&pool, &attached);
        really.sort();
        prop_assert_eq!(really, pointers);

        let detach = pool_update(&pool_document(&attached), &theirs, &carry)?;
        let detached = update_pool(&attached, detach.body()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(meaning(&detached), meaning(&pool));
        prop_assert_eq!(detach.differences(&detached), vec![]);
        prop_assert_eq!(differences(&pool, &detached), vec![]);
    }

    #[test]
    fn every_lost_setting_can_be_put_back(earlier in pool(), spoilt in pool()) {
        let mut spoilt = spoilt;
        let beyond_reach = ["AcrConfiguration", "UserPoolTier"];
        for member in READ_ONLY_POOL.into_iter().chain(beyond_reach) {
            spoilt[member] = earlier[member].clone();
        }
        spoilt["UserPoolTags"] = json!({ "added": "since" });
        let mut carry = all(Decision::Carry, &earlier);
        carry.extend(all(Decision::Carry, &spoilt));
        let (earlier, now) = (pool_document(&earlier), pool_document(&spoilt));
        let restore = Rewrite::pool_back(&now, &earlier, &carry)?.update;
        let restored = update_pool(&spoilt, restore.body()).map_err(TestCaseError::fail)?;
        let aws_tags = |found: &Difference| found.pointer.starts_with("/UserPoolTags/aws:");
        let left = restore.differences(&restored);
        prop_assert!(left.iter().all(aws_tags), "{:?}", left);
        // Once is enough.
        let again = Rewrite::pool_back(&pool_document(&restored), &earlier, &carry)?;
        let left = again.differences();
        prop_assert!(left.iter().all(aws_tags), "{:?}", left);
    }

    #[test]
    fn newer_fields_of_a_pool_stop_the_update_and_are_named(pool in pool()) {
        let unknown = |member: &String| Reason::Unknown { member: member.clone() };
        let newer: Vec<Reason> = newer_members(&pool).into_iter().map(unknown).collect();
        match pool_update(&pool_document(&pool), &[migration(Some(ARN))], &Decisions::new()) {
            Ok(_) => prop_assert_eq!(newer, vec![]),
            Err(refusal) => prop_assert_eq!(refusal.reasons(), newer),
        }
    }

    #[test]
    fn dropped_fields_are_neither_sent_nor_reported(pool in pool()) {
        let update = pool_update(&pool_document(&pool), &[migration(Some(ARN))], &all(Decision::Drop, &pool))?;
        prop_assert_eq!(newer_members(update.body()), Vec::<&String>::new());
        let after = update_pool(&pool, update.body()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(update.differences(&after), vec![]);
    }

    #[test]
    fn a_client_is_opened_and_closed_without_a_trace(client in client()) {
        let carry = all(Decision::Carry, &client);
        let before = client_document(&client);
        let Some(opening) = open_password_auth(&before, &carry)? else {
            prop_assert!(before.allows_password_auth());
            return Ok(());
        };
        let fits_a_tag = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
        prop_assert!(opening.record.chars().all(fits_a_tag));
        let opened = update_client(&client, opening.update.body()).map_err(TestCaseError::fail)?;
        let document = client_document(&opened);
        prop_assert!(document.allows_password_auth());
        prop_assert_eq!(opening.update.differences(document.json()), vec![]);
        prop_assert_eq!(changed(before.json(), document.json()), ["/ExplicitAuthFlows"]);

        let closing = close_password_auth(&document, opening.record, &carry)?;
        let closing = closing.expect("something to take back");
        let closed = update_client(&opened, closing.body()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(meaning(&closed), meaning(&client));
        prop_assert_eq!(closing.differences(client_document(&closed).json()), vec![]);
        let again = close_password_auth(&client_document(&closed), opening.record, &carry)?;
        prop_assert_eq!(again, None);
    }

    #[test]
    fn closing_keeps_later_changes_by_others(client in client(), since in flows()) {
        let carry = all(Decision::Carry, &client);
        let Some(opening) = open_password_auth(&client_document(&client), &carry)? else {
            return Ok(());
        };
        let opened = update_client(&client, opening.update.body());
        let mut since_then = opened.map_err(TestCaseError::fail)?;
        let since = since.unwrap_or_default();
        since_then["ExplicitAuthFlows"] = json!(since);
        let from_default = opening.record == "default";
        let ours = if from_default { "ALLOW_USER_PASSWORD_AUTH" } else { opening.record };
        let rest: Vec<&str> = since.iter().copied().filter(|flow| *flow != ours).collect();
        match close_password_auth(&client_document(&since_then), opening.record, &carry) {
            Ok(None) => prop_assert!(!since.contains(&ours)),
            Ok(Some(update)) => {
                prop_assert!(since.contains(&ours));
                let wanted = json!(rest);
                let sent = update.body().get("ExplicitAuthFlows");
                prop_assert!(sent == Some(&wanted) || sent.is_none() && from_default, "{:?}", sent);
            }
            Err(refusal) => {
                prop_assert!(rest.is_empty());
                let only_flow = matches!(refusal.reasons(), [Reason::OnlyFlow { .. }]);
                prop_assert!(only_flow);
            }
        }
    }

    #[test]
    fn a_client_is_put_back(earlier in client(), spoilt in client()) {
        let mut spoilt = spoilt;
        for member in ["ClientSecret", "ClientSecretArn", "ClientType", "CreationDate"] {
            spoilt[member] = earlier[member].clone();
        }
        let earlier = client_document(&earlier);
        let restore = restore_client(&earlier, &all(Decision::Carry, earlier.json()))?;
        let restored = update_client(&spoilt, restore.body()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(restore.differences(client_document(&restored).json()), vec![]);
    }

    #[test]
    fn a_client_secret_is_never_seen_again(client in client()) {
        let document = client_document(&client);
        prop_assert_eq!(document.has_secret(), client["ClientSecret"].is_string());
        let opening = open_password_auth(&document, &all(Decision::Carry, &client));
        for text in [document.json().to_string(), format!("{document:?}"), format!("{opening:?}")] {
            prop_assert!(!text.contains(SECRET));
        }
    }

    #[test]
    fn newer_fields_of_a_client_stop_the_update_and_are_named(client in client()) {
        let document = client_document(&client);
        if let Err(refusal) = open_password_auth(&document, &Decisions::new()) {
            for member in newer_members(&client) {
                let named = refusal.to_string().contains(&format!("`{member}`"));
                prop_assert!(named);
            }
        } else {
            prop_assert!(document.allows_password_auth() || newer_members(&client).is_empty());
        }
    }

    #[test]
    fn two_pools_differ_exactly_when_their_meanings_do(one in pool(), other in pool()) {
        prop_assert_eq!(differences(&one, &one), vec![]);
        prop_assert_eq!(differences(&one, &other).is_empty(), meaning(&one) == meaning(&other));
    }

    #[test]
    fn the_loss_of_any_field_is_detected(pool in pool(), choice in any::<prop::sample::Index>()) {
        let said = meaning(&pool);
        let members: Vec<&String> = said.as_object().expect("a pool").keys().collect();
        let lost = choice.get(&members).as_str();
        let mut after = pool.clone();
        after.as_object_mut().expect("a pool").remove(lost);
        let seen = differences(&pool, &after);
        // A policy with only the default days, and settings that moved, are no loss.
        prop_assert_eq!(seen.is_empty(), meaning(&pool) == meaning(&after), "{}", lost);
        let at_home = |seen: &Difference| {
            seen.pointer.starts_with(&format!("/{lost}")) || seen.pointer.ends_with("Days")
        };
        prop_assert!(seen.iter().all(at_home), "{:?}", seen);
    }
}
