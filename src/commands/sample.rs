//! `try --sample`: shows the formats of stored hashes that the function found, and what it costs to check one of each.

use std::fmt::Write;
use std::process::ExitCode;

use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::Names;
use jane_migrate_core::line::one_line;
use jane_migrate_core::probe::Invocation;
use jane_migrate_core::reason;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ui::numbers::{duration, thousands};
use crate::ui::{Styles, Ui};

/// The exit code if there are customers whose password cannot be checked.
const UNSUPPORTED: u8 = 3;

/// The longest acceptable check: Cognito waits five seconds for the whole sign-in.
const SLOW_MS: f64 = 2000.0;

/// The function's result.
#[derive(Debug, Deserialize, Serialize)]
struct Survey {
    /// How many users it examined.
    rows: u64,
    /// The formats of their hashes, the most frequent first.
    formats: Vec<Format>,
    /// The memory of the function that made the checks.
    #[serde(rename(deserialize = "functionMb"))]
    function_mb: u64,
}

/// A format of stored hashes.
#[derive(Debug, Deserialize, Serialize)]
struct Format {
    /// Its name with the cost; nothing of a salt or a hash.
    format: String,
    /// How many users have it.
    rows: u64,
    /// How long a check takes, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    /// Why it cannot be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported: Option<String>,
}

/// Shows the function's response.
pub(super) fn show(names: &Names, by: &str, answer: &Invocation, ui: &Ui) -> Result<ExitCode> {
    let tail = Fix::aws(format!("logs tail {} --since 10m", names.log_group));
    let found = &answer.payload["sample"];
    let Ok(survey) = serde_json::from_value::<Survey>(found.clone()) else {
        let why = found["why"].as_str().or(answer.payload["reason"].as_str());
        return Err(match why {
            Some("no-hashes") => Error::new(
                "the directory keeps no hashes that the function reads",
                "--sample is for a SQL table: `kind = \"postgres\"` or `kind = \"mysql\"`",
            ),
            Some("no-table") => Error::new(
                "`password_column` is no column of a table, but what the query makes of one",
                "select the column itself, so that the function can tell from which table to read",
            ),
            Some(why) => Error::new(
                format!(
                    "the hashes were not read: {}",
                    reason::meaning(why).unwrap_or(why)
                ),
                fix!["its log says more: `", tail, "`"],
            ),
            None => Error::new(
                "the function did not answer with formats of hashes",
                "a function of an earlier version cannot: deploy it again, or try the handler on this machine with --local",
            ),
        });
    };
    ui.say(&render(&survey, names.pool.id.as_str(), by, &ui.out));
    if ui.json {
        ui.document(&survey)?;
    }
    let unsupported = survey
        .formats
        .iter()
        .any(|format| format.unsupported.is_some());
    Ok(if unsupported {
        ExitCode::from(UNSUPPORTED)
    } else {
        ExitCode::SUCCESS
    })
}

fn render(survey: &Survey, pool: &str, by: &str, styles: &Styles) -> String {
    let title = format!(
        "Stored hashes of {} user(s) for user pool {pool}, checked by {by} with {} MB",
        thousands(survey.rows),
        survey.function_mb
    );
    let mut text = format!("{}\n", styles.strong.apply_to(title));
    let widest = survey
        .formats
        .iter()
        .map(|format| format.format.chars().count());
    let width = widest.max().unwrap_or_default().clamp(12, 64);
    for Format {
        format,
        rows,
        ms,
        unsupported,
    } in &survey.formats
    {
        let cost = match (unsupported, ms) {
            (Some(why), _) => styles
                .bad
                .apply_to(format!("cannot be checked: {}", one_line(why)))
                .to_string(),
            (None, Some(ms)) if *ms >= SLOW_MS => {
                format!(
                    "{} a sign-in: {}",
                    duration(*ms),
                    styles
                        .bad
                        .apply_to("set a larger memory_mb under [function]")
                )
            }
            (None, Some(ms)) => format!("{} a sign-in", duration(*ms)),
            (None, None) => String::new(),
        };
        let line = format!(
            "  {:<width$} {:>9}  {cost}",
            one_line(format),
            thousands(*rows)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let unsupported: u64 = survey
        .formats
        .iter()
        .filter(|format| format.unsupported.is_some())
        .map(|format| format.rows)
        .sum();
    text.push('\n');
    match (survey.rows, unsupported) {
        (0, _) => text.push_str("The table is empty."),
        (_, 0) => {
            text.push_str("Every password of these users can be checked. Nothing was stored.")
        }
        (rows, unsupported) => {
            let _ = write!(
                text,
                "{} of {} user(s) cannot sign in with their password. docs/from-sql.md lists the formats. Nothing was stored.",
                thousands(unsupported),
                thousands(rows)
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_shown_with_their_cost_or_why_they_cannot_be_checked() {
        let survey = serde_json::json!({
            "rows": 1000, "functionMb": 256,
            "formats": [
                { "format": "$2b$12$", "rows": 900, "ms": 913.0 },
                { "format": "$6$rounds=656000$", "rows": 60, "ms": 2400.0 },
                { "format": "$1$", "rows": 40, "unsupported": "unknown format" },
            ],
        });
        let survey = serde_json::from_value(survey).unwrap();
        let text = render(
            &survey,
            "us-east-1_A",
            "the deployed function",
            &Styles::plain(),
        );
        assert_eq!(
            text,
            "Stored hashes of 1,000 user(s) for user pool us-east-1_A, checked by the deployed function with 256 MB\n\
             \u{20} $2b$12$                 900  913 ms a sign-in\n\
             \u{20} $6$rounds=656000$        60  2.4 s a sign-in: set a larger memory_mb under [function]\n\
             \u{20} $1$                      40  cannot be checked: unknown format\n\n\
             40 of 1,000 user(s) cannot sign in with their password. docs/from-sql.md lists the formats. Nothing was stored."
        );
    }
}
