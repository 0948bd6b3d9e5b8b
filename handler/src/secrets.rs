//! The values of secrets. A value is fetched when it is first needed, which is during init, kept, and fetched again after the
//! directory refused it. Values do not print.

use std::{
    collections::BTreeMap,
    env,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use jane_migrate_config::Secret;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    aws::{Credentials, Service},
    budget::{Budget, Unavailable},
    lock::lock,
    upstream::{Answer, Upstream},
};

/// A refused value is fetched again at most this often, so that a directory that refuses every request does not cause a call for
/// each sign-in.
const AGAIN: Duration = Duration::from_secs(60);

/// The known values, and the credentials to fetch others.
#[derive(Debug)]
pub struct Secrets {
    known: Mutex<BTreeMap<Secret, SecretString>>,
    fetched_again: Mutex<BTreeMap<Secret, SystemTime>>,
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

    /// Secrets that are fetched with these credentials. SSM parameters are in this region.
    pub fn new(credentials: Option<Credentials>, region: String) -> Self {
        Self {
            known: Mutex::default(),
            fetched_again: Mutex::default(),
            credentials,
            region,
        }
    }

    /// Adds a value that the caller already has.
    pub fn with(self, secret: Secret, value: SecretString) -> Self {
        self.keep(secret, value);
        self
    }

    fn keep(&self, secret: Secret, value: SecretString) {
        lock(&self.known).insert(secret, value);
    }

    /// The value, if it is already known.
    pub fn known(&self, secret: &Secret) -> Option<SecretString> {
        lock(&self.known).get(secret).cloned()
    }

    /// The value.
    pub async fn get(&self, secret: &Secret, budget: &Budget) -> Result<SecretString, Unavailable> {
        match self.known(secret) {
            Some(value) => Ok(value),
            None => self.fetch(secret, budget).await,
        }
    }

    /// The new value, after the directory refused the known one. `None` if the value has not changed, or was fetched again less
    /// than a minute ago.
    pub async fn changed(
        &self,
        secret: &Secret,
        budget: &Budget,
    ) -> Result<Option<SecretString>, Unavailable> {
        let known = self.known(secret);
        // Without credentials there is no newer value.
        if known.is_some() && self.credentials.is_none() {
            return Ok(None);
        }
        let now = SystemTime::now();
        let before = lock(&self.fetched_again).get(secret).copied();
        if !is_due(before, now) {
            return Ok(None);
        }
        lock(&self.fetched_again).insert(secret.clone(), now);
        let value = self.fetch(secret, budget).await?;
        let same = |known: SecretString| known.expose_secret() == value.expose_secret();
        Ok(match known.is_some_and(same) {
            true => None,
            false => Some(value),
        })
    }

    async fn fetch(&self, secret: &Secret, budget: &Budget) -> Result<SecretString, Unavailable> {
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

    /// The value in the response of the secret's service, or in the environment.
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
        let answer = self.aws(service, call, target, query, budget).await?;
        if answer.status.is_success() {
            answer.json()
        } else {
            Err(Unavailable("secret"))
        }
    }

    /// Calls a service with the function's own role.
    pub async fn aws(
        &self,
        service: Option<Service>,
        call: &'static str,
        target: &str,
        query: Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let refused = Unavailable("secret");
        let (service, credentials) = service.zip(self.credentials.as_ref()).ok_or(refused)?;
        let request = service
            .json_request(target, &query, credentials)
            .ok_or(refused)?;
        // A separate client: calls are too rare to keep a connection, and AWS has public certificates.
        let upstream = Upstream::new(None).map_err(|_| refused)?;
        upstream.send(call, request, budget).await
    }
}

/// Whether credentials may be fetched again, given the time of the last fetch. The clock may have been set back since.
pub fn is_due(before: Option<SystemTime>, now: SystemTime) -> bool {
    let recent = |at| now.duration_since(at).is_ok_and(|age| age < AGAIN);
    !before.is_some_and(recent)
}

/// The value in a response of `GetParameter`.
pub(crate) fn parameter(answer: &Value) -> Result<SecretString, Unavailable> {
    text(&answer["Parameter"]["Value"])
}

/// The value in a response of `GetSecretValue`: the whole text, or one key of its JSON.
pub(crate) fn secret_value(answer: &Value, key: Option<&str>) -> Result<SecretString, Unavailable> {
    let whole = &answer["SecretString"];
    let Some(key) = key else {
        return text(whole);
    };
    let object: Value = serde_json::from_str(whole.as_str().unwrap_or_default())
        .map_err(|_| Unavailable("secret"))?;
    text(&object[key])
}

/// The text without the newline that editors and `echo` append.
fn text(value: &Value) -> Result<SecretString, Unavailable> {
    value
        .as_str()
        .map(|text| text.trim_end_matches(['\r', '\n']).into())
        .ok_or(Unavailable("secret"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Result<SecretString, Unavailable>) -> Result<String, Unavailable> {
        value.map(|value| value.expose_secret().to_owned())
    }

    fn secret(key: Option<&str>) -> Secret {
        Secret::SecretsManager {
            arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"
                .parse()
                .expect("an ARN"),
            key: key.map(str::to_owned),
            kms_key: None,
        }
    }

    #[test]
    fn a_value_is_decoded_without_its_final_newline() {
        let parameter = Secret::Ssm {
            name: "/x".into(),
            kms_key: None,
        };
        let answer = json!({ "Parameter": { "Value": "pass \r\n" } });
        assert_eq!(
            shown(Secrets::decode(&parameter, &answer)),
            Ok("pass ".into())
        );
        let whole = json!({ "SecretString": "pass" });
        assert_eq!(
            shown(Secrets::decode(&secret(None), &whole)),
            Ok("pass".into())
        );
        let keyed = json!({ "SecretString": r#"{"key": "pass"}"# });
        let found = Secrets::decode(&secret(Some("key")), &keyed);
        assert_eq!(shown(found), Ok("pass".into()));
    }

    #[test]
    fn an_answer_without_the_value_is_an_error() {
        for (key, answer) in [
            (None, json!({})),
            (Some("key"), json!({ "SecretString": "no JSON" })),
            (Some("key"), json!({ "SecretString": "{}" })),
        ] {
            let found = shown(Secrets::decode(&secret(key), &answer));
            assert_eq!(found, Err(Unavailable("secret")), "{answer}");
        }
        let variable = Secret::Env("JANE_MIGRATE_TEST_NO_SUCH_VARIABLE".into());
        let found = shown(Secrets::decode(&variable, &Value::Null));
        assert_eq!(found, Err(Unavailable("secret")));
    }

    #[tokio::test]
    async fn without_credentials_the_known_value_stays() {
        let budget = Budget::new(std::time::Duration::from_secs(1));
        let none = Secrets::new(None, String::new());
        let missing = shown(none.get(&secret(None), &budget).await);
        assert_eq!(missing, Err(Unavailable("secret")));
        let with = none.with(secret(None), "pass".into());
        assert_eq!(
            shown(with.get(&secret(None), &budget).await),
            Ok("pass".into())
        );
        assert!(
            with.changed(&secret(None), &budget)
                .await
                .unwrap()
                .is_none()
        );
        assert!(with.known(&secret(Some("other"))).is_none());
    }

    #[tokio::test]
    async fn a_variable_of_the_environment_is_fetched_and_kept() {
        let secrets = Secrets::new(None, String::new());
        let path = Secret::Env("PATH".into());
        let budget = Budget::new(std::time::Duration::from_secs(1));
        let fetched = shown(secrets.get(&path, &budget).await).unwrap();
        assert_eq!(fetched, env::var("PATH").unwrap());
        assert_eq!(secrets.known(&path).unwrap().expose_secret(), fetched);
    }

    #[test]
    fn credentials_are_fetched_again_once_a_minute() {
        let now = SystemTime::now();
        assert!(is_due(None, now));
        assert!(!is_due(Some(now), now));
        assert!(!is_due(Some(now - Duration::from_millis(59_999)), now));
        assert!(is_due(Some(now - AGAIN), now));
        assert!(is_due(Some(now + AGAIN), now), "the clock was set back");
    }

    #[tokio::test]
    async fn a_refused_value_is_new_only_if_it_differs() {
        let budget = Budget::new(Duration::from_secs(1));
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        };
        let path = Secret::Env("PATH".into());
        let new = || Secrets::new(Some(credentials.clone()), "us-east-1".into());
        let other = new().with(path.clone(), "other".into());
        let changed = other.changed(&path, &budget).await.unwrap();
        assert_eq!(changed.unwrap().expose_secret(), env::var("PATH").unwrap());
        let other = other.with(path.clone(), "other".into());
        let again = other.changed(&path, &budget).await.unwrap();
        assert!(again.is_none(), "not within a minute");
        let same = new().with(path.clone(), env::var("PATH").unwrap().into());
        assert!(same.changed(&path, &budget).await.unwrap().is_none());
    }
}
