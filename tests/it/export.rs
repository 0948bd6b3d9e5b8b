//! `export`: CloudFormation's code is linted, deployed to the emulator's CloudFormation, attached, used for a sign-in and
//! verified; the code for other tools is parsed by the parsers of those tools.

use std::process::Stdio;
use std::time::Duration;

use jane_migrate_core::ids::Names;
use jane_migrate_core::resources::role_policy;
use jane_migrate_sandbox::wire::KEY_HEADER;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::policy::iam;
use crate::support::{Corner, REGION, Ran, http, npm, readers};

const TOPIC: &str = "on-call";

/// A pool with a client, and a configuration with everything that the code can contain.
async fn scene() -> (Corner, String) {
    let corner = Corner::new().await;
    corner.add_accounts();
    let secret = corner.jane.client_secret();
    corner.keep_parameter("/jane/secret", secret).await;
    let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    let pool = corner.create_pool(closed).await;
    corner.create_client(&pool, json!({})).await;
    let everything = json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let boundary = [
        ("PolicyName", "bound"),
        ("PolicyDocument", &everything.to_string()),
    ];
    iam(&corner, "CreatePolicy", &boundary).await;
    configure(&corner, "");
    (corner, pool)
}

fn configure(corner: &Corner, function: &str) {
    let account = &corner.account;
    corner.configure_secret_and(
        "{ ssm = \"/jane/secret\" }",
        &format!(
            "[function]\n{function}role_path = \"/apps/\"\npermissions_boundary = \"arn:aws:iam::{account}:policy/bound\"\n\
             tags = {{ team = \"accounts\", \"cost center\" = \"42\" }}\n\
             [alarms]\ntopic = \"arn:aws:sns:{REGION}:{account}:{TOPIC}\"\n"
        ),
    );
}

/// A call of a service with a query API.
async fn query(corner: &Corner, service: &str, parameters: &[(&str, &str)]) -> (u16, String) {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    let pairs = parameters.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let authorization = corner.authorization(service);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", authorization.as_str()),
        (KEY_HEADER, corner.secret.as_str()),
    ];
    let body = pairs.join("&");
    let (status, answer) = http(&corner.endpoint, "POST", "/", &headers, body.as_bytes()).await;
    (status, String::from_utf8_lossy(&answer).into_owned())
}

async fn put(corner: &Corner, path: &str, body: &[u8]) {
    let authorization = corner.authorization("s3");
    let headers = [
        ("authorization", authorization.as_str()),
        (KEY_HEADER, corner.secret.as_str()),
    ];
    let (status, answer) = http(&corner.endpoint, "PUT", path, &headers, body).await;
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&answer));
}

/// Waits until a stack has this state.
async fn stack_is(corner: &Corner, state: &str) {
    for _ in 0..100 {
        let described = [("Action", "DescribeStacks"), ("StackName", "migration")];
        let (_, answer) = query(corner, "cloudformation", &described).await;
        if answer.contains(&format!("<StackStatus>{state}<")) {
            return;
        }
        assert!(
            !answer.contains("ROLLBACK") && !answer.contains("FAILED"),
            "{answer}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the stack is not {state}");
}

/// Checks that the linter reports nothing, not even warnings.
async fn is_clean(template: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("template.yaml");
    std::fs::write(&file, template).expect("written");
    let mut lint =
        tokio::process::Command::new(readers().await.python().with_file_name("cfn-lint"));
    lint.args(["--regions", REGION, "--template"]).arg(&file);
    Ran::of(lint).await.ended(0);
}

#[tokio::test]
async fn cloudformation_creates_a_function_that_deploy_attaches_and_verify_accepts() {
    let (corner, pool) = scene().await;
    let run = async |code: i32, arguments: &[&str]| {
        let ran = corner.run(&[arguments, &["--pool", &pool]].concat()).await;
        let ran = ran.ended(code);
        ran.stdout + &ran.stderr
    };
    let built = ["build", "--output", "handler.zip"];
    corner.run(&built).await.ended(0);
    let template = exported(&corner, &pool, "cloudformation").await;
    assert!(
        !template.contains(corner.jane.client_secret()),
        "{template}"
    );
    is_clean(&template).await;

    // A bucket with the zip under the template's key, and the stack.
    let bucket = format!("code-{}", corner.account);
    let here = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    put(&corner, &format!("/{bucket}"), here.as_bytes()).await;
    let key = template
        .lines()
        .find_map(|line| line.trim().strip_prefix("Default: "));
    let key = key.expect("a key");
    let zip = std::fs::read(corner.folder.path().join("handler.zip")).expect("the zip");
    put(&corner, &format!("/{bucket}/{key}"), &zip).await;
    let create = [
        ("Action", "CreateStack"),
        ("StackName", "migration"),
        ("TemplateBody", &template),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "CodeBucket"),
        ("Parameters.member.1.ParameterValue", &bucket),
    ];
    let (status, answer) = query(&corner, "cloudformation", &create).await;
    assert_eq!(status, 200, "{answer}");
    stack_is(&corner, "CREATE_COMPLETE").await;

    let json = ["export", "--for", "cloudformation", "--json"];
    let json = [&json[..], &["--pool", &pool]].concat();
    let document = corner.run(&json).await.ended(0).json();
    let named = ["arn", "role_arn", "code_sha256"].map(|key| {
        let of = if key == "arn" { "function_arn" } else { key };
        format!("{key} = {}\n", document[of])
    });
    // The template has the same in its comments.
    for line in &named {
        assert!(template.contains(line.trim()), "{line} {template}");
    }
    configure(&corner, &named.concat());
    run(0, &["deploy", "--yes"]).await;
    let described = corner.pool(&pool).await;
    assert_eq!(
        described["LambdaConfig"]["UserMigration"],
        document["function_arn"]
    );
    let users = [("ada@example.com", "Right-Pass-1")];
    for (user, password) in users {
        let clients = corner.cognito(
            "ListUserPoolClients",
            json!({ "UserPoolId": pool, "MaxResults": 1 }),
        );
        let client = clients.await["UserPoolClients"][0]["ClientId"].take();
        let sign_in = json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": user, "PASSWORD": password } });
        let (status, answer) = corner.try_cognito("InitiateAuth", sign_in).await;
        assert_eq!(status, 200, "{answer}");
    }
    run(
        0,
        &["verify", "--strict", "--probe", "--skip", "jane-connection"],
    )
    .await;
    run(0, &["plan", "--detailed-exitcode"]).await;
    // The same code again gives the same stack.
    assert_eq!(exported(&corner, &pool, "cloudformation").await, template);

    let said = run(0, &["teardown", "--yes", "--force"]).await;
    assert!(!said.contains("alarm"), "{said}");
    let delete = [("Action", "DeleteStack"), ("StackName", "migration")];
    query(&corner, "cloudformation", &delete).await;
    let aws = corner.aws().await;
    for _ in 0..50 {
        if aws
            .function(&format!("jane-migrate-{pool}"))
            .await
            .unwrap()
            .is_none()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the function is still there");
}

/// The output of a Python script for a text on standard input.
async fn python(script: &str, text: &str) -> Value {
    let mut python = tokio::process::Command::new(readers().await.python())
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).await.expect("written");
    drop(stdin);
    let ran = Ran::from(python.wait_with_output().await.expect("Python ends"));
    ran.ended(0).json()
}

async fn exported(corner: &Corner, pool: &str, tool: &str) -> String {
    let ran = corner.run(&["export", "--for", tool, "--pool", pool]).await;
    ran.ended(0).stdout
}

/// The least policy of the role, as set by deploy.
fn least(corner: &Corner, pool: &str) -> Value {
    let file = std::fs::read_to_string(corner.folder.path().join("migrate.toml")).unwrap();
    let config = jane_migrate_config::parse(&file, "migrate.toml").unwrap();
    let arn = format!(
        "arn:aws:cognito-idp:{REGION}:{}:userpool/{pool}",
        corner.account
    );
    role_policy(
        &Names::configured(arn.parse().unwrap(), Some(&config.function)),
        &config,
    )
}

#[tokio::test]
async fn sam_and_serverless_accept_the_code() {
    let (corner, pool) = scene().await;
    is_clean(&exported(&corner, &pool, "sam").await).await;
    let script = "\
import json, sys, yaml
class Loader(yaml.SafeLoader): pass
Loader.add_multi_constructor('!', lambda loader, tag, node: {tag: node.value})
print(json.dumps(yaml.load(sys.stdin, Loader)))";
    for tool in ["sam", "serverless"] {
        let read = python(script, &exported(&corner, &pool, tool).await).await;
        let resources = match tool {
            "sam" => &read["Resources"],
            _ => &read["resources"]["Resources"],
        };
        let role = &resources["MigrationRole"]["Properties"];
        assert_eq!(
            role["Policies"][0]["PolicyDocument"],
            least(&corner, &pool),
            "{tool}"
        );
        assert!(
            role["PermissionsBoundary"]
                .as_str()
                .unwrap()
                .ends_with(":policy/bound")
        );
        let function = &resources["MigrationFunction"]["Properties"];
        assert_eq!(function["Runtime"], "provided.al2023", "{tool}");
        let settings = &function["Environment"]["Variables"]["JANE_MIGRATE_SETTINGS"];
        let printed = ["settings", "--json", "--pool", &pool];
        let printed = corner.run(&printed).await.ended(0).json();
        assert_eq!(
            *settings, printed["environment"]["JANE_MIGRATE_SETTINGS"],
            "{tool}"
        );
        assert_eq!(
            resources["SlowAlarm"]["Properties"]["ExtendedStatistic"],
            "p99"
        );
    }
}

#[tokio::test]
async fn terraform_parses_the_code() {
    let (corner, pool) = scene().await;
    let code = exported(&corner, &pool, "terraform").await;
    let script = "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))";
    let read = python(script, &code).await;
    let resources = read["resource"].as_array().expect("resources");
    let find = |kind: &str, name: &str| -> Value {
        let (kind, name) = (format!("{kind:?}"), format!("{name:?}"));
        let found = resources.iter().find_map(|one| one.get(&kind)?.get(&name));
        found
            .unwrap_or_else(|| panic!("{kind} {name}: {read:#}"))
            .clone()
    };
    let function = find("aws_lambda_function", "migration");
    assert_eq!(function["publish"], true);
    assert_eq!(function["role"], "${aws_iam_role.migration_role.arn}");
    let alias = find("aws_lambda_alias", "live");
    assert_eq!(
        alias["function_version"],
        "${aws_lambda_function.migration.version}"
    );
    let permission = find("aws_lambda_permission", "cognito");
    assert_eq!(permission["principal"], "\"cognito-idp.amazonaws.com\"");
    let role = find("aws_iam_role", "migration_role");
    assert_eq!(role["path"], "\"/apps/\"");
    for alarm in [
        "errors",
        "throttles",
        "slow",
        "silent",
        "concurrency",
        "directory_unavailable",
    ] {
        find("aws_cloudwatch_metric_alarm", &format!("alarm_{alarm}"));
    }
    find("aws_cloudwatch_log_metric_filter", "directory_unavailable");
    find("aws_cloudwatch_dashboard", "dashboard");
    find("aws_cloudwatch_log_group", "migration_log");
    find("aws_iam_role_policy", "migration_policy");
}

/// Parses TypeScript with its compiler, and returns the errors. The types of aws-cdk-lib and @pulumi/aws have 300 MB: with
/// `KEEP_CODE=FOLDER` the code is written there, for `tsc --noEmit` beside these packages.
const SYNTAX: &str = "\
const { createRequire } = require('module');
const ts = createRequire(process.argv[1] + '/')('typescript');
const text = require('fs').readFileSync(0, 'utf8');
const read = ts.transpileModule(text, { reportDiagnostics: true, compilerOptions: { target: 'es2022', module: 'commonjs' } });
console.log(JSON.stringify(read.diagnostics.map(one => one.messageText)));";

#[tokio::test]
async fn typescript_code_is_parsed_by_its_compiler() {
    let (corner, pool) = scene().await;
    let folder = npm("typescript-5.9.3", &["typescript@5.9.3"]);
    for tool in ["cdk", "pulumi"] {
        let code = exported(&corner, &pool, tool).await;
        if let Some(folder) = std::env::var_os("KEEP_CODE") {
            let file = std::path::Path::new(&folder).join(format!("{tool}.ts"));
            std::fs::write(file, &code).expect("kept");
        }
        let mut node = tokio::process::Command::new("node")
            .args(["-e", SYNTAX])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut stdin = node.stdin.take().expect("piped");
        stdin.write_all(code.as_bytes()).await.expect("written");
        drop(stdin);
        let ran = Ran::from(node.wait_with_output().await.expect("node ends")).ended(0);
        assert_eq!(ran.json(), json!([]), "{tool}: {code}");
    }
}

#[tokio::test]
async fn code_holds_no_secret() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    let ran = corner
        .run(&["export", "--for", "terraform", "--pool", &pool])
        .await
        .ended(1);
    assert!(ran.stderr.contains("code holds no secrets"), "{ran:#?}");
}
