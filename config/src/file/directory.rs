//! Reading `[directory]`, for each of its kinds.

use std::collections::BTreeMap;

use super::{
    check, http,
    table::{Table, listed, nearest},
};
use crate::{Arn, Directory, Firebase, HashFormat, Jane, OldPool, PoolId, Postgres, Secret};

/// How long one sign-in may wait, unless the file says otherwise; the trigger as a whole has 5 s.
const TIMEOUT_MS: u64 = 3500;

const KINDS: [&str; 4] = ["jane", "http", "cognito", "postgres"];

/// The attributes a directory maps by itself.
pub(super) type Attributes = BTreeMap<String, String>;

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
            Some(Directory::Jane(jane(&mut table)))
        }
        "http" => {
            let (http, brought) = http::http(&mut table);
            attributes.extend(brought);
            Some(Directory::Http(Box::new(http)))
        }
        "cognito" => {
            let carried = check::ATTRIBUTES
                .into_iter()
                .filter(|name| *name != "username");
            attributes.extend(carried.map(|name| (name.to_owned(), name.to_owned())));
            old_pool(&mut table).map(Directory::Cognito)
        }
        "postgres" => Some(Directory::Postgres(Box::new(postgres(&mut table)))),
        _ => return None,
    };
    table.finish();
    Some((directory?, attributes))
}

/// A check of a text, for values that are read as `String`.
pub(super) fn text(
    check: impl Fn(&str) -> Result<(), String>,
) -> impl Fn(&String) -> Result<(), String> {
    move |value| check(value)
}

pub(super) fn timeout(table: &mut Table<'_, '_>) -> u64 {
    table
        .integer("timeout_ms", 100..=4500)
        .unwrap_or(TIMEOUT_MS)
}

pub(super) fn ca_certificate(table: &mut Table<'_, '_>) -> Option<String> {
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

fn old_pool(table: &mut Table<'_, '_>) -> Option<OldPool> {
    table.require("pool_id");
    let pool_id: Option<PoolId> = table
        .checked("pool_id", text(check::pool_id))
        .and_then(|id| id.parse().ok());
    let of_id = pool_id.as_ref().and_then(PoolId::region).map(str::to_owned);
    if pool_id.is_some() && of_id.is_none() {
        table.require("region");
    }
    let role = |arn: &str| {
        check::arn(
            arn,
            "iam",
            "role/",
            "arn:aws:iam::123456789012:role/read-old-pool",
        )
    };
    if table.has("external_id") && !table.has("role_arn") {
        table.problem("`external_id` in [directory] has no effect without `role_arn`");
    }
    let pool = OldPool {
        client_id: table.required("client_id", text(check::client_id)),
        client_secret: secret(table, "client_secret"),
        region: table
            .checked("region", text(check::region))
            .or(of_id)
            .unwrap_or_default(),
        role_arn: table.checked("role_arn", text(role)),
        external_id: table.checked("external_id", text(check::not_empty)),
        timeout_ms: timeout(table),
        pool_id: pool_id?,
    };
    Some(pool)
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

fn required_secret(table: &mut Table<'_, '_>, key: &'static str) -> Secret {
    table.require(key);
    secret(table, key).unwrap_or_else(|| Secret::Env(String::new()))
}

pub(super) fn secret(table: &mut Table<'_, '_>, key: &'static str) -> Option<Secret> {
    table.table_or(key, SECRET_FORMS).map(secret_value)
}

/// Read by hand: serde's message would quote a password that was written here by mistake.
pub(super) fn secret_value(mut table: Table<'_, '_>) -> Secret {
    let named = ["secretsmanager", "ssm", "env"]
        .into_iter()
        .filter(|key| table.has(key))
        .count();
    let key_of_none = table.has("key") && !table.has("secretsmanager");
    if named != 1 || key_of_none || (table.has("kms_key") && table.has("env")) {
        table.problem(SECRET_FORMS);
    }
    let example = "arn:aws:secretsmanager:us-east-1:123456789012:secret:jane-AbCdEf";
    let arn = table
        .checked(
            "secretsmanager",
            text(|arn| check::arn(arn, "secretsmanager", "secret:", example)),
        )
        .and_then(|arn| arn.parse::<Arn>().ok());
    let key = table.checked("key", text(check::not_empty));
    let ssm = table.checked("ssm", text(check::parameter));
    let kms_key = table.checked("kms_key", text(check::kms_key));
    let env = table.checked("env", text(check::variable));
    table.finish();
    match (arn, ssm) {
        (Some(arn), _) => Secret::SecretsManager { arn, key, kms_key },
        (None, Some(name)) => Secret::Ssm { name, kms_key },
        (None, None) => Secret::Env(env.unwrap_or_default()),
    }
}

/// What a secret must look like.
pub(super) const SECRET_FORMS: &str = "a secret is named, never written: { secretsmanager = \"arn:...\" } (with `key` for one key \
     of a JSON secret), { ssm = \"/path\" } (both with `kms_key` for a key of your own) or { env = \"NAME\" }";
