//! A line that is typed and not shown. Owns the terminal's echo, which comes back however the wait ends: with a line, by Ctrl-C or
//! by SIGTERM.

use std::io;

/// Reads a line from the terminal that standard input is, without showing it.
#[cfg(unix)]
pub(super) fn read_line() -> io::Result<String> {
    let echo = terminal::Echo::off()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    echo.back();
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
    use tokio::signal::unix::{SignalKind, signal};

    use crate::apply::Signal;

    /// The terminal's modes as they were, until they are given back.
    #[derive(Clone)]
    pub(super) struct Echo(Arc<Mutex<Option<Termios>>>);

    impl Echo {
        /// From here on, what is typed is not shown.
        pub(super) fn off() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            let echo = Self(Arc::new(Mutex::new(Some(before))));
            echo.clone().back_on_signal()?;
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(echo)
        }

        /// As it was before. The line's end was not shown either.
        pub(super) fn back(&self) {
            let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = before.take() {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
                let _ = console::Term::stderr().write_line("");
            }
        }

        /// Once listened to, a signal no longer ends the program by itself: this does, also after the line was read.
        fn back_on_signal(self) -> io::Result<()> {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::spawn(async move {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                self.back();
                // The line is waited for where nothing else can wake it.
                std::process::exit(signal.exit_code().into());
            });
            Ok(())
        }
    }
}
