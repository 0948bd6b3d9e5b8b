//! The documentation of an outcome, a reason or an error: the rows of its tables, which are part of the program, so that the
//! docs, `status`, `doctor` and `explain` use the same text. Owns finding a row and turning its Markdown into plain text.

/// Outcomes and reasons of the function's log.
const LOG: &str = include_str!("../docs/while-it-runs.md");

/// Where the pages are.
const SITE: &str = "docs";

/// Errors, by their text.
const ERRORS: &str = include_str!("../docs/troubleshooting.md");

/// The documentation of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, or the error's text.
    pub name: String,
    /// What it means, or why it happens.
    pub means: String,
    /// What to do about it; empty if there is nothing to do.
    pub todo: String,
}

/// What an outcome of the log means.
pub fn outcome(name: &str) -> Option<Entry> {
    named(LOG, "outcome", name)
}

/// All outcomes that the handler logs.
pub fn outcomes() -> Vec<String> {
    rows(LOG)
        .filter(|(table, _)| table == "outcome")
        .flat_map(|(_, entry)| {
            let names = entry.name.split(", ").map(str::to_owned);
            names.collect::<Vec<_>>()
        })
        .collect()
}

/// What a reason in the log means. A reason with details, such as `$1$: unknown format`, has no entry.
pub fn reason(name: &str) -> Option<Entry> {
    named(LOG, "reason", name)
}

/// The errors whose text contains these words.
pub fn errors(words: &str) -> Vec<Entry> {
    let words = words.to_lowercase();
    rows(ERRORS)
        .map(|(_, entry)| entry)
        .filter(|entry| entry.name.to_lowercase().contains(&words))
        .collect()
}

fn named(page: &str, head: &str, name: &str) -> Option<Entry> {
    rows(page)
        .find(|(table, entry)| table == head && entry.name.split(", ").any(|each| each == name))
        .map(|(_, entry)| entry)
}

/// The rows of all tables with three columns, each with the heading of its table's first column.
fn rows(page: &str) -> impl Iterator<Item = (String, Entry)> {
    let mut head = String::new();
    page.lines().filter_map(move |line| {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix(" |"))
        else {
            if !line.starts_with("|-") {
                head.clear();
            }
            return None;
        };
        let cells: Vec<String> = row.split(" | ").map(plain).collect();
        if head.is_empty() {
            head.clone_from(&cells[0]);
            return None;
        }
        let mut cells = cells.into_iter();
        let entry = Entry {
            name: cells.next()?,
            means: cells.next()?,
            todo: cells.next().unwrap_or_default(),
        };
        Some((head.clone(), entry))
    })
}

/// The text without links, code marks and emphasis.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown.trim().trim_end_matches('|').trim();
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        match link
            .split_once("](")
            .and_then(|(name, after)| Some((name, after.split_once(')')?)))
        {
            Some((name, (target, after))) => {
                text.push_str(name);
                // A link to another page becomes its name; a link within the page is just its text.
                let page = target.split('#').next().unwrap_or_default();
                if page.ends_with(".md") {
                    text.push_str(&format!(" ({SITE}/{})", page.trim_start_matches("../")));
                }
                rest = after;
            }
            None => {
                text.push('[');
                rest = link;
            }
        }
    }
    text.push_str(rest);
    text.replace(['`', '*'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_and_reason_has_its_row() {
        let sso = outcome("sso-only").unwrap();
        assert_eq!(sso.means, "the account has no password: Google, Apple");
        assert_eq!(sso.todo, "tell these customers of forgot password");
        assert_eq!(outcome("migrated").unwrap().todo, "");
        let secret = reason("secret").unwrap();
        assert_eq!(secret.means, "the directory's secret could not be read");
        assert!(reason("token").is_some() && outcome("token").is_none());
        assert_eq!(reason("$1$: unknown format"), None);
    }

    #[test]
    fn an_error_is_found_by_its_text() {
        let found = errors("userlambdavalidation");
        assert_eq!(found.len(), 1);
        assert!(found[0].means.starts_with("the handler threw"), "{found:?}");
        assert!(errors("no such words anywhere").is_empty());
    }

    #[test]
    fn markdown_becomes_text() {
        assert_eq!(
            plain(" see [the page](a.md#b) for `x` and *y* "),
            "see the page (docs/a.md) for x and y"
        );
        assert_eq!(plain("as [above](#b)"), "as above");
        assert_eq!(plain("a list [1, 2]"), "a list [1, 2]");
    }
}
