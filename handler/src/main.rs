//! The Lambda function's entry point: connects the handler to the Lambda Runtime API.
//!
//! No subscriber for traces is installed: the runtime's own prints the event, password included, at its finest level.

use std::sync::Arc;

use jane_migrate_handler::{
    Handler, Payload,
    outcome::{Refusal, write_line},
};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // A panic's message may quote what was being worked on; its place says enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()));
        write_line(&json!({ "level": "ERROR", "message": "panic", "place": place }));
    }));
    let handler = Arc::new(Handler::from_environment());
    handler.warm().await;
    let answer = service_fn(move |event: LambdaEvent<Payload>| {
        let handler = Arc::clone(&handler);
        // In a task of its own, so that a panic ends in a constant text instead of the panic's message.
        let task =
            tokio::spawn(
                async move { handler.handle(event.payload, event.context.deadline).await },
            );
        async move { task.await.unwrap_or(Err(Refusal::DirectoryUnavailable)) }
    });
    Runtime::new(answer).run().await
}
