//! What is retried, and how often: the SDK's own rules, and two more. A truncated response counts as none, and an untrusted
//! certificate is not retried.

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

/// Rustls' message about a certificate that it does not trust.
const UNTRUSTED: &str = "invalid peer certificate";

/// The wait before the first retry.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The most attempts of a call: `AWS_MAX_ATTEMPTS`, as every AWS tool reads it, or enough for fifteen seconds of throttling.
pub(crate) fn attempts() -> u32 {
    environment::var("AWS_MAX_ATTEMPTS")
        .and_then(|attempts| attempts.parse().ok())
        .filter(|attempts| *attempts > 0)
        .unwrap_or(8)
}

/// Throttled calls wait longer each time; others do not. The adaptive mode (`AWS_RETRY_MODE=adaptive`, as in every AWS tool)
/// slows down all calls of a client after one was throttled: a deploy in which every call was throttled once took four times as
/// long with it, and `pace` already keeps the rate for many pools.
pub(super) fn mode() -> RetryConfig {
    match environment::var("AWS_RETRY_MODE").as_deref() {
        Some("adaptive") => RetryConfig::adaptive(),
        _ => RetryConfig::standard(),
    }
}

/// By default the SDK shares a hundred retries among all calls of a process, and then fails at the first throttled call. Two
/// hundred pools need more; each call's attempts are bounded, and the rate adapts.
pub(super) fn unlimited(service: &'static str) -> RetryPartition {
    RetryPartition::custom(service)
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// What the SDK's own rules leave open. A call with an unreadable response is retried: every call here can be repeated, writes
/// too, because an error that the first attempt causes is checked. An untrusted certificate will not be trusted at the next
/// attempt.
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
