//! A reading of a document that deploy did not create. The steps compare it with later reads.

use std::time::Duration;

use crate::host::Instant;
use jane_migrate_core::resources::ObservedFunction;
use serde_json::Value;

/// An older reading is made again before a step acts on it.
const FRESH: Duration = Duration::from_secs(1);

/// Whether a reading is recent enough to act on.
pub(super) fn is_fresh(read: Instant) -> bool {
    read.elapsed() < FRESH
}

/// What was read just before the function is deleted, when the pool did not call it.
#[derive(Debug)]
pub(super) struct Look {
    pub at: Instant,
    pub function: Option<ObservedFunction>,
}

/// The document; for a pool also its MFA settings, which the document does not have.
#[derive(Debug)]
pub(super) struct Reading {
    pub document: Value,
    pub mfa: Value,
}
