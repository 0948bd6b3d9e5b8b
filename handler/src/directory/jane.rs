//! Jane's API: a client token that is kept, and the calls that tell an operator's customers from everybody else.
//!
//! `user_exists` must answer 200 before a password is sent or anybody is migrated: it is what ties an account to one of
//! the operator's stores.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use jane_migrate_config as config;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Unusable, Verdict};
use crate::{
    budget::{Budget, Unavailable},
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// Where the calls are, below the base URL.
const API: &str = "/roots/store_operations_api/v1/cognito";

/// A token is replaced this long before it expires.
const MARGIN: Duration = Duration::from_secs(60);

/// Jane's API, with one operator's credentials.
#[derive(Debug)]
pub struct Jane {
    upstream: Upstream,
    base: String,
    client_id: String,
    client_secret: config::Secret,
    secrets: Arc<Secrets>,
    token: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    value: SecretString,
    /// On the calendar's clock: the other one may stand still while a function is frozen.
    replace_at: Option<SystemTime>,
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
        let upstream = Upstream::new(settings.ca_certificate.as_deref()).map_err(|_| Unusable)?;
        let base: Uri = settings.url.parse().map_err(|_| Unusable)?;
        base.authority().ok_or(Unusable)?;
        Ok(Self {
            upstream,
            base: settings.url.trim_end_matches('/').to_owned(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            secrets,
            token: Mutex::default(),
        })
    }

    /// Fetches the token, which opens the connection too.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        self.token(budget).await.map(drop)
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
        let answer = self.post("verify_credentials", &body, budget).await?;
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
        let body = json!({ "email": email, "app_client_id": app_client_id });
        let answer = self
            .post_again("user_can_reset_password", &body, budget)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(Verdict::Known(Map::new())),
            StatusCode::NOT_FOUND if refers_elsewhere(&answer) => Ok(Verdict::SsoOnly),
            StatusCode::NOT_FOUND => Ok(Verdict::NotEligible),
            _ => Err(Unavailable("status")),
        }
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
        let body = json!({ "email": email, "app_client_id": app_client_id });
        match self.post_again("user_exists", &body, budget).await?.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(Unavailable("status")),
        }
    }

    async fn post(
        &self,
        call: &'static str,
        body: &Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let token = self.token(budget).await?;
        self.send(call, Method::POST, call, Some(body), &token, budget)
            .await
    }

    async fn post_again(
        &self,
        call: &'static str,
        body: &Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        self.with_token(call, Method::POST, call, Some(body), budget)
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
        let token = self.token(budget).await?;
        let answer = self
            .send(call, method.clone(), path, body, &token, budget)
            .await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.new_token(budget).await?;
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
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{API}/{path}", self.base))
            .header(
                header::AUTHORIZATION,
                sensitive(format!("Bearer {}", token.expose_secret()))?,
            )
            .header(header::ACCEPT, "application/json");
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(body.to_string().into())),
            None => request.body(Full::new(Bytes::new())),
        };
        self.upstream
            .send(call, request.map_err(|_| Unavailable("request"))?, budget)
            .await
    }

    /// The kept token, or a new one where there is none or it is about to expire.
    async fn token(&self, budget: &Budget) -> Result<SecretString, Unavailable> {
        let kept = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match kept {
            Some(token) if token.replace_at.is_none_or(|at| SystemTime::now() < at) => {
                Ok(token.value)
            }
            _ => self.new_token(budget).await,
        }
    }

    async fn new_token(&self, budget: &Budget) -> Result<SecretString, Unavailable> {
        let known = self.secrets.known(&self.client_secret).is_some();
        let secret = self.secrets.get(&self.client_secret, budget).await?;
        let mut answer = self.ask_for_token(&secret, budget).await?;
        // The secret may have been replaced since it was fetched.
        if known
            && matches!(
                answer.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            )
        {
            let secret = self.secrets.fetch(&self.client_secret, budget).await?;
            answer = self.ask_for_token(&secret, budget).await?;
        }
        if answer.status != StatusCode::OK {
            return Err(Unavailable("token"));
        }
        let granted = answer.json()?;
        let value = granted["access_token"]
            .as_str()
            .map(SecretString::from)
            .ok_or(Unavailable("malformed"))?;
        // Without a term, the token is good until it is refused.
        let replace_at = granted["expires_in"].as_f64().and_then(|seconds| {
            let valid = Duration::try_from_secs_f64(seconds).ok()?;
            SystemTime::now().checked_add(valid - MARGIN.min(valid / 4))
        });
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(Token {
            value: value.clone(),
            replace_at,
        });
        Ok(value)
    }

    async fn ask_for_token(
        &self,
        secret: &SecretString,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let basic =
            BASE64_STANDARD.encode(format!("{}:{}", self.client_id, secret.expose_secret()));
        let request = Request::post(format!("{}/oauth/token", self.base))
            .header(header::AUTHORIZATION, sensitive(format!("Basic {basic}"))?)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(
                br#"{"grant_type":"client_credentials"}"#,
            )))
            .map_err(|_| Unavailable("request"))?;
        self.upstream.send("token", request, budget).await
    }
}

/// A header's value that does not print.
fn sensitive(value: String) -> Result<HeaderValue, Unavailable> {
    let mut value = HeaderValue::try_from(value).map_err(|_| Unavailable("request"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a refusal tells the user to sign in elsewhere ("Please sign in with your Google account").
fn refers_elsewhere(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    let text = match &body["errors"] {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string().to_lowercase(),
    };
    text.contains("sign in with")
}
