//! Reads the function's resource policy: which statement lets this pool's Cognito invoke it, and which lets anybody else.
//! Pure; AddPermission and RemovePermission are made by `aws::lambda`.

use serde_json::Value;

use crate::ids::PoolArn;

/// Cognito as a principal.
pub const COGNITO: &str = "cognito-idp.amazonaws.com";

/// The function's resource policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Its statements as Lambda shows them.
    pub statements: Vec<Value>,
}

impl Policy {
    /// Reads the policy document that `GetPolicy` answers with. A policy without statements is an empty one: some emulators
    /// answer so where AWS answers 404.
    pub fn parse(document: &str) -> Result<Self, serde_json::Error> {
        if document.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut document: Value = serde_json::from_str(document)?;
        let statements = match document["Statement"].take() {
            Value::Array(statements) => statements,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        Ok(Self { statements })
    }

    /// The statement with this id.
    pub fn statement(&self, id: &str) -> Option<&Value> {
        self.statements.iter().find(|s| s["Sid"] == id)
    }
}

/// Whether the statement lets exactly this pool's Cognito invoke the function, and nobody else.
///
/// The API says that SourceArn is compared with StringLike, Cognito's guide shows ArnLike; each of the four operators serves.
/// Condition keys are case-insensitive, values are a string or an array of one.
pub fn is_for_pool(statement: &Value, pool: &PoolArn) -> bool {
    allows_only_cognito(statement)
        && condition(
            statement,
            "aws:sourcearn",
            &["ArnLike", "ArnEquals", "StringLike", "StringEquals"],
        )
        .is_some_and(|arn| arn == pool.to_string())
        && condition(
            statement,
            "aws:sourceaccount",
            &["StringEquals", "StringLike"],
        )
        .is_some_and(|account| account == pool.account)
}

/// Whether Cognito is among those whom the statement is about.
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

/// The one value of `key` under one of `operators`, where it stands there exactly once in the statement.
fn condition<'a>(statement: &'a Value, key: &str, operators: &[&str]) -> Option<&'a str> {
    let mut values = statement["Condition"]
        .as_object()?
        .iter()
        .filter(|(operator, _)| operators.contains(&operator.as_str()))
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .filter(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| only(value));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pool() -> PoolArn {
        "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
            .parse()
            .unwrap()
    }

    fn statement() -> Value {
        json!({
            "Sid": "jane-migrate-user-pool", "Effect": "Allow",
            "Principal": { "Service": "cognito-idp.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "Condition": {
                "StringEquals": { "AWS:SourceAccount": "123456789012" },
                "ArnLike": { "AWS:SourceArn": pool().to_string() },
            },
        })
    }

    #[test]
    fn the_statement_lambda_makes_fits() {
        assert!(is_for_pool(&statement(), &pool()));
    }

    #[test]
    fn other_spellings_of_the_same_fit() {
        let mut other = statement();
        other["Principal"]["Service"] = json!([COGNITO]);
        other["Action"] = json!(["lambda:InvokeFunction"]);
        other["Condition"] = json!({
            "StringLike": { "aws:SourceArn": [pool().to_string()], "AWS:SOURCEACCOUNT": "123456789012" },
        });
        assert!(is_for_pool(&other, &pool()));
    }

    #[test]
    fn whatever_lets_more_in_does_not_fit() {
        type Change = fn(&mut Value);
        let changes: [(&str, Change); 9] = [
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
            assert!(!is_for_pool(&statement, &pool()), "{name} was let through");
        }
    }

    #[test]
    fn an_empty_policy_is_no_policy() {
        assert_eq!(Policy::parse("").unwrap(), Policy::default());
        let empty = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
        assert!(empty.statements.is_empty());
    }
}
