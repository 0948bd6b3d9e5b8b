//! SARIF 2.1.0 for code scanning: a rule per check, a result for each check that does not hold. An accepted finding is a
//! suppressed result; a check that could not be made is a notification.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Document, Written, details};
use jane_migrate_core::check::checks;
use jane_migrate_core::finding::Severity;

/// One document for all pools. Results are located in the configuration file, the only file of a pool in a repository. `content`
/// is the file's text, if it can be read: a finding about one of its tables is located at that table's line.
pub fn sarif(documents: &[Document<'_>], file: &str, content: &str) -> Value {
    let rules: Vec<Value> = checks()
        .map(|check| {
            let help = format!(
                "It holds where {}. `jane-migrate explain {}` says when it is made and what it means for a deploy; each result has the command that mends it.",
                check.holds, check.id
            );
            json!({
                "id": check.id,
                "shortDescription": { "text": check.holds },
                "fullDescription": { "text": format!("Otherwise it is {}.", match check.severity {
                    Severity::Error => "an error: sign-ins fail or leak",
                    Severity::Warning => "a warning, which fails verify only with --strict",
                }) },
                "help": { "text": help },
                "defaultConfiguration": { "level": level(check.severity) },
            })
        })
        .collect();
    let every = || {
        documents.iter().flat_map(|document| {
            document
                .findings
                .iter()
                .map(|finding| (document.pool, finding))
        })
    };
    let results: Vec<Value> = every()
        .filter(|(_, finding)| !finding.ok && !finding.unknown)
        .map(|(pool, finding)| result(pool, finding, file, line_of(content, finding.id)))
        .collect();
    let notifications: Vec<Value> = every()
        .filter(|(_, finding)| finding.unknown)
        .map(|(pool, finding)| {
            let mut notification = json!({
                "level": match finding.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "message": { "text": text(pool, finding) },
            });
            // A pool that could not be read belongs to no check.
            if checks().any(|check| check.id == finding.id) {
                notification["associatedRule"] = json!({ "id": finding.id });
            }
            notification
        })
        .collect();
    let mut driver = json!({
        "name": "jane-migrate",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    // Empty until Cargo.toml names the project's address, which a release must have.
    let address = env!("CARGO_PKG_REPOSITORY");
    if !address.is_empty() {
        driver["informationUri"] = address.into();
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

/// The line of the table that a check is about; the first line if there is no such table.
fn line_of(text: &str, id: &str) -> usize {
    let table = match id.split('-').next().unwrap_or_default() {
        "window" => "[window]",
        "function" | "concurrency" | "env" | "hash" | "log" => "[function]",
        "attributes" => "[attributes]",
        "secret" | "environment" | "role" => "[directory]",
        "client" => "[pool]",
        _ if ["sign-up-guard", "jane-connection"].contains(&id) => "[triggers]",
        _ => return 1,
    };
    let at = text
        .lines()
        .position(|line| line.trim_start().starts_with(table));
    at.map_or(1, |line| line + 1)
}

/// A path as a URI: characters that need no escape stay.
fn uri(file: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    let path = file.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(path, ESCAPED))
}

fn result(pool: &str, finding: &Written, file: &str, line: usize) -> Value {
    let subject = finding.subject.iter();
    let mut fingerprint = format!("{pool}/{}", finding.id);
    fingerprint.extend(subject.flat_map(|subject| ["/", subject]));
    let index = checks().position(|check| check.id == finding.id);
    let mut result = json!({
        "ruleId": finding.id,
        "level": level(finding.severity),
        "message": { "text": text(pool, finding) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(file) },
                "region": { "startLine": line },
            },
            "logicalLocations": [{ "fullyQualifiedName": pool, "kind": "resource" }],
        }],
        // The same finding in the next run is the same alert.
        "partialFingerprints": { "poolAndCheck/v1": fingerprint },
    });
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    if let Some(reason) = &finding.accepted {
        result["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
    }
    result
}

fn text(pool: &str, finding: &Written) -> String {
    let mut text = format!("Pool {pool}: {}", finding.message);
    for (label, value) in details(finding) {
        text.push_str(&format!("\n{label}: {value}"));
    }
    text
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_located_on_the_line_of_its_table() {
        let text = "[directory]\nkind = \"jane\"\n\n  [window]\ncloses = 2027-03-31\n";
        assert_eq!(line_of(text, "window-open"), 4);
        assert_eq!(line_of(text, "secret-exists"), 1);
        assert_eq!(line_of(text, "function-code"), 1);
        assert_eq!(line_of(text, "trigger-registered"), 1);
        let triggers = format!("{text}[triggers]\n");
        assert_eq!(line_of(&triggers, "sign-up-guard"), 6);
        assert_eq!(line_of(&triggers, "jane-knows-client"), 1);
    }
}
