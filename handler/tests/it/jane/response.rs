//! The response for a user of Jane, by configuration and pool.

use jane_migrate_config::{Constraint, Mfa, PasswordPolicy, PoolFacts, SchemaAttribute};
use serde_json::{Value, json};

use super::{Jane, PASSWORD, USER};
use crate::{
    function::{Answer, POOL, forgot_password, settings, settings_for, sign_in},
    server::Reply,
};

#[test]
fn names_are_trimmed_and_lower_case_unless_the_config_says_otherwise() {
    let jane = Jane::start();
    let typed = format!("  {} ", USER.to_uppercase());
    let function = jane.function(&jane.settings());
    let answer = function.invoke(&sign_in(&typed, PASSWORD)).event();
    assert_eq!(
        answer["userName"], typed,
        "the event has the name as it was typed"
    );
    assert_eq!(answer["response"]["userAttributes"]["email"], USER);
    let function = jane.function(&settings(&jane.toml("[response]\nusername = 'as-typed'")));
    assert_eq!(function.outcome(&sign_in(&typed, PASSWORD)).0, "not-found");
}

#[test]
fn values_that_cannot_be_made_valid_are_left_out() {
    let jane = Jane::start();
    let function = jane.function(&jane.settings());
    let answer = function
        .invoke(&sign_in("minimal@example.com", PASSWORD))
        .event();
    let expected = json!({ "email": "minimal@example.com", "email_verified": "true" });
    assert_eq!(answer["response"]["userAttributes"], expected);
}

#[test]
fn the_config_maps_further_attributes() {
    let jane = Jane::start();
    let attributes = "[attributes]\n'custom:legacy_id' = 'id'\nphone_number = '='\nlocale = '=en'\nnickname = '/name'\nprofile = 'new_field'";
    let function = jane.function(&settings(&jane.toml(attributes)));
    let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
    assert_eq!(
        answer["response"]["userAttributes"],
        json!({
            "email": USER, "email_verified": "true", "given_name": "Ann", "birthdate": "1980-02-29",
            "custom:legacy_id": "17", "locale": "en", "nickname": "Ann"
        })
    );
}

#[test]
fn after_the_window_no_user_migrates_and_no_call_is_made() {
    let jane = Jane::start();
    let function = jane.function(&settings(&jane.toml("[window]\ncloses = 2020-02-29")));
    jane.calls();
    for event in [sign_in(USER, PASSWORD), forgot_password(USER)] {
        assert_eq!(
            function.outcome(&event),
            ("window-closed".into(), Answer::Event(event.clone()))
        );
    }
    assert_eq!(jane.calls(), [""; 0]);
    let function = jane.function(&settings(&jane.toml("[window]\ncloses = 9999-12-31")));
    assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, "migrated");
}

#[test]
fn the_response_is_as_configured() {
    let jane = Jane::start();
    let response = "[response]\nfinal_user_status = 'RESET_REQUIRED'\nmessage_action = 'SEND'\ndelivery_mediums = ['EMAIL', 'SMS']\nforce_alias_creation = true";
    let function = jane.function(&settings(&jane.toml(response)));
    let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
    assert_eq!(
        answer["response"]["finalUserStatus"],
        Value::Null,
        "Cognito rejects every status except CONFIRMED; without a status the user becomes RESET_REQUIRED"
    );
    assert_eq!(
        answer["response"]["messageAction"],
        Value::Null,
        "Cognito sends the message unless the action is SUPPRESS"
    );
    assert_eq!(
        answer["response"]["desiredDeliveryMediums"],
        json!(["EMAIL", "SMS"])
    );
    assert_eq!(answer["response"]["forceAliasCreation"], true);
}

#[test]
fn a_password_that_fails_the_pools_policy_must_be_replaced() {
    let jane = Jane::start();
    let policy = |minimum_length| PoolFacts {
        id: POOL.into(),
        password_policy: Some(PasswordPolicy {
            minimum_length,
            ..PasswordPolicy::default()
        }),
        ..PoolFacts::default()
    };
    let toml = jane.toml("[response]\nenforce_password_policy = true");
    for (minimum_length, status) in [
        (PASSWORD.len(), json!("CONFIRMED")),
        (PASSWORD.len() + 1, Value::Null),
    ] {
        let function = jane.function(&settings_for(&toml, &policy(minimum_length as u32)));
        let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
        assert_eq!(answer["response"]["finalUserStatus"], status);
    }
}

#[test]
fn a_user_who_needs_a_code_and_has_no_address_is_not_locked_out() {
    let jane = Jane::start();
    for (attributes, outcome) in [
        ("", "migrated"),
        ("[attributes]\nemail_verified = '='", "not-eligible"),
    ] {
        let toml = jane.toml(&format!(
            "[response]\nfinal_user_status = 'RESET_REQUIRED'\n{attributes}"
        ));
        let function = jane.function(&settings(&toml));
        assert_eq!(function.outcome(&sign_in(USER, PASSWORD)).0, outcome);
    }
    let toml = jane.toml("[attributes]\nemail_verified = '='");
    let function = jane.function(&settings(&toml));
    assert_eq!(
        function.outcome(&sign_in(USER, PASSWORD)).0,
        "migrated",
        "a user who keeps the password needs no code"
    );
}

#[test]
fn a_second_factor_by_sms_needs_a_phone_number() {
    let jane = Jane::start();
    let pool = PoolFacts {
        id: POOL.into(),
        mfa: Mfa::On,
        sms_mfa: true,
        ..PoolFacts::default()
    };
    let function = jane.function(&settings_for(
        &jane.toml("[response]\nenable_sms_mfa = true"),
        &pool,
    ));
    let with = function.invoke(&sign_in(USER, PASSWORD)).event();
    assert_eq!(with["response"]["enableSMSMFA"], true);
    let without = function
        .invoke(&sign_in("minimal@example.com", PASSWORD))
        .event();
    assert_eq!(without["response"]["enableSMSMFA"], Value::Null);
}

#[test]
fn a_user_without_a_required_attribute_is_not_migrated_and_the_log_names_the_attribute() {
    let jane = Jane::start();
    let attribute = |name: &str| SchemaAttribute {
        name: name.into(),
        required: true,
        mutable: true,
        constraint: None,
    };
    let pool = PoolFacts {
        id: POOL.into(),
        attributes: vec![
            attribute("sub"),
            attribute("email"),
            attribute("family_name"),
        ],
        ..PoolFacts::default()
    };
    let function = jane.function(&settings_for(&jane.toml(""), &pool));
    let event = sign_in(USER, PASSWORD);
    assert_eq!(function.invoke(&event), Answer::Event(event.clone()));
    let record = function.record();
    assert_eq!(
        (&record["outcome"], &record["missing"]),
        (&json!("not-eligible"), &json!(["family_name"]))
    );
}

/// Jane's first name contains an address in another directory's spelling.
#[test]
fn an_address_in_another_spelling_becomes_the_typed_alias() {
    let jane = Jane::start();
    let user = json!({ "user": { "first_name": "Canary.User.3b8@Example.com" } });
    jane.fault("verify_credentials", Reply::json(200, user));
    let toml = jane.toml("[attributes]\nusername = '{uuid}'\nemail = 'first_name'");
    for (case_sensitive, response, email) in [
        (false, "", "Canary.User.3b8@Example.com"),
        (true, "", USER),
        (
            true,
            "\n[response]\nusername = 'as-typed'",
            "Canary.User.3b8@Example.com",
        ),
    ] {
        let pool = PoolFacts {
            id: POOL.into(),
            alias_attributes: vec!["email".into()],
            case_sensitive,
            ..PoolFacts::default()
        };
        let function = jane.function(&settings_for(&format!("{toml}{response}"), &pool));
        let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
        let attributes = &answer["response"]["userAttributes"];
        assert_eq!(attributes["email"], email);
        assert!(attributes["username"].is_string(), "{attributes}");
    }
}

#[test]
fn values_that_the_pools_schema_rejects_are_left_out() {
    let jane = Jane::start();
    let attribute = |name: &str, constraint| SchemaAttribute {
        name: name.into(),
        required: false,
        mutable: true,
        constraint: Some(constraint),
    };
    let pool = PoolFacts {
        id: POOL.into(),
        attributes: vec![
            attribute("given_name", Constraint::Length(1, 3)),
            attribute("custom:initial", Constraint::Length(0, 2)),
            attribute("custom:old_id", Constraint::Number(Some(1), None)),
            attribute("custom:code", Constraint::Number(None, Some(16))),
            attribute("custom:word", Constraint::Number(None, None)),
            attribute("custom:vip", Constraint::Boolean),
            attribute("custom:flag", Constraint::Boolean),
        ],
        ..PoolFacts::default()
    };
    let toml = jane.toml(
        "[attributes]\n'custom:initial' = 'first_name'\n'custom:old_id' = 'id'\n'custom:code' = 'id'\n\
         'custom:word' = 'name'\n'custom:vip' = '=true'\n'custom:flag' = 'id'",
    );
    let function = jane.function(&settings_for(&toml, &pool));
    let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
    assert_eq!(
        answer["response"]["userAttributes"],
        json!({
            "email": USER, "email_verified": "true", "given_name": "Ann", "phone_number": "+11112224444",
            "birthdate": "1980-02-29", "custom:old_id": "17", "custom:vip": "true",
        })
    );
}

#[test]
fn a_pool_with_email_as_alias_gets_a_user_name_that_is_the_same_every_time() {
    let jane = Jane::start();
    let pool = PoolFacts {
        id: POOL.into(),
        alias_attributes: vec!["email".into()],
        ..PoolFacts::default()
    };
    let toml = jane.toml("[attributes]\nusername = '{uuid}'");
    let names: Vec<_> = (0..2)
        .map(|_| {
            let function = jane.function(&settings_for(&toml, &pool));
            let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
            answer["response"]["userAttributes"]["username"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0].len(), 36);
    let function = jane.function(&settings(&toml));
    let answer = function.invoke(&sign_in(USER, PASSWORD)).event();
    assert_eq!(
        answer["response"]["userAttributes"]["username"],
        Value::Null,
        "a pool without aliases rejects a user name"
    );
}
