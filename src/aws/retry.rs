//! What is tried again, and how often. The SDK's own rules, and one more: an answer that was cut off is as good as none.

use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

/// How often a call is made at most: `AWS_MAX_ATTEMPTS`, as every AWS tool reads it, or enough to sit out a throttled minute.
pub(super) fn attempts() -> u32 {
    std::env::var("AWS_MAX_ATTEMPTS")
        .ok()
        .and_then(|attempts| attempts.parse().ok())
        .filter(|attempts| *attempts > 0)
        .unwrap_or(8)
}

/// Slower for all once AWS throttles one, which suits many pools; `AWS_RETRY_MODE=standard`, as every AWS tool reads it, slows
/// down only what was throttled.
pub(super) fn mode() -> RetryConfig {
    match std::env::var("AWS_RETRY_MODE").as_deref() {
        Ok("standard") => RetryConfig::standard(),
        _ => RetryConfig::adaptive(),
    }
}

/// Tries again when the answer cannot be read. Every call here may be made twice: reads anyway, and writes because what stands in
/// the way of a second one is looked at.
#[derive(Debug)]
pub(super) struct Unreadable;

impl ClassifyRetry for Unreadable {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            Some(Err(error)) if error.is_response_error() => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "unreadable answer"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::transient_error_classifier()
    }
}
