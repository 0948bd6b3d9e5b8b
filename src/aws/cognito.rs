//! The user pool, its app clients and its users. The pool and the clients are read as raw JSON.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::client::Reader;
use super::error::{During, failed};
use super::known::know;
use super::pages::{self, Pages};
use super::raw::Capture;
use super::service::{Protocol, Service, ask};
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use jane_migrate_core::document::{ClientDocument, PoolDocument};
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::recovery::Recovery;

/// Cognito's maximum of app clients in a pool, whatever its quota.
const MOST_CLIENTS: usize = 10_000;

const COGNITO: Service = Service {
    signed_as: "cognito-idp",
    id: "Cognito Identity Provider",
    protocol: Protocol::Json {
        version: "1.1",
        target: "AWSCognitoIdentityProviderService",
    },
};

/// A user of the pool. Personal data is not printed.
pub(crate) struct PoolUser {
    /// The Cognito user name.
    pub name: String,
    /// `CONFIRMED` and so on.
    pub status: String,
    /// The attributes.
    pub attributes: Map<String, Value>,
}

impl Reader {
    /// The pool as `DescribeUserPool` shows it.
    pub(crate) async fn describe_pool(&self, pool: &PoolId) -> Result<PoolDocument, AwsError> {
        const ACTION: &str = "cognito-idp:DescribeUserPool";
        let answer = Capture::default();
        self.cognito
            .describe_user_pool()
            .user_pool_id(pool.as_str())
            .customize()
            .interceptor(answer.clone())
            .send()
            .await
            .during(ACTION)?;
        PoolDocument::from_describe(answer.take()).map_err(|error| unreadable(ACTION, &error))
    }

    /// The pool's MFA settings, which `DescribeUserPool` does not show.
    pub(crate) async fn mfa_config(&self, pool: &PoolId) -> Result<Value, AwsError> {
        let answer = Capture::default();
        self.cognito
            .get_user_pool_mfa_config()
            .user_pool_id(pool.as_str())
            .customize()
            .interceptor(answer.clone())
            .send()
            .await
            .during("cognito-idp:GetUserPoolMfaConfig")?;
        Ok(answer.take())
    }

    /// The pool's point-in-time recoveries, newest first. None if its feature plan has no recoveries, or the service does not
    /// support them. The SDK does not have this call, so it is made without the SDK.
    pub(crate) async fn recoveries(&self, pool: &PoolId) -> Result<Vec<Recovery>, AwsError> {
        const NONE: [&str; 4] = [
            "FeatureUnavailableInTierException",
            "OperationNotEnabledException",
            "UnknownOperationException",
            "InvalidAction",
        ];
        const ACTION: &str = "cognito-idp:ListPointInTimeRecoveries";
        let region = self.config.region().map(ToString::to_string);
        let region = region.unwrap_or_default();
        let query = json!({ "UserPoolId": pool.as_str() });
        let answer = match ask(&self.config, &COGNITO, ACTION, &region, query).await {
            Err(error) if NONE.contains(&error.code.as_str()) => return Ok(Vec::new()),
            answer => answer?,
        };
        let listed = answer["Restorations"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(listed
            .map(|one| Recovery {
                id: text(&one["RestoreId"]),
                status: text(&one["RestoreStatus"]),
                point: one["RestoreTimestamp"].as_f64().unwrap_or_default() as i64,
            })
            .collect())
    }

    /// The ids of all of the pool's app clients.
    pub(crate) async fn client_ids(&self, pool: &PoolId) -> Result<Vec<String>, AwsError> {
        Ok(self.client_names(pool).await?.into_keys().collect())
    }

    /// The names of the pool's app clients, by id.
    pub(crate) async fn client_names(
        &self,
        pool: &PoolId,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        const ACTION: &str = "cognito-idp:ListUserPoolClients";
        let call = self.cognito.list_user_pool_clients();
        let call = call.user_pool_id(pool.as_str()).max_results(60);
        let page = async |token| {
            let page = call.clone().set_next_token(token).send().await;
            let page = page.during(ACTION)?;
            Ok(Some((
                page.user_pool_clients.unwrap_or_default(),
                page.next_token,
            )))
        };
        let clients = pages::all(ACTION, MOST_CLIENTS, page).await?;
        let named = clients
            .into_iter()
            .filter_map(|client| Some((client.client_id?, client.client_name.unwrap_or_default())));
        Ok(named.collect())
    }

    /// An app client as `DescribeUserPoolClient` shows it, without its secret.
    pub(crate) async fn describe_client(
        &self,
        pool: &PoolId,
        client: &str,
    ) -> Result<ClientDocument, AwsError> {
        const ACTION: &str = "cognito-idp:DescribeUserPoolClient";
        let answer = Capture::default();
        self.cognito
            .describe_user_pool_client()
            .user_pool_id(pool.as_str())
            .client_id(client)
            .customize()
            .interceptor(answer.clone())
            .send()
            .await
            .during(ACTION)?;
        let answer = answer.take();
        if let Some(secret) = answer["UserPoolClient"]["ClientSecret"].as_str() {
            know(secret);
        }
        ClientDocument::from_describe(answer).map_err(|error| unreadable(ACTION, &error))
    }

    /// A page of the pool's users, and the token of the next. `pages` has those before.
    pub(crate) async fn users(
        &self,
        pool: &PoolId,
        pages: &mut Pages,
        token: Option<String>,
    ) -> Result<(Vec<PoolUser>, Option<String>), AwsError> {
        let call = self.cognito.list_users().user_pool_id(pool.as_str());
        let page = call.limit(60).set_pagination_token(token).send().await;
        let page = page.during("cognito-idp:ListUsers")?;
        let users = page.users.unwrap_or_default().into_iter().map(|user| {
            let status = user.user_status;
            let attributes = user.attributes.unwrap_or_default().into_iter();
            PoolUser {
                name: user.username.unwrap_or_default(),
                status: status.map_or_else(String::new, |status| status.as_str().to_owned()),
                attributes: attributes
                    .filter_map(|attribute| Some((attribute.name, attribute.value?.into())))
                    .collect(),
            }
        });
        let next = pages.next(page.pagination_token)?;
        Ok((users.collect(), next))
    }

    /// The status and attributes of a user of the pool; `None` if the pool does not have the user.
    pub(crate) async fn user(
        &self,
        pool: &PoolId,
        user: &str,
    ) -> Result<Option<(String, HashMap<String, String>)>, AwsError> {
        let answer = self
            .cognito
            .admin_get_user()
            .user_pool_id(pool.as_str())
            .username(user)
            .send()
            .await
            .during("cognito-idp:AdminGetUser")
            .found()?;
        Ok(answer.map(|user| {
            let status = user
                .user_status
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default();
            let attributes = user
                .user_attributes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|attribute| Some((attribute.name, attribute.value?)))
                .collect();
            (status, attributes)
        }))
    }
}

fn unreadable(action: &'static str, error: &dyn std::fmt::Display) -> AwsError {
    failed(action, Kind::NoAnswer, "unreadable answer", error)
}
