//! The execution role: who may become it, what it may do, and whether that is enough.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Said, Wrong, check, holds, unless, wrong};
use crate::finding::Severity::Error;
use crate::permission::matches;
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
    if found.is_some_and(|trust| for_lambda_alone(trust, &evidence.names.pool.account)) {
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

/// Whether the trust policy is deploy's, or that for this account's functions alone. What a statement or a policy is called says
/// nothing.
fn for_lambda_alone(trust: &Value, account: &str) -> bool {
    let [statement] = &statements(trust)[..] else {
        return false;
    };
    let mut statement = statement.clone();
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
        if let Some(condition) = members.remove("Condition") {
            let keys = condition["StringEquals"].as_object();
            let ours = keys.is_some_and(|keys| {
                keys.len() == 1
                    && keys.iter().all(|(key, value)| {
                        key.eq_ignore_ascii_case("aws:SourceAccount") && value == account
                    })
            });
            if !ours || condition.as_object().is_none_or(|all| all.len() != 1) {
                return false;
            }
        }
    }
    statements(&trust_policy()) == [statement]
}

fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    }
}

/// One thing a policy allows or denies.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    action: String,
    resource: String,
    /// Under which condition; `Null`: always.
    condition: Value,
}

impl Grant {
    /// Whether this one is about that one, wildcards considered.
    fn covers(&self, other: &Self) -> bool {
        matches(
            &self.action.to_ascii_lowercase(),
            &other.action.to_ascii_lowercase(),
        ) && matches(&self.resource, &other.resource)
    }

    /// Whether there is something that both are about.
    fn meets(&self, other: &Self) -> bool {
        let either = |a: &str, b: &str| matches(a, b) || matches(b, a);
        either(
            &self.action.to_ascii_lowercase(),
            &other.action.to_ascii_lowercase(),
        ) && either(&self.resource, &other.resource)
    }
}

/// What a policy allows. `NotAction` and `NotResource` allow everything but some, which here is everything.
fn grants(policy: &Value) -> Vec<Grant> {
    with_effect(policy, "Allow").flat_map(|s| of(&s)).collect()
}

fn with_effect(policy: &Value, effect: &str) -> impl Iterator<Item = Value> {
    statements(policy)
        .into_iter()
        .filter(move |statement| statement["Effect"] == effect)
}

fn of(statement: &Value) -> Vec<Grant> {
    let resources = strings(statement, "Resource");
    let actions = strings(statement, "Action").into_iter();
    let pairs = actions.flat_map(|action| {
        let pair = move |resource: &String| (action.clone(), resource.clone());
        resources.iter().map(pair).collect::<Vec<_>>()
    });
    pairs
        .map(|(action, resource)| Grant {
            action,
            resource,
            condition: statement["Condition"].clone(),
        })
        .collect()
}

/// Whether a statement that denies is about something that is needed. Of `NotAction` and `NotResource` that is what they leave.
fn denies(statement: &Value, needed: &Grant) -> bool {
    let spared = |member: &str, text: &str| {
        statement.get(member).is_some()
            && strings(statement, member)
                .iter()
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase()))
    };
    of(statement).iter().any(|denied| denied.meets(needed))
        && !spared("NotAction", &needed.action)
        && !spared("NotResource", &needed.resource)
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
            let what = format!("{policy} allows {} on {}", grant.action, grant.resource);
            let wrong = wrong(
                "the execution role may do more than a sign-in needs",
                "its own log and the configured secrets",
                &what,
                evidence.deploy(),
            )
            .of(what);
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
    let role = evidence.role()?;
    let policies: Vec<&Value> = evidence
        .role_policies
        .as_ref()?
        .values()
        .chain(evidence.attached_policies.as_ref()?.values())
        .collect();
    let granted: Vec<Grant> = policies.iter().flat_map(|policy| grants(policy)).collect();
    let denied: Vec<Value> = policies
        .iter()
        .flat_map(|policy| with_effect(policy, "Deny"))
        .collect();
    let mut lacking: Vec<Wrong> = grants(&role_policy(&evidence.names, evidence.wanted()?))
        .iter()
        .filter_map(|needed| {
            let found = in_the_way(needed, &granted, &denied)?;
            let action = &needed.action;
            let wrong = wrong(
                "the execution role lacks what a sign-in needs",
                format!("{action} on {}", needed.resource),
                found,
                evidence.deploy(),
            );
            Some(wrong.of(format!("{action} on {}", needed.resource)))
        })
        .collect();
    if let Some(boundary) = &role.boundary {
        // What it allows would take calls of its own to read.
        lacking.push(
            wrong(
                "a permissions boundary limits what the execution role may do, perhaps to less than a sign-in needs",
                "none",
                boundary,
                format!(
                    "accept it in [verify] once it allows what the role's own policy does, or `{}`",
                    evidence.aws(format_args!(
                        "iam delete-role-permissions-boundary --role-name {}",
                        evidence.names.function
                    ))
                ),
            )
            .of("the permissions boundary")
            .warning(),
        );
    }
    unless(lacking, "the role may do what a sign-in needs")
}

/// Why what is needed is not allowed, or not always.
fn in_the_way(needed: &Grant, granted: &[Grant], denied: &[Value]) -> Option<String> {
    if let Some(statement) = denied.iter().find(|statement| denies(statement, needed)) {
        return Some(format!("denied by {statement}"));
    }
    let mut covering = granted
        .iter()
        .filter(|grant| grant.covers(needed))
        .peekable();
    match covering.peek() {
        None => Some("not allowed".to_owned()),
        Some(first) => {
            let condition = first.condition.to_string();
            let always = covering
                .any(|grant| grant.condition.is_null() || grant.condition == needed.condition);
            (!always).then(|| format!("allowed only under the condition {condition}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn what_is_denied_or_conditioned_is_not_simply_allowed() {
        let needed = Grant {
            action: "logs:PutLogEvents".into(),
            resource: "arn:aws:logs:us-east-1:1:log-group:/g:*".into(),
            condition: Value::Null,
        };
        let why = |statements: Value| {
            let policy = json!({ "Statement": statements });
            let denied: Vec<Value> = with_effect(&policy, "Deny").collect();
            in_the_way(&needed, &grants(&policy), &denied)
        };
        let allow = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*" });
        assert_eq!(why(json!([allow])), None);
        assert_eq!(why(json!([])).as_deref(), Some("not allowed"));
        let only = json!({ "Effect": "Allow", "Action": "logs:*", "Resource": "*",
            "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } });
        assert!(why(json!([only])).unwrap().contains("SourceIp"));
        assert_eq!(why(json!([only, allow])), None);
        for (deny, in_the_way) in [
            (
                json!({ "Effect": "Deny", "Action": "logs:PutLogEvents", "Resource": "*" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:logs:us-east-1:1:log-group:/g:log-stream:a" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "NotAction": "s3:*", "Resource": "*" }),
                true,
            ),
            (
                json!({ "Effect": "Deny", "NotAction": "logs:*", "Resource": "*" }),
                false,
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:logs:*" }),
                false,
            ),
            (
                json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }),
                false,
            ),
        ] {
            assert_eq!(why(json!([allow, deny])).is_some(), in_the_way, "{deny}");
        }
    }

    #[test]
    fn the_trust_may_be_narrower_and_no_wider() {
        let trust = |change: &dyn Fn(&mut Value)| {
            let mut trust = trust_policy();
            change(&mut trust["Statement"][0]);
            for_lambda_alone(&trust, "123456789012")
        };
        assert!(trust(&|_| ()));
        assert!(trust(&|s| {
            s["Sid"] = json!("Lambda");
            s["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } });
        }));
        // Nobody could assume it then.
        assert!(!trust(&|s| {
            s["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "210987654321" } });
        }));
        assert!(!trust(&|s| {
            s["Condition"] =
                json!({ "StringEquals": { "aws:SourceAccount": "123456789012", "aws:x": "y" } });
        }));
        assert!(!trust(
            &|s| s["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } })
        ));
        assert!(!trust(&|s| s["Principal"]["AWS"] = json!("*")));
        assert!(!for_lambda_alone(
            &json!({ "Statement": [] }),
            "123456789012"
        ));
    }
}
