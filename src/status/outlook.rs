//! Where the migration leads, as honestly as the log allows: what the days so far let expect by the end of the window, with its
//! range, and how right the same forecast was halfway. [`forecast`](super::forecast) fits the days; the views put it into words.

use jane_migrate_config::Date;
use serde::Serialize;

use super::forecast::{Complete, Forecast};
use crate::dates::date;

/// The rate is that of so many complete days at most.
const RECENT_DAYS: i64 = 7;

/// An end further away than this is none.
const NO_END_DAYS: i64 = 3650;

/// How far ahead to look where the window has no end.
const AHEAD_DAYS: i64 = 90;

/// About so many points of the forecast are drawn.
const POINTS: i64 = 120;

/// What can be said about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All customers have migrated.
    Done,
    /// All will have, as far as the forecast goes.
    EndInSight,
    /// Some never will, as far as the forecast goes.
    NoEndInSight,
    /// Not enough complete days have passed.
    TooEarly,
    /// The number of customers to migrate is not configured.
    TotalUnknown,
}

/// What happened on one day of the period.
#[derive(Debug, Clone, Copy)]
pub struct DayCount {
    /// Which.
    pub day: i64,
    /// How many customers migrated.
    pub migrated: u64,
    /// How many answers there were, of all kinds.
    pub answers: u64,
    /// How many of them were errors.
    pub failed: u64,
}

/// The rate, and what follows from the days so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// What can be said.
    pub verdict: Verdict,
    /// Customers a day, lately.
    pub rate_per_day: Option<f64>,
    /// Of how many complete days the rate is.
    pub rate_days: i64,
    /// How many have not migrated.
    pub left: Option<u64>,
    /// When all have migrated, as far as the forecast goes.
    pub ends: Option<Date>,
    /// The last day of the window.
    pub closes: Option<Date>,
    /// How many are likely left then.
    pub left_at_close: Option<u64>,
    /// What to expect by the end of the window.
    pub forecast: Option<Expected>,
}

/// How many customers will have migrated by a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// The day: the last one of the window, at most ten years from today, or the ninetieth day where the window has no end.
    pub by: Date,
    /// How many, likely.
    pub migrated: u64,
    /// In nine of ten cases no fewer.
    pub least: u64,
    /// In nine of ten cases no more.
    pub most: u64,
    /// The way there, for the chart.
    #[serde(skip)]
    pub path: Vec<Point>,
    /// Days that were left out, because errors kept customers from migrating.
    pub days_left_out: usize,
    /// The same forecast, made halfway for today.
    pub halfway: Option<Halfway>,
}

/// How many customers will have migrated by a day on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The day, counted from 1970-01-01.
    pub day: i64,
    /// How many, likely.
    pub migrated: u64,
    /// In nine of ten cases no fewer.
    pub least: u64,
    /// In nine of ten cases no more.
    pub most: u64,
}

/// How right a forecast was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Halfway {
    /// From the days up to this one.
    pub made: Date,
    /// How many were expected to migrate since.
    pub expected: u64,
    /// How many did.
    pub came: u64,
}

/// Looks ahead. `days` are all of the period, in order, the last of them today; `arrived` have migrated, `left` have not.
pub fn outlook(
    days: &[DayCount],
    today: Date,
    arrived: u64,
    left: Option<u64>,
    closes: Option<Date>,
) -> Outlook {
    let now = today.epoch_days();
    let past: Vec<DayCount> = (days.iter().copied()).filter(|day| day.day < now).collect();
    let recent = &past[past.len().saturating_sub(RECENT_DAYS as usize)..];
    let rate = (!recent.is_empty())
        .then(|| recent.iter().map(|day| day.migrated).sum::<u64>() as f64 / recent.len() as f64);
    let usable = without_outages(&past);
    let forecast = Forecast::new(&usable);
    // Today is not over: what is still to come of it counts, and what came of it is among `arrived`.
    let came_today = days
        .last()
        .filter(|day| day.day == now)
        .map_or(0, |day| day.migrated);
    let by = closes
        .map_or(now + AHEAD_DAYS, Date::epoch_days)
        .min(now + NO_END_DAYS);
    let expected = forecast.as_ref().map(|forecast| {
        let total = left.map_or(u64::MAX, |left| arrived + left);
        let with = |n: f64| (arrived + (n.round() as u64).saturating_sub(came_today)).min(total);
        let point = |day: i64| {
            let ahead = forecast.between(now, day);
            Point {
                day,
                migrated: with(ahead.likely),
                least: with(ahead.least),
                most: with(ahead.most),
            }
        };
        let Point {
            migrated,
            least,
            most,
            ..
        } = point(by);
        let apart = ((by - now) / POINTS).max(1);
        let between = (now + 1..by).step_by(apart as usize);
        Expected {
            by: date(by),
            migrated,
            least,
            most,
            path: between.chain((by > now).then_some(by)).map(point).collect(),
            days_left_out: past.len() - usable.len(),
            halfway: halfway(&usable),
        }
    });
    let ends = forecast.as_ref().zip(left).and_then(|(forecast, left)| {
        let day = forecast.reaches(left + came_today, now, now + NO_END_DAYS)?;
        Date::from_epoch_days(day)
    });
    let verdict = match (left, &forecast, ends) {
        (None, ..) => Verdict::TotalUnknown,
        (Some(0), ..) => Verdict::Done,
        (_, None, _) => Verdict::TooEarly,
        (_, _, Some(_)) => Verdict::EndInSight,
        (_, _, None) => Verdict::NoEndInSight,
    };
    Outlook {
        verdict,
        rate_per_day: rate,
        rate_days: recent.len() as i64,
        left,
        ends: ends.filter(|_| verdict == Verdict::EndInSight),
        closes,
        left_at_close: closes
            .and(expected.as_ref())
            .zip(left)
            .map(|(expected, left)| (arrived + left).saturating_sub(expected.migrated)),
        forecast: expected,
    }
}

/// The days that say something about customers: not those on which a quarter of all answers were errors, nor silent ones of a
/// busy shop, on which the function cannot have been called.
fn without_outages(days: &[DayCount]) -> Vec<Complete> {
    let answers: u64 = days.iter().map(|day| day.answers).sum();
    let busy = answers >= 20 * days.len() as u64;
    let outage = |day: &DayCount| {
        (day.failed >= 5 && day.failed * 4 >= day.answers) || (busy && day.answers == 0)
    };
    (days.iter().filter(|day| !outage(day)))
        .map(|day| Complete {
            day: day.day,
            migrated: day.migrated,
        })
        .collect()
}

/// What the first half of the days said about the second, and what came.
fn halfway(days: &[Complete]) -> Option<Halfway> {
    let (first, second) = days.split_at(days.len() / 2);
    let forecast = Forecast::new(first)?;
    // Day by day, so that a day left out for an outage is left out on both sides.
    let expected: f64 = (second.iter())
        .map(|day| forecast.between(day.day, day.day).likely)
        .sum();
    Some(Halfway {
        made: date(first.last()?.day),
        expected: expected.round() as u64,
        came: second.iter().map(|day| day.migrated).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    const TODAY: &str = "2026-11-20";

    /// So many days, the last of them today.
    fn days(per_day: impl Fn(i64) -> u64, so_far: i64) -> Vec<DayCount> {
        let today = date(TODAY).epoch_days();
        (0..=so_far)
            .map(|n| DayCount {
                day: today - so_far + n,
                migrated: per_day(n),
                answers: per_day(n),
                failed: 0,
            })
            .collect()
    }

    fn ahead(days: &[DayCount], left: Option<u64>) -> Outlook {
        let arrived = days.iter().map(|day| day.migrated).sum();
        outlook(days, date(TODAY), arrived, left, Some(date("2026-12-20")))
    }

    #[test]
    fn a_steady_shop_ends_on_a_day() {
        let seen = ahead(&days(|_| 100, 30), Some(1000));
        assert_eq!((seen.rate_per_day, seen.rate_days), (Some(100.0), 7));
        let ends = (seen.verdict, seen.ends);
        assert_eq!(ends, (Verdict::EndInSight, Some(date("2026-11-30"))));
        assert_eq!(seen.left_at_close, Some(0));
        let short = ahead(&days(|_| 10, 30), Some(1000));
        assert_eq!(short.left_at_close, Some(700));
        assert_eq!(short.forecast.unwrap().migrated, 310 + 300);
    }

    #[test]
    fn a_decaying_shop_is_not_promised_last_weeks_rate() {
        // Each day five percent fewer.
        let falling = |n: i64| (1000.0 * 0.95_f64.powi(n as i32)) as u64;
        let seen = ahead(&days(falling, 40), Some(10_000));
        let forecast = seen.forecast.unwrap();
        let truth: u64 = (0..=70).map(falling).sum();
        assert!(
            forecast.migrated.abs_diff(truth) < 200
                && forecast.least <= truth
                && truth <= forecast.most,
            "{truth} {forecast:?}"
        );
        assert_eq!((seen.verdict, seen.ends), (Verdict::NoEndInSight, None));
        let halfway = forecast.halfway.unwrap();
        assert!(
            halfway.expected.abs_diff(halfway.came) * 20 < halfway.came,
            "{halfway:?}"
        );
        assert_eq!(halfway.made, date("2026-10-30"));
    }

    #[test]
    fn days_of_an_outage_say_nothing() {
        let mut with_outage = days(|_| 100, 30);
        for day in &mut with_outage[20..23] {
            (day.migrated, day.failed) = (10, 90);
        }
        (with_outage[24].migrated, with_outage[24].answers) = (0, 0);
        let seen = ahead(&with_outage, Some(1000)).forecast.unwrap();
        assert_eq!(seen.days_left_out, 4);
        let arrived: u64 = with_outage.iter().map(|day| day.migrated).sum();
        assert_eq!(seen.migrated, arrived + 1000);
        // A small shop has silent days.
        let silent = ahead(&days(|n| u64::from(n % 3 == 0), 30), Some(100));
        assert_eq!(silent.forecast.unwrap().days_left_out, 0);
    }

    #[test]
    fn nothing_is_claimed_that_cannot_be_known() {
        let steady = |so_far| days(|_| 100, so_far);
        assert_eq!(ahead(&steady(0), Some(1000)).verdict, Verdict::TooEarly);
        assert_eq!(ahead(&steady(0), Some(1000)).rate_per_day, None);
        let week = ahead(&steady(6), Some(1000));
        assert_eq!((week.verdict, week.rate_days), (Verdict::TooEarly, 6));
        assert_eq!((week.forecast, week.left_at_close), (None, None));
        assert_eq!(ahead(&steady(30), None).verdict, Verdict::TotalUnknown);
        assert_eq!(ahead(&days(|_| 0, 30), Some(0)).verdict, Verdict::Done);
        for per_day in [0, 1] {
            let seen = ahead(&days(|_| per_day, 30), Some(100_000));
            assert_eq!((seen.verdict, seen.ends), (Verdict::NoEndInSight, None));
        }
    }

    #[test]
    fn today_which_is_not_over_does_not_count_as_a_day() {
        let seen = ahead(&days(|n| if n < 30 { 70 } else { 0 }, 30), Some(70));
        assert_eq!(seen.rate_per_day, Some(70.0));
        assert_eq!(seen.ends, Some(date(TODAY)));
        let none_lost = ahead(&days(|_| 70, 30), Some(70));
        assert_eq!(none_lost.ends, Some(date("2026-11-21")));
    }
}
