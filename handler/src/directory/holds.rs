//! Properties of all responses of all kinds of directory, for the property tests and the fuzzer: a user counts as signed in only
//! if the response says so, and secrets in a response do not print.

use std::collections::HashMap;

use http::StatusCode;
use jane_migrate_config::{Condition, Request};
use ldap3::SearchEntry;
use mysql_async::{Column, consts::ColumnType};
use serde_json::{Map, Value, json};

use super::{
    cognito, hashes, http as any_http, jane, ldap, mysql, postgres, token::granted,
    verdict::Verdict,
};
use crate::{secrets, upstream::Answer};

/// Everything that is read from a response, for each kind of directory.
pub(crate) fn answer(status: StatusCode, body: &[u8]) {
    let answer = Answer::made_up(status, body.to_vec());
    jane_signs_in_the_user_of_the_answer(&answer);
    jane_shows_a_short_text(&answer);
    a_token_does_not_print(&answer);
    an_old_pool_signs_in_users_with_tokens(&answer);
    credentials_do_not_print(&answer);
    for (user, claims, looked_at, absent) in [
        ("", None, "/data", false),
        ("/data", Some("/token"), "/email", true),
        ("/user", Some("/access_token"), "", false),
    ] {
        let request = request(user, claims, looked_at, absent);
        an_answer_means_what_the_settings_say(&answer, &request);
    }
    if let Ok(text) = str::from_utf8(body) {
        let lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
        a_row_is_a_user_if_it_is_the_only_one(&lines);
    }
    a_column_has_a_value(body);
    if let Ok(value) = answer.json() {
        secrets_do_not_print(&value, None);
        secrets_do_not_print(&value, Some("password"));
        an_entry_is_a_user(&value);
    }
}

/// A request with the pointers to the user and the claims in the response, and the pointer that makes the user not eligible.
pub(crate) fn request(user: &str, claims: Option<&str>, looked_at: &str, absent: bool) -> Request {
    let blocked = Condition {
        status: 200,
        pointer: Some(looked_at.to_owned()),
        equals: None,
        begins: None,
        absent,
    };
    serde_json::from_value(json!({
        "method": "POST",
        "url": "https://a.example",
        "answers": { "ok": [200], "not_found": [404], "not_eligible": [blocked] },
        "user": user,
        "claims": claims,
    }))
    .expect("a request")
}

pub(crate) fn jane_signs_in_the_user_of_the_answer(answer: &Answer) {
    let good = answer.status == StatusCode::OK;
    if let Ok(Verdict::Known(user)) = jane::signed_in(answer) {
        assert!(good && answer.json().unwrap()["user"] == Value::Object(user));
    }
    let may_reset = matches!(jane::may_reset(answer), Ok(Verdict::Known(_)));
    assert_eq!(good, may_reset);
}

pub(crate) fn a_token_does_not_print(answer: &Answer) {
    if let Ok(kept) = granted(answer) {
        assert_eq!(answer.status, StatusCode::OK);
        let printed = format!("{kept:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

pub(crate) fn an_old_pool_signs_in_users_with_tokens(answer: &Answer) {
    let said = answer.json().unwrap_or_default();
    if let Ok(cognito::SignIn::Right) = cognito::signed_in(answer) {
        assert!(answer.status.is_success() && said["AuthenticationResult"].is_object());
    }
    if let Ok(Verdict::Known(user)) = cognito::found(answer) {
        assert!(answer.status.is_success() && said["Enabled"] != false);
        assert!(user.len() <= said["UserAttributes"].as_array().unwrap().len());
    }
}

pub(crate) fn credentials_do_not_print(answer: &Answer) {
    if let Some(credentials) = cognito::assumed(answer) {
        assert!(answer.status.is_success());
        let printed = format!(
            "{:?}",
            (credentials.secret_access_key, credentials.session_token)
        );
        assert!(!printed.contains("canary"), "{printed}");
    }
}

pub(crate) fn an_answer_means_what_the_settings_say(answer: &Answer, request: &Request) {
    let meaning = any_http::meaning(&request.answers, answer);
    let expected = match answer.status.as_u16() {
        200 => matches!(
            meaning,
            Some(any_http::Meaning::Ok | any_http::Meaning::NotEligible)
        ),
        404 => meaning == Some(any_http::Meaning::NotFound),
        _ => meaning.is_none(),
    };
    assert!(expected, "{meaning:?}");
    let _ = any_http::user(request, answer);
}

pub(crate) fn a_row_is_a_user_if_it_is_the_only_one(rows: &[String]) {
    match postgres::objects(rows).map(hashes::only) {
        Ok(Ok(row)) => {
            let password = hashes::usable(row.get("token_type"));
            assert!(password.is_none_or(|hash| !hash.is_empty() && !hash.starts_with(['!', '*'])));
            assert!(rows.len() == 1 && rows[0].parse::<Value>().unwrap() == Value::Object(row));
        }
        Ok(Err(Verdict::NotFound)) => assert!(rows.is_empty()),
        Ok(Err(verdict)) => assert!(rows.len() >= 2 && matches!(verdict, Verdict::NotEligible)),
        Err(_) => assert!(!rows.is_empty()),
    }
}

pub(crate) fn secrets_do_not_print(answer: &Value, key: Option<&str>) {
    for found in [
        secrets::parameter(answer),
        secrets::secret_value(answer, key),
    ] {
        let printed = format!("{found:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

/// The text that a person sees if Jane refuses a sign-up is one short line.
fn jane_shows_a_short_text(answer: &Answer) {
    let sent = json!({ "email": "ann@example.com", "birth_date": "1980-02-29", "user_attributes": { "shop": "7" } });
    let body = answer.json().unwrap_or_default();
    if let Some(text) = jane::refused::shown(&body, &sent) {
        assert!((1..=120).contains(&text.chars().count()), "{text}");
        assert!(
            !text.contains(['@', '<', '\n', '\r']) && !text.contains("//"),
            "{text}"
        );
    }
}

/// A column of MySQL, for each type with its own conversion.
fn a_column_has_a_value(bytes: &[u8]) {
    for kind in [
        ColumnType::MYSQL_TYPE_BIT,
        ColumnType::MYSQL_TYPE_JSON,
        ColumnType::MYSQL_TYPE_VAR_STRING,
    ] {
        let value = mysql_async::Value::Bytes(bytes.to_vec());
        mysql::json(&value, &Column::new(kind));
    }
}

/// An LDAP entry whose attributes are the lists of texts of an object.
fn an_entry_is_a_user(value: &Value) {
    let texts = |value: &Value| {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let members = value.as_object().into_iter().flatten();
    let attrs: HashMap<String, Vec<String>> = members
        .map(|(name, value)| (name.clone(), texts(value)))
        .collect();
    let fields: Vec<_> = attrs.keys().cloned().collect();
    let entry = SearchEntry {
        dn: "uid=ann".to_owned(),
        attrs,
        bin_attrs: HashMap::new(),
    };
    let user: Map<String, Value> = ldap::object(entry, &fields, "ann");
    assert!(user.contains_key("dn") && user.len() <= fields.len() + 1);
}
