//! Properties of all resource policies: a statement that is judged to allow only this pool allows no other caller, according to a
//! judge that shares no code with the real one; and nothing panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::holds::{self, ARN, OTHER};
use super::*;

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
        holds::no_other_is_let_in(&statement);
    }

    #[test]
    fn any_text_is_a_policy_or_none(text in r#"[\[\]{}":,a-zStatemn0-9 ]{0,60}"#) {
        crate::fuzzing::policy(text.as_bytes());
    }

    #[test]
    fn a_pattern_matches_as_it_is_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        holds::matches_as_defined(&pattern, &text);
    }

    #[test]
    fn patterns_meet_where_a_text_matches_both(one in "[ab*?]{0,4}", other in "[ab*?]{0,4}") {
        let longer = |texts: &[String]| -> Vec<String> {
            texts.iter().flat_map(|text| ["a", "b"].map(|letter| format!("{text}{letter}"))).collect()
        };
        let mut texts = vec![String::new()];
        let mut found = false;
        // No text that two such patterns need is longer than both.
        for _ in 0..=8 {
            found |= texts.iter().any(|text| matches(&one, text) && matches(&other, text));
            texts = longer(&texts);
        }
        prop_assert_eq!(meet(&one, &other), found);
    }
}
