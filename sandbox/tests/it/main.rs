//! The sandbox against clients that are not ours: boto3 drives the gateway, one script a behaviour, and the functions are real
//! processes. What each script asserts is in the script.

mod emulators;
mod jane;
mod scripts;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, mpsc};

use jane_migrate_sandbox::{Options, Sandbox};

/// Where the test run keeps its virtual environments.
fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python")
}

/// One sandbox for the whole run, on a runtime of its own: each test's runtime ends with the test.
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
                    .expect("somebody waits");
                std::future::pending::<()>().await;
            });
        });
        take.recv().expect("an answer").expect("the sandbox starts")
    });
    &SANDBOX
}
