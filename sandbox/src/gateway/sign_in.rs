//! Signing in with a password, and resetting one: the calls at which Cognito asks the UserMigration trigger. Everything about
//! tokens is left to the emulator.

use std::sync::{Mutex, MutexGuard};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::clients::AppClient;
use super::journal::Entry;
use super::pools::{Pool, missing};
use super::trigger::{self, Migrated, Question, Source};
use super::users::{self, User};
use super::{Shared, client_settings, rules};
use crate::wire::{Answer, Call, Members, Refusal};

/// A message that Cognito would have sent.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub pool: String,
    pub username: String,
    /// What was typed by whom the message is for.
    pub typed: String,
    pub medium: &'static str,
    pub destination: String,
    /// The code of a password reset; none in a welcome message.
    pub code: Option<String>,
}

#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Vec<Delivery>>);

impl Deliveries {
    fn send(&self, delivery: Delivery) {
        self.lock().push(delivery);
    }

    /// The newest code for whoever goes by `user`: a username, what was typed, or an address.
    pub fn code(&self, pool: &str, user: &str) -> Option<Delivery> {
        let deliveries = self.lock();
        let mut newest = deliveries
            .iter()
            .rev()
            .filter(|delivery| delivery.pool == pool && delivery.code.is_some());
        newest
            .find(|delivery| {
                [&delivery.username, &delivery.typed, &delivery.destination]
                    .into_iter()
                    .any(|name| name == user)
            })
            .cloned()
    }

    pub fn welcomes(&self, pool: &str) -> Vec<Delivery> {
        let deliveries = self.lock();
        deliveries
            .iter()
            .filter(|delivery| delivery.pool == pool && delivery.code.is_none())
            .cloned()
            .collect()
    }

    /// A code is good once.
    fn use_up(&self, pool: &str, username: &str) {
        self.lock().retain(|delivery| {
            delivery.code.is_none() || delivery.pool != pool || delivery.username != username
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// InitiateAuth and AdminInitiateAuth.
pub(crate) async fn initiate(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let mut request = call.members()?;
    let admin = call.action == "AdminInitiateAuth";
    let client_id = string(&request, "ClientId")?.to_owned();
    let pool = if admin {
        shared.pools.named(call, &request)?
    } else {
        shared.pools.of_client(&client_id)?
    };
    let client = pool.client(&client_id)?.clone();
    let flow = string(&request, "AuthFlow")?.to_owned();
    let enabled_by: &[&str] = match (flow.as_str(), admin) {
        ("USER_PASSWORD_AUTH", false) => &["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
        ("ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", true) => {
            &["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"]
        }
        ("USER_PASSWORD_AUTH", true)
        | ("ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", false) => {
            return Err(Refusal::invalid("Initiate Auth method not supported."));
        }
        // The other flows never ask the trigger.
        _ => return shared.upstream.forward(call).await,
    };
    if !client_settings::flows(&client.settings)
        .iter()
        .any(|allowed| enabled_by.contains(allowed))
    {
        return Err(Refusal::invalid(match admin {
            true => "Auth flow not enabled for this client".to_owned(),
            false => format!("{flow} flow not enabled for this client"),
        }));
    }

    let parameters = request
        .get("AuthParameters")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let parameter = |name: &str| {
        let value = parameters
            .get(name)
            .and_then(Value::as_str)
            .filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::invalid(format!("Missing required parameter {name}")))
    };
    let (typed, password) = (parameter("USERNAME")?, parameter("PASSWORD")?);
    check_secret_hash(&client, typed, parameters.get("SECRET_HASH"))?;

    let user = match users::find(&shared.upstream, &pool, typed).await? {
        Some(user) => user,
        None => {
            let question = Question {
                source: Source::Authentication { password },
                client: &client.id,
                username: typed,
                metadata: request
                    .get("ClientMetadata")
                    .filter(|metadata| metadata.is_object()),
            };
            match migrate(shared, &pool, &question).await? {
                Some(user) => user,
                None if client.hides_users() => {
                    return Err(Refusal::new(
                        "NotAuthorizedException",
                        "Incorrect username or password.",
                    ));
                }
                None => {
                    return Err(Refusal::new(
                        "UserNotFoundException",
                        "User does not exist.",
                    ));
                }
            }
        }
    };
    let mut parameters = parameters.clone();
    parameters.insert("USERNAME".into(), json!(user.username));
    if let Some(secret) = &client.secret {
        let hash = secret_hash(secret, &user.username, &client.id)?;
        parameters.insert("SECRET_HASH".into(), json!(hash));
    }
    request.insert("AuthParameters".into(), Value::Object(parameters));
    let body = Value::Object(request).to_string();
    shared.upstream.forward_as(call, body.into()).await
}

/// Asks the trigger, if the pool has one, and makes the user it describes.
async fn migrate(
    shared: &Shared,
    pool: &Pool,
    question: &Question<'_>,
) -> Result<Option<User>, Refusal> {
    let Some(arn) = pool.settings["LambdaConfig"]["UserMigration"].as_str() else {
        return Ok(None);
    };
    let asked = trigger::ask(&shared.upstream, pool, arn, question).await;
    shared.journal.write(Entry {
        service: "lambda".into(),
        action: format!("Invoke {}", question.source()),
        account: pool.scope.account.clone(),
        about: [
            ("FunctionName", arn),
            ("UserPoolId", &pool.id),
            ("ClientId", question.client),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        status: asked
            .as_ref()
            .map_or_else(|refusal| refusal.status.as_u16(), |_| 200),
        error: asked.as_ref().err().map(|refusal| refusal.code.clone()),
    });
    let Some(migrated) = asked? else {
        return Ok(None);
    };
    let password = match question.source {
        Source::Authentication { password } => Some(password),
        Source::ForgotPassword => None,
    };
    let failed = || question.failed();
    let user = users::migrate(
        &shared.upstream,
        pool,
        &migrated,
        question.username,
        password,
        failed,
    )
    .await?;
    welcome(shared, pool, &migrated);
    Ok(Some(user))
}

fn welcome(shared: &Shared, pool: &Pool, migrated: &Migrated) {
    if !migrated.welcome {
        return;
    }
    for (medium, attribute) in [("EMAIL", "email"), ("SMS", "phone_number")] {
        if let (true, Some(destination)) = (
            migrated.mediums.iter().any(|wanted| wanted == medium),
            migrated.attributes.get(attribute),
        ) {
            shared.deliveries.send(Delivery {
                pool: pool.id.clone(),
                username: migrated.username.clone(),
                typed: migrated.username.clone(),
                medium,
                destination: destination.clone(),
                code: None,
            });
        }
    }
}

pub(crate) async fn forgot_password(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let request = call.members()?;
    let (pool, client) = of_client(shared, &request)?;
    let typed = string(&request, "Username")?;
    check_secret_hash(&client, typed, request.get("SecretHash"))?;
    let found = users::find(&shared.upstream, &pool, typed).await?;
    let user = match found {
        Some(user) => user,
        None => {
            let question = Question {
                source: Source::ForgotPassword,
                client: &client.id,
                username: typed,
                metadata: request
                    .get("ClientMetadata")
                    .filter(|metadata| metadata.is_object()),
            };
            match migrate(shared, &pool, &question).await? {
                Some(user) => user,
                None if client.hides_users() => {
                    let (medium, attribute) = match trigger::is_phone(typed) {
                        true => ("SMS", "phone_number"),
                        false => ("EMAIL", "email"),
                    };
                    return Ok(delivered(medium, attribute, typed));
                }
                None => return Err(no_combination()),
            }
        }
    };
    if !user.enabled {
        return Err(Refusal::new("NotAuthorizedException", "User is disabled."));
    }
    if user.status == "FORCE_CHANGE_PASSWORD" {
        return Err(Refusal::new(
            "NotAuthorizedException",
            "User password cannot be reset in the current state.",
        ));
    }
    send_code(shared, &pool, &user, typed)
}

/// AdminResetUserPassword: the same code, asked for by the operator.
pub(crate) async fn reset_password(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let request = call.members()?;
    let pool = shared.pools.named(call, &request)?;
    let answer = shared.upstream.forward(call).await?;
    let typed = string(&request, "Username")?;
    if answer.status.is_success()
        && let Some(user) = users::find(&shared.upstream, &pool, typed).await?
    {
        send_code(shared, &pool, &user, typed)?;
    }
    Ok(answer)
}

fn send_code(shared: &Shared, pool: &Pool, user: &User, typed: &str) -> Result<Answer, Refusal> {
    let setting = pool.settings.get("AccountRecoverySetting");
    let mut mechanisms = setting
        .and_then(|setting| setting["RecoveryMechanisms"].as_array().cloned())
        // Without the setting, SMS comes first.
        .unwrap_or_else(|| {
            vec![
                json!({"Name": "verified_phone_number", "Priority": 1}),
                json!({"Name": "verified_email", "Priority": 2}),
            ]
        });
    mechanisms.sort_by_key(|mechanism| mechanism["Priority"].as_i64());
    if mechanisms
        .iter()
        .any(|mechanism| mechanism["Name"] == "admin_only")
    {
        return Err(Refusal::new(
            "NotAuthorizedException",
            "Contact administrator to reset password.",
        ));
    }
    let channel = mechanisms.iter().find_map(|mechanism| {
        let (medium, attribute) = match mechanism["Name"].as_str()? {
            "verified_email" => ("EMAIL", "email"),
            _ => ("SMS", "phone_number"),
        };
        let verified = user.is(&format!("{attribute}_verified"), "true");
        Some((
            medium,
            attribute,
            user.attributes.get(attribute).filter(|_| verified)?,
        ))
    });
    let Some((medium, attribute, destination)) = channel else {
        return Err(Refusal::invalid(
            "Cannot reset password for the user as there is no registered/verified email or phone_number",
        ));
    };
    shared.deliveries.send(Delivery {
        pool: pool.id.clone(),
        username: user.username.clone(),
        typed: typed.to_owned(),
        medium,
        destination: destination.clone(),
        code: Some(format!("{:06}", fastrand::u32(0..1_000_000))),
    });
    Ok(delivered(medium, attribute, destination))
}

pub(crate) async fn confirm_forgot_password(
    shared: &Shared,
    call: &Call,
) -> Result<Answer, Refusal> {
    let request = call.members()?;
    let (pool, client) = of_client(shared, &request)?;
    let typed = string(&request, "Username")?;
    check_secret_hash(&client, typed, request.get("SecretHash"))?;
    let mismatch = || {
        Refusal::new(
            "CodeMismatchException",
            "Invalid verification code provided, please try again.",
        )
    };
    let user = match users::find(&shared.upstream, &pool, typed).await? {
        Some(user) => user,
        None if client.hides_users() => return Err(mismatch()),
        None => return Err(no_combination()),
    };
    rules::check_password(&pool.settings, string(&request, "Password")?)?;
    let sent = shared
        .deliveries
        .code(&pool.id, &user.username)
        .and_then(|delivery| delivery.code);
    match sent {
        None => {
            return Err(Refusal::new(
                "ExpiredCodeException",
                "Invalid code provided, please request a code again.",
            ));
        }
        Some(code) if code != string(&request, "ConfirmationCode")? => return Err(mismatch()),
        Some(_) => {}
    }
    // The code was the gateway's, so the emulator is told the outcome and not asked.
    let set = json!({
        "UserPoolId": pool.id,
        "Username": user.username,
        "Password": string(&request, "Password")?,
        "Permanent": true,
    });
    shared
        .upstream
        .cognito(&pool.scope, "AdminSetUserPassword", &set)
        .await?;
    shared.deliveries.use_up(&pool.id, &user.username);
    Ok(Answer::json(&json!({})))
}

/// Calls that bring a new password, which must meet the pool's policy.
pub(crate) async fn with_password(
    shared: &Shared,
    call: &Call,
    pool: &Pool,
) -> Result<Answer, Refusal> {
    let request = call.members()?;
    let password = match call.action.as_str() {
        "AdminCreateUser" => request.get("TemporaryPassword"),
        "ChangePassword" => request.get("ProposedPassword"),
        "RespondToAuthChallenge" | "AdminRespondToAuthChallenge" => request
            .get("ChallengeResponses")
            .and_then(|responses| responses.get("NEW_PASSWORD")),
        _ => request.get("Password"),
    };
    if let Some(password) = password.and_then(Value::as_str) {
        rules::check_password(&pool.settings, password)?;
    }
    shared.upstream.forward(call).await
}

fn of_client(shared: &Shared, request: &Members) -> Result<(Pool, AppClient), Refusal> {
    let id = string(request, "ClientId")?;
    let pool = shared.pools.of_client(id)?;
    let client = pool.client(id)?.clone();
    Ok((pool, client))
}

fn check_secret_hash(
    client: &AppClient,
    username: &str,
    supplied: Option<&Value>,
) -> Result<(), Refusal> {
    let id = &client.id;
    let supplied = supplied.and_then(Value::as_str);
    match (&client.secret, supplied) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Refusal::invalid(format!(
            "App client {id} is not configured for secret but secret hash was received"
        ))),
        (Some(_), None) => Err(Refusal::new(
            "NotAuthorizedException",
            format!("Client {id} is configured with secret but SECRET_HASH was not received"),
        )),
        (Some(secret), Some(supplied)) if secret_hash(secret, username, id)? == supplied => Ok(()),
        _ => Err(Refusal::new(
            "NotAuthorizedException",
            format!("Unable to verify secret hash for client {id}"),
        )),
    }
}

/// Base64 of HMAC-SHA256 over username and client id, keyed with the secret.
fn secret_hash(secret: &str, username: &str, client: &str) -> Result<String, Refusal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|_| Refusal::broken("not a key"))?;
    mac.update(username.as_bytes());
    mac.update(client.as_bytes());
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn delivered(medium: &str, attribute: &str, destination: &str) -> Answer {
    let masked = match destination.split_once('@') {
        Some((local, domain)) => {
            format!(
                "{}***@{}***",
                local.chars().take(1).collect::<String>(),
                domain.chars().take(1).collect::<String>()
            )
        }
        None => {
            let tail = destination.chars().count().saturating_sub(4);
            format!(
                "+*******{}",
                destination.chars().skip(tail).collect::<String>()
            )
        }
    };
    Answer::json(&json!({
        "CodeDeliveryDetails": {"Destination": masked, "DeliveryMedium": medium, "AttributeName": attribute}
    }))
}

fn no_combination() -> Refusal {
    Refusal::new(
        "UserNotFoundException",
        "Username/client id combination not found.",
    )
}

fn string<'a>(request: &'a Members, name: &str) -> Result<&'a str, Refusal> {
    let path = name
        .chars()
        .take(1)
        .map(|c| c.to_ascii_lowercase())
        .chain(name.chars().skip(1));
    request
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| missing(&path.collect::<String>()))
}
