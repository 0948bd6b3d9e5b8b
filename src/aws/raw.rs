//! Raw JSON through a typed SDK call. The typed structs drop fields that are newer than the SDK and write zeros for absent
//! numbers, so for the pool and its clients the SDK is only the transport: endpoint, credentials, signing, retries.
//! `Capture` reads the response's body, `Replace` sets the request's.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

/// Keeps the body of the response. Its `Debug` shows nothing: an app client's response contains its secret.
#[derive(Clone, Default)]
pub(super) struct Capture(Arc<Mutex<Option<Value>>>);

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capture")
    }
}

impl Capture {
    /// The body, once the call has succeeded.
    pub(super) fn take(&self) -> Value {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "CaptureAnswer"
    }

    // Only this hook always sees a buffered body.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK handles an error response, and may retry it.
        if context.output_or_error().is_err() {
            return Ok(());
        }
        let body = context
            .response()
            .body()
            .bytes()
            .ok_or("the answer was not kept")?;
        let value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }
}

/// Sends this body in place of that of the typed call.
#[derive(Clone)]
pub(super) struct Replace(Vec<u8>);

impl Replace {
    pub(super) fn with(body: &Value) -> Self {
        Self(body.to_string().into_bytes())
    }
}

impl std::fmt::Debug for Replace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replace")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Replace {
    fn name(&self) -> &'static str {
        "ReplaceRequest"
    }

    // Before the retry loop: set once, then signed and sent again at every attempt.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request
            .headers_mut()
            .insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.clone());
        Ok(())
    }
}
