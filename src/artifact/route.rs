//! Chooses how to build: a pure function of the tools on this machine.
//!
//! Owns the order of the routes, what each needs of cargo, and the advice if none is possible. All but the last give a static
//! executable, which is the smallest and starts fastest.

use jane_migrate_config::Architecture;

use super::toolchain::Toolchain;
use crate::error::{Error, Result};

/// A way to build for `provided.al2023`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Static, on a machine of the same kind: its own linker with the C runtime that comes with Rust's musl target.
    Musl { cc: &'static str },
    /// Static, on another kind of machine: `cc` compiles for it, Rust's own linker links.
    MuslCross { cc: &'static str },
    /// Static, with `cargo zigbuild`.
    Zig,
    /// With this machine's glibc, which may be too new.
    Gnu,
}

impl Route {
    /// Its name in the cache.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Musl { cc } | Self::MuslCross { cc } => cc,
            Self::Zig => "zig",
            Self::Gnu => "gnu",
        }
    }
}

/// A route, with its command and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) route: Route,
    /// What rustc compiles for.
    pub(super) target: &'static str,
    /// Whether the target must first be added to the toolchain.
    pub(super) add_target: bool,
}

impl Choice {
    /// What the route sets in cargo's environment.
    pub(super) fn environment(&self) -> Vec<(String, &'static str)> {
        let target = self.target.replace('-', "_");
        let compiler = |cc| (format!("CC_{target}"), cc);
        match self.route {
            Route::Musl { cc } => vec![compiler(cc)],
            Route::MuslCross { cc } => {
                let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase());
                vec![compiler(cc), (linker, "rust-lld")]
            }
            Route::Zig | Route::Gnu => Vec::new(),
        }
    }
}

/// The target that gives static executables.
pub(super) fn musl(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-musl",
        Architecture::Arm64 => "aarch64-unknown-linux-musl",
    }
}

/// The target of this machine's glibc.
fn gnu(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// The C compilers for another kind of machine. Clang serves arm64 only: the C parts for x86_64 include the vector intrinsics,
/// which need system headers.
fn cross_compilers(architecture: Architecture) -> &'static [&'static str] {
    match architecture {
        Architecture::X86_64 => &["x86_64-linux-musl-gcc", "x86_64-linux-gnu-gcc"],
        Architecture::Arm64 => &["aarch64-linux-musl-gcc", "aarch64-linux-gnu-gcc", "clang"],
    }
}

/// The best possible route, or advice on how to make one possible.
pub(super) fn choose(toolchain: &Toolchain, architecture: Architecture) -> Result<Choice> {
    // For every target, build scripts and macros are linked for the host.
    if !toolchain.compilers.contains("cc") {
        return Err(Error::new(
            "failed to build the handler: there is no C compiler `cc`, which rustc links with",
            "install one (Debian, Ubuntu: `apt install gcc`; Fedora, Amazon Linux: `dnf install gcc`; macOS: \
             `xcode-select --install`), or bring a handler that was built elsewhere with `--artifact ZIP`",
        ));
    }
    let (musl, gnu) = (musl(architecture), gnu(architecture));
    let native = native(toolchain.host(), architecture);
    let first_of = |names: &[&'static str]| {
        names
            .iter()
            .copied()
            .find(|name| toolchain.compilers.contains(name))
    };
    let musl_route = if native {
        first_of(&["musl-gcc", "cc"]).map(|cc| Route::Musl { cc })
    } else if toolchain.zigbuild {
        Some(Route::Zig)
    } else {
        first_of(cross_compilers(architecture))
            .filter(|_| toolchain.rust_lld)
            .map(|cc| Route::MuslCross { cc })
    };
    let installed = toolchain.targets.contains(musl);
    match musl_route {
        Some(route) if installed || toolchain.rustup => Ok(Choice {
            route,
            target: musl,
            add_target: !installed,
        }),
        _ if native && toolchain.host() == gnu => Ok(Choice {
            route: Route::Gnu,
            target: gnu,
            add_target: false,
        }),
        _ => Err(no_route(toolchain, architecture)),
    }
}

fn native(host: &str, architecture: Architecture) -> bool {
    let machine = musl(architecture).split('-').next().unwrap_or_default();
    host.split('-').next() == Some(machine) && host.contains("-linux-")
}

fn no_route(toolchain: &Toolchain, architecture: Architecture) -> Error {
    let (host, target) = (toolchain.host(), musl(architecture));
    let mut remedies = Vec::new();
    if !native(host, architecture) {
        let compilers: Vec<_> = cross_compilers(architecture)
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        remedies.push(format!(
            "`pip install cargo-zigbuild`, or install {}",
            compilers.join(" or ")
        ));
    }
    if !toolchain.targets.contains(target) && !toolchain.rustup {
        remedies.push(format!(
            "`rustup target add {target}` (rustup: https://rustup.rs)"
        ));
    }
    let other = [Architecture::X86_64, Architecture::Arm64]
        .into_iter()
        .find(|other| native(host, *other));
    if let Some(other) = other.filter(|other| *other != architecture) {
        remedies.push(format!(
            "set `architecture = \"{}\"` under [function] in migrate.toml",
            other.as_str()
        ));
    }
    remedies.push("bring a handler that was built elsewhere with `--artifact ZIP`".to_owned());
    let message = format!(
        "failed to build the handler: {host} has no way to compile for {}",
        architecture.as_str()
    );
    Error::new(message, remedies.join("; or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "x86_64-unknown-linux-gnu";
    const MAC: &str = "aarch64-apple-darwin";

    /// A rustup toolchain with a host's usual tools and its own target.
    fn toolchain(host: &str) -> Toolchain {
        Toolchain {
            rustc: format!("rustc 1.95.0\nhost: {host}\nrelease: 1.95.0\n"),
            targets: [host.to_owned()].into(),
            rust_lld: true,
            rustup: true,
            zigbuild: false,
            compilers: ["cc"].into(),
            unplug: None,
        }
    }

    fn chosen(toolchain: &Toolchain, architecture: Architecture) -> (Route, &'static str, bool) {
        let Choice {
            route,
            target,
            add_target,
        } = choose(toolchain, architecture).unwrap();
        (route, target, add_target)
    }

    #[test]
    fn native_uses_the_installed_musl_target() {
        let mut toolchain = toolchain(LINUX);
        toolchain
            .targets
            .insert("x86_64-unknown-linux-musl".to_owned());
        let expected = (Route::Musl { cc: "cc" }, "x86_64-unknown-linux-musl", false);
        assert_eq!(chosen(&toolchain, Architecture::X86_64), expected);
    }

    #[test]
    fn native_adds_the_musl_target() {
        let expected = (Route::Musl { cc: "cc" }, "x86_64-unknown-linux-musl", true);
        assert_eq!(chosen(&toolchain(LINUX), Architecture::X86_64), expected);
        let expected = (Route::Musl { cc: "cc" }, "aarch64-unknown-linux-musl", true);
        assert_eq!(
            chosen(&toolchain("aarch64-unknown-linux-gnu"), Architecture::Arm64),
            expected
        );
    }

    #[test]
    fn native_prefers_a_compiler_made_for_musl() {
        let mut toolchain = toolchain(LINUX);
        toolchain.compilers.insert("musl-gcc");
        assert_eq!(
            chosen(&toolchain, Architecture::X86_64).0,
            Route::Musl { cc: "musl-gcc" }
        );
    }

    #[test]
    fn native_without_musl_uses_the_hosts_glibc() {
        let mut toolchain = toolchain(LINUX);
        toolchain.rustup = false;
        assert_eq!(
            chosen(&toolchain, Architecture::X86_64),
            (Route::Gnu, LINUX, false)
        );
    }

    #[test]
    fn native_needs_no_zig() {
        let mut toolchain = toolchain(LINUX);
        toolchain.zigbuild = true;
        assert_eq!(
            chosen(&toolchain, Architecture::X86_64).0,
            Route::Musl { cc: "cc" }
        );
    }

    #[test]
    fn cross_prefers_zigbuild() {
        for host in [LINUX, MAC, "x86_64-apple-darwin"] {
            let mut toolchain = toolchain(host);
            toolchain.zigbuild = true;
            toolchain.compilers.insert("clang");
            assert_eq!(
                chosen(&toolchain, Architecture::Arm64),
                (Route::Zig, "aarch64-unknown-linux-musl", true)
            );
        }
        let mut toolchain = toolchain(MAC);
        toolchain.zigbuild = true;
        assert_eq!(chosen(&toolchain, Architecture::X86_64).0, Route::Zig);
    }

    #[test]
    fn cross_to_arm64_accepts_clang() {
        let mut toolchain = toolchain(LINUX);
        toolchain.compilers.insert("clang");
        let expected = (
            Route::MuslCross { cc: "clang" },
            "aarch64-unknown-linux-musl",
            true,
        );
        assert_eq!(chosen(&toolchain, Architecture::Arm64), expected);
        toolchain.rust_lld = false;
        assert!(choose(&toolchain, Architecture::Arm64).is_err());
    }

    #[test]
    fn cross_to_x86_64_does_not_accept_clang() {
        let mut toolchain = toolchain(MAC);
        toolchain.compilers.insert("clang");
        assert!(choose(&toolchain, Architecture::X86_64).is_err());
        toolchain.compilers.insert("x86_64-linux-musl-gcc");
        assert_eq!(
            chosen(&toolchain, Architecture::X86_64).0,
            Route::MuslCross {
                cc: "x86_64-linux-musl-gcc"
            }
        );
    }

    #[test]
    fn another_systems_host_is_never_linked_against() {
        let mut toolchain = toolchain(MAC);
        toolchain.rustup = false;
        assert!(choose(&toolchain, Architecture::Arm64).is_err());
    }

    #[test]
    fn without_a_route_the_fixes_are_listed_in_order() {
        let error = choose(&toolchain(LINUX), Architecture::Arm64).unwrap_err();
        let expected =
            "failed to build the handler: x86_64-unknown-linux-gnu has no way to compile for arm64";
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            error.advice(),
            "`pip install cargo-zigbuild`, or install `aarch64-linux-musl-gcc` or `aarch64-linux-gnu-gcc` or `clang`; or set \
             `architecture = \"x86_64\"` under [function] in migrate.toml; or bring a handler that was built elsewhere with \
             `--artifact ZIP`"
        );
    }

    #[test]
    fn a_missing_c_compiler_is_reported_with_the_one_to_install() {
        let mut toolchain = toolchain(LINUX);
        toolchain.compilers.clear();
        let error = choose(&toolchain, Architecture::X86_64).unwrap_err();
        assert!(error.to_string().contains("no C compiler"), "{error}");
        assert!(error.advice().contains("apt install gcc"), "{error:?}");
    }

    #[test]
    fn the_linker_is_only_replaced_for_another_machine() {
        let choice = |route| Choice {
            route,
            target: "aarch64-unknown-linux-musl",
            add_target: false,
        };
        let linker = (
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER".to_owned(),
            "rust-lld",
        );
        let cross = choice(Route::MuslCross { cc: "clang" }).environment();
        assert!(cross.contains(&linker), "{cross:?}");
        assert!(
            cross.contains(&("CC_aarch64_unknown_linux_musl".to_owned(), "clang")),
            "{cross:?}"
        );
        assert!(
            !choice(Route::Musl { cc: "cc" })
                .environment()
                .contains(&linker)
        );
    }
}
