//! Runs the scripts, each in an account of its own.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use jane_migrate_sandbox::Venv;

use crate::{cache, sandbox};

/// Runs `script` with boto3 against the sandbox.
async fn run(script: &str) {
    static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);
    let venv = Venv::install(&cache(), "boto3-1.44.5", "boto3==1.44.5", &|_| ())
        .await
        .expect("boto3 installs");
    let account = ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(venv.python())
        .args(["-B", "-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env(
            "PYTHONPATH",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scripts"),
        )
        .env("AWS_ENDPOINT_URL", sandbox().endpoint())
        .env("AWS_ACCESS_KEY_ID", account)
        .env("AWS_SECRET_ACCESS_KEY", sandbox().secret_key())
        .env("AWS_DEFAULT_REGION", sandbox().region())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("TMPDIR", directory.path())
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            run(include_str!(concat!("scripts/", stringify!($name), ".py"))).await;
        }
    )*};
}

scripts! {
    pool_update_resets_what_is_left_out
    pool_update_keeps_what_it_is_given
    pool_update_refusals
    client_update_resets_what_is_left_out
    client_update_refusals
    sign_in_migrates
    sign_in_failures
    sign_in_answers_are_checked
    forgot_password_migrates
    invoke_permission_is_enforced
    names_and_aliases
    function_life
    role_life
    journal_and_accounts
}
