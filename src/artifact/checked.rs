//! A zip that was looked into: everything is learned from its bytes, so that a cached, a fresh and a brought one pass the same
//! checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jane_migrate_config::Architecture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    archive,
    elf::{self, Linkage},
};

/// What Lambda takes in one direct upload.
pub const LARGEST_ZIP: u64 = 50 * 1024 * 1024;

/// A zip that Lambda can run.
#[derive(Clone, Debug, Serialize)]
pub struct Artifact {
    /// Where it lies.
    pub zip: PathBuf,
    /// Its SHA-256 as Lambda shows it (`CodeSha256`).
    pub code_sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What its `bootstrap` was compiled for.
    pub architecture: Architecture,
    /// What its `bootstrap` needs of the system it runs on.
    pub linkage: Linkage,
    /// The digest of what it was built from, as [`super::source_digest`] gives it; of the zip itself for one that was brought.
    pub source: String,
    /// Whether it was there already.
    pub cached: bool,
}

impl Artifact {
    /// The bytes to upload. Fails where they are no longer the ones that were checked.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let zip = read(&self.zip)?;
        ensure!(
            BASE64.encode(Sha256::digest(&zip)) == self.code_sha256,
            "`{}` changed while it was being used",
            self.zip.display()
        );
        Ok(zip)
    }

    /// The executable inside, to run it here.
    pub fn bootstrap(&self) -> anyhow::Result<Vec<u8>> {
        archive::bootstrap(&self.read()?)
    }

    /// Looks into a zip, and refuses one that Lambda would not run.
    pub(super) fn inspect(path: &Path, architecture: Architecture) -> anyhow::Result<Self> {
        let zip = read(path)?;
        let size = zip.len() as u64;
        ensure!(
            size <= LARGEST_ZIP,
            "{size} bytes are more than the {LARGEST_ZIP} that Lambda takes in an upload"
        );
        let digest = Sha256::digest(&zip);
        Ok(Self {
            zip: path.to_owned(),
            code_sha256: BASE64.encode(digest),
            size,
            architecture,
            linkage: elf::check(&archive::bootstrap(&zip)?, architecture)?,
            source: hex::encode(digest),
            cached: false,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}
