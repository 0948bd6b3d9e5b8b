//! A circuit breaker. A directory that hangs costs every sign-in several seconds and uses up the function's concurrency. After
//! two long waits in a row without a response, the directory gets no requests for a moment. The waits must be for different
//! names: one account with slow data, or one user who repeats the sign-in, must not block all others.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use crate::{budget::Unavailable, lock::lock};

/// A wait is long from this time on, or from half of the timeout on if that is shorter: a host that accepts no connection fails
/// before the timeout.
const LONG: Duration = Duration::from_secs(1);

/// A pause starts after this many long waits in a row.
const WAITS: u32 = 2;

/// How long a pause is.
const PAUSE: Duration = Duration::from_secs(2);

/// Remembers the results of the last calls to the directory.
#[derive(Debug)]
pub struct Breaker {
    long: Duration,
    names: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waits: u32,
    /// A keyed hash of the name that waited last.
    name: Option<u64>,
    /// A wall-clock time: the monotonic clock may stop while a function is frozen.
    resume_at: Option<SystemTime>,
}

impl Breaker {
    /// A breaker for a directory with this timeout.
    pub fn new(timeout: Duration) -> Self {
        Self {
            long: LONG.min(timeout / 2),
            names: RandomState::new(),
            state: Mutex::default(),
        }
    }

    /// Whether the directory may get a request.
    pub fn allow(&self, now: SystemTime) -> Result<(), Unavailable> {
        let state = lock(&self.state);
        // A clock that was set back must not prolong the pause.
        let pausing = |at: SystemTime| {
            at.duration_since(now)
                .is_ok_and(|left| left > Duration::ZERO && left <= PAUSE)
        };
        if state.resume_at.is_some_and(pausing) {
            Err(Unavailable("paused"))
        } else {
            Ok(())
        }
    }

    /// Records the result for a name and how long it took. Any response ends the series, and so does a quick error: only waiting
    /// is costly. A second wait in a row for the same name does not count.
    pub fn note<T>(
        &self,
        name: &str,
        result: &Result<T, Unavailable>,
        took: Duration,
        now: SystemTime,
    ) {
        let name = Some(self.names.hash_one(name));
        let mut state = lock(&self.state);
        if result.is_ok() || took < self.long {
            *state = State::default();
        } else if state.name != name {
            state.name = name;
            state.waits += 1;
            state.resume_at = (state.waits >= WAITS).then(|| now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<(), Unavailable> = Err(Unavailable("timeout"));

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH
            + Duration::from_secs(1_800_000_000)
            + Duration::from_millis(milliseconds)
    }

    impl Breaker {
        /// Records the result of another name each time.
        fn note_next<T>(&self, result: &Result<T, Unavailable>, took: Duration, now: SystemTime) {
            let waits = lock(&self.state).waits;
            self.note(&format!("name {waits}"), result, took, now);
        }
    }

    #[test]
    fn one_name_alone_never_pauses() {
        let breaker = Breaker::new(LONG * 3);
        for second in 0..5 {
            breaker.note("ann", &FAILED, LONG, at(second * 10));
        }
        assert!(breaker.allow(at(50)).is_ok());
        breaker.note("bob", &FAILED, LONG, at(60));
        assert!(breaker.allow(at(60)).is_err());
    }

    #[test]
    fn two_long_waits_in_a_row_pause_and_one_more_pauses_again() {
        let breaker = Breaker::new(LONG * 3);
        breaker.note_next(&FAILED, LONG, at(0));
        assert!(breaker.allow(at(0)).is_ok());
        breaker.note_next(&FAILED, LONG, at(10));
        assert!(breaker.allow(at(10)).is_err());
        assert!(breaker.allow(at(2009)).is_err());
        assert!(breaker.allow(at(2010)).is_ok());
        breaker.note_next(&FAILED, LONG, at(3000));
        assert!(breaker.allow(at(3001)).is_err());
    }

    #[test]
    fn a_response_or_a_quick_error_ends_the_series() {
        let breaker = Breaker::new(LONG * 3);
        for (result, took) in [(Ok(()), LONG), (FAILED, LONG / 2)] {
            breaker.note_next(&FAILED, LONG, at(0));
            breaker.note_next(&result, took, at(1));
            breaker.note_next(&FAILED, LONG, at(2));
            assert!(breaker.allow(at(3)).is_ok());
        }
    }

    #[test]
    fn half_of_a_short_timeout_is_a_long_wait() {
        let timeout = Duration::from_millis(400);
        let breaker = Breaker::new(timeout);
        for _ in 0..2 {
            breaker.note_next(&FAILED, timeout / 2, at(0));
        }
        assert_eq!(breaker.allow(at(0)), Err(Unavailable("paused")));
    }

    #[test]
    fn a_series_of_quick_errors_never_pauses() {
        let timeout = Duration::from_millis(400);
        let breaker = Breaker::new(timeout);
        for _ in 0..3 {
            breaker.note_next(&FAILED, timeout / 2 - Duration::from_millis(1), at(0));
        }
        assert!(breaker.allow(at(0)).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_pause() {
        let breaker = Breaker::new(LONG * 3);
        breaker.note_next(&FAILED, LONG, at(10_000));
        breaker.note_next(&FAILED, LONG, at(10_000));
        assert!(breaker.allow(at(0)).is_ok());
    }
}
