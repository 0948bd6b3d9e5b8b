//! Properties of all responses of all kinds of directory: nothing panics, a user counts as signed in only if the response says
//! so, and secrets in a response do not print. The seeds are in `tests/corpus/answers`.

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{cognito, hashes, holds, jane, postgres, token::granted, verdict::Verdict};
use crate::{
    corpus::{any_json, made, mutated},
    hash, secrets,
    upstream::Answer,
};

fn status() -> impl Strategy<Value = http::StatusCode> {
    let others = [201, 204, 302, 400, 401, 403, 404, 410, 429, 500, 503];
    prop_oneof![Just(200), select(others.to_vec())]
        .prop_map(|status| http::StatusCode::from_u16(status).unwrap())
}

/// A response of the corpus with some values replaced, a truncated one, or arbitrary bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |value: Value| value.to_string().into_bytes();
    prop_oneof![
        4 => mutated("answers").prop_map(bytes),
        1 => any_json().prop_map(bytes),
        1 => (mutated("answers"), any::<prop::sample::Index>()).prop_map(move |(value, end)| {
            let mut text = bytes(value);
            text.truncate(end.index(text.len()));
            text
        }),
        1 => any::<Vec<u8>>(),
    ]
}

fn verified(password: &[u8], stored: &str) -> Result<bool, hash::Why> {
    hash::read(stored)?.matches(password)
}

fn answer() -> impl Strategy<Value = (http::StatusCode, Vec<u8>)> {
    (status(), body())
}

/// Text that resembles a response of STS.
fn xml() -> impl Strategy<Value = Vec<u8>> {
    let element =
        "</?(AccessKeyId|SecretAccessKey|SessionToken|Credentials)>?| ?canary-[a-z+/=]{0,8}|.";
    let whole = "<Credentials><AccessKeyId>canary-[a-z]{0,4}</AccessKeyId><SecretAccessKey>canary-[a-z+/=]{0,8}\
        </SecretAccessKey>.?<SessionToken>canary-[a-z+/=]{0,8}</SessionToken></Credentials>";
    prop_oneof![
        prop::collection::vec(element, 0..12).prop_map(|parts| parts.concat()),
        whole.prop_map(String::from),
    ]
    .prop_map(String::into_bytes)
}

/// Text that resembles stored hashes, with costs low enough for a million cases.
fn stored() -> impl Strategy<Value = String> {
    let salt_and_hash = "[$]?[A-Za-z0-9+/.]{0,24}[$=]{0,2}[A-Za-z0-9+/.=]{0,64}";
    let start = prop_oneof![
        "[$](2[abxy]|1|5|6|P|H|wp[$]2y)[$](0[0-3]|rounds=[0-9]{1,3}[$])?[$]?",
        "[$]?argon2(id|i|d)?[$](v=(16|19|2)[$])?m=[0-9]{0,2},t=[0-2],p=[0-2]",
        "[$]argon2id[$]v=19[$]m=[0-9]{9,12},t=1,p=1",
        "[$]?scrypt[$](ln=[0-3],r=[0-9],p=[0-2]|[0-8][$][a-z]{0,8}[$][0-9][$][0-2])",
        "[$]?scrypt[$](ln=(3[2-9]|[4-9][0-9]),r=[1-9]{1,3},p=1|(4294967296|1152921504606846976)[$]salt[$]8[$]1)",
        "[$]?pbkdf2(-sha256|-sha512|_sha256|_sha1)?[$](i=)?[0-9]{0,2}(,l=[0-9]{1,3})?",
        "[$]?bcrypt(_sha256)?[$][$]2[ab][$]0[0-4][$]",
        "[$](2[by][$](1[7-9]|[2-9][0-9])|[56][$]rounds=[1-9][0-9]{7,9}|pbkdf2-sha256[$][1-9][0-9]{8,9}|P[$][O-Zo-z])[$]?",
        "[$]scrypt[$]ln=[1-9],r=[1-9],p=[1-9][0-9]{6,8}",
        "[{](SSHA|ssha256|SSHA512|MD5)[}]?",
        ".{0,12}",
    ];
    let whole = prop_oneof![
        "[$]2[aby][$]04[$][./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.O]",
        "[$]1[$][a-z]{8}[$][./A-Za-z0-9]{21}[./01]",
        "[$]P[$]5[./A-Za-z0-9]{30}",
        "[{]SSHA[}][A-Za-z0-9+/]{36}",
        "pbkdf2_sha256[$]2[$][a-z]{6}[$][A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=",
    ];
    let spoilt = (start, salt_and_hash).prop_map(|(start, rest)| start + &rest);
    prop_oneof![3 => spoilt, 1 => whole]
}

/// JSON that resembles responses of Parameter Store and Secrets Manager.
fn secret() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        "canary-[a-z]{0,8}[\r\n]{0,2}".prop_map(Value::from),
        any_json()
    ];
    (member, any_json(), any::<bool>()).prop_map(|(value, other, object)| {
        let whole = json!({ "password": value, "user": other }).to_string();
        let secret = if object { whole.into() } else { value.clone() };
        json!({ "Parameter": { "Value": value }, "SecretString": secret, "other": other })
    })
}

proptest! {
    #[test]
    fn a_sign_in_at_jane_needs_a_user_in_the_response((status, body) in answer()) {
        holds::jane_signs_in_the_user_of_the_answer(&Answer::made_up(status, body));
    }

    #[test]
    fn a_granted_token_does_not_print((status, body) in answer()) {
        holds::a_token_does_not_print(&Answer::made_up(status, body));
    }

    #[test]
    fn a_sign_in_to_an_old_pool_needs_tokens((status, body) in answer()) {
        holds::an_old_pool_signs_in_users_with_tokens(&Answer::made_up(status, body));
    }

    #[test]
    fn the_credentials_of_an_assumed_role_do_not_print(status in status(), body in xml()) {
        holds::credentials_do_not_print(&Answer::made_up(status, body));
    }

    #[test]
    fn the_settings_decide_the_meaning_of_a_response(
        (status, body) in answer(),
        user in "(/[a-z0-9~]{0,3}|/data|/email|/0){0,3}",
        claims in prop::option::of(Just("/token")),
        looked_at in "(/[a-z0-9~]{0,3}|/data|/email){0,3}",
        absent in any::<bool>(),
    ) {
        let request = holds::request(&user, claims, &looked_at, absent);
        holds::an_answer_means_what_the_settings_say(&Answer::made_up(status, body), &request);
    }

    #[test]
    fn a_row_is_a_user_only_if_it_is_the_only_one(rows in prop::collection::vec(body(), 0..3)) {
        let rows: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect();
        holds::a_row_is_a_user_if_it_is_the_only_one(&rows);
    }

    #[test]
    fn a_fetched_secret_does_not_print(answer in secret(), key in prop::option::of("password|user|")) {
        holds::secrets_do_not_print(&answer, key.as_deref());
    }

    #[test]
    fn each_property_holds_for_each_response((status, body) in answer()) {
        holds::answer(status, &body);
    }

    #[test]
    fn no_firebase_hash_panics_or_accepts_any_password(
        password in ".{0,12}",
        [stored, salt, separator, signer_key] in prop::array::uniform4("[A-Za-z0-9+/_-]{0,88}={0,2}|.{0,8}"),
        rounds in prop_oneof![0..4_u32, 1_u32 << 24..],
        mem_cost in prop_oneof![0..4_u32, 25_u32..],
    ) {
        let key = hash::FirebaseKey { salt_separator: &separator, rounds, mem_cost };
        hash::holds::no_firebase_password_fits(password.as_bytes(), &stored, &salt, key, &signer_key);
    }

    #[test]
    fn no_stored_hash_panics_or_accepts_any_password(stored in stored(), password in ".{0,12}") {
        hash::holds::no_password_fits(password.as_bytes(), &stored);
        hash::holds::labelled(&stored);
        hash::holds::imported_as_it_is(&stored);
    }
}

/// Without such cases the properties above would hold trivially: check that the generators make them.
#[test]
fn the_generators_make_the_interesting_cases() {
    let of = |wanted: fn(&Answer) -> bool| {
        made(answer(), |(status, body)| {
            wanted(&Answer::made_up(status, body))
        })
    };
    let kinds = [
        of(|answer| matches!(jane::signed_in(answer), Ok(Verdict::Known(_)))),
        of(|answer| {
            granted(answer).is_ok() && answer.json().unwrap().to_string().contains("canary")
        }),
        of(|answer| matches!(cognito::signed_in(answer), Ok(cognito::SignIn::Right))),
        of(|answer| matches!(cognito::found(answer), Ok(Verdict::Known(_)))),
        made((status(), xml()), |(status, body)| {
            cognito::assumed(&Answer::made_up(status, body)).is_some()
        }),
        made(body(), |row| {
            let row = String::from_utf8_lossy(&row).into_owned();
            matches!(postgres::objects(&[row]).map(hashes::only), Ok(Ok(_)))
        }),
        made(secret(), |answer| secrets::parameter(&answer).is_ok()),
        made(secret(), |answer| {
            secrets::secret_value(&answer, Some("password")).is_ok()
        }),
        made(stored(), |stored| verified(b"x", &stored).is_ok()),
    ];
    // Out of 500; a property tests 256.
    assert!(kinds.iter().all(|made| *made > 4), "{kinds:?}");
}
