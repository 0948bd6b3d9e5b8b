//! The handlers that come with a release: `share/jane-migrate/handlers/SOURCE.zip`, beside the `bin` that holds the program.
//!
//! They are trusted like the program, because they were installed together. The name is the digest of a handler's sources, so a
//! handler of another version is never used.

use std::env;
use std::path::{Path, PathBuf};

use jane_migrate_config::Architecture;

use super::checked::Artifact;

/// The handler of these sources, if the release has it.
pub(super) fn find(source: &str, architecture: Architecture) -> Option<Artifact> {
    find_in(&folder()?, source, architecture)
}

fn folder() -> Option<PathBuf> {
    // A package manager may have put a symbolic link into its `bin`.
    let program = env::current_exe().ok()?.canonicalize().ok()?;
    let prefix = program.parent()?.parent()?;
    Some(prefix.join("share/jane-migrate/handlers"))
}

fn find_in(folder: &Path, source: &str, architecture: Architecture) -> Option<Artifact> {
    let zip = folder.join(format!("{source}.zip"));
    if !zip.is_file() {
        return None;
    }
    match Artifact::inspect(&zip, architecture) {
        Ok(artifact) => Some(Artifact {
            source: source.to_owned(),
            cached: true,
            ..artifact
        }),
        Err(error) => {
            log::warn!("the release's handler cannot be used: {error:#}");
            None
        }
    }
}
