//! The sources of this crate, for the command line, which carries them as a part of the function's. `jane-migrate-handler` has the rest.

use include_dir::{Dir, include_dir};

/// All below `src/`. The presets are beside it: they belong to the reading of `migrate.toml`, which a function goes without.
pub static SRC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");

/// This crate's `Cargo.toml`, by a link that a published package holds the content of.
pub const MANIFEST: &[u8] = include_bytes!("../manifest.toml");
