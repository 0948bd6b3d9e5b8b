//! Counts the remaining users.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Batch, Candidate, Category, Secret};

/// The most formats and reasons that are counted separately.
const MOST_WORDS: usize = 50;

/// The counts of a directory's users.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Census {
    /// Users in the directory's list.
    pub directory: u64,
    /// Of these, the users in the pool.
    pub migrated: u64,
    /// Of the migrated users, those who never set a new password after *forgot password*: they cannot sign
    /// in yet.
    pub half_finished: u64,
    /// Of the listed users, those not in the pool.
    pub remaining: u64,
    /// The remaining users by category.
    pub categories: BTreeMap<Category, u64>,
    /// The remaining users with a password, by whether an import accepts their hash.
    pub hashes: BTreeMap<String, u64>,
    /// The reasons of the users who are not eligible.
    pub not_eligible: BTreeMap<String, u64>,
    /// How many users each job would import.
    #[serde(skip)]
    pub batches: BTreeMap<Batch, u64>,
}

impl Census {
    /// Counts a user who is in the pool.
    pub fn migrated(&mut self, half_finished: bool) {
        self.directory += 1;
        self.migrated += 1;
        self.half_finished += u64::from(half_finished);
    }

    /// Counts a user who is not in the pool.
    pub fn remains(&mut self, user: &Candidate<'_>) {
        self.directory += 1;
        self.remaining += 1;
        *self.categories.entry(user.category()).or_default() += 1;
        if let Some(batch) = user.batch() {
            *self.batches.entry(batch).or_default() += 1;
        }
        match user.secret {
            Secret::Importable(kind) => count(&mut self.hashes, kind.api_name()),
            Secret::NotImportable(why) | Secret::Unreadable(why) => count(&mut self.hashes, why),
            Secret::None | Secret::Unknown => {}
        }
        if let Some(reason) = user.not_eligible {
            count(&mut self.not_eligible, reason);
        }
    }

    /// How many remaining users are in a category.
    pub fn of(&self, category: Category) -> u64 {
        self.categories.get(&category).copied().unwrap_or_default()
    }

    /// How many users no job can import.
    pub fn without_batch(&self) -> u64 {
        self.of(Category::NotEligible) + self.of(Category::UnverifiedAddress)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, word: &str) {
    let word = match counts.len() < MOST_WORDS || counts.contains_key(word) {
        true => word,
        false => "others",
    };
    *counts.entry(word.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::super::HashKind;
    use super::*;

    #[test]
    fn every_user_is_counted_exactly_once() {
        let mut census = Census::default();
        census.migrated(false);
        census.migrated(true);
        for secret in [
            Secret::Importable(HashKind::Scrypt),
            Secret::None,
            Secret::Unreadable("x: damaged"),
        ] {
            census.remains(&Candidate {
                not_eligible: None,
                verified: true,
                secret,
            });
        }
        census.remains(&Candidate {
            not_eligible: Some("no-name"),
            verified: false,
            secret: Secret::Unknown,
        });
        census.remains(&Candidate {
            not_eligible: None,
            verified: false,
            secret: Secret::Unknown,
        });
        assert_eq!(census.without_batch(), 2);
        assert_eq!(
            (census.directory, census.migrated, census.remaining),
            (7, 2, 5)
        );
        assert_eq!(census.half_finished, 1);
        assert_eq!(census.categories.values().sum::<u64>(), census.remaining);
        let imported: u64 = census.batches.values().sum();
        assert_eq!(imported + census.without_batch(), census.remaining);
        assert_eq!(census.not_eligible["no-name"], 1);
        assert_eq!(census.hashes["SCRYPT"], 1);
    }

    #[test]
    fn many_different_formats_do_not_fill_the_memory() {
        let mut counts = BTreeMap::new();
        for n in 0..1000 {
            count(&mut counts, &n.to_string());
        }
        assert_eq!(counts.len(), MOST_WORDS + 1);
        assert_eq!(counts.values().sum::<u64>(), 1000);
    }
}
