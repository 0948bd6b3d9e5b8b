//! The differences between two descriptions of the same pool or client.
//!
//! Owns what counts as equal: every form of "nothing", lists that are sets, and defaults that only
//! one of the descriptions contains. The caller decides what a difference means.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::defaults::{DEFAULT_DAYS, default_flows, temporary_password_days};
use crate::line::one_line;

/// Fields that change by themselves, or with every write.
const VOLATILE: [&str; 5] = [
    "LastModifiedDate",
    "EstimatedNumberOfUsers",
    "Status",
    "SmsConfigurationFailure",
    "EmailConfigurationFailure",
];

/// Lists without a meaningful order: sets of names, and of objects with their own name or priority.
/// Any other list is compared in order.
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its place, as a JSON pointer.
    pub pointer: String,
    /// The old value; null for nothing.
    pub before: Value,
    /// The new value; null for nothing.
    pub after: Value,
}

impl Difference {
    /// The old and the new value, as JSON or `none`.
    pub fn values(&self) -> (String, String) {
        let shown = |value: &Value| match is_unset(value) {
            true => "none".to_owned(),
            false => value.to_string(),
        };
        (shown(&self.before), shown(&self.after))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.values();
        write!(f, "{}: {before} => {after}", one_line(&self.pointer))
    }
}

/// All differences at any depth, except for fields that change by themselves.
///
/// Absent, null, `""`, `{}` and `[]` count as equal, because services differ in how they show a
/// field that is not set. This hides no loss: if a value was lost or invented, one of the two sides
/// has a value. Only one form of nothing in place of another is overlooked, and updates create no
/// such form: they send a field as it was described or not at all.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", "", &comparable(before), &comparable(after), &mut found);
    found
}

/// The document without fields that change by themselves, and with its defaults filled in.
fn comparable(document: &Value) -> Value {
    let mut comparable = document.clone();
    if let Some(members) = comparable.as_object_mut() {
        members.retain(|member, _| !VOLATILE.contains(&member.as_str()));
        say_days(document, members);
        say_flows(document, members);
    }
    comparable
}

/// With the first update, the validity of temporary passwords moves into the password policy, if
/// there is one.
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
        // A value in place of nothing is also reported field by field.
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

pub(super) fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_unset),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: Value, after: Value) -> Vec<String> {
        differences(&before, &after)
            .iter()
            .map(Difference::to_string)
            .collect()
    }

    #[test]
    fn a_change_is_reported_at_its_path() {
        let before = json!({ "Policies": { "PasswordPolicy": { "MinimumLength": 8 } } });
        let after = json!({ "Policies": { "PasswordPolicy": { "MinimumLength": 6 } } });
        assert_eq!(
            shown(before, after),
            ["/Policies/PasswordPolicy/MinimumLength: 8 => 6"]
        );
    }

    #[test]
    fn added_and_removed_values_are_reported_field_by_field() {
        let before = json!({ "LambdaConfig": { "PreSignUp": "a" } });
        assert_eq!(
            shown(before.clone(), json!({})),
            ["/LambdaConfig/PreSignUp: \"a\" => none"]
        );
        assert_eq!(
            shown(json!({}), before),
            ["/LambdaConfig/PreSignUp: none => \"a\""]
        );
        // A value that is no object is not taken apart.
        let member = json!({ "A": { "B": 1 } });
        let text = json!({ "A": "b" });
        assert_eq!(
            shown(member.clone(), text.clone()),
            ["/A: {\"B\":1} => \"b\""]
        );
        assert_eq!(shown(text, member), ["/A: \"b\" => {\"B\":1}"]);
    }

    #[test]
    fn every_form_of_an_empty_value_is_equal() {
        let spellings = [
            json!({}),
            json!({ "A": null }),
            json!({ "A": "" }),
            json!({ "A": {} }),
            json!({ "A": [] }),
            json!({ "A": { "B": "" } }),
        ];
        for before in &spellings {
            for after in &spellings {
                assert_eq!(differences(before, after), []);
            }
        }
    }

    #[test]
    fn false_and_zero_are_values() {
        assert_eq!(
            shown(json!({ "A": false, "B": 0 }), json!({})),
            ["/A: false => none", "/B: 0 => none"]
        );
    }

    #[test]
    fn sets_have_no_order() {
        let before = json!({ "AutoVerifiedAttributes": ["email", "phone_number"] });
        let after = json!({ "AutoVerifiedAttributes": ["phone_number", "email"] });
        assert_eq!(shown(before.clone(), after), [] as [&str; 0]);
        let less = json!({ "AutoVerifiedAttributes": ["email"] });
        assert_eq!(
            shown(before, less),
            ["/AutoVerifiedAttributes: [\"email\",\"phone_number\"] => [\"email\"]"]
        );
    }

    #[test]
    fn mechanisms_are_compared_by_priority_not_by_position() {
        let one = json!({ "Name": "verified_email", "Priority": 1 });
        let two = json!({ "Name": "verified_phone_number", "Priority": 2 });
        let mechanisms =
            |all: [&Value; 2]| json!({ "AccountRecoverySetting": { "RecoveryMechanisms": all } });
        assert_eq!(
            differences(&mechanisms([&one, &two]), &mechanisms([&two, &one])),
            []
        );
        let swapped = [
            &json!({ "Name": "verified_email", "Priority": 2 }),
            &json!({ "Name": "verified_phone_number", "Priority": 1 }),
        ];
        assert_eq!(
            differences(&mechanisms([&one, &two]), &mechanisms(swapped)).len(),
            1
        );
    }

    #[test]
    fn unknown_lists_are_compared_in_order() {
        assert_eq!(
            shown(
                json!({ "Later": ["a", "b"] }),
                json!({ "Later": ["b", "a"] })
            ),
            ["/Later/0: \"a\" => \"b\"", "/Later/1: \"b\" => \"a\""]
        );
    }

    #[test]
    fn lists_of_another_length_are_reported_as_a_whole() {
        let (short, long) = (json!({ "Later": ["a"] }), json!({ "Later": ["a", "b"] }));
        assert_eq!(
            shown(short.clone(), long.clone()),
            ["/Later: [\"a\"] => [\"a\",\"b\"]"]
        );
        assert_eq!(shown(long, short), ["/Later: [\"a\",\"b\"] => [\"a\"]"]);
    }

    #[test]
    fn fields_that_change_by_themselves_are_left_out() {
        let before = json!({ "LastModifiedDate": 1, "EstimatedNumberOfUsers": 5 });
        assert_eq!(
            differences(
                &before,
                &json!({ "LastModifiedDate": 2, "SmsConfigurationFailure": "x" })
            ),
            []
        );
        assert_eq!(
            shown(json!({}), json!({ "A": { "Status": "x" } })),
            ["/A/Status: none => \"x\""]
        );
    }

    #[test]
    fn a_difference_is_one_line() {
        let found = shown(json!({}), json!({ "Tags": { "a\n::error::b": "c\n" } }));
        assert_eq!(found, ["/Tags/a?::error::b: none => \"c\\n\""]);
    }

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(
            shown(json!({}), json!({ "UserPoolTags": { "a/b~c": "x" } })),
            ["/UserPoolTags/a~1b~0c: none => \"x\""]
        );
    }

    #[test]
    fn days_that_moved_to_the_password_policy_are_no_difference() {
        let before = json!({ "AdminCreateUserConfig": { "UnusedAccountValidityDays": 30 }, "Policies": { "PasswordPolicy": { "MinimumLength": 8 } } });
        let policy = |days: u8| json!({ "Policies": { "PasswordPolicy": { "MinimumLength": 8, "TemporaryPasswordValidityDays": days } } });
        assert_eq!(shown(before.clone(), policy(30)), [] as [&str; 0]);
        assert_eq!(
            shown(before, policy(7)),
            ["/Policies/PasswordPolicy/TemporaryPasswordValidityDays: 30 => 7"]
        );
    }

    #[test]
    fn days_lost_without_a_policy_are_reported() {
        let before = json!({ "AdminCreateUserConfig": { "UnusedAccountValidityDays": 30 } });
        assert_eq!(
            shown(before, json!({})),
            ["/AdminCreateUserConfig/UnusedAccountValidityDays: 30 => none"]
        );
    }

    #[test]
    fn default_flows_may_be_listed_or_not() {
        let listed = json!({ "ClientId": "c", "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"] });
        assert_eq!(differences(&json!({ "ClientId": "c" }), &listed), []);
        let rotating = json!({ "ClientId": "c", "RefreshTokenRotation": { "Feature": "ENABLED" } });
        assert_eq!(
            changed(&rotating, &listed),
            ["/ExplicitAuthFlows", "/RefreshTokenRotation/Feature"]
        );
    }

    fn changed(before: &Value, after: &Value) -> Vec<String> {
        let mut pointers: Vec<String> = differences(before, after)
            .into_iter()
            .map(|found| found.pointer)
            .collect();
        pointers.sort();
        pointers
    }
}
