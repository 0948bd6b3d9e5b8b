//! A setting of all kinds of directory: how long one sign-in may wait.

/// The default; the whole trigger has 5 s.
pub(crate) fn timeout_ms() -> u64 {
    3500
}
