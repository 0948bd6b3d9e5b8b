//! `try` with the sandbox: with the deployed function and with the handler on this machine, without a change of the
//! pool.

use jane_migrate_sandbox::{Fault, JaneCall};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Corner, Ran};
use crate::terminal::Terminal;

const PASSWORD: &str = "Right-Pass-1";

async fn pool(corner: &Corner) -> (String, String) {
    corner.add_accounts();
    let pool = corner.create_pool(json!({})).await;
    let client = corner.create_client(&pool, json!({})).await;
    (pool, client)
}

/// Runs the program with a password on its standard input.
async fn run_with(corner: &Corner, password: &str, arguments: &[&str]) -> Ran {
    let ran = corner.run_with(&format!("{password}\n"), arguments).await;
    assert!(
        !ran.stdout.contains(password) && !ran.stderr.contains(password),
        "the password is shown"
    );
    ran
}

#[tokio::test]
async fn try_calls_the_deployed_function_and_does_not_change_the_pool() {
    let corner = Corner::new().await;
    let (pool, client) = pool(&corner).await;
    corner.deploy(&pool).await;
    let users = async |pool: &str| {
        corner
            .cognito("ListUsers", json!({ "UserPoolId": pool }))
            .await["Users"]
            .take()
    };

    let arguments = [
        "try",
        "--pool",
        &pool,
        "--user",
        "Ada@example.com",
        "--password-stdin",
    ];
    let ran = run_with(&corner, PASSWORD, &arguments).await.ended(0);
    for words in [
        "outcome     migrated",
        "status      CONFIRMED",
        "email = Ada@example.com",
        "user_exists 200",
        "verify_credentials 200",
        "The user would migrate. Nothing was stored.",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{ran:#?}");
    }
    let ran = run_with(
        &corner,
        "Wrong-Pass-1",
        &[&arguments[..], &["--json"]].concat(),
    )
    .await
    .ended(3);
    let document = ran.json();
    assert_eq!(document["outcome"], "wrong-password");
    assert_eq!(
        (&document["would_migrate"], &document["by"]),
        (&json!(false), &json!("function"))
    );
    assert_eq!(document["client"], json!(client));

    let ran = corner
        .run(&[
            "try",
            "--pool",
            &pool,
            "--user",
            "sso@example.com",
            "--forgot-password",
        ])
        .await
        .ended(0);
    assert!(ran.stdout.contains("migrated-for-reset"), "{ran:#?}");
    assert_eq!(users(&pool).await, json!([]));

    // A test is no customer's sign-in.
    let status = corner
        .run(&["status", "--pool", &pool, "--json"])
        .await
        .ended(0)
        .json();
    assert_eq!(
        (&status["migrated"], &status["refused"]),
        (&json!(0), &json!(0)),
        "{status:#}"
    );
    assert!(status["trials"].as_u64().unwrap() >= 3);
    corner
        .run(&["teardown", "--pool", &pool, "--yes"])
        .await
        .ended(0);
}

#[tokio::test]
async fn try_runs_the_handler_on_this_machine_before_a_deploy() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    let local = [
        "try",
        "--pool",
        &pool,
        "--local",
        "--password-stdin",
        "--user",
    ];
    let with = |user: &'static str| [&local[..], &[user, "--json"]].concat();
    let document = run_with(&corner, PASSWORD, &with("ada@example.com"))
        .await
        .ended(0)
        .json();
    assert_eq!(
        (&document["outcome"], &document["by"]),
        (&json!("migrated"), &json!("local"))
    );
    assert_eq!(document["user"]["status"], "CONFIRMED");
    assert_eq!(document["user"]["attributes"]["email_verified"], "true");
    assert_eq!(document["log"]["upstream"][1]["call"], "verify_credentials");
    assert!(document["log"]["init_ms"].as_f64().unwrap() > 0.0);

    let document = run_with(&corner, PASSWORD, &with("market@example.com"))
        .await
        .ended(3)
        .json();
    assert_eq!(document["outcome"], "not-found");

    let ran = corner
        .run(&["try", "--pool", &pool, "--local", "--sample", "10"])
        .await
        .ended(1);
    assert!(
        ran.stderr.contains("keeps no hashes") && ran.stderr.contains("kind = \"postgres\""),
        "{ran:#?}"
    );

    corner
        .jane
        .set_fault(JaneCall::UserExists, Some(Fault::Status(503)));
    let document = run_with(&corner, PASSWORD, &with("ada@example.com"))
        .await
        .ended(3)
        .json();
    assert_eq!(document["outcome"], "directory-unavailable");

    let ran = run_with(
        &corner,
        PASSWORD,
        &[
            "try",
            "--pool",
            &pool,
            "--password-stdin",
            "--user",
            "ada@example.com",
        ],
    )
    .await
    .ended(1);
    assert!(ran.stderr.contains("--local"), "{ran:#?}");
}

#[tokio::test]
async fn a_password_only_comes_from_the_prompt_or_stdin() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    let ran = corner
        .run(&["try", "--pool", &pool, "--user", "ada@example.com"])
        .await
        .ended(1);
    assert!(ran.stderr.contains("--password-stdin"), "{ran:#?}");
}

#[tokio::test]
async fn an_empty_password_is_rejected() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    let arguments = ["try", "--pool", &pool, "--user", "ada@example.com"];
    let stdin = [&arguments[..], &["--password-stdin"]].concat();
    let ran = corner.run(&stdin).await.ended(1);
    assert!(ran.stderr.contains("is empty"), "{ran:#?}");
    let mut terminal = Terminal::start(&corner, 80, &arguments);
    terminal.until("Password of").await;
    terminal.until_hidden().await;
    terminal.types("");
    let (code, shown) = terminal.ended().await;
    assert!(code == 1 && shown.contains("is empty"), "{shown}");
}

#[tokio::test]
async fn the_echo_is_restored_however_the_prompt_ends() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    let commands: [&[&str]; 2] = [
        &["try", "--pool", &pool, "--user", "ada@example.com"],
        &[
            "verify",
            "--pool",
            &pool,
            "--probe",
            "--test-user",
            "ada@example.com",
        ],
    ];
    for arguments in commands {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut terminal = Terminal::start(&corner, 80, arguments);
            terminal.until("Password of ada@example.com:").await;
            terminal.until_hidden().await;
            terminal.signal(signal);
            terminal.until_visible().await;
            let (ended, shown) = terminal.ended().await;
            assert_eq!(ended, code, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_name_cannot_control_the_terminal() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    corner.deploy(&pool).await;
    let name = "\u{1b}]0;owned\u{7}\r\nThe user would migrate.";
    let arguments = ["try", "--pool", &pool, "--forgot-password", "--user", name];
    let ran = corner.run(&arguments).await.ended(3);
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.contains(control), "{ran:#?}");
    assert!(
        !ran.stdout.contains("\nThe user would migrate."),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn the_prompt_shows_nothing_of_the_password() {
    let corner = Corner::new().await;
    let (pool, _) = pool(&corner).await;
    let arguments = ["try", "--pool", &pool, "--user", "ada@example.com"];
    let mut terminal = Terminal::start(&corner, 80, &arguments);
    terminal.until("Password of ada@example.com:").await;
    terminal.until_hidden().await;
    terminal.types(PASSWORD);
    let (code, shown) = terminal.ended().await;
    assert!(
        code == 1 && shown.contains("there is no function"),
        "{shown}"
    );
    assert!(!shown.contains(PASSWORD), "{shown}");
}
