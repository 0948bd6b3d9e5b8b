//! A function has its execution role's permissions, some time after a change of the role, and starts only with the role for which
//! its environment was encrypted.

use std::time::{Duration, Instant};

use jane_migrate_sandbox::wire::KEY_HEADER;
use serde_json::{Value, json};

use super::Scene;
use crate::support::{Corner, REGION, http};

/// A call by a function that runs with this role.
async fn as_role(
    corner: &Corner,
    role: &str,
    service: &str,
    target: &str,
    body: &Value,
) -> (u16, Value) {
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
        ("x-amz-security-token", &format!("role={role}")),
        ("authorization", &corner.authorization(service)),
        (KEY_HEADER, &corner.secret),
    ];
    let body = body.to_string();
    let (status, answer) = http(&corner.endpoint, "POST", "/", &headers, body.as_bytes()).await;
    (status, serde_json::from_slice(&answer).unwrap_or_default())
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }] })
}

#[tokio::test]
async fn a_function_has_exactly_its_roles_permissions() {
    let scene = Scene::live().await;
    scene.keep_parameter("secret").await;
    let (corner, role) = (&scene.corner, &scene.names.function);
    let arn = &scene.names.role_arn;
    let get = json!({ "Name": "/jane", "WithDecryption": true });
    let read = async || as_role(corner, arn, "ssm", "AmazonSSM.GetParameter", &get).await;
    let (status, said) = read().await;
    assert_eq!(status, 400, "{said}");
    let words = "not authorized to perform: ssm:GetParameter on resource";
    assert!(said["message"].as_str().unwrap().contains(words), "{said}");
    let account = &corner.account;
    let parameter = format!("arn:aws:ssm:{REGION}:{account}:parameter/jane");
    let more = allow("ssm:GetParameter", &parameter);
    scene.aws.put_role_policy(role, "more", &more).await;
    assert_eq!(read().await.0, 200);
    let pool = json!({ "UserPoolId": scene.pool, "Username": "ada@example.com" });
    let target = "AWSCognitoIdentityProviderService.AdminGetUser";
    let (status, said) = as_role(corner, arn, "cognito-idp", target, &pool).await;
    assert!(
        status == 400 && said["__type"] == "AccessDeniedException",
        "{said}"
    );

    // Without its policy it cannot write to the log either, and still answers.
    let lines = async || {
        let group = json!({ "logGroupName": scene.names.log_group });
        let found = corner.logs("FilterLogEvents", group).await;
        found["events"].as_array().map_or(0, Vec::len)
    };
    scene.assert_migrates("with its role's rights").await;
    let before = lines().await;
    assert!(before > 0);
    scene.aws.delete_role_policy(role, "jane-migrate").await;
    scene.assert_migrates("without a right to log").await;
    assert_eq!(lines().await, before);
    let ran = scene.run_undisturbed("verify").await.ended(1);
    assert!(ran.stdout.contains("role-needs"), "{ran:#?}");
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_migrates("with its role's rights again").await;
    assert!(lines().await > before);
}

#[tokio::test]
async fn a_change_of_a_roles_policy_takes_a_while() {
    let corner = Corner::new().await;
    let aws = corner.aws().await;
    let role = format!("slow-{}", corner.account);
    let trust = allow("sts:AssumeRole", "*");
    aws.create_role(&role, &trust).await;
    let arn = format!("arn:aws:iam::{}:role/{role}", corner.account);
    let secret = json!({ "SecretId": "none" });
    let read = async || {
        let target = "secretsmanager.GetSecretValue";
        let (_, said) = as_role(&corner, &arn, "secretsmanager", target, &secret).await;
        said["__type"] != "AccessDeniedException"
    };
    // The sandbox of these tests takes 300 ms.
    let settles = async |allowed: bool| {
        let changed = Instant::now();
        while read().await != allowed {
            assert!(changed.elapsed() < Duration::from_secs(20), "{allowed}");
        }
        assert!(changed.elapsed() > Duration::from_millis(200), "{allowed}");
    };
    let any = allow("secretsmanager:GetSecretValue", "*");
    aws.put_role_policy(&role, "it", &any).await;
    settles(true).await;
    aws.delete_role_policy(&role, "it").await;
    settles(false).await;
}

#[tokio::test]
async fn a_function_does_not_start_with_a_recreated_role() {
    let scene = Scene::live().await;
    scene.assert_migrates("as deployed").await;
    let name = &scene.names.function;
    let role = scene.aws.role(name).await.unwrap().expect("a role");
    for policy in role.policies.keys() {
        scene.aws.delete_role_policy(name, policy).await;
    }
    scene.aws.delete_role(name).await;
    scene.aws.create_role(name, &role.trust).await;
    for (policy, document) in &role.policies {
        scene.aws.put_role_policy(name, policy, document).await;
    }
    for (key, value) in &role.tags {
        scene.aws.tag_role(name, key, value).await;
    }
    let body = json!({
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": scene.clients[0],
        "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
    });
    let (status, said) = scene.corner.try_cognito("InitiateAuth", body).await;
    let kind = (status, said["__type"].as_str());
    assert_eq!(kind, (400, Some("UnexpectedLambdaException")), "{said}");
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    assert!(ran.stdout.contains("its role was made again"), "{ran:#?}");
    scene.assert_migrates("given to the function again").await;
}
