//! The migration's course: whether the window is open, and how the last day went.

use super::{Said, check, holds, unless, wrong};
use crate::verify::{Check, Evidence};
use jane_migrate_core::finding::Severity::{Error, Warning};

pub(super) const CHECKS: &[Check] = &[
    check(
        "window-open",
        Error,
        "the migration's window is open, and not about to close",
        window_open,
    ),
    check(
        "health",
        Warning,
        "no errors, throttles or slow answers in the last day",
        health,
    ),
];

/// Days before the end of the window in which verify begins to warn.
const SOON_DAYS: i64 = 14;

fn window_open<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let Some(closes) = evidence.wanted()?.window.closes else {
        return holds("the window has no end");
    };
    let left = closes.epoch_days() - evidence.today.epoch_days();
    let fix = format!(
        "set a later closes in [window] and run `{}`, or end it with `{}`",
        evidence.deploy(),
        evidence.ours("teardown")
    );
    if left < 0 {
        return wrong(
            format!("the window closed on {closes}: nobody is migrated any more"),
            "today or later",
            closes.to_string(),
            fix,
        )
        .into();
    }
    if left <= SOON_DAYS {
        return wrong(
            format!("the window closes in {left} day(s)"),
            format!("more than {SOON_DAYS} days"),
            closes.to_string(),
            fix,
        )
        .warning()
        .into();
    }
    holds(format!("the window is open until {closes}"))
}

/// Cognito gives up at 5 s.
const SLOW_MS: f64 = 4000.0;

fn health<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let metrics = evidence.metrics.as_ref()?;
    let fix = format!(
        "look at what it logged: `{}`, and at \"outcome\" in its own lines",
        evidence.aws(format_args!(
            "logs filter-log-events --log-group-name {} --filter-pattern ERROR",
            evidence.names.log_group
        ))
    );
    let mut signs = Vec::new();
    if metrics.errors > 0.0 {
        signs.push(wrong(
            "sign-ins failed in the last day: the directory was unavailable, or the function broke",
            "no errors",
            format!("{} of {} invocations", metrics.errors, metrics.invocations),
            fix.clone(),
        ));
    }
    if metrics.throttles > 0.0 {
        signs.push(wrong(
            "Lambda turned sign-ins away in the last day",
            "no throttles",
            format!("{} throttles", metrics.throttles),
            "raise reserved_concurrency in [function], or the account's limit of concurrent executions",
        ));
    }
    if let Some(p99) = metrics.p99_ms.filter(|p99| *p99 > SLOW_MS) {
        signs.push(wrong(
            "answers come close to the 5 s that Cognito waits",
            format!("99 of 100 within {SLOW_MS} ms"),
            format!("{p99:.0} ms in the slowest hour"),
            fix,
        ));
    }
    let shown = match metrics.p99_ms {
        Some(p99) => format!(
            "{} invocations in the last day, none failed, 99 of 100 within {p99:.0} ms",
            metrics.invocations
        ),
        None => "nobody was migrated in the last day, and nothing failed".to_owned(),
    };
    unless(signs, shown)
}
