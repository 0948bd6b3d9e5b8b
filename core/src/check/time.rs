//! The progress of the migration: whether the window is open, and how the last day was.

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::fix::{Fix, fix};
use crate::watch;

/// How many days before the end of the window verify starts to warn.
const SOON_DAYS: i64 = 14;

pub(super) fn window_open(check: &Check, subject: &Subject<'_>) -> Findings {
    let Some(closes) = subject.wanted()?.window.closes else {
        return check.holds("the window has no end");
    };
    let left = closes.epoch_days() - subject.asked.today.epoch_days();
    if left < 0 && !subject.migrates() {
        return check.holds(format!(
            "the window closed on {closes}, and migration has ended; the other triggers go on"
        ));
    }
    let fix = fix![
        "set a later closes in [window] and run `",
        subject.deploy(),
        "`, or end it with `",
        subject.ours("teardown"),
        "`",
    ];
    if left < 0 {
        return check
            .fails(
                format!("the window closed on {closes}: no user is migrated any more"),
                "today or later",
                closes.to_string(),
                fix,
            )
            .into();
    }
    if left <= SOON_DAYS {
        return check
            .fails(
                format!("the window closes in {left} day(s)"),
                format!("more than {SOON_DAYS} days"),
                closes.to_string(),
                fix,
            )
            .warning()
            .into();
    }
    check.holds(format!("the window is open until {closes}"))
}

/// Alarms exist as configured.
pub(super) fn alarms(check: &Check, subject: &Subject<'_>) -> Findings {
    let Some(config) = subject.asked.config else {
        return Ok(Vec::new());
    };
    if config.alarms.topic.is_none() {
        return Ok(Vec::new());
    }
    let found = subject.observed.watch.as_ref()?;
    let limit = *subject.observed.concurrency_limit.as_ref()?;
    let mut wanted = watch::wanted(subject.names, config, subject.asked.today, limit);
    if watch::is_exported(found) {
        wanted = watch::as_exported(&wanted);
    }
    let wrong = wanted.iter().filter_map(|(key, body)| {
        let state = match found.get(key) {
            Some(there) => {
                // Services differ in how they show empty values.
                let differences = crate::document::differences(body, there);
                if differences.is_empty() {
                    return None;
                }
                let members = differences
                    .iter()
                    .map(|difference| difference.pointer.as_str());
                format!("others for {}", members.collect::<Vec<_>>().join(", "))
            }
            None => "none".to_owned(),
        };
        let message =
            "an alarm, or what belongs to it, is not as configured: an outage may go unnoticed";
        let fix = match watch::is_exported(found) {
            true => subject.redeploy(),
            false => subject.deploy(),
        };
        let finding = check.fails(message, "as configured", state, fix);
        Some(finding.about(&key.1))
    });
    check.unless(wrong.collect(), "alarms and dashboard are as configured")
}

/// The log lines of sign-ins that failed: the handler's own outcomes, and what Lambda writes if a function crashes.
pub(super) fn failures_in_the_log(subject: &Subject<'_>) -> Fix {
    subject.aws(format_args!(
        "logs filter-log-events --log-group-name {} --filter-pattern '?\"directory-unavailable\" ?\"invalid-event\" ?\"invalid-settings\" ?\"unsupported-trigger\" ?\"not-connected\" ?\"sign-up-unavailable\" ?\"account-not-created\" ?\"timed out\" ?\"Runtime exited\"'",
        subject.names.log_group
    ))
}

/// The subject of `health` for failed sign-ins.
pub const ERRORS: &str = "errors";

/// Cognito's timeout is 5 s.
const SLOW_MS: f64 = 4000.0;

pub(super) fn health(check: &Check, subject: &Subject<'_>) -> Findings {
    let metrics = subject.observed.metrics.as_ref()?;
    let fix = fix![
        "look at what it logged when a sign-in failed: `",
        failures_in_the_log(subject),
        "`",
    ];
    let mut signs = Vec::new();
    let failed = metrics.errors - metrics.refused_sign_ups;
    if failed > 0.0 {
        signs.push(check.fails(
            "sign-ins failed in the last day: the directory was unavailable, or the function broke",
            "no errors",
            format!("{failed} of {} invocations", metrics.invocations),
            fix.clone(),
        )
        .about(ERRORS));
    }
    if metrics.throttles > 0.0 {
        signs.push(check.fails(
            "Lambda turned sign-ins away in the last day",
            "no throttles",
            format!("{} throttles", metrics.throttles),
            "raise reserved_concurrency in [function], or the account's limit of concurrent executions",
        )
        .about("throttles"));
    }
    if metrics.throttled_sign_ins > 0.0 {
        let quotas = subject.aws("service-quotas list-service-quotas --service-code cognito-idp");
        signs.push(check.fails(
            "Cognito turned sign-ins away in the last day: there were more a second than the account's quota",
            "no TooManyRequestsException",
            format!("{} sign-ins turned away", metrics.throttled_sign_ins),
            fix![
                "request a higher rate of UserAuthentication requests (`",
                quotas,
                "` shows it), and let apps try again after a growing pause",
            ],
        )
        .about("cognito"));
    }
    if let Some(p99) = metrics.p99_ms.filter(|p99| *p99 > SLOW_MS) {
        signs.push(check.fails(
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
        None => "no user was migrated in the last day, and nothing failed".to_owned(),
    };
    check.unless(signs, shown)
}
