//! Wraps lines for a terminal's width, between words only: an ARN or a command stays whole, so that it can be copied. Output that
//! does not go to a terminal is never wrapped, so that it can be searched.

use console::measure_text_width;

use super::styles::Styles;

/// The width of lines, if there is one.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    columns: Option<usize>,
}

impl Layout {
    /// The layout of the stream of these styles.
    pub fn of(styles: &Styles) -> Self {
        Self {
            columns: styles.columns,
        }
    }

    /// Whether a line of this many columns fits.
    pub fn fits(self, width: usize) -> bool {
        self.columns.is_none_or(|columns| width <= columns)
    }

    /// Wraps the text's long lines; continuation lines are indented by `hanging`.
    pub fn wrap(self, text: &str, hanging: usize) -> String {
        let lines: Vec<String> = text
            .lines()
            .map(|line| self.wrap_line(line, hanging))
            .collect();
        lines.join("\n")
    }

    /// The same, but each line decides its own indentation: below its last column if there is room, or else a little more than
    /// its start.
    pub fn flow(self, text: &str) -> String {
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| {
                let line = self.nearer(line);
                self.wrap_line(line, self.hanging(line))
            })
            .collect();
        lines.join("\n")
    }

    /// A line whose indentation leaves no room for words starts at the left.
    fn nearer(self, line: &str) -> &str {
        const INDENT: usize = 6;
        // Only ASCII spaces: others have several bytes, and the line would be cut inside one.
        let indent = line.len() - line.trim_start_matches(' ').len();
        match self.columns {
            Some(columns) if indent > columns / 2 => &line[indent.saturating_sub(INDENT)..],
            _ => line,
        }
    }

    /// The same for text to paste with comments: only the comments are wrapped, into more comments.
    pub fn comments(self, text: &str) -> String {
        let wrapped = |line: &str| {
            let mark = ["# ", "// "]
                .into_iter()
                .find(|mark| line.starts_with(mark))?;
            let within = Self {
                columns: self.columns.map(|columns| columns - mark.len()),
            };
            let text = within
                .flow(&line[mark.len()..])
                .replace('\n', &format!("\n{mark}"));
            Some(format!("{mark}{text}"))
        };
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| wrapped(line).unwrap_or_else(|| line.to_owned()))
            .collect();
        lines.join("\n")
    }

    fn hanging(self, line: &str) -> usize {
        let indent = line.len() - line.trim_start().len();
        let further = if indent == 0 { 0 } else { indent + 2 };
        let column = line.trim_end().rfind("  ").map_or(0, |gap| gap + 2);
        let column = measure_text_width(&line[..column]);
        match self.columns {
            Some(columns) if column > indent && column <= columns / 2 => column,
            _ => further,
        }
    }

    fn wrap_line(self, line: &str, hanging: usize) -> String {
        match self.columns {
            Some(columns) if measure_text_width(line) > columns => {
                let text = line.trim_start_matches(' ');
                fill(text, columns, line.len() - text.len(), hanging)
            }
            _ => line.to_owned(),
        }
    }
}

/// One line of text, wrapped to this many columns: the first line is indented by `first`, the others by `hanging`. A word that is
/// too long has a line of its own.
pub fn fill(text: &str, columns: usize, first: usize, hanging: usize) -> String {
    let (first, hanging) = (" ".repeat(first), " ".repeat(hanging));
    let options = textwrap::Options::new(columns)
        .initial_indent(&first)
        .subsequent_indent(&hanging)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Layout = Layout { columns: Some(20) };

    #[test]
    fn long_lines_break_between_words() {
        let wrapped = NARROW.wrap("  ! one two three four five", 6);
        assert_eq!(wrapped, "  ! one two three\n      four five");
    }

    #[test]
    fn a_long_word_has_a_line_of_its_own_and_stays_whole() {
        let wrapped = NARROW.wrap("see arn:aws:iam::123456789012:role/r now", 4);
        assert_eq!(
            wrapped,
            "see\n    arn:aws:iam::123456789012:role/r\n    now"
        );
    }

    #[test]
    fn text_that_fits_or_goes_to_a_file_is_not_wrapped() {
        assert_eq!(NARROW.wrap("a  b   c", 2), "a  b   c");
        let line = "word ".repeat(50);
        assert_eq!(Layout { columns: None }.wrap(&line, 2), line);
    }

    #[test]
    fn a_line_continues_below_its_last_column_if_there_is_room() {
        assert_eq!(
            NARROW.flow("  ok    one two three\n\n  far out there    one two"),
            "  ok    one two\n        three\n\n  far out there\n    one two"
        );
        assert_eq!(
            NARROW.flow("one two three four five"),
            "one two three four\nfive"
        );
    }

    #[test]
    fn a_line_indented_too_far_starts_at_the_left() {
        assert_eq!(
            NARROW.flow("           found: one two"),
            "      found: one two"
        );
        // A pool's name can contain any spaces.
        let odd = "\u{3000}".repeat(20) + "\u{a0}\u{a0}";
        assert!(NARROW.flow(&format!("{odd}Roots")).ends_with("Roots"));
    }

    #[test]
    fn comments_are_wrapped_as_comments_and_code_is_not_wrapped() {
        assert_eq!(
            NARROW.comments("# one two three four five\nresource \"pool\" { x = 1 }"),
            "# one two three four\n# five\nresource \"pool\" { x = 1 }"
        );
    }

    #[test]
    fn colour_has_no_width() {
        let red = console::Style::new().force_styling(true).red();
        let line = format!("{} two three four", red.apply_to("one"));
        assert_eq!(NARROW.wrap(&line, 2), line);
    }
}
