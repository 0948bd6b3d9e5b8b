//! The directory's secrets: where they are kept, who may read them, and that none lies about in the function's environment.

use std::collections::BTreeSet;

use jane_migrate_config::{SETTINGS_VARIABLE, Secret};
use serde_json::Value;

use super::{Said, Wrong, check, holds, unless, wrong};
use crate::aws::signed::SecretPlace;
use crate::finding::Severity::Error;
use crate::ids::PoolArn;
use crate::verify::{Check, Evidence};

pub(super) const CHECKS: &[Check] = &[
    check(
        "env-secrets",
        Error,
        "no secret in plain text in the environment",
        env_secrets,
    ),
    check(
        "env-only",
        Error,
        "nothing else in the environment: no endpoint or proxy of anybody's",
        env_only,
    ),
    check(
        "env-kms",
        Error,
        "the configured key encrypts the environment",
        env_kms,
    ),
    check(
        "secret-exists",
        Error,
        "the directory's secrets are there, and stay there",
        secret_exists,
    ),
    check(
        "secret-encrypted",
        Error,
        "a key encrypts each of them",
        secret_encrypted,
    ),
    check(
        "secret-policy",
        Error,
        "no secret's own policy lets strangers read it",
        secret_policy,
    ),
];

/// The variables the function is meant to have.
fn expected(evidence: &Evidence<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::from([SETTINGS_VARIABLE.to_owned()]);
    let wanted = evidence.wanted.iter();
    for (_, secret) in wanted.flat_map(|config| config.secrets()) {
        if let Secret::Env(name) = secret {
            names.insert(name.clone());
        }
    }
    names
}

fn env_secrets<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let expected = expected(evidence);
    let environment = &evidence.function()?.function.environment;
    let mut suspects: Vec<Wrong> = environment
        .iter()
        .filter(|(name, value)| !expected.contains(*name) && is_secret(name, value.expose()))
        .map(|(name, _)| {
            wrong(
                "whoever may look at the function sees what looks like a secret",
                "secrets in Secrets Manager or SSM, by reference",
                format!("the variable {name} (its value is not shown)"),
                evidence.deploy(),
            )
        })
        .collect();
    let settings: Value = environment
        .get(SETTINGS_VARIABLE)
        .and_then(|settings| serde_json::from_str(settings.expose()).ok())
        .unwrap_or_default();
    let mut plain = Vec::new();
    plain_secrets("", &settings, &mut plain);
    suspects.extend(plain.into_iter().map(|member| {
        wrong(
            "whoever may look at the function sees what looks like a secret",
            "secrets in Secrets Manager or SSM, by reference",
            format!("{member} of the settings (its value is not shown)"),
            format!(
                "move it to [directory.secrets] and write {{secrets.NAME}} in its place, then run `{}`",
                evidence.deploy()
            ),
        )
    }));
    unless(suspects, "no secret in plain text in the environment")
}

fn env_only<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let expected = expected(evidence);
    let foreign = evidence
        .function()?
        .function
        .environment
        .iter()
        .filter(|(name, value)| !expected.contains(*name) && !is_secret(name, value.expose()))
        .map(|(name, _)| {
            wrong(
                "the function has a variable that deploy did not set; some redirect its calls or load other code",
                "the settings, and the secrets the configuration puts there",
                name,
                evidence.deploy(),
            )
        });
    unless(foreign.collect(), "nothing foreign in the environment")
}

fn env_kms<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.function()?.function.kms_key_arn.as_deref();
    let wanted = evidence.wanted()?.function.kms_key_arn.as_deref();
    let shown = |key: Option<&str>| key.unwrap_or("Lambda's own key").to_owned();
    if found == wanted {
        return holds(format!("the environment is encrypted by {}", shown(found)));
    }
    wrong(
        "another key than the configured one encrypts the environment",
        shown(wanted),
        shown(found),
        evidence.deploy(),
    )
    .into()
}

/// Words that names of secrets have in them.
const SECRET_WORDS: [&str; 10] = [
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PWD",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
];

fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() || value.starts_with("arn:") {
        return false;
    }
    if value.starts_with("https://") || value.starts_with("http://") {
        return has_user_info(value);
    }
    let name = name.to_ascii_uppercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || has_user_info(value)
        || value.contains("PRIVATE KEY-----")
        || is_random(value)
}

/// `scheme://user:password@host`.
fn has_user_info(value: &str) -> bool {
    let authority = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
}

/// Long, without a space, and of so many different characters that nobody made it up.
fn is_random(value: &str) -> bool {
    const LENGTH: usize = 20;
    const BITS: f64 = 4.0;
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    value.len() >= LENGTH
        && value.chars().all(word)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && bits_per_character(value) >= BITS
}

/// Shannon's entropy.
fn bits_per_character(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

/// Members of the settings whose name says secret and whose value is written out. Ids of clients are random too and no secrets,
/// so randomness alone says nothing here.
fn plain_secrets(pointer: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let pointer = match pointer {
                    "" => name.clone(),
                    _ => format!("{pointer}.{name}"),
                };
                plain_secrets(&pointer, value, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                plain_secrets(pointer, value, found);
            }
        }
        Value::String(text) => {
            let name = pointer.rsplit('.').next().unwrap_or_default();
            let name = name.to_ascii_uppercase().replace('-', "_");
            let named =
                name == "AUTHORIZATION" || SECRET_WORDS.iter().any(|word| name.contains(word));
            // What another service must fill in is a template; where a secret is kept is a member called `env` or `ssm`.
            let template = text.contains('{');
            if (named
                && !template
                && text.len() > 8
                && !text.contains(' ')
                && !text.starts_with("http"))
                || (name == "AUTHORIZATION" && !template)
                || has_user_info(text)
            {
                found.push(pointer.to_owned());
            }
        }
        _ => {}
    }
}

fn secret_exists<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mut missing = Vec::new();
    for kept in evidence.secrets.as_ref()? {
        match (kept.place.as_ref()?, &kept.secret) {
            (Some(SecretPlace { deleted: true, .. }), Secret::SecretsManager { arn, .. }) => {
                missing.push(wrong(
                    "a secret of the directory is being deleted, and nobody is migrated without it",
                    kept.secret.to_string(),
                    "scheduled for deletion",
                    format!("aws secretsmanager restore-secret --secret-id {arn}"),
                ));
            }
            (Some(_), _) => {}
            (None, secret) => missing.push(wrong(
                "a secret of the directory is not there, and nobody is migrated without it",
                secret.to_string(),
                "nothing",
                format!(
                    "create it, or name another in [directory] and run `{}`",
                    evidence.deploy()
                ),
            )),
        }
    }
    unless(
        missing,
        match evidence.secrets.as_ref()?.len() {
            0 => "no service keeps a secret of the directory".to_owned(),
            n => format!("{n} secret(s) of the directory are there"),
        },
    )
}

fn secret_encrypted<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mut plain = Vec::new();
    for kept in evidence.secrets.as_ref()? {
        if kept
            .place
            .as_ref()?
            .as_ref()
            .is_some_and(|place| !place.encrypted)
        {
            plain.push(wrong(
                "a secret of the directory is kept in plain text",
                "a SecureString",
                format!("{} is a String", kept.secret),
                format!(
                    "keep it under another name as a SecureString (the type of a parameter cannot change), name that in [directory], run `{}`, and delete this one",
                    evidence.deploy()
                ),
            ));
        }
    }
    unless(plain, "no secret of the directory is kept in plain text")
}

fn secret_policy<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mut open = Vec::new();
    for kept in evidence.secrets.as_ref()? {
        let Secret::SecretsManager { arn, .. } = &kept.secret else {
            continue;
        };
        let statements = match &kept.policy.as_ref()?["Statement"] {
            Value::Array(statements) => statements.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        open.extend(
            statements
                .iter()
                .filter(|statement| lets_strangers_in(statement, &evidence.names.pool))
                .map(|statement| {
                    wrong(
                        "a secret of the directory may be read by others than this account",
                        "no policy of its own, or one for this account alone",
                        statement.to_string(),
                        format!("aws secretsmanager delete-resource-policy --secret-id {arn}"),
                    )
                }),
        );
    }
    unless(open, "no secret's policy lets strangers in")
}

/// Whether a statement allows anybody outside the pool's account. A service may be let in: it acts for the account.
fn lets_strangers_in(statement: &Value, pool: &PoolArn) -> bool {
    if statement["Effect"] == "Deny" {
        return false;
    }
    let ours = |principal: &str| {
        principal == pool.account || principal.split(':').nth(4) == Some(pool.account.as_str())
    };
    let principals = match &statement["Principal"] {
        Value::Object(kinds) => kinds
            .get("AWS")
            .cloned()
            .unwrap_or(Value::Array(Vec::new())),
        other => other.clone(),
    };
    match principals {
        Value::String(one) => !ours(&one),
        Value::Array(many) => many
            .iter()
            .any(|principal| !principal.as_str().is_some_and(ours)),
        // Everybody but some.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_show_by_name_by_address_and_by_chance() {
        for (name, value) in [
            ("DB_PASSWORD", "x"),
            ("stripe-api-key", "x"),
            ("DSN", "postgres://ann:hunter2@db/accounts"),
            ("WHATEVER", "c2VjcmV0LXZhbHVlLTEyMzQ1Njc4OTA="),
            ("PEM", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("TZ", "Europe/Berlin"),
            ("DIRECTORY", "https://directory.example/accounts"),
            (
                "DB_PASSWORD",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf",
            ),
            (
                "GREETING",
                "a long sentence with 12 words is no secret at all",
            ),
            ("TOKEN", ""),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn settings_may_name_secrets_and_not_hold_them() {
        let mut found = Vec::new();
        let settings = json!({ "directory": { "http": {
            "secrets": { "key": { "env": "DIRECTORY_KEY" }, "token": { "ssm": "/directory/token" } },
            "oauth": { "client_id": "a8f5f167f44f4964e6c998dee827110c", "client_secret": { "ssm": "/x" } },
            "authenticate": { "headers": {
                "authorization": "Bearer {secrets.key}", "x-api-key": "a8f5f167f44f4964e6c998dee827110c",
            }, "json": { "password": "{password}" } },
            "lookup": { "headers": { "authorization": "Basic YWRtaW46aHVudGVyMg==" } },
        }}});
        plain_secrets("", &settings, &mut found);
        assert_eq!(
            found,
            [
                "directory.http.authenticate.headers.x-api-key",
                "directory.http.lookup.headers.authorization"
            ]
        );
    }

    #[test]
    fn a_secret_is_for_its_own_account() {
        let pool: PoolArn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
            .parse()
            .unwrap();
        for (principal, stranger) in [
            (json!("*"), true),
            (json!({ "AWS": "*" }), true),
            (json!({ "AWS": "arn:aws:iam::210987654321:root" }), true),
            (
                json!({ "AWS": ["arn:aws:iam::123456789012:role/r", "210987654321"] }),
                true,
            ),
            (Value::Null, true),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/r" }), false),
            (json!({ "AWS": "123456789012" }), false),
            (json!({ "Service": "rds.amazonaws.com" }), false),
        ] {
            let statement = json!({ "Effect": "Allow", "Principal": principal });
            assert_eq!(
                lets_strangers_in(&statement, &pool),
                stranger,
                "{statement}"
            );
        }
        let deny = json!({ "Effect": "Deny", "Principal": "*" });
        assert!(!lets_strangers_in(&deny, &pool));
    }
}
