//! Shows an error: what failed, its causes, and what to do next; for people as text, for machines as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::layout::Layout;
use super::styles::Styles;
use crate::error::{Call, Error};
use jane_migrate_core::fix::Flags;

/// The error with its causes and hints.
pub fn render(error: &Error, styles: &Styles, given: &Flags) -> String {
    let layout = Layout::of(styles);
    let mut text = layout.wrap(&format!("{}: {error}", styles.bad.apply_to("error")), 2);
    for cause in error.causes() {
        let _ = write!(
            text,
            "\n{}",
            layout.wrap(&format!("  caused by: {cause}"), 4)
        );
    }
    text.push('\n');
    for hint in error.hints() {
        let hint = format!("{}: {}", styles.strong.apply_to("hint"), hint.render(given));
        let _ = write!(text, "\n{}", layout.wrap(&hint, 2));
    }
    text
}

/// The JSON document of a run that failed before it had one of its own.
#[derive(Debug, Serialize)]
pub struct Document {
    error: Told,
}

/// An error for machines.
#[derive(Debug, Serialize)]
pub struct Told {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    hint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<Call>,
}

/// The parts of an error that a machine may need.
pub fn told(error: &Error, given: &Flags) -> Told {
    let hints = error.hints().iter().map(|hint| hint.render(given));
    Told {
        message: error.to_string(),
        causes: error.causes().collect(),
        hint: hints.collect::<Vec<_>>().join("\n"),
        aws: error.call().cloned(),
    }
}

impl Document {
    /// For a run that failed before it had a document.
    pub fn of(error: &Error, given: &Flags) -> Self {
        Self {
            error: told(error, given),
        }
    }

    /// For an invalid command line.
    pub fn of_usage(message: &str) -> Self {
        Self {
            error: Told {
                message: message.to_owned(),
                causes: Vec::new(),
                hint: "`jane-migrate --help` shows the commands and flags".into(),
                aws: None,
            },
        }
    }
}
