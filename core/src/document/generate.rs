//! Pools and clients as the service may describe them, for the tests: each field of the API model
//! is absent, empty or set, and there are fields that are newer than the model.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

use super::service::{FUTURE, MODEL, has_tier, members};

/// Any pool that an update can preserve.
pub(super) fn pool() -> impl Strategy<Value = Value> {
    let legacy = (legacy_text(), legacy_text(), legacy_text());
    let days = (option::of(0..40u32), option::of(0..40u32), any::<bool>());
    let custom_levels = btree_map(1..=4u8, text("[a-z]{3,9}"), 0..=4);
    (
        structure("UserPoolType", true),
        legacy,
        days,
        custom_levels,
        option::of(tags()),
    )
        .prop_map(
            |(mut pool, legacy, (temporary, unused, policy), levels, tags)| {
                pool["Id"] = "us-east-1_Example01".into();
                pool["Name"] = "Jane Roots".into();
                pool["Arn"] =
                    "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Example01"
                        .into();
                duplicate(
                    &mut pool,
                    "SmsVerificationMessage",
                    "SmsMessage",
                    None,
                    legacy.0,
                );
                duplicate(
                    &mut pool,
                    "EmailVerificationMessage",
                    "EmailMessage",
                    Some("EmailMessageByLink"),
                    legacy.1,
                );
                duplicate(
                    &mut pool,
                    "EmailVerificationSubject",
                    "EmailSubject",
                    Some("EmailSubjectByLink"),
                    legacy.2,
                );
                if policy {
                    ensure_object(ensure_object(&mut pool["Policies"], "PasswordPolicy"), "");
                    pool["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"] =
                        json!(temporary);
                    ensure_object(&mut pool, "AdminCreateUserConfig")["UnusedAccountValidityDays"] =
                        json!(unused);
                } else {
                    // Without a policy only the default can be kept.
                    remove(&mut pool["Policies"], "PasswordPolicy");
                    ensure_object(&mut pool, "AdminCreateUserConfig")["UnusedAccountValidityDays"] =
                        7.into();
                }
                remove(&mut pool, "AcrConfiguration");
                if has_tier(&pool) {
                    for n in 1..=4 {
                        let default = format!("urn:cognito:loa:{n}");
                        let custom = levels.get(&n).filter(|_| pool["UserPoolTier"] != "LITE");
                        pool["AcrConfiguration"][format!("Level{n}")] =
                            json!({ "AcrValue": custom.unwrap_or(&default) });
                    }
                }
                let devices = &mut pool["DeviceConfiguration"];
                if devices
                    .as_object()
                    .is_some_and(|devices| !devices.is_empty())
                {
                    for setting in [
                        "ChallengeRequiredOnNewDevice",
                        "DeviceOnlyRememberedOnUserPrompt",
                    ] {
                        devices[setting] = (devices[setting] == true).into();
                    }
                }
                for member in [
                    "SmsConfiguration",
                    "UserPoolAddOns",
                    "DeviceConfiguration",
                    "AccountRecoverySetting",
                ] {
                    unset_if_bare(&mut pool, member);
                }
                pool["UserPoolTags"] = json!(tags);
                pool
            },
        )
}

/// Any client that an update can preserve.
pub(super) fn client() -> impl Strategy<Value = Value> {
    (
        structure("UserPoolClientType", true),
        flows(),
        option::of(text("[a-z0-9]{30}")),
    )
        .prop_map(|(mut client, flows, secret)| {
            client["UserPoolId"] = "us-east-1_Example01".into();
            client["ClientId"] = "1example23456789".into();
            client["ClientSecret"] = json!(secret.map(|secret| format!("{SECRET}{secret}")));
            let rotates = client["RefreshTokenRotation"]["Feature"] == "ENABLED";
            client["ExplicitAuthFlows"] = flows.map_or(Value::Null, |mut flows| {
                flows.retain(|flow| !(rotates && *flow == "ALLOW_REFRESH_TOKEN_AUTH"));
                json!(flows)
            });
            client
        })
}

/// The start of every generated client secret.
pub(super) const SECRET: &str = "canary";

/// The flows that a client may list: no list, an empty list, or names of one family.
pub(super) fn flows() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    let refresh = "ALLOW_REFRESH_TOKEN_AUTH";
    let allow = [
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_CUSTOM_AUTH",
        "ALLOW_USER_AUTH",
        "ALLOW_USER_PASSWORD_AUTH",
        "ALLOW_ADMIN_USER_PASSWORD_AUTH",
        "ALLOW_TOKEN_EXCHANGE_DELEGATION",
        "ALLOW_OF_THE_FUTURE",
    ];
    let legacy = [
        "CUSTOM_AUTH_FLOW_ONLY",
        "ADMIN_NO_SRP_AUTH",
        "USER_PASSWORD_AUTH",
    ];
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Vec::new())),
        1 => subsequence(legacy.to_vec(), 1..=legacy.len()).prop_map(Some),
        4 => subsequence(allow.to_vec(), 0..=allow.len())
            .prop_map(move |flows| Some(std::iter::once(refresh).chain(flows).collect())),
    ]
}

/// A structure of the API in which each field is absent, empty or set; `open` adds top-level fields
/// that are newer than the model.
fn structure(shape: &'static str, open: bool) -> BoxedStrategy<Value> {
    let required = MODEL["shapes"][shape]["required"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let known = members(shape).map(|(member, shape)| {
        let name = Just(member.to_owned());
        let value = if required.contains(&json!(member)) {
            value(shape).prop_map(Some).boxed()
        } else {
            prop_oneof![
                3 => Just(None),
                7 => value(shape).prop_map(Some),
                1 => unset(shape).prop_map(Some),
            ]
            .boxed()
        };
        (name, value).boxed()
    });
    let future = (
        text(&format!("{FUTURE}[A-Z][a-z]{{3}}")),
        option::weighted(if open { 0.5 } else { 0.15 }, future_value()),
    )
        .boxed();
    known
        .chain([future])
        .collect::<Vec<_>>()
        .prop_map(|members| {
            let set = members
                .into_iter()
                .filter_map(|(member, value)| Some((member, value?)));
            Value::Object(set.collect::<Map<_, _>>())
        })
        .boxed()
}

fn value(shape: &'static str) -> BoxedStrategy<Value> {
    let fact = &MODEL["shapes"][shape];
    let inner = |role: &str| value(fact[role].as_str().expect("the name of a shape"));
    match fact["type"].as_str().expect("a type") {
        "structure" => structure(shape, false),
        "list" => vec(inner("member"), 0..4).prop_map(Value::from).boxed(),
        "map" => btree_map(text("[a-z]{3}"), inner("value"), 0..3)
            .prop_map(|members| json!(members))
            .boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => {
            let least = fact["min"].as_u64().unwrap_or(0);
            (least..=fact["max"].as_u64().unwrap_or(least + 1000))
                .prop_map(Value::from)
                .boxed()
        }
        "timestamp" => (1_600_000_000..1_800_000_000u32)
            .prop_map(|seconds| json!(f64::from(seconds) + 0.5))
            .boxed(),
        "string" => match fact["enum"].as_array() {
            Some(values) => select(values.clone()).boxed(),
            None => text("[a-z]{1,6}( \\{####\\})?")
                .prop_map(Value::from)
                .boxed(),
        },
        other => unreachable!("the API model has a new type, {other}"),
    }
}

/// How emulators show fields that are not set.
fn unset(shape: &'static str) -> BoxedStrategy<Value> {
    match MODEL["shapes"][shape]["type"].as_str() {
        // A service that accepts `{}` as a value never describes it; one that describes it means
        // "never set".
        Some("structure" | "map") if shape != "KeyConfigurationType" => Just(json!({})).boxed(),
        Some("list") => Just(json!([])).boxed(),
        Some("string") => Just(json!("")).boxed(),
        _ => Just(Value::Null).boxed(),
    }
}

fn future_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text("[a-z]{1,6}").prop_map(Value::from),
        (1..9u8).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(text("[a-z]{1,3}"), 1..3).prop_map(Value::from),
        (text("[A-Z][a-z]{2}"), text("[a-z]{1,4}"))
            .prop_map(|(member, text)| json!({ member: text })),
    ]
}

/// A strategy made from a pattern parses it again for each value; this parses it once.
fn text(pattern: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(pattern).expect("a pattern")
}

fn tags() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    btree_map(
        prop_oneof![
            text("[a-z/~]{1,5}"),
            text("aws:[a-z]{2}:[a-z]{2}"),
            text("[é]{1,3}")
        ],
        text("[a-z]{0,4}"),
        0..4,
    )
}

#[derive(Clone, Copy, Debug)]
enum Legacy {
    Absent,
    Empty,
    Duplicate,
    Alone,
    Link,
}

fn legacy_text() -> impl Strategy<Value = Legacy> {
    select(vec![
        Legacy::Absent,
        Legacy::Empty,
        Legacy::Duplicate,
        Legacy::Alone,
        Legacy::Link,
    ])
}

/// If the template has a text for links and none with a code, the service also shows the former as
/// the legacy message.
fn duplicate(
    pool: &mut Value,
    member: &str,
    template: &str,
    by_link: Option<&str>,
    legacy: Legacy,
) {
    let texts = &mut pool["VerificationMessageTemplate"];
    if let Some(by_link) = by_link {
        remove(texts, by_link);
    }
    pool[member] = match (legacy, by_link) {
        (Legacy::Absent, _) => Value::Null,
        (Legacy::Empty, _) => "".into(),
        (Legacy::Duplicate, _) => {
            ensure_object(pool, "VerificationMessageTemplate")[template] =
                "{####} is your code".into();
            "{####} is your code".into()
        }
        (Legacy::Link, Some(by_link)) => {
            let texts = ensure_object(pool, "VerificationMessageTemplate");
            remove(texts, template);
            texts[by_link] = "Press {##here##}".into();
            "Press {##here##}".into()
        }
        (Legacy::Alone | Legacy::Link, _) => {
            remove(&mut pool["VerificationMessageTemplate"], template);
            "Code {####}".into()
        }
    };
}

/// The service never describes an object that it would reject.
fn unset_if_bare(pool: &mut Value, member: &str) {
    let bare = |value: &Value| {
        value.is_null() || *value == json!({}) || *value == json!([]) || value == ""
    };
    if pool[member]
        .as_object()
        .is_some_and(|members| members.values().all(bare))
    {
        pool[member] = json!({});
    }
}

fn ensure_object<'a>(value: &'a mut Value, member: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    if member.is_empty() {
        return value;
    }
    let inner = &mut value[member];
    if !inner.is_object() {
        *inner = json!({});
    }
    inner
}

fn remove(value: &mut Value, member: &str) {
    value.as_object_mut().map(|value| value.remove(member));
}
