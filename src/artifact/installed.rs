//! The handlers that a release brings along: `share/jane-migrate/handlers/SOURCE.zip`, beside the `bin` that the program is in.
//!
//! They are believed as the program is, because whatever installed the one installed the other. The name is the digest of a
//! handler's sources, so that one of another version is never taken for ours.

use std::env;
use std::path::{Path, PathBuf};

use jane_migrate_config::Architecture;

use super::checked::Artifact;

/// The handler of these sources, where the release brought it.
pub(super) fn find(source: &str, architecture: Architecture) -> Option<Artifact> {
    find_in(&folder()?, source, architecture)
}

fn folder() -> Option<PathBuf> {
    // A package manager may have put a link into its `bin`.
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
