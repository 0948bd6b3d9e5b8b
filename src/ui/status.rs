//! The status as people read it on a terminal: every figure in words first, bars after it, so that nothing is lost to whoever
//! does not see them. Machines get the same status as JSON, everybody else as a page.

use std::fmt::Write;

use super::{Styles, one_line};
use crate::status::entry::Class;
use crate::status::outlook::Verdict;
use crate::status::tally::Counts;
use crate::status::{Basis, Event, Status, when};

/// Days that are shown one by one.
const DAYS: usize = 31;

/// How many of the slowest and of the last errors.
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
            when(&status.as_of)
        ))
    );
    text.push('\n');
    for line in summary(status) {
        text.push_str(&wrapped(&line, width, 2));
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
    events(&mut text, "To look at", &status.errors, width, styles);
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

/// The figures that matter most, a sentence each. The page says the same.
pub fn summary(status: &Status) -> Vec<String> {
    let progress = &status.progress;
    let mut lines = vec![arrived(status)];
    if let Some(users) = progress.pool_users {
        lines.push(format!(
            "The pool itself counts {} user(s), those who never lived elsewhere among them; Cognito renews this estimate every few hours.",
            thousands(users)
        ));
    }
    if let Some(last) = &progress.last_migration {
        lines.push(format!("The last customer came over {} UTC.", when(last)));
    }
    lines.push(ahead(status));
    lines.extend(window(status));
    lines.extend(times(status));
    if status.trials > 0 {
        lines.push(format!(
            "{} trial(s) by the operator are not counted.",
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
            " (counted from {}; --since {begins} counts all that the log has)",
            status.since
        ),
        (Basis::PartOfLog, _) => format!(
            " (counted from {}; what was before is no longer in the log)",
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
            "{rate:.1} a day over the last {} complete day(s)",
            outlook.rate_days
        )
    });
    let left = thousands(outlook.left.unwrap_or_default());
    let left = format!("{}{left}", status.at_most());
    match (outlook.verdict, &outlook.ends) {
        (Verdict::Done, _) => "Everybody has come over.".to_owned(),
        (Verdict::EndInSight, Some(ends)) => {
            format!("Rate: {rate}; {left} are left, at that rate until {ends}.")
        }
        (Verdict::TooEarly, _) => format!("{left} are left; it is too early to say until when."),
        (Verdict::TotalUnknown, _) if rate.is_empty() => {
            "Set total_users under [window] to see the share and the end.".to_owned()
        }
        (Verdict::TotalUnknown, _) => {
            format!("Rate: {rate}. Set total_users under [window] to see the share and the end.")
        }
        _ => format!("Rate: {rate}; {left} are left, no end in sight."),
    }
}

fn window(status: &Status) -> Option<String> {
    let closes = status.outlook.closes?;
    if closes < status.until {
        return Some(format!(
            "The window closed on {closes}: nobody migrates any more."
        ));
    }
    Some(match status.outlook.left_at_close {
        Some(0) => format!("The window closes on {closes}; at that rate nobody is left by then."),
        Some(left) => format!(
            "The window closes on {closes}; at that rate {}{} are left then.",
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
        (n, Some(median)) => format!(
            " The function started {} time(s), {} each as a rule.",
            thousands(n),
            duration(median)
        ),
        _ => String::new(),
    };
    Some(format!(
        "Customers waited {} as a rule, 99 % of them no longer than {}, the slowest {}.{starts}",
        duration(times.median_ms?),
        duration(times.p99_ms?),
        duration(slowest),
    ))
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
        let mut sum = Counts::default();
        for (outcome, n) in status.days[..earlier]
            .iter()
            .flat_map(|day| day.outcomes.iter())
        {
            sum.add(outcome, n);
        }
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
        text.push_str(&wrapped(&line, width, 4));
    }
}

fn events(text: &mut String, title: &str, events: &[Event], width: usize, styles: &Styles) {
    if events.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", styles.strong.apply_to(title));
    for event in &events[..events.len().min(SHOWN)] {
        text.push_str(&wrapped(&sentence(event), width, 4));
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
            .map(|init| format!("{} of it to start", duration(init))),
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

/// As long as the share that `n` has of `most`; whatever is not nothing shows.
fn bar(n: u64, most: u64, room: usize) -> String {
    if n == 0 || most == 0 {
        return String::new();
    }
    let length = (n as f64 / most as f64 * room as f64).round() as usize;
    "#".repeat(length.clamp(1, room.max(1)))
}

/// The line, indented by two, broken between words; what follows a break is indented further.
fn wrapped(line: &str, width: usize, further: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in line.split_whitespace() {
        let length = word.chars().count();
        if column == 0 {
            text.push_str("  ");
            column = 2;
        } else if column + 1 + length > width {
            text.push('\n');
            text.push_str(&" ".repeat(further.max(2)));
            column = further.max(2);
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
    text
}

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as people read it. What is not all never reads as all.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).floor() / 10.0;
    format!("{tenths:.1} %")
}

/// A time as people read it.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(percent(0.99999), "99.9 %");
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(
            (duration(3.25), duration(12.0), duration(3501.0)),
            ("3.2 ms".into(), "12 ms".into(), "3.5 s".into())
        );
    }

    #[test]
    fn a_bar_shows_whatever_is_not_nothing() {
        assert_eq!(bar(0, 10, 20), "");
        assert_eq!(bar(1, 1_000_000, 20), "#");
        assert_eq!(bar(10, 10, 20).len(), 20);
    }
}
