//! Checks from its ELF headers that an executable will start on `provided.al2023`, before anything is uploaded.
//!
//! Owns the reading of machine, interpreter and glibc versions. `archive` reads the zip around it.

use std::fmt;

use jane_migrate_config::Architecture;
use object::{
    Endianness,
    elf::{EM_386, EM_AARCH64, EM_ARM, EM_X86_64, FileHeader64, Machine},
    read::elf::{FileHeader, ProgramHeader},
};
use serde::{Serialize, Serializer};

use super::route::musl;
use crate::error::{Error, Explain, Result};

/// The glibc of Amazon Linux 2023.
const GLIBC: (u16, u16) = (2, 34);

/// What an executable needs of the system it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// Nothing but the kernel.
    Static,
    /// This version of glibc (major, minor) or later.
    Glibc(u16, u16),
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("static"),
            Self::Glibc(major, minor) => write!(f, "glibc {major}.{minor}"),
        }
    }
}

impl Serialize for Linkage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the executable's needs, and refuses one that would not start.
pub(super) fn check(executable: &[u8], architecture: Architecture) -> Result<Linkage> {
    let needs = read(executable).explain(
        "failed to read `bootstrap` as a 64-bit ELF executable",
        "it must be an executable for Linux: compile the handler for that",
    )?;
    judge(&needs, architecture)
}

/// What the headers need.
#[derive(Debug, PartialEq, Eq)]
struct Needs {
    machine: Machine,
    /// The program that loads it; a static executable has none.
    interpreter: Option<String>,
    /// The latest version of glibc that one of its symbols needs.
    glibc: Option<(u16, u16)>,
}

fn read(executable: &[u8]) -> object::Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(executable)?;
    let endian = header.endian()?;
    let mut interpreter = None;
    for segment in header.program_headers(endian, executable)? {
        if let Some(path) = segment.interpreter(endian, executable)? {
            interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let mut glibc = None;
    let sections = header.sections(endian, executable)?;
    if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, executable)? {
        let strings = sections.strings(endian, executable, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                glibc = glibc.max(glibc_version(version.name(endian, strings)?));
            }
        }
    }
    Ok(Needs {
        machine: header.e_machine(endian),
        interpreter,
        glibc,
    })
}

/// `GLIBC_2.34` -> 2.34; nothing for the versions of other libraries.
fn glibc_version(name: &[u8]) -> Option<(u16, u16)> {
    // The compact relocations that this name stands for need glibc 2.36.
    if name == b"GLIBC_ABI_DT_RELR" {
        return Some((2, 36));
    }
    let (major, rest) = std::str::from_utf8(name)
        .ok()?
        .strip_prefix("GLIBC_")?
        .split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn judge(needs: &Needs, architecture: Architecture) -> Result<Linkage> {
    let (machine, loader) = match architecture {
        Architecture::X86_64 => (EM_X86_64, "/lib64/ld-linux-x86-64.so.2"),
        Architecture::Arm64 => (EM_AARCH64, "/lib/ld-linux-aarch64.so.1"),
    };
    if needs.machine != machine {
        let found = match needs.machine {
            EM_X86_64 => "x86_64".to_owned(),
            EM_AARCH64 => "arm64".to_owned(),
            EM_386 => "32-bit x86".to_owned(),
            EM_ARM => "32-bit ARM".to_owned(),
            other => format!("ELF machine {}", other.0),
        };
        return Err(Error::new(
            format!(
                "`bootstrap` was compiled for {found}, but the function is {}",
                architecture.as_str()
            ),
            "build it for the function's architecture, or change `architecture` under [function] in migrate.toml",
        ));
    }
    let Some(interpreter) = &needs.interpreter else {
        return Ok(Linkage::Static);
    };
    let target = musl(architecture);
    let remedy = || {
        format!(
            "build it for {target} (`rustup target add {target}`), which needs no libraries at all"
        )
    };
    if interpreter != loader {
        return Err(Error::new(
            format!(
                "`bootstrap` needs the loader `{interpreter}`, which provided.al2023 does not have"
            ),
            remedy(),
        ));
    }
    // A glibc executable without a version runs with the first one.
    let (major, minor) = needs.glibc.unwrap_or((2, 0));
    if (major, minor) > GLIBC {
        return Err(Error::new(
            format!(
                "`bootstrap` needs glibc {major}.{minor}, but provided.al2023 has {}.{}",
                GLIBC.0, GLIBC.1
            ),
            remedy(),
        ));
    }
    Ok(Linkage::Glibc(major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(machine: Machine, interpreter: Option<&str>, glibc: Option<(u16, u16)>) -> Needs {
        Needs {
            machine,
            interpreter: interpreter.map(str::to_owned),
            glibc,
        }
    }

    const LOADER: Option<&str> = Some("/lib64/ld-linux-x86-64.so.2");

    #[test]
    fn a_static_executable_is_accepted() {
        let found = judge(&needs(EM_AARCH64, None, None), Architecture::Arm64).unwrap();
        assert_eq!(found, Linkage::Static);
        assert_eq!(serde_json::to_string(&found).unwrap(), r#""static""#);
    }

    #[test]
    fn glibc_is_accepted_up_to_amazon_linux_2023() {
        let judge = |glibc| judge(&needs(EM_X86_64, LOADER, Some(glibc)), Architecture::X86_64);
        let found = judge((2, 34)).unwrap();
        assert_eq!(found, Linkage::Glibc(2, 34));
        assert_eq!(found.to_string(), "glibc 2.34");
        let error = judge((2, 35)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`bootstrap` needs glibc 2.35, but provided.al2023 has 2.34"
        );
        assert!(
            error.advice().contains("x86_64-unknown-linux-musl"),
            "{}",
            error.advice()
        );
    }

    #[test]
    fn another_architecture_is_refused() {
        let error = judge(&needs(EM_AARCH64, None, None), Architecture::X86_64).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`bootstrap` was compiled for arm64, but the function is x86_64"
        );
    }

    #[test]
    fn another_loader_is_refused() {
        let error = judge(
            &needs(EM_X86_64, Some("/lib/ld-musl-x86_64.so.1"), None),
            Architecture::X86_64,
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("`/lib/ld-musl-x86_64.so.1`"),
            "{error}"
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(glibc_version(b"GLIBC_2.4"), Some((2, 4)));
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version(b"GLIBC_ABI_DT_RELR"), Some((2, 36)));
        assert_eq!(glibc_version(b"GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version(b"GCC_3.0"), None);
        assert!(glibc_version(b"GLIBC_2.4") < glibc_version(b"GLIBC_2.34"));
    }

    #[test]
    fn an_invalid_executable_is_refused() {
        assert!(check(b"#!/bin/sh\nexit 0\n", Architecture::X86_64).is_err());
        assert!(check(b"", Architecture::X86_64).is_err());
        assert!(check(b"\x7fELF\x02\x01\x01", Architecture::X86_64).is_err());
    }

    /// The executable of this test is a dynamic one, which the system's loader starts.
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    #[test]
    fn a_real_executable_is_read() {
        let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = read(&executable).unwrap();
        assert_eq!(needs.machine, EM_X86_64);
        assert_eq!(needs.interpreter.as_deref(), LOADER);
        assert!(needs.glibc > Some((2, 2)), "{needs:?}");
    }
}
