//! What is written down, where, for how long, and who is sent it.

use super::{Said, Wrong, check, holds, unless, wrong};
use crate::verify::{Check, Evidence, When};
use jane_migrate_core::exposure::Subscription;
use jane_migrate_core::finding::Severity::{Error, Warning};

pub(super) const CHECKS: &[Check] = &[
    check(
        "log-group",
        Error,
        "the log group is there and forgets after a while",
        log_group,
    ),
    check(
        "log-destination",
        Error,
        "the function writes to its own log group",
        log_destination,
    ),
    check(
        "log-level",
        Error,
        "no log level at which events are written down",
        log_level,
    ),
    check(
        "log-subscriptions",
        Warning,
        "the log's lines are sent to nobody",
        log_subscriptions,
    ),
    check(
        "log-account-policy",
        Warning,
        "no policy of the account sends the log's lines away",
        log_account_policy,
    ),
    Check {
        when: When::Asked,
        ..check(
            "log-hygiene",
            Error,
            "no password in the last day's log, nor in the log of a probe",
            log_hygiene,
        )
    },
];

fn log_group<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = match evidence.log_group.as_ref()? {
        Some(group) => match group.retention_days {
            Some(days) => return holds(format!("logs are kept for {days} days")),
            None => "kept for ever",
        },
        None => "no log group",
    };
    wrong(
        "the function's logs have no end",
        "a log group with a retention",
        found,
        evidence.deploy(),
    )
    .into()
}

/// Back to how Lambda logs unless told otherwise.
fn own_log(evidence: &Evidence<'_>) -> String {
    evidence.for_trigger(evidence.aws(format_args!(
        "lambda update-function-configuration --function-name {} --logging-config LogFormat=Text,LogGroup={}",
        evidence.names.function, evidence.names.log_group
    )))
}

fn log_destination<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    match &evidence.function()?.log_group {
        Some(group) if *group != evidence.names.log_group => wrong(
            "the function writes to another log group, with readers and a retention of its own",
            &evidence.names.log_group,
            group,
            own_log(evidence),
        )
        .into(),
        _ => holds("the function writes to its own log group"),
    }
}

fn log_level<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.function()?;
    let verbose = |level: &str| {
        let level = level.to_ascii_lowercase();
        level.contains("trace") || level.contains("debug")
    };
    let mut levels: Vec<Wrong> = Vec::new();
    if let Some(level) = found.log_level.as_deref().filter(|level| verbose(level)) {
        levels.push(wrong(
            "at this log level events are written down, passwords included",
            "INFO or above",
            format!("{level} in the logging configuration"),
            own_log(evidence),
        ));
    }
    let variable = found.function.environment.get("RUST_LOG");
    if variable.is_some_and(|level| verbose(level.expose())) {
        levels.push(wrong(
            "at this log level events are written down, passwords included",
            "INFO or above",
            "TRACE or DEBUG in RUST_LOG",
            evidence.redeploy(),
        ));
    }
    unless(levels, "no event is written down")
}

/// Somebody gets to know who signs in when.
fn sent(to: &Subscription, fix: String) -> Wrong {
    wrong(
        "the log's lines are sent to somebody: who signs in when, by a hash of the name",
        "nobody",
        format!("{} to {}", to.name, to.destination),
        fix,
    )
    .of(&to.name)
}

fn log_subscriptions<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let subscriptions = evidence.log_subscriptions.as_ref()?.iter().map(|to| {
        let fix = evidence.aws(format_args!(
            "logs delete-subscription-filter --log-group-name {} --filter-name {}",
            evidence.names.log_group, to.name
        ));
        sent(to, fix)
    });
    unless(
        subscriptions.collect(),
        "the log's lines are sent to nobody",
    )
}

fn log_account_policy<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let all = evidence.account_log_subscriptions.as_ref()?.iter();
    let ours = all.filter(|to| !to.except.contains(&evidence.names.log_group));
    let subscriptions = ours.map(|to| {
        let command = evidence.aws(format_args!(
            "logs delete-account-policy --policy-name {} --policy-type SUBSCRIPTION_FILTER_POLICY",
            to.name
        ));
        sent(
            to,
            format!("it is the whole account's: accept it in [verify], or `{command}`"),
        )
    });
    unless(
        subscriptions.collect(),
        "no policy of the account sends them away",
    )
}

fn log_hygiene<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let group = &evidence.names.log_group;
    let fix = format!(
        "find out what wrote it, delete the log (`{}`, then `{}`), and let those customers choose new passwords",
        evidence.aws(format_args!(
            "logs delete-log-group --log-group-name {group}"
        )),
        evidence.deploy()
    );
    let mut leaks = Vec::new();
    if let Some(written) = evidence.leak.as_ref()? {
        leaks.push(wrong(
            "the log holds a field called password",
            "no such field",
            format!("a line written {written} ms after 1970 (not shown)"),
            fix.clone(),
        ));
    }
    let leaked = |probes: &crate::verify::probe::Probes| {
        let known = probes.known.iter();
        probes
            .unknown
            .iter()
            .chain(known)
            .any(|attempt| attempt.answer.as_ref().is_ok_and(|answer| answer.leaked))
    };
    if evidence.probes.as_ref().is_some_and(leaked) {
        leaks.push(wrong(
            "the function wrote the password of a probe to its log",
            "no password",
            "the password of a probe",
            fix,
        ));
    }
    unless(leaks, "no password in the log")
}
