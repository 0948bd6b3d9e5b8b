//! Text and tables as HTML.

use std::fmt::Write;

use jane_migrate_core::line::one_line;

/// The content of a column, which decides its style.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Text,
    Number,
    Moment,
}

impl Column {
    fn class(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Number => " class=\"number\"",
            Self::Moment => " class=\"moment\"",
        }
    }
}

/// A table with these columns.
pub(super) fn table(
    page: &mut String,
    heads: &[(&str, Column)],
    rows: impl Iterator<Item = Vec<String>>,
) {
    page.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for (head, column) in heads {
        let _ = write!(page, "<th scope=\"col\"{}>{head}</th>", column.class());
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (cell, (_, column)) in row.iter().zip(heads) {
            let _ = write!(page, "<td{}>{}</td>", column.class(), escaped(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// Text escaped for any place in the page.
pub(super) fn escaped(text: &str) -> String {
    one_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
