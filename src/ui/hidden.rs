//! A line that is typed and not shown. Owns the terminal's echo, which comes back however the wait ends: with a line, by Ctrl-C or
//! by SIGTERM. The crate `rpassword` also hides what is typed, but a signal leaves the terminal without its echo.

use std::io;

/// Reads a line from the terminal that standard input is, without showing it.
#[cfg(unix)]
pub(super) fn read_line() -> io::Result<String> {
    let echo = terminal::Echo::off()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    echo.restore();
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The same, where no signal can end the wait.
#[cfg(not(unix))]
pub(super) fn read_line() -> io::Result<String> {
    console::Term::stderr().read_secure_line()
}

#[cfg(unix)]
mod terminal {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    use crate::signals::Signals;

    /// The terminal's modes as they were, until they are restored.
    #[derive(Clone)]
    pub(super) struct Echo(Arc<Mutex<Option<Termios>>>);

    impl Echo {
        /// From here on, what is typed is not shown.
        pub(super) fn off() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            let echo = Self(Arc::new(Mutex::new(Some(before))));
            echo.clone().restore_on_signal()?;
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(echo)
        }

        /// Restores the modes. The line's end was not shown either.
        pub(super) fn restore(&self) {
            let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = before.take() {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
                let _ = console::Term::stderr().write_line("");
            }
        }

        /// Once listened to, a signal no longer ends the program by itself: this does, also after the line was read.
        fn restore_on_signal(self) -> io::Result<()> {
            let mut signals = Signals::listen()?;
            tokio::spawn(async move {
                let signal = signals.next().await;
                self.restore();
                // `read_line` blocks its thread, so nothing else can end the program.
                std::process::exit(signal.exit_code().into());
            });
            Ok(())
        }
    }
}
