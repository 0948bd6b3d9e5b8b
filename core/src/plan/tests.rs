//! Plans of recorded runs, and decisions about the order of steps.

use std::collections::BTreeMap;

use jane_migrate_config::{Config, HandlerSettings, Secret};
use serde_json::{Value, json};

use super::{Allowed, Operation, Plan, deploy, restore, teardown};
use crate::check::Asked;
use crate::document::{ClientDocument, Decision, PoolDocument};
use crate::facts::pool_facts;
use crate::fix::Flags;
use crate::fixtures::{self, Fixture, written};
use crate::kept::Kept;
use crate::resources::{Desired, EnvValue, Environment};

fn strings(value: &Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).ok()
}

fn allowed(fixture: &Fixture) -> Allowed {
    let allowed = &fixture.json["allowed"];
    let unknown = allowed["unknown"].as_object().into_iter().flatten();
    Allowed {
        clients: strings(&allowed["clients"]),
        enable_password_auth: allowed["enable_password_auth"] == true,
        replace: allowed["replace"] == true,
        unknown: unknown
            .map(|(member, decision)| {
                let decision = match decision.as_str() {
                    Some("carry" | "Carry") => Decision::Carry,
                    _ => Decision::Drop,
                };
                (member.clone(), decision)
            })
            .collect(),
        probe: None,
    }
}

fn plan(fixture: &Fixture) -> Plan {
    let observed = fixture.observed_for_plan();
    let allowed = allowed(fixture);
    match fixture.json["kind"].as_str().unwrap() {
        "deploy" => {
            let config = fixture.config().unwrap();
            let pool = observed.pool().unwrap();
            let facts = pool_facts(&pool.document, pool.mfa.as_ref().unwrap());
            let settings = HandlerSettings::new(&config, &facts);
            let secrets = fixture.json["secrets"].as_object().into_iter().flatten();
            let desired = Desired::new(
                &observed.names,
                &config,
                &settings,
                fixture.json["source"].as_str().unwrap(),
                secrets
                    .map(|(name, value)| (name.clone(), EnvValue::new(value.as_str().unwrap())))
                    .collect::<BTreeMap<_, _>>(),
            );
            let asked = Asked {
                config: Some(&config),
                clients: allowed.clients.as_deref(),
                snapshots: &[],
                today: "2026-11-26".parse().unwrap(),
                code_serves: None,
            };
            deploy(&desired, &observed, &asked, &allowed).unwrap()
        }
        "teardown" => {
            let keep_logs = fixture.json["keep_logs"] == true;
            teardown(&observed, keep_logs, &allowed).unwrap()
        }
        _ => {
            let kept = &fixture.json["kept"];
            let clients = kept["clients"].as_array().unwrap().iter();
            let kept = Kept {
                id: kept["id"].as_str().unwrap().parse().unwrap(),
                pool: PoolDocument::from_json(kept["pool"].clone()).unwrap(),
                mfa: kept["mfa"].clone(),
                clients: clients
                    .map(|client| ClientDocument::from_json(client.clone()).unwrap())
                    .collect(),
                untouched: kept["untouched"] == true,
            };
            restore(&observed, &kept, &allowed.unknown).unwrap()
        }
    }
}

/// As `plan --json` prints it.
fn shown(plan: &Plan, flags: &Flags) -> Value {
    let conflicts = plan.conflicts.iter().map(|conflict| {
        let mut json = serde_json::to_value(conflict).unwrap();
        json["fix"] = conflict.fix.render(flags).into();
        json
    });
    json!({
        "pool": plan.pool,
        "changes": plan.changes,
        "conflicts": conflicts.collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(|finding| written(finding, flags)).collect::<Vec<_>>(),
    })
}

#[test]
fn each_recorded_plan_is_made_again() {
    let mut different = Vec::new();
    for mut fixture in fixtures::all("plans") {
        let plan = plan(&fixture);
        let operations = plan.changes.iter().map(|change| {
            let variant = format!("{:?}", change.operation);
            let end = variant.find(|c: char| !c.is_alphanumeric());
            json!({
                "stage": change.operation.stage(),
                "variant": &variant[..end.unwrap_or(variant.len())],
            })
        });
        let operations = operations.collect();
        let flags = fixture.flags();
        different.extend(fixture.hold("plan", shown(&plan, &flags)));
        different.extend(fixture.hold("operations", operations));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The order in which nothing a customer needs is missing: rights, function, permission and try, clients, and the trigger last.
#[test]
fn the_trigger_goes_live_last_and_is_detached_first() {
    for fixture in fixtures::all("plans") {
        let plan = plan(&fixture);
        let stages: Vec<u8> = plan
            .changes
            .iter()
            .map(|change| change.operation.stage())
            .collect();
        let trigger = plan
            .changes
            .iter()
            .position(|change| matches!(change.operation, Operation::UpdatePool(_)));
        match (fixture.json["kind"].as_str().unwrap(), trigger) {
            ("deploy", Some(at)) => assert_eq!(at + 1, plan.changes.len(), "{}", fixture.name),
            ("teardown", Some(at)) => assert_eq!(at, 0, "{}", fixture.name),
            _ => {}
        }
        if fixture.json["kind"] == "deploy" {
            assert!(stages.is_sorted(), "{}: {stages:?}", fixture.name);
        }
    }
}

/// The plan of a deploy with the configuration of a recorded run of the checks, from what that run had read.
fn plan_of_checked(name: &str) -> Plan {
    plan_with(name, BTreeMap::new(), |_| ())
}

/// The same with these secrets, and with a configuration that is changed first.
fn plan_with(name: &str, secrets: Environment, change: impl Fn(&mut Config)) -> Plan {
    let fixture = fixtures::all("checks")
        .into_iter()
        .find(|fixture| fixture.name == name)
        .unwrap_or_else(|| panic!("no fixture {name}"));
    let mut config = fixture.config().unwrap();
    change(&mut config);
    let mut observed = fixture.observed();
    // Not among what the checks read.
    let found = observed.function().unwrap();
    let ours = found.map_or_else(Default::default, |found| found.function.tags.clone());
    observed.log_group_tags = Ok(ours);
    let pool = observed.pool().unwrap();
    let facts = pool_facts(&pool.document, pool.mfa.as_ref().unwrap());
    let settings = HandlerSettings::new(&config, &facts);
    let source = "source";
    let desired = Desired::new(&observed.names, &config, &settings, source, secrets);
    let asked = Asked {
        config: Some(&config),
        clients: None,
        snapshots: &[],
        today: fixture.json["today"].as_str().unwrap().parse().unwrap(),
        code_serves: None,
    };
    deploy(&desired, &observed, &asked, &Allowed::default()).unwrap()
}

#[test]
fn a_plan_reports_what_its_deploy_leaves_wrong_and_nothing_that_it_mends() {
    for (name, check) in [
        ("window-open-fails-1", "window-open"),
        ("window-open-fails-2", "window-open"),
        ("function-url-fails-1", "function-url"),
        ("event-sources-fails-1", "event-sources"),
        ("code-signing-fails-1", "code-signing"),
        ("log-subscriptions-fails-1", "log-subscriptions"),
        ("secret-policy-fails-1", "secret-policy"),
        ("secret-exists-fails-2", "secret-exists"),
        ("health-fails-1", "health"),
        ("durable-execution-fails-1", "durable-execution"),
    ] {
        let plan = plan_of_checked(name);
        let found = plan.findings.iter().any(|finding| finding.id == check);
        assert!(found, "{name}: {:?}", plan.findings);
    }
    for (name, check) in [
        ("function-role-fails-1", "function-role"),
        ("function-settings-fails-1", "function-settings"),
        ("role-trust-fails-1", "role-trust"),
        ("env-only-fails-1", "env-only"),
        ("concurrency-fails-2", "concurrency"),
        ("function-runtime-fails-1", "function-runtime"),
    ] {
        let plan = plan_of_checked(name);
        assert!(!plan.changes.is_empty(), "{name}");
        let found = plan.findings.iter().find(|finding| finding.id == check);
        assert!(found.is_none(), "{name}: {found:?}");
    }
}

#[test]
fn what_a_plan_reports_of_a_deploy_stops_it_only_where_no_deploy_can_change_it() {
    for name in ["window-open-fails-2", "function-url-fails-1"] {
        assert!(!plan_of_checked(name).is_blocked(), "{name}");
    }
    for name in ["client-password-auth-fails-1", "filled-in-fails-1"] {
        assert!(plan_of_checked(name).is_blocked(), "{name}");
    }
}

/// Lambda measures the JSON of all variables, and not their names and values alone.
#[test]
fn what_only_escapes_make_too_large_is_refused() {
    let refused = |secret: &str| {
        let secrets = BTreeMap::from([("CERTIFICATE".to_owned(), EnvValue::new(secret))]);
        let plan = plan_with("health-fails-1", secrets, |_| ());
        let said = plan.conflicts.iter().map(|conflict| &conflict.message);
        said.filter(|said| said.contains("Lambda takes 4096"))
            .count()
    };
    assert_eq!(refused(&"x".repeat(2000)), 0);
    assert_eq!(refused(&"\n".repeat(2000)), 1);
}

#[test]
fn a_key_of_another_region_is_refused() {
    let key = |region: &str| format!("arn:aws:kms:{region}:123456789012:key/1");
    let refused = |region: &str| {
        let plan = plan_with("health-fails-1", BTreeMap::new(), |config| {
            config.function.kms_key_arn = Some(key(region));
            if let jane_migrate_config::Directory::Jane(jane) = &mut config.directory {
                jane.client_secret = Secret::Ssm {
                    name: "/jane".into(),
                    kms_key: Some(key(region)),
                };
            }
        });
        let said = plan.conflicts.into_iter().map(|conflict| conflict.message);
        said.filter(|said| said.contains("KMS key"))
            .collect::<Vec<_>>()
    };
    assert_eq!(refused("us-west-2"), [""; 0]);
    assert_eq!(
        refused("eu-west-1"),
        [
            "its KMS key is in eu-west-1, and Lambda takes one in us-west-2, where the function is",
            "the KMS key of directory.client_secret is in eu-west-1, and the parameter in us-west-2",
        ]
    );
}
