//! The execution role: who may become it, what it may do, and whether that is enough.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Said, Wrong, check, holds, unless, wrong};
use crate::finding::Severity::Error;
use crate::resources::{role_policy, trust_policy};
use crate::verify::{Check, Evidence};

pub(super) const CHECKS: &[Check] = &[
    check(
        "role-trust",
        Error,
        "Lambda alone may assume the execution role",
        role_trust,
    ),
    check(
        "role-permissions",
        Error,
        "the role may do no more than a sign-in needs",
        role_permissions,
    ),
    check(
        "role-needs",
        Error,
        "the role may do what a sign-in needs",
        role_needs,
    ),
];

fn role_trust<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.role.as_ref()?.as_ref().map(|role| &role.trust);
    if found == Some(&trust_policy()) {
        return holds("Lambda alone may assume the role");
    }
    wrong(
        "the execution role is not for Lambda alone",
        trust_policy().to_string(),
        found.map_or("no role".to_owned(), Value::to_string),
        evidence.deploy(),
    )
    .into()
}

/// One thing a policy allows.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    action: String,
    resource: String,
}

impl Grant {
    /// Whether this one allows that one, wildcards considered.
    fn covers(&self, other: &Self) -> bool {
        matches(
            &self.action.to_ascii_lowercase(),
            &other.action.to_ascii_lowercase(),
        ) && matches(&self.resource, &other.resource)
    }
}

/// What a policy allows. `NotAction` and `NotResource` allow everything but some, which here is everything.
fn grants(policy: &Value) -> Vec<Grant> {
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    let mut grants = Vec::new();
    for statement in statements.iter().filter(|s| s["Effect"] == "Allow") {
        for action in strings(statement, "Action") {
            for resource in strings(statement, "Resource") {
                grants.push(Grant {
                    action: action.clone(),
                    resource,
                });
            }
        }
    }
    grants
}

/// A string or an array of strings; everything, where the statement names none.
fn strings(statement: &Value, member: &str) -> Vec<String> {
    match &statement[member] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => vec!["*".to_owned()],
    }
}

/// IAM's wildcards: `*` is any text, `?` any character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern_chars = pattern.chars();
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_chars.as_str();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| matches(rest, &text[at..]))
        }
        Some(first) => {
            let mut text_chars = text.chars();
            text_chars
                .next()
                .is_some_and(|next| first == '?' || first == next)
                && matches(pattern_chars.as_str(), text_chars.as_str())
        }
    }
}

/// Actions by which a function could give itself or others more, or sign in as anybody.
const POWERS: [&str; 5] = ["iam:", "lambda:", "cognito-idp:", "kms:", "sts:"];

fn role_permissions<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    evidence.role()?;
    let needed = grants(&role_policy(&evidence.names, evidence.wanted()?));
    let mut surplus: Vec<Wrong> = Vec::new();
    let mut judge = |policy: &str, document: &Value| {
        for grant in grants(document) {
            if needed.iter().any(|needed| needed.covers(&grant)) {
                continue;
            }
            let action = grant.action.to_ascii_lowercase();
            let dangerous = action.contains('*')
                || grant.resource == "*"
                || POWERS.iter().any(|power| action.starts_with(power));
            let wrong = wrong(
                "the execution role may do more than a sign-in needs",
                "its own log and the configured secrets",
                format!("{policy} allows {} on {}", grant.action, grant.resource),
                evidence.deploy(),
            );
            surplus.push(if dangerous { wrong } else { wrong.warning() });
        }
    };
    for (name, document) in evidence.role_policies.as_ref()? {
        judge(&format!("policy {name}"), document);
    }
    let attached: &BTreeMap<String, Value> = evidence.attached_policies.as_ref()?;
    for (arn, document) in attached {
        judge(&format!("attached policy {arn}"), document);
    }
    unless(surplus, "the role may do no more than a sign-in needs")
}

fn role_needs<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    evidence.role()?;
    let policies = evidence.role_policies.as_ref()?.values();
    let granted: Vec<Grant> = policies
        .chain(evidence.attached_policies.as_ref()?.values())
        .flat_map(grants)
        .collect();
    let missing = grants(&role_policy(&evidence.names, evidence.wanted()?))
        .into_iter()
        .filter(|needed| !granted.iter().any(|granted| granted.covers(needed)))
        .map(|needed| {
            wrong(
                "the execution role lacks what a sign-in needs",
                format!("{} on {}", needed.action, needed.resource),
                "not allowed",
                evidence.deploy(),
            )
        });
    unless(missing.collect(), "the role may do what a sign-in needs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wildcards_cover_what_iam_says() {
        for (pattern, text, fits) in [
            ("logs:*", "logs:putlogevents", true),
            ("*", "anything", true),
            ("logs:Put?ogEvents", "logs:PutLogEvents", true),
            (
                "arn:aws:logs:*:log-group:/a:*",
                "arn:aws:logs:us-east-1:1:log-group:/a:*",
                true,
            ),
            ("logs:Put", "logs:PutLogEvents", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_statement_that_names_no_action_allows_every_one() {
        let policy = json!({ "Statement": {
            "Effect": "Allow", "NotAction": "iam:*", "Resource": ["a", "b"],
        }});
        let everything: Vec<_> = grants(&policy)
            .into_iter()
            .map(|grant| grant.action)
            .collect();
        assert_eq!(everything, ["*", "*"]);
        assert!(
            grants(&json!({ "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*" }] }))
                .is_empty()
        );
    }
}
