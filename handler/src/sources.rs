//! The sources that a function is compiled from, for the command line, which carries them.
//!
//! The files are named through links beside `Cargo.toml`: a published package holds what a link leads to, and not the `Cargo.toml`
//! that cargo writes anew for it. So the same sources have the same digest wherever the program comes from.

use include_dir::{Dir, include_dir};

/// All below `src/`.
pub static SRC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");

/// This crate's `Cargo.toml`.
pub const MANIFEST: &[u8] = include_bytes!("../manifest.toml");

/// The `Cargo.toml` of the workspace that this crate and `jane-migrate-config` are compiled in.
pub const WORKSPACE: &[u8] = include_bytes!("../bundle.toml");

/// The versions of all crates, which that workspace is locked to.
pub const LOCK: &[u8] = include_bytes!("../workspace.lock");
