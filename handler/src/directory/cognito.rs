//! An old user pool, of this or another account: `AdminInitiateAuth` says whether a password is right, `AdminGetUser`
//! what the pool knows of the user.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jane_migrate_config as config;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::verdict::{Unusable, Verdict};
use crate::{
    aws::{Credentials, Service},
    budget::{Budget, Unavailable},
    escape::percent,
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// Credentials of an assumed role are good for an hour; they are replaced after this.
const ASSUMED_FOR: Duration = Duration::from_secs(50 * 60);

/// An old user pool.
#[derive(Debug)]
pub struct OldPool {
    upstream: Upstream,
    service: Service,
    settings: config::OldPool,
    secrets: Arc<Secrets>,
    own: Option<Credentials>,
    assumed: Mutex<Option<(Credentials, SystemTime)>>,
}

impl OldPool {
    /// The pool the settings name. Nothing is asked yet.
    pub fn new(settings: &config::OldPool, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let ids = ["COGNITO_IDENTITY_PROVIDER"];
        Ok(Self {
            upstream: Upstream::new(None).map_err(|_| Unusable)?,
            service: Service::new("cognito-idp", &ids, &settings.region).ok_or(Unusable)?,
            settings: settings.clone(),
            secrets,
            own: Credentials::from_environment(),
            assumed: Mutex::default(),
        })
    }

    /// Fetches the client's secret, assumes the role and opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        if let Some(secret) = &self.settings.client_secret {
            self.secrets.get(secret, budget).await?;
        }
        self.credentials(budget).await?;
        self.upstream.open(&self.service.endpoint, budget).await
    }

    /// Whether the password is right; a second factor is asked for only after it was.
    pub async fn authenticate(
        &self,
        name: &str,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let secret = match &self.settings.client_secret {
            Some(secret) => Some(self.secrets.get(secret, budget).await?),
            None => None,
        };
        let mut answer = self
            .sign_in(name, password, secret.as_ref(), budget)
            .await?;
        if let (Some(named), Some(kept)) = (&self.settings.client_secret, &secret)
            && refuses_secret(&answer)
        {
            let secret = self.secrets.fetch(named, budget).await?;
            // It may have been replaced since it was fetched. Otherwise the password is not sent again for nothing.
            if secret.expose_secret() != kept.expose_secret() {
                answer = self.sign_in(name, password, Some(&secret), budget).await?;
            }
        }
        match signed_in(&answer)? {
            SignIn::Right => self.lookup(name, budget).await,
            SignIn::Refused(verdict) => Ok(verdict),
        }
    }

    /// Whether the user exists and may set a new password.
    pub async fn lookup(&self, name: &str, budget: &Budget) -> Result<Verdict, Unavailable> {
        let query = json!({ "UserPoolId": self.settings.pool_id, "Username": name });
        found(&self.call("AdminGetUser", &query, budget).await?)
    }

    async fn sign_in(
        &self,
        name: &str,
        password: &SecretString,
        client_secret: Option<&SecretString>,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let client_id = &self.settings.client_id;
        let mut parameters = json!({ "USERNAME": name, "PASSWORD": password.expose_secret() });
        if let Some(secret) = client_secret {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
            let hash = hmac::sign(&key, format!("{name}{client_id}").as_bytes());
            parameters["SECRET_HASH"] = BASE64_STANDARD.encode(hash).into();
        }
        let query = json!({
            "UserPoolId": self.settings.pool_id,
            "ClientId": client_id,
            "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": parameters,
        });
        self.call("AdminInitiateAuth", &query, budget).await
    }

    /// Calls the old pool, and once more with new credentials where those of the assumed role have expired.
    async fn call(
        &self,
        action: &'static str,
        query: &Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let credentials = self.credentials(budget).await?;
        let answer = self.send(action, query, &credentials, budget).await?;
        let expired = || {
            let error = answer.json().unwrap_or_default();
            matches!(
                self::error(&error),
                "ExpiredTokenException" | "UnrecognizedClientException"
            )
        };
        if self.settings.role_arn.is_none() || answer.status.is_success() || !expired() {
            return Ok(answer);
        }
        self.assumed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let credentials = self.credentials(budget).await?;
        self.send(action, query, &credentials, budget).await
    }

    async fn send(
        &self,
        action: &'static str,
        query: &Value,
        credentials: &Credentials,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let request =
            self.service
                .request(&headers, query.to_string(), credentials, SystemTime::now());
        self.upstream
            .send(action, request.ok_or(Unavailable("request"))?, budget)
            .await
    }

    async fn credentials(&self, budget: &Budget) -> Result<Credentials, Unavailable> {
        let own = self.own.as_ref().ok_or(Unavailable("credentials"))?;
        let Some(role) = &self.settings.role_arn else {
            return Ok(own.clone());
        };
        let kept = self
            .assumed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match kept {
            Some((credentials, replace_at)) if SystemTime::now() < replace_at => Ok(credentials),
            _ => {
                let credentials = self.assume(role, own, budget).await?;
                let kept = (credentials.clone(), SystemTime::now() + ASSUMED_FOR);
                *self.assumed.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
                Ok(credentials)
            }
        }
    }

    async fn assume(
        &self,
        role: &str,
        own: &Credentials,
        budget: &Budget,
    ) -> Result<Credentials, Unavailable> {
        let refused = Unavailable("credentials");
        let region = env::var("AWS_REGION").unwrap_or_else(|_| self.settings.region.clone());
        let mut form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=jane-migrate&RoleArn={}",
            percent(role)
        );
        if let Some(id) = &self.settings.external_id {
            form += &format!("&ExternalId={}", percent(id));
        }
        let sts = Service::new("sts", &["STS"], &region).ok_or(refused)?;
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let request = sts
            .request(&headers, form, own, SystemTime::now())
            .ok_or(refused)?;
        let answer = self.upstream.send("AssumeRole", request, budget).await?;
        assumed(&answer).ok_or(refused)
    }
}

/// What a password was worth.
#[derive(Debug)]
pub(super) enum SignIn {
    Right,
    Refused(Verdict),
}

/// What `AdminInitiateAuth` answered.
pub(super) fn signed_in(answer: &Answer) -> Result<SignIn, Unavailable> {
    let body = answer.json()?;
    if answer.status.is_success() {
        let tokens = body["AuthenticationResult"].is_object();
        let challenge = body["ChallengeName"].as_str().unwrap_or_default();
        let second_factor = challenge.contains("MFA") || challenge.ends_with("_OTP");
        return Ok(match tokens || second_factor {
            true => SignIn::Right,
            // A temporary password, or a step this pool adds: the account has something to do first.
            false => SignIn::Refused(Verdict::NotEligible),
        });
    }
    match error(&body) {
        "UserNotFoundException" => Ok(Verdict::NotFound),
        "UserNotConfirmedException" | "PasswordResetRequiredException" => Ok(Verdict::NotEligible),
        "NotAuthorizedException" => not_authorized(message(&body)),
        _ => Err(Unavailable("status")),
    }
    .map(SignIn::Refused)
}

/// What `AdminGetUser` answered.
pub(super) fn found(answer: &Answer) -> Result<Verdict, Unavailable> {
    let body = answer.json()?;
    if !answer.status.is_success() {
        return match error(&body) {
            "UserNotFoundException" => Ok(Verdict::NotFound),
            _ => Err(Unavailable("status")),
        };
    }
    match body["UserStatus"].as_str() {
        _ if body["Enabled"] == false => Ok(Verdict::NotEligible),
        Some("UNCONFIRMED" | "ARCHIVED") => Ok(Verdict::NotEligible),
        Some("EXTERNAL_PROVIDER") => Ok(Verdict::SsoOnly),
        _ => user(&body)
            .map(Verdict::Known)
            .ok_or(Unavailable("malformed")),
    }
}

/// What `AssumeRole` answered.
pub(super) fn assumed(answer: &Answer) -> Option<Credentials> {
    let body = std::str::from_utf8(answer.body())
        .ok()
        .filter(|_| answer.status.is_success())?;
    Some(Credentials {
        access_key_id: element(body, "AccessKeyId")?.to_owned(),
        secret_access_key: element(body, "SecretAccessKey")?.into(),
        session_token: Some(element(body, "SessionToken")?.into()),
    })
}

/// Whether it is the client's secret that is wrong, and not the password.
fn refuses_secret(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    error(&body) == "NotAuthorizedException"
        && message(&body).to_lowercase().contains("secret hash")
}

/// One type stands for a wrong password and for much else; only the text tells.
fn not_authorized(message: &str) -> Result<Verdict, Unavailable> {
    let says = |words: &str| message.to_lowercase().contains(words);
    if says("secret") || says("client") {
        Err(Unavailable("credentials"))
    } else if says("disabled") || says("attempts exceeded") {
        Ok(Verdict::NotEligible)
    } else {
        Ok(Verdict::WrongPassword)
    }
}

/// The text of an element. STS answers in XML; the three texts that are wanted have nothing in them to decode.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(text, _)| text.trim())
}

/// The type of an error, without its namespace.
fn error(body: &Value) -> &str {
    let full = body["__type"].as_str().unwrap_or_default();
    full.rsplit('#').next().unwrap_or_default()
}

fn message(body: &Value) -> &str {
    let message = body["message"].as_str().or(body["Message"].as_str());
    message.unwrap_or_default()
}

fn user(body: &Value) -> Option<Map<String, Value>> {
    let attributes = body["UserAttributes"].as_array()?.iter();
    Some(
        attributes
            .filter_map(|attribute| {
                Some((
                    attribute["Name"].as_str()?.to_owned(),
                    attribute["Value"].clone(),
                ))
            })
            .collect(),
    )
}
