//! The status as one self-contained page: it loads nothing from the network and runs only its own script, which draws the charts.
//! `charts` has their figures; each is also in a table.

mod charts;
mod markup;

use std::fmt::Write;

use self::markup::{Column, escaped, table};
use super::numbers::{duration, percent, thousands};
use super::status::{headline, summary};
use crate::dates::minute;
use crate::guide;
use crate::status::entry::Class;
use crate::status::live::State;
use crate::status::{Event, Status};

/// The page for one or more pools.
pub fn render(statuses: &[Status]) -> String {
    let title = match statuses {
        [status] => format!("Migration of {}", status.name),
        statuses => format!("Migration of {} user pools", statuses.len()),
    };
    let (script, digest) = charts::script();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {digest}; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{}\n{}</style>\n</head>\n<body>\n<main>\n",
        escaped(&title),
        charts::STYLE,
        include_str!("page/page.css")
    );
    for status in statuses {
        article(&mut page, status);
    }
    let _ = write!(
        page,
        "</main>\n<script>{script}</script>\n</body>\n</html>\n"
    );
    page
}

fn article(page: &mut String, status: &Status) {
    let _ = write!(
        page,
        "<article>\n<h1>{}</h1>\n<p class=\"quiet\">User pool {}, {} to {}, UTC. Read {}.</p>\n",
        escaped(&status.name),
        escaped(&status.pool),
        status.since,
        status.until,
        minute(&status.as_of)
    );
    let class = match status.live.state {
        State::Live => "live",
        State::NotLive | State::Unknown => "not-live",
    };
    let _ = writeln!(
        page,
        "<p class=\"headline {class}\">{}</p>",
        escaped(&headline(status))
    );
    if let Some(fix) = &status.live.fix {
        let _ = writeln!(page, "<p>To do: {}</p>", escaped(fix));
    }
    key_figures(page, status);
    page.push_str("<ul class=\"said\">\n");
    for line in summary(status) {
        let _ = writeln!(page, "<li>{}</li>", escaped(&line));
    }
    page.push_str("</ul>\n");
    daily(page, status);
    cumulative(page, status);
    times(page, status);
    outcomes(page, status);
    clients(page, status);
    incidents(page, status);
    events(page, "Slowest", &status.times.slowest);
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
        ("Share", status.progress.share.map_or_else(unknown, percent)),
        (
            "Per day, recently",
            status
                .outlook
                .rate_per_day
                .map_or_else(unknown, |rate| format!("{rate:.1}")),
        ),
        (
            "Likely end",
            status
                .outlook
                .ends
                .map_or_else(unknown, |ends| ends.to_string()),
        ),
        ("Failed", thousands(status.failed)),
        ("Latency p99", optional(status.times.p99_ms)),
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

fn daily(page: &mut String, status: &Status) {
    let _ = write!(
        page,
        "<section>\n<h2>Day by day</h2>\n<figure>{}<figcaption>",
        charts::daily(status)
    );
    for (class, name) in charts::SERIES {
        let _ = write!(page, "<span><i class=\"{class}\"></i>{name}</span>");
    }
    page.push_str("</figcaption></figure>\n<details><summary>The figures</summary>\n");
    let heads: Vec<(&str, Column)> = std::iter::once(("Day (UTC)", Column::Moment))
        .chain(charts::SERIES.map(|(_, name)| (name, Column::Number)))
        .chain([("migrated so far", Column::Number)])
        .collect();
    let mut so_far = 0;
    let mut rows: Vec<Vec<String>> = (status.days.iter())
        .map(|day| {
            so_far += day.outcomes.of(Class::Migrated);
            let counts = charts::stacked(&day.outcomes).map(thousands);
            std::iter::once(day.date.to_string())
                .chain(counts)
                .chain([thousands(so_far)])
                .collect()
        })
        .collect();
    rows.reverse();
    table(page, &heads, rows.into_iter());
    page.push_str("</details>\n</section>\n");
}

fn cumulative(page: &mut String, status: &Status) {
    let _ = write!(
        page,
        "<section>\n<h2>Migrated customers</h2>\n<figure>{}<figcaption><span>Solid: so far. Dashed: forecast. Shaded: its range, which holds in four of five cases. The days are in the table above.</span></figcaption></figure>\n</section>\n",
        charts::cumulative(status)
    );
}

fn times(page: &mut String, status: &Status) {
    let _ = write!(
        page,
        "<section>\n<h2>Latency</h2>\n<figure>{}<figcaption><span>From Cognito's call to the function's answer, including a cold start.</span></figcaption></figure>\n<details><summary>The figures</summary>\n",
        charts::distribution(status)
    );
    let rows = status
        .times
        .distribution
        .iter()
        .map(|step| vec![charts::range(step), thousands(step.count)]);
    table(
        page,
        &[("Latency", Column::Text), ("answers", Column::Number)],
        rows,
    );
    page.push_str("</details>\n</section>\n");
}

fn outcomes(page: &mut String, status: &Status) {
    let mut rows: Vec<_> = status.outcomes.iter().collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    page.push_str("<section>\n<h2>Outcomes</h2>\n");
    let rows = rows.into_iter().map(|(outcome, n)| {
        let means = guide::outcome(outcome).map_or_else(String::new, |known| known.means);
        vec![outcome.to_owned(), thousands(n), means]
    });
    table(
        page,
        &[
            ("Outcome", Column::Text),
            ("answers", Column::Number),
            ("which means", Column::Text),
        ],
        rows,
    );
    page.push_str("</section>\n");
}

fn clients(page: &mut String, status: &Status) {
    use Class::{Failed, Migrated, Refused};
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

/// How many incidents the page shows.
const INCIDENTS: usize = 50;

fn incidents(page: &mut String, status: &Status) {
    if status.incidents.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Needs attention</h2>\n");
    let heads = [
        ("When (UTC)", Column::Moment),
        ("What", Column::Text),
        ("What it means, and what to do", Column::Text),
    ];
    let rows = status.incidents.iter().take(INCIDENTS);
    table(page, &heads, rows.map(|incident| incident.told().into()));
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
        ("latency", Column::Number),
        ("Reason, and calls to the directory", Column::Text),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Source;
    use crate::status::samples::{facts, status, tally};

    #[test]
    fn text_in_a_page_is_escaped() {
        let mut facts = facts(Some(12_000), None);
        facts.name = "<script>alert('x')</script> & \"Roots\"".into();
        let page = render(&[Status::new(&tally(3, 5), &facts, Source::Events)]);
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt; &amp; &quot;Roots&quot;"));
    }

    #[test]
    fn a_page_over_several_pools_has_the_charts_of_each_and_the_library_once() {
        let page = render(&[status(3, 5, Some(10), None), status(300, 5, None, None)]);
        assert_eq!(page.matches("class=\"chart\"").count(), 6);
        assert_eq!(page.matches("aria-label=\"").count(), 6);
        assert_eq!(page.matches("var uPlot=").count(), 1);
        assert!(
            page.contains("The MIT License"),
            "the library's licence goes with it"
        );
    }
}
