//! The code that a function runs, as Lambda hands it out: by a URL that is good for ten minutes and for anybody who has it, and
//! therefore in no message. What the code is fetched for is the caller's affair.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::client::Reader;
use super::error;
use super::retry;
use jane_migrate_core::aws_error::{AwsError, Kind};

/// How long the storage may take to begin its answer, and to end it.
const PATIENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// How often it is asked: who waits for a deploy should not wait long for what only might be needed.
const ATTEMPTS: u32 = 3;

const ACTION: &str = "lambda:GetFunction";

fn failed(kind: Kind, code: &str, message: impl fmt::Display) -> AwsError {
    error::failed(ACTION, kind, code, message)
}

impl Reader {
    /// The zip with this `CodeSha256` that the function runs; one of more bytes than `limit` is refused.
    pub(crate) async fn running_code(
        &self,
        name: &str,
        code_sha256: &str,
        limit: usize,
    ) -> Result<Vec<u8>, AwsError> {
        let answer = self.get_function(name).await?;
        let url = answer
            .code
            .and_then(|code| code.location)
            .ok_or_else(|| failed(Kind::Refused, "no zip", "Lambda names no place to get it"))?;
        let mut pause = retry::FIRST_PAUSE;
        let mut left = ATTEMPTS;
        let zip = loop {
            left -= 1;
            match tokio::time::timeout(PATIENCE[1], fetched(&self.http, &url, limit))
                .await
                .unwrap_or_else(|_| Err(too_slow()))
            {
                // What took so long once will again.
                Err(error) if error.kind == Kind::NoAnswer && error.code != SLOW && left > 0 => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                fetched => break fetched?,
            }
        };
        match BASE64.encode(Sha256::digest(&zip)) == code_sha256 {
            true => Ok(zip),
            false => Err(failed(
                Kind::Refused,
                "other code",
                "what was handed out is not the code that was running",
            )),
        }
    }
}

const SLOW: &str = "timeout";

fn too_slow() -> AwsError {
    failed(
        Kind::NoAnswer,
        SLOW,
        "the storage of the code did not answer in time",
    )
}

/// One GET, without credentials: the URL has all of them in it.
async fn fetched(http: &SharedHttpConnector, url: &str, limit: usize) -> Result<Vec<u8>, AwsError> {
    let request = HttpRequest::get(url)
        .map_err(|_| failed(Kind::Refused, "no URL", "Lambda names no place to get it"))?;
    // The SDK's own way out: through a proxy, where one is set.
    let answer = tokio::time::timeout(PATIENCE[0], http.call(request))
        .await
        .map_err(|_| too_slow())?
        .map_err(|_| {
            failed(
                Kind::NoAnswer,
                "no answer",
                "the storage of the code could not be reached",
            )
        })?;
    let status = answer.status().as_u16();
    if status != 200 {
        let kind = match status {
            429 | 500.. => Kind::NoAnswer,
            _ => Kind::Refused,
        };
        return Err(failed(
            kind,
            &format!("HTTP {status}"),
            "the storage of the code refused",
        ));
    }
    let mut body = ByteStream::new(answer.into_body());
    let mut zip = Vec::new();
    let cut = |_| failed(Kind::NoAnswer, "unreadable answer", "it was cut off");
    while let Some(chunk) = body.try_next().await.map_err(cut)? {
        if zip.len() + chunk.len() > limit {
            return Err(failed(
                Kind::Refused,
                "too large",
                format!("it has more than the {limit} bytes of an upload"),
            ));
        }
        zip.extend_from_slice(&chunk);
    }
    Ok(zip)
}
