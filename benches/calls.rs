//! Counts the sequential AWS calls of a run: all calls go through a proxy that adds a delay, and the number of sequential calls
//! follows from the times at two delays. Also measures many pools in parallel against one after another, and the same work by a
//! script of the AWS CLI and by cargo-lambda.
//!
//!     cargo bench --profile dev --bench calls [-- --pools 1,10,50,200]
//!
//! Many pools are planned, deployed and verified, and the time is compared with AWS's rates: for each rate, the calls that share
//! it divided by the rate; the longest of these counts. With `--delay 0` no delay is added, so that a run only waits for the
//! rates; with `--alone 0` the comparison with one after another is left out.
//!
//! With `--pools 0` only the calls of one pool are counted. With `--chain` each call is shown, those that start at the same time
//! on one line.
//!
//! Ratios of one run on one machine; the emulator answers on the same machine, so its own time is part of every figure.

#[path = "../tests/it/aws.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod aws;
#[expect(dead_code, reason = "the other benches use all of it")]
mod common;
#[path = "../tests/it/printed.rs"]
mod printed;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "the integration tests use all of it")]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{given, memory, say};
use jane_migrate_sandbox::Venv;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::json;
use support::{Corner, REGION, cache};
use tokio::process::Command;

/// The delay of each call for comparisons of time, in milliseconds.
const DELAY_MS: u64 = 100;

/// The two delays whose difference counts calls.
const COUNTING: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(900)];

/// The goals, in call times.
const GOALS: [(&str, f64); 5] = [
    ("deploy from nothing", 12.0),
    ("nothing to do", 3.0),
    ("other settings", 9.0),
    ("rollback", 3.0),
    ("teardown", 8.0),
];

/// Cognito's default rate of pool updates for an account and Region; this proxy rejects more, as Cognito does.
const UPDATES_A_SECOND: usize = 15;

/// The most time that a run of many pools may take, as a multiple of the rates' minimum.
const OVER_RATES: f64 = 1.2;

fn delay() -> Duration {
    let ms = given("--delay").map_or(DELAY_MS, |ms| ms.parse().expect("--delay takes a number"));
    Duration::from_millis(ms)
}

fn main() {
    let pools: Vec<usize> = given("--pools")
        .unwrap_or_else(|| "1,10,50".into())
        .split(',')
        .map(|count| count.parse().expect("--pools takes numbers"))
        .collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let zip = build().await;
        if given("--alone").is_some() {
            return many_pools(&zip, &pools).await;
        }
        count_calls(&zip).await;
        if pools == [0] {
            return;
        }
        many_pools(&zip, &pools).await;
        rivals(&zip).await;
    });
}

/// The handler, built once; its build time is not AWS's.
async fn build() -> PathBuf {
    let corner = Corner::new().await;
    let zip = cache().join("bench-handler.zip");
    let path = zip.to_str().expect("a path in UTF-8");
    corner.run(&["build", "--output", path]).await.ended(0);
    zip
}

async fn delayed(corner: &Corner, delay: Duration) -> Proxy {
    let updates: Mutex<VecDeque<Instant>> = Mutex::default();
    let chain = std::env::args().any(|argument| argument == "--chain");
    let last: Mutex<Option<Instant>> = Mutex::default();
    let decide = move |passing: &Passing| {
        if chain {
            let before = last.lock().expect("no panic").replace(Instant::now());
            let apart = before.is_none_or(|before| before.elapsed() > delay / 4);
            let separator = if apart { "\n    " } else { " " };
            let call = format!("{separator}{}", passing.action);
            let _ = std::io::Write::write_all(&mut std::io::stderr(), call.as_bytes());
        }
        match passing.action.as_str() {
            "UpdateUserPool" if !taken(&updates) => {
                Fate::Refuse(400, "TooManyRequestsException", "Rate exceeded")
            }
            _ => Fate::Delay(delay),
        }
    };
    Proxy::start(&corner.endpoint, decide)
        .await
        .expect("a proxy")
}

/// Whether Cognito would accept one more pool update in this second.
fn taken(updates: &Mutex<VecDeque<Instant>>) -> bool {
    let (mut updates, now) = (updates.lock().expect("no panic"), Instant::now());
    while updates
        .front()
        .is_some_and(|at| now - *at >= Duration::from_secs(1))
    {
        updates.pop_front();
    }
    let taken = updates.len() < UPDATES_A_SECOND;
    if taken {
        updates.push_back(now);
    }
    taken
}

/// A run of the program through a proxy.
struct Timed {
    took: Duration,
    calls: usize,
    throttled: usize,
    most_at_once: usize,
    peak_kb: u64,
    /// The minimum time by AWS's rates, and the decisive rate.
    least: (f64, &'static str),
}

/// The rate of a call at AWS, with the number a second from the pages of quotas, independent of the program's own pace.
fn rate(call: &Passing) -> Option<(&'static str, f64)> {
    Some(match (&*call.service, &*call.action) {
        ("lambda", "GetFunction" | "Invoke") => return None,
        ("lambda", "GetPolicy") => ("GetPolicy", 15.0),
        ("lambda", _) => ("Lambda control plane", 15.0),
        (_, "DescribeUserPool") => ("UserPoolRead", 15.0),
        (_, "UpdateUserPool") => ("UserPoolUpdate", 15.0),
        (_, "GetUserPoolMfaConfig") => ("UserPoolResourceRead", 20.0),
        (_, "ListUserPoolClients" | "DescribeUserPoolClient") => ("UserPoolClientRead", 15.0),
        (_, "UpdateUserPoolClient") => ("UserPoolClientUpdate", 15.0),
        (_, "CreateLogGroup") => ("CreateLogGroup", 10.0),
        (_, "DescribeLogGroups") => ("DescribeLogGroups", 10.0),
        (_, "PutRetentionPolicy") => ("PutRetentionPolicy", 10.0),
        (_, "FilterLogEvents") => ("FilterLogEvents", 5.0),
        _ => return None,
    })
}

fn least(passed: &[Passing]) -> (f64, &'static str) {
    let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, a_second) in passed.iter().filter_map(rate) {
        *seconds.entry(name).or_default() += 1.0 / a_second;
    }
    let each = seconds.into_iter().map(|(name, seconds)| (seconds, name));
    each.max_by(|one, other| one.0.total_cmp(&other.0))
        .unwrap_or((0.0, "no rate"))
}

async fn timed(corner: &Corner, delay: Duration, arguments: &[&str]) -> Timed {
    let proxy = delayed(corner, delay).await;
    let mut command = corner.command(arguments);
    command
        .env("AWS_ENDPOINT_URL", proxy.url())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let id = child.id().expect("it runs");
    let stderr = child.stderr.take();
    let mut peak_kb = 0;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.expect("it ends"),
            () = tokio::time::sleep(Duration::from_millis(20)) => peak_kb = peak_kb.max(memory(id)),
        }
    };
    let took = started.elapsed();
    if !status.success() {
        let mut text = String::new();
        if let Some(mut stderr) = stderr {
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut text).await;
        }
        panic!("{arguments:?} failed:\n{text}");
    }
    let passed = proxy.passed();
    let again = |call: &&Passing| call.action == "UpdateUserPool" && call.attempt > 1;
    Timed {
        took,
        calls: passed.len(),
        throttled: passed.iter().filter(again).count(),
        most_at_once: proxy.most_at_once(),
        peak_kb,
        least: least(&passed),
    }
}

async fn new_pools(corner: &Corner, count: usize) -> Vec<String> {
    let mut pools = Vec::new();
    for _ in 0..count {
        let pool = corner.create_pool(json!({})).await;
        corner.create_client(&pool, json!({})).await;
        pools.push(pool);
    }
    let tables: String = pools
        .iter()
        .map(|pool| format!("[[pool]]\nid = \"{pool}\"\n"))
        .collect();
    corner.configure(&tables);
    pools
}

async fn count_calls(zip: &Path) {
    let zip = zip.to_str().expect("a path in UTF-8");
    let steps: [(&str, &[&str]); 6] = [
        (
            "deploy from nothing",
            &["deploy", "--yes", "--artifact", zip],
        ),
        ("nothing to do", &["deploy", "--yes", "--artifact", zip]),
        ("other settings", &["deploy", "--yes", "--artifact", zip]),
        ("rollback", &["rollback", "--yes"]),
        ("verify", &["verify"]),
        ("teardown", &["teardown", "--yes", "--force"]),
    ];
    let mut times = [[Duration::ZERO; 6]; 2];
    let mut calls = [0; 6];
    for (delay, times) in COUNTING.into_iter().zip(&mut times) {
        let corner = Corner::new().await;
        let pool = new_pools(&corner, 1).await.remove(0);
        for ((n, (name, arguments)), time) in steps.iter().enumerate().zip(times) {
            if *name == "other settings" {
                let pool = format!("[[pool]]\nid = \"{pool}\"\n");
                corner.configure(&format!("[function]\nmemory_mb = 512\n{pool}"));
            }
            let run = timed(&corner, delay, arguments).await;
            *time = run.took;
            calls[n] = run.calls;
        }
    }
    say("One pool: AWS calls, and how many of them follow one another (call times)");
    for (n, (name, _)) in steps.iter().enumerate() {
        let longer = times[1][n].saturating_sub(times[0][n]);
        let call_times = longer.as_secs_f64() / (COUNTING[1] - COUNTING[0]).as_secs_f64();
        let goal = GOALS.iter().find(|(of, _)| of == name).map(|(_, goal)| {
            match call_times <= goal + 0.5 {
                true => format!("   goal {goal}: met"),
                false => format!("   goal {goal}: not met"),
            }
        });
        say(format_args!(
            "  {name:<20} {:>3} calls  {call_times:>5.1} call times{}",
            calls[n],
            goal.unwrap_or_default()
        ));
    }
}

async fn many_pools(zip: &Path, counts: &[usize]) {
    let zip = zip.to_str().expect("a path in UTF-8");
    let delay = delay();
    say(format_args!(
        "\nMany pools at once, {} ms added to each call",
        delay.as_millis()
    ));
    let deploy = ["deploy", "--yes", "--artifact", zip];
    let mut alone = Duration::ZERO;
    if given("--alone").is_none() {
        // One after another takes a multiple of one alone: measured with ten, in the same run.
        let corner = Corner::new().await;
        for pool in &new_pools(&corner, 10).await {
            let arguments = [&deploy[..], &["--pool", pool]].concat();
            alone += timed(&corner, delay, &arguments).await.took / 10;
        }
    }
    for count in counts {
        let corner = Corner::new().await;
        new_pools(&corner, *count).await;
        for arguments in [&["plan", "--artifact", zip][..], &deploy, &["verify"]] {
            let run = timed(&corner, delay, arguments).await;
            let took = run.took.as_secs_f64();
            let (least, of) = run.least;
            let over = took / least;
            let met = if over <= OVER_RATES { "met" } else { "not met" };
            say(format_args!(
                "  {count:>3} pools  {:<6}  {took:>6.1} s  {over:.2} of what the rates allow, {least:.1} s by {of} (goal {OVER_RATES}: {met})\n             {:>4} calls, {:>3} at once, {} throttled  peak {} MB{}",
                arguments[0],
                run.calls,
                run.most_at_once,
                run.throttled,
                run.peak_kb / 1024,
                match (arguments[0], alone.is_zero()) {
                    ("deploy", false) => format!(
                        "  {:.2} of one after another",
                        took / (alone.as_secs_f64() * *count as f64)
                    ),
                    _ => String::new(),
                },
            ));
        }
    }
}

/// The same work with other tools, with the same delay.
async fn rivals(zip: &Path) {
    say(format_args!(
        "\nOne pool with other tools, {} ms added to each call",
        DELAY_MS
    ));
    let corner = Corner::new().await;
    new_pools(&corner, 1).await;
    let zip_path = zip.to_str().expect("a path in UTF-8");
    let ours = timed(
        &corner,
        Duration::from_millis(DELAY_MS),
        &["deploy", "--yes", "--artifact", zip_path],
    )
    .await;
    let show = |name: &str, took: Duration, calls: usize, does: &str| {
        say(format_args!(
            "  {name:<16} {:>5.1} s ({:.2} of ours)  {calls:>2} calls  {does}",
            took.as_secs_f64(),
            took.as_secs_f64() / ours.took.as_secs_f64()
        ));
    };
    show(
        "jane-migrate",
        ours.took,
        ours.calls,
        "everything, and verifies it afterwards",
    );

    let corner = Corner::new().await;
    let pool = new_pools(&corner, 1).await.remove(0);
    let venv = venv("awscli", "awscli==1.46.2").await;
    let script = corner.folder.path().join("deploy.sh");
    std::fs::write(&script, CLI_SCRIPT).expect("the script");
    let proxy = delayed(&corner, Duration::from_millis(DELAY_MS)).await;
    let started = Instant::now();
    let mut command = Command::new("bash");
    command
        .arg(&script)
        .env("AWS", venv.parent().expect("a folder").join("aws"))
        .env("POOL", &pool)
        .env("ACCOUNT", &corner.account)
        .env("ZIP", zip);
    run(command, &corner, &proxy).await;
    show(
        "AWS CLI script",
        started.elapsed(),
        proxy.passed().len(),
        "role, log group, function, permission, trigger; resets the pool's other settings, verifies nothing",
    );

    let corner = Corner::new().await;
    let venv = self::venv("cargo-lambda", "cargo-lambda==1.9.2").await;
    let folder = corner.folder.path();
    let unzip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    let mut command = Command::new(&venv);
    command.args(["-c", unzip]).arg(zip).arg(folder);
    let proxy = delayed(&corner, Duration::from_millis(DELAY_MS)).await;
    run(command, &corner, &proxy).await;
    let manifest = "[package]\nname = \"bootstrap\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[[bin]]\nname = \"bootstrap\"\npath = \"main.rs\"\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest");
    std::fs::write(folder.join("main.rs"), "fn main() {}\n").expect("a program");
    // It fails with a role that Lambda does not accept yet, so it gets an existing one.
    let role = "import boto3, json, time\ntrust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}\nboto3.client('iam').create_role(RoleName='migration', AssumeRolePolicyDocument=json.dumps(trust))\ntime.sleep(2)";
    let boto = self::venv("boto3", "boto3==1.40.1").await;
    let mut command = Command::new(&boto);
    command.args(["-c", role]);
    run(command, &corner, &proxy).await;
    let role = format!("arn:aws:iam::{}:role/migration", corner.account);
    let before = proxy.passed().len();
    let started = Instant::now();
    let mut command = Command::new(venv.parent().expect("a folder").join("cargo-lambda"));
    command
        .args(["lambda", "deploy", "--endpoint-url", &proxy.url()])
        .args(["--region", REGION, "--iam-role", &role, "--binary-path"])
        .arg(folder.join("bootstrap"))
        .arg("migration");
    run(command, &corner, &proxy).await;
    show(
        "cargo lambda",
        started.elapsed(),
        proxy.passed().len() - before,
        "only the function, with an existing role; no log group, permission or trigger",
    );
}

async fn venv(name: &str, requirement: &str) -> PathBuf {
    Venv::install(&cache(), name, requirement, &|_| ())
        .await
        .expect("a virtual environment")
        .python()
}

async fn run(mut command: Command, corner: &Corner, proxy: &Proxy) {
    let output = command
        .current_dir(corner.folder.path())
        .env("AWS_ENDPOINT_URL", proxy.url())
        .env("AWS_ACCESS_KEY_ID", &corner.account)
        .env("AWS_SECRET_ACCESS_KEY", &corner.secret)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it starts");
    assert!(output.status.success(), "{output:#?}");
}

/// A typical handwritten script.
const CLI_SCRIPT: &str = r#"set -euo pipefail
name=migration
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
logs='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}'
pool=arn:aws:cognito-idp:$AWS_DEFAULT_REGION:$ACCOUNT:userpool/$POOL
"$AWS" logs create-log-group --log-group-name /aws/lambda/$name
"$AWS" logs put-retention-policy --log-group-name /aws/lambda/$name --retention-in-days 30
role=$("$AWS" iam create-role --role-name $name --assume-role-policy-document "$trust" --query Role.Arn --output text)
"$AWS" iam put-role-policy --role-name $name --policy-name logs --policy-document "$logs"
until function=$("$AWS" lambda create-function --function-name $name --runtime provided.al2023 --handler bootstrap --timeout 5 \
    --role "$role" --zip-file "fileb://$ZIP" --query FunctionArn --output text 2>/dev/null); do sleep 1; done
"$AWS" lambda wait function-active-v2 --function-name $name
"$AWS" lambda add-permission --function-name $name --statement-id cognito --action lambda:InvokeFunction \
    --principal cognito-idp.amazonaws.com --source-arn "$pool" >/dev/null
"$AWS" cognito-idp update-user-pool --user-pool-id "$POOL" --lambda-config "UserMigration=$function"
"#;
