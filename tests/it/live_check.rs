//! `docs/live-check.sh`, the script for a live account, run with the AWS CLI in a sandbox that checks callers as AWS does. What
//! only Cognito can show is not tested here.

use std::path::Path;

use jane_migrate_sandbox::{Callers, Options, Sandbox};
use serde_json::json;

use crate::support::{Corner, REGION, Ran, aws_cli, cache};

#[tokio::test]
async fn the_live_check_passes_in_the_sandbox_asks_first_and_leaves_nothing() {
    let options = Options {
        callers: Callers::Checked,
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let cli = aws_cli().await;
    let corner = Corner::of(&sandbox).await;
    let bin = cli.python().parent().expect("a folder").to_owned();
    // The emulator does not evaluate the resources or conditions of these, and checks them for `*`; and it treats each call about one alias as
    // the call that lists all. AWS does neither.
    let widen = r#"jane-migrate() { command jane-migrate "$@" | if [[ "$1" == policy ]]; then python3 -c '
import json, sys
d = json.load(sys.stdin)
asked = {"logs:DescribeLogGroups": "logs:DescribeLogGroups", "lambda:CreateFunction": "lambda:CreateFunction",
         "lambda:AddPermission": "lambda:AddPermission", "logs:GetQueryResults": "logs:GetQueryResults",
         "lambda:GetAlias": "lambda:ListAliases"}
blurred = [asked[a] for a in asked if any(a in s["Action"] for s in d["Statement"])]
d["Statement"].append({"Effect": "Allow", "Action": blurred, "Resource": "*"})
print(json.dumps(d))'; else cat; fi; }; export -f jane-migrate; "#;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live-check.sh");
    let check = async |before: &str, account: &str| {
        let mut command = corner.shell(&format!(
            "{before} export PATH=\"$PATH:{}\"; bash '{}'",
            bin.display(),
            script.display()
        ));
        command.envs([
            ("AWS_REGION", REGION),
            ("SETTLE", "0"),
            ("ACCOUNT", account),
        ]);
        Ran::of(command).await
    };
    for (another, expected) in [
        ("", format!("set ACCOUNT={}", corner.account)),
        ("210987654321", "ACCOUNT is 210987654321".into()),
    ] {
        let ran = check("", another).await.ended(1);
        assert!(
            ran.stderr.contains(&expected) && ran.stdout.contains("This is NOT AWS"),
            "{ran:#?}"
        );
        assert!(!ran.stdout.contains("== "), "a step was started: {ran:#?}");
    }
    // An interruption while a pool is created: the pool exists, and its id was never printed.
    let lost = r#"aws() { if [[ $2 == create-user-pool ]]; then command aws "$@" >/dev/null; return 1; fi; command aws "$@"; }; export -f aws; "#;
    for (before, code, expected) in [
        (lost, 1, "Removing everything"),
        (widen, 0, "Everything was as expected."),
    ] {
        let ran = check(before, &corner.account).await.ended(code);
        assert!(ran.stdout.contains(expected), "{ran:#?}");
        let pools = corner
            .cognito("ListUserPools", json!({ "MaxResults": 60 }))
            .await;
        assert_eq!(pools["UserPools"], json!([]), "{ran:#?}");
        let report = corner.folder.path().join("live-check-report.txt");
        let report = std::fs::read_to_string(report).expect("a report");
        assert!(
            report.contains(expected) && !report.contains(&corner.account),
            "{report}"
        );
    }
    sandbox.stop().await.expect("stopped");
}
