//! The plan as people read it; machines get the same plan as JSON.

use std::fmt::Write;

use super::Styles;
use crate::document::PoolDocument;
use crate::finding::Severity;
use crate::ids::PoolArn;
use crate::plan::{Action, Plan};

/// The plan with its conflicts and findings.
pub fn render(plan: &Plan, pool: &PoolDocument, arn: &PoolArn, styles: &Styles) -> String {
    let mut text = String::new();
    let title = format!(
        "User pool {} ({}, account {})",
        plan.pool,
        pool.name(),
        arn.account
    );
    let _ = writeln!(text, "{}", styles.strong.apply_to(title));
    let width = plan
        .changes
        .iter()
        .map(|change| change.name.chars().count())
        .max()
        .unwrap_or(0);
    for change in &plan.changes {
        let style = match change.action {
            Action::Create => &styles.good,
            Action::Delete => &styles.bad,
            Action::Update | Action::Probe => &styles.warn,
        };
        let line = format!(
            "  {} {:<10}  {:<width$}  {}",
            style.apply_to(change.action.symbol()),
            change.resource.label(),
            change.name,
            change.detail
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for conflict in &plan.conflicts {
        let _ = writeln!(
            text,
            "  {} {:<10}  {}\n      {}\n      fix: {}",
            styles.bad.apply_to('!'),
            conflict.resource.label(),
            conflict.name,
            conflict.message,
            conflict.fix
        );
    }
    for finding in plan.findings.iter().filter(|finding| !finding.ok) {
        let (style, word) = match finding.severity {
            Severity::Error => (&styles.bad, "error"),
            Severity::Warning => (&styles.warn, "warning"),
        };
        let _ = writeln!(
            text,
            "  {} {word} {}: {}",
            style.apply_to('!'),
            finding.id,
            finding.message
        );
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "      fix: {fix}");
        }
    }
    text.push('\n');
    text.push_str(&summary(plan));
    text
}

/// The plan's last line.
fn summary(plan: &Plan) -> String {
    let stops = plan.conflicts.len()
        + plan
            .findings
            .iter()
            .filter(|finding| !finding.ok && finding.severity == Severity::Error)
            .count();
    let counts = format!(
        "{} to create, {} to update, {} to delete",
        plan.count(Action::Create),
        plan.count(Action::Update),
        plan.count(Action::Delete)
    );
    match (plan.is_blocked(), plan.changes.is_empty()) {
        (true, _) => format!("Stopped: {stops} to settle first; nothing was changed."),
        (false, true) => "No changes.".into(),
        (false, false) => format!("Plan: {counts}."),
    }
}
