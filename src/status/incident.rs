//! Invocations that need attention, grouped: start, end, reason, number of sign-ins. Counted per hour, so that the memory does
//! not grow with the log.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{ABORTED, Entry};
use crate::dates::{minute, utc};
use crate::guide;
use jane_migrate_core::line::one_line;

const HOUR_MS: i64 = 3_600_000;

/// Further hours and reasons are counted as one.
const MOST: usize = 20_000;

/// The reason if there are too many different ones.
const OTHERS: &str = "several reasons";

/// Invocations of one outcome, for one reason, within one hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: u64,
}

/// Invocations that need attention, by outcome, reason and hour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hours(BTreeMap<(String, Option<String>, i64), Span>);

/// Invocations that failed for one reason, hour after hour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// The time of the first, UTC.
    pub from: String,
    /// The time of the last, UTC.
    pub to: String,
    /// Their outcome.
    pub outcome: String,
    /// Their reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many invocations.
    pub count: u64,
    #[serde(skip)]
    pub last_ms: i64,
}

impl Hours {
    /// Counts one invocation, if it needs attention.
    pub fn note(&mut self, entry: &Entry) {
        if entry.is_trouble() {
            let span = Span {
                first_ms: entry.at_ms,
                last_ms: entry.at_ms,
                count: 1,
            };
            self.add(&entry.outcome, entry.reason.as_deref(), span);
        }
    }

    /// Counts the invocations of a span, which lies within an hour.
    pub fn add(&mut self, outcome: &str, reason: Option<&str>, span: Span) {
        let hour = span.first_ms.div_euclid(HOUR_MS);
        let mut key = (outcome.to_owned(), reason.map(str::to_owned), hour);
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            key = (outcome.to_owned(), Some(OTHERS.to_owned()), 0);
        }
        let kept = self.0.entry(key).or_insert(Span { count: 0, ..span });
        kept.first_ms = kept.first_ms.min(span.first_ms);
        kept.last_ms = kept.last_ms.max(span.last_ms);
        kept.count += span.count;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for ((outcome, reason, _), span) in &other.0 {
            self.add(outcome, reason.as_deref(), *span);
        }
    }

    /// The incidents, latest first. An hour without the same failure ends one.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut incidents: Vec<(i64, &String, &Option<String>, Span)> = Vec::new();
        for ((outcome, reason, hour), span) in &self.0 {
            match incidents.last_mut() {
                Some((last, name, why, whole))
                    if *name == outcome && *why == reason && *hour <= *last + 1 =>
                {
                    *last = *hour;
                    whole.last_ms = whole.last_ms.max(span.last_ms);
                    whole.count += span.count;
                }
                _ => incidents.push((*hour, outcome, reason, *span)),
            }
        }
        incidents.sort_by_key(|(.., span)| std::cmp::Reverse(span.last_ms));
        incidents
            .into_iter()
            .map(|(_, outcome, reason, span)| Incident {
                from: utc(span.first_ms),
                to: utc(span.last_ms),
                outcome: outcome.clone(),
                reason: reason.clone(),
                count: span.count,
                last_ms: span.last_ms,
            })
            .collect()
    }
}

impl Incident {
    /// As text: when and how often it happened, what it means, and what to do.
    pub fn told(&self) -> [String; 3] {
        let incident = self;
        let (from, to) = (minute(&incident.from), minute(&incident.to));
        let when = match (from == to, from.get(..10) == to.get(..10)) {
            (true, _) => from,
            (false, true) => format!("{from} to {}", &to[11..]),
            (false, false) => format!("{from} to {to}"),
        };
        let reason = incident.reason.as_deref().map(one_line);
        let what = match &reason {
            Some(reason) => format!("{}, {reason}", incident.outcome),
            None => incident.outcome.clone(),
        };
        let what = format!("{what}, {} sign-in(s)", incident.count);
        let known = (reason.as_deref().and_then(guide::reason))
            .filter(|_| incident.outcome != ABORTED)
            .or_else(|| guide::outcome(&incident.outcome));
        let why = known.map_or_else(String::new, |known| match known.todo.as_str() {
            "" => format!("It means: {}.", known.means),
            todo => format!("It means: {}. To do: {todo}.", known.means),
        });
        [when, what, why]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(of: &[(&str, &str, i64)]) -> Hours {
        let mut hours = Hours::default();
        for (outcome, reason, minute) in of {
            let line = format!(r#"{{"outcome":"{outcome}","durationMs":1.0,"reason":"{reason}"}}"#);
            hours.note(&Entry::read(minute * 60_000, &line).unwrap());
        }
        hours
    }

    #[test]
    fn the_same_failure_in_consecutive_hours_is_one_incident() {
        let down = "directory-unavailable";
        let hours = hours(&[
            (down, "timeout", 10),
            (down, "timeout", 70),
            (down, "secret", 75),
            (down, "timeout", 150),
            (down, "timeout", 400),
        ]);
        let mut twice = Hours::default();
        twice.merge(&hours);
        assert_eq!(twice, hours);
        let seen: Vec<_> = (hours.incidents().into_iter())
            .map(|it| (it.reason.unwrap(), it.from, it.to, it.count))
            .collect();
        let at = |minute: i64| utc(minute * 60_000);
        assert_eq!(
            seen,
            [
                ("timeout".to_owned(), at(400), at(400), 1),
                ("timeout".to_owned(), at(10), at(150), 3),
                ("secret".to_owned(), at(75), at(75), 1),
            ]
        );
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_reasons() {
        let mut hours = Hours::default();
        let span = Span {
            first_ms: 5,
            last_ms: 5,
            count: 1,
        };
        for n in 0..MOST + 10 {
            hours.add("not-eligible", Some(&n.to_string()), span);
        }
        assert_eq!(hours.0.len(), MOST + 1);
        let counted: u64 = hours.incidents().iter().map(|it| it.count).sum();
        assert_eq!(counted, MOST as u64 + 10);
    }

    #[test]
    fn an_incident_shows_when_what_and_what_to_do() {
        let incident = hours(&[("directory-unavailable", "timeout", 60)])
            .incidents()
            .remove(0);
        let [when, what, why] = incident.told();
        assert_eq!(when, "1970-01-01 01:00");
        assert_eq!(what, "directory-unavailable, timeout, 1 sign-in(s)");
        assert!(
            why.starts_with("It means: no answer within timeout_ms. To do: "),
            "{why}"
        );
        let two_days = Incident {
            to: "1970-01-02T03:00:00Z".into(),
            outcome: ABORTED.into(),
            ..incident
        };
        assert_eq!(two_days.told()[0], "1970-01-01 01:00 to 1970-01-02 03:00");
    }
}
