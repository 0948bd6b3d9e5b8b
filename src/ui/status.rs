//! The status on a terminal. Each figure is a number first and a bar second, so the view also reads well without the bars.
//! Machines get the same status as JSON, and `page` shows it in a browser.

use std::fmt::Write;

use super::layout::fill;
use super::numbers::{duration, percent, thousands};
use super::styles::Styles;
use crate::dates::minute;
use crate::status::entry::Class;
use crate::status::outlook::Verdict;
use crate::status::tally::Counts;
use crate::status::{Basis, Event, Status};
use jane_migrate_core::line::one_line;

/// Days that are shown one by one.
const DAYS: usize = 31;

/// How many of the slowest invocations and of the last errors are shown.
const SHOWN: usize = 5;

/// The status in lines of at most `width` columns, which is 60 to 200.
pub fn render(status: &Status, width: usize, styles: &Styles) -> String {
    let width = width.clamp(60, 200);
    let mut text = String::new();
    let title = format!("User pool {} ({})", status.pool, one_line(&status.name));
    let _ = writeln!(text, "{}", styles.strong.apply_to(title));
    let _ = writeln!(
        text,
        "{}",
        styles.dim.apply_to(format!(
            "{} to {}, UTC, read {}",
            status.since,
            status.until,
            minute(&status.as_of)
        ))
    );
    text.push('\n');
    for line in summary(status) {
        text.push_str(&paragraph(&line, width, 2));
    }
    if let Some(share) = status.progress.share {
        let room = width.saturating_sub(4).min(100);
        let filled = (share * room as f64).round() as usize;
        let _ = writeln!(
            text,
            "  [{}{}]",
            styles.good.apply_to("#".repeat(filled)),
            ".".repeat(room - filled)
        );
    }
    days(&mut text, status, width, styles);
    table(&mut text, "Outcomes", status.outcomes.iter(), width, styles);
    clients(&mut text, status, width, styles);
    events(&mut text, "Slowest", &status.times.slowest, width, styles);
    events(&mut text, "Needs attention", &status.errors, width, styles);
    text
}

/// One line, for a log that is watched.
pub fn line(status: &Status) -> String {
    let share = status
        .progress
        .share
        .map_or_else(String::new, |share| format!(" ({})", percent(share)));
    let today = status.today().map(|day| &day.outcomes);
    let of = |class| thousands(today.map_or(0, |counts| counts.of(class)));
    format!(
        "{} {}: {}{} migrated{share}; today {} migrated, {} refused, {} failed",
        status.as_of,
        status.pool,
        status.at_least(),
        thousands(status.progress.arrived),
        of(Class::Migrated),
        of(Class::Refused),
        of(Class::Failed),
    )
}

/// The figures that matter most, a line each. The page has the same lines.
pub fn summary(status: &Status) -> Vec<String> {
    let progress = &status.progress;
    let mut lines = vec![arrived(status)];
    if let Some(users) = progress.pool_users {
        lines.push(format!(
            "The pool has about {} user(s), including those who never were in the old directory. Cognito updates this estimate every few hours.",
            thousands(users)
        ));
    }
    if let Some(last) = &progress.last_migration {
        lines.push(format!("Last migration: {} UTC.", minute(last)));
    }
    lines.push(ahead(status));
    lines.extend(window(status));
    lines.extend(times(status));
    lines.extend(hashes(status));
    if status.misdated > 0 {
        lines.push(format!(
            "Dated outside this time by the log, and so counted but on no day: {}.",
            thousands(status.misdated)
        ));
    }
    if status.trials > 0 {
        lines.push(format!(
            "Operator tests, not counted: {}.",
            thousands(status.trials)
        ));
    }
    lines
}

fn arrived(status: &Status) -> String {
    let progress = &status.progress;
    let of = match (progress.total_users, progress.share) {
        (Some(total), Some(share)) => format!(" of {}, {}", thousands(total), percent(share)),
        _ => String::new(),
    };
    let basis = match (progress.basis, progress.log_begins) {
        (Basis::Log, _) => String::new(),
        (Basis::PartOfLog, Some(begins)) if begins < status.since => format!(
            " (counted from {}; --since {begins} counts everything in the log)",
            status.since
        ),
        (Basis::PartOfLog, _) => format!(
            " (counted from {}; the log has nothing older)",
            status.since
        ),
    };
    let arrived = thousands(progress.arrived);
    format!("Migrated: {}{arrived}{of}{basis}.", status.at_least())
}

fn ahead(status: &Status) -> String {
    let outlook = &status.outlook;
    let rate = outlook.rate_per_day.map_or_else(String::new, |rate| {
        format!(
            "{rate:.1} per day over the last {} complete day(s)",
            outlook.rate_days
        )
    });
    let left = thousands(outlook.left.unwrap_or_default());
    let left = format!("{}{left}", status.at_most());
    match (outlook.verdict, &outlook.ends) {
        (Verdict::Done, _) => "All customers have migrated.".to_owned(),
        (Verdict::EndInSight, Some(ends)) => {
            format!("Rate: {rate}. Not migrated yet: {left}. Estimated end: {ends}.")
        }
        (Verdict::TooEarly, _) => {
            format!("Not migrated yet: {left}. It is too early to estimate the end.")
        }
        (Verdict::TotalUnknown, _) if rate.is_empty() => {
            "Set total_users under [window] to see the share and the estimated end.".to_owned()
        }
        (Verdict::TotalUnknown, _) => {
            format!(
                "Rate: {rate}. Set total_users under [window] to see the share and the estimated end."
            )
        }
        _ => format!("Rate: {rate}. Not migrated yet: {left}. No end in sight at this rate."),
    }
}

fn window(status: &Status) -> Option<String> {
    let closes = status.outlook.closes?;
    if closes < status.until {
        return Some(format!(
            "The window closed on {closes}: no more customers migrate."
        ));
    }
    Some(match status.outlook.left_at_close {
        Some(0) => {
            format!("The window closes on {closes}. At this rate all customers migrate before.")
        }
        Some(left) => format!(
            "The window closes on {closes}. At this rate {}{} customer(s) do not migrate before.",
            status.at_most(),
            thousands(left)
        ),
        None => format!("The window closes on {closes}."),
    })
}

fn times(status: &Status) -> Option<String> {
    let times = &status.times;
    let slowest = times.slowest.first()?.entry.took_ms?;
    let starts = match (status.cold_starts.count, status.cold_starts.median_ms) {
        (n, Some(median)) => format!(" Cold starts: {}, p50 {}.", thousands(n), duration(median)),
        _ => String::new(),
    };
    Some(format!(
        "Latency: p50 {}, p99 {}, max {}.{starts}",
        duration(times.median_ms?),
        duration(times.p99_ms?),
        duration(slowest),
    ))
}

/// The formats of stored hashes that the handler cannot check, the most frequent first.
fn hashes(status: &Status) -> Option<String> {
    let mut formats: Vec<_> = status.unsupported_hashes.iter().collect();
    formats.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let shown: Vec<String> = formats
        .iter()
        .map(|(format, n)| format!("{} ({})", one_line(format), thousands(*n)))
        .collect();
    (!shown.is_empty()).then(|| {
        format!(
            "Stored hashes that cannot be checked, by sign-ins: {}.",
            shown.join("; ")
        )
    })
}

fn days(text: &mut String, status: &Status, width: usize, styles: &Styles) {
    let _ = writeln!(
        text,
        "\n{}",
        styles.strong.apply_to(format!(
            "{:<10}  {:>9}  {:>9}  {:>7}",
            "Day", "migrated", "refused", "failed"
        ))
    );
    let earlier = status.days.len().saturating_sub(DAYS);
    if earlier > 0 {
        let sum: Counts = status.days[..earlier].iter().map(|day| &day.outcomes).sum();
        let _ = writeln!(text, "{}", figures("earlier", &sum));
    }
    let most = status.days[earlier..]
        .iter()
        .map(|day| day.outcomes.of(Class::Migrated))
        .max()
        .unwrap_or_default();
    for day in &status.days[earlier..] {
        let figures = figures(&day.date.to_string(), &day.outcomes);
        let room = width.saturating_sub(figures.len() + 2);
        let bar = bar(day.outcomes.of(Class::Migrated), most, room);
        let _ = writeln!(
            text,
            "{}",
            format!("{figures}  {}", styles.good.apply_to(bar)).trim_end()
        );
    }
}

fn figures(label: &str, counts: &Counts) -> String {
    format!(
        "{label:<10}  {:>9}  {:>9}  {:>7}",
        thousands(counts.of(Class::Migrated)),
        thousands(counts.of(Class::Refused)),
        thousands(counts.of(Class::Failed))
    )
}

fn table<'a>(
    text: &mut String,
    title: &str,
    rows: impl Iterator<Item = (&'a str, u64)>,
    width: usize,
    styles: &Styles,
) {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let Some((_, most)) = rows.first().copied() else {
        return;
    };
    let _ = writeln!(text, "\n{}", styles.strong.apply_to(title));
    for (name, n) in rows {
        let style = match Class::of(name) {
            Class::Migrated => &styles.good,
            Class::Refused => &styles.dim,
            Class::Failed => &styles.bad,
        };
        let bar = bar(n, most, width.saturating_sub(37));
        let line = format!("  {name:<22} {:>9}  {}", thousands(n), style.apply_to(bar));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn clients(text: &mut String, status: &Status, width: usize, styles: &Styles) {
    if status.clients.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", styles.strong.apply_to("App clients"));
    for client in &status.clients {
        let of = |class| thousands(client.outcomes.of(class));
        let line = format!(
            "{}: {} migrated, {} refused, {} failed",
            client.label(),
            of(Class::Migrated),
            of(Class::Refused),
            of(Class::Failed)
        );
        text.push_str(&paragraph(&line, width, 4));
    }
}

fn events(text: &mut String, title: &str, events: &[Event], width: usize, styles: &Styles) {
    if events.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", styles.strong.apply_to(title));
    for event in &events[..events.len().min(SHOWN)] {
        text.push_str(&paragraph(&sentence(event), width, 4));
    }
}

/// An event in words.
fn sentence(event: &Event) -> String {
    let entry = &event.entry;
    let mut parts = vec![format!("{} {}", event.when(), entry.outcome)];
    parts.extend(entry.took_ms.map(duration));
    parts.extend(
        entry
            .init_ms
            .map(|init| format!("cold start {}", duration(init))),
    );
    parts.extend(entry.reason.clone());
    parts.extend(
        entry
            .client
            .as_ref()
            .map(|client| format!("client {client}")),
    );
    if !entry.upstream.is_empty() {
        parts.push(event.upstream());
    }
    parts.join(", ")
}

/// A bar as long as the share of `n` in `most`. A count above zero always shows.
fn bar(n: u64, most: u64, room: usize) -> String {
    if n == 0 || most == 0 {
        return String::new();
    }
    let length = (n as f64 / most as f64 * room as f64).round() as usize;
    "#".repeat(length.clamp(1, room.max(1)))
}

/// The text on lines of its own, indented by two; what follows a break is indented by `hanging`.
fn paragraph(text: &str, width: usize, hanging: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    fill(&words.join(" "), width, 2, hanging) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Source;
    use crate::status::outlook::Outlook;
    use crate::status::samples::{facts, limited, status};
    use crate::status::tally::Tally;

    fn empty() -> Status {
        Status::new(&Tally::default(), &facts(Some(10), Some(0)), Source::Events)
    }

    #[test]
    fn the_view_fits_every_width_and_has_every_figure() {
        let styles = Styles::plain();
        let status = status(31, 1234, Some(120_000), Some(40_000));
        for width in [60, 80, 120, 200] {
            let text = render(&status, width, &styles);
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
    fn older_days_are_one_row() {
        let text = render(&limited(40, 60, 90, None), 80, &Styles::plain());
        assert!(
            text.contains("\nearlier           900          9        9\n"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_log_is_shown_as_such() {
        let text = render(&empty(), 80, &Styles::plain());
        assert!(text.contains("Migrated: 0 of 10, 0.0 %."), "{text}");
        assert!(text.contains("too early to estimate"), "{text}");
        let line = line(&empty());
        let figures = "0 migrated (0.0 %); today 0 migrated, 0 refused, 0 failed";
        assert!(line.contains(figures), "{line}");
    }

    #[test]
    fn a_part_of_the_log_gives_bounds() {
        let expired = limited(30, 60, 90, Some(30));
        assert_eq!(
            arrived(&expired),
            "Migrated: at least 3,000 of 12,000, 25.0 % (counted from 2026-10-21; the log has nothing older)."
        );
        assert!(line(&expired).contains("at least 3,000 migrated"));
        assert!(ahead(&expired).contains("Not migrated yet: at most 9,000."));
        assert!(arrived(&limited(0, 30, 90, Some(30))).contains("at least 0 of 12,000"));
        let recent = arrived(&limited(30, 7, 29, Some(90)));
        assert!(
            recent.contains("--since 2026-10-22 counts everything"),
            "{recent}"
        );
    }

    #[test]
    fn each_outlook_has_its_sentence() {
        let with = |verdict, rate_per_day: Option<f64>| {
            let mut status = status(20, 100, Some(12_000), None);
            status.outlook = Outlook {
                verdict,
                rate_per_day,
                ..status.outlook
            };
            ahead(&status)
        };
        let rate = Some(100.0);
        for (said, expected) in [
            (with(Verdict::Done, rate), "All customers have migrated."),
            (
                with(Verdict::EndInSight, rate),
                "Rate: 100.0 per day over the last 7 complete day(s). Not migrated yet: 10,000. Estimated end: 2027-02-28.",
            ),
            (
                with(Verdict::NoEndInSight, rate),
                "Rate: 100.0 per day over the last 7 complete day(s). Not migrated yet: 10,000. No end in sight at this rate.",
            ),
            (
                with(Verdict::TooEarly, None),
                "Not migrated yet: 10,000. It is too early to estimate the end.",
            ),
            (
                with(Verdict::TotalUnknown, None),
                "Set total_users under [window] to see the share and the estimated end.",
            ),
            (
                with(Verdict::TotalUnknown, rate),
                "Rate: 100.0 per day over the last 7 complete day(s). Set total_users under [window] to see the share and the estimated end.",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn the_window_is_open_closed_or_too_short() {
        let with = |closes: &str, left_at_close| {
            let mut status = status(20, 100, Some(12_000), None);
            status.outlook.closes = closes.parse().ok();
            status.outlook.left_at_close = left_at_close;
            window(&status)
        };
        assert_eq!(with("", None), None);
        let closed = with("2026-11-19", Some(0)).unwrap();
        assert_eq!(
            closed,
            "The window closed on 2026-11-19: no more customers migrate."
        );
        let last_day = with("2026-11-20", None).unwrap();
        assert_eq!(last_day, "The window closes on 2026-11-20.");
        let enough = with("2027-03-31", Some(0)).unwrap();
        assert!(
            enough.ends_with("At this rate all customers migrate before."),
            "{enough}"
        );
        let short = with("2026-12-01", Some(1_500)).unwrap();
        assert!(
            short.ends_with("At this rate 1,500 customer(s) do not migrate before."),
            "{short}"
        );
    }

    #[test]
    fn a_line_of_the_log_stays_one_paragraph() {
        assert_eq!(paragraph("a\r\nb  c", 80, 4), "  a b c\n");
        assert_eq!(paragraph("one two three", 10, 4), "  one two\n    three\n");
    }

    #[test]
    fn a_bar_shows_every_count_above_zero() {
        assert_eq!(bar(0, 10, 20), "");
        assert_eq!(bar(1, 1_000_000, 20), "#");
        assert_eq!(bar(10, 10, 20).len(), 20);
    }
}
