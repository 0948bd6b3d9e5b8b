//! A deploy that is killed at a write continues, tested with the second emulator, which shares no code with the sandbox.

use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::Value;

use super::table::{self, Table};
use super::{Scene, assert_same, points, reads};
use crate::life::{on_moto, settings_for_moto};
use crate::support::Ran;

impl Scene {
    async fn on_moto() -> Self {
        let corner = on_moto().await;
        Self::with(corner, settings_for_moto).await
    }

    /// Deploys without a probe, because this emulator does not run the function.
    async fn deploy_unprobed(&self, endpoint: &str) -> Ran {
        let mut command = self.command(endpoint, "deploy").await;
        command.arg("--no-probe");
        Ran::of(command).await
    }
}

#[tokio::test]
async fn a_deploy_killed_at_any_write_continues_on_the_second_emulator() {
    let scene = Scene::on_moto().await;
    let proxy = Proxy::start(&scene.corner.endpoint, |_| Fate::Pass).await;
    let proxy = proxy.expect("a proxy");
    scene.deploy_unprobed(&proxy.url()).await.ended(0);
    let mut writes = points(&proxy.passed());
    writes.retain(|point| !reads(&point.action));
    // Some run in parallel: the table is in alphabetical order.
    writes.sort();
    let mut table = Table::new(["call", "killed after it"]);
    for point in writes {
        let scene = Scene::on_moto().await;
        let there = point.clone();
        let decide = move |passing: &Passing| match there.is(passing) {
            true => Fate::HoldAnswer,
            false => Fate::Pass,
        };
        let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
        let proxy = proxy.expect("a proxy");
        let url = proxy.url();
        let mut command = scene.command(&url, "deploy").await;
        let mut program = command
            .arg("--no-probe")
            .spawn()
            .expect("the program starts");
        proxy.held().await;
        program.kill().await.expect("killed");
        scene.deploy_unprobed(&scene.corner.endpoint).await.ended(0);
        scene.run_undisturbed("teardown").await.ended(0);
        for (before, now) in scene.before.iter().zip(scene.documents().await) {
            let when = format!("killed at {point}");
            assert_same(&reached(before.clone()), &reached(now), &when);
        }
        table.row([&point.to_string(), "goes on"]);
    }
    table::check("second emulator", &table);
}

/// The fields that updates reach; the rest is fixed at creation, and this emulator still loses some of
/// it.
fn reached(mut document: Value) -> Value {
    document
        .as_object_mut()
        .expect("an object")
        .remove("UsernameConfiguration");
    document
}
