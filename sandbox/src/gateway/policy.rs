//! Evaluates policy documents: resource policies of functions and trust policies of roles. Covers the part of the IAM policy
//! language that these use; an unknown condition operator never matches.

use serde_json::Value;

/// A request to evaluate.
pub(crate) struct Attempt<'a> {
    /// A service principal, such as `cognito-idp.amazonaws.com`.
    pub service: &'a str,
    pub action: &'a str,
    /// The resource; trust policies have none.
    pub resource: Option<&'a str>,
    /// Condition keys, such as `aws:SourceArn`, and their values.
    pub context: &'a [(&'a str, &'a str)],
}

/// Whether `policy` allows the request: a statement allows it, and none denies it.
pub(crate) fn allows(policy: &Value, attempt: &Attempt) -> bool {
    let matching = |effect: &str| {
        list(&policy["Statement"])
            .iter()
            .any(|statement| statement["Effect"] == effect && applies(statement, attempt))
    };
    matching("Allow") && !matching("Deny")
}

fn applies(statement: &Value, attempt: &Attempt) -> bool {
    let principal = &statement["Principal"];
    let anyone = |value: &Value| strings(value).any(|principal| principal == "*");
    (anyone(principal)
        || anyone(&principal["AWS"])
        || strings(&principal["Service"]).any(|service| service == attempt.service))
        && strings(&statement["Action"]).any(|action| {
            glob(
                &action.to_ascii_lowercase(),
                &attempt.action.to_ascii_lowercase(),
            )
        })
        && attempt.resource.is_none_or(|resource| {
            strings(&statement["Resource"]).any(|pattern| glob(pattern, resource))
        })
        && conditions_hold(&statement["Condition"], attempt.context)
}

fn conditions_hold(conditions: &Value, context: &[(&str, &str)]) -> bool {
    let Some(conditions) = conditions.as_object() else {
        return conditions.is_null();
    };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, wanted)| {
                let actual = context
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(key));
                condition_holds(operator, wanted, actual.map(|(_, value)| *value))
            })
        })
    })
}

fn condition_holds(operator: &str, wanted: &Value, actual: Option<&str>) -> bool {
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let Some(actual) = actual else {
        return if_exists;
    };
    strings(wanted).any(|wanted| match operator {
        "StringEquals" => wanted == actual,
        "StringEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(actual),
        "StringLike" => glob(wanted, actual),
        // IAM treats both the same: a wildcard stays inside its part of the ARN.
        "ArnEquals" | "ArnLike" => {
            let (wanted, actual): (Vec<_>, Vec<_>) = (
                wanted.splitn(6, ':').collect(),
                actual.splitn(6, ':').collect(),
            );
            wanted.len() == actual.len()
                && wanted
                    .iter()
                    .zip(actual)
                    .all(|(wanted, actual)| glob(wanted, actual))
        }
        _ => false,
    })
}

/// A field with one value or a list.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    list(value).iter().filter_map(Value::as_str)
}

/// `*` is any text, `?` any single character.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = chars.as_str();
            text.char_indices()
                .map(|(at, _)| &text[at..])
                .chain([""])
                .any(|tail| glob(rest, tail))
        }
        Some(wanted) => {
            let mut text = text.chars();
            text.next()
                .is_some_and(|found| wanted == '?' || wanted == found)
                && glob(chars.as_str(), text.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POOL: &str = "arn:aws:cognito-idp:us-west-2:123456789012:userpool/us-west-2_AbC123";
    const FUNCTION: &str = "arn:aws:lambda:us-west-2:123456789012:function:migrate";

    fn cognito_may_invoke(condition: Value) -> bool {
        let policy = json!({"Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "cognito-idp.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION,
            "Condition": condition,
        }]});
        allows(
            &policy,
            &Attempt {
                service: "cognito-idp.amazonaws.com",
                action: "lambda:InvokeFunction",
                resource: Some(FUNCTION),
                context: &[
                    ("aws:SourceArn", POOL),
                    ("aws:SourceAccount", "123456789012"),
                ],
            },
        )
    }

    #[test]
    fn every_operator_that_names_the_pool_is_accepted_in_any_case_and_as_a_list() {
        for operator in ["ArnLike", "ArnEquals", "StringLike", "StringEquals"] {
            assert!(cognito_may_invoke(
                json!({operator: {"AWS:SourceArn": POOL}})
            ));
            assert!(cognito_may_invoke(
                json!({operator: {"aws:sourcearn": ["arn:x", POOL]}})
            ));
        }
        assert!(cognito_may_invoke(Value::Null));
    }

    #[test]
    fn another_pool_or_account_or_an_unknown_operator_is_refused() {
        let other = POOL.replace("AbC123", "Other");
        assert!(!cognito_may_invoke(
            json!({"ArnLike": {"AWS:SourceArn": other}})
        ));
        assert!(!cognito_may_invoke(
            json!({"ArnLike": {"AWS:SourceArn": "arn:*"}})
        ));
        assert!(!cognito_may_invoke(
            json!({"StringEquals": {"AWS:SourceAccount": "210987654321"}})
        ));
        assert!(!cognito_may_invoke(
            json!({"StringSomehow": {"AWS:SourceArn": POOL}})
        ));
        assert!(!cognito_may_invoke(
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
        ));
    }

    #[test]
    fn wildcards_of_an_arn_stay_in_their_part() {
        assert!(cognito_may_invoke(json!({"ArnLike": {
            "AWS:SourceArn": "arn:aws:cognito-idp:us-west-2:123456789012:userpool/*"
        }})));
        assert!(cognito_may_invoke(
            json!({"StringLike": {"AWS:SourceArn": "arn:*"}})
        ));
    }

    #[test]
    fn a_denial_wins() {
        let statement =
            |effect: &str| json!({"Effect": effect, "Principal": "*", "Action": ["sts:*"]});
        let attempt = Attempt {
            service: "lambda.amazonaws.com",
            action: "sts:AssumeRole",
            resource: None,
            context: &[],
        };
        assert!(allows(&json!({"Statement": statement("Allow")}), &attempt));
        assert!(!allows(
            &json!({"Statement": [statement("Allow"), statement("Deny")]}),
            &attempt
        ));
    }
}
