//! The documentation is correct: its console blocks show the program's output, its configurations are valid, its links work, the
//! tests that it names exist, and the output of the program and the handler's log is explained.
//!
//! A console block is run line by line, each file in its own test environment. Values that differ between runs (ids, times) are
//! replaced in [`steady`]. `UPDATE_TRANSCRIPTS=1 cargo test -p jane-migrate --test it docs` writes the program's output into the
//! blocks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use jane_migrate::cli::Cli;
use serde_json::json;

use crate::support::{Corner, REGION, Ran};

/// The pages' values for the pool, the account, and the web and the mobile client.
const POOL: &str = "us-west-2_AbC123456";
const ACCOUNT: &str = "123456789012";
const CLIENTS: [&str; 2] = ["1example23456789webclient0", "2example23456789mobileapp0"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path from the root.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["", "docs"]
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.strip_prefix(root()).expect("inside").to_owned())
        .collect();
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(root().join(page)).expect("a page")
}

/// A fenced block: its language, its first line's number, its lines.
struct Block<'a> {
    language: &'a str,
    line: usize,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                blocks.push(Block {
                    language,
                    line: number + 1,
                    lines: Vec::new(),
                });
            }
            None if open => blocks.last_mut().expect("an open block").lines.push(line),
            None => {}
        }
    }
    assert!(!open, "a fence is not closed");
    blocks
}

/// A pool with a web client and a mobile one that signs in with SRP only, and customers at Jane.
async fn shop() -> (Corner, String, [String; 2]) {
    let corner = Corner::new().await;
    corner.add_accounts();
    corner.configure("[triggers]\npre_sign_up = true\npost_confirmation = true\n");
    let pool = corner
        .create_pool(json!({ "PoolName": "Roots", "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } }))
        .await;
    let web = corner.create_client(&pool, json!({})).await;
    let srp = json!({ "ClientName": "mobile", "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] });
    let mobile = corner.create_client(&pool, srp).await;
    (corner, pool, [web, mobile])
}

/// The text with fixed ids and times.
fn steady(text: &str, account: &str, clients: &[String; 2]) -> String {
    let mut text = text.replace(account, ACCOUNT);
    let pool = format!("{REGION}_");
    let mut from = 0;
    while let Some(at) = text[from..].find(&pool) {
        let at = from + at;
        let end = text[at + pool.len()..]
            .find(|c: char| !c.is_ascii_alphanumeric())
            .map_or(text.len(), |end| at + pool.len() + end);
        text.replace_range(at..end, POOL);
        from = at + POOL.len();
    }
    for (client, name) in clients.iter().zip(CLIENTS) {
        text = text.replace(client, name);
    }
    text.lines()
        .map(|line| without_time(line.trim_end()) + "\n")
        .collect()
}

/// Replaces the time in `(0.3 s)`.
fn without_time(line: &str) -> String {
    let Some((before, rest)) = line.rsplit_once('(') else {
        return line.to_owned();
    };
    match rest.split_once(" s)") {
        Some((seconds, after)) if seconds.parse::<f64>().is_ok() => {
            format!("{before}(0.1 s){after}")
        }
        _ => line.to_owned(),
    }
}

/// Whether the lines are as expected; `...` stands for any number of lines.
fn matches(expected: &[&str], found: &[&str]) -> bool {
    match expected {
        [] => found.is_empty(),
        ["...", rest @ ..] => (0..=found.len()).any(|skipped| matches(rest, &found[skipped..])),
        [line, rest @ ..] => found.first() == Some(line) && matches(rest, &found[1..]),
    }
}

/// A command's output on a terminal: its data, and its errors.
async fn shown(corner: &Corner, pool: &str, clients: &[String; 2], line: &str) -> String {
    let line = line.replace(POOL, pool).replace(ACCOUNT, &corner.account);
    let ran = Ran::of(corner.shell(&line)).await;
    let mut text = ran.stdout;
    if ran.code != 0 {
        text.push_str(&ran.stderr);
    }
    steady(&text, &corner.account, clients)
}

/// Runs a page's blocks; returns those that differ, and the page as it should be.
async fn run(page: &Path) -> (Vec<String>, String) {
    let text = read(page);
    let mut differ = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let consoles: Vec<Block<'_>> = blocks(&text)
        .into_iter()
        .filter(|block| block.language == "console")
        .collect();
    if consoles.is_empty() {
        return (differ, text);
    }
    let (corner, pool, clients) = shop().await;
    let mut written = 0;
    let mut moved: isize = 0;
    for block in consoles {
        // What happens between two blocks: `<!-- sign in: NAME PASSWORD -->`.
        let between: Vec<&str> = text
            .lines()
            .skip(written)
            .take(block.line - 1 - written)
            .collect();
        for words in between
            .iter()
            .filter_map(|line| line.strip_prefix("<!-- sign in: "))
        {
            let mut words = words.trim_end_matches(" -->").split(' ');
            let (user, password) = (words.next(), words.next());
            let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": clients[0],
                "AuthParameters": { "USERNAME": user, "PASSWORD": password } });
            corner.try_cognito("InitiateAuth", body).await;
        }
        // The tour itself shows commands.
        let alone = between.contains(&"<!-- one command -->");
        written = block.line + block.lines.len() + 1;

        let mut is = Vec::new();
        let mut holds = true;
        let mut at = 0;
        while at < block.lines.len() {
            let command = block.lines[at]
                .strip_prefix("$ ")
                .unwrap_or_else(|| panic!("{}:{}: no command", page.display(), block.line + at));
            let end = match alone {
                true => block.lines.len(),
                false => block.lines[at + 1..]
                    .iter()
                    .position(|line| line.starts_with("$ "))
                    .map_or(block.lines.len(), |next| at + 1 + next),
            };
            let expected = &block.lines[at + 1..end];
            let found = shown(&corner, &pool, &clients, command).await;
            let found: Vec<&str> = found.lines().collect();
            holds &= matches(expected, &found);
            is.push(block.lines[at].to_owned());
            match expected.contains(&"...") {
                true => is.extend(expected.iter().map(|line| (*line).to_owned())),
                false => is.extend(found.iter().map(|line| (*line).to_owned())),
            }
            if !matches(expected, &found) {
                differ.push(format!(
                    "{}:{}\n$ {command}\n{}",
                    page.display(),
                    block.line + at + 1,
                    found.join("\n")
                ));
            }
            at = end;
        }
        if !holds {
            let first = block.line.checked_add_signed(moved).expect("a line");
            lines.splice(first..first + block.lines.len(), is.iter().cloned());
            moved += is.len().cast_signed() - block.lines.len().cast_signed();
        }
    }
    (differ, lines.join("\n") + "\n")
}

#[tokio::test]
async fn every_console_block_shows_the_real_output() {
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut differ = Vec::new();
    for page in pages() {
        let (these, text) = run(&page).await;
        if update && !these.is_empty() {
            fs::write(root().join(&page), text).expect("written");
        }
        differ.extend(these);
    }
    assert!(
        update || differ.is_empty(),
        "the output of these blocks has changed; review each, then run UPDATE_TRANSCRIPTS=1 cargo test -p jane-migrate --test it docs\n\n{}",
        differ.join("\n\n")
    );
}

#[test]
fn every_configuration_in_the_documentation_is_valid() {
    let mut seen = 0;
    for page in pages() {
        let text = read(&page);
        for block in blocks(&text)
            .iter()
            .filter(|block| block.language == "toml")
        {
            let place = format!("{}:{}", page.display(), block.line);
            let mut text = block.lines.join("\n");
            if !text.contains("[directory]") {
                // A part of a file: add the one table that each file needs.
                text.push_str("\n[directory]\nkind = \"jane\"\nurl = \"https://jane.example.com\"\nclient_id = \"c\"\nclient_secret = { ssm = \"/jane\" }\n");
            }
            if let Err(error) = jane_migrate_config::parse(&text, &place) {
                panic!("{error}");
            }
            seen += 1;
        }
    }
    assert!(seen > 5, "there are configurations");
    // The configurations of the released handlers.
    for entry in fs::read_dir(root().join(".github/handlers")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a configuration");
        if let Err(error) = jane_migrate_config::parse(&text, &path.display().to_string()) {
            panic!("{error}");
        }
    }
}

/// A command that is shown but not run, because it needs more than a sandbox, must at least exist.
#[test]
fn every_command_in_the_documentation_is_understood() {
    let mut seen = 0;
    for page in pages() {
        for (number, line) in read(&page).lines().enumerate() {
            let line = line.trim_start().trim_start_matches("- ");
            let line = line.trim_start_matches("run: ").trim_start_matches("$ ");
            let line = line.split("; ").next().unwrap_or_default();
            if !line.starts_with("jane-migrate ") || line.contains('─') {
                continue;
            }
            let words: Vec<String> = line
                .split(' ')
                .take_while(|word| !word.starts_with(['#', '>', '|', '&', '\\']))
                .filter(|word| !word.is_empty())
                .map(|word| word.trim_matches(['"', '\'']).replace("$POOL", POOL))
                .collect();
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{}:{}: {line}: {error}", page.display(), number + 1);
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "there are commands: {seen}");
}

/// The anchor of a heading: lower case, spaces as hyphens, without punctuation.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The text without literal parts: fenced and indented blocks, and code within a line.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if fenced || line.starts_with("```") || line.starts_with("    ") {
            continue;
        }
        for (n, part) in line.split('`').enumerate() {
            if n % 2 == 0 {
                prose.push_str(part);
            }
        }
        prose.push('\n');
    }
    prose
}

#[test]
fn every_link_works() {
    let mut dead = Vec::new();
    for page in pages() {
        let text = prose(&read(&page));
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap_or_default();
            // A test must not depend on pages of other sites.
            if link.starts_with("https://") {
                if !link
                    .parse()
                    .is_ok_and(|uri: hyper::Uri| uri.host().is_some_and(|host| host.contains('.')))
                {
                    dead.push(format!("{}: {link}", page.display()));
                }
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(&page);
            let target = match file {
                "" => folder,
                file => folder.parent().expect("a folder").join(file),
            };
            let leads = match wanted {
                "" => target.exists(),
                wanted => fs::read_to_string(&target).is_ok_and(|text| {
                    text.lines()
                        .filter_map(|line| line.strip_prefix('#'))
                        .any(|heading| anchor(heading.trim_start_matches('#')) == wanted)
                }),
            };
            if !leads {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The errors' words exist in the program, in a transcript of it, or in the sandbox in place of AWS.
#[test]
fn every_error_that_is_explained_exists() {
    let mut code = String::new();
    sources(root(), &mut code);
    code.extend(transcripts().into_iter().map(|(_, transcript)| transcript));
    // A text that rustfmt broke into several lines is one text for the reader.
    let code: String = code
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("\\ ", "");
    let page = read(Path::new("docs/troubleshooting.md"));
    // Cognito makes the errors for apps.
    let (_, explained) = page.split_once("## Credentials").expect("a chapter");
    let mut missing = Vec::new();
    for cell in first_cells(explained) {
        for words in between(cell, '`') {
            for part in words.split("...").map(str::trim) {
                let word = part.strip_suffix("Exception").unwrap_or(part);
                if !code.contains(word) {
                    missing.push(part.to_owned());
                }
            }
        }
    }
    assert!(missing.is_empty(), "no program contains {missing:#?}");
}

/// The program's output for its most likely failures, by name.
fn transcripts() -> Vec<(String, String)> {
    fs::read_dir(root().join("tests/it/transcripts/errors"))
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            (
                name.into_owned(),
                fs::read_to_string(&path).expect("a transcript"),
            )
        })
        .collect()
}

/// The first cells of the rows of a page's tables.
fn first_cells(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split('|').next())
        .map(str::trim)
}

/// The texts between pairs of a mark.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// The page contains the words of every error: some in `code`, and some in *italics*, which distinguish errors that start alike.
#[test]
fn every_error_of_the_transcripts_is_explained() {
    let page = read(Path::new("docs/troubleshooting.md"));
    let (_, page) = page.split_once("## Credentials").expect("a chapter");
    let mut missing = Vec::new();
    for (name, transcript) in transcripts() {
        let error = transcript.split("\nhint:").next().unwrap_or_default();
        let explained = first_cells(page).any(|cell| {
            let prose: String = cell.split('`').step_by(2).collect();
            let (code, italics): (Vec<&str>, Vec<&str>) =
                (between(cell, '`').collect(), between(&prose, '*').collect());
            let said = |words: &Vec<&str>| {
                words.is_empty()
                    || words
                        .iter()
                        .any(|words| words.split("...").all(|part| error.contains(part.trim())))
            };
            code.len() + italics.len() > 0 && said(&code) && said(&italics)
        });
        if !explained {
            missing.push(name);
        }
    }
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md has no row for {missing:#?}"
    );
}

/// Each kind of line in the handler's log is explained.
#[test]
fn every_outcome_and_every_reason_is_explained() {
    let outcomes = read(Path::new("handler/src/outcome.rs"));
    let (_, outcomes) = outcomes
        .split_once("impl Outcome")
        .and_then(|(_, outcomes)| outcomes.split_once("fn as_str"))
        .expect("the outcomes' names");
    let (outcomes, _) = outcomes.split_once("\n}").expect("their end");
    // An invocation that wrote no line has an outcome of `status`.
    let outcomes: BTreeSet<&str> = between(outcomes, '"').chain(["aborted"]).collect();
    let mut code = String::new();
    sources(&root().join("handler/src"), &mut code);
    let reasons: BTreeSet<&str> = code
        .split("Unavailable(")
        .skip(1)
        .flat_map(|rest| between(in_parentheses(rest), '"'))
        .chain(
            code.split("Err(\"")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once("\")")?.0))
                .filter(|word| jane_migrate_core::reason::meaning(word).is_some()),
        )
        .chain(
            code.split("reason: Some(")
                .skip(1)
                .flat_map(|rest| between(in_parentheses(rest), '"')),
        )
        .collect();
    assert!(
        outcomes.len() > 10 && reasons.len() > 10,
        "{outcomes:?} {reasons:?}"
    );

    let page = read(Path::new("docs/while-it-runs.md"));
    let explained = |from: &str, to: &str| -> BTreeSet<String> {
        let (_, table) = page.split_once(from).expect("a table");
        let (table, _) = table.split_once(to).expect("its end");
        first_cells(table)
            .filter_map(|cell| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
            .collect()
    };
    let all = |names: &BTreeSet<&str>| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(explained("\nOutcomes:", "\nReasons:"), all(&outcomes));
    assert_eq!(explained("\nReasons:", "\n## "), all(&reasons));
    for reason in reasons {
        assert!(
            jane_migrate_core::reason::meaning(reason).is_some(),
            "core/src/reason.rs has no sentence for `{reason}`"
        );
    }
}

/// The text before the parenthesis that closes the one in front of it.
fn in_parentheses(text: &str) -> &str {
    let mut open = 1;
    let end = text.find(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open == 0
    });
    &text[..end.unwrap_or(text.len())]
}

/// All of the project's Rust, as one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, text);
        } else if name.ends_with(".rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut code = String::new();
    sources(root(), &mut code);
    let known: BTreeSet<&str> = code
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let text = read(Path::new("docs/security.md"));
    let named: Vec<&str> = between(&text, '`')
        .filter(|name| {
            name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(known.contains(name), "there is no test `{name}` any more");
    }
}
