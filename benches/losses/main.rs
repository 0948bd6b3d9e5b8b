//! Compares jane-migrate with other tools and scripts that set a migration trigger. Each deploys a function to the sandbox's demo, whose
//! pool has settings of many kinds, is run a second time without a change, and removes everything. Prints the AWS calls and the time of
//! each step, the settings of the pool and its clients that changed besides the trigger, and the resources left in the account.
//!
//!     cargo bench --profile dev --bench losses [-- NAME...]
//!
//! Times are of one run on one machine with `DELAY` added to each AWS call, so read them as ratios. Calls that the emulator's
//! CloudFormation and the tools' own functions make are neither delayed nor counted.

#[path = "../../tests/it/aws.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod aws;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other benches use all of it")]
mod common;
mod peers;
#[path = "../../tests/it/printed.rs"]
mod printed;
mod report;
#[path = "../../tests/it/support.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::say;
use jane_migrate_sandbox::{Demo, Options, Sandbox, Venv};
use jane_migrate_test_kit::{Fate, Proxy};
use peers::{LEFT, Needs, PEERS, PRELUDE, Peer};
use report::{Row, Step, table};
use serde_json::{Value, json};
use support::{Corner, REGION, aws_cli, cache, npm};

/// Added to each AWS call.
const DELAY: Duration = Duration::from_millis(100);

/// A step that takes longer is ended.
const LIMIT_S: u32 = 180;

/// The package with which MiniStack supports SAM's templates.
const SAM_TRANSLATOR: &str = "aws-sam-translator==1.115.0";

/// Modules of Lambda's Node runtime that the functions of CDK and Serverless use.
const SDKS: [&str; 2] = [
    "@aws-sdk/client-cognito-identity-provider@3.1169.0",
    "@aws-sdk/client-lambda@3.1164.0",
];

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    // The emulator's functions run in folders below this one, and Node also searches it for modules.
    tempfile::env::override_temp_dir(folder.path()).expect("no temporary folder exists yet");
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let chosen: Vec<&String> = chosen.iter().filter(|one| !one.starts_with('-')).collect();
    let peers = PEERS
        .iter()
        .filter(|peer| chosen.is_empty() || chosen.iter().any(|one| peer.name.contains(*one)));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = options().await;
        let mut rows = Vec::new();
        for peer in peers {
            let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
            modules_of_functions(folder.path(), &sandbox);
            rows.push(measure(&sandbox, peer).await);
            say(rows.last().expect("a row").details());
            sandbox.stop().await.expect("it ends");
        }
        say(table(&rows));
    });
}

/// A separate emulator for the benchmark, with the package that SAM needs.
async fn options() -> Options {
    let cache = cache().join("losses");
    let options = Options::new(cache.clone());
    let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
    sandbox.stop().await.expect("it ends");
    let mut entries = std::fs::read_dir(cache).expect("a folder").flatten();
    let venv = entries.find(|entry| entry.path().join("bin/python").exists());
    let venv = venv.expect("MiniStack's environment").path();
    let mut pip = tokio::process::Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", SAM_TRANSLATOR])
        .arg(
            venv.file_name()
                .expect("a name")
                .to_string_lossy()
                .replacen('-', "==", 1),
        );
    assert!(pip.status().await.expect("pip starts").success());
    options
}

/// Writes the modules of Lambda's Node runtime. Custom resources send their responses to AWS over TLS; these modules send them to the
/// sandbox, with its key.
fn modules_of_functions(folder: &Path, sandbox: &Sandbox) {
    let answer = r#"const { request } = require('http');
require('https').request = (options, answered) => {
  const { host, hostname, port } = new URL(process.env.AWS_ENDPOINT_URL);
  const headers = { ...options.headers, host, 'x-sandbox-key': 'KEY' };
  return request({ ...options, protocol: 'http:', agent: undefined, hostname, port, headers }, answered);
};
"#;
    let answer = answer.replace("KEY", sandbox.secret_key());
    let installed = npm("lambda-sdks", &SDKS).join("node_modules");
    let modules = folder.join("node_modules");
    std::fs::create_dir_all(modules.join("@aws-sdk")).expect("a folder");
    std::fs::write(modules.join("answer.js"), answer).expect("a module");
    for sdk in SDKS {
        let name = sdk.rsplit_once('@').expect("a version").0;
        let text = format!(
            "require('../answer.js'); module.exports = require({:?});\n",
            installed.join(name)
        );
        std::fs::write(modules.join(format!("{name}.js")), text).expect("a module");
    }
}

async fn measure(sandbox: &Sandbox, peer: &'static Peer) -> Row {
    let demo = sandbox.seed().await.expect("the demo");
    let mut corner = Corner::of(sandbox).await;
    corner.account = sandbox.account_id().to_owned();
    corner.add_accounts();
    for client in [&demo.web_client, &demo.mobile_client] {
        corner.jane.register_client(client, &demo.pool_id, REGION);
    }
    let installed = Installed::of(peer, &corner).await;
    for (name, text) in peer.files {
        let file = corner.folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    let before = settings(&corner, &demo).await;
    let first = installed.step(&corner, &demo, peer.deploy).await;
    let changed = changed(&before, &settings(&corner, &demo).await);
    let signs_in = signs_in(&corner, &demo).await;
    let again = installed.step(&corner, &demo, peer.deploy).await;
    let removal = installed.step(&corner, &demo, peer.remove).await;
    let after = settings(&corner, &demo).await;
    Row {
        name: peer.name,
        steps: [first, again, removal],
        settings: before.len(),
        signs_in,
        changed,
        changed_for_good: self::changed(&before, &after),
        trigger_left: after.contains_key(TRIGGER),
        left: installed.left(&corner, &demo).await,
    }
}

/// A tool or script that is installed.
struct Installed {
    path: String,
    modules: PathBuf,
    /// The handler for jane-migrate, built beforehand like the handlers of its releases.
    zip: PathBuf,
}

impl Installed {
    async fn of(peer: &Peer, corner: &Corner) -> Self {
        let mut folders = vec![bin(&aws_cli().await)];
        let mut modules = PathBuf::new();
        match peer.needs {
            Needs::Nothing => {}
            Needs::PyPi(package) => {
                let name = package.replace("==", "-");
                let venv = Venv::install(&cache(), &name, package, &|_| ()).await;
                folders.push(bin(&venv.expect("it installs")));
            }
            Needs::Npm(packages) => {
                modules = npm(&packages[0].replace('@', "-"), packages).join("node_modules");
                folders.push(modules.join(".bin"));
            }
        }
        let program = Path::new(env!("CARGO_BIN_EXE_jane-migrate")).parent();
        folders.push(program.expect("a folder").to_owned());
        folders.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let zip = cache().join("bench-handler.zip");
        if peer.deploy.contains("$ZIP") {
            let output = zip.to_str().expect("a path in UTF-8");
            corner.run(&["build", "--output", output]).await.ended(0);
        }
        let path = std::env::join_paths(folders).expect("folders");
        Self {
            path: path.into_string().expect("a path in UTF-8"),
            modules,
            zip,
        }
    }

    /// Runs commands of the tool in its folder.
    async fn bash(&self, corner: &Corner, demo: &Demo, endpoint: &str, text: &str) -> support::Ran {
        let folder = corner.folder.path();
        // Some tools keep a cache in the home folder, under the same name as their folder in a project.
        let home = folder.join("home");
        std::fs::create_dir_all(&home).expect("a folder");
        std::fs::write(folder.join("step.sh"), format!("{PRELUDE}{text}\n")).expect("a script");
        // `timeout` ends the whole process group, so that no process of a step that took too long continues.
        let line =
            format!("exec timeout --kill-after 5 {LIMIT_S} bash -euo pipefail step.sh 2>log");
        let account = &corner.account;
        let pool = format!(
            "arn:aws:cognito-idp:{REGION}:{account}:userpool/{}",
            demo.pool_id
        );
        let function = format!("arn:aws:lambda:{REGION}:{account}:function:migration");
        let mut command = corner.shell(&line);
        command
            .env("PATH", &self.path)
            .env("HOME", home)
            .env("NODE_PATH", &self.modules)
            .env("ZIP", &self.zip)
            .env("ACCOUNT", account)
            .env("POOL", &demo.pool_id)
            .env("POOL_ARN", pool)
            .env("POOL_NAME", "Jane Roots")
            .env("CLIENT", &demo.mobile_client)
            .env("FUNCTION", function)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_PAGER", "")
            .env("CI", "1")
            // No telemetry is sent.
            .env("SAM_CLI_TELEMETRY", "0")
            .env("SLS_TELEMETRY_DISABLED", "1")
            .env("SLS_NOTIFICATIONS_MODE", "off")
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .env("CDK_DISABLE_VERSION_CHECK", "1")
            .env("npm_config_offline", "true");
        let output = command.output().await.expect("bash starts");
        support::Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: std::fs::read_to_string(folder.join("log")).unwrap_or_default(),
        }
    }

    async fn step(&self, corner: &Corner, demo: &Demo, text: &str) -> Step {
        let proxy = Proxy::start(&corner.endpoint, |_| Fate::Delay(DELAY)).await;
        let proxy = proxy.expect("a proxy");
        let started = Instant::now();
        let ran = self.bash(corner, demo, &proxy.url(), text).await;
        Step {
            took: started.elapsed().as_secs_f64(),
            calls: proxy.passed().len(),
            failed: match ran.code {
                0 => None,
                124 | 137 => Some(format!("did not end in {LIMIT_S} s")),
                code => {
                    let printed = format!("{}\n{}", ran.stdout, ran.stderr);
                    let lines = printed.lines().map(str::trim);
                    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("at "));
                    let lines: Vec<&str> = lines.collect();
                    let last = &lines[lines.len().saturating_sub(6)..];
                    Some(format!("fails ({code}):\n      {}", last.join("\n      ")))
                }
            },
        }
    }

    async fn left(&self, corner: &Corner, demo: &Demo) -> BTreeMap<String, Vec<String>> {
        let ran = self
            .bash(corner, demo, &corner.endpoint, LEFT)
            .await
            .ended(0);
        let mut left: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in ran.stdout.lines() {
            let (kind, name) = line.split_once('\t').expect("a kind and a name");
            left.entry(kind.to_owned())
                .or_default()
                .push(name.to_owned());
        }
        left
    }
}

fn bin(venv: &Venv) -> PathBuf {
    venv.python().parent().expect("a folder").to_owned()
}

/// Whether a user of the directory can sign in with the client that needed the password flow. The function writes its log, as on AWS.
async fn signs_in(corner: &Corner, demo: &Demo) -> bool {
    let user = json!({ "USERNAME": "ada@example.com", "PASSWORD": "Right-Pass-1" });
    let body = json!({ "ClientId": demo.mobile_client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": user });
    corner.try_cognito("InitiateAuth", body).await.0 == 200
}

const TRIGGER: &str = "pool/LambdaConfig/UserMigration";

/// The settings of the pool and its clients by their paths; a list is one setting.
async fn settings(corner: &Corner, demo: &Demo) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    leaves("pool", &corner.pool(&demo.pool_id).await, &mut found);
    for (name, client) in [("web", &demo.web_client), ("mobile", &demo.mobile_client)] {
        leaves(
            name,
            &corner.client(&demo.pool_id, client).await,
            &mut found,
        );
    }
    found.retain(|key, _| {
        !key.ends_with("/LastModifiedDate") && !key.ends_with("/EstimatedNumberOfUsers")
    });
    found
}

fn leaves(way: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                leaves(&format!("{way}/{name}"), value, found);
            }
        }
        value => {
            found.insert(way.to_owned(), value.clone());
        }
    }
}

/// The settings that differ, except the trigger.
fn changed(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)))
        .filter(|key| before.get(*key) != after.get(*key) && *key != TRIGGER)
        .cloned()
        .collect()
}
