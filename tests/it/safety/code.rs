//! New code for a function that customers reach: what does not answer must not stay, however the run goes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jane_migrate_core::resources::tag;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::{Value, json};

use super::Scene;
use super::interrupts::interrupted;
use crate::server::{Reply, Server};
use crate::support::Ran;

type Edit = fn(&mut Value);

/// A zip that deploy takes: a static executable for x86_64. It ends as soon as it is started.
fn broken(folder: &Path) -> PathBuf {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // exit(1)
    let code = b"\xb8\x3c\0\0\0\xbf\x01\0\0\0\x0f\x05";
    let size = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(b"\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0");
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(code);
    let path = folder.join("broken.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("a file");
    zip.write_all(&elf).expect("written");
    zip.finish().expect("a zip");
    path
}

impl Scene {
    /// Deployed, with customers, a broken zip to deploy, and no zip that was kept from a build. Gives the code that works.
    async fn with_broken_code() -> (Self, String) {
        let mut scene = Self::live().await;
        let works = scene.code().await;
        let folder = scene.corner.folder.path();
        scene.artifact = Some(broken(folder));
        let cache = folder.join("cache").to_string_lossy().into_owned();
        let cache = ("JANE_MIGRATE_CACHE".to_owned(), cache);
        scene.corner.environment.push(cache);
        (scene, works)
    }

    /// The `CodeSha256` of the function, which must be what its tag says.
    async fn code(&self) -> String {
        let function = self.aws.function(&self.names.function).await.unwrap();
        let function = function.expect("a function");
        assert_eq!(function.function.tags[tag::CODE], function.code_sha256);
        function.code_sha256
    }

    /// The function has this code, customers sign in, and the good zip is no news.
    async fn assert_taken_back(&mut self, works: &str, ran: &Ran) {
        assert!(!ran.stderr.contains("X-Amz-"), "{ran:#?}");
        assert_eq!(self.code().await, works, "{ran:#?}");
        self.assert_migrates("taken back").await;
        self.artifact = None;
        let ran = self.run_undisturbed("deploy").await.ended(0);
        assert!(ran.stdout.contains("No changes."), "{ran:#?}");
    }
}

#[tokio::test]
async fn code_that_fails_is_taken_back_and_sign_ins_go_on() {
    let (mut scene, works) = Scene::with_broken_code().await;
    let more = ["--verbose"];
    let ran = scene.disturbed("deploy", &more, |_| Fate::Pass).await;
    let ran = ran.ended(1);
    for words in [
        "error: with the new code the function fails, so it has its earlier code back and answers",
        "hint: customers sign in as before; fix what the function reports and deploy again",
        "1 taken back",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.assert_taken_back(&works, &ran).await;
}

#[tokio::test]
async fn code_that_was_built_here_is_taken_back_without_being_fetched() {
    let (mut scene, works) = Scene::with_broken_code().await;
    scene.corner.environment.pop();
    let more = ["--json"];
    let nowhere = |passing: &Passing| match passing.action.as_str() {
        "GetFunction" => Fate::Edit(|answer| answer["Code"] = json!({})),
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &more, nowhere).await.ended(1);
    let document = ran.json();
    let steps = document["steps"].as_array().expect("steps");
    let back = |step: &&Value| step["result"] == "taken-back";
    assert_eq!(steps.iter().filter(back).count(), 1, "{ran:#?}");
    let hint = document["error"]["hint"].as_str().expect("a hint");
    assert!(hint.contains("deploy again"), "{ran:#?}");
    scene.assert_taken_back(&works, &ran).await;
}

#[tokio::test]
async fn code_that_fails_is_taken_back_from_every_pool() {
    let mut scene = Scene::live().await;
    let works = scene.code().await;
    let other = scene.corner.create_pool(json!({})).await;
    scene.corner.create_client(&other, json!({})).await;
    let first = std::mem::replace(&mut scene.pool, other.clone());
    scene.run_undisturbed("deploy").await.ended(0);
    scene.pool = first;
    let folder = scene.corner.folder.path();
    scene.artifact = Some(broken(folder));
    let cache = folder.join("cache").to_string_lossy().into_owned();
    let cache = ("JANE_MIGRATE_CACHE".to_owned(), cache);
    scene.corner.environment.push(cache);
    let both = ["--pool", &other];
    let ran = scene.disturbed("deploy", &both, |_| Fate::Pass).await;
    let ran = ran.ended(1);
    let told = ran.stderr.matches("its earlier code back and answers");
    assert_eq!(told.count(), 2, "{ran:#?}");
    let function = scene.aws.function(&format!("jane-migrate-{other}")).await;
    assert_eq!(function.unwrap().expect("a function").code_sha256, works);
    scene.assert_taken_back(&works, &ran).await;
}

#[tokio::test]
async fn settings_that_came_with_the_code_are_taken_back_with_it() {
    let (mut scene, works) = Scene::with_broken_code().await;
    scene.corner.configure("[function]\nmemory_mb = 512\n");
    let ran = scene.run_undisturbed("deploy").await.ended(1);
    assert!(ran.stderr.contains("new code and settings"), "{ran:#?}");
    scene.corner.configure("");
    scene.assert_taken_back(&works, &ran).await;
}

#[tokio::test]
async fn code_that_cannot_be_kept_is_told_before_it_is_replaced() {
    let places: [(Edit, &str); 4] = [
        (|answer| answer["Code"] = json!({}), "names no place"),
        (
            |answer| answer["Code"]["Location"] = json!("http://127.0.0.1:9/zip"),
            "could not be reached",
        ),
        (
            |answer| answer["Code"]["Location"] = moved(answer, "/_ministack/nothing/"),
            "HTTP 403",
        ),
        (
            |answer| answer["Code"]["Location"] = json!(elsewhere()),
            "not the code that was running",
        ),
    ];
    for (place, words) in places {
        let (mut scene, works) = Scene::with_broken_code().await;
        let moved = move |passing: &Passing| match passing.action.as_str() {
            "GetFunction" => Fate::Edit(place),
            _ => Fate::Pass,
        };
        let ran = scene.disturbed("deploy", &[], moved).await.ended(1);
        let (before, after) = ran.stderr.split_once("error: ").expect("an error");
        assert!(before.contains("it cannot be taken back"), "{ran:#?}");
        assert!(before.contains(words), "{words}: {ran:#?}");
        assert!(after.contains("cannot sign in now"), "{ran:#?}");
        assert!(!ran.stderr.contains("X-Amz-"), "{ran:#?}");
        assert_ne!(scene.code().await, works);
        scene.artifact = None;
        scene.run_undisturbed("deploy").await.ended(0);
        scene.assert_migrates("mended").await;
    }
}

/// The address of a server that answers with something else.
fn elsewhere() -> String {
    static OTHER: LazyLock<Server> =
        LazyLock::new(|| Server::start(|_| Reply::json(200, json!({}))));
    OTHER.url()
}

/// The emulator's address of the code, but for its path.
fn moved(answer: &Value, path: &str) -> Value {
    let place = answer["Code"]["Location"].as_str().expect("a place");
    json!(place.replace("/_ministack/lambda-code/", path))
}

#[tokio::test]
async fn code_is_tried_though_the_run_is_interrupted_or_a_call_fails() {
    let (mut scene, works) = Scene::with_broken_code().await;
    let ran = interrupted(&scene, "deploy", "UpdateFunctionCode", "INT").await;
    assert!(ran.stderr.contains("its earlier code back"), "{ran:#?}");
    scene.assert_taken_back(&works, &ran.ended(1)).await;

    let (mut scene, works) = Scene::with_broken_code().await;
    let denied = |passing: &Passing| match passing.action.as_str() {
        "TagResource" if passing.nth == 1 => {
            Fate::Refuse(403, "AccessDeniedException", "User is not authorized")
        }
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], denied).await.ended(1);
    for words in ["User is not authorized", "its earlier code back"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.assert_taken_back(&works, &ran).await;
}

#[tokio::test]
async fn killed_before_the_new_code_was_tried_the_next_run_says_what_it_does() {
    let (mut scene, _) = Scene::with_broken_code().await;
    let there = |passing: &Passing| match passing.action.as_str() {
        "Invoke" => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, there).await;
    let proxy = proxy.expect("a proxy");
    let mut program = scene.start(&proxy.url(), "deploy").await;
    proxy.held().await;
    program.kill().await.expect("killed");
    let ran = scene.run_undisturbed("deploy").await.ended(1);
    for words in ["cannot sign in now", "hint: fix the cause"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.artifact = None;
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_migrates("mended").await;
}
