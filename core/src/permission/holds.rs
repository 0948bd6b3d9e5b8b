//! Properties of all resource policies, for the property tests and the fuzzer: nothing that is said to let this pool in alone lets
//! another caller in, by a judge that shares no code with the one in use.

use serde_json::Value;

use super::{COGNITO, conditions, denies_pool, is_for_pool, lets_in_only, matches, names_cognito};
use crate::ids::PoolArn;

/// The pool.
pub(crate) const ARN: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";

/// A pool of another account.
pub(crate) const OTHER: &str = "arn:aws:cognito-idp:us-east-1:210987654321:userpool/us-east-1_Zz9";

pub(crate) fn no_other_is_let_in(statement: &Value) {
    let pool: PoolArn = ARN.parse().unwrap();
    if is_for_pool(statement, &pool) {
        assert!(
            lets_in(statement, COGNITO, ARN, "123456789012"),
            "{statement}"
        );
    }
    if lets_in_only(statement, &pool) {
        for (service, arn, account) in [
            (COGNITO, OTHER, "210987654321"),
            (COGNITO, OTHER, "123456789012"),
            (COGNITO, ARN, "210987654321"),
            ("sns.amazonaws.com", ARN, "123456789012"),
        ] {
            let let_in = lets_in(statement, service, arn, account);
            assert!(!let_in, "{service} {arn}: {statement}");
        }
    }
    denies_pool(statement, &pool);
    names_cognito(statement);
}

/// Each text of a statement's conditions as a pattern.
pub(crate) fn patterns_match_as_defined(statement: &Value) {
    for (operator, key, value) in conditions(statement) {
        let texts = [Some(operator), Some(key), value.as_str()];
        for pattern in texts.into_iter().flatten() {
            matches_as_defined(pattern, ARN);
        }
    }
}

pub(crate) fn matches_as_defined(pattern: &str, text: &str) {
    assert_eq!(
        matches(pattern, text),
        like(pattern, text),
        "{pattern} {text}"
    );
}

/// Whether a call of a service for a source is let in, as IAM judges an `Allow`. What is not known here is taken to let it in.
pub(crate) fn lets_in(statement: &Value, service: &str, arn: &str, account: &str) -> bool {
    fn texts(value: &Value) -> Vec<&str> {
        match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect(),
        }
    }
    let principal = match (statement.get("NotPrincipal"), &statement["Principal"]) {
        (Some(others), _) => !texts(&others["Service"]).contains(&service),
        (None, Value::String(all)) => all == "*",
        (None, principal) => {
            texts(&principal["Service"]).contains(&service) || !principal["AWS"].is_null()
        }
    };
    let held = conditions(statement).all(|(operator, key, value)| {
        let own = match key.to_ascii_lowercase().as_str() {
            "aws:sourcearn" => arn,
            "aws:sourceaccount" => account,
            _ => return true,
        };
        let values = texts(value);
        match operator {
            "StringEquals" => values.contains(&own),
            "StringLike" | "ArnLike" | "ArnEquals" => {
                values.iter().any(|pattern| like(pattern, own))
            }
            _ => true,
        }
    });
    statement["Effect"] == "Allow" && principal && held
}

/// IAM's wildcards by their definition: which beginnings of the text each beginning of the pattern matches.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut matched: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for wanted in pattern.chars() {
        let before = matched;
        let fits = |length: usize| match wanted {
            '*' => before[..=length].contains(&true),
            _ if length == 0 => false,
            '?' => before[length - 1],
            wanted => before[length - 1] && text[length - 1] == wanted,
        };
        matched = (0..=text.len()).map(fits).collect();
    }
    matched[text.len()]
}
