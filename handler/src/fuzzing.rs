//! The entry points of the fuzzer (`fuzz/` in the repository), and the properties of events and users that it shares with the
//! property tests. The properties of hashes and responses are in `hash::holds` and `directory::holds`. A function panics if its
//! property does not hold.

use jane_migrate_config::{Constraint, HandlerSettings, SAMPLE, Triggers};
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value, json};

use crate::{
    attributes::attributes,
    decide::decide,
    directory::{self, Verdict},
    event::Event,
    fixtures, guard,
    handler::{Payload, invoked},
    hash,
    outcome::Trigger,
};

/// An event as Lambda sends it, followed by the directory's user, if there is one.
pub fn event(input: &[u8]) {
    let payload = Payload::deserialize(&mut Deserializer::from_slice(input));
    assert!(
        payload.is_ok(),
        "the runtime would return its own error text"
    );
    let mut values = Deserializer::from_slice(input).into_iter::<Value>();
    let Some(Ok(payload)) = values.next() else {
        return;
    };
    let user = match values.next() {
        Some(Ok(Value::Object(user))) => user,
        _ => Map::new(),
    };
    returned_unchanged(&payload);
    only_the_response_is_changed(&payload, user.clone());
    let name = payload["userName"].as_str().unwrap_or_default();
    accepted_by_cognito(name, &user);
    the_log_has_no_name(payload);
}

/// A byte that selects the status, followed by the body of a response of a directory or of AWS.
pub fn answer(input: &[u8]) {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let statuses = [200, 201, 302, 400, 401, 403, 404, 410, 429, 500];
    let status = statuses[usize::from(*first) % statuses.len()];
    let status = http::StatusCode::from_u16(status).expect("a status");
    directory::holds::answer(status, body);
}

/// Lines of text: a password, a stored hash, and the further parts of a Firebase hash.
pub fn hash(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (password, stored) = (line(), line());
    hash::holds::no_password_fits(password.as_bytes(), stored);
    hash::holds::labelled(stored);
    hash::holds::imported_as_it_is(stored);
    let (salt, separator, signer_key) = (line(), line(), line());
    let key = hash::FirebaseKey {
        salt_separator: separator,
        rounds: line().parse().unwrap_or(8),
        mem_cost: line().parse().unwrap_or(4),
    };
    hash::holds::no_firebase_password_fits(password.as_bytes(), stored, salt, key, signer_key);
}

/// Settings with attributes of every kind, and a directory that cannot be reached.
pub(crate) fn settings() -> HandlerSettings {
    HandlerSettings {
        required_attributes: vec!["email".into()],
        alias_attributes: vec!["email".into()],
        constraints: [("custom:deep".to_owned(), Constraint::Length(2, 5))].into(),
        triggers: Triggers {
            pre_sign_up: true,
            post_confirmation: true,
            ..Triggers::default()
        },
        ..fixtures::settings(&[
            ("email", "email | {username}"),
            ("email_verified", "email_verified | =true"),
            ("phone_number", "phone | phone_number"),
            ("phone_number_verified", "=true"),
            ("given_name", "first_name"),
            ("birthdate", "birth_date"),
            ("custom:deep", "/a/b"),
            ("username", "{uuid}"),
        ])
    }
}

/// An event without a decision is returned unchanged, and its `Debug` shows neither a name nor a password.
pub(crate) fn returned_unchanged(payload: &Value) {
    if let Ok(event) = Event::read(payload.clone(), &settings()) {
        let printed = format!("{event:?}");
        assert!(
            !printed.contains("name") && !printed.contains("password"),
            "{printed}"
        );
        let names = guard::names(&settings(), &event);
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_eq!(event.answer(None), *payload);
    }
}

/// For any user of the directory, only the field `response` of the event is changed.
pub(crate) fn only_the_response_is_changed(payload: &Value, user: Map<String, Value>) {
    let Ok(event) = Event::read(payload.clone(), &settings()) else {
        return;
    };
    let decision = decide(&settings(), &event, Verdict::Known(user), 0);
    let reset = event.trigger() == Trigger::ForgotPassword;
    let answer = event.answer(decision.response.clone());
    if let Some(response) = decision.response {
        assert!(!reset || !response.contains_key("finalUserStatus"));
        let before = payload["response"].as_object().cloned().unwrap_or_default();
        let expected: Map<_, _> = before.into_iter().chain(response).collect();
        assert_eq!(answer["response"], json!(expected));
    }
    let without_response = |mut event: Value| {
        event.as_object_mut().unwrap().remove("response");
        event
    };
    assert_eq!(without_response(answer), without_response(payload.clone()));
}

/// Cognito refuses the whole user because of one malformed attribute.
pub(crate) fn accepted_by_cognito(name: &str, user: &Map<String, Value>) {
    let attributes = attributes(&settings(), name, user, 0);
    for (attribute, value) in &attributes {
        assert!(
            !value.is_empty() && value.chars().count() <= 2048,
            "{attribute}: {value}"
        );
    }
    let deep = attributes.get("custom:deep");
    assert!(deep.is_none_or(|deep| (2..=5).contains(&deep.chars().count())));
    if let Some(phone) = attributes.get("phone_number") {
        let digits = phone.strip_prefix('+').unwrap();
        assert!(
            (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{phone}"
        );
    } else {
        assert!(!attributes.contains_key("phone_number_verified"));
    }
    let verified = attributes.get("email_verified");
    assert!(verified.is_none_or(|verified| verified == "true"));
    assert!(attributes.contains_key("email") || verified.is_none());
    assert!(
        !attributes.contains_key("username")
            || attributes["email"].to_lowercase() == name.to_lowercase()
    );
}

/// Neither the log line nor an error contains the name or a text of the request. The directory does not respond, so the event is
/// returned unchanged.
pub(crate) fn the_log_has_no_name(mut payload: Value) {
    for member in ["userName", "request"] {
        if let Some(value) = payload.get_mut(member) {
            mark(value);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let (line, answer) = runtime.block_on(invoked(settings(), payload.clone()));
    assert!(!line.to_string().contains(MARK), "{line}");
    match answer {
        Ok(answer) => assert!(
            payload.get(SAMPLE).is_some() || answer == payload,
            "{answer}"
        ),
        Err(thrown) => assert!(!format!("{thrown:?}").contains(MARK), "{thrown:?}"),
    }
}

/// Appended to each text of a request.
const MARK: &str = "canary";

fn mark(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(MARK),
        Value::Array(values) => values.iter_mut().for_each(mark),
        Value::Object(members) => members.values_mut().for_each(mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn inputs(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let files = fs::read_dir(folder.join(target)).unwrap();
        files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn every_input_in_the_corpora_of_the_fuzzer_holds() {
        let [events, answers, hashes] = ["event", "answer", "hash"].map(inputs);
        assert!(events.len() > 10 && answers.len() > 10 && hashes.len() > 10);
        events.iter().for_each(|input| event(input));
        answers.iter().for_each(|input| answer(input));
        hashes.iter().for_each(|input| hash(input));
    }
}
