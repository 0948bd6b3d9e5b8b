//! An interrupted listing of a pool's users, saved next to the configuration so that the next `remaining` continues where it
//! stopped: a million users take ten minutes. It contains digests and no names, only its owner can read it, and it is removed
//! when the count is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dates::now_ms;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::import::index::{Index, Naming, Part};

/// An older listing starts again: too many users may have migrated since.
const TOO_OLD_MS: i64 = 60 * 60 * 1000;

/// A saved listing must match this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    version: u32,
    pool: String,
    naming: Naming,
    subs: bool,
    begun_ms: i64,
}

/// A page, with the token of the next one.
#[derive(Serialize, Deserialize)]
struct Page {
    part: Part,
    /// None after the last page.
    next: Option<String>,
}

/// The file of a listing.
pub(crate) struct Listing {
    path: PathBuf,
    file: Option<File>,
    head: Head,
}

impl Listing {
    /// The listing of this pool.
    pub(crate) fn of(folder: &Path, pool: &PoolId, naming: &Naming, subs: bool) -> Self {
        Self {
            path: file(folder, pool),
            file: None,
            head: Head {
                version: 1,
                pool: pool.to_string(),
                naming: naming.clone(),
                subs,
                begun_ms: now_ms(),
            },
        }
    }

    /// Fills the index from an earlier run, and returns the token of the next page, or none if the list was complete.
    pub(crate) fn resume(&mut self, index: &mut Index) -> Option<Option<String>> {
        let mut lines = BufReader::new(File::open(&self.path).ok()?).lines();
        let head: Head = serde_json::from_str(&lines.next()?.ok()?).ok()?;
        let age = self.head.begun_ms - head.begun_ms;
        let same = Head {
            begun_ms: self.head.begun_ms,
            ..head.clone()
        };
        if same != self.head || !(0..TOO_OLD_MS).contains(&age) {
            return None;
        }
        let mut next = None;
        let mut whole = serde_json::to_string(&head).ok()?.len() as u64 + 1;
        for line in lines {
            // A truncated line is the last one.
            let Ok(line) = line else { break };
            let Ok(page) = serde_json::from_str::<Page>(&line) else {
                break;
            };
            if !index.restore(&page.part) {
                break;
            }
            whole += line.len() as u64 + 1;
            next = Some(page.next);
        }
        let file = OpenOptions::new().append(true).open(&self.path).ok()?;
        file.set_len(whole).ok()?;
        self.file = Some(file);
        self.head = head;
        next
    }

    /// Saves a page. A failure does not matter: after an interruption the listing then starts again.
    pub(crate) fn keep(&mut self, part: Part, next: Option<String>) {
        if self.file.is_none() {
            // A single page is quickly read again.
            if next.is_none() {
                return;
            }
            self.file = self.begin().ok();
        }
        let line = serde_json::to_string(&Page { part, next });
        if let (Some(file), Ok(line)) = (&mut self.file, line)
            && file.write_all((line + "\n").as_bytes()).is_err()
        {
            self.forget();
        }
    }

    fn begin(&self) -> io::Result<File> {
        let _ = fs::remove_file(&self.path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&self.path)?;
        let head = serde_json::to_string(&self.head)?;
        file.write_all((head + "\n").as_bytes())?;
        Ok(file)
    }

    /// The listing cannot be used.
    pub(crate) fn forget(&mut self) {
        self.file = None;
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the saved listing: the pool's users have changed.
pub(crate) fn forget(folder: &Path, pool: &PoolId) {
    let _ = fs::remove_file(file(folder, pool));
}

fn file(folder: &Path, pool: &PoolId) -> PathBuf {
    folder.join(format!("jane-migrate.{pool}.listing"))
}
