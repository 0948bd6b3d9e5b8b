//! The settings of a user pool: what CreateUserPool makes of a request, and what UpdateUserPool makes of the settings that were
//! there. Members unknown here are treated as settings newer than this file: kept as given, shown, and reset when left out.
//! What AWS refuses is in `rules`.
//!
//! Where the behaviour of the live service has not been measured, the reading that a careless client trips over is taken: left
//! out means reset.

use serde_json::{Value, json};

use super::rules;
use crate::wire::{Members, Refusal};

/// Given once, at creation.
pub(crate) const CREATE_ONLY: [&str; 4] = [
    "Schema",
    "AliasAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
];

/// Shown by DescribeUserPool, and no setting.
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

/// Left out of an update, these stay as they are; everything else goes back to its default.
const KEPT_WHEN_OMITTED: [&str; 4] = [
    "PoolName",
    "MfaConfiguration",
    "UserAttributeUpdateSettings",
    "DcrConfiguration",
];

/// The message members that exist twice: by itself, and inside the template.
const MESSAGES: [(&str, &str); 3] = [
    ("SmsVerificationMessage", "SmsMessage"),
    ("EmailVerificationMessage", "EmailMessage"),
    ("EmailVerificationSubject", "EmailSubject"),
];

/// The settings of a new pool.
pub(crate) fn created(request: &Members) -> Result<Members, Refusal> {
    let mut settings = given(request);
    for member in CREATE_ONLY {
        settings.remove(member);
    }
    let legacy_days = settings
        .get("AdminCreateUserConfig")
        .and_then(|config| config["UnusedAccountValidityDays"].as_i64())
        .filter(|days| *days > 0);
    complete(&mut settings)?;
    let policy = password_policy(&mut settings);
    match legacy_days {
        Some(_) if policy.contains_key("TemporaryPasswordValidityDays") => {
            return Err(rules::unused_account_validity());
        }
        Some(_) => {}
        None => {
            policy
                .entry("TemporaryPasswordValidityDays")
                .or_insert(json!(7));
        }
    }
    rules::check_pool(&settings, false)?;
    if settings["MfaConfiguration"] != "OFF" && !settings.contains_key("SmsConfiguration") {
        return Err(Refusal::invalid(
            "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
        ));
    }
    Ok(settings)
}

/// The settings after an update. `second_factors` says whether the pool has factors that are set elsewhere, such as TOTP.
pub(crate) fn updated(
    current: &Members,
    request: &Members,
    second_factors: bool,
) -> Result<Members, Refusal> {
    let mut settings = given(request);
    settings.remove("UserPoolId");
    if let Some(member) = settings.keys().find(|member| {
        READ_ONLY.contains(&member.as_str()) || CREATE_ONLY.contains(&member.as_str())
    }) {
        return Err(Refusal::invalid(format!(
            "{member} cannot be changed by UpdateUserPool"
        )));
    }
    if settings
        .get("AdminCreateUserConfig")
        .and_then(|config| config["UnusedAccountValidityDays"].as_i64())
        .is_some_and(|days| days != 0)
    {
        return Err(rules::unused_account_validity());
    }
    for member in KEPT_WHEN_OMITTED {
        if let (false, Some(kept)) = (settings.contains_key(member), current.get(member)) {
            settings.insert(member.to_owned(), kept.clone());
        }
    }
    let policy_given = settings.contains_key("Policies");
    complete(&mut settings)?;
    let policy = password_policy(&mut settings);
    if policy_given {
        // Measured: members left out of a password policy that is given stay as they are.
        for (member, kept) in current["Policies"]["PasswordPolicy"]
            .as_object()
            .into_iter()
            .flatten()
        {
            policy.entry(member).or_insert(kept.clone());
        }
    } else {
        policy.insert("TemporaryPasswordValidityDays".into(), json!(7));
    }
    rules::check_pool(&settings, second_factors)?;
    Ok(settings)
}

/// The settings as DescribeUserPool shows them.
pub(crate) fn described(settings: &Members) -> Members {
    let mut shown = settings.clone();
    if let Some(name) = shown.remove("PoolName") {
        shown.insert("Name".into(), name);
    }
    // The old name of the setting still shows, with the value of the new one.
    let days = settings["Policies"]["PasswordPolicy"].get("TemporaryPasswordValidityDays");
    if let Some(days) = days {
        shown["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days.clone();
    }
    let custom = settings
        .get("AcrConfiguration")
        .cloned()
        .unwrap_or_default();
    let levels = (1..=4).map(|level| {
        let key = format!("Level{level}");
        let name = match custom.get(&key) {
            Some(name) => name.clone(),
            None => json!({"AcrValue": format!("urn:cognito:loa:{level}")}),
        };
        (key, name)
    });
    shown.insert("AcrConfiguration".into(), Value::Object(levels.collect()));
    shown
}

/// What the request gives: null is the same as nothing.
fn given(request: &Members) -> Members {
    let given = request.iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Fills in the defaults that AWS shows.
fn complete(settings: &mut Members) -> Result<(), Refusal> {
    let threat_protection = settings
        .get("UserPoolAddOns")
        .is_some_and(|add_ons| add_ons["AdvancedSecurityMode"] != "OFF");
    let tier = if threat_protection {
        "PLUS"
    } else {
        "ESSENTIALS"
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
    fill(settings, &defaults);
    // Defaults inside of members, whether or not the member itself was given.
    let inner = json!({
        "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE"},
        "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false},
    });
    for (member, defaults) in inner.as_object().into_iter().flatten() {
        fill(object(settings, member)?, defaults);
    }
    let lite = settings["UserPoolTier"] == "LITE";
    let policies = object(settings, "Policies")?;
    if !lite {
        fill(
            policies,
            &json!({"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD"]}}),
        );
    }
    if !policies.contains_key("PasswordPolicy") {
        fill(
            policies,
            &json!({"PasswordPolicy": {
                "MinimumLength": 8,
                "RequireUppercase": true,
                "RequireLowercase": true,
                "RequireNumbers": true,
                "RequireSymbols": true,
            }}),
        );
    }
    object(policies, "PasswordPolicy")?;
    let policy = password_policy(settings);
    // Zero is read as null.
    if policy.get("TemporaryPasswordValidityDays") == Some(&json!(0)) {
        policy.insert("TemporaryPasswordValidityDays".into(), json!(7));
    }
    if let Some(dcr) = settings
        .get_mut("DcrConfiguration")
        .and_then(Value::as_object_mut)
    {
        dcr.entry("EnableStatus").or_insert(json!("Enabled"));
    }
    mirror_messages(settings)
}

fn mirror_messages(settings: &mut Members) -> Result<(), Refusal> {
    for (member, inner) in MESSAGES {
        let outside = settings.get(member).cloned();
        let template = object(settings, "VerificationMessageTemplate")?;
        match (outside, template.get(inner).cloned()) {
            (Some(outside), Some(inside)) if outside != inside => {
                return Err(Refusal::invalid(format!(
                    "{member} and VerificationMessageTemplate.{inner} differ"
                )));
            }
            (Some(outside), None) => {
                template.insert(inner.into(), outside);
            }
            (None, Some(inside)) => {
                settings.insert(member.into(), inside);
            }
            _ => {}
        }
    }
    Ok(())
}

/// `complete` has seen to it that there is one.
fn password_policy(settings: &mut Members) -> &mut Members {
    settings["Policies"]["PasswordPolicy"]
        .as_object_mut()
        .expect("a completed pool has a password policy")
}

fn object<'a>(members: &'a mut Members, name: &str) -> Result<&'a mut Members, Refusal> {
    members
        .get_mut(name)
        .and_then(Value::as_object_mut)
        .ok_or_else(|| {
            Refusal::new(
                "SerializationException",
                format!("{name} is not a structure"),
            )
        })
}

/// Puts in what is not there.
pub(crate) fn fill(members: &mut Members, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if !members.contains_key(name) {
            members.insert(name.clone(), value.clone());
        }
    }
}
