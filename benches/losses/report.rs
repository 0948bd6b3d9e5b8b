//! The measurements as text.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How a step ended.
pub struct Step {
    pub took: f64,
    pub calls: usize,
    /// The reason if it failed.
    pub failed: Option<String>,
}

pub struct Row {
    pub name: &'static str,
    /// The first run, the second run, and the removal.
    pub steps: [Step; 3],
    pub settings: usize,
    pub signs_in: bool,
    pub changed: Vec<String>,
    pub changed_for_good: Vec<String>,
    pub trigger_left: bool,
    pub left: BTreeMap<String, Vec<String>>,
}

impl Row {
    /// The measurements of one tool or script.
    pub fn details(&self) -> String {
        let mut text = format!("\n{} ({} settings)\n", self.name, self.settings);
        for (step, name) in self.steps.iter().zip(["first run", "again", "removal"]) {
            let Step {
                took,
                calls,
                failed,
            } = step;
            let ended = failed.as_deref().unwrap_or("ok");
            let _ = writeln!(text, "  {name}: {took:.1} s, {calls} calls, {ended}");
        }
        let list = |settings: &[String]| format!("{} {}", settings.len(), settings.join(" "));
        let _ = writeln!(
            text,
            "  a user signs in after the first run: {}",
            self.signs_in
        );
        let _ = writeln!(
            text,
            "  changed after the first run: {}",
            list(&self.changed)
        );
        let _ = writeln!(
            text,
            "  changed after the removal: {}",
            list(&self.changed_for_good)
        );
        let _ = writeln!(
            text,
            "  left: {:?}, trigger {}",
            self.left, self.trigger_left
        );
        text
    }
}

/// The table of the documentation. Times are relative to the first row's.
pub fn table(rows: &[Row]) -> String {
    let mut text = "\n| | first run | again | removal | changed | after removal | left after removal |\n|---|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let _ = write!(text, "| {} |", row.name);
        for (step, base) in row.steps.iter().zip(&rows[0].steps) {
            let ended = match &step.failed {
                None => "",
                Some(why) if why.starts_with("fails") => ", fails",
                Some(_) => ", did not end",
            };
            let _ = write!(
                text,
                " {:.1} ({}){ended} |",
                step.took / base.took,
                step.calls
            );
        }
        let left = row.left.iter().map(|(kind, names)| match names.len() {
            1 => format!("1 {kind}"),
            count => format!("{count} {kind}s"),
        });
        let mut left: Vec<String> = left.collect();
        if row.trigger_left {
            left.insert(0, "trigger".to_owned());
        }
        if left.is_empty() {
            left.push("nothing".to_owned());
        }
        let _ = writeln!(
            text,
            " {} | {} | {} |",
            row.changed.len(),
            row.changed_for_good.len(),
            left.join(", ")
        );
    }
    text
}
