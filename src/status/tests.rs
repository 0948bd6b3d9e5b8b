//! Tests the figures from the lines of a log and the configuration.

use super::outlook::Verdict;
use super::samples::*;
use super::*;

#[test]
fn the_figures_follow_from_the_log_and_the_configuration() {
    let status = status(20, 100, Some(12_000), Some(1_990));
    assert_eq!(
        (status.migrated, status.refused, status.failed),
        (2000, 20, 20)
    );
    assert_eq!(
        (status.progress.arrived, status.progress.basis),
        (2000, Basis::Log)
    );
    assert_eq!(status.outlook.rate_per_day, Some(100.0));
    assert_eq!(status.outlook.ends.unwrap().to_string(), "2027-02-28");
    assert_eq!(status.outlook.left_at_close, Some(0));
    assert_eq!(status.days.len(), 20);
    assert_eq!(status.clients[0].label(), "web (1example)");
    assert_eq!(status.times.slowest[0].entry.took_ms, Some(3500.0));
    assert_eq!(status.cold_starts.count, 20);
    assert_eq!(status.errors.len(), tally::KEPT);
    assert_eq!(status.errors[0].at, "2026-11-20T01:00:00Z");
}

#[test]
fn users_who_were_always_in_the_pool_do_not_count_as_migrated() {
    // There are events on every day of the period, also on the first, in a pool with more users than there are to migrate.
    let status = status(31, 100, Some(12_000), Some(50_000));
    assert_eq!(
        (status.progress.arrived, status.progress.basis),
        (3_100, Basis::Log)
    );
    assert_eq!(status.outlook.left, Some(8_900));
    assert_ne!(status.outlook.verdict, Verdict::Done);
}

#[test]
fn a_log_that_lost_entries_gives_a_minimum() {
    // Sixty days were requested, the log keeps thirty: the period is those thirty.
    let expired = limited(30, 60, 90, Some(30));
    assert_eq!(expired.progress.basis, Basis::PartOfLog);
    assert_eq!(expired.since.to_string(), "2026-10-21");
    assert_eq!(
        (expired.at_least(), expired.at_most()),
        ("at least ", "at most ")
    );
    // Days without events after a migration that the log no longer has.
    let quiet = limited(0, 30, 90, Some(30));
    assert_eq!(
        (quiet.progress.arrived, quiet.progress.basis),
        (0, Basis::PartOfLog)
    );
    // The log has more days than were requested.
    let recent = limited(30, 7, 29, Some(90));
    assert_eq!(
        recent.progress.log_begins.unwrap().to_string(),
        "2026-10-22"
    );
    assert_eq!(recent.progress.basis, Basis::PartOfLog);
    // The log was created within the period, and nothing in it has expired.
    assert_eq!(limited(30, 30, 29, Some(30)).progress.basis, Basis::Log);
    assert_eq!(limited(30, 60, 45, None).progress.basis, Basis::Log);
}

#[test]
fn days_that_the_log_no_longer_has_come_from_the_metrics() {
    let today = day_of(facts(None, None).now_ms);
    // 60 days old, and the log has 30 of them: 100 on each day, and more on the first day, half of which has expired.
    let with = |earlier| {
        let facts = Facts {
            since: date(today - 60),
            coverage: Coverage {
                created_ms: Some((today - 60) * DAY_MS),
                retention_days: Some(30),
            },
            earlier,
            ..facts(Some(12_000), None)
        };
        Status::new(&tally(31, 100), &facts, Source::Insights)
    };
    let counts = |n| {
        let mut counts = Counts::default();
        counts.add("migrated", n);
        counts
    };
    let days: BTreeMap<i64, Counts> = (today - 60..today - 30)
        .map(|day| (day, counts(7)))
        .chain([(today - 30, counts(130))])
        .collect();
    let until = date(today - 30);
    let whole = with(Earlier::Counted { until, days });
    assert_eq!(whole.progress.arrived, 30 * 7 + 31 * 100 + 30);
    assert_eq!(whole.progress.basis, Basis::LogAndMetrics);
    assert_eq!(whole.at_least(), "");
    assert_eq!(whole.since, date(today - 60));
    assert_eq!(whole.days.len(), 61);
    let text = crate::ui::status::summary(&whole).join("\n");
    assert!(
        text.contains(
            "Days up to 2026-10-21, which the log does not have, are from CloudWatch's metrics"
        ),
        "{text}"
    );

    let part = with(Earlier::Unread("access denied".into()));
    assert_eq!(part.progress.arrived, 3100);
    assert_eq!(part.progress.basis, Basis::PartOfLog);
    let text = crate::ui::status::summary(&part).join("\n");
    assert!(text.contains("could not be read: access denied"), "{text}");
}

#[test]
fn a_log_group_without_a_creation_time_gives_a_minimum() {
    let facts = Facts {
        coverage: Coverage::default(),
        ..facts(Some(12_000), None)
    };
    let status = Status::new(&tally(3, 10), &facts, Source::Events);
    assert_eq!(status.progress.basis, Basis::PartOfLog);
    assert_eq!(status.progress.log_begins, None);
}

#[test]
fn sign_ups_are_counted_separately_from_migrations() {
    let mut tally = tally(1, 100);
    let before = Status::new(&tally, &facts(None, None), Source::Events);
    assert_eq!(before.accounts, Accounts::default());
    let jane = Facts {
        connects: true,
        ..facts(None, None)
    };
    let unconnected = Status::new(&tally, &jane, Source::Events).accounts;
    assert_eq!(unconnected.without_connection, before.migrated);

    let day = day_of(jane.now_ms);
    for (outcome, n) in [
        ("connected", 60),
        ("unconnected", 2),
        ("sign-up-allowed", 5),
        ("admitted", 1),
        ("user-exists", 3),
        ("sign-up-refused", 4),
        ("account-created", 6),
        ("nothing-to-do", 7),
    ] {
        tally.count(day, outcome, n);
    }
    tally.count(day, "account-not-created", 1);
    let status = Status::new(&tally, &facts(None, None), Source::Events);
    assert_eq!(
        status.accounts,
        Accounts {
            connected: 60,
            without_connection: before.migrated - 60,
            sign_ups_allowed: 6,
            sign_ups_refused: 7,
            created: 6,
        }
    );
    let same = (status.migrated, status.refused, status.failed);
    assert_eq!(same, (before.migrated, before.refused, before.failed + 1));
    let text = crate::ui::status::summary(&status).join("\n");
    let counts = format!(
        "Accounts: 60 connected, {} migrated without a connection, 6 sign-ups allowed, 7 sign-ups refused, 6 accounts created.",
        before.migrated - 60
    );
    assert!(text.contains(&counts), "{text}");
}

#[test]
fn every_day_of_the_period_is_listed_and_the_busiest_client_first() {
    let mut tally = tally(1, 2);
    let first = tally.days.keys().next().unwrap() - 4;
    tally.count(first, "migrated", 1);
    let status = Status::new(&tally, &facts(None, None), Source::Events);
    let days: Vec<u64> = status.days.iter().map(|day| day.outcomes.total()).collect();
    assert_eq!(days, [1, 0, 0, 0, 4]);
    assert_eq!(status.today().unwrap().outcomes.total(), 4);
    let clients: Vec<_> = status.clients.iter().map(Client::label).collect();
    assert_eq!(clients, ["web (1example)", "2example"]);
    assert_eq!(status.progress.share, None);
}

#[test]
fn an_empty_log_gives_zeros_and_unknown_values() {
    let status = Status::new(&Tally::default(), &facts(Some(10), None), Source::Events);
    assert_eq!((status.migrated, status.refused, status.failed), (0, 0, 0));
    assert_eq!((status.times.median_ms, status.times.p99_ms), (None, None));
    assert_eq!(status.progress.last_migration, None);
    assert_eq!(status.days.len(), 1);
}

#[test]
fn the_keys_of_the_json_are_fixed() {
    let json = serde_json::to_value(status(3, 10, Some(100), Some(30))).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "accounts",
            "as_of",
            "clients",
            "cold_starts",
            "days",
            "errors",
            "failed",
            "incidents",
            "live",
            "migrated",
            "name",
            "outcomes",
            "outlook",
            "pool",
            "progress",
            "refused",
            "since",
            "source",
            "times",
            "trials",
            "unsupported_hashes",
            "until"
        ]
    );
    assert_eq!(json["days"][0]["outcomes"]["migrated"], 10);
    assert_eq!(json["outlook"]["verdict"], "too-early");
}

#[test]
fn times_are_rounded_to_their_precision() {
    assert_eq!(
        (rounded(0.12345), rounded(12.345), rounded(3502.4)),
        (0.123, 12.3, 3500.0)
    );
}

#[test]
fn the_period_is_a_number_of_days_or_weeks_or_starts_at_a_day() {
    let today: Date = NOW.parse().unwrap();
    let first = |text: &str| {
        text.parse::<Since>()
            .map(|since| since.first_day(today).to_string())
    };
    assert_eq!(first("30d").unwrap(), "2026-10-21");
    assert_eq!(first("2w").unwrap(), "2026-11-06");
    assert_eq!(first("2026-11-01").unwrap(), "2026-11-01");
    assert_eq!(
        first("2027-01-01").unwrap(),
        NOW,
        "a future day gives an empty period"
    );
    for wrong in ["", "30", "0d", "d", "-1d", "2026-13-01", "99999w"] {
        assert!(first(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn impossible_dates_are_counted_and_reported() {
    let mut tally = tally(2, 1);
    let line = r#"{"outcome":"migrated","durationMs":10,"clientId":"1example"}"#;
    for at in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        tally.read(at, line);
    }
    let facts = facts(Some(100), None);
    let status = Status::new(&tally, &facts, Source::Events);
    assert_eq!(
        (status.migrated, status.misdated, status.days.len()),
        (8, 6, 2)
    );
    assert_eq!(status.progress.last_migration, Some(status.as_of.clone()));
    assert_eq!(status.errors[0].at, "2026-11-20T01:00:00Z");
    let page = crate::ui::page::render(&[status]);
    assert!(page.contains("counted but on no day: 6."), "{page}");
}
