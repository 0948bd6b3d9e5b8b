//! Customers use a version behind an alias: a pool from before the alias is converted, permissions for an old and a new version
//! exist as long as both may be used, and a role that was created again is assigned to the function again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jane_migrate_core::permission;
use jane_migrate_sandbox::Fault;
use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::Scene;
use crate::support::{http, unconnected};

impl Scene {
    /// A call of Lambda's API below its date and version.
    async fn lambda(&self, method: &str, path: &str, body: Value) -> Value {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", &self.corner.authorization("lambda")),
            (KEY_HEADER, &self.corner.secret),
        ];
        let path = format!("/2015-03-31/functions/{}{path}", self.names.function);
        let (endpoint, body) = (&self.corner.endpoint, body.to_string());
        let (status, answer) = http(endpoint, method, &path, &headers, body.as_bytes()).await;
        let text = String::from_utf8_lossy(&answer);
        assert!((200..300).contains(&status), "{method} {path}: {text}");
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    /// As deployed by an earlier version of the program: the pool calls the function itself.
    pub(super) async fn without_alias(&self) {
        let statement = json!({
            "StatementId": "jane-migrate-user-pool", "Action": "lambda:InvokeFunction",
            "Principal": "cognito-idp.amazonaws.com", "SourceArn": self.names.pool.to_string(),
            "SourceAccount": self.names.pool.account,
        });
        self.lambda("POST", "/policy", statement).await;
        self.set_trigger(&self.names.function_arn).await;
        self.lambda("DELETE", "/aliases/live", json!({})).await;
        let versions = self.aws.versions(&self.names.function).await.unwrap();
        for version in versions.iter().filter(|one| one.number != "$LATEST") {
            let path = format!("?Qualifier={}", version.number);
            self.lambda("DELETE", &path, json!({})).await;
        }
    }

    async fn set_trigger(&self, arn: &str) {
        let mut body = self.before[0].clone();
        let members = body.as_object_mut().expect("members");
        for member in [
            "Arn",
            "CreationDate",
            "LastModifiedDate",
            "EstimatedNumberOfUsers",
            "SchemaAttributes",
            "UsernameAttributes",
            "UsernameConfiguration",
            "AliasAttributes",
            "Status",
            "Domain",
            "CustomDomain",
        ] {
            members.remove(member);
        }
        members.insert("UserPoolId".into(), members["Id"].clone());
        members.remove("Id");
        if let Some(name) = members.remove("Name") {
            members.insert("PoolName".into(), name);
        }
        if let Some(config) = body["AdminCreateUserConfig"].as_object_mut() {
            config.remove("UnusedAccountValidityDays");
        }
        body["LambdaConfig"]["UserMigration"] = json!(arn);
        self.corner.cognito("UpdateUserPool", body).await;
    }

    /// Runs the command while a customer signs in again and again.
    async fn while_customers_sign_in(&self, command: &str, code: i32) -> usize {
        let run = async { self.run_undisturbed(command).await.ended(code) };
        self.with_customers(command, run).await.1
    }

    /// A customer signs in again and again until this has ended; the last sign-in is completed. Also returns how many there were.
    pub(super) async fn with_customers<T>(
        &self,
        when: &str,
        course: impl Future<Output = T>,
    ) -> (T, usize) {
        let ended = AtomicBool::new(false);
        let customers = async {
            let mut signed_in = 0;
            while !ended.load(Ordering::Relaxed) {
                self.assert_migrates(when).await;
                signed_in += 1;
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            signed_in
        };
        let course = async {
            let gone = course.await;
            ended.store(true, Ordering::Relaxed);
            gone
        };
        tokio::join!(course, customers)
    }
}

#[tokio::test]
async fn a_pool_that_calls_the_function_itself_is_converted_while_customers_sign_in() {
    let scene = Scene::live().await;
    scene.without_alias().await;
    let ran = scene.run_undisturbed("verify").await.ended(0);
    let words = "the pool calls the function itself, so customers meet each change of it before it is tried";
    assert!(ran.stdout.contains(words), "{ran:#?}");

    scene.corner.configure("[function]\nmemory_mb = 512\n");
    let signed_in = scene.while_customers_sign_in("deploy", 0).await;
    assert!(signed_in > 1, "{signed_in}");
    scene.assert_deployed("converted").await;
    let own = scene.aws.policy(&scene.names.function, None).await.unwrap();
    assert!(own.statements.is_empty(), "{own:?}");
    let ran = scene.run_undisturbed("verify").await.ended(0);
    assert!(ran.stdout.contains("ok       live-version"), "{ran:#?}");
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    assert!(ran.stdout.contains("No changes."), "{ran:#?}");
    // The version before the change still exists for a rollback.
    let versions = scene.aws.versions(&scene.names.function).await.unwrap();
    assert_eq!(versions.len(), 3, "{versions:?}");
    let force = ["--force"];
    let ran = scene.disturbed("teardown", &force, |_| Fate::Pass).await;
    ran.ended(0);
    scene.assert_gone("converted").await;
}

#[tokio::test]
async fn settings_that_fail_do_not_reach_a_pool_that_calls_the_function_itself() {
    let mut scene = Scene::live().await;
    scene.without_alias().await;
    let wrong = ("JANE_CLIENT_SECRET".to_owned(), "not-the-secret".to_owned());
    scene.corner.environment.push(wrong);
    let signed_in = scene.while_customers_sign_in("deploy", 1).await;
    assert!(signed_in > 1, "{signed_in}");
    scene.assert_migrates("not converted to what fails").await;
    scene.corner.environment.pop();
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("mended").await;
}

#[tokio::test]
async fn another_alias_in_the_trigger_is_replaced_by_ours() {
    let scene = Scene::live().await;
    let live = scene.lambda("GET", "/aliases/live", json!({})).await;
    let other = json!({ "Name": "mine", "FunctionVersion": live["FunctionVersion"] });
    let other = scene.lambda("POST", "/aliases", other).await;
    scene.set_trigger(other["AliasArn"].as_str().unwrap()).await;
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    assert!(ran.stdout.contains(":mine => "), "{ran:#?}");
    scene.assert_deployed("ours").await;
}

impl Scene {
    /// Stores the directory's secret in SSM.
    pub(super) async fn keep_parameter(&self, value: &str) {
        let body =
            json!({ "Name": "/jane", "Value": value, "Type": "SecureString", "Overwrite": true });
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "AmazonSSM.PutParameter"),
            ("authorization", &self.corner.authorization("ssm")),
            (KEY_HEADER, &self.corner.secret),
        ];
        let (endpoint, body) = (&self.corner.endpoint, body.to_string());
        let (status, _) = http(endpoint, "POST", "/", &headers, body.as_bytes()).await;
        assert_eq!(status, 200);
    }

    /// Configures a secret that is stored there.
    pub(super) fn configure_parameter(&self, name: &str) {
        let (url, client) = (self.corner.jane.url(), self.corner.jane.client_id());
        let toml = format!(
            "[directory]\nkind = \"jane\"\nurl = \"{url}\"\nclient_id = \"{client}\"\nclient_secret = {{ ssm = \"{name}\" }}\n{}",
            unconnected("")
        );
        let file = self.corner.folder.path().join("migrate.toml");
        std::fs::write(file, toml).expect("migrate.toml");
    }
}

/// IAM takes seconds to propagate a new role: until then the secret cannot be read. Here it does not exist yet.
#[tokio::test]
async fn a_deploy_waits_for_new_permissions() {
    let scene = Scene::new().await;
    scene.configure_parameter("/jane");
    let there = |passing: &Passing| match passing.action.as_str() {
        "AddPermission" => Fate::HoldAnswer,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, there).await;
    let proxy = proxy.expect("a proxy");
    let spread = async {
        proxy.held().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        scene
            .keep_parameter(scene.corner.jane.client_secret())
            .await;
        proxy.release();
    };
    let url = proxy.url();
    let (ran, ()) = tokio::join!(scene.run(&url, "deploy"), spread);
    ran.ended(0);
    let tries = proxy.passed().into_iter();
    let tries = tries.filter(|call| call.action == "Invoke").count();
    assert!(tries > 1, "{tries}");
    scene.assert_deployed("with new rights").await;
}

/// The role's permissions while both versions may be used, and afterwards.
#[tokio::test]
async fn the_role_has_both_versions_permissions_until_the_new_one_is_live() {
    let scene = Scene::live().await;
    let role = async || {
        let role = scene.aws.role(&scene.names.function).await.unwrap();
        role.expect("a role").policies["jane-migrate"].to_string()
    };
    assert!(!role().await.contains("ssm:GetParameter"));
    let value = scene.corner.jane.client_secret();
    scene.keep_parameter(value).await;
    scene.configure_parameter("/jane");
    scene.run_undisturbed("deploy").await.ended(0);
    let first = role().await;
    assert!(first.contains("parameter/jane\""), "{first}");

    // The next secret does not work: its version never goes live, and the live one can still read its own.
    scene.configure_parameter("/other");
    scene.run_undisturbed("deploy").await.ended(1);
    let both = role().await;
    assert!(
        both.contains("parameter/jane\"") && both.contains("parameter/other\""),
        "{both}"
    );
    scene.assert_migrates("with the secret it has").await;

    scene.configure_parameter("/jane");
    scene.run_undisturbed("deploy").await.ended(0);
    assert_eq!(role().await, first);
    scene.run_undisturbed("verify").await.ended(0);
}

#[tokio::test]
async fn a_deploy_assigns_a_recreated_role_to_the_function_again() {
    let scene = Scene::live().await;
    let name = &scene.names.function;
    let role = scene.aws.role(name).await.unwrap().expect("a role");
    for policy in role.policies.keys() {
        scene.aws.delete_role_policy(name, policy).await;
    }
    scene.aws.delete_role(name).await;
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    assert!(ran.stdout.contains("its role was made again"), "{ran:#?}");
    let made = scene.aws.role(name).await.unwrap().expect("a role");
    assert_ne!(made.id, role.id);
    let live = scene.aws.function(&format!("{name}:live")).await.unwrap();
    assert_eq!(live.expect("a version").function.role_id, made.id);
    let spare = scene.aws.role(&scene.names.spare_role).await.unwrap();
    assert!(spare.is_none(), "{spare:?}");
    scene.assert_deployed("the role is new").await;
    scene.assert_migrates("the role is new").await;
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    assert!(ran.stdout.contains("No changes."), "{ran:#?}");
    let force = ["--force"];
    let ran = scene.disturbed("teardown", &force, |_| Fate::Pass).await;
    ran.ended(0);
    scene.assert_gone("torn down").await;
}

#[tokio::test]
async fn a_conversion_keeps_other_callers_permissions_on_the_function() {
    let scene = Scene::live().await;
    scene.without_alias().await;
    let other = json!({
        "StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
    });
    scene.lambda("POST", "/policy", other).await;
    scene.run_undisturbed("deploy").await.ended(1);
    let own = scene.aws.policy(&scene.names.function, None).await.unwrap();
    assert_eq!(own.statements.len(), 1, "{own:?}");
    assert!(!permission::names_cognito(&own.statements[0]));
    scene.assert_migrates("converted").await;
}

impl Scene {
    /// The memory of the live version.
    async fn live_memory(&self) -> u32 {
        let live = format!("{}:live", self.names.function);
        let live = self.aws.function(&live).await.unwrap();
        live.expect("a version").function.memory_mb
    }
}

#[tokio::test]
async fn a_rollback_makes_the_previous_version_live_and_shows_the_differences() {
    let scene = Scene::before("rollback").await;
    assert_eq!(scene.live_memory().await, 512);
    let ran = scene.run_undisturbed("rollback").await.ended(0);
    for words in ["version 2 => 1: another memory", "deploy --pool"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
    }
    assert_eq!(scene.live_memory().await, 256);
    scene.assert_migrates("rolled back").await;
    let ran = scene.run_undisturbed("verify").await.ended(0);
    assert!(ran.stdout.contains("warning  live-version"), "{ran:#?}");
    // A second rollback goes no further.
    let ran = scene.run_undisturbed("rollback").await.ended(0);
    assert!(ran.stdout.contains("there is none before it"), "{ran:#?}");
    scene.run_undisturbed("deploy").await.ended(0);
    assert_eq!(scene.live_memory().await, 512);
}

#[tokio::test]
async fn a_rollback_to_a_failing_version_changes_nothing() {
    let scene = Scene::before("rollback").await;
    let fault = Some(Fault::Status(500));
    scene.corner.jane.set_fault_everywhere(fault);
    let ran = scene.run_undisturbed("rollback").await.ended(1);
    let words = "alias `live` stays where it was, and customers meet what they met before";
    assert!(ran.stderr.contains(words), "{ran:#?}");
    assert_eq!(scene.live_memory().await, 512);
    scene.corner.jane.set_fault_everywhere(None);
    scene.assert_migrates("as before").await;
}

#[tokio::test]
async fn a_rollback_without_a_previous_version_is_refused() {
    let scene = Scene::new().await;
    let ran = scene.run_undisturbed("rollback").await.ended(1);
    assert!(
        ran.stdout.contains("there is no version to go back from"),
        "{ran:#?}"
    );
    scene.run_undisturbed("deploy").await.ended(0);
    let ran = scene.run_undisturbed("rollback").await.ended(1);
    assert!(
        ran.stdout.contains("there is no version before 1"),
        "{ran:#?}"
    );
}
