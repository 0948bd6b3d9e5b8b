//! What the function answered when it was tried.

use std::time::Duration;

use super::{Obstacle, Said, check, holds, unless, wrong};
use crate::probe::Source;
use crate::verify::probe::{Attempt, Probes};
use crate::verify::{Check, Evidence, When};
use jane_migrate_core::finding::Severity::Error;

pub(super) const CHECKS: &[Check] = &[
    Check {
        when: When::Probe,
        ..check(
            "probe-unknown-user",
            Error,
            "an unknown user's sign-in is answered with \"not migrated\"",
            |evidence| unknown(evidence, Source::SignIn),
        )
    },
    Check {
        when: When::Probe,
        ..check(
            "probe-forgot-password",
            Error,
            "an unknown user's forgotten password likewise",
            |evidence| unknown(evidence, Source::ForgotPassword),
        )
    },
    Check {
        when: When::Probe,
        ..check(
            "probe-test-user",
            Error,
            "the test user would be migrated",
            test_user,
        )
    },
    Check {
        when: When::Probe,
        ..check(
            "probe-migrates-nobody",
            Error,
            "trying the function left nobody in the pool",
            migrates_nobody,
        )
    },
];

/// What Cognito waits.
const BUDGET: Duration = Duration::from_secs(5);

fn probes<'e>(evidence: &'e Evidence<'_>) -> Result<&'e Probes, Obstacle<'e>> {
    evidence.probes.as_ref().ok_or_else(|| {
        Obstacle::Because(
            "the function was not tried: there is no function, or no app client to try it as"
                .into(),
        )
    })
}

fn unknown<'e>(evidence: &'e Evidence<'_>, source: Source) -> Said<'e> {
    let attempts = probes(evidence)?
        .unknown
        .iter()
        .filter(|attempt| attempt.source == source);
    judged(evidence, attempts)
}

fn test_user<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    match &probes(evidence)?.known {
        Some(attempt) => judged(evidence, std::iter::once(attempt)),
        None => Ok(Vec::new()),
    }
}

fn judged<'e>(evidence: &'e Evidence<'_>, attempts: impl Iterator<Item = &'e Attempt>) -> Said<'e> {
    let fix = evidence.aws(format_args!(
        "logs filter-log-events --log-group-name {}",
        evidence.names.log_group
    ));
    let mut times = Vec::new();
    for attempt in attempts {
        let answer = attempt.answer.as_ref()?;
        if let Some(what) = &answer.wrong {
            let expected = "an answer as for any user, within the time";
            return wrong(
                "the function does not answer as it should",
                expected,
                what,
                fix,
            )
            .into();
        }
        let how = if answer.cold { "cold" } else { "warm" };
        times.push((how, answer.took));
    }
    let shown = |how: &str| {
        let slowest = times
            .iter()
            .filter(|(was, _)| *was == how)
            .map(|(_, took)| took)
            .max();
        slowest.map(|took| format!("{how} {} ms", took.as_millis()))
    };
    let shown: Vec<String> = ["cold", "warm"].into_iter().filter_map(shown).collect();
    let shown = format!("{} of {} ms", shown.join(", "), BUDGET.as_millis());
    if times.iter().any(|(_, took)| *took >= BUDGET) {
        return wrong(
            "the answer comes too late for Cognito",
            "within 5 s",
            shown,
            fix,
        )
        .into();
    }
    holds(format!("answered as it should: {shown}"))
}

fn migrates_nobody<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let migrated = probes(evidence)?.migrated.as_ref()?;
    let there = migrated.iter().map(|name| {
        wrong(
            "a user that was only asked about is in the pool now, or changed",
            "the pool's users as before",
            name,
            evidence.aws(format_args!(
                "cognito-idp admin-get-user --user-pool-id {} --username '{name}'",
                evidence.names.pool.id
            )),
        )
    });
    unless(there.collect(), "the pool has the users it had before")
}
