//! Derives Cognito's attributes from the directory's user. Cognito rejects the whole user because of one malformed value, so a
//! value that cannot be made valid, or that the pool's schema does not allow, is left out.

use std::collections::BTreeMap;

use jane_migrate_config::{Date, Directory, HandlerSettings, Source, Username};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::escape::hex;

/// The attributes that Cognito stores; all values are texts.
pub type Attributes = BTreeMap<String, String>;

/// The longest value that Cognito accepts.
const LONGEST: usize = 2048;

/// The attributes of the directory's user, as the settings map them. `today` is counted as by [`Date::epoch_days`].
pub fn attributes(
    settings: &HandlerSettings,
    name: &str,
    user: &Map<String, Value>,
    today: i64,
) -> Attributes {
    let mut attributes = Attributes::new();
    for (attribute, source) in &settings.attributes {
        let value = Source::alternatives(source).find_map(|source| match source {
            Source::Field(field) => user.get(&field).and_then(text),
            Source::Pointer(pointer) => at(user, &pointer).and_then(text),
            Source::Literal(literal) => Some(literal),
            Source::Username => Some(name.to_owned()),
            Source::Uuid => Some(uuid(&settings.pool, name)),
        });
        let american = matches!(settings.directory, Directory::Jane(_));
        let value = value.and_then(|value| match attribute.as_str() {
            // Attributes are processed in alphabetical order, so the address already exists.
            "email_verified" | "phone_number_verified" => {
                let address = attributes.get(attribute.trim_end_matches("_verified"));
                let verified = is_verified(&value, today) || address == Some(&value);
                verified.then(|| "true".to_owned())
            }
            "phone_number" => phone_number(&value, american),
            "birthdate" => value.parse::<Date>().ok().map(|date| date.to_string()),
            "email" => value.contains('@').then_some(value),
            _ => Some(value),
        });
        let constraint = settings.constraints.get(attribute);
        let fits = |value: &String| match constraint {
            Some(constraint) => constraint.allows(value),
            None => value.chars().count() <= LONGEST,
        };
        if let Some(value) = value.filter(|value| !value.is_empty() && fits(value)) {
            attributes.insert(attribute.clone(), value);
        }
    }
    for (verified, address) in [
        ("email_verified", "email"),
        ("phone_number_verified", "phone_number"),
    ] {
        if !attributes.contains_key(address) {
            attributes.remove(verified);
        }
    }
    // The user proved only that they know the typed address's password. The directory may list another address, which may belong
    // to another person.
    if name.contains('@')
        && let Some(email) = attributes.get("email")
        && email.to_lowercase() != name.trim().to_lowercase()
    {
        attributes.remove("email_verified");
    }
    // A case-sensitive pool finds an alias only in the case in which it is stored, and its apps convert names to lower case.
    if settings.case_sensitive
        && settings.response.username == Username::Lowercase
        && let Some(email) = attributes.get_mut("email")
    {
        *email = email.to_lowercase();
    }
    if !typed_an_alias(settings, name, &attributes) {
        attributes.remove("username");
    }
    attributes
}

/// Whether the pool has aliases and the user signed in with one. Only then does Cognito accept a user name from the trigger.
fn typed_an_alias(settings: &HandlerSettings, name: &str, attributes: &Attributes) -> bool {
    let name = name.to_lowercase();
    settings.alias_attributes.iter().any(|alias| {
        let alias = attributes.get(alias);
        alias.is_some_and(|value| value.to_lowercase() == name)
    })
}

/// The value at a JSON pointer that starts in a map.
fn at<'a>(user: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = match pointer.strip_prefix('/')?.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer.strip_prefix('/')?, None),
    };
    let field = user.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => field.pointer(&format!("/{rest}")),
        None => Some(field),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a value says that an address is verified: a clear yes, or the day of the verification. Everything else means no,
/// because Cognito sends codes to verified addresses. Days up to 1970-01-01 and future days also mean no: databases and programs
/// write such days for "never".
fn is_verified(value: &str, today: i64) -> bool {
    let yes = matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1");
    let day = value.get(..10).and_then(|day| day.parse::<Date>().ok());
    yes || day.is_some_and(|day| (1..=today).contains(&day.epoch_days()))
}

/// A phone number in E.164 form. Jane writes numbers of the United States without their country code.
fn phone_number(written: &str, american: bool) -> Option<String> {
    let (international, rest) = match written.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, written),
    };
    if !rest
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')'))
    {
        return None;
    }
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        7..=15 if international && !digits.starts_with('0') => Some(format!("+{digits}")),
        10 if american && !international => Some(format!("+1{digits}")),
        11 if american && !international && digits.starts_with('1') => Some(format!("+{digits}")),
        _ => None,
    }
}

/// A UUID (version 8) made from the pool and the name, so that it is the same each time: Cognito may call three times for one
/// user.
fn uuid(pool: &str, name: &str) -> String {
    let hash = digest(&SHA256, format!("{pool}\0{name}").as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn(|index| hash.as_ref()[index]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::{Constraint, OldPool};
    use serde_json::json;

    use super::*;
    use crate::fixtures::settings;

    const NAME: &str = "ann@example.com";

    fn today() -> i64 {
        "2027-03-31".parse::<Date>().unwrap().epoch_days()
    }

    fn mapped(settings: &HandlerSettings, user: Value) -> Value {
        let user = user.as_object().cloned().unwrap();
        json!(attributes(settings, NAME, &user, today()))
    }

    /// The final value of one attribute.
    fn value(attribute: &str, value: Value) -> Option<String> {
        let settings = settings(&[(attribute, "x")]);
        let user = Map::from_iter([("x".into(), value)]);
        attributes(&settings, NAME, &user, today()).remove(attribute)
    }

    #[test]
    fn each_kind_of_source_is_mapped() {
        let settings = settings(&[
            ("name", "display | full_name"),
            ("custom:deep", "/a~1b/c~0d/0"),
            ("custom:top", "/top"),
            ("custom:shop", "=main"),
            ("nickname", "{username}"),
            ("custom:no_slash", "/"),
        ]);
        let user = json!({ "full_name": " Ann ", "a/b": { "c~d": [7] }, "top": true });
        assert_eq!(
            mapped(&settings, user),
            json!({
                "name": "Ann", "custom:deep": "7", "custom:top": "true", "custom:shop": "main", "nickname": NAME,
            })
        );
    }

    #[test]
    fn only_plain_values_become_texts() {
        assert_eq!(value("name", json!(1.5)).as_deref(), Some("1.5"));
        for none in [
            json!(null),
            json!(["a"]),
            json!({ "a": 1 }),
            json!(""),
            json!(" "),
        ] {
            assert_eq!(value("name", none.clone()), None, "{none}");
        }
    }

    #[test]
    fn a_value_that_is_too_long_or_breaks_its_constraint_is_left_out() {
        assert!(value("name", "ä".repeat(2048).into()).is_some());
        assert_eq!(value("name", "ä".repeat(2049).into()), None);
        let mut settings = settings(&[("custom:code", "code")]);
        settings.constraints = [("custom:code".to_owned(), Constraint::Length(2, 3))].into();
        for (code, fits) in [("a", false), ("ab", true), ("abc", true), ("abcd", false)] {
            let mapped = mapped(&settings, json!({ "code": code }));
            assert_eq!(mapped == json!({ "custom:code": code }), fits, "{code}");
        }
    }

    #[test]
    fn an_email_has_an_at_sign_and_a_birthdate_is_a_day() {
        assert_eq!(value("email", json!("ann")), None);
        assert_eq!(value("email", json!(NAME)).as_deref(), Some(NAME));
        assert_eq!(value("birthdate", json!("1990-02-30")), None);
        let day = value("birthdate", json!("1990-02-28"));
        assert_eq!(day.as_deref(), Some("1990-02-28"));
    }

    #[test]
    fn phone_numbers_are_written_in_e164() {
        for (written, expected) in [
            ("+1 (555) 010-0000", Some("+15550100000")),
            ("+49.151.0000", Some("+491510000")),
            ("+123456", None),
            ("+1234567", Some("+1234567")),
            ("+123456789012345", Some("+123456789012345")),
            ("+1234567890123456", None),
            ("+0234567890", None),
            ("+1 555 x", None),
            ("5550100000", Some("+15550100000")),
            ("15550100000", Some("+15550100000")),
            ("25550100000", None),
            ("555010000", None),
            ("555010000000", None),
            ("++15550100000", None),
        ] {
            assert_eq!(
                phone_number(written, true).as_deref(),
                expected,
                "{written}"
            );
        }
        for american in ["5550100000", "15550100000"] {
            assert_eq!(phone_number(american, false), None);
        }
        assert_eq!(
            value("phone_number", json!("5550100000")).as_deref(),
            Some("+15550100000")
        );
    }

    #[test]
    fn only_jane_leaves_the_country_code_out() {
        let mut settings = settings(&[("phone_number", "phone")]);
        settings.directory = Directory::Cognito(OldPool {
            pool_id: "us-east-1_Old".parse().expect("a pool id"),
            client_id: "c".into(),
            client_secret: None,
            region: "us-east-1".into(),
            role_arn: None,
            second_factor: Default::default(),
            external_id: None,
            timeout_ms: 1000,
        });
        assert_eq!(
            mapped(&settings, json!({ "phone": "5550100000" })),
            json!({})
        );
    }

    #[test]
    fn only_a_clear_yes_or_a_day_or_the_address_itself_verifies_an_address() {
        for (verified, expected) in [
            (json!(true), true),
            (json!("TRUE"), true),
            (json!("t"), true),
            (json!(1), true),
            (json!("2027-03-31"), true),
            (json!("1970-01-02"), true),
            (json!("2027-04-01"), false),
            (json!("9999-12-31T23:59:59Z"), false),
            (json!("1970-01-01 00:00:00"), false),
            (json!("0001-01-01T00:00:00"), false),
            (json!("0000-00-00"), false),
            (json!("2024-03-31T10:00:00Z"), true),
            (json!(NAME), true),
            (json!(false), false),
            (json!("yes"), false),
            (json!("2024-03-32"), false),
            (json!("other@example.com"), false),
            (json!("0"), false),
            (json!(0), false),
            (json!(1_711_879_200), false),
            (json!(1_711_879_200_000_i64), false),
        ] {
            let settings = settings(&[("email", "email"), ("email_verified", "verified")]);
            let user = json!({ "email": NAME, "verified": verified });
            let mapped = mapped(&settings, user);
            assert_eq!(mapped["email_verified"] == "true", expected, "{verified}");
            assert_eq!(mapped.get("email_verified").is_some(), expected);
        }
    }

    #[test]
    fn an_address_that_is_missing_is_not_verified() {
        let settings = settings(&[
            ("email", "email"),
            ("email_verified", "=true"),
            ("phone_number", "phone"),
            ("phone_number_verified", "=true"),
        ]);
        assert_eq!(
            mapped(&settings, json!({ "email": "none", "phone": "?" })),
            json!({})
        );
        let phone = json!({ "phone_number": "+15550100000", "phone_number_verified": "true" });
        assert_eq!(mapped(&settings, json!({ "phone": "+15550100000" })), phone);
    }

    #[test]
    fn an_email_that_differs_from_the_typed_one_in_more_than_case_is_not_verified() {
        let settings = settings(&[("email", "email"), ("email_verified", "=true")]);
        let verified = |typed: &str, email: &str| {
            let user = Map::from_iter([("email".to_owned(), json!(email))]);
            attributes(&settings, typed, &user, today()).contains_key("email_verified")
        };
        assert!(verified(NAME, NAME));
        assert!(verified(NAME, "Ann@Example.COM"));
        assert!(verified(" Ann@example.com ", NAME));
        assert!(!verified(NAME, "bob@example.com"));
        assert!(!verified(NAME, "ann@example.com.attacker.example"));
        assert!(verified("ann", NAME), "the user typed no address");
    }

    #[test]
    fn a_case_sensitive_pool_gets_the_email_in_lower_case() {
        let mut settings = settings(&[("email", "email")]);
        let user = || json!({ "email": "Ann@Example.com" });
        assert_eq!(mapped(&settings, user()), user());
        settings.case_sensitive = true;
        assert_eq!(mapped(&settings, user()), json!({ "email": NAME }));
        settings.response.username = Username::AsTyped;
        assert_eq!(mapped(&settings, user()), user());
    }

    #[test]
    fn a_user_name_is_set_only_for_users_who_typed_an_alias() {
        let mut settings = settings(&[("email", "email"), ("username", "{uuid}")]);
        let user = || json!({ "email": "Ann@Example.com" });
        assert_eq!(mapped(&settings, user()), user());
        settings.alias_attributes = vec!["email".into()];
        let mapped_name = mapped(&settings, user())["username"].clone();
        assert_eq!(mapped_name, "c87309c0-14ac-8bd6-910c-f2faa9de5e7b");
        assert_eq!(
            mapped(&settings, json!({ "email": "bob@example.com" })),
            json!({ "email": "bob@example.com" })
        );
    }
}
