//! What the tools that build the handler see of the operator's environment: everything but what would change the result.

use std::env;

use tokio::process::Command;

use crate::environment;

/// Takes out of a command's environment what `cargo run` adds for its children, what would make another executable, and what
/// would bury the reason of a failure under a backtrace; leaves how to reach the registry.
pub(super) fn clean(command: &mut Command) {
    environment::without_empty(command);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(interferes) {
            command.env_remove(name);
        }
    }
}

fn interferes(name: &str) -> bool {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_BUILD_JOBS",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_ZIGBUILD_",
    ];
    let exact = [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "MAKEFLAGS",
        "MFLAGS",
        "RUST_BACKTRACE",
    ]
    .contains(&name);
    let family = name.starts_with("CARGO_") || name.starts_with("RUSTC_");
    exact || family && !KEPT.iter().any(|kept| name.starts_with(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_sets_does_not_reach_the_build() {
        let kept = [
            "CARGO_HOME",
            "CARGO_BUILD_JOBS",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_MINE_INDEX",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "HTTPS_PROXY",
            "PATH",
            "CC",
        ];
        for name in kept {
            assert!(!interferes(name), "{name}");
        }
        let removed = [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_INCREMENTAL",
            "RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "MAKEFLAGS",
        ];
        for name in removed {
            assert!(interferes(name), "{name}");
        }
    }
}
