//! A deployed migration to break: everything holds, the secret is in Secrets Manager, and each break is one ordinary call of
//! AWS's API. The fix that verify prints must repair it.

use std::collections::BTreeSet;

use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use crate::support::{Corner, REGION, Ran, aws_cli, http, unconnected};

/// A proxy's change of a response.
pub type Edit = fn(&mut Value);

/// The deployed migration.
pub struct Bench {
    /// Its account, folder and Jane.
    pub corner: Corner,
    /// The pool.
    pub pool: String,
    /// Its app client.
    pub client: String,
    /// The function.
    pub function: String,
    /// The directory's secret.
    pub secret: String,
}

impl Bench {
    /// Deploys a migration on which every check holds.
    pub async fn new() -> Self {
        let corner = Corner::new().await;
        corner.add_accounts();
        let pool = corner
            .create_pool(json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } }))
            .await;
        let client = corner.create_client(&pool, json!({})).await;
        let mut bench = Self {
            function: format!("jane-migrate-{pool}"),
            secret: String::new(),
            corner,
            pool,
            client,
        };
        let created = bench
            .json(
                "secretsmanager",
                "secretsmanager.CreateSecret",
                json!({ "Name": "jane", "SecretString": bench.corner.jane.client_secret() }),
            )
            .await;
        bench.secret = created["ARN"].as_str().expect("an ARN").to_owned();
        bench.configure("");
        bench.deploy().await;
        bench
    }

    /// Writes a migrate.toml with `more` after the directory.
    pub fn configure(&self, more: &str) {
        let secret = format!("{{ secretsmanager = \"{}\" }}", self.secret);
        self.configure_with(&secret, more);
    }

    /// The same with another place for the secret.
    pub fn configure_with(&self, secret: &str, more: &str) {
        let config = format!(
            "[directory]\nkind = \"jane\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {secret}\n\n{}",
            self.corner.jane.url(),
            self.corner.jane.client_id(),
            unconnected(more),
        );
        std::fs::write(self.corner.folder.path().join("migrate.toml"), config)
            .expect("migrate.toml");
    }

    /// Deploys the configuration.
    pub async fn deploy(&self) -> Ran {
        let ran = self
            .corner
            .run(&["deploy", "--pool", &self.pool, "--yes"])
            .await;
        assert!(ran.code == 0, "{ran:#?}");
        ran
    }

    /// Runs verify with more arguments.
    pub async fn verify(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["verify", "--pool", &self.pool, "--format", "json"];
        arguments.extend(more);
        self.corner.run(&arguments).await
    }

    /// From here on, every call of the program goes through this proxy, as long as the proxy is kept.
    pub async fn behind(
        &mut self,
        decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
    ) -> Proxy {
        let proxy = Proxy::start(&self.corner.endpoint, decide).await;
        let proxy = proxy.expect("a proxy");
        self.corner.endpoint = proxy.url();
        proxy
    }

    /// The findings that fail.
    pub async fn wrong(&self) -> Vec<Value> {
        wrong(&self.verify(&[]).await)
    }

    /// A call of a service with a JSON protocol.
    pub async fn json(&self, service: &str, target: &str, body: Value) -> Value {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
            ("authorization", &self.corner.authorization(service)),
            (KEY_HEADER, &self.corner.secret),
        ];
        let body = body.to_string();
        let (status, answer) = http(
            &self.corner.endpoint,
            "POST",
            "/",
            &headers,
            body.as_bytes(),
        )
        .await;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// A call of Lambda's API, below its date and version: `functions/NAME/...`.
    pub async fn lambda(&self, method: &str, path: &str, body: Value) -> Value {
        // An update is rejected while another one settles.
        loop {
            let headers = [
                ("content-type", "application/json"),
                ("authorization", &self.corner.authorization("lambda")),
                (KEY_HEADER, &self.corner.secret),
            ];
            let path = format!("/2015-03-31/{path}");
            let body = body.to_string();
            let (status, answer) = http(
                &self.corner.endpoint,
                method,
                &path,
                &headers,
                body.as_bytes(),
            )
            .await;
            let text = String::from_utf8_lossy(&answer).into_owned();
            if status == 409 || text.contains("cannot be assumed") {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
            assert!((200..300).contains(&status), "{method} {path}: {text}");
            return serde_json::from_slice(&answer).unwrap_or_default();
        }
    }

    /// A call of the function's own API.
    pub async fn function(&self, method: &str, part: &str, body: Value) -> Value {
        self.lambda(method, &format!("functions/{}{part}", self.function), body)
            .await
    }

    /// Changes the function's configuration, and makes it live.
    pub async fn reconfigure(&self, change: Value) {
        self.function("PUT", "/configuration", change).await;
        self.go_live().await;
    }

    /// Publishes the function and points the pool's alias to it, like an operator with the console.
    pub async fn go_live(&self) -> Value {
        self.settled().await;
        let version = self.function("POST", "/versions", json!({})).await["Version"].take();
        let led = json!({ "FunctionVersion": version });
        self.function("PUT", "/aliases/live", led).await;
        version
    }

    /// Waits until an update of the function has ended.
    pub async fn settled(&self) {
        let patience = std::time::Duration::from_secs(30);
        let aws = self.corner.aws().await;
        aws.settled(&self.function, patience)
            .await
            .expect("it settles");
    }

    /// Adds a variable to the function's environment.
    pub async fn set_variable(&self, name: &str, value: &str) {
        let aws = self.corner.aws().await;
        let found = aws
            .function(&self.function)
            .await
            .expect("read")
            .expect("there");
        let mut variables: serde_json::Map<String, Value> = found
            .function
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), json!(value.expose())))
            .collect();
        variables.insert(name.to_owned(), json!(value));
        self.reconfigure(json!({ "Environment": { "Variables": variables } }))
            .await;
    }

    /// A call of IAM's API.
    pub async fn iam(&self, action: &str, parameters: &[(&str, &str)]) {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            let value: String = value
                .bytes()
                .map(|byte| match byte.is_ascii_alphanumeric() {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02X}"),
                })
                .collect();
            form.push_str(&format!("&{name}={value}"));
        }
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &self.corner.authorization("iam")),
            (KEY_HEADER, &self.corner.secret),
        ];
        let (status, answer) = http(
            &self.corner.endpoint,
            "POST",
            "/",
            &headers,
            form.as_bytes(),
        )
        .await;
        assert_eq!(
            status,
            200,
            "{action}: {}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// Changes settings of the pool; its other settings are sent along.
    pub async fn update_pool(&self, change: Value) {
        let pool = self.corner.pool(&self.pool).await;
        let mut body = json!({ "UserPoolId": self.pool });
        for member in [
            "LambdaConfig",
            "AdminCreateUserConfig",
            "Policies",
            "AccountRecoverySetting",
        ] {
            if !pool[member].is_null() {
                body[member] = pool[member].clone();
            }
        }
        // Cognito now rejects it, although it is still described.
        if let Some(config) = body["AdminCreateUserConfig"].as_object_mut() {
            config.remove("UnusedAccountValidityDays");
        }
        let (body_members, change) = (body.as_object_mut(), change);
        if let (Some(members), Value::Object(change)) = (body_members, change) {
            members.extend(change);
        }
        self.corner.cognito("UpdateUserPool", body).await;
    }

    /// Changes settings of the client; its other settings are sent along.
    pub async fn update_client(&self, change: Value) {
        let mut body = self.corner.client(&self.pool, &self.client).await;
        if let (Some(members), Value::Object(change)) = (body.as_object_mut(), change) {
            for read_only in ["ClientSecret", "CreationDate", "LastModifiedDate"] {
                members.remove(read_only);
            }
            members.extend(change);
        }
        self.corner.cognito("UpdateUserPoolClient", body).await;
    }

    /// Everything holds.
    pub async fn holds(&self) {
        let wrong = self.wrong().await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Checks that only this check fails, with this severity. Returns the printed fix.
    pub async fn fails(&self, id: &str, severity: &str) -> String {
        self.fail(&[id], severity).await
    }

    /// Checks that exactly these checks fail; the first has this severity, and its fix is returned.
    pub async fn fail(&self, ids: &[&str], severity: &str) -> String {
        let wrong = self.wrong().await;
        let failed: BTreeSet<&str> = wrong.iter().filter_map(|f| f["id"].as_str()).collect();
        assert_eq!(failed, ids.iter().copied().collect(), "{wrong:#?}");
        let finding = wrong
            .iter()
            .find(|finding| finding["id"] == ids[0])
            .expect("the finding");
        assert_eq!(finding["severity"], severity, "{finding:#}");
        for member in ["message", "expected", "found", "fix"] {
            assert!(finding[member].is_string(), "{member}: {finding:#}");
        }
        finding["fix"].as_str().expect("a fix").to_owned()
    }

    /// Checks that only this check fails, and that the printed command repairs it.
    pub async fn fails_and_is_fixed(&self, id: &str, severity: &str) {
        let fix = self.fails(id, severity).await;
        self.run_fix(&fix).await;
        let wrong = self.wrong().await;
        assert!(wrong.is_empty(), "after `{fix}`: {wrong:#?}");
    }

    /// Checks that only this check fails, and that the commands in the text of its fix repair it, in order.
    pub async fn fails_and_is_fixed_in_words(&self, id: &str, severity: &str) {
        let fix = self.fails(id, severity).await;
        assert!(!commands(&fix).is_empty(), "no command: {fix}");
        for command in commands(&fix) {
            self.run_fix(command).await;
        }
        let wrong = self.wrong().await;
        assert!(wrong.is_empty(), "after `{fix}`: {wrong:#?}");
    }

    /// Runs a fix as a person would paste it, and confirms its questions.
    pub async fn run_fix(&self, fix: &str) {
        assert!(
            fix.starts_with("jane-migrate ") || fix.starts_with("aws "),
            "no command: {fix}"
        );
        let venv = aws_cli().await;
        let line = format!(
            "aws() {{ {} -m awscli \"$@\"; }}; {}",
            venv.python().display(),
            fix.replace("jane-migrate deploy", "jane-migrate deploy --yes")
                .replace("jane-migrate teardown", "jane-migrate teardown --yes")
        );
        let mut shell = self.corner.shell(&line);
        shell.env("AWS_DEFAULT_REGION", REGION);
        Ran::of(shell).await.ended(0);
    }
}

/// The failed findings in a JSON document.
pub fn wrong(ran: &Ran) -> Vec<Value> {
    let document = ran.json();
    let findings = document["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["ok"] == false && finding["unknown"] != true)
        .filter(|finding| finding["accepted"].is_null())
        .cloned()
        .collect()
}

/// The commands in the backticks of a fix, or the fix itself if it is a command.
pub fn commands(fix: &str) -> Vec<&str> {
    match fix.contains('`') {
        true => fix.split('`').skip(1).step_by(2).collect(),
        false => ["jane-migrate ", "aws "]
            .iter()
            .any(|program| fix.starts_with(program))
            .then_some(fix)
            .into_iter()
            .collect(),
    }
}

/// A zip that is not ours.
pub fn foreign_zip() -> String {
    zip_of("#!/bin/sh\n")
}

/// A zip with this program in it.
pub fn zip_of(bootstrap: &str) -> String {
    use base64::Engine;
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("a file");
    zip.write_all(bootstrap.as_bytes()).expect("written");
    let bytes = zip.finish().expect("a zip").into_inner();
    base64::prelude::BASE64_STANDARD.encode(bytes)
}
