//! User pools: the calls that make, change, show and remove them. The gateway keeps each one's settings as a document; the
//! emulator behind it is told what it needs for users and tokens, and the rest stays here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::client_settings;
use super::clients::{AppClient, no_client};
use super::settings::{self, CREATE_ONLY};
use crate::wire::{Answer, Call, Members, Refusal, Scope, Upstream};

#[derive(Clone)]
pub(crate) struct Pool {
    pub id: String,
    pub scope: Scope,
    pub settings: Members,
    /// What was given at creation and cannot change.
    pub identity: Members,
    pub clients: HashMap<String, AppClient>,
    /// Whether SetUserPoolMfaConfig gave the pool a factor other than SMS.
    second_factors: bool,
    created: f64,
    modified: f64,
    update: Arc<AsyncMutex<()>>,
}

impl Pool {
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!(
            "arn:aws:cognito-idp:{region}:{account}:userpool/{}",
            self.id
        )
    }

    /// Whether names are told apart by case. The API's default is that they are.
    pub fn case_sensitive(&self) -> bool {
        self.identity
            .get("UsernameConfiguration")
            .is_none_or(|configuration| configuration["CaseSensitive"] != false)
    }

    /// Members such as `AliasAttributes`.
    pub fn identity(&self, member: &str) -> Vec<&str> {
        client_settings::strings(&self.identity, member)
    }

    pub fn client(&self, id: &str) -> Result<&AppClient, Refusal> {
        self.clients.get(id).ok_or_else(|| no_client(id))
    }

    fn described(&self, emulated: &Value) -> Value {
        let mut shown = settings::described(&self.settings);
        for member in CREATE_ONLY {
            if let (true, Some(value)) = (member != "Schema", self.identity.get(member)) {
                shown.insert(member.to_owned(), value.clone());
            }
        }
        for member in [
            "SchemaAttributes",
            "EstimatedNumberOfUsers",
            "Domain",
            "CustomDomain",
        ] {
            if !emulated[member].is_null() {
                shown.insert(member.to_owned(), emulated[member].clone());
            }
        }
        shown.insert("Id".into(), json!(self.id));
        shown.insert("Arn".into(), json!(self.arn()));
        shown.insert("CreationDate".into(), json!(self.created));
        shown.insert("LastModifiedDate".into(), json!(self.modified));
        Value::Object(shown)
    }
}

#[derive(Default)]
pub(crate) struct Pools(Mutex<HashMap<String, Pool>>);

impl Pools {
    /// The pool a call names.
    pub fn named(&self, call: &Call, members: &Members) -> Result<Pool, Refusal> {
        let id = members
            .get("UserPoolId")
            .and_then(Value::as_str)
            .ok_or_else(|| missing("userPoolId"))?;
        let pools = self.lock();
        let pool = pools
            .get(id)
            .filter(|pool| !call.account_known || pool.scope == call.scope);
        pool.cloned().ok_or_else(|| no_pool(id))
    }

    pub fn get(&self, id: &str) -> Option<Pool> {
        self.lock().get(id).cloned()
    }

    /// The pool of an app client.
    pub fn of_client(&self, id: &str) -> Result<Pool, Refusal> {
        let pools = self.lock();
        let pool = pools.values().find(|pool| pool.clients.contains_key(id));
        pool.cloned().ok_or_else(|| no_client(id))
    }

    /// Changes a pool, and the time of its last change with it.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.lock().get_mut(id) {
            change(pool);
            pool.modified = later(pool.modified);
        }
    }

    /// Takes the right to update a pool; another update meanwhile is refused.
    pub fn claim(&self, id: &str) -> Result<OwnedMutexGuard<()>, Refusal> {
        let update = self.get(id).ok_or_else(|| no_pool(id))?.update;
        update.try_lock_owned().map_err(|_| {
            Refusal::new(
                "ConcurrentModificationException",
                "Only one request to update this UserPool can be processed at a time.",
            )
        })
    }

    pub async fn create(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let request = call.members()?;
        let settings = settings::created(&request)?;
        let answer = upstream.forward(call).await?;
        if !answer.status.is_success() {
            return Ok(answer);
        }
        let emulated = &answer.value()["UserPool"];
        let lax = json!({"UserPoolId": emulated["Id"], "Policies": anything_goes()});
        upstream
            .cognito(&call.scope, "UpdateUserPool", &lax)
            .await?;
        let now = later(0.0);
        let pool = Pool {
            id: emulated["Id"].as_str().unwrap_or_default().to_owned(),
            scope: call.scope.clone(),
            settings,
            identity: request
                .into_iter()
                .filter(|(name, value)| CREATE_ONLY.contains(&name.as_str()) && !value.is_null())
                .collect(),
            clients: HashMap::new(),
            second_factors: false,
            created: now,
            modified: now,
            update: Arc::default(),
        };
        let shown = pool.described(emulated);
        self.lock().insert(pool.id.clone(), pool);
        Ok(answer.with_value(&json!({"UserPool": shown})))
    }

    pub async fn describe(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let pool = self.named(call, &call.members()?)?;
        let answer = upstream.forward(call).await?;
        if !answer.status.is_success() {
            return Ok(answer);
        }
        let shown = pool.described(&answer.value()["UserPool"]);
        Ok(answer.with_value(&json!({"UserPool": shown})))
    }

    pub async fn update(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let request = call.members()?;
        let id = self.named(call, &request)?.id;
        let _claim = self.claim(&id)?;
        let pool = self.named(call, &request)?;
        let settings = settings::updated(&pool.settings, &request, pool.second_factors)?;
        let mut asked = json!({"UserPoolId": id, "Policies": anything_goes()});
        for member in [
            "LambdaConfig",
            "AutoVerifiedAttributes",
            "MfaConfiguration",
            "AdminCreateUserConfig",
            "VerificationMessageTemplate",
            "EmailConfiguration",
        ] {
            asked[member] = settings.get(member).cloned().unwrap_or(json!([]));
        }
        let answer = upstream.forward_as(call, asked.to_string().into()).await?;
        if answer.status.is_success() {
            self.change(&id, |pool| pool.settings = settings);
        }
        Ok(answer)
    }

    pub async fn delete(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let pool = self.named(call, &call.members()?)?;
        if pool.settings["DeletionProtection"] == "ACTIVE" {
            return Err(Refusal::invalid(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
                 inactivated first.",
            ));
        }
        let emulated = upstream
            .cognito(
                &pool.scope,
                "DescribeUserPool",
                &json!({"UserPoolId": pool.id}),
            )
            .await?;
        if !emulated["UserPool"]["Domain"].is_null() {
            return Err(Refusal::invalid(
                "User pool cannot be deleted. It has a domain configured that should be deleted first.",
            ));
        }
        let answer = upstream.forward(call).await?;
        if answer.status.is_success() {
            self.lock().remove(&pool.id);
        }
        Ok(answer)
    }

    /// The list, with what the gateway knows better.
    pub async fn list(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let answer = upstream.forward(call).await?;
        let mut listed = answer.value();
        for entry in listed["UserPools"].as_array_mut().into_iter().flatten() {
            if let Some(pool) = entry["Id"].as_str().and_then(|id| self.get(id)) {
                entry["Name"] = pool.settings.get("PoolName").cloned().unwrap_or_default();
                entry["LambdaConfig"] = pool.settings["LambdaConfig"].clone();
                entry["CreationDate"] = json!(pool.created);
                entry["LastModifiedDate"] = json!(pool.modified);
            }
        }
        Ok(answer.with_value(&listed))
    }

    /// AddCustomAttributes and SetUserPoolMfaConfig: the emulator's business, but the pool changes.
    pub async fn change_elsewhere(
        &self,
        call: &Call,
        upstream: &Upstream,
    ) -> Result<Answer, Refusal> {
        let request = call.members()?;
        let id = self.named(call, &request)?.id;
        let _claim = self.claim(&id)?;
        let answer = upstream.forward(call).await?;
        if answer.status.is_success() {
            self.change(&id, |pool| {
                if call.action == "SetUserPoolMfaConfig" {
                    let given = |member: &str| {
                        request
                            .get(member)
                            .filter(|value| !value.is_null())
                            .cloned()
                    };
                    pool.second_factors = [
                        "SoftwareTokenMfaConfiguration",
                        "EmailMfaConfiguration",
                        "WebAuthnConfiguration",
                    ]
                    .iter()
                    .any(|factor| given(factor).is_some_and(|factor| factor["Enabled"] != false));
                    pool.settings.insert(
                        "MfaConfiguration".into(),
                        given("MfaConfiguration").unwrap_or(json!("OFF")),
                    );
                    if let Some(sms) = given("SmsMfaConfiguration")
                        .and_then(|sms| sms.get("SmsConfiguration").cloned())
                    {
                        pool.settings.insert("SmsConfiguration".into(), sms);
                    }
                }
            });
        }
        Ok(answer)
    }

    /// TagResource, UntagResource and ListTagsForResource.
    pub async fn tags(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        upstream.permit(call).await?;
        let request = call.members()?;
        let arn = request
            .get("ResourceArn")
            .and_then(Value::as_str)
            .ok_or_else(|| missing("resourceArn"))?;
        let id = arn.rsplit('/').next().unwrap_or_default();
        let pool = self
            .get(id)
            .filter(|pool| pool.arn() == arn)
            .ok_or_else(|| no_pool(id))?;
        let mut tags = pool.settings["UserPoolTags"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        match call.action.as_str() {
            "TagResource" => {
                tags.extend(
                    request
                        .get("Tags")
                        .and_then(Value::as_object)
                        .cloned()
                        .unwrap_or_default(),
                );
            }
            "UntagResource" => tags.retain(|key, _| {
                !client_settings::strings(&request, "TagKeys").contains(&key.as_str())
            }),
            _ => return Ok(Answer::json(&json!({"Tags": tags}))),
        }
        if let Some(pool) = self.lock().get_mut(id) {
            pool.settings["UserPoolTags"] = Value::Object(tags);
        }
        Ok(Answer::json(&json!({})))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, Pool>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The emulator enforces its policy on every password it is given; Cognito does not on those that migrate. So the emulator gets a
/// policy that any password meets, and the gateway enforces the pool's own where it holds.
fn anything_goes() -> Value {
    json!({"PasswordPolicy": {
        "MinimumLength": 0,
        "RequireUppercase": false,
        "RequireLowercase": false,
        "RequireNumbers": false,
        "RequireSymbols": false,
    }})
}

/// Now, as AWS writes it: seconds with three decimals. Always later than `before`.
pub(super) fn later(before: f64) -> f64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let millis = (now.as_millis() as f64).max((before * 1000.0).round() + 1.0);
    millis / 1000.0
}

pub(crate) fn missing(path: &str) -> Refusal {
    Refusal::invalid(format!(
        "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    ))
}

fn no_pool(id: &str) -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        format!("User pool {id} does not exist."),
    )
}
