//! Users read plain words: no text of the program, of the sandbox, of their scripts or of the documentation contains one of the words
//! that made earlier texts hard to read. CONTRIBUTING.md has the glossary.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// Hard words, each with what to write instead.
const HARD: [(&str, &str); 9] = [
    ("whoever", "name the person or program"),
    ("nobody", "no user, no other caller"),
    ("somebody", "name the person or program"),
    ("anybody", "every caller, a stranger"),
    ("everybody", "all users"),
    ("come over", "migrate"),
    ("came over", "migrated"),
    ("comes over", "migrates"),
    ("told the same", "get the same response"),
];

/// Names that contain such a word: an id that scripts rely on, an address.
const NAMES: [&str; 2] = ["migrates-nobody", "nobody@"];

#[test]
fn texts_for_users_contain_only_plain_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "src",
        "core/src",
        "config/src",
        "handler/src",
        "sandbox/src",
    ] {
        for file in files(&root.join(folder), "rs") {
            let code = fs::read_to_string(&file).expect("a source");
            // Tests are at the end of a file, or in separate files.
            let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let path = file.strip_prefix(root).expect("a file of the repository");
            if path.to_string_lossy().contains("test") || path.ends_with("fixtures.rs") {
                continue;
            }
            // Comments on the types of the command line and of the file are help texts.
            let helps = ["/cli.rs", "/cli/"]
                .iter()
                .any(|name| file.to_string_lossy().contains(name))
                || code.contains("ValueEnum)]")
                || folder == "config/src";
            let mut texts = Vec::new();
            if let Ok(tokens) = code.parse() {
                literals(tokens, helps, &mut texts);
            }
            for text in texts {
                hard(&text, &file, &mut found);
            }
        }
    }
    let scripts = [
        files(&root.join("docs"), "sh"),
        files(&root.join("packaging"), "sh"),
        files(&root.join("sandbox/python"), "py"),
        ["action.yml", "templates/verify.yml"]
            .map(|name| root.join(name))
            .into(),
    ];
    for file in scripts.iter().flatten() {
        for line in fs::read_to_string(file).expect("a script").lines() {
            hard(line, file, &mut found);
        }
    }
    let documents = files(&root.join("docs"), "md").into_iter().chain(
        [
            "README.md",
            "RELIABILITY.md",
            "SECURITY.md",
            "migrate.example.toml",
        ]
        .map(|name| root.join(name)),
    );
    for file in documents {
        for line in fs::read_to_string(&file).expect("a page").lines() {
            // Names of tests are in code marks.
            let prose: String = line.split('`').step_by(2).collect();
            hard(&prose, &file, &mut found);
        }
    }
    assert!(
        found.is_empty(),
        "{} hard texts:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The string literals in code; with `helps` also the documentation comments.
fn literals(tokens: TokenStream, helps: bool, texts: &mut Vec<String>) {
    let mut after_doc = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => literals(group.stream(), helps, texts),
            TokenTree::Ident(name) => after_doc = name == "doc",
            TokenTree::Literal(text) => {
                let text = text.to_string();
                if text.contains('"') && (helps || !after_doc) {
                    texts.push(text);
                }
                after_doc = false;
            }
            TokenTree::Punct(_) => {}
        }
    }
}

fn hard(text: &str, file: &Path, found: &mut Vec<String>) {
    let mut lower = text.to_lowercase();
    for name in NAMES {
        lower = lower.replace(name, "");
    }
    let is_letter = |c: char| c.is_alphanumeric();
    for (word, instead) in HARD {
        let alone = lower.match_indices(word).any(|(at, _)| {
            !lower[..at].ends_with(is_letter) && !lower[at + word.len()..].starts_with(is_letter)
        });
        if alone {
            found.push(format!("{}: `{word}` ({instead}): {text}", file.display()));
        }
    }
}
