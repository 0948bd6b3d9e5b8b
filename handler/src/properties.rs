//! Properties of all events and all users of a directory: nothing panics, and the invariants hold.

use jane_migrate_config::{Constraint, HandlerSettings};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    attributes::attributes,
    corpus::{any_json, corpus, made, mutated},
    decide::decide,
    directory::Verdict,
    event::Event,
    fixtures,
    outcome::Trigger,
};

fn settings() -> HandlerSettings {
    HandlerSettings {
        required_attributes: vec!["email".into()],
        alias_attributes: vec!["email".into()],
        constraints: [("custom:deep".to_owned(), Constraint::Length(2, 5))].into(),
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

fn user() -> impl Strategy<Value = Map<String, Value>> {
    prop_oneof![mutated("users"), any_json()].prop_map(|value| match value {
        Value::Object(user) => user,
        other => Map::from_iter([("email".to_owned(), other)]),
    })
}

#[test]
fn every_event_of_the_corpus_can_be_read() {
    for event in corpus("events") {
        assert!(Event::read(event.clone(), &settings()).is_ok(), "{event}");
    }
}

#[test]
fn the_generators_make_the_interesting_cases() {
    let can_be_read = |payload| Event::read(payload, &settings()).is_ok();
    assert!(made(mutated("events"), can_be_read) > 0);
    let migrates = |(payload, user)| {
        Event::read(payload, &settings()).is_ok_and(|event| {
            decide(&settings(), &event, Verdict::Known(user), 0)
                .response
                .is_some()
        })
    };
    assert!(made((mutated("events"), user()), migrates) > 0);
    let has_a_phone = |user| attributes(&settings(), "ann", &user, 0).contains_key("phone_number");
    assert!(made(user(), has_a_phone) > 0);
}

proptest! {
    #[test]
    fn an_event_is_returned_unchanged(payload in prop_oneof![mutated("events"), any_json()]) {
        if let Ok(event) = Event::read(payload.clone(), &settings()) {
            let printed = format!("{event:?}");
            prop_assert!(!printed.contains("name") && !printed.contains("password"), "{}", printed);
            prop_assert_eq!(event.answer(None), payload);
        }
    }

    #[test]
    fn only_the_response_is_changed(payload in mutated("events"), user in user()) {
        let Ok(event) = Event::read(payload.clone(), &settings()) else { return Ok(()) };
        let decision = decide(&settings(), &event, Verdict::Known(user), 0);
        let reset = event.trigger() == Trigger::ForgotPassword;
        let answer = event.answer(decision.response.clone());
        if let Some(response) = decision.response {
            prop_assert!(!reset || !response.contains_key("finalUserStatus"));
            let before = payload["response"].as_object().cloned().unwrap_or_default();
            let expected: Map<_, _> = before.into_iter().chain(response).collect();
            prop_assert_eq!(&answer["response"], &json!(expected));
        }
        let without_response = |mut event: Value| {
            event.as_object_mut().unwrap().remove("response");
            event
        };
        prop_assert_eq!(without_response(answer), without_response(payload));
    }

    #[test]
    fn cognito_would_accept_every_attribute(name in ".{0,20}|ann@example.com", user in user()) {
        let attributes = attributes(&settings(), &name, &user, 0);
        for (attribute, value) in &attributes {
            prop_assert!(!value.is_empty() && value.chars().count() <= 2048, "{attribute}: {value}");
        }
        prop_assert!(attributes.get("custom:deep").is_none_or(|deep| (2..=5).contains(&deep.chars().count())));
        if let Some(phone) = attributes.get("phone_number") {
            let digits = phone.strip_prefix('+').unwrap();
            prop_assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{phone}");
        } else {
            prop_assert!(!attributes.contains_key("phone_number_verified"));
        }
        prop_assert!(attributes.get("email_verified").is_none_or(|verified| verified == "true"));
        prop_assert!(attributes.contains_key("email") || !attributes.contains_key("email_verified"));
        prop_assert!(!attributes.contains_key("username") || attributes["email"].to_lowercase() == name.to_lowercase());
    }
}
