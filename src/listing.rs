//! A listing of a pool's users that was cut short, kept next to the configuration so that the next `remaining` goes on where it stopped: a
//! million users take ten minutes. Digests and no names, readable by its owner alone, and removed when the count is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dates::now_ms;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::import::index::{Index, Naming, Part};

/// A listing that is older begins anew: too many may have migrated since.
const TOO_OLD_MS: i64 = 60 * 60 * 1000;

/// What a listing must agree with.
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
    /// None after the last one.
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

    /// Fills the index with what an earlier run had, and gives the token of the page after it, or none where it had them all.
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
            // A line that was cut off is the last.
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

    /// Keeps a page. That it cannot be kept does not matter: a run that is cut short then begins anew.
    pub(crate) fn keep(&mut self, part: Part, next: Option<String>) {
        if self.file.is_none() {
            // One page is read again as quickly.
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

    /// The listing is of no use.
    pub(crate) fn forget(&mut self) {
        self.file = None;
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what is kept of a listing: the pool has other users by now.
pub(crate) fn forget(folder: &Path, pool: &PoolId) {
    let _ = fs::remove_file(file(folder, pool));
}

fn file(folder: &Path, pool: &PoolId) -> PathBuf {
    folder.join(format!("jane-migrate.{pool}.listing"))
}
