//! What a customer waits for: the handler, built as it is deployed, beside the same work as a Node and a Python function
//! and beside a floor in C, all on the same Runtime API and the same stand-in for Jane, one after the other in turns.
//!
//! `cargo bench -p jane-migrate-handler --bench peers` (needs cc, node and python3)

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/server.rs"]
mod server;

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use self::server::{Reply, Request, Server};

/// Processes started of each peer.
const ROUNDS: usize = 12;

/// Sign-ins of each process, after the first.
const WARM: usize = 200;

/// The same where the directory takes its time.
const WARM_SLOW: usize = 20;

fn main() {
    // `cargo test --all-targets` runs benchmarks as if they were tests.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let tools = Tools::build();
    let mut report = std::io::stdout().lock();
    for delay in [0, 40] {
        let lines = measure(&tools, Duration::from_millis(delay));
        let _ = writeln!(
            report,
            "\n{delay} ms added to each answer of the directory\n"
        );
        let _ = writeln!(
            report,
            "| | init ms | init CPU ms | first ms | warm p50 ms | warm p99 ms | RSS MiB | requests |"
        );
        let _ = writeln!(report, "|---|---|---|---|---|---|---|---|");
        for line in lines {
            let _ = writeln!(report, "{line}");
        }
    }
    let size = fs::metadata(&tools.handler).map_or(0, |file| file.len());
    let _ = writeln!(
        report,
        "\nbootstrap: {size} bytes, {} compressed",
        compressed(&tools.handler)
    );
}

/// What is measured.
struct Tools {
    handler: PathBuf,
    floor: PathBuf,
}

impl Tools {
    /// Builds the handler by the route of a deployment, from a copy with the bundle's manifest, and the floor.
    fn build() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().unwrap();
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle");
        let _ = fs::remove_dir_all(copy.join("handler"));
        let _ = fs::remove_dir_all(copy.join("config"));
        fs::create_dir_all(&copy).unwrap();
        run(Command::new("cp")
            .arg("-r")
            .args([here, &root.join("config")])
            .arg(&copy));
        fs::copy(here.join("bundle.toml"), copy.join("Cargo.toml")).unwrap();
        fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock")).unwrap();
        let target = "x86_64-unknown-linux-musl";
        run(Command::new(env!("CARGO"))
            .current_dir(&copy)
            .env("CC_x86_64_unknown_linux_musl", "cc")
            .env("CARGO_TARGET_DIR", copy.join("target"))
            .args([
                "build",
                "--release",
                "--quiet",
                "-p",
                "jane-migrate-handler",
                "--no-default-features",
            ])
            .args(["--features", "jane", "--target", target]));
        let floor = copy.join("floor");
        run(Command::new("cc")
            .args(["-O2", "-static", "-o"])
            .arg(&floor)
            .arg(here.join("benches/peers/floor.c")));
        Self {
            handler: copy.join("target").join(target).join("release/bootstrap"),
            floor,
        }
    }

    fn peers(&self) -> [(&'static str, Vec<PathBuf>); 4] {
        let script = |name| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("benches/peers")
                .join(name)
        };
        [
            ("floor: C, no TLS, two requests", vec![self.floor.clone()]),
            ("this handler", vec![self.handler.clone()]),
            (
                "Node, three requests",
                vec!["node".into(), script("peer.mjs")],
            ),
            (
                "Python, three requests",
                vec!["python3".into(), script("peer.py")],
            ),
        ]
    }
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}");
}

fn compressed(file: &Path) -> usize {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(file).output();
    output.map_or(0, |output| output.stdout.len())
}

#[derive(Default)]
struct Samples {
    init: Vec<f64>,
    cpu: Vec<f64>,
    first: Vec<f64>,
    warm: Vec<f64>,
    memory: Vec<f64>,
    requests: Vec<f64>,
}

fn measure(tools: &Tools, delay: Duration) -> Vec<String> {
    let pause = Arc::new(AtomicU64::new(0));
    let directory = |tls: bool| {
        let pause = Arc::clone(&pause);
        let answer = move |request: &Request| {
            thread::sleep(Duration::from_millis(pause.load(Ordering::SeqCst)));
            jane(request)
        };
        if tls {
            Server::start_tls(answer)
        } else {
            Server::start(answer)
        }
    };
    let (secure, plain) = (directory(true), directory(false));
    pause.store(delay.as_millis() as u64, Ordering::SeqCst);
    let count = if delay.is_zero() { WARM } else { WARM_SLOW };
    let peers = tools.peers();
    let mut samples: Vec<_> = peers.iter().map(|_| Samples::default()).collect();
    for _ in 0..ROUNDS {
        for ((name, command), samples) in peers.iter().zip(&mut samples) {
            let directory = if name.starts_with("floor") {
                &plain
            } else {
                &secure
            };
            let process = Process::start(command, directory);
            samples.init.push(process.init.as_secs_f64() * 1000.0);
            samples.cpu.push(process.cpu_ms());
            samples.first.push(process.sign_in());
            directory.forget();
            samples.warm.extend((0..count).map(|_| process.sign_in()));
            samples
                .requests
                .push(directory.requests().len() as f64 / count as f64);
            samples.memory.push(process.memory_mib());
        }
    }
    let lines = peers.iter().zip(samples).map(|((name, _), mut samples)| {
        format!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.3} | {:.3} | {:.1} | {:.0} |",
            percentile(&mut samples.init, 50),
            percentile(&mut samples.cpu, 50),
            percentile(&mut samples.first, 50),
            percentile(&mut samples.warm, 50),
            percentile(&mut samples.warm, 99),
            percentile(&mut samples.memory, 50),
            percentile(&mut samples.requests, 50),
        )
    });
    lines.collect()
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

fn jane(request: &Request) -> Reply {
    match request.path.rsplit('/').next().unwrap_or_default() {
        "token" => Reply::json(
            200,
            json!({ "access_token": "token", "token_type": "Bearer", "expires_in": 7200 }),
        ),
        "verify_credentials" => Reply::json(
            200,
            json!({ "user": { "first_name": "Ann", "phone": "1112224444" } }),
        ),
        _ => Reply::json(200, json!({})),
    }
}

/// A function that is running.
struct Process {
    child: Child,
    events: Sender<Instant>,
    answers: Receiver<Duration>,
    init: Duration,
}

impl Process {
    fn start(command: &[PathBuf], directory: &Server) -> Self {
        let (events, pending) = channel::<Instant>();
        let (answered, answers) = channel();
        let (ready, asked) = channel();
        let (pending, asked_at) = (Mutex::new(pending), Mutex::new(Instant::now()));
        let runtime = Server::start(move |request| match request.path.rsplit('/').next() {
            Some("next") => {
                let _ = ready.send(Instant::now());
                match pending.lock().unwrap().recv() {
                    Ok(at) => {
                        *asked_at.lock().unwrap() = at;
                        invocation()
                    }
                    Err(_) => Reply::Hang,
                }
            }
            Some("response") => {
                let _ = answered.send(asked_at.lock().unwrap().elapsed());
                Reply::json(202, json!({}))
            }
            _ => panic!("the function failed: {}", request.json()),
        });
        let certificate = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authority.pem");
        let pem = directory.certificate.clone().unwrap_or_default();
        fs::write(&certificate, &pem).unwrap();
        let settings = json!({
            "pool": POOL,
            "directory": { "jane": {
                "url": directory.url(), "client_id": "operator", "client_secret": { "env": "SECRET" },
                "timeout_ms": 3500, "ca_certificate": pem,
            } },
            "attributes": { "email": "{username}", "email_verified": "=true", "given_name": "first_name" },
        });
        let started = Instant::now();
        let child = Command::new(&command[0])
            .args(&command[1..])
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("DIRECTORY_URL", directory.url())
            .env("NODE_EXTRA_CA_CERTS", &certificate)
            .env("SSL_CERT_FILE", &certificate)
            .env("SECRET", "secret")
            .env("JANE_MIGRATE_SETTINGS", settings.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let init = asked
            .recv_timeout(Duration::from_secs(20))
            .expect("the function should ask for work")
            - started;
        Self {
            child,
            events,
            answers,
            init,
        }
    }

    /// Milliseconds from the event to its answer.
    fn sign_in(&self) -> f64 {
        self.events.send(Instant::now()).unwrap();
        self.answers
            .recv_timeout(Duration::from_secs(20))
            .expect("an answer")
            .as_secs_f64()
            * 1000.0
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// The processor time of all threads.
    fn cpu_ms(&self) -> f64 {
        let tasks = fs::read_dir(self.file("task")).unwrap().flatten();
        let spent = tasks.filter_map(|task| {
            let line = fs::read_to_string(task.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse::<f64>().ok()
        });
        spent.sum::<f64>() / 1e6
    }

    fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(self.file("status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const POOL: &str = "us-east-1_AbC123456";

fn invocation() -> Reply {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(5);
    let event: Value = json!({
        "version": "1", "triggerSource": "UserMigration_Authentication", "region": "us-east-1", "userPoolId": POOL,
        "userName": "ann@example.com", "callerContext": { "clientId": "1example23456789" },
        "request": { "password": "password", "validationData": null, "userAttributes": null },
        "response": { "userAttributes": null, "finalUserStatus": null, "messageAction": null }
    });
    let header = |name: &str, value: String| (name.to_owned(), value);
    let headers = vec![
        header("lambda-runtime-aws-request-id", "1".into()),
        header(
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f".into(),
        ),
    ];
    Reply::Answer(200, headers, event.to_string().into_bytes())
}
