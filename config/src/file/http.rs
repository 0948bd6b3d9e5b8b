//! `[directory]` with `kind = "http"`: completes the requests, and checks that their parts fit together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{check, table::Table};
use crate::{
    Basic, Http, OAuth, Request, Secret,
    directory::{SecondFactor, timeout_ms},
    template::{self, Part, Placeholder},
};

/// The key with the meaning of a request's responses in the types; in the file it is part of the request's own table.
pub(super) const ANSWERS_KEY: &str = "answers";
pub(super) const ANSWERS: [&str; 6] = [
    "ok",
    "not_found",
    "wrong_password",
    "not_eligible",
    "second_factor",
    "refused",
];

/// The directory as the file has it, laid over its preset.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub(crate) struct HttpTable {
    /// A preset with the requests and attributes of a well-known service. Settings in the file override it.
    #[serde(rename = "preset")]
    #[cfg_attr(
        feature = "schema",
        schemars(extend("enum" = super::preset::presets().collect::<Vec<_>>()))
    )]
    _preset: Option<String>,
    /// The service's base URL, for requests with a path as `url`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^https?://[^@?#]+$")))]
    url: Option<String>,
    /// Values for `{settings.KEY}`.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schemars(extend("additionalProperties" = {"type": "string", "pattern": r"^[^{}]*[^{}\s][^{}]*$"}))
    )]
    settings: BTreeMap<String, String>,
    /// Secret references for `{secrets.KEY}`.
    #[serde(default)]
    secrets: BTreeMap<String, Secret>,
    /// The token endpoint for requests with `oauth = true`.
    oauth: Option<OAuth>,
    /// The request that checks a password. Required without a preset.
    authenticate: Option<Request>,
    /// The request that looks a user up, for *forgot password*. Without it no user migrates by *forgot password*.
    lookup: Option<Request>,
    /// What happens if a response matches `second_factor` of its request.
    #[serde(default)]
    second_factor: SecondFactor,
    /// The timeout of the directory for one sign-in, in milliseconds.
    #[serde(default = "timeout_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 4_500)))]
    timeout_ms: u64,
    /// CA certificates in PEM to trust instead of the public ones.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))
    )]
    ca_certificate: Option<String>,
}

/// Checks each value of the table, and that the parts of a request fit together.
pub(super) fn check(table: &Table<'_, '_>) {
    table.text("url", check::url);
    table.map("settings", |_, value| check::plain(value));
    if let Some(oauth) = table.table("oauth") {
        oauth.text("client_id", check::not_empty);
        oauth.map("form", |_, value| check::settings_only(value));
    }
    for name in ["authenticate", "lookup"] {
        if let Some(request) = table.table(name) {
            check_request(request);
        }
    }
    if !table.has("authenticate") {
        table.problem("`authenticate` is missing in [directory]; write it, or name a `preset`");
    }
}

fn check_request(table: &Table<'_, '_>) {
    table.map("headers", check::header);
    table.map("form", |_, value| check::template(value));
    table.map("basic", |_, value| check::template(value));
    table.text("user", check::pointer);
    table.text("claims", check::pointer);
    // Without a good response no user would migrate.
    table.not_empty("ok", "must have at least one status");
    let place = table.place();
    let form = table.table("form");
    let (json, form) = (
        table.has("json"),
        form.is_some_and(|form| !form.entries().is_empty()),
    );
    if json && form {
        table.problem(format_args!(
            "{place} has both `json` and `form`; a request has one body"
        ));
    }
    if table.str("method") == Some("GET") && (json || form) {
        table.problem(format_args!("{place} is a GET and has no body"));
    }
    if table.has("claims") && table.str("user").is_some_and(|user| !user.is_empty()) {
        table.problem(format_args!(
            "{place} has both `user` and `claims`; the user lies in one place"
        ));
    }
    let headers = table.table("headers").into_iter();
    let headers = headers.flat_map(|table| table.entries());
    let headers: Vec<_> = headers
        .map(|entry| entry.key.to_ascii_lowercase())
        .collect();
    let authorization = [
        (
            "a header field",
            headers.iter().any(|name| name == "authorization"),
        ),
        ("`basic`", table.has("basic")),
        ("`oauth`", table.is_true("oauth")),
    ];
    let authorization = authorization
        .iter()
        .filter_map(|(name, there)| there.then_some(*name));
    let authorization: Vec<_> = authorization.collect();
    if authorization.len() > 1 {
        let several = authorization.join(" and ");
        table.problem(format_args!(
            "{place} has {several} for its authorization; a request has one"
        ));
    }
    if headers.iter().collect::<BTreeSet<_>>().len() != headers.len() {
        table.problem(format_args!("{place} has the same header field twice"));
    }
}

/// The directory with settings and URLs filled in. None if a required request is missing.
pub(super) fn finished(mut http: HttpTable, table: &Table<'_, '_>) -> Option<Http> {
    // An invalid base URL was already reported, and is not reported again for each request.
    let wrong = table.has("url")
        && http
            .url
            .as_deref()
            .is_none_or(|url| check::url(url).is_err());
    let base = match wrong {
        true => Some("https://directory.example"),
        false => http.url.as_deref().map(|url| url.trim_end_matches('/')),
    };
    if let Some(base) = base {
        let url = http.settings.entry("url".to_owned());
        url.or_insert_with(|| base.to_owned());
    }
    let fill = Fill {
        base,
        settings: &http.settings,
    };
    let note = |name: &str, filled: Result<(), String>| {
        // A missing URL was also reported already.
        if let (Err(message), Some(table)) = (filled, table.table(name))
            && table.str("url").is_some()
        {
            table.problem(format_args!("[directory.{name}] {message}"));
        }
    };
    if let Some(oauth) = &mut http.oauth {
        note("oauth", fill.oauth(oauth));
    }
    if let Some(request) = &mut http.authenticate {
        note("authenticate", fill.request(request));
    }
    if let Some(request) = &mut http.lookup {
        note("lookup", fill.request(request));
    }
    let http = Http {
        secrets: http.secrets,
        oauth: http.oauth,
        authenticate: http.authenticate?,
        lookup: http.lookup,
        second_factor: http.second_factor,
        timeout_ms: http.timeout_ms,
        ca_certificate: http.ca_certificate,
    };
    placeholders(table, &http);
    Some(http)
}

/// Fills in the file's own values: the base URL and `{settings.KEY}`.
struct Fill<'a> {
    base: Option<&'a str>,
    settings: &'a BTreeMap<String, String>,
}

impl Fill<'_> {
    fn oauth(&self, oauth: &mut OAuth) -> Result<(), String> {
        self.url(&mut oauth.url)?;
        let mut values = oauth.form.values_mut();
        values.try_for_each(|value| self.text(value))?;
        check::url(&oauth.url).map_err(|message| format!("`url` {message}"))
    }

    fn request(&self, request: &mut Request) -> Result<(), String> {
        self.url(&mut request.url)?;
        check::url_template(&request.url).map_err(|message| format!("`url` {message}"))?;
        request
            .headers
            .values_mut()
            .try_for_each(|value| self.text(value))?;
        request
            .form
            .values_mut()
            .try_for_each(|value| self.text(value))?;
        if let Some(Basic { username, password }) = &mut request.basic {
            self.text(username)?;
            self.text(password)?;
        }
        request.json.iter_mut().try_for_each(|json| self.json(json))
    }

    fn url(&self, url: &mut String) -> Result<(), String> {
        if url.starts_with('/') {
            let base = self
                .base
                .ok_or("`url` is a path: add `url = \"https://...\"` to [directory]")?;
            url.insert_str(0, base);
        }
        self.text(url)
    }

    fn json(&self, json: &mut Value) -> Result<(), String> {
        match json {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.json(item)),
            Value::Object(members) => members
                .values_mut()
                .try_for_each(|member| self.json(member)),
            _ => Ok(()),
        }
    }

    fn text(&self, text: &mut String) -> Result<(), String> {
        for part in template::parse(text).map_err(|error| error.to_string())? {
            if let Part::Placeholder(Placeholder::Setting(key)) = part {
                let value = self.settings.get(&key).ok_or_else(|| {
                    format!(
                        "uses {{settings.{key}}}: add `{key} = \"...\"` under [directory.settings]"
                    )
                })?;
                *text = text.replace(&format!("{{settings.{key}}}"), value);
            }
        }
        Ok(())
    }
}

/// Checks of the whole directory: every secret is defined, and the password is used.
fn placeholders(table: &Table<'_, '_>, http: &Http) {
    for (name, request) in http.requests() {
        let used = used(request);
        for key in used.iter().filter_map(|used| match used {
            Placeholder::Secret(key) if !http.secrets.contains_key(key) => Some(key),
            _ => None,
        }) {
            table.problem(format_args!(
                "[directory.{name}] uses {{secrets.{key}}}: add `{key} = {{ ssm = \"/...\" }}` under [directory.secrets]"
            ));
        }
        if used
            .iter()
            .any(|used| matches!(used, Placeholder::Attribute(_)))
        {
            table.problem(format_args!(
                "[directory.{name}] uses {{attributes.NAME}}, which is for [on_migrated] alone"
            ));
        }
        if request.oauth && http.oauth.is_none() {
            table.problem(format_args!(
                "[directory.{name}] has `oauth = true`: add the table [directory.oauth]"
            ));
        }
        if name == "authenticate" && !used.contains(&Placeholder::Password) {
            table.problem("[directory.authenticate] never sends {password}");
        }
        if name == "lookup" && used.contains(&Placeholder::Password) {
            table.problem(
                "[directory.lookup] asks for {password}, which a forgotten password does not have",
            );
        }
    }
}

fn used(request: &Request) -> Vec<Placeholder> {
    let mut texts: Vec<&str> = vec![&request.url];
    texts.extend(request.headers.values().map(String::as_str));
    texts.extend(request.form.values().map(String::as_str));
    texts.extend(
        request
            .basic
            .iter()
            .flat_map(|basic| [basic.username.as_str(), basic.password.as_str()]),
    );
    if let Some(json) = &request.json {
        strings(json, &mut texts);
    }
    let parts = texts
        .into_iter()
        .filter_map(|text| template::parse(text).ok())
        .flatten();
    parts
        .filter_map(|part| {
            if let Part::Placeholder(placeholder) = part {
                Some(placeholder)
            } else {
                None
            }
        })
        .collect()
}

fn strings<'a>(json: &'a Value, into: &mut Vec<&'a str>) {
    match json {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        _ => {}
    }
}
