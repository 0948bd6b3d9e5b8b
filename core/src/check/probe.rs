//! The responses of the function to the probe.

use std::time::Duration;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::probe::{Attempt, Probes, Source};
use crate::read::{Read, Unread};
use crate::trigger::Trigger;

/// Cognito's timeout.
const BUDGET: Duration = Duration::from_secs(5);

fn probes<'s>(subject: &'s Subject<'_>) -> Read<&'s Probes> {
    subject.observed.probes.as_ref().ok_or_else(|| {
        Unread::Because(
            "the function was not tried: there is no function, or no app client to try it as"
                .into(),
        )
    })
}

pub(super) fn unknown_signs_in(check: &Check, subject: &Subject<'_>) -> Findings {
    unknown(check, subject, Source::SignIn)
}

pub(super) fn unknown_forgets(check: &Check, subject: &Subject<'_>) -> Findings {
    unknown(check, subject, Source::ForgotPassword)
}

/// Only if the trigger is on.
pub(super) fn unknown_signs_up(check: &Check, subject: &Subject<'_>) -> Findings {
    of_trigger(check, subject, Trigger::PreSignUp)
}

/// Only if the trigger is on.
pub(super) fn unknown_confirms(check: &Check, subject: &Subject<'_>) -> Findings {
    of_trigger(check, subject, Trigger::PostConfirmation)
}

fn of_trigger(check: &Check, subject: &Subject<'_>, trigger: Trigger) -> Findings {
    match subject.is_on(trigger) {
        true => unknown(check, subject, Source::of(trigger)),
        false => Ok(Vec::new()),
    }
}

fn unknown(check: &Check, subject: &Subject<'_>, source: Source) -> Findings {
    let attempts = probes(subject)?
        .unknown
        .iter()
        .filter(|attempt| attempt.source == source);
    judged(check, subject, attempts)
}

pub(super) fn test_user(check: &Check, subject: &Subject<'_>) -> Findings {
    match &probes(subject)?.known {
        Some(attempt) => judged(check, subject, std::iter::once(attempt)),
        None => Ok(Vec::new()),
    }
}

fn judged<'s>(
    check: &Check,
    subject: &Subject<'_>,
    attempts: impl Iterator<Item = &'s Attempt>,
) -> Findings {
    // The log lines of the operator's probe.
    let fix = subject.aws(format_args!(
        "logs filter-log-events --log-group-name {} --filter-pattern '{{ $.trial IS TRUE }}'",
        subject.names.log_group
    ));
    let mut times = Vec::new();
    for attempt in attempts {
        let answer = attempt.answer.as_ref()?;
        if let Some(what) = &answer.wrong {
            let expected = "an answer as for any user, within the time";
            return check
                .fails(
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
        return check
            .fails(
                "the answer comes too late for Cognito",
                "within 5 s",
                shown,
                fix,
            )
            .into();
    }
    check.holds(format!("answered as it should: {shown}"))
}

pub(super) fn migrates_nobody(check: &Check, subject: &Subject<'_>) -> Findings {
    let migrated = probes(subject)?.migrated.as_ref()?;
    let there = migrated.iter().map(|name| {
        check.fails(
            "a user that was only asked about is in the pool now, or changed",
            "the pool's users as before",
            name,
            subject.aws(format_args!(
                "cognito-idp admin-get-user --user-pool-id {} --username '{name}'",
                subject.names.pool.id
            )),
        )
    });
    check.unless(there.collect(), "the pool has the users it had before")
}
