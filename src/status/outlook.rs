//! When the migration will be over, as honestly as the log allows: the rate of the last complete days, carried on. Migrations
//! slow down towards their end, so this is a best case, and the views say at which rate it holds.

use jane_migrate_config::Date;
use serde::Serialize;

/// The rate is that of so many complete days at most.
const RECENT_DAYS: i64 = 7;

/// An end further away than this is none.
const NO_END_DAYS: f64 = 3650.0;

/// What can be said about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All customers have migrated.
    Done,
    /// At the present rate there is an end.
    EndInSight,
    /// At the present rate there is none.
    NoEndInSight,
    /// Not one complete day has passed.
    TooEarly,
    /// The number of customers to migrate is not configured.
    TotalUnknown,
}

/// The rate, and what follows from it.
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
    /// When all have migrated, at that rate.
    pub ends: Option<Date>,
    /// The last day of the window.
    pub closes: Option<Date>,
    /// How many are left then, at that rate.
    pub left_at_close: Option<u64>,
}

/// Estimates the end. `migrated_on` returns how many migrated on a day since 1970; `first` is the first day that counts.
pub fn outlook(
    migrated_on: impl Fn(i64) -> u64,
    first: i64,
    today: Date,
    left: Option<u64>,
    closes: Option<Date>,
) -> Outlook {
    let now = today.epoch_days();
    let from = first.max(now - RECENT_DAYS);
    let days = (now - from).max(0);
    let rate = (days > 0).then(|| (from..now).map(&migrated_on).sum::<u64>() as f64 / days as f64);
    let days_left = rate.zip(left).map(|(rate, left)| left as f64 / rate);
    let (verdict, ends) = match (left, days_left) {
        (None, _) => (Verdict::TotalUnknown, None),
        (Some(0), _) => (Verdict::Done, None),
        (_, None) => (Verdict::TooEarly, None),
        (_, Some(days)) if days > NO_END_DAYS => (Verdict::NoEndInSight, None),
        (_, Some(days)) => {
            let days = days.ceil() as i64;
            (Verdict::EndInSight, Date::from_epoch_days(now + days))
        }
    };
    let left_at_close = closes.zip(rate).zip(left).map(|((closes, rate), left)| {
        let rest = left as f64 - rate * (closes.epoch_days() - now).max(0) as f64;
        rest.max(0.0).round() as u64
    });
    Outlook {
        verdict,
        rate_per_day: rate,
        rate_days: days,
        left,
        ends,
        closes,
        left_at_close,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn ahead(per_day: u64, days_so_far: i64, left: Option<u64>) -> Outlook {
        let today = date("2026-11-20");
        let first = today.epoch_days() - days_so_far;
        outlook(|_| per_day, first, today, left, Some(date("2026-12-20")))
    }

    #[test]
    fn the_recent_rate_is_carried_on() {
        let seen = ahead(100, 30, Some(1000));
        assert_eq!((seen.rate_per_day, seen.rate_days), (Some(100.0), 7));
        assert_eq!(
            (seen.verdict, seen.ends),
            (Verdict::EndInSight, Some(date("2026-11-30")))
        );
        assert_eq!(seen.left_at_close, Some(0));
        assert_eq!(ahead(10, 30, Some(1000)).left_at_close, Some(700));
    }

    #[test]
    fn a_flat_line_has_no_end_in_sight() {
        for per_day in [0, 1] {
            let seen = ahead(per_day, 30, Some(100_000));
            assert_eq!((seen.verdict, seen.ends), (Verdict::NoEndInSight, None));
        }
    }

    #[test]
    fn nothing_is_claimed_that_cannot_be_known() {
        assert_eq!(ahead(100, 0, Some(1000)).verdict, Verdict::TooEarly);
        assert_eq!(ahead(100, 0, Some(1000)).rate_per_day, None);
        assert_eq!(ahead(100, 30, None).verdict, Verdict::TotalUnknown);
        assert_eq!(ahead(0, 30, Some(0)).verdict, Verdict::Done);
        assert_eq!(ahead(50, 2, Some(100)).rate_days, 2);
    }

    #[test]
    fn today_which_is_not_over_does_not_count() {
        let today = date("2026-11-20");
        let only_before = |day| if day < today.epoch_days() { 70 } else { 0 };
        let seen = outlook(only_before, today.epoch_days() - 30, today, Some(70), None);
        assert_eq!(seen.rate_per_day, Some(70.0));
    }
}
