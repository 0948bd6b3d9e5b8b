//! The page's charts as SVG, drawn for a width: a narrow screen gets a drawing of its own instead of a wide one made small. Text
//! keeps its size, every drawing has a title and a description, and colours come from the page.

use std::fmt::Write;

use super::markup::escaped;
use crate::status::entry::Class;
use crate::status::tally::Counts;
use crate::status::{Day, Status, Step};
use crate::ui::numbers::{duration, thousands};

/// Drawings for a wide and for a narrow screen.
pub(super) const WIDTHS: [(&str, f64); 2] = [("wide-chart", 800.0), ("narrow", 356.0)];

const HEIGHT: f64 = 280.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;

/// What is stacked on a day, from the bottom: the class in the style sheet, and its name.
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

/// A drawing with two axes.
struct Plot {
    svg: String,
    width: f64,
    most: f64,
}

impl Plot {
    fn new(id: &str, class: &str, width: f64, most: u64, title: &str, description: &str) -> Self {
        let svg = format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-{class}-t {id}-{class}-d\">\
             <title id=\"{id}-{class}-t\">{}</title><desc id=\"{id}-{class}-d\">{}</desc>",
            escaped(title),
            escaped(description)
        );
        let mut plot = Self {
            svg,
            width,
            most: (most as f64).max(1.0),
        };
        plot.scale();
        plot
    }

    /// Where a share of the width lies.
    fn x(&self, share: f64) -> f64 {
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    /// Where a count lies.
    fn y(&self, count: f64) -> f64 {
        HEIGHT - BOTTOM - count / self.most * (HEIGHT - TOP - BOTTOM)
    }

    /// The counts on the left, with a line each.
    fn scale(&mut self) {
        let step = round_step(self.most / 4.0);
        let mut count = 0.0;
        while count <= self.most {
            let (y, end) = (self.y(count), self.width - RIGHT);
            let class = if count == 0.0 { "axis" } else { "grid" };
            let _ = write!(
                self.svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{end:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
            self.text(LEFT - 8.0, y + 4.0, "end", &thousands(count as u64));
            count += step;
        }
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let _ = write!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    /// Some of the labels along the bottom, as many as have room; the last one always.
    fn along(&mut self, labels: &[String], centred: bool) {
        let room = ((self.width - LEFT - RIGHT) / 86.0).floor().max(2.0) as usize;
        let every = labels.len().div_ceil(room).max(1);
        let steps = if centred {
            labels.len()
        } else {
            labels.len() - 1
        }
        .max(1) as f64;
        for (index, label) in labels.iter().enumerate() {
            if !(labels.len() - 1 - index).is_multiple_of(every) {
                continue;
            }
            let share = (index as f64 + if centred { 0.5 } else { 0.0 }) / steps;
            // At the edges the label stays inside.
            let x = self.x(share).clamp(LEFT + 24.0, self.width - RIGHT - 32.0);
            self.text(x, HEIGHT - 8.0, "middle", label);
        }
    }

    fn done(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// What happened day by day, stacked.
pub(super) fn daily(status: &Status, id: &str) -> String {
    let most = status
        .days
        .iter()
        .map(|day| day.outcomes.total())
        .max()
        .unwrap_or_default();
    let description = format!(
        "{} day(s) from {} to {}; the busiest had {} answers. The figures are in the table below.",
        status.days.len(),
        status.days.first().map_or(status.since, |day| day.date),
        status.until,
        thousands(most)
    );
    WIDTHS
        .iter()
        .map(|(class, width)| {
            let mut plot = Plot::new(id, class, *width, most, "Answers day by day", &description);
            let days = status.days.len().max(1) as f64;
            let slot = (plot.x(1.0) - plot.x(0.0)) / days;
            let bar = (slot * 0.8).clamp(1.0, 64.0);
            for (index, day) in status.days.iter().enumerate() {
                let left = plot.x((index as f64 + 0.5) / days) - bar / 2.0;
                let mut below = 0;
                for ((series, _), n) in SERIES.iter().zip(stacked(&day.outcomes)) {
                    if n == 0 {
                        continue;
                    }
                    let (top, foot) = (plot.y((below + n) as f64), plot.y(below as f64));
                    let height = (foot - top).max(0.5);
                    let _ = write!(
                        plot.svg,
                        "<rect class=\"{series}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{bar:.1}\" height=\"{height:.1}\"/>"
                    );
                    below += n;
                }
                // A tooltip for the whole day.
                let (top, height) = (TOP, HEIGHT - TOP - BOTTOM);
                let left = plot.x(index as f64 / days);
                let _ = write!(
                    plot.svg,
                    "<rect class=\"hit\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{slot:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
                    escaped(&said(day))
                );
            }
            let labels: Vec<String> = status.days.iter().map(|day| short(day.date)).collect();
            plot.along(&labels, true);
            plot.done()
        })
        .collect()
}

/// How many have migrated, day by day, and the forecast up to the end of the window.
pub(super) fn cumulative(status: &Status, id: &str) -> String {
    let (first, today) = (
        status
            .days
            .first()
            .map_or(status.until, |day| day.date)
            .epoch_days(),
        status.until.epoch_days(),
    );
    let arrived = status.progress.arrived;
    // Where the window has closed, nothing lies ahead.
    let forecast = (status.outlook.forecast.as_ref()).filter(|ahead| ahead.by > status.until);
    let last = forecast
        .map_or(today, |ahead| ahead.by.epoch_days())
        .max(first + 1);
    let total = status.progress.total_users;
    let most = forecast.map_or(0, |ahead| ahead.most);
    let most = total.unwrap_or_default().max(arrived).max(most);
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
    WIDTHS
        .iter()
        .map(|(class, width)| {
            let title = "Migrated customers";
            let mut plot = Plot::new(id, class, *width, most, title, &description);
            let share = |day: i64| (day - first) as f64 / (last - first) as f64;
            let mut sum = 0;
            let mut curve = String::new();
            for day in &status.days {
                sum += day.outcomes.of(Class::Migrated);
                let (x, y) = (plot.x(share(day.date.epoch_days())), plot.y(sum as f64));
                let _ = write!(curve, "{x:.1},{y:.1} ");
            }
            let (x, now, ground) = (plot.x(0.0), plot.x(share(today)), plot.y(0.0));
            let _ = write!(
                plot.svg,
                "<polygon class=\"under\" points=\"{x:.1},{ground:.1} {curve}{now:.1},{ground:.1}\"/>\
                 <polyline class=\"curve\" points=\"{curve}\"/>"
            );
            if let Some(ahead) = forecast {
                let (y, end) = (plot.y(arrived as f64), plot.x(1.0));
                let [likely, least, most] =
                    [ahead.migrated, ahead.least, ahead.most].map(|n| plot.y(n as f64));
                let _ = write!(
                    plot.svg,
                    "<polygon class=\"range\" points=\"{now:.1},{y:.1} {end:.1},{most:.1} {end:.1},{least:.1}\"/>\
                     <polyline class=\"ahead\" points=\"{now:.1},{y:.1} {end:.1},{likely:.1}\"/>"
                );
            }
            if let Some(total) = total {
                let (y, end) = (plot.y(total as f64), plot.width - RIGHT);
                let _ = write!(
                    plot.svg,
                    "<line class=\"goal\" x1=\"{LEFT}\" x2=\"{end:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
                );
            }
            if let Some(closes) = (status.outlook.closes.map(|closes| closes.epoch_days()))
                .filter(|day| (first..=last).contains(day))
            {
                let x = plot.x(share(closes));
                let _ = write!(
                    plot.svg,
                    "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{ground:.1}\"/>"
                );
                plot.text(x - 4.0, TOP + 12.0, "end", "window closes");
            }
            let labels: Vec<String> = (first..=last)
                .filter_map(jane_migrate_config::Date::from_epoch_days)
                .map(short)
                .collect();
            plot.along(&labels, false);
            plot.done()
        })
        .collect()
}

/// The latency's distribution, a row for each step.
pub(super) fn distribution(status: &Status, id: &str) -> String {
    const ROW: f64 = 24.0;
    let steps = &status.times.distribution;
    let all: u64 = steps.iter().map(|step| step.count).sum();
    let most = steps
        .iter()
        .map(|step| step.count)
        .max()
        .unwrap_or_default();
    let description = format!(
        "{} answers: p50 {}, p99 {}.",
        thousands(all),
        status
            .times
            .median_ms
            .map_or_else(|| "unknown".to_owned(), duration),
        status
            .times
            .p99_ms
            .map_or_else(|| "unknown".to_owned(), duration),
    );
    let height = ROW * steps.len() as f64;
    WIDTHS
        .iter()
        .map(|(class, width)| {
            let (left, right) = (92.0, 96.0);
            let mut svg = format!(
                "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-{class}-t {id}-{class}-d\">\
                 <title id=\"{id}-{class}-t\">Latency</title><desc id=\"{id}-{class}-d\">{description}</desc>"
            );
            for (index, step) in steps.iter().enumerate() {
                let y = ROW * index as f64;
                let full = width - left - right;
                let bar = match (step.count, most) {
                    (0, _) | (_, 0) => 0.0,
                    (n, most) => (n as f64 / most as f64 * full).max(1.5),
                };
                let _ = write!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                     <rect class=\"migrated\" x=\"{left}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{:.1}\"/>\
                     <text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    left - 8.0,
                    y + 16.0,
                    escaped(&range(step)),
                    y + 4.0,
                    ROW - 8.0,
                    left + bar + 6.0,
                    y + 16.0,
                    thousands(step.count)
                );
            }
            svg.push_str("</svg>");
            svg
        })
        .collect()
}

/// A step of the distribution in words.
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

/// A day in words.
fn said(day: &Day) -> String {
    let counts = SERIES.iter().zip(stacked(&day.outcomes));
    let counts = counts.map(|((_, name), n)| format!("{} {name}", thousands(n)));
    format!("{}: {}", day.date, counts.collect::<Vec<_>>().join(", "))
}

/// Month and day.
fn short(date: jane_migrate_config::Date) -> String {
    date.to_string()[5..].to_owned()
}

/// The next of 1, 2, 5, 10, ...
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= step)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (step, round) in [
            (0.2, 1.0),
            (1.0, 1.0),
            (3.0, 5.0),
            (7.0, 10.0),
            (230.0, 500.0),
        ] {
            assert_eq!(round_step(step), round);
        }
    }

    #[test]
    fn ranges_are_words() {
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
