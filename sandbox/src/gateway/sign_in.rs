//! Password sign-in and password reset: the calls in which Cognito invokes the UserMigration trigger. The emulator issues the
//! tokens.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::deliveries::{self, Deliveries};
use super::imports::Imports;
use super::json::required;
use super::lambda::Functions;
use super::new_users::{self, NewUser, NewUsers};
use super::pool::{AppClient, Pool, Pools};
use super::trigger::{self, Migrated, Question, Source};
use super::users::{self, User};
use super::{client_settings, rules};
use crate::wire::{Answer, Call, Refusal, Upstream};

/// The parts of the gateway that these calls use.
pub(crate) struct SignIn<'a> {
    pub imports: &'a Imports,
    pub upstream: &'a Upstream,
    pub functions: &'a Functions,
    pub pools: &'a Pools,
    pub deliveries: &'a Deliveries,
    pub new_users: NewUsers<'a>,
}

impl SignIn<'_> {
    /// InitiateAuth and AdminInitiateAuth.
    pub async fn initiate(&self, call: &Call) -> Result<Answer, Refusal> {
        let mut request = call.request()?;
        let admin = call.action == "AdminInitiateAuth";
        let client_id = required(&request, "ClientId")?;
        let (pool, client) = if admin {
            let pool = self.pools.named(call, &request)?;
            let client = pool.client(client_id)?.clone();
            (pool, client)
        } else {
            self.pools.of_client(client_id)?
        };
        let flow = required(&request, "AuthFlow")?;
        let enabled_by = match (flow, admin) {
            ("USER_PASSWORD_AUTH", false) => ["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
            ("ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", true) => {
                ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"]
            }
            ("USER_PASSWORD_AUTH", true)
            | ("ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", false) => {
                return Err(Refusal::invalid("Initiate Auth method not supported."));
            }
            // The other flows never invoke the trigger.
            _ => return self.upstream.forward(call).await,
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

        let parameters = request["AuthParameters"].clone();
        let parameter = |name: &str| {
            let value = parameters[name].as_str().filter(|value| !value.is_empty());
            value.ok_or_else(|| Refusal::invalid(format!("Missing required parameter {name}")))
        };
        let (typed, password) = (parameter("USERNAME")?, parameter("PASSWORD")?);
        check_secret_hash(&client, typed, &parameters["SECRET_HASH"])?;
        let source = Source::Authentication { password };
        let user = self.user(&pool, &client, &request, source, typed).await?;
        let user = user.ok_or_else(|| match client.hides_users() {
            true => Refusal::new("NotAuthorizedException", "Incorrect username or password."),
            false => Refusal::new("UserNotFoundException", "User does not exist."),
        })?;
        self.take_over_hash(&pool, &user, password).await?;
        request["AuthParameters"]["USERNAME"] = json!(user.username);
        if let Some(secret) = &client.secret {
            let hash = secret_hash(secret, &user.username, &client.id)?;
            request["AuthParameters"]["SECRET_HASH"] = json!(hash);
        }
        self.upstream.forward_as(call, &request).await
    }

    /// At the first sign-in of a user who was imported with a hash, a right password becomes the user's password in the pool.
    async fn take_over_hash(
        &self,
        pool: &Pool,
        user: &User,
        password: &str,
    ) -> Result<(), Refusal> {
        let Some(sub) = user.attributes.get("sub") else {
            return Ok(());
        };
        let Some(hash) = self.imports.hash(&pool.id, sub) else {
            return Ok(());
        };
        let typed = password.to_owned();
        let right = tokio::task::spawn_blocking(move || hash.matches(&typed)).await;
        if right.unwrap_or(false) {
            let set = json!({
                "UserPoolId": pool.id, "Username": user.username, "Password": password, "Permanent": true,
            });
            let done = self
                .upstream
                .cognito(&pool.scope, "AdminSetUserPassword", &set);
            done.await?;
            self.imports.forget_hash(&pool.id, sub);
        }
        Ok(())
    }

    /// The user with the typed name. An unknown user is migrated if the trigger's response contains one.
    async fn user(
        &self,
        pool: &Pool,
        client: &AppClient,
        request: &Value,
        source: Source<'_>,
        typed: &str,
    ) -> Result<Option<User>, Refusal> {
        if let Some(user) = users::find(self.upstream, pool, typed).await? {
            return Ok(Some(user));
        }
        let Some(arn) = pool.settings["LambdaConfig"]["UserMigration"].as_str() else {
            return Ok(None);
        };
        let metadata = request.get("ClientMetadata");
        let question = Question {
            source,
            client: &client.id,
            username: typed,
            metadata: metadata.filter(|metadata| metadata.is_object()),
        };
        let asked = trigger::ask((self.upstream, self.functions), pool, arn, &question).await;
        let refused = asked.as_ref().err();
        self.new_users
            .journal
            .invocation(pool, arn, &client.id, question.source(), refused);
        match asked? {
            Some(migrated) => self.migrate(pool, &migrated, &question).await.map(Some),
            None => Ok(None),
        }
    }

    /// Creates a migrated user, unless the pre sign-up trigger rejects it. The source in that trigger's event for a migration is
    /// not documented; Jane's own functions expect this one.
    async fn migrate(
        &self,
        pool: &Pool,
        migrated: &Migrated,
        question: &Question<'_>,
    ) -> Result<User, Refusal> {
        users::free_aliases(self.upstream, pool, migrated, question).await?;
        let by_attribute = !pool.identity("UsernameAttributes").is_empty();
        let id = by_attribute.then(new_users::id);
        let user = NewUser {
            source: "AdminCreateUser",
            client: question.client,
            username: id.as_deref().unwrap_or(&migrated.username),
            attributes: &migrated.attributes,
            validation: question.metadata.unwrap_or(&Value::Null),
            metadata: &Value::Null,
        };
        self.new_users.pre_sign_up(pool, &user).await?;
        users::migrate(self.upstream, pool, migrated, id.as_deref(), question).await
    }

    pub async fn forgot_password(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let (pool, client, typed) = self.of_app(&request)?;
        let source = Source::ForgotPassword;
        let user = match self.user(&pool, &client, &request, source, typed).await? {
            Some(user) => user,
            None if client.hides_users() => {
                return Ok(deliveries::pretended(typed, trigger::is_phone(typed)));
            }
            None => return Err(no_combination()),
        };
        let refused = |message| Err(Refusal::new("NotAuthorizedException", message));
        if !user.enabled {
            return refused("User is disabled.");
        }
        if user.status == "FORCE_CHANGE_PASSWORD" {
            return refused("User password cannot be reset in the current state.");
        }
        self.deliveries.send(&pool, &user, typed)
    }

    /// AdminResetUserPassword: sends the same code, requested by the operator.
    pub async fn reset_password(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let pool = self.pools.named(call, &request)?;
        let answer = self.upstream.forward(call).await?;
        let typed = required(&request, "Username")?;
        if let Some(user) = users::find(self.upstream, &pool, typed).await? {
            self.deliveries.send(&pool, &user, typed)?;
        }
        Ok(answer)
    }

    pub async fn confirm_forgot_password(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let (pool, client, typed) = self.of_app(&request)?;
        let mismatch = || {
            Refusal::new(
                "CodeMismatchException",
                "Invalid verification code provided, please try again.",
            )
        };
        let user = match users::find(self.upstream, &pool, typed).await? {
            Some(user) => user,
            None if client.hides_users() => return Err(mismatch()),
            None => return Err(no_combination()),
        };
        let password = required(&request, "Password")?;
        rules::check_password(&pool.settings, password)?;
        let Some(sent) = self.deliveries.code(&pool.id, &user.username) else {
            return Err(Refusal::new(
                "ExpiredCodeException",
                "Invalid code provided, please request a code again.",
            ));
        };
        if sent.code != required(&request, "ConfirmationCode")? {
            return Err(mismatch());
        }
        // The emulator does not know the gateway's code, so it only gets the new password.
        let set = json!({
            "UserPoolId": pool.id,
            "Username": user.username,
            "Password": password,
            "Permanent": true,
        });
        let done = self
            .upstream
            .cognito(&pool.scope, "AdminSetUserPassword", &set);
        done.await?;
        self.deliveries.use_up(&pool.id, &user.username);
        if let Some(sub) = user.attributes.get("sub") {
            self.imports.forget_hash(&pool.id, sub);
        }
        let user = users::find(self.upstream, &pool, &user.username).await?;
        if let Some(user) = user {
            let metadata = &request["ClientMetadata"];
            let source = "ConfirmForgotPassword";
            self.new_users
                .post_confirmation(&pool, source, &client.id, &user, metadata)
                .await?;
        }
        Ok(Answer::json(&json!({})))
    }

    /// Calls with a new password, which must meet the pool's policy.
    pub async fn with_password(&self, call: &Call, pool: &Pool) -> Result<Answer, Refusal> {
        rules::check_new_password(call, &pool.settings)?;
        let answer = self.upstream.forward(call).await?;
        if call.action == "AdminSetUserPassword" {
            let request = call.request()?;
            let typed = required(&request, "Username")?;
            let user = users::find(self.upstream, pool, typed).await?;
            if let Some(sub) = user.and_then(|mut user| user.attributes.remove("sub")) {
                self.imports.forget_hash(&pool.id, &sub);
            }
        }
        Ok(answer)
    }

    /// The app client of a call, its pool, and the typed name. Checks the secret hash.
    fn of_app<'r>(&self, request: &'r Value) -> Result<(Pool, AppClient, &'r str), Refusal> {
        let (pool, client) = self.pools.of_client(required(request, "ClientId")?)?;
        let typed = required(request, "Username")?;
        check_secret_hash(&client, typed, &request["SecretHash"])?;
        Ok((pool, client, typed))
    }
}

fn check_secret_hash(client: &AppClient, username: &str, supplied: &Value) -> Result<(), Refusal> {
    let id = &client.id;
    let problem = match (&client.secret, supplied.as_str()) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            return Err(Refusal::invalid(format!(
                "App client {id} is not configured for secret but secret hash was received"
            )));
        }
        (Some(_), None) => {
            format!("Client {id} is configured with secret but SECRET_HASH was not received")
        }
        (Some(secret), Some(supplied)) if secret_hash(secret, username, id)? == supplied => {
            return Ok(());
        }
        _ => format!("Unable to verify secret hash for client {id}"),
    };
    Err(Refusal::new("NotAuthorizedException", problem))
}

/// Base64 of HMAC-SHA256 over username and client id, keyed with the secret.
fn secret_hash(secret: &str, username: &str, client: &str) -> Result<String, Refusal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|_| Refusal::broken("not a key"))?;
    mac.update(username.as_bytes());
    mac.update(client.as_bytes());
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn no_combination() -> Refusal {
    Refusal::new(
        "UserNotFoundException",
        "Username/client id combination not found.",
    )
}
