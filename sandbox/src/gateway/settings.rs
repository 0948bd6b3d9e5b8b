//! The settings of a user pool: how CreateUserPool derives them from a request, and how UpdateUserPool changes existing ones.
//! Fields unknown here are treated as settings newer than this file: kept as given, shown, and reset when left out. `rules` has
//! what AWS rejects.
//!
//! If the behaviour of the live service has not been measured, the variant that breaks a careless client is used: left out
//! means reset.

use serde_json::{Value, json};

use super::json::{fill, given, remove};
use super::rules;
use crate::wire::Refusal;

/// Set once, at creation.
pub(crate) const CREATE_ONLY: [&str; 4] = [
    "Schema",
    "AliasAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
];

/// Shown by DescribeUserPool, but not settings.
const READ_ONLY: [&str; 12] = [
    "Id",
    "Name",
    "Arn",
    "Status",
    "CreationDate",
    "LastModifiedDate",
    "SchemaAttributes",
    "EstimatedNumberOfUsers",
    "Domain",
    "CustomDomain",
    "SmsConfigurationFailure",
    "EmailConfigurationFailure",
];

/// Settings that an update keeps if it omits them. It resets every other setting to its default.
const KEPT_WHEN_OMITTED: [&str; 4] = [
    "PoolName",
    "MfaConfiguration",
    "UserAttributeUpdateSettings",
    "DcrConfiguration",
];

/// The messages that exist twice: as a setting, and inside the template.
const MESSAGES: [(&str, &str); 3] = [
    ("SmsVerificationMessage", "SmsMessage"),
    ("EmailVerificationMessage", "EmailMessage"),
    ("EmailVerificationSubject", "EmailSubject"),
];

/// The settings of a new pool.
pub(crate) fn created(request: &Value) -> Result<Value, Refusal> {
    let mut settings = given(request);
    for member in CREATE_ONLY {
        remove(&mut settings, member);
    }
    let days = settings["AdminCreateUserConfig"]["UnusedAccountValidityDays"].as_i64();
    let legacy = days.is_some_and(|days| days > 0);
    complete(&mut settings)?;
    let policy = &mut settings["Policies"]["PasswordPolicy"];
    if !legacy {
        fill(policy, json!({"TemporaryPasswordValidityDays": 7}));
    } else if policy.get("TemporaryPasswordValidityDays").is_some() {
        return Err(rules::unused_account_validity());
    }
    rules::check_pool(&settings, false)?;
    if settings["MfaConfiguration"] != "OFF" && settings["SmsConfiguration"].is_null() {
        return Err(Refusal::invalid(
            "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
        ));
    }
    Ok(settings)
}

/// The settings after an update. `second_factors` says whether the pool has factors that other calls set, such as TOTP.
pub(crate) fn updated(
    current: &Value,
    request: &Value,
    second_factors: bool,
) -> Result<Value, Refusal> {
    let mut settings = given(request);
    remove(&mut settings, "UserPoolId");
    let mut fixed = READ_ONLY.iter().chain(&CREATE_ONLY);
    if let Some(member) = fixed.find(|member| settings.get(member).is_some()) {
        return Err(Refusal::invalid(format!(
            "{member} cannot be changed by UpdateUserPool"
        )));
    }
    let days = settings["AdminCreateUserConfig"]["UnusedAccountValidityDays"].as_i64();
    if days.is_some_and(|days| days != 0) {
        return Err(rules::unused_account_validity());
    }
    for member in KEPT_WHEN_OMITTED {
        if let Some(kept) = current.get(member) {
            fill(&mut settings, json!({ member: kept }));
        }
    }
    let policy_given = settings.get("Policies").is_some();
    complete(&mut settings)?;
    let policy = &mut settings["Policies"]["PasswordPolicy"];
    if policy_given {
        // Measured: an update with a password policy keeps the fields that the policy omits.
        fill(policy, current["Policies"]["PasswordPolicy"].clone());
    } else {
        policy["TemporaryPasswordValidityDays"] = json!(7);
    }
    rules::check_pool(&settings, second_factors)?;
    Ok(settings)
}

/// The settings in the form of DescribeUserPool.
pub(crate) fn described(settings: &Value) -> Value {
    let mut shown = settings.clone();
    if let Some(name) = remove(&mut shown, "PoolName") {
        shown["Name"] = name;
    }
    // The old name of the setting is still shown, with the value of the new one.
    let days = settings["Policies"]["PasswordPolicy"].get("TemporaryPasswordValidityDays");
    if let Some(days) = days {
        shown["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days.clone();
    }
    let levels = (1..=4).map(|level| {
        let key = format!("Level{level}");
        let default = || json!({"AcrValue": format!("urn:cognito:loa:{level}")});
        let name = settings["AcrConfiguration"].get(&key).cloned();
        (key, name.unwrap_or_else(default))
    });
    shown["AcrConfiguration"] = levels.collect();
    shown
}

/// The default of a setting that pools do not have until it appears.
pub(crate) fn recover_by_email_first(settings: &mut Value) {
    let mechanisms = json!([
        {"Priority": 1, "Name": "verified_email"},
        {"Priority": 2, "Name": "verified_phone_number"},
    ]);
    let default = json!({"RecoveryMechanisms": mechanisms});
    fill(settings, json!({"AccountRecoverySetting": default}));
}

/// Fills in the defaults that AWS shows.
fn complete(settings: &mut Value) -> Result<(), Refusal> {
    let add_ons = settings.get("UserPoolAddOns");
    let tier = match add_ons.is_some_and(|add_ons| add_ons["AdvancedSecurityMode"] != "OFF") {
        true => "PLUS",
        false => "ESSENTIALS",
    };
    let defaults = json!({
        "Policies": {},
        "DeletionProtection": "INACTIVE",
        "LambdaConfig": {},
        "VerificationMessageTemplate": {},
        "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": []},
        "MfaConfiguration": "OFF",
        "EmailConfiguration": {},
        "UserPoolTags": {},
        "AdminCreateUserConfig": {},
        "UserPoolTier": tier,
    });
    fill(settings, defaults);
    // Defaults of fields inside a setting, whether or not the request has the setting.
    for (member, inner, default) in [
        (
            "VerificationMessageTemplate",
            "DefaultEmailOption",
            json!("CONFIRM_WITH_CODE"),
        ),
        (
            "EmailConfiguration",
            "EmailSendingAccount",
            json!("COGNITO_DEFAULT"),
        ),
        (
            "AdminCreateUserConfig",
            "AllowAdminCreateUserOnly",
            json!(false),
        ),
    ] {
        fill(object(settings, member)?, json!({ inner: default }));
    }
    let lite = settings["UserPoolTier"] == "LITE";
    let policies = object(settings, "Policies")?;
    if !lite {
        let factors = json!({"AllowedFirstAuthFactors": ["PASSWORD"]});
        fill(policies, json!({"SignInPolicy": factors}));
    }
    let policy = json!({
        "MinimumLength": 8,
        "RequireUppercase": true,
        "RequireLowercase": true,
        "RequireNumbers": true,
        "RequireSymbols": true,
    });
    fill(policies, json!({"PasswordPolicy": policy}));
    let policy = object(policies, "PasswordPolicy")?;
    // Zero is treated as null.
    if policy["TemporaryPasswordValidityDays"] == 0 {
        policy["TemporaryPasswordValidityDays"] = json!(7);
    }
    if let Some(dcr) = settings.get_mut("DcrConfiguration") {
        fill(dcr, json!({"EnableStatus": "Enabled"}));
    }
    mirror_messages(settings)
}

fn mirror_messages(settings: &mut Value) -> Result<(), Refusal> {
    for (member, inner) in MESSAGES {
        let outside = settings.get(member).cloned();
        let template = object(settings, "VerificationMessageTemplate")?;
        match (outside, template.get(inner).cloned()) {
            (Some(outside), Some(inside)) if outside != inside => {
                return Err(Refusal::invalid(format!(
                    "{member} and VerificationMessageTemplate.{inner} differ"
                )));
            }
            (Some(outside), None) => template[inner] = outside,
            (None, Some(inside)) => settings[member] = inside,
            _ => {}
        }
    }
    Ok(())
}

fn object<'a>(members: &'a mut Value, name: &str) -> Result<&'a mut Value, Refusal> {
    let object = members.get_mut(name).filter(|member| member.is_object());
    object.ok_or_else(|| {
        let message = format!("{name} is not a structure");
        Refusal::new("SerializationException", message)
    })
}
