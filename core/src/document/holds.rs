//! Properties of the updates, for the property tests and the fuzzer: if an update loses a setting, the comparison after it shows
//! that. The model of the service and the second comparison share no code with the product. A document that no service
//! would return must only cause no panic.

use serde_json::{Value, json};

use super::service::{MODEL, meaning, update_client, update_pool};
use super::*;
use crate::trigger::Trigger;

pub(crate) const ARN: &str =
    "arn:aws:lambda:us-east-1:123456789012:function:jane-migrate-us-east-1_Example01";

/// Every operation on a pool.
pub(crate) fn pool(now: &Value, earlier: Option<&Value>) {
    differences_are_seen(now, earlier, "UserPoolType");
    let Ok(document) = PoolDocument::from_json(now.clone()) else {
        return;
    };
    document.name();
    document.schema_attributes().count();
    document.recovery_mechanisms();
    let attach = [(Trigger::UserMigration, Some(ARN))];
    let _ = pool_update(&document, &attach, &Decisions::new());
    let earlier = earlier.and_then(|earlier| PoolDocument::from_json(earlier.clone()).ok());
    let back = earlier.map(|earlier| {
        let mut decisions = all(Decision::Carry, now);
        decisions.extend(all(Decision::Carry, earlier.json()));
        Rewrite::pool_back(&document, &earlier, &decisions)
    });
    if is_typed("UserPoolType", now) {
        let _ = triggers_come_and_go(now, &Trigger::ALL);
        if let Some(Ok(back)) = back
            && is_typed("UserPoolType", back.update.expected())
            && let Ok(restored) = update_pool(now, back.update.body())
        {
            lost(&back.update, &restored, back.update.expected());
        }
    }
}

/// Every operation on an app client.
pub(crate) fn client(now: &Value, earlier: Option<&Value>) {
    differences_are_seen(now, earlier, "UserPoolClientType");
    the_secret_is_forgotten(now);
    let Ok(document) = ClientDocument::from_json(now.clone()) else {
        return;
    };
    document.name();
    document.without_users();
    document.write_attributes();
    let _ = open_password_auth(&document, &Decisions::new());
    for record in ["default", "ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"] {
        let _ = close_password_auth(&document, record, &all(Decision::Carry, now));
    }
    let earlier = earlier.and_then(|earlier| ClientDocument::from_json(earlier.clone()).ok());
    let back = earlier.map(|earlier| {
        let mut decisions = all(Decision::Carry, now);
        decisions.extend(all(Decision::Carry, earlier.json()));
        Rewrite::client_back(&document, &earlier, &decisions)
    });
    if is_typed("UserPoolClientType", now) {
        let _ = passwords_come_and_go(now);
        if let Some(Ok(back)) = back
            && is_typed("UserPoolClientType", back.update.expected())
            && let Ok(restored) = update_client(document.json(), back.update.body())
        {
            lost(&back.update, &restored, back.update.expected());
        }
    }
}

/// Attaches triggers and detaches them. Returns the settings that an update did not set or did not restore, or an error if the
/// update was rejected.
pub(crate) fn triggers_come_and_go(
    pool: &Value,
    which: &[Trigger],
) -> Result<Vec<Difference>, String> {
    let carry = all(Decision::Carry, pool);
    let document = |pool: &Value| PoolDocument::from_json(pool.clone()).map_err(text);
    let before = document(pool)?;
    let with = |pool: &Value, triggers: &[(Trigger, Option<&str>)]| {
        let mut pool = pool.clone();
        if !pool["LambdaConfig"].is_object() {
            pool["LambdaConfig"] = json!({});
        }
        for (trigger, arn) in triggers {
            pool["LambdaConfig"][trigger.member()] = json!(arn);
        }
        pool
    };
    let ours: Vec<_> = which.iter().map(|trigger| (*trigger, Some(ARN))).collect();
    let theirs = which
        .iter()
        .map(|trigger| (*trigger, before.trigger(*trigger)));
    let theirs: Vec<_> = theirs.collect();

    let attach = pool_update(&before, &ours, &carry).map_err(text)?;
    let attached = update_pool(pool, attach.body())?;
    let mut found = lost(&attach, &attached, &with(pool, &ours));
    let changed = differences(pool, &attached);
    let triggers = changed
        .iter()
        .filter(|one| one.pointer.starts_with("/LambdaConfig/"));
    let new = which
        .iter()
        .filter(|trigger| before.trigger(**trigger) != Some(ARN));
    assert_eq!(triggers.count(), new.count(), "{changed:?}");
    assert!(
        !found.is_empty() || changed.iter().all(|one| one.after == ARN),
        "{changed:?}"
    );
    let detach = pool_update(&document(&attached)?, &theirs, &carry).map_err(text)?;
    let detached = update_pool(&attached, detach.body())?;
    found.extend(lost(&detach, &detached, &with(&attached, &theirs)));
    Ok(found)
}

/// Allows passwords on a client and disallows them again. Returns the same as above, and no setting if the client allowed them already.
pub(crate) fn passwords_come_and_go(client: &Value) -> Result<Vec<Difference>, String> {
    let carry = all(Decision::Carry, client);
    let document = |client: &Value| ClientDocument::from_json(client.clone()).map_err(text);
    let before = document(client)?;
    let Some(opening) = open_password_auth(&before, &carry).map_err(text)? else {
        assert!(before.allows_password_auth());
        return Ok(Vec::new());
    };
    let fits_a_tag = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    assert!(opening.record.chars().all(fits_a_tag));
    let opened = document(&update_client(client, opening.update.body())?)?;
    assert!(opened.allows_password_auth(), "{}", opened.json());
    let mut wanted = before.json().clone();
    wanted["ExplicitAuthFlows"] = opened.json()["ExplicitAuthFlows"].clone();
    let mut found = lost(&opening.update, opened.json(), &wanted);
    let changed = differences(before.json(), opened.json());
    let of_flows = |one: &Difference| one.pointer == "/ExplicitAuthFlows";
    assert!(
        !found.is_empty() || changed.iter().all(of_flows),
        "{changed:?}"
    );
    let closing = close_password_auth(&opened, opening.record, &carry).map_err(text)?;
    let closing = closing.expect("something to take back");
    let closed = update_client(opened.json(), closing.body())?;
    let mut wanted = opened.json().clone();
    wanted["ExplicitAuthFlows"] = before.json()["ExplicitAuthFlows"].clone();
    found.extend(lost(&closing, &closed, &wanted));
    let again = close_password_auth(&document(&closed)?, opening.record, &carry);
    assert_eq!(again.map_err(text)?, None);
    Ok(found)
}

/// A client's secret is in no value that is derived from its description.
pub(crate) fn the_secret_is_forgotten(client: &Value) {
    let mut client = client.clone();
    if !client.is_object() || client.to_string().contains(SECRET) {
        return;
    }
    client["ClientSecret"] = SECRET.into();
    let Ok(document) = ClientDocument::from_json(client.clone()) else {
        return;
    };
    assert!(document.has_secret());
    let opening = open_password_auth(&document, &all(Decision::Carry, &client));
    let shown = format!("{} {document:?} {opening:?}", document.json());
    assert!(!shown.contains(SECRET), "{shown}");
}

const SECRET: &str = "canary-of-a-client-secret";

/// Two documents with different settings have at least one difference.
fn differences_are_seen(now: &Value, earlier: Option<&Value>, shape: &str) {
    assert_eq!(differences(now, now), []);
    if let Some(earlier) = earlier {
        let found = differences(earlier, now);
        for difference in &found {
            appeared(difference);
        }
        let typed = is_typed(shape, now) && is_typed(shape, earlier);
        assert!(
            !typed || !found.is_empty() || meaning(earlier) == meaning(now),
            "{earlier} {now}"
        );
    }
}

/// The differences that an update finds afterwards. Panics if it finds none although a setting was lost.
fn lost(update: &Update, after: &Value, wanted: &Value) -> Vec<Difference> {
    let found = update.differences(after);
    let same = meaning(after) == meaning(wanted);
    assert!(same || !found.is_empty(), "{after} instead of {wanted}");
    found
}

/// A decision for every field; a field with a rule keeps its rule.
pub(crate) fn all(decision: Decision, document: &Value) -> Decisions {
    let members = document.as_object().into_iter().flatten();
    members
        .map(|(member, _)| (member.clone(), decision))
        .collect()
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Whether a service could return this: each field of the API has its type, and no list has an item twice.
fn is_typed(shape: &str, value: &Value) -> bool {
    let fact = &MODEL["shapes"][shape];
    let inner = |role: &str, value: &Value| {
        fact[role]
            .as_str()
            .is_some_and(|shape| is_typed(shape, value))
    };
    match (fact["type"].as_str(), value) {
        (_, Value::Null) => true,
        (Some("structure"), Value::Object(members)) => members.iter().all(|(name, value)| {
            let shape = fact["members"][name].as_str();
            shape.is_none_or(|shape| is_typed(shape, value))
        }),
        (Some("list"), Value::Array(items)) => {
            let unlike = |(at, item): (usize, &Value)| {
                items[..at]
                    .iter()
                    .all(|other| meaning(item) != meaning(other))
            };
            items
                .iter()
                .all(|item| !item.is_null() && inner("member", item))
                && items.iter().enumerate().all(unlike)
        }
        (Some("map"), Value::Object(members)) => {
            members.values().all(|value| inner("value", value))
        }
        (Some("boolean"), Value::Bool(_)) | (Some("string"), Value::String(_)) => true,
        (Some("integer"), Value::Number(number)) => number.as_u64().is_some(),
        (Some("timestamp"), Value::Number(_)) => true,
        _ => false,
    }
}
