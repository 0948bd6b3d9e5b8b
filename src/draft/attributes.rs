//! The lines of `[attributes]` for a pool's schema, matched with the directory's fields.

use std::collections::BTreeMap;

use jane_migrate_config::PoolFacts;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The pool's attribute.
    pub attribute: String,
    /// Where its value comes from. `None` if only the operator can know: the line is then a comment.
    pub source: Option<String>,
    /// A comment for this line.
    pub why: Option<&'static str>,
}

/// Other names of Cognito's standard attributes, the most likely first.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("birthdate", &["birth_date", "date_of_birth", "dob"]),
    ("email", &["mail", "login"]),
    (
        "email_verified",
        &["verified", "confirmed", "confirmed_at", "email_confirmed"],
    ),
    ("family_name", &["last_name", "surname", "sn"]),
    ("given_name", &["first_name"]),
    ("name", &["full_name", "display_name", "cn", "first_name"]),
    ("nickname", &["display_name", "first_name"]),
    (
        "phone_number",
        &["phone", "mobile", "mobile_phone", "telephone_number"],
    ),
    ("picture", &["avatar", "avatar_url", "photo"]),
    ("preferred_username", &["username", "user_name", "login"]),
    ("zoneinfo", &["timezone", "time_zone"]),
];

/// Usual names for a user's id in an older system.
const OLD_IDS: &[&str] = &[
    "id",
    "legacyid",
    "oldid",
    "externalid",
    "userid",
    "customerid",
];

/// The lines for this pool. `mapped` is the directory's default mapping, `fields` the fields of its users. A directory without
/// a default mapping also gets a line for each usual attribute.
pub fn propose(
    pool: &PoolFacts,
    mapped: &Option<BTreeMap<String, String>>,
    fields: &[String],
) -> Vec<Proposal> {
    const USUAL: [&str; 5] = [
        "email",
        "email_verified",
        "given_name",
        "family_name",
        "phone_number",
    ];
    let mut lines = Vec::new();
    let mut propose = |attribute: &str, source: Option<String>, why| {
        lines.push(Proposal {
            attribute: attribute.to_owned(),
            source,
            why,
        });
    };
    if mapped.is_none() {
        for attribute in USUAL {
            // Accounts without an email can hardly migrate, so this line always exists.
            let source = field_for(attribute, fields)
                .or_else(|| (attribute == "email").then(|| "email".to_owned()));
            let why = match attribute {
                "email_verified" => Some("without it no customer migrates by forgot password"),
                _ => None,
            };
            propose(attribute, source, why);
        }
    }
    let signs_in_with = |name: &str| pool.alias_attributes.iter().any(|alias| alias == name);
    if signs_in_with("email") || signs_in_with("phone_number") {
        propose(
            "username",
            Some("{uuid}".to_owned()),
            Some("customers sign in with an alias, which cannot be the user name"),
        );
    }
    for attribute in &pool.attributes {
        let name = attribute.name.as_str();
        let custom = name.starts_with("custom:");
        let known = match mapped {
            Some(mapped) => mapped.contains_key(name),
            None => USUAL.contains(&name),
        };
        // `sub` belongs to Cognito, and a migration cannot set developer attributes.
        if name == "sub" || known || name.starts_with("dev:") || !(custom || attribute.required) {
            continue;
        }
        let why = match (attribute.required, attribute.mutable) {
            (true, true) => Some("required by the pool"),
            (true, false) => Some("required by the pool, immutable"),
            (false, false) => Some("immutable"),
            (false, true) => None,
        };
        propose(name, field_for(name, fields), why);
    }
    lines
}

/// The field with the value of this attribute.
fn field_for(attribute: &str, fields: &[String]) -> Option<String> {
    if fields.iter().any(|field| field == attribute) {
        return Some(attribute.to_owned());
    }
    let bare = plain(attribute.strip_prefix("custom:").unwrap_or(attribute));
    let find = |name: &str| fields.iter().find(|field| plain(field) == plain(name));
    let synonyms = SYNONYMS
        .iter()
        .filter(|(standard, _)| *standard == attribute)
        .flat_map(|(_, names)| names.iter().copied());
    let old_id = OLD_IDS.contains(&&*bare).then_some("id");
    std::iter::once(bare.as_str())
        .chain(synonyms)
        .chain(old_id)
        .find_map(find)
        .cloned()
}

/// `legacyId`, `legacy_id` and `legacy-id` are the same name.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
