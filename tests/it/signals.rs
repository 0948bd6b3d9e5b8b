//! Ctrl-C and SIGTERM: the current step is finished, the rest is listed; a second signal ends the program at once.

use std::collections::BTreeSet;
use std::process::Stdio;

use jane_migrate_test_kit::{Fate, Passing, Proxy, write_program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::Corner;
use crate::terminal::Terminal;

/// A pool ready for a deploy, behind a proxy that holds the function's creation.
async fn held() -> (Corner, String, Proxy) {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    let proxy = Proxy::start(&corner.endpoint, |passing| {
        match passing.action == "CreateFunction" {
            true => Fate::HoldRequest,
            false => Fate::Pass,
        }
    })
    .await
    .expect("the proxy starts");
    (corner, pool, proxy)
}

#[tokio::test]
async fn a_signal_lets_the_current_step_finish() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (corner, pool, proxy) = held().await;
        let url = proxy.url();
        let deploy = ["deploy", "--pool", &pool, "--yes", "--endpoint-url", &url];
        let mut terminal = Terminal::start(&corner, 100, &deploy);
        proxy.held().await;
        terminal.signal(signal);
        terminal.until("finishing the step in hand").await;
        proxy.release();
        let (ended, shown) = terminal.ended().await;
        assert_eq!(ended, code, "{shown}");
        assert!(
            shown.contains("3 step(s) done and kept, 3 not tried"),
            "{shown}"
        );
        let aws = corner.aws().await;
        let function = format!("jane-migrate-{pool}");
        assert!(aws.function(&function).await.expect("an answer").is_some());
        assert!(corner.pool(&pool).await["LambdaConfig"]["UserMigration"].is_null());
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let (corner, pool, proxy) = held().await;
    let url = proxy.url();
    let deploy = ["deploy", "--pool", &pool, "--yes", "--endpoint-url", &url];
    let mut terminal = Terminal::start(&corner, 100, &deploy);
    proxy.held().await;
    terminal.signal(Signal::TERM);
    terminal.until("finishing the step in hand").await;
    terminal.signal(Signal::INT);
    let (ended, shown) = terminal.ended().await;
    assert_eq!(ended, 130, "{shown}");
}

#[tokio::test]
async fn a_signal_stops_a_build_and_nothing_is_changed() {
    let (mut corner, pool, proxy) = held().await;
    // A cargo that never ends.
    let tools = corner.folder.path().join("tools");
    std::fs::create_dir(&tools).expect("a folder");
    let cargo = tools.join("cargo");
    write_program(&cargo, "#!/bin/sh\nexec sleep 600\n");
    let path = std::env::var("PATH").expect("a PATH");
    corner.environment = vec![
        ("PATH".into(), format!("{}:{path}", tools.display())),
        (
            "JANE_MIGRATE_CACHE".into(),
            corner.folder.path().join("cache").display().to_string(),
        ),
    ];
    let before = proxy.passed().len();
    let url = proxy.url();
    let deploy = ["deploy", "--pool", &pool, "--yes", "--endpoint-url", &url];
    let mut terminal = Terminal::start(&corner, 100, &deploy);
    terminal.until("fetching the handler's crates").await;
    terminal.signal(Signal::TERM);
    let (ended, shown) = terminal.ended().await;
    assert_eq!(ended, 143, "{shown}");
    assert!(shown.contains("0 step(s) done and kept"), "{shown}");
    let written: Vec<_> = proxy.passed()[before..]
        .iter()
        .map(|passing| passing.action.clone())
        .filter(|action| {
            !["Get", "List", "Describe"]
                .iter()
                .any(|reads| action.starts_with(reads))
        })
        .collect();
    assert_eq!(written, [] as [&str; 0]);
}

#[tokio::test]
async fn without_a_terminal_a_long_step_shows_progress() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let (corner, pool, proxy) = held().await;
    let url = proxy.url();
    let mut child = corner
        .command(&["deploy", "--pool", &pool, "--yes", "--endpoint-url", &url])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        let beat = line.contains("+ function") && line.ends_with("elapsed]");
        seen.push(line);
        if beat {
            proxy.release();
        }
    }
    assert!(
        child.wait().await.expect("its status").success(),
        "{seen:#?}"
    );
    let all = seen.join("\n");
    assert!(all.contains("s elapsed]") && all.contains("done"), "{all}");
    assert!(!all.contains('\u{1b}') && !all.contains('\r'), "{all}");
}

/// Jane is notified of each user once, although the run was interrupted: the printed command continues from there.
#[tokio::test]
async fn connect_stops_after_a_page_and_continues_from_there() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({})).await;
    for n in 0..62 {
        let email = format!("customer{n}@example.com");
        let attributes = [("email", email.as_str()), ("email_verified", "true")]
            .map(|(name, value)| json!({ "Name": name, "Value": value }));
        let user = json!({ "UserPoolId": pool, "Username": email, "MessageAction": "SUPPRESS",
            "UserAttributes": attributes });
        corner.cognito("AdminCreateUser", user).await;
    }
    let decide = |passing: &Passing| match passing.action == "ListUsers" && passing.nth == 1 {
        true => Fate::HoldRequest,
        false => Fate::Pass,
    };
    let proxy = Proxy::start(&corner.endpoint, decide).await;
    let proxy = proxy.expect("the proxy starts");
    let url = proxy.url();
    let connect = ["connect", "--pool", &pool, "--yes", "--per-second", "1000"];
    let mut child = corner
        .command(&[&connect[..], &["--endpoint-url", &url]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    proxy.held().await;
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), Signal::INT).expect("it hears");
    let mut output = String::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        if line.contains("finishing") {
            proxy.release();
        }
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait().await.expect("its status");
    assert_eq!(status.code(), Some(130), "{output}");
    assert_eq!(corner.jane.told().told().len(), 60, "a page");

    let command = output.split('`').find(|part| part.contains("--from"));
    let words = shlex::split(command.expect("the command to continue")).expect("of a shell");
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    corner.run(&words).await.ended(0);
    let notified = corner.jane.told().told();
    let names = notified
        .iter()
        .map(|one| one["body"]["external_id"].to_string());
    assert_eq!(
        (notified.len(), names.collect::<BTreeSet<_>>().len()),
        (62, 62)
    );
}
