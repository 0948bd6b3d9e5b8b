//! Slows guessing down: after several refused sign-ins with one name, the directory gets no requests about it for a while. Names
//! that exist and names that do not are treated alike. Directories that find one account by several names count by account too,
//! with a key of their own. Each instance of the function counts separately, and keeps no name, only a keyed hash.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use crate::{lock::lock, outcome::Outcome};

/// How many refused sign-ins one name may have within [`PERIOD`].
const MOST: u32 = 10;

/// How long a refused sign-in counts, from the first of a series on.
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// How many names are kept.
const NAMES: usize = 4096;

/// The refused sign-ins by name.
#[derive(Debug, Default)]
pub struct Brake {
    keys: RandomState,
    rows: Mutex<HashMap<u64, Row>>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    began: SystemTime,
    refused: u32,
}

impl Row {
    /// Whether it still counts. If the clock was set back, it does not.
    fn counts(&self, now: SystemTime) -> bool {
        now.duration_since(self.began).is_ok_and(|age| age < PERIOD)
    }
}

impl Brake {
    /// Many directories accept several spellings of one name, so all of them share one count.
    fn key(&self, name: &str) -> u64 {
        self.keys.hash_one(name.trim().to_lowercase())
    }

    /// Whether the directory may get a request about this name.
    pub fn allows(&self, name: &str, now: SystemTime) -> bool {
        let rows = lock(&self.rows);
        let row = rows.get(&self.key(name));
        !row.is_some_and(|row| row.counts(now) && row.refused >= MOST)
    }

    /// Counts a sign-in. A right password ends the series.
    pub fn note(&self, name: &str, outcome: Outcome, now: SystemTime) {
        let key = self.key(name);
        let mut rows = lock(&self.rows);
        match outcome {
            Outcome::Migrated => {
                rows.remove(&key);
            }
            refused if is_guess(refused) => {
                make_room(&mut rows, key, now);
                let row = rows.entry(key).or_insert(Row {
                    began: now,
                    refused: 0,
                });
                if !row.counts(now) {
                    *row = Row {
                        began: now,
                        refused: 0,
                    };
                }
                row.refused += 1;
            }
            _ => {}
        }
    }
}

/// Whether a sign-in with this outcome may have been a guess.
pub fn is_guess(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::NotFound
            | Outcome::WrongPassword
            | Outcome::NotEligible
            | Outcome::SsoOnly
            | Outcome::UnsupportedHash
    )
}

/// If the table is full, removes what no longer counts, and then the series with the fewest sign-ins.
fn make_room(rows: &mut HashMap<u64, Row>, key: u64, now: SystemTime) {
    if rows.len() < NAMES || rows.contains_key(&key) {
        return;
    }
    rows.retain(|_, row| row.counts(now));
    if rows.len() >= NAMES {
        let least = rows.iter().min_by_key(|(_, row)| (row.refused, row.began));
        if let Some(least) = least.map(|(key, _)| *key) {
            rows.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn guess(brake: &Brake, name: &str, outcome: Outcome, times: u32) {
        for _ in 0..times {
            brake.note(name, outcome, at(0));
        }
    }

    #[test]
    fn after_ten_refused_sign_ins_a_name_is_blocked_for_a_while() {
        for outcome in [
            Outcome::WrongPassword,
            Outcome::NotFound,
            Outcome::UnsupportedHash,
        ] {
            let brake = Brake::default();
            guess(&brake, "ann", outcome, MOST - 1);
            assert!(brake.allows("ann", at(0)));
            guess(&brake, "ann", outcome, 1);
            assert!(!brake.allows("ann", at(0)));
            assert!(!brake.allows("ann", at(PERIOD.as_secs() - 1)));
            assert!(brake.allows("ann", at(PERIOD.as_secs())));
            assert!(brake.allows("bob", at(0)));
        }
    }

    #[test]
    fn another_spelling_of_a_name_shares_its_count() {
        let brake = Brake::default();
        guess(&brake, "ann@example.com", Outcome::WrongPassword, MOST - 1);
        guess(&brake, " Ann@Example.COM", Outcome::WrongPassword, 1);
        assert!(!brake.allows("ANN@example.com ", at(0)));
    }

    #[test]
    fn a_right_password_resets_the_count_and_an_outage_does_not_count() {
        let brake = Brake::default();
        guess(&brake, "ann", Outcome::WrongPassword, MOST - 1);
        guess(&brake, "ann", Outcome::Migrated, 1);
        guess(&brake, "ann", Outcome::WrongPassword, MOST - 1);
        assert!(brake.allows("ann", at(0)));
        guess(&brake, "ann", Outcome::WindowClosed, 5);
        assert!(brake.allows("ann", at(0)));
    }

    #[test]
    fn the_memory_is_bounded_and_guessed_names_stay() {
        let brake = Brake::default();
        guess(&brake, "ann", Outcome::WrongPassword, MOST);
        for number in 0..2 * NAMES {
            brake.note(&format!("name {number}"), Outcome::NotFound, at(1));
        }
        assert!(lock(&brake.rows).len() <= NAMES);
        assert!(!brake.allows("ann", at(1)));
        assert!(!format!("{brake:?}").contains("ann"));
    }
}
