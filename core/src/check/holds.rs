//! Properties of all policies of a role, for the property tests and the fuzzer: a policy without a reported surplus allows
//! nothing more than needed, and a policy without a reported gap allows all that is needed. The second evaluation here
//! shares no code with the product.

use serde_json::{Value, json};

use super::{judged, role::for_lambda_alone};
use crate::permission::holds::like;

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Jane-AbCdEf";
const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/jane:*";
const STREAM: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/jane:log-stream:1";

/// What the role needs.
fn needed() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": GROUP },
        { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": SECRET },
    ] })
}

/// Calls that the role does not need.
const OTHERS: [(&str, &str); 4] = [
    (
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:Other-AbCdEf",
    ),
    ("secretsmanager:PutSecretValue", SECRET),
    ("iam:PassRole", "arn:aws:iam::123456789012:role/other"),
    (
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:123456789012:log-group:other:log-stream:1",
    ),
];

pub(crate) fn judged_as_defined(policy: &Value) {
    if for_lambda_alone(policy, "123456789012") {
        assert!(
            policy.to_string().contains("lambda.amazonaws.com"),
            "{policy}"
        );
    }
    let (surplus, withheld) = judged(&needed(), &[policy]);
    let Some(statements) = statements(policy) else {
        return;
    };
    for (action, resource) in OTHERS {
        let given = statements.iter().any(|statement| {
            statement["Effect"] == "Allow" && concerns(statement, action, resource)
        });
        assert!(
            !given || !surplus.is_empty(),
            "{action} {resource}: {policy}"
        );
    }
    for (action, resource) in [
        ("logs:CreateLogStream", STREAM),
        ("logs:PutLogEvents", STREAM),
        ("secretsmanager:GetSecretValue", SECRET),
    ] {
        let concerned = |effect: &'static str| {
            let concerned = move |statement: &&Value| {
                statement["Effect"] == effect && concerns(statement, action, resource)
            };
            statements.iter().filter(concerned)
        };
        let given = concerned("Allow").any(|statement| statement.get("Condition").is_none());
        let allowed = given && concerned("Deny").next().is_none();
        assert!(
            allowed || !withheld.is_empty(),
            "{action} {resource}: {policy}"
        );
    }
}

/// The statements of a policy; none if IAM would reject it.
fn statements(policy: &Value) -> Option<Vec<Value>> {
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    let texts = |value: &Value| match value {
        Value::String(_) => true,
        Value::Array(texts) => !texts.is_empty() && texts.iter().all(Value::is_string),
        _ => false,
    };
    let one_of = |statement: &Value, member: &str, not: &str| {
        let both = [statement.get(member), statement.get(not)];
        matches!(both, [Some(only), None] | [None, Some(only)] if texts(only))
    };
    let taken = |statement: &Value| {
        let condition = statement.get("Condition");
        (statement["Effect"] == "Allow" || statement["Effect"] == "Deny")
            && one_of(statement, "Action", "NotAction")
            && one_of(statement, "Resource", "NotResource")
            && condition
                .is_none_or(|condition| condition.as_object().is_some_and(|all| !all.is_empty()))
    };
    statements.iter().all(taken).then_some(statements)
}

/// Whether a statement applies to a call; conditions are ignored.
fn concerns(statement: &Value, action: &str, resource: &str) -> bool {
    let any = |patterns: &Value, fits: &dyn Fn(&str) -> bool| match patterns {
        Value::Array(patterns) => patterns.iter().filter_map(Value::as_str).any(fits),
        pattern => pattern.as_str().is_some_and(fits),
    };
    let action = action.to_ascii_lowercase();
    let of_action = |pattern: &str| like(&pattern.to_ascii_lowercase(), &action);
    let of_resource = |pattern: &str| like(pattern, resource);
    let named = |member: &str, not: &str, fits: &dyn Fn(&str) -> bool| match statement.get(not) {
        Some(others) => !any(others, fits),
        None => any(&statement[member], fits),
    };
    named("Action", "NotAction", &of_action) && named("Resource", "NotResource", &of_resource)
}
