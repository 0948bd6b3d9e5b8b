//! Runs of deploy, teardown, restore, rollback and import of one pool exclude each other: the second one fails with the name of
//! the first, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use jane_migrate_core::resources::{FunctionState, Tags, tag};
use jane_migrate_sandbox::ImportRules;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::{AT_ONCE, Scene, reads, sandbox, turn};
use crate::support::Ran;

/// Tags without the lease, and without digests of ids.
fn plain(tags: &mut Tags) {
    tags.remove(tag::SNAPSHOT);
    tags.remove(tag::LEASE);
    let opened = tags.split_off(tag::OPENED_CLIENTS);
    let (opened, after): (Tags, Tags) = opened
        .into_iter()
        .partition(|(key, _)| key.starts_with(tag::OPENED_CLIENTS));
    let opened: BTreeSet<&str> = opened.values().flat_map(|value| value.split(' ')).collect();
    let opened = opened.into_iter().collect::<Vec<_>>().join("\n");
    tags.extend(after);
    tags.insert(tag::OPENED_CLIENTS.into(), opened);
}

/// Fails with the lines that differ.
#[track_caller]
fn assert_same_state(expected: &str, state: &str, when: &str) {
    let lines = |one: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(str::to_owned).collect()
    };
    let (lost, new) = (lines(expected, state), lines(state, expected));
    assert!(
        expected == state,
        "{when}\nmissing: {lost:#?}\nunexpected: {new:#?}"
    );
}

/// All commands that change a pool, and `connect`, which notifies Jane of its users and does not change it.
const SECONDS: [&str; 6] = [
    "deploy", "teardown", "restore", "rollback", "import", "connect",
];

/// How many of them run at one write: meanwhile the first run's lease is not renewed, and it must not expire.
const AT_A_WRITE: usize = 3;

/// Two users with hashes of two kinds, so that an import has two jobs.
const USERS: &str = "email,password_hash\n\
    one@example.com,$2b$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG\n\
    two@example.com,pbkdf2_sha256$1000$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=\n";

impl Scene {
    /// The pool as the command needs it, and with something to change for all the others, too.
    async fn before_any(command: &str) -> Self {
        match command {
            "deploy" | "rollback" => Self::before(command).await,
            _ => Self::before("redeploy").await,
        }
    }

    /// Starts a run of any of the commands; the caller ends it.
    async fn run_of(&self, endpoint: &str, name: &str) -> Ran {
        let mut command = match name {
            "restore" => {
                let snapshot = self.first_snapshot();
                let mut command = self.corner.command(&["restore", "--yes", "--snapshot"]);
                command.arg(snapshot).env("AWS_ENDPOINT_URL", endpoint);
                command
            }
            "connect" => {
                let mut command = self.command(endpoint, name).await;
                command.arg("--yes");
                command
            }
            "import" => {
                let file = self.corner.folder.path().join("users.csv");
                std::fs::write(file, USERS).expect("written");
                let mut command = self.command(endpoint, name).await;
                command.args(["--yes", "--from", "users.csv"]);
                command
            }
            _ => self.command(endpoint, name).await,
        };
        // A held call must not be sent again.
        command.env("JANE_MIGRATE_TIMEOUT", "600");
        Ran::of(command).await
    }

    /// The snapshot of the first deploy.
    fn first_snapshot(&self) -> std::path::PathBuf {
        let files = std::fs::read_dir(self.corner.folder.path()).expect("the folder");
        let files = files.flatten().map(|file| file.path());
        let snapshots = files.filter(|path| path.to_string_lossy().ends_with(".snapshot.json"));
        let made = |path: &std::path::PathBuf| path.metadata().and_then(|file| file.modified());
        let first = snapshots.min_by_key(|path| made(path).expect("a date"));
        first.expect("a snapshot")
    }

    async fn hold(&self, action: &'static str) -> Proxy {
        let there = move |passing: &Passing| match passing.action == action && passing.nth == 1 {
            true => Fate::HoldRequest,
            false => Fate::Pass,
        };
        let proxy = Proxy::start(&self.corner.endpoint, there).await;
        proxy.expect("a proxy")
    }

    /// Everything of the pool and our resources, except dates, ids and the lease: the same for every scene in the same state.
    async fn state(&self) -> String {
        let name = &self.names.function;
        let live = format!("{name}:live");
        let mut documents = self.documents().await;
        for document in documents.iter_mut().filter_map(Value::as_object_mut) {
            for date in ["LastModifiedDate", "CreationDate"] {
                document.remove(date);
            }
        }
        let (function, behind, alias, versions, policy, role, group) = tokio::join!(
            self.aws.function(name),
            self.aws.function(&live),
            self.aws.alias(name, "live"),
            self.aws.versions(name),
            self.aws.policy(name, Some("live")),
            self.aws.role(name),
            self.aws.log_group_settings(&self.names.log_group),
        );
        let functions = [function, behind].map(|found| {
            let mut found = found.expect("asked")?;
            found.revision = None;
            found.state = FunctionState::Ready;
            found.function.role_id = None;
            plain(&mut found.function.tags);
            Some(found)
        });
        let alias = alias.expect("asked").map(|alias| alias.version);
        let versions = versions.unwrap_or_default().into_iter();
        let versions: Vec<String> = versions.map(|version| version.number).collect();
        let role = role.expect("asked").map(|mut role| {
            role.id = None;
            plain(&mut role.tags);
            role
        });
        let group = group.expect("asked").map(|group| group.retention_days);
        let mut text = format!(
            "{:#} {functions:#?} {alias:?} {versions:?} {policy:#?} {role:#?} {group:?}",
            json!(documents)
        );
        let ids = [(&self.pool, "POOL"), (&self.corner.account, "ACCOUNT")];
        let clients = self.clients.iter().map(|client| (client, "CLIENT"));
        for (id, word) in ids.into_iter().chain(clients) {
            text = text.replace(id, word);
        }
        text
    }

    /// Whether a run holds the lease.
    async fn is_held(&self) -> bool {
        let name = &self.names.function;
        let (alias, role) = tokio::join!(self.aws.alias(name, "live"), self.aws.role(name));
        let lease = match alias.expect("asked") {
            Some(alias) => alias.lease.map(|lease| lease.to_string()),
            None => role
                .expect("asked")
                .and_then(|role| role.tags.get(tag::LEASE).cloned()),
        };
        lease.is_some_and(|lease| !lease.contains("until 0"))
    }
}

/// A started import job adds users whatever calls are held.
fn but_for_users(state: &str) -> String {
    let lines = state.lines();
    let lines = lines.filter(|line| !line.contains("\"EstimatedNumberOfUsers\""));
    lines.collect::<Vec<_>>().join("\n")
}

fn before_writes(passing: &Passing) -> Fate {
    match reads(&passing.action) {
        true => Fate::Pass,
        false => Fate::HoldRequest,
    }
}

/// The state that `second` leaves without a disturbance, in a pool prepared for `first`.
async fn left_by(first: &str, second: &str) -> String {
    let _turn = turn().await;
    let scene = Scene::before_any(first).await;
    scene.run_of(&scene.corner.endpoint, second).await;
    scene.state().await
}

/// The first run is held before each of its writes in turn, and some of the others run: each fails with the name of the first run
/// and changes nothing. The state for the others differs only after a write, so its other calls need no such stop.
async fn others_are_told(first: &'static str) {
    let scene = Scene::before_any(first).await;
    let proxy = Proxy::start(&scene.corner.endpoint, before_writes).await;
    let proxy = proxy.expect("a proxy");
    let url = proxy.url();
    let program = if first == "redeploy" { "deploy" } else { first };
    let mut writes = 0;
    let others = async {
        for write in 1.. {
            proxy.held_so_far(write).await;
            // Before its first write there is no sign of it for others.
            if scene.is_held().await {
                let last = proxy.passed();
                let last = last.last().map_or("its end", |call| &call.action);
                let when = format!("while {first} is at write {write}, {last}");
                let before = scene.state().await;
                let turn = SECONDS.into_iter().cycle().skip(writes * AT_A_WRITE);
                for second in turn.take(AT_A_WRITE) {
                    let ran = scene.run_of(&scene.corner.endpoint, second).await;
                    if second == "connect" {
                        ran.ended(0);
                        continue;
                    }
                    assert_eq!(ran.code, 1, "{second} {when}: {ran:#?}");
                    let by = format!("another run is at work on this pool: {program} by ");
                    for words in [&*by, ", since 20", "--break-lease` takes it at once"] {
                        let shown = ran.stdout.contains(words) || ran.stderr.contains(words);
                        assert!(shown, "{second} {when}: {words}: {ran:#?}");
                    }
                }
                let after = scene.state().await;
                assert_same_state(&but_for_users(&before), &but_for_users(&after), &when);
                writes += 1;
            }
            proxy.release_one();
        }
    };
    let ran = tokio::select! {
        ran = scene.run_of(&url, first) => ran,
        () = others => unreachable!("the others run while there are writes"),
    };
    ran.ended(0);
    assert!(writes > 1, "{first} held the lease before several writes");
    let alone = left_by(first, first).await;
    assert_same_state(&alone, &scene.state().await, first);
    assert!(!scene.is_held().await, "{first} released the lease");
}

#[tokio::test]
async fn during_a_deploy_other_runs_change_nothing_and_name_the_active_run() {
    tokio::join!(others_are_told("deploy"), others_are_told("redeploy"));
}

#[tokio::test]
async fn during_a_teardown_or_a_restore_other_runs_change_nothing() {
    tokio::join!(others_are_told("teardown"), others_are_told("restore"));
}

#[tokio::test]
async fn during_an_import_other_runs_change_nothing() {
    others_are_told("import").await;
}

/// A job may take hours, and its run holds the lease all the time.
#[tokio::test]
async fn an_import_renews_the_lease_while_it_waits_for_a_long_job() {
    let scene = Scene::before_any("import").await;
    let rules = ImportRules {
        per_user: Duration::from_secs(26),
        ..ImportRules::default()
    };
    let gateway = sandbox().await.gateway();
    gateway.set_import_rules(&scene.pool, rules);
    let until = async || {
        let alias = scene.aws.alias(&scene.names.function, "live").await;
        let lease = alias.expect("asked").and_then(|alias| alias.lease);
        lease.map_or(0, |lease| lease.until_s)
    };
    let watched = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let first = until().await;
        tokio::time::sleep(Duration::from_secs(38)).await;
        (first, until().await)
    };
    let run = scene.run_of(&scene.corner.endpoint, "import");
    let ((first, later), ran) = tokio::join!(watched, run);
    ran.ended(0);
    assert!(first > 0, "held");
    assert!(later >= first + 35, "renewed: {first} {later}");
    assert!(!scene.is_held().await, "the lease was not released");
}

/// Before its first write a run cannot be seen. The second one succeeds, and the first either starts after it or fails with a
/// message about it.
async fn one_of_two_goes_through(first: &str, second: &str, left: &BTreeMap<&str, String>) {
    let _turn = turn().await;
    let when = format!("{second} before the first write of {first}");
    let scene = Scene::before_any(first).await;
    let proxy = Proxy::start(&scene.corner.endpoint, before_writes).await;
    let proxy = proxy.expect("a proxy");
    let url = proxy.url();
    let other = async {
        proxy.held().await;
        let ran = scene.run_of(&scene.corner.endpoint, second).await;
        proxy.release();
        ran
    };
    let (one, other) = tokio::join!(scene.run_of(&url, first), other);
    let state = scene.state().await;
    let when = format!("{when}: {one:#?} {other:#?}");
    if one.code == 0 {
        return assert_same_state(&left[first], &state, &when);
    }
    let expected = [
        "another run has been at work on this pool since the plan was made",
        "changed since the plan was made",
        "ResourceNotFoundException",
    ];
    let expected = expected
        .iter()
        .any(|expected| one.stderr.contains(expected));
    assert!(expected, "{when}");
    assert_same_state(&left[second], &state, &when);
}

/// All of these in pairs, if all find the pool in the same state.
async fn pairs(firsts: &[&str], seconds: &[&str]) {
    let commands: BTreeSet<&str> = firsts.iter().chain(seconds).copied().collect();
    let left = stream::iter(commands)
        .map(async |command| (command, left_by(firsts[0], command).await))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let pairs = firsts.iter().flat_map(|first| {
        let seconds = seconds.iter().copied();
        seconds.map(|second| (*first, second))
    });
    let left = &left;
    stream::iter(pairs)
        .for_each_concurrent(AT_ONCE, async |(first, second)| {
            one_of_two_goes_through(first, second, left).await;
        })
        .await;
}

#[tokio::test]
async fn of_two_runs_started_at_once_one_succeeds_and_the_other_is_rejected() {
    let all = ["redeploy", "teardown", "restore", "import"];
    pairs(
        &all,
        &["redeploy", "teardown", "restore", "rollback", "import"],
    )
    .await;
    pairs(
        &["rollback"],
        &["deploy", "teardown", "restore", "rollback", "import"],
    )
    .await;
    // A restore or a rollback has nothing to change yet.
    pairs(&["deploy"], &["deploy", "teardown"]).await;
}

fn lease_until(from_now_s: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let until = now + from_now_s;
    format!("deploy by ann at ci-7 since 2026-11-26T15:00:00Z until {until} run elsewhere-1-1")
}

#[tokio::test]
async fn a_lease_of_another_machine_expires_or_is_taken_over() {
    let scene = Scene::before("redeploy").await;
    let name = &scene.names.function;
    scene.aws.describe_alias(name, &lease_until(100)).await;
    let ran = scene.run_undisturbed("redeploy").await.ended(1);
    let words =
        "another run is at work on this pool: deploy by ann at ci-7, since 2026-11-26T15:00:00Z";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    scene.run_breaking("redeploy").await.ended(0);
    scene.assert_deployed("taken").await;

    scene.corner.configure("");
    scene.aws.describe_alias(name, &lease_until(-1)).await;
    scene.run_undisturbed("deploy").await.ended(0);
    // Another text in the description is no lease.
    scene.corner.configure("[function]\nmemory_mb = 512\n");
    scene.aws.describe_alias(name, "what customers meet").await;
    scene.run_undisturbed("deploy").await.ended(0);
}

#[tokio::test]
async fn a_run_that_lost_its_lease_moves_no_alias() {
    let scene = Scene::before("redeploy").await;
    let proxy = scene.hold("UpdateFunctionConfiguration").await;
    let url = proxy.url();
    let other = async {
        proxy.held().await;
        scene.run_breaking("redeploy").await.ended(0);
        proxy.release();
    };
    let course = async { tokio::join!(scene.run(&url, "redeploy"), other) };
    let (first, ()) = tokio::time::timeout(Duration::from_secs(120), course)
        .await
        .expect("both end");
    let first = first.ended(1);
    let words = "another run is at work on this pool: deploy by ";
    let shown = [words, "failed to"].map(|words| first.stderr.contains(words));
    assert!(shown.contains(&true), "{first:#?}");
    scene.assert_migrates("taken").await;
    scene.run_undisturbed("redeploy").await.ended(0);
    scene.assert_deployed("taken").await;
}

/// While the read of the alias hangs, another operator takes the migration away, and deploys it again for another client.
#[tokio::test]
async fn a_deploy_that_read_slowly_opens_no_client_without_recording_it() {
    let scene = Scene::new().await;
    scene.run_undisturbed("deploy").await.ended(0);
    // Terraform closes the client, so the next deploy has to open it again.
    let flows = scene.before[3]["ExplicitAuthFlows"].clone();
    scene
        .set_of_client(1, "ExplicitAuthFlows", flows.clone())
        .await;
    let proxy = scene.hold("GetAlias").await;
    let url = proxy.url();
    let other = async {
        proxy.held().await;
        scene.run_undisturbed("teardown").await.ended(0);
        let clients = format!("[pool]\nclients = [{:?}]\n", scene.clients[0]);
        scene.corner.configure(&clients);
        scene.run_undisturbed("deploy").await.ended(0);
        proxy.release();
    };
    let (slow, ()) = tokio::join!(scene.run_of(&url, "deploy"), other);
    slow.ended(0);
    assert_ne!(scene.documents().await[3]["ExplicitAuthFlows"], flows);
    scene.run_undisturbed("teardown").await.ended(0);
    assert_eq!(scene.documents().await[3]["ExplicitAuthFlows"], flows);
    scene.assert_gone("torn down").await;
}
