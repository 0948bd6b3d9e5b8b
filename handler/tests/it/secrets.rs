//! Secrets by reference, fetched from moto with the function's role.

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::{
    function::{Function, settings, sign_in},
    python::Moto,
    server::{Reply, Server},
};

/// A directory that accepts one bearer token, which can be replaced.
fn directory() -> (Server, Arc<Mutex<String>>) {
    let token = Arc::new(Mutex::new("canary-first".to_owned()));
    let good = Arc::clone(&token);
    let server = Server::start(move |request| {
        match request.header("authorization").strip_prefix("Bearer ") == Some(&good.lock().unwrap())
        {
            true => Reply::json(200, json!({ "email": "ann@example.com" })),
            false => Reply::status(401),
        }
    });
    (server, token)
}

fn function(directory: &Server, moto: &str, secret: &str) -> Function {
    let toml = format!(
        "[directory]\nkind = 'http'\nsecrets = {{ token = {secret} }}\n[attributes]\nemail = 'email'\n\
         [directory.authenticate]\nurl = '{}/'\nheaders = {{ authorization = 'Bearer {{secrets.token}}' }}\n\
         json = '{{password}}'\nok = [200]\n",
        directory.url()
    );
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canary-key"),
        ("AWS_SESSION_TOKEN", "canary-session"),
        ("AWS_ENDPOINT_URL_SSM", moto),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto),
    ];
    Function::start(&settings(&toml), &environment)
}

#[test]
fn secrets_are_fetched_once_and_again_when_the_directory_refuses_them() {
    let moto = Moto::shared();
    let (directory, token) = directory();
    let create = |name: &str, value: &str| {
        let body = json!({ "Name": name, "SecretString": value });
        moto.call("secretsmanager", "secretsmanager.CreateSecret", &body)["ARN"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // With the newline that editors add.
    let plain = create("plain", "canary-first\n");
    let keyed = create("keyed", r#"{"token":"canary-first","other":1}"#);
    moto.call(
        "ssm",
        "AmazonSSM.PutParameter",
        &json!({ "Name": "/p", "Type": "SecureString", "Value": "canary-first\n" }),
    );
    let put = |value: &str| {
        let both = [
            (&plain, value.to_owned()),
            (&keyed, json!({ "token": value }).to_string()),
        ];
        for (arn, value) in both {
            let body = json!({ "SecretId": arn, "SecretString": value });
            moto.call("secretsmanager", "secretsmanager.PutSecretValue", &body);
        }
        let body =
            json!({ "Name": "/p", "Type": "SecureString", "Value": value, "Overwrite": true });
        moto.call("ssm", "AmazonSSM.PutParameter", &body);
    };
    let functions = [
        format!("{{ secretsmanager = '{plain}' }}"),
        format!("{{ secretsmanager = '{keyed}', key = 'token' }}"),
        "{ ssm = '/p' }".to_owned(),
    ]
    .map(|secret| function(&directory, &moto.url(), &secret));
    let event = sign_in("ann@example.com", "canary-password");
    for function in &functions {
        assert_eq!(function.outcome(&event).0, "migrated");
    }
    put("canary-second");
    for function in &functions {
        assert_eq!(
            function.outcome(&event).0,
            "migrated",
            "the first secret is still valid, and is kept"
        );
    }
    *token.lock().unwrap() = "canary-second".into();
    directory.forget();
    for function in &functions {
        assert_eq!(function.outcome(&event).0, "migrated");
        assert_eq!(function.outcome(&event).0, "migrated");
        assert!(
            !function.output().to_lowercase().contains("canary"),
            "{}",
            function.output()
        );
    }
    assert_eq!(
        directory.requests().len(),
        3 * 3,
        "one request is refused and repeated, the next one succeeds at once"
    );
}

#[test]
fn an_unavailable_secret_is_an_outage() {
    let moto = Moto::shared();
    // Moto loads a service at its first request, which may take longer than a sign-in waits.
    moto.call("ssm", "AmazonSSM.DescribeParameters", &json!({}));
    moto.call("secretsmanager", "secretsmanager.ListSecrets", &json!({}));
    let (directory, _) = directory();
    let event = sign_in("ann@example.com", "canary-password");
    for secret in [
        "{ ssm = '/nothing' }",
        "{ secretsmanager = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:none-AbCdEf' }",
        "{ env = 'NOT_SET' }",
    ] {
        let function = function(&directory, &moto.url(), secret);
        assert_eq!(function.invoke(&event).error(), "DirectoryUnavailable");
        assert_eq!(function.record()["reason"], "secret", "{secret}");
    }
    assert_eq!(
        directory.requests().len(),
        0,
        "no request without the secret"
    );
}
