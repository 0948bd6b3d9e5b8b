//! Reads the log. Insights counts the events that are at least a minute old, once; newer events, or all events without Insights,
//! are read as lines. Keeps counts, never lines.

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

/// After this time, CloudWatch has a line in the right place.
const SETTLING_MS: i64 = 60_000;

/// How the log was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// By CloudWatch Logs Insights, except for the last minute.
    Insights,
    /// By this program, line by line.
    Events,
}

/// Counts the log once, starting at a day. The query of Insights and the read of newer events run in parallel.
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

/// The counts in the metrics for the days that the log no longer has, if there are any since this day.
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

/// The time up to which lines have settled. Insights counts whole seconds.
fn settled_until(now_ms: i64) -> i64 {
    (now_ms - SETTLING_MS).div_euclid(1000) * 1000
}

/// The log of one function, and its counts so far.
#[derive(Debug)]
pub struct Log {
    aws: Reader,
    group: String,
    /// How most of it was counted.
    pub source: Source,
    settled: Tally,
    /// `settled` includes everything before this time.
    settled_ms: i64,
}

impl Log {
    /// Counts the settled events, starting at a day, if the service has Insights.
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

    /// Everything up to now. Each call reads only what is new; `seen` receives the number of lines so far.
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
