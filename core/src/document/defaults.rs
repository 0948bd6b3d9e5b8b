//! Cognito's defaults for settings that a pool or client does not have.

use serde_json::{Value, json};

pub(super) const REFRESH: &str = "ALLOW_REFRESH_TOKEN_AUTH";

/// The default validity of temporary passwords.
pub(super) const DEFAULT_DAYS: u64 = 7;

/// The default flows of a client. Rotation replaces the refresh flow, and the service rejects both
/// together.
pub(super) fn default_flows(client: &Value) -> Vec<Value> {
    let rotates = client
        .pointer("/RefreshTokenRotation/Feature")
        .is_some_and(|feature| feature == "ENABLED");
    let refresh = (!rotates).then_some(REFRESH);
    refresh
        .into_iter()
        .chain(["ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"])
        .map(|flow| json!(flow))
        .collect()
}

/// How long temporary passwords are valid, if the pool has a value: in the password policy, or in the
/// settings for new users, where it was before. The service treats 0 as no value.
pub(super) fn temporary_password_days(pool: &Value) -> Option<&Value> {
    let said = |pointer| {
        pool.pointer(pointer)
            .filter(|days: &&Value| !days.is_null() && days.as_f64() != Some(0.0))
    };
    said("/Policies/PasswordPolicy/TemporaryPasswordValidityDays")
        .or_else(|| said("/AdminCreateUserConfig/UnusedAccountValidityDays"))
}
