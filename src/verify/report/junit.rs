//! JUnit's XML, as Jenkins, GitLab and others read it: a suite a pool, a case a finding. A warning passes unless it counts; what
//! is accepted is skipped, and what could not be checked is an error.

use std::fmt::Write;

use super::{Document, details, fails};
use jane_migrate_core::finding::Finding;

/// The whole report.
pub fn junit(documents: &[Document<'_>], strict: bool) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"jane-migrate verify\">\n",
    );
    for document in documents {
        suite(&mut xml, document, strict);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, document: &Document<'_>, strict: bool) {
    let findings = document.findings;
    let count =
        |matches: &dyn Fn(&&Finding) -> bool| findings.iter().filter(|f| matches(f)).count();
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
        escaped(document.pool),
        findings.len(),
        count(&|finding| fails(finding, strict)),
        count(&|finding| finding.unknown),
        count(&|finding| finding.accepted.is_some()),
    );
    for finding in findings {
        case(xml, document.pool, finding, strict);
    }
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, pool: &str, finding: &Finding, strict: bool) {
    let name = match &finding.subject {
        Some(subject) => format!("{} ({subject})", finding.id),
        None => finding.id.to_owned(),
    };
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\"",
        escaped(pool),
        escaped(&name)
    );
    let said: Vec<String> = details(finding)
        .map(|(label, value)| format!("{label}: {value}"))
        .collect();
    let said = escaped(&said.join("\n"));
    let message = escaped(&finding.message);
    let inner = match finding {
        Finding { ok: true, .. } => {
            xml.push_str("/>\n");
            return;
        }
        Finding { unknown: true, .. } => {
            format!("<error type=\"unchecked\" message=\"{message}\">{said}</error>")
        }
        Finding {
            accepted: Some(reason),
            ..
        } => format!(
            "<skipped>{message}; accepted: {}</skipped>",
            escaped(reason)
        ),
        _ if fails(finding, strict) => {
            format!(
                "<failure type=\"{}\" message=\"{message}\">{said}</failure>",
                finding.id
            )
        }
        _ => format!("<system-out>warning: {message}\n{said}</system-out>"),
    };
    let _ = writeln!(xml, ">{inner}</testcase>");
}

/// Text between tags or quotes. XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
