//! `sandbox`: the local AWS that runs until it is stopped.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Corner, Ran, aws_cli};

#[tokio::test]
async fn the_sandboxs_variables_work_for_every_aws_tool_and_it_stops_on_request() {
    let corner = Corner::new().await;
    let mut process = corner
        .command(&["sandbox"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut exports = String::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        exports.push_str(&line);
        exports.push('\n');
        if line.starts_with("export JANE_MIGRATE_POOL") {
            break;
        }
    }
    // Each tool describes the demo's pool, with only these variables.
    let python = aws_cli().await.python().display().to_string();
    let boto = format!(
        "{python} -c 'import os, awscli.botocore.session as s; c = s.get_session().create_client(\"cognito-idp\"); \
         print(c.describe_user_pool(UserPoolId=os.environ[\"JANE_MIGRATE_POOL\"])[\"UserPool\"][\"Id\"])'"
    );
    let tools = [
        ("the AWS CLI", format!("{python} -m awscli cognito-idp describe-user-pool --user-pool-id $JANE_MIGRATE_POOL")),
        ("Python's SDK", boto),
        ("Rust's SDK", "jane-migrate plan --enable-password-auth".to_owned()),
        ("curl", "curl -sS --fail --aws-sigv4 aws:amz:$AWS_REGION:cognito-idp --user $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY \
            -H 'x-amz-target: AWSCognitoIdentityProviderService.DescribeUserPool' -H 'content-type: application/x-amz-json-1.1' \
            -d '{\"UserPoolId\": \"'$JANE_MIGRATE_POOL'\"}' $AWS_ENDPOINT_URL".to_owned()),
    ];
    for (tool, call) in tools {
        let ours =
            "unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY JANE_CLIENT_SECRET";
        let line = format!("{ours}; {exports}\necho \"pool $JANE_MIGRATE_POOL\"; {call}");
        let ran = Ran::of(corner.shell(&line)).await.ended(0);
        let (pool, answer) = ran.stdout.split_once('\n').expect("the pool's id");
        let pool = pool.trim_start_matches("pool ");
        assert!(answer.contains(pool), "{tool}: {ran:#?}");
    }
    let id = process.id().expect("it runs").to_string();
    let mut kill = tokio::process::Command::new("kill");
    let interrupted = kill
        .args(["-INT", &id])
        .status()
        .await
        .expect("kill starts");
    assert!(interrupted.success());
    assert_eq!(process.wait().await.expect("its status").code(), Some(0));
}
