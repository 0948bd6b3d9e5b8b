//! The values of secrets: fetched when first needed, which is during init, kept, and fetched again once the directory
//! refuses one. The values cannot print.

use std::{
    collections::BTreeMap,
    env,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use jane_migrate_config::Secret;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    aws::{Credentials, Service},
    budget::{Budget, Unavailable},
    upstream::Upstream,
};

/// The secrets that are known, and the way to those that are not yet.
#[derive(Debug)]
pub struct Secrets {
    known: Mutex<BTreeMap<Secret, SecretString>>,
    credentials: Option<Credentials>,
    region: String,
}

impl Secrets {
    /// Secrets that are fetched with the function's own role.
    pub fn from_environment() -> Self {
        Self::new(
            Credentials::from_environment(),
            env::var("AWS_REGION").unwrap_or_default(),
        )
    }

    /// Secrets that are fetched with these credentials; parameters of SSM are in this region.
    pub fn new(credentials: Option<Credentials>, region: String) -> Self {
        Self {
            known: Mutex::default(),
            credentials,
            region,
        }
    }

    /// Adds a value that the caller knows already.
    pub fn with(self, secret: Secret, value: SecretString) -> Self {
        self.keep(secret, value);
        self
    }

    fn keep(&self, secret: Secret, value: SecretString) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(secret, value);
    }

    /// The value, if it is known already.
    pub fn known(&self, secret: &Secret) -> Option<SecretString> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(secret)
            .cloned()
    }

    /// The value.
    pub async fn get(&self, secret: &Secret, budget: &Budget) -> Result<SecretString, Unavailable> {
        match self.known(secret) {
            Some(value) => Ok(value),
            None => self.fetch(secret, budget).await,
        }
    }

    /// The value as it is now, where the one that is known was refused.
    pub async fn fetch(
        &self,
        secret: &Secret,
        budget: &Budget,
    ) -> Result<SecretString, Unavailable> {
        // Who has no credentials has no newer value than the one that was given.
        if self.credentials.is_none()
            && let Some(value) = self.known(secret)
        {
            return Ok(value);
        }
        let answer = match secret {
            Secret::Env(_) => Value::Null,
            Secret::Ssm { name, .. } => {
                let service = Service::new("ssm", &["SSM"], &self.region);
                let query = json!({ "Name": name, "WithDecryption": true });
                let target = "AmazonSSM.GetParameter";
                self.ask(service, "ssm", target, query, budget).await?
            }
            Secret::SecretsManager { arn, .. } => {
                let service = Service::new(
                    "secretsmanager",
                    &["SECRETS_MANAGER", "SECRETSMANAGER"],
                    &arn.region,
                );
                let query = json!({ "SecretId": arn });
                let target = "secretsmanager.GetSecretValue";
                self.ask(service, "secretsmanager", target, query, budget)
                    .await?
            }
        };
        let value = Self::decode(secret, &answer)?;
        self.keep(secret.clone(), value.clone());
        Ok(value)
    }

    /// The value in what the service that keeps the secret answered, or in the environment.
    pub fn decode(secret: &Secret, answer: &Value) -> Result<SecretString, Unavailable> {
        match secret {
            Secret::Env(name) => env::var(name)
                .map(Into::into)
                .map_err(|_| Unavailable("secret")),
            Secret::Ssm { .. } => parameter(answer),
            Secret::SecretsManager { key, .. } => secret_value(answer, key.as_deref()),
        }
    }

    async fn ask(
        &self,
        service: Option<Service>,
        call: &'static str,
        target: &str,
        query: Value,
        budget: &Budget,
    ) -> Result<Value, Unavailable> {
        let refused = Unavailable("secret");
        let (service, credentials) = service.zip(self.credentials.as_ref()).ok_or(refused)?;
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let request = service
            .request(&headers, query.to_string(), credentials, SystemTime::now())
            .ok_or(refused)?;
        // AWS is asked once in a while: no connection is worth keeping, and AWS's certificates are public ones.
        let upstream = Upstream::new(None).map_err(|_| refused)?;
        let answer = upstream.send(call, request, budget).await?;
        if answer.status.is_success() {
            answer.json()
        } else {
            Err(refused)
        }
    }
}

/// What `GetParameter` answered.
pub(crate) fn parameter(answer: &Value) -> Result<SecretString, Unavailable> {
    text(&answer["Parameter"]["Value"])
}

/// What `GetSecretValue` answered: the whole text, or a member of the JSON in it.
pub(crate) fn secret_value(answer: &Value, key: Option<&str>) -> Result<SecretString, Unavailable> {
    let whole = &answer["SecretString"];
    let Some(key) = key else {
        return text(whole);
    };
    let object: Value = serde_json::from_str(whole.as_str().unwrap_or_default())
        .map_err(|_| Unavailable("secret"))?;
    text(&object[key])
}

/// The text, without the line end that editors and `echo` put behind it: no secret ends with one on purpose.
fn text(value: &Value) -> Result<SecretString, Unavailable> {
    value
        .as_str()
        .map(|text| text.trim_end_matches(['\r', '\n']).into())
        .ok_or(Unavailable("secret"))
}
