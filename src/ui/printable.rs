//! Makes text from other sources safe for a terminal, and for the log of GitHub's runner. A control character (`line::steers`) is
//! shown as `?`, and in JSON as an escape, which loses nothing.

use std::borrow::Cow;
use std::fmt::Write;

use jane_migrate_core::line::steers;

/// The escape sequences of the program's own styles.
const STYLES: [&str; 6] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
];

/// GitHub's runner obeys this anywhere in a line, and a line that begins with `::`.
const COMMAND: &str = "##[";

/// The text without commands for GitHub's runner. Only `verify --format github` gives it some.
fn without_commands(text: &str) -> Cow<'_, str> {
    let begins = |line: &str| line.trim_start().starts_with("::");
    if !text.contains(COMMAND) && !text.lines().any(begins) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| {
        let line = line.replace(COMMAND, "##?");
        match begins(&line) {
            true => line.replacen("::", "?:", 1),
            false => line,
        }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// The text with a `?` for each control character, except line breaks, tabs and, with colour, the program's own styles.
pub(super) fn printable(text: &str, color: bool) -> Cow<'_, str> {
    match without_commands(text) {
        Cow::Borrowed(text) => plain(text, color),
        Cow::Owned(text) => Cow::Owned(plain(&text, color).into_owned()),
    }
}

fn plain(text: &str, color: bool) -> Cow<'_, str> {
    let harmless = |c: char| !steers(c) || matches!(c, '\n' | '\t');
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

/// A JSON document with an escape for each control character that JSON does not escape, and for commands of GitHub's runner.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !steers(c) || c == '\n';
    if text.chars().all(harmless) && !text.contains(COMMAND) {
        return Cow::Borrowed(text);
    }
    // Only a string can contain it.
    let text = text.replace(COMMAND, "##\\u005b");
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::styles::Styles;

    #[test]
    fn control_characters_are_shown_and_have_no_effect() {
        let name = "Roots\u{1b}]0;owned\u{7}\u{1b}[2J\r\u{9b}8m";
        assert_eq!(printable(name, true), "Roots?]0;owned??[2J??8m");
        assert_eq!(printable(name, false), printable(name, true));
        assert_eq!(printable("a\n\tb", true), "a\n\tb");
    }

    #[test]
    fn no_line_is_a_command_for_githubs_runner() {
        let text = "ok\n::error::a ##[b]\n \u{a0}\r::add-mask::b\nnote ##[stop-commands]c, a::b";
        let shown = "ok\n?:error::a ##?b]\n \u{a0}??:add-mask::b\nnote ##?stop-commands]c, a::b";
        assert_eq!(printable(text, true), shown);
        assert_eq!(
            printable("arn:aws::x # [a]\n  a::b", true),
            "arn:aws::x # [a]\n  a::b"
        );
        let document = json("{\"a\": \"##[error]\"}").into_owned();
        assert!(!document.contains("##["), "{document}");
        let read: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(read["a"], "##[error]");
    }

    #[test]
    fn json_escapes_control_characters_and_loses_nothing() {
        let name = "a\u{1b}\n\u{9b}\u{7f}\u{202e}\u{200b}\u{e0041}b";
        let text = serde_json::to_string_pretty(&serde_json::json!({ "name": name })).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(|c| steers(c) && c != '\n'), "{shown:?}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read["name"], name);
    }

    #[test]
    fn styles_are_kept_with_colour() {
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
