//! Findings for people and machines: text here, one file per format for CI systems. Pure; the caller prints.

mod github;
mod junit;
mod sarif;

use std::fmt::Write;

use serde::Serialize;

use crate::ui::Styles;
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::Flags;
use jane_migrate_core::plan::{Change, Conflict, LeftAlone, Plan};

pub use github::github;
pub use junit::junit;
pub use sarif::sarif;

/// A finding with its fix written out.
#[derive(Debug, Serialize)]
pub struct Written {
    #[serde(flatten)]
    finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl std::ops::Deref for Written {
    type Target = Finding;

    fn deref(&self) -> &Finding {
        &self.finding
    }
}

/// The findings with their fixes, for the given flags.
pub fn written(findings: Vec<Finding>, flags: &Flags) -> Vec<Written> {
    let written = |finding: Finding| Written {
        fix: finding.fix.as_ref().map(|fix| fix.render(flags)),
        finding,
    };
    findings.into_iter().map(written).collect()
}

/// The JSON document of verify; every format is made from it.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The pool's id.
    pub pool: &'a str,
    /// All checks that were made.
    pub findings: &'a [Written],
    /// Whether nothing fails the run.
    pub ok: bool,
}

/// The JSON document of a plan.
#[derive(Debug, Serialize)]
pub struct PlanDocument<'a> {
    pool: &'a str,
    changes: &'a [Change],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    left_alone: &'a [LeftAlone],
    conflicts: Vec<WrittenConflict<'a>>,
    findings: Vec<Written>,
}

#[derive(Debug, Serialize)]
struct WrittenConflict<'a> {
    #[serde(flatten)]
    conflict: &'a Conflict,
    fix: String,
}

impl<'a> PlanDocument<'a> {
    /// The plan with its fixes, for the given flags.
    pub fn new(plan: &'a Plan, flags: &Flags) -> Self {
        let conflict = |conflict: &'a Conflict| WrittenConflict {
            conflict,
            fix: conflict.fix.render(flags),
        };
        Self {
            pool: &plan.pool,
            changes: &plan.changes,
            left_alone: &plan.left_alone,
            conflicts: plan.conflicts.iter().map(conflict).collect(),
            findings: written(plan.findings.clone(), flags),
        }
    }
}

/// The result of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything holds, or only warnings do not.
    Holds,
    /// A finding fails the run.
    Fails,
    /// Something that might fail the run could not be checked, and no other finding fails it.
    Unknown,
}

/// The verdict over these findings; `strict` lets warnings fail too.
pub fn verdict(findings: &[Written], strict: bool) -> Verdict {
    if findings.iter().any(|finding| fails(finding, strict)) {
        Verdict::Fails
    } else if findings
        .iter()
        .any(|finding| hides_failure(finding, strict))
    {
        Verdict::Unknown
    } else {
        Verdict::Holds
    }
}

/// Whether this finding on its own fails the run.
fn fails(finding: &Finding, strict: bool) -> bool {
    finding.is_open() && (strict || finding.severity == Severity::Error)
}

/// Whether this check could not be made, and would fail the run if it did not hold. A warning that could not be checked counts as
/// a warning.
fn hides_failure(finding: &Finding, strict: bool) -> bool {
    finding.unknown && (strict || finding.severity == Severity::Error)
}

/// Expected, found and fix, with their labels.
fn details(finding: &Written) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("expected", &finding.expected),
        ("found", &finding.found),
        ("fix", &finding.fix),
        ("accepted", &finding.accepted),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some((label, value.as_deref()?)))
}

/// For people: one line per check, more for those that do not hold.
pub fn text(pool: &str, findings: &[&Written], styles: &Styles) -> String {
    let mut text = String::new();
    let title = format!("User pool {pool}");
    let _ = writeln!(text, "{}", styles.strong.apply_to(title));
    for finding in findings {
        let (style, mark) = match &finding.finding {
            Finding { ok: true, .. } => (&styles.good, "ok      "),
            Finding { unknown: true, .. } => (&styles.warn, "unknown "),
            Finding {
                accepted: Some(_), ..
            } => (&styles.dim, "accepted"),
            Finding {
                severity: Severity::Warning,
                ..
            } => (&styles.warn, "warning "),
            Finding {
                severity: Severity::Error,
                ..
            } => (&styles.bad, "error   "),
        };
        let _ = writeln!(
            text,
            "  {} {:<23} {}",
            style.apply_to(mark),
            finding.id,
            finding.message
        );
        for (label, value) in details(finding) {
            let _ = writeln!(text, "           {:<23} {label}: {value}", "");
        }
    }
    let _ = write!(text, "\n{}", summary(findings));
    text
}

/// One line: `47 checks: 1 error, 2 warnings, 1 accepted, 43 hold.`
fn summary(findings: &[&Written]) -> String {
    let count = |matches: &dyn Fn(&Finding) -> bool| {
        findings.iter().filter(|finding| matches(finding)).count()
    };
    let all = findings.len();
    let good = count(&|finding| finding.ok);
    if good == all {
        return format!("{all} checks, all hold.");
    }
    let plural = |n: usize, word: &str| match n {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    };
    let errors = count(&|finding| finding.is_open() && finding.severity == Severity::Error);
    let warnings = count(&|finding| finding.is_open() && finding.severity == Severity::Warning);
    let accepted = count(&|finding| finding.accepted.is_some());
    let unknown = count(&|finding| finding.unknown);
    let parts: Vec<String> = [
        (errors, plural(errors, "error")),
        (warnings, plural(warnings, "warning")),
        (accepted, format!("{accepted} accepted")),
        (unknown, format!("{unknown} could not be checked")),
        (good, format!("{good} hold")),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(_, shown)| shown)
    .collect();
    format!("{}: {}.", plural(all, "check"), parts.join(", "))
}
