//! What the tests share: one sandbox for the whole run, a test environment in it for each test, and the program started as users
//! start it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{
    Account, AccountKind, Emulator, Gateway, JaneDirectory, Options, Sandbox, Venv,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::aws::Aws;
use crate::printed;

/// The Region of every test.
pub const REGION: &str = "us-west-2";

/// The folder in which emulators and handlers are kept between runs.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The folder with the digests of those handlers: the program finds it if `XDG_STATE_HOME` is the cache.
pub fn records() -> PathBuf {
    cache().join("jane-migrate")
}

/// The runtime of everything that outlives a single test.
fn servers() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime for the servers"))
}

/// Runs `start` on a runtime on which its servers outlive the first test.
pub async fn lasting<T: Send + 'static>(start: impl Future<Output = T> + Send + 'static) -> T {
    servers().spawn(start).await.expect("the servers start")
}

/// The sandbox of this run.
pub async fn sandbox() -> &'static Sandbox {
    static SANDBOX: tokio::sync::OnceCell<Sandbox> = tokio::sync::OnceCell::const_new();
    SANDBOX
        .get_or_init(|| {
            lasting(async {
                let options = Options {
                    role_age: std::time::Duration::from_millis(300),
                    ..Options::new(cache())
                };
                Sandbox::start(&options).await.expect("the sandbox starts")
            })
        })
        .await
}

/// The second emulator: moto, which shares no code with the sandbox.
pub async fn moto() -> &'static Emulator {
    static MOTO: tokio::sync::OnceCell<Emulator> = tokio::sync::OnceCell::const_new();
    MOTO.get_or_init(|| {
        lasting(async {
            let moto = jane_migrate_test_kit::moto(&cache(), &|_| ()).await;
            moto.expect("moto starts")
        })
    })
    .await
}

/// The AWS CLI.
pub async fn aws_cli() -> Venv {
    Venv::install(&cache(), "awscli-1.46.2", "awscli==1.46.2", &|_| ())
        .await
        .expect("awscli installs")
}

/// Python with the usual readers of the program's reports and snippets: schema checkers, parsers, a linter.
pub async fn readers() -> Venv {
    const PACKAGES: &str = "cfn-lint==1.58.0 check-jsonschema==0.39.0 junitparser==5.0.3 python-hcl2==8.1.4 xmlschema==4.3.2 zizmor==1.32.0";
    Venv::install(&cache(), "readers", PACKAGES, &|_| ())
        .await
        .expect("the readers install")
}

/// The folder with these npm packages, installed once. None of their scripts is run.
pub fn npm(name: &str, packages: &[&str]) -> PathBuf {
    let folder = cache().join("npm").join(name);
    if !folder.join("node_modules").exists() {
        std::fs::create_dir_all(cache().join("npm")).expect("a folder");
        let making = tempfile::tempdir_in(cache().join("npm")).expect("a folder");
        let mut npm = std::process::Command::new("npm");
        npm.args([
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--prefix",
        ])
        .arg(making.path())
        .args(packages);
        assert!(npm.status().is_ok_and(|status| status.success()), "{npm:?}");
        // The second process uses the folder of the first.
        let _ = std::fs::rename(making.keep(), &folder);
    }
    folder
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs the program to its end.
    pub async fn of(mut command: tokio::process::Command) -> Self {
        Self::from(command.output().await.expect("the program starts"))
            .with_printed_commands()
            .await
    }

    /// Runs the program to its end with this on its standard input.
    pub async fn of_with(mut command: tokio::process::Command, input: &str) -> Self {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().expect("the program starts");
        let mut stdin = program.stdin.take().expect("its input");
        // A program that ends before it reads is not an error here.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        Self::from(program.wait_with_output().await.expect("it ends"))
            .with_printed_commands()
            .await
    }

    /// Fails the test if an invalid command was printed.
    pub async fn with_printed_commands(self) -> Self {
        printed::check(&self.stdout, &self.stderr).await;
        self
    }

    /// The JSON document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON document ({error}): {self:#?}"))
    }

    /// Fails the test unless the program ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }
}

/// The end of a configuration for a test that is not about the sign-up triggers.
pub fn unconnected(more: &str) -> String {
    match more.contains("[verify") || more.contains("[triggers]") {
        true => more.to_owned(),
        false => format!(
            "{more}\n[verify.accept]\njane-connection = \"this test is not about connections\"\n"
        ),
    }
}

/// A test environment in AWS: its own account, a folder with a migrate.toml, and its own Jane.
pub struct Corner {
    /// The account, which is also the id of its access key.
    pub account: String,
    /// The secret of its access key.
    pub secret: String,
    /// The AWS endpoint.
    pub endpoint: String,
    /// The Region of the calls made here. The program derives its own from the pool.
    pub region: &'static str,
    /// The directory.
    pub jane: JaneDirectory,
    /// The folder in which the program runs.
    pub folder: TempDir,
    /// Additional variables for the program.
    pub environment: Vec<(String, String)>,
}

impl Corner {
    /// A test environment in the sandbox.
    pub async fn new() -> Self {
        Self::of(sandbox().await).await
    }

    /// A test environment in this sandbox.
    pub async fn of(sandbox: &Sandbox) -> Self {
        let secret = sandbox.secret_key().to_owned();
        Self {
            secret,
            ..Self::at(sandbox.endpoint()).await
        }
    }

    /// A test environment at another endpoint, which accepts any key.
    pub async fn at(endpoint: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(100_000_000_001);
        let jane = lasting(async { JaneDirectory::start().await.expect("Jane starts") }).await;
        let corner = Self {
            account: NEXT.fetch_add(1, Ordering::Relaxed).to_string(),
            secret: "secret".to_owned(),
            endpoint,
            region: REGION,
            jane,
            folder: tempfile::tempdir().expect("a folder"),
            environment: Vec::new(),
        };
        corner.configure("");
        corner
    }

    /// The sandbox's gateway.
    pub async fn gateway(&self) -> &'static Gateway {
        sandbox().await.gateway()
    }

    /// Writes a migrate.toml for this environment's Jane, with `more` after it.
    pub fn configure(&self, more: &str) {
        let config = format!(
            "[directory]\nkind = \"jane\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ env = \"JANE_CLIENT_SECRET\" }}\n\n{}",
            self.jane.url(),
            self.jane.client_id(),
            unconnected(more),
        );
        std::fs::write(self.folder.path().join("migrate.toml"), config).expect("migrate.toml");
    }

    /// The same with another place for the secret.
    pub fn configure_secret(&self, secret: &str) {
        self.configure_secret_and(secret, "");
    }

    /// The same, with `more` after it.
    pub fn configure_secret_and(&self, secret: &str, more: &str) {
        let config = format!(
            "[directory]\nkind = \"jane\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {secret}\n{}",
            self.jane.url(),
            self.jane.client_id(),
            unconnected(more),
        );
        std::fs::write(self.folder.path().join("migrate.toml"), config).expect("migrate.toml");
    }

    /// The three kinds of account, and the one whose reset Jane refuses.
    pub fn add_accounts(&self) {
        for account in [
            Account::new(
                AccountKind::Password,
                "ada@example.com",
                Some("Right-Pass-1"),
            ),
            Account::new(AccountKind::Sso, "sso@example.com", None),
            Account::new(AccountKind::SsoRefused, "refused@example.com", None),
            Account::new(
                AccountKind::Marketplace,
                "market@example.com",
                Some("Right-Pass-1"),
            ),
        ] {
            self.jane.add_account(account);
        }
    }

    /// A call of Cognito's API by its name, like any client.
    pub async fn cognito(&self, action: &str, body: Value) -> Value {
        let (status, answer) = self.try_cognito(action, body).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// The same with any status.
    pub async fn try_cognito(&self, action: &str, body: Value) -> (u16, Value) {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
            ("authorization", &self.authorization("cognito-idp")),
            (KEY_HEADER, &self.secret),
        ];
        let (status, answer) = http(
            &self.endpoint,
            "POST",
            "/",
            &headers,
            body.to_string().as_bytes(),
        )
        .await;
        (status, serde_json::from_slice(&answer).unwrap_or_default())
    }

    /// A call of CloudWatch Logs by its name.
    pub async fn logs(&self, action: &str, body: Value) -> Value {
        self.called("logs", "1.1", &format!("Logs_20140328.{action}"), body)
            .await
    }

    /// A call of CloudWatch by its name.
    pub async fn cloudwatch(&self, action: &str, body: Value) -> Value {
        let target = format!("GraniteServiceVersion20100801.{action}");
        self.called("monitoring", "1.0", &target, body).await
    }

    async fn called(&self, service: &str, json: &str, target: &str, body: Value) -> Value {
        let headers = [
            ("content-type", &*format!("application/x-amz-json-{json}")),
            ("x-amz-target", target),
            ("authorization", &self.authorization(service)),
            (KEY_HEADER, &self.secret),
        ];
        let body = body.to_string();
        let (status, answer) = http(&self.endpoint, "POST", "/", &headers, body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// Stores a secret in the SSM parameter store.
    pub async fn keep_parameter(&self, name: &str, value: &str) {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "AmazonSSM.PutParameter"),
            ("authorization", &self.authorization("ssm")),
            (KEY_HEADER, &self.secret),
        ];
        let body = json!({ "Name": name, "Type": "SecureString", "Value": value }).to_string();
        let answered = http(&self.endpoint, "POST", "/", &headers, body.as_bytes()).await;
        assert_eq!(answered.0, 200, "PutParameter");
    }

    /// The account and the service of a call. The key is sent in a separate header.
    pub fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.account, self.region
        )
    }

    /// Creates a pool; returns its id.
    pub async fn create_pool(&self, settings: Value) -> String {
        let mut body = json!({ "PoolName": "Roots", "UsernameAttributes": ["email"] });
        merge(&mut body, settings);
        let answer = self.cognito("CreateUserPool", body).await;
        answer["UserPool"]["Id"].as_str().expect("an id").to_owned()
    }

    /// Creates an app client that Jane has; returns its id.
    pub async fn create_client(&self, pool: &str, settings: Value) -> String {
        let mut body = json!({
            "UserPoolId": pool,
            "ClientName": "web",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "PreventUserExistenceErrors": "ENABLED",
        });
        merge(&mut body, settings);
        let answer = self.cognito("CreateUserPoolClient", body).await;
        let id = answer["UserPoolClient"]["ClientId"]
            .as_str()
            .expect("an id")
            .to_owned();
        self.jane.register_client(&id, pool, self.region);
        id
    }

    /// Creates a pool with a client and deploys to it; returns both ids.
    pub async fn deployed(&self) -> (String, String) {
        let pool = self.create_pool(json!({})).await;
        let client = self.create_client(&pool, json!({})).await;
        self.deploy(&pool).await;
        (pool, client)
    }

    /// Deploys; fails the test unless the deploy succeeds.
    pub async fn deploy(&self, pool: &str) -> Ran {
        let ran = self.run(&["deploy", "--pool", pool, "--yes"]).await;
        ran.ended(0)
    }

    /// The description of the pool.
    pub async fn pool(&self, pool: &str) -> Value {
        self.cognito("DescribeUserPool", json!({ "UserPoolId": pool }))
            .await["UserPool"]
            .take()
    }

    /// The description of the client.
    pub async fn client(&self, pool: &str, client: &str) -> Value {
        let body = json!({ "UserPoolId": pool, "ClientId": client });
        self.cognito("DescribeUserPoolClient", body).await["UserPoolClient"].take()
    }

    /// Access to this environment's account, besides the program.
    pub async fn aws(&self) -> Aws {
        Aws::connect(&self.endpoint, self.region, [&self.account, &self.secret]).await
    }

    /// The program with these arguments in this environment, not yet started.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.here(env!("CARGO_BIN_EXE_jane-migrate"));
        command.args(arguments);
        command
    }

    /// A shell line that finds the program by its name.
    pub fn shell(&self, line: &str) -> tokio::process::Command {
        let folder = Path::new(env!("CARGO_BIN_EXE_jane-migrate")).parent();
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = folder
            .map(Path::to_owned)
            .into_iter()
            .chain(std::env::split_paths(&folders));
        let mut command = self.here("bash");
        command
            .args(["-c", line])
            .env("PATH", std::env::join_paths(folders).expect("folders"));
        command
    }

    /// Any program in this environment.
    fn here(&self, program: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program);
        command
            .env_clear()
            .envs(
                ["PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "CC"]
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .envs([
                ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
                ("AWS_ACCESS_KEY_ID", self.account.as_str()),
                ("AWS_SECRET_ACCESS_KEY", self.secret.as_str()),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("JANE_CLIENT_SECRET", self.jane.client_secret()),
            ])
            .env("JANE_MIGRATE_CACHE", cache())
            .env("XDG_STATE_HOME", cache())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the program.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments)).await
    }

    /// Runs the program from a path other than cargo's.
    pub async fn run_as(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = self.here(program);
        command.args(arguments);
        Ran::of(command).await
    }

    /// Runs the program with this on its standard input.
    pub async fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        Ran::of_with(self.command(arguments), input).await
    }
}

/// Fails the test unless a pool or a client has the same description as before, in the emulator's own JSON. Only its date of
/// change and its number of users may differ.
#[track_caller]
pub fn assert_same(before: &Value, after: &Value, when: &str) {
    let lasting = |document: &Value| {
        let mut document = document.clone();
        if let Some(members) = document.as_object_mut() {
            members.remove("LastModifiedDate");
            members.remove("EstimatedNumberOfUsers");
        }
        document
    };
    let (before, after) = (lasting(before), lasting(after));
    assert!(
        before == after,
        "{when}\nbefore: {before:#}\nafter: {after:#}"
    );
}

/// Sets the fields of `more` in `base`.
fn merge(base: &mut Value, more: Value) {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
}

/// One request on its own connection.
pub async fn http(
    endpoint: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, Vec<u8>) {
    let host = endpoint.strip_prefix("http://").expect("plain http");
    let mut stream = TcpStream::connect(host)
        .await
        .expect("the endpoint listens");
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a header");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    let mut body = answer.split_off(end + 4);
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        body = dechunked(&body);
    }
    (status, body)
}

fn dechunked(mut chunked: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = chunked.windows(2).position(|window| window == b"\r\n") {
        let length = std::str::from_utf8(&chunked[..end]).unwrap_or_default();
        let Ok(length @ 1..) = usize::from_str_radix(length.trim(), 16) else {
            break;
        };
        whole.extend_from_slice(&chunked[end + 2..end + 2 + length]);
        chunked = &chunked[end + 4 + length..];
    }
    whole
}
