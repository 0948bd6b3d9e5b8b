//! New code for a live function: code that does not answer never goes live, whatever happens in the run.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jane_migrate_core::resources::tag;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::json;

use super::Scene;
use super::interrupts::interrupted;
use crate::support::Ran;

/// A zip that deploy accepts: a static executable for x86_64. It exits at once.
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
    zipped(&folder.join("broken.zip"), &elf)
}

/// The handler in a zip with another digest, like another build.
pub(super) async fn packed_otherwise(folder: &Path) -> PathBuf {
    let zip = std::fs::File::open(super::zip().await).expect("the zip");
    let mut zip = zip::ZipArchive::new(zip).expect("a zip");
    let mut bootstrap = Vec::new();
    let mut entry = zip.by_name("bootstrap").expect("the handler");
    entry.read_to_end(&mut bootstrap).expect("read");
    zipped(&folder.join("otherwise.zip"), &bootstrap)
}

fn zipped(path: &Path, bootstrap: &[u8]) -> PathBuf {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("a file");
    zip.write_all(bootstrap).expect("written");
    zip.finish().expect("a zip");
    path.to_owned()
}

impl Scene {
    /// A live deployment with customers, and a broken zip to deploy. Returns the digest of the working code.
    async fn with_broken_code() -> (Self, String) {
        let mut scene = Self::live().await;
        let works = scene.live_code().await;
        scene.artifact = Some(broken(scene.corner.folder.path()));
        (scene, works)
    }

    /// The `CodeSha256` of the live code, which must be in the tags.
    pub(super) async fn live_code(&self) -> String {
        let name = &self.names.function;
        let latest = self.aws.function(name).await.unwrap();
        let live = self.aws.function(&format!("{name}:live")).await.unwrap();
        let live = live.expect("a version").code_sha256;
        let tags = latest.expect("a function").function.tags;
        let known = [tag::CODE, tag::CODE_BEFORE];
        assert!(
            known.iter().any(|key| tags.get(*key) == Some(&live)),
            "{tags:?}"
        );
        live
    }

    /// Checks that customers use this code and can sign in, and that the good zip goes live.
    async fn assert_never_live(&mut self, works: &str, ran: &Ran) {
        assert_eq!(self.live_code().await, works, "{ran:#?}");
        self.assert_migrates("what failed is not live").await;
        self.artifact = None;
        self.run_undisturbed("deploy").await.ended(0);
        assert_eq!(self.live_code().await, works);
        self.run_undisturbed("verify").await.ended(0);
        self.assert_migrates("mended").await;
    }
}

#[tokio::test]
async fn code_that_fails_never_goes_live() {
    let (mut scene, works) = Scene::with_broken_code().await;
    // At each attempt.
    for _ in 0..2 {
        let ran = scene.run_undisturbed("deploy").await.ended(1);
        for words in [
            "fails, so alias `live` stays where it was, and customers meet what they met before",
            "hint: fix what the function reports and deploy again",
            "not tried: alias live",
        ] {
            assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
        }
    }
    let ran = scene.run_undisturbed("verify").await;
    assert!(ran.stdout.contains("live-version"), "{ran:#?}");
    assert!(ran.stdout.contains("ok       function-code"), "{ran:#?}");
    scene.assert_never_live(&works, &ran).await;
}

#[tokio::test]
async fn code_that_fails_goes_live_in_no_pool() {
    let mut scene = Scene::live().await;
    let works = scene.live_code().await;
    let other = scene.corner.create_pool(json!({})).await;
    scene.corner.create_client(&other, json!({})).await;
    let first = std::mem::replace(&mut scene.pool, other.clone());
    scene.run_undisturbed("deploy").await.ended(0);
    scene.pool = first;
    scene.artifact = Some(broken(scene.corner.folder.path()));
    let both = ["--pool", &other];
    let ran = scene.disturbed("deploy", &both, |_| Fate::Pass).await;
    let ran = ran.ended(1);
    let shown = ran.stderr.matches("stays where it was");
    assert_eq!(shown.count(), 2, "{ran:#?}");
    let live = format!("jane-migrate-{other}:live");
    let function = scene.aws.function(&live).await;
    assert_eq!(function.unwrap().expect("a function").code_sha256, works);
    scene.assert_never_live(&works, &ran).await;
}

#[tokio::test]
async fn after_an_interrupted_or_denied_run_customers_still_use_the_old_code() {
    let (mut scene, works) = Scene::with_broken_code().await;
    let ran = interrupted(&scene, "deploy", "UpdateFunctionCode", "INT").await;
    scene.assert_never_live(&works, &ran).await;

    let (mut scene, works) = Scene::with_broken_code().await;
    let denied = |passing: &Passing| match passing.action.as_str() {
        "TagResource" if passing.nth == 1 => {
            Fate::Refuse(403, "AccessDeniedException", "User is not authorized")
        }
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], denied).await.ended(1);
    assert!(ran.stderr.contains("User is not authorized"), "{ran:#?}");
    scene.assert_never_live(&works, &ran).await;
}

#[tokio::test]
async fn after_a_kill_before_the_probe_the_next_run_probes_the_new_code() {
    let (mut scene, works) = Scene::with_broken_code().await;
    let there = |passing: &Passing| match passing.action.as_str() {
        "Invoke" => Fate::HoldRequest,
        _ => Fate::Pass,
    };
    let proxy = Proxy::start(&scene.corner.endpoint, there).await;
    let proxy = proxy.expect("a proxy");
    let mut program = scene.start(&proxy.url(), "deploy").await;
    proxy.held().await;
    program.kill().await.expect("killed");
    scene.assert_migrates("killed").await;
    let ran = scene.run_undisturbed("deploy").await.ended(1);
    assert!(ran.stderr.contains("stays where it was"), "{ran:#?}");
    scene.assert_never_live(&works, &ran).await;
}

/// A customer signs in again and again during deploys of working and broken code.
#[tokio::test]
async fn no_sign_in_fails_while_code_and_settings_change() {
    let (mut scene, _) = Scene::with_broken_code().await;
    let (over, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (ended, signed_in) = (Arc::clone(&over), Arc::clone(&count));
    let corner = &scene.corner;
    let customers = async {
        while !ended.load(Ordering::Relaxed) {
            scene.assert_migrates("during a deploy").await;
            signed_in.store(true, Ordering::Relaxed);
        }
    };
    let deploys = async {
        scene.run_undisturbed("deploy").await.ended(1);
        corner.configure("[function]\nmemory_mb = 512\n");
        scene.run_undisturbed("deploy").await.ended(1);
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(customers, deploys);
    assert!(count.load(Ordering::Relaxed));
    scene.artifact = None;
    scene.run_undisturbed("deploy").await.ended(0);
}

#[tokio::test]
async fn versions_older_than_the_previous_one_are_deleted() {
    let scene = Scene::live().await;
    for memory in [300, 400, 500] {
        let toml = format!("[function]\nmemory_mb = {memory}\n");
        scene.corner.configure(&toml);
        scene.run_undisturbed("deploy").await.ended(0);
    }
    let versions = scene.aws.versions(&scene.names.function).await.unwrap();
    let numbered: Vec<u32> = versions
        .iter()
        .filter(|version| version.number != "$LATEST")
        .map(|version| version.runs.function.memory_mb)
        .collect();
    assert_eq!(numbered, [400, 500]);
}
