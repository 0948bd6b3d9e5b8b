//! Invented histories for the tests: shops of several sizes whose sign-ins decrease, with weekends, an outage and bots.

use std::ops::Range;

use super::incident::Span;
use super::tally::{Tally, Times};
use crate::dates::DAY_MS;

const HOUR_MS: i64 = DAY_MS / 24;

/// A pseudo-random number, the same in each run.
pub(crate) struct Dice(pub u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A Poisson variable; for large means a normal one, rounded.
    fn poisson(&mut self, mean: f64) -> u64 {
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        if mean > 50.0 {
            return (mean + normal * mean.sqrt()).max(0.0) as u64;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }
}

/// A shop: how often customers sign in decides when they migrate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub customers: f64,
    /// Shares of customers, and how often a day each of them signs in.
    pub habits: [(f64, f64); 3],
    pub weekends: f64,
}

impl Shop {
    fn day(&self, day: i64) -> f64 {
        let weekday = if day.rem_euclid(7) >= 5 {
            self.weekends
        } else {
            1.0
        };
        let of = |(share, often): (f64, f64)| {
            share * ((-often * day as f64).exp() - (-often * (day + 1) as f64).exp())
        };
        weekday * self.customers * self.habits.into_iter().map(of).sum::<f64>()
    }

    /// How many customers migrate on each day.
    pub(crate) fn days(&self, days: i64, dice: &mut Dice) -> Vec<u64> {
        (0..days).map(|day| dice.poisson(self.day(day))).collect()
    }
}

/// The events of a shop.
pub(crate) struct History {
    pub shop: Shop,
    pub days: i64,
    /// The days on which the directory was down.
    pub outage: Range<i64>,
    /// The days on which bots tried names.
    pub bots: Range<i64>,
}

impl History {
    /// The tally of its log, starting at a day (counted from 1970-01-01).
    pub(crate) fn tally(&self, first: i64, dice: &mut Dice) -> Tally {
        let mut tally = Tally::default();
        for (day, migrated) in (0..).zip(self.shop.days(self.days, dice)) {
            let mut count = |outcome: &str, n: u64, took: f64| {
                if n > 0 {
                    tally.count(first + day, outcome, n);
                    tally.count_client("1example", outcome, n);
                    tally.note((first + day) * DAY_MS + 43_200_000, outcome);
                    let slot = (took.ln() * Times::SLOTS).floor();
                    tally.times.add_to_slot(slot as i32, n);
                }
            };
            let mistyped = dice.poisson(migrated as f64 / 20.0);
            if self.bots.contains(&day) {
                count("not-found", dice.poisson(4000.0), 9.0);
            }
            if self.outage.contains(&day) {
                count("directory-unavailable", migrated, 3500.0);
                for hour in 8..20 {
                    let first_ms = (first + day) * DAY_MS + hour * HOUR_MS;
                    let span = Span {
                        first_ms,
                        last_ms: first_ms + HOUR_MS - 1,
                        count: (migrated / 12).max(1),
                    };
                    tally.count_trouble("directory-unavailable", Some("timeout"), span);
                }
                continue;
            }
            count("migrated", migrated, 240.0);
            count("wrong-password", mistyped, 180.0);
        }
        tally
    }
}

pub(crate) fn shops() -> Vec<Shop> {
    let habits = [
        [(0.4, 1.0 / 7.0), (0.4, 1.0 / 30.0), (0.2, 1.0 / 200.0)],
        [(1.0, 1.0 / 20.0), (0.0, 1.0), (0.0, 1.0)],
        [(0.2, 1.0 / 3.0), (0.3, 1.0 / 45.0), (0.5, 1.0 / 400.0)],
        [(0.1, 1.0 / 7.0), (0.0, 1.0), (0.9, 1.0 / 90.0)],
    ];
    let mut shops = Vec::new();
    for customers in [800.0, 20_000.0, 500_000.0] {
        for habits in habits {
            for weekends in [1.0, 0.5, 1.8] {
                shops.push(Shop {
                    customers,
                    habits,
                    weekends,
                });
            }
        }
    }
    shops
}
