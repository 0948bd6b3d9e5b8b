//! What a snapshot says: the pool and its clients as they were before the first change. Reading the file is the caller's business.

use serde_json::Value;

use crate::document::{ClientDocument, PoolDocument};
use crate::ids::PoolId;

/// The pool before the first deploy, as a file on this machine has it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `UserPool`, `UserPoolMfaConfig` and `UserPoolClients`.
    pub json: Value,
    /// SHA-256 of the file.
    pub digest: String,
    /// Where the file is, for a command.
    pub path: String,
}

/// What a snapshot says.
#[derive(Debug)]
pub struct Kept {
    /// The pool it is of.
    pub id: PoolId,
    /// The pool.
    pub pool: PoolDocument,
    /// Its MFA settings.
    pub mfa: Value,
    /// Its clients.
    pub clients: Vec<ClientDocument>,
    /// Whether it is as it was kept, by the digest in its name.
    pub untouched: bool,
}
