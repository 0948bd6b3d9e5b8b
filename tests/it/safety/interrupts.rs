//! Ctrl-C, and the SIGTERM of a CI service: the current step is finished, the rest is listed, and the same command
//! continues.

use std::process::Output;

use jane_migrate_test_kit::{Fate, Passing, Proxy};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Child;

use super::Scene;
use crate::support::Ran;

/// Sends a signal to the program.
async fn signal(program: &Child, name: &str) {
    let id = program.id().expect("it runs").to_string();
    let sent = tokio::process::Command::new("kill")
        .args(["-s", name, &id])
        .status();
    assert!(sent.await.expect("kill is there").success());
}

/// Starts the command, interrupts it while it waits for this call, and lets the call return after the command has received
/// the signal.
pub(super) async fn interrupted(scene: &Scene, command: &str, at: &'static str, name: &str) -> Ran {
    let decide = move |passing: &Passing| match passing.action == at {
        true => Fate::HoldAnswer,
        false => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
    let proxy = proxy.expect("a proxy");
    let mut program = scene.start(&proxy.url(), command).await;
    proxy.held().await;
    signal(&program, name).await;
    let mut stderr = BufReader::new(program.stderr.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("finishing the step in hand") {
        assert_ne!(
            stderr.read_line(&mut said).await.expect("text"),
            0,
            "{said}"
        );
    }
    proxy.release();
    let output = program.wait_with_output();
    let (output, rest) = tokio::join!(output, stderr.read_to_string(&mut said));
    rest.expect("text");
    Ran::from(Output {
        stderr: said.into_bytes(),
        ..output.expect("it ends")
    })
    .with_printed_commands()
    .await
}

#[tokio::test]
async fn an_interrupted_deploy_finishes_the_current_step_and_lists_the_rest() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let scene = Scene::new().await;
        let ran = interrupted(&scene, "deploy", "CreateFunction", name)
            .await
            .ended(code);
        for words in [
            "interrupted: 3 step(s) done and kept",
            "not tried: permission jane-migrate-live",
            &format!("trigger {}", scene.pool),
            "`jane-migrate deploy --enable-password-auth ",
            &format!(" --pool {}` continues", scene.pool),
        ] {
            assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
        }
        let function = scene.aws.function(&scene.names.function).await.unwrap();
        assert!(function.is_some(), "the current step was finished");
        scene.assert_unharmed("interrupted").await;
        scene.run_undisturbed("deploy").await.ended(0);
        scene.assert_deployed("after the interrupt").await;
    }
}

#[tokio::test]
async fn an_interrupted_teardown_continues() {
    let scene = Scene::before("teardown").await;
    let ran = interrupted(&scene, "teardown", "UpdateUserPool", "INT")
        .await
        .ended(130);
    assert!(ran.stderr.contains("not tried: client "), "{ran:#?}");
    scene.assert_unharmed("interrupted").await;
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone("after the interrupt").await;
}

#[tokio::test]
async fn an_interrupt_stops_before_all_of_many_clients_are_changed() {
    let scene = Scene::new().await;
    for n in 0..12 {
        let settings = serde_json::json!({ "ClientName": format!("app {n}"), "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"] });
        scene.corner.create_client(&scene.pool, settings).await;
    }
    let ran = interrupted(&scene, "deploy", "UpdateUserPoolClient", "INT")
        .await
        .ended(130);
    let not_tried = ran.stderr.rsplit("not tried:").next().unwrap_or_default();
    assert!(not_tried.matches("client ").count() >= 8, "{ran:#?}");
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("after the interrupt").await;
}
