//! The counts: from lines to figures, in memory that does not grow with the number of lines. Both ways to read the log, line by
//! line or counted by the service, fill the same tally.

use std::collections::BTreeMap;
use std::iter::Sum;

use serde::Serialize;

use super::entry::{Class, Entry, UNSUPPORTED_HASH};
use super::incident::{Hours, Span};
use crate::dates::day_of;

/// How many of the slowest and of the last failed invocations are kept.
pub const KEPT: usize = 10;

/// Counts by outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts `n` more.
    pub fn add(&mut self, outcome: &str, n: u64) {
        match self.0.get_mut(outcome) {
            Some(count) => *count += n,
            None => {
                self.0.insert(outcome.to_owned(), n);
            }
        }
    }

    /// Raises the count of each outcome to at least that of another.
    pub fn at_least(&mut self, other: &Self) {
        for (outcome, n) in other.iter() {
            let more = n.saturating_sub(self.get(outcome));
            if more > 0 {
                self.add(outcome, more);
            }
        }
    }

    /// How many of one outcome.
    pub fn get(&self, outcome: &str) -> u64 {
        self.0.get(outcome).copied().unwrap_or_default()
    }

    /// How many of one class.
    pub fn of(&self, class: Class) -> u64 {
        self.iter()
            .filter(|(outcome, _)| Class::of(outcome) == class)
            .map(|(_, n)| n)
            .sum()
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each outcome with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(outcome, n)| (outcome.as_str(), *n))
    }
}

impl<'a> Sum<&'a Counts> for Counts {
    fn sum<I: Iterator<Item = &'a Counts>>(counts: I) -> Self {
        let mut sum = Self::default();
        for (outcome, n) in counts.flat_map(Counts::iter) {
            sum.add(outcome, n);
        }
        sum
    }
}

/// Durations: a histogram whose slots grow by a twentieth, so that any quantile is accurate to 2.5 %.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times(BTreeMap<i32, u64>);

impl Times {
    /// Slots for each factor of e. The queries of `insights` also use it.
    pub const SLOTS: f64 = 20.0;
    /// Shorter durations count as this.
    pub const FASTEST_MS: f64 = 0.001;

    /// Counts one duration.
    pub fn add(&mut self, ms: f64) {
        let slot = (ms.max(Self::FASTEST_MS).ln() * Self::SLOTS).floor();
        self.add_to_slot(slot as i32, 1);
    }

    /// Counts `n` of one slot.
    pub fn add_to_slot(&mut self, slot: i32, n: u64) {
        *self.0.entry(slot).or_default() += n;
    }

    fn merge(&mut self, other: &Self) {
        other
            .0
            .iter()
            .for_each(|(slot, n)| self.add_to_slot(*slot, *n));
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The quantile for this share.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = self.count() as f64 * share;
        let mut seen = 0;
        self.0
            .iter()
            .find(|(_, n)| {
                seen += **n;
                seen as f64 >= wanted
            })
            .map(|(slot, _)| ((f64::from(*slot) + 0.5) / Self::SLOTS).exp())
    }

    /// The counts in wider steps: below each of these bounds, and above the last.
    pub fn steps(&self, bounds_ms: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_ms.len() + 1];
        for (slot, n) in &self.0 {
            let middle = ((f64::from(*slot) + 0.5) / Self::SLOTS).exp();
            counts[bounds_ms.partition_point(|bound| *bound <= middle)] += n;
        }
        counts
    }
}

/// Whether the directory got a request and gave a usable response.
fn directory_answered(outcome: &str) -> bool {
    const ANSWERED: [&str; 12] = [
        "migrated",
        "migrated-for-reset",
        "not-found",
        "not-eligible",
        "wrong-password",
        "sso-only",
        UNSUPPORTED_HASH,
        "connected",
        "sign-up-allowed",
        "user-exists",
        "admitted",
        "account-created",
    ];
    ANSWERED.contains(&outcome)
}

/// Everything that is counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// The counts of each day, counted from 1970-01-01.
    pub days: BTreeMap<i64, Counts>,
    /// The counts of each app client; those without a known client are under the empty name.
    pub clients: BTreeMap<String, Counts>,
    /// How long Cognito waited.
    pub times: Times,
    /// How long the function's starts took.
    pub inits: Times,
    /// The slowest invocations, slowest first.
    pub slowest: Vec<Entry>,
    /// The last invocations that need attention, newest first.
    pub troubles: Vec<Entry>,
    /// The invocations that need attention, per hour.
    pub troubled: Hours,
    /// When the last customer migrated, in milliseconds since 1970.
    pub last_migration_ms: Option<i64>,
    /// When the directory last gave a usable response.
    pub last_answer_ms: Option<i64>,
    /// Sign-ins whose stored hash cannot be checked, by its format and the reason.
    pub hashes: Counts,
    /// Migrations with a notification to another system, by the result.
    pub told: Counts,
    /// The operator's tests, counted nowhere else.
    pub trials: u64,
}

impl Tally {
    /// Counts one line of the log.
    pub fn read(&mut self, at_ms: i64, message: &str) {
        if let Some(entry) = Entry::read(at_ms, message) {
            self.add(entry);
        }
    }

    fn add(&mut self, entry: Entry) {
        if entry.trial {
            self.trials += 1;
            return;
        }
        self.count(day_of(entry.at_ms), &entry.outcome, 1);
        self.count_client(
            entry.client.as_deref().unwrap_or_default(),
            &entry.outcome,
            1,
        );
        self.note(entry.at_ms, &entry.outcome);
        self.troubled.note(&entry);
        if entry.outcome == UNSUPPORTED_HASH {
            self.count_hash(entry.reason.as_deref().unwrap_or_default(), 1);
        }
        if let Some(told) = &entry.on_migrated {
            self.told.add(told, 1);
        }
        if let Some(took) = entry.took_ms {
            self.times.add(took);
        }
        if let Some(init) = entry.init_ms {
            self.inits.add(init);
        }
        if entry.is_trouble() {
            self.keep_trouble(entry.clone());
        }
        self.keep_slow(entry);
    }

    /// Counts `n` of a day.
    pub fn count(&mut self, day: i64, outcome: &str, n: u64) {
        self.days.entry(day).or_default().add(outcome, n);
    }

    /// Counts `n` of an app client.
    pub fn count_client(&mut self, client: &str, outcome: &str, n: u64) {
        match self.clients.get_mut(client) {
            Some(counts) => counts.add(outcome, n),
            None => self
                .clients
                .entry(client.to_owned())
                .or_default()
                .add(outcome, n),
        }
    }

    /// Counts `n` of a format of hashes.
    pub fn count_hash(&mut self, format: &str, n: u64) {
        self.hashes.add(format, n);
    }

    /// Records the time of an outcome.
    pub fn note(&mut self, at_ms: i64, outcome: &str) {
        if Class::of(outcome) == Class::Migrated {
            self.last_migration_ms = self.last_migration_ms.max(Some(at_ms));
        }
        if directory_answered(outcome) {
            self.last_answer_ms = self.last_answer_ms.max(Some(at_ms));
        }
    }

    /// Counts invocations that need attention, of a span within an hour.
    pub fn count_trouble(&mut self, outcome: &str, reason: Option<&str>, span: Span) {
        self.troubled.add(outcome, reason, span);
    }

    /// Keeps the entry if it is one of the last.
    pub fn keep_trouble(&mut self, entry: Entry) {
        let at = self
            .troubles
            .partition_point(|kept| kept.at_ms > entry.at_ms);
        self.troubles.insert(at, entry);
        self.troubles.truncate(KEPT);
    }

    /// Keeps the entry if it is one of the slowest.
    pub fn keep_slow(&mut self, entry: Entry) {
        let Some(took) = entry.took_ms else { return };
        let at = self
            .slowest
            .partition_point(|kept| kept.took_ms.is_some_and(|kept| kept >= took));
        if at < KEPT {
            self.slowest.insert(at, entry);
            self.slowest.truncate(KEPT);
        }
    }

    /// Adds the counts of another tally.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            days,
            clients,
            times,
            inits,
            slowest,
            troubles,
            troubled,
            last_migration_ms,
            last_answer_ms,
            hashes,
            told,
            trials,
        } = other;
        for (day, counts) in days {
            counts
                .iter()
                .for_each(|(outcome, n)| self.count(*day, outcome, n));
        }
        for (client, counts) in clients {
            counts
                .iter()
                .for_each(|(outcome, n)| self.count_client(client, outcome, n));
        }
        hashes
            .iter()
            .for_each(|(format, n)| self.count_hash(format, n));
        told.iter().for_each(|(word, n)| self.told.add(word, n));
        self.times.merge(times);
        self.inits.merge(inits);
        slowest
            .iter()
            .cloned()
            .for_each(|entry| self.keep_slow(entry));
        troubles
            .iter()
            .cloned()
            .for_each(|entry| self.keep_trouble(entry));
        self.troubled.merge(troubled);
        self.last_migration_ms = self.last_migration_ms.max(*last_migration_ms);
        self.last_answer_ms = self.last_answer_ms.max(*last_answer_ms);
        self.trials += trials;
    }

    /// The counts of each outcome over all days.
    pub fn outcomes(&self) -> Counts {
        self.days.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::DAY_MS;

    /// A line in the handler's format, for the `n`th sign-in of a month.
    fn line(n: u64) -> String {
        let outcome = match n % 20 {
            0 => "directory-unavailable",
            1..=3 => "wrong-password",
            4 => "not-found",
            5 => "migrated-for-reset",
            _ => "migrated",
        };
        let took = 1.0 + (n % 1000) as f64 / 10.0;
        format!(
            r#"{{"_aws":{{"Timestamp":1,"CloudWatchMetrics":[{{"Namespace":"JaneMigrate","Dimensions":[["userPoolId"],["userPoolId","outcome"]],"Metrics":[{{"Name":"count","Unit":"Count"}},{{"Name":"durationMs","Unit":"Milliseconds"}}]}}]}},"outcome":"{outcome}","userPoolId":"us-west-2_Abc","triggerSource":"UserMigration_Authentication","count":1,"durationMs":{took},"upstream":[{{"call":"user_exists","ms":3.25,"status":200}}],"cold":false,"clientId":"client{}","user":"{n:024}"}}"#,
            n % 7
        )
    }

    /// A month of sign-ins; a million of them take the same memory.
    fn month(lines: u64) -> Tally {
        let mut tally = Tally::default();
        for n in 0..lines {
            let at = 20_000 * DAY_MS
                + i64::try_from(n * 30).unwrap() * DAY_MS / i64::try_from(lines).unwrap();
            tally.read(at, &line(n));
            tally.read(
                at,
                "REPORT RequestId: 8f5a\tDuration: 4.10 ms\tBilled Duration: 5 ms",
            );
        }
        tally
    }

    #[test]
    fn a_month_is_counted_in_memory_that_does_not_grow_with_it() {
        let few = month(6_000);
        let many = month(12_000);
        assert_eq!(many.outcomes().total(), 12_000);
        assert_eq!(many.outcomes().of(Class::Migrated), 12_000 / 20 * 15);
        assert_eq!(many.outcomes().of(Class::Failed), 12_000 / 20);
        let size = |tally: &Tally| {
            (
                tally.days.len(),
                tally.clients.len(),
                tally.times.0.len(),
                tally.slowest.len(),
                tally.troubles.len(),
            )
        };
        assert_eq!(size(&few), size(&many));
        assert_eq!((many.days.len(), many.clients.len()), (30, 7));
        assert!(many.times.0.len() < 200 && many.slowest.len() == KEPT);
    }

    #[test]
    fn quantiles_are_accurate_to_a_fortieth() {
        let mut times = Times::default();
        (1..=10_000).for_each(|n| times.add(f64::from(n) / 10.0));
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = times.quantile(share).unwrap();
            assert!((found / exact - 1.0).abs() < 0.026, "{share}: {found}");
        }
        assert_eq!(Times::default().quantile(0.5), None);
        assert_eq!(times.steps(&[100.0, 500.0]).iter().sum::<u64>(), 10_000);
    }

    #[test]
    fn the_slowest_and_the_last_failures_are_kept_in_order() {
        let mut tally = Tally::default();
        for n in 0..100_i64 {
            let took = (n * 37) % 100;
            tally.read(n, &format!(r#"{{"outcome":"directory-unavailable","durationMs":{took},"reason":"timeout"}}"#));
        }
        let slowest: Vec<_> = tally
            .slowest
            .iter()
            .filter_map(|entry| entry.took_ms)
            .collect();
        assert_eq!(slowest, (90..100).rev().map(f64::from).collect::<Vec<_>>());
        let last: Vec<_> = tally.troubles.iter().map(|entry| entry.at_ms).collect();
        assert_eq!(last, (90..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn results_of_notifications_are_counted_without_tests() {
        let mut tally = Tally::default();
        for (told, trial) in [
            ("sent", false),
            ("sent", false),
            ("timeout", false),
            ("checked", true),
        ] {
            tally.read(5, &format!(r#"{{"outcome":"migrated","durationMs":1.0,"onMigrated":"{told}","trial":{trial}}}"#));
        }
        tally.read(5, r#"{"outcome":"migrated","durationMs":1.0}"#);
        let mut twice = Tally::default();
        twice.merge(&tally);
        twice.merge(&tally);
        let told: Vec<_> = twice.told.iter().collect();
        assert_eq!(told, [("sent", 4), ("timeout", 2)]);
        assert!(twice.troubles.is_empty(), "no sign-in failed");
    }

    #[test]
    fn hashes_that_cannot_be_checked_are_counted_by_format() {
        let line = |format: &str| {
            format!(r#"{{"outcome":"unsupported-hash","durationMs":1.0,"reason":"{format}"}}"#)
        };
        let mut tally = Tally::default();
        for format in ["$1$: unknown format", "{SHA}: weak", "$1$: unknown format"] {
            tally.read(5, &line(format));
        }
        let mut twice = Tally::default();
        twice.merge(&tally);
        twice.merge(&tally);
        assert_eq!(twice.hashes.get("$1$: unknown format"), 4);
        assert_eq!(twice.hashes.total(), 6);
        assert_eq!(tally.outcomes().of(Class::Failed), 3);
    }

    #[test]
    fn the_operators_tests_count_nowhere_else() {
        let mut tally = Tally::default();
        tally.read(5, r#"{"outcome":"migrated","durationMs":1.0,"trial":true}"#);
        assert_eq!(
            tally,
            Tally {
                trials: 1,
                ..Tally::default()
            }
        );
    }
}
