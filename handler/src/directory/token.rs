//! A bearer token from OAuth 2.0 client credentials. It is kept between invocations, and replaced before it expires or when it is
//! refused.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use jane_migrate_config::Secret;
use secrecy::{ExposeSecret, SecretString};

use super::verdict::Unusable;
use crate::{
    budget::{Budget, Unavailable},
    lock::lock,
    request::basic,
    secrets::{Secrets, is_due},
    upstream::{Answer, Upstream},
};

/// A token is replaced this long before it expires.
const MARGIN: Duration = Duration::from_secs(60);

/// The token and the request for a new one.
#[derive(Debug)]
pub struct ClientToken {
    url: Uri,
    content_type: &'static str,
    body: Bytes,
    client_id: String,
    client_secret: Secret,
    secrets: Arc<Secrets>,
    kept: Mutex<Option<Kept>>,
    /// When a new token was last requested because the directory refused the kept one.
    renewed_at: Mutex<Option<SystemTime>>,
}

/// A token that was granted.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    token: SecretString,
    /// A wall-clock time: the monotonic clock may stop while a function is frozen.
    replace_at: Option<SystemTime>,
}

impl ClientToken {
    /// A token of this endpoint. The request has this body and HTTP Basic authentication.
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
            renewed_at: Mutex::default(),
        })
    }

    /// The secrets, with the credentials that fetch them.
    #[cfg(feature = "jane")]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The kept token, or a new one if there is none or it is about to expire.
    pub async fn current(
        &self,
        upstream: &Upstream,
        budget: &Budget,
    ) -> Result<SecretString, Unavailable> {
        let kept = lock(&self.kept).clone();
        match kept {
            Some(kept) if kept.is_good(SystemTime::now()) => Ok(kept.token),
            _ => self.renewed(upstream, budget).await,
        }
    }

    /// Requests a new token after the directory refused the kept one. Returns whether the new one differs; `false` within a
    /// minute of the last such request.
    pub async fn changed(&self, upstream: &Upstream, budget: &Budget) -> Result<bool, Unavailable> {
        let now = SystemTime::now();
        let before = *lock(&self.renewed_at);
        if !is_due(before, now) {
            return Ok(false);
        }
        *lock(&self.renewed_at) = Some(now);
        let old = lock(&self.kept).clone();
        let new = self.renewed(upstream, budget).await?;
        Ok(old.is_none_or(|old| old.token.expose_secret() != new.expose_secret()))
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
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        if known
            && refused.contains(&answer.status)
            && let Some(secret) = self.secrets.changed(&self.client_secret, budget).await?
        {
            answer = self.ask(&secret, upstream, budget).await?;
        }
        let kept = granted(&answer)?;
        let token = kept.token.clone();
        *lock(&self.kept) = Some(kept);
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

impl Kept {
    /// Whether the token need not be replaced yet.
    fn is_good(&self, now: SystemTime) -> bool {
        self.replace_at.is_none_or(|at| now < at)
    }
}

/// The token in a response of the endpoint.
pub(super) fn granted(answer: &Answer) -> Result<Kept, Unavailable> {
    if answer.status != StatusCode::OK {
        return Err(Unavailable("token"));
    }
    let granted = answer.json()?;
    let token = granted["access_token"]
        .as_str()
        .map(SecretString::from)
        .ok_or(Unavailable("malformed"))?;
    // Without a lifetime, the token is used until it is refused.
    let replace_at = granted["expires_in"].as_f64().and_then(|seconds| {
        let valid = Duration::try_from_secs_f64(seconds).ok()?;
        SystemTime::now().checked_add(valid - MARGIN.min(valid / 4))
    });
    Ok(Kept { token, replace_at })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer::made_up(StatusCode::from_u16(status).unwrap(), body.to_string())
    }

    fn reason(answer: &Answer) -> Option<Unavailable> {
        granted(answer).err()
    }

    #[test]
    fn only_a_response_with_a_token_grants_one() {
        let token = json!({ "access_token": "abc" });
        assert_eq!(
            reason(&answer(401, token.clone())),
            Some(Unavailable("token"))
        );
        assert_eq!(
            reason(&answer(200, json!({}))),
            Some(Unavailable("malformed"))
        );
        let kept = granted(&answer(200, token)).unwrap();
        assert_eq!(kept.token.expose_secret(), "abc");
        assert!(kept.replace_at.is_none() && kept.is_good(SystemTime::now()));
    }

    #[test]
    fn a_token_is_replaced_a_minute_or_a_quarter_of_its_lifetime_early() {
        for (lifetime, used_for) in [(3600.0, 3540), (240.0, 180), (40.0, 30)] {
            let before = SystemTime::now();
            let body = json!({ "access_token": "abc", "expires_in": lifetime });
            let kept = granted(&answer(200, body)).unwrap();
            let replace_at = kept.replace_at.unwrap();
            let used = replace_at.duration_since(before).unwrap();
            let expected = Duration::from_secs(used_for);
            assert!(used >= expected && used < expected + Duration::from_secs(5));
            assert!(kept.is_good(replace_at - Duration::from_millis(1)));
            assert!(!kept.is_good(replace_at));
        }
    }
}
