//! The time left of the trigger's five seconds: one deadline for all calls of an invocation, and a record of each call.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::{Instant, timeout_at};

use crate::lock::lock;

/// The response must leave this much time before Lambda's own deadline.
const RESERVE: Duration = Duration::from_millis(250);

/// The name in the log of the notification's call. It is no call to the directory: its result does not affect the sign-in.
pub const ON_MIGRATED: &str = "on_migrated";

/// The name in the log of the call that counts a refused sign-in. Its result does not affect the response.
pub const ON_WRONG_PASSWORD: &str = "on_wrong_password";

/// The time one invocation may spend on calls.
#[derive(Debug)]
pub struct Budget {
    started: Instant,
    deadline: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name in the log.
    pub call: &'static str,
    /// The host that was called, unless it was the function's own work.
    pub host: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
}

/// The directory, or a service it depends on, gave no usable response in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(
    /// The reason, in one word. It is logged, so it contains nothing of the response.
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
            calls: Arc::default(),
        }
    }

    /// A budget that starts now and ends before Lambda ends the invocation. A deadline in the past is ignored: an emulator
    /// or a wrong clock sent it.
    pub fn until(limit: Duration, lambda_deadline: SystemTime) -> Self {
        let left = lambda_deadline.duration_since(SystemTime::now());
        Self::new(left.map_or(limit, |left| limit.min(left.saturating_sub(RESERVE))))
    }

    /// The same budget for work that may take at most this long from now on.
    pub fn shorter(&self, limit: Duration) -> Self {
        Self {
            started: self.started,
            deadline: self.deadline.min(Instant::now() + limit),
            calls: Arc::clone(&self.calls),
        }
    }

    /// How long it has been running.
    pub fn spent(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the budget started after this instant.
    pub fn began_after(&self, instant: Instant) -> bool {
        instant < self.started
    }

    /// Waits for some work until the deadline.
    pub async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        timeout_at(self.deadline, work)
            .await
            .unwrap_or(Err(Unavailable("timeout")))
    }

    /// Records a call that began at `started` and ends now.
    pub fn record(
        &self,
        call: &'static str,
        host: Option<&str>,
        started: Instant,
        status: Option<u16>,
    ) {
        lock(&self.calls).push(Call {
            call,
            host: host.map(str::to_owned),
            took: started.elapsed(),
            status,
        });
    }

    /// The calls that were made.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }
}

/// Lambda's deadline; the Runtime API sends it in milliseconds since 1970.
pub fn lambda_deadline(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(4);

    /// The budget's length, when Lambda's deadline is this far away.
    fn length(lambda: Duration) -> Duration {
        let budget = Budget::until(LIMIT, SystemTime::now() + lambda);
        budget.deadline - budget.started
    }

    #[test]
    fn the_budget_ends_before_lambda_does() {
        let earlier = length(Duration::from_secs(3));
        let reserved = Duration::from_secs(3) - RESERVE;
        assert!(earlier <= reserved && earlier > reserved - Duration::from_millis(200));
        assert_eq!(length(Duration::from_secs(60)), LIMIT);
        assert_eq!(length(Duration::from_millis(100)), Duration::ZERO);
    }

    #[test]
    fn a_deadline_in_the_past_is_ignored() {
        let budget = Budget::until(LIMIT, lambda_deadline(1_000));
        assert_eq!(budget.deadline - budget.started, LIMIT);
        let since_1970 = Duration::from_millis(1_500);
        assert_eq!(lambda_deadline(1_500), UNIX_EPOCH + since_1970);
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_a_timeout() {
        let budget = Budget::new(Duration::from_millis(20));
        let late = budget.within(pending::<Result<(), _>>()).await;
        assert_eq!(late, Err(Unavailable("timeout")));
        assert!(budget.spent() >= Duration::from_millis(20));
        assert_eq!(budget.within(ready(Ok(7))).await, Ok(7));
    }

    #[tokio::test]
    async fn a_shorter_budget_ends_no_later_and_shares_the_record_of_calls() {
        let budget = Budget::new(LIMIT);
        let shorter = budget.shorter(Duration::from_millis(10));
        let late = shorter.within(pending::<Result<(), _>>()).await;
        assert_eq!(late, Err(Unavailable("timeout")));
        shorter.record("told", None, Instant::now(), None);
        assert_eq!(budget.calls().len(), 1);
        assert_eq!(budget.within(ready(Ok(7))).await, Ok(7));
        let longer = budget.shorter(LIMIT * 2);
        assert_eq!(longer.deadline, budget.deadline);
    }

    #[test]
    fn each_call_is_recorded_with_its_time_and_status() {
        let budget = Budget::new(LIMIT);
        let started = Instant::now();
        std::thread::sleep(Duration::from_millis(2));
        budget.record("token", Some("id.example"), started, Some(200));
        budget.record("lookup", None, Instant::now(), None);
        let calls = budget.calls();
        let names: Vec<_> = calls.iter().map(|call| (call.call, call.status)).collect();
        assert_eq!(names, [("token", Some(200)), ("lookup", None)]);
        assert!(calls[0].took >= Duration::from_millis(2));
    }

    #[test]
    fn only_an_earlier_instant_is_before_the_budget() {
        let before = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        let budget = Budget::new(LIMIT);
        assert!(budget.began_after(before));
        assert!(!budget.began_after(budget.started));
        assert!(!budget.began_after(budget.started + LIMIT));
    }

    #[test]
    fn the_error_names_its_reason() {
        let error = Unavailable("timeout").to_string();
        assert_eq!(error, "the directory is unavailable: timeout");
    }
}
