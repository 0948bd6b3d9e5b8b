//! `policy`: its output is enough for each command, and contains nothing that no command needs. The sandbox's journal gives the
//! action of a call; an independent IAM decides whether a policy allows it.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use jane_migrate::policy::{Duty, GRANTS, Grant, On};
use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{Callers, Entry, Options, Sandbox};
use serde_json::{Value, json};

use crate::support::{Corner, REGION, cache, http, unconnected};

/// The actions of each duty's run.
type Seen = BTreeMap<Duty, BTreeSet<String>>;

/// The IAM action of a call in the journal. Cognito's own calls need no permission of the caller.
pub fn action(entry: &Entry) -> Option<String> {
    match (entry.service.as_str(), entry.action.as_str()) {
        (_, trigger) if trigger.starts_with("Invoke ") => None,
        ("lambda", "Invoke") => Some("lambda:InvokeFunction".into()),
        ("monitoring", action) => Some(format!("cloudwatch:{action}")),
        (service, action) => Some(format!("{service}:{action}")),
    }
}

/// Runs a command and records its calls.
async fn record(corner: &Corner, seen: &mut Seen, duty: Duty, arguments: &[&str], code: i32) {
    let gateway = corner.gateway().await;
    let before = gateway.journal(&corner.account).len();
    corner.run(arguments).await.ended(code);
    let calls = gateway.journal(&corner.account).split_off(before);
    seen.entry(duty)
        .or_default()
        .extend(calls.iter().filter_map(action));
}

/// A call of IAM's API by the account's root.
pub async fn iam(corner: &Corner, action: &str, parameters: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    let mut body = format!("Action={action}&Version=2010-05-08");
    for (name, value) in parameters {
        body.push_str(&format!("&{name}={}", encode(value)));
    }
    let authorization = corner.authorization("iam");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", authorization.as_str()),
        (KEY_HEADER, corner.secret.as_str()),
    ];
    let (status, answer) = http(&corner.endpoint, "POST", "/", &headers, body.as_bytes()).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

/// A secret in Secrets Manager or a parameter of SSM.
async fn keep_secret(corner: &Corner, target: &str, body: Value) -> Value {
    let service = target.split('.').next().unwrap_or_default();
    let signing = if service == "AmazonSSM" {
        "ssm"
    } else {
        service
    };
    let authorization = corner.authorization(signing);
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
        ("authorization", authorization.as_str()),
        (KEY_HEADER, corner.secret.as_str()),
    ];
    let (status, answer) = http(
        &corner.endpoint,
        "POST",
        "/",
        &headers,
        body.to_string().as_bytes(),
    )
    .await;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    assert_eq!(status, 200, "{target}: {answer}");
    answer
}

fn configure_with_secret(corner: &Corner, secret: &str, more: &str) {
    let config = format!(
        "[directory]\nkind = \"jane\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {secret}\n\n{}",
        corner.jane.url(),
        corner.jane.client_id(),
        unconnected(more),
    );
    std::fs::write(corner.folder.path().join("migrate.toml"), config).expect("migrate.toml");
}

/// Changes deploy's resources in every way that deploy fixes.
async fn meddle(corner: &Corner, function: &str) {
    let aws = corner.aws().await;
    let arn = format!(
        "arn:aws:lambda:{REGION}:{}:function:{function}",
        corner.account
    );
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }] });
    aws.set_trust(function, &trust).await;
    let everything = json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    aws.put_role_policy(function, "more", &everything).await;
    attach(corner, function).await;
    let group = format!("/aws/lambda/{function}");
    let shorter = json!({ "logGroupName": group, "retentionInDays": 7 });
    corner.logs("PutRetentionPolicy", shorter).await;
    aws.remove_permission(function, "jane-migrate-live").await;
    let another = format!(
        "arn:aws:cognito-idp:{REGION}:{}:userpool/{REGION}_Another1",
        corner.account
    );
    aws.add_permission(function, "jane-migrate-live", &another, &corner.account)
        .await;
    // As after a deploy by an older version: another source, and a tag without a meaning.
    let tags = [
        ("jane-migrate:source", "an older one"),
        ("jane-migrate:older", "yes"),
    ];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    aws.tag_function(&arn, &tags.into()).await;
}

/// Gives the function a code signing configuration, which rejects nothing.
async fn sign(corner: &Corner, function: &str) {
    let authorization = corner.authorization("lambda");
    let call = async |method: &str, path: String, body: Value| {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
            (KEY_HEADER, corner.secret.as_str()),
        ];
        let body = body.to_string();
        let answered = http(&corner.endpoint, method, &path, &headers, body.as_bytes());
        let (status, answer) = answered.await;
        assert!((200..300).contains(&status), "{method} {path}: {status}");
        serde_json::from_slice::<Value>(&answer).unwrap_or_default()
    };
    let new = json!({ "AllowedPublishers": { "SigningProfileVersionArns": [] },
        "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": "Warn" } });
    let made = call("POST", "/2020-04-22/code-signing-configs".into(), new).await;
    let arn = json!({ "CodeSigningConfigArn": made["CodeSigningConfig"]["CodeSigningConfigArn"] });
    let path = format!("/2020-06-30/functions/{function}/code-signing-config");
    call("PUT", path, arn).await;
}

async fn attach(corner: &Corner, role: &str) {
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let parameters = [("RoleName", role), ("PolicyArn", policy)];
    iam(corner, "AttachRolePolicy", &parameters).await;
}

#[tokio::test]
async fn each_call_of_the_program_is_in_the_table() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let kept = json!({ "Name": "/jane/secret", "Type": "SecureString", "Value": corner.jane.client_secret() });
    keep_secret(&corner, "AmazonSSM.PutParameter", kept).await;
    let kept = json!({ "Name": "jane", "SecretString": corner.jane.client_secret() });
    let secret = keep_secret(&corner, "secretsmanager.CreateSecret", kept).await["ARN"].take();
    let in_ssm = "{ ssm = \"/jane/secret\" }";
    let in_secrets_manager = format!("{{ secretsmanager = {secret} }}");
    let pool = corner.create_pool(json!({})).await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, srp).await;
    let function = format!("jane-migrate-{pool}");
    let (mut seen, of_pool) = (Seen::new(), ["--pool", &pool]);
    let deploy = [&["deploy", "--yes", "--enable-password-auth"], &of_pool[..]].concat();

    configure_with_secret(&corner, in_ssm, "[function]\nreserved_concurrency = 5\n");
    let plan = ["plan", "--enable-password-auth", "--pool", &pool];
    record(&corner, &mut seen, Duty::Plan, &plan, 0).await;
    record(&corner, &mut seen, Duty::Deploy, &deploy, 0).await;
    sign(&corner, &function).await;
    record(&corner, &mut seen, Duty::Plan, &plan, 0).await;
    let verify = [&["verify"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Verify, &verify, 0).await;
    // Commands that have no duty of their own.
    let init = ["init", "--output", "other.toml"];
    let settings = ["settings"];
    let export = ["export", "--for", "terraform"];
    let coexist = ["coexist", "--for", "terraform"];
    for command in [&init[..], &settings, &export, &coexist] {
        let command = [command, &of_pool[..]].concat();
        record(&corner, &mut seen, Duty::Plan, &command, 0).await;
    }

    let everything = json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let boundary = [
        ("PolicyName", "bound"),
        ("PolicyDocument", &everything.to_string()),
    ];
    iam(&corner, "CreatePolicy", &boundary).await;
    let bounded = format!(
        "[function]\nmemory_mb = 512\npermissions_boundary = \"arn:aws:iam::{}:policy/bound\"\n",
        corner.account
    );
    let encrypted = format!(
        "{bounded}log_kms_key_arn = \"arn:aws:kms:{REGION}:{0}:key/1\"\n[alarms]\ntopic = \"arn:aws:sns:{REGION}:{0}:on-call\"\n",
        corner.account
    );
    configure_with_secret(&corner, &in_secrets_manager, &encrypted);
    meddle(&corner, &function).await;
    record(&corner, &mut seen, Duty::Plan, &plan, 0).await;
    record(&corner, &mut seen, Duty::Deploy, &deploy, 0).await;
    record(&corner, &mut seen, Duty::Verify, &verify, 0).await;
    // The previous version has its secret in SSM, which the role can no longer read.
    let rollback = [&["rollback", "--yes"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Rollback, &rollback, 0).await;
    record(&corner, &mut seen, Duty::Deploy, &deploy, 0).await;
    configure_with_secret(&corner, &in_secrets_manager, &bounded);
    // A role that is created again, and a third version, after which the first is deleted.
    let aws = corner.aws().await;
    aws.delete_role_policy(&function, "jane-migrate").await;
    aws.delete_role(&function).await;
    record(&corner, &mut seen, Duty::Deploy, &deploy, 0).await;
    // A separate finding: the policies attached to the role are read.
    attach(&corner, &function).await;
    record(&corner, &mut seen, Duty::Plan, &plan, 0).await;
    record(&corner, &mut seen, Duty::Verify, &verify, 1).await;
    let probe = [&["verify", "--probe"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Probe, &probe, 1).await;

    let connect = [&["connect"], &of_pool[..]].concat();
    let history = [&["history"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::History, &history, 0).await;
    record(&corner, &mut seen, Duty::Connect, &connect, 0).await;
    corner.cognito("UpdateUserPool", json!({ "UserPoolId": pool, "AutoVerifiedAttributes": ["email"], "LambdaConfig": corner.pool(&pool).await["LambdaConfig"] })).await;
    std::fs::write(corner.folder.path().join("users.csv"), "tail@example.com\n").expect("users");
    let listed = ["--from", "users.csv"];
    let remaining = [&["remaining"], &of_pool[..], &listed].concat();
    record(&corner, &mut seen, Duty::Remaining, &remaining, 0).await;
    let import = [&["import", "--yes"], &of_pool[..], &listed].concat();
    record(&corner, &mut seen, Duty::Import, &import, 0).await;
    // For days before the log, the metrics are read.
    let status = [&["status", "--since", "400d"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Status, &status, 0).await;
    let doctor = [&["doctor"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Doctor, &doctor, 0).await;
    let attempt = ["try", "--forgot-password", "--user", "sso@example.com"];
    let attempt = [&attempt[..], &of_pool].concat();
    record(&corner, &mut seen, Duty::Try, &attempt, 0).await;
    let local = [&attempt[..], &["--local"]].concat();
    record(&corner, &mut seen, Duty::Try, &local, 0).await;
    configure_with_secret(&corner, in_ssm, "");
    record(&corner, &mut seen, Duty::Try, &local, 0).await;
    record(&corner, &mut seen, Duty::Connect, &connect, 0).await;

    // Into a VPC, out of it, and into it again; then a teardown of the migration only, and then of the rest.
    let alarmed = format!(
        "[triggers]\npre_sign_up = true\n[alarms]\ntopic = \"arn:aws:sns:{REGION}:{}:on-call\"\n",
        corner.account
    );
    let networked =
        "[function]\nvpc = { subnets = [\"subnet-0a\"], security_groups = [\"sg-0a\"] }\n";
    for network in [networked, "", networked] {
        configure_with_secret(&corner, in_ssm, &format!("{alarmed}{network}"));
        record(&corner, &mut seen, Duty::Deploy, &deploy, 0).await;
    }
    let teardown = [&["teardown", "--yes"], &of_pool[..]].concat();
    record(&corner, &mut seen, Duty::Teardown, &teardown, 0).await;
    attach(&corner, &function).await;
    let rest = [&teardown[..], &["--everything"]].concat();
    record(&corner, &mut seen, Duty::Teardown, &rest, 0).await;
    let mut files = std::fs::read_dir(corner.folder.path()).expect("the folder");
    let snapshot = files
        .find_map(|file| {
            let path = file.expect("a file").path();
            let path = path.to_str().expect("a name").to_owned();
            path.ends_with(".snapshot.json").then_some(path)
        })
        .expect("a snapshot");
    let restore = ["restore", "--yes", "--break-lease", "--snapshot", &snapshot];
    record(&corner, &mut seen, Duty::Teardown, &restore, 0).await;

    let mut wrong = Vec::new();
    for (duty, actions) in &seen {
        for action in actions {
            // A probe includes verify's calls.
            let granted = GRANTS.iter().any(|grant| {
                grant.action == action
                    && (grant.is_for(*duty) || *duty == Duty::Probe && grant.is_for(Duty::Verify))
            });
            if !granted {
                wrong.push(format!("{} calls {action} and may not", duty.name()));
            }
        }
    }
    assert!(
        Duty::value_variants()
            .iter()
            .all(|duty| seen.contains_key(duty)),
        "each duty was done"
    );
    // `attach` tests the calls that only another tool's function needs.
    let made = |grant: &&Grant| grant.implied.is_none() && grant.on != On::GivenVersions;
    for grant in GRANTS.iter().filter(made) {
        for duty in grant.duties {
            if !seen[duty].contains(grant.action) {
                wrong.push(format!(
                    "{} may call {} and does not",
                    duty.name(),
                    grant.action
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Creates an IAM user in this test environment; the program runs as that user from then on.
async fn become_user(corner: &mut Corner) {
    iam(corner, "CreateUser", &[("UserName", "operator")]).await;
    let key = iam(corner, "CreateAccessKey", &[("UserName", "operator")]).await;
    let member = |name: &str| {
        let after = key.split(&format!("<{name}>")).nth(1);
        after
            .and_then(|rest| rest.split('<').next())
            .expect("a key")
            .to_owned()
    };
    corner.environment = vec![
        ("AWS_ACCESS_KEY_ID".into(), member("AccessKeyId")),
        ("AWS_SECRET_ACCESS_KEY".into(), member("SecretAccessKey")),
    ];
}

/// Gives the user exactly these duties' permissions, from the output of `policy`.
async fn allow(corner: &Corner, pool: &str, duties: &str) {
    let arguments = [
        "policy",
        "--pool",
        pool,
        "--account",
        &corner.account,
        "--for",
        duties,
        "--json",
    ];
    let mut document = corner.run(&arguments).await.ended(0).json();
    // The emulator does not evaluate the resources or conditions of these, and checks them for `*`; and it treats each call about
    // one alias as the call that lists all. AWS does neither. `evaluator` judges the printed document as it is.
    let statements = document["Statement"].as_array_mut().expect("statements");
    for (action, asked_for) in [
        ("logs:DescribeLogGroups", "logs:DescribeLogGroups"),
        ("lambda:CreateFunction", "lambda:CreateFunction"),
        ("lambda:AddPermission", "lambda:AddPermission"),
        ("logs:GetQueryResults", "logs:GetQueryResults"),
        ("lambda:GetAlias", "lambda:ListAliases"),
    ] {
        let is_printed = statements.iter().any(|statement| {
            statement["Action"]
                .as_array()
                .is_some_and(|actions| actions.contains(&json!(action)))
        });
        if is_printed {
            let allowed = json!({ "Effect": "Allow", "Action": asked_for, "Resource": "*" });
            statements.push(allowed);
        }
    }
    let document = document.to_string();
    let parameters = [
        ("UserName", "operator"),
        ("PolicyName", "jane-migrate"),
        ("PolicyDocument", document.as_str()),
    ];
    iam(corner, "PutUserPolicy", &parameters).await;
}

#[tokio::test]
async fn the_printed_policies_are_enough_and_allow_nothing_else() {
    let options = Options {
        role_age: std::time::Duration::from_millis(300),
        callers: Callers::Checked,
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let mut corner = Corner::of(&sandbox).await;
    let pool = corner.create_pool(json!({})).await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, srp).await;
    become_user(&mut corner).await;
    let deploy = ["deploy", "--yes", "--enable-password-auth", "--pool", &pool];
    let verify = ["verify", "--format", "json", "--pool", &pool];
    let teardown = ["teardown", "--yes", "--pool", &pool];

    allow(&corner, &pool, "plan").await;
    let plan = ["plan", "--enable-password-auth", "--pool", &pool];
    corner.run(&plan).await.ended(0);
    let refused = corner.run(&deploy).await.ended(1);
    assert!(refused.stderr.contains("grant `"), "{refused:#?}");

    allow(&corner, &pool, "deploy").await;
    corner.run(&deploy).await.ended(0);
    let refused = corner.run(&teardown).await.ended(1);
    assert!(refused.stderr.contains("grant `"), "{refused:#?}");

    allow(&corner, &pool, "verify").await;
    let verified = corner.run(&verify).await.ended(0);
    assert_eq!(verified.json()["ok"], true);
    allow(&corner, &pool, "verify,probe").await;
    corner
        .run(&["verify", "--probe", "--pool", &pool])
        .await
        .ended(0);

    allow(&corner, &pool, "status").await;
    corner.run(&["status", "--pool", &pool]).await.ended(0);
    corner.add_accounts();
    allow(&corner, &pool, "try").await;
    let attempt = ["try", "--forgot-password", "--user", "sso@example.com"];
    corner
        .run(&[&attempt[..], &["--pool", &pool]].concat())
        .await
        .ended(0);

    allow(&corner, &pool, "teardown").await;
    corner.run(&teardown).await.ended(0);
    let left = corner.pool(&pool).await;
    assert!(left["LambdaConfig"]["UserMigration"].is_null(), "{left}");
    sandbox.stop().await.expect("stopped");
}

#[tokio::test]
async fn facts_that_only_the_pool_has_are_read_from_it() {
    let corner = Corner::new().await;
    let sms = format!("arn:aws:iam::{}:role/service-role/sms", corner.account);
    let pool = corner
        .create_pool(json!({ "SmsConfiguration": { "SnsCallerArn": sms, "ExternalId": "x" } }))
        .await;
    let asked = ["policy", "--pool", &pool, "--for", "deploy", "--json"];
    let document = corner.run(&asked).await.ended(0).json().to_string();
    assert!(document.contains(&sms), "{document}");
    assert!(document.contains(&corner.pool(&pool).await["Arn"].to_string()));
    // The same without calls to AWS: the pool's values are given.
    let without_calls = [
        &asked[..],
        &["--account", &corner.account, "--sms-role", &sms],
    ]
    .concat();
    let before = corner.gateway().await.journal(&corner.account).len();
    let same = corner.run(&without_calls).await.ended(0).json().to_string();
    assert_eq!(document, same);
    assert_eq!(
        corner.gateway().await.journal(&corner.account).len(),
        before
    );

    let all = corner
        .run(&["policy", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    let names: Vec<&str> = Duty::value_variants()
        .iter()
        .map(|duty| duty.name())
        .collect();
    let found: BTreeSet<&str> = all
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, names.into_iter().collect());
    let text = corner
        .run(&["policy", "--pool", &pool, "--for", "teardown"])
        .await
        .ended(0);
    assert!(text.stdout.contains("lambda:DeleteFunction"), "{text:#?}");
    assert!(!text.stdout.contains("lambda:CreateFunction"), "{text:#?}");
}

#[test]
fn no_permission_is_wider_than_the_pool_if_it_can_be_narrower() {
    for grant in GRANTS.iter().filter(|grant| grant.on == On::Network) {
        assert!(grant.action.starts_with("ec2:Describe"));
    }
    assert!(GRANTS.iter().all(|grant| !grant.action.contains('*')));
}
