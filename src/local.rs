//! Runs the built handler on this machine for one event: starts `bootstrap` as Lambda does, and serves Lambda's Runtime API to it
//! on loopback. It does not evaluate the response.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use jane_migrate_core::probe::Invocation;
use jane_migrate_core::resources::{Environment, TRIGGER_TIMEOUT_S};

/// How long Lambda waits for a function's start, plus how long Cognito waits for its response.
const PATIENCE: Duration = Duration::from_secs(10 + TRIGGER_TIMEOUT_S as u64);

/// The response to the event: the body, and whether it is an error.
type Answer = (Bytes, bool);

/// Sends the event to the handler and waits for its response. The handler has only these environment variables.
pub async fn invoke(
    bootstrap: &[u8],
    name: &str,
    environment: &Environment,
    event: &Value,
) -> anyhow::Result<Invocation> {
    ensure!(
        cfg!(target_os = "linux"),
        "the handler is a program for Linux; without --local the deployed function is tried"
    );
    let folder = tempfile::tempdir().context("failed to make a folder for the handler")?;
    let program = folder.path().join("bootstrap");
    write_program(&program, bootstrap).context("failed to unpack the handler")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("failed to listen on loopback for the handler")?;
    let address = listener.local_addr()?.to_string();
    let (answer, answered) = oneshot::channel();
    let api = Arc::new(RuntimeApi {
        event: Mutex::new(Some(event.to_string())),
        answer: Mutex::new(Some(answer)),
    });
    let mut server = JoinSet::new();
    server.spawn(serve(listener, api));

    let started = Instant::now();
    let mut process = Command::new(&program)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "none")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "none")
        .envs(
            environment
                .iter()
                .map(|(name, value)| (name, value.expose())),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("failed to start the handler on this machine")?;
    let mut stdout = process.stdout.take().context("the handler has no output")?;
    let mut log = String::new();
    let (payload, failed) = tokio::select! {
        answer = answered => answer.context("the handler closed the connection without an answer")?,
        ended = process.wait() => bail!("the handler ended before it answered: {}", ended?),
        () = tokio::time::sleep(PATIENCE) => {
            bail!("the handler did not answer within {} s", PATIENCE.as_secs())
        }
    };
    let took = started.elapsed();
    process.kill().await.context("failed to stop the handler")?;
    stdout
        .read_to_string(&mut log)
        .await
        .context("failed to read the handler's output")?;
    Ok(Invocation {
        payload: serde_json::from_slice(&payload).unwrap_or_default(),
        error: failed.then(|| "Unhandled".to_owned()),
        took,
        log,
    })
}

fn write_program(path: &Path, program: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, program)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// The Runtime API of one event.
struct RuntimeApi {
    event: Mutex<Option<String>>,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

async fn serve(listener: TcpListener, api: Arc<RuntimeApi>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let api = Arc::clone(&api);
        connections.spawn(async move {
            let service = service_fn(|request| api.reply(request));
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

impl RuntimeApi {
    async fn reply(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let empty = |status: StatusCode| {
            let mut response = Response::new(Full::default());
            *response.status_mut() = status;
            response
        };
        match path.rsplit('/').next() {
            Some("next") => {
                let event = take(&self.event);
                match event {
                    Some(event) => Ok(invocation(event)
                        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))),
                    // There is no second event: Lambda would freeze the process here.
                    None => std::future::pending().await,
                }
            }
            Some(last @ ("response" | "error")) => {
                let failed = last == "error";
                let body = request.into_body().collect().await;
                let answer = take(&self.answer);
                if let (Ok(body), Some(answer)) = (body, answer) {
                    let _ = answer.send((body.to_bytes(), failed));
                }
                Ok(empty(StatusCode::ACCEPTED))
            }
            _ => Ok(empty(StatusCode::NOT_FOUND)),
        }
    }
}

fn take<T>(from: &Mutex<Option<T>>) -> Option<T> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn invocation(event: String) -> hyper::http::Result<Response<Full<Bytes>>> {
    let deadline = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        + Duration::from_secs(TRIGGER_TIMEOUT_S.into());
    Response::builder()
        .header("content-type", "application/json")
        .header(
            "lambda-runtime-aws-request-id",
            "00000000-0000-4000-8000-000000000000",
        )
        .header(
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        )
        .header("lambda-runtime-invoked-function-arn", "local")
        .header("lambda-runtime-trace-id", "Root=0")
        .body(Full::from(event))
}
