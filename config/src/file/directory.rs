//! Reading `[directory]`, for each of its kinds.

use std::collections::BTreeMap;

use super::{
    check,
    table::{Table, listed, nearest},
};
use crate::{
    Answers, Basic, Directory, Firebase, HashFormat, Http, Jane, Method, OAuth, OldPool, Postgres,
    Request, Secret,
    template::{self, Part, Placeholder},
};

/// How long one sign-in may wait, unless the file says otherwise; the trigger as a whole has 5 s.
const TIMEOUT_MS: u64 = 3500;

const KINDS: [&str; 4] = ["jane", "http", "cognito", "postgres"];

/// The attributes a directory maps by itself.
type Attributes = BTreeMap<String, String>;

/// What Jane's users have. Jane knows them by their email, which it vouches for.
const JANE_ATTRIBUTES: [(&str, &str); 6] = [
    ("email", "{username}"),
    ("email_verified", "=true"),
    ("given_name", "first_name"),
    ("family_name", "last_name"),
    ("phone_number", "phone"),
    ("birthdate", "birth_date"),
];

/// Reads the table; nothing where its kind is not known.
pub(super) fn directory(mut table: Table<'_, '_>) -> Option<(Directory, Attributes)> {
    let known = |kind: &String| match KINDS.contains(&kind.as_str()) {
        true => Ok(()),
        false => {
            let hint = nearest(kind, KINDS.into_iter())
                .map(|nearest| format!("; did you mean `{nearest}`?"));
            Err(format!(
                "must be one of {}{}",
                listed(&KINDS),
                hint.unwrap_or_default()
            ))
        }
    };
    let kind = table.required("kind", known);
    let mut attributes = Attributes::new();
    let directory = match kind.as_str() {
        "jane" => {
            attributes
                .extend(JANE_ATTRIBUTES.map(|(name, source)| (name.to_owned(), source.to_owned())));
            Directory::Jane(jane(&mut table))
        }
        "http" => Directory::Http(Box::new(http(&mut table))),
        "cognito" => {
            let carried = check::ATTRIBUTES
                .into_iter()
                .filter(|name| *name != "username");
            attributes.extend(carried.map(|name| (name.to_owned(), name.to_owned())));
            Directory::Cognito(old_pool(&mut table))
        }
        "postgres" => Directory::Postgres(Box::new(postgres(&mut table))),
        _ => return None,
    };
    table.finish();
    Some((directory, attributes))
}

fn text(check: impl Fn(&str) -> Result<(), String>) -> impl Fn(&String) -> Result<(), String> {
    move |value| check(value)
}

fn timeout(table: &mut Table<'_, '_>) -> u64 {
    table
        .integer("timeout_ms", 100..=4500)
        .unwrap_or(TIMEOUT_MS)
}

fn ca_certificate(table: &mut Table<'_, '_>) -> Option<String> {
    table.checked("ca_certificate", text(check::pem))
}

fn jane(table: &mut Table<'_, '_>) -> Jane {
    Jane {
        url: table
            .checked("url", text(check::url))
            .unwrap_or_else(|| "https://api.iheartjane.com".to_owned()),
        client_id: table.required("client_id", text(check::not_empty)),
        client_secret: required_secret(table, "client_secret"),
        timeout_ms: timeout(table),
        ca_certificate: ca_certificate(table),
    }
}

fn old_pool(table: &mut Table<'_, '_>) -> OldPool {
    let pool_id = table.required("pool_id", text(check::pool_id));
    let region = pool_id.split('_').next().unwrap_or_default().to_owned();
    let role = |arn: &str| {
        check::arn(
            arn,
            "iam",
            "role/",
            "arn:aws:iam::123456789012:role/read-old-pool",
        )
    };
    let pool = OldPool {
        client_id: table.required("client_id", text(check::client_id)),
        client_secret: secret(table, "client_secret"),
        region: table
            .checked("region", text(check::region))
            .unwrap_or(region),
        role_arn: table.checked("role_arn", text(role)),
        external_id: table.checked("external_id", text(check::not_empty)),
        timeout_ms: timeout(table),
        pool_id,
    };
    if pool.external_id.is_some() && pool.role_arn.is_none() {
        table.problem("`external_id` in [directory] has no effect without `role_arn`");
    }
    pool
}

fn postgres(table: &mut Table<'_, '_>) -> Postgres {
    table.require("hash");
    let postgres = Postgres {
        host: table.required("host", text(check::host)),
        port: table.integer("port", 1..=65_535).unwrap_or(5432),
        database: table.required("database", text(check::not_empty)),
        user: table.required("user", text(check::not_empty)),
        password: required_secret(table, "password"),
        query: table.required("query", text(query)),
        password_column: table.required("password_column", text(check::not_empty)),
        hash: table.get("hash").unwrap_or(HashFormat::Bcrypt),
        decoy: table.checked("decoy", text(check::not_empty)),
        firebase: table.table("firebase").map(firebase),
        timeout_ms: timeout(table),
        ca_certificate: ca_certificate(table),
    };
    if (postgres.hash == HashFormat::Firebase) != postgres.firebase.is_some() {
        table.problem("`hash = \"firebase\"` and the table [directory.firebase] need each other");
    }
    postgres
}

/// The handler runs the query in a read-only transaction; this only catches what cannot have been meant.
fn query(query: &str) -> Result<(), String> {
    let first = query
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !matches!(first.as_str(), "select" | "with") {
        return Err("must be a SELECT".to_owned());
    }
    if !query.contains("$1") {
        return Err("must use $1, which is the user name".to_owned());
    }
    if query.trim_end().trim_end_matches(';').contains(';') {
        return Err("must be one statement".to_owned());
    }
    Ok(())
}

fn firebase(mut table: Table<'_, '_>) -> Firebase {
    let firebase = Firebase {
        signer_key: required_secret(&mut table, "signer_key"),
        salt_separator: table.required("salt_separator", text(check::not_empty)),
        rounds: table.integer("rounds", 1..=8).unwrap_or(8),
        mem_cost: table.integer("mem_cost", 1..=14).unwrap_or(14),
        salt_column: table.required("salt_column", text(check::not_empty)),
    };
    table.finish();
    firebase
}

fn http(table: &mut Table<'_, '_>) -> Http {
    let url = table.checked("url", text(check::url));
    table.require("authenticate");
    let authenticate = table
        .table("authenticate")
        .map(|request| self::request(request, url.as_deref()));
    let lookup = table
        .table("lookup")
        .map(|request| self::request(request, url.as_deref()));
    let http = Http {
        settings: table.map("settings", |_, value: &String| check::not_empty(value)),
        secrets: table.map_of_tables("secrets", SECRET_FORMS, secret_value),
        oauth: table.table("oauth").map(oauth),
        authenticate: authenticate.unwrap_or_else(no_request),
        lookup,
        timeout_ms: timeout(table),
        ca_certificate: ca_certificate(table),
        url,
    };
    placeholders(table, &http);
    http
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
        answers: Answers::default(),
        user: String::new(),
        claims: None,
    }
}

fn request(mut table: Table<'_, '_>, base: Option<&str>) -> Request {
    table.require("ok");
    let request = Request {
        method: table.get("method").unwrap_or(Method::Post),
        url: table.required("url", text(|url| check::url_template(url, base))),
        headers: table.map("headers", |name, value: &String| header(name, value)),
        basic: table.table("basic").map(basic),
        oauth: table.get("oauth").unwrap_or_default(),
        json: table.get("json"),
        form: table.map("form", |_, value: &String| check::template(value)),
        answers: Answers {
            ok: table.get("ok").unwrap_or_default(),
            not_found: table.get("not_found").unwrap_or_default(),
            wrong_password: table.get("wrong_password").unwrap_or_default(),
            not_eligible: table.get("not_eligible").unwrap_or_default(),
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
    table.finish();
    request
}

fn header(name: &str, value: &str) -> Result<(), String> {
    http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header field")?;
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

fn oauth(mut table: Table<'_, '_>) -> OAuth {
    let oauth = OAuth {
        url: table.required("url", text(check::url)),
        client_id: table.required("client_id", text(check::not_empty)),
        client_secret: required_secret(&mut table, "client_secret"),
        form: table.map("form", |_, _: &String| Ok(())),
    };
    table.finish();
    oauth
}

/// Checks what only the directory as a whole can tell: that every placeholder has its value, and the password its place.
fn placeholders(table: &Table<'_, '_>, http: &Http) {
    for (name, request) in http.requests() {
        let used = used(request);
        for placeholder in &used {
            match placeholder {
                Placeholder::Setting(key) if !http.settings.contains_key(key) => table
                    .problem(format_args!("{{settings.{key}}} is used: add `{key} = \"...\"` under [directory.settings]")),
                Placeholder::Secret(key) if !http.secrets.contains_key(key) => table.problem(format_args!(
                    "{{secrets.{key}}} is used: add `{key} = {{ secretsmanager = \"arn:...\" }}` under [directory.secrets]"
                )),
                _ => {}
            }
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

fn strings<'a>(json: &'a serde_json::Value, into: &mut Vec<&'a str>) {
    match json {
        serde_json::Value::String(text) => into.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        serde_json::Value::Object(members) => {
            members.values().for_each(|member| strings(member, into))
        }
        _ => {}
    }
}

fn required_secret(table: &mut Table<'_, '_>, key: &'static str) -> Secret {
    table.require(key);
    secret(table, key).unwrap_or_else(|| Secret::Env(String::new()))
}

fn secret(table: &mut Table<'_, '_>, key: &'static str) -> Option<Secret> {
    table.table_or(key, SECRET_FORMS).map(secret_value)
}

/// Read by hand: serde's message would quote a password that was written here by mistake.
fn secret_value(mut table: Table<'_, '_>) -> Secret {
    let named = ["secretsmanager", "ssm", "env"]
        .into_iter()
        .filter(|key| table.has(key))
        .count();
    if named != 1 || (table.has("key") && !table.has("secretsmanager")) {
        table.problem(SECRET_FORMS);
    }
    let example = "arn:aws:secretsmanager:us-east-1:123456789012:secret:jane-AbCdEf";
    let arn = table.checked(
        "secretsmanager",
        text(|arn| check::arn(arn, "secretsmanager", "secret:", example)),
    );
    let key = table.checked("key", text(check::not_empty));
    let ssm = table.checked("ssm", text(check::parameter));
    let env = table.checked("env", text(check::variable));
    table.finish();
    match (arn, ssm) {
        (Some(arn), _) => Secret::SecretsManager { arn, key },
        (None, Some(name)) => Secret::Ssm(name),
        (None, None) => Secret::Env(env.unwrap_or_default()),
    }
}

const SECRET_FORMS: &str = "a secret is named, never written: { secretsmanager = \"arn:...\" } (with `key` for one key \
     of a JSON secret), { ssm = \"/path\" } or { env = \"NAME\" }";
