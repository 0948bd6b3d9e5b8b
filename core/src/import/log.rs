//! Reads the log of an import job: the outcome of each row. It names no user, only lines, and it is not documented whether the
//! header counts.

use std::collections::BTreeMap;

/// The outcome of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The user was imported.
    Imported,
    /// The pool already had the user.
    Skipped,
    /// The user was not imported, with the service's reason.
    Failed(String),
}

/// A line of the log: `[FAILED] Line Number 7 - The user data doesn't match the schema.`
pub fn parse(message: &str) -> Option<(u64, Outcome)> {
    let (word, rest) = message
        .trim()
        .strip_prefix('[')?
        .split_once("] Line Number ")?;
    let (number, why) = rest.split_once(" - ").unwrap_or((rest, ""));
    let number = number.trim().parse().ok()?;
    let outcome = match word {
        "SUCCEEDED" => Outcome::Imported,
        "SKIPPED" => Outcome::Skipped,
        "FAILED" => Outcome::Failed(why.trim().to_owned()),
        _ => return None,
    };
    Some((number, outcome))
}

/// The outcome of each of this many rows, as far as the log shows it. It is not documented whether the first user's line is 0, 1
/// or 2; if the log fits more than one of these, no outcome is assumed.
pub fn of_rows(rows: usize, lines: &BTreeMap<u64, Outcome>) -> Vec<Option<Outcome>> {
    let unknown = || vec![None; rows];
    let (Some((least, _)), Some((most, _))) = (lines.first_key_value(), lines.last_key_value())
    else {
        return unknown();
    };
    let fits = |first: &u64| least >= first && *most < first + rows as u64;
    let mut firsts = (0..=2).filter(fits);
    match (firsts.next(), firsts.next()) {
        (Some(first), None) => (first..first + rows as u64)
            .map(|line| lines.get(&line).cloned())
            .collect(),
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: &[u64]) -> BTreeMap<u64, Outcome> {
        numbers.iter().map(|n| (*n, Outcome::Imported)).collect()
    }

    #[test]
    fn the_lines_of_the_developer_guide_are_parsed() {
        assert_eq!(
            parse("[SUCCEEDED] Line Number 5956 - The import succeeded."),
            Some((5956, Outcome::Imported))
        );
        assert_eq!(
            parse("[SKIPPED] Line Number 5956 - The user already exists."),
            Some((5956, Outcome::Skipped))
        );
        let why = "The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true).";
        assert_eq!(
            parse(&format!("[FAILED] Line Number 5956 - {why}\n")),
            Some((5956, Outcome::Failed(why.to_owned())))
        );
        for other in [
            "",
            "[FAILED] no line",
            "[NEW] Line Number 1 - x",
            "Line Number 1",
        ] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn lines_are_matched_to_rows_for_each_way_of_counting() {
        for first in 0..=2 {
            let all = of_rows(3, &lines(&[first, first + 1, first + 2]));
            assert!(all.iter().all(Option::is_some), "{first}");
        }
        assert_eq!(
            of_rows(3, &lines(&[0, 2])),
            [Some(Outcome::Imported), None, Some(Outcome::Imported)]
        );
        for ambiguous in [&[1][..], &[1, 2], &[2, 3], &[], &[7]] {
            assert_eq!(
                of_rows(3, &lines(ambiguous)),
                [None, None, None],
                "{ambiguous:?}"
            );
        }
    }
}
