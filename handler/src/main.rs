//! The Lambda function's entry point: connects the handler to the Lambda Runtime API.
//!
//! It installs no subscriber for traces: the runtime's finest level prints the event with the password. The deployed build also
//! leaves out the code for traces (feature `silent`).

use std::sync::Arc;

use jane_migrate_handler::{Handler, Payload, silence_panics};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};

/// musl's allocator returns memory to the kernel and requests it again at every sign-in.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// A single-threaded runtime leaves out the code for several threads.
#[tokio::main(flavor = "local")]
async fn main() -> Result<(), Error> {
    silence_panics();
    let handler = Arc::new(Handler::from_environment());
    Arc::clone(&handler).warm().await;
    let answer = service_fn(move |event: LambdaEvent<Payload>| {
        Arc::clone(&handler).answer(event.payload, event.context.deadline)
    });
    // As a task: waking the main future needs a call to the kernel.
    tokio::spawn(Runtime::new(answer).run()).await?
}
