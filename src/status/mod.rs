//! The migration's progress: the function's log and the pool's own count as one document, for a terminal, as JSON and as a page.
//! [`tally`] counts and [`mod@outlook`] estimates, both without effects; [`read`] fetches what is counted; `ui` shows it.

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

/// How long CloudWatch keeps the counts of a metric: no further back is looked.
pub const LONGEST_DAYS: i64 = 455;

/// How far back to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many days before today.
    Days(u16),
    /// From a day on.
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

/// What is known besides the log.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The pool's id.
    pub pool: PoolId,
    /// The name people gave it.
    pub name: String,
    /// How many users the pool says it has.
    pub pool_users: Option<u64>,
    /// Names of the app clients, by id.
    pub clients: BTreeMap<String, String>,
    /// How many users there are to migrate.
    pub total_users: Option<u64>,
    /// What `remaining` or `import` counted last.
    pub exact: Option<Exact>,
    /// The last day of the window.
    pub closes: Option<Date>,
    /// The percentage of names that migrate, where it is not all.
    pub window_share: Option<u8>,
    /// Whether Jane must know of each customer who migrates.
    pub connects: bool,
    /// The first day that was asked for.
    pub since: Date,
    /// No day was: what the log has from before it counts, too.
    pub everything: bool,
    /// What the log can know.
    pub coverage: Coverage,
    /// What is known of the days before that.
    pub earlier: Earlier,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// What the checks of [`live::CHECKS`] found.
    pub findings: Vec<Finding>,
    /// The flags that were given, for the commands that are shown.
    pub flags: Flags,
}

/// What CloudWatch's metrics know of the days that the log no longer has.
#[derive(Debug, Clone, Default)]
pub enum Earlier {
    /// They were not asked.
    #[default]
    NotAsked,
    /// The counts of each day.
    Counted {
        /// The last of them.
        until: Date,
        /// By day, counted from 1970-01-01.
        days: BTreeMap<i64, Counts>,
    },
    /// They could not be read, and why.
    Unread(String),
}

impl Earlier {
    /// Completes what was counted from the log.
    fn complete(&self, counted: &mut BTreeMap<i64, Counts>) {
        let Self::Counted { days, .. } = self else {
            return;
        };
        for (day, counts) in days {
            counted.entry(*day).or_default().at_least(counts);
        }
    }
}

/// What a log can know: nothing from before it was made, and nothing that it keeps no longer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage {
    created_ms: Option<i64>,
    retention_days: Option<u32>,
}

impl Coverage {
    /// What this log group can know.
    pub fn of(group: &LogGroup) -> Self {
        Self {
            created_ms: group.created_ms,
            retention_days: group.retention_days,
        }
    }

    /// The first day of which anything is still kept, where events expire.
    fn oldest(self, now_ms: i64) -> Option<i64> {
        let days = self.retention_days?;
        Some(day_of(now_ms) - i64::from(days))
    }

    /// The day on which it was made.
    pub fn created(self) -> Option<Date> {
        self.created_ms.map(|ms| date(day_of(ms)))
    }

    /// The last day of which a count from this day on lacks anything.
    pub fn lacks(self, since: Date, now_ms: i64) -> Option<Date> {
        let begins = self.begins(now_ms)?;
        (since.epoch_days() < begins).then(|| date(begins))
    }

    /// The first day of which it may have anything.
    fn begins(self, now_ms: i64) -> Option<i64> {
        self.created_ms.map(day_of).max(self.oldest(now_ms))
    }

    /// Whether a count from this day on goes back to when it was made.
    fn reaches(self, since: i64) -> bool {
        self.created_ms
            .is_some_and(|created| created >= since * DAY_MS)
    }

    /// Whether a count from this day on misses nothing that was ever in the log.
    fn is_whole(self, since: i64, now_ms: i64) -> bool {
        let expired = self
            .retention_days
            .map_or(i64::MIN, |days| now_ms - i64::from(days) * DAY_MS);
        self.reaches(since) && self.created_ms.is_some_and(|created| created >= expired)
    }
}

/// How the migration goes. The keys of its JSON are fixed.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The pool's id.
    pub pool: String,
    /// The name people gave it.
    pub name: String,
    /// Whether customers migrate now.
    pub live: Live,
    /// When this was read, UTC.
    pub as_of: String,
    /// The first day of the period, UTC.
    pub since: Date,
    /// The last: today.
    pub until: Date,
    /// Who counted.
    pub source: Source,
    /// Answers that migrated a customer.
    pub migrated: u64,
    /// Answers that correctly migrated no one.
    pub refused: u64,
    /// Errors in place of an answer.
    pub failed: u64,
    /// What the triggers at sign-ups did.
    pub accounts: Accounts,
    /// All by outcome.
    pub outcomes: Counts,
    /// Day by day, from the first with anything in it.
    pub days: Vec<Day>,
    /// By app client, the busiest first.
    pub clients: Vec<Client>,
    /// How far it has come.
    pub progress: Progress,
    /// What `remaining` or `import` counted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
    /// The percentage of names that migrate, where it is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_share: Option<u8>,
    /// Where that leads.
    pub outlook: Outlook,
    /// How long Cognito, and with it the customer, waited.
    pub times: TimesShown,
    /// Starts of the function.
    pub cold_starts: ColdStarts,
    /// The invocations that need attention, newest first.
    pub errors: Vec<Event>,
    /// What needs attention, grouped by reason, the latest first.
    pub incidents: Vec<Incident>,
    /// When the directory last gave a usable answer.
    #[serde(skip)]
    pub last_answer_ms: Option<i64>,
    /// Sign-ins that met a stored hash which cannot be checked, by its format and why.
    pub unsupported_hashes: Counts,
    /// Migrations of which another system was to be told, by what became of it: `sent`, or what went wrong.
    #[serde(skip_serializing_if = "Counts::is_empty")]
    pub on_migrated: Counts,
    /// Trials of the operator's, counted nowhere else.
    pub trials: u64,
    /// Invocations that the log dates outside the time that was asked for. They count, but on no day.
    #[serde(skip_serializing_if = "is_zero")]
    pub misdated: u64,
}

/// What the pre sign-up and post confirmation triggers did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// Users of whom Jane was told: those who migrated, and those whom an administrator created.
    pub connected: u64,
    /// Customers who migrated, as far as Jane was not told of them: before the trigger was on, or with `connect = "best-effort"`.
    pub without_connection: u64,
    /// Sign-ups that were let through, customers of other providers included.
    pub sign_ups_allowed: u64,
    /// Sign-ups that were refused.
    pub sign_ups_refused: u64,
    /// Accounts that Jane made for new users.
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
    /// Which, in UTC.
    pub date: Date,
    /// What happened on it.
    pub outcomes: Counts,
}

/// One app client.
#[derive(Debug, Clone, Serialize)]
pub struct Client {
    /// Its id; empty for invocations that named none.
    pub id: String,
    /// The name people gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its users met.
    pub outcomes: Counts,
}

impl Client {
    /// How people call it.
    pub fn label(&self) -> String {
        match (&self.name, self.id.as_str()) {
            (Some(name), id) => format!("{name} ({id})"),
            (None, "") => "no app client".to_owned(),
            (None, id) => id.to_owned(),
        }
    }
}

/// The basis of the number of migrated customers. The pool's own count is none: it includes users who never were in the old
/// directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The log, which reaches back to the first of them.
    Log,
    /// The log, and CloudWatch's metrics for the days that it no longer has.
    LogAndMetrics,
    /// A part of the log: there may be more from before it. The number is the least it can be.
    PartOfLog,
}

/// How far it has come.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// How many customers have migrated; with [`Basis::PartOfLog`] the least it can be.
    pub arrived: u64,
    /// The basis of that number.
    pub basis: Basis,
    /// The first day of which the log may have anything, where that is known.
    pub log_begins: Option<Date>,
    /// The last day that was counted from CloudWatch's metrics, because the log no longer has all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_until: Option<Date>,
    /// Why the metrics of the days that the log no longer has could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_unread: Option<String>,
    /// How many there are to migrate, as configured.
    pub total_users: Option<u64>,
    /// The share of them.
    pub share: Option<f64>,
    /// How many users the pool says it has; Cognito's estimate, some hours old.
    pub pool_users: Option<u64>,
    /// When the last customer migrated, UTC.
    pub last_migration: Option<String>,
}

/// How long Cognito waited.
#[derive(Debug, Clone, Serialize)]
pub struct TimesShown {
    /// Half of all answers took no longer.
    pub median_ms: Option<f64>,
    /// 99 % took no longer.
    pub p99_ms: Option<f64>,
    /// The slowest of all.
    pub slowest: Vec<Event>,
    /// How many took how long.
    pub distribution: Vec<Step>,
}

/// Answers that took about as long.
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
    /// Half of them took no longer.
    pub median_ms: Option<f64>,
    /// 99 % took no longer.
    pub p99_ms: Option<f64>,
}

/// One invocation worth showing.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// When, UTC.
    pub at: String,
    /// What became of it.
    #[serde(flatten)]
    pub entry: Entry,
}

/// The bounds of the distribution that is shown.
const STEPS_MS: [f64; 11] = [
    5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 3500.0, 5000.0,
];

impl Status {
    /// Puts together what was counted and what is known.
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
        // What AWS dates is between these. The clocks differ a little, so tomorrow is possible.
        let (possible, impossible): (Vec<_>, Vec<_>) =
            (tally.days.iter()).partition(|(day, _)| (asked.min(today)..=today + 1).contains(*day));
        let first = possible.first().map_or(today, |(day, _)| **day);
        let progress = progress(tally, facts, outcomes.of(Class::Migrated), since);
        let left = match &facts.exact {
            // Who migrated later on the day of the count is not taken off: rather too many than too few.
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

    /// What stands before a number that is no less than this.
    pub fn at_least(&self) -> &'static str {
        match self.progress.basis {
            Basis::Log | Basis::LogAndMetrics => "",
            Basis::PartOfLog => "at least ",
        }
    }

    /// The same, before one that is no more than this.
    pub fn at_most(&self) -> &'static str {
        match self.progress.basis {
            Basis::Log | Basis::LogAndMetrics => "",
            Basis::PartOfLog => "at most ",
        }
    }

    /// How many of a class came on a day.
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

    /// When, as people read it.
    pub fn when(&self) -> String {
        minute(&self.at)
    }

    /// What the directory was asked, in words.
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

/// Three digits are all that a histogram knows.
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
