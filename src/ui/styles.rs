//! Colours and width of one stream. No information is in colour alone.

use console::{Style, Term};

/// The styles of one stream, all of them empty where colour is off, and its width.
#[derive(Debug, Clone)]
pub struct Styles {
    /// What is made, and what holds.
    pub good: Style,
    /// What is changed, and warnings.
    pub warn: Style,
    /// What is deleted, and errors.
    pub bad: Style,
    /// Headings.
    pub strong: Style,
    /// What may be skipped.
    pub dim: Style,
    /// Whether there is any colour.
    pub color: bool,
    /// The terminal's columns; `None` where it is none: lines are then never broken.
    pub columns: Option<usize>,
}

impl Styles {
    pub(super) fn new(color: bool, columns: Option<usize>) -> Self {
        let style = || Style::new().force_styling(color);
        Self {
            good: style().green(),
            warn: style().yellow(),
            bad: style().red(),
            strong: style().bold(),
            dim: style().dim(),
            color,
            columns,
        }
    }
}

#[cfg(test)]
impl Styles {
    /// No colour at all, and lines as long as they like.
    pub(crate) fn plain() -> Self {
        Self::new(false, None)
    }
}

/// The terminal's columns, but never so few that nothing could be read.
pub(super) fn columns(terminal: &Term) -> Option<usize> {
    const FEWEST: usize = 40;
    let (_, columns) = terminal.size_checked()?;
    terminal.is_term().then(|| usize::from(columns).max(FEWEST))
}
