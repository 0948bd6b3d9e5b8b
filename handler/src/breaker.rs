//! A directory that hangs takes every sign-in's seconds, and the function's concurrency with them. After two long waits for
//! nothing in a row the directory is left alone for a moment.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::budget::Unavailable;

/// From here on waiting for nothing is long, or from half of the budget on where that is sooner: a host that takes no
/// connection gives up before the budget ends.
const LONG: Duration = Duration::from_secs(1);

/// How many long waits in a row are one too many.
const WAITS: u32 = 2;

/// How long the directory is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Remembers how the directory did of late.
#[derive(Debug)]
pub struct Breaker {
    long: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waits: u32,
    /// On the calendar's clock: the other one may stand still while a function is frozen.
    resume_at: Option<SystemTime>,
}

impl Breaker {
    /// For a directory that may be waited for this long.
    pub fn new(timeout: Duration) -> Self {
        Self {
            long: LONG.min(timeout / 2),
            state: Mutex::default(),
        }
    }

    /// Whether the directory may be asked.
    pub fn allow(&self, now: SystemTime) -> Result<(), Unavailable> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not keep the pause going.
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

    /// Notes how the directory did, and how long that took. Any answer ends the row, and so does an error that came at
    /// once: only waiting is costly.
    pub fn note<T>(&self, result: &Result<T, Unavailable>, took: Duration, now: SystemTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_err() && took >= self.long {
            state.waits += 1;
            state.resume_at = (state.waits >= WAITS).then(|| now + PAUSE);
        } else {
            *state = State::default();
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

    #[test]
    fn two_long_waits_in_a_row_pause_and_one_more_pauses_again() {
        let breaker = Breaker::new(LONG * 3);
        breaker.note(&FAILED, LONG, at(0));
        assert!(breaker.allow(at(0)).is_ok());
        breaker.note(&FAILED, LONG, at(10));
        assert!(breaker.allow(at(10)).is_err());
        assert!(breaker.allow(at(2009)).is_err());
        assert!(breaker.allow(at(2010)).is_ok());
        breaker.note(&FAILED, LONG, at(3000));
        assert!(breaker.allow(at(3001)).is_err());
    }

    #[test]
    fn an_answer_ends_the_row_and_so_does_an_error_that_cost_nothing() {
        let breaker = Breaker::new(LONG * 3);
        for (result, took) in [(Ok(()), LONG), (FAILED, LONG / 2)] {
            breaker.note(&FAILED, LONG, at(0));
            breaker.note(&result, took, at(1));
            breaker.note(&FAILED, LONG, at(2));
            assert!(breaker.allow(at(3)).is_ok());
        }
    }

    #[test]
    fn a_directory_that_is_given_less_than_a_second_is_left_alone_as_well() {
        let timeout = Duration::from_millis(400);
        let breaker = Breaker::new(timeout);
        for _ in 0..2 {
            breaker.note(&FAILED, timeout, at(0));
        }
        assert!(breaker.allow(at(0)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_pause() {
        let breaker = Breaker::new(LONG * 3);
        breaker.note(&FAILED, LONG, at(10_000));
        breaker.note(&FAILED, LONG, at(10_000));
        assert!(breaker.allow(at(0)).is_ok());
    }
}
