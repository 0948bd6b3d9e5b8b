//! The program's own documentation: help, completions, manual pages. Needs no server.

use std::process::{Command, Output, Stdio};

use clap::CommandFactory;
use jane_migrate::cli::Cli;

use crate::printed;
use crate::transcript::assert_transcript;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jane-migrate"));
    command
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    // Empty lines of a description keep clap's indentation.
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn commands() -> Vec<String> {
    Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

#[tokio::test]
async fn every_command_explains_itself() {
    let program = run(&["--help"]);
    assert!(program.status.success());
    printed::check(&text(&program.stdout), "").await;
    assert_transcript("help/jane-migrate", &text(&program.stdout));
    for command in commands() {
        let shown = run(&[&command, "--help"]);
        assert!(shown.status.success() && shown.stderr.is_empty());
        printed::check(&text(&shown.stdout), "").await;
        assert_transcript(&format!("help/{command}"), &text(&shown.stdout));
    }
}

#[test]
fn without_arguments_the_help_is_shown() {
    let shown = run(&[]);
    assert_eq!(shown.status.code(), Some(1));
    let said = text(&shown.stderr);
    for command in [
        "sandbox --tour",
        "init --pool ID",
        "plan",
        "deploy",
        "teardown",
    ] {
        assert!(said.contains(&format!("jane-migrate {command}")), "{said}");
    }
}

#[test]
fn with_variables_set_the_help_is_still_shown() {
    let help = run(&["-h"]).stdout;
    for value in ["us-east-1", ""] {
        let shown = command(&["-h"]).env("JANE_MIGRATE_REGION", value).output();
        assert_eq!(
            text(&shown.expect("the program starts").stdout),
            text(&help)
        );
        let shown = command(&[]).env("JANE_MIGRATE_REGION", value).output();
        let shown = shown.expect("the program starts");
        assert_eq!(shown.status.code(), Some(1));
        assert_eq!(text(&shown.stderr), text(&help));
    }
}

#[test]
fn help_and_errors_respect_the_colour_settings() {
    let coloured = |arguments: &[&str]| {
        let shown = run(arguments);
        [shown.stdout, shown.stderr].concat().contains(&0x1b)
    };
    for words in [&["--help"][..], &["plan", "--nonsense"]] {
        let with = |color: &[&'static str]| [color, words].concat();
        assert!(coloured(&with(&["--color", "always"])), "{words:?}");
        assert!(coloured(&with(&["--color=always"])), "{words:?}");
        assert!(
            !coloured(&with(&["--color=always", "--color", "never"])),
            "{words:?}"
        );
        assert!(!coloured(words), "{words:?}");
    }
}

#[test]
fn a_failed_write_to_stdout_is_an_error() {
    for words in ["completions bash", "--help", "man"] {
        let program = env!("CARGO_BIN_EXE_jane-migrate");
        let shown = Command::new("bash")
            .args(["-c", &format!("'{program}' {words} > /dev/full")])
            .output()
            .expect("bash starts");
        assert_eq!(shown.status.code(), Some(1), "{words}");
        assert!(
            text(&shown.stderr).contains("No space left"),
            "{words}: {shown:?}"
        );
    }
}

#[test]
fn invalid_values_are_rejected_at_once() {
    for (arguments, expected) in [
        (
            &["plan", "--endpoint-url", "foo"][..],
            "http://127.0.0.1:4566",
        ),
        (&["try", "--user", ""], "--user"),
        (&["init", "--total-users", "0"], "1 or more"),
        (&["init", "--client-id", "a\nb"], "one line"),
    ] {
        let shown = run(arguments);
        assert_eq!(shown.status.code(), Some(1), "{arguments:?}");
        assert!(text(&shown.stderr).contains(expected), "{shown:?}");
    }
}

#[test]
fn a_wrong_flag_is_one_json_document_too() {
    let shown = run(&["plan", "--json", "--nonsense"]);
    assert_eq!(shown.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let message = document["error"]["message"].as_str().expect("a message");
    assert_eq!(message, "unexpected argument '--nonsense' found");
    assert!(text(&shown.stderr).contains("--nonsense"));
}

#[test]
fn every_shell_gets_completions_that_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let shown = run(&["completions", shell]);
        assert!(shown.status.success(), "{shell}");
        let script = text(&shown.stdout);
        for command in commands() {
            assert!(
                script.contains(&command),
                "the completions for {shell} lack {command}"
            );
        }
    }
}

#[test]
fn bash_completes_with_the_script() {
    let script = run(&["completions", "bash"]).stdout;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("completions");
    std::fs::write(&file, script).expect("written");
    let asked = "source \"$1\"; COMP_WORDS=(jane-migrate deploy --enable); COMP_CWORD=2; COMP_LINE='jane-migrate deploy --enable'; _jane__migrate jane-migrate --enable deploy; echo \"${COMPREPLY[@]}\"";
    let answered = Command::new("bash")
        .args(["--norc", "-c", asked, "bash"])
        .arg(&file)
        .output()
        .expect("bash starts");
    assert_eq!(
        text(&answered.stdout),
        "--enable-password-auth",
        "{answered:?}"
    );
}

#[test]
fn completions_are_installed_where_the_shell_looks() {
    let home = tempfile::tempdir().expect("a home");
    let install = |shell: &str, more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_jane-migrate"))
            .args([&["completions", "--install"], more].concat())
            .env_clear()
            .envs([("HOME", home.path()), ("SHELL", shell.as_ref())])
            .output()
            .expect("the program starts")
    };
    for (shell, file) in [
        (
            "bash",
            ".local/share/bash-completion/completions/jane-migrate",
        ),
        ("zsh", ".local/share/zsh/site-functions/_jane-migrate"),
        ("fish", ".config/fish/completions/jane-migrate.fish"),
    ] {
        let ended = install(&format!("/usr/bin/{shell}"), &[]);
        assert!(ended.status.success(), "{ended:?}");
        let file = home.path().join(file);
        assert!(
            text(&ended.stderr).contains(&file.display().to_string()),
            "{ended:?}"
        );
        let installed = std::fs::read(file).expect("the completions");
        assert_eq!(installed, run(&["completions", shell]).stdout);
    }
    for (shell, more) in [("/bin/ksh", &[][..]), ("/bin/bash", &["elvish"])] {
        let refused = install(shell, more);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(text(&refused.stderr).contains("hint: "), "{refused:?}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let written = run(&["man", "--output", pages.to_str().expect("a path")]);
    assert!(written.status.success(), "{written:?}");
    for command in commands() {
        let page = std::fs::read(pages.join(format!("jane-migrate-{command}.1"))).expect("a page");
        assert_eq!(text(&page), text(&run(&["man", &command]).stdout));
        assert!(text(&page).contains(".SH SYNOPSIS"), "{command}");
    }
    let program = text(&run(&["man"]).stdout);
    assert_eq!(
        text(&std::fs::read(pages.join("jane-migrate.1")).expect("a page")),
        program
    );
    assert!(program.contains("\\-\\-profile"), "{program}");
    let missing = run(&["man", "nonsense"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("hint: "), "{missing:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    // `head -1` ends before the rest is written.
    let program = env!("CARGO_BIN_EXE_jane-migrate");
    let piped = format!("set -o pipefail; '{program}' completions bash | head -1");
    let shown = Command::new("bash")
        .args(["-c", &piped])
        .output()
        .expect("bash starts");
    assert!(shown.status.success(), "{shown:?}");
    assert!(shown.stderr.is_empty(), "{shown:?}");
}
