//! A diagnosis on a terminal: the most likely cause in full, the others in short.

use std::fmt::Write;

use super::layout::fill;
use super::styles::Styles;
use crate::diagnosis::{Cause, Diagnosis};

/// The diagnosis in lines of at most `width` columns.
pub fn render(diagnosis: &Diagnosis, width: usize, styles: &Styles) -> String {
    let width = width.clamp(60, 200);
    let mut text = format!("User pool {}\n", diagnosis.pool);
    match diagnosis.causes.split_first() {
        Some((cause, others)) => {
            let sentence = fill(&format!("{}.", cause.cause), width, 2, 2);
            let _ = writeln!(text, "{}", styles.bad.apply_to(sentence));
            details(&mut text, cause, width);
            if !others.is_empty() {
                text.push_str("\n  Less likely, or another fault:\n");
            }
            for other in others {
                let next = other
                    .next
                    .as_ref()
                    .map_or_else(String::new, |next| format!(" Next: {next}"));
                let _ = writeln!(
                    text,
                    "{}",
                    fill(&format!("{}.{next}", other.cause), width, 4, 6)
                );
            }
        }
        None => {
            let fine = "Nothing was found that keeps customers from migrating.";
            let _ = writeln!(text, "  {}", styles.good.apply_to(fine));
        }
    }
    if !diagnosis.other_findings.is_empty() {
        let others = diagnosis.other_findings.join(", ");
        let line = format!("verify has more to say about: {others}");
        let _ = writeln!(text, "\n{}", fill(&line, width, 2, 4));
    }
    for line in &diagnosis.not_examined {
        let _ = writeln!(
            text,
            "{}",
            fill(&format!("could not be examined: {line}"), width, 2, 4)
        );
    }
    text.trim_end().to_owned()
}

fn details(text: &mut String, cause: &Cause, width: usize) {
    for line in &cause.evidence {
        let _ = writeln!(text, "{}", fill(&format!("seen: {line}"), width, 4, 10));
    }
    if let Some(next) = &cause.next {
        let _ = writeln!(text, "{}", fill(&format!("next: {next}"), width, 4, 10));
    }
}
