//! A log, and the status derived from it, for the tests of the figures and of the views.

use super::*;

pub(crate) const NOW: &str = "2026-11-20";

pub(crate) fn facts(total_users: Option<u64>, pool_users: Option<u64>) -> Facts {
    let today: Date = NOW.parse().unwrap();
    Facts {
        pool: "us-west-2_AbC123".parse().unwrap(),
        name: "Roots".into(),
        pool_users,
        clients: BTreeMap::from([("1example".into(), "web".into())]),
        total_users,
        exact: None,
        window_share: None,
        closes: "2027-03-31".parse().ok(),
        connects: false,
        since: Date::from_epoch_days(today.epoch_days() - 30).unwrap(),
        everything: false,
        coverage: Coverage {
            created_ms: Some((today.epoch_days() - 30) * DAY_MS),
            retention_days: None,
        },
        earlier: Earlier::NotAsked,
        now_ms: today.epoch_days() * DAY_MS + 10 * 3_600_000,
        findings: Vec::new(),
        flags: Flags::default(),
    }
}

/// Some days with `per_day` migrations each, up to today, with rejections and errors.
pub(crate) fn tally(days: i64, per_day: u64) -> Tally {
    let today = NOW.parse::<Date>().unwrap().epoch_days();
    let mut tally = Tally::default();
    for day in today - days + 1..=today {
        let at = day * DAY_MS + 3_600_000;
        for n in 0..per_day {
            let took = 10 + n % 40;
            let line =
                format!(r#"{{"outcome":"migrated","durationMs":{took},"clientId":"1example"}}"#);
            tally.read(at, &line);
        }
        tally.read(
            at,
            r#"{"outcome":"wrong-password","durationMs":30.0,"clientId":"1example"}"#,
        );
        tally.read(at, r#"{"outcome":"directory-unavailable","durationMs":3500.0,"initMs":2.0,"clientId":"2example","reason":"timeout","upstream":[{"call":"user_exists","ms":3499.0,"status":null}]}"#);
    }
    tally
}

pub(crate) fn status(
    days: i64,
    per_day: u64,
    total: Option<u64>,
    pool_users: Option<u64>,
) -> Status {
    Status::new(
        &tally(days, per_day),
        &facts(total, pool_users),
        Source::Events,
    )
}

/// The status of a log group with this age and retention.
pub(crate) fn limited(
    days: i64,
    since_days: i64,
    created_days: i64,
    retention_days: Option<u32>,
) -> Status {
    let today = NOW.parse::<Date>().unwrap().epoch_days();
    let facts = Facts {
        since: date(today - since_days),
        coverage: Coverage {
            created_ms: Some((today - created_days) * DAY_MS),
            retention_days,
        },
        ..facts(Some(12_000), Some(12_000))
    };
    Status::new(&tally(days, 100), &facts, Source::Events)
}
