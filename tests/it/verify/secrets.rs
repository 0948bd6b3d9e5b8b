//! The directory's secret, the function's environment, and the execution role, which reads the secret.

use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::json;

use super::bench::{Bench, wrong};

#[tokio::test]
async fn a_missing_secret_and_foreign_variables_are_found() {
    let bench = Bench::new().await;

    bench.set_variable("PAYMENTS_API_TOKEN", "abc").await;
    bench.fails_and_is_fixed("env-secrets", "error").await;
    bench
        .set_variable(
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            "https://attacker.example",
        )
        .await;
    bench.fails_and_is_fixed("env-only", "error").await;
    let key = format!(
        "arn:aws:kms:{}:{}:key/11111111-2222-3333-4444-555555555555",
        crate::support::REGION,
        bench.corner.account
    );
    bench.reconfigure(json!({ "KMSKeyArn": key })).await;
    bench.fails_and_is_fixed("env-kms", "error").await;

    bench
        .json(
            "secretsmanager",
            "secretsmanager.DeleteSecret",
            json!({ "SecretId": bench.secret, "RecoveryWindowInDays": 7 }),
        )
        .await;
    bench.fails_and_is_fixed("secret-exists", "error").await;

    let every_principal = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }] });
    bench
        .json(
            "secretsmanager",
            "secretsmanager.PutResourcePolicy",
            json!({ "SecretId": bench.secret, "ResourcePolicy": every_principal.to_string() }),
        )
        .await;
    bench.fails_and_is_fixed("secret-policy", "error").await;
}

#[tokio::test]
async fn a_secrets_key_must_be_in_the_role_and_its_copies_are_reported() {
    let mut bench = Bench::new().await;
    let key = format!(
        "arn:aws:kms:{}:{}:key/11111111-2222-3333-4444-555555555555",
        crate::support::REGION,
        bench.corner.account
    );
    let sealed = json!({ "SecretId": bench.secret, "KmsKeyId": key });
    bench
        .json("secretsmanager", "secretsmanager.UpdateSecret", sealed)
        .await;
    bench.fails("secret-key", "warning").await;
    let secret = format!(
        "{{ secretsmanager = \"{}\", kms_key = \"{key}\" }}",
        bench.secret
    );
    bench.configure_with(&secret, "");
    bench.deploy().await;
    bench.holds().await;

    // Directly and not only through the service: that is more than a sign-in needs.
    let decrypt = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key,
    }] });
    let aws = bench.corner.aws().await;
    aws.put_role_policy(&bench.function, "more", &decrypt).await;
    bench.fails_and_is_fixed("role-permissions", "error").await;

    let _proxy = bench
        .behind(|call| match call.action.as_str() {
            "DescribeSecret" => Fate::Edit(|answer| {
                answer["ReplicationStatus"] =
                    json!([{ "Region": "eu-west-1", "Status": "InSync" }]);
            }),
            _ => Fate::Pass,
        })
        .await;
    let fix = bench.fails("secret-copies", "warning").await;
    // The emulator lacks this call; the AWS CLI confirms that it exists.
    bench
        .run_fix(&format!("{fix} --generate-cli-skeleton input"))
        .await;
}

#[tokio::test]
async fn an_unencrypted_parameter_and_a_secret_in_the_environment_are_found() {
    let bench = Bench::new().await;
    let secret = bench.corner.jane.client_secret().to_owned();
    let put = json!({ "Name": "/jane/plain", "Value": secret, "Type": "String" });
    bench.json("ssm", "AmazonSSM.PutParameter", put).await;
    bench.configure_with("{ ssm = \"/jane/plain\" }", "");
    // Verify is the last step of deploy, and fails it.
    let ran = bench
        .corner
        .run(&["deploy", "--pool", &bench.pool, "--yes"])
        .await
        .ended(1);
    assert!(ran.stdout.contains("secret-encrypted"), "{ran:#?}");
    bench.fails("secret-encrypted", "error").await;

    let put = json!({ "Name": "/jane/sealed", "Value": secret, "Type": "SecureString" });
    bench.json("ssm", "AmazonSSM.PutParameter", put).await;
    bench.configure_with("{ ssm = \"/jane/sealed\" }", "");
    bench.deploy().await;
    bench.holds().await;

    let gone = json!({ "Name": "/jane/sealed" });
    bench.json("ssm", "AmazonSSM.DeleteParameter", gone).await;
    bench.fails("secret-exists", "error").await;

    bench.configure_with("{ env = \"JANE_CLIENT_SECRET\" }", "");
    bench.deploy().await;
    bench.fails("environment-secret", "warning").await;
    bench.configure("");
    bench.deploy().await;
    bench.holds().await;
}

#[tokio::test]
async fn missing_and_surplus_permissions_of_the_role_are_found() {
    let bench = Bench::new().await;
    let aws = bench.corner.aws().await;

    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com", "AWS": "210987654321" },
        "Action": "sts:AssumeRole",
    }] });
    aws.set_trust(&bench.function, &trust).await;
    bench.fails_and_is_fixed("role-trust", "error").await;
    // Fewer permissions than deploy's are fine.
    let narrower = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Lambda", "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "aws:SourceAccount": bench.corner.account } },
    }] });
    aws.set_trust(&bench.function, &narrower).await;
    bench.holds().await;

    let allow = |action: &str, resource: &str| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }] });
    let more = allow("iam:PassRole", "arn:aws:iam::123456789012:role/r");
    aws.put_role_policy(&bench.function, "more", &more).await;
    bench.fails_and_is_fixed("role-permissions", "error").await;
    let elsewhere = allow(
        "logs:PutLogEvents",
        "arn:aws:logs:us-west-2:123456789012:log-group:other:*",
    );
    aws.put_role_policy(&bench.function, "more", &elsewhere)
        .await;
    bench
        .fails_and_is_fixed("role-permissions", "warning")
        .await;

    // The document of a managed policy is read, too.
    let managed = format!("arn:aws:iam::{}:policy/all", bench.corner.account);
    bench
        .iam(
            "CreatePolicy",
            &[
                ("PolicyName", "all"),
                ("PolicyDocument", &allow("*", "*").to_string()),
            ],
        )
        .await;
    bench
        .iam(
            "AttachRolePolicy",
            &[("RoleName", &bench.function), ("PolicyArn", &managed)],
        )
        .await;
    bench.fails_and_is_fixed("role-permissions", "error").await;

    let less = allow(
        "logs:PutLogEvents",
        &format!(
            "arn:aws:logs:{}:{}:log-group:/aws/lambda/{}:*",
            crate::support::REGION,
            bench.corner.account,
            bench.function
        ),
    );
    aws.put_role_policy(&bench.function, "jane-migrate", &less)
        .await;
    bench.fails_and_is_fixed("role-needs", "error").await;

    let deny = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "logs:*", "Resource": "*" }] });
    aws.put_role_policy(&bench.function, "quiet", &deny).await;
    bench.fails_and_is_fixed("role-needs", "error").await;

    let mut conditioned =
        aws.inline_policies(&bench.function).await.unwrap()["jane-migrate"].clone();
    for statement in conditioned["Statement"].as_array_mut().unwrap() {
        statement["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } });
    }
    aws.put_role_policy(&bench.function, "jane-migrate", &conditioned)
        .await;
    bench.fails_and_is_fixed("role-needs", "error").await;

    // A boundary is read, too. One that allows everything has no effect.
    let bound = async |arn: &str| {
        let parameters = [
            ("RoleName", bench.function.as_str()),
            ("PermissionsBoundary", arn),
        ];
        bench.iam("PutRolePermissionsBoundary", &parameters).await;
    };
    bound(&managed).await;
    bench.holds().await;
    let logs_alone = allow("logs:*", "*").to_string();
    let parameters = [("PolicyName", "logs"), ("PolicyDocument", &logs_alone)];
    bench.iam("CreatePolicy", &parameters).await;
    bound(&managed.replace("policy/all", "policy/logs")).await;
    bench
        .fails_and_is_fixed_in_words("role-needs", "error")
        .await;
}

#[tokio::test]
async fn an_unreadable_secret_hides_no_other() {
    let mut bench = Bench::new().await;
    let kept = async |name: &str| {
        let secret = json!({ "Name": name, "SecretString": "x" });
        let secret = bench
            .json("secretsmanager", "secretsmanager.CreateSecret", secret)
            .await;
        let gone = json!({ "SecretId": secret["ARN"], "RecoveryWindowInDays": 7 });
        bench
            .json("secretsmanager", "secretsmanager.DeleteSecret", gone)
            .await;
        secret["ARN"].as_str().unwrap().to_owned()
    };
    let (a, b) = (kept("a").await, kept("b").await);
    let config = format!(
        "[directory]\nkind = \"http\"\nsecrets = {{ a = {{ secretsmanager = \"{a}\" }}, b = {{ secretsmanager = \"{b}\" }} }}\n\
         [directory.authenticate]\nurl = \"https://directory.example/check\"\nheaders = {{ x-a = \"{{secrets.a}}\", x-b = \"{{secrets.b}}\" }}\n\
         json = {{ user = \"{{username}}\", password = \"{{password}}\" }}\nok = [200]\nwrong_password = [401]\n\
         [attributes]\nemail = \"email\"\n"
    );
    let file = bench.corner.folder.path().join("migrate.toml");
    std::fs::write(file, config).unwrap();
    let proxy = Proxy::start(&bench.corner.endpoint, |call| {
        match (call.action.as_str(), call.nth) {
            ("DescribeSecret", 1) => Fate::Refuse(400, "AccessDeniedException", "no"),
            _ => Fate::Pass,
        }
    })
    .await
    .expect("a proxy");
    bench.corner.endpoint = proxy.url();
    let ran = bench.verify(&["--only", "secret-exists"]).await.ended(1);
    let document = ran.json();
    let found = document["findings"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{document:#}");
    assert_eq!(wrong(&ran).len(), 1, "{document:#}");
}
