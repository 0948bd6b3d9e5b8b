//! The Lambda function's entry point: connects the handler to the Lambda Runtime API.
//!
//! No subscriber for traces is installed: the runtime's own prints the event, password included, at its finest level.

use std::sync::Arc;

use jane_migrate_handler::{Handler, Payload, silence_panics};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    silence_panics();
    let handler = Arc::new(Handler::from_environment());
    Arc::clone(&handler).warm().await;
    let answer = service_fn(move |event: LambdaEvent<Payload>| {
        Arc::clone(&handler).answer(event.payload, event.context.deadline)
    });
    Runtime::new(answer).run().await
}
