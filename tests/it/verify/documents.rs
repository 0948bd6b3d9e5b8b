//! The documentation of verify: the help lists every check, and CI systems and the program accept what the documentation
//! shows.

use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;
use jane_migrate::cli::Cli;
use jane_migrate::policy::{Duty, GRANTS};
use jane_migrate_core::check::checks;

use super::formats::matches_schema;
use crate::support::Corner;

/// The fenced blocks of a document, each with its first line.
fn blocks(document: &str) -> Vec<&str> {
    document.split("\n```").skip(1).step_by(2).collect()
}

fn documentation() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    std::fs::read_to_string(path).expect("docs/ci.md")
}

#[tokio::test]
async fn the_help_lists_every_check() {
    let corner = Corner::new().await;
    let ran = corner.run(&["verify", "--help"]).await.ended(0);
    let mut ids: Vec<&str> = checks().map(|check| check.id).collect();
    for id in &ids {
        assert!(
            ran.stdout.contains(&format!(" {id} ")),
            "{id} is not in the help"
        );
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "two checks have the same id");
    assert!(
        ids.iter()
            .all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
    );
}

#[test]
fn every_check_is_broken_by_a_test() {
    let breaks = concat!(
        include_str!("capture.rs"),
        include_str!("function.rs"),
        include_str!("pool.rs"),
        include_str!("probe.rs"),
        include_str!("secrets.rs"),
        include_str!("sign_up.rs"),
        include_str!("../alarms.rs"),
        include_str!("../companies.rs"),
        include_str!("../safety/records.rs"),
        include_str!("trigger.rs"),
    );
    for check in checks() {
        let named = format!("\"{}\"", check.id);
        assert!(breaks.contains(&named), "no test breaks {}", check.id);
    }
}

#[tokio::test]
async fn the_workflows_are_valid_for_github_and_gitlab() {
    let documentation = documentation();
    let folder = tempfile::tempdir().unwrap();
    for (named, schema) in [
        ("# .github/workflows/", "vendor.github-workflows"),
        ("# .gitlab-ci.yml", "vendor.gitlab-ci"),
    ] {
        let block = blocks(&documentation)
            .into_iter()
            .find(|block| block.contains(named))
            .unwrap_or_else(|| panic!("no {named}"));
        let yaml = block.strip_prefix("yaml\n").expect("a block of YAML");
        let file = folder.path().join(format!("{schema}.yml"));
        std::fs::write(&file, yaml).unwrap();
        matches_schema(&["--builtin-schema", schema], &file).await;
    }
}

#[test]
fn the_documentation_names_every_action_of_the_policy() {
    let documentation = documentation();
    for grant in GRANTS
        .iter()
        .filter(|grant| grant.duties.contains(&Duty::Verify))
    {
        let (_, action) = grant.action.split_once(':').expect("service:action");
        assert!(
            documentation.contains(action),
            "{} is not in docs/ci.md",
            grant.action
        );
    }
}

#[test]
fn every_command_the_documentation_shows_exists() {
    let documentation = documentation();
    let commands: Vec<&str> = documentation
        .lines()
        .filter_map(|line| line.split_once("jane-migrate verify"))
        .map(|(_, arguments)| {
            arguments
                .split(['`', '>', '|', '#'])
                .next()
                .unwrap_or_default()
        })
        .collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let arguments = command.replace("\"$POOL\"", "us-east-1_AbC123456");
        let line = std::iter::once("jane-migrate")
            .chain(std::iter::once("verify"))
            .chain(arguments.split_whitespace());
        match Cli::try_parse_from(line) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {}
            Err(error) => panic!("verify{command}: {error}"),
        }
    }
}
