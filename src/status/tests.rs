//! From the lines of a log and the configuration to the figures, and these on a terminal, as JSON and as a page.

use super::*;
use crate::ui::Styles;
use crate::ui::status::{line, render, summary};

const NOW: &str = "2026-11-20";

fn facts(total_users: Option<u64>, pool_users: Option<u64>) -> Facts {
    let today: Date = NOW.parse().unwrap();
    Facts {
        pool: "us-west-2_AbC123".into(),
        name: "Roots".into(),
        pool_users,
        clients: BTreeMap::from([("1example".into(), "web".into())]),
        total_users,
        closes: "2027-03-31".parse().ok(),
        since: Date::from_epoch_days(today.epoch_days() - 30).unwrap(),
        kept: Kept {
            created_ms: Some((today.epoch_days() - 30) * DAY_MS),
            retention_days: None,
        },
        now_ms: today.epoch_days() * DAY_MS + 10 * 3_600_000,
    }
}

/// Some days of `per_day` migrations each, up to today, among refusals and errors.
fn tally(days: i64, per_day: u64) -> Tally {
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

fn status(days: i64, per_day: u64, total: Option<u64>, pool_users: Option<u64>) -> Status {
    Status::new(
        &tally(days, per_day),
        &facts(total, pool_users),
        Source::Events,
    )
}

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
fn users_who_were_always_the_pools_have_not_come_over() {
    // Something happens on every day of the period, the first included, in a pool with more users than there are to migrate.
    let status = status(31, 100, Some(12_000), Some(50_000));
    assert_eq!(
        (status.progress.arrived, status.progress.basis),
        (3_100, Basis::Log)
    );
    assert_eq!(status.outlook.left, Some(8_900));
    let said = summary(&status).join("\n");
    assert!(said.contains("Migrated: 3,100 of 12,000"), "{said}");
    assert!(!said.contains("Everybody"), "{said}");
}

#[test]
fn what_the_log_no_longer_has_is_not_taken_for_nothing() {
    let today = NOW.parse::<Date>().unwrap().epoch_days();
    let with = |days, since_days, created_days, retention_days| {
        let facts = Facts {
            since: date(today - since_days),
            kept: Kept {
                created_ms: Some((today - created_days) * DAY_MS),
                retention_days,
            },
            ..facts(Some(12_000), Some(12_000))
        };
        Status::new(&tally(days, 100), &facts, Source::Events)
    };
    // Sixty days were asked for, the log keeps thirty: the period is what there is.
    let expired = with(30, 60, 90, Some(30));
    assert_eq!(expired.progress.basis, Basis::PartOfLog);
    assert_eq!(expired.since, date(today - 30));
    assert_eq!(
        summary(&expired)[0],
        "Migrated: at least 3,000 of 12,000, 25.0 % (counted from 2026-10-21; what was before is no longer in the log)."
    );
    assert!(line(&expired).contains("at least 3,000 migrated"));
    let ahead = summary(&expired).join(" ");
    assert!(ahead.contains("at most 9,000 are left"), "{ahead}");
    // Thirty quiet days after a migration are not one that never was.
    let quiet = with(0, 30, 90, Some(30));
    let said = summary(&quiet).join(" ");
    assert!(said.contains("at least 0 of 12,000"), "{said}");
    // The log has more than was asked for.
    let recent = with(30, 7, 29, Some(90));
    let said = &summary(&recent)[0];
    assert!(said.contains("--since 2026-10-22 counts all"), "{said}");
    // Made within the period, and nothing of it expired: that is all there ever was.
    assert_eq!(with(30, 30, 29, Some(30)).progress.basis, Basis::Log);
    assert_eq!(with(30, 60, 45, None).progress.basis, Basis::Log);
}

#[test]
fn the_terminal_view_fits_every_width_and_says_the_figures() {
    let styles = Styles::plain();
    for width in [60, 80, 120, 200] {
        let text = render(
            &status(31, 1234, Some(120_000), Some(40_000)),
            width,
            &styles,
        );
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        for words in [
            "User pool us-west-2_AbC123 (Roots)",
            "2026-11-20      1,234          1        1  #",
            "wrong-password",
            "web (1example)",
            "directory-unavailable",
            "timeout",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(text.is_ascii(), "{text}");
    }
}

#[test]
fn a_log_without_a_line_is_shown_as_such() {
    let status = Status::new(&Tally::default(), &facts(Some(10), Some(0)), Source::Events);
    let text = render(&status, 80, &Styles::plain());
    assert!(text.contains("Migrated: 0 of 10, 0.0 %."), "{text}");
    assert!(text.contains("too early to say"), "{text}");
    assert!(line(&status).contains("0 migrated (0.0 %); today 0 migrated, 0 refused, 0 failed"));
}

#[test]
fn the_keys_of_the_json_are_fixed() {
    let json = serde_json::to_value(status(3, 10, Some(100), Some(30))).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "as_of",
            "clients",
            "cold_starts",
            "days",
            "errors",
            "failed",
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
            "until"
        ]
    );
    assert_eq!(json["days"][0]["outcomes"]["migrated"], 10);
    assert_eq!(json["outlook"]["verdict"], "end-in-sight");
}

#[test]
fn times_are_rounded_to_what_is_known() {
    assert_eq!(
        (rounded(0.12345), rounded(12.345), rounded(3502.4)),
        (0.123, 12.3, 3500.0)
    );
}

#[test]
fn the_period_is_days_weeks_or_from_a_day() {
    let today: Date = NOW.parse().unwrap();
    let first = |text: &str| {
        text.parse::<Since>()
            .map(|since| since.first_day(today).to_string())
    };
    assert_eq!(first("30d").unwrap(), "2026-10-21");
    assert_eq!(first("2w").unwrap(), "2026-11-06");
    assert_eq!(first("2026-11-01").unwrap(), "2026-11-01");
    assert_eq!(first("2027-01-01").unwrap(), NOW, "nothing lies ahead");
    for wrong in ["", "30", "0d", "d", "-1d", "2026-13-01", "99999w"] {
        assert!(first(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn nothing_in_a_page_is_taken_for_its_markup() {
    let mut facts = facts(Some(12_000), None);
    facts.name = "<script>alert('x')</script> & \"Roots\"".into();
    let page = page::render(&[Status::new(&tally(3, 5), &facts, Source::Events)]);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt; &amp; &quot;Roots&quot;"));
}

#[test]
fn a_page_over_several_pools_describes_each_chart_once() {
    let page = page::render(&[status(3, 5, Some(10), None), status(300, 5, None, None)]);
    let ids: Vec<_> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (24, 24));
}
