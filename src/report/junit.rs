//! JUnit's XML for Jenkins, GitLab and others: a suite per pool, a case per finding. A warning passes unless `strict`; an
//! accepted finding is skipped, and a check that could not be made is an error.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Document, Written, details, fails, hides_failure};
use crate::error::{Error, Result};

/// The whole report.
///
/// # Errors
/// The report could not be written as XML.
pub fn junit(documents: &[Document<'_>], strict: bool) -> Result<String> {
    let mut report = Report::new("jane-migrate verify");
    for document in documents {
        let mut suite = TestSuite::new(document.pool);
        let cases = document.findings.iter();
        suite.add_test_cases(cases.map(|finding| case(document.pool, finding, strict)));
        report.add_test_suite(suite);
    }
    let xml = report
        .to_string()
        .map_err(|error| Error::bug(format!("failed to write XML: {error}")))?;
    Ok(as_jenkins_reads_it(&xml))
}

/// Jenkins' schema allows the count of skipped tests on a suite, but not on all suites together.
fn as_jenkins_reads_it(xml: &str) -> String {
    let count = xml.find("<testsuites").and_then(|root| {
        let root_end = root + xml[root..].find('>')?;
        let begin = root + xml[root..root_end].find(" skipped=\"")?;
        let value = begin + " skipped=\"".len();
        let end = value + xml[value..root_end].find('"')? + 1;
        Some(begin..end)
    });
    let mut xml = xml.trim_end().to_owned();
    if let Some(count) = count {
        xml.replace_range(count, "");
    }
    xml
}

fn case(pool: &str, finding: &Written, strict: bool) -> TestCase {
    let name = match &finding.subject {
        Some(subject) => format!("{} ({subject})", finding.id),
        None => finding.id.to_owned(),
    };
    let said: Vec<String> = details(finding)
        .map(|(label, value)| format!("{label}: {value}"))
        .collect();
    let said = said.join("\n");
    let passes = || TestCase::new(&*name, TestCaseStatus::success());
    let mut case = if finding.ok {
        passes()
    } else if hides_failure(finding, strict) {
        let status = not_passed(NonSuccessKind::Error, "unchecked", finding, said);
        TestCase::new(&*name, status)
    } else if let Some(reason) = &finding.accepted {
        let mut status = TestCaseStatus::skipped();
        // Jenkins reads no message of a skipped test.
        status.set_description(format!("{}; accepted: {reason}", finding.message));
        TestCase::new(&*name, status)
    } else if fails(finding, strict) {
        let status = not_passed(NonSuccessKind::Failure, finding.id, finding, said);
        TestCase::new(&*name, status)
    } else if finding.unknown {
        let mut status = TestCaseStatus::skipped();
        status.set_description(finding.message.clone());
        TestCase::new(&*name, status)
    } else {
        let mut case = passes();
        case.set_system_out(format!("warning: {}\n{said}", finding.message));
        case
    };
    case.set_classname(pool);
    case
}

fn not_passed(kind: NonSuccessKind, what: &str, finding: &Written, said: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(what)
        .set_message(&*finding.message)
        .set_description(said);
    status
}

#[cfg(test)]
mod tests {
    use jane_migrate_core::finding::{Finding, Severity};
    use jane_migrate_core::fix::Flags;

    use super::*;
    use crate::report::written;

    #[test]
    fn the_report_counts_failures_and_each_suite_its_skipped_checks() {
        let failed = Finding::failed("a", Severity::Error, "m", "e", "f", "fix");
        let accepted = Finding {
            accepted: Some("known > fine".into()),
            ..failed.clone()
        };
        let unknown = Finding::unchecked("c", Severity::Error, "denied");
        let findings = written(vec![failed, accepted, unknown], &Flags::default());
        let document = Document {
            pool: "p",
            findings: &findings,
            ok: false,
        };
        let xml = junit(&[document], false).unwrap();
        let line = |tag: &str| xml.lines().find(|line| line.contains(tag)).unwrap();
        let (root, suite) = (line("<testsuites "), line("<testsuite "));
        for count in ["tests=\"3\"", "failures=\"1\"", "errors=\"1\""] {
            assert!(root.contains(count) && suite.contains(count), "{xml}");
        }
        assert!(
            !root.contains("skipped=") && suite.contains("skipped=\"1\""),
            "{xml}"
        );
    }
}
