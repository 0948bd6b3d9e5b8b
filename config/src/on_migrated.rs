//! `[on_migrated]`: the notification that a user has migrated. One of an HTTP request, a SQL statement in the directory's own database, a
//! message to an SQS queue and an event to an EventBridge bus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Arn, Basic, Method, Request, Secret};

/// `[on_migrated]`: the notification that a user has migrated. Set exactly one of `statement`, `url`, `queue` and `event_bus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OnMigrated {
    /// A SQL statement, run in the directory's database, for `kind = "postgres"` and `kind = "mysql"`. Its placeholder, `$1` or with
    /// `mysql` `?`, is set to `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub statement: Option<String>,
    /// The value of the placeholder in `statement`: a template with `{username}`, `{client_id}` and `{attributes.NAME}`. The default is
    /// `{username}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub value: Option<String>,
    /// The URL of an HTTP request; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^https?://[^@]+$")))]
    pub url: Option<String>,
    /// The HTTP method of the request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: Method,
    /// HTTP headers of the request; the values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body of the request, message or event; its strings are templates. The default of a message and an event names the pool, the
    /// app client and the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Secret references for `{secrets.KEY}` in `headers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// CA certificates in PEM to trust instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))
    )]
    pub ca_certificate: Option<String>,
    /// The ARN of the SQS queue to send a message to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "Option<String>",
            regex(pattern = r"^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[^ *?]+$")
        )
    )]
    pub queue: Option<Arn>,
    /// The ARN of the KMS key that encrypts the queue, unless SQS manages the key. Only the function's policy needs it.
    #[serde(default, skip_serializing)]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:key/[^ *?]+$"))
    )]
    pub kms_key: Option<String>,
    /// The ARN of the EventBridge bus to send an event to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "Option<String>",
            regex(pattern = r"^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[^ *?]+$")
        )
    )]
    pub event_bus: Option<Arn>,
    /// The timeout in milliseconds; the customer waits for the notification. It also ends when the sign-in's time is used up.
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
    /// The secret references, each with its key in the configuration.
    pub fn secrets(&self) -> impl Iterator<Item = (String, &Secret)> {
        let named = self.secrets.iter();
        named.map(|(name, secret)| (format!("on_migrated.secrets.{name}"), secret))
    }

    /// The value of the placeholder in the statement.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("{username}")
    }

    /// The HTTP request, if a URL is set.
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

    /// The notification in a few words, such as `a message to queue NAME`.
    pub fn summary(&self) -> String {
        let arn = |arn: &Option<Arn>| arn.as_ref().map(|arn| arn.resource.clone());
        match (&self.statement, &self.url) {
            (Some(_), _) => "a statement in the directory's database".to_owned(),
            (None, Some(url)) => {
                // Without the path, which may be long.
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
