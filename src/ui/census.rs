//! The counts of remaining users, for people.

use std::fmt::Write;

use jane_migrate_core::import::Category;
use jane_migrate_core::import::census::Census;

use super::layout::Layout;
use super::numbers::thousands;
use super::styles::Styles;

/// What a category means for its users.
fn meaning(category: Category) -> &'static str {
    match category {
        Category::Password => "have a password",
        Category::Sso => "have no password: they sign in through another provider",
        Category::UnverifiedAddress => {
            "have no verified address: no import takes them, a sign-in may"
        }
        Category::UnreadableHash => "have an unreadable hash: they must reset",
        Category::NotEligible => "would not migrate",
        Category::PasswordNotKnown => "are listed without a password",
    }
}

/// The figures, one per line.
pub fn sentences(census: &Census, styles: &Styles) -> String {
    let mut text = format!(
        "{} of {} users of the directory are in the pool, {} are not.\n",
        thousands(census.migrated),
        thousands(census.directory),
        thousands(census.remaining)
    );
    let mut line = |indent: usize, n: u64, what: &str| {
        let figure = format!("{:>width$}", thousands(n), width = 10 + indent);
        let line = format!("{figure}  {what}");
        let line = Layout::of(styles).wrap(&line, 12 + indent);
        let _ = writeln!(text, "{line}");
    };
    for (category, n) in &census.categories {
        line(0, *n, meaning(*category));
        let parts = match category {
            Category::Password => &census.hashes,
            Category::NotEligible => &census.not_eligible,
            _ => continue,
        };
        for (word, n) in parts {
            line(2, *n, word);
        }
    }
    if census.half_finished > 0 {
        let n = thousands(census.half_finished);
        let note = format!(
            "{n} of those in the pool never set a new password after \"forgot password\": they are there and cannot sign in yet."
        );
        let _ = writeln!(text, "{}", Layout::of(styles).wrap(&note, 0));
    }
    text
}
