//! Plans of recorded runs, and tests of the order of steps.

use std::collections::BTreeMap;

use jane_migrate_config::{Config, HandlerSettings, Secret};
use serde_json::{Value, json};

use super::{
    Action, Allowed, Extent, Kept, Operation, Plan, Probe, Target, deploy, restore, rollback,
    teardown,
};
use crate::check::Asked;
use crate::document::{ClientDocument, Decision, PoolDocument};
use crate::exposure::{Alias, Version};
use crate::facts::pool_facts;
use crate::fix::Flags;
use crate::fixtures::{self, Fixture, written};
use crate::ids::{ALIAS, OLD_STATEMENT_ID};
use crate::lease::Lease;
use crate::observed::Observed;
use crate::permission::{Policy, statement_for};
use crate::record::Record;
use crate::recovery::Recovery;
use crate::resources::{Desired, EnvValue, Environment, LogGroup, ObservedFunction, tag};

mod attach;
mod records;
mod restored;
mod roles;
mod triggers;

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
        ..Allowed::default()
    }
}

fn plan(fixture: &Fixture) -> Plan {
    plan_of(fixture, &fixture.observed_for_plan(), &allowed(fixture))
}

fn desired(fixture: &Fixture, observed: &Observed, config: &Config) -> Desired {
    let pool = observed.pool().unwrap();
    let facts = pool_facts(&pool.document, pool.mfa.as_ref().unwrap());
    let settings = HandlerSettings::new(config, &facts);
    let secrets = fixture.json["secrets"].as_object().into_iter().flatten();
    Desired::new(
        &observed.names,
        config,
        &settings,
        fixture.json["source"].as_str().unwrap(),
        secrets
            .map(|(name, value)| (name.clone(), EnvValue::new(value.as_str().unwrap())))
            .collect::<BTreeMap<_, _>>(),
    )
}

fn plan_of(fixture: &Fixture, observed: &Observed, allowed: &Allowed) -> Plan {
    match fixture.json["kind"].as_str().unwrap() {
        "deploy" => {
            let config = fixture.config().unwrap();
            let desired = desired(fixture, observed, &config);
            let asked = Asked {
                config: Some(&config),
                clients: allowed.clients.as_deref(),
                snapshots: &[],
                today: "2026-11-26".parse().unwrap(),
                code_serves: None,
            };
            deploy(&desired, observed, &asked, allowed).unwrap()
        }
        "teardown" => {
            let extent = Extent {
                keep_logs: fixture.json["keep_logs"] == true,
                ..Extent::default()
            };
            teardown(observed, extent, &[], allowed).unwrap()
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
                changed: Record::default(),
                untouched: kept["untouched"] == true,
            };
            restore(observed, &kept, &[], &allowed.unknown).unwrap()
        }
    }
}

/// The output of `plan --json`.
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
fn each_recorded_run_gives_the_same_plan() {
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

/// In this order customers never lack anything: permissions, function, Cognito's permission and probe, clients, and the trigger
/// last.
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

/// The deploy plan for the configuration and the reads of a recorded run of the checks.
fn plan_of_checked(name: &str) -> Plan {
    plan_with(name, BTreeMap::new(), |_| ())
}

/// The same with these secrets and a changed configuration.
fn plan_with(name: &str, secrets: Environment, change: impl Fn(&mut Config)) -> Plan {
    let fixture = fixtures::all("checks")
        .into_iter()
        .find(|fixture| fixture.name == name)
        .unwrap_or_else(|| panic!("no fixture {name}"));
    let mut config = fixture.config().unwrap();
    change(&mut config);
    let mut observed = fixture.observed();
    // The checks do not read this.
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
fn a_plan_reports_what_still_fails_after_its_deploy() {
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
fn a_finding_stops_a_deploy_only_if_no_deploy_can_fix_it() {
    for name in ["window-open-fails-2", "function-url-fails-1"] {
        assert!(!plan_of_checked(name).is_blocked(), "{name}");
    }
    for name in ["client-password-auth-fails-1", "filled-in-fails-1"] {
        assert!(plan_of_checked(name).is_blocked(), "{name}");
    }
}

/// Lambda measures the JSON of all variables, not only their names and values.
#[test]
fn an_environment_too_large_because_of_escapes_is_refused() {
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

/// The state after a recorded run, with nothing to do.
fn live() -> (Fixture, Observed, Allowed) {
    let fixture = fixtures::all("plans")
        .into_iter()
        .find(|fixture| fixture.name == "deploy-24")
        .expect("the fixture");
    let mut observed = fixture.observed_for_plan();
    let config = fixture.config().unwrap();
    let desired = desired(&fixture, &observed, &config);
    let mut function = ObservedFunction::fresh(desired.function);
    function.code_sha256 = "code".into();
    let code = (tag::CODE.to_owned(), "code".to_owned());
    function.function.tags.extend([code]);
    observed.function = Ok(Some(function.clone()));
    observed.behind = Ok(Some(function.clone()));
    observed.live = Ok(Some(function));
    observed.role_policies = Ok(desired.role.policies.clone());
    observed.attached_policies = Ok(BTreeMap::new());
    observed.role = Ok(Some(desired.role));
    observed.log_group_tags = Ok(desired.log_group.tags.clone());
    observed.log_group = Ok(Some(LogGroup {
        retention_days: Some(400),
        ..desired.log_group
    }));
    let allowed = Allowed {
        probe: Some("1".into()),
        ..allowed(&fixture)
    };
    let plan = plan_of(&fixture, &observed, &allowed);
    assert!(
        plan.is_empty() && plan.conflicts.is_empty(),
        "{:?}",
        steps(&plan)
    );
    (fixture, observed, allowed)
}

fn steps(plan: &Plan) -> Vec<&'static str> {
    let name = |operation: &Operation| match operation {
        Operation::Adopt { .. } => "adopt",
        Operation::MoveTrigger(_) => "move trigger",
        Operation::WidenRole(_) => "widen role",
        Operation::CreateRole(_) => "create role",
        Operation::UpdateFunction { renew: Some(_), .. } => "renew function",
        Operation::UpdateFunction { .. } => "update function",
        Operation::Publish(_) => "publish",
        Operation::Probe(_) => "probe",
        Operation::PointAlias { .. } => "point alias",
        Operation::AllowInvoke { .. } => "allow",
        Operation::UpdatePool(_) => "trigger",
        Operation::ProbeLive(_) => "probe live",
        Operation::NarrowRole { .. } => "narrow role",
        Operation::ForbidInvoke(_) => "forbid",
        _ => "another",
    };
    plan.changes
        .iter()
        .map(|change| name(&change.operation))
        .collect()
}

/// The deployment of a program version without an alias.
fn without_alias(observed: &mut Observed) {
    let arn = observed.names.function_arn.clone();
    let Ok(Some(pool)) = &mut observed.pool else {
        panic!("no pool")
    };
    let mut document = pool.document.json().clone();
    document["LambdaConfig"]["UserMigration"] = json!(arn);
    pool.document = PoolDocument::from_json(document).unwrap();
    (observed.alias, observed.behind) = (Ok(None), Ok(None));
    let mut statement = statement_for(&observed.names);
    (statement["Sid"], statement["Resource"]) = (json!(OLD_STATEMENT_ID), json!(arn));
    let own = Policy {
        statements: vec![statement],
    };
    observed.policies = Ok([(None, own), (Some(ALIAS.into()), Policy::default())].into());
}

#[test]
fn the_alias_is_created_before_the_function_changes() {
    let (fixture, mut observed, allowed) = live();
    without_alias(&mut observed);
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), ["adopt", "move trigger", "probe", "forbid"]);

    let Ok(Some(found)) = &mut observed.function else {
        panic!("no function")
    };
    found.function.memory_mb += 64;
    let plan = plan_of(&fixture, &observed, &allowed);
    let changed = [
        "adopt",
        "move trigger",
        "update function",
        "publish",
        "probe",
        "point alias",
        "forbid",
    ];
    assert_eq!(steps(&plan), changed);
}

#[test]
fn a_published_version_without_a_probe_is_probed_and_goes_live() {
    let (fixture, mut observed, allowed) = live();
    let Ok(Some(behind)) = &mut observed.behind else {
        panic!("no version")
    };
    behind.function.memory_mb += 64;
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), ["publish", "probe", "point alias"]);
    assert_eq!(probed(&plan), Some(&Target::Published));
}

fn probe(plan: &Plan) -> Option<&Probe> {
    plan.changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::Probe(probe) => Some(&**probe),
            _ => None,
        })
}

fn probed(plan: &Plan) -> Option<&Target> {
    probe(plan).map(|probe| &probe.target)
}

fn patient(plan: &Plan) -> bool {
    probe(plan).expect("a probe").patient
}

#[test]
fn a_probe_waits_for_iam_if_the_role_gets_permissions_that_a_sign_in_needs() {
    let (fixture, observed, allowed) = live();
    let mut changed = observed.clone();
    changed.behind = Ok(None);
    assert!(!patient(&plan_of(&fixture, &changed, &allowed)));
    let mut lacking = observed.clone();
    lacking.role_policies = Ok(BTreeMap::new());
    assert!(patient(&plan_of(&fixture, &lacking, &allowed)));
    let mut again = observed;
    if let (Ok(Some(found)), Ok(Some(role))) = (&mut again.function, &mut again.role) {
        found.function.role_id = Some("AROA1".into());
        role.id = Some("AROA2".into());
    }
    assert!(patient(&plan_of(&fixture, &again, &allowed)));
}

#[test]
fn a_decision_about_a_setting_that_does_not_exist_is_reported() {
    let (fixture, observed, mut allowed) = live();
    let decide = |member: &str| (member.to_owned(), Decision::Carry);
    allowed.unknown = [decide("LambdaConfig"), decide("LamdaConfig")].into();
    let plan = plan_of(&fixture, &observed, &allowed);
    let mut found = plan.findings.iter();
    let mut found = found.by_ref().filter(|one| one.id == "unknown-decision");
    let message = &found.next().unwrap().message;
    assert!(message.contains("--unknown LamdaConfig"), "{message}");
    assert!(found.next().is_none());
}

#[test]
fn an_alias_with_weighted_versions_is_pointed_to_one() {
    let (fixture, mut observed, allowed) = live();
    let Ok(Some(alias)) = &mut observed.alias else {
        panic!("no alias")
    };
    alias.shares = vec!["3".into()];
    let live = alias.version.clone();
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), ["probe", "point alias"]);
    assert_eq!(probed(&plan), Some(&Target::Version(live)));
}

/// An earlier run may have ended because the version failed, while another tool had put the trigger back.
#[test]
fn the_live_version_is_probed_before_any_change() {
    let (fixture, mut observed, allowed) = live();
    let Ok(Some(group)) = &mut observed.log_group else {
        panic!("no log group")
    };
    group.kms_key_arn = Some("arn:aws:kms:eu-west-1:123456789012:key/1".into());
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), ["another", "probe"]);
    assert_eq!(probed(&plan), Some(&Target::Live));
}

#[test]
fn permissions_are_removed_after_the_probe_of_the_alias() {
    let (fixture, mut observed, allowed) = live();
    let Ok(policies) = &mut observed.role_policies else {
        panic!("no policies")
    };
    let own = policies.values_mut().next().unwrap();
    let more = json!({ "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*" });
    own["Statement"].as_array_mut().unwrap().push(more);
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), ["probe live", "narrow role"]);
}

#[test]
fn a_recreated_role_is_assigned_to_the_function_again() {
    let (fixture, mut observed, allowed) = live();
    let (Ok(Some(found)), Ok(Some(role))) = (&mut observed.function, &mut observed.role) else {
        panic!("nothing there")
    };
    found.function.role_id = Some("AROA1".into());
    role.id = Some("AROA1".into());
    let same = plan_of(&fixture, &observed, &allowed);
    assert!(same.is_empty(), "{:?}", steps(&same));
    if let Ok(Some(role)) = &mut observed.role {
        role.id = Some("AROA2".into());
    }
    let plan = plan_of(&fixture, &observed, &allowed);
    let renewed = ["renew function", "publish", "probe", "point alias"];
    assert_eq!(steps(&plan), renewed);
    // A run was interrupted while the function had the spare role: that role is deleted, too.
    let spare = observed.names.spare_role_arn.clone();
    let (Ok(Some(found)), Ok(Some(role))) = (&mut observed.function, &observed.role) else {
        panic!("nothing there")
    };
    found.function.role_id = role.id.clone();
    found.function.role_arn = spare;
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan), renewed);
    observed.role = Ok(None);
    let plan = plan_of(&fixture, &observed, &allowed);
    assert_eq!(steps(&plan)[..2], ["create role", "renew function"]);
}

#[test]
fn a_rollback_probes_the_previous_version_with_the_permissions_it_needs() {
    let (_, mut observed, _) = live();
    let runs = observed.function().unwrap().unwrap().clone();
    let version = |number: &str| Version {
        number: number.into(),
        runs: runs.clone(),
    };
    observed.versions = Ok(["$LATEST", "2", "9", "10"].map(version).into());
    let lead = |observed: &mut Observed, version: &str| {
        observed.alias = Ok(Some(Alias {
            name: ALIAS.into(),
            version: version.into(),
            shares: Vec::new(),
            revision: None,
            lease: None,
        }));
    };
    lead(&mut observed, "10");
    let plan = rollback(&observed, Some("client"), "1").unwrap();
    assert_eq!(steps(&plan), ["probe", "point alias"]);
    let to = plan
        .changes
        .iter()
        .find_map(|change| match &change.operation {
            Operation::PointAlias { to, .. } => to.as_deref(),
            _ => None,
        });
    assert_eq!(to, Some("9"));
    let details: Vec<&str> = plan.changes.iter().map(|one| &*one.detail).collect();
    let tried = "tried with a user that does not exist";
    assert_eq!(details, [tried, "version 10 => 9"]);
    assert!(!patient(&plan));

    // The role has what the version needs, and loses nothing.
    observed.role_policies = Ok(BTreeMap::new());
    let plan = rollback(&observed, Some("client"), "1").unwrap();
    assert_eq!(steps(&plan), ["widen role", "probe", "point alias"]);
    assert!(patient(&plan), "IAM has to spread the permissions");
    // The plan says what customers get back.
    let mut smaller = observed.clone();
    let Ok(versions) = &mut smaller.versions else {
        panic!("no versions")
    };
    versions[2].runs.function.memory_mb = 128;
    let plan = rollback(&smaller, Some("client"), "1").unwrap();
    let detail = &plan.changes.last().unwrap().detail;
    assert_eq!(detail, "version 10 => 9: another memory");

    lead(&mut observed, "2");
    let plan = rollback(&observed, Some("client"), "1").unwrap();
    assert!(plan.is_empty() && !plan.is_blocked());
    // An alias that points to the function itself has no previous version.
    lead(&mut observed, "$LATEST");
    assert!(rollback(&observed, None, "1").unwrap().is_blocked());

    lead(&mut observed, "2");
    observed.versions = Ok(["$LATEST", "2"].map(version).into());
    let plan = rollback(&observed, Some("client"), "1").unwrap();
    assert!(plan.is_blocked());
}

#[test]
fn a_plan_counts_its_changes_and_knows_whether_it_needs_code() {
    let (fixture, mut observed, allowed) = live();
    let nothing = plan_of(&fixture, &observed, &allowed);
    assert!(nothing.is_empty() && !nothing.needs_code());
    let fresh = plan(&fixture);
    assert!(!fresh.is_empty() && fresh.needs_code());
    let symbols = |plan: &Plan| -> String {
        let symbols = plan.changes.iter().map(|change| change.action.symbol());
        symbols.collect()
    };
    let shown = symbols(&fresh);
    for (action, symbol) in [
        (Action::Create, '+'),
        (Action::Update, '~'),
        (Action::Delete, '-'),
        (Action::Probe, '?'),
    ] {
        assert_eq!(fresh.count(action), shown.matches(symbol).count());
    }
    assert_eq!(
        (fresh.count(Action::Create), fresh.count(Action::Delete)),
        (1, 0)
    );

    let machine = json!({ "UserPoolId": "us-west-2_Ab1", "ClientId": "jobs", "ClientName": "nightly jobs",
        "AllowedOAuthFlows": ["client_credentials"] });
    let Ok(clients) = &mut observed.clients else {
        panic!("no clients")
    };
    clients.push(ClientDocument::from_json(machine).unwrap());
    let plan = plan_of(&fixture, &observed, &allowed);
    let alone: Vec<&str> = plan.left_alone.iter().map(|one| &*one.client).collect();
    assert_eq!(alone, ["jobs"]);
}

#[test]
fn another_run_or_a_recovery_stops_a_plan() {
    let (fixture, mut observed, allowed) = live();
    let mut plan = plan_of(&fixture, &observed, &allowed);
    let lease = Lease::parse("deploy by ann since Monday until 7 run r7").unwrap();
    plan.stop_for(&lease, &"deploy --break-lease".into());
    assert!(plan.is_blocked());
    assert!(plan.conflicts[0].message.contains("deploy by ann"));

    observed.recoveries = Ok(vec![Recovery {
        id: "r".into(),
        status: "PREVIEW_READY".into(),
        point: 0,
    }]);
    let plan = teardown(&observed, Extent::default(), &[], &allowed).unwrap();
    let message = &plan.conflicts[0].message;
    assert!(
        message.contains("a point-in-time recovery to 1970-01-01"),
        "{message}"
    );
}
