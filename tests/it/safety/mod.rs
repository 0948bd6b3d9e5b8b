//! No fault during a deploy or a teardown may harm a pool: crashes, lost connections, changes by other tools, exposed secrets. Each
//! file covers one kind of fault. This module has the shared parts: a pool with settings of every kind, and the properties that must
//! always hold for it.

mod code;
mod coexist;
mod documents;
mod faults;
mod interrupts;
mod kills;
mod lambda;
mod leases;
mod neighbours;
mod network;
mod records;
mod redeploy;
mod rights;
mod second_emulator;
mod secrets;
mod snapshots;
pub mod table;
mod versions;

use std::path::PathBuf;
use std::process::Stdio;

use futures_util::future::join_all;
use jane_migrate::artifact;
use jane_migrate_config::Architecture;
use jane_migrate_core::ids::{Names, STATEMENT_ID};
use jane_migrate_core::permission;
use jane_migrate_core::resources::FunctionState;
use jane_migrate_sandbox::{Options, Sandbox};
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::aws::Aws;
use crate::life::settings_of_every_kind;
use crate::support::{Corner, Ran, assert_same, cache, lasting, records};

/// A sandbox that accepts new roles at once: waiting for them hundreds of times would test nothing more.
async fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceCell<Sandbox> = OnceCell::const_new();
    SANDBOX
        .get_or_init(|| {
            lasting(async {
                let options = Options {
                    role_age: std::time::Duration::ZERO,
                    ..Options::new(cache())
                };
                Sandbox::start(&options).await.expect("the sandbox starts")
            })
        })
        .await
}

/// The handler, built once, so that no run of the program compiles.
async fn zip() -> &'static PathBuf {
    static ZIP: OnceCell<PathBuf> = OnceCell::const_new();
    ZIP.get_or_init(|| {
        lasting(async {
            let request = artifact::Request {
                kind: "jane",
                architecture: Architecture::X86_64,
                cache: cache(),
                records: records(),
            };
            let built = artifact::build(&request, &|_| ()).await;
            built.expect("the handler builds").zip
        })
    })
    .await
}

/// Scenes that run in parallel: more than there are cores, because most of the time they wait.
const AT_ONCE: usize = 6;

/// A scene's turn. All tests share them: on an overloaded machine responses are late and every run looks like an outage.
async fn turn() -> SemaphorePermit<'static> {
    static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
    TURNS.acquire().await.expect("open for good")
}

/// A call of a command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    action: String,
    nth: usize,
}

impl Point {
    fn is(&self, passing: &Passing) -> bool {
        self.action == passing.action && self.nth == passing.nth
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} no. {}", self.action, self.nth)
    }
}

/// The points of a command. How often it polls a function or a query depends on AWS; the first poll is enough here, after the
/// plan's own read of the function.
fn points(calls: &[Passing]) -> Vec<Point> {
    calls
        .iter()
        .filter(|call| match call.action.as_str() {
            "GetFunction" => call.nth <= 2,
            "GetQueryResults" => call.nth == 1,
            _ => true,
        })
        .map(|call| Point {
            action: call.action.clone(),
            nth: call.nth,
        })
        .collect()
}

/// Whether a call changes nothing.
fn reads(action: &str) -> bool {
    ["Describe", "Filter", "Get", "Invoke", "List"]
        .iter()
        .any(|reading| action.starts_with(reading))
}

/// A pool with settings of every kind, with a client that deploy changes and one that it does not.
struct Scene {
    corner: Corner,
    aws: Aws,
    names: Names,
    pool: String,
    clients: Vec<String>,
    before: Vec<Value>,
    /// The zip to deploy; without one, the handler.
    artifact: Option<PathBuf>,
}

impl Scene {
    async fn new() -> Self {
        Self::in_corner(Corner::of(sandbox().await).await).await
    }

    /// The state before the command.
    async fn before(command: &str) -> Self {
        let mut scene = Self::new().await;
        if command == "redeploy" || command == "conversion" {
            // Live for one client; now the other is added, and the function changes.
            scene.corner.add_accounts();
            let first = format!("[pool]\nclients = [{:?}]\n", scene.clients[0]);
            scene.corner.configure(&first);
            scene.run_undisturbed("deploy").await.ended(0);
            if command == "conversion" {
                scene.without_alias().await;
            }
            scene
                .corner
                .configure("[function]\nmemory_mb = 512\nlog_retention_days = 7\n");
        }
        if command == "renewal" {
            scene.corner.add_accounts();
            scene.run_undisturbed("deploy").await.ended(0);
            scene
                .keep_parameter(scene.corner.jane.client_secret())
                .await;
            scene.configure_parameter("/jane");
            scene.artifact = Some(code::packed_otherwise(scene.corner.folder.path()).await);
        }
        if command == "rollback" {
            scene.corner.add_accounts();
            scene.run_undisturbed("deploy").await.ended(0);
            scene.corner.configure("[function]\nmemory_mb = 512\n");
            scene.run_undisturbed("deploy").await.ended(0);
        }
        if command == "triggers" {
            scene.corner.add_accounts();
            scene.run_undisturbed("deploy").await.ended(0);
            let triggers = "[triggers]\npre_sign_up = true\npost_confirmation = true\n";
            scene.corner.configure(triggers);
        }
        if command == "leaving" {
            scene.corner.configure(network::IN_A_VPC);
        }
        if ["teardown", "leaving"].contains(&command) {
            scene.run_undisturbed("deploy").await.ended(0);
        }
        scene
    }

    async fn in_corner(corner: Corner) -> Self {
        Self::with(corner, settings_of_every_kind).await
    }

    /// With a pool of these settings, which depend on the account.
    async fn with(corner: Corner, settings: impl Fn(&str) -> Value) -> Self {
        let pool = corner.create_pool(settings(&corner.account)).await;
        let mobile = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "AccessTokenValidity": 30, "TokenValidityUnits": { "AccessToken": "minutes" } });
        let clients = vec![
            corner.create_client(&pool, json!({})).await,
            corner.create_client(&pool, mobile).await,
        ];
        let aws = corner.aws().await;
        let arn = corner.pool(&pool).await["Arn"].take();
        let arn = arn.as_str().expect("an ARN").parse().expect("an ARN");
        let mut scene = Self {
            corner,
            aws,
            names: Names::new(arn),
            pool,
            clients,
            before: Vec::new(),
            artifact: None,
        };
        scene.before = scene.documents().await;
        scene
    }

    /// The current pool, its MFA settings and its clients.
    async fn documents(&self) -> Vec<Value> {
        let mfa = json!({ "UserPoolId": self.pool });
        let mut documents = vec![
            self.corner.pool(&self.pool).await,
            self.corner.cognito("GetUserPoolMfaConfig", mfa).await,
        ];
        documents.extend(
            join_all(
                self.clients
                    .iter()
                    .map(|client| self.corner.client(&self.pool, client)),
            )
            .await,
        );
        documents
    }

    /// Another tool sets one setting of a client.
    async fn set_of_client(&self, client: usize, setting: &str, value: Value) {
        let mut body = self.corner.client(&self.pool, &self.clients[client]).await;
        body[setting] = value;
        for read_only in ["CreationDate", "LastModifiedDate", "ClientSecret"] {
            body.as_object_mut().expect("members").remove(read_only);
        }
        self.corner.cognito("UpdateUserPoolClient", body).await;
    }

    /// A command that may make changes, with all flags to run without a question.
    async fn command(&self, endpoint: &str, name: &str) -> Command {
        let zip = match &self.artifact {
            Some(zip) => zip,
            None => zip().await,
        };
        let zip = zip.to_str().expect("a path of text");
        let arguments: &[&str] = match name {
            "deploy" | "redeploy" | "renewal" | "conversion" | "triggers" => {
                &["--yes", "--enable-password-auth", "--artifact", zip]
            }
            "teardown" | "leaving" | "rollback" => &["--yes"],
            _ => &[],
        };
        let program = match name {
            "redeploy" | "renewal" | "conversion" | "triggers" => "deploy",
            "leaving" => "teardown",
            name => name,
        };
        let mut command = self.corner.command(&[program, "--pool", &self.pool]);
        command.args(arguments).env("AWS_ENDPOINT_URL", endpoint);
        command
    }

    /// Runs it to its end.
    async fn run(&self, endpoint: &str, name: &str) -> Ran {
        Ran::of(self.command(endpoint, name).await).await
    }

    /// Runs it to its end without a disturbance.
    async fn run_undisturbed(&self, name: &str) -> Ran {
        self.run(&self.corner.endpoint, name).await
    }

    /// Runs it to its end although another run is active.
    async fn run_breaking(&self, name: &str) -> Ran {
        self.disturbed(name, &["--break-lease"], |_| Fate::Pass)
            .await
    }

    /// Runs it to its end with this fate for its calls.
    async fn disturbed(
        &self,
        name: &str,
        more: &[&str],
        decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
    ) -> Ran {
        let proxy = Proxy::start(&self.corner.endpoint, decide).await;
        let proxy = proxy.expect("a proxy");
        let mut command = self.command(&proxy.url(), name).await;
        command.args(more);
        Ran::of(command).await
    }

    /// Starts it; the caller ends it.
    async fn start(&self, endpoint: &str, name: &str) -> Child {
        self.command(endpoint, name)
            .await
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// What must always hold: a trigger of ours can be invoked, and nothing else of the pool has changed.
    async fn assert_unharmed(&self, when: &str) {
        let now = self.documents().await;
        if now[0]["LambdaConfig"]["UserMigration"] == json!(self.names.live_arn) {
            let (function, policy) = tokio::join!(
                self.aws.function(&self.names.function),
                self.aws.policy(&self.names.function, Some("live")),
            );
            let function = function
                .expect("asked")
                .unwrap_or_else(|| panic!("{when}: the trigger calls a function that is gone"));
            // While Lambda updates a function, the function still answers as before.
            let answers = [
                FunctionState::Ready,
                FunctionState::Settling("being updated".into()),
            ];
            assert!(
                answers.contains(&function.state),
                "{when}: {:?}",
                function.state
            );
            let policy = policy.expect("asked");
            assert!(
                policy
                    .statements
                    .iter()
                    .any(|statement| permission::is_for_pool(statement, &self.names)),
                "{when}: the trigger calls a function that Cognito may not invoke: {policy:?}"
            );
        }
        for (before, now) in self.before.iter().zip(now) {
            assert_same(&without_ours(before.clone()), &without_ours(now), when);
        }
    }

    /// Checks that a customer who has not migrated can sign in; afterwards the user is removed again.
    async fn assert_migrates(&self, when: &str) {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": self.clients[0],
            "AuthParameters": { "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" },
        });
        let (status, answer) = self.corner.try_cognito("InitiateAuth", body).await;
        assert_eq!(status, 200, "{when}: {answer}");
        let user = json!({ "UserPoolId": self.pool, "Username": "ada@example.com" });
        self.corner.cognito("AdminDeleteUser", user).await;
    }

    /// Checks that the migration is completely in place.
    async fn assert_deployed(&self, when: &str) {
        self.assert_unharmed(when).await;
        let now = self.documents().await;
        assert_eq!(
            now[0]["LambdaConfig"]["UserMigration"],
            json!(self.names.live_arn),
            "{when}"
        );
        for client in &now[2..] {
            let flows = client["ExplicitAuthFlows"].as_array().expect("flows");
            assert!(
                flows.contains(&json!("ALLOW_USER_PASSWORD_AUTH")),
                "{when}: {flows:?}"
            );
        }
        let policy = self
            .aws
            .policy(&self.names.function, Some("live"))
            .await
            .expect("asked");
        assert!(policy.statement(STATEMENT_ID).is_some(), "{when}");
        assert_eq!(policy.statements.len(), 1, "{when}");
    }

    /// Checks that everything is as before the first deploy.
    async fn assert_gone(&self, when: &str) {
        for (before, now) in self.before.iter().zip(self.documents().await) {
            assert_same(before, &now, when);
        }
        let Names {
            function,
            log_group,
            ..
        } = &self.names;
        assert!(
            self.aws.function(function).await.expect("asked").is_none(),
            "{when}"
        );
        assert!(
            self.aws.role(function).await.expect("asked").is_none(),
            "{when}"
        );
        let group = self.aws.log_group_settings(log_group).await;
        assert!(group.expect("asked").is_none(), "{when}");
    }

    /// The calls of a command without faults.
    async fn calls_of(&self, name: &str) -> Vec<Passing> {
        let proxy = Proxy::start(&self.corner.endpoint, |_| Fate::Pass)
            .await
            .expect("a proxy");
        self.run(&proxy.url(), name).await.ended(0);
        proxy.passed()
    }
}

/// The document without the parts that deploy changes.
fn without_ours(mut document: Value) -> Value {
    if let Some(triggers) = document["LambdaConfig"].as_object_mut() {
        triggers.remove("UserMigration");
        for more in ["PreSignUp", "PostConfirmation"] {
            let ours = |arn: &Value| arn.as_str().is_some_and(|arn| arn.ends_with(":live"));
            if triggers.get(more).is_some_and(ours) {
                triggers.remove(more);
            }
        }
    }
    if let Some(client) = document
        .as_object_mut()
        .filter(|client| client.contains_key("ClientId"))
    {
        client.remove("ExplicitAuthFlows");
    }
    document
}
