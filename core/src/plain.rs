//! Recognises secrets in plain text: by name, by position, by randomness. Pure; `suitability` checks the configuration with it,
//! `verify` the deployment.

use serde_json::Value;

/// Words in the names of secrets.
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

/// Last words of names that are about a secret, but are none.
const ABOUT: [&str; 10] = [
    "_COLUMN",
    "_FIELD",
    "_HINT",
    "_ID",
    "_NAME",
    "_TYPE",
    "_URI",
    "_URL",
    "FORGOT_PASSWORD",
    "PUBLIC_KEY",
];

/// Whether a variable is a secret.
pub fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() || value.starts_with("arn:") {
        return false;
    }
    if is_url(value) {
        return has_user_info(value) || has_secret_query(value);
    }
    is_telling(name)
        || has_user_info(value)
        || value.contains("PRIVATE KEY-----")
        || is_random(value)
}

/// Upper case, with `_` between words: one spelling for variables, header fields and JSON keys.
fn spelt(name: &str) -> String {
    let mut spelt = String::new();
    let mut low = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && low {
            spelt.push('_');
        }
        low = c.is_ascii_lowercase();
        spelt.push(if c == '-' {
            '_'
        } else {
            c.to_ascii_uppercase()
        });
    }
    spelt
}

/// Whether the name says that its value is a secret.
fn is_telling(name: &str) -> bool {
    let name = spelt(name);
    let secret = name == "AUTHORIZATION"
        || name.ends_with("_KEY")
        || SECRET_WORDS.iter().any(|word| name.contains(word));
    secret && !ABOUT.iter().any(|about| name.ends_with(about))
}

fn is_url(value: &str) -> bool {
    value.starts_with("https://") || value.starts_with("http://")
}

/// `?api_key=...`. A value that another service fills in is a template, and no secret.
fn has_secret_query(url: &str) -> bool {
    let query = url.split('#').next().unwrap_or_default();
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.any(|(name, value)| is_written_out(name, value))
}

/// Whether a value in a request is a secret. Ids are random too, but no secrets.
fn is_written_out(name: &str, value: &str) -> bool {
    let id = spelt(name);
    let id = id == "ID" || id.ends_with("_ID");
    !value.is_empty()
        && !value.contains('{')
        && (is_telling(name) || (!id && (is_random(value) || is_digest(value))))
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

/// Long, without a space, and with too many different characters to be written by a person.
fn is_random(value: &str) -> bool {
    const LENGTH: usize = 20;
    const BITS: f64 = 4.0;
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    value.len() >= LENGTH
        && value.chars().all(word)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && bits_per_character(value) >= BITS
}

/// As many hexadecimal digits as a key has.
fn is_digest(value: &str) -> bool {
    const LENGTH: usize = 32;
    value.len() >= LENGTH && value.bytes().all(|byte| byte.is_ascii_hexdigit())
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

/// The directory's settings that look like secrets in plain text. Values in a request are also judged by randomness; elsewhere
/// only the name counts.
pub fn members(pointer: &str, settings: &Value) -> Vec<String> {
    let mut found = Vec::new();
    search(pointer, settings, false, &mut found);
    found
}

/// The parts of a request that contain what its service needs.
const CARRIED: [&str; 3] = ["headers", "form", "json"];

fn search(pointer: &str, value: &Value, carried: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let pointer = match pointer {
                    "" => name.clone(),
                    _ => format!("{pointer}.{name}"),
                };
                let carried = carried || CARRIED.contains(&name.as_str());
                search(&pointer, value, carried, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                search(pointer, value, carried, found);
            }
        }
        Value::String(text) => {
            let name = pointer.rsplit('.').next().unwrap_or_default();
            let written_out = match (is_url(text), carried) {
                (true, _) => has_secret_query(text),
                (false, true) => is_written_out(name, text),
                (false, false) => is_telling(name) && !text.is_empty() && !text.contains('{'),
            };
            if written_out || has_user_info(text) {
                found.push(pointer.to_owned());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_recognised_by_name_url_and_randomness() {
        for (name, value) in [
            ("DB_PASSWORD", "x"),
            ("stripe-api-key", "x"),
            ("DSN", "postgres://ann:hunter2@db/accounts"),
            ("WHATEVER", "c2VjcmV0LXZhbHVlLTEyMzQ1Njc4OTA="),
            ("PEM", "-----BEGIN PRIVATE KEY-----"),
            (
                "LINK",
                "https://directory.example/?key=0123456789abcdef0123456789abcdef",
            ),
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
            ("SENTENCE", "The_quick_brown_fox_jumps_over_lazy_dogs"),
            ("SHORT", "c2VjcmV0LTE"),
            (
                "LINK",
                "https://directory.example/?v=0123abcd&shop=an-ordinary-name-of-forty-characters-1",
            ),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn settings_may_name_secrets_but_not_contain_them() {
        let settings = json!({ "directory": { "http": {
            "secrets": { "key": { "env": "DIRECTORY_KEY" }, "token": { "ssm": "/directory/token" } },
            "oauth": { "client_id": "a8f5f167f44f4964e6c998dee827110c", "client_secret": { "ssm": "/x" } },
            "authenticate": { "headers": {
                "authorization": "Bearer {secrets.key}", "x-api-key": "a8f5f167f44f4964e6c998dee827110c",
            }, "json": { "password": "{password}" } },
            "lookup": { "headers": { "authorization": "Basic YWRtaW46aHVudGVyMg==" } },
        }}});
        assert_eq!(
            members("", &settings),
            [
                "directory.http.authenticate.headers.x-api-key",
                "directory.http.lookup.headers.authorization"
            ]
        );
    }

    #[test]
    fn a_literal_secret_in_a_request_is_found() {
        const KEY: &str = "a8f5f167f44f4964e6c998dee827110c";
        const AZURE: &str = "vN3xQ9s_T0kUe7mYc2aHZr5LpWbD8gJfXiOqAzFu1Kh4AzFuVq0Tmg==";
        let found = |settings: Value| members("", &settings);
        for secret in [
            json!({ "url": format!("https://directory.example/check?api_key={KEY}") }),
            json!({ "url": format!("https://directory.example/check?format=json&code={AZURE}") }),
            json!({ "headers": { "x-functions-key": AZURE } }),
            json!({ "headers": { "x-api-key": "hunter2" } }),
            json!({ "headers": { "x-shop": KEY } }),
            json!({ "form": { "client_secret": "correct horse battery staple" } }),
            json!({ "json": { "app": { "clientSecret": "s" } } }),
            json!({ "basic": { "username": "app", "password": "hunter2" } }),
        ] {
            assert_eq!(found(secret.clone()).len(), 1, "{secret}");
        }
        for fine in [
            json!({ "url": "https://directory.example/check?email={username}&api-version=2024-01-01" }),
            json!({ "headers": { "accept": "application/json", "x-api-key": "{secrets.key}" } }),
            json!({ "form": { "client_id": KEY, "grant_type": "password", "scope": "openid profile email" } }),
            json!({ "form": { "token_type_hint": "access_token", "password": "{password}" } }),
            json!({ "json": { "clientId": AZURE, "returnSecureToken": true } }),
            json!({ "password_column": "encrypted_password", "user": "reader" }),
            json!({ "response": { "forgot_password": "sso-only" } }),
            json!({ "answers": { "wrong_password": [{ "equals": "INVALID_PASSWORD" }] } }),
        ] {
            assert!(found(fine.clone()).is_empty(), "{fine}");
        }
    }
}
