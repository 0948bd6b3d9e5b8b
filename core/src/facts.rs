//! The facts about a pool that its handler needs, from the documents that describe the pool. Pure.

use jane_migrate_config::{Mfa, PasswordPolicy, PoolFacts, SchemaAttribute};
use serde_json::Value;

use crate::document::PoolDocument;

/// The facts of a pool; `mfa` is the response of `GetUserPoolMfaConfig`.
pub fn pool_facts(pool: &PoolDocument, mfa: &Value) -> PoolFacts {
    let strings = |values: &mut dyn Iterator<Item = &str>| values.map(str::to_owned).collect();
    PoolFacts {
        id: pool.id().to_owned(),
        case_sensitive: pool.case_sensitive(),
        username_attributes: strings(&mut pool.username_attributes()),
        alias_attributes: strings(&mut pool.alias_attributes()),
        attributes: pool
            .schema_attributes()
            .map(|attribute| SchemaAttribute {
                name: attribute.name.to_owned(),
                required: attribute.required,
                mutable: attribute.mutable,
                constraint: attribute.constraint,
            })
            .collect(),
        mfa: match mfa["MfaConfiguration"].as_str() {
            Some("ON") => Mfa::On,
            Some("OPTIONAL") => Mfa::Optional,
            _ => Mfa::Off,
        },
        sms_mfa: mfa["SmsMfaConfiguration"]
            .as_object()
            .is_some_and(|sms| !sms.is_empty()),
        password_policy: pool.password_policy().map(password_policy),
    }
}

fn password_policy(policy: &Value) -> PasswordPolicy {
    let requires = |member: &str| policy[member].as_bool().unwrap_or_default();
    PasswordPolicy {
        minimum_length: policy["MinimumLength"]
            .as_u64()
            .and_then(|n| n.try_into().ok())
            .unwrap_or_default(),
        uppercase: requires("RequireUppercase"),
        lowercase: requires("RequireLowercase"),
        numbers: requires("RequireNumbers"),
        symbols: requires("RequireSymbols"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pool_facts_contain_what_the_handler_needs() {
        let pool = json!({
            "Id": "us-east-1_Ab1", "Name": "Roots",
            "Arn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1",
            "UsernameAttributes": ["email"], "AliasAttributes": ["phone_number"],
            "UsernameConfiguration": { "CaseSensitive": false },
            "SchemaAttributes": [{ "Name": "email", "Required": true, "Mutable": false }],
            "Policies": { "PasswordPolicy": { "MinimumLength": 12, "RequireUppercase": true, "RequireNumbers": true } },
        });
        let pool = PoolDocument::from_json(pool).unwrap();
        let facts = |mfa: Value| pool_facts(&pool, &mfa);
        let sms = facts(
            json!({ "MfaConfiguration": "ON", "SmsMfaConfiguration": { "SmsConfiguration": {} } }),
        );
        assert_eq!((sms.mfa, sms.sms_mfa), (Mfa::On, true));
        let optional = facts(json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": {} }));
        assert_eq!((optional.mfa, optional.sms_mfa), (Mfa::Optional, false));
        let off = facts(json!({}));
        assert_eq!((off.mfa, off.sms_mfa), (Mfa::Off, false));
        assert!(!off.case_sensitive);
        assert_eq!(off.username_attributes, ["email"]);
        assert_eq!(off.alias_attributes, ["phone_number"]);
        let attribute = &off.attributes[0];
        assert!(attribute.name == "email" && attribute.required && !attribute.mutable);
        let policy = off.password_policy.unwrap();
        assert_eq!(policy.minimum_length, 12);
        assert!(policy.uppercase && policy.numbers && !policy.lowercase && !policy.symbols);
    }
}
