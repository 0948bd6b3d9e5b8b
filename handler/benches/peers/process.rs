//! Runs a program as Lambda runs a function: a process that requests invocations from a Runtime API.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    database::DATABASE_PASSWORD,
    server::{Reply, Server},
    tools::Program,
};

/// A function that is running.
pub struct Process {
    name: String,
    child: Child,
    events: Sender<(Instant, Event)>,
    answers: Receiver<(Duration, bool)>,
    pub init: Duration,
}

impl Process {
    /// Starts the program with its own Runtime API and waits until it requests work.
    pub fn start(program: &Program, kind: Kind, directory: &Server) -> Self {
        let pem = directory.certificate.clone().unwrap_or_default();
        let settings = kind.directory(directory, &pem);
        Self::with(program, settings, &pem, &directory.url(), kind.requests())
    }

    /// The same with a directory of any kind.
    pub fn with(program: &Program, directory: Value, pem: &str, url: &str, requests: u32) -> Self {
        let (events, pending) = channel::<(Instant, Event)>();
        let (answered, answers) = channel();
        let (ready, asked) = channel();
        let (pending, asked_at) = (Mutex::new(pending), Mutex::new(Instant::now()));
        let runtime = Server::start(move |request| match request.path.rsplit('/').next() {
            Some("next") => {
                let _ = ready.send(Instant::now());
                match pending.lock().unwrap().recv() {
                    Ok((at, event)) => {
                        *asked_at.lock().unwrap() = at;
                        invocation(event)
                    }
                    Err(_) => Reply::Hang,
                }
            }
            Some("response") => {
                let took = asked_at.lock().unwrap().elapsed();
                let response = &request.json()["response"];
                let good = response["finalUserStatus"] == "CONFIRMED"
                    || response["autoConfirmUser"] == false;
                let _ = answered.send((took, good));
                Reply::json(202, json!({}))
            }
            _ => panic!("the function failed: {}", request.json()),
        });
        let certificate = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authority.pem");
        fs::write(&certificate, pem).unwrap();
        let settings = json!({
            "pool": POOL,
            "directory": directory,
            "triggers": { "pre_sign_up": true },
            "attributes": { "email": "{username}", "email_verified": "=true", "given_name": "first_name" },
        });
        let command = &program.0;
        let started = Instant::now();
        let child = Command::new(&command[0])
            .args(&command[1..])
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("DIRECTORY_URL", url)
            .env("REQUESTS", requests.to_string())
            .env("LAMBDA_TASK_ROOT", SCRIPTS)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EXECUTION_ENV", "bench")
            .current_dir(SCRIPTS)
            .env("NODE_EXTRA_CA_CERTS", &certificate)
            .env("SSL_CERT_FILE", &certificate)
            .env("SECRET", "secret")
            .env("DATABASE_PASSWORD", DATABASE_PASSWORD)
            .env("JANE_MIGRATE_SETTINGS", settings.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let init = asked
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("{program} does not ask for work"))
            - started;
        Self {
            name: program.to_string(),
            child,
            events,
            answers,
            init,
        }
    }

    /// Milliseconds from the event of a sign-in to its response.
    pub fn sign_in(&self) -> f64 {
        self.answer(Event::SignIn)
    }

    /// The same for the event before a migrated user is created.
    pub fn connect(&self) -> f64 {
        self.answer(Event::Connect)
    }

    fn answer(&self, event: Event) -> f64 {
        self.events.send((Instant::now(), event)).unwrap();
        let (took, good) = self
            .answers
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("no answer from {}", self.name));
        // The C program returns the event unchanged.
        assert!(
            good || self.name.contains("/floor\""),
            "{} answered something else",
            self.name
        );
        took.as_secs_f64() * 1000.0
    }

    /// Limits the process to the share of a processor that Lambda gives with 128 MB, if this machine allows it.
    pub fn limit(&self) -> Option<Limit> {
        let limit = Limit::new(self.child.id())?;
        fs::write(limit.0.join("cgroup.procs"), self.child.id().to_string()).ok()?;
        Some(limit)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// The processor time of all threads.
    pub fn cpu_ms(&self) -> f64 {
        let tasks = fs::read_dir(self.file("task")).unwrap().flatten();
        let spent = tasks.filter_map(|task| {
            let line = fs::read_to_string(task.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse::<f64>().ok()
        });
        spent.sum::<f64>() / 1e6
    }

    pub fn memory_mib(&self) -> f64 {
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

/// A control group with 7 % of a processor, in slices like Lambda's.
pub struct Limit(PathBuf);

impl Limit {
    fn new(name: u32) -> Option<Self> {
        let name = format!("jane-migrate-bench-{name}");
        let root = Path::new("/sys/fs/cgroup");
        let second = root.join("cgroup.controllers").exists();
        let limit = Self(match second {
            true => root.join(name),
            false => root.join("cpu").join(name),
        });
        fs::create_dir(&limit.0).ok()?;
        let set = |file: &str, value: &str| fs::write(limit.0.join(file), value);
        match second {
            true => set("cpu.max", "1400 20000"),
            false => {
                set("cpu.cfs_period_us", "20000").and_then(|()| set("cpu.cfs_quota_us", "1400"))
            }
        }
        .ok()?;
        Some(limit)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // Possible after the process has ended.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The handler's directory, which decides how many requests it makes.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Jane,
    Http,
}

impl Kind {
    /// Requests of a warm sign-in.
    pub fn requests(self) -> u32 {
        match self {
            Self::Jane => 2,
            Self::Http => 1,
        }
    }

    fn directory(self, server: &Server, pem: &str) -> Value {
        let certificate = (!pem.is_empty()).then_some(pem);
        match self {
            Self::Jane => json!({ "jane": {
                "url": server.url(), "client_id": "operator", "client_secret": { "env": "SECRET" },
                "timeout_ms": 3500, "ca_certificate": certificate,
            } }),
            Self::Http => json!({ "http": {
                "authenticate": {
                    "method": "POST", "url": format!("{}/verify_credentials", server.url()),
                    "json": { "email": "{username}", "password": "{password}" },
                    "answers": { "ok": [200] }, "user": "/user",
                },
                "timeout_ms": 3500, "ca_certificate": certificate,
            } }),
        }
    }
}

/// Why Cognito calls.
#[derive(Clone, Copy)]
enum Event {
    SignIn,
    Connect,
}

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

const POOL: &str = "us-east-1_AbC123456";

fn invocation(event: Event) -> Reply {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(5);
    let event: Value = match event {
        Event::SignIn => json!({
            "version": "1", "triggerSource": "UserMigration_Authentication", "region": "us-east-1", "userPoolId": POOL,
            "userName": "ann@example.com", "callerContext": { "clientId": "1example23456789" },
            "request": { "password": "password", "validationData": null, "userAttributes": null },
            "response": { "userAttributes": null, "finalUserStatus": null, "messageAction": null }
        }),
        Event::Connect => json!({
            "version": "1", "triggerSource": "PreSignUp_AdminCreateUser", "region": "us-east-1", "userPoolId": POOL,
            "userName": "5a3f2c1e-0000-4000-8000-000000000001", "callerContext": { "clientId": "1example23456789" },
            "request": { "userAttributes": { "email": "ann@example.com", "given_name": "Ann" }, "validationData": null },
            "response": { "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false }
        }),
    };
    let header = |name: &str, value: String| (name.to_owned(), value);
    let headers = vec![
        header("lambda-runtime-aws-request-id", "1".into()),
        header(
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        // AWS's client for Node waits forever without this one and the next.
        header("content-type", "application/json".into()),
        header(
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into(),
        ),
        header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f".into(),
        ),
    ];
    Reply::Answer(200, headers, event.to_string().into_bytes())
}
