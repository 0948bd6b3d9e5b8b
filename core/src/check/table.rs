//! The table, and how it is applied.

use std::collections::BTreeMap;

use super::kind::{Check, Deploy, When};
use super::subject::Subject;
use super::{
    capture, clients, configuration, function, logs, pool, probe, role, secrets, time, trigger,
};
use crate::finding::{Finding, Severity};

/// All of them, in the order they are made and shown.
const ALL: &[&[Check]] = &[
    trigger::CHECKS,
    function::CHECKS,
    secrets::CHECKS,
    role::CHECKS,
    logs::CHECKS,
    capture::CHECKS,
    clients::CHECKS,
    configuration::CHECKS,
    pool::CHECKS,
    time::CHECKS,
    probe::CHECKS,
];

/// Every check, in the order they are made and shown.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    ALL.iter().copied().flatten()
}

/// Which checks are made.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these; empty: all.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Those that invoke the function too.
    pub probe: bool,
}

impl Choice {
    /// Whether the check is made.
    pub fn includes(&self, check: &Check) -> bool {
        let named = self.only.iter().any(|id| id == check.id);
        let when = match check.when {
            When::Always => true,
            When::Probe => self.probe,
            When::Asked => self.probe || named,
        };
        when && (named || self.only.is_empty()) && !self.skip.iter().any(|id| id == check.id)
    }

    /// Whether the check of this id is made.
    pub fn wants(&self, id: &str) -> bool {
        checks().any(|check| check.id == id && self.includes(check))
    }
}

/// Makes the chosen checks. `accepted` says which findings are known and why that is fine.
pub fn run(
    subject: &Subject<'_>,
    choice: &Choice,
    accepted: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let chosen = checks().filter(|check| choice.includes(check));
    let mut findings: Vec<Finding> = chosen.flat_map(|check| check.findings(subject)).collect();
    for finding in &mut findings {
        if !finding.ok && !finding.unknown {
            finding.accepted = accepted.get(finding.id).cloned();
        }
    }
    findings
}

/// What speaks against a deploy before anything of it is there: the pool, its clients and the configuration are enough to tell.
pub fn before_deploy(subject: &Subject<'_>) -> Vec<Finding> {
    checks()
        .filter(|check| check.deploy == Deploy::Stops)
        .flat_map(|check| check.findings(subject))
        .filter(|finding| !finding.ok && !finding.unknown)
        .collect()
}

/// Whether a deploy does not begin while this finding stands: an error about what no deploy changes.
pub fn stops_deploy(finding: &Finding) -> bool {
    let stops = |check: &Check| check.id == finding.id && check.deploy == Deploy::Stops;
    finding.is_open() && finding.severity == Severity::Error && checks().any(stops)
}
