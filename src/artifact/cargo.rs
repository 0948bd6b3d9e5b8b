//! Running cargo on the unpacked sources.
//!
//! Owns the command line, the environment that makes the result the same everywhere, the progress, and the error when cargo
//! fails. `route` chooses target and tools.

use std::{
    collections::{BTreeSet, VecDeque},
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

use super::{
    cache::Cache,
    environment::{self, Duty},
    progress::{OnProgress, Progress},
    route::{Choice, Route},
};
use crate::error::{Error, Explain, Result};

/// The package of the handler.
const PACKAGE: &str = "jane-migrate-handler";

/// Its executable.
const BINARY: &str = "bootstrap";

/// How many lines of cargo's output an error repeats.
const TAIL: usize = 40;

/// One run of cargo.
pub(super) struct Build<'a> {
    pub(super) cache: &'a Cache,
    pub(super) choice: &'a Choice,
    /// The feature of the handler.
    pub(super) kind: &'a str,
    /// The words before a command that cut off the network.
    pub(super) unplug: Option<&'static [&'static str]>,
}

impl Build<'_> {
    /// Compiles the handler and returns the executable.
    pub(super) async fn run(&self, progress: OnProgress<'_>) -> Result<Vec<u8>> {
        progress(Progress::Step("fetching the handler's crates"));
        let total = self.count_crates().await?;
        progress(Progress::Step("compiling the handler"));
        let mut done = BTreeSet::new();
        let subcommand = if self.choice.route == Route::Zig {
            "zigbuild"
        } else {
            "build"
        };
        let arguments = [
            "--release",
            // All dependencies were fetched: the build needs no network.
            "--offline",
            "--message-format",
            "json-render-diagnostics",
        ];
        let command = self.cargo(Duty::Build, subcommand, &arguments);
        run(command, |line| {
            if let Some((id, name)) = finished_crate(line) {
                done.insert(id);
                progress(Progress::Crate {
                    name: &name,
                    done: done.len(),
                    total: total.max(done.len()),
                });
            }
        })
        .await?;
        let executable = self
            .cache
            .target()
            .join(self.choice.target)
            .join("release")
            .join(BINARY);
        fs::read(&executable).explain(
            format_args!("failed to read `{}`", executable.display()),
            "run the command again: something removed it from the cache folder",
        )
    }

    /// The number of crates in the build. Fetches them, and runs none of their code.
    async fn count_crates(&self) -> Result<usize> {
        let mut crates = BTreeSet::new();
        let arguments = ["--edges", "normal,build", "--prefix", "none", "--no-dedupe"];
        run(self.cargo(Duty::Fetch, "tree", &arguments), |line| {
            crates.insert(line.to_owned());
        })
        .await?;
        Ok(crates.len())
    }

    fn cargo(&self, duty: Duty, subcommand: &str, arguments: &[&str]) -> Command {
        let unplug = self.unplug.filter(|_| duty == Duty::Build);
        let words = [unplug.unwrap_or_default(), &["cargo", subcommand]].concat();
        let mut command = Command::new(words[0]);
        environment::restrict(&mut command, duty);
        command
            .args(&words[1..])
            .args([
                "--package",
                PACKAGE,
                "--no-default-features",
                "--features",
                self.kind,
                "--features",
                "silent",
            ])
            .args(["--target", self.choice.target])
            .arg("--manifest-path")
            .arg(self.cache.source().join("Cargo.toml"))
            .args(arguments)
            .env("CARGO_TARGET_DIR", self.cache.target())
            .env("CARGO_TERM_COLOR", "never")
            // Overrides every other source of flags, also the operator's own configuration.
            .env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(self.cache.root()));
        for (name, value) in self.choice.environment() {
            if crate::environment::var_os(name.as_ref()).is_none() {
                command.env(name, value);
            }
        }
        command
    }
}

/// Flags that keep the paths of this machine out of the executable.
fn encoded_flags(cache: &Path) -> OsString {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut flags = OsString::new();
    for (path, name) in [(cargo_home.as_deref(), "/cargo"), (Some(cache), "/build")] {
        let Some(path) = path else { continue };
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// The crate that one of cargo's messages reports as finished: id, name.
fn finished_crate(message: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        package_id: String,
        target: Target,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let Message {
        reason,
        package_id,
        target,
    } = serde_json::from_str(message).ok()?;
    // A build script is not yet its crate, and the handler's library is not yet the handler.
    let part = target.kind.iter().any(|kind| kind == "custom-build")
        || target.name == PACKAGE.replace('-', "_");
    (reason == "compiler-artifact" && !part).then_some((package_id, target.name))
}

/// Runs a command, passes on the lines of its standard output, and fails with the last ones of its standard error. Dropping the
/// future ends the command.
async fn run(mut command: Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    let shown = shown(&command);
    let failed = |reason: String| {
        Error::new(
            format!("failed to build the handler: {reason}"),
            format!(
                "what ran was {shown}; a handler that was built elsewhere can be brought with `--artifact ZIP`"
            ),
        )
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("`cargo` did not start: {error}")))?;
    let mut tail = VecDeque::with_capacity(TAIL);
    let output = each_line(child.stdout.take(), &mut on_line);
    let errors = each_line(child.stderr.take(), |line| {
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    });
    tokio::join!(output, errors);
    let status = child
        .wait()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let tail = Vec::from(tail).join("\n");
    Err(failed(format!("cargo ended with {status}\n\n{tail}")))
}

async fn each_line(stream: Option<impl AsyncRead + Unpin>, mut on_line: impl FnMut(&str)) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // If a stream cannot be read any more, it has ended; the exit status shows the result.
    while reader
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|read| read > 0)
    {
        on_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// The command as an operator would type it.
fn shown(command: &Command) -> String {
    let command = command.as_std();
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let typed: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let directory = command.get_current_dir().unwrap_or(Path::new("."));
    format!("`{}` in `{}`", typed.join(" "), directory.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_finished_with_its_library() {
        let message = |kind: &str, name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"registry+https://x#ring@0.17.14","manifest_path":"/x",
                    "target":{{"kind":["{kind}"],"crate_types":["lib"],"name":"{name}"}},"fresh":false}}"#
            )
        };
        let done = finished_crate(&message("lib", "ring")).unwrap();
        assert_eq!(
            done,
            (
                "registry+https://x#ring@0.17.14".to_owned(),
                "ring".to_owned()
            )
        );
        assert!(finished_crate(&message("bin", "bootstrap")).is_some());
        assert!(finished_crate(&message("custom-build", "build-script-build")).is_none());
        assert!(finished_crate(&message("lib", "jane_migrate_handler")).is_none());
        assert!(finished_crate(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(finished_crate("no json").is_none());
    }

    #[tokio::test]
    async fn a_failure_contains_the_last_output_and_the_command() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 100 >&2; exit 7"]).current_dir("/");
        let error = run(command, |_| {}).await.unwrap_err();
        let words: Vec<_> = (61..=100).map(|n| n.to_string()).collect();
        assert_eq!(
            error.to_string(),
            format!(
                "failed to build the handler: cargo ended with exit status: 7\n\n{}",
                words.join("\n")
            )
        );
        assert!(
            error
                .advice()
                .contains("`sh -c seq 100 >&2; exit 7` in `/`"),
            "{}",
            error.advice()
        );
        assert!(error.advice().contains("--artifact"), "{}", error.advice());
    }

    #[tokio::test]
    async fn both_streams_are_read_while_it_runs() {
        let mut command = Command::new("sh");
        // More than a pipe's buffer, on each stream in turn: reading one after the other would hang.
        command.args([
            "-c",
            "for n in 1 2; do head -c 200000 /dev/zero >&2; head -c 200000 /dev/zero; echo; done",
        ]);
        let mut lines = 0;
        run(command, |_| lines += 1).await.unwrap();
        assert_eq!(lines, 2);
    }
}
