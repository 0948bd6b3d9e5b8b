//! The file of an import job, parsed by the rules of the developer guide: a header, then one row per user, with a backslash
//! before each comma in a value and no quotation marks.

/// The limits of a file.
const LONGEST_ROW: usize = 16_000;
const MOST_ROWS: usize = 500_000;
pub(super) const LARGEST: usize = 100 << 20;

/// A parsed file.
pub(super) struct Sheet {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Parses a file; `None` if Cognito would be "unable to parse" it. `required` are the columns of the pool's own header.
    pub fn read(file: &[u8], required: &[String]) -> Option<Self> {
        let text = std::str::from_utf8(file).ok()?;
        if text.starts_with('\u{feff}') || file.len() > LARGEST {
            return None;
        }
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let columns = fields(lines.next()?);
        let all = required.iter().all(|column| columns.contains(column));
        let mut distinct = columns.clone();
        distinct.sort();
        distinct.dedup();
        if !all || distinct.len() != columns.len() {
            return None;
        }
        let row = |line: &str| {
            let row = fields(line);
            (line.chars().count() <= LONGEST_ROW && row.len() == columns.len()).then_some(row)
        };
        let rows: Vec<_> = lines.map(row).collect::<Option<_>>()?;
        (rows.len() <= MOST_ROWS).then_some(Self { columns, rows })
    }

    /// The value of a column in a row; none if it is empty.
    pub fn value<'a>(&self, row: &'a [String], column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|name| name == column)?;
        Some(row.get(at)?.as_str()).filter(|value| !value.is_empty())
    }
}

/// The fields of a row, without the white space around them.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = c == '\\' && chars.peek() == Some(&',');
        match c {
            ',' => fields.push(String::new()),
            _ => {
                let c = if escaped { chars.next() } else { Some(c) };
                if let (Some(field), Some(c)) = (fields.last_mut(), c) {
                    field.push(c);
                }
            }
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Option<Sheet> {
        Sheet::read(file.as_bytes(), &["email".into(), "name".into()])
    }

    #[test]
    fn a_comma_is_escaped_by_a_backslash_and_the_order_of_columns_is_free() {
        let sheet = read("name,email,password_hash\n A\\, B , a@example.com,\n").expect("a sheet");
        assert_eq!(sheet.value(&sheet.rows[0], "name"), Some("A, B"));
        assert_eq!(sheet.value(&sheet.rows[0], "email"), Some("a@example.com"));
        assert_eq!(sheet.value(&sheet.rows[0], "password_hash"), None);
        assert_eq!(sheet.value(&sheet.rows[0], "other"), None);
    }

    #[test]
    fn a_file_that_breaks_a_rule_is_not_read() {
        let long = format!("name,email\n{},x\n", "x".repeat(16_000));
        for file in [
            "",
            "name\nx\n",
            "name,email,name\nx,y,z\n",
            "name,email\nx\n",
            "name,email\nx,y,z\n",
            "\u{feff}name,email\n",
            &long,
        ] {
            assert!(read(file).is_none(), "{file:.40}");
        }
        assert!(Sheet::read(b"name,email\n\xff,x\n", &[]).is_none());
    }
}
