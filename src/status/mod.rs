//! The migration's progress: the function's log and the pool's own count as one document, for a terminal, as JSON and as a page.
//! [`tally`] counts and [`mod@outlook`] estimates, both pure; [`read`] reads the log; `ui` shows the result.

pub mod entry;
mod forecast;
pub mod incident;
mod insights;
pub mod live;
pub mod outlook;
pub mod read;
pub mod tally;

use std::collections::BTreeMap;
use std::str::FromStr;

use jane_migrate_config::Date;
use serde::Serialize;

use self::entry::{Call, Class, Entry};
use self::incident::Incident;
use self::live::Live;
use self::outlook::{DayCount, Outlook, outlook};
pub use self::read::Source;
use self::tally::{Counts, Tally};
use crate::dates::{DAY_MS, date, day_of, minute, utc};
use crate::exact::Exact;
use jane_migrate_core::finding::Finding;
use jane_migrate_core::fix::Flags;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::resources::LogGroup;

/// How long CloudWatch keeps the values of a metric: older days are not read.
pub const LONGEST_DAYS: i64 = 455;

/// How far back to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This many days before today.
    Days(u16),
    /// From this day on.
    Day(Date),
}

impl Since {
    /// The first day of the period.
    pub fn first_day(self, today: Date) -> Date {
        match self {
            Self::Days(days) => date(today.epoch_days() - i64::from(days)),
            Self::Day(day) => day.min(today),
        }
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = |letter: char, factor: u16| {
            let count: u16 = text.strip_suffix(letter)?.parse().ok()?;
            count.checked_mul(factor).filter(|days| *days > 0)
        };
        days('d', 1)
            .or_else(|| days('w', 7))
            .map(Self::Days)
            .or_else(|| text.parse().ok().map(Self::Day))
            .ok_or("expected days such as 30d, weeks such as 4w, or a day such as 2027-01-31")
    }
}

/// What is known in addition to the log.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The pool's id.
    pub pool: PoolId,
    /// The pool's name.
    pub name: String,
    /// The pool's estimated number of users.
    pub pool_users: Option<u64>,
    /// Names of the app clients, by id.
    pub clients: BTreeMap<String, String>,
    /// How many users there are to migrate.
    pub total_users: Option<u64>,
    /// The last count of `remaining` or `import`.
    pub exact: Option<Exact>,
    /// The last day of the window.
    pub closes: Option<Date>,
    /// The percentage of names that migrate, if it is not all.
    pub window_share: Option<u8>,
    /// Whether Jane is notified of each customer who migrates.
    pub connects: bool,
    /// The first requested day.
    pub since: Date,
    /// No first day was requested: older lines of the log count, too.
    pub everything: bool,
    /// The days that the log covers.
    pub coverage: Coverage,
    /// The counts of the days before that.
    pub earlier: Earlier,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// The findings of [`live::CHECKS`].
    pub findings: Vec<Finding>,
    /// The given flags, for the commands that are printed.
    pub flags: Flags,
}

/// The counts in CloudWatch's metrics for the days that the log no longer has.
#[derive(Debug, Clone, Default)]
pub enum Earlier {
    /// The metrics were not read.
    #[default]
    NotAsked,
    /// The counts of each day.
    Counted {
        /// The last of these days.
        until: Date,
        /// By day, counted from 1970-01-01.
        days: BTreeMap<i64, Counts>,
    },
    /// The metrics could not be read; contains the reason.
    Unread(String),
}

impl Earlier {
    /// Adds these counts to those from the log.
    fn complete(&self, counted: &mut BTreeMap<i64, Counts>) {
        let Self::Counted { days, .. } = self else {
            return;
        };
        for (day, counts) in days {
            counted.entry(*day).or_default().at_least(counts);
        }
    }
}

/// What a log covers: nothing before its creation, and nothing that has expired.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage {
    created_ms: Option<i64>,
    retention_days: Option<u32>,
}

impl Coverage {
    /// What this log group covers.
    pub fn of(group: &LogGroup) -> Self {
        Self {
            created_ms: group.created_ms,
            retention_days: group.retention_days,
        }
    }

    /// The first day that is still kept, if events expire.
    fn oldest(self, now_ms: i64) -> Option<i64> {
        let days = self.retention_days?;
        Some(day_of(now_ms) - i64::from(days))
    }

    /// The day of its creation.
    pub fn created(self) -> Option<Date> {
        self.created_ms.map(|ms| date(day_of(ms)))
    }

    /// The last day with missing events, for a count from this day on.
    pub fn lacks(self, since: Date, now_ms: i64) -> Option<Date> {
        let begins = self.begins(now_ms)?;
        (since.epoch_days() < begins).then(|| date(begins))
    }

    /// The first day that may have events.
    fn begins(self, now_ms: i64) -> Option<i64> {
        self.created_ms.map(day_of).max(self.oldest(now_ms))
    }

    /// Whether a count from this day on includes the log's creation.
    fn reaches(self, since: i64) -> bool {
        self.created_ms
            .is_some_and(|created| created >= since * DAY_MS)
    }

    /// Whether a count from this day on misses no event that the log ever had.
    fn is_whole(self, since: i64, now_ms: i64) -> bool {
        let expired = self
            .retention_days
            .map_or(i64::MIN, |days| now_ms - i64::from(days) * DAY_MS);
        self.reaches(since) && self.created_ms.is_some_and(|created| created >= expired)
    }
}

/// The progress of the migration. The keys of its JSON are fixed.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The pool's id.
    pub pool: String,
    /// The pool's name.
    pub name: String,
    /// Whether customers migrate now.
    pub live: Live,
    /// When this was read, UTC.
    pub as_of: String,
    /// The first day of the period, UTC.
    pub since: Date,
    /// The last day: today.
    pub until: Date,
    /// How the log was counted.
    pub source: Source,
    /// Responses that migrated a customer.
    pub migrated: u64,
    /// Responses that correctly rejected a user.
    pub refused: u64,
    /// Errors instead of a response.
    pub failed: u64,
    /// What the sign-up triggers did.
    pub accounts: Accounts,
    /// The count of each outcome.
    pub outcomes: Counts,
    /// The counts of each day, from the first with any.
    pub days: Vec<Day>,
    /// The counts of each app client, the busiest first.
    pub clients: Vec<Client>,
    /// The progress so far.
    pub progress: Progress,
    /// The last count of `remaining` or `import`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
    /// The percentage of names that migrate, if it is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_share: Option<u8>,
    /// The forecast.
    pub outlook: Outlook,
    /// How long Cognito, and therefore the customer, waited.
    pub times: TimesShown,
    /// The starts of the function.
    pub cold_starts: ColdStarts,
    /// The invocations that need attention, newest first.
    pub errors: Vec<Event>,
    /// The invocations that need attention, grouped by reason, latest first.
    pub incidents: Vec<Incident>,
    /// When the directory last gave a usable response.
    #[serde(skip)]
    pub last_answer_ms: Option<i64>,
    /// Sign-ins whose stored hash cannot be checked, by its format and the reason.
    pub unsupported_hashes: Counts,
    /// Migrations with a notification to another system, by the result: `sent`, or the failure.
    #[serde(skip_serializing_if = "Counts::is_empty")]
    pub on_migrated: Counts,
    /// The operator's tests, counted nowhere else.
    pub trials: u64,
    /// Invocations with a date outside the requested period. They count, but on no day.
    #[serde(skip_serializing_if = "is_zero")]
    pub misdated: u64,
}

/// What the pre sign-up and post confirmation triggers did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// Users that Jane was notified of: migrated ones, and those that an administrator created.
    pub connected: u64,
    /// Customers who migrated without a notification to Jane: before the trigger was on, or with `connect = "best-effort"`.
    pub without_connection: u64,
    /// Sign-ups that were allowed, including customers of other providers.
    pub sign_ups_allowed: u64,
    /// Sign-ups that were rejected.
    pub sign_ups_refused: u64,
    /// Accounts that Jane created for new users.
    pub created: u64,
}

impl Accounts {
    fn new(outcomes: &Counts, connects: bool) -> Self {
        let connected = outcomes.get(entry::CONNECTED);
        let any = connected + outcomes.get(entry::UNCONNECTED) > 0;
        let migrated = outcomes.of(Class::Migrated);
        Self {
            connected,
            without_connection: match connects || any {
                true => migrated.saturating_sub(connected),
                false => 0,
            },
            sign_ups_allowed: outcomes.get(entry::SIGN_UP_ALLOWED) + outcomes.get(entry::ADMITTED),
            sign_ups_refused: outcomes.get(entry::USER_EXISTS)
                + outcomes.get(entry::SIGN_UP_REFUSED),
            created: outcomes.get(entry::ACCOUNT_CREATED),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One day.
#[derive(Debug, Clone, Serialize)]
pub struct Day {
    /// The date, in UTC.
    pub date: Date,
    /// The count of each outcome on it.
    pub outcomes: Counts,
}

/// One app client.
#[derive(Debug, Clone, Serialize)]
pub struct Client {
    /// Its id; empty for invocations that named none.
    pub id: String,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The count of each outcome for its users.
    pub outcomes: Counts,
}

impl Client {
    /// Its name or id.
    pub fn label(&self) -> String {
        match (&self.name, self.id.as_str()) {
            (Some(name), id) => format!("{name} ({id})"),
            (None, "") => "no app client".to_owned(),
            (None, id) => id.to_owned(),
        }
    }
}

/// What the number of migrated customers is based on. It is never the pool's own count, which includes users who were never in
/// the old directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The log, which includes the first migration.
    Log,
    /// The log, plus CloudWatch's metrics for the days that the log no longer has.
    LogAndMetrics,
    /// A part of the log: older migrations may be missing. The number is a minimum.
    PartOfLog,
}

/// The progress so far.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// How many customers have migrated; with [`Basis::PartOfLog`] a minimum.
    pub arrived: u64,
    /// The basis of that number.
    pub basis: Basis,
    /// The first day that the log may have events of, if known.
    pub log_begins: Option<Date>,
    /// The last day counted from CloudWatch's metrics, because the log no longer has all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_until: Option<Date>,
    /// Why the metrics for the days that the log no longer has could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_unread: Option<String>,
    /// How many users there are to migrate, as configured.
    pub total_users: Option<u64>,
    /// The share that has migrated.
    pub share: Option<f64>,
    /// The pool's number of users; Cognito's estimate, some hours old.
    pub pool_users: Option<u64>,
    /// The time of the last migration, UTC.
    pub last_migration: Option<String>,
}

/// How long Cognito waited.
#[derive(Debug, Clone, Serialize)]
pub struct TimesShown {
    /// The p50: half of all responses took at most this long.
    pub median_ms: Option<f64>,
    /// The p99.
    pub p99_ms: Option<f64>,
    /// The slowest invocations.
    pub slowest: Vec<Event>,
    /// How many responses took how long.
    pub distribution: Vec<Step>,
}

/// Responses that took about the same time.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// From this time on.
    pub from_ms: f64,
    /// Less than this; the last step has no end.
    pub to_ms: Option<f64>,
    /// How many.
    pub count: u64,
}

/// Starts of the function.
#[derive(Debug, Clone, Serialize)]
pub struct ColdStarts {
    /// How many.
    pub count: u64,
    /// The p50.
    pub median_ms: Option<f64>,
    /// The p99.
    pub p99_ms: Option<f64>,
}

/// One invocation to show.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The time, UTC.
    pub at: String,
    /// Its log entry.
    #[serde(flatten)]
    pub entry: Entry,
}

/// The bounds of the distribution.
const STEPS_MS: [f64; 11] = [
    5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 3500.0, 5000.0,
];

impl Status {
    /// Combines the counts and the facts.
    pub fn new(tally: &Tally, facts: &Facts, source: Source) -> Self {
        let mut tally = tally.clone();
        facts.earlier.complete(&mut tally.days);
        let tally = &tally;
        let outcomes = tally.outcomes();
        let today = day_of(facts.now_ms);
        let asked = facts.since.epoch_days();
        let asked = match tally.days.range(today - LONGEST_DAYS..).next() {
            Some((first, _)) if facts.everything => asked.min(*first),
            _ => asked,
        };
        let since = match (&facts.earlier, facts.coverage.oldest(facts.now_ms)) {
            (Earlier::Counted { .. }, _) | (_, None) => asked,
            (_, Some(oldest)) => asked.max(oldest),
        };
        // AWS's dates are within this range. Clocks differ a little, so tomorrow is possible.
        let (possible, impossible): (Vec<_>, Vec<_>) =
            (tally.days.iter()).partition(|(day, _)| (asked.min(today)..=today + 1).contains(*day));
        let first = possible.first().map_or(today, |(day, _)| **day);
        let progress = progress(tally, facts, outcomes.of(Class::Migrated), since);
        let left = match &facts.exact {
            // Customers who migrated later on the day of the count are not subtracted: the number is rather too high than too
            // low.
            Some(exact) => {
                let later = tally.days.range(day_of(exact.at_ms) + 1..);
                let later: u64 = later.map(|(_, counts)| counts.of(Class::Migrated)).sum();
                Some(exact.remaining.saturating_sub(later))
            }
            None => facts
                .total_users
                .map(|total| total.saturating_sub(progress.arrived)),
        };
        let closes = facts.closes;
        let until = date(today);
        let incidents = tally.troubled.incidents();
        let days = (first.max(since)..=today).map(|day| {
            let counts = tally.days.get(&day).cloned().unwrap_or_default();
            DayCount {
                day,
                migrated: counts.of(Class::Migrated),
                answers: counts.total(),
                failed: counts.of(Class::Failed),
            }
        });
        let days: Vec<_> = days.collect();
        Self {
            pool: facts.pool.to_string(),
            name: facts.name.clone(),
            live: Live::new(
                &facts.findings,
                &facts.pool,
                &facts.flags,
                tally.last_answer_ms,
                &incidents,
                facts.now_ms,
            ),
            as_of: utc(facts.now_ms),
            since: date(since),
            until,
            source,
            exact: facts.exact.clone(),
            window_share: facts.window_share,
            migrated: outcomes.of(Class::Migrated),
            refused: outcomes.of(Class::Refused),
            failed: outcomes.of(Class::Failed),
            accounts: Accounts::new(&outcomes, facts.connects),
            outcomes,
            days: (first..=today)
                .map(|day| Day {
                    date: date(day),
                    outcomes: tally.days.get(&day).cloned().unwrap_or_default(),
                })
                .collect(),
            clients: clients(tally, facts),
            outlook: outlook(&days, until, progress.arrived, left, closes),
            progress,
            times: times(tally),
            cold_starts: ColdStarts {
                count: tally.inits.count(),
                median_ms: tally.inits.quantile(0.5).map(rounded),
                p99_ms: tally.inits.quantile(0.99).map(rounded),
            },
            errors: tally.troubles.iter().map(Event::new).collect(),
            incidents,
            last_answer_ms: tally.last_answer_ms,
            unsupported_hashes: tally.hashes.clone(),
            on_migrated: tally.told.clone(),
            trials: tally.trials,
            misdated: impossible.iter().map(|(_, counts)| counts.total()).sum(),
        }
    }

    /// The prefix of a number that is a minimum.
    pub fn at_least(&self) -> &'static str {
        match self.progress.basis {
            Basis::Log | Basis::LogAndMetrics => "",
            Basis::PartOfLog => "at least ",
        }
    }

    /// The prefix of a number that is a maximum.
    pub fn at_most(&self) -> &'static str {
        match self.progress.basis {
            Basis::Log | Basis::LogAndMetrics => "",
            Basis::PartOfLog => "at most ",
        }
    }

    /// The counts of today.
    pub fn today(&self) -> Option<&Day> {
        self.days.last()
    }
}

impl Event {
    fn new(entry: &Entry) -> Self {
        Self {
            at: utc(entry.at_ms),
            entry: Entry {
                took_ms: entry.took_ms.map(rounded),
                init_ms: entry.init_ms.map(rounded),
                ..entry.clone()
            },
        }
    }

    /// The time, for people.
    pub fn when(&self) -> String {
        minute(&self.at)
    }

    /// The requests to the directory, as text.
    pub fn upstream(&self) -> String {
        self.entry
            .upstream
            .iter()
            .map(Call::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn progress(tally: &Tally, facts: &Facts, arrived: u64, since: i64) -> Progress {
    Progress {
        arrived,
        basis: match &facts.earlier {
            _ if facts.coverage.is_whole(since, facts.now_ms) => Basis::Log,
            Earlier::Counted { .. } if facts.coverage.reaches(since) => Basis::LogAndMetrics,
            _ => Basis::PartOfLog,
        },
        log_begins: facts.coverage.begins(facts.now_ms).map(date),
        metrics_until: match &facts.earlier {
            Earlier::Counted { until, days } if !days.is_empty() => Some(*until),
            _ => None,
        },
        metrics_unread: match &facts.earlier {
            Earlier::Unread(why) => Some(why.clone()),
            Earlier::NotAsked | Earlier::Counted { .. } => None,
        },
        total_users: facts.total_users,
        share: facts
            .total_users
            .filter(|total| *total > 0)
            .map(|total| (arrived as f64 / total as f64).min(1.0)),
        pool_users: facts.pool_users,
        last_migration: tally.last_migration_ms.map(|at| utc(at.min(facts.now_ms))),
    }
}

fn clients(tally: &Tally, facts: &Facts) -> Vec<Client> {
    let mut clients: Vec<Client> = tally
        .clients
        .iter()
        .map(|(id, outcomes)| Client {
            id: id.clone(),
            name: facts.clients.get(id).cloned(),
            outcomes: outcomes.clone(),
        })
        .collect();
    clients.sort_by_key(|client| std::cmp::Reverse(client.outcomes.total()));
    clients
}

fn times(tally: &Tally) -> TimesShown {
    let starts = std::iter::once(0.0).chain(STEPS_MS);
    let ends = STEPS_MS.into_iter().map(Some).chain([None]);
    TimesShown {
        median_ms: tally.times.quantile(0.5).map(rounded),
        p99_ms: tally.times.quantile(0.99).map(rounded),
        slowest: tally.slowest.iter().map(Event::new).collect(),
        distribution: starts
            .zip(ends)
            .zip(tally.times.steps(&STEPS_MS))
            .map(|((from_ms, to_ms), count)| Step {
                from_ms,
                to_ms,
                count,
            })
            .collect(),
    }
}

/// A histogram is exact to three digits only.
fn rounded(ms: f64) -> f64 {
    let digits = 10_f64.powi(2 - ms.abs().max(0.001).log10().floor() as i32);
    (ms * digits).round() / digits
}

#[cfg(test)]
pub(crate) mod history;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
