//! The compiled `bootstrap`, run as Lambda runs it: a process that requests invocations from a Runtime
//! API.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jane_migrate_config::{HandlerSettings, PoolFacts, SETTINGS_VARIABLE};
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

pub const POOL: &str = "us-east-1_AbC123456";

/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The function's response to an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Event(Value),
    Error { kind: String, message: String },
}

impl Answer {
    /// The event; fails if it is an error.
    pub fn event(self) -> Value {
        match self {
            Self::Event(event) => event,
            Self::Error { kind, message } => panic!("{kind}: {message}"),
        }
    }

    /// The error's type; fails if it is an event.
    pub fn error(self) -> String {
        match self {
            Self::Event(event) => panic!("no error: {event}"),
            Self::Error { kind, .. } => kind,
        }
    }
}

/// A running function.
pub struct Function {
    process: Child,
    events: Sender<Vec<u8>>,
    answers: Receiver<(Answer, Vec<u8>)>,
    lines: Receiver<String>,
    written: Arc<Mutex<Vec<u8>>>,
    /// The time from the start of the process until it requested work.
    pub init: Duration,
}

/// The settings for a `migrate.toml` and the pool of the tests.
pub fn settings(toml: &str) -> HandlerSettings {
    settings_for(
        toml,
        &PoolFacts {
            id: POOL.into(),
            ..PoolFacts::default()
        },
    )
}

pub fn settings_for(toml: &str, pool: &PoolFacts) -> HandlerSettings {
    let config =
        jane_migrate_config::parse(toml, "migrate.toml").unwrap_or_else(|error| panic!("{error}"));
    HandlerSettings::new(&config, pool)
}

impl Function {
    pub fn start(settings: &HandlerSettings, environment: &[(&str, &str)]) -> Self {
        Self::start_with(&settings.to_json(), environment)
    }

    pub fn start_with(settings: &str, environment: &[(&str, &str)]) -> Self {
        let (events, pending) = channel::<Vec<u8>>();
        let (answered, answers) = channel();
        let (ready, asked) = channel();
        let pending = Mutex::new(pending);
        let runtime_api = Server::start(move |request: &Request| {
            match request.path.rsplit('/').next().unwrap() {
                "next" => {
                    let _ = ready.send(Instant::now());
                    match pending.lock().unwrap().recv() {
                        Ok(event) => invocation(event),
                        // The test is over.
                        Err(_) => Reply::Hang,
                    }
                }
                "response" => {
                    let answer = Answer::Event(request.json());
                    let _ = answered.send((answer, request.body.clone()));
                    Reply::json(202, json!({ "status": "OK" }))
                }
                "error" => {
                    let text = |member: &str| {
                        request.json()[member]
                            .as_str()
                            .unwrap_or_default()
                            .to_owned()
                    };
                    let answer = Answer::Error {
                        kind: text("errorType"),
                        message: text("errorMessage"),
                    };
                    let _ = answered.send((answer, request.body.clone()));
                    Reply::json(202, json!({ "status": "OK" }))
                }
                other => panic!("the Runtime API has no {other}"),
            }
        });
        let started = Instant::now();
        let mut process = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "jane-migrate-test")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/jane-migrate-test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", "us-east-1")
            .env("RUST_LOG", "trace")
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .env(SETTINGS_VARIABLE, settings)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (line, lines) = channel();
        let (stdout, stderr) = (
            process.stdout.take().unwrap(),
            process.stderr.take().unwrap(),
        );
        let log = Arc::clone(&written);
        thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                log.lock().unwrap().extend(text.bytes().chain([b'\n']));
                let _ = line.send(text);
            }
        });
        let log = Arc::clone(&written);
        thread::spawn(move || {
            let mut stderr = stderr;
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                log.lock().unwrap().extend(&buffer[..read]);
            }
        });
        let init = asked
            .recv_timeout(PATIENCE)
            .expect("the function should ask for work")
            - started;
        Self {
            process,
            events,
            answers,
            lines,
            written,
            init,
        }
    }

    pub fn invoke(&self, event: &Value) -> Answer {
        self.invoke_raw(event.to_string().into_bytes()).0
    }

    /// Invokes with these bytes; returns the response also as bytes.
    pub fn invoke_raw(&self, event: Vec<u8>) -> (Answer, Vec<u8>) {
        self.events.send(event).unwrap();
        self.answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no answer; the function wrote: {}", self.output()))
    }

    /// The log line of the oldest invocation whose line was not read yet.
    pub fn record(&self) -> Value {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .expect("each invocation should write a line");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }

    /// Invokes, and returns the outcome with the response.
    pub fn outcome(&self, event: &Value) -> (String, Answer) {
        let answer = self.invoke(event);
        (
            self.record()["outcome"].as_str().unwrap().to_owned(),
            answer,
        )
    }

    /// All of its output so far, standard output and error.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn invocation(event: Vec<u8>) -> Reply {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(5);
    let header = |name: &str, value: String| (name.to_owned(), value);
    Reply::Answer(
        200,
        vec![
            header(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into(),
            ),
            header(
                "lambda-runtime-deadline-ms",
                deadline.as_millis().to_string(),
            ),
            header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:f".into(),
            ),
            header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into(),
            ),
        ],
        event,
    )
}

/// A sign-in as Cognito sends it, nulls included.
pub fn sign_in(user: &str, password: &str) -> Value {
    json!({
        "version": "1",
        "triggerSource": "UserMigration_Authentication",
        "region": "us-east-1",
        "userPoolId": POOL,
        "userName": user,
        "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789" },
        "request": { "password": password, "validationData": null, "userAttributes": null },
        "response": {
            "userAttributes": null,
            "forceAliasCreation": null,
            "enableSMSMFA": null,
            "finalUserStatus": null,
            "messageAction": null,
            "desiredDeliveryMediums": null
        }
    })
}

/// An event of the trigger pre sign-up or post confirmation as Cognito sends it.
pub fn account(source: &str, user: &str, attributes: Value) -> Value {
    let mut event = sign_in(user, "");
    event["triggerSource"] = source.into();
    event["request"] = json!({ "userAttributes": attributes });
    event["response"] = json!({});
    if source.starts_with("PreSignUp") {
        event["request"]["validationData"] = Value::Null;
        event["response"] =
            json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false });
    }
    event
}

/// A forgotten password as Cognito sends it.
pub fn forgot_password(user: &str) -> Value {
    let mut event = sign_in(user, "");
    event["triggerSource"] = "UserMigration_ForgotPassword".into();
    event["request"] = json!({ "clientMetadata": null, "userAttributes": null });
    event
}
