//! What was read of a document that is not ours. The steps compare it with what they read later.

use serde_json::Value;

/// The document, and of a pool the MFA settings, which it leaves out.
#[derive(Debug)]
pub(super) struct Reading {
    pub document: Value,
    pub mfa: Value,
}
