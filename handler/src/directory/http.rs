//! Any HTTP service: requests filled in from templates, answers read by the conditions of the config.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use jane_migrate_config::{
    self as config, Answers, Condition, Names,
    template::{self, Part, Placeholder},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    token::{ClientToken, basic, bearer, sensitive},
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, Unavailable},
    escape::percent,
    event::Event,
    secrets::Secrets,
    upstream::{Answer, Upstream},
};

/// An HTTP service, as the config describes it.
#[derive(Debug)]
pub struct Http {
    upstream: Upstream,
    origin: Uri,
    authenticate: config::Request,
    lookup: Option<config::Request>,
    token: Option<ClientToken>,
    named: BTreeMap<String, config::Secret>,
    secrets: Arc<Secrets>,
}

impl Http {
    /// The service as the settings have it. Nothing is asked yet.
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
        // Templates stand in the path alone, or the host could be chosen by whoever signs in.
        let mut address = settings.authenticate.url.splitn(4, '/');
        let address: Vec<_> = address.by_ref().take(3).collect();
        let origin: Uri = address.join("/").parse().map_err(|_| Unusable)?;
        Ok(Self {
            upstream: Upstream::new(settings.ca_certificate.as_deref()).map_err(|_| Unusable)?,
            origin,
            authenticate: settings.authenticate.clone(),
            lookup: settings.lookup.clone(),
            token: settings.oauth.as_ref().map(token).transpose()?,
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
        let Some(mut answer) = self
            .send(call, request, event, password, false, budget)
            .await?
        else {
            return Ok(Verdict::NotFound);
        };
        // A refusal the config says nothing about may mean the credentials of the function itself, not the user's.
        let refused = match meaning(&request.answers, &answer) {
            None => matches!(
                answer.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ),
            meaning => meaning == Some(Meaning::Refused),
        };
        if refused && self.has_credentials() {
            answer = self
                .send(call, request, event, password, true, budget)
                .await?
                .ok_or(Unavailable("request"))?;
        }
        match meaning(&request.answers, &answer).ok_or(Unavailable("status"))? {
            Meaning::Ok => user(request, &answer)
                .map(Verdict::Known)
                .ok_or(Unavailable("malformed")),
            Meaning::NotFound => Ok(Verdict::NotFound),
            Meaning::WrongPassword => Ok(Verdict::WrongPassword),
            Meaning::NotEligible => Ok(Verdict::NotEligible),
            Meaning::Refused => Err(Unavailable("credentials")),
        }
    }

    fn has_credentials(&self) -> bool {
        self.token.is_some() || !self.named.is_empty()
    }

    /// The answer; nothing where nobody can have the name, since it does not fit where the config puts it.
    async fn send(
        &self,
        call: &'static str,
        request: &config::Request,
        event: &Event,
        password: Option<&SecretString>,
        renew: bool,
        budget: &Budget,
    ) -> Result<Option<Answer>, Unavailable> {
        let mut secrets = BTreeMap::new();
        for (name, secret) in &self.named {
            let value = match renew {
                true => self.secrets.fetch(secret, budget).await?,
                false => self.secrets.get(secret, budget).await?,
            };
            secrets.insert(name.as_str(), value);
        }
        let token = match &self.token {
            Some(token) if request.oauth && renew => {
                Some(token.renewed(&self.upstream, budget).await?)
            }
            Some(token) if request.oauth => Some(token.current(&self.upstream, budget).await?),
            _ => None,
        };
        let values = Values {
            event,
            password,
            secrets,
        };
        match values.request(request, token.as_ref())? {
            Some(request) => self.upstream.send(call, request, budget).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What templates are filled in from.
struct Values<'a> {
    event: &'a Event,
    password: Option<&'a SecretString>,
    secrets: BTreeMap<&'a str, SecretString>,
}

impl Values<'_> {
    fn request(
        &self,
        request: &config::Request,
        token: Option<&SecretString>,
    ) -> Result<Option<Request<Full<Bytes>>>, Unavailable> {
        let method = match request.method {
            config::Method::Get => http::Method::GET,
            config::Method::Post => http::Method::POST,
        };
        let Some(url) = self.url(&request.url)? else {
            return Ok(None);
        };
        let mut builder = Request::builder().method(method).uri(url);
        for (name, value) in &request.headers {
            builder = builder.header(name, sensitive(self.fill(value, str::to_owned)?)?);
        }
        if let Some(config::Basic { username, password }) = &request.basic {
            let username = self.fill(username, str::to_owned)?;
            // Whatever follows a colon would be taken for the beginning of the password.
            if username.contains(':') {
                return Ok(None);
            }
            let password = SecretString::from(self.fill(password, str::to_owned)?);
            builder = builder.header(header::AUTHORIZATION, basic(&username, &password)?);
        }
        if let Some(token) = token {
            builder = builder.header(header::AUTHORIZATION, bearer(token)?);
        }
        let (content_type, body) = match (&request.json, request.form.is_empty()) {
            (Some(json), _) => (Some("application/json"), self.json(json)?.to_string()),
            (None, false) => (
                Some("application/x-www-form-urlencoded"),
                self.form(&request.form)?,
            ),
            (None, true) => (None, String::new()),
        };
        let own = |name: header::HeaderName| {
            let mut names = request.headers.keys();
            names.any(|own| own.eq_ignore_ascii_case(name.as_str()))
        };
        if let Some(content_type) = content_type.filter(|_| !own(header::CONTENT_TYPE)) {
            builder = builder.header(header::CONTENT_TYPE, content_type);
        }
        let request = builder.body(Full::new(body.into()));
        request.map(Some).map_err(|_| Unavailable("request"))
    }

    fn form(&self, form: &BTreeMap<String, String>) -> Result<String, Unavailable> {
        let pairs = form.iter().map(|(name, value)| {
            Ok(format!(
                "{}={}",
                percent(name),
                percent(&self.fill(value, str::to_owned)?)
            ))
        });
        Ok(pairs.collect::<Result<Vec<_>, Unavailable>>()?.join("&"))
    }

    fn json(&self, json: &Value) -> Result<Value, Unavailable> {
        Ok(match json {
            Value::String(text) => self.fill(text, str::to_owned)?.into(),
            Value::Array(items) => items
                .iter()
                .map(|item| self.json(item))
                .collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), self.json(member)?)));
                Value::Object(filled.collect::<Result<_, Unavailable>>()?)
            }
            other => other.clone(),
        })
    }

    fn url(&self, template: &str) -> Result<Option<String>, Unavailable> {
        let url = self.fill(template, percent)?;
        // A dot or two would name another path, escaped or not.
        let elsewhere = url.split(['/', '?']).any(|part| matches!(part, "." | ".."));
        Ok((!elsewhere).then_some(url))
    }

    fn fill(&self, template: &str, escape: fn(&str) -> String) -> Result<String, Unavailable> {
        let mut filled = String::new();
        for part in template::parse(template).map_err(|_| Unavailable("request"))? {
            match part {
                Part::Text(text) => filled.push_str(&text),
                Part::Placeholder(placeholder) => {
                    filled.push_str(&escape(self.value(&placeholder)?))
                }
            }
        }
        Ok(filled)
    }

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
            // Filled in when the config was read.
            Placeholder::Setting(_) => return Err(missing),
        })
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Ok,
    NotFound,
    WrongPassword,
    NotEligible,
    Refused,
}

/// What the config says the answer means; conditions on the body come before those on the status alone.
pub(super) fn meaning(answers: &Answers, answer: &Answer) -> Option<Meaning> {
    let body = answer.json().ok();
    let lists = [
        (&answers.not_found, Meaning::NotFound),
        (&answers.wrong_password, Meaning::WrongPassword),
        (&answers.not_eligible, Meaning::NotEligible),
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

/// The user in a good answer.
pub(super) fn user(request: &config::Request, answer: &Answer) -> Option<Map<String, Value>> {
    let body = answer.json().ok()?;
    let user = match &request.claims {
        None => body.pointer(&request.user)?.clone(),
        // Straight from the issuer over TLS, so the signature has nothing to add.
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
