//! The output of a run that shows nothing: kept for the code that started it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The output so far.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<String>>);

impl Kept {
    /// All of the text.
    pub fn text(&self) -> String {
        self.lock().clone()
    }

    pub(super) fn add(&self, line: &str) {
        let mut kept = self.lock();
        kept.push_str(line);
        kept.push('\n');
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
