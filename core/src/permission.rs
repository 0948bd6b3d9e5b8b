//! Reads the function's resource policy: which statement lets this pool's Cognito invoke it, and which allow other callers. Pure;
//! `aws::lambda` calls AddPermission and RemovePermission.

use serde_json::{Value, json};

use crate::ids::{Names, PoolArn, STATEMENT_ID};

/// Cognito as a principal.
pub const COGNITO: &str = "cognito-idp.amazonaws.com";

/// The function's resource policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Its statements in Lambda's form.
    pub statements: Vec<Value>,
}

impl Policy {
    /// Parses the response of `GetPolicy`. A policy without statements counts as empty: some emulators return one where AWS
    /// returns 404.
    pub fn parse(document: &str) -> Result<Self, serde_json::Error> {
        if document.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut document: Value = serde_json::from_str(document)?;
        let statements = match document.get_mut("Statement").map(Value::take) {
            Some(Value::Array(statements)) => statements,
            None | Some(Value::Null) => Vec::new(),
            Some(one) => vec![one],
        };
        Ok(Self { statements })
    }

    /// The statement with this id.
    pub fn statement(&self, id: &str) -> Option<&Value> {
        self.statements.iter().find(|s| s["Sid"] == id)
    }
}

/// Operators that compare an ARN literally if it has no wildcard. The API says that SourceArn is compared with StringLike,
/// Cognito's guide shows ArnLike; each of the four works.
const SAME_ARN: &[&str] = &["ArnLike", "ArnEquals", "StringLike", "StringEquals"];

/// The same for an account.
const SAME_ACCOUNT: &[&str] = &["StringEquals", "StringLike"];

const SOURCE_ARN: &str = "aws:sourcearn";
const SOURCE_ACCOUNT: &str = "aws:sourceaccount";

/// The statement that AddPermission creates for our function, in the form of GetPolicy.
pub fn statement_for(names: &Names) -> Value {
    json!({
        "Sid": STATEMENT_ID,
        "Effect": "Allow",
        "Principal": { "Service": COGNITO },
        "Action": "lambda:InvokeFunction",
        "Resource": names.live_arn,
        "Condition": {
            "StringEquals": { "AWS:SourceAccount": names.pool.account },
            "ArnLike": { "AWS:SourceArn": names.pool.to_string() },
        },
    })
}

/// Whether the statement allows exactly this pool's Cognito to invoke this function, without another condition. AddPermission
/// writes the function or its alias as the resource; PutResourcePolicy can store others.
pub fn is_for_pool(statement: &Value, names: &Names) -> bool {
    let resource = only(&statement["Resource"]);
    let qualifier = resource.and_then(|resource| resource.strip_prefix(&names.function_arn));
    lets_in_only(statement, &names.pool)
        && conditions(statement).count() == 2
        && qualifier.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Whether the statement allows no caller but this pool's Cognito. Further conditions only restrict it.
///
/// Condition keys are case-insensitive, values are a string or an array of one.
pub fn lets_in_only(statement: &Value, pool: &PoolArn) -> bool {
    allows_only_cognito(statement)
        && condition(statement, SOURCE_ARN, SAME_ARN).is_some_and(|arn| arn == pool.to_string())
        && condition(statement, SOURCE_ACCOUNT, SAME_ACCOUNT)
            .is_some_and(|account| account == pool.account)
}

/// Whether the statement denies this pool's Cognito the invocation. One whose conditions exclude this pool does not; one with
/// conditions that cannot be evaluated here counts as denying.
pub fn denies_pool(statement: &Value, pool: &PoolArn) -> bool {
    let any = |value: &Value, fits: &dyn Fn(&str) -> bool| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).any(fits),
        value => value.as_str().is_some_and(fits),
    };
    let cognito = |principal: &Value| match principal {
        Value::Object(kinds) => kinds.iter().any(|(kind, value)| {
            any(value, &|name| match kind.as_str() {
                "Service" => name == COGNITO,
                _ => name == "*",
            })
        }),
        other => other == "*",
    };
    let invokes = |action: &Value| {
        any(action, &|pattern| {
            matches(&pattern.to_ascii_lowercase(), "lambda:invokefunction")
        })
    };
    let principal = match statement.get("NotPrincipal") {
        Some(others) => !cognito(others),
        None => cognito(&statement["Principal"]),
    };
    let action = match statement.get("NotAction") {
        Some(others) => !invokes(others),
        None => invokes(&statement["Action"]),
    };
    let applies = |(operator, key, value): (&str, &str, &Value)| {
        let own = match key.to_ascii_lowercase().as_str() {
            SOURCE_ARN => pool.to_string(),
            SOURCE_ACCOUNT => pool.account.clone(),
            _ => return true,
        };
        let texts = texts(value);
        if texts.iter().any(|text| has_variable(text)) {
            return true;
        }
        // In the operators for equal texts, a wildcard is an ordinary character.
        let named = texts.iter().any(|text| match operator {
            "StringEquals" | "StringNotEquals" => *text == own,
            operator if operator.starts_with("Arn") => matches_arn(text, &own),
            _ => matches(text, &own),
        });
        match operator {
            "StringNotEquals" | "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => !named,
            operator if SAME_ARN.contains(&operator) => named,
            _ => true,
        }
    };
    statement["Effect"] == "Deny" && principal && action && conditions(statement).all(applies)
}

/// The texts of a condition: IAM compares numbers and truth values as texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Number(_) | Value::Bool(_) => vec![value.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// Whether the text contains a variable of IAM, such as `${aws:PrincipalTag/team}`, whose value is not known here.
pub fn has_variable(text: &str) -> bool {
    text.contains("${")
}

/// IAM's wildcards: `*` is any text, `?` any character. In `text` a `*` is any text, too, so only a `*` matches it. A policy may
/// contain any number of them, so a star takes as few characters as possible and one more each time that the rest does not match:
/// the steps are at most the product of both lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // The last star, and the position where its rest was last tried.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match (pattern.get(at), &mut star) {
            (Some('*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(wanted), _) if *wanted == '?' && text[read] != '*' || *wanted == text[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((before, tried))) => {
                *tried += 1;
                (at, read) = (*before + 1, *tried);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// As [`matches`], but each of the six parts of an ARN on its own: no wildcard reaches over a colon.
fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    patterns.clone().count() == parts.clone().count()
        && patterns
            .zip(parts)
            .all(|(pattern, part)| matches(pattern, part))
}

/// Whether there is a text that both patterns match.
pub fn meet(one: &str, other: &str) -> bool {
    let [one, other]: [Vec<char>; 2] = [one, other].map(|pattern| pattern.chars().collect());
    // Whether the rests of both patterns share a text, beginning with the empty rests. A star matches nothing, or one more character.
    let mut rests = vec![vec![false; other.len() + 1]; one.len() + 1];
    for at in (0..=one.len()).rev() {
        for to in (0..=other.len()).rev() {
            rests[at][to] = match (one.get(at), other.get(to)) {
                (None, None) => true,
                (Some('*'), found) => rests[at + 1][to] || found.is_some() && rests[at][to + 1],
                (wanted, Some('*')) => rests[at][to + 1] || wanted.is_some() && rests[at + 1][to],
                (Some(wanted), Some(found)) => {
                    let same = wanted == found || *wanted == '?' || *found == '?';
                    same && rests[at + 1][to + 1]
                }
                _ => false,
            };
        }
    }
    rests[0][0]
}

/// Whether the statement's principals include Cognito.
pub fn names_cognito(statement: &Value) -> bool {
    let services = &statement["Principal"]["Service"];
    services == COGNITO
        || services
            .as_array()
            .is_some_and(|services| services.iter().any(|service| service == COGNITO))
}

fn allows_only_cognito(statement: &Value) -> bool {
    statement["Effect"] == "Allow"
        && only(&statement["Principal"]["Service"]) == Some(COGNITO)
        && statement["Principal"]
            .as_object()
            .is_some_and(|principal| principal.len() == 1)
        && only(&statement["Action"])
            .is_some_and(|action| action.eq_ignore_ascii_case("lambda:InvokeFunction"))
        && statement.get("NotPrincipal").is_none()
        && statement.get("NotAction").is_none()
}

/// All conditions of the statement: operator, key and value. All of them must be met.
fn conditions(statement: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, value)| (operator.as_str(), key.as_str(), value))
    })
}

/// The one value of `key` under one of `operators`, if it occurs exactly once in the statement.
fn condition<'a>(statement: &'a Value, key: &str, operators: &[&str]) -> Option<&'a str> {
    let mut values = conditions(statement)
        .filter(|(operator, name, _)| {
            operators.contains(operator) && name.eq_ignore_ascii_case(key)
        })
        .map(|(_, _, value)| only(value));
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => None,
    }
}

/// A string, or the only string of an array.
fn only(value: &Value) -> Option<&str> {
    match value {
        Value::String(one) => Some(one),
        Value::Array(values) if values.len() == 1 => values[0].as_str(),
        _ => None,
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_many_stars_is_matched_quickly() {
        let stars = "*a".repeat(40);
        assert!(!matches(&stars, &"a".repeat(39)));
        assert!(!matches(&format!("{stars}b"), &"a".repeat(4000)));
        assert!(matches(&stars, &"a".repeat(4000)));
    }

    fn pool() -> PoolArn {
        "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
            .parse()
            .unwrap()
    }

    fn names() -> Names {
        Names::new(pool())
    }

    fn statement() -> Value {
        json!({
            "Sid": "jane-migrate-user-pool", "Effect": "Allow",
            "Principal": { "Service": "cognito-idp.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:jane-migrate-us-east-1_Ab1:live",
            "Condition": {
                "StringEquals": { "AWS:SourceAccount": "123456789012" },
                "ArnLike": { "AWS:SourceArn": pool().to_string() },
            },
        })
    }

    #[test]
    fn one_statement_or_a_list_is_parsed() {
        let one = Policy::parse(&json!({ "Statement": statement() }).to_string()).unwrap();
        let many = Policy::parse(&json!({ "Statement": [statement()] }).to_string()).unwrap();
        assert_eq!(one, many);
        assert_eq!(one.statement("jane-migrate-user-pool"), Some(&statement()));
        assert_eq!(Policy::parse(" ").unwrap(), Policy::default());
        assert!(Policy::parse("{").is_err());
        for no_object in ["[]", "7", "\"policy\"", "null"] {
            assert_eq!(Policy::parse(no_object).unwrap(), Policy::default());
        }
    }

    #[test]
    fn our_own_statement_is_recognised() {
        assert!(is_for_pool(&statement_for(&names()), &names()));
    }

    #[test]
    fn the_statement_made_by_lambda_is_recognised() {
        assert!(is_for_pool(&statement(), &names()));
    }

    #[test]
    fn wildcards_work_only_with_operators_for_patterns() {
        for (operator, denies) in [
            ("StringNotEquals", true),
            ("StringNotLike", false),
            ("StringEquals", false),
            ("StringLike", true),
        ] {
            let denial = json!({
                "Effect": "Deny", "Principal": "*", "Action": "*",
                "Condition": { operator: { "aws:SourceAccount": "1234567890*" } },
            });
            assert_eq!(denies_pool(&denial, &pool()), denies, "{operator}");
        }
    }

    #[test]
    fn numbers_and_variables_in_a_denial_count() {
        for (operator, key, value, denies) in [
            (
                "StringEquals",
                "aws:SourceAccount",
                json!(123456789012_u64),
                true,
            ),
            (
                "StringLike",
                "aws:SourceAccount",
                json!([123456789012_u64]),
                true,
            ),
            (
                "StringEquals",
                "aws:SourceAccount",
                json!(210987654321_u64),
                false,
            ),
            (
                "StringNotEquals",
                "aws:SourceAccount",
                json!(123456789012_u64),
                false,
            ),
            (
                "StringEquals",
                "aws:SourceAccount",
                json!("${aws:SourceAccount}"),
                true,
            ),
            (
                "ArnNotLike",
                "aws:SourceArn",
                json!("arn:aws:cognito-idp:*:${aws:SourceAccount}:*"),
                true,
            ),
        ] {
            let denial = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Condition": { operator: { key: value } } });
            assert_eq!(denies_pool(&denial, &pool()), denies, "{denial}");
        }
    }

    #[test]
    fn other_spellings_of_the_statement_are_recognised() {
        let mut other = statement();
        other["Principal"]["Service"] = json!([COGNITO]);
        other["Action"] = json!(["lambda:InvokeFunction"]);
        other["Condition"] = json!({
            "StringLike": { "aws:SourceArn": [pool().to_string()], "AWS:SOURCEACCOUNT": "123456789012" },
        });
        assert!(is_for_pool(&other, &names()));
    }

    #[test]
    fn a_statement_that_allows_more_is_not_accepted() {
        type Change = fn(&mut Value);
        let changes: [(&str, Change); 12] = [
            ("another function", |s| {
                s["Resource"] = json!(
                    "arn:aws:lambda:us-east-1:123456789012:function:jane-migrate-us-east-1_Ab12"
                );
            }),
            ("two functions", |s| {
                s["Resource"] = json!([s["Resource"], "arn:aws:lambda:*"]);
            }),
            ("other functions only", |s| {
                let resource = s["Resource"].take();
                s.as_object_mut().unwrap().remove("Resource");
                s["NotResource"] = resource;
            }),
            ("another pool", |s| {
                s["Condition"]["ArnLike"]["AWS:SourceArn"] =
                    json!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Zz9");
            }),
            ("a wildcard", |s| {
                s["Condition"]["ArnLike"]["AWS:SourceArn"] =
                    json!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/*");
            }),
            ("two pools", |s| {
                s["Condition"]["ArnLike"]["AWS:SourceArn"] = json!([pool().to_string(), "x"]);
            }),
            ("no account", |s| {
                s["Condition"]
                    .as_object_mut()
                    .unwrap()
                    .remove("StringEquals");
            }),
            ("no condition", |s| {
                s.as_object_mut().unwrap().remove("Condition");
            }),
            ("anyone", |s| s["Principal"] = json!("*")),
            ("another principal too", |s| {
                s["Principal"]["AWS"] = json!("*")
            }),
            ("every action", |s| s["Action"] = json!("lambda:*")),
            ("a denial", |s| s["Effect"] = json!("Deny")),
        ];
        for (name, change) in changes {
            let mut statement = statement();
            change(&mut statement);
            assert!(!is_for_pool(&statement, &names()), "{name} was accepted");
        }
    }

    #[test]
    fn a_further_condition_may_block_cognito_and_allows_no_other_caller() {
        for (operator, key, value) in [
            ("StringEquals", "lambda:EventSourceToken", "t"),
            ("StringLike", "AWS:SourceAccount", "123456789012"),
            ("Bool", "aws:SecureTransport", "true"),
        ] {
            let mut statement = statement();
            statement["Condition"][operator][key] = json!(value);
            assert!(!is_for_pool(&statement, &names()), "{key}");
        }
        let mut narrower = statement();
        narrower["Condition"]["StringEquals"]["lambda:EventSourceToken"] = json!("t");
        assert!(lets_in_only(&narrower, &pool()));
    }

    #[test]
    fn a_denial_of_this_pool_is_recognised() {
        let deny = |principal: Value, action: &str, condition: Value| {
            let statement = json!({
                "Effect": "Deny", "Principal": principal, "Action": action, "Condition": condition,
            });
            denies_pool(&statement, &pool())
        };
        let (cognito, arn) = (json!({ "Service": COGNITO }), pool().to_string());
        assert!(deny(json!("*"), "lambda:*", Value::Null));
        assert!(deny(json!({ "AWS": "*" }), "*", Value::Null));
        assert!(deny(cognito.clone(), "lambda:Invoke*", Value::Null));
        assert!(deny(
            cognito.clone(),
            "lambda:*",
            json!({ "ArnLike": { "aws:SourceArn": arn } })
        ));
        // A condition that cannot be evaluated counts as denying.
        assert!(deny(
            cognito.clone(),
            "*",
            json!({ "Bool": { "aws:SecureTransport": "false" } })
        ));

        assert!(!deny(cognito.clone(), "lambda:GetFunction", Value::Null));
        assert!(!deny(
            json!({ "AWS": "arn:aws:iam::1:root" }),
            "*",
            Value::Null
        ));
        let others = json!({ "StringNotEquals": { "aws:SourceAccount": "123456789012" } });
        assert!(!deny(json!("*"), "*", others));
        let another = json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*" } });
        assert!(!deny(json!("*"), "*", another));
        // An ARN without its account is that of no pool.
        let none = json!({ "ArnNotLike": { "aws:SourceArn": "arn:aws:cognito-idp:*:userpool/*" } });
        assert!(deny(json!("*"), "*", none));
        let pools =
            json!({ "ArnNotLike": { "aws:SourceArn": "arn:aws:cognito-idp:*:*:userpool/*" } });
        assert!(!deny(json!("*"), "*", pools));
        let but_cognito = json!({ "Effect": "Deny", "NotPrincipal": cognito, "Action": "*" });
        assert!(!denies_pool(&but_cognito, &pool()));
        let but_one = json!({ "AWS": "arn:aws:iam::123456789012:role/a" });
        let but_one = json!({ "Effect": "Deny", "NotPrincipal": but_one, "Action": "*" });
        assert!(denies_pool(&but_one, &pool()));
        for (others, denies) in [("s3:*", true), ("lambda:Invoke*", false)] {
            let but = json!({ "Effect": "Deny", "Principal": "*", "NotAction": others });
            assert_eq!(denies_pool(&but, &pool()), denies, "{others}");
        }
        assert!(!denies_pool(&statement(), &pool()));
    }

    #[test]
    fn wildcards_match_as_in_iam() {
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
            // One character is not any text.
            ("log-group:/a:?", "log-group:/a:*", false),
            ("log-group:/a:*", "log-group:/a:*", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_empty_policy_is_no_policy() {
        assert_eq!(Policy::parse("").unwrap(), Policy::default());
        let empty = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
        assert!(empty.statements.is_empty());
    }

    #[test]
    fn a_condition_on_the_arn_compares_its_parts() {
        let own = pool().to_string();
        let other = own.replace("Ab1", "Ab2");
        for (operator, value, denies) in [
            ("ArnEquals", own.as_str(), true),
            ("ArnEquals", &other, false),
            ("ArnNotEquals", &own, false),
            ("ArnNotEquals", &other, true),
            // No wildcard of these operators reaches over a colon, and each part must be there.
            ("ArnNotLike", "*", true),
            ("ArnNotLike", "arn:*", true),
            ("ArnNotLike", "arn:*:*:*:*:*", false),
            ("StringNotLike", "*", false),
        ] {
            let denial = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Condition": { operator: { "aws:SourceArn": value } } });
            assert_eq!(denies_pool(&denial, &pool()), denies, "{denial}");
        }
    }

    #[test]
    fn cognito_is_named_alone_or_in_a_list() {
        for (service, named) in [
            (json!(COGNITO), true),
            (json!(["apigateway.amazonaws.com", COGNITO]), true),
            (json!("apigateway.amazonaws.com"), false),
            (json!(["apigateway.amazonaws.com"]), false),
        ] {
            let statement = json!({ "Principal": { "Service": service } });
            assert_eq!(names_cognito(&statement), named, "{statement}");
        }
    }
}
