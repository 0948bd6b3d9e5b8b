//! Makes refused sign-ins take equally long. With some directories an unknown name takes one call and a wrong password two, so
//! the time would reveal which users exist. The faster kind waits for a recent time of the slower kind, chosen at random: a
//! constant would reveal as much as no wait.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::Mutex,
    time::Duration,
};

use tokio::time::sleep;

use crate::{budget::Budget, lock::lock, outcome::Outcome};

/// How many times of each kind are kept.
const KEPT: usize = 16;

/// How long refused sign-ins took recently.
#[derive(Debug, Default)]
pub struct Pace {
    recent: Mutex<Recent>,
    random: RandomState,
}

#[derive(Debug, Default)]
struct Recent {
    wrong: Times,
    unknown: Times,
    /// The times of right passwords: used for wrong ones until there was one.
    right: Times,
    drawn: u64,
}

#[derive(Debug, Default)]
struct Times(VecDeque<Duration>);

impl Times {
    fn note(&mut self, took: Duration) {
        self.0.truncate(KEPT - 1);
        self.0.push_front(took);
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Pace {
    /// Remembers how long a sign-in took.
    pub fn note(&self, outcome: Outcome, took: Duration) {
        let mut recent = lock(&self.recent);
        match outcome {
            Outcome::WrongPassword | Outcome::UnsupportedHash => recent.wrong.note(took),
            Outcome::NotFound => recent.unknown.note(took),
            Outcome::Migrated => recent.right.note(took),
            _ => {}
        }
    }

    /// Waits until a refused sign-in has taken as long as one of the slower kind, within the budget.
    pub async fn wait(&self, outcome: Outcome, budget: &Budget) {
        if let Some(target) = self.target(outcome) {
            let left = target.saturating_sub(budget.spent());
            let asleep = async {
                sleep(left).await;
                Ok(())
            };
            let _ = budget.within(asleep).await;
        }
    }

    /// How long this sign-in should take in total. `None` if it is of the slower kind itself.
    fn target(&self, outcome: Outcome) -> Option<Duration> {
        let mut recent = lock(&self.recent);
        recent.drawn += 1;
        let drawn = self.random.hash_one(recent.drawn);
        let wrong = match recent.wrong.median() {
            Some(_) => &recent.wrong,
            None => &recent.right,
        };
        let wrong_is_slower = wrong.median() >= recent.unknown.median();
        let slower = match wrong_is_slower {
            true => &wrong.0,
            false => &recent.unknown.0,
        };
        let waits = match outcome {
            Outcome::NotFound => wrong_is_slower,
            Outcome::WrongPassword | Outcome::UnsupportedHash => !wrong_is_slower,
            Outcome::NotEligible | Outcome::SsoOnly | Outcome::TooManyGuesses => true,
            _ => false,
        };
        let at = drawn as usize % slower.len().max(1);
        slower.get(at).copied().filter(|_| waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_faster_response_waits_for_a_recent_time_of_the_slower() {
        let pace = Pace::default();
        assert_eq!(pace.target(Outcome::NotFound), None, "nothing is known yet");
        pace.note(Outcome::NotFound, ms(90));
        pace.note(Outcome::Migrated, ms(300));
        assert_eq!(pace.target(Outcome::NotFound), Some(ms(300)));
        let slow = [330, 340, 350];
        for took in slow {
            pace.note(Outcome::WrongPassword, ms(took));
        }
        let drawn: std::collections::BTreeSet<_> = (0..200)
            .filter_map(|_| pace.target(Outcome::NotFound))
            .collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), slow.map(ms));
        for quick in [
            Outcome::NotEligible,
            Outcome::SsoOnly,
            Outcome::TooManyGuesses,
        ] {
            assert!(pace.target(quick).is_some());
        }
        assert_eq!(
            pace.target(Outcome::WrongPassword),
            None,
            "it is the slower one"
        );
        assert_eq!(pace.target(Outcome::Migrated), None);
    }

    #[test]
    fn a_wrong_password_waits_if_an_unknown_name_takes_longer() {
        let pace = Pace::default();
        pace.note(Outcome::NotFound, ms(90));
        pace.note(Outcome::WrongPassword, ms(20));
        assert_eq!(pace.target(Outcome::WrongPassword), Some(ms(90)));
        assert_eq!(pace.target(Outcome::NotFound), None);
    }

    #[test]
    fn old_times_are_forgotten() {
        let pace = Pace::default();
        for took in 0..100 {
            pace.note(Outcome::WrongPassword, ms(took));
        }
        assert_eq!(lock(&pace.recent).wrong.0.len(), KEPT);
        assert!(pace.target(Outcome::NotFound).unwrap() >= ms(84));
    }

    #[tokio::test]
    async fn the_wait_ends_with_the_budget() {
        let pace = Pace::default();
        pace.note(Outcome::WrongPassword, ms(5000));
        let budget = Budget::new(ms(30));
        pace.wait(Outcome::NotFound, &budget).await;
        assert!(budget.spent() >= ms(30) && budget.spent() < ms(2000));
    }
}
