//! Colours and width of one stream. Colour is never the only information.

use console::{Style, Term};

/// The styles of one stream, all empty without colour, and its width.
#[derive(Debug, Clone)]
pub struct Styles {
    /// Created resources, and checks that hold.
    pub good: Style,
    /// Changed resources, and warnings.
    pub warn: Style,
    /// Deleted resources, and errors.
    pub bad: Style,
    /// Headings.
    pub strong: Style,
    /// Text of less importance.
    pub dim: Style,
    /// Whether there is any colour.
    pub color: bool,
    /// The terminal's columns; `None` without a terminal: lines are then never wrapped.
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
    /// No colour, and lines of any length.
    pub(crate) fn plain() -> Self {
        Self::new(false, None)
    }
}

/// The terminal's columns, but at least enough for readable text.
pub(super) fn columns(terminal: &Term) -> Option<usize> {
    const FEWEST: usize = 40;
    let (_, columns) = terminal.size_checked()?;
    terminal.is_term().then(|| usize::from(columns).max(FEWEST))
}
