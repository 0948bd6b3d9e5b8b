//! The snippets that keep other tools from removing the trigger, parsed by the usual parsers: an HCL parser, CloudFormation's
//! linter, a YAML parser. The two in TypeScript are compared with code that was compiled with the tools' types.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Scene;
use crate::support::{Corner, Ran, readers};

const POOL: &str = "us-west-2_Ab1";
const ARN: &str = "arn:aws:lambda:us-west-2:123456789012:function:jane-migrate-us-west-2_Ab1:live";

/// The snippet for a tool, printed without a call to AWS.
async fn snippet(tool: &str) -> String {
    let corner = Corner::at("http://127.0.0.1:1".to_owned()).await;
    let arguments = [
        "coexist",
        "--pool",
        POOL,
        "--for",
        tool,
        "--account",
        "123456789012",
    ];
    let ran = corner.run(&arguments).await.ended(0);
    assert!(ran.stdout.contains(ARN), "{ran:#?}");
    ran.stdout
}

/// The same with all triggers on.
async fn snippet_of_all(tool: &str) -> String {
    let corner = Corner::at("http://127.0.0.1:1".to_owned()).await;
    corner.configure("[triggers]\npre_sign_up = true\npost_confirmation = true\n");
    let arguments = ["coexist", "--pool", POOL, "--for", tool];
    let account = ["--account", "123456789012"];
    let ran = corner.run(&[&arguments[..], &account[..]].concat()).await;
    ran.ended(0).stdout
}

#[tokio::test]
async fn every_trigger_that_is_on_is_in_the_snippet() {
    let all = json!({ "UserMigration": ARN, "PreSignUp": ARN, "PostConfirmation": ARN });
    for (tool, resources) in [
        ("sam", "/Resources"),
        ("serverless", "/resources/Resources"),
    ] {
        let document = python(YAML, &snippet_of_all(tool).await).await.json();
        let pool = document.pointer(&format!("{resources}/UserPool"));
        assert_eq!(pool.expect("the pool")["Properties"]["LambdaConfig"], all);
    }
    let script = "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))";
    let read = python(script, &snippet_of_all("terraform").await)
        .await
        .json();
    let pool = &read["resource"][0][r#""aws_cognito_user_pool""#][r#""pool""#];
    let triggers = pool["lambda_config"][0].as_object().expect("a block");
    let ours = triggers
        .iter()
        .filter(|(_, arn)| **arn == format!("{ARN:?}"));
    let named: Vec<&String> = ours.map(|(name, _)| name).collect();
    let all = ["post_confirmation", "pre_sign_up", "user_migration"];
    let mut named: Vec<&str> = named.iter().map(|name| name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, all);
    for (tool, line) in [
        (
            "cdk",
            format!("\"LambdaConfig.PostConfirmation\", \"{ARN}\""),
        ),
        ("pulumi", format!("    preSignUp: \"{ARN}\",\n")),
    ] {
        let text = snippet_of_all(tool).await;
        assert!(text.contains(&line), "{text}");
    }
}

/// The output of a Python script for a text on standard input.
async fn python(script: &str, text: &str) -> Ran {
    let mut python = Command::new(readers().await.python())
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).await.expect("written");
    drop(stdin);
    Ran::from(python.wait_with_output().await.expect("Python ends"))
}

const YAML: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";

#[tokio::test]
async fn terraform_parses_the_code() {
    let script = "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))";
    let ran = python(script, &snippet("terraform").await).await.ended(0);
    // As in the provider's schema (hashicorp/aws 6.25): a block, once, with an attribute of text.
    let pool = &ran.json()["resource"][0][r#""aws_cognito_user_pool""#][r#""pool""#];
    let arn = format!("{ARN:?}");
    assert_eq!(
        *pool,
        json!({ "__is_block__": true, "lambda_config": [{ "__is_block__": true, "user_migration": arn }] })
    );
}

#[tokio::test]
async fn cloudformation_and_sam_accept_the_snippet() {
    for tool in ["cloudformation", "sam"] {
        let text = snippet(tool).await;
        let folder = tempfile::tempdir().expect("a folder");
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, &text).expect("written");
        let mut lint = Command::new(readers().await.python().with_file_name("cfn-lint"));
        lint.args(["--regions", "us-west-2", "--template"])
            .arg(&template);
        Ran::of(lint).await.ended(0);
        let document = python(YAML, &text).await.json();
        let pool = &document["Resources"]["UserPool"];
        assert_eq!(pool["Properties"]["LambdaConfig"]["UserMigration"], ARN);
        assert_eq!(document["Transform"].is_string(), tool == "sam");
    }
}

#[tokio::test]
async fn the_serverless_snippet_is_under_resources() {
    let document = python(YAML, &snippet("serverless").await).await.json();
    let pool = &document["resources"]["Resources"]["UserPool"];
    assert_eq!(
        pool["Properties"]["LambdaConfig"],
        json!({ "UserMigration": ARN })
    );
}

#[tokio::test]
async fn the_typescript_snippets_equal_those_that_compiled() {
    let code = |text: String| -> String {
        let lines = text.lines().filter(|line| !line.starts_with("//"));
        lines.map(|line| format!("{line}\n")).collect()
    };
    assert_eq!(
        code(snippet("cdk").await),
        format!(
            "const definition = pool.node.defaultChild as cognito.CfnUserPool;\n\
             definition.addPropertyOverride(\"LambdaConfig.UserMigration\", \"{ARN}\");\n"
        )
    );
    assert_eq!(
        code(snippet("pulumi").await),
        format!(
            "const pool = new aws.cognito.UserPool(\"pool\", {{\n  lambdaConfig: {{\n    userMigration: \"{ARN}\",\n  }},\n}});\n"
        )
    );
}

#[tokio::test]
async fn the_account_is_read_from_the_pool() {
    let scene = Scene::new().await;
    let arguments = ["coexist", "--pool", &scene.pool, "--for", "terraform"];
    let ran = scene.corner.run(&arguments).await.ended(0);
    assert!(ran.stdout.contains(&scene.names.live_arn), "{ran:#?}");
    let mut command = scene.corner.command(&arguments);
    command.arg("--json");
    let document: Value = Ran::of(command).await.ended(0).json();
    assert_eq!(document["for"], "terraform");
    assert_eq!(document["snippet"], ran.stdout);
}
