//! Reading `[directory]` with `kind = "http"`: the file's own requests, or a preset's, made whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde_json::Value;

use super::{
    check,
    directory::{Attributes, SECRET_FORMS, ca_certificate, secret, secret_value, text, timeout},
    preset,
    table::Table,
};
use crate::{
    Answers, Basic, Condition, Http, Method, Names, OAuth, Request, Secret,
    template::{self, Part, Placeholder},
};

/// What a file says, or a preset, before one is laid over the other.
#[derive(Default)]
pub(super) struct Draft {
    url: Option<String>,
    settings: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    oauth: Option<OAuthDraft>,
    authenticate: Option<Placed>,
    lookup: Option<Placed>,
}

/// A request, and where it is written.
type Placed = (Range<usize>, Request);

#[derive(Default)]
struct OAuthDraft {
    url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    form: BTreeMap<String, String>,
}

/// Reads the directory, with the attributes its preset brings.
pub(super) fn http(table: &mut Table<'_, '_>) -> (Http, Attributes) {
    let preset = table.checked("preset", text(preset::exists));
    let own = draft(table);
    let (timeout_ms, ca_certificate) = (timeout(table), ca_certificate(table));
    let (draft, attributes) = match preset.as_deref().and_then(preset::read) {
        Some((base, attributes)) => (base.overlaid(own, table.span()), attributes),
        None => (own, Attributes::new()),
    };
    let http = Http {
        timeout_ms,
        ca_certificate,
        ..draft.complete(table)
    };
    placeholders(table, &http);
    (http, attributes)
}

/// Reads what a file and a preset have in common.
pub(super) fn draft(table: &mut Table<'_, '_>) -> Draft {
    let plain = |value: &str| match value.contains(['{', '}']) {
        true => Err("must be plain text, without braces".to_owned()),
        false => check::not_empty(value),
    };
    Draft {
        url: table.checked("url", text(check::url)),
        settings: table.map("settings", |_, value: &String| plain(value)),
        secrets: table.map_of_tables("secrets", SECRET_FORMS, secret_value),
        oauth: table.table("oauth").map(oauth),
        authenticate: table
            .table("authenticate")
            .map(|table| (table.span(), request(table))),
        lookup: table
            .table("lookup")
            .map(|table| (table.span(), request(table))),
    }
}

impl Draft {
    /// A preset with a file laid over it. What is the preset's counts as written at `place`.
    fn overlaid(mut self, own: Self, place: Range<usize>) -> Self {
        for (span, _) in self.authenticate.iter_mut().chain(&mut self.lookup) {
            *span = place.clone();
        }
        self.settings.extend(own.settings);
        self.secrets.extend(own.secrets);
        let oauth = match (self.oauth, own.oauth) {
            (Some(base), Some(own)) => Some(OAuthDraft {
                url: own.url.or(base.url),
                client_id: own.client_id.or(base.client_id),
                client_secret: own.client_secret.or(base.client_secret),
                form: base.form.into_iter().chain(own.form).collect(),
            }),
            (_, own) => own,
        };
        // What the preset would look up with a token is left out where the file brings no credentials for one.
        let lookup = self
            .lookup
            .filter(|(_, request)| !request.oauth || oauth.is_some());
        Self {
            url: own.url.or(self.url),
            settings: self.settings,
            secrets: self.secrets,
            oauth,
            authenticate: own.authenticate.or(self.authenticate),
            lookup: own.lookup.or(lookup),
        }
    }

    /// The directory, with settings and URLs filled in.
    fn complete(self, table: &mut Table<'_, '_>) -> Http {
        let base = self.url.as_deref().map(|url| url.trim_end_matches('/'));
        let mut settings = self.settings;
        if let Some(base) = base {
            settings
                .entry("url".to_owned())
                .or_insert_with(|| base.to_owned());
        }
        let fill = Fill {
            base,
            settings: &settings,
        };
        let finished = |name: &str, (span, mut request): Placed| {
            if let Err(message) = fill.request(&mut request) {
                table.problem_at(span, format_args!("[directory.{name}] {message}"));
            }
            request
        };
        let authenticate = self
            .authenticate
            .map(|request| finished("authenticate", request));
        let lookup = self.lookup.map(|request| finished("lookup", request));
        if authenticate.is_none() {
            table.problem("`authenticate` is missing in [directory]; write it, or name a `preset`");
        }
        Http {
            oauth: self.oauth.map(|oauth| oauth.complete(&fill, table)),
            secrets: self.secrets,
            authenticate: authenticate.unwrap_or_else(no_request),
            lookup,
            timeout_ms: 0,
            ca_certificate: None,
        }
    }
}

impl OAuthDraft {
    fn complete(self, fill: &Fill<'_>, table: &Table<'_, '_>) -> OAuth {
        let mut url = self.url.unwrap_or_default();
        let mut form = self.form;
        let filled = fill
            .url(&mut url)
            .and_then(|()| form.values_mut().try_for_each(|value| fill.text(value)));
        if let Err(message) =
            filled.and_then(|()| check::url(&url).map_err(|message| format!("`url` {message}")))
        {
            table.problem(format_args!("[directory.oauth] {message}"));
        }
        let missing = |key| table.problem(format_args!("`{key}` is missing in [directory.oauth]"));
        OAuth {
            url,
            client_id: self.client_id.unwrap_or_else(|| {
                missing("client_id");
                String::new()
            }),
            client_secret: self.client_secret.unwrap_or_else(|| {
                missing("client_secret");
                Secret::Env(String::new())
            }),
            form,
        }
    }
}

/// Fills in what the file itself decides: the base URL and `{settings.KEY}`.
struct Fill<'a> {
    base: Option<&'a str>,
    settings: &'a BTreeMap<String, String>,
}

impl Fill<'_> {
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

fn no_request() -> Request {
    Request {
        method: Method::Post,
        url: String::new(),
        headers: BTreeMap::new(),
        basic: None,
        oauth: false,
        json: None,
        form: BTreeMap::new(),
        names: Names::Any,
        answers: Answers::default(),
        user: String::new(),
        claims: None,
    }
}

fn request(mut table: Table<'_, '_>) -> Request {
    table.require("ok");
    let request = Request {
        method: table.get("method").unwrap_or(Method::Post),
        url: table.required("url", text(check::not_empty)),
        headers: table.map("headers", |name, value: &String| header(name, value)),
        basic: table.table("basic").map(basic),
        oauth: table.get("oauth").unwrap_or_default(),
        json: table.get("json"),
        form: table.map("form", |_, value: &String| check::template(value)),
        names: table.get("names").unwrap_or_default(),
        answers: Answers {
            ok: table
                .checked("ok", |ok: &Vec<Condition>| some(ok))
                .unwrap_or_default(),
            not_found: table.get("not_found").unwrap_or_default(),
            wrong_password: table.get("wrong_password").unwrap_or_default(),
            not_eligible: table.get("not_eligible").unwrap_or_default(),
            refused: table.get("refused").unwrap_or_default(),
        },
        user: table
            .checked("user", text(check::pointer))
            .unwrap_or_default(),
        claims: table.checked("claims", text(check::pointer)),
    };
    if request.json.is_some() && !request.form.is_empty() {
        table.problem(format_args!(
            "{} has both `json` and `form`; a request has one body",
            table.place()
        ));
    }
    if request.method == Method::Get && (request.json.is_some() || !request.form.is_empty()) {
        table.problem(format_args!("{} is a GET and has no body", table.place()));
    }
    if request.claims.is_some() && !request.user.is_empty() {
        table.problem(format_args!(
            "{} has both `user` and `claims`; the user lies in one place",
            table.place()
        ));
    }
    let authorization = [
        (
            "a header field",
            request
                .headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case("authorization")),
        ),
        ("`basic`", request.basic.is_some()),
        ("`oauth`", request.oauth),
    ];
    let authorization = authorization
        .iter()
        .filter_map(|(name, there)| there.then_some(*name));
    let authorization: Vec<_> = authorization.collect();
    if authorization.len() > 1 {
        table.problem(format_args!(
            "{} has {} for its authorization; a request has one",
            table.place(),
            authorization.join(" and ")
        ));
    }
    let names = request.headers.keys().map(|name| name.to_ascii_lowercase());
    if names.collect::<BTreeSet<_>>().len() != request.headers.len() {
        table.problem(format_args!(
            "{} has the same header field twice",
            table.place()
        ));
    }
    table.finish();
    request
}

/// At least one condition: an answer that is never good migrates nobody.
fn some(conditions: &[Condition]) -> Result<(), String> {
    match conditions.is_empty() {
        true => Err("must have at least one status".to_owned()),
        false => Ok(()),
    }
}

fn header(name: &str, value: &str) -> Result<(), String> {
    ::http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header field")?;
    let taken = ["host", "content-length", "transfer-encoding", "connection"];
    if taken.iter().any(|taken| name.eq_ignore_ascii_case(taken)) {
        return Err("is set by the handler itself".to_owned());
    }
    check::template(value)
}

fn basic(mut table: Table<'_, '_>) -> Basic {
    let basic = Basic {
        username: table.required("username", text(check::template)),
        password: table.required("password", text(check::template)),
    };
    table.finish();
    basic
}

fn oauth(mut table: Table<'_, '_>) -> OAuthDraft {
    let oauth = OAuthDraft {
        url: table.checked("url", text(check::not_empty)),
        client_id: table.checked("client_id", text(check::not_empty)),
        client_secret: secret(&mut table, "client_secret"),
        form: table.map("form", |_, value: &String| settings_only(value)),
    };
    table.finish();
    oauth
}

/// A token is everybody's: there is nobody yet to fill in anything of.
fn settings_only(text: &str) -> Result<(), String> {
    let parts = template::parse(text).map_err(|error| error.to_string())?;
    let filled = |part: &Part| {
        matches!(
            part,
            Part::Text(_) | Part::Placeholder(Placeholder::Setting(_))
        )
    };
    match parts.iter().all(filled) {
        true => Ok(()),
        false => Err("may have no placeholder but {settings.KEY}".to_owned()),
    }
}

/// Checks what only the directory as a whole can tell: that every secret is named, and the password has its place.
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
        if request.oauth && http.oauth.is_none() {
            table.problem(format_args!(
                "[directory.{name}] has `oauth = true`: add the table [directory.oauth]"
            ));
        }
        if name == "authenticate"
            && !request.url.is_empty()
            && !used.contains(&Placeholder::Password)
        {
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
