//! The file of an import job, by the rules of the developer guide ("Formatting the CSV file"): the pool's own header, one row per
//! user, a backslash before each comma, no quotation marks.

use std::collections::BTreeMap;

/// The limits of a file, from the same page.
pub const MOST_ROWS: usize = 500_000;
/// "The maximum CSV file size is 100 MB."
pub const MOST_BYTES: usize = 100_000_000;
/// "The maximum row length is 16,000 characters."
const LONGEST_ROW: usize = 16_000;

/// The column of the user name.
const USERNAME: &str = "cognito:username";

/// The columns of a file.
#[derive(Debug, Clone)]
pub struct Columns {
    names: Vec<String>,
    hash: String,
}

impl Columns {
    /// The pool's own header. `hash_column` is added if hashes are imported and the header does not have it.
    pub fn new(header: &[String], hash_column: &str, hashes: bool) -> Self {
        let mut names = header.to_vec();
        if hashes && !names.iter().any(|name| name == hash_column) {
            names.push(hash_column.to_owned());
        }
        Self {
            names,
            hash: hash_column.to_owned(),
        }
    }

    /// The first line.
    pub fn head(&self) -> String {
        self.names.join(",") + "\n"
    }

    /// The row of a user, with its line break. The error names an attribute that cannot be written in such a file. Attributes
    /// that the pool does not have are left out, because the header does not have them.
    pub fn row(
        &self,
        username: &str,
        attributes: &BTreeMap<String, String>,
        hash: Option<&str>,
    ) -> Result<Row, String> {
        let mut row = String::new();
        for (at, column) in self.names.iter().enumerate() {
            if at > 0 {
                row.push(',');
            }
            let value = match column.as_str() {
                USERNAME => Some(username.to_owned()),
                name if name == self.hash => hash.map(str::to_owned),
                "birthdate" => attributes.get(column).and_then(|day| american(day)),
                name => attributes.get(name).cloned(),
            };
            if let Some(value) = value {
                row += &field(&value).ok_or_else(|| column.clone())?;
            }
        }
        if username.is_empty() || username.contains([' ', '\t']) {
            return Err(USERNAME.to_owned());
        }
        if row.chars().count() > LONGEST_ROW {
            return Err("the length of the row".to_owned());
        }
        row.push('\n');
        Ok(Row(row))
    }
}

/// A row. It may contain a hash, so it does not print.
pub struct Row(String);

impl Row {
    /// Its bytes, for the file.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

/// A value as a field. `None` if the format cannot express it: a line break, a quotation mark at the start, and a backslash,
/// because only the one before a comma is documented.
fn field(value: &str) -> Option<String> {
    let value = value.trim();
    let odd = value.contains(['\n', '\r', '\\']) || value.starts_with('"');
    (!odd).then(|| value.replace(',', "\\,"))
}

/// `1985-02-01` as `02/01/1985`.
fn american(day: &str) -> Option<String> {
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{month}/{day}/{year}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(hashes: bool) -> Columns {
        let header = [
            "name",
            "birthdate",
            "cognito:mfa_enabled",
            "cognito:username",
        ];
        Columns::new(&header.map(str::to_owned), "password_hash", hashes)
    }

    fn row(username: &str, pairs: &[(&str, &str)], hash: Option<&str>) -> Result<String, String> {
        let pairs = pairs.iter();
        let attributes = pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let row = columns(hash.is_some()).row(username, &attributes, hash)?;
        assert_eq!(format!("{row:?}"), "Row");
        Ok(String::from_utf8(row.bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_row_has_the_pools_columns_in_order() {
        assert_eq!(
            columns(true).head(),
            "name,birthdate,cognito:mfa_enabled,cognito:username,password_hash\n"
        );
        assert_eq!(
            row(
                "ann",
                &[
                    ("name", " Roe, Jane "),
                    ("birthdate", "1985-02-01"),
                    ("shoe", "7")
                ],
                Some("$argon2id$v=19$m=64,t=2,p=1$x$y")
            )
            .unwrap(),
            "Roe\\, Jane,02/01/1985,,ann,$argon2id$v=19$m=64\\,t=2\\,p=1$x$y\n"
        );
        assert_eq!(row("ann", &[], None).unwrap(), ",,,ann\n");
        let listed = Columns::new(
            &["a".to_owned(), "password_hash".to_owned()],
            "password_hash",
            true,
        );
        assert_eq!(listed.head(), "a,password_hash\n");
    }

    #[test]
    fn values_that_the_format_cannot_express_are_named_and_not_changed() {
        for (value, column) in [("a\nb", "name"), ("a\\b", "name"), ("\"a\"", "name")] {
            assert_eq!(row("ann", &[("name", value)], None), Err(column.to_owned()));
        }
        assert_eq!(row("a b", &[], None), Err(USERNAME.to_owned()));
        assert_eq!(row("", &[], None), Err(USERNAME.to_owned()));
        let long = "x".repeat(16_000);
        assert!(row("ann", &[("name", &long)], None).is_err());
    }
}
