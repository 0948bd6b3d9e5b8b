//! The sources of this crate, which the command line contains as a part of the function's. `jane-migrate-handler` has the rest.

use include_dir::{Dir, include_dir};

/// Everything below `src/`. The presets are outside: only reading `migrate.toml` needs them, which a function does not.
pub static SRC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");

/// This crate's `Cargo.toml`, through a link whose content a published package contains.
pub const MANIFEST: &[u8] = include_bytes!("../manifest.toml");
