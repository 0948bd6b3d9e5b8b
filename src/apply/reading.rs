//! What was read of a document that is not ours. The steps compare it with what they read later.

use std::time::Duration;

use crate::host::Instant;
use jane_migrate_core::resources::ObservedFunction;
use serde_json::Value;

/// A reading that is older than this is made again before anything is done on it.
const FRESH: Duration = Duration::from_secs(1);

/// Whether what was read then is as good as read now.
pub(super) fn is_fresh(read: Instant) -> bool {
    read.elapsed() < FRESH
}

/// What was seen just before the function is deleted, when the pool did not call it.
#[derive(Debug)]
pub(super) struct Look {
    pub at: Instant,
    pub function: Option<ObservedFunction>,
}

/// The document, and of a pool the MFA settings, which it leaves out.
#[derive(Debug)]
pub(super) struct Reading {
    pub document: Value,
    pub mfa: Value,
}
