//! Times, in milliseconds since 1970, as days and as text; all in UTC.

use crate::error::{Error, Result};
pub(crate) use crate::host::now_ms;
use jane_migrate_config::Date;
use jiff::{Timestamp, civil, tz::TimeZone};

/// A day in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// The last day that a [`Date`] can name: 9999-12-31.
const LAST_DAY: i64 = 2_932_896;

/// Today.
pub fn today() -> Result<Date> {
    Date::from_epoch_days(day_of(now_ms())).ok_or_else(|| {
        Error::new(
            "this machine's clock is wrong",
            "set the clock (`timedatectl set-ntp true`), then run the command again",
        )
    })
}

/// The day of a time, counted from 1970-01-01.
pub fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The day with this number. A number outside the calendar gives the first or the last day.
pub fn date(day: i64) -> Date {
    Date::from_epoch_days(day.clamp(0, LAST_DAY)).unwrap_or_else(|| unreachable!("clamped"))
}

/// The first moment of a day.
pub fn begin_of(day: Date) -> i64 {
    day.epoch_days() * DAY_MS
}

/// A time for machines, to the second: `2026-11-20T10:22:33Z`.
pub fn utc(at_ms: i64) -> String {
    let second = (at_ms / 1000).clamp(0, Timestamp::MAX.as_second());
    Timestamp::from_second(second).map_or_else(|_| unreachable!("clamped"), |at| at.to_string())
}

/// A time for people, to the minute: `2026-11-20 10:22`.
pub fn minute(utc: &str) -> String {
    utc.get(..16).unwrap_or(utc).replace('T', " ")
}

/// Parses a time of CloudWatch Logs Insights: `2026-11-20 10:22:33.456`.
pub fn read(text: &str) -> Option<i64> {
    let at: civil::DateTime = text.parse().ok()?;
    let at = TimeZone::UTC.to_timestamp(at).ok()?;
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_formatted_and_parsed() {
        let at = 1_795_170_153_456;
        assert_eq!(utc(at), "2026-11-20T10:22:33Z");
        assert_eq!(minute(&utc(at)), "2026-11-20 10:22");
        assert_eq!(read("2026-11-20 10:22:33.456"), Some(at));
        assert_eq!(read("2026-11-20 10:22:33"), Some(at - 456));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_day_begins_at_midnight() {
        let day: Date = "2026-11-20".parse().unwrap();
        assert_eq!(utc(begin_of(day)), "2026-11-20T00:00:00Z");
        assert_eq!(date(day_of(begin_of(day) + DAY_MS - 1)), day);
        assert_eq!(day_of(-1), -1);
    }

    #[test]
    fn a_very_wrong_clock_gives_the_limits_of_the_calendar() {
        assert_eq!(date(i64::MAX).to_string(), "9999-12-31");
        assert_eq!(date(-1).to_string(), "1970-01-01");
        assert_eq!(utc(i64::MAX), "9999-12-30T22:00:00Z");
        assert_eq!(utc(i64::MIN), "1970-01-01T00:00:00Z");
    }
}
