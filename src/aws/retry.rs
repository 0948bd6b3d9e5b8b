//! What is tried again, and how often. The SDK's own rules, and two more: an answer that was cut off is as good as none, and a
//! certificate that is not trusted stays so.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use super::error::causes;
use crate::environment;

/// What rustls says of a certificate that it does not accept.
const UNTRUSTED: &str = "invalid peer certificate";

/// How long is waited before a call is made again, the first time.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How often a call is made at most: `AWS_MAX_ATTEMPTS`, as every AWS tool reads it, or enough to sit out a quarter of a minute of throttling.
pub(crate) fn attempts() -> u32 {
    environment::var("AWS_MAX_ATTEMPTS")
        .and_then(|attempts| attempts.parse().ok())
        .filter(|attempts| *attempts > 0)
        .unwrap_or(8)
}

/// What was throttled waits longer each time; nothing else does. The adaptive mode, which `AWS_RETRY_MODE=adaptive` asks for as it
/// does of every AWS tool, slows down all calls of a client after one was throttled: a deploy whose every call was throttled once
/// took four times as long with it, and the rate for many pools is held by `pace` already.
pub(super) fn mode() -> RetryConfig {
    match environment::var("AWS_RETRY_MODE").as_deref() {
        Some("adaptive") => RetryConfig::adaptive(),
        _ => RetryConfig::standard(),
    }
}

/// The SDK shares out a hundred retries among all that a process does, and then gives up on the first throttled call. Two hundred
/// pools need more; each call's attempts are bounded, and the rate adapts.
pub(super) fn unlimited(service: &'static str) -> RetryPartition {
    RetryPartition::custom(service)
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// What the SDK's own rules leave open. An answer that cannot be read is asked for again: every call here may be made twice, reads
/// anyway, and writes because what stands in the way of a second one is looked at. A certificate that is not trusted will not be
/// the next time either.
#[derive(Debug)]
pub(super) struct Ours;

impl ClassifyRetry for Ours {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            Some(Err(error)) if error.is_response_error() => RetryAction::transient_error(),
            Some(Err(error)) if error.as_connector_error().is_some_and(untrusted) => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "unreadable answers and untrusted certificates"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::transient_error_classifier()
    }
}

fn untrusted(error: &ConnectorError) -> bool {
    causes(error).contains(UNTRUSTED)
}
