//! The sandbox with clients from outside this project: boto3 drives the gateway, one script per behaviour, and the functions
//! are real processes. Each script contains its assertions.

mod emulators;
mod jane;
mod scripts;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, mpsc};

use jane_migrate_sandbox::{Options, Sandbox};

/// The folder of the test run's virtual environments.
fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python")
}

/// One sandbox for the whole run, on its own runtime: each test's runtime ends with the test.
fn sandbox() -> &'static Sandbox {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
        let (give, take) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let options = Options {
                    progress: Arc::new(|_| ()),
                    ..Options::new(cache())
                };
                give.send(Sandbox::start(&options).await)
                    .expect("a test waits for it");
                std::future::pending::<()>().await;
            });
        });
        take.recv().expect("an answer").expect("the sandbox starts")
    });
    &SANDBOX
}
