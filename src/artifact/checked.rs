//! A zip after its check: all facts come from its bytes, so a cached zip, a new one and one from `--artifact` pass the same checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jane_migrate_config::Architecture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Explain, Result};

use super::{
    archive,
    elf::{self, Linkage},
};

/// Lambda's limit for a direct upload.
pub const LARGEST_ZIP: u64 = 50 * 1024 * 1024;

/// A zip that Lambda can run.
#[derive(Clone, Debug, Serialize)]
pub struct Artifact {
    /// Its path.
    pub zip: PathBuf,
    /// Its SHA-256 as Lambda shows it (`CodeSha256`).
    pub code_sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What its `bootstrap` was compiled for.
    pub architecture: Architecture,
    /// What its `bootstrap` needs of the system it runs on.
    pub linkage: Linkage,
    /// The digest of what it was built from, as [`super::source_digest`] gives it; of the zip itself if it was built
    /// elsewhere.
    pub source: String,
    /// Whether it existed already.
    pub cached: bool,
}

impl Artifact {
    /// The bytes to upload. Fails if they are no longer those that were checked.
    pub fn read(&self) -> Result<Vec<u8>> {
        let zip = read(&self.zip)?;
        if BASE64.encode(Sha256::digest(&zip)) != self.code_sha256 {
            return Err(Error::new(
                format!("`{}` changed while it was being used", self.zip.display()),
                "run the command again once nothing else writes that file",
            ));
        }
        Ok(zip)
    }

    /// The executable in the zip, to run it on this machine.
    pub fn bootstrap(&self) -> Result<Vec<u8>> {
        archive::bootstrap(&self.read()?)
    }

    /// Checks a zip, and refuses one that Lambda could not run.
    pub(super) fn inspect(path: &Path, architecture: Architecture) -> Result<Self> {
        Self::of(&read(path)?, path, architecture)
    }

    /// The same for the bytes of a zip that is at this path, or will be written to it.
    pub(super) fn of(zip: &[u8], path: &Path, architecture: Architecture) -> Result<Self> {
        let size = zip.len() as u64;
        if size > LARGEST_ZIP {
            return Err(Error::new(
                format!(
                    "{size} bytes are more than the {LARGEST_ZIP} that Lambda takes in an upload"
                ),
                "strip the executable of its debug information before zipping it",
            ));
        }
        let digest = Sha256::digest(zip);
        Ok(Self {
            zip: path.to_owned(),
            code_sha256: BASE64.encode(digest),
            size,
            architecture,
            linkage: elf::check(&archive::bootstrap(zip)?, architecture)?,
            source: hex::encode(digest),
            cached: false,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).explain(
        format_args!("failed to read `{}`", path.display()),
        "check the name of the file, and that this user may read it",
    )
}
