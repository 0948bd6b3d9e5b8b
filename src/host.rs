//! What a run takes from the machine that it is on: the time, waiting, and the name by which other runs know it. A program has the
//! machine it was started on; [`on`] gives a run another one, so that several runs can be played in one process, each with its own
//! name, on a clock that nothing waits for.

use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A machine.
pub trait Host: Send + Sync {
    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// The same as what only ever grows.
    fn instant(&self) -> std::time::Instant;
    /// Waits.
    fn sleep(&self, pause: Duration) -> Wait;
    /// What tells this run from every other.
    fn run(&self) -> String;
    /// Whether another run has ended, where that can be told.
    fn has_ended(&self, run: &str) -> bool;
}

/// A wait.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

tokio::task_local! {
    static HOST: Arc<dyn Host>;
}

/// Does some work on another machine than this one.
pub async fn on<T>(host: Arc<dyn Host>, work: impl Future<Output = T>) -> T {
    HOST.scope(host, work).await
}

/// The other machine, where there is one.
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

/// A moment of a run, to measure from. It is of the clock by which the run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(std::time::Instant);

impl Instant {
    /// This moment.
    pub fn now() -> Self {
        Self(other().map_or_else(std::time::Instant::now, |host| host.instant()))
    }

    /// How long ago it was.
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

/// No time, where the other moment is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}
