//! Invokes the function, which reads and changes nothing in AWS. Used by `probe` and `try`.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::client::Reader;
use super::error::During;
use super::known::{know, without_secrets};
use crate::host::{Instant, sleep};
use jane_migrate_core::aws_error::{AwsError, Kind};
use jane_migrate_core::probe::Invocation;

/// How long an inactive function may take to start; in a VPC up to a minute.
const WAKING: Duration = Duration::from_secs(90);

/// Invokes functions.
#[derive(Debug)]
pub(crate) struct Invoker(Reader);

impl Invoker {
    /// Makes calls with the connection of this reader.
    pub(crate) fn new(reader: &Reader) -> Self {
        Self(reader.clone())
    }

    /// Invokes the function and waits for the response and the last 4 KB of its log.
    pub(crate) async fn invoke(&self, name: &str, event: &Value) -> Result<Invocation, AwsError> {
        know(event["request"]["password"].as_str().unwrap_or_default());
        let first = Instant::now();
        let (started, answer) = loop {
            let started = Instant::now();
            let answer = self
                .0
                .lambda
                .invoke()
                .function_name(name)
                .log_type(LogType::Tail)
                .payload(Blob::new(event.to_string()))
                .send()
                .await
                .during("lambda:InvokeFunction");
            match answer {
                // A function without calls for weeks is inactive: Lambda rejects the first call and activates it for the
                // next.
                Err(error) if error.kind == Kind::Busy && first.elapsed() < WAKING => {
                    sleep(Duration::from_millis(500)).await;
                    self.0.settled(name, WAKING).await?;
                }
                answer => break (started, answer?),
            }
        };
        let payload = answer.payload.unwrap_or_else(|| Blob::new([]));
        let payload = match answer.function_error {
            None => serde_json::from_slice(payload.as_ref()),
            // The error that the function threw, which may quote the event.
            Some(_) => {
                let thrown = String::from_utf8_lossy(payload.as_ref());
                serde_json::from_str(&without_secrets(&thrown))
            }
        };
        Ok(Invocation {
            payload: payload.unwrap_or_default(),
            error: answer.function_error,
            took: started.elapsed(),
            log: answer
                .log_result
                .and_then(|log| BASE64.decode(log).ok())
                .map(|log| String::from_utf8_lossy(&log).into_owned())
                .unwrap_or_default(),
        })
    }
}
