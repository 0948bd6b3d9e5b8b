//! What differs between two descriptions of the same pool or client.
//!
//! Owns what counts as equal: every spelling of "nothing", lists that are sets, and defaults that one description spells out and
//! the other leaves unsaid. What a difference means, and what to do about it, is the caller's.

use std::fmt;

use serde_json::{Map, Value, json};

use super::client::default_flows;
use super::pool::{DEFAULT_DAYS, temporary_password_days};

/// Members that change by themselves, or with every write.
const VOLATILE: [&str; 5] = [
    "LastModifiedDate",
    "EstimatedNumberOfUsers",
    "Status",
    "SmsConfigurationFailure",
    "EmailConfigurationFailure",
];

/// Lists whose order says nothing: sets of names, and of objects that carry their own name or priority. Any other list is compared
/// in order.
const SETS: [&str; 18] = [
    "AliasAttributes",
    "AllowedFirstAuthFactors",
    "AllowedOAuthFlows",
    "AllowedOAuthScopes",
    "AllowedScopes",
    "AttributesRequireVerificationBeforeUpdate",
    "AuthenticatedGrantTypes",
    "AutoVerifiedAttributes",
    "CallbackURLs",
    "ExplicitAuthFlows",
    "LogoutURLs",
    "OpenDcrGrantTypes",
    "ReadAttributes",
    "RecoveryMechanisms",
    "SchemaAttributes",
    "SupportedIdentityProviders",
    "UsernameAttributes",
    "WriteAttributes",
];

/// One place where two descriptions differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What was there; null for nothing.
    pub before: Value,
    /// What is there; null for nothing.
    pub after: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Value| {
            if is_unset(value) {
                "nothing".to_owned()
            } else {
                value.to_string()
            }
        };
        write!(
            f,
            "{}: {} => {}",
            self.pointer,
            shown(&self.before),
            shown(&self.after)
        )
    }
}

/// Everything that differs, deep, apart from what changes by itself.
///
/// Absent, null, `""`, `{}` and `[]` count as equal, because services disagree about how they show a member that is not set. This
/// hides no loss: wherever a value was wiped or made up, one of the two sides holds something. What is overlooked is only one
/// spelling of nothing in place of another, and updates make none up: they send a member as it was described or not at all.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", "", &comparable(before), &comparable(after), &mut found);
    found
}

/// The document with what changes by itself left out, and with its unsaid defaults said.
fn comparable(document: &Value) -> Value {
    let mut comparable = document.clone();
    if let Some(members) = comparable.as_object_mut() {
        members.retain(|member, _| !VOLATILE.contains(&member.as_str()));
        say_days(document, members);
        say_flows(document, members);
    }
    comparable
}

/// The validity of temporary passwords moves into the password policy with the first update, if there is one.
fn say_days(document: &Value, members: &mut Map<String, Value>) {
    let days = temporary_password_days(document)
        .cloned()
        .unwrap_or(json!(DEFAULT_DAYS));
    let is_default = days == DEFAULT_DAYS;
    let policy = members
        .get_mut("Policies")
        .and_then(|policies| policies.get_mut("PasswordPolicy"));
    let policy = policy.and_then(Value::as_object_mut);
    let has_policy = policy.is_some();
    if let Some(policy) = policy {
        policy.insert("TemporaryPasswordValidityDays".to_owned(), days);
    }
    let config = members
        .get_mut("AdminCreateUserConfig")
        .and_then(Value::as_object_mut);
    if let Some(config) = config.filter(|_| has_policy || is_default) {
        config.remove("UnusedAccountValidityDays");
    }
}

/// A client without flows has the default ones.
fn say_flows(document: &Value, members: &mut Map<String, Value>) {
    let listed = members
        .get("ExplicitAuthFlows")
        .is_some_and(|flows| !is_unset(flows));
    if members.contains_key("ClientId") && !listed {
        members.insert(
            "ExplicitAuthFlows".to_owned(),
            default_flows(document).into(),
        );
    }
}

fn compare(
    pointer: &str,
    member: &str,
    before: &Value,
    after: &Value,
    found: &mut Vec<Difference>,
) {
    let equal = match (before, after) {
        _ if is_unset(before) && is_unset(after) => true,
        (Value::Object(before), Value::Object(after)) => {
            return compare_members(pointer, before, after, found);
        }
        // Something in place of nothing is told member by member, too.
        (Value::Object(before), after) if is_unset(after) => {
            return compare_members(pointer, before, &Map::new(), found);
        }
        (before, Value::Object(after)) if is_unset(before) => {
            return compare_members(pointer, &Map::new(), after, found);
        }
        (Value::Array(before), Value::Array(after)) if SETS.contains(&member) => {
            before == after || includes(before, after) && includes(after, before)
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{pointer}/{index}"), "", before, after, found);
            }
            return;
        }
        _ => before == after,
    };
    if !equal {
        found.push(Difference {
            pointer: pointer.to_owned(),
            before: before.clone(),
            after: after.clone(),
        });
    }
}

fn compare_members(
    pointer: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let added = after.keys().filter(|member| !before.contains_key(*member));
    for member in before.keys().chain(added) {
        let value = |members: &Map<String, Value>| members.get(member).cloned().unwrap_or_default();
        let pointer = format!("{pointer}/{}", member.replace('~', "~0").replace('/', "~1"));
        compare(&pointer, member, &value(before), &value(after), found);
    }
}

fn includes(all: &[Value], some: &[Value]) -> bool {
    some.iter()
        .all(|one| all.iter().any(|other| same(one, other)))
}

fn same(one: &Value, other: &Value) -> bool {
    let mut found = Vec::new();
    compare("", "", one, other, &mut found);
    found.is_empty()
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_unset),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
