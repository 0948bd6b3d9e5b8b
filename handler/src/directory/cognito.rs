//! An old user pool, in this or another account. `AdminInitiateAuth` checks a password, `AdminGetUser` returns the user.

use std::{
    env,
    sync::{Arc, Mutex},
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
    event::Event,
    lock::lock,
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// The credentials of an assumed role are valid for an hour, and replaced after this time.
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
    /// The pool of the settings. It makes no call yet.
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

    /// Whether the password is right. The pool asks for a second factor only after a right password.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let name = event.name();
        let secret = match &self.settings.client_secret {
            Some(secret) => Some(self.secrets.get(secret, budget).await?),
            None => None,
        };
        let mut answer = self
            .sign_in(name, password, secret.as_ref(), budget)
            .await?;
        // The password is sent again only if the secret was replaced.
        if let Some(named) = &self.settings.client_secret
            && refuses_secret(&answer)
            && let Some(secret) = self.secrets.changed(named, budget).await?
        {
            answer = self.sign_in(name, password, Some(&secret), budget).await?;
        }
        match signed_in(&answer)? {
            SignIn::SecondFactor if self.settings.second_factor.is_refused() => {
                Ok(Verdict::NotEligible)
            }
            SignIn::Right | SignIn::SecondFactor => found(&self.profile(event, budget).await?),
            SignIn::Refused(verdict) => Ok(verdict),
        }
    }

    /// Whether the user exists and may set a new password.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        let answer = self.profile(event, budget).await?;
        match found(&answer)? {
            // A code by email must not replace the second factor.
            Verdict::Known(_)
                if self.settings.second_factor.is_refused() && has_factor(&answer) =>
            {
                Ok(Verdict::NotEligible)
            }
            verdict => Ok(verdict),
        }
    }

    async fn profile(&self, event: &Event, budget: &Budget) -> Result<Answer, Unavailable> {
        let query = json!({ "UserPoolId": self.settings.pool_id, "Username": event.name() });
        self.call("AdminGetUser", &query, budget).await
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

    /// Calls the old pool, and again with new credentials if those of the assumed role have expired.
    async fn call(
        &self,
        action: &'static str,
        query: &Value,
        budget: &Budget,
    ) -> Result<Answer, Unavailable> {
        let credentials = self.credentials(budget).await?;
        let answer = self.send(action, query, &credentials, budget).await?;
        if self.settings.role_arn.is_none() || !refuses_credentials(&answer) {
            return Ok(answer);
        }
        lock(&self.assumed).take();
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
        let request = self.service.json_request(&target, query, credentials);
        self.upstream
            .send(action, request.ok_or(Unavailable("request"))?, budget)
            .await
    }

    async fn credentials(&self, budget: &Budget) -> Result<Credentials, Unavailable> {
        let own = self.own.as_ref().ok_or(Unavailable("credentials"))?;
        let Some(role) = &self.settings.role_arn else {
            return Ok(own.clone());
        };
        let kept = lock(&self.assumed).clone();
        match kept {
            Some((credentials, replace_at)) if SystemTime::now() < replace_at => Ok(credentials),
            _ => {
                let credentials = self.assume(role, own, budget).await?;
                let kept = (credentials.clone(), SystemTime::now() + ASSUMED_FOR);
                *lock(&self.assumed) = Some(kept);
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

/// The result of a sign-in.
#[derive(Debug, PartialEq)]
pub(super) enum SignIn {
    Right,
    /// The password is right, and the pool asks for a second factor.
    SecondFactor,
    Refused(Verdict),
}

/// The meaning of a response of `AdminInitiateAuth`.
pub(super) fn signed_in(answer: &Answer) -> Result<SignIn, Unavailable> {
    let body = answer.json()?;
    if answer.status.is_success() {
        let tokens = body["AuthenticationResult"].is_object();
        let challenge = body["ChallengeName"].as_str().unwrap_or_default();
        let second_factor = challenge.contains("MFA") || challenge.ends_with("_OTP");
        return Ok(match (tokens, second_factor) {
            (true, _) => SignIn::Right,
            (false, true) => SignIn::SecondFactor,
            // A temporary password, or a challenge of this pool: the user must complete it first.
            (false, false) => SignIn::Refused(Verdict::NotEligible),
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

/// The meaning of a response of `AdminGetUser`.
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

/// Whether the user has a second factor, from a response of `AdminGetUser`.
fn has_factor(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    let listed = |name: &str| body[name].as_array().is_some_and(|list| !list.is_empty());
    listed("UserMFASettingList") || listed("MFAOptions")
}

/// The credentials in a response of `AssumeRole`.
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

/// Whether the credentials of an assumed role have expired.
fn refuses_credentials(answer: &Answer) -> bool {
    let expired = ["ExpiredTokenException", "UnrecognizedClientException"];
    let body = answer.json().unwrap_or_default();
    !answer.status.is_success() && expired.contains(&error(&body))
}

/// Whether the client's secret is wrong, rather than the password.
fn refuses_secret(answer: &Answer) -> bool {
    let body = answer.json().unwrap_or_default();
    error(&body) == "NotAuthorizedException"
        && message(&body).to_lowercase().contains("secret hash")
}

/// `NotAuthorizedException` has several causes, a wrong password among them. Only its text distinguishes them.
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

/// The text of an XML element. STS answers in XML; the three texts in use contain no escapes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(text, _)| text.trim())
}

/// The type of an error without its namespace.
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

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer::made_up(StatusCode::from_u16(status).unwrap(), body.to_owned())
    }

    fn ok(body: Value) -> Answer {
        answer(200, &body.to_string())
    }

    fn refused(kind: &str, message: &str) -> Answer {
        answer(
            400,
            &json!({ "__type": kind, "message": message }).to_string(),
        )
    }

    #[test]
    fn tokens_mean_a_right_password_and_some_challenges_a_second_factor() {
        for (body, expected) in [
            (json!({ "AuthenticationResult": {} }), SignIn::Right),
            (
                json!({ "ChallengeName": "SOFTWARE_TOKEN_MFA" }),
                SignIn::SecondFactor,
            ),
            (
                json!({ "ChallengeName": "MFA_SETUP" }),
                SignIn::SecondFactor,
            ),
            (
                json!({ "ChallengeName": "EMAIL_OTP" }),
                SignIn::SecondFactor,
            ),
            (
                json!({ "ChallengeName": "NEW_PASSWORD_REQUIRED" }),
                SignIn::Refused(Verdict::NotEligible),
            ),
            (json!({}), SignIn::Refused(Verdict::NotEligible)),
        ] {
            assert_eq!(signed_in(&ok(body.clone())), Ok(expected), "{body}");
        }
    }

    #[test]
    fn a_second_factor_is_read_from_the_users_profile() {
        for (body, expected) in [
            (
                json!({ "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"] }),
                true,
            ),
            (json!({ "MFAOptions": [{ "DeliveryMedium": "SMS" }] }), true),
            (json!({ "UserMFASettingList": [] }), false),
            (json!({}), false),
        ] {
            assert_eq!(has_factor(&ok(body.clone())), expected, "{body}");
        }
    }

    #[test]
    fn every_refused_sign_in_has_its_meaning() {
        let not_authorized = "NotAuthorizedException";
        for (kind, message, expected) in [
            ("UserNotFoundException", "", Ok(Verdict::NotFound)),
            ("aws#UserNotFoundException", "", Ok(Verdict::NotFound)),
            ("UserNotConfirmedException", "", Ok(Verdict::NotEligible)),
            (
                "PasswordResetRequiredException",
                "",
                Ok(Verdict::NotEligible),
            ),
            (
                not_authorized,
                "Incorrect username or password.",
                Ok(Verdict::WrongPassword),
            ),
            (
                not_authorized,
                "User is disabled.",
                Ok(Verdict::NotEligible),
            ),
            (
                not_authorized,
                "Password attempts exceeded",
                Ok(Verdict::NotEligible),
            ),
            (
                not_authorized,
                "Unable to verify secret hash for client x",
                Err(Unavailable("credentials")),
            ),
            (
                not_authorized,
                "Invalid Secret",
                Err(Unavailable("credentials")),
            ),
            (
                not_authorized,
                "Client x is configured otherwise",
                Err(Unavailable("credentials")),
            ),
            ("TooManyRequestsException", "", Err(Unavailable("status"))),
        ] {
            let expected = expected.map(SignIn::Refused);
            assert_eq!(
                signed_in(&refused(kind, message)),
                expected,
                "{kind} {message}"
            );
        }
        let malformed = signed_in(&answer(200, "no JSON"));
        assert_eq!(malformed, Err(Unavailable("malformed")));
        let capital = answer(
            400,
            r#"{ "__type": "NotAuthorizedException", "Message": "disabled" }"#,
        );
        assert_eq!(
            signed_in(&capital),
            Ok(SignIn::Refused(Verdict::NotEligible))
        );
    }

    #[test]
    fn a_user_is_eligible_unless_its_status_excludes_it() {
        let user = |status: &str, enabled: bool| {
            json!({
                "UserStatus": status,
                "Enabled": enabled,
                "UserAttributes": [{ "Name": "email", "Value": "ann@example.com" }, { "Value": "nameless" }],
            })
        };
        let ann = Map::from_iter([("email".to_owned(), json!("ann@example.com"))]);
        let ann = || Verdict::Known(ann.clone());
        for (body, expected) in [
            (user("CONFIRMED", true), Ok(ann())),
            (user("RESET_REQUIRED", true), Ok(ann())),
            (user("CONFIRMED", false), Ok(Verdict::NotEligible)),
            (user("UNCONFIRMED", true), Ok(Verdict::NotEligible)),
            (user("ARCHIVED", true), Ok(Verdict::NotEligible)),
            (user("EXTERNAL_PROVIDER", true), Ok(Verdict::SsoOnly)),
            (json!({}), Err(Unavailable("malformed"))),
        ] {
            assert_eq!(found(&ok(body.clone())), expected, "{body}");
        }
        let missing = found(&refused("UserNotFoundException", ""));
        assert_eq!(missing, Ok(Verdict::NotFound));
        let other = found(&refused("InternalErrorException", ""));
        assert_eq!(other, Err(Unavailable("status")));
    }

    #[test]
    fn only_a_wrong_secret_hash_means_a_wrong_client_secret() {
        let hash = "Unable to verify Secret Hash for client x";
        assert!(refuses_secret(&refused("NotAuthorizedException", hash)));
        assert!(!refuses_secret(&refused("NotAuthorizedException", "no")));
        assert!(!refuses_secret(&refused("InvalidParameterException", hash)));
    }

    #[test]
    fn expired_credentials_are_recognised() {
        for kind in ["ExpiredTokenException", "UnrecognizedClientException"] {
            assert!(refuses_credentials(&refused(kind, "")), "{kind}");
            assert!(!refuses_credentials(&ok(json!({ "__type": kind }))));
        }
        assert!(!refuses_credentials(&refused("NotAuthorizedException", "")));
    }

    #[test]
    fn the_credentials_of_an_assumed_role_are_read_from_xml() {
        let xml = "<Credentials><AccessKeyId> AKIA </AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                   <SessionToken>t</SessionToken></Credentials>";
        let credentials = assumed(&answer(200, xml)).unwrap();
        assert_eq!(credentials.access_key_id, "AKIA");
        assert_eq!(credentials.secret_access_key.expose_secret(), "s");
        assert_eq!(credentials.session_token.unwrap().expose_secret(), "t");
        assert!(assumed(&answer(403, xml)).is_none());
        assert!(assumed(&answer(200, "<AccessKeyId>AKIA</AccessKeyId>")).is_none());
    }
}
