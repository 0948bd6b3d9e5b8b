//! Whether customers migrate now, the first line of `status`: from the findings about the path from the trigger to the function,
//! and from the directory's last response. Pure.

use serde::Serialize;

use super::incident::Incident;
use crate::dates::minute;
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::{Fix, Flags, fix};
use jane_migrate_core::ids::PoolId;

/// The checks whose failure means that no customer migrates, the most informative first.
pub const CHECKS: [&str; 6] = [
    "window-open",
    "point-in-time-recovery",
    "function-active",
    "trigger-registered",
    "invoke-permission",
    "concurrency",
];

/// A directory that failed within this time, and has not answered since, is down.
const DOWN_MS: i64 = 3_600_000;

/// Whether customers migrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Customers migrate.
    Live,
    /// Customers do not migrate.
    NotLive,
    /// Unknown, because it could not be read.
    Unknown,
}

/// Whether customers migrate, and if not, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// Whether customers migrate.
    pub state: State,
    /// Why they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Live {
    /// Decides from the findings of [`CHECKS`], the time of the directory's last response, and the failures.
    pub fn new(
        findings: &[Finding],
        pool: &PoolId,
        flags: &Flags,
        last_answer_ms: Option<i64>,
        incidents: &[Incident],
        now_ms: i64,
    ) -> Self {
        let of = |state, why: String, fix: Option<&Fix>| Self {
            state,
            why: Some(why),
            fix: fix.map(|fix| fix.render(flags)),
        };
        let rank = |finding: &&Finding| CHECKS.iter().position(|id| *id == finding.id);
        let outage = (findings.iter())
            .filter(|finding| finding.is_open() && finding.severity == Severity::Error);
        if let Some(finding) = outage.min_by_key(rank) {
            return of(
                State::NotLive,
                finding.message.clone(),
                finding.fix.as_ref(),
            );
        }
        if let Some(incident) = incidents.iter().find(|incident| {
            incident.outcome == "directory-unavailable"
                && incident.last_ms > now_ms - DOWN_MS
                && last_answer_ms.is_none_or(|answer| answer < incident.last_ms)
        }) {
            let reason = incident.reason.as_deref().unwrap_or("no reason was logged");
            let why = format!(
                "the directory has not answered since {} UTC ({reason})",
                minute(&last_answer_ms.map_or_else(|| incident.from.clone(), crate::dates::utc))
            );
            let doctor = fix!["run `", Fix::ours("doctor", pool, ""), "`"];
            return of(State::NotLive, why, Some(&doctor));
        }
        if let Some(finding) = findings.iter().find(|finding| finding.unknown) {
            let why = format!("{} could not be checked: {}", finding.id, finding.message);
            return of(State::Unknown, why, finding.fix.as_ref());
        }
        Self {
            state: State::Live,
            why: None,
            fix: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::utc;

    const NOW: i64 = 1_795_170_153_000;

    fn decided(findings: &[Finding], answered: Option<i64>, incidents: &[Incident]) -> Live {
        let pool = "us-west-2_AbC123".parse().unwrap();
        Live::new(findings, &pool, &Flags::default(), answered, incidents, NOW)
    }

    fn down(minutes_ago: i64) -> Incident {
        let last_ms = NOW - minutes_ago * 60_000;
        Incident {
            from: utc(last_ms),
            to: utc(last_ms),
            outcome: "directory-unavailable".into(),
            reason: Some("timeout".into()),
            count: 3,
            last_ms,
        }
    }

    fn gone(id: &'static str) -> Finding {
        Finding::failed(
            id,
            Severity::Error,
            format!("{id} is broken"),
            "e",
            "f",
            "mend it",
        )
    }

    #[test]
    fn the_most_informative_failure_is_the_reason() {
        let live = decided(
            &[gone("invoke-permission"), gone("window-open")],
            None,
            &[down(5)],
        );
        assert_eq!(live.state, State::NotLive);
        assert_eq!(live.why.as_deref(), Some("window-open is broken"));
        assert_eq!(live.fix.as_deref(), Some("mend it"));
        let soon = gone("window-open").warning();
        assert_eq!(decided(&[soon], Some(NOW), &[]).state, State::Live);
    }

    #[test]
    fn a_directory_is_down_until_it_answers_again() {
        let seen = decided(&[], Some(NOW - 600_000), &[down(5)]);
        assert_eq!(seen.state, State::NotLive);
        assert_eq!(
            seen.why.as_deref(),
            Some("the directory has not answered since 2026-11-20 10:12 UTC (timeout)")
        );
        assert_eq!(
            seen.fix.as_deref(),
            Some("run `jane-migrate doctor --pool us-west-2_AbC123`")
        );
        assert_eq!(
            decided(&[], Some(NOW - 60_000), &[down(5)]).state,
            State::Live
        );
        assert_eq!(decided(&[], None, &[down(90)]).state, State::Live);
    }

    #[test]
    fn an_unreadable_state_is_not_reported_as_live() {
        let unread = Finding::unchecked("invoke-permission", Severity::Error, "access denied");
        let seen = decided(std::slice::from_ref(&unread), None, &[]);
        assert_eq!(seen.state, State::Unknown);
        assert!(seen.why.unwrap().contains("access denied"));
        let worse = decided(&[unread, gone("trigger-registered")], None, &[]);
        assert_eq!(worse.state, State::NotLive);
    }
}
