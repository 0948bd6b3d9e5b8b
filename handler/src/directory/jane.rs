//! Jane's API: a client token that is kept, and the calls that tell an operator's customers from everybody else.
//!
//! `user_exists` must answer 200 before a password is sent or anybody is migrated: it is what ties an account to one of
//! the operator's stores.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use jane_migrate_config as config;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    token::{ClientToken, bearer},
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, Unavailable},
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// Where the calls are, below the base URL.
const API: &str = "/roots/store_operations_api/v1/cognito";

/// Jane's API, with one operator's credentials.
#[derive(Debug)]
pub struct Jane {
    upstream: Upstream,
    base: String,
    token: ClientToken,
}

/// What Jane knows about an app client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AppClient {
    /// The user pool it belongs to.
    #[serde(default)]
    pub pool_id: Option<String>,
    /// That pool's region.
    #[serde(default)]
    pub region: Option<String>,
    /// Its id.
    #[serde(default)]
    pub app_client_id: Option<String>,
}

impl Jane {
    /// Jane's API as the settings have it. Nothing is asked yet.
    pub fn new(settings: &config::Jane, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let base = settings.url.trim_end_matches('/').to_owned();
        let grant = (
            "application/json",
            json!({ "grant_type": "client_credentials" }).to_string(),
        );
        let endpoint = format!("{base}/oauth/token");
        Ok(Self {
            upstream: Upstream::new(settings.ca_certificate.as_deref()).map_err(|_| Unusable)?,
            base,
            token: ClientToken::new(
                &endpoint,
                grant,
                &settings.client_id,
                &settings.client_secret,
                secrets,
            )?,
        })
    }

    /// Fetches the token, which opens the connection too.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        self.token.current(&self.upstream, budget).await.map(drop)
    }

    /// Whether the password is that of one of the operator's customers.
    pub async fn authenticate(
        &self,
        email: &str,
        password: &SecretString,
        app_client_id: &str,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        if !self.is_customer(email, app_client_id, budget).await? {
            return Ok(Verdict::NotFound);
        }
        let body = json!({ "email": email, "password": password.expose_secret() });
        let token = self.token.current(&self.upstream, budget).await?;
        // Not sent again on a 401, which means a wrong password here: the token was good a moment ago.
        let call = "verify_credentials";
        let answer = self
            .send(call, Method::POST, call, Some(&body), &token, budget)
            .await?;
        signed_in(&answer)
    }

    /// Whether one of the operator's customers may set a new password.
    pub async fn lookup(
        &self,
        email: &str,
        app_client_id: &str,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        if !self.is_customer(email, app_client_id, budget).await? {
            return Ok(Verdict::NotFound);
        }
        let answer = self
            .post("user_can_reset_password", email, app_client_id, budget)
            .await?;
        may_reset(&answer)
    }

    /// What Jane knows about an app client, if anything.
    pub async fn app_client(
        &self,
        id: &str,
        budget: &Budget,
    ) -> Result<Option<AppClient>, Unavailable> {
        let path = format!("app_clients/{id}");
        let answer = self
            .with_token("app_clients", Method::GET, &path, None, budget)
            .await?;
        match answer.status {
            StatusCode::OK => serde_json::from_value(answer.json()?)
                .map_err(|_| Unavailable("malformed"))
                .map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(Unavailable("status")),
        }
    }

    async fn is_customer(
        &self,
        email: &str,
        app_client_id: &str,
        budget: &Budget,
    ) -> Result<bool, Unavailable> {
        // Jane knows people by their email, and by nothing else.
        if !email.contains('@') {
            return Ok(false);
        }
        match self
            .post("user_exists", email, app_client_id, budget)
            .await?
            .status
        {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(Unavailable("status")),
        }
    }

    async fn post(
        &self,
        call: &'static str,
        email: &str,
        app_client_id: &str,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let body = json!({ "email": email, "app_client_id": app_client_id });
        self.with_token(call, Method::POST, call, Some(&body), budget)
            .await
    }

    /// Sends a request, and once more with a new token where the kept one is refused.
    async fn with_token(
        &self,
        call: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let token = self.token.current(&self.upstream, budget).await?;
        let answer = self
            .send(call, method.clone(), path, body, &token, budget)
            .await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.token.renewed(&self.upstream, budget).await?;
        self.send(call, method, path, body, &token, budget).await
    }

    async fn send(
        &self,
        call: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: &SecretString,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{API}/{path}", self.base))
            .header(header::AUTHORIZATION, bearer(token)?)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| Unavailable("request"))?;
        self.upstream.send(call, request, budget).await
    }
}

/// What `verify_credentials` answered.
pub(super) fn signed_in(answer: &Answer) -> Result<Verdict, Unavailable> {
    match answer.status {
        StatusCode::OK => match answer.json()?.get_mut("user").map(Value::take) {
            Some(Value::Object(user)) => Ok(Verdict::Known(user)),
            _ => Err(Unavailable("malformed")),
        },
        StatusCode::UNAUTHORIZED => Ok(Verdict::WrongPassword),
        // The account was there a moment ago: what is missing is its password.
        StatusCode::NOT_FOUND => Ok(Verdict::SsoOnly),
        _ => Err(Unavailable("status")),
    }
}

/// What `user_can_reset_password` answered.
pub(super) fn may_reset(answer: &Answer) -> Result<Verdict, Unavailable> {
    match answer.status {
        StatusCode::OK => Ok(Verdict::Known(Map::new())),
        StatusCode::NOT_FOUND if refers_elsewhere(answer) => Ok(Verdict::SsoOnly),
        StatusCode::NOT_FOUND => Ok(Verdict::NotEligible),
        _ => Err(Unavailable("status")),
    }
}

/// Whether a refusal tells the user to sign in elsewhere ("Please sign in with your Google account").
fn refers_elsewhere(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    body["errors"]
        .to_string()
        .to_lowercase()
        .contains("sign in with")
}
