//! A pool, client and configuration with which nothing is wrong, and one thing made wrong at a time.

use super::*;
use serde_json::json;

const JANE: &str =
    "[directory]\nkind = \"jane\"\nclient_id = \"c\"\nclient_secret = { ssm = \"/jane/secret\" }\n";

/// A pool and client with which nothing is wrong, changed as `pool` and `client` say.
fn ids(toml: &str, pool: Value, mfa: Value, client: Value) -> Vec<&'static str> {
    let mut document = json!({
        "Id": "us-east-1_Ab1", "Name": "Roots",
        "Arn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1",
        "UsernameAttributes": ["email"],
        "UsernameConfiguration": { "CaseSensitive": false },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "SchemaAttributes": [{ "Name": "sub", "Required": true, "Mutable": false }, { "Name": "email", "Required": true, "Mutable": true }],
    });
    merge(&mut document, pool);
    let mut described = json!({
        "ClientId": "c", "UserPoolId": "us-east-1_Ab1", "ClientName": "web",
        "PreventUserExistenceErrors": "ENABLED",
    });
    merge(&mut described, client);
    let config = jane_migrate_config::parse(toml, "migrate.toml").unwrap();
    let client = ClientDocument::from_json(described).unwrap();
    let subject = Subject {
        pool: &PoolDocument::from_json(document).unwrap(),
        mfa: &mfa,
        clients: &[&client],
        config: &config,
        given: &Flags::default(),
    };
    findings(&subject)
        .into_iter()
        .filter(|finding| !finding.ok)
        .map(|finding| finding.id)
        .collect()
}

fn merge(base: &mut Value, more: Value) {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
}

fn of_config(more: &str) -> Vec<&'static str> {
    ids(&format!("{JANE}{more}"), json!({}), json!({}), json!({}))
}

fn of_pool(pool: Value) -> Vec<&'static str> {
    ids(JANE, pool, json!({}), json!({}))
}

#[test]
fn what_suits_has_no_finding() {
    assert_eq!(of_config(""), [] as [&str; 0]);
}

#[test]
fn a_secret_written_out_is_found_before_it_is_deployed() {
    let http = |header: &str| {
        let toml = format!(
            "[directory]\nkind = \"http\"\nsecrets = {{ key = {{ ssm = \"/key\" }} }}\n[directory.authenticate]\n\
             url = \"https://directory.example/check\"\nheaders = {{ x-api-key = \"{header}\" }}\n\
             json = {{ user = \"{{username}}\", password = \"{{password}}\" }}\nok = [200]\nwrong_password = [401]\n\
             [attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n"
        );
        ids(&toml, json!({}), json!({}), json!({}))
    };
    assert_eq!(http("hunter2"), ["env-secrets"]);
    let by_reference = http("{secrets.key}");
    assert!(!by_reference.contains(&"env-secrets"), "{by_reference:?}");
}

#[test]
fn what_the_configuration_gets_wrong_is_found() {
    assert_eq!(
        of_config("[attributes]\n\"custom:loyalty\" = \"x\"\n"),
        ["attributes-schema"]
    );
    assert_eq!(
        of_config("[attributes]\nemail = \"=\"\n"),
        ["attributes-schema", "recovery-channel"]
    );
    assert_eq!(
        of_config("[response]\nforce_alias_creation = true\n"),
        ["alias-takeover"]
    );
    let by_environment = JANE.replace("ssm = \"/jane/secret\"", "env = \"JANE_SECRET\"");
    let found = ids(&by_environment, json!({}), json!({}), json!({}));
    assert_eq!(found, ["environment-secret"]);
    let sealed = format!(
        "{by_environment}[function]\nkms_key_arn = \"arn:aws:kms:us-east-1:123456789012:key/k\"\n"
    );
    assert_eq!(
        ids(&sealed, json!({}), json!({}), json!({})),
        [] as [&str; 0]
    );
}

#[test]
fn what_the_pool_makes_hard_is_found() {
    let schema = |attribute: Value| json!({ "SchemaAttributes": [attribute] });
    assert_eq!(
        of_pool(schema(
            json!({ "Name": "nickname", "Required": true, "Mutable": true })
        )),
        ["attributes-schema"]
    );
    assert_eq!(
        of_pool(schema(
            json!({ "Name": "birthdate", "Required": false, "Mutable": false })
        )),
        ["attributes-writable"]
    );
    assert_eq!(
        of_pool(json!({ "UsernameAttributes": [], "AliasAttributes": ["email"] })),
        ["username-alias"]
    );
    assert_eq!(
        of_pool(json!({ "LambdaConfig": { "PreSignUp": "arn:x" } })),
        ["pre-signup"]
    );
    assert_eq!(
        of_pool(json!({ "AdminCreateUserConfig": {} })),
        ["open-sign-up"]
    );
    let phone = json!({ "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Name": "verified_phone_number", "Priority": 1 }] } });
    assert_eq!(of_pool(phone), ["recovery-channel"]);
    let as_typed = format!("{JANE}[response]\nusername = \"as-typed\"\n");
    let found = ids(
        &as_typed,
        json!({ "UsernameConfiguration": {} }),
        json!({}),
        json!({}),
    );
    assert_eq!(found, ["username-case"]);
}

#[test]
fn what_init_could_not_know_must_be_filled_in() {
    let open = JANE.replace("\"c\"", "\"your-client-id\"");
    assert_eq!(ids(&open, json!({}), json!({}), json!({})), ["filled-in"]);
    let keycloak = |realm: &str, client: &str| {
        format!(
            "[directory]\nkind = \"http\"\npreset = \"keycloak\"\nurl = \"https://your-directory.example.com\"\nsettings = {{ realm = \"{realm}\", client_id = \"{client}\" }}\nsecrets = {{ client_secret = {{ ssm = \"/k\" }} }}\n"
        )
    };
    for (realm, client) in [("shop", "app"), ("your-realm", "your-client-id")] {
        let found = ids(&keycloak(realm, client), json!({}), json!({}), json!({}));
        assert_eq!(found, ["filled-in"]);
    }
}

#[test]
fn what_a_client_makes_hard_is_found() {
    let telling = ids(
        JANE,
        json!({}),
        json!({}),
        json!({ "PreventUserExistenceErrors": "LEGACY" }),
    );
    assert_eq!(telling, ["client-user-existence"]);
    let closed = ids(
        JANE,
        json!({}),
        json!({}),
        json!({ "WriteAttributes": ["email"] }),
    );
    assert_eq!(closed, ["attributes-writable"]);
}

#[test]
fn sms_as_second_factor_needs_a_number() {
    let mfa =
        json!({ "MfaConfiguration": "ON", "SmsMfaConfiguration": { "SmsConfiguration": {} } });
    assert_eq!(
        ids(JANE, json!({}), mfa.clone(), json!({})),
        [] as [&str; 0]
    );
    let without = format!("{JANE}[attributes]\nphone_number = \"=\"\n");
    assert_eq!(ids(&without, json!({}), mfa, json!({})), ["mfa-phone"]);
}

#[test]
fn costly_hashes_need_memory() {
    let postgres = |memory: u32| {
        format!(
            "[directory]\nkind = \"postgres\"\nhost = \"db.example.com\"\ndatabase = \"shop\"\nuser = \"m\"\npassword = {{ ssm = \"/db\" }}\nquery = \"SELECT email, h FROM users WHERE email = $1\"\npassword_column = \"h\"\nhash = \"bcrypt\"\n[attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n[function]\nmemory_mb = {memory}\n"
        )
    };
    assert_eq!(
        ids(&postgres(256), json!({}), json!({}), json!({})),
        ["hash-memory"]
    );
    assert_eq!(
        ids(&postgres(512), json!({}), json!({}), json!({})),
        [] as [&str; 0]
    );
}
