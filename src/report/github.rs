//! GitHub's workflow commands: an annotation on the configuration file for each check that does not hold.

use jane_migrate_core::line::steers;

use super::{Document, details, fails, hides_failure};

/// One command per line. A check that holds prints nothing.
pub fn github(documents: &[Document<'_>], file: &str, strict: bool) -> String {
    let mut lines = Vec::new();
    for document in documents {
        for finding in document.findings.iter().filter(|finding| !finding.ok) {
            let level = match finding {
                _ if finding.accepted.is_some() => "notice",
                _ if hides_failure(finding, strict) || fails(finding, strict) => "error",
                _ => "warning",
            };
            let mut text = format!("pool {}: {}", document.pool, finding.message);
            for (label, value) in details(finding) {
                text.push_str(&format!("\n{label}: {value}"));
            }
            lines.push(format!(
                "::{level} file={},title={}::{}",
                property(file),
                property(finding.id),
                data(&text)
            ));
        }
    }
    lines.join("\n")
}

/// A line break would end the command, and `%` starts an escape. Other control characters would act in GitHub's own
/// log.
fn data(text: &str) -> String {
    text.replace(|c| steers(c) && !matches!(c, '\r' | '\n'), "?")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
