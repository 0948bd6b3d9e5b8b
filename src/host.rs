//! What a run needs from its machine: the time, waiting, and a name that identifies it to other runs. The program uses the
//! machine it was started on; [`on`] gives a run another one, so that several runs can be simulated in one process, each with its
//! own name, on a simulated clock.

use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A machine.
pub trait Host: Send + Sync {
    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// The time on a clock that never goes back.
    fn instant(&self) -> std::time::Instant;
    /// Waits.
    fn sleep(&self, pause: Duration) -> Wait;
    /// The name of this run, unique among all runs.
    fn run(&self) -> String;
    /// Whether another run has ended, if that can be known.
    fn has_ended(&self, run: &str) -> bool;
}

/// A wait.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

tokio::task_local! {
    static HOST: Arc<dyn Host>;
}

/// Runs work on another machine than this one.
pub async fn on<T>(host: Arc<dyn Host>, work: impl Future<Output = T>) -> T {
    HOST.scope(host, work).await
}

/// The other machine, if there is one.
pub(crate) fn other() -> Option<Arc<dyn Host>> {
    HOST.try_with(Arc::clone).ok()
}

/// The time, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    if let Some(host) = other() {
        return host.now_ms();
    }
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        .unwrap_or_default()
}

/// Waits.
pub(crate) async fn sleep(pause: Duration) {
    match other() {
        Some(host) => host.sleep(pause).await,
        None => tokio::time::sleep(pause).await,
    }
}

/// A point in time, for measuring. It uses the same clock as the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(std::time::Instant);

impl Instant {
    /// This moment.
    pub fn now() -> Self {
        Self(other().map_or_else(std::time::Instant::now, |host| host.instant()))
    }

    /// The time since then.
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, pause: Duration) -> Self {
        Self(self.0 + pause)
    }
}

/// Zero if the other time is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}
