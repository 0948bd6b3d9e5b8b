//! Counts the log with CloudWatch Logs Insights, if available: it returns a few rows, however many lines there are. Owns the
//! queries and the meaning of their rows; a service without Insights is recognised by the rows that it returns.

use futures_util::future::try_join_all;

use super::entry::{ABORTED, Entry, UNSUPPORTED_HASH, lacking};
use super::incident::Span;
use super::tally::{KEPT, Tally, Times};
use crate::aws::{AwsError, Kind, Reader, Row};
use crate::dates::{self, day_of};

/// Lines with a customer's outcome.
const COUNTED: &str = "filter ispresent(outcome) and not ispresent(trial)";

/// The log's text for an invocation that timed out or crashed.
const CUT_OFF: &str = "@message like /Task timed out after|Runtime exited/";

/// The outcomes that need attention even without a reason.
const BROKEN: &str = r#""unsupported-trigger", "invalid-event", "invalid-settings""#;

/// How much is counted: each question is one query, and the account may run only a limited number in parallel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything that `status` shows.
    Everything,
    /// How many customers migrated on each day, and when the last one did.
    Days,
}

impl Wanted {
    fn questions(self) -> &'static [Question] {
        match self {
            Self::Everything => &Question::ALL,
            Self::Days => &[Question::Days],
        }
    }
}

/// The purpose of a query, which decides how its rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Days,
    Clients,
    Times,
    Inits,
    TimedOut,
    Crashed,
    Slowest,
    Troubles,
    Incidents,
    Hashes,
    Told,
    Trials,
}

impl Question {
    const ALL: [Self; 12] = [
        Self::Days,
        Self::Clients,
        Self::Times,
        Self::Inits,
        Self::TimedOut,
        Self::Crashed,
        Self::Slowest,
        Self::Troubles,
        Self::Incidents,
        Self::Hashes,
        Self::Told,
        Self::Trials,
    ];

    fn query(self) -> String {
        // Names are defined in `fields`, and rows are grouped by names only: this part of the language works on every service.
        let slot = |time: &str| {
            format!(
                "fields floor(log(greatest({time}, {})) * {}) as slot | stats count(*) as n by slot",
                Times::FASTEST_MS,
                Times::SLOTS
            )
        };
        let day = "fields datefloor(@timestamp, 1d) as day";
        let hour = "fields datefloor(@timestamp, 1h) as hour";
        let span = "stats count(*) as n, min(@timestamp) as first, max(@timestamp) as last";
        match self {
            Self::Days => format!(
                "{COUNTED} | {day} | stats count(*) as n, max(@timestamp) as last by day, outcome"
            ),
            Self::Clients => format!("{COUNTED} | stats count(*) as n by clientId, outcome"),
            Self::Times => format!(
                "{COUNTED} and ispresent(durationMs) | {}",
                slot("durationMs + coalesce(initMs, 0)")
            ),
            Self::Inits => format!("{COUNTED} and ispresent(initMs) | {}", slot("initMs")),
            Self::TimedOut => {
                format!("filter @message like /Task timed out after/ | {hour} | {span} by hour")
            }
            Self::Crashed => {
                format!("filter @message like /Runtime exited/ | {hour} | {span} by hour")
            }
            Self::Incidents => format!(
                "{COUNTED} and (ispresent(reason) or ispresent(missing.0) or outcome in [{BROKEN}]) | {hour}, missing.0 as lacks | {span} by hour, outcome, reason, lacks"
            ),
            Self::Slowest => format!(
                "{COUNTED} and ispresent(durationMs) | fields @timestamp, @message, durationMs + coalesce(initMs, 0) as took | sort took desc | limit {KEPT}"
            ),
            Self::Troubles => format!(
                "filter (ispresent(reason) or ispresent(missing.0) or outcome in [{BROKEN}] or {CUT_OFF}) and not ispresent(trial) | fields @timestamp, @message | sort @timestamp desc | limit {KEPT}"
            ),
            Self::Hashes => format!(
                "{COUNTED} and outcome in [\"{UNSUPPORTED_HASH}\"] | stats count(*) as n by reason"
            ),
            Self::Told => {
                format!("{COUNTED} and ispresent(onMigrated) | stats count(*) as n by onMigrated")
            }
            Self::Trials => "filter ispresent(trial) | stats count(*) as n".to_owned(),
        }
    }

    /// Counts one row. `None` if the row does not fit this question.
    fn count(self, row: &Row, tally: &mut Tally) -> Option<()> {
        let text = |name: &str| row.get(name).map(String::as_str);
        let n = || number(text("n")?);
        match self {
            Self::Days => {
                let (outcome, last) = (text("outcome")?, moment(text("last")?)?);
                tally.count(day_of(moment(text("day")?)?), outcome, n()?);
                tally.note(last, outcome);
            }
            Self::Clients => {
                tally.count_client(text("clientId").unwrap_or_default(), text("outcome")?, n()?);
            }
            Self::Times => tally.times.add_to_slot(slot(text("slot")?)?, n()?),
            Self::Inits => tally.inits.add_to_slot(slot(text("slot")?)?, n()?),
            Self::TimedOut => aborted(row, "timeout", tally)?,
            Self::Crashed => aborted(row, "crash", tally)?,
            Self::Incidents => {
                let lacks = text("lacks").map(lacking);
                let reason = text("reason").map(str::to_owned).or(lacks);
                tally.count_trouble(text("outcome")?, reason.as_deref(), span(row)?);
            }
            Self::Slowest => tally.keep_slow(entry(row)?),
            Self::Troubles => tally.keep_trouble(entry(row)?),
            Self::Hashes => tally.count_hash(text("reason").unwrap_or_default(), n()?),
            Self::Told => tally.told.add(text("onMigrated")?, n()?),
            Self::Trials => tally.trials += n()?,
        }
        Some(())
    }
}

/// Counts the log group from `since_ms` to `until_ms`, both whole seconds. `None` if Insights is unavailable, not allowed, at
/// the account's limit of queries, or does not behave like AWS.
pub(super) async fn tally(
    aws: &Reader,
    group: &str,
    since_ms: i64,
    until_ms: i64,
    wanted: Wanted,
) -> Result<Option<Tally>, AwsError> {
    let queries = wanted.questions().iter().map(async |&question| {
        aws.query_logs(group, &question.query(), since_ms, until_ms)
            .await
            .map(|rows| (question, rows))
    });
    match try_join_all(queries).await {
        Ok(answers) => Ok(counted(&answers)),
        Err(error) if matches!(error.kind, Kind::Denied | Kind::Refused | Kind::Throttled) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn counted(answers: &[(Question, Vec<Row>)]) -> Option<Tally> {
    let mut tally = Tally::default();
    for (question, rows) in answers {
        for row in rows {
            question.count(row, &mut tally)?;
        }
    }
    Some(tally)
}

/// Counts invocations of one hour that timed out or crashed.
fn aborted(row: &Row, reason: &str, tally: &mut Tally) -> Option<()> {
    let span = span(row)?;
    tally.count(day_of(span.first_ms), ABORTED, span.count);
    tally.count_client("", ABORTED, span.count);
    tally.count_trouble(ABORTED, Some(reason), span);
    Some(())
}

fn span(row: &Row) -> Option<Span> {
    Some(Span {
        first_ms: moment(row.get("first")?)?,
        last_ms: moment(row.get("last")?)?,
        count: number(row.get("n")?)?,
    })
}

fn entry(row: &Row) -> Option<Entry> {
    Entry::read(moment(row.get("@timestamp")?)?, row.get("@message")?)
}

/// Numbers are text, some with a fraction of zero.
fn number(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    (number >= 0.0).then_some(number as u64)
}

fn slot(text: &str) -> Option<i32> {
    let number: f64 = text.parse().ok()?;
    (number.abs() < 10_000.0).then_some(number as i32)
}

/// A time in the service's format: `2026-11-20 10:22:33.456`, or milliseconds since 1970.
fn moment(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(ms) => Some(ms as i64),
        Err(_) => dates::read(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Row {
        columns
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn rows_count_as_lines_do() {
        let line = r#"{"outcome":"directory-unavailable","durationMs":3500.0,"initMs":2.0,"clientId":"web","reason":"timeout"}"#;
        let at = moment("2026-11-20 10:22:33.456").unwrap();
        let mut by_line = Tally::default();
        by_line.read(at, line);
        by_line.read(
            at + 1000,
            r#"{"outcome":"migrated","durationMs":20.0,"clientId":"web"}"#,
        );
        by_line.read(at, "x Task timed out after 5.00 seconds");
        by_line.read(
            at,
            r#"{"outcome":"migrated","durationMs":20.0,"trial":true}"#,
        );
        by_line.slowest.truncate(1);

        let mut times = Times::default();
        times.add(3502.0);
        times.add(20.0);
        let by_row = counted(&[
            (
                Question::Days,
                vec![
                    row(&[
                        ("day", "2026-11-20 00:00:00.000"),
                        ("outcome", "directory-unavailable"),
                        ("n", "1"),
                        ("last", "2026-11-20 10:22:33.456"),
                    ]),
                    row(&[
                        ("day", "1795132800000"),
                        ("outcome", "migrated"),
                        ("n", "1"),
                        ("last", "2026-11-20 10:22:34.456"),
                    ]),
                ],
            ),
            (
                Question::Clients,
                vec![
                    row(&[
                        ("clientId", "web"),
                        ("outcome", "directory-unavailable"),
                        ("n", "1"),
                    ]),
                    row(&[("clientId", "web"), ("outcome", "migrated"), ("n", "1.0")]),
                ],
            ),
            (
                Question::Times,
                vec![
                    row(&[("slot", "163"), ("n", "1")]),
                    row(&[("slot", "59.0"), ("n", "1")]),
                ],
            ),
            (Question::Inits, vec![row(&[("slot", "13"), ("n", "1")])]),
            (
                Question::TimedOut,
                vec![row(&[
                    ("hour", "2026-11-20 10:00:00.000"),
                    ("n", "1"),
                    ("first", "2026-11-20 10:22:33.456"),
                    ("last", "2026-11-20 10:22:33.456"),
                ])],
            ),
            (
                Question::Incidents,
                vec![row(&[
                    ("hour", "2026-11-20 10:00:00.000"),
                    ("outcome", "directory-unavailable"),
                    ("reason", "timeout"),
                    ("n", "1"),
                    ("first", "2026-11-20 10:22:33.456"),
                    ("last", "2026-11-20 10:22:33.456"),
                ])],
            ),
            (
                Question::Slowest,
                vec![row(&[
                    ("@timestamp", "2026-11-20 10:22:33.456"),
                    ("@message", line),
                ])],
            ),
            (
                Question::Troubles,
                vec![
                    row(&[
                        ("@timestamp", "2026-11-20 10:22:33.456"),
                        ("@message", line),
                    ]),
                    row(&[
                        ("@timestamp", "2026-11-20 10:22:33.456"),
                        ("@message", "x Task timed out after 5.00 seconds"),
                    ]),
                ],
            ),
            (Question::Trials, vec![row(&[("n", "1")])]),
        ])
        .unwrap();
        assert_eq!(by_row.times, times);
        assert_eq!(by_row, by_line);
    }

    #[test]
    fn rows_of_a_service_that_does_not_aggregate_are_detected() {
        let raw = row(&[
            ("@timestamp", "2026-11-20 10:22:33.456"),
            ("@message", "{}"),
        ]);
        for question in Question::ALL {
            assert_eq!(
                counted(&[(question, vec![raw.clone()])]),
                None,
                "{question:?}"
            );
        }
        assert_eq!(counted(&[]), Some(Tally::default()));
    }
}
