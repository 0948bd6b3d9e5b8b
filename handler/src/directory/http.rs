//! Any HTTP service: sends requests made from templates, and interprets responses by the conditions in the settings.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{StatusCode, Uri};
use jane_migrate_config::{
    self as config, Answers, Condition, Names, SecondFactor, template::Placeholder,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    token::ClientToken,
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, Unavailable},
    escape::percent,
    event::Event,
    request::{Values, filled},
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// An HTTP service.
#[derive(Debug)]
pub struct Http {
    upstream: Upstream,
    origin: Uri,
    authenticate: config::Request,
    lookup: Option<config::Request>,
    token: Option<ClientToken>,
    second_factor: SecondFactor,
    named: BTreeMap<String, config::Secret>,
    secrets: Arc<Secrets>,
}

impl Http {
    /// The service of the settings. It makes no call yet.
    pub fn new(settings: &config::Http, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let token = |oauth: &config::OAuth| {
            let mut body = "grant_type=client_credentials".to_owned();
            for (name, value) in &oauth.form {
                body += &format!("&{}={}", percent(name), percent(value));
            }
            let body = ("application/x-www-form-urlencoded", body);
            ClientToken::new(
                &oauth.url,
                body,
                &oauth.client_id,
                &oauth.client_secret,
                Arc::clone(&secrets),
            )
        };
        // Only the path may contain templates. Otherwise a user could choose the host.
        let address: Vec<_> = settings.authenticate.url.splitn(4, '/').take(3).collect();
        let origin: Uri = address.join("/").parse().map_err(|_| Unusable)?;
        Ok(Self {
            upstream: Upstream::new(settings.ca_certificate.as_deref()).map_err(|_| Unusable)?,
            origin,
            authenticate: settings.authenticate.clone(),
            lookup: settings.lookup.clone(),
            token: settings.oauth.as_ref().map(token).transpose()?,
            second_factor: settings.second_factor,
            named: settings.secrets.clone(),
            secrets,
        })
    }

    /// Fetches secrets and the token, and opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        for secret in self.named.values() {
            self.secrets.get(secret, budget).await?;
        }
        if let Some(token) = &self.token {
            token.current(&self.upstream, budget).await?;
        }
        self.upstream.open(&self.origin, budget).await
    }

    /// Whether the password is right.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        self.ask(
            "authenticate",
            &self.authenticate,
            event,
            Some(password),
            budget,
        )
        .await
    }

    /// Whether the user exists.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        match &self.lookup {
            Some(lookup) => self.ask("lookup", lookup, event, None, budget).await,
            None => Ok(Verdict::NotEligible),
        }
    }

    async fn ask(
        &self,
        call: &'static str,
        request: &config::Request,
        event: &Event,
        password: Option<&SecretString>,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        if request.names == Names::Email && !event.name().contains('@') {
            return Ok(Verdict::NotFound);
        }
        let send = async || self.send(call, request, event, password, budget).await;
        let Some(mut answer) = send().await? else {
            return Ok(Verdict::NotFound);
        };
        // The password is sent again only with other credentials: the directory may count it as a failed sign-in.
        if refuses_credentials(&request.answers, &answer)
            && self.credentials_changed(request, budget).await?
        {
            answer = send().await?.ok_or(Unavailable("request"))?;
        }
        match meaning(&request.answers, &answer).ok_or(Unavailable("status"))? {
            Meaning::SecondFactor if self.second_factor.is_refused() => Ok(Verdict::NotEligible),
            Meaning::Ok | Meaning::SecondFactor => user(request, &answer)
                .map(Verdict::Known)
                .ok_or(Unavailable("malformed")),
            Meaning::NotFound => Ok(Verdict::NotFound),
            Meaning::WrongPassword => Ok(Verdict::WrongPassword),
            Meaning::NotEligible => Ok(Verdict::NotEligible),
            Meaning::Refused => Err(Unavailable("credentials")),
        }
    }

    /// Fetches the function's credentials again after they were refused. Returns whether one of them has changed.
    async fn credentials_changed(
        &self,
        request: &config::Request,
        budget: &Budget,
    ) -> Result<bool, Unavailable> {
        let mut changed = false;
        for secret in self.named.values() {
            changed |= self.secrets.changed(secret, budget).await?.is_some();
        }
        if let Some(token) = self.token.as_ref().filter(|_| request.oauth) {
            changed |= token.changed(&self.upstream, budget).await?;
        }
        Ok(changed)
    }

    /// The response. `None` if no user can have this name, because the request cannot contain it.
    async fn send(
        &self,
        call: &'static str,
        request: &config::Request,
        event: &Event,
        password: Option<&SecretString>,
        budget: &Budget,
    ) -> Result<Option<Answer>, Unavailable> {
        let mut secrets = BTreeMap::new();
        for (name, secret) in &self.named {
            secrets.insert(name.as_str(), self.secrets.get(secret, budget).await?);
        }
        let token = match &self.token {
            Some(token) if request.oauth => Some(token.current(&self.upstream, budget).await?),
            _ => None,
        };
        let values = SignIn {
            event,
            password,
            secrets,
        };
        match filled(&values, request, token.as_ref())? {
            Some(request) => self.upstream.send(call, request, budget).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The values of placeholders.
struct SignIn<'a> {
    event: &'a Event,
    password: Option<&'a SecretString>,
    secrets: BTreeMap<&'a str, SecretString>,
}

impl Values for SignIn<'_> {
    fn value(&self, placeholder: &Placeholder) -> Result<&str, Unavailable> {
        let missing = Unavailable("request");
        Ok(match placeholder {
            Placeholder::Username => self.event.name(),
            Placeholder::Password => self.password.ok_or(missing)?.expose_secret(),
            Placeholder::ClientId => self.event.client_id(),
            Placeholder::Validation(key) => self.event.validation(key).unwrap_or_default(),
            Placeholder::Metadata(key) => self.event.metadata(key).unwrap_or_default(),
            Placeholder::Secret(name) => self
                .secrets
                .get(name.as_str())
                .ok_or(missing)?
                .expose_secret(),
            // When the command line read the file, it replaced settings and rejected attributes.
            Placeholder::Setting(_) | Placeholder::Attribute(_) => return Err(missing),
        })
    }
}

/// The meaning of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Ok,
    NotFound,
    WrongPassword,
    NotEligible,
    SecondFactor,
    Refused,
}

/// The meaning of a response by the settings. Conditions on the body come before conditions on the status only.
pub(super) fn meaning(answers: &Answers, answer: &Answer) -> Option<Meaning> {
    let body = answer.json().ok();
    let lists = [
        (&answers.not_found, Meaning::NotFound),
        (&answers.wrong_password, Meaning::WrongPassword),
        (&answers.not_eligible, Meaning::NotEligible),
        (&answers.second_factor, Meaning::SecondFactor),
        (&answers.refused, Meaning::Refused),
        (&answers.ok, Meaning::Ok),
    ];
    [true, false].into_iter().find_map(|on_body| {
        lists.iter().find_map(|(conditions, meaning)| {
            let mut asked = conditions
                .iter()
                .filter(|condition| condition.pointer.is_some() == on_body);
            asked
                .any(|condition| holds(condition, answer.status, body.as_ref()))
                .then_some(*meaning)
        })
    })
}

/// Whether a response refuses the function's credentials: the settings say so, or they do not mention this 401 or 403.
fn refuses_credentials(answers: &Answers, answer: &Answer) -> bool {
    match meaning(answers, answer) {
        None => matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ),
        meaning => meaning == Some(Meaning::Refused),
    }
}

fn holds(condition: &Condition, status: StatusCode, body: Option<&Value>) -> bool {
    let Condition {
        status: wanted,
        pointer,
        equals,
        begins,
        absent,
    } = condition;
    let Some(pointer) = pointer else {
        return status.as_u16() == *wanted;
    };
    let found = body
        .and_then(|body| body.pointer(pointer))
        .filter(|found| !found.is_null());
    status.as_u16() == *wanted
        && body.is_some()
        && match (equals, begins) {
            (Some(equals), _) => found == Some(equals),
            (None, Some(begins)) => {
                let text = found.and_then(Value::as_str);
                text.is_some_and(|text| text.starts_with(begins))
            }
            (None, None) => found.is_some() != *absent,
        }
}

/// The user in a good response.
pub(super) fn user(request: &config::Request, answer: &Answer) -> Option<Map<String, Value>> {
    let body = answer.json().ok()?;
    let user = match &request.claims {
        None => body.pointer(&request.user)?.clone(),
        // The token comes directly from the issuer over TLS, so its signature need not be checked.
        Some(pointer) => {
            let claims = body.pointer(pointer)?.as_str()?.split('.').nth(1)?;
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?
        }
    };
    match user {
        Value::Object(user) => Some(user),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::header;
    use serde_json::json;

    use super::*;
    use crate::fixtures::{event, settings, sign_in};

    fn request(more: Value) -> config::Request {
        let mut request = json!({
            "method": "POST",
            "url": "https://a.example/sign-in",
            "answers": { "ok": [200] },
        });
        let fields = more.as_object().cloned().unwrap();
        request.as_object_mut().unwrap().extend(fields);
        serde_json::from_value(request).unwrap()
    }

    fn answer(status: u16, body: Value) -> Answer {
        Answer::made_up(StatusCode::from_u16(status).unwrap(), body.to_string())
    }

    /// The request for a sign-in: its URI, its headers and its body.
    fn filled(
        name: &str,
        request: &config::Request,
        token: Option<&str>,
    ) -> Option<(String, header::HeaderMap, String)> {
        let mut payload = sign_in(name, "p&ss");
        payload["request"]["validationData"] = json!({ "shop": "a/b" });
        payload["request"]["clientMetadata"] = json!({ "language": "de" });
        let event = event(payload, &settings(&[]));
        let values = SignIn {
            event: &event,
            password: event.password(),
            secrets: [("key", SecretString::from("k"))].into(),
        };
        let token = token.map(SecretString::from);
        let request = crate::request::filled(&values, request, token.as_ref());
        let (parts, body) = request.unwrap()?.into_parts();
        let body = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(http_body_util::BodyExt::collect(body))
            .unwrap();
        let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        Some((parts.uri.to_string(), parts.headers, body))
    }

    #[test]
    fn every_placeholder_is_escaped_for_its_place() {
        let json = request(json!({
            "url": "https://a.example/{username}/{validation.shop}?c={client_id}",
            "headers": { "x-key": "{secrets.key}", "x-language": "{metadata.language}" },
            "json": { "list": ["{password}", 1, null], "none": "{metadata.none}" },
        }));
        let (uri, headers, body) = filled("ann@b c", &json, None).unwrap();
        assert_eq!(uri, "https://a.example/ann%40b%20c/a%2Fb?c=client-1");
        assert_eq!(
            (&headers["x-key"], &headers["x-language"]),
            (&"k".parse().unwrap(), &"de".parse().unwrap())
        );
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(body, r#"{"list":["p&ss",1,null],"none":""}"#);
        let form = request(json!({ "form": { "a b": "{password}", "n": "x" } }));
        let (_, headers, body) = filled("ann", &form, None).unwrap();
        assert_eq!(body, "a%20b=p%26ss&n=x");
        assert_eq!(
            headers[header::CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
    }

    #[test]
    fn a_request_without_a_body_has_no_content_type() {
        let (_, headers, body) = filled("ann", &request(json!({ "method": "GET" })), None).unwrap();
        assert!(body.is_empty() && !headers.contains_key(header::CONTENT_TYPE));
    }

    #[test]
    fn a_content_type_of_the_settings_is_the_only_one() {
        let own = json!({ "headers": { "Content-Type": "application/scim+json" }, "json": {} });
        let (_, headers, _) = filled("ann", &request(own), None).unwrap();
        let types: Vec<_> = headers.get_all(header::CONTENT_TYPE).iter().collect();
        assert_eq!(types, ["application/scim+json"]);
    }

    #[test]
    fn basic_authentication_and_tokens_are_sent() {
        let basic = json!({ "username": "{username}", "password": "{password}" });
        let basic = request(json!({ "basic": basic }));
        let (_, headers, _) = filled("ann", &basic, None).unwrap();
        assert_eq!(headers[header::AUTHORIZATION], "Basic YW5uOnAmc3M=");
        let (_, headers, _) = filled("ann", &request(json!({})), Some("abc")).unwrap();
        assert_eq!(headers[header::AUTHORIZATION], "Bearer abc");
        assert!(filled("ann:x", &basic, None).is_none());
    }

    #[test]
    fn a_name_of_dots_does_not_reach_another_path() {
        for url in [
            "https://a.example/{username}",
            "https://a.example/{username}?x",
        ] {
            let request = request(json!({ "url": url }));
            for name in [".", ".."] {
                assert!(filled(name, &request, None).is_none(), "{url} {name}");
            }
            assert!(filled("...", &request, None).is_some(), "{url}");
        }
    }

    #[test]
    fn dots_between_slashes_or_backslashes_do_not_reach_another_path() {
        let by_name = request(json!({ "url": "https://a.example/users/{username}/check" }));
        for name in [
            "a/../admin",
            "a\\..\\admin",
            "a/.",
            ".\\a",
            "..\\..",
            "a/..?b",
            // Java servers drop what follows a semicolon.
            "a/..;/admin",
            "..;x=1/admin",
        ] {
            assert!(filled(name, &by_name, None).is_none(), "{name}");
        }
        for name in ["a..b/c", "a/.b", "a\\b."] {
            assert!(filled(name, &by_name, None).is_some(), "{name}");
        }
        let together = request(json!({ "url": "https://a.example/{username}{validation.shop}" }));
        assert!(filled(".", &together, None).is_some(), "the shop is a/b");
        let after = request(json!({ "url": "https://a.example/{validation.shop}/.{username}" }));
        assert!(filled(".", &after, None).is_none());
    }

    fn answers() -> Answers {
        let on = |status: u16, more: Value| {
            let mut condition = json!({ "status": status, "pointer": "/error" });
            let fields = more.as_object().cloned().unwrap();
            condition.as_object_mut().unwrap().extend(fields);
            condition
        };
        serde_json::from_value(json!({
            "ok": [200],
            "not_found": [404, on(200, json!({ "equals": "unknown" }))],
            "wrong_password": [on(400, json!({ "begins": "wrong" }))],
            "not_eligible": [on(400, json!({ "absent": true })), on(409, json!({}))],
            "refused": [on(401, json!({ "equals": "token" }))],
        }))
        .unwrap()
    }

    #[test]
    fn the_first_condition_that_holds_decides_and_bodies_come_first() {
        for (status, body, expected) in [
            (200, json!({}), Some(Meaning::Ok)),
            (200, json!({ "error": "unknown" }), Some(Meaning::NotFound)),
            (404, json!({}), Some(Meaning::NotFound)),
            (
                400,
                json!({ "error": "wrong password" }),
                Some(Meaning::WrongPassword),
            ),
            (400, json!({ "error": "other" }), None),
            (400, json!({ "error": 1 }), None),
            (400, json!({ "error": null }), Some(Meaning::NotEligible)),
            (409, json!({ "error": null }), None),
            (409, json!({ "error": "x" }), Some(Meaning::NotEligible)),
            (401, json!({ "error": "token" }), Some(Meaning::Refused)),
            (201, json!({}), None),
        ] {
            assert_eq!(
                meaning(&answers(), &answer(status, body.clone())),
                expected,
                "{status} {body}"
            );
        }
        let no_json = Answer::made_up(StatusCode::BAD_REQUEST, "no JSON");
        assert_eq!(meaning(&answers(), &no_json), None);
    }

    #[test]
    fn a_401_or_403_without_a_setting_refuses_the_credentials() {
        let refuses = |status, body| refuses_credentials(&answers(), &answer(status, body));
        assert!(refuses(401, json!({ "error": "token" })));
        assert!(refuses(401, json!({})) && refuses(403, json!({})));
        assert!(!refuses(200, json!({})) && !refuses(500, json!({})));
        let listed = Answers {
            wrong_password: vec![serde_json::from_value(json!(401)).unwrap()],
            ..Answers::default()
        };
        assert!(!refuses_credentials(&listed, &answer(401, json!({}))));
    }

    #[test]
    fn the_user_is_an_object_at_the_pointer_or_in_a_token() {
        let ann = json!({ "email": "ann@example.com" });
        let found =
            |more: Value, body: Value| user(&request(more), &answer(200, body)).map(Value::Object);
        assert_eq!(found(json!({}), ann.clone()), Some(ann.clone()));
        let data = json!({ "data": ann });
        assert_eq!(
            found(json!({ "user": "/data" }), data.clone()),
            Some(ann.clone())
        );
        assert_eq!(found(json!({ "user": "/other" }), data.clone()), None);
        assert_eq!(found(json!({ "user": "/data/email" }), data), None);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(ann.to_string());
        let token = json!({ "token": format!("h.{claims}.s") });
        assert_eq!(found(json!({ "claims": "/token" }), token), Some(ann));
        let broken = json!({ "token": "h" });
        assert_eq!(found(json!({ "claims": "/token" }), broken), None);
    }
}
