//! The figures of the page's charts, which `charts.js` draws with uPlot, a library that is part of the page. Each chart has a
//! description for people who cannot see it; the tables have its figures.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jane_migrate_config::Date;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::markup::escaped;
use crate::status::entry::Class;
use crate::status::tally::Counts;
use crate::status::{Status, Step};
use crate::ui::numbers::{duration, thousands};

/// The library's style sheet.
pub(super) const STYLE: &str = include_str!("uplot/uPlot.min.css");

/// The library, with its licence, and the code that draws the charts.
const SCRIPT: [&str; 5] = [
    "/*\n",
    include_str!("uplot/LICENSE"),
    "\n*/\n",
    include_str!("uplot/uPlot.iife.min.js"),
    include_str!("charts.js"),
];

/// The only script of a page, and its digest, so that a browser runs no other.
pub(super) fn script() -> (String, String) {
    let script = SCRIPT.concat();
    let digest = BASE64_STANDARD.encode(Sha256::digest(&script));
    (script, format!("'sha256-{digest}'"))
}

/// The series of a day, from the bottom: the class in the style sheet, and its name.
pub(super) const SERIES: [(&str, &str); 4] = [
    ("migrated", "migrated"),
    ("reset", "migrated by forgot password"),
    ("refused", "refused"),
    ("failed", "failed"),
];

/// A day's counts in the order of [`SERIES`].
pub(super) fn stacked(counts: &Counts) -> [u64; 4] {
    let by_reset = counts.get("migrated-for-reset");
    [
        counts.of(Class::Migrated) - by_reset,
        by_reset,
        counts.of(Class::Refused),
        counts.of(Class::Failed),
    ]
}

/// The element for a chart.
fn chart(kind: &str, description: &str, figures: &Value) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "<div class=\"chart\" role=\"img\" aria-label=\"{}\" data-kind=\"{kind}\" data-figures=\"{}\"></div>",
        escaped(description),
        escaped(&figures.to_string())
    );
    text
}

/// A day for the library: its start, in seconds since 1970.
fn seconds(day: i64) -> i64 {
    day * 24 * 3600
}

/// The counts of each day, stacked.
pub(super) fn daily(status: &Status) -> String {
    let totals = status.days.iter().map(|day| day.outcomes.total());
    let description = format!(
        "{} day(s) from {} to {}; the busiest had {} answers. The figures are in the table below.",
        status.days.len(),
        status.days.first().map_or(status.since, |day| day.date),
        status.until,
        thousands(totals.max().unwrap_or_default())
    );
    let days = status.days.iter().map(|day| seconds(day.date.epoch_days()));
    let counts: Vec<[u64; 4]> = status
        .days
        .iter()
        .map(|day| stacked(&day.outcomes))
        .collect();
    let series = SERIES.iter().enumerate().map(|(n, (colour, name))| {
        let counts: Vec<u64> = counts.iter().map(|counts| counts[n]).collect();
        json!({ "name": name, "colour": colour, "counts": counts })
    });
    let figures = json!({ "days": days.collect::<Vec<_>>(), "series": series.collect::<Vec<_>>() });
    chart("daily", &description, &figures)
}

/// How many have migrated, day by day, and the forecast up to the end of the window.
pub(super) fn cumulative(status: &Status) -> String {
    let arrived = status.progress.arrived;
    let total = status.progress.total_users;
    let today = status.until.epoch_days();
    // After the end of the window there is no forecast.
    let forecast = (status.outlook.forecast.as_ref()).filter(|ahead| ahead.by > status.until);
    let description = format!(
        "{}{} customer(s) migrated by {}{}.{}",
        status.at_least(),
        thousands(arrived),
        status.until,
        total.map_or_else(String::new, |total| format!(" of {}", thousands(total))),
        forecast.map_or_else(String::new, |ahead| format!(
            " Forecast for {}: {}, between {} and {}.",
            ahead.by,
            thousands(ahead.migrated),
            thousands(ahead.least),
            thousands(ahead.most)
        ))
    );
    let (mut days, mut so_far) = (Vec::new(), Vec::new());
    let mut sum = 0;
    for day in &status.days {
        sum += day.outcomes.of(Class::Migrated);
        days.push(day.date.epoch_days());
        so_far.push(json!(sum));
    }
    let mut ahead = [(); 3].map(|()| vec![Value::Null; so_far.len().saturating_sub(1)]);
    ahead.iter_mut().for_each(|ahead| {
        ahead.push(match forecast {
            Some(_) => json!(arrived),
            None => Value::Null,
        })
    });
    let path = forecast.map_or(&[][..], |ahead| &ahead.path);
    for point in path.iter().filter(|point| point.day > today) {
        days.push(point.day);
        so_far.push(Value::Null);
        let range = [point.migrated, point.least, point.most];
        ahead
            .iter_mut()
            .zip(range)
            .for_each(|(ahead, n)| ahead.push(json!(n)));
    }
    let [likely, least, most] = ahead;
    let (first, last) = (days.first().copied(), days.last().copied());
    let within = |day: &i64| first <= Some(*day) && Some(*day) <= last;
    let closes = status.outlook.closes.map(Date::epoch_days).filter(within);
    let figures = json!({
        "days": days.into_iter().map(seconds).collect::<Vec<_>>(),
        "soFar": so_far,
        "likely": likely,
        "least": least,
        "most": most,
        "goal": total,
        "closes": closes.map(seconds),
    });
    chart("migrated", &description, &figures)
}

/// The latency's distribution.
pub(super) fn distribution(status: &Status) -> String {
    let steps = &status.times.distribution;
    let all: u64 = steps.iter().map(|step| step.count).sum();
    let known = |time: Option<f64>| time.map_or_else(|| "unknown".to_owned(), duration);
    let description = format!(
        "{} answers: p50 {}, p99 {}. The figures are in the table below.",
        thousands(all),
        known(status.times.median_ms),
        known(status.times.p99_ms),
    );
    let figures = json!({
        "steps": steps.iter().map(range).collect::<Vec<_>>(),
        "counts": steps.iter().map(|step| step.count).collect::<Vec<_>>(),
    });
    chart("latency", &description, &figures)
}

/// A step of the distribution, as text.
pub(super) fn range(step: &Step) -> String {
    let whole = |ms: f64| {
        if ms < 1000.0 {
            format!("{ms} ms")
        } else {
            format!("{} s", ms / 1000.0)
        }
    };
    let from = whole(step.from_ms);
    match step.to_ms {
        Some(to) if step.from_ms == 0.0 => format!("under {}", whole(to)),
        Some(to) => {
            let to = whole(to);
            let unit = to.trim_start_matches(|c: char| c != ' ');
            format!("{}-{to}", from.strip_suffix(unit).unwrap_or(&from))
        }
        None => format!("{from} or more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_text() {
        let step = |from_ms, to_ms| {
            range(&Step {
                from_ms,
                to_ms,
                count: 0,
            })
        };
        assert_eq!(step(0.0, Some(5.0)), "under 5 ms");
        assert_eq!(step(50.0, Some(100.0)), "50-100 ms");
        assert_eq!(step(500.0, Some(1000.0)), "500 ms-1 s");
        assert_eq!(step(5000.0, None), "5 s or more");
    }
}
