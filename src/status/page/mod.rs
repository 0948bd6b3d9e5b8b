//! The status as one self-contained page: no script, no font, nothing from the network. Charts are drawn here (`charts`), and
//! every figure in them also stands in a table.

mod charts;

use std::fmt::Write;

use super::{Event, Status, when};
use crate::ui::status::{duration, percent, summary, thousands};

/// The page over one or more pools.
pub fn render(statuses: &[Status]) -> String {
    let title = match statuses {
        [status] => format!("Migration of {}", status.name),
        statuses => format!("Migration of {} user pools", statuses.len()),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        escaped(&title),
        include_str!("page.css")
    );
    for (number, status) in statuses.iter().enumerate() {
        article(&mut page, status, number);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn article(page: &mut String, status: &Status, number: usize) {
    let _ = write!(
        page,
        "<article>\n<h1>{}</h1>\n<p class=\"quiet\">User pool {}, {} to {}, UTC. Read {}.</p>\n",
        escaped(&status.name),
        escaped(&status.pool),
        status.since,
        status.until,
        when(&status.as_of)
    );
    key_figures(page, status);
    page.push_str("<ul class=\"said\">\n");
    for line in summary(status) {
        let _ = writeln!(page, "<li>{}</li>", escaped(&line));
    }
    page.push_str("</ul>\n");
    daily(page, status, number);
    cumulative(page, status, number);
    times(page, status, number);
    outcomes(page, status);
    clients(page, status);
    events(page, "To look at", &status.errors);
    events(page, "The slowest", &status.times.slowest);
    page.push_str("</article>\n");
}

fn key_figures(page: &mut String, status: &Status) {
    let unknown = || "unknown".to_owned();
    let optional = |value: Option<f64>| value.map_or_else(unknown, duration);
    let figures = [
        (
            "Migrated",
            format!(
                "{}{}",
                status.at_least(),
                thousands(status.progress.arrived)
            ),
        ),
        (
            "Share of all",
            status.progress.share.map_or_else(unknown, percent),
        ),
        (
            "A day, lately",
            status
                .outlook
                .rate_per_day
                .map_or_else(unknown, |rate| format!("{rate:.1}")),
        ),
        (
            "Nobody left",
            status
                .outlook
                .ends
                .map_or_else(unknown, |ends| ends.to_string()),
        ),
        ("Failed", thousands(status.failed)),
        ("99 % waited at most", optional(status.times.p99_ms)),
    ];
    page.push_str("<dl class=\"key\">\n");
    for (name, value) in figures {
        let _ = writeln!(
            page,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escaped(&value)
        );
    }
    page.push_str("</dl>\n");
}

fn daily(page: &mut String, status: &Status, number: usize) {
    let _ = write!(
        page,
        "<section>\n<h2>Day by day</h2>\n<figure>{}<figcaption>",
        charts::daily(status, &format!("daily{number}"))
    );
    for (class, name) in charts::SERIES {
        let _ = write!(page, "<span><i class=\"{class}\"></i>{name}</span>");
    }
    page.push_str("</figcaption></figure>\n<details><summary>The figures</summary>\n");
    let heads: Vec<(&str, Column)> = std::iter::once(("Day (UTC)", Column::Moment))
        .chain(charts::SERIES.map(|(_, name)| (name, Column::Number)))
        .collect();
    let rows = status.days.iter().rev().map(|day| {
        let counts = charts::stacked(&day.outcomes).map(thousands);
        std::iter::once(day.date.to_string())
            .chain(counts)
            .collect()
    });
    table(page, &heads, rows);
    page.push_str("</details>\n</section>\n");
}

fn cumulative(page: &mut String, status: &Status, number: usize) {
    let _ = write!(
        page,
        "<section>\n<h2>Customers who have come over</h2>\n<figure>{}<figcaption><span>Solid: so far. Dashed: at the rate of the last complete days.</span></figcaption></figure>\n</section>\n",
        charts::cumulative(status, &format!("cumulative{number}"))
    );
}

fn times(page: &mut String, status: &Status, number: usize) {
    let _ = write!(
        page,
        "<section>\n<h2>How long customers waited</h2>\n<figure>{}<figcaption><span>From Cognito's question to the function's answer, a cold start included.</span></figcaption></figure>\n<details><summary>The figures</summary>\n",
        charts::distribution(status, &format!("times{number}"))
    );
    let rows = status
        .times
        .distribution
        .iter()
        .map(|step| vec![charts::range(step), thousands(step.count)]);
    table(
        page,
        &[("Waited", Column::Text), ("answers", Column::Number)],
        rows,
    );
    page.push_str("</details>\n</section>\n");
}

fn outcomes(page: &mut String, status: &Status) {
    let mut rows: Vec<_> = status.outcomes.iter().collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    page.push_str("<section>\n<h2>Outcomes</h2>\n");
    let rows = rows
        .into_iter()
        .map(|(outcome, n)| vec![outcome.to_owned(), thousands(n)]);
    table(
        page,
        &[("Outcome", Column::Text), ("answers", Column::Number)],
        rows,
    );
    page.push_str("</section>\n");
}

fn clients(page: &mut String, status: &Status) {
    use super::entry::Class::{Failed, Migrated, Refused};
    page.push_str("<section>\n<h2>App clients</h2>\n");
    let heads = [
        ("Client", Column::Text),
        ("migrated", Column::Number),
        ("refused", Column::Number),
        ("failed", Column::Number),
    ];
    let rows = status.clients.iter().map(|client| {
        let counts = [Migrated, Refused, Failed].map(|class| thousands(client.outcomes.of(class)));
        std::iter::once(client.label()).chain(counts).collect()
    });
    table(page, &heads, rows);
    page.push_str("</section>\n");
}

fn events(page: &mut String, title: &str, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    let _ = write!(page, "<section>\n<h2>{title}</h2>\n");
    let heads = [
        ("When (UTC)", Column::Moment),
        ("Outcome", Column::Text),
        ("waited", Column::Number),
        ("Why, and what the directory was asked", Column::Text),
    ];
    let rows = events.iter().map(|event| {
        let entry = &event.entry;
        let why: Vec<String> = entry
            .reason
            .iter()
            .cloned()
            .chain([event.upstream()])
            .filter(|part| !part.is_empty())
            .collect();
        vec![
            event.when(),
            entry.outcome.clone(),
            entry.took_ms.map_or_else(String::new, duration),
            why.join(": "),
        ]
    });
    table(page, &heads, rows);
    page.push_str("</section>\n");
}

/// What stands in a column, which decides how it is set.
#[derive(Clone, Copy)]
enum Column {
    Text,
    Number,
    Moment,
}

impl Column {
    fn class(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Number => " class=\"number\"",
            Self::Moment => " class=\"moment\"",
        }
    }
}

/// A table with these columns.
fn table(page: &mut String, heads: &[(&str, Column)], rows: impl Iterator<Item = Vec<String>>) {
    page.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for (head, column) in heads {
        let _ = write!(page, "<th scope=\"col\"{}>{head}</th>", column.class());
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (cell, (_, column)) in row.iter().zip(heads) {
            let _ = write!(page, "<td{}>{}</td>", column.class(), escaped(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// Text as it may stand anywhere in the page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
