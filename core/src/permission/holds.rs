//! Properties of all resource policies, for the property tests and the fuzzer: a statement that counts as being for this pool
//! only allows no other caller. The second evaluation here shares no code with the product.

use serde_json::Value;

use super::{COGNITO, conditions, denies_pool, is_for_pool, lets_in_only, matches, names_cognito};
use crate::ids::{Names, PoolArn};

/// The pool.
pub(crate) const ARN: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";

/// A pool of another account.
pub(crate) const OTHER: &str = "arn:aws:cognito-idp:us-east-1:210987654321:userpool/us-east-1_Zz9";

pub(crate) fn no_other_is_let_in(statement: &Value) {
    let pool: PoolArn = ARN.parse().unwrap();
    if is_for_pool(statement, &Names::new(pool.clone())) {
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
    assert!(
        denies_pool(statement, &pool) || !may_be_denied(statement),
        "{statement}"
    );
    names_cognito(statement);
}

/// Every text in a statement's conditions, used as a pattern.
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

/// Whether this pool's calls may be denied, as IAM evaluates a `Deny`. An unknown condition counts as denying them.
fn may_be_denied(statement: &Value) -> bool {
    let one_of = |member: &str, not: &str, fits: &dyn Fn(&Value) -> bool| {
        match (statement.get(member), statement.get(not)) {
            (Some(named), None) => fits(named),
            (None, Some(others)) => !fits(others),
            // IAM rejects such a statement.
            _ => false,
        }
    };
    let principal = |principal: &Value| {
        let service = texts(&principal["Service"]).contains(&COGNITO);
        principal == "*" || service || texts(&principal["AWS"]).contains(&"*")
    };
    let action = |actions: &Value| {
        let mut patterns = texts(actions).into_iter();
        patterns.any(|pattern| like(&pattern.to_ascii_lowercase(), "lambda:invokefunction"))
    };
    let held = conditions(statement).all(|(operator, key, value)| {
        let own = match key.to_ascii_lowercase().as_str() {
            "aws:sourcearn" => ARN,
            "aws:sourceaccount" => "123456789012",
            _ => return true,
        };
        let values = shown(value);
        if values.iter().any(|text| text.contains("${")) {
            return true;
        }
        let any = |fits: &dyn Fn(&str) -> bool| values.iter().any(|text| fits(text));
        let equal = any(&|text| text == own);
        let alike = any(&|pattern| like(pattern, own));
        let of_arns = any(&|pattern| arn_like(pattern, own));
        match operator {
            "StringEquals" => equal,
            "StringNotEquals" => !equal,
            "StringLike" => alike,
            "StringNotLike" => !alike,
            "ArnEquals" | "ArnLike" => of_arns,
            "ArnNotEquals" | "ArnNotLike" => !of_arns,
            _ => true,
        }
    });
    statement["Effect"] == "Deny"
        && one_of("Principal", "NotPrincipal", &principal)
        && one_of("Action", "NotAction", &action)
        && held
}

/// The operators for ARNs compare each of the six parts separately.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { text.splitn(6, ':').map(str::to_owned).collect() };
    let (pattern, arn) = (parts(pattern), parts(arn));
    let each = || {
        pattern
            .iter()
            .zip(&arn)
            .all(|(pattern, part)| like(pattern, part))
    };
    pattern.len() == arn.len() && each()
}

/// The values of a condition as texts.
fn shown(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(shown).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(flag) => vec![flag.to_string()],
        value => value.as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

/// Whether a call of a service for a source is allowed, as IAM evaluates an `Allow`. An unknown condition counts as allowing it.
pub(crate) fn lets_in(statement: &Value, service: &str, arn: &str, account: &str) -> bool {
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

/// IAM's wildcards by their definition. For each prefix of the pattern: which prefixes of the text it matches.
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
