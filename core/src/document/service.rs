//! A model of how the service handles an update, for the tests: what it rejects, what it resets and
//! what it keeps. Written from what is known of the service, and intentionally not from the tables
//! of the updates that it tests.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

pub(super) static MODEL: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/cognito-members.json"
    )))
    .expect("the API model")
});

/// The fields of a structure of the API, by name.
pub(super) fn members(shape: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let members = MODEL["shapes"][shape]["members"]
        .as_object()
        .expect("a structure of the API");
    members.iter().map(|(member, shape)| {
        (
            member.as_str(),
            shape.as_str().expect("the name of a shape"),
        )
    })
}

/// Fields with this prefix are newer than this version, and known to the service.
pub(super) const FUTURE: &str = "Future";

pub(super) fn update_pool(pool: &Value, body: &Value) -> Result<Value, String> {
    check_members("UpdateUserPoolRequest", body)?;
    for (member, renamed) in [("Id", "UserPoolId"), ("Name", "PoolName")] {
        ensure(
            body[renamed] == pool[member],
            "another pool, or another name",
        )?;
    }
    for member in [
        "SmsConfiguration",
        "UserPoolAddOns",
        "KeyConfiguration",
        "IssuerConfiguration",
    ] {
        ensure(
            body[member] != json!({}),
            "1 validation error detected: a required member is missing",
        )?;
    }
    let admin = &body["AdminCreateUserConfig"];
    ensure(
        admin["UnusedAccountValidityDays"].is_null(),
        "Please use TemporaryPasswordValidityDays in PasswordPolicy instead",
    )?;
    let tags = body["UserPoolTags"].as_object().into_iter().flatten();
    ensure(
        tags.clone()
            .all(|(key, _)| !key.to_ascii_lowercase().starts_with("aws:")),
        "aws: prefixed tag key names are not allowed",
    )?;
    let tier = body["UserPoolTier"].as_str().unwrap_or("ESSENTIALS");
    ensure(
        body["AcrConfiguration"].is_null() || tier != "LITE",
        "FeatureUnavailableInTierException",
    )?;
    for (legacy, current) in MESSAGES {
        let template = &body["VerificationMessageTemplate"][current];
        ensure(
            body[legacy].is_null() || template.is_null() || *template == body[legacy],
            "which message?",
        )?;
    }
    for legacy in ["SmsVerificationMessage", "EmailVerificationMessage"] {
        let text = body[legacy].as_str();
        ensure(
            text.is_none_or(|text| text.contains("{####}")),
            "The message is invalid.",
        )?;
    }

    let mut updated = keep(pool, &READ_ONLY_POOL);
    for (member, value) in body.as_object().expect("a body") {
        match member.as_str() {
            "UserPoolId" | "PoolName" => {}
            _ => updated[member] = value.clone(),
        }
    }
    // The service keeps more fields than this when they are left out, or did at times; the model
    // does not, so that it finds an update that relies on it.
    if body.get("DcrConfiguration").is_none() {
        updated["DcrConfiguration"] = pool["DcrConfiguration"].clone();
    }
    for (legacy, current, by_link) in LINKS {
        let texts = &body["VerificationMessageTemplate"];
        if body[legacy].is_null() && texts[current].is_null() && texts[by_link].is_string() {
            updated[legacy] = texts[by_link].clone();
        }
    }
    if body["DcrConfiguration"].is_object() && body["DcrConfiguration"]["EnableStatus"].is_null() {
        updated["DcrConfiguration"]["EnableStatus"] = "Enabled".into();
    }
    if body["DeviceConfiguration"].is_object() {
        for setting in [
            "ChallengeRequiredOnNewDevice",
            "DeviceOnlyRememberedOnUserPrompt",
        ] {
            updated["DeviceConfiguration"][setting] =
                (body["DeviceConfiguration"][setting] == true).into();
        }
    }
    if body["AccountRecoverySetting"] == json!({}) {
        updated["AccountRecoverySetting"] =
            json!({ "RecoveryMechanisms": [{ "Name": "verified_email", "Priority": 1 }] });
    }
    if body["Policies"]["PasswordPolicy"].is_object() {
        let days = &mut updated["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"];
        if days.is_null() || *days == 0 {
            *days = 7.into();
        }
    }
    if pool["AcrConfiguration"].is_object() {
        for n in 1..=4 {
            let name = &mut updated["AcrConfiguration"][format!("Level{n}")]["AcrValue"];
            if name.is_null() {
                *name = format!("urn:cognito:loa:{n}").into();
            }
        }
    }
    if has_tier(pool) {
        updated["UserPoolTier"] = tier.into();
    }
    for (key, value) in pool["UserPoolTags"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("aws:"))
    {
        updated["UserPoolTags"][key] = value.clone();
    }
    updated["LastModifiedDate"] =
        json!(pool["LastModifiedDate"].as_f64().unwrap_or_default() + 1.0);
    updated["EstimatedNumberOfUsers"] =
        json!(pool["EstimatedNumberOfUsers"].as_u64().unwrap_or_default() + 1);
    reverse_sets(&mut updated);
    Ok(updated)
}

/// Services from before the tiers show none, in one form or another.
pub(super) fn has_tier(pool: &Value) -> bool {
    pool["UserPoolTier"]
        .as_str()
        .is_some_and(|tier| !tier.is_empty())
}

pub(super) fn update_client(client: &Value, body: &Value) -> Result<Value, String> {
    check_members("UpdateUserPoolClientRequest", body)?;
    for member in ["UserPoolId", "ClientId"] {
        ensure(body[member] == client[member], "another client")?;
    }
    let rotation = &body["RefreshTokenRotation"];
    ensure(
        rotation.is_null() || rotation["Feature"].is_string(),
        "Feature is required",
    )?;
    let rotates = rotation["Feature"] == "ENABLED";
    let flows: Vec<&str> = body["ExplicitAuthFlows"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !flows.is_empty() {
        let allow = flows
            .iter()
            .filter(|flow| flow.starts_with("ALLOW_"))
            .count();
        ensure(
            allow == 0 || allow == flows.len(),
            "legacy values at the same time as values that begin with ALLOW_",
        )?;
        let refreshes = flows.contains(&"ALLOW_REFRESH_TOKEN_AUTH");
        ensure(
            allow == 0 || refreshes || rotates,
            "REFRESH_TOKEN_AUTH should always be allowed.",
        )?;
        ensure(
            !(refreshes && rotates),
            "ALLOW_REFRESH_TOKEN_AUTH is not allowed with refresh token rotation",
        )?;
    }

    ensure(
        body["PublishSecretsInAWSSecretsManager"].is_null(),
        "false deletes the secret in Secrets Manager at once",
    )?;
    let fixed = [
        "ClientSecret",
        "ClientSecretArn",
        "ClientType",
        "CreationDate",
    ];
    let mut updated = keep(client, &fixed);
    for (member, value) in body.as_object().expect("a body") {
        updated[member] = value.clone();
    }
    updated["LastModifiedDate"] =
        json!(client["LastModifiedDate"].as_f64().unwrap_or_default() + 1.0);
    reverse_sets(&mut updated);
    Ok(updated)
}

const MESSAGES: [(&str, &str); 3] = [
    ("SmsVerificationMessage", "SmsMessage"),
    ("EmailVerificationMessage", "EmailMessage"),
    ("EmailVerificationSubject", "EmailSubject"),
];

const LINKS: [(&str, &str, &str); 2] = [
    (
        "EmailVerificationMessage",
        "EmailMessage",
        "EmailMessageByLink",
    ),
    (
        "EmailVerificationSubject",
        "EmailSubject",
        "EmailSubjectByLink",
    ),
];

/// The fields that an update cannot change.
pub(super) const READ_ONLY_POOL: [&str; 15] = [
    "Id",
    "Name",
    "Arn",
    "CreationDate",
    "LastModifiedDate",
    "EstimatedNumberOfUsers",
    "Status",
    "Domain",
    "CustomDomain",
    "SmsConfigurationFailure",
    "EmailConfigurationFailure",
    "SchemaAttributes",
    "AliasAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
];

/// A document in a normal form: without unset fields, with sorted sets, without fields that change
/// by themselves. The tests compare this form, so that they need not trust the comparison that they
/// test.
pub(super) fn meaning(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(days) = document
        .pointer("/AdminCreateUserConfig/UnusedAccountValidityDays")
        .cloned()
    {
        let said = document
            .pointer_mut("/Policies/PasswordPolicy/TemporaryPasswordValidityDays")
            .map(|days| days.take());
        let days = [said, Some(days), Some(json!(7))]
            .into_iter()
            .flatten()
            .find(|days| !days.is_null() && *days != 0);
        if let Some(policy) = document
            .pointer_mut("/Policies/PasswordPolicy")
            .and_then(Value::as_object_mut)
        {
            policy.insert(
                "TemporaryPasswordValidityDays".to_owned(),
                days.unwrap_or_default(),
            );
        }
        document["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = Value::Null;
    } else if let Some(policy) = document
        .pointer_mut("/Policies/PasswordPolicy")
        .and_then(Value::as_object_mut)
    {
        let days = policy
            .entry("TemporaryPasswordValidityDays")
            .or_insert(json!(7));
        if days.is_null() || *days == 0 {
            *days = 7.into();
        }
    }
    for member in [
        "LastModifiedDate",
        "EstimatedNumberOfUsers",
        "Status",
        "SmsConfigurationFailure",
        "EmailConfigurationFailure",
    ] {
        document
            .as_object_mut()
            .map(|document| document.remove(member));
    }
    prune(document).unwrap_or_default()
}

fn prune(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().filter_map(prune).collect();
            items.sort_by_key(Value::to_string);
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .into_iter()
                .filter_map(|(member, value)| Some((member, prune(value)?)))
                .collect();
            (!members.is_empty()).then(|| json!(members))
        }
        value => Some(value),
    }
}

fn check_members(request: &str, body: &Value) -> Result<(), String> {
    for (member, value) in body.as_object().expect("a body") {
        let known =
            members(request).any(|(known, _)| known == member) || member.starts_with(FUTURE);
        ensure(known, &format!("Unknown parameter in input: {member}"))?;
        ensure(
            !value.is_null() && value != "",
            &format!("{member} must have length greater than or equal to 1"),
        )?;
    }
    Ok(())
}

fn ensure(holds: bool, message: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| message.to_owned())
}

fn keep(document: &Value, members: &[&str]) -> Value {
    let document = document.as_object().expect("a document");
    let kept: Map<_, _> = document
        .clone()
        .into_iter()
        .filter(|(member, _)| members.contains(&member.as_str()))
        .collect();
    Value::Object(kept)
}

/// The service guarantees no order for the sets that it describes.
fn reverse_sets(document: &mut Value) {
    for pointer in [
        "/AutoVerifiedAttributes",
        "/AccountRecoverySetting/RecoveryMechanisms",
        "/SchemaAttributes",
        "/UsernameAttributes",
        "/ReadAttributes",
        "/WriteAttributes",
        "/ExplicitAuthFlows",
        "/CallbackURLs",
        "/AllowedOAuthScopes",
    ] {
        if let Some(set) = document.pointer_mut(pointer).and_then(Value::as_array_mut) {
            set.reverse();
        }
    }
}
