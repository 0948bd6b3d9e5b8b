//! The plan for people; machines get the same plan as JSON.

use std::fmt::Write;

use console::measure_text_width;

use super::layout::Layout;
use super::styles::Styles;
use jane_migrate_core::document::{Difference, PoolDocument};
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::Flags;
use jane_migrate_core::ids::PoolArn;
use jane_migrate_core::line::one_line;
use jane_migrate_core::plan::{Action, Change, Conflict, Plan};

/// The plan with its conflicts and findings.
pub fn render(
    plan: &Plan,
    pool: Option<&PoolDocument>,
    arn: &PoolArn,
    flags: &Flags,
    styles: &Styles,
) -> String {
    let layout = Layout::of(styles);
    let title = format!(
        "User pool {} ({}, account {})",
        plan.pool,
        pool.map_or("which is gone".into(), PoolDocument::name),
        arn.account
    );
    let mut text = layout.wrap(&styles.strong.apply_to(title).to_string(), 2);
    text.push('\n');
    text.push_str(&changes(&plan.changes, layout, styles));
    for alone in &plan.left_alone {
        let line = format!(
            "  app client {} ({}) is left alone: {}",
            alone.name, alone.client, alone.why
        );
        text.push_str(&layout.wrap(&line, 4));
        text.push('\n');
    }
    for conflict in &plan.conflicts {
        text.push_str(&render_conflict(conflict, flags, layout, styles));
    }
    for finding in plan.findings.iter().filter(|finding| !finding.ok) {
        text.push_str(&render_finding(finding, flags, styles));
    }
    text.push('\n');
    text.push_str(&layout.wrap(&summary(plan), 2));
    text
}

/// The changes as a table; if that is too wide, each change with its details on separate lines.
fn changes(changes: &[Change], layout: Layout, styles: &Styles) -> String {
    let width = changes
        .iter()
        .map(|change| measure_text_width(&change.name))
        .max()
        .unwrap_or(0);
    let row = |change: &Change| {
        let row = format!(
            "{:<10}  {:<width$}  {}",
            change.resource.label(),
            change.name,
            change.detail
        );
        row.trim_end().to_owned()
    };
    let table = changes
        .iter()
        .all(|change| layout.fits("  + ".len() + measure_text_width(&row(change))));
    let mut text = String::new();
    for change in changes {
        let style = match change.action {
            Action::Create => &styles.good,
            Action::Delete => &styles.bad,
            Action::Update | Action::Probe => &styles.warn,
        };
        let symbol = style.apply_to(change.action.symbol());
        if table {
            let _ = writeln!(text, "  {symbol} {}", row(change));
        } else {
            let head = format!("  {symbol} {} {}", change.resource.label(), change.name);
            let _ = writeln!(text, "{}", layout.wrap(&head, 6));
            if !change.detail.is_empty() {
                let detail = format!("      {}", change.detail);
                let _ = writeln!(text, "{}", layout.wrap(&detail, 8));
            }
        }
        if change.action == Action::Update {
            for difference in &change.difference {
                let line = render_difference(difference, layout);
                let _ = writeln!(text, "{}", styles.dim.apply_to(line));
            }
        }
    }
    text
}

/// One field of a document: its path, its old and its new value.
fn render_difference(difference: &Difference, layout: Layout) -> String {
    let line = format!("      {difference}");
    if layout.fits(measure_text_width(&line)) {
        return line;
    }
    // Values are not wrapped, so that they can be copied.
    let (before, after) = difference.values();
    format!(
        "      {}:\n        {before}\n        => {after}",
        one_line(&difference.pointer)
    )
}

fn render_conflict(conflict: &Conflict, flags: &Flags, layout: Layout, styles: &Styles) -> String {
    let head = format!(
        "  {} {:<10}  {}",
        styles.bad.apply_to('!'),
        conflict.resource.label(),
        conflict.name
    );
    format!(
        "{}\n{}\n{}\n",
        layout.wrap(&head, 6),
        layout.wrap(&format!("      {}", conflict.message), 6),
        layout.wrap(&format!("      fix: {}", conflict.fix.render(flags)), 8)
    )
}

/// A finding that stops a deploy, or that the operator should know before it.
pub fn render_finding(finding: &Finding, flags: &Flags, styles: &Styles) -> String {
    let layout = Layout::of(styles);
    let (style, word) = match finding.severity {
        Severity::Error => (&styles.bad, "error"),
        Severity::Warning => (&styles.warn, "warning"),
    };
    let head = format!(
        "  {} {word} {}: {}",
        style.apply_to('!'),
        finding.id,
        finding.message
    );
    let mut text = layout.wrap(&head, 6);
    text.push('\n');
    if let Some(fix) = &finding.fix {
        let fix = format!("      fix: {}", fix.render(flags));
        text.push_str(&layout.wrap(&fix, 8));
        text.push('\n');
    }
    text
}

/// The plan's last line.
fn summary(plan: &Plan) -> String {
    let stops = plan.conflicts.len()
        + plan
            .findings
            .iter()
            .filter(|finding| finding.stops())
            .count();
    let counts = format!(
        "{} to create, {} to update, {} to delete",
        plan.count(Action::Create),
        plan.count(Action::Update),
        plan.count(Action::Delete)
    );
    match (plan.is_blocked(), plan.is_empty()) {
        (true, _) => format!("Stopped: {stops} to settle first; nothing was changed."),
        (false, true) => "No changes.".into(),
        (false, false) if plan.count(Action::Probe) > 0 => {
            format!("Plan: {counts}; ? tries the function and changes nothing.")
        }
        (false, false) => format!("Plan: {counts}."),
    }
}
