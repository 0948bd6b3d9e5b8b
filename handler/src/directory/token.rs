//! A bearer token by OAuth 2.0 client credentials, kept from one invocation to the next: replaced before it expires, and
//! when it is refused.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use jane_migrate_config::Secret;
use secrecy::{ExposeSecret, SecretString};

use super::verdict::Unusable;
use crate::{
    budget::{Budget, Unavailable},
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// A token is replaced this long before it expires.
const MARGIN: Duration = Duration::from_secs(60);

/// What a token is asked for with, and the token.
#[derive(Debug)]
pub struct ClientToken {
    url: Uri,
    content_type: &'static str,
    body: Bytes,
    client_id: String,
    client_secret: Secret,
    secrets: Arc<Secrets>,
    kept: Mutex<Option<Kept>>,
}

/// A token that was granted.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    token: SecretString,
    /// On the calendar's clock: the other one may stand still while a function is frozen.
    replace_at: Option<SystemTime>,
}

impl ClientToken {
    /// A token of this endpoint, asked for with this body and HTTP Basic authentication.
    pub fn new(
        url: &str,
        (content_type, body): (&'static str, String),
        client_id: &str,
        client_secret: &Secret,
        secrets: Arc<Secrets>,
    ) -> Result<Self, Unusable> {
        Ok(Self {
            url: url.parse().map_err(|_| Unusable)?,
            content_type,
            body: body.into(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.clone(),
            secrets,
            kept: Mutex::default(),
        })
    }

    /// The kept token, or a new one where there is none or it is about to expire.
    pub async fn current(
        &self,
        upstream: &Upstream,
        budget: &Budget,
    ) -> Result<SecretString, Unavailable> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match kept {
            Some(kept) if kept.replace_at.is_none_or(|at| SystemTime::now() < at) => Ok(kept.token),
            _ => self.renewed(upstream, budget).await,
        }
    }

    /// A new token.
    pub async fn renewed(
        &self,
        upstream: &Upstream,
        budget: &Budget,
    ) -> Result<SecretString, Unavailable> {
        let known = self.secrets.known(&self.client_secret).is_some();
        let secret = self.secrets.get(&self.client_secret, budget).await?;
        let mut answer = self.ask(&secret, upstream, budget).await?;
        // The secret may have been replaced since it was fetched.
        if known
            && matches!(
                answer.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            )
        {
            let secret = self.secrets.fetch(&self.client_secret, budget).await?;
            answer = self.ask(&secret, upstream, budget).await?;
        }
        let kept = granted(&answer)?;
        let token = kept.token.clone();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(token)
    }

    async fn ask(
        &self,
        secret: &SecretString,
        upstream: &Upstream,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let request = Request::post(self.url.clone())
            .header(header::AUTHORIZATION, basic(&self.client_id, secret)?)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, self.content_type)
            .body(Full::new(self.body.clone()))
            .map_err(|_| Unavailable("request"))?;
        upstream.send("token", request, budget).await
    }
}

/// What the endpoint answered.
pub(super) fn granted(answer: &Answer) -> Result<Kept, Unavailable> {
    if answer.status != StatusCode::OK {
        return Err(Unavailable("token"));
    }
    let granted = answer.json()?;
    let token = granted["access_token"]
        .as_str()
        .map(SecretString::from)
        .ok_or(Unavailable("malformed"))?;
    // Without a term, the token is good until it is refused.
    let replace_at = granted["expires_in"].as_f64().and_then(|seconds| {
        let valid = Duration::try_from_secs_f64(seconds).ok()?;
        SystemTime::now().checked_add(valid - MARGIN.min(valid / 4))
    });
    Ok(Kept { token, replace_at })
}

/// The header's value for a bearer token.
pub fn bearer(token: &SecretString) -> Result<HeaderValue, Unavailable> {
    sensitive(format!("Bearer {}", token.expose_secret()))
}

/// The header's value for HTTP Basic authentication.
pub fn basic(user: &str, password: &SecretString) -> Result<HeaderValue, Unavailable> {
    sensitive(format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()))
    ))
}

/// A header's value that does not print.
pub fn sensitive(value: String) -> Result<HeaderValue, Unavailable> {
    let mut value = HeaderValue::try_from(value).map_err(|_| Unavailable("request"))?;
    value.set_sensitive(true);
    Ok(value)
}
