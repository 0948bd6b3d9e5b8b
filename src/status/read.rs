//! Fetches what is counted. What is a minute old or more is counted by Insights, once; what is newer, and everything where there
//! is no Insights, comes as lines. Keeps counts, never lines.

use std::collections::BTreeMap;

use jane_migrate_config::Date;
use jane_migrate_core::ids::PoolId;
use serde::Serialize;

use super::insights;
pub use super::insights::Wanted;
use super::tally::{Counts, Tally};
use super::{Coverage, Earlier};
use crate::aws::{AwsError, Reader};
use crate::dates::begin_of;
use crate::guide;

/// After this long a line can be trusted to be where it is looked for.
const SETTLING_MS: i64 = 60_000;

/// Who counted the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// CloudWatch Logs Insights, but for the last minute.
    Insights,
    /// This program, line by line.
    Events,
}

/// Counts all of a log from a day on, once. What Insights counts and what is newer are asked for at the same time.
pub async fn count(
    aws: &Reader,
    group: &str,
    since: Date,
    now_ms: i64,
    wanted: Wanted,
) -> Result<(Tally, Source), AwsError> {
    let (since_ms, until_ms) = (begin_of(since), settled_until(now_ms));
    let (counted, fresh) = tokio::join!(
        insights::tally(aws, group, since_ms, until_ms, wanted),
        events(aws, group, until_ms + 1, now_ms),
    );
    let mut tally = fresh?;
    let (settled, source) = match counted? {
        Some(settled) => (settled, Source::Insights),
        None => (
            events(aws, group, since_ms, until_ms).await?,
            Source::Events,
        ),
    };
    tally.merge(&settled);
    Ok((tally, source))
}

async fn events(
    aws: &Reader,
    group: &str,
    since_ms: i64,
    until_ms: i64,
) -> Result<Tally, AwsError> {
    let mut tally = Tally::default();
    aws.each_log_event(group, since_ms, until_ms, |at_ms, message| {
        tally.read(at_ms, message);
    })
    .await?;
    Ok(tally)
}

/// What the metrics know of the days that the log no longer has, where it lacks any since this day.
pub async fn earlier(
    aws: &Reader,
    pool: &PoolId,
    region: &str,
    coverage: Coverage,
    (since, now_ms): (Date, i64),
) -> Earlier {
    let Some(until) = coverage.lacks(since, now_ms) else {
        return Earlier::NotAsked;
    };
    let outcomes = guide::outcomes();
    let (from, to) = (since.epoch_days(), until.epoch_days());
    let counted = aws.count_by_day(pool, region, &outcomes, from..=to).await;
    match counted {
        Ok(rows) => {
            let mut days: BTreeMap<i64, Counts> = BTreeMap::new();
            for (day, outcome, n) in rows {
                days.entry(day).or_default().add(&outcome, n);
            }
            Earlier::Counted { until, days }
        }
        Err(error) => Earlier::Unread(error.to_string()),
    }
}

/// Until when lines have settled. Insights takes whole seconds.
fn settled_until(now_ms: i64) -> i64 {
    (now_ms - SETTLING_MS).div_euclid(1000) * 1000
}

/// The log of one function, as far as it has been counted.
#[derive(Debug)]
pub struct Log {
    aws: Reader,
    group: String,
    /// Who counted most of it.
    pub source: Source,
    settled: Tally,
    /// Everything before this moment is in `settled`.
    settled_ms: i64,
}

impl Log {
    /// Counts what has settled from a day on, where the service can do it.
    pub async fn open(
        aws: &Reader,
        group: &str,
        since: Date,
        now_ms: i64,
        wanted: Wanted,
    ) -> Result<Self, AwsError> {
        let since_ms = begin_of(since);
        let until_ms = settled_until(now_ms);
        let counted = if until_ms > since_ms {
            insights::tally(aws, group, since_ms, until_ms, wanted).await?
        } else {
            None
        };
        let log = Self {
            aws: aws.clone(),
            group: group.to_owned(),
            source: Source::Events,
            settled: Tally::default(),
            settled_ms: since_ms,
        };
        Ok(match counted {
            Some(settled) => Self {
                source: Source::Insights,
                settled,
                settled_ms: until_ms + 1,
                ..log
            },
            None => log,
        })
    }

    /// Everything up to now. Each call fetches only what is new; `seen` receives the number of lines so far.
    pub async fn read(&mut self, now_ms: i64, seen: impl Fn(u64)) -> Result<Tally, AwsError> {
        let settled_ms = self.settled_ms.max(now_ms - SETTLING_MS);
        let mut fresh = Tally::default();
        let mut lines = 0;
        let settled = &mut self.settled;
        self.aws
            .each_log_event(&self.group, self.settled_ms, now_ms, |at_ms, message| {
                lines += 1;
                seen(lines);
                if at_ms < settled_ms {
                    settled.read(at_ms, message);
                } else {
                    fresh.read(at_ms, message);
                }
            })
            .await?;
        self.settled_ms = settled_ms;
        fresh.merge(&self.settled);
        Ok(fresh)
    }
}
