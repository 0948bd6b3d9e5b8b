//! The expected end of the migration, as far as the log allows: what to expect at the end of the window, with a range, and how
//! accurate the same forecast was halfway. [`forecast`](super::forecast) fits the days; the views write the text.

use jane_migrate_config::Date;
use serde::Serialize;

use super::forecast::{Complete, Forecast};
use crate::dates::date;

/// The rate is the mean of at most this many complete days.
const RECENT_DAYS: i64 = 7;

/// A later end counts as none.
const NO_END_DAYS: i64 = 3650;

/// How many days to forecast if the window has no end.
const AHEAD_DAYS: i64 = 90;

/// The chart has about this many points of the forecast.
const POINTS: i64 = 120;

/// The conclusion about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All customers have migrated.
    Done,
    /// The forecast reaches all customers.
    EndInSight,
    /// The forecast does not reach all customers.
    NoEndInSight,
    /// Not enough complete days have passed.
    TooEarly,
    /// The number of customers to migrate is not configured.
    TotalUnknown,
}

/// The counts of one day of the period.
#[derive(Debug, Clone, Copy)]
pub struct DayCount {
    /// The day.
    pub day: i64,
    /// How many customers migrated.
    pub migrated: u64,
    /// How many responses there were, of all kinds.
    pub answers: u64,
    /// How many of them were errors.
    pub failed: u64,
}

/// The rate, and the forecast from the days so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The conclusion.
    pub verdict: Verdict,
    /// Customers per day, recently.
    pub rate_per_day: Option<f64>,
    /// The number of complete days of the rate.
    pub rate_days: i64,
    /// How many have not migrated.
    pub left: Option<u64>,
    /// When all customers have migrated, according to the forecast.
    pub ends: Option<Date>,
    /// The last day of the window.
    pub closes: Option<Date>,
    /// How many customers are likely left on that day.
    pub left_at_close: Option<u64>,
    /// What to expect by the end of the window.
    pub forecast: Option<Expected>,
}

/// How many customers will have migrated by a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// The day: the last one of the window, at most ten years from today, or the ninetieth day if the window has no end.
    pub by: Date,
    /// The likely number.
    pub migrated: u64,
    /// The lower bound: in nine of ten cases there are at least this many.
    pub least: u64,
    /// The upper bound: in nine of ten cases there are at most this many.
    pub most: u64,
    /// The days until then, for the chart.
    #[serde(skip)]
    pub path: Vec<Point>,
    /// Days that were left out, because errors stopped customers from migrating.
    pub days_left_out: usize,
    /// The same forecast for today, made halfway.
    pub halfway: Option<Halfway>,
}

/// How many customers will have migrated by a day in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The day, counted from 1970-01-01.
    pub day: i64,
    /// The likely number.
    pub migrated: u64,
    /// The lower bound: in nine of ten cases there are at least this many.
    pub least: u64,
    /// The upper bound: in nine of ten cases there are at most this many.
    pub most: u64,
}

/// How accurate a forecast was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Halfway {
    /// It used the days up to this one.
    pub made: Date,
    /// How many were expected to migrate since.
    pub expected: u64,
    /// How many have.
    pub came: u64,
}

/// Estimates the rest of the migration. `days` are all days of the period, in order, the last one is today; `arrived` have
/// migrated, `left` have not.
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
    // Today is not over: its remaining migrations count, and those so far are part of `arrived`.
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

/// The days that show how customers behave: without days on which a quarter of all responses were errors, and without days of a
/// busy shop without any response, on which the function cannot have been called.
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

/// The forecast from the first half of the days for the second half, and the actual number.
fn halfway(days: &[Complete]) -> Option<Halfway> {
    let (first, second) = days.split_at(days.len() / 2);
    let forecast = Forecast::new(first)?;
    // Day by day, so that days left out for an outage are left out on both sides.
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

    /// This many days, the last one is today.
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
    fn a_decaying_shop_does_not_get_last_weeks_rate() {
        // Five percent fewer each day.
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
    fn days_of_an_outage_are_left_out() {
        let mut with_outage = days(|_| 100, 30);
        for day in &mut with_outage[20..23] {
            (day.migrated, day.failed) = (10, 90);
        }
        (with_outage[24].migrated, with_outage[24].answers) = (0, 0);
        let seen = ahead(&with_outage, Some(1000)).forecast.unwrap();
        assert_eq!(seen.days_left_out, 4);
        let arrived: u64 = with_outage.iter().map(|day| day.migrated).sum();
        assert_eq!(seen.migrated, arrived + 1000);
        // A small shop has days without a sign-in.
        let silent = ahead(&days(|n| u64::from(n % 3 == 0), 30), Some(100));
        assert_eq!(silent.forecast.unwrap().days_left_out, 0);
    }

    #[test]
    fn without_enough_data_there_is_no_forecast() {
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
