//! The Lambda function's entry point: connects the handler to the Lambda Runtime API.
//!
//! No subscriber for traces is installed: the runtime's own prints the event, password included, at its finest level. What is
//! deployed is built without the code for traces, too (the feature `silent`).

use std::sync::Arc;

use jane_migrate_handler::{Handler, Payload, silence_panics};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};

/// musl's own gives memory back to the kernel and asks for it again at every sign-in.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// A runtime that can have but one thread: the code for several is left out.
#[tokio::main(flavor = "local")]
async fn main() -> Result<(), Error> {
    silence_panics();
    let handler = Arc::new(Handler::from_environment());
    Arc::clone(&handler).warm().await;
    let answer = service_fn(move |event: LambdaEvent<Payload>| {
        Arc::clone(&handler).answer(event.payload, event.context.deadline)
    });
    // As a task: whatever wakes this function's own future does so by way of the kernel.
    tokio::spawn(Runtime::new(answer).run()).await?
}
