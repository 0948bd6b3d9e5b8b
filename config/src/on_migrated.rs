//! `[on_migrated]`: who is told that a user has migrated. One of an HTTP request, a SQL statement in the directory's own database, a
//! message to an SQS queue and an event to an EventBridge bus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Arn, Basic, Method, Request, Secret};

/// `[on_migrated]`: who is told that a user has migrated, once by one of `statement`, `url`, `queue` and `event_bus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OnMigrated {
    /// A statement for the directory's database, with `kind = "postgres"` and `kind = "mysql"`. `$1`, or `?` with `mysql`, is `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub statement: Option<String>,
    /// What the placeholder of `statement` stands for: a template with `{username}`, `{client_id}` and `{attributes.NAME}`. Without it:
    /// `{username}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub value: Option<String>,
    /// The URL of a request; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^https?://[^@]+$")))]
    pub url: Option<String>,
    /// The request's method.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: Method,
    /// Header fields of the request; the values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body of the request, message or event; its strings are templates. A message and an event without it name the pool, the app
    /// client and the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Values for `{secrets.KEY}` in `headers`, by reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// Certificates, in PEM, to trust instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))
    )]
    pub ca_certificate: Option<String>,
    /// The SQS queue that gets a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "Option<String>",
            regex(pattern = r"^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[^ *?]+$")
        )
    )]
    pub queue: Option<Arn>,
    /// The KMS key that encrypts the queue, where it is not SQS's own. The handler has no use for it.
    #[serde(default, skip_serializing)]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    pub kms_key: Option<String>,
    /// The EventBridge bus that gets an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "Option<String>",
            regex(pattern = r"^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[^ *?]+$")
        )
    )]
    pub event_bus: Option<Arn>,
    /// How long a customer may wait for it at most, in milliseconds. The rest of the sign-in's time is a limit too.
    #[serde(default = "timeout_ms", skip_serializing_if = "is_timeout")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 4_500)))]
    pub timeout_ms: u64,
}

const fn timeout_ms() -> u64 {
    1000
}

fn is_timeout(ms: &u64) -> bool {
    *ms == timeout_ms()
}

fn is_default(method: &Method) -> bool {
    *method == Method::default()
}

impl OnMigrated {
    /// Every secret by reference, with the key that names it.
    pub fn secrets(&self) -> impl Iterator<Item = (String, &Secret)> {
        let named = self.secrets.iter();
        named.map(|(name, secret)| (format!("on_migrated.secrets.{name}"), secret))
    }

    /// What the placeholder of the statement stands for.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("{username}")
    }

    /// The request, where there is a URL.
    pub fn request(&self) -> Option<Request> {
        Some(Request {
            method: self.method,
            url: self.url.clone()?,
            headers: self.headers.clone(),
            basic: None::<Basic>,
            oauth: false,
            json: self.json.clone(),
            form: BTreeMap::new(),
            names: Default::default(),
            answers: Default::default(),
            user: String::new(),
            claims: None,
        })
    }

    /// In a few words, who is told.
    pub fn whom(&self) -> String {
        let arn = |arn: &Option<Arn>| arn.as_ref().map(|arn| arn.resource.clone());
        match (&self.statement, &self.url) {
            (Some(_), _) => "a statement in the directory's database".to_owned(),
            (None, Some(url)) => {
                // Not what stands behind the host: it may be long.
                let host: Vec<&str> = url.splitn(4, '/').take(3).collect();
                format!("a request to {}", host.join("/"))
            }
            (None, None) => match (arn(&self.queue), arn(&self.event_bus)) {
                (Some(queue), _) => format!("a message to queue {queue}"),
                (None, bus) => format!("an event to {}", bus.unwrap_or_default()),
            },
        }
    }
}
