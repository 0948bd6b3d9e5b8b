//! What all kinds of directory have in common: how long one sign-in may wait.

/// The limit, unless the file says otherwise; the trigger as a whole has 5 s.
pub(crate) fn timeout_ms() -> u64 {
    3500
}
