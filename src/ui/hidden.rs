//! Reads a line without showing it. Owns the terminal's echo, which is restored however the wait ends: with a line, by Ctrl-C or
//! by SIGTERM. The crate `rpassword` also hides the input, but a signal leaves the terminal without echo.

use std::io;

/// Reads a line from standard input, which is a terminal, without showing it.
#[cfg(unix)]
pub(super) fn read_line() -> io::Result<String> {
    let echo = terminal::Echo::off()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    echo.restore();
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The same on systems where no signal can end the wait.
#[cfg(not(unix))]
pub(super) fn read_line() -> io::Result<String> {
    console::Term::stderr().read_secure_line()
}

#[cfg(unix)]
mod terminal {
    use std::io;

    use rustix::termios::LocalModes;

    use super::super::modes::Modes;
    use crate::signals::Signals;

    /// A terminal without echo, until it is restored.
    #[derive(Clone)]
    pub(super) struct Echo(Modes);

    impl Echo {
        /// Turns the echo off.
        pub(super) fn off() -> io::Result<Self> {
            // Listen before the echo is off.
            let signals = Signals::listen()?;
            let echo = Self(Modes::without(LocalModes::ECHO)?);
            echo.clone().restore_on_signal(signals);
            Ok(echo)
        }

        /// Restores the modes; returns whether they were still changed. The user's line break was not shown either.
        pub(super) fn restore(&self) -> bool {
            let restored = self.0.restore();
            if restored {
                let _ = console::Term::stderr().write_line("");
            }
            restored
        }

        /// With a listener, a signal no longer ends the program: this function ends it, also after the line was read, until there
        /// is another listener.
        fn restore_on_signal(self, mut signals: Signals) {
            tokio::spawn(async move {
                loop {
                    let signal = signals.next().await;
                    // `read_line` blocks its thread, so only this task can end the program meanwhile.
                    if self.restore() || signals.alone() {
                        std::process::exit(signal.exit_code().into());
                    }
                }
            });
        }
    }
}
