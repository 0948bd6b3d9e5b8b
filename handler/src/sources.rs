//! The sources of the function's build, which the command line contains.
//!
//! The files are referenced through links beside `Cargo.toml`: a published package contains the link's target, not the
//! `Cargo.toml` that cargo rewrites for it. So the same sources have the same digest, however the program was installed.

use include_dir::{Dir, include_dir};

/// Everything below `src/`.
pub static SRC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");

/// This crate's `Cargo.toml`.
pub const MANIFEST: &[u8] = include_bytes!("../manifest.toml");

/// The `Cargo.toml` of the workspace in which this crate and `jane-migrate-config` are compiled.
pub const WORKSPACE: &[u8] = include_bytes!("../bundle.toml");

/// The locked versions of all crates in that workspace.
pub const LOCK: &[u8] = include_bytes!("../workspace.lock");
