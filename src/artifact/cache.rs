//! The build cache: sources, cargo's products and finished zips between two builds.
//!
//! Owns its layout, the lock that lets one process at a time build in it, and which zips are kept. Each zip is checked when it is
//! read; a damaged one counts as absent.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jane_migrate_config::Architecture;
use sha2::{Digest, Sha256};

use super::{
    checked::Artifact,
    progress::{OnProgress, Progress},
};
use crate::environment;
use crate::error::{Error, Explain, Result};

/// How many zips are kept: a few pools' kinds and architectures, before and after an upgrade.
const KEEP: usize = 8;

/// How another cache folder is named.
pub(super) const OTHERWISE: &str = "set JANE_MIGRATE_CACHE to a folder that can be written to";

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// The cache folder: `JANE_MIGRATE_CACHE`, or the system's folder for caches.
pub fn default_cache() -> Result<PathBuf> {
    let set = |name: &str| environment::var_os(name.as_ref()).map(PathBuf::from);
    if let Some(own) = set("JANE_MIGRATE_CACHE") {
        return std::path::absolute(&own).explain(
            format_args!("failed to use JANE_MIGRATE_CACHE `{}`", own.display()),
            OTHERWISE,
        );
    }
    // A relative XDG_CACHE_HOME is to be ignored, says its specification.
    let xdg = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || {
        env::home_dir().map(|home| {
            home.join(if cfg!(target_os = "macos") {
                "Library/Caches"
            } else {
                ".cache"
            })
        })
    };
    let base = xdg.or_else(home).ok_or_else(|| {
        Error::new(
            "failed to find a folder to build the handler in: no home directory",
            "set JANE_MIGRATE_CACHE to a folder",
        )
    })?;
    Ok(base.join("jane-migrate"))
}

/// A zip that was built here and has this `CodeSha256`, if it is still there and whole.
pub(super) fn zip_of(root: &Path, code_sha256: &str) -> Option<Vec<u8>> {
    let wanted = hex::encode(BASE64.decode(code_sha256).ok()?);
    let zips = fs::read_dir(root.join("zips")).ok()?.flatten();
    zips.map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zip"))
        .filter(|zip| {
            fs::read_to_string(digest_file(zip))
                .is_ok_and(|digest| digest.split_whitespace().next() == Some(wanted.as_str()))
        })
        .filter_map(|zip| fs::read(zip).ok())
        .find(|zip| hex::encode(Sha256::digest(zip)) == wanted)
}

/// The cache, in a folder that exists.
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(super) fn open(root: &Path) -> Result<Self> {
        // Cargo names files by their real path, and only a prefix that really occurs is remapped.
        let zips = root.join("zips");
        let real = fs::create_dir_all(&zips).and_then(|()| root.canonicalize());
        let root = real.map_err(|error| Error::unwritable(&zips, error, OTHERWISE))?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the sources are unpacked. One place for all versions, so that cargo can use again what did not change.
    pub(super) fn source(&self) -> PathBuf {
        self.root.join("source")
    }

    /// Cargo's target directory.
    pub(super) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The place for the zip made from all of these.
    pub(super) fn entry(&self, made_from: &[&str]) -> Entry {
        let key = hex::encode(Sha256::digest(made_from.join("\0")));
        Entry {
            zip: self.root.join("zips").join(format!("{}.zip", &key[..32])),
        }
    }

    /// Waits until no other process builds. Polls, because Ctrl-C could not interrupt a wait in the kernel.
    pub(super) async fn lock(&self, progress: OnProgress<'_>) -> Result<File> {
        let path = self.root.join("lock");
        let failed = |error| Error::unwritable(&path, error, OTHERWISE);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        let mut waiting = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if waiting => tokio::time::sleep(LOCK_POLL).await,
                Err(TryLockError::WouldBlock) => {
                    progress(Progress::Step(
                        "waiting for another jane-migrate that is building",
                    ));
                    waiting = true;
                }
            }
        }
    }
}

/// One finished zip, or the place for it. Beside it lies its digest, as `sha256sum` writes it.
pub(super) struct Entry {
    zip: PathBuf,
}

impl Entry {
    /// The zip, if it is there and whole.
    pub(super) fn find(&self, architecture: Architecture) -> Option<Artifact> {
        let digest = fs::read_to_string(self.digest_file()).ok()?;
        let artifact = Artifact::inspect(&self.zip, architecture).ok()?;
        // `source` is for now the digest of the zip.
        if digest.split_whitespace().next() != Some(&artifact.source) {
            return None;
        }
        // The time of the last use decides which zips are deleted. A time that cannot be set does no harm.
        let _ = File::options()
            .append(true)
            .open(&self.zip)
            .and_then(|zip| zip.set_modified(SystemTime::now()));
        Some(Artifact {
            cached: true,
            ..artifact
        })
    }

    /// Stores a zip and deletes the least recently used ones. The lock must be held.
    pub(super) fn store(&self, zip: &[u8], architecture: Architecture) -> Result<Artifact> {
        let attempt = || {
            // The digest is the last to be written: an interruption leaves an entry that does not count.
            let unfinished = self.zip.with_extension("zip.tmp");
            fs::write(&unfinished, zip)?;
            fs::rename(&unfinished, &self.zip)?;
            fs::write(
                self.digest_file(),
                format!(
                    "{}  {}\n",
                    hex::encode(Sha256::digest(zip)),
                    self.file_name()
                ),
            )?;
            self.prune_siblings()
        };
        attempt().map_err(|error| Error::unwritable(&self.zip, error, OTHERWISE))?;
        Artifact::inspect(&self.zip, architecture)
    }

    fn prune_siblings(&self) -> io::Result<()> {
        let Some(folder) = self.zip.parent() else {
            return Ok(());
        };
        let mut zips = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "zip") {
                zips.push((path.metadata()?.modified()?, path));
            }
        }
        zips.sort();
        let surplus = zips.len().saturating_sub(KEEP);
        for (_, path) in &zips[..surplus] {
            fs::remove_file(path)?;
            match fs::remove_file(digest_file(path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn digest_file(&self) -> PathBuf {
        digest_file(&self.zip)
    }

    fn file_name(&self) -> String {
        self.zip
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

fn digest_file(zip: &Path) -> PathBuf {
    zip.with_extension("zip.sha256")
}

#[cfg(test)]
mod tests {
    use super::{super::archive, *};

    const ARCHITECTURE: Architecture = Architecture::X86_64;

    /// The head of a static executable for x86_64: enough to be recognised as one.
    fn executable(payload: u8) -> Vec<u8> {
        let mut elf = vec![0; 65];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        elf[16] = 2;
        elf[18] = 62;
        elf[20] = 1;
        elf[52] = 64;
        elf[64] = payload;
        elf
    }

    fn zip(payload: u8) -> Vec<u8> {
        archive::zip(&executable(payload)).unwrap()
    }

    #[test]
    fn what_is_stored_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let entry = cache.entry(&["sources", "rustc 1.95.0"]);
        assert!(entry.find(ARCHITECTURE).is_none());
        let stored = entry.store(&zip(1), ARCHITECTURE).unwrap();
        let found = entry.find(ARCHITECTURE).unwrap();
        assert!(!stored.cached && found.cached);
        assert_eq!(stored.code_sha256, found.code_sha256);
        assert_eq!(found.read().unwrap(), zip(1));
        assert!(
            cache
                .entry(&["sources", "rustc 1.96.0"])
                .find(ARCHITECTURE)
                .is_none()
        );
    }

    #[test]
    fn what_is_damaged_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let entry = Cache::open(folder.path()).unwrap().entry(&["sources"]);
        entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::write(&entry.zip, zip(2)).unwrap();
        assert!(entry.find(ARCHITECTURE).is_none());
        entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::remove_file(entry.digest_file()).unwrap();
        assert!(entry.find(ARCHITECTURE).is_none());
    }

    #[test]
    fn an_artifact_that_changed_after_the_check_is_not_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        let entry = Cache::open(folder.path()).unwrap().entry(&["sources"]);
        let artifact = entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::write(&artifact.zip, zip(2)).unwrap();
        assert!(artifact.read().is_err());
    }

    #[test]
    fn the_last_used_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let entries: Vec<_> = (0..KEEP + 2)
            .map(|n| cache.entry(&[&n.to_string()]))
            .collect();
        let start = SystemTime::now() - Duration::from_secs(3600);
        for (entry, age) in entries.iter().zip(0..) {
            if age == KEEP as u64 {
                entries[0].find(ARCHITECTURE).unwrap();
            }
            entry.store(&zip(1), ARCHITECTURE).unwrap();
            let written = File::options().append(true).open(&entry.zip).unwrap();
            written
                .set_modified(start + Duration::from_secs(age))
                .unwrap();
        }
        let kept: Vec<_> = entries
            .iter()
            .map(|entry| entry.find(ARCHITECTURE).is_some())
            .collect();
        let mut expected = vec![true; KEEP + 2];
        expected[1..3].fill(false);
        assert_eq!(kept, expected);
        assert_eq!(
            fs::read_dir(folder.path().join("zips")).unwrap().count(),
            2 * KEEP
        );
    }

    #[tokio::test]
    async fn the_second_builder_waits_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let first = cache.lock(&|_| {}).await.unwrap();
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |progress: Progress<'_>| said.send(format!("{progress:?}")).unwrap();
        let (second, ()) = tokio::join!(cache.lock(&tell), async {
            assert!(heard.recv().await.unwrap().contains("another jane-migrate"));
            drop(first);
        });
        second.unwrap();
    }
}
