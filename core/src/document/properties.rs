//! The properties of the updates, checked with generated pools and clients and a model of the
//! service.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::generate::{client, flows, pool};
use super::holds::{
    ARN, all, passwords_come_and_go, the_secret_is_forgotten, triggers_come_and_go,
};
use super::service::{FUTURE, READ_ONLY_POOL, meaning, update_client, update_pool};
use super::*;
use crate::trigger::Trigger;

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

fn pool_document(pool: &Value) -> PoolDocument {
    PoolDocument::from_describe(json!({ "UserPool": pool })).expect("a pool")
}

fn client_document(client: &Value) -> ClientDocument {
    ClientDocument::from_describe(json!({ "UserPoolClient": client })).expect("a client")
}

fn migration(arn: Option<&str>) -> (Trigger, Option<&str>) {
    (Trigger::UserMigration, arn)
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
        prop_assert_eq!(triggers_come_and_go(&pool, &which), Ok(vec![]));
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
        prop_assert_eq!(passwords_come_and_go(&client), Ok(vec![]));
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
        the_secret_is_forgotten(&client);
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
