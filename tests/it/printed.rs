//! The commands that the program prints, as fixes, hints and next steps: each must run as it stands. The program's own parser
//! parses its own commands; those of the AWS CLI must name an existing service, operation and flags. Every run of the program by
//! the tests is checked. Text is read as in a pipe: on a terminal lines may be wrapped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use clap::{CommandFactory, Parser};
use jane_migrate::cli::Cli;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::support::{aws_cli, cache};

/// The words before a command that takes the rest of its line.
const INTRODUCTIONS: [&str; 6] = ["fix: ", "hint: ", "Next: ", "next: ", "$ ", "run: "];

/// Keys of JSON documents whose text may start with a command.
const KEYS: [&str; 3] = ["fix", "hint", "next"];

/// Commands of the AWS CLI that are no operation of a service.
const AWS_ALONE: [&str; 4] = ["sso login", "login", "configure ", "logs tail "];

/// Flags of the AWS CLI for every operation.
const AWS_FLAGS: [&str; 9] = [
    "cli-binary-format",
    "cli-input-json",
    "endpoint-url",
    "no-cli-pager",
    "output",
    "profile",
    "query",
    "region",
    "generate-cli-skeleton",
];

/// Fails the test if the program printed an invalid command.
pub async fn check(stdout: &str, stderr: &str) {
    let mut commands = BTreeSet::new();
    match serde_json::from_str::<Value>(stdout) {
        Ok(document) if document.is_object() || document.is_array() => {
            of_json(&document, "", &mut commands);
        }
        _ if stdout.starts_with("<?xml") => of_text(&without_markup(stdout), &mut commands),
        _ => of_text(stdout, &mut commands),
    }
    of_text(stderr, &mut commands);
    for command in commands {
        if let Err(problem) = understood(&command).await {
            panic!("printed: `{command}`\n{problem}\nby:\n{stdout}\n{stderr}");
        }
    }
}

/// The texts of an XML document, each on its own lines.
fn without_markup(xml: &str) -> String {
    let texts: Vec<&str> = xml
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1))
        .collect();
    let text = texts.join("\n").replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&#39;", "'").replace("&amp;", "&")
}

fn is_command(text: &str) -> bool {
    let ours = text.strip_prefix("jane-migrate ").is_some_and(|rest| {
        let first = rest.split_whitespace().next().unwrap_or_default();
        first.starts_with('-') || COMMANDS.contains(first)
    });
    ours || text.starts_with("aws ")
}

/// The program's own commands.
static COMMANDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let program = Cli::command();
    program
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
});

fn of_json(value: &Value, key: &str, commands: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if KEYS.contains(&key) && is_command(text) && !text.contains('`') {
                commands.insert(text.clone());
            }
            quoted(text, commands);
        }
        Value::Array(values) => values.iter().for_each(|v| of_json(v, key, commands)),
        Value::Object(members) => members
            .iter()
            .for_each(|(key, v)| of_json(v, key, commands)),
        _ => {}
    }
}

fn of_text(text: &str, commands: &mut BTreeSet<String>) {
    // One line of GitHub's format contains several lines.
    let text = text.replace("%0A", "\n").replace("%25", "%");
    for line in text.lines() {
        quoted(line, commands);
        if line.contains('`') {
            continue;
        }
        let line = line.trim_start_matches([' ', '#']);
        let rest = INTRODUCTIONS
            .iter()
            .find_map(|introduction| Some(line.split_once(introduction)?.1))
            .unwrap_or(line);
        if is_command(rest) {
            // An explanation may follow it.
            commands.insert(rest.split("  ").next().unwrap_or(rest).to_owned());
        }
    }
}

/// The commands between backticks.
fn quoted(text: &str, commands: &mut BTreeSet<String>) {
    let quoted = text.split('`').skip(1).step_by(2);
    commands.extend(quoted.filter(|text| is_command(text)).map(str::to_owned));
}

/// Whether a shell line consists of existing commands.
async fn understood(line: &str) -> Result<(), String> {
    let words = shlex::split(line).ok_or("its quotes do not match")?;
    let mut command: Vec<String> = Vec::new();
    let mut commands = Vec::new();
    for word in words {
        let (word, ends) = match word.as_str() {
            "|" | "||" | "&&" | ";" => ("", true),
            word => match word.strip_suffix(';') {
                Some(word) => (word, true),
                None => (word, false),
            },
        };
        if !word.is_empty() {
            command.push(word.to_owned());
        }
        if ends {
            commands.push(std::mem::take(&mut command));
        }
    }
    commands.push(command);
    for mut command in commands {
        if let Some(end) = command
            .iter()
            .position(|word| word.starts_with(['>', '<', '#']))
        {
            command.truncate(end);
        }
        match command.first().map(String::as_str) {
            Some("jane-migrate") => ours(&command)?,
            Some("aws") => of_aws(&command[1..]).await?,
            _ => {}
        }
    }
    Ok(())
}

fn ours(words: &[String]) -> Result<(), String> {
    // A placeholder is a value that the reader must fill in.
    let words = words.iter().map(|word| match word.as_str() {
        "ID" => "us-east-1_AbC123456",
        "DUTY" => "deploy",
        word => word,
    });
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

async fn of_aws(words: &[String]) -> Result<(), String> {
    let line = words.join(" ");
    let waits = words.get(1).is_some_and(|word| word == "wait");
    if waits || AWS_ALONE.iter().any(|alone| line.starts_with(alone)) {
        return Ok(());
    }
    let [service, operation, rest @ ..] = words else {
        return Err(format!("`aws {line}` names no operation"));
    };
    let operations = operations(service).await?;
    let flags = operations
        .get(operation)
        .ok_or_else(|| format!("aws {service} has no operation `{operation}`"))?;
    for flag in rest.iter().filter_map(|word| word.strip_prefix("--")) {
        let flag = flag.split('=').next().unwrap_or_default();
        let known = |flag: &str| flags.contains(flag) || AWS_FLAGS.contains(&flag);
        if !known(flag) && !flag.strip_prefix("no-").is_some_and(known) {
            return Err(format!("aws {service} {operation} has no flag --{flag}"));
        }
    }
    Ok(())
}

/// A service's operations and their flags.
type Operations = BTreeMap<String, BTreeSet<String>>;

const DESCRIBE: &str = "
import json, sys, awscli.botocore.session
from awscli.botocore import xform_name
model = awscli.botocore.session.get_session().get_service_model(sys.argv[1])
def flags(operation):
    shape = model.operation_model(operation).input_shape
    return [xform_name(name, '-') for name in (shape.members if shape else ())]
print(json.dumps({xform_name(name, '-'): flags(name) for name in model.operation_names}))
";

/// The AWS CLI's model of a service. Kept beside the emulators, because loading it with Python takes a second.
async fn operations(service: &str) -> Result<Operations, String> {
    static KNOWN: Mutex<BTreeMap<String, Operations>> = Mutex::const_new(BTreeMap::new());
    let mut known = KNOWN.lock().await;
    if let Some(operations) = known.get(service) {
        return Ok(operations.clone());
    }
    let venv = aws_cli().await;
    let kept = cache().join(format!("awscli-1.46.2/{service}.json"));
    let described = match std::fs::read(&kept) {
        Ok(described) => described,
        Err(_) => {
            let python = tokio::process::Command::new(venv.python())
                .args(["-c", DESCRIBE, service])
                .output();
            let output = python.await.expect("python runs");
            if !output.status.success() {
                return Err(format!("AWS's command line has no service `{service}`"));
            }
            std::fs::write(&kept, &output.stdout).expect("kept");
            output.stdout
        }
    };
    let operations: Operations = serde_json::from_slice(&described).expect("operations");
    known.insert(service.to_owned(), operations.clone());
    Ok(operations)
}

#[tokio::test]
async fn a_command_that_cannot_run_is_detected() {
    for wrong in [
        "jane-migrate deploy --nonsense",
        "jane-migrate deploy --pool 'us-east-1_AbC123456",
        "jane-migrate verify && jane-migrate plan --nonsense",
        "aws lambda get-nonsense",
        "aws nonsense get-function",
        "aws lambda get-function --nonsense x",
    ] {
        assert!(understood(wrong).await.is_err(), "{wrong}");
    }
    for right in [
        "jane-migrate init --pool ID",
        "jane-migrate completions bash > file",
        "aws lambda get-function --function-name 'a b' --no-cli-pager; jane-migrate deploy --yes",
        "aws sso login",
    ] {
        understood(right)
            .await
            .unwrap_or_else(|problem| panic!("{right}: {problem}"));
    }
    let mut found = BTreeSet::new();
    of_text(
        "      fix: jane-migrate deploy --yes\nhint: see `aws sts get-caller-identity`, and `x`\njane-migrate is a program\n  jane-migrate plan    shows it",
        &mut found,
    );
    let document = serde_json::json!({ "findings": [{ "fix": "aws lambda get-function", "message": "run `jane-migrate verify`" }] });
    of_json(&document, "", &mut found);
    let expected = [
        "aws lambda get-function",
        "aws sts get-caller-identity",
        "jane-migrate deploy --yes",
        "jane-migrate plan",
        "jane-migrate verify",
    ];
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
}
