//! The calls that create, update, describe and delete user pools. The gateway keeps the settings of each pool as a document; the
//! emulator gets only what it needs for users and tokens.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::json::{given, required, strings};
use super::pool::{Defaults, Pool, Pools, Times, no_pool};
use super::settings::{self, CREATE_ONLY};
use crate::wire::{Answer, Call, Refusal};

impl Pools {
    pub async fn create(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let settings = settings::created(&request)?;
        // The gateway calls the triggers around new users itself.
        let mut asked = request.clone();
        asked["LambdaConfig"] = of_emulator(&request["LambdaConfig"]);
        let answer = self.upstream.forward_as(call, &asked).await?;
        let emulated = &answer.value()["UserPool"];
        let lax = json!({"UserPoolId": emulated["Id"], "Policies": anything_goes()});
        let updated = self.upstream.cognito(&call.scope, "UpdateUserPool", &lax);
        updated.await?;
        let mut identity = given(&request);
        if let Some(members) = identity.as_object_mut() {
            members.retain(|name, _| CREATE_ONLY.contains(&name.as_str()));
        }
        let pool = Pool {
            id: emulated["Id"].as_str().unwrap_or_default().to_owned(),
            scope: call.scope.clone(),
            settings,
            identity,
            clients: HashMap::new(),
            second_factors: false,
            times: Times::now(),
            defaults: Defaults::default(),
            update: Arc::default(),
        };
        let shown = pool.described(emulated);
        self.insert(pool);
        Ok(answer.with_value(&json!({"UserPool": shown})))
    }

    pub async fn describe(&self, call: &Call) -> Result<Answer, Refusal> {
        let pool = self.named(call, &call.request()?)?;
        let answer = self.upstream.forward(call).await?;
        let shown = pool.described(&answer.value()["UserPool"]);
        Ok(answer.with_value(&json!({"UserPool": shown})))
    }

    pub async fn update(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let id = self.named(call, &request)?.id;
        let _claim = self.claim(&id)?;
        let pool = self.named(call, &request)?;
        let mut settings = settings::updated(&pool.settings, &request, pool.second_factors)?;
        if pool.defaults == Defaults::Hidden {
            settings::recover_by_email_first(&mut settings);
        }
        let mut asked = json!({"UserPoolId": id, "Policies": anything_goes()});
        for member in [
            "AutoVerifiedAttributes",
            "MfaConfiguration",
            "AdminCreateUserConfig",
            "VerificationMessageTemplate",
            "EmailConfiguration",
        ] {
            asked[member] = settings.get(member).cloned().unwrap_or(json!([]));
        }
        asked["LambdaConfig"] = of_emulator(&settings["LambdaConfig"]);
        let answer = self.upstream.forward_as(call, &asked).await?;
        self.change(&id, |pool| {
            pool.settings = settings;
            pool.defaults = Defaults::Shown;
        });
        Ok(answer)
    }

    /// Hides defaults of this pool until its next update.
    pub fn hide_defaults(&self, pool: &str) {
        self.change(pool, |pool| pool.defaults = Defaults::Hidden);
    }

    pub async fn delete(&self, call: &Call) -> Result<Answer, Refusal> {
        let pool = self.named(call, &call.request()?)?;
        if pool.settings["DeletionProtection"] == "ACTIVE" {
            return Err(Refusal::invalid(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
                 inactivated first.",
            ));
        }
        if !pool.emulated(&self.upstream).await?["Domain"].is_null() {
            return Err(Refusal::invalid(
                "User pool cannot be deleted. It has a domain configured that should be deleted first.",
            ));
        }
        let answer = self.upstream.forward(call).await?;
        self.remove(&pool.id);
        Ok(answer)
    }

    /// The list, with the settings that only the gateway stores correctly.
    pub async fn list(&self, call: &Call) -> Result<Answer, Refusal> {
        let answer = self.upstream.forward(call).await?;
        let mut listed = answer.value();
        for entry in listed["UserPools"].as_array_mut().into_iter().flatten() {
            if let Some(pool) = entry["Id"].as_str().and_then(|id| self.get(id)) {
                entry["Name"] = pool.settings["PoolName"].clone();
                entry["LambdaConfig"] = pool.settings["LambdaConfig"].clone();
                pool.times.show(entry);
            }
        }
        Ok(answer.with_value(&listed))
    }

    /// AddCustomAttributes and SetUserPoolMfaConfig: the emulator executes them, and the pool counts as changed.
    pub async fn change_elsewhere(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let id = self.named(call, &request)?.id;
        let _claim = self.claim(&id)?;
        let answer = self.upstream.forward(call).await?;
        self.change(&id, |pool| {
            if call.action == "SetUserPoolMfaConfig" {
                set_mfa(pool, &request);
            }
        });
        Ok(answer)
    }

    /// TagResource, UntagResource and ListTagsForResource.
    pub async fn tags(&self, call: &Call) -> Result<Answer, Refusal> {
        self.upstream.permit(call).await?;
        let request = call.request()?;
        let arn = required(&request, "ResourceArn")?;
        let id = arn.rsplit('/').next().unwrap_or_default();
        let pool = self.get(id).filter(|pool| pool.arn() == arn);
        let pool = pool.ok_or_else(|| no_pool(id))?;
        let mut tags = object(&pool.settings["UserPoolTags"]);
        match call.action.as_str() {
            "TagResource" => tags.extend(object(&request["Tags"])),
            "UntagResource" => {
                tags.retain(|key, _| !strings(&request["TagKeys"]).contains(&key.as_str()));
            }
            _ => return Ok(Answer::json(&json!({"Tags": tags}))),
        }
        self.edit(id, |pool| pool.settings["UserPoolTags"] = tags.into());
        Ok(Answer::json(&json!({})))
    }
}

fn set_mfa(pool: &mut Pool, request: &Value) {
    pool.second_factors = [
        "SoftwareTokenMfaConfiguration",
        "EmailMfaConfiguration",
        "WebAuthnConfiguration",
    ]
    .iter()
    .any(|factor| !request[factor].is_null() && request[factor]["Enabled"] != false);
    let mode = &request["MfaConfiguration"];
    pool.settings["MfaConfiguration"] = match mode.is_null() {
        true => json!("OFF"),
        false => mode.clone(),
    };
    if let Some(sms) = request["SmsMfaConfiguration"].get("SmsConfiguration") {
        pool.settings["SmsConfiguration"] = sms.clone();
    }
}

fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The triggers that the emulator calls.
fn of_emulator(triggers: &Value) -> Value {
    let mut triggers = triggers.clone();
    if let Some(members) = triggers.as_object_mut() {
        members.retain(|name, _| !["PreSignUp", "PostConfirmation"].contains(&name.as_str()));
        return triggers;
    }
    json!({})
}

/// The emulator enforces its policy on every password; Cognito does not do this for passwords that migrate. So the emulator gets
/// a policy that every password meets, and the gateway enforces the pool's policy in the same calls as Cognito.
fn anything_goes() -> Value {
    json!({"PasswordPolicy": {
        "MinimumLength": 0,
        "RequireUppercase": false,
        "RequireLowercase": false,
        "RequireNumbers": false,
        "RequireSymbols": false,
    }})
}
