//! The second emulator for the tests: moto, which shares no code with the sandbox.

use std::path::Path;

use anyhow::Result;
use jane_migrate_sandbox::{Emulator, Progress, Venv, wire};

const MOTO: &str = "moto[server]==5.2.5";

/// Starts the pinned moto, and installs it under `cache` if it is missing.
pub async fn moto(cache: &Path, progress: &Progress) -> Result<Emulator> {
    let venv = Venv::install(cache, "moto-5.2.5", MOTO, progress).await?;
    progress("starting moto");
    let launcher = include_str!("../python/moto.py");
    let key = wire::Key::random()?;
    Emulator::start(&venv, "moto", launcher, &[], "/moto-api/data.json", &key).await
}
