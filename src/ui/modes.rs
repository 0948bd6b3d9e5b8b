//! Changes the terminal modes of standard input for a while and restores them. The caller decides when.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The original modes, until they are restored.
#[derive(Clone)]
pub(super) struct Modes(Arc<Mutex<Option<Termios>>>);

impl Modes {
    /// Turns these modes off.
    pub(super) fn without(modes: LocalModes) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut changed = before.clone();
        changed.local_modes.remove(modes);
        tcsetattr(io::stdin(), OptionalActions::Now, &changed)?;
        Ok(Self(Arc::new(Mutex::new(Some(before)))))
    }

    /// Restores the modes; returns whether they were still changed.
    pub(super) fn restore(&self) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match before.take() {
            Some(before) => tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok(),
            None => false,
        }
    }
}
