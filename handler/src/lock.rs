//! Locks that a panic does not poison: a panic ends one invocation, and the next one must still work.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The locked value. No code in this crate panics between two writes that belong together.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_panic_does_not_poison_the_lock() {
        let mutex = Arc::new(Mutex::new(7));
        let other = Arc::clone(&mutex);
        let panicked = thread::spawn(move || {
            let _guard = other.lock();
            panic!("while it holds the lock");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*lock(&mutex), 7);
    }
}
