//! Text from other sources as part of one line. A pool's or a client's name, a customer's attribute or a line of a log may
//! contain anything: codes that move a cursor, invisible characters, marks that reverse the order of the text.

use std::borrow::Cow;

/// Whether a character has an effect besides being read: it controls a terminal, has no width, or changes the direction of other
/// characters.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator, fillers of Hangul.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            // Zero width; left to right and right to left; line and paragraph separator; embeddings and overrides.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            // Word joiner, characters that no font shows, isolates, and deprecated characters.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark, annotation marks.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags: an invisible copy of ASCII.
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with a `?` for each such character, including line breaks.
pub fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(steers) {
        true => Cow::Owned(text.replace(steers, "?")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_question_marks_and_letters_of_every_script_stay() {
        for (text, shown) in [
            ("Roots\r\n  + ok\u{85}\u{2028}", "Roots??  + ok??"),
            ("\u{1b}[2J\u{9b}8m\u{7f}", "?[2J?8m?"),
            ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}\u{e0041}", "a?b?c?d??"),
        ] {
            assert_eq!(one_line(text), shown);
        }
        for text in ["Grün & Söhne", "متجر", "店", "Маг азин", "e\u{301}", "🌱"] {
            assert_eq!(one_line(text), text);
        }
    }
}
