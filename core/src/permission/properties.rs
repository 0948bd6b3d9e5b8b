//! Properties of all resource policies: a statement that is judged to allow only this pool allows no other caller, according to a
//! judge that shares no code with the real one; and nothing panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ARN: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
const OTHER: &str = "arn:aws:cognito-idp:us-east-1:210987654321:userpool/us-east-1_Zz9";

/// Words that occur in policies, correct and almost correct.
fn word() -> impl Strategy<Value = Value> {
    let words = [
        COGNITO,
        "lambda.amazonaws.com",
        "*",
        "Allow",
        "Deny",
        ARN,
        OTHER,
        "arn:aws:cognito-idp:*:*:userpool/*",
        "123456789012",
        "210987654321",
        "1234567890*",
        "lambda:InvokeFunction",
        "LAMBDA:invokefunction",
        "lambda:*",
        "",
        "?",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word| json!(word));
    let few = prop::collection::vec(word.clone(), 0..3).prop_map(Value::from);
    prop_oneof![8 => word, 3 => few, 1 => Just(json!({})), 1 => Just(Value::Null), 1 => Just(json!(7)), 1 => Just(json!({ "AWS": "*" }))]
}

fn conditions_of_any_kind() -> impl Strategy<Value = Value> {
    let operators = [
        "StringEquals",
        "StringLike",
        "ArnLike",
        "ArnEquals",
        "StringNotEquals",
        "StringNotLike",
        "ArnNotLike",
        "StringEqualsIgnoreCase",
        "ForAnyValue:StringLike",
        "StringEqualsIfExists",
        "Null",
        "Bool",
    ];
    let keys = [
        "AWS:SourceArn",
        "aws:sourcearn",
        "AWS:SourceAccount",
        "aws:SourceAccount",
        "lambda:EventSourceToken",
    ];
    let one = (
        prop::sample::select(operators.to_vec()),
        prop::sample::select(keys.to_vec()),
        word(),
    );
    prop::collection::vec(one, 0..4).prop_map(|all| {
        let mut condition = json!({});
        for (operator, key, value) in all {
            condition[operator][key] = value;
        }
        condition
    })
}

/// The correct statement, with some of its fields replaced.
fn statement() -> impl Strategy<Value = Value> {
    let member = prop::sample::select(vec![
        "Effect",
        "Principal",
        "Service",
        "Action",
        "Condition",
        "NotPrincipal",
        "NotAction",
        "Sid",
    ]);
    let change = (member, word(), conditions_of_any_kind());
    prop::collection::vec(change, 0..3).prop_map(|changes| {
        let mut statement = statement_for(&Names::new(ARN.parse().unwrap()));
        for (member, value, condition) in changes {
            match member {
                "Service" if statement["Principal"].is_object() => {
                    statement["Principal"]["Service"] = value
                }
                "Service" => {}
                "Condition" => statement["Condition"] = condition,
                member => statement[member] = value,
            }
        }
        statement
    })
}

/// Whether a call of a service for a source is allowed, as IAM evaluates an `Allow`. Unknown conditions count as allowing it.
fn lets_in(statement: &Value, service: &str, arn: &str, account: &str) -> bool {
    fn texts(value: &Value) -> Vec<&str> {
        match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect(),
        }
    }
    fn like(pattern: &str, text: &str) -> bool {
        match (pattern.chars().next(), text.chars().next()) {
            (None, None) => true,
            (Some('*'), _) => {
                like(&pattern[1..], text) || (!text.is_empty() && like(pattern, &text[1..]))
            }
            (Some('?'), Some(_)) => like(&pattern[1..], &text[1..]),
            (Some(one), Some(other)) => one == other && like(&pattern[1..], &text[1..]),
            _ => false,
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

#[test]
fn the_generators_make_the_interesting_cases() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut fitting = 0;
    for _ in 0..400 {
        let made = proptest::strategy::Strategy::new_tree(&statement(), &mut runner).unwrap();
        let made = proptest::strategy::ValueTree::current(&made);
        fitting += usize::from(lets_in_only(&made, &ARN.parse().unwrap()));
    }
    assert!((40..360).contains(&fitting), "{fitting}");
}

proptest! {
    #[test]
    fn a_statement_for_this_pool_only_allows_no_other_caller(statement in statement()) {
        let pool: PoolArn = ARN.parse().unwrap();
        if is_for_pool(&statement, &pool) {
            prop_assert!(lets_in(&statement, COGNITO, ARN, "123456789012"), "{statement}");
        }
        if lets_in_only(&statement, &pool) {
            for (service, arn, account) in [
                (COGNITO, OTHER, "210987654321"),
                (COGNITO, OTHER, "123456789012"),
                (COGNITO, ARN, "210987654321"),
                ("sns.amazonaws.com", ARN, "123456789012"),
            ] {
                prop_assert!(!lets_in(&statement, service, arn, account), "{service} {arn}: {statement}");
            }
        }
        denies_pool(&statement, &pool);
        names_cognito(&statement);
    }

    #[test]
    fn any_text_is_a_policy_or_none(text in r#"[\[\]{}":,a-zStatemn0-9 ]{0,60}"#) {
        if let Ok(policy) = Policy::parse(&text) {
            policy.statement("x");
        }
    }

    #[test]
    fn a_pattern_matches_as_it_is_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        fn defined(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => (0..=text.len()).any(|at| defined(rest, &text[at..])),
                (Some((wanted, rest)), Some((next, left))) => (*wanted == b'?' || wanted == next) && defined(rest, left),
                _ => false,
            }
        }
        prop_assert_eq!(matches(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
    }
}
