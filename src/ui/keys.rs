//! Reads single keys from a terminal, without waiting for a line. Meanwhile typed characters are not shown; afterwards the
//! terminal is as before.

use std::io::{self, IsTerminal, Read};

use rustix::termios::LocalModes;
use tokio::sync::mpsc;

use super::modes::Modes;

/// The keys; dropping it restores the terminal.
pub struct Keys {
    /// `None` without a terminal.
    modes: Option<Modes>,
    pressed: mpsc::UnboundedReceiver<u8>,
}

impl Keys {
    /// Starts to listen, if standard input is a terminal.
    pub fn listen() -> Self {
        let (sender, pressed) = mpsc::unbounded_channel();
        let modes = io::stdin().is_terminal();
        let modes = modes.then(|| Modes::without(LocalModes::ECHO | LocalModes::ICANON));
        let modes = modes.and_then(Result::ok);
        if modes.is_some() {
            // The thread waits for a key that may never come; it ends with the program.
            std::thread::spawn(move || {
                let mut key = [0];
                while let Ok(1) = io::stdin().read(&mut key) {
                    if sender.send(key[0]).is_err() {
                        return;
                    }
                }
            });
        }
        Self { modes, pressed }
    }

    /// Waits until this key is pressed; forever without a terminal.
    pub async fn wait_for(&mut self, wanted: u8) {
        while let Some(key) = self.pressed.recv().await {
            if key.to_ascii_lowercase() == wanted {
                return;
            }
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(modes) = &self.modes {
            modes.restore();
        }
    }
}
