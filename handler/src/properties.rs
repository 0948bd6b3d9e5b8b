//! Properties of all events and all users of a directory: nothing panics, and the invariants hold.

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{
    attributes::attributes,
    corpus::{any_json, corpus, made, mutated},
    decide::decide,
    directory::Verdict,
    event::Event,
    fuzzing::{self, accepted_by_cognito, returned_unchanged, settings, the_log_has_no_name},
};

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
        returned_unchanged(&payload);
    }

    #[test]
    fn only_the_response_is_changed(payload in mutated("events"), user in user()) {
        fuzzing::only_the_response_is_changed(&payload, user);
    }

    #[test]
    fn cognito_would_accept_every_attribute(name in ".{0,20}|ann@example.com", user in user()) {
        accepted_by_cognito(&name, &user);
    }

    #[test]
    fn the_log_line_has_no_name(payload in prop_oneof![mutated("events"), any_json()]) {
        the_log_has_no_name(payload);
    }
}
