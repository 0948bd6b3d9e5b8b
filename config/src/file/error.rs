//! The problems of a `migrate.toml`, each with its place. Values are rarely quoted, and there is no excerpt, because a
//! value may be a password in the wrong place.

use std::{cell::RefCell, fmt, ops::Range};

/// All problems of a file, in the file's order.
#[derive(Debug)]
pub struct ConfigError {
    file: String,
    problems: Vec<Problem>,
}

/// One problem with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl ConfigError {
    /// The problems, in the file's order.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (
            index,
            Problem {
                line,
                column,
                message,
            },
        ) in self.problems.iter().enumerate()
        {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems while a file is read.
#[derive(Default)]
pub(super) struct Report(RefCell<Vec<(usize, String)>>);

impl Report {
    /// Adds a problem at a span of the text.
    pub(super) fn add(&self, span: Range<usize>, message: impl Into<String>) {
        self.0.borrow_mut().push((span.start, message.into()));
    }

    /// Whether there is a problem at the start of this span.
    pub(super) fn has(&self, span: &Range<usize>) -> bool {
        self.0.borrow().iter().any(|(at, _)| *at == span.start)
    }

    /// Returns the value, or the problems if there are any; a missing value always has a problem.
    pub(super) fn finish<T>(
        self,
        value: Option<T>,
        text: &str,
        file: &str,
    ) -> Result<T, ConfigError> {
        let mut found = self.0.into_inner();
        if let Some(value) = value.filter(|_| found.is_empty()) {
            return Ok(value);
        }
        found.sort();
        // A part that several pools share is read for each of them.
        found.dedup();
        let problems = found.into_iter().map(|(offset, message)| {
            let before = text.get(..offset).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            Problem {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                message,
            }
        });
        Err(ConfigError {
            file: file.to_owned(),
            problems: problems.collect(),
        })
    }
}
