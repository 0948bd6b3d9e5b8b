//! The calls that create, update, describe and delete app clients. As with pools, the gateway keeps the settings, and the emulator
//! gets what it needs.

use serde_json::{Value, json};

use super::client_settings;
use super::json::{fill, one_of, required, strings};
use super::pool::{AppClient, Pool, Pools, Times};
use crate::wire::{Answer, Call, Refusal};

impl Pools {
    pub async fn create_client(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let pool = self.named(call, &request)?;
        let own_secret = request["ClientSecret"].as_str();
        let has_secret = own_secret.is_some() || request["GenerateSecret"] == true;
        let settings = client_settings::created(&request, has_secret)?;
        self.check_client(&pool, &settings).await?;
        let answer = self.upstream.forward(call).await?;
        let emulated = &answer.value()["UserPoolClient"];
        let secret = own_secret.or(emulated["ClientSecret"].as_str());
        let client = AppClient {
            id: emulated["ClientId"].as_str().unwrap_or_default().to_owned(),
            settings,
            secret: secret.map(str::to_owned),
            times: Times::now(),
        };
        let shown = client.described(&pool.id);
        self.edit(&pool.id, |pool| {
            pool.clients.insert(client.id.clone(), client);
        });
        Ok(answer.with_value(&json!({"UserPoolClient": shown})))
    }

    pub async fn describe_client(&self, call: &Call) -> Result<Answer, Refusal> {
        self.upstream.permit(call).await?;
        let (pool, client) = self.named_client(call, &call.request()?)?;
        let shown = client.described(&pool.id);
        Ok(Answer::json(&json!({"UserPoolClient": shown})))
    }

    pub async fn update_client(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let (pool, mut client) = self.named_client(call, &request)?;
        let _claim = self.claim(&pool.id)?;
        let mut settings = client_settings::updated(&request, client.secret.is_some())?;
        let name = &client.settings["ClientName"];
        fill(&mut settings, json!({"ClientName": name}));
        self.check_client(&pool, &settings).await?;
        let asked = emulated_update(&pool.id, &client.id, &settings);
        let answer = self.upstream.forward_as(call, &asked).await?;
        client.settings = settings;
        client.times.change();
        let shown = client.described(&pool.id);
        self.edit(&pool.id, |pool| {
            if let Some(kept) = pool.clients.get_mut(&client.id) {
                *kept = client;
            }
        });
        Ok(answer.with_value(&json!({"UserPoolClient": shown})))
    }

    pub async fn delete_client(&self, call: &Call) -> Result<Answer, Refusal> {
        let (pool, client) = self.named_client(call, &call.request()?)?;
        let answer = self.upstream.forward(call).await?;
        self.edit(&pool.id, |pool| {
            pool.clients.remove(&client.id);
        });
        Ok(answer)
    }

    fn named_client(&self, call: &Call, request: &Value) -> Result<(Pool, AppClient), Refusal> {
        let pool = self.named(call, request)?;
        let client = pool.client(required(request, "ClientId")?)?.clone();
        Ok((pool, client))
    }

    /// Checks the settings that refer to other parts of the pool: identity providers, scopes, attributes.
    async fn check_client(&self, pool: &Pool, settings: &Value) -> Result<(), Refusal> {
        let ask = async |action: &str, name: &str, value: &str| {
            let asked = json!({"UserPoolId": pool.id, name: value});
            self.upstream.cognito(&pool.scope, action, &asked).await
        };
        for provider in strings(&settings["SupportedIdentityProviders"]) {
            let known = provider == "COGNITO"
                || ask("DescribeIdentityProvider", "ProviderName", provider)
                    .await
                    .is_ok();
            if !known {
                return Err(Refusal::invalid(format!(
                    "The provider {provider} does not exist for User Pool {}.",
                    pool.id
                )));
            }
        }
        for scope in strings(&settings["AllowedOAuthScopes"]) {
            let known = match scope.rsplit_once('/') {
                None => one_of(&json!(scope), "allowedOAuthScopes", &SCOPES).is_ok(),
                Some((server, name)) => {
                    let server = ask("DescribeResourceServer", "Identifier", server).await;
                    let server = server.unwrap_or_default();
                    let mut scopes = list(&server["ResourceServer"]["Scopes"]);
                    scopes.any(|scope| scope["ScopeName"] == name)
                }
            };
            if !known {
                let message = format!("Invalid scope: {scope}");
                return Err(Refusal::new("ScopeDoesNotExistException", message));
            }
        }
        let attributes = [("ReadAttributes", "read"), ("WriteAttributes", "write")];
        let attributes = attributes.map(|(member, verb)| (strings(&settings[member]), verb));
        if attributes.iter().all(|(names, _)| names.is_empty()) {
            return Ok(());
        }
        let emulated = pool.emulated(&self.upstream).await?;
        for (names, verb) in attributes {
            let known = |name: &&str| {
                list(&emulated["SchemaAttributes"]).any(|attribute| attribute["Name"] == **name)
            };
            if !names.iter().all(known) {
                return Err(Refusal::invalid(format!(
                    "Invalid {verb} attributes specified while creating a client"
                )));
            }
        }
        Ok(())
    }
}

/// The OAuth scopes that every pool has.
const SCOPES: [&str; 5] = [
    "phone",
    "email",
    "openid",
    "profile",
    "aws.cognito.signin.user.admin",
];

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An update after which the emulator has exactly these settings. The emulator keeps what an update omits, so each setting is
/// sent.
fn emulated_update(pool: &str, client: &str, settings: &Value) -> Value {
    let mut asked = json!({"UserPoolId": pool, "ClientId": client});
    for member in [
        "ClientName",
        "RefreshTokenValidity",
        "AccessTokenValidity",
        "IdTokenValidity",
        "PreventUserExistenceErrors",
        "EnableTokenRevocation",
        "AuthSessionValidity",
        "DefaultRedirectURI",
        "TokenValidityUnits",
    ] {
        asked[member] = settings[member].clone();
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
    asked
}
