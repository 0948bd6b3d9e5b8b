//! A pool, client and configuration with which nothing is wrong, and one thing made wrong at a time.

use std::collections::{BTreeMap, BTreeSet};

use jane_migrate_config::{Config, HandlerSettings};
use serde_json::{Value, json};

use super::{Asked, Choice, Snapshot, Subject, checks, run};
use crate::document::{ClientDocument, PoolDocument};
use crate::facts::pool_facts;
use crate::fixtures::{self, written};
use crate::ids::Names;
use crate::observed::{Observed, PoolState};
use crate::plan::{self, Allowed, Plan};
use crate::resources::{Desired, Tags};

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
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    });
    merge(&mut described, client);
    let config = jane_migrate_config::parse(toml, "migrate.toml").unwrap();
    let client = ClientDocument::from_json(described).unwrap();
    let observed = nothing_deployed(document, mfa, client);
    plan_of(&config, &observed)
        .findings
        .iter()
        .map(|finding| finding.id)
        .collect()
}

/// A pool and its client, and nothing of ours.
fn nothing_deployed(pool: Value, mfa: Value, client: ClientDocument) -> Observed {
    let document = PoolDocument::from_json(pool).unwrap();
    let names = Names::new(document.arn().parse().unwrap());
    Observed {
        pool: Ok(Some(PoolState {
            document,
            mfa: Ok(mfa),
        })),
        clients: Ok(vec![client]),
        function: Ok(None),
        live: Ok(None),
        policies: Ok(BTreeMap::new()),
        role: Ok(None),
        role_policies: Ok(BTreeMap::new()),
        attached_policies: Ok(BTreeMap::new()),
        log_group: Ok(None),
        log_group_tags: Ok(Tags::new()),
        ..Observed::nothing(names)
    }
}

fn plan_of(config: &Config, observed: &Observed) -> Plan {
    let pool = observed.pool().unwrap();
    let facts = pool_facts(&pool.document, pool.mfa.as_ref().unwrap());
    let settings = HandlerSettings::new(config, &facts);
    let desired = Desired::new(
        &observed.names,
        config,
        &settings,
        "source",
        Default::default(),
    );
    plan::deploy(
        &desired,
        observed,
        &asked(Some(config)),
        &Allowed::default(),
    )
    .unwrap()
}

fn asked(config: Option<&Config>) -> Asked<'_> {
    Asked {
        config,
        clients: None,
        snapshots: &[],
        today: "2026-11-26".parse().unwrap(),
        code_serves: None,
    }
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

#[test]
fn each_recorded_run_finds_what_it_found() {
    let mut different = Vec::new();
    let mut seen = BTreeSet::new();
    for mut fixture in fixtures::all("checks") {
        let (observed, config) = (fixture.observed(), fixture.config());
        let strings = |value: &Value| -> Vec<String> {
            serde_json::from_value(value.clone()).unwrap_or_default()
        };
        let named = fixture.json["named_clients"]
            .as_array()
            .map(|_| strings(&fixture.json["named_clients"]));
        let snapshots: Vec<Snapshot> = fixture.json["snapshots"]
            .as_array()
            .unwrap()
            .iter()
            .map(|snapshot| Snapshot {
                json: snapshot["json"].clone(),
                digest: snapshot["digest"].as_str().unwrap().to_owned(),
            })
            .collect();
        let asked = Asked {
            clients: named.as_deref(),
            snapshots: &snapshots,
            today: fixture.json["today"].as_str().unwrap().parse().unwrap(),
            code_serves: (fixture.json["code_serves"] == "jane").then_some("jane"),
            ..asked(config.as_ref())
        };
        let choice = &fixture.json["choice"];
        let choice = Choice {
            only: strings(&choice["only"]),
            skip: strings(&choice["skip"]),
            probe: choice["probe"] == true,
        };
        let accepted = config.as_ref().map(|config| config.verify.accept.clone());
        let subject = Subject::new(&observed, &asked);
        let findings = run(&subject, &choice, &accepted.unwrap_or_default());
        seen.extend(
            findings
                .iter()
                .map(|finding| (finding.id, finding.ok, finding.unknown)),
        );
        let flags = fixture.flags();
        let findings = findings
            .iter()
            .map(|finding| written(finding, &flags))
            .collect();
        different.extend(fixture.hold("findings", findings));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    for check in checks() {
        for (ok, unknown) in [(true, false), (false, false), (false, true)] {
            assert!(
                seen.contains(&(check.id, ok, unknown)),
                "no fixture in which {} is ok: {ok}, unknown: {unknown}",
                check.id
            );
        }
    }
}
