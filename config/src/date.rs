//! A calendar day in ISO 8601 form. It owns the arithmetic and has no clock: callers pass the current day.
//!
//! It is not jiff's type, because the handler compares days with it, and a crate for one comparison would add to what every cold
//! start loads.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A day of the proleptic Gregorian calendar, years 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day, if the calendar has it.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists =
            year <= 9999 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Days from 1970-01-01 to this one; negative before it.
    pub fn epoch_days(self) -> i64 {
        // Years start in March here, so that the leap day is the last day of its year.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
            - 719_468
    }

    /// The day this many days after 1970-01-01, if this type's calendar includes it.
    pub fn from_epoch_days(days: i64) -> Option<Self> {
        let days = days.checked_add(719_468)?;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self::new(
            year.try_into().ok()?,
            month.try_into().ok()?,
            day.try_into().ok()?,
        )
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The error for a text that is no date in the form `2027-03-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDate;

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a date alone, such as 2027-03-31")
    }
}

impl std::error::Error for InvalidDate {}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let shape = text.len() == 10
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
        let mut parts = text.splitn(3, '-');
        let mut next = |digits: usize| {
            parts
                .next()
                .filter(|part| shape && part.len() == digits)
                .ok_or(InvalidDate)
        };
        let (year, month, day) = (next(4)?, next(2)?, next(2)?);
        let date = || Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        date().ok_or(InvalidDate)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // With this field name, toml's deserializer passes a date as text.
        #[derive(Deserialize)]
        #[serde(rename = "Date")]
        struct Text(String);
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn known_days_have_the_right_number() {
        assert_eq!(date("1970-01-01").epoch_days(), 0);
        assert_eq!(date("1969-12-31").epoch_days(), -1);
        assert_eq!(date("2000-02-29").epoch_days(), 11_016);
        assert_eq!(date("2027-03-31").epoch_days(), 20_908);
    }

    #[test]
    fn every_day_of_four_centuries_converts_both_ways() {
        let (first, last) = (date("1800-01-01"), date("2200-12-31"));
        let mut before = None;
        for days in first.epoch_days()..=last.epoch_days() {
            let day = Date::from_epoch_days(days).unwrap();
            assert_eq!(day.epoch_days(), days);
            assert_eq!(day.to_string().parse(), Ok(day));
            assert!(before < Some(day));
            before = Some(day);
        }
        assert_eq!(before, Some(last));
    }

    #[test]
    fn days_outside_the_calendar_do_not_panic() {
        for days in [i64::MIN, i64::MAX, -1_000_000, 10_000_000] {
            assert_eq!(Date::from_epoch_days(days), None);
        }
    }

    #[test]
    fn an_invalid_day_is_rejected() {
        for text in [
            "",
            "2027-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-1-01",
            "27-01-01",
            "2027-01-01T",
            "2027/01/01",
            "+027-01-01",
            "2027-01-+1",
        ] {
            assert_eq!(text.parse::<Date>(), Err(InvalidDate), "{text}");
        }
    }

    #[test]
    fn a_month_has_its_number_of_days() {
        for (text, valid) in [
            ("2027-04-30", true),
            ("2027-04-31", false),
            ("2027-06-31", false),
            ("2027-09-31", false),
            ("2027-11-31", false),
            ("2027-12-31", true),
            ("2027-02-29", false),
            ("2028-02-29", true),
        ] {
            assert_eq!(text.parse::<Date>().is_ok(), valid, "{text}");
        }
    }
}
