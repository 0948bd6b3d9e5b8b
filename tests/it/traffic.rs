//! The program sends data to AWS and to the configured directory only: a library that is loaded before the libc records each
//! connection of its processes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::{Corner, Ran};

/// The addresses that the processes of these commands connected to and looked up.
async fn traffic(corner: &Corner, library: &Path, lines: &[String]) -> BTreeSet<String> {
    let file = corner.folder.path().join("traffic");
    for line in lines {
        let mut shell = corner.shell(line);
        shell.env("LD_PRELOAD", library).env("TRAFFIC", &file);
        Ran::of(shell).await.ended(0);
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    written.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn data_is_sent_only_to_aws_and_the_directory() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    let pool = corner.create_pool(closed).await;
    corner.create_client(&pool, json!({})).await;
    let library = corner.folder.path().join("traffic.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/traffic.c");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status();
    assert!(built.expect("cc").success());
    let of_url = |url: &str| {
        let (_, host) = url.split_once("://").expect("a URL");
        format!("connect {}", host.trim_end_matches('/').replace(':', " "))
    };
    // A call that should be recorded is recorded.
    let seen = traffic(
        &corner,
        &library,
        &["getent hosts elsewhere.invalid || exec 3<>/dev/tcp/127.0.0.1/9 || true".into()],
    )
    .await;
    assert!(seen.contains("connect 127.0.0.1 9"), "{seen:?}");
    std::fs::remove_file(corner.folder.path().join("traffic")).expect("there");

    let commands = [
        "plan",
        "deploy --yes",
        "verify --probe",
        "doctor",
        "status",
        "try --forgot-password --user sso@example.com",
        "connect",
        "policy",
        "coexist --for terraform",
        "teardown --yes --force",
    ];
    let mut lines: Vec<String> = commands
        .iter()
        .map(|command| format!("jane-migrate {command} --pool {pool}"))
        .collect();
    lines.extend(
        [
            "jane-migrate --version",
            "jane-migrate example",
            "jane-migrate explain health",
        ]
        .map(str::to_owned),
    );
    let seen = traffic(&corner, &library, &lines).await;
    let allowed: BTreeSet<String> = [of_url(&corner.endpoint), of_url(&corner.jane.url())].into();
    assert_eq!(seen, allowed);
}
