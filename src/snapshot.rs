//! The pool and its clients as they were before the first change, kept next to the configuration for a person to look at or
//! put back by hand. Client secrets are not in it: the documents never hold them.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::plan::Observed;

/// Writes the snapshot and gives its digest, for the function's tags. One that is there already is the older and stays.
pub fn keep(path: &Path, observed: &Observed) -> anyhow::Result<String> {
    let failed = || format!("failed to keep the snapshot `{}`", path.display());
    let clients: Vec<_> = observed
        .clients
        .iter()
        .map(|client| client.json())
        .collect();
    let snapshot = json!({
        "UserPool": observed.pool.json(),
        "UserPoolMfaConfig": observed.mfa,
        "UserPoolClients": clients,
    });
    let text = serde_json::to_string_pretty(&snapshot).with_context(failed)? + "\n";
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(hex(&Sha256::digest(&text))),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            let kept = std::fs::read(path).with_context(failed)?;
            Ok(hex(&Sha256::digest(kept)))
        }
        Err(error) => Err(error.error).with_context(failed),
    }
}

/// The snapshot that is kept there, with its digest. `None` where there is none, or none that can be read.
pub fn read(path: &Path) -> Option<(Value, String)> {
    let kept = std::fs::read(path).ok()?;
    let digest = hex(&Sha256::digest(&kept));
    Some((serde_json::from_slice(&kept).ok()?, digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
