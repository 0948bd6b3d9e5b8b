//! Derives what is wrong with a pool's migration, the most likely cause first, from the findings of verify and the last day of
//! the log. Pure; `doctor` does the reads.

use serde::Serialize;

use crate::dates::{minute, utc};
use crate::guide;
use crate::status::{Event, Status};
use jane_migrate_core::check::ERRORS;
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::{Fix, Flags};
use jane_migrate_core::reason;

/// One likely cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The check or the reason in the log that it follows from.
    pub id: String,
    /// What is wrong, as a sentence.
    pub cause: String,
    /// What was seen.
    pub evidence: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The result of examining one pool.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// The pool's id.
    pub pool: String,
    /// What stops customers from migrating, or did in the last hour; the most likely cause first.
    pub causes: Vec<Cause>,
    /// The ids of other checks that fail.
    pub other_findings: Vec<String>,
    /// What could not be examined, and why.
    pub not_examined: Vec<String>,
}

/// What each failed check means for a customer, causes before their consequences.
const CAUSES: [(&str, &str); 20] = [
    ("window-open", "The migration window has closed"),
    (
        "point-in-time-recovery",
        "The pool is being put back to an earlier time, and takes no customers meanwhile",
    ),
    (
        "pool-unchanged",
        "Another tool has reset the pool: an update left its settings out",
    ),
    ("function-active", "The function is gone, or cannot run"),
    (
        "aliases",
        "The alias that the pool calls does not lead to what was deployed",
    ),
    (
        "trigger-registered",
        "The pool does not call the function: another tool has changed the trigger",
    ),
    ("invoke-permission", "Cognito may not invoke the function"),
    ("concurrency", "Lambda has no room to run the function"),
    (
        "client-password-auth",
        "App clients do not let passwords reach the pool",
    ),
    ("jane-knows-client", "Jane does not know the app clients"),
    (
        "function-runtime",
        "The function runs on another runtime than its code was built for",
    ),
    (
        "function-code",
        "The function's code is not what was deployed",
    ),
    (
        "env-secrets",
        "The function's environment holds a secret in plain text",
    ),
    (
        "function-settings",
        "The function's settings are not what was deployed",
    ),
    ("function-role", "The function does not run as its own role"),
    ("role-trust", "Lambda may not assume the function's role"),
    ("secret-exists", "The directory's secret is gone"),
    (
        "role-needs",
        "The function's role lacks a right that each sign-in needs",
    ),
    (
        "secret-key",
        "The function's role may not use the key that encrypts the secret",
    ),
    (
        "function-network",
        "The function is in another network than was configured",
    ),
];

/// Errors within this time are a cause; older ones have ended.
const NOW_MS: i64 = 3_600_000;

impl Diagnosis {
    /// Combines the findings with the log.
    pub fn new(
        pool: &str,
        findings: &[Finding],
        status: Option<&Status>,
        changed_ms: Option<i64>,
        now_ms: i64,
        flags: &Flags,
    ) -> Self {
        let open: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.is_open())
            .collect();
        let errors = |id: &str| {
            let of = open
                .iter()
                .filter(|it| it.id == id && it.severity == Severity::Error);
            of.copied().collect::<Vec<_>>()
        };
        let mut causes: Vec<Cause> = (CAUSES.iter())
            .filter_map(|(id, cause)| {
                let found = errors(id);
                let first = found.first()?;
                Some(Cause {
                    id: (*id).to_owned(),
                    cause: (*cause).to_owned(),
                    evidence: found.iter().map(|finding| seen(finding)).collect(),
                    next: first.fix.as_ref().map(|fix| fix.render(flags)),
                })
            })
            .collect();
        causes.extend(status.and_then(|status| trouble(status, now_ms, pool, flags)));
        let tried: Vec<&Finding> = (open.iter().copied())
            .filter(|finding| finding.id.starts_with("probe-"))
            .collect();
        match (causes.first_mut(), tried.first()) {
            (Some(cause), Some(_)) => cause.evidence.extend(tried.iter().map(|it| seen(it))),
            (None, Some(first)) => causes.push(Cause {
                id: first.id.to_owned(),
                cause: match &first.found {
                    Some(found) => {
                        format!("The function was tried, and does not do its work: {found}")
                    }
                    None => "The function does not answer as it should".to_owned(),
                },
                evidence: tried.iter().map(|it| format!("{} fails", it.id)).collect(),
                next: first.fix.as_ref().map(|fix| fix.render(flags)),
            }),
            (_, None) => {}
        }
        let answered_ms = status.and_then(|status| status.last_answer_ms);
        if let (Some(cause), Some(changed_ms), Some(answered_ms)) = (
            causes.iter_mut().find(|cause| is_refused(cause)),
            changed_ms,
            answered_ms,
        ) {
            cause.cause.push_str(&secret(changed_ms, answered_ms));
        }
        // A failed health check follows from any other cause; and errors that the log does not have in the last hour have
        // ended.
        let over =
            |finding: &Finding| status.is_some() && finding.subject.as_deref() == Some(ERRORS);
        let health = (open.iter())
            .filter(|finding| finding.id == "health" && causes.is_empty() && !over(finding));
        let health: Vec<Cause> = health
            .map(|finding| Cause {
                id: finding.id.to_owned(),
                cause: sentence(&finding.message),
                evidence: finding.found.clone().into_iter().collect(),
                next: finding.fix.as_ref().map(|fix| fix.render(flags)),
            })
            .collect();
        causes.extend(health);
        let is_cause =
            |id: &str| id.starts_with("probe-") || causes.iter().any(|cause| cause.id == id);
        let mut other_findings: Vec<String> = (open.iter())
            .filter(|finding| !is_cause(finding.id))
            .map(|finding| finding.id.to_owned())
            .collect();
        other_findings.dedup();
        Self {
            pool: pool.to_owned(),
            other_findings,
            not_examined: (findings.iter())
                .filter(|finding| finding.unknown)
                .map(|finding| format!("{}: {}", finding.id, finding.message))
                .collect(),
            causes,
        }
    }
}

/// The log's reasons if the directory rejects the function's secret.
const REFUSED: [&str; 3] = ["token", "credentials", "login"];

fn is_refused(cause: &Cause) -> bool {
    REFUSED.iter().any(|&reason| {
        let said = reason::meaning(reason).is_some_and(|words| cause.cause.contains(words));
        cause.id == reason || said
    })
}

/// Which side of a rejected secret changed after both last agreed.
fn secret(changed_ms: i64, answered_ms: i64) -> String {
    let (changed, answered) = (minute(&utc(changed_ms)), minute(&utc(answered_ms)));
    match changed_ms > answered_ms {
        true => format!(
            ". The secret was changed where it is kept ({changed} UTC) after the directory last accepted it ({answered} UTC): the new value is wrong, or the directory does not have it"
        ),
        false => format!(
            ". The secret has not changed where it is kept (since {changed} UTC), and the directory accepted it until {answered} UTC: it was rotated or revoked at the directory"
        ),
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A finding as evidence.
fn seen(finding: &Finding) -> String {
    let about = finding
        .subject
        .as_ref()
        .map_or_else(String::new, |of| format!("{of}: "));
    match &finding.found {
        Some(found) => format!("{about}{} ({found})", finding.message),
        None => format!("{about}{}", finding.message),
    }
}

/// What failed in the last hour, the most recent reason first.
fn trouble(status: &Status, now_ms: i64, pool: &str, flags: &Flags) -> Option<Cause> {
    let recent = |outcomes: &[&str]| {
        let all = status.incidents.iter();
        let of = all
            .filter(|it| it.last_ms > now_ms - NOW_MS && outcomes.contains(&it.outcome.as_str()));
        of.collect::<Vec<_>>()
    };
    let failing = recent(&[
        "directory-unavailable",
        "invalid-settings",
        "aborted",
        "invalid-event",
    ]);
    let first = failing.first()?;
    let reason = first.reason.as_deref().unwrap_or(&first.outcome);
    let known = guide::reason(reason)
        .filter(|_| first.outcome == "directory-unavailable")
        .or_else(|| guide::outcome(&first.outcome));
    let what = match first.outcome.as_str() {
        "directory-unavailable" => "directory",
        _ => "function",
    };
    // One failed sign-in among many is no outage.
    let answered = (status.last_answer_ms).is_some_and(|answer| answer > first.last_ms);
    let cause = match answered {
        true => format!("The {what} fails now and then"),
        false => format!("The {what} fails"),
    };
    let log = Fix::ours("status", pool.parse().as_ref().ok()?, " --since 1d");
    let calls = status.errors.iter().map(Event::upstream);
    let calls = calls.into_iter().find(|calls| !calls.is_empty());
    Some(Cause {
        id: reason.to_owned(),
        cause: match &known {
            Some(known) => format!("{cause}: {}", known.means),
            None => format!("{cause}: {reason}"),
        },
        evidence: failing
            .iter()
            .map(|incident| {
                let [when, what, _] = incident.told();
                format!("{when} UTC: {what}")
            })
            .chain(calls.map(|calls| format!("its calls to the directory: {calls}")))
            .collect(),
        next: match known {
            Some(known) if !known.todo.is_empty() => Some(known.todo),
            _ => Some(log.render(flags)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::DAY_MS;
    use crate::status::Source;
    use crate::status::samples::{NOW, facts, tally};
    use crate::status::tally::Tally;

    const POOL: &str = "us-west-2_AbC123";

    fn failed(id: &'static str, severity: Severity) -> Finding {
        Finding::failed(id, severity, format!("{id} fails"), "e", "f", "mend it")
    }

    fn diagnosed(findings: &[Finding], status: Option<&Status>) -> Diagnosis {
        let now = NOW
            .parse::<jane_migrate_config::Date>()
            .unwrap()
            .epoch_days()
            * DAY_MS
            + 5_400_000;
        Diagnosis::new(POOL, findings, status, None, now, &Flags::default())
    }

    #[test]
    fn a_cause_comes_before_its_consequences() {
        let findings = [
            failed("probe-unknown-user", Severity::Error),
            failed("role-needs", Severity::Error),
            failed("secret-exists", Severity::Error),
            failed("tracing", Severity::Warning),
            Finding::unchecked("log-group", Severity::Error, "access denied"),
        ];
        let seen = diagnosed(&findings, None);
        let ids: Vec<_> = seen.causes.iter().map(|cause| cause.id.as_str()).collect();
        assert_eq!(ids, ["secret-exists", "role-needs"]);
        assert_eq!(seen.causes[0].next.as_deref(), Some("mend it"));
        assert_eq!(
            seen.causes[0].evidence,
            ["secret-exists fails (f)", "probe-unknown-user fails (f)"]
        );
        assert_eq!(seen.other_findings, ["tracing"]);
        assert_eq!(seen.not_examined, ["log-group: access denied"]);
    }

    #[test]
    fn the_log_shows_the_directorys_failures() {
        let status = Status::new(&tally(2, 5), &facts(None, None), Source::Events);
        let seen = diagnosed(&[], Some(&status));
        assert_eq!(seen.causes.len(), 1);
        let cause = &seen.causes[0];
        assert_eq!(
            cause.cause,
            "The directory fails: no answer within timeout_ms"
        );
        assert_eq!(
            cause.evidence[0],
            "2026-11-20 01:00 UTC: directory-unavailable, timeout, 1 sign-in(s)"
        );
        assert!(
            cause
                .next
                .as_deref()
                .unwrap()
                .starts_with("the directory's speed")
        );
    }

    #[test]
    fn a_refused_secret_is_named_on_the_side_that_changed_after_both_agreed() {
        let mut tally = Tally::default();
        let now = facts(None, None).now_ms;
        tally.read(now - 600_000, r#"{"outcome":"migrated","durationMs":9.0}"#);
        let refused = r#"{"outcome":"directory-unavailable","durationMs":9.0,"reason":"token"}"#;
        tally.read(now - 60_000, refused);
        let status = Status::new(&tally, &facts(None, None), Source::Events);
        let cause = |changed_ms| {
            let seen = Diagnosis::new(POOL, &[], Some(&status), changed_ms, now, &Flags::default());
            seen.causes[0].cause.clone()
        };
        let mistyped = cause(Some(now - 300_000));
        assert!(
            mistyped.contains("was changed where it is kept"),
            "{mistyped}"
        );
        let rotated = cause(Some(now - DAY_MS));
        assert!(
            rotated.contains("rotated or revoked at the directory"),
            "{rotated}"
        );
        assert!(!cause(None).contains("where it is kept"));
    }

    #[test]
    fn a_directory_that_answers_again_is_not_reported_as_down() {
        let mut tally = tally(1, 1);
        let later = r#"{"outcome":"wrong-password","durationMs":9.0}"#;
        tally.read(tally.troubles[0].at_ms + 60_000, later);
        let status = Status::new(&tally, &facts(None, None), Source::Events);
        let seen = diagnosed(&[], Some(&status));
        assert_eq!(
            seen.causes[0].cause,
            "The directory fails now and then: no answer within timeout_ms"
        );
    }

    #[test]
    fn a_past_failure_is_no_cause() {
        let errors = [failed("health", Severity::Warning).about(ERRORS)];
        let status = Status::new(&Tally::default(), &facts(None, None), Source::Events);
        let seen = diagnosed(&errors, Some(&status));
        assert!(seen.causes.is_empty(), "{seen:?}");
        assert_eq!(seen.other_findings, ["health"]);
        let throttled = [failed("health", Severity::Warning).about("throttles")];
        assert_eq!(
            diagnosed(&throttled, Some(&status)).causes[0].cause,
            "Health fails"
        );
        let fine = [Finding::holds("health", Severity::Warning, "fine")];
        assert!(diagnosed(&fine, None).causes.is_empty());
        let soon = failed("window-open", Severity::Error).warning();
        let seen = diagnosed(&[soon], None);
        assert!(seen.causes.is_empty());
        assert_eq!(seen.other_findings, ["window-open"]);
    }

    #[test]
    fn each_cause_has_a_check() {
        let known: Vec<_> = jane_migrate_core::check::checks()
            .map(|check| check.id)
            .collect();
        for (id, _) in CAUSES {
            assert!(known.contains(&id), "{id}");
        }
    }
}
