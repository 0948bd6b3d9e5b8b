//! A failure that knows its remedy: for what goes wrong on this machine, before AWS is asked. What AWS says is `aws::AwsError`,
//! and advice on that is `ui::hint`'s.

use std::fmt;

/// What failed, and the next thing to do.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: String,
}

impl Failure {
    /// A failure in the words of an error, with the words of a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
