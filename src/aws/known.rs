//! The secrets that this process has seen, and how to hide them in a text. AWS quotes requests in its error messages: Lambda's
//! error about a too large environment contains every variable. So each secret is registered where it is sent or received, and
//! each text from AWS passes [`without_secrets`] before any other code uses it (`error` does that for all errors).

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use jane_migrate_core::resources::{EnvValue, Environment};

/// Replaces a secret.
const HIDDEN: &str = "****";

/// Longer texts are cut: AWS sends none that long, and none that long would be shown.
const LONGEST_TEXT: usize = 16 * 1024;

/// A shorter value is part of many words, so it is hidden only in quotes.
const SHORTEST_WORD: usize = 4;

/// How many characters of a secret's beginning are hidden at the end of a truncated text.
const SHORTEST_REST: usize = 6;

/// How many layers of escapes are removed: JSON within JSON within a URL.
const LAYERS: usize = 3;

static KNOWN: RwLock<Known> = RwLock::new(Known(BTreeSet::new()));

/// Registers a secret: from now on no text from AWS shows it.
pub(super) fn know(secret: &str) {
    let there = |known: &Known| known.0.contains(secret);
    if there(&KNOWN.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.0.insert(secret.to_owned());
}

/// Registers the values of an environment.
pub(super) fn know_environment(environment: &Environment) {
    for value in environment.values() {
        know(value.expose());
    }
}

/// A value of an environment that was read; registers it.
pub(super) fn env_value(value: &str) -> EnvValue {
    know(value);
    EnvValue::new(value)
}

/// The text with each known secret hidden, in any of the known escapings.
pub(super) fn without_secrets(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.hidden_in(text)
}

/// Secrets. No `Debug`: it would print them.
struct Known(BTreeSet<String>);

impl Known {
    fn hidden_in(&self, text: &str) -> String {
        let end = text.floor_char_boundary(LONGEST_TEXT);
        let (text, cut) = (&text[..end], end < text.len());
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut readings = vec![Reading::plain(text)];
        for _ in 0..=LAYERS {
            for reading in &readings {
                found.extend(self.0.iter().flat_map(|secret| reading.find(secret)));
            }
            readings = readings.iter().flat_map(Reading::unescaped).collect();
        }
        found.sort_by_key(|range| (range.start, range.end));
        let mut shown = String::new();
        let mut at = 0;
        for range in found {
            if range.start >= at {
                shown.push_str(&text[at..range.start]);
                shown.push_str(HIDDEN);
            }
            at = at.max(range.end);
        }
        shown.push_str(&text[at..]);
        if cut {
            shown.push_str("...");
        }
        shown
    }
}

/// A text with some layers of escapes removed: each character with its position in the original.
struct Reading(Vec<(char, Range<usize>)>);

impl Reading {
    fn plain(text: &str) -> Self {
        let at = |(at, c): (usize, char)| (c, at..at + c.len_utf8());
        Self(text.char_indices().map(at).collect())
    }

    /// The text with one more layer removed, once for each kind of escape that it has.
    fn unescaped(&self) -> impl Iterator<Item = Self> {
        let kinds: [Escape; 3] = [backslash, percent, entity];
        kinds.into_iter().filter_map(|escape| self.without(escape))
    }

    fn without(&self, escape: Escape) -> Option<Self> {
        let mut read = Vec::with_capacity(self.0.len());
        let mut changed = false;
        let mut rest = &self.0[..];
        while let Some((c, place)) = rest.first() {
            let (c, length) = match escape(rest) {
                Some(escaped) => {
                    changed = true;
                    escaped
                }
                None => (*c, 1),
            };
            read.push((c, place.start..rest[length - 1].1.end));
            rest = &rest[length..];
        }
        changed.then_some(Self(read))
    }

    /// The positions of the secret in the original.
    fn find(&self, secret: &str) -> Vec<Range<usize>> {
        let length = secret.chars().count();
        let mut found = Vec::new();
        let Some(first) = secret.chars().next() else {
            return found;
        };
        for start in 0..self.0.len() {
            let here = &self.0[start..];
            if here[0].0 != first && here[0].0 != '+' {
                continue;
            }
            // In a form, `+` is a space.
            let alike = here
                .iter()
                .zip(secret.chars())
                .take_while(|((c, _), wanted)| c == wanted || (*c == '+' && *wanted == ' '))
                .count();
            let whole = alike == length;
            let before = start.checked_sub(1).and_then(|before| self.0.get(before));
            let quoted = |place: Option<&(char, Range<usize>)>| {
                place.is_some_and(|(c, _)| matches!(c, '"' | '\'' | '`'))
            };
            let hidden = match length < SHORTEST_WORD {
                true => whole && quoted(before) && quoted(here.get(alike)),
                false => whole || (alike >= SHORTEST_REST && ends(&here[alike..])),
            };
            if hidden {
                found.push(here[0].1.start..here[alike - 1].1.end);
            }
        }
        found
    }
}

/// Whether a text ends here, or was truncated here and shows dots.
fn ends(rest: &[(char, Range<usize>)]) -> bool {
    let next = |n: usize| rest.get(n).map(|(c, _)| *c);
    matches!(
        (next(0), next(1), next(2)),
        (None | Some('…'), _, _) | (Some('.'), Some('.'), Some('.'))
    )
}

/// Reads an escape at the start of a text: the character, and the length of the escape.
type Escape = fn(&[(char, Range<usize>)]) -> Option<(char, usize)>;

/// JSON's escapes, and Rust's in debug output.
fn backslash(text: &[(char, Range<usize>)]) -> Option<(char, usize)> {
    let at = |n: usize| text.get(n).map(|(c, _)| *c);
    let unit = |from: usize| {
        let digits = |n: usize| at(n)?.to_digit(16);
        (from..from + 4).try_fold(0, |unit, n| Some(unit * 16 + digits(n)?))
    };
    if at(0)? != '\\' {
        return None;
    }
    let c = match at(1)? {
        c @ ('"' | '\'' | '\\' | '/') => c,
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' if at(2)? == '{' => {
            let end = (3..10).find(|n| at(*n) == Some('}'))?;
            let digits: String = (3..end).filter_map(at).collect();
            let c = char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?;
            return Some((c, end + 1));
        }
        'u' => {
            let first = unit(2)?;
            if let Some(c) = char::from_u32(first) {
                return Some((c, 6));
            }
            let second = (at(6)? == '\\' && at(7)? == 'u').then(|| unit(8))??;
            let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
            let c = char::decode_utf16(pair).next()?.ok()?;
            return Some((c, 12));
        }
        _ => return None,
    };
    Some((c, 2))
}

/// A URL's escapes: one for each byte of a character.
fn percent(text: &[(char, Range<usize>)]) -> Option<(char, usize)> {
    let mut bytes = Vec::new();
    while let Some([(mark, _), (high, _), (low, _)]) = text.get(3 * bytes.len()..)?.first_chunk()
        && *mark == '%'
        && bytes.len() < 4
    {
        let byte = high.to_digit(16)? * 16 + low.to_digit(16)?;
        bytes.push(u8::try_from(byte).ok()?);
        if let Ok(character) = std::str::from_utf8(&bytes) {
            return Some((character.chars().next()?, 3 * bytes.len()));
        }
    }
    None
}

/// XML's escapes.
fn entity(text: &[(char, Range<usize>)]) -> Option<(char, usize)> {
    let start: String = text.iter().take(10).map(|(c, _)| *c).collect();
    let (name, _) = start.strip_prefix('&')?.split_once(';')?;
    let c = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((c, name.chars().count() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secret: &str, text: &str) -> String {
        Known(BTreeSet::from([secret.to_owned()])).hidden_in(text)
    }

    #[test]
    fn a_secret_is_hidden_in_every_escaping() {
        let secret = "pa\"ss\\w é/<d>\n😀'&+%41";
        let json = serde_json::to_string(secret).unwrap();
        let json = &json[1..json.len() - 1];
        let twice = serde_json::to_string(json).unwrap();
        let url: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let form = "pa%22ss%5Cw+%C3%A9%2F%3Cd%3E%0A%F0%9F%98%80%27%26%2B%2541";
        let xml = "pa&quot;ss\\w é/&lt;d&gt;&#10;&#x1F600;&apos;&amp;+%41";
        // As Gson and Rust's `{:?}` write it.
        let ascii = r#"pa\"ss\\w \u00e9\/\u003cd\u003E\n\ud83d\uDE00\u0027\u0026\u002b%41"#;
        let debug = format!("{secret:?}");
        let json_in_url: String = json.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for spelling in [
            secret,
            json,
            &twice[1..twice.len() - 1],
            &url,
            form,
            xml,
            ascii,
            &debug[1..debug.len() - 1],
            &json_in_url,
        ] {
            let text = format!("measured: {{\"A\":\"{spelling}\",\"B\":\"{spelling}\"}}");
            assert_eq!(
                hidden(secret, &text),
                "measured: {\"A\":\"****\",\"B\":\"****\"}",
                "{spelling}"
            );
        }
    }

    #[test]
    fn the_rest_of_a_text_stays_as_it_is() {
        let text = "User: arn:aws:iam::1:user/a is not \"allowed\" 50%25 \\n &amp; é";
        assert_eq!(hidden("canary", text), text);
        assert_eq!(hidden("", text), text);
    }

    #[test]
    fn a_short_value_is_hidden_only_as_a_complete_string() {
        let text = r#"1 error: {"LEVEL":"1","N":"10"}, {\"LEVEL\":\"1\"}"#;
        let shown = r#"1 error: {"LEVEL":"****","N":"10"}, {\"LEVEL\":\"****\"}"#;
        assert_eq!(hidden("1", text), shown);
    }

    #[test]
    fn a_truncated_secret_at_the_end_of_a_text_is_hidden() {
        assert_eq!(
            hidden("hunter2hunter2", "of {\"A\":\"hunter2h"),
            "of {\"A\":\"****"
        );
        assert_eq!(
            hidden("hunter2hunter2", "of hunter2h... (cut)"),
            "of ****... (cut)"
        );
        assert_eq!(
            hidden("hunter2hunter2", "the hunter2h goes on"),
            "the hunter2h goes on"
        );
        let long = "x".repeat(LONGEST_TEXT - 8) + "hunter2hunter2";
        assert!(hidden("hunter2hunter2", &long).ends_with("xx****..."));
    }

    #[test]
    fn overlapping_secrets_are_hidden_completely() {
        let known = Known(["abcdef", "defghi", "cdef"].map(String::from).into());
        assert_eq!(known.hidden_in("<abcdefghi>"), "<****>");
        assert_eq!(known.hidden_in("<abcdefabcdef>"), "<********>");
    }
}
