//! The program is killed at any point: before the first write of a command, and after AWS has executed each write. A kill leaves
//! the writes until then, so a kill at a read leaves the same as a kill at the write before it. In every case sign-ins still
//! work, and the same command continues from there.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use jane_migrate_test_kit::{Fate, Passing, Proxy};

use super::table::{self, Table};
use super::{AT_ONCE, Point, Scene, points, reads, turn};

/// When the program is killed, relative to the call.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Before,
    After,
}

/// Runs the command up to the point, and kills it there.
async fn kill(scene: &Scene, command: &str, point: &Point, moment: Moment) {
    let there = point.clone();
    let decide = move |passing: &Passing| match moment {
        _ if !there.is(passing) => Fate::Pass,
        Moment::Before => Fate::HoldRequest,
        Moment::After => Fate::HoldAnswer,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
    let proxy = proxy.expect("a proxy");
    let mut program = scene.start(&proxy.url(), command).await;
    tokio::select! {
        () = proxy.held() => program.kill().await.expect("killed"),
        ended = program.wait() => panic!("{command} ended before {point}: {ended:?}"),
    }
    let when = format!("{command} killed {moment:?} {point}");
    scene.assert_unharmed(&when).await;
}

/// After the kill: the same command again, and the rest of the migration's life.
async fn goes_on(scene: &Scene, command: &str, when: &str) {
    scene.run_undisturbed(command).await.ended(0);
    if !["teardown", "leaving"].contains(&command) {
        scene.assert_deployed(when).await;
        scene.run_undisturbed("verify").await.ended(0);
        // A customer may have signed in meanwhile.
        let force = ["--force", "--everything"];
        let ran = scene.disturbed("teardown", &force, |_| Fate::Pass).await;
        ran.ended(0);
    }
    scene.assert_gone(when).await;
    assert_eq!(scene.interfaces().await, 0, "{when}");
}

async fn killed_anywhere(command: &'static str) -> Table {
    let signed_in = AtomicUsize::new(0);
    let scene = Scene::before(command).await;
    let mut writes = points(&scene.calls_of(command).await);
    writes.retain(|point| !reads(&point.action));

    let nothing_written = async {
        let _turn = turn().await;
        let scene = Scene::before(command).await;
        let untouched = scene.documents().await;
        kill(&scene, command, &writes[0], Moment::Before).await;
        assert_eq!(untouched, scene.documents().await);
        goes_on(&scene, command, "killed before the first write").await;
    };
    let written = stream::iter(&writes).for_each_concurrent(AT_ONCE, async |point| {
        let _turn = turn().await;
        let scene = Scene::before(command).await;
        let when = format!("killed after {point}");
        let course = async {
            kill(&scene, command, point, Moment::After).await;
            scene.run_undisturbed(command).await.ended(0);
        };
        match live(command) {
            true => {
                // From before the kill until the next run has ended.
                let ((), came) = scene.with_customers(&when, course).await;
                signed_in.fetch_add(came, Ordering::Relaxed);
                scene.assert_migrates(&when).await;
            }
            false => course.await,
        }
        goes_on(&scene, command, &when).await;
    });
    tokio::join!(nothing_written, written);

    // At least one in each run.
    let courses = if live(command) { writes.len() } else { 0 };
    assert!(signed_in.into_inner() >= courses, "customers signed in");
    let mut table = Table::new(["killed after", "times", "the same command"]);
    for action in table::actions(&writes) {
        let times = writes.iter().filter(|point| point.action == action).count();
        table.row([action, &times.to_string(), "goes on"]);
    }
    table
}

/// Whether the pool already has customers when the command starts.
fn live(command: &str) -> bool {
    ["redeploy", "renewal", "triggers", "conversion", "rollback"].contains(&command)
}

#[tokio::test]
async fn a_deploy_killed_at_any_point_continues() {
    table::check("deploy killed", &killed_anywhere("deploy").await);
}

/// Customers sign in while the settings and the clients of a live function change.
#[tokio::test]
async fn a_deploy_to_a_live_pool_killed_at_any_point_continues_and_sign_ins_work() {
    table::check("redeploy killed", &killed_anywhere("redeploy").await);
}

/// The same while code and secret change, and with the secret the role's permissions.
#[tokio::test]
async fn a_deploy_of_code_and_secret_killed_at_any_point_continues_and_sign_ins_work() {
    table::check("renewal killed", &killed_anywhere("renewal").await);
}

/// Two more triggers are added while customers sign in; what they call works from the first moment.
#[tokio::test]
async fn a_deploy_of_more_triggers_killed_at_any_point_continues_and_sign_ins_work() {
    table::check("triggers killed", &killed_anywhere("triggers").await);
}

/// The same if an earlier version of the program had let the pool call the function itself.
#[tokio::test]
async fn a_conversion_killed_at_any_point_continues_and_sign_ins_work() {
    table::check("conversion killed", &killed_anywhere("conversion").await);
}

#[tokio::test]
async fn a_rollback_killed_at_any_point_continues_and_sign_ins_work() {
    table::check("rollback killed", &killed_anywhere("rollback").await);
}

#[tokio::test]
async fn a_teardown_killed_at_any_point_continues() {
    table::check("teardown killed", &killed_anywhere("teardown").await);
}

/// The same for a function in a VPC, whose network interfaces are deleted before the role.
#[tokio::test]
async fn a_teardown_out_of_a_vpc_killed_at_any_point_continues() {
    table::check("leaving killed", &killed_anywhere("leaving").await);
}
