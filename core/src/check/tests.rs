//! A pool, client and configuration for which all checks hold, with one fault added at a time.

use std::collections::{BTreeMap, BTreeSet};

use jane_migrate_config::{Config, HandlerSettings};
use serde_json::{Value, json};

use super::{Asked, Choice, Snapshot, Subject, checks, run};
use crate::document::{ClientDocument, PoolDocument};
use crate::exposure::{CodeSigning, Metrics};
use crate::facts::pool_facts;
use crate::finding::{Finding, Severity};
use crate::firewall::WebAcl;
use crate::fix::Flags;
use crate::fixtures::{self, Fixture, written};
use crate::ids::Names;
use crate::observed::{Observed, PoolState};
use crate::plan::{self, Allowed, Plan};
use crate::read::{Read, Unread};
use crate::resources::{Desired, ObservedFunction, Tags, tag};

const JANE: &str = "[directory]\nkind = \"jane\"\nclient_id = \"c\"\nclient_secret = { ssm = \"/jane/secret\" }\n[triggers]\npre_sign_up = true\n";

/// The findings for a pool and client for which all checks hold, changed by `pool` and `client`.
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

/// A pool and its client, without anything of ours.
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
fn a_good_configuration_has_no_finding() {
    assert_eq!(of_config(""), [] as [&str; 0]);
}

#[test]
fn a_literal_secret_is_found_before_the_deploy() {
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
fn configuration_mistakes_are_found() {
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
fn unsuitable_pool_settings_are_found() {
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
    let aliases = json!({ "UsernameAttributes": [], "AliasAttributes": ["email"] });
    let mapped = |more: &str| {
        let toml = format!("{JANE}[attributes]\nusername = \"{{uuid}}\"\n{more}");
        ids(&toml, aliases.clone(), json!({}), json!({}))
    };
    assert_eq!(mapped(""), [] as [&str; 0]);
    let unverified = mapped("email_verified = \"=\"\n");
    assert!(unverified.contains(&"username-alias"), "{unverified:?}");
    assert_eq!(
        of_pool(json!({ "AdminCreateUserConfig": {} })),
        [] as [&str; 0]
    );
    let phone = json!({ "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Name": "verified_phone_number", "Priority": 1 }] } });
    assert_eq!(of_pool(phone.clone()), ["recovery-channel"]);
    let verified = format!(
        "{JANE}[attributes]\nphone_number = \"phone\"\nphone_number_verified = \"=true\"\n"
    );
    let found = ids(&verified, phone, json!({}), json!({}));
    assert_eq!(found, [] as [&str; 0]);
    let as_typed = format!("{JANE}[response]\nusername = \"as-typed\"\n");
    let found = ids(
        &as_typed,
        json!({ "UsernameConfiguration": {} }),
        json!({}),
        json!({}),
    );
    assert_eq!(found, ["username-case"]);
}

/// Without our guard, the other functions at sign-up are reported.
#[test]
fn an_open_sign_up_without_our_guard_is_found_even_with_another_function() {
    const OLD_POOL: &str = "[directory]\nkind = \"cognito\"\npool_id = \"us-east-1_Old1\"\nclient_id = \"1example23456789\"\n";
    let found = |toml: &str, pool: Value| ids(toml, pool, json!({}), json!({}));
    let theirs = json!({ "PreSignUp": "arn:aws:lambda:us-east-1:123456789012:function:theirs" });
    let open = json!({ "AdminCreateUserConfig": {} });
    let open_and_theirs = json!({ "AdminCreateUserConfig": {}, "LambdaConfig": theirs });
    assert_eq!(found(OLD_POOL, open.clone()), ["open-sign-up"]);
    assert_eq!(
        found(OLD_POOL, json!({ "LambdaConfig": theirs })),
        ["pre-signup"]
    );
    assert_eq!(
        found(OLD_POOL, open_and_theirs.clone()),
        ["pre-signup", "open-sign-up"]
    );
    let guarded = format!("{OLD_POOL}[triggers]\npre_sign_up = true\n");
    assert_eq!(found(&guarded, open.clone()), [] as [&str; 0]);

    // Jane must be notified of users, by our function or by another one, which cannot be checked here.
    let off = JANE.split("[triggers]").next().unwrap();
    assert_eq!(found(off, json!({})), ["jane-connection"]);
    assert_eq!(
        found(off, json!({ "LambdaConfig": theirs })),
        ["jane-connection"]
    );
    assert_eq!(
        found(off, open_and_theirs),
        ["open-sign-up", "jane-connection"]
    );
}

#[test]
fn placeholders_of_init_must_be_filled_in() {
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
fn unsuitable_client_settings_are_found() {
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
    for other in [
        json!({ "MfaConfiguration": "OFF", "SmsMfaConfiguration": { "SmsConfiguration": {} } }),
        json!({ "MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": { "Enabled": true } }),
    ] {
        assert_eq!(ids(&without, json!({}), other, json!({})), [""; 0]);
    }
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
    let odoo = postgres(256).replace("\"bcrypt\"", "\"pbkdf2\"");
    assert_eq!(ids(&odoo, json!({}), json!({}), json!({})), ["hash-memory"]);
    let cheap = postgres(256).replace("\"bcrypt\"", "\"phpass\"");
    assert_eq!(
        ids(&cheap, json!({}), json!({}), json!({})),
        [] as [&str; 0]
    );
    let large = postgres(512).replace(
        "\"bcrypt\"",
        "\"argon2\"\ndecoy = \"$argon2id$v=19$m=1048576,t=1,p=1$salt$hash\"",
    );
    assert_eq!(
        ids(&large, json!({}), json!({}), json!({})),
        ["hash-memory"]
    );
}

#[test]
fn each_recorded_run_gives_the_same_findings() {
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
                path: "kept.snapshot.json".to_owned(),
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

fn recorded(name: &str) -> Fixture {
    let mut all = fixtures::all("checks").into_iter();
    all.find(|fixture| fixture.name == name)
        .expect("the fixture")
}

/// The findings of a check for a deployed function, with a changed function and a changed configuration.
fn of_function(
    id: &str,
    change: impl Fn(&mut ObservedFunction),
    configure: impl Fn(&mut Config),
) -> Vec<Finding> {
    let change = |observed: &mut Observed| {
        if let Ok(Some(found)) = &mut observed.live {
            change(found);
        }
    };
    of_observed(id, change, configure)
}

/// The same with any part of what was observed changed.
fn of_observed(
    id: &str,
    change: impl FnOnce(&mut Observed),
    configure: impl FnOnce(&mut Config),
) -> Vec<Finding> {
    let fixture = recorded("trigger-registered-holds-1");
    let mut config = fixture.config().unwrap();
    configure(&mut config);
    let mut observed = fixture.observed();
    change(&mut observed);
    let asked = asked(Some(&config));
    let check = checks().find(|check| check.id == id).unwrap();
    check.findings(&Subject::new(&observed, &asked))
}

fn fix_of(finding: &Finding) -> String {
    finding.fix.as_ref().unwrap().render(&Flags::default())
}

#[test]
fn few_reserved_executions_are_raised_where_they_are_configured() {
    for (configured, raised) in [(Some(4), true), (Some(5), false), (None, false)] {
        let found = of_function(
            "concurrency",
            |found| found.function.reserved_concurrency = Some(0),
            |config| config.function.reserved_concurrency = configured,
        );
        let fix = fix_of(&found[0]);
        assert_eq!(fix.starts_with("raise"), raised, "{configured:?}: {fix}");
        assert!(fix.contains("jane-migrate deploy"), "{fix}");
    }
    for (reserved, ok) in [(1, false), (4, false), (5, true), (6, true)] {
        let found = of_function(
            "concurrency",
            |found| found.function.reserved_concurrency = Some(reserved),
            |_| (),
        );
        assert_eq!(found[0].ok, ok, "{reserved}");
    }
}

#[test]
fn a_large_shops_first_day_is_compared_with_lambdas_limits() {
    let found = |customers: Option<u64>, reserved: Option<u32>, limit: Read<Option<u32>>| {
        let change = |observed: &mut Observed| {
            observed.concurrency_limit = limit;
            if let Ok(Some(found)) = &mut observed.live {
                found.function.reserved_concurrency = reserved;
            }
        };
        let configure = |config: &mut Config| config.window.total_users = customers;
        of_observed("concurrency", change, configure).remove(0)
    };
    let large = Some(1_000_000);
    let small = found(large, None, Ok(Some(10)));
    assert!(
        !small.ok && small.severity == Severity::Warning,
        "{small:?}"
    );
    assert!(small.message.contains("run 10 times") && small.message.contains("may need 67"));
    assert!(fix_of(&small).contains("service-quotas request-service-quota-increase"));
    assert!(found(large, None, Ok(Some(1_000))).ok);
    assert!(found(large, None, Ok(Some(67))).ok && found(large, Some(67), Ok(None)).ok);
    assert!(!found(large, None, Ok(Some(66))).ok && !found(large, Some(66), Ok(None)).ok);
    assert!(found(None, None, Ok(Some(10))).ok, "of unknown size");
    assert!(found(large, None, Err(Unread::NotAsked)).ok);
    let reserved = found(large, Some(20), Ok(Some(1_000)));
    assert!(!reserved.ok && fix_of(&reserved).starts_with("raise reserved_concurrency"));
    assert!(found(large, Some(100), Ok(Some(1_000))).ok);
    let denied = found(large, None, Err(Unread::Because("denied".into())));
    assert!(
        denied.unknown && denied.severity == Severity::Warning,
        "{denied:?}"
    );
}

#[test]
fn the_code_is_the_deployed_one_or_the_one_before() {
    let found = |tags: &[(&str, &str)]| {
        let change = |found: &mut ObservedFunction| {
            found.code_sha256 = "here".into();
            for (key, code) in tags {
                let tags = &mut found.function.tags;
                tags.insert((*key).to_owned(), (*code).to_owned());
            }
        };
        let change = |observed: &mut Observed| {
            for found in [&mut observed.live, &mut observed.function] {
                if let Ok(Some(found)) = found {
                    change(found);
                }
            }
        };
        of_observed("function-code", change, |_| ()).remove(0)
    };
    assert!(found(&[(tag::CODE, "here")]).ok);
    assert!(found(&[(tag::CODE, "newer"), (tag::CODE_BEFORE, "here")]).ok);
    assert!(!found(&[(tag::CODE, "newer"), (tag::CODE_BEFORE, "older")]).ok);
}

#[test]
fn another_tools_code_is_the_one_in_the_configuration() {
    let found = |wanted: Option<&str>| {
        let change = |observed: &mut Observed| {
            observed.names.given_function = true;
            for found in [&mut observed.live, &mut observed.function] {
                if let Ok(Some(found)) = found {
                    found.code_sha256 = "here".into();
                }
            }
        };
        let configure =
            |config: &mut Config| config.function.code_sha256 = wanted.map(str::to_owned);
        of_observed("function-code", change, configure).remove(0)
    };
    assert!(found(Some("here")).ok);
    let other = found(Some("other"));
    assert!(!other.ok && other.severity == Severity::Error, "{other:?}");
    let none = found(None);
    assert!(!none.ok && none.severity == Severity::Warning, "{none:?}");
}

#[test]
fn a_code_signing_configuration_must_trust_the_configured_profile() {
    let profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/shop";
    let found = |trusted: &[String], configured: Option<&str>, refuses: bool| {
        let change = |observed: &mut Observed| {
            observed.code_signing = Ok(Some(CodeSigning {
                arn: "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-1".into(),
                refuses,
                trusted: trusted.to_vec(),
            }));
        };
        let configure =
            |config: &mut Config| config.function.signing_profile = configured.map(str::to_owned);
        of_observed("code-signing", change, configure).remove(0)
    };
    for (trusted, ok) in [
        (profile.to_owned(), true),
        (format!("{profile}/version1"), true),
        (format!("{profile}-of-another-team/version1"), false),
    ] {
        let found = found(std::slice::from_ref(&trusted), Some(profile), true);
        assert_eq!(found.ok, ok, "{trusted}");
    }
    assert!(!found(&[], None, true).ok);
    assert!(found(&[], None, false).ok);
}

#[test]
fn a_function_ends_with_cognito_and_has_enough_memory() {
    let limits = |timeout_s: u32, memory_mb: u32, configured: u32| {
        of_function(
            "function-limits",
            |found| {
                found.function.timeout_s = timeout_s;
                found.function.memory_mb = memory_mb;
            },
            |config| config.function.memory_mb = configured,
        )
    };
    assert!(limits(5, 256, 256)[0].ok);
    assert!(limits(6, 256, 256)[0].message.contains("Cognito gives up"));
    assert!(limits(4, 256, 256)[0].message.contains("before Cognito"));
    assert!(!limits(5, 255, 256)[0].ok);
    assert!(fix_of(&limits(5, 128, 255)[0]).starts_with("set memory_mb"));
    assert!(!fix_of(&limits(5, 128, 256)[0]).starts_with("set memory_mb"));
    assert_eq!(limits(6, 128, 256).len(), 2);
}

#[test]
fn protection_against_guessing_is_named() {
    let found = |directory: &str, acl: Read<Option<WebAcl>>| {
        let toml = directory.replace("HASH", "password_column = \"h\"\nhash = \"bcrypt\"");
        let toml = format!("{toml}[attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n");
        let config = jane_migrate_config::parse(&toml, "migrate.toml").unwrap();
        of_observed(
            "guessing-brake",
            |observed| observed.web_acl = acl,
            |old| *old = config,
        )
        .remove(0)
    };
    let table = "[directory]\nkind = \"mysql\"\nhost = \"db.example.com\"\ndatabase = \"shop\"\nuser = \"m\"\npassword = { ssm = \"/db\" }\nquery = \"SELECT email, h FROM users WHERE email = ?\"\nHASH\n";
    let counting = format!("{table}on_wrong_password = \"INSERT INTO refused VALUES (?)\"\n");
    let old_pool = "[directory]\nkind = \"cognito\"\npool_id = \"us-east-1_Old1\"\nclient_id = \"1example23456789\"\n";
    let acl = |limits: &[&str], groups: bool| {
        Ok(Some(WebAcl {
            name: "shop".into(),
            limits: limits.iter().map(|&rule| rule.into()).collect(),
            groups,
        }))
    };
    let denied = || Err(Unread::Because("denied".into()));
    for (directory, acl, words) in [
        (
            table,
            acl(&["each-address"], false),
            "AWS WAF (rule each-address of web ACL shop) and",
        ),
        (table, acl(&[], true), "the rule groups of web ACL shop"),
        (
            &counting,
            Ok(None),
            "slowed down by on_wrong_password and the function's limit",
        ),
        (&counting, denied(), "AWS WAF could not be checked: denied"),
        (
            old_pool,
            acl(&["each-address"], false),
            "web ACL shop), the old pool's lockout and",
        ),
        (old_pool, denied(), "AWS WAF could not be checked: denied"),
    ] {
        let found = found(directory, acl);
        assert!(found.ok && found.message.contains(words), "{found:?}");
    }
    let counts_only = found(table, acl(&[], false));
    assert!(!counts_only.ok && !counts_only.stops(), "{counts_only:?}");
    assert!(found(table, denied()).unknown);
}

#[test]
fn a_pool_without_an_app_client_is_reported_and_stops_no_deploy() {
    let fixture = fixtures::all("checks").remove(0);
    let mut observed = fixture.observed();
    observed.clients = Ok(Vec::new());
    let asked = asked(None);
    let check = checks().find(|check| check.id == "client-password-auth");
    let found = check.unwrap().findings(&Subject::new(&observed, &asked));
    assert!(!found[0].ok && !found[0].stops(), "{found:?}");
}

#[test]
fn each_placeholder_of_a_directory_must_be_filled_in() {
    let cognito = |pool: &str, client: &str| {
        format!("[directory]\nkind = \"cognito\"\npool_id = \"{pool}\"\nclient_id = \"{client}\"\n")
    };
    let postgres = |host: &str, database: &str| {
        format!(
            "[directory]\nkind = \"postgres\"\nhost = \"{host}\"\ndatabase = \"{database}\"\nuser = \"reader\"\n\
             password = {{ ssm = \"/p\" }}\nquery = \"select h, email from c where email = $1\"\npassword_column = \"h\"\n\
             hash = \"bcrypt\"\n[attributes]\nemail = \"email\"\nemail_verified = \"=true\"\n[function]\nmemory_mb = 512\n"
        )
    };
    for (toml, open) in [
        (cognito("us-east-1_Old1", "1example23456789"), false),
        (cognito("us-east-1_YourOldPool", "1example23456789"), true),
        (cognito("us-east-1_Old1", "yourclientid"), true),
        (postgres("db.example", "shop"), false),
        (postgres("your-database.example.com", "shop"), true),
        (postgres("db.example", "your-database"), true),
    ] {
        let found = ids(&toml, json!({}), json!({}), json!({}));
        assert_eq!(found.contains(&"filled-in"), open, "{toml}: {found:?}");
    }
}

#[test]
fn a_fix_replaces_only_the_resource_of_its_check() {
    let fixture = recorded("function-limits-fails-1");
    let mut observed = fixture.observed();
    let foreign = |found: &mut Option<ObservedFunction>| {
        let function = &mut found.as_mut().unwrap().function;
        function.tags.clear();
        function.timeout_s = 60;
    };
    foreign(observed.live.as_mut().unwrap());
    foreign(observed.function.as_mut().unwrap());
    let pool = observed.pool.as_mut().unwrap().as_mut().unwrap();
    let mut document = pool.document.json().clone();
    document["LambdaConfig"]["UserMigration"] = json!("arn:aws:lambda:us-west-2:1:function:other");
    pool.document = PoolDocument::from_json(document).unwrap();
    let config = fixture.config().unwrap();
    let asked = asked(Some(&config));
    let subject = Subject::new(&observed, &asked);
    for (id, takes_over) in [
        ("trigger-registered", true),
        ("function-code", true),
        ("function-limits", false),
    ] {
        let check = checks().find(|check| check.id == id).unwrap();
        let fix = fix_of(&check.findings(&subject)[0]);
        assert_eq!(fix.contains("--replace"), takes_over, "{id}: {fix}");
    }
}

#[test]
fn a_check_runs_if_it_is_chosen_and_one_that_invokes_only_with_a_probe() {
    let wants = |only: &[&str], skip: &[&str], probe: bool, id: &str| {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let choice = Choice {
            only: texts(only),
            skip: texts(skip),
            probe,
        };
        choice.wants(id)
    };
    assert!(wants(&[], &[], false, "health"));
    assert!(!wants(&[], &["health"], false, "health"));
    assert!(wants(&["health"], &[], false, "health"));
    assert!(!wants(&["layers"], &[], false, "health"));
    assert!(!wants(&[], &[], false, "no-such-check"));
    assert!(!wants(&[], &[], false, "probe-unknown-user"));
    assert!(!wants(
        &["probe-unknown-user"],
        &[],
        false,
        "probe-unknown-user"
    ));
    assert!(wants(&[], &[], true, "probe-unknown-user"));
}

#[test]
fn the_last_day_of_the_window_is_part_of_it() {
    let found = |closes: &str| {
        let configure = |config: &mut Config| {
            config.window.closes = Some(closes.parse().unwrap());
        };
        of_observed("window-open", |_| (), configure).remove(0)
    };
    let over = found("2026-11-25");
    assert!(
        !over.ok && over.message.contains("closed on 2026-11-25"),
        "{over:?}"
    );
    for closes in ["2026-11-26", "2026-12-10"] {
        let soon = found(closes);
        assert!(!soon.ok && !soon.message.contains("closed on"), "{soon:?}");
    }
    assert!(found("2026-12-11").ok);
}

#[test]
fn a_refused_sign_up_is_no_failure() {
    let found = |errors: f64, refused_sign_ups: f64, p99_ms: f64| {
        let metrics = Metrics {
            invocations: 9.0,
            errors,
            refused_sign_ups,
            p99_ms: Some(p99_ms),
            ..Metrics::default()
        };
        of_observed("health", |observed| observed.metrics = Ok(metrics), |_| ()).remove(0)
    };
    assert!(found(3.0, 3.0, 4000.0).ok);
    let failed = found(3.0, 1.0, 9.0);
    assert_eq!(failed.found.as_deref(), Some("2 of 9 invocations"));
    assert!(!found(0.0, 0.0, 4001.0).ok);
}

/// Teardown would leave such a client open.
#[test]
fn an_open_client_without_a_record_is_reported_if_the_snapshot_shows_it_closed() {
    let fixture = recorded("trigger-registered-holds-1");
    let mut observed = fixture.observed();
    let client = |flows: &[&str]| json!({ "UserPoolId": "us-west-2_Ab1", "ClientId": "late", "ClientName": "late", "ExplicitAuthFlows": flows });
    let open = ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"];
    observed.clients = Ok(vec![ClientDocument::from_json(client(&open)).unwrap()]);
    let config = fixture.config();
    let found = |kept: &[Value]| {
        let snapshots: Vec<Snapshot> = kept
            .iter()
            .map(|client| Snapshot {
                json: json!({ "UserPoolClients": [client] }),
                digest: String::new(),
                path: String::new(),
            })
            .collect();
        let asked = Asked {
            snapshots: &snapshots,
            ..asked(config.as_ref())
        };
        let check = checks().find(|check| check.id == "record-intact").unwrap();
        check.findings(&Subject::new(&observed, &asked)).remove(0)
    };
    let closed = client(&open[..1]);
    let late = found(std::slice::from_ref(&closed));
    assert!(
        !late.ok && late.message.contains("is on no record"),
        "{late:?}"
    );
    assert!(found(&[]).ok, "no snapshot shows it");
    assert!(found(&[closed, client(&open)]).ok, "it was open before");
}
