//! Cognito's pool and app clients as described. An update replaces all settings: an omitted one gets its default.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Aws, Call, members, refuse};

#[derive(Debug, Clone)]
pub struct Pool {
    /// As DescribeUserPool shows it.
    pub document: Value,
    pub mfa: Value,
    /// As DescribeUserPoolClient shows them.
    pub clients: BTreeMap<String, Value>,
}

impl Pool {
    pub fn id(&self) -> &str {
        self.document["Id"].as_str().unwrap_or_default()
    }

    pub fn arn(&self) -> String {
        self.document["Arn"].as_str().unwrap_or_default().to_owned()
    }
}

/// The fields of a pool that no update changes.
const FIXED: [&str; 14] = [
    "Id",
    "Arn",
    "Status",
    "CreationDate",
    "LastModifiedDate",
    "SchemaAttributes",
    "AliasAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
    "EstimatedNumberOfUsers",
    "Domain",
    "CustomDomain",
    "AcrConfiguration",
    "Name",
];

/// The fields of a pool that keep their value if an update omits them.
const KEPT: [&str; 3] = [
    "MfaConfiguration",
    "UserAttributeUpdateSettings",
    "DcrConfiguration",
];

/// The fields of a client that no update changes.
const FIXED_OF_CLIENT: [&str; 5] = [
    "UserPoolId",
    "ClientId",
    "ClientSecret",
    "CreationDate",
    "LastModifiedDate",
];

impl Aws {
    pub(super) fn cognito(&mut self, call: &Call) -> Option<Answer> {
        let gone = |what: &str| {
            let message = format!("User pool {what} does not exist.");
            refuse(400, "ResourceNotFoundException", message)
        };
        let id = call.text("UserPoolId");
        if id != self.pool.id() {
            return Some(Err(gone(id)));
        }
        let client = call.text("ClientId").to_owned();
        let there = self.pool.clients.contains_key(&client);
        if ["DescribeUserPoolClient", "UpdateUserPoolClient"].contains(&call.action.as_str())
            && !there
        {
            return Some(Err(gone("client")));
        }
        let now = self.pool_time();
        Some(Ok(match call.action.as_str() {
            "DescribeUserPool" => json!({ "UserPool": self.pool.document }),
            "GetUserPoolMfaConfig" => self.pool.mfa.clone(),
            "ListUserPoolClients" => {
                let listed = self.pool.clients.values().map(|client| {
                    json!({ "ClientId": client["ClientId"], "UserPoolId": id, "ClientName": client["ClientName"] })
                });
                json!({ "UserPoolClients": listed.collect::<Vec<_>>() })
            }
            "DescribeUserPoolClient" => json!({ "UserPoolClient": self.pool.clients[&client] }),
            "ListPointInTimeRecoveries" => json!({ "Restorations": [] }),
            "UpdateUserPool" => {
                self.pool.document = updated_pool(&self.pool.document, &call.body);
                self.pool.document["LastModifiedDate"] = now;
                json!({})
            }
            "UpdateUserPoolClient" => {
                let mut updated = updated_client(&self.pool.clients[&client], &call.body);
                updated["LastModifiedDate"] = now;
                self.pool.clients.insert(client, updated.clone());
                json!({ "UserPoolClient": updated })
            }
            "AdminGetUser" => {
                let message = "User does not exist.";
                return Some(Err(refuse(400, "UserNotFoundException", message)));
            }
            _ => return None,
        }))
    }

    /// The time of a change; never the same twice.
    pub fn pool_time(&mut self) -> Value {
        json!(self.now_ms as f64 / 1000.0 + self.number() as f64 / 1e6)
    }
}

/// A pool after an update.
pub fn updated_pool(before: &Value, request: &Value) -> Value {
    let mut after = members(request);
    after.remove("UserPoolId");
    let name = after.remove("PoolName");
    for member in FIXED.iter().chain(&KEPT) {
        if let Some(kept) = before.get(*member) {
            after.entry(*member).or_insert_with(|| kept.clone());
        }
    }
    if let Some(name) = name {
        after.insert("Name".into(), name);
    }
    let mut after = Value::Object(after);
    default(
        &mut after,
        json!({
            "DeletionProtection": "INACTIVE", "LambdaConfig": {}, "MfaConfiguration": "OFF", "UserPoolTags": {},
            "VerificationMessageTemplate": {}, "EmailConfiguration": {}, "AdminCreateUserConfig": {}, "Policies": {},
            "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": [] },
        }),
    );
    let add_ons = &after["UserPoolAddOns"]["AdvancedSecurityMode"];
    let plus = !add_ons.is_null() && add_ons != "OFF";
    let tier = if plus { "PLUS" } else { "ESSENTIALS" };
    default(&mut after, json!({ "UserPoolTier": tier }));
    let inner = [
        (
            "VerificationMessageTemplate",
            json!({ "DefaultEmailOption": "CONFIRM_WITH_CODE" }),
        ),
        (
            "EmailConfiguration",
            json!({ "EmailSendingAccount": "COGNITO_DEFAULT" }),
        ),
        (
            "AdminCreateUserConfig",
            json!({ "AllowAdminCreateUserOnly": false }),
        ),
        (
            "Policies",
            json!({ "PasswordPolicy": before["Policies"]["PasswordPolicy"] }),
        ),
    ];
    for (member, defaults) in inner {
        default(&mut after[member], defaults);
    }
    if after["UserPoolTier"] != "LITE" {
        let factors = json!({ "AllowedFirstAuthFactors": ["PASSWORD"] });
        default(&mut after["Policies"], json!({ "SignInPolicy": factors }));
    }
    if request["Policies"]["PasswordPolicy"].is_null() {
        after["Policies"]["PasswordPolicy"] = json!({
            "MinimumLength": 8, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true,
            "RequireSymbols": true, "TemporaryPasswordValidityDays": 7,
        });
    }
    // Settings that are in two places.
    let days = after["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"].clone();
    if !days.is_null() {
        after["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days;
    }
    for (outside, inside) in [
        ("SmsVerificationMessage", "SmsMessage"),
        ("EmailVerificationMessage", "EmailMessage"),
        ("EmailVerificationSubject", "EmailSubject"),
    ] {
        let template = &mut after["VerificationMessageTemplate"];
        let set = template.get(inside).cloned();
        match (after.get(outside).cloned(), set) {
            (Some(text), None) => after["VerificationMessageTemplate"][inside] = text,
            (None, Some(text)) => after[outside] = text,
            _ => {}
        }
    }
    after
}

/// An app client after an update.
pub fn updated_client(before: &Value, request: &Value) -> Value {
    let mut after = members(request);
    for member in FIXED_OF_CLIENT.iter().chain(&["ClientName"]) {
        if let Some(kept) = before.get(*member) {
            after.entry(*member).or_insert_with(|| kept.clone());
        }
    }
    let mut after = Value::Object(after);
    default(
        &mut after,
        json!({
            "RefreshTokenValidity": 30, "TokenValidityUnits": {}, "AllowedOAuthFlowsUserPoolClient": false,
            "EnableTokenRevocation": true, "EnablePropagateAdditionalUserContextData": false, "AuthSessionValidity": 3,
        }),
    );
    after
}

/// Sets a field that is not set.
fn default(document: &mut Value, defaults: Value) {
    for (member, value) in members(&defaults) {
        if document.get(&member).is_none() {
            document[member] = value;
        }
    }
}
