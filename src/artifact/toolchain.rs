//! The build tools on this machine.
//!
//! Owns finding them: `rustc`, its installed targets, the `PATH`. `route` decides.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde::Serialize;
use tokio::process::Command;

use super::environment::{self, Duty};
use crate::error::{Error, Result};

/// The C compilers that a route may use; the handler's TLS has parts in C. `cc` is also how rustc links for the host.
const C_COMPILERS: [&str; 7] = [
    "cc",
    "clang",
    "musl-gcc",
    "aarch64-linux-musl-gcc",
    "aarch64-linux-gnu-gcc",
    "x86_64-linux-musl-gcc",
    "x86_64-linux-gnu-gcc",
];

/// The tools that matter for the choice of a route.
#[derive(Clone, Debug, Default)]
pub(super) struct Toolchain {
    /// What `rustc -vV` says: version, commit, host, LLVM.
    pub(super) rustc: String,
    /// The targets whose standard library is installed.
    pub(super) targets: BTreeSet<String>,
    /// Whether rustc brings its own linker.
    pub(super) rust_lld: bool,
    /// Whether targets can be added.
    pub(super) rustup: bool,
    /// Whether `cargo zigbuild` exists.
    pub(super) zigbuild: bool,
    /// The [`C_COMPILERS`] that are installed.
    pub(super) compilers: BTreeSet<&'static str>,
    /// The words before a command that cut off the network, if the system lets this user do that.
    pub(super) unplug: Option<&'static [&'static str]>,
}

/// The build tools, for display.
#[derive(Debug, Serialize)]
pub struct Tools {
    /// The compiler and its version.
    pub rustc: String,
    /// The targets that it can build for.
    pub targets: Vec<String>,
    /// Whether `cargo zigbuild` exists.
    pub zigbuild: bool,
    /// The C compilers.
    pub compilers: Vec<&'static str>,
    /// Whether a build can run without network.
    pub offline: bool,
}

impl Toolchain {
    /// Finds the tools.
    pub(super) async fn observe() -> Result<Self> {
        for tool in ["cargo", "rustc"] {
            if !on_path(tool) {
                return Err(Error::new(
                    format!("failed to build the handler: `{tool}` is not on the PATH"),
                    "install Rust from https://rustup.rs, or bring a handler that was built elsewhere with `--artifact ZIP`",
                ));
            }
        }
        let (rustc, sysroot) = tokio::try_join!(rustc(&["-vV"]), rustc(&["--print", "sysroot"]))?;
        let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
        let targets: BTreeSet<_> = fs::read_dir(&libraries)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter(|target| libraries.join(target).join("lib").is_dir())
            .collect();
        let mut toolchain = Self {
            rustc,
            targets,
            rust_lld: false,
            rustup: on_path("rustup"),
            zigbuild: on_path("cargo-zigbuild"),
            compilers: C_COMPILERS
                .into_iter()
                .filter(|name| on_path(name))
                .collect(),
            unplug: unplug().await,
        };
        toolchain.rust_lld =
            executable(&libraries.join(toolchain.host()).join("bin"), "rust-lld").is_file();
        Ok(toolchain)
    }

    /// The same without anything about the user.
    pub(super) fn tools(&self) -> Tools {
        let ours = |target: &&String| target.contains("linux") || *target == self.host();
        Tools {
            rustc: self.rustc.lines().next().unwrap_or_default().to_owned(),
            targets: self.targets.iter().filter(ours).cloned().collect(),
            zigbuild: self.zigbuild,
            compilers: self.compilers.iter().copied().collect(),
            offline: self.unplug.is_some(),
        }
    }

    /// The target of this machine itself.
    pub(super) fn host(&self) -> &str {
        self.rustc
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default()
    }
}

/// How to start a command without network: on Linux, if the system gives this user an empty network namespace.
async fn unplug() -> Option<&'static [&'static str]> {
    // The second makes the user root of that namespace only.
    const WAYS: [&[&str]; 2] = [&["unshare", "-n", "--"], &["unshare", "-rn", "--"]];
    for way in WAYS.into_iter().filter(|way| on_path(way[0])) {
        let mut command = Command::new(way[0]);
        let tried = output(command.args(&way[1..]).arg("true")).await;
        if tried.is_ok_and(|output| output.status.success()) {
            return Some(way);
        }
    }
    None
}

/// Has rustup install a target's standard library. rustup updates itself with `update` and `toolchain install` only.
pub(super) async fn add_target(target: &str) -> Result<(), String> {
    let output = output(Command::new("rustup").args(["target", "add", target])).await?;
    if output.status.success() {
        Ok(())
    } else {
        Err(reason(&output.stderr))
    }
}

async fn rustc(arguments: &[&str]) -> Result<String> {
    let failed = |reason: String| {
        Error::new(
            format!("failed to run `rustc {}`: {reason}", arguments.join(" ")),
            "see that `rustc -vV` works; `rustup default stable` installs a toolchain where rustup has none",
        )
    };
    let output = output(Command::new("rustc").args(arguments))
        .await
        .map_err(failed)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}

async fn output(command: &mut Command) -> Result<Output, String> {
    environment::restrict(command, Duty::Fetch);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.map_err(|error| error.to_string())
}

/// The line of a tool's output that has the reason.
fn reason(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let error = words
        .lines()
        .find_map(|line| line.trim().strip_prefix("error: "));
    error
        .or(words.trim().lines().next_back())
        .unwrap_or("it gave no reason")
        .to_owned()
}

fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| executable(&folder, name).is_file())
}

fn executable(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_comes_from_rustc() {
        let rustc =
            "rustc 1.95.0\nbinary: rustc\nhost: aarch64-apple-darwin\nrelease: 1.95.0\n".to_owned();
        assert_eq!(
            Toolchain {
                rustc,
                ..Toolchain::default()
            }
            .host(),
            "aarch64-apple-darwin"
        );
    }

    #[test]
    fn the_reason_is_the_error_in_the_output() {
        assert_eq!(
            reason(b"info: downloading\nerror: no space left\nhelp: make some\n"),
            "no space left"
        );
        assert_eq!(reason(b"something\nwent wrong\n"), "went wrong");
        assert_eq!(reason(b""), "it gave no reason");
    }

    #[tokio::test]
    async fn the_compiler_of_this_test_is_found() {
        let toolchain = Toolchain::observe().await.unwrap();
        assert!(toolchain.rustc.starts_with("rustc 1."), "{toolchain:?}");
        assert!(
            toolchain.targets.contains(toolchain.host()),
            "{toolchain:?}"
        );
        assert!(toolchain.compilers.contains("cc"), "{toolchain:?}");
    }
}
