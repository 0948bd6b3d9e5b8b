//! What Cognito makes of a pool or client that says nothing of a setting.

use serde_json::{Value, json};

pub(super) const REFRESH: &str = "ALLOW_REFRESH_TOKEN_AUTH";

/// What the service makes of a pool that says nothing about the validity of temporary passwords.
pub(super) const DEFAULT_DAYS: u64 = 7;

/// The flows of a client that lists none. Rotation replaces the refresh flow, and the service
/// refuses the two together.
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

/// How long temporary passwords are valid, where the pool says it: in the password policy or,
/// before there was such a place, with the settings for new users. The service reads 0 as nothing
/// said.
pub(super) fn temporary_password_days(pool: &Value) -> Option<&Value> {
    let said = |pointer| {
        pool.pointer(pointer)
            .filter(|days: &&Value| !days.is_null() && days.as_f64() != Some(0.0))
    };
    said("/Policies/PasswordPolicy/TemporaryPasswordValidityDays")
        .or_else(|| said("/AdminCreateUserConfig/UnusedAccountValidityDays"))
}
