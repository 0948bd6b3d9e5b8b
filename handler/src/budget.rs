//! What is left of the trigger's five seconds. One deadline holds for everything an invocation asks of others, and a
//! record is kept of each call.

use std::{
    fmt,
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::{Instant, timeout_at};

/// What is kept back of Lambda's own deadline, to answer before it.
const RESERVE: Duration = Duration::from_millis(250);

/// The time one invocation may spend on others.
#[derive(Debug)]
pub struct Budget {
    started: Instant,
    deadline: Instant,
    calls: Mutex<Vec<Call>>,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name in the log.
    pub call: &'static str,
    /// How long it took.
    pub took: Duration,
    /// The status it was answered with, if it was.
    pub status: Option<u16>,
}

/// The directory, or what leads to it, did not answer in time or not as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(
    /// What went wrong, in one word: it is logged, so it holds nothing of the answer.
    pub &'static str,
);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the directory is unavailable: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Budget {
    /// A budget that starts now.
    pub fn new(limit: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + limit,
            calls: Mutex::new(Vec::new()),
        }
    }

    /// A budget that starts now and ends, at the latest, a little before Lambda ends the invocation. A deadline that has
    /// passed already is no deadline: an emulator's, or a clock's mistake.
    pub fn until(limit: Duration, lambda_deadline: SystemTime) -> Self {
        let left = lambda_deadline.duration_since(SystemTime::now());
        Self::new(left.map_or(limit, |left| limit.min(left.saturating_sub(RESERVE))))
    }

    /// How long it has been running.
    pub fn spent(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether this happened before.
    pub fn began_after(&self, instant: Instant) -> bool {
        instant < self.started
    }

    /// Waits for some work, as long as there is time.
    pub async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        timeout_at(self.deadline, work)
            .await
            .unwrap_or(Err(Unavailable("timeout")))
    }

    /// Notes a call that began at `started` and ends now.
    pub fn record(&self, call: &'static str, started: Instant, status: Option<u16>) {
        let call = Call {
            call,
            took: started.elapsed(),
            status,
        };
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
    }

    /// The calls that were made.
    pub fn calls(&self) -> Vec<Call> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Lambda's deadline, which the Runtime API gives in milliseconds since 1970.
pub fn lambda_deadline(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}
