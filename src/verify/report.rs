//! Findings as text for people and as JSON for machines.

use std::fmt::Write;

use serde::Serialize;

use crate::finding::{Finding, Severity};
use crate::ui::Styles;

/// The JSON document of verify.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The pool's id.
    pub pool: &'a str,
    /// Every check that was made.
    pub findings: &'a [Finding],
    /// Whether nothing fails the run.
    pub ok: bool,
}

/// What the run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything holds, or only warnings do not.
    Holds,
    /// A finding that fails the run.
    Fails,
    /// Something could not be checked, and nothing that could be fails.
    Unknown,
}

/// The verdict over these findings; `strict` lets warnings fail too.
pub fn verdict(findings: &[Finding], strict: bool) -> Verdict {
    let fails = |finding: &&Finding| {
        !finding.ok && !finding.unknown && (strict || finding.severity == Severity::Error)
    };
    if findings.iter().any(|finding| fails(&finding)) {
        Verdict::Fails
    } else if findings.iter().any(|finding| finding.unknown) {
        Verdict::Unknown
    } else {
        Verdict::Holds
    }
}

/// For people: one line a check, more for those that do not hold.
pub fn text(pool: &str, findings: &[Finding], styles: &Styles) -> String {
    let mut text = String::new();
    let title = format!("User pool {pool}");
    let _ = writeln!(text, "{}", styles.strong.apply_to(title));
    for finding in findings {
        let (style, mark) = match (finding.ok, finding.unknown, finding.severity) {
            (true, ..) => (&styles.good, "ok     "),
            (_, true, _) => (&styles.warn, "unknown"),
            (_, _, Severity::Warning) => (&styles.warn, "warning"),
            (_, _, Severity::Error) => (&styles.bad, "error  "),
        };
        let _ = writeln!(
            text,
            "  {} {:<23} {}",
            style.apply_to(mark),
            finding.id,
            finding.message
        );
        for (label, value) in [
            ("expected", &finding.expected),
            ("found", &finding.found),
            ("fix", &finding.fix),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "          {:<23} {label}: {value}", "");
            }
        }
    }
    let bad = findings.iter().filter(|finding| !finding.ok).count();
    let _ = match bad {
        0 => write!(text, "\n{} checks, all hold.", findings.len()),
        n => write!(text, "\n{} checks, {n} to look at.", findings.len()),
    };
    text
}
