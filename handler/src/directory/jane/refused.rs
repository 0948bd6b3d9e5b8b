//! Jane's reason for rejecting a sign-up, as far as the user may read it: only what they typed themselves, as short plain text.
//! Everything else could be about another person or Jane's servers, so a constant text replaces it.

use serde_json::{Map, Value};

/// The longest text to show.
const LONGEST: usize = 120;

/// The usual words for Jane's fields.
const WORDS: [(&str, &[&str]); 5] = [
    ("email", &["email", "e-mail"]),
    ("birth_date", &["birth", "age", "years old", "older"]),
    ("first_name", &["first name", "given name"]),
    ("last_name", &["last name", "family name", "surname"]),
    ("phone", &["phone"]),
];

/// The text to show for a rejection's body, if it is about a field that was `sent`.
pub fn shown(body: &Value, sent: &Value) -> Option<String> {
    let sent = sent.as_object()?;
    let errors = ["errors", "error", "message"]
        .into_iter()
        .find_map(|member| body.get(member))?;
    let texts: Vec<String> = match errors {
        Value::Object(fields) => fields
            .iter()
            .filter(|(field, _)| was_sent(sent, field))
            .flat_map(|(field, texts)| {
                let name = field.replace('_', " ");
                let named = move |text: &str| match text.to_lowercase().contains(&name) {
                    true => text.to_owned(),
                    false => format!("{name} {text}"),
                };
                list(texts).map(named).collect::<Vec<_>>()
            })
            .collect(),
        texts => list(texts)
            .filter(|text| names_field(text, sent))
            .map(str::to_owned)
            .collect(),
    };
    plain(&texts.into_iter().find(|text| plain(text).is_some())?)
}

/// A text, or the texts of a list.
fn list(texts: &Value) -> impl Iterator<Item = &str> {
    let several = texts.as_array().into_iter().flatten();
    several
        .chain(std::iter::once(texts))
        .filter_map(Value::as_str)
}

/// Whether the user's own value of this field was sent.
fn was_sent(sent: &Map<String, Value>, field: &str) -> bool {
    let own = WORDS.iter().any(|(name, _)| *name == field) && sent.contains_key(field);
    let others = sent.get("user_attributes");
    own || others.is_some_and(|others| others.get(field).is_some())
}

/// Whether a text mentions one of the fields that were sent.
fn names_field(text: &str, sent: &Map<String, Value>) -> bool {
    let text = text.to_lowercase();
    WORDS
        .iter()
        .filter(|(field, _)| sent.contains_key(*field))
        .any(|(_, words)| {
            words.iter().any(|word| {
                text.match_indices(word).any(|(at, _)| {
                    let before = text[..at].chars().next_back();
                    let after = text[at + word.len()..].chars().next();
                    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    !letter(before) && (!letter(after) || *word == "birth")
                })
            })
        })
}

/// The text on one line, if it contains only words: no addresses, links, markup or code.
fn plain(text: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let allowed = |c: char| c.is_alphanumeric() || " .,:;'!?()-+%/".contains(c);
    let link = text.contains("//") || text.contains("::") || text.to_lowercase().contains("www.");
    let fits = (1..=LONGEST).contains(&text.chars().count());
    (fits && !link && text.chars().all(allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(errors: Value) -> Option<String> {
        let sent = json!({ "pool_id": "p", "email": "ann@example.com", "birth_date": "2015-02-28", "user_attributes": { "locale": "x" } });
        shown(&json!({ "errors": errors }), &sent)
    }

    #[test]
    fn reasons_about_the_users_own_input_are_shown() {
        for (errors, expected) in [
            (
                json!({ "birth_date": ["must be 21 years ago"] }),
                "birth date must be 21 years ago",
            ),
            (
                json!({ "birth_date": "Birth date is too late" }),
                "Birth date is too late",
            ),
            (
                json!({ "pool_id": ["unknown"], "locale": ["is not a\n language"] }),
                "locale is not a language",
            ),
            (
                json!("You must be at least 21 years old"),
                "You must be at least 21 years old",
            ),
            (
                json!(["Server busy", "Your email is not valid."]),
                "Your email is not valid.",
            ),
            (json!("Birthdate is missing"), "Birthdate is missing"),
        ] {
            assert_eq!(said(errors.clone()).as_deref(), Some(expected), "{errors}");
        }
    }

    #[test]
    fn other_reasons_of_jane_are_not_shown() {
        for errors in [
            json!(null),
            json!([]),
            json!({}),
            json!(7),
            json!("PG::ConnectionBad: could not connect to server"),
            json!("Operator 17 has no such pool"),
            json!({ "pool_id": ["belongs to operator 17"] }),
            json!({ "phone": ["is taken"] }),
            json!("phone is taken"),
            json!({ "email": ["is taken by bob@example.com"] }),
            json!("email: see https://evil.example/"),
            json!("<b>email</b> is wrong"),
            json!({ "email": ["x".repeat(200)] }),
            json!("the message of the storage"),
            json!("We manage 100 pages"),
        ] {
            assert_eq!(said(errors.clone()), None, "{errors}");
        }
    }
}
