//! The pool and its clients before the first change, saved next to the configuration for people to read and for `restore` to put
//! back. It contains no client secrets: the documents never have them. The file's name contains the start of its digest, and the
//! digest is in the function's tags, so that any machine can find the right file.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Explain, Result};
use jane_migrate_core::check;
use jane_migrate_core::document::{ClientDocument, PoolDocument, differences};
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::plan::Kept;
use jane_migrate_core::record::{CHANGED, Record};

/// A saved snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// Whether this run wrote the file.
    pub new: bool,
}

/// Writes the snapshot into the folder; `changed` is what the migration has changed in the pool, or is about to change. The same
/// pool gives the same file, even if its date of change differs; an existing file is never changed.
pub fn keep(
    folder: &Path,
    pool: &PoolDocument,
    mfa: &Value,
    clients: &[ClientDocument],
    changed: Option<&Record>,
) -> Result<Snapshot> {
    let clients: Vec<_> = clients.iter().map(ClientDocument::json).collect();
    let mut snapshot = json!({
        "UserPool": pool.json(),
        "UserPoolMfaConfig": mfa,
        "UserPoolClients": clients,
    });
    if let Some(changed) = changed {
        snapshot[CHANGED] = changed.to_json();
    }
    // An existing file with the same content is used: with two of them it would be unclear which one to take.
    let earlier = pool.id().parse().map(|id| kept(folder, &id));
    let untouched = |one: &check::Snapshot| one.path.ends_with(&file_name(pool.id(), &one.digest));
    let mut earlier = earlier.into_iter().flatten();
    if let Some(same) = earlier.find(|one| untouched(one) && is_same(&one.json, &snapshot)) {
        return Ok(Snapshot {
            path: same.path.into(),
            digest: same.digest,
            new: false,
        });
    }
    let text = format!("{snapshot:#}\n");
    let digest = hex::encode(Sha256::digest(&text));
    let path = folder.join(file_name(pool.id(), &digest));
    let here = Some(folder).filter(|folder| !folder.as_os_str().is_empty());
    let attempt = || {
        let mut file = tempfile::NamedTempFile::new_in(here.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
            Ok(_) => Ok(true),
        }
    };
    let new = attempt().map_err(|error| {
        let otherwise = "keep the configuration in a folder that can be written to: the snapshot goes next to it";
        Error::unwritable(&path, error, otherwise).context("failed to keep the snapshot, so nothing was changed")
    })?;
    Ok(Snapshot { path, digest, new })
}

/// Whether two snapshots are the same, except for fields that change by themselves.
fn is_same(one: &Value, other: &Value) -> bool {
    let clients = |snapshot: &Value| snapshot["UserPoolClients"].as_array().cloned();
    let (ones, others) = (
        clients(one).unwrap_or_default(),
        clients(other).unwrap_or_default(),
    );
    let parts = ["UserPool", "UserPoolMfaConfig"].map(|part| (&one[part], &other[part]));
    ones.len() == others.len()
        && one.get(CHANGED) == other.get(CHANGED)
        && parts
            .into_iter()
            .chain(ones.iter().zip(&others))
            .all(|(one, other)| differences(one, other).is_empty())
}

/// The name of a snapshot: `jane-migrate.POOL.DIGEST.snapshot.json`.
pub fn file_name(pool: &str, digest: &str) -> String {
    let begin = digest.get(..8).unwrap_or(digest);
    format!("jane-migrate.{pool}.{begin}.snapshot.json")
}

/// Reads a snapshot.
pub fn read(path: &Path) -> Result<Kept> {
    let failed = format!("failed to read the snapshot `{}`", path.display());
    let text = std::fs::read(path).explain(
        &failed,
        "deploy keeps snapshots next to the configuration: `ls jane-migrate.*.snapshot.json` lists them",
    )?;
    parse(path, &text).explain(
        failed,
        "restore needs a file that deploy wrote, next to the configuration: `ls jane-migrate.*.snapshot.json` lists them",
    )
}

fn parse(path: &Path, text: &[u8]) -> anyhow::Result<Kept> {
    let digest = hex::encode(Sha256::digest(text));
    let mut snapshot: Value = serde_json::from_slice(text)?;
    let pool = PoolDocument::from_json(snapshot["UserPool"].take())?;
    let clients = match snapshot["UserPoolClients"].take() {
        Value::Array(clients) => clients,
        _ => Vec::new(),
    };
    let name = file_name(pool.id(), &digest);
    Ok(Kept {
        changed: Record::of_snapshot(&snapshot).unwrap_or_default(),
        untouched: path.file_name().is_some_and(|file| *file == *name),
        id: pool.id().parse().map_err(anyhow::Error::msg)?,
        mfa: snapshot["UserPoolMfaConfig"].take(),
        clients: clients
            .into_iter()
            .map(ClientDocument::from_json)
            .collect::<std::result::Result<_, _>>()?,
        pool,
    })
}

/// The saved snapshots of a pool in the folder, each with its digest. An unreadable file is ignored.
pub fn kept(folder: &Path, pool: &PoolId) -> Vec<check::Snapshot> {
    let here = Some(folder).filter(|folder| !folder.as_os_str().is_empty());
    let files = std::fs::read_dir(here.unwrap_or(Path::new(".")));
    let begin = format!("jane-migrate.{pool}.");
    files
        .into_iter()
        .flatten()
        .flatten()
        .filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&begin) && name.ends_with(".snapshot.json")
        })
        .filter_map(|file| {
            let text = std::fs::read(file.path()).ok()?;
            Some(check::Snapshot {
                path: file
                    .path()
                    .display()
                    .to_string()
                    .trim_start_matches("./")
                    .to_owned(),
                json: serde_json::from_slice(&text).ok()?,
                digest: hex::encode(Sha256::digest(&text)),
            })
        })
        .collect()
}
