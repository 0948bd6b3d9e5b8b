//! The exact figures of the last `remaining` or `import`, saved next to the configuration: figures without names. `status` and
//! `teardown` use them instead of an estimate.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::dates::utc;
use crate::files;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::import::census::Census;

/// The figures of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exact {
    /// When they were counted, UTC.
    pub at: String,
    /// The same in milliseconds since 1970.
    pub at_ms: i64,
    /// Users in the directory's list.
    pub directory: u64,
    /// Of these, the users in the pool.
    pub migrated: u64,
    /// Of the migrated users, those who never set a new password after *forgot password*.
    pub half_finished: u64,
    /// Of the listed users, those not in the pool.
    pub remaining: u64,
}

impl Exact {
    /// The last saved figures, if there are any.
    pub fn kept(folder: &Path, pool: &PoolId) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(folder, pool)).ok()?).ok()
    }

    /// The figures of this count.
    pub fn of(census: &Census, at_ms: i64) -> Self {
        Self {
            at: utc(at_ms),
            at_ms,
            directory: census.directory,
            migrated: census.migrated,
            half_finished: census.half_finished,
            remaining: census.remaining,
        }
    }

    /// Saves them.
    pub fn keep(&self, folder: &Path, pool: &PoolId) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        files::write(&file(folder, pool), text.as_bytes())
    }
}

fn file(folder: &Path, pool: &PoolId) -> PathBuf {
    folder.join(format!("jane-migrate.{pool}.remaining.json"))
}
