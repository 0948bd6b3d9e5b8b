//! docs/reliability.md: each table in it is the result of a test, between two marks. A test checks its own table;
//! with `WRITE_RELIABILITY=1` it writes the table.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use super::Point;

/// A Markdown table.
pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        let mut table = Self(Vec::new());
        table.row(header);
        table.row(header.map(|_| "---"));
        table
    }

    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.0.push(cells.map(str::to_owned).to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// The actions of the points, in alphabetical order, because parallel calls come in any order.
pub(super) fn actions(points: &[Point]) -> BTreeSet<&str> {
    points.iter().map(|point| point.action.as_str()).collect()
}

/// Checks that the file has this table.
pub fn check(section: &str, table: &Table) {
    static WRITING: Mutex<()> = Mutex::new(());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let _one_at_a_time = WRITING.lock().unwrap_or_else(|lock| lock.into_inner());
    let file = std::fs::read_to_string(&path).expect("docs/reliability.md");
    let (begin, end) = (format!("<!-- {section} -->\n"), "<!-- end -->");
    let (before, rest) = file
        .split_once(&begin)
        .unwrap_or_else(|| panic!("docs/reliability.md has no mark {begin}"));
    let (stated, after) = rest.split_once(end).expect("a mark at the end");
    let mut found = String::from("\n");
    let _ = writeln!(found, "{table}");
    if std::env::var_os("WRITE_RELIABILITY").is_some() {
        let file = format!("{before}{begin}{found}{end}{after}");
        std::fs::write(&path, file).expect("docs/reliability.md is written");
    } else {
        assert_eq!(
            stated, found,
            "docs/reliability.md is not in step; WRITE_RELIABILITY=1 cargo test --test it safety writes it"
        );
    }
}
