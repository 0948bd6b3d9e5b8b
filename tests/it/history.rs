//! `history`: deploys, rollbacks and teardowns with their principal, version and code.

use serde_json::{Value, json};

use crate::support::Corner;

#[tokio::test]
async fn the_history_lists_principals_actions_and_versions() {
    let mut corner = Corner::new().await;
    corner.environment.push(("USER".into(), "ann".into()));
    let (pool, _) = corner.deployed().await;
    corner.configure("[function]\nmemory_mb = 512\n");
    corner.deploy(&pool).await;
    let run = async |code: i32, arguments: &[&str]| {
        let ran = corner.run(&[arguments, &["--pool", &pool]].concat()).await;
        ran.ended(code)
    };
    run(0, &["rollback", "--yes"]).await;
    let document = run(0, &["history", "--json"]).await.json();
    let versions = |document: &Value| -> Vec<(String, String)> {
        let events = document["events"].as_array().expect("events").iter();
        let text = |event: &Value, key: &str| event[key].as_str().unwrap_or("-").to_owned();
        events
            .map(|event| (text(event, "what"), text(event, "version")))
            .collect()
    };
    let pair = |what: &str, version: &str| (what.to_owned(), version.to_owned());
    assert_eq!(
        versions(&document),
        [
            pair("rolled-back", "1"),
            pair("deployed", "2"),
            pair("deployed", "1")
        ],
        "{document:#}"
    );
    let root = format!("arn:aws:iam::{}:root", corner.account);
    let (aws, name) = (corner.aws().await, format!("jane-migrate-{pool}"));
    let function = aws.function(&name).await.unwrap();
    let digest = function.expect("the function").code_sha256;
    for event in document["events"].as_array().unwrap() {
        assert_eq!(event["who"], root, "{event}");
        assert_eq!(event["code_sha256"], json!(digest), "{event}");
    }
    let run_of = document["events"][1]["run"].as_str().unwrap();
    assert!(run_of.starts_with("deploy by ann at "), "{run_of}");

    // Another tool changes the code, and then everything is removed.
    run(0, &["teardown", "--yes", "--force"]).await;
    let document = run(0, &["history", "--json"]).await.json();
    assert_eq!(
        versions(&document)[0],
        pair("torn-down", "-"),
        "{document:#}"
    );
    let shown = run(0, &["history"]).await.stdout;
    let line = shown.lines().nth(1).unwrap_or_default();
    assert!(
        line.contains("torn down") && line.contains(&root),
        "{shown}"
    );
    assert!(line.contains("(by ann at "), "{shown}");
}
