//! The build cache: sources, cargo's products and finished zips between two builds.
//!
//! Owns its layout, the lock that lets one process at a time build in it, and which zips are kept. Its content is not trusted: a
//! folder that other users can write to is refused, and each zip must have the digest that this machine stored in another folder
//! when it built the zip. A damaged zip, or a cache copied here as CI services do, is therefore built again.

use std::{
    fs,
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jane_migrate_config::Architecture;
use sha2::{Digest, Sha256};

use super::{
    checked::Artifact,
    private::{self, OTHERWISE},
    progress::{OnProgress, Progress},
};
use crate::environment;
use crate::error::{Error, Explain, Result};

/// How many zips are kept: for a few kinds and architectures, before and after an upgrade.
const KEEP: usize = 8;

/// The hint for another folder for the digests.
const RECORDS_OTHERWISE: &str = "set XDG_STATE_HOME to a folder that can be written to";

/// The extension of a file that is not completely written yet.
const UNFINISHED: &str = "tmp";

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// A folder that a variable names.
fn set(name: &str) -> Option<PathBuf> {
    environment::var_os(name.as_ref()).map(PathBuf::from)
}

/// A folder of this program for one purpose: in the folder that the variable `xdg` names, or in the system's default one.
fn own_folder(xdg: &str, usual: &str, macos: &str) -> Option<PathBuf> {
    let usual = if cfg!(target_os = "macos") {
        macos
    } else {
        usual
    };
    Some(environment::folder(xdg, usual)?.join("jane-migrate"))
}

/// The folder for the digests of what was built: the system's folder for a program's state.
pub fn default_records() -> Result<PathBuf> {
    own_folder(
        "XDG_STATE_HOME",
        ".local/state",
        "Library/Application Support",
    )
    .ok_or_else(|| {
        Error::new(
            "failed to find a folder for the digests of what is built: no home directory",
            RECORDS_OTHERWISE,
        )
    })
}

/// The cache folder: `JANE_MIGRATE_CACHE`, or the system's folder for caches.
pub fn default_cache() -> Result<PathBuf> {
    if let Some(own) = set("JANE_MIGRATE_CACHE") {
        return std::path::absolute(&own).explain(
            format_args!("failed to use JANE_MIGRATE_CACHE `{}`", own.display()),
            OTHERWISE,
        );
    }
    own_folder("XDG_CACHE_HOME", ".cache", "Library/Caches").ok_or_else(|| {
        Error::new(
            "failed to find a folder to build the handler in: no home directory",
            "set JANE_MIGRATE_CACHE to a folder",
        )
    })
}

/// The folder with this path, created if missing, by its real path. Refused if others can write to it.
pub fn private_folder(path: &Path) -> Result<PathBuf> {
    // Cargo names files by their real path, and only a prefix that really occurs is remapped.
    let real = private::create(path).and_then(|()| path.canonicalize());
    let real = real.map_err(|error| Error::unwritable(path, error, OTHERWISE))?;
    private::check(&real)?;
    Ok(real)
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The files in a folder with this extension; none if the folder does not exist.
fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let paths: io::Result<Vec<_>> = entries?.map(|entry| Ok(entry?.path())).collect();
            Ok(paths?
                .into_iter()
                .filter(|path| is(path, extension))
                .collect())
        }
    }
}

fn removed(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// The cache, in a folder that exists.
pub(super) struct Cache {
    root: PathBuf,
    /// The digests of its zips. It exists if this machine built what is in the cache.
    records: PathBuf,
}

impl Cache {
    /// Opens the cache in the folder `root`, whose digests are in `records`, and removes the incomplete files of an interrupted
    /// run.
    pub(super) fn open(root: &Path, records: &Path) -> Result<Self> {
        let root = private_folder(root)?;
        for part in ["zips", "source", "target"] {
            private_folder(&root.join(part))?;
        }
        let digest = hex::encode(Sha256::digest(root.as_os_str().as_encoded_bytes()));
        let cache = Self {
            records: records.join(&digest[..16]),
            root,
        };
        // If the lock is held, another process is still writing.
        let lock = cache.lock_file().map(|lock| lock.try_lock().map(|()| lock));
        if let Ok(Ok(_lock)) = lock {
            for half in files(&cache.root.join("zips"), UNFINISHED).unwrap_or_default() {
                let _ = fs::remove_file(half);
            }
        }
        Ok(cache)
    }

    /// Empties a cache that this machine has not built: a build would reuse what another machine compiled. The lock must be held.
    pub(super) fn make_ours(&self) -> Result<()> {
        if self.records.is_dir() {
            return Ok(());
        }
        for part in ["zips", "source", "target"] {
            let part = self.root.join(part);
            fs::remove_dir_all(&part)
                .and_then(|()| private::create(&part))
                .map_err(|error| Error::unwritable(&part, error, OTHERWISE))?;
        }
        private::create(&self.records)
            .map_err(|error| Error::unwritable(&self.records, error, RECORDS_OTHERWISE))
    }

    fn lock_file(&self) -> io::Result<File> {
        let options = &mut File::options();
        let options = options.create(true).truncate(false).write(true);
        options.open(self.root.join("lock"))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the sources are unpacked. One place for all versions, so that cargo can reuse what did not change.
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
        let name = &key[..32];
        Entry {
            zip: self.root.join("zips").join(format!("{name}.zip")),
            record: self.records.join(format!("{name}.sha256")),
        }
    }

    /// Waits until no other process builds. Polls, because Ctrl-C could not interrupt a wait in the kernel.
    pub(super) async fn lock(&self, progress: OnProgress<'_>) -> Result<File> {
        let failed = |error| Error::unwritable(&self.root.join("lock"), error, OTHERWISE);
        let lock = self.lock_file().map_err(failed)?;
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

/// One finished zip, or the place for it.
pub(super) struct Entry {
    zip: PathBuf,
    /// The file that holds its digest.
    record: PathBuf,
}

impl Entry {
    /// The zip, if it is there and whole.
    pub(super) fn find(&self, architecture: Architecture) -> Option<Artifact> {
        let digest = fs::read_to_string(&self.record).ok()?;
        let artifact = Artifact::inspect(&self.zip, architecture).ok()?;
        // `source` is still the digest of the zip here.
        if digest.trim() != artifact.source {
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
        let artifact = Artifact::of(zip, &self.zip, architecture)?;
        let attempt = || {
            let unfinished = self.zip.with_extension(UNFINISHED);
            fs::write(&unfinished, zip)?;
            fs::rename(&unfinished, &self.zip)?;
            self.prune_siblings()
        };
        attempt().map_err(|error| Error::unwritable(&self.zip, error, OTHERWISE))?;
        // Written last: an interrupted run leaves an entry that is not used.
        fs::write(&self.record, &artifact.source)
            .map_err(|error| Error::unwritable(&self.record, error, RECORDS_OTHERWISE))?;
        Ok(artifact)
    }

    fn prune_siblings(&self) -> io::Result<()> {
        let Some(folder) = self.zip.parent() else {
            return Ok(());
        };
        let mut zips = Vec::new();
        for path in files(folder, "zip")? {
            zips.push((path.metadata()?.modified()?, path));
        }
        zips.sort();
        let surplus = zips.len().saturating_sub(KEEP);
        for (_, path) in &zips[..surplus] {
            fs::remove_file(path)?;
            let name = path.with_extension("sha256");
            let record = self
                .record
                .with_file_name(name.file_name().unwrap_or_default());
            removed(fs::remove_file(record))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::archive, *};

    const ARCHITECTURE: Architecture = Architecture::X86_64;

    /// The head of a static executable for x86_64, enough for the check.
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

    /// A cache in `folder` that this machine built.
    fn open(folder: &Path) -> Cache {
        let cache = Cache::open(&folder.join("cache"), &folder.join("records")).unwrap();
        cache.make_ours().unwrap();
        cache
    }

    #[test]
    fn a_stored_zip_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
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
    fn a_damaged_zip_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let entry = open(folder.path()).entry(&["sources"]);
        entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::write(&entry.zip, zip(2)).unwrap();
        assert!(entry.find(ARCHITECTURE).is_none());
        entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::remove_file(&entry.record).unwrap();
        assert!(entry.find(ARCHITECTURE).is_none());
    }

    #[test]
    fn a_cache_from_another_machine_is_not_used() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = open(theirs.path());
        made.entry(&["sources"])
            .store(&zip(1), ARCHITECTURE)
            .unwrap();
        fs::write(made.target().join("object"), "compiled elsewhere").unwrap();
        fs::rename(theirs.path().join("cache"), ours.path().join("cache")).unwrap();

        let cache = Cache::open(&ours.path().join("cache"), &ours.path().join("records")).unwrap();
        let entry = cache.entry(&["sources"]);
        assert!(entry.find(ARCHITECTURE).is_none());
        cache.make_ours().unwrap();
        assert!(!cache.target().join("object").exists());
        entry.store(&zip(1), ARCHITECTURE).unwrap();
        cache.make_ours().unwrap();
        assert!(entry.find(ARCHITECTURE).is_some());
    }

    #[test]
    fn the_next_run_removes_incomplete_files_unless_another_process_writes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        let half = cache.root.join("zips/0.tmp");
        fs::write(&half, "half").unwrap();
        let lock = cache.lock_file().unwrap();
        lock.lock().unwrap();
        open(folder.path());
        assert!(half.exists());
        // Dropping is not enough: a program that another test starts at this moment has the file, too.
        lock.unlock().unwrap();
        open(folder.path());
        assert!(!half.exists());
    }

    #[test]
    fn an_artifact_that_changed_after_the_check_is_not_uploaded() {
        let folder = tempfile::tempdir().unwrap();
        let entry = open(folder.path()).entry(&["sources"]);
        let artifact = entry.store(&zip(1), ARCHITECTURE).unwrap();
        fs::write(&artifact.zip, zip(2)).unwrap();
        assert!(artifact.read().is_err());
    }

    #[test]
    fn the_most_recently_used_zips_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
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
        for (what, folder) in [("zip", cache.root.join("zips")), ("sha256", cache.records)] {
            assert_eq!(files(&folder, what).unwrap().len(), KEEP);
        }
    }

    #[tokio::test]
    async fn a_second_build_waits_and_reports_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
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
