//! Runs the scripts, each in its own account.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jane_migrate_sandbox::{Callers, ImportRules, Options, Sandbox, Venv};

use crate::{cache, sandbox};

/// An unused account.
fn account() -> String {
    static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);
    ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Runs `script` with boto3 against the sandbox of this run; returns its output.
async fn run(script: &str, account: &str) -> String {
    run_in(sandbox(), script, account).await
}

/// Runs `script` with boto3 in any sandbox; returns its output.
async fn run_in(sandbox: &Sandbox, script: &str, account: &str) -> String {
    run_at(&sandbox.endpoint(), sandbox.secret_key(), script, account).await
}

/// Runs `script` with boto3 and the `secret` key against any endpoint; returns its output.
pub async fn run_at(endpoint: &str, secret: &str, script: &str, account: &str) -> String {
    let venv = Venv::install(&cache(), "boto3-1.44.5", "boto3==1.44.5", &|_| ())
        .await
        .expect("boto3 installs");
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(venv.python())
        .args(["-B", "-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env(
            "PYTHONPATH",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scripts"),
        )
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", account)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_DEFAULT_REGION", "us-west-2")
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
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            run(include_str!(concat!("scripts/", stringify!($name), ".py")), &account()).await;
        }
    )*};
}

scripts! {
    pool_update_resets_omitted_settings
    pool_update_keeps_given_settings
    pool_update_refusals
    client_update_resets_omitted_settings
    client_update_refusals
    sign_in_migrates
    sign_in_failures
    sign_in_answers_are_checked
    forgot_password_migrates
    invoke_permission_is_enforced
    names_and_aliases
    pre_sign_up
    post_confirmation
    function_lifecycle
    role_lifecycle
    journal_and_accounts
    logs_are_paged_and_queried
    strangers_are_refused
    import_jobs
    users_in_parallel_calls
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_checked() {
    let options = Options {
        callers: Callers::Checked,
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let script = include_str!("scripts/callers_are_checked.py");
    run_in(&sandbox, script, &account()).await;
}

#[tokio::test]
async fn a_parallel_update_is_rejected() {
    let account = account();
    let pool = run("from aws import *; print(pool()[0])", &account).await;
    let update = format!("cognito.update_user_pool(UserPoolId='{pool}')");
    let hold = sandbox().gateway().hold_pool(&pool).expect("a pool");
    let refused =
        format!("from aws import *\nwith refused('ConcurrentModificationException'): {update}");
    run(&refused, &account).await;
    drop(hold);
    run(&format!("from aws import *; {update}"), &account).await;
}

#[tokio::test]
async fn any_client_can_read_the_demo() {
    let demo = sandbox().seed().await.expect("the demo");
    let again = sandbox().seed().await.expect("another");
    assert_ne!(demo.pool_id, again.pool_id);
    let script = format!(
        "from aws import *\n\
         pool = cognito.describe_user_pool(UserPoolId='{pool}')['UserPool']\n\
         assert pool['DeletionProtection'] == 'ACTIVE' and 'UserMigration' not in pool['LambdaConfig']\n\
         with refused('NotAuthorizedException'): sign_in('{web}', 'password@example.com', 'Harvest-Moon-7')\n\
         with refused('InvalidParameterException', 'flow not enabled'): sign_in('{mobile}', 'password@example.com', 'Harvest-Moon-7')",
        pool = demo.pool_id,
        web = demo.web_client,
        mobile = demo.mobile_client,
    );
    run(&script, sandbox().account_id()).await;
}

#[tokio::test]
async fn a_pool_rejects_updates_during_an_import_and_a_job_can_be_stopped() {
    let account = account();
    let make = "from aws import *; print(pool(AutoVerifiedAttributes=['email'])[0])";
    let pool = run(make, &account).await;
    let rules = ImportRules {
        hash_column_listed: false,
        takes_hashes: false,
        first_line: 1,
        pending: Duration::ZERO,
        per_user: Duration::from_millis(300),
    };
    sandbox().gateway().set_import_rules(&pool, rules);
    let script = include_str!("scripts/import_is_stopped.py");
    run(&format!("POOL = {pool:?}\n{script}"), &account).await;
}
