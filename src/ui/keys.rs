//! Keys of a terminal as they are pressed, before any line ends. While they are listened to, what is typed is not shown; the terminal is
//! as before when the listening ends.

use std::io::{self, IsTerminal, Read};

use rustix::termios::LocalModes;
use tokio::sync::mpsc;

use super::modes::Modes;

/// The keys, until it is dropped.
pub struct Keys {
    /// `None` off a terminal.
    modes: Option<Modes>,
    pressed: mpsc::UnboundedReceiver<u8>,
}

impl Keys {
    /// Begins to listen, if standard input is a terminal.
    pub fn listen() -> Self {
        let (sender, pressed) = mpsc::unbounded_channel();
        let modes = io::stdin().is_terminal();
        let modes = modes.then(|| Modes::without(LocalModes::ECHO | LocalModes::ICANON));
        let modes = modes.and_then(Result::ok);
        if modes.is_some() {
            // It waits for a key that may never come; the program's end ends it.
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

    /// Until this key is pressed; for ever where there are none.
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
