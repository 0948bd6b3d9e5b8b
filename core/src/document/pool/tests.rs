//! Each test covers one behaviour of pool documents and their updates.

use super::super::service::members;
use super::super::{Decision, differences};
use super::*;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:migrate";

const OURS: [(Trigger, Option<&str>); 1] = [(Trigger::UserMigration, Some(ARN))];

fn pool(members: Value) -> PoolDocument {
    let mut pool = json!({ "Id": "us-east-1_a", "Name": "Jane Roots", "Arn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_a" });
    for (member, value) in members.as_object().unwrap() {
        pool[member] = value.clone();
    }
    PoolDocument::from_describe(json!({ "UserPool": pool })).unwrap()
}

fn attach(members: Value) -> Update {
    pool_update(&pool(members), &OURS, &Decisions::new()).unwrap()
}

/// The part of a described field that is sent; null for nothing.
fn sent(member: &str, members: Value) -> Value {
    attach(members)
        .body()
        .get(member)
        .cloned()
        .unwrap_or_default()
}

fn reasons(members: Value) -> Vec<Reason> {
    pool_update(&pool(members), &OURS, &Decisions::new())
        .unwrap_err()
        .reasons()
        .to_vec()
}

#[test]
fn every_field_of_the_api_model_has_a_rule() {
    for (member, _) in members("UserPoolType") {
        assert!(
            RULES.iter().any(|(ruled, _)| *ruled == member),
            "{member} has no rule"
        );
    }
    for (member, rule) in RULES {
        assert!(
            members("UserPoolType").any(|(known, _)| known == *member),
            "{member} is not described"
        );
        let name = if let As(name) = rule { name } else { member };
        let sendable = members("UpdateUserPoolRequest").any(|(known, _)| known == *name);
        assert_eq!(sendable, !matches!(rule, ReadOnly), "{member}");
    }
    for (member, _) in members("UpdateUserPoolRequest") {
        let source = |(ruled, rule): &(&str, Rule)| {
            if let As(name) = rule {
                *name == member
            } else {
                *ruled == member
            }
        };
        assert!(RULES.iter().any(source), "{member} is never sent");
    }
}

#[test]
fn a_pool_without_triggers_gets_one() {
    assert_eq!(
        *attach(json!({})).body(),
        json!({ "UserPoolId": "us-east-1_a", "PoolName": "Jane Roots", "LambdaConfig": { "UserMigration": ARN } })
    );
}

#[test]
fn any_form_of_unset_triggers_is_accepted() {
    for unset in [json!(null), json!(""), json!({})] {
        let config = sent("LambdaConfig", json!({ "LambdaConfig": unset }));
        assert_eq!(config, json!({ "UserMigration": ARN }));
    }
}

#[test]
fn other_triggers_stay_including_unknown_ones() {
    let config = json!({
        "PreSignUp": "a", "PreTokenGeneration": "b", "PreTokenGenerationConfig": { "LambdaArn": "b", "LambdaVersion": "V3_0" },
        "CustomSMSSender": { "LambdaArn": "c", "LambdaVersion": "V1_0" }, "KMSKeyID": "k", "Later": { "LambdaArn": "d" },
    });
    let mut wanted = config.clone();
    wanted["UserMigration"] = ARN.into();
    assert_eq!(
        sent("LambdaConfig", json!({ "LambdaConfig": config })),
        wanted
    );
}

#[test]
fn removing_the_last_trigger_sends_an_empty_map() {
    let update = pool_update(
        &pool(json!({ "LambdaConfig": { "UserMigration": ARN } })),
        &[(Trigger::UserMigration, None)],
        &Decisions::new(),
    )
    .unwrap();
    assert_eq!(update.body()["LambdaConfig"], json!({}));
    assert_eq!(update.differences(pool(json!({})).json()), []);
}

#[test]
fn a_replaced_trigger_is_put_back() {
    let before = pool(json!({ "LambdaConfig": { "UserMigration": "theirs", "PreSignUp": "a" } }));
    let restore = restore_pool(&before, &Decisions::new()).unwrap();
    assert_eq!(
        restore.body()["LambdaConfig"],
        json!({ "UserMigration": "theirs", "PreSignUp": "a" })
    );
    assert_eq!(restore.expected(), before.json());
}

#[test]
fn read_only_fields_are_not_sent_but_expected_back() {
    let members = json!({ "Domain": "shop", "SchemaAttributes": [{ "Name": "sub" }], "AliasAttributes": ["email"], "CreationDate": 1 });
    let update = attach(members);
    assert_eq!(update.body().as_object().unwrap().len(), 3);
    assert_eq!(update.expected()["Domain"], "shop");
}

#[test]
fn nested_fields_are_sent_verbatim() {
    let email = json!({ "From": "", "Later": { "a": null }, "SourceArn": "arn" });
    assert_eq!(
        sent("EmailConfiguration", json!({ "EmailConfiguration": email })),
        email
    );
}

#[test]
fn absent_stays_absent_and_an_empty_object_counts_as_absent() {
    for member in [
        "AccountRecoverySetting",
        "DeviceConfiguration",
        "SmsConfiguration",
        "UserPoolAddOns",
        "KeyConfiguration",
        "IssuerConfiguration",
    ] {
        assert_eq!(sent(member, json!({})), Value::Null);
        assert_eq!(sent(member, json!({ member: {} })), Value::Null);
        assert_eq!(
            sent(member, json!({ member: { "Later": 1 } })),
            json!({ "Later": 1 })
        );
    }
}

#[test]
fn an_empty_setting_that_means_off_is_sent() {
    let off = json!({ "AttributesRequireVerificationBeforeUpdate": [] });
    assert_eq!(
        sent(
            "UserAttributeUpdateSettings",
            json!({ "UserAttributeUpdateSettings": off })
        ),
        off
    );
    assert_eq!(
        sent(
            "AutoVerifiedAttributes",
            json!({ "AutoVerifiedAttributes": [] })
        ),
        json!([])
    );
}

#[test]
fn the_tier_is_sent() {
    assert_eq!(
        sent("UserPoolTier", json!({ "UserPoolTier": "LITE" })),
        "LITE"
    );
}

#[test]
fn unused_account_days_move_to_the_password_policy() {
    let update = attach(json!({
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": 30 },
        "Policies": { "PasswordPolicy": { "MinimumLength": 8 } },
    }));
    assert_eq!(
        update.body()["AdminCreateUserConfig"],
        json!({ "AllowAdminCreateUserOnly": true })
    );
    assert_eq!(
        update.body()["Policies"],
        json!({ "PasswordPolicy": { "MinimumLength": 8, "TemporaryPasswordValidityDays": 30 } })
    );
}

#[test]
fn days_already_in_the_password_policy_stay() {
    let policies = json!({ "PasswordPolicy": { "TemporaryPasswordValidityDays": 3 } });
    let update = attach(
        json!({ "AdminCreateUserConfig": { "UnusedAccountValidityDays": 7 }, "Policies": policies }),
    );
    assert_eq!(update.body()["Policies"], policies);
    assert_eq!(update.body().get("AdminCreateUserConfig"), None);
}

#[test]
fn zero_days_are_never_sent() {
    let policies = |days: Value| json!({ "PasswordPolicy": { "MinimumLength": 8, "TemporaryPasswordValidityDays": days } });
    let none = json!({ "PasswordPolicy": { "MinimumLength": 8 } });
    assert_eq!(
        sent("Policies", json!({ "Policies": policies(json!(0)) })),
        none
    );
    assert_eq!(
        sent("Policies", json!({ "Policies": policies(Value::Null) })),
        none
    );
    let legacy = json!({ "Policies": policies(json!(0)), "AdminCreateUserConfig": { "UnusedAccountValidityDays": 30 } });
    assert_eq!(sent("Policies", legacy), policies(json!(30)));
}

#[test]
fn days_without_a_password_policy_are_refused_unless_default() {
    let config = |days: u8| json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": days } });
    assert_eq!(reasons(config(30)), [Reason::HomelessDays]);
    assert_eq!(attach(config(7)).body().get("Policies"), None);
}

#[test]
fn a_legacy_message_equal_to_the_template_is_sent() {
    let members = json!({ "SmsVerificationMessage": "{####}", "VerificationMessageTemplate": { "SmsMessage": "{####}" } });
    assert_eq!(sent("SmsVerificationMessage", members), "{####}");
}

#[test]
fn a_legacy_message_without_a_template_is_sent() {
    assert_eq!(
        sent(
            "EmailVerificationMessage",
            json!({ "EmailVerificationMessage": "{####}" })
        ),
        "{####}"
    );
    let blank = json!({ "EmailVerificationMessage": "{####}", "VerificationMessageTemplate": { "EmailMessage": "" } });
    assert_eq!(sent("EmailVerificationMessage", blank), "{####}");
}

#[test]
fn a_legacy_message_that_repeats_the_text_for_links_is_not_sent() {
    let members = json!({
        "EmailVerificationMessage": "{##here##}", "EmailVerificationSubject": "Hello",
        "VerificationMessageTemplate": { "EmailMessageByLink": "{##here##}", "EmailSubjectByLink": "Hello" },
    });
    let update = attach(members);
    assert_eq!(update.body().get("EmailVerificationMessage"), None);
    assert_eq!(update.body().get("EmailVerificationSubject"), None);
    assert_eq!(update.expected()["EmailVerificationSubject"], "Hello");
}

#[test]
fn a_legacy_message_that_contradicts_the_template_needs_a_decision() {
    for (member, template) in [
        ("SmsVerificationMessage", "SmsMessage"),
        ("EmailVerificationMessage", "EmailMessage"),
        ("EmailVerificationSubject", "EmailSubject"),
    ] {
        let members = json!({ member: "one {####}", "VerificationMessageTemplate": { template: "other {####}" } });
        assert_eq!(
            reasons(members.clone()),
            [Reason::Contradiction { member, template }]
        );
        let decide = |decision| {
            pool_update(
                &pool(members.clone()),
                &OURS,
                &Decisions::from([(member.to_owned(), decision)]),
            )
            .unwrap()
        };
        assert_eq!(decide(Decision::Carry).body()[member], "one {####}");
        assert_eq!(decide(Decision::Drop).body().get(member), None);
    }
}

#[test]
fn tags_of_aws_are_not_sent_but_expected_back() {
    let tags = json!({ "team": "shop", "aws:cloudformation:stack-name": "s", "AWS:x": "y", "awsome": "z", "é": "" });
    let update = attach(json!({ "UserPoolTags": tags }));
    assert_eq!(
        update.body()["UserPoolTags"],
        json!({ "team": "shop", "awsome": "z", "é": "" })
    );
    assert_eq!(update.expected()["UserPoolTags"], tags);
}

#[test]
fn default_acr_names_are_not_sent() {
    let levels = |name: &str| json!({ "UserPoolTier": "PLUS", "AcrConfiguration": { "Level1": { "AcrValue": "urn:cognito:loa:1" }, "Level2": { "AcrValue": name } } });
    assert_eq!(
        sent("AcrConfiguration", levels("urn:cognito:loa:2")),
        Value::Null
    );
    assert_eq!(
        sent("AcrConfiguration", levels("silver")),
        levels("silver")["AcrConfiguration"]
    );
    let mut lite = levels("silver");
    lite["UserPoolTier"] = "LITE".into();
    assert_eq!(sent("AcrConfiguration", lite), Value::Null);
}

#[test]
fn client_registration_is_sent_only_with_its_status() {
    let on = json!({ "EnableStatus": "Disabled", "AllowedScopes": ["openid"] });
    assert_eq!(
        sent("DcrConfiguration", json!({ "DcrConfiguration": on })),
        on
    );
    assert_eq!(
        sent(
            "DcrConfiguration",
            json!({ "DcrConfiguration": { "AllowedScopes": ["openid"] } })
        ),
        Value::Null
    );
    assert_eq!(
        sent(
            "DcrConfiguration",
            json!({ "DcrConfiguration": { "EnableStatus": null } })
        ),
        Value::Null
    );
}

#[test]
fn a_write_that_changed_more_is_detected() {
    let before = json!({ "MfaConfiguration": "ON", "LambdaConfig": { "PreSignUp": "a" } });
    let update = attach(before);
    let mut after = update.expected().clone();
    assert_eq!(update.differences(&after), []);
    after["MfaConfiguration"] = "OFF".into();
    after["LambdaConfig"]["PreSignUp"].take();
    let found: Vec<String> = update
        .differences(&after)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "/LambdaConfig/PreSignUp: \"a\" => none",
            "/MfaConfiguration: \"ON\" => \"OFF\""
        ]
    );
}

#[test]
fn the_pools_properties_are_read() {
    let pool = pool(json!({
        "UserPoolTier": "PLUS", "LastModifiedDate": 1.5, "EstimatedNumberOfUsers": 12, "UsernameAttributes": ["email"],
        "LambdaConfig": { "PreSignUp": "a", "UserMigration": "" }, "UsernameConfiguration": { "CaseSensitive": false },
        "Policies": { "PasswordPolicy": { "MinimumLength": 8 } }, "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "SchemaAttributes": [{ "Name": "email", "Required": true, "Mutable": false }, { "Name": "custom:legacy_id" }],
        "AccountRecoverySetting": { "RecoveryMechanisms": [
            { "Name": "verified_phone_number", "Priority": 2 }, { "Name": "verified_email", "Priority": 1 },
        ] },
    }));
    assert_eq!(
        (pool.id(), &*pool.name(), pool.tier()),
        ("us-east-1_a", "Jane Roots", Some("PLUS"))
    );
    assert_eq!(
        (pool.last_modified(), pool.estimated_users()),
        (Some(&json!(1.5)), Some(12))
    );
    assert_eq!(
        (pool.trigger(Trigger::PreSignUp), pool.user_migration()),
        (Some("a"), None)
    );
    assert_eq!(pool.username_attributes().collect::<Vec<_>>(), ["email"]);
    assert_eq!(pool.alias_attributes().count(), 0);
    assert!(!pool.case_sensitive());
    assert!(pool.admin_creates_users_only());
    assert_eq!(pool.password_policy(), Some(&json!({ "MinimumLength": 8 })));
    assert_eq!(
        pool.recovery_mechanisms(),
        ["verified_email", "verified_phone_number"]
    );
    assert_eq!(
        pool.schema_attributes().collect::<Vec<_>>(),
        [
            SchemaAttribute {
                name: "email",
                required: true,
                mutable: false,
                constraint: None,
            },
            SchemaAttribute {
                name: "custom:legacy_id",
                required: false,
                mutable: true,
                constraint: None,
            },
        ]
    );
}

#[test]
fn the_schemas_constraints_are_read() {
    let constraint = |attribute: Value| {
        let pool = pool(json!({ "SchemaAttributes": [attribute] }));
        pool.schema_attributes().next().unwrap().constraint
    };
    let text = |limits: Value| {
        constraint(json!({ "AttributeDataType": "String", "StringAttributeConstraints": limits }))
    };
    assert_eq!(text(json!({ "MinLength": "0", "MaxLength": "2048" })), None);
    assert_eq!(text(json!({})), None);
    assert_eq!(
        text(json!({ "MinLength": "1", "MaxLength": "256" })),
        Some(Constraint::Length(1, 256))
    );
    assert_eq!(
        constraint(
            json!({ "AttributeDataType": "Number", "NumberAttributeConstraints": { "MinValue": "-5" } })
        ),
        Some(Constraint::Number(Some(-5), None))
    );
    assert_eq!(
        constraint(json!({ "AttributeDataType": "Boolean" })),
        Some(Constraint::Boolean)
    );
}

#[test]
fn a_snapshot_reads_back() {
    let pool = pool(json!({ "MfaConfiguration": "ON" }));
    assert_eq!(
        differences(
            pool.json(),
            PoolDocument::from_json(pool.json().clone()).unwrap().json()
        ),
        []
    );
}

#[test]
fn a_response_without_a_pool_names_the_missing_field() {
    let error = PoolDocument::from_describe(json!({})).unwrap_err();
    assert_eq!(error.to_string(), "the description has no `UserPool.Id`");
}

/// Numbers are sent exactly as they were described: no digit is lost or rounded. (Exponents get serde_json's form.)
#[test]
fn numbers_are_sent_as_described() {
    let described = r#"{ "UserPool": { "Id": "us-east-1_a", "Name": "n",
        "Arn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_a",
        "Policies": { "PasswordPolicy": { "MinimumLength": 1E2, "PasswordHistorySize": 12345678901234567890123,
            "TemporaryPasswordValidityDays": 1.10 } } } }"#;
    let described = serde_json::from_str(described).unwrap();
    let pool = PoolDocument::from_describe(described).unwrap();
    let update = pool_update(&pool, &OURS, &Decisions::new()).unwrap();
    let body = update.body().to_string();
    for number in ["1e+2", "12345678901234567890123", "1.10"] {
        assert!(body.contains(&format!(":{number}")), "{body}");
    }
}
