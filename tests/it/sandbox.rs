//! `sandbox`: the corner of AWS that runs until it is stopped.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::Corner;

#[tokio::test]
async fn its_variables_serve_every_aws_tool_and_it_ends_when_asked() {
    let corner = Corner::new().await;
    let mut process = corner
        .command(&["sandbox"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut exports = String::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        exports.push_str(&line);
        exports.push('\n');
        if line.starts_with("export JANE_MIGRATE_POOL") {
            break;
        }
    }
    let region = |name: &str| {
        let value = exports.split(&format!("export {name}=")).nth(1)?;
        value.lines().next()
    };
    assert!(region("AWS_REGION").is_some(), "{exports}");
    // Python's SDK knows only the latter.
    assert_eq!(region("AWS_REGION"), region("AWS_DEFAULT_REGION"));
    let id = process.id().expect("it runs").to_string();
    let mut kill = tokio::process::Command::new("kill");
    let interrupted = kill
        .args(["-INT", &id])
        .status()
        .await
        .expect("kill starts");
    assert!(interrupted.success());
    assert_eq!(process.wait().await.expect("its status").code(), Some(0));
}
