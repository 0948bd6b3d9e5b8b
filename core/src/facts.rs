//! What of a pool decides what its handler may answer, out of the documents that describe the pool. Pure.

use jane_migrate_config::{Mfa, PasswordPolicy, PoolFacts, SchemaAttribute};
use serde_json::Value;

use crate::document::PoolDocument;

/// The facts of a pool; `mfa` is what `GetUserPoolMfaConfig` answers.
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
