//! Jane's API: a kept client token, and the calls about an operator's customers.
//!
//! `user_exists` must answer 200 before a password is sent: only this call shows that the account belongs to one of the
//! operator's stores. A reset needs no such call: it is already bound to the app client.

mod accounts;
mod profile;
pub(super) mod refused;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use jane_migrate_config as config;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    token::ClientToken,
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, Unavailable},
    event::Event,
    request::bearer,
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// The path of the calls below the base URL.
const API: &str = "/roots/store_operations_api/v1/cognito";

/// Jane's API, with one operator's credentials.
#[derive(Debug)]
pub struct Jane {
    upstream: Upstream,
    base: String,
    token: ClientToken,
}

/// An app client that is registered with Jane.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AppClient {
    /// The id of its user pool.
    #[serde(default)]
    pub pool_id: Option<String>,
    /// The region of that pool.
    #[serde(default)]
    pub region: Option<String>,
    /// Its id.
    #[serde(default)]
    pub app_client_id: Option<String>,
    /// Whether users who sign up are confirmed without a code.
    #[serde(default)]
    pub auto_confirm_email: Option<bool>,
}

impl Jane {
    /// Jane's API with these settings. It makes no call yet.
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

    /// Fetches the token, which also opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        self.token.current(&self.upstream, budget).await.map(drop)
    }

    /// Whether the password is that of one of the operator's customers.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        if !self.exists(event.name(), event.client_id(), budget).await? {
            return Ok(Verdict::NotFound);
        }
        let body = json!({ "email": event.name(), "password": password.expose_secret() });
        let token = self.token.current(&self.upstream, budget).await?;
        // Not sent again after a 401: it means a wrong password here, because the token was valid a moment ago.
        let call = "verify_credentials";
        let answer = self
            .send(call, Method::POST, call, Some(&body), &token, budget)
            .await?;
        signed_in(&answer)
    }

    /// Whether one of the operator's customers may set a new password.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        if !event.name().contains('@') {
            return Ok(Verdict::NotFound);
        }
        let body = json!({ "email": event.name(), "app_client_id": event.client_id() });
        may_reset(&self.post("user_can_reset_password", &body, budget).await?)
    }

    /// The app client with this id, if Jane has it.
    pub async fn app_client(
        &self,
        id: &str,
        budget: &Budget,
    ) -> Result<Option<AppClient>, Unavailable> {
        let path = format!("app_clients/{id}");
        let answer = self
            .with_token("app_clients", Method::GET, &path, None, budget)
            .await?;
        match exists(&answer)? {
            true => serde_json::from_value(answer.json()?)
                .map_err(|_| Unavailable("malformed"))
                .map(Some),
            false => Ok(None),
        }
    }

    /// Whether an address belongs to one of the operator's customers.
    async fn exists(
        &self,
        email: &str,
        app_client_id: &str,
        budget: &Budget,
    ) -> Result<bool, Unavailable> {
        // Jane's only user names are email addresses.
        if !email.contains('@') {
            return Ok(false);
        }
        let body = json!({ "email": email, "app_client_id": app_client_id });
        exists(&self.post("user_exists", &body, budget).await?)
    }

    async fn post(
        &self,
        call: &'static str,
        body: &Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        self.with_token(call, Method::POST, call, Some(body), budget)
            .await
    }

    /// Sends a request, and again with a new token if the kept one is refused.
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

/// The meaning of a response about a user or an app client.
fn exists(answer: &Answer) -> Result<bool, Unavailable> {
    match answer.status {
        StatusCode::OK => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        _ => Err(Unavailable("status")),
    }
}

/// The meaning of a response of `verify_credentials`.
pub(super) fn signed_in(answer: &Answer) -> Result<Verdict, Unavailable> {
    match answer.status {
        StatusCode::OK => match answer.json()?.get_mut("user").map(Value::take) {
            Some(Value::Object(user)) => Ok(Verdict::Known(user)),
            _ => Err(Unavailable("malformed")),
        },
        StatusCode::UNAUTHORIZED => Ok(Verdict::WrongPassword),
        // The account existed a moment ago, so it has no password.
        StatusCode::NOT_FOUND => Ok(Verdict::SsoOnly),
        _ => Err(Unavailable("status")),
    }
}

/// The meaning of a response of `user_can_reset_password`.
pub(super) fn may_reset(answer: &Answer) -> Result<Verdict, Unavailable> {
    match answer.status {
        StatusCode::OK => Ok(Verdict::Known(Map::new())),
        StatusCode::NOT_FOUND if names_another_provider(answer) => Ok(Verdict::SsoOnly),
        // Jane does not say whether there is no such account or it is not one of this operator's.
        StatusCode::NOT_FOUND => Ok(Verdict::NotFound),
        _ => Err(Unavailable("status")),
    }
}

/// Whether a rejection asks the user to sign in with another provider ("Please sign in with your Google account").
fn names_another_provider(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    body["errors"]
        .to_string()
        .to_lowercase()
        .contains("sign in with")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer::made_up(StatusCode::from_u16(status).unwrap(), body.to_string())
    }

    fn user(value: Value) -> Verdict {
        Verdict::Known(value.as_object().cloned().unwrap())
    }

    #[test]
    fn a_user_or_an_app_client_exists_or_not() {
        assert_eq!(exists(&answer(200, json!({}))), Ok(true));
        assert_eq!(exists(&answer(404, json!({}))), Ok(false));
        for status in [201, 401, 500] {
            let other = exists(&answer(status, json!({})));
            assert_eq!(other, Err(Unavailable("status")), "{status}");
        }
    }

    #[test]
    fn a_sign_in_is_right_or_wrong_or_without_a_password() {
        let ann = json!({ "email": "ann@example.com" });
        for (status, body, expected) in [
            (200, json!({ "user": ann }), Ok(user(ann.clone()))),
            (200, json!({ "user": "ann" }), Err(Unavailable("malformed"))),
            (200, json!({}), Err(Unavailable("malformed"))),
            (401, json!({}), Ok(Verdict::WrongPassword)),
            (404, json!({}), Ok(Verdict::SsoOnly)),
            (500, json!({ "user": ann }), Err(Unavailable("status"))),
        ] {
            assert_eq!(
                signed_in(&answer(status, body.clone())),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_password_can_be_reset_or_belongs_to_another_provider() {
        let refusal = |text: &str| json!({ "errors": { "base": [text] } });
        let google = refusal("Please Sign in with your Google account");
        for (status, body, expected) in [
            (200, json!({}), Ok(user(json!({})))),
            (404, google.clone(), Ok(Verdict::SsoOnly)),
            (404, refusal("no such account"), Ok(Verdict::NotFound)),
            (500, google, Err(Unavailable("status"))),
        ] {
            assert_eq!(
                may_reset(&answer(status, body.clone())),
                expected,
                "{status} {body}"
            );
        }
    }
}
