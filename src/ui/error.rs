//! How an error is shown: what failed, its causes, and the next thing to do; for people as text, for machines as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::hint::hint;
use super::layout::Layout;
use super::styles::Styles;
use crate::aws::AwsError;

/// The error with its causes and, where one is known, a hint.
pub fn render(error: &anyhow::Error, styles: &Styles) -> String {
    let layout = Layout::of(styles);
    let mut text = layout.wrap(&format!("{}: {error}", styles.bad.apply_to("error")), 2);
    for cause in error.chain().skip(1) {
        let _ = write!(
            text,
            "\n{}",
            layout.wrap(&format!("  caused by: {cause}"), 4)
        );
    }
    if let Some(hint) = hint(error) {
        let hint = format!("{}: {hint}", styles.strong.apply_to("hint"));
        let _ = write!(text, "\n\n{}", layout.wrap(&hint, 2));
    }
    text
}

/// The JSON document of a run that failed before it had one of its own.
#[derive(Debug, Serialize)]
pub struct Document {
    error: Told,
}

/// An error as a machine reads it.
#[derive(Debug, Serialize)]
pub struct Told {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<Aws>,
}

/// The failed call, for those who decide on it.
#[derive(Debug, Serialize)]
struct Aws {
    action: &'static str,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// What of an error a machine may want to know.
pub fn told(error: &anyhow::Error) -> Told {
    let aws = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsError>());
    Told {
        message: error.to_string(),
        causes: error.chain().skip(1).map(ToString::to_string).collect(),
        hint: hint(error),
        aws: aws.map(|aws| Aws {
            action: aws.action,
            code: aws.code.clone(),
            request_id: aws.request_id.clone(),
        }),
    }
}

impl Document {
    /// Of a run that failed before it had anything to show.
    pub fn of(error: &anyhow::Error) -> Self {
        Self { error: told(error) }
    }

    /// Of a command line that could not be read.
    pub fn of_usage(message: &str) -> Self {
        Self {
            error: Told {
                message: message.to_owned(),
                causes: Vec::new(),
                hint: Some("`jane-migrate --help` shows the commands and flags".into()),
                aws: None,
            },
        }
    }
}
