//! Breaking lines for a terminal's width, between words only: an ARN or a command stays whole, so that it can be copied. Text
//! that goes elsewhere is never broken, so that it can be searched.

use console::measure_text_width;

use super::Styles;

/// Where lines end.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    columns: Option<usize>,
}

impl Layout {
    /// That of the stream these styles are for.
    pub fn of(styles: &Styles) -> Self {
        Self {
            columns: styles.columns,
        }
    }

    /// Whether a line of this many columns fits.
    pub fn fits(self, width: usize) -> bool {
        self.columns.is_none_or(|columns| width <= columns)
    }

    /// The text with its long lines broken between words; what follows a break is indented by `hanging`.
    pub fn wrap(self, text: &str, hanging: usize) -> String {
        let lines: Vec<String> = text
            .lines()
            .map(|line| self.wrap_line(line, hanging))
            .collect();
        lines.join("\n")
    }

    fn wrap_line(self, line: &str, hanging: usize) -> String {
        if self.fits(measure_text_width(line)) {
            return line.to_owned();
        }
        let start = line.len() - line.trim_start().len();
        let mut wrapped = line[..start].to_owned();
        let mut column = start;
        for (index, word) in line.split_whitespace().enumerate() {
            let width = measure_text_width(word);
            if index == 0 {
                column += width;
            } else if self.fits(column + 1 + width) {
                wrapped.push(' ');
                column += 1 + width;
            } else {
                wrapped.push('\n');
                wrapped.extend(std::iter::repeat_n(' ', hanging));
                column = hanging + width;
            }
            wrapped.push_str(word);
        }
        wrapped
    }
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
    fn what_fits_and_what_goes_to_a_file_is_left_as_it_is() {
        assert_eq!(NARROW.wrap("a  b   c", 2), "a  b   c");
        let line = "word ".repeat(50);
        assert_eq!(Layout { columns: None }.wrap(&line, 2), line);
    }

    #[test]
    fn colour_takes_no_room() {
        let red = console::Style::new().force_styling(true).red();
        let line = format!("{} two three four", red.apply_to("one"));
        assert_eq!(NARROW.wrap(&line, 2), line);
    }
}
