//! The content of a snapshot: the pool and its clients before the first change. The caller reads the file.

use serde_json::Value;

use crate::document::{ClientDocument, PoolDocument};
use crate::ids::PoolId;

/// The pool before the first deploy, from a file on this machine.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `UserPool`, `UserPoolMfaConfig` and `UserPoolClients`.
    pub json: Value,
    /// SHA-256 of the file.
    pub digest: String,
    /// The path of the file, for a command.
    pub path: String,
}

/// The content of a snapshot.
#[derive(Debug)]
pub struct Kept {
    /// The pool's id.
    pub id: PoolId,
    /// The pool.
    pub pool: PoolDocument,
    /// Its MFA settings.
    pub mfa: Value,
    /// Its clients.
    pub clients: Vec<ClientDocument>,
    /// Whether the file is unchanged, by the digest in its name.
    pub untouched: bool,
}
