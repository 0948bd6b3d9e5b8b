//! Network faults at every call of deploy and of teardown. A temporary fault does not stop the run; a lasting one ends it with an
//! error that says what to run, and the same command then continues. Nothing is lost in either case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use jane_migrate_test_kit::{Fate, Passing, Proxy};

use super::table::{self, Table};
use super::{AT_ONCE, Point, Scene, points, reads, turn};
use crate::support::Ran;

const COMMANDS: [&str; 2] = ["deploy", "teardown"];

/// Throttled, with each service's error.
fn throttled(passing: &Passing) -> Fate {
    match passing.service.as_str() {
        "iam" => Fate::Refuse(400, "Throttling", "Rate exceeded"),
        "logs" => Fate::Refuse(400, "ThrottlingException", "Rate exceeded"),
        _ => Fate::Refuse(429, "TooManyRequestsException", "Too many requests"),
    }
}

fn denied(passing: &Passing) -> Fate {
    let code = match passing.service.as_str() {
        "iam" => "AccessDenied",
        _ => "AccessDeniedException",
    };
    Fate::Refuse(403, code, "User is not authorized to perform this")
}

type Fault = (&'static str, fn(&Passing) -> Fate);

/// Temporary faults.
const PASSING: [Fault; 7] = [
    ("throttled", throttled),
    ("HTTP 500 of the service", |_| {
        Fate::Refuse(500, "InternalErrorException", "Something went wrong")
    }),
    ("HTTP 503 of something else", |_| Fate::Page(503)),
    ("connection closed before the request is through", |_| {
        Fate::Drop
    }),
    ("answer lost after AWS has acted", |_| Fate::LoseAnswer),
    ("answer cut off", |_| Fate::CutAnswer),
    ("no answer after AWS has acted", |passing| {
        // Each of these costs a timeout; if nothing was written, it is the same as a closed connection, only slower.
        match reads(&passing.action) {
            true => Fate::Pass,
            false => Fate::HoldAnswer,
        }
    }),
];

/// Lasting faults.
const LASTING: [Fault; 4] = [
    ("throttled", throttled),
    ("unavailable", |_| Fate::Page(503)),
    ("denied", denied),
    ("answers lost", |_| Fate::LoseAnswer),
];

/// The faults at a call. If nothing is written, a lost response is the same as no response.
fn faults(point: &Point) -> impl Iterator<Item = Fault> + use<> {
    let reading = reads(&point.action);
    LASTING
        .into_iter()
        .filter(move |(name, _)| !reading || *name != "answers lost")
}

/// A run in which a failed call is made at most twice, with this timeout in seconds.
async fn run(
    scene: &Scene,
    command: &str,
    timeout: &str,
    decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
) -> Ran {
    let proxy = Proxy::start(&scene.corner.endpoint, decide).await;
    let proxy = proxy.expect("a proxy");
    let mut command = scene.command(&proxy.url(), command).await;
    command
        .env("AWS_MAX_ATTEMPTS", "2")
        .env("JANE_MIGRATE_TIMEOUT", timeout);
    Ran::of(command).await
}

async fn assert_ended(scene: &Scene, command: &str, when: &str) {
    match command {
        "deploy" => scene.assert_deployed(when).await,
        _ => scene.assert_gone(when).await,
    }
}

#[tokio::test]
async fn temporary_faults_at_every_call_do_not_stop_a_run() {
    let outlasted = Mutex::new(BTreeMap::new());
    stream::iter(PASSING)
        .for_each_concurrent(AT_ONCE, async |(name, fault)| {
            let _turn = turn().await;
            let scene = Scene::new().await;
            for command in COMMANDS {
                let when = format!("{command}: {name}");
                let ran = run(&scene, command, "6", move |passing| match passing.attempt {
                    1 => fault(passing),
                    _ => Fate::Pass,
                });
                let ran = ran.await;
                assert_eq!(ran.code, 0, "{when}: {ran:#?}");
                assert_ended(&scene, command, &when).await;
            }
            outlasted.lock().unwrap().insert(name, "goes on");
        })
        .await;
    let outlasted = outlasted.into_inner().unwrap();
    let mut table = Table::new(["every call, once", "deploy", "teardown"]);
    for (name, _) in PASSING {
        table.row([name, outlasted[name], outlasted[name]]);
    }
    table::check("passing faults", &table);
}

/// Makes a call and all later calls with its name fail. Returns how the run ended.
async fn last(scene: &Scene, command: &str, point: &Point, fault: Fault) -> &'static str {
    let when = format!("{command}: {} at {point}", fault.0);
    let there = point.clone();
    // Every response arrives or is lost; a busy machine must not cause timeouts.
    let ran = run(scene, command, "60", move |passing| {
        match passing.action == there.action && passing.nth >= there.nth {
            true => fault.1(passing),
            false => Fate::Pass,
        }
    })
    .await;
    scene.assert_unharmed(&when).await;
    if ran.code == 0 {
        return "goes on";
    }
    assert_eq!(ran.code, 1, "{when}: {ran:#?}");
    assert!(ran.stderr.contains("error: "), "{when}: {ran:#?}");
    let expected = ["hint: ", "continues from there", "` proves it"];
    assert!(
        expected
            .iter()
            .any(|expected| ran.stderr.contains(expected)),
        "{when}: the error does not say what to run: {ran:#?}"
    );
    #[expect(clippy::print_stderr, reason = "says why, where the table differs")]
    {
        eprintln!("{when} stops: {}", ran.stderr);
    }
    "stops"
}

async fn lasting(command: &'static str) -> Table {
    let scene = Scene::before(command).await;
    let points = points(&scene.calls_of(command).await);
    let ended: Mutex<BTreeMap<(String, &str), BTreeSet<&str>>> = Mutex::default();
    let note = |point: &Point, fault: Fault, how| {
        let mut ended = ended.lock().unwrap();
        ended
            .entry((point.action.clone(), fault.0))
            .or_default()
            .insert(how);
    };
    let first_write = points.iter().position(|point| !reads(&point.action));
    let first_write = first_write.expect("something is written");
    // These run in parallel with the read of the role itself; without a role their failure does not matter until they are read
    // again. The same applies to the alias's version, read in parallel with the function. A failed list of recoveries does not
    // matter either, because older policies do not allow it: during a recovery Cognito rejects the writes.
    let minded = |point: &Point| {
        let of_role = point.action.starts_with("List") && point.action.ends_with("RolePolicies");
        let of_alias =
            point.action == "GetAlias" || (point.action == "GetFunction" && point.nth == 2);
        let of_recoveries = point.action == "ListPointInTimeRecoveries";
        !of_role && !of_recoveries && (!of_alias || command == "redeploy")
    };
    let (reading, writing): (Vec<_>, Vec<_>) = points
        .iter()
        .enumerate()
        .partition(|(at, point)| *at < first_write && minded(point));
    let only_read = async {
        let _turn = turn().await;
        let scene = Scene::before(command).await;
        let untouched = scene.documents().await;
        for (_, point) in reading {
            for fault in faults(point) {
                let how = last(&scene, command, point, fault).await;
                assert_eq!(how, "stops", "{point}");
                note(point, fault, how);
            }
        }
        assert_eq!(untouched, scene.documents().await);
        scene.run_undisturbed(command).await.ended(0);
        assert_ended(&scene, command, "failed while reading").await;
    };
    let written = stream::iter(writing)
        .flat_map(|(_, point)| stream::iter(faults(point).map(move |fault| (point, fault))))
        .for_each_concurrent(AT_ONCE, async |(point, fault)| {
            let _turn = turn().await;
            let scene = Scene::before(command).await;
            let how = last(&scene, command, point, fault).await;
            note(point, fault, how);
            let when = format!("{command} after {} at {point}", fault.0);
            scene.run_undisturbed(command).await.ended(0);
            assert_ended(&scene, command, &when).await;
        });
    tokio::join!(only_read, written);

    let ended = ended.into_inner().unwrap();
    let [one, two, three, four] = LASTING.map(|(name, _)| name);
    let mut table = Table::new(["from one call on", one, two, three, four]);
    for action in table::actions(&points) {
        let cell = |fault: &'static str| match ended.get(&(action.to_owned(), fault)) {
            Some(ended) => ended.iter().copied().collect::<Vec<_>>().join(" or "),
            None => "as unavailable".to_owned(),
        };
        table.row([action, &cell(one), &cell(two), &cell(three), &cell(four)]);
    }
    table
}

/// The pool already has customers: a fault at a write may end the run, and from before it until the same command has succeeded,
/// each customer can sign in.
async fn lasting_while_customers_sign_in(command: &'static str) -> Table {
    // A rejected call changes nothing in AWS, the same as an unavailable service.
    const LIVE: [&str; 2] = ["unavailable", "answers lost"];
    let scene = Scene::before(command).await;
    let mut writes = points(&scene.calls_of(command).await);
    writes.retain(|point| !reads(&point.action));
    let ended: Mutex<BTreeMap<(String, &str), BTreeSet<&str>>> = Mutex::default();
    let note = |point: &Point, fault, how| {
        let mut ended = ended.lock().unwrap();
        let of = (point.action.clone(), fault);
        ended.entry(of).or_default().insert(how);
    };
    let signed_in = AtomicUsize::new(0);
    let lasting = || LASTING.into_iter().filter(|(name, _)| LIVE.contains(name));
    stream::iter(&writes)
        .flat_map(|point| stream::iter(lasting().map(move |fault| (point, fault))))
        .for_each_concurrent(AT_ONCE, async |(point, fault)| {
            let _turn = turn().await;
            let scene = Scene::before(command).await;
            let when = format!("{command}: {} at {point}", fault.0);
            let course = async {
                let how = last(&scene, command, point, fault).await;
                note(point, fault.0, how);
                scene.run_undisturbed(command).await.ended(0);
            };
            let ((), came) = scene.with_customers(&when, course).await;
            signed_in.fetch_add(came, Ordering::Relaxed);
            scene.assert_migrates(&when).await;
            scene.assert_deployed(&when).await;
        })
        .await;
    assert!(signed_in.into_inner() >= writes.len() * LIVE.len());
    let ended = ended.into_inner().unwrap();
    let mut table = Table::new(["from one call on", LIVE[0], LIVE[1]]);
    for action in table::actions(&writes) {
        let cell = |fault| {
            let how = ended[&(action.to_owned(), fault)].iter().copied();
            how.collect::<Vec<_>>().join(" or ")
        };
        table.row([action, &cell(LIVE[0]), &cell(LIVE[1])]);
    }
    table
}

#[tokio::test]
async fn lasting_faults_during_a_deploy_of_code_and_secret_fail_no_sign_in() {
    let table = lasting_while_customers_sign_in("renewal").await;
    table::check("renewal faults", &table);
}

#[tokio::test]
async fn lasting_faults_during_a_rollback_fail_no_sign_in() {
    let table = lasting_while_customers_sign_in("rollback").await;
    table::check("rollback faults", &table);
}

#[tokio::test]
async fn a_deploy_with_a_lasting_fault_reports_it_and_continues_later() {
    table::check("deploy faults", &lasting("deploy").await);
}

#[tokio::test]
async fn a_teardown_with_a_lasting_fault_reports_it_and_continues_later() {
    table::check("teardown faults", &lasting("teardown").await);
}
