//! The status on a terminal. Each figure is a number and then a bar, so the view is also readable without the bars. Machines
//! get the same status as JSON, and `page` shows it in a browser.

use std::fmt::Write;

use super::layout::fill;
use super::numbers::{duration, percent, thousands};
use super::styles::Styles;
use crate::dates::minute;
use crate::exact::Exact;
use crate::status::entry::Class;
use crate::status::live::State;
use crate::status::outlook::Verdict;
use crate::status::tally::Counts;
use crate::status::{Accounts, Basis, Event, Source, Status};
use jane_migrate_core::line::one_line;

/// How many single days are shown.
const DAYS: usize = 31;

/// How many of the slowest invocations and of the last errors are shown.
const SHOWN: usize = 5;

/// The status in lines of at most `width` columns, which is 60 to 200.
pub fn render(status: &Status, width: usize, styles: &Styles) -> String {
    let width = width.clamp(60, 200);
    let mut text = String::new();
    let style = match status.live.state {
        State::Live => &styles.good,
        State::NotLive | State::Unknown => &styles.bad,
    };
    let headline = fill(&headline(status), width, 0, 2);
    let _ = writeln!(text, "{}", style.apply_to(headline));
    if let Some(fix) = &status.live.fix {
        text.push_str(&paragraph(&format!("To do: {fix}"), width, 2));
    }
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
    incidents(&mut text, status, width, styles);
    text
}

/// Whether customers migrate, how many have, and the forecast. The page also starts with it.
pub fn headline(status: &Status) -> String {
    let live = match (status.live.state, &status.live.why) {
        (State::NotLive, Some(why)) => format!("NOT LIVE: {why}."),
        (State::Unknown, Some(why)) => format!("NOT KNOWN WHETHER LIVE: {why}."),
        _ => "LIVE.".to_owned(),
    };
    let progress = &status.progress;
    let arrived = format!("{}{}", status.at_least(), thousands(progress.arrived));
    let arrived = match (progress.total_users, progress.share) {
        (Some(total), Some(share)) => format!(
            "{arrived} of {} customers ({}) have migrated.",
            thousands(total),
            percent(share)
        ),
        _ => format!("{arrived} customer(s) have migrated."),
    };
    let closed = status
        .outlook
        .closes
        .is_some_and(|closes| closes < status.until);
    let end = match status.outlook.ends {
        Some(ends) if status.outlook.closes.is_none_or(|closes| ends <= closes) && !closed => {
            format!(" Likely end: {ends}.")
        }
        _ => String::new(),
    };
    format!("{live} {arrived}{end}")
}

/// One line, for a log.
pub fn line(status: &Status) -> String {
    let share = status
        .progress
        .share
        .map_or_else(String::new, |share| format!(" ({})", percent(share)));
    let today = status.today().map(|day| &day.outcomes);
    let of = |class| thousands(today.map_or(0, |counts| counts.of(class)));
    let live = match status.live.state {
        State::Live => "live",
        State::NotLive => "NOT LIVE",
        State::Unknown => "not known whether live",
    };
    format!(
        "{} {} {live}: {}{} migrated{share}; today {} migrated, {} refused, {} failed",
        status.as_of,
        status.pool,
        status.at_least(),
        thousands(status.progress.arrived),
        of(Class::Migrated),
        of(Class::Refused),
        of(Class::Failed),
    )
}

/// The last count of `remaining` or `import`.
fn counted(exact: &Exact) -> String {
    let mut text = format!(
        "Counted on {} UTC: {} of {} users of the directory were not in the pool.",
        minute(&exact.at),
        thousands(exact.remaining),
        thousands(exact.directory)
    );
    if exact.half_finished > 0 {
        text += &format!(
            " {} of those in it never set a new password.",
            thousands(exact.half_finished)
        );
    }
    text
}

/// The most important figures, one line each. The page has the same lines.
pub fn summary(status: &Status) -> Vec<String> {
    let progress = &status.progress;
    let mut lines = vec![arrived(status)];
    if let Some(users) = progress.pool_users {
        lines.push(format!(
            "The pool has about {} user(s), including those who never were in the old directory. Cognito updates this estimate every few hours.",
            thousands(users)
        ));
    }
    if let Some(exact) = &status.exact {
        lines.push(counted(exact));
    }
    if let Some(share) = status.window_share {
        lines.push(format!(
            "{share} % of names migrate ([window] share); the others get the answer for an unknown user."
        ));
    }
    if let Some(last) = &progress.last_migration {
        lines.push(format!("Last migration: {} UTC.", minute(last)));
    }
    lines.extend(accounts(status));
    lines.extend(rate(status));
    lines.extend(forecast(status));
    lines.extend(times(status));
    lines.extend(hashes(status));
    lines.extend(told(status));
    if status.misdated > 0 {
        lines.push(format!(
            "Dated outside this time by the log, and so counted but on no day: {}.",
            thousands(status.misdated)
        ));
    }
    lines.push(source(status));
    if status.trials > 0 {
        lines.push(format!(
            "Operator tests, not counted: {}.",
            thousands(status.trials)
        ));
    }
    lines
}

/// The source of the figures.
fn source(status: &Status) -> String {
    let progress = &status.progress;
    let mut text = match status.source {
        Source::Insights => "Counted from the log by Logs Insights, the last minute line by line.",
        Source::Events => "Counted from the log, line by line.",
    }
    .to_owned();
    if let Some(until) = progress.metrics_until {
        text += &format!(
            " Days up to {until}, which the log does not have, are from CloudWatch's metrics: without app clients, latencies and reasons."
        );
    }
    if let Some(why) = &progress.metrics_unread {
        text += &format!(
            " CloudWatch's metrics, which know the days that the log no longer has, could not be read: {why}."
        );
    }
    text
}

fn arrived(status: &Status) -> String {
    let progress = &status.progress;
    let of = match (progress.total_users, progress.share) {
        (Some(total), Some(share)) => format!(" of {}, {}", thousands(total), percent(share)),
        _ => String::new(),
    };
    let basis = match (progress.basis, progress.log_begins) {
        (Basis::Log | Basis::LogAndMetrics, _) => String::new(),
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

/// What the sign-up triggers did, if anything.
fn accounts(status: &Status) -> Option<String> {
    let Accounts {
        connected,
        without_connection,
        sign_ups_allowed,
        sign_ups_refused,
        created,
    } = &status.accounts;
    let counts = [
        ("connected", connected),
        ("migrated without a connection", without_connection),
        ("sign-ups allowed", sign_ups_allowed),
        ("sign-ups refused", sign_ups_refused),
        ("accounts created", created),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(_, n)| **n > 0)
        .map(|(what, n)| format!("{} {what}", thousands(*n)))
        .collect();
    let connect = match without_connection {
        0 => "",
        _ => " `connect` tells Jane of those without a connection.",
    };
    (!counts.is_empty()).then(|| format!("Accounts: {}.{connect}", counts.join(", ")))
}

/// The rate, and how many are left.
fn rate(status: &Status) -> Vec<String> {
    let outlook = &status.outlook;
    let mut lines = Vec::new();
    if let Some(rate) = outlook.rate_per_day {
        lines.push(format!(
            "Rate: {rate:.1} per day over the last {} complete day(s).",
            outlook.rate_days
        ));
    }
    match (outlook.verdict, outlook.left) {
        (Verdict::Done, _) => lines.push("All customers have migrated.".to_owned()),
        (_, Some(left)) => {
            let left = thousands(left);
            lines.push(format!("Not migrated yet: {}{left}.", status.at_most()));
        }
        (_, None) => lines.push(
            "Set total_users under [window] to see the share, and how many are left.".to_owned(),
        ),
    }
    lines
}

/// What to expect at the end of the window, and how accurate that was halfway.
fn forecast(status: &Status) -> Vec<String> {
    let outlook = &status.outlook;
    let closes = outlook.closes;
    if let Some(closed) = closes.filter(|closes| *closes < status.until) {
        return vec![format!(
            "The window closed on {closed}: no more customers migrate."
        )];
    }
    if outlook.verdict == Verdict::Done {
        return closes
            .map(|closes| format!("The window closes on {closes}."))
            .into_iter()
            .collect();
    }
    let Some(forecast) = &outlook.forecast else {
        let closes = closes.map_or_else(String::new, |closes| {
            format!(" The window closes on {closes}.")
        });
        return vec![format!(
            "It is too early for a forecast: it needs seven complete days.{closes}"
        )];
    };
    let total = status.progress.total_users.filter(|total| *total > 0);
    let share = |n: u64| total.map(|total| percent(n as f64 / total as f64));
    let about = |n: u64| match share(n) {
        Some(share) => format!("{} ({share})", thousands(n)),
        None => thousands(n),
    };
    let by = match closes {
        Some(closes) if closes == forecast.by => format!("by {closes}, when the window closes"),
        Some(_) => format!("by {}", forecast.by),
        None => format!("by {}, ninety days from now", forecast.by),
    };
    let ends = match outlook.ends.filter(|ends| *ends <= forecast.by) {
        Some(ends) => format!(" All are likely to have migrated on {ends}."),
        None => outlook.left_at_close.map_or_else(String::new, |left| {
            format!(
                " About {} customer(s) do not migrate before.",
                thousands(left)
            )
        }),
    };
    let mut lines = vec![format!(
        "Forecast: {by}, about {} have migrated, at least {}, at best {}.{ends}",
        about(forecast.migrated),
        about(forecast.least),
        about(forecast.most),
    )];
    if let Some(halfway) = &forecast.halfway {
        let left_out = match forecast.days_left_out {
            0 => String::new(),
            n => format!(" {n} day(s) with an outage are left out."),
        };
        lines.push(format!(
            "The same forecast made on {} expected {} customers up to now; {} came.{left_out}",
            halfway.made,
            thousands(halfway.expected),
            thousands(halfway.came)
        ));
    }
    lines
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

/// The results of notifying another system of migrations (`[on_migrated]`).
fn told(status: &Status) -> Option<String> {
    let counts = &status.on_migrated;
    let sent = counts.get("sent");
    let failed: Vec<String> = counts
        .iter()
        .filter(|(word, _)| *word != "sent")
        .map(|(word, n)| format!("{} ({})", one_line(word), thousands(n)))
        .collect();
    let failed = match failed.is_empty() {
        true => String::new(),
        false => format!(" Not notified: {}.", failed.join("; ")),
    };
    (!counts.is_empty()).then(|| {
        format!(
            "Notified of a migration ([on_migrated]): {}.{failed}",
            thousands(sent)
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
            Class::Refused | Class::Account => &styles.dim,
            Class::Failed => &styles.bad,
        };
        let bar = bar(n, most, width.saturating_sub(37));
        let name = one_line(name);
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

/// What needs attention: when, what, how often, what it means and what to do.
fn incidents(text: &mut String, status: &Status, width: usize, styles: &Styles) {
    if status.incidents.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", styles.strong.apply_to("Needs attention"));
    for incident in status.incidents.iter().take(SHOWN) {
        let [when, what, why] = incident.told();
        text.push_str(&paragraph(&format!("{when}: {what}. {why}"), width, 4));
    }
    let more = status.incidents.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(
            text,
            "  and {more} earlier; --html and --json have them all"
        );
    }
}

/// An event as text.
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

/// The text as a paragraph of its own, indented by two; continuation lines are indented by `hanging`.
fn paragraph(text: &str, width: usize, hanging: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    fill(&words.join(" "), width, 2, hanging) + "\n"
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::Date;

    use super::*;
    use crate::status::history::{Dice, History, Shop};
    use crate::status::live::Live;
    use crate::status::samples::{self, facts, limited, status};
    use crate::status::tally::Tally;
    use crate::status::{Facts, Source};

    fn empty() -> Status {
        Status::new(&Tally::default(), &facts(Some(10), Some(0)), Source::Events)
    }

    /// A shop of 20,000 customers, sixty days in: fewer at weekends, two days of an outage, and five on which bots try names.
    #[test]
    fn a_history_is_readable_at_any_width() {
        let today: Date = samples::NOW.parse().unwrap();
        let first = today.epoch_days() - 60;
        let history = History {
            shop: Shop {
                customers: 20_000.0,
                habits: [(0.4, 1.0 / 7.0), (0.4, 1.0 / 30.0), (0.2, 1.0 / 200.0)],
                weekends: 0.5,
            },
            days: 60,
            outage: 40..42,
            bots: 50..55,
        };
        let facts = Facts {
            since: Date::from_epoch_days(first).unwrap(),
            closes: Date::from_epoch_days(first + 120),
            everything: true,
            ..samples::facts(Some(20_000), Some(31_000))
        };
        let tally = history.tally(first, &mut Dice(3));
        let status = Status::new(&tally, &facts, Source::Insights);
        for width in [60, 100, 160] {
            let shown = render(&status, width, &Styles::plain());
            let widest = shown.lines().map(|line| line.chars().count()).max();
            assert!(widest.unwrap() <= width, "{shown}");
            let path = format!(
                "{}/tests/it/transcripts/status/history-{width}.txt",
                env!("CARGO_MANIFEST_DIR")
            );
            if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
                std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
                std::fs::write(&path, &shown).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(shown, kept, "UPDATE_TRANSCRIPTS=1 writes {path} anew");
        }
        // Bots are not customers, and days on which no customer could migrate say nothing about future days.
        let forecast = status.outlook.forecast.unwrap();
        assert_eq!(forecast.days_left_out, 2);
        assert!(status.refused > 15_000, "{}", status.refused);
        let halfway = forecast.halfway.unwrap();
        let (expected, came) = (halfway.expected as f64, halfway.came as f64);
        let all = status.migrated as f64;
        assert!((expected - came).abs() < 0.15 * all, "{halfway:?}");
    }

    #[test]
    fn the_view_fits_every_width_and_contains_every_figure() {
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
    fn an_empty_log_is_reported() {
        let text = render(&empty(), 80, &Styles::plain());
        assert!(text.contains("Migrated: 0 of 10, 0.0 %."), "{text}");
        assert!(text.contains("too early for a forecast"), "{text}");
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
        assert_eq!(rate(&expired)[1], "Not migrated yet: at most 9,000.");
        assert!(arrived(&limited(0, 30, 90, Some(30))).contains("at least 0 of 12,000"));
        let recent = arrived(&limited(30, 7, 29, Some(90)));
        assert!(
            recent.contains("--since 2026-10-22 counts everything"),
            "{recent}"
        );
    }

    #[test]
    fn each_forecast_has_its_sentence() {
        let steady = status(20, 100, Some(12_000), None);
        assert_eq!(
            rate(&steady),
            [
                "Rate: 100.0 per day over the last 7 complete day(s).",
                "Not migrated yet: 10,000."
            ]
        );
        let said = forecast(&steady);
        assert!(
            said[0].starts_with("Forecast: by 2027-03-31, when the window closes, about 12,000 (100.0 %) have migrated, at least "),
            "{said:?}"
        );
        assert!(
            said[0].ends_with("All are likely to have migrated on 2027-02-28."),
            "{said:?}"
        );
        assert_eq!(
            said[1],
            "The same forecast made on 2026-11-09 expected 1,000 customers up to now; 1,000 came."
        );
        let short = forecast(&status(20, 10, Some(12_000), None));
        assert!(short[0].contains("at best"), "{short:?}");
        assert!(
            short[0].ends_with("About 10,490 customer(s) do not migrate before."),
            "{short:?}"
        );
        let unknown = status(20, 100, None, None);
        assert!(rate(&unknown)[1].starts_with("Set total_users under [window]"));
        assert!(
            !forecast(&unknown)[0].contains('%'),
            "{:?}",
            forecast(&unknown)
        );
        let early = forecast(&status(5, 100, Some(12_000), None));
        assert_eq!(
            early,
            [
                "It is too early for a forecast: it needs seven complete days. The window closes on 2027-03-31."
            ]
        );
        let done = status(20, 100, Some(2_000), None);
        assert_eq!(rate(&done)[1], "All customers have migrated.");
        assert_eq!(forecast(&done), ["The window closes on 2027-03-31."]);
        let mut closed = steady;
        closed.outlook.closes = "2026-11-19".parse().ok();
        assert_eq!(
            forecast(&closed),
            ["The window closed on 2026-11-19: no more customers migrate."]
        );
    }

    #[test]
    fn the_first_line_shows_whether_customers_migrate() {
        let mut steady = status(20, 100, Some(12_000), None);
        assert_eq!(
            headline(&steady),
            "LIVE. 2,000 of 12,000 customers (16.6 %) have migrated. Likely end: 2027-02-28."
        );
        steady.live = Live {
            state: State::NotLive,
            why: Some("the pool has no trigger".into()),
            fix: Some("run `jane-migrate deploy`".into()),
        };
        steady.outlook.ends = None;
        let text = render(&steady, 80, &Styles::plain());
        assert!(
            text.starts_with(
                "NOT LIVE: the pool has no trigger. 2,000 of 12,000 customers (16.6 %) have\n  migrated.\n  To do: run `jane-migrate deploy`\nUser pool"
            ),
            "{text}"
        );
        assert!(
            line(&steady).contains("NOT LIVE: 2,000"),
            "{}",
            line(&steady)
        );
    }

    #[test]
    fn a_line_of_the_log_stays_one_paragraph() {
        assert_eq!(paragraph("a\r\nb  c", 80, 4), "  a b c\n");
        assert_eq!(paragraph("one two three", 10, 4), "  one two\n    three\n");
        let mut text = String::new();
        let rows = [("a\n::error::b", 1)].into_iter();
        table(&mut text, "Outcomes", rows, 40, &Styles::plain());
        assert!(text.contains("\n  a?::error::b"), "{text}");
    }

    #[test]
    fn a_bar_shows_every_count_above_zero() {
        assert_eq!(bar(0, 10, 20), "");
        assert_eq!(bar(1, 1_000_000, 20), "#");
        assert_eq!(bar(10, 10, 20).len(), 20);
    }
}
