//! A function leaves its VPC: Lambda's network interfaces are deleted before the permissions that Lambda needs for this, in a
//! teardown and in a deploy.

use std::process::Stdio;
use std::time::Duration;

use jane_migrate_sandbox::wire::KEY_HEADER;
use jane_migrate_sandbox::{Options, Sandbox};
use jane_migrate_test_kit::Fate;
use tokio::process::Command;

use super::Scene;
use crate::support::{Corner, cache, http};

pub(super) const IN_A_VPC: &str =
    "[function.vpc]\nsubnets = [\"subnet-0a\", \"subnet-0b\"]\nsecurity_groups = [\"sg-0a\"]\n";

impl Scene {
    /// How many interfaces Lambda has for the function, as EC2 shows them.
    pub(super) async fn interfaces(&self) -> usize {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &self.corner.authorization("ec2")),
            (KEY_HEADER, &self.corner.secret),
        ];
        let body = format!(
            "Action=DescribeNetworkInterfaces&Version=2016-11-15&Filter.1.Name=description&Filter.1.Value.1=*{}-*",
            self.names.function
        );
        let endpoint = &self.corner.endpoint;
        let (status, answer) = http(endpoint, "POST", "/", &headers, body.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(status, 200, "{answer}");
        answer.matches("<networkInterfaceId>").count()
    }

    async fn role_may_delete_interfaces(&self) -> bool {
        let role = self.aws.role(&self.names.role).await.unwrap();
        role.is_some_and(|role| role.keeps_interfaces())
    }
}

/// A sandbox in which interfaces outlive their last use by seconds.
async fn slow() -> Sandbox {
    let options = Options {
        role_age: Duration::from_secs(2),
        ..Options::new(cache())
    };
    Sandbox::start(&options).await.expect("the sandbox starts")
}

async fn deployed(sandbox: &Sandbox) -> Scene {
    let scene = Scene::in_corner(Corner::of(sandbox).await).await;
    scene.corner.add_accounts();
    scene.corner.configure(IN_A_VPC);
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_migrates("in a VPC").await;
    assert_eq!(scene.interfaces().await, 2);
    scene
}

#[tokio::test]
async fn teardown_deletes_the_role_after_lambda_has_deleted_the_interfaces() {
    let sandbox = slow().await;
    let scene = deployed(&sandbox).await;
    scene.run_undisturbed("verify").await.ended(0);
    let teardown = async |more: &[&str]| {
        let more = [&["--force"], more].concat();
        scene.disturbed("teardown", &more, |_| Fate::Pass).await
    };
    let ran = teardown(&["--interface-wait", "1"]).await.ended(1);
    for words in [
        "network interfaces of function",
        "(available)",
        "run the same command again later",
        "--interface-wait 0",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    assert!(scene.role_may_delete_interfaces().await);
    let ran = teardown(&[]).await.ended(0);
    let words = "after the function's network interfaces";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    assert_eq!(scene.interfaces().await, 0);
    scene.assert_gone("torn down").await;
}

#[tokio::test]
async fn interfaces_stay_forever_without_the_wait() {
    let sandbox = slow().await;
    let scene = deployed(&sandbox).await;
    let more = ["--force", "--interface-wait", "0"];
    let ran = scene.disturbed("teardown", &more, |_| Fate::Pass).await;
    ran.ended(0);
    scene.assert_gone("torn down").await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(scene.interfaces().await, 2);
}

#[tokio::test]
async fn a_deploy_out_of_a_vpc_removes_permissions_last() {
    let sandbox = slow().await;
    let scene = deployed(&sandbox).await;
    scene.corner.configure("");
    let ran = scene.run_undisturbed("deploy").await.ended(0);
    let words = "after the function's network interfaces, and the versions in the VPC";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    assert_eq!(scene.interfaces().await, 0);
    assert!(!scene.role_may_delete_interfaces().await);
    scene.assert_migrates("out of the VPC").await;
    scene.run_undisturbed("verify").await.ended(0);
    let ran = scene.run_undisturbed("rollback").await.ended(1);
    assert!(
        ran.stdout.contains("there is no version before"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_and_lists_what_is_left() {
    let sandbox = slow().await;
    let scene = deployed(&sandbox).await;
    let mut command = scene.command(&scene.corner.endpoint, "teardown").await;
    command.arg("--force");
    let (out, err) = (Stdio::piped(), Stdio::piped());
    let program = command.stdout(out).stderr(err).spawn().expect("started");
    while scene
        .aws
        .function(&scene.names.function)
        .await
        .unwrap()
        .is_some()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let id = program.id().expect("an id").to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(killed.expect("kill").success());
    let ended = program.wait_with_output().await.expect("ended");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("network interfaces of function"), "{said}");
    assert!(scene.role_may_delete_interfaces().await);
    scene.run_undisturbed("teardown").await.ended(0);
    scene.assert_gone("torn down").await;
}
