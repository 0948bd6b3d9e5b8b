//! A snapshot: the pool and its clients before a deploy changed them. The caller reads the file.

use serde_json::Value;

/// The pool before the first deploy, from a file on this machine.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `UserPool`, `UserPoolMfaConfig` and `UserPoolClients`, and the record of the migration's changes, if there are any.
    pub json: Value,
    /// SHA-256 of the file.
    pub digest: String,
    /// The path of the file, for a command.
    pub path: String,
}
