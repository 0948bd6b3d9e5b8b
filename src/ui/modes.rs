//! The modes of the terminal that standard input is, changed for a while and put back. Owns nothing else; when they change back is
//! decided where they were changed.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The modes as they were, until they are restored.
#[derive(Clone)]
pub(super) struct Modes(Arc<Mutex<Option<Termios>>>);

impl Modes {
    /// From here on these modes are off.
    pub(super) fn without(modes: LocalModes) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut changed = before.clone();
        changed.local_modes.remove(modes);
        tcsetattr(io::stdin(), OptionalActions::Now, &changed)?;
        Ok(Self(Arc::new(Mutex::new(Some(before)))))
    }

    /// Puts them back; says whether that was left to do.
    pub(super) fn restore(&self) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match before.take() {
            Some(before) => tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok(),
            None => false,
        }
    }
}
