//! The names under which the directory may have the user who signs up. If it has one of them, the sign-up is rejected: otherwise
//! a stranger could take a customer's address before the customer migrates.
//!
//! Requests are made for more than one spelling of each name. A directory that treats two spellings as equal finds the customer
//! by the typed name; another one finds the customer by the spelling of a sign-in, or by the trimmed name in lower case, which is
//! the same user in a case-insensitive pool.

use jane_migrate_config::HandlerSettings;

use crate::event::{Event, normal};

/// The names to look up in the directory, without repetition.
pub fn names(settings: &HandlerSettings, event: &Event) -> Vec<String> {
    let signs_in_with = |attribute: &&str| {
        let mut names = settings
            .username_attributes
            .iter()
            .chain(&settings.alias_attributes);
        names.any(|name| name == attribute)
    };
    // In a pool whose users sign in with an attribute, the user name is Cognito's own id, which no directory has.
    let user_name = settings
        .username_attributes
        .is_empty()
        .then_some(event.typed());
    let others = ["phone_number", "preferred_username"].into_iter();
    let attributes = ["email"].into_iter().chain(others.filter(signs_in_with));
    let typed = user_name
        .into_iter()
        .chain(attributes.filter_map(|name| event.attribute(name)));
    let mut names = Vec::new();
    for typed in typed {
        for spelling in spellings(settings, typed) {
            // No user has such a name, and headers and databases cannot contain it.
            let impossible = spelling.is_empty() || spelling.contains(['\0', '\r', '\n']);
            if !impossible && !names.contains(&spelling) {
                names.push(spelling);
            }
        }
    }
    names
}

/// The spellings of a name; the first is the one that a sign-in would use.
pub fn spellings(settings: &HandlerSettings, typed: &str) -> [String; 3] {
    let lower = typed.trim().to_lowercase();
    [
        normal(settings.response.username, typed),
        lower,
        typed.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::Username;
    use serde_json::json;

    use super::*;
    use crate::fixtures::{event, settings, sign_up};

    const ID: &str = "5a3f2c1e-0000-4000-8000-000000000001";

    fn asked(settings: &HandlerSettings, user: &str, attributes: serde_json::Value) -> Vec<String> {
        names(settings, &event(sign_up(user, attributes), settings))
    }

    #[test]
    fn a_name_in_its_usual_spelling_is_looked_up_once() {
        let email = json!({ "email": "ann@example.com" });
        let mut settings = settings(&[]);
        assert_eq!(
            asked(&settings, "ann@example.com", email.clone()),
            ["ann@example.com"]
        );
        assert_eq!(
            asked(&settings, "ann", email.clone()),
            ["ann", "ann@example.com"]
        );
        settings.username_attributes = vec!["email".into()];
        assert_eq!(asked(&settings, ID, email), ["ann@example.com"]);
        assert_eq!(asked(&settings, ID, json!({})), [""; 0]);
    }

    #[test]
    fn another_spelling_is_looked_up_as_typed_and_as_stored() {
        let mut settings = settings(&[]);
        settings.username_attributes = vec!["email".into()];
        for (typed, also) in [
            ("Ann@Example.COM", "Ann@Example.COM"),
            (" ann@example.com\n", "ann@example.com"),
            ("\u{212A}ann@example.com", "\u{212A}ann@example.com"),
            // Composed and decomposed: the directory decides whether they are equal.
            ("jose\u{301}@example.com", "jose\u{301}@example.com"),
        ] {
            let lower = typed.trim().to_lowercase();
            for username in [Username::Lowercase, Username::AsTyped] {
                settings.response.username = username;
                let asked = asked(&settings, ID, json!({ "email": typed }));
                assert!(asked.contains(&lower), "{typed:?}: {asked:?}");
                assert!(asked.contains(&also.to_owned()), "{typed:?}: {asked:?}");
            }
        }
    }

    #[test]
    fn the_sign_in_attributes_are_looked_up() {
        let mut settings = settings(&[]);
        let attributes = json!({ "phone_number": "+15550100000", "preferred_username": "ann" });
        settings.username_attributes = vec!["phone_number".into()];
        assert_eq!(asked(&settings, ID, attributes.clone()), ["+15550100000"]);
        settings.username_attributes.clear();
        assert_eq!(asked(&settings, "a", attributes.clone()), ["a"]);
        settings.alias_attributes = vec!["preferred_username".into()];
        assert_eq!(asked(&settings, "a", attributes), ["a", "ann"]);
    }
}
