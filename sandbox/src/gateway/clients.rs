//! App clients: the calls that make, change, show and remove them. As with pools, the gateway keeps the settings, and the emulator
//! behind it is told what it needs.

use serde_json::{Value, json};

use super::pools::{Pool, Pools, later, missing};
use super::settings;
use super::{client_settings, rules};
use crate::wire::{Answer, Call, Members, Refusal, Upstream};

#[derive(Clone)]
pub(crate) struct AppClient {
    pub id: String,
    pub settings: Members,
    pub secret: Option<String>,
    created: f64,
    modified: f64,
}

impl AppClient {
    /// Whether this client must not reveal that a user is unknown.
    pub fn hides_users(&self) -> bool {
        self.settings
            .get("PreventUserExistenceErrors")
            .is_some_and(|value| value == "ENABLED")
    }

    fn described(&self, pool: &str) -> Value {
        let mut shown = self.settings.clone();
        shown.insert("UserPoolId".into(), json!(pool));
        shown.insert("ClientId".into(), json!(self.id));
        if let Some(secret) = &self.secret {
            shown.insert("ClientSecret".into(), json!(secret));
        }
        shown.insert("CreationDate".into(), json!(self.created));
        shown.insert("LastModifiedDate".into(), json!(self.modified));
        Value::Object(shown)
    }
}

impl Pools {
    pub async fn create_client(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let request = call.members()?;
        let pool = self.named(call, &request)?;
        let own_secret = request.get("ClientSecret").and_then(Value::as_str);
        let has_secret =
            own_secret.is_some() || request.get("GenerateSecret") == Some(&json!(true));
        let settings = client_settings::created(&request, has_secret)?;
        self.check_client(&pool, &settings, upstream).await?;
        let answer = upstream.forward(call).await?;
        if !answer.status.is_success() {
            return Ok(answer);
        }
        let emulated = &answer.value()["UserPoolClient"];
        let now = later(0.0);
        let client = AppClient {
            id: emulated["ClientId"].as_str().unwrap_or_default().to_owned(),
            settings,
            secret: own_secret
                .or(emulated["ClientSecret"].as_str())
                .map(str::to_owned),
            created: now,
            modified: now,
        };
        let shown = client.described(&pool.id);
        if let Some(pool) = self.lock().get_mut(&pool.id) {
            pool.clients.insert(client.id.clone(), client);
        }
        Ok(answer.with_value(&json!({"UserPoolClient": shown})))
    }

    pub async fn describe_client(
        &self,
        call: &Call,
        upstream: &Upstream,
    ) -> Result<Answer, Refusal> {
        upstream.permit(call).await?;
        let (pool, client) = self.named_client(call, &call.members()?)?;
        Ok(Answer::json(
            &json!({"UserPoolClient": client.described(&pool.id)}),
        ))
    }

    pub async fn update_client(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let request = call.members()?;
        let (pool, client) = self.named_client(call, &request)?;
        let _claim = self.claim(&pool.id)?;
        let mut settings = client_settings::updated(&request, client.secret.is_some())?;
        settings::fill(
            &mut settings,
            &json!({"ClientName": client.settings.get("ClientName")}),
        );
        self.check_client(&pool, &settings, upstream).await?;
        let mut asked = json!({"UserPoolId": pool.id, "ClientId": client.id});
        for member in [
            "ClientName",
            "RefreshTokenValidity",
            "AccessTokenValidity",
            "IdTokenValidity",
            "PreventUserExistenceErrors",
            "EnableTokenRevocation",
            "AuthSessionValidity",
            "DefaultRedirectURI",
        ] {
            asked[member] = settings.get(member).cloned().unwrap_or_default();
        }
        for member in [
            "ExplicitAuthFlows",
            "ReadAttributes",
            "WriteAttributes",
            "SupportedIdentityProviders",
            "CallbackURLs",
            "LogoutURLs",
            "AllowedOAuthFlows",
            "AllowedOAuthScopes",
        ] {
            asked[member] = settings.get(member).cloned().unwrap_or(json!([]));
        }
        asked["TokenValidityUnits"] = settings["TokenValidityUnits"].clone();
        let answer = upstream.forward_as(call, asked.to_string().into()).await?;
        if !answer.status.is_success() {
            return Ok(answer);
        }
        let mut shown = Value::Null;
        if let Some(pool) = self.lock().get_mut(&pool.id)
            && let Some(client) = pool.clients.get_mut(&client.id)
        {
            client.settings = settings;
            client.modified = later(client.modified);
            shown = client.described(&pool.id);
        }
        Ok(answer.with_value(&json!({"UserPoolClient": shown})))
    }

    pub async fn delete_client(&self, call: &Call, upstream: &Upstream) -> Result<Answer, Refusal> {
        let (pool, client) = self.named_client(call, &call.members()?)?;
        let answer = upstream.forward(call).await?;
        if answer.status.is_success()
            && let Some(pool) = self.lock().get_mut(&pool.id)
        {
            pool.clients.remove(&client.id);
        }
        Ok(answer)
    }

    fn named_client(&self, call: &Call, members: &Members) -> Result<(Pool, AppClient), Refusal> {
        let pool = self.named(call, members)?;
        let id = members
            .get("ClientId")
            .and_then(Value::as_str)
            .ok_or_else(|| missing("clientId"))?;
        let client = pool.client(id)?.clone();
        Ok((pool, client))
    }

    /// What refers to other things of the pool.
    async fn check_client(
        &self,
        pool: &Pool,
        settings: &Members,
        upstream: &Upstream,
    ) -> Result<(), Refusal> {
        let listed = |member| client_settings::strings(settings, member);
        for provider in listed("SupportedIdentityProviders") {
            let asked = json!({"UserPoolId": pool.id, "ProviderName": provider});
            if provider != "COGNITO"
                && upstream
                    .cognito(&pool.scope, "DescribeIdentityProvider", &asked)
                    .await
                    .is_err()
            {
                return Err(Refusal::invalid(format!(
                    "The provider {provider} does not exist for User Pool {}.",
                    pool.id
                )));
            }
        }
        for scope in listed("AllowedOAuthScopes") {
            let Some((server, name)) = scope.rsplit_once('/') else {
                rules::one_of(
                    &json!(scope),
                    "allowedOAuthScopes",
                    &[
                        "phone",
                        "email",
                        "openid",
                        "profile",
                        "aws.cognito.signin.user.admin",
                    ],
                )
                .map_err(|_| no_scope(scope))?;
                continue;
            };
            let asked = json!({"UserPoolId": pool.id, "Identifier": server});
            let known = upstream
                .cognito(&pool.scope, "DescribeResourceServer", &asked)
                .await
                .is_ok_and(|answer| {
                    let scopes = answer["ResourceServer"]["Scopes"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    scopes.iter().any(|scope| scope["ScopeName"] == name)
                });
            if !known {
                return Err(no_scope(scope));
            }
        }
        let attributes = [("ReadAttributes", "read"), ("WriteAttributes", "write")];
        if attributes
            .iter()
            .all(|(member, _)| listed(member).is_empty())
        {
            return Ok(());
        }
        let emulated = upstream
            .cognito(
                &pool.scope,
                "DescribeUserPool",
                &json!({"UserPoolId": pool.id}),
            )
            .await?;
        let schema = emulated["UserPool"]["SchemaAttributes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for (member, verb) in attributes {
            if listed(member)
                .iter()
                .any(|name| !schema.iter().any(|attribute| attribute["Name"] == **name))
            {
                return Err(Refusal::invalid(format!(
                    "Invalid {verb} attributes specified while creating a client"
                )));
            }
        }
        Ok(())
    }
}

pub(super) fn no_client(id: &str) -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        format!("User pool client {id} does not exist."),
    )
}

fn no_scope(scope: &str) -> Refusal {
    Refusal::new(
        "ScopeDoesNotExistException",
        format!("Invalid scope: {scope}"),
    )
}
