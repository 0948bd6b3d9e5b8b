//! From the directory's user to Cognito's attributes. Cognito refuses the whole user for one malformed value, so a value
//! that cannot be made valid, or that the pool's schema does not take, is left out.

use std::collections::BTreeMap;

use jane_migrate_config::{Date, Directory, HandlerSettings, Source, Username};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::escape::hex;

/// What Cognito stores of a user: the values are texts, without exception.
pub type Attributes = BTreeMap<String, String>;

/// The longest value Cognito takes.
const LONGEST: usize = 2048;

/// The attributes of the directory's user, as the settings map them.
pub fn attributes(settings: &HandlerSettings, name: &str, user: &Map<String, Value>) -> Attributes {
    let mut attributes = Attributes::new();
    for (attribute, source) in &settings.attributes {
        let value = Source::alternatives(source).find_map(|source| match source {
            Source::Field(field) => user.get(&field).and_then(text),
            Source::Pointer(pointer) => at(user, &pointer).and_then(text),
            Source::Literal(literal) => Some(literal),
            Source::Username => Some(name.to_owned()),
            Source::Uuid => Some(uuid(&settings.pool, name)),
        });
        let value =
            value.and_then(|value| valid(attribute, value, &settings.directory, &attributes));
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
    // Such a pool finds an alias only as it is written, and the apps of one lower what is typed.
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

/// Cognito takes a user name from the trigger only where people sign in with an alias and this one did.
fn typed_an_alias(settings: &HandlerSettings, name: &str, attributes: &Attributes) -> bool {
    let name = name.to_lowercase();
    settings.alias_attributes.iter().any(|alias| {
        let alias = attributes.get(alias);
        alias.is_some_and(|value| value.to_lowercase() == name)
    })
}

fn at<'a>(user: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = match pointer.strip_prefix('/')?.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer.strip_prefix('/')?, None),
    };
    let member = user.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => member.pointer(&format!("/{rest}")),
        None => Some(member),
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

fn valid(
    attribute: &str,
    value: String,
    directory: &Directory,
    before: &Attributes,
) -> Option<String> {
    match attribute {
        "phone_number" => phone_number(&value, matches!(directory, Directory::Jane(_))),
        "birthdate" => value.parse::<Date>().ok().map(|date| date.to_string()),
        // Anything but a clear yes is no: a code would be sent to an address nobody vouches for.
        // Some directories keep the day on which an address was verified, some the verified address itself, which comes
        // before this in the alphabet.
        "email_verified" | "phone_number_verified" => {
            let address = before.get(attribute.trim_end_matches("_verified"));
            let since = value
                .get(..10)
                .is_some_and(|day| day.parse::<Date>().is_ok());
            let yes = matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1");
            (since || yes || address == Some(&value)).then(|| "true".to_owned())
        }
        "email" => value.contains('@').then_some(value),
        _ => Some(value),
    }
}

/// A phone number in E.164; Jane writes those of the United States without their country code.
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

/// An id in the form of a UUID (version 8), made from the pool and the name: Cognito may ask three times for one user.
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
