//! The signals that stop the program: Ctrl-C, and SIGTERM. Owns listening for them and their exit codes; the listener decides
//! what to do.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A signal that stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, from the system or a supervisor.
    Terminate,
}

impl Signal {
    /// The exit code that a shell reports for a program that this signal ended.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// How many listeners there are.
static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Listens from its creation on; before that, a signal ends the program at once.
pub struct Signals {
    _counted: Counted,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts to listen.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            _counted: Counted::new(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Starts to listen.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            _counted: Counted::new(),
        })
    }

    /// Whether this is the only listener: after the first one, the system no longer ends the program by a signal.
    pub fn alone(&self) -> bool {
        LISTENING.load(Ordering::SeqCst) == 1
    }

    /// The next signal.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }

    /// The next signal.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

struct Counted;

impl Counted {
    fn new() -> Self {
        LISTENING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LISTENING.fetch_sub(1, Ordering::SeqCst);
    }
}
