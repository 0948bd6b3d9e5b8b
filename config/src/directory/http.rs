//! `kind = "http"`: requests to any HTTP service, as templates, and the meaning of its responses.
//!
//! Templates are plain text with `{username}`, `{password}`, `{client_id}`, `{validation.KEY}`, `{metadata.KEY}` and
//! `{secrets.KEY}`; the escaping of a value depends on its place. Paths below `url` and `{settings.KEY}` are filled in when
//! the file is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SecondFactor;
use crate::Secret;

/// An HTTP service that knows the accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// Secret references for `{secrets.KEY}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// The token endpoint for requests with `oauth = true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
    /// Asks whether a password is right.
    pub authenticate: Request,
    /// The request that looks a user up, for *forgot password*. Without it no user migrates by *forgot password*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Request>,
    /// What an answer in `second_factor` means.
    #[serde(default, skip_serializing_if = "SecondFactor::is_refused")]
    pub second_factor: SecondFactor,
    /// The timeout of the directory for one sign-in, in milliseconds.
    pub timeout_ms: u64,
    /// CA certificates in PEM to trust instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

impl Http {
    /// All secrets by reference, each with its key in `[directory]`.
    pub(super) fn secrets(&self) -> Vec<(String, &Secret)> {
        let named = self
            .secrets
            .iter()
            .map(|(name, secret)| (format!("secrets.{name}"), secret));
        let oauth = self
            .oauth
            .iter()
            .map(|oauth| ("oauth.client_secret".to_owned(), &oauth.client_secret));
        named.chain(oauth).collect()
    }

    /// The existing requests, each with its key.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, &Request)> {
        std::iter::once(("authenticate", &self.authenticate))
            .chain(self.lookup.iter().map(|lookup| ("lookup", lookup)))
    }
}

/// OAuth 2.0 client credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OAuth {
    /// The URL of the token endpoint. A preset may contain it.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<String>", regex(pattern = "^(https?://[^@?#]+|/.*)$"))
    )]
    pub url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret, sent by HTTP Basic authentication.
    pub client_secret: Secret,
    /// Further fields of the request's form, such as `scope` or `audience`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub form: BTreeMap<String, String>,
}

/// One request, and the meaning of its responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Request {
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
    /// The URL; a template without `{password}` and `{secrets.KEY}`.
    pub url: String,
    /// The HTTP headers; the values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// HTTP Basic authentication; both values are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// Whether the request contains the token of `[directory.oauth]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oauth: bool,
    /// A JSON body; its strings are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// A form body; its values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub form: BTreeMap<String, String>,
    /// The user names for which the request is sent.
    #[serde(default, skip_serializing_if = "is_any")]
    pub names: Names,
    /// What the answers mean.
    #[cfg_attr(feature = "schema", schemars(flatten))]
    pub answers: Answers,
    /// The JSON pointer to the user in a successful response; empty for the whole body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^(/.*)?$")))]
    pub user: String,
    /// The JSON pointer to a JWT in a successful response whose claims are the user. It replaces `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^(/.*)?$")))]
    pub claims: Option<String>,
}

/// The user names for which the function sends a request. A user with another name does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// All names.
    #[default]
    Any,
    /// Names with an `@`: for services that also accept their own ids, or words such as `me`, as a name.
    Email,
}

fn is_any(names: &Names) -> bool {
    *names == Names::Any
}

/// A request's method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    Get,
    /// POST
    #[default]
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
}

/// Credentials for HTTP Basic authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Basic {
    /// The user name; a template.
    pub username: String,
    /// The password; a template.
    pub password: String,
}

/// What answers mean. The first list with a condition that holds decides, conditions on the body before bare statuses;
/// where none holds the directory counts as unavailable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answers {
    /// Responses for a correct password, or for an existing user.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub ok: Vec<Condition>,
    /// Responses for an unknown user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<Condition>,
    /// Responses for a wrong password.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong_password: Vec<Condition>,
    /// Responses for a user who must not migrate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_eligible: Vec<Condition>,
    /// Responses for a correct password that ask for a second factor. `second_factor` of the directory decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub second_factor: Vec<Condition>,
    /// Responses that refuse the function's own credentials, which it then fetches again. A 401 or 403 that no other list
    /// contains means the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Condition>,
}

/// A status, written as a number, or a table that looks into the body too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Written")]
pub struct Condition {
    /// The status of the response.
    pub status: u16,
    /// The JSON pointer to the value in the body.
    pub pointer: Option<String>,
    /// The required value. Default: any value except null.
    pub equals: Option<Value>,
    /// The required beginning of the value, a text.
    pub begins: Option<String>,
    /// With `true`: the value must be missing or null.
    pub absent: bool,
}

// Parsed by hand: with serde's own untagged form, numbers would lose the exact spelling that serde_json keeps.
/// A condition on a response: a status, or a table with a status and a condition on the body.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Written {
    /// The status of the response.
    Status(u16),
    /// A status and a condition on the body.
    Table(Look),
}

/// A status and a condition on the body.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    /// The status of the response.
    status: u16,
    /// The JSON pointer to the value in the body.
    pointer: String,
    /// The required value. Default: any value except null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    /// The required beginning of the value, a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begins: Option<String>,
    /// With `true`: the value must be missing or null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    absent: bool,
}

impl TryFrom<Value> for Condition {
    type Error = &'static str;

    fn try_from(written: Value) -> Result<Self, Self::Error> {
        let status = written.as_u64().and_then(|status| status.try_into().ok());
        if let Some(status) = status {
            return Ok(Self {
                status,
                pointer: None,
                equals: None,
                begins: None,
                absent: false,
            });
        }
        let look: Look = serde_json::from_value(written).map_err(|_| {
            "expected a status such as 200, or { status, pointer } with `equals`, `begins` or `absent = true` where needed"
        })?;
        Ok(Self {
            status: look.status,
            pointer: Some(look.pointer),
            equals: look.equals,
            begins: look.begins,
            absent: look.absent,
        })
    }
}

impl From<Condition> for Written {
    fn from(condition: Condition) -> Self {
        let Condition {
            status,
            pointer,
            equals,
            begins,
            absent,
        } = condition;
        match pointer {
            None => Self::Status(status),
            Some(pointer) => Self::Table(Look {
                status,
                pointer,
                equals,
                begins,
                absent,
            }),
        }
    }
}
