//! What text from elsewhere may do to a terminal: be read. A pool's name, a customer's attribute or a line of a log may hold
//! whatever somebody put there; the codes that move a cursor or set a title are shown as the characters they are not.

use std::borrow::Cow;

/// What the program's own styles are made of.
const STYLES: [&str; 6] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
];

/// The text with a `?` for each control character but line breaks, tabs and, where there is colour, the program's own styles.
pub(super) fn printable(text: &str, color: bool) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let style = STYLES
            .iter()
            .find(|style| color && rest.starts_with(**style));
        let length = match style {
            Some(style) => {
                shown.push_str(style);
                style.len()
            }
            None => {
                shown.push(if harmless(first) { first } else { '?' });
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Cow::Owned(shown)
}

/// The same on one line, for what must not look like several.
pub fn one_line(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::styles::Styles;

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_done() {
        let name = "Roots\u{1b}]0;owned\u{7}\u{1b}[2J\r\u{9b}8m";
        assert_eq!(printable(name, true), "Roots?]0;owned??[2J??8m");
        assert_eq!(printable(name, false), printable(name, true));
        assert_eq!(printable("a\n\tb", true), "a\n\tb");
    }

    #[test]
    fn styles_are_let_through_where_there_is_colour() {
        let styles = Styles::new(true, None);
        for style in [
            &styles.good,
            &styles.warn,
            &styles.bad,
            &styles.strong,
            &styles.dim,
        ] {
            let styled = style.apply_to("x").to_string();
            assert_eq!(printable(&styled, true), styled);
            assert!(!printable(&styled, false).contains('\u{1b}'));
        }
    }
}
