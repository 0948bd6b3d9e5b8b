//! What the tools that build the handler can read of the operator's environment, and what they can reach. The build runs other
//! people's build scripts and macros, so they see only the variables that find the tools: no key of AWS or of a CI service, and
//! no network if the system can cut it off. No file in or above the cache or a project configures the tools.

use std::env;
use std::ffi::OsString;

use tokio::process::Command;

/// The variables by which the tools find each other and their folders.
const TOOLS: [&str; 32] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "CC",
    "HOST_CC",
    "TARGET_CC",
    "AR",
    "HOST_AR",
    "TARGET_AR",
    "CFLAGS",
    "HOST_CFLAGS",
    "TARGET_CFLAGS",
    "SDKROOT",
    "DEVELOPER_DIR",
    "MACOSX_DEPLOYMENT_TARGET",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "CPATH",
    "C_INCLUDE_PATH",
    "XDG_CACHE_HOME",
    "ZIG_GLOBAL_CACHE_DIR",
    "ZIG_LOCAL_CACHE_DIR",
];

/// Prefixes of variables; the rest of the name is a target or a wrapper.
const TOOL_FAMILIES: [&str; 8] = [
    "CC_",
    "AR_",
    "CFLAGS_",
    "CARGO_ZIGBUILD_",
    "NIX_CC",
    "NIX_BINTOOLS",
    "NIX_CFLAGS",
    "NIX_LDFLAGS",
];

/// How to reach the registry. A value may contain a password, so only the download gets it.
const NETWORK: [&str; 12] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
];

const NETWORK_FAMILIES: [&str; 4] = [
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
];

/// The purpose of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// It may download. It runs no code of the crates.
    Fetch,
    /// It runs code of the crates.
    Build,
}

/// Keeps only the variables that a command needs for its purpose. It runs in the root folder: rustup and cargo take a toolchain and
/// a compiler from files in the current folder and in all above it, and in a folder such as /tmp each user may put those.
pub(super) fn restrict(command: &mut Command, duty: Duty) {
    command
        .env_clear()
        .envs(seen(env::vars_os(), duty))
        .current_dir("/");
}

fn seen(
    all: impl Iterator<Item = (OsString, OsString)>,
    duty: Duty,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(move |(name, value)| {
        let needed = name.to_str().is_some_and(|name| is_needed(name, duty));
        needed && !value.is_empty()
    })
}

fn is_needed(name: &str, duty: Duty) -> bool {
    let among = |names: &[&str], families: &[&str]| {
        names.contains(&name) || families.iter().any(|family| name.starts_with(family))
    };
    among(&TOOLS, &TOOL_FAMILIES) || duty == Duty::Fetch && among(&NETWORK, &NETWORK_FAMILIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_sees_its_tools_and_a_download_the_way_to_the_registry() {
        for name in ["PATH", "HOME", "CARGO_HOME", "CC_x86_64_unknown_linux_musl"] {
            assert!(
                is_needed(name, Duty::Build) && is_needed(name, Duty::Fetch),
                "{name}"
            );
        }
        for name in ["https_proxy", "CARGO_REGISTRY_TOKEN", "CARGO_NET_OFFLINE"] {
            assert!(
                !is_needed(name, Duty::Build) && is_needed(name, Duty::Fetch),
                "{name}"
            );
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "JANE_CLIENT_SECRET",
            "SSH_AUTH_SOCK",
            // These would make another executable.
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "MAKEFLAGS",
            // These would hide the reason of a failure.
            "RUST_BACKTRACE",
        ] {
            assert!(
                !is_needed(name, Duty::Build) && !is_needed(name, Duty::Fetch),
                "{name}"
            );
        }
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let all = [("PATH", "/bin"), ("CC", "")].map(|(name, value)| (name.into(), value.into()));
        let seen: Vec<_> = seen(all.into_iter(), Duty::Build).collect();
        assert_eq!(seen, [("PATH".into(), "/bin".into())]);
    }
}
