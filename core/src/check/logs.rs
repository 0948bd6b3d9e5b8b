//! What is logged, where, for how long, and where the lines are sent.

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::exposure::Subscription;
use crate::finding::Finding;
use crate::fix::{Fix, fix};
use crate::probe::Probes;

pub(super) fn log_group(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = match subject.observed.log_group.as_ref()? {
        Some(group) => match group.retention_days {
            Some(days) => return check.holds(format!("logs are kept for {days} days")),
            None => "kept for ever",
        },
        None => "no log group",
    };
    check
        .fails(
            "the function's logs have no end",
            "a log group with a retention",
            found,
            subject.redeploy(),
        )
        .into()
}

pub(super) fn log_kms(check: &Check, subject: &Subject<'_>) -> Findings {
    let Some(config) = subject.asked.config else {
        return Ok(Vec::new());
    };
    let wanted = config.function.log_kms_key_arn.as_deref();
    let found = match (&subject.observed.log_group, wanted) {
        (Ok(Some(group)), _) => group.kms_key_arn.as_deref(),
        (Err(unread), Some(_)) => return Err(unread.clone()),
        // The check `log-group` reports it.
        _ => None,
    };
    if (wanted, found) == (None, None) {
        return Ok(Vec::new());
    }
    let shown = |key: Option<&str>| key.unwrap_or("CloudWatch's own key").to_owned();
    if found == wanted {
        return check.holds(format!("the log is encrypted by {}", shown(found)));
    }
    check
        .fails(
            "another key than the configured one encrypts the log",
            shown(wanted),
            shown(found),
            subject.redeploy(),
        )
        .into()
}

/// Sets Lambda's default logging.
fn own_log(subject: &Subject<'_>) -> Fix {
    subject.for_trigger(subject.aws(format_args!(
        "lambda update-function-configuration --function-name {} --logging-config LogFormat=Text,LogGroup={}",
        subject.names.function, subject.names.log_group
    )))
}

pub(super) fn log_destination(check: &Check, subject: &Subject<'_>) -> Findings {
    match &subject.function()?.log_group {
        Some(group) if *group != subject.names.log_group => check
            .fails(
                "the function writes to another log group, with readers and a retention of its own",
                &subject.names.log_group,
                group,
                own_log(subject),
            )
            .into(),
        _ => check.holds("the function writes to its own log group"),
    }
}

pub(super) fn log_level(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = subject.function()?;
    let verbose = |level: &str| {
        let level = level.to_ascii_lowercase();
        level.contains("trace") || level.contains("debug")
    };
    let mut levels: Vec<Finding> = Vec::new();
    if let Some(level) = found.log_level.as_deref().filter(|level| verbose(level)) {
        levels.push(check.fails(
            "at this log level events are written down, passwords included",
            "INFO or above",
            format!("{level} in the logging configuration"),
            own_log(subject),
        ));
    }
    let variable = found.function.environment.get("RUST_LOG");
    if variable.is_some_and(|level| verbose(level.expose())) {
        levels.push(check.fails(
            "at this log level events are written down, passwords included",
            "INFO or above",
            "TRACE or DEBUG in RUST_LOG",
            subject.redeploy(),
        ));
    }
    check.unless(levels, "no event is written down")
}

/// A subscription shows when users sign in.
fn sent(check: &Check, to: &Subscription, fix: Fix) -> Finding {
    check
        .fails(
            "a subscription forwards the log, which has the time and a hashed name of each sign-in",
            "no subscription",
            format!("{} to {}", to.name, to.destination),
            fix,
        )
        .about(&to.name)
}

pub(super) fn log_subscriptions(check: &Check, subject: &Subject<'_>) -> Findings {
    let subscriptions = subject
        .observed
        .log_subscriptions
        .as_ref()?
        .iter()
        .map(|to| {
            let fix = subject.of_function(subject.aws(format_args!(
                "logs delete-subscription-filter --log-group-name {} --filter-name {}",
                subject.names.log_group, to.name
            )));
            sent(check, to, fix)
        });
    check.unless(subscriptions.collect(), "no subscription forwards the log")
}

pub(super) fn log_account_policy(check: &Check, subject: &Subject<'_>) -> Findings {
    let all = subject.observed.account_log_subscriptions.as_ref()?.iter();
    let ours = all.filter(|to| !to.except.contains(&subject.names.log_group));
    let subscriptions = ours.map(|to| {
        let command = subject.aws(format_args!(
            "logs delete-account-policy --policy-name {} --policy-type SUBSCRIPTION_FILTER_POLICY",
            to.name
        ));
        sent(
            check,
            to,
            fix![
                "it is the whole account's: accept it in [verify], or `",
                command,
                "`",
            ],
        )
    });
    check.unless(
        subscriptions.collect(),
        "no account policy forwards the log",
    )
}

pub(super) fn log_hygiene(check: &Check, subject: &Subject<'_>) -> Findings {
    let group = &subject.names.log_group;
    let fix = fix![
        "find out what wrote it, delete the log (`",
        subject.aws(format_args!(
            "logs delete-log-group --log-group-name {group}"
        )),
        "`, then `",
        subject.deploy(),
        "`), and let those customers choose new passwords",
    ];
    let mut leaks = Vec::new();
    if let Some(written) = subject.observed.leak.as_ref()? {
        leaks.push(check.fails(
            "the log holds a field called password",
            "no such field",
            format!("a line written {written} ms after 1970 (not shown)"),
            fix.clone(),
        ));
    }
    let leaked = |probes: &Probes| {
        let known = probes.known.iter();
        probes
            .unknown
            .iter()
            .chain(known)
            .any(|attempt| attempt.answer.as_ref().is_ok_and(|answer| answer.leaked))
    };
    if subject.observed.probes.as_ref().is_some_and(leaked) {
        leaks.push(check.fails(
            "the function wrote the password of a probe to its log",
            "no password",
            "the password of a probe",
            fix,
        ));
    }
    check.unless(leaks, "no password in the log")
}
