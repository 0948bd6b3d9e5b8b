//! How long the log is kept if the configuration does not say it: no sign-in is deleted before the migration is over.

use jane_migrate_config::{Date, RETENTIONS};

use crate::resources::LogGroup;

/// How long after the window's end the log is still useful.
const AFTERWARDS_DAYS: i64 = 30;

/// If the window has no end: a year and a month, about as long as CloudWatch keeps the metrics.
const ENDLESS_DAYS: i64 = 400;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The retention, and the reason. `found` is the existing log group: the log begins with its creation, and a longer retention
/// stays.
pub fn by_default(closes: Option<Date>, found: Option<&LogGroup>, today: Date) -> (u32, String) {
    let made = found.and_then(|found| found.created_ms);
    let began = made.map_or(today.epoch_days(), |ms| ms.div_euclid(DAY_MS));
    let (needed, why) = match closes {
        Some(closes) => (
            (closes.epoch_days() - began).max(0) + 1 + AFTERWARDS_DAYS,
            format!("the window until {closes}, and a month"),
        ),
        None => (ENDLESS_DAYS, "the window has no end".to_owned()),
    };
    let days = RETENTIONS
        .into_iter()
        .find(|days| i64::from(*days) >= needed);
    let days = days.unwrap_or(RETENTIONS[RETENTIONS.len() - 1]);
    let kept = found.and_then(|found| found.retention_days);
    match kept.filter(|kept| *kept > days) {
        Some(kept) => (kept, "as before".to_owned()),
        None => (days, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(created: &str, retention_days: Option<u32>) -> LogGroup {
        let created: Date = created.parse().unwrap();
        LogGroup {
            name: "/aws/lambda/f".into(),
            retention_days,
            kms_key_arn: None,
            created_ms: Some(created.epoch_days() * DAY_MS + 5),
            tags: Default::default(),
        }
    }

    fn days(closes: Option<&str>, found: Option<&LogGroup>) -> u32 {
        let closes = closes.map(|closes| closes.parse().unwrap());
        by_default(closes, found, "2026-11-27".parse().unwrap()).0
    }

    #[test]
    fn the_first_sign_in_is_kept_until_a_month_after_the_window() {
        // 124 days and a month, from today or from the start of the log.
        assert_eq!(days(Some("2027-03-31"), None), 180);
        assert_eq!(days(Some("2026-11-27"), None), 60);
        assert_eq!(days(Some("2026-12-26"), None), 60);
        assert_eq!(days(Some("2026-12-27"), None), 90);
        assert_eq!(
            days(Some("2027-03-31"), Some(&group("2026-06-01", Some(180)))),
            365
        );
        assert_eq!(days(None, None), 400);
        assert_eq!(days(Some("2099-01-01"), None), 3653);
        // Already over.
        assert_eq!(days(Some("2026-01-01"), None), 60);
    }

    #[test]
    fn a_longer_retention_stays() {
        assert_eq!(
            days(Some("2026-12-10"), Some(&group("2026-11-01", Some(365)))),
            365
        );
        assert_eq!(days(None, Some(&group("2026-11-01", None))), 400);
        let why = |kept| {
            let found = group("2026-11-27", Some(kept));
            by_default(None, Some(&found), "2026-11-27".parse().unwrap()).1
        };
        assert_eq!(why(400), "the window has no end");
        assert_eq!(why(545), "as before");
    }
}
