//! The artifact: the zip that holds the handler, built with cargo from the sources in this binary.
//!
//! Owns everything from a kind of directory and an architecture to a zip that is checked to start on `provided.al2023`: the
//! bundled sources, the choice of a build route, cargo, the check of the executable, the reproducible zip, the cache. `aws`
//! uploads it, `ui` shows the progress.

mod archive;
mod bundle;
mod cache;
mod cargo;
mod checked;
mod elf;
mod environment;
mod installed;
mod private;
mod progress;
mod route;
mod toolchain;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jane_migrate_config::Architecture;
use jane_migrate_handler::SERVES_WORDS;
use memchr::memmem;

pub use self::toolchain::Tools;
pub use self::{
    bundle::Bundle,
    cache::{default_cache, default_records, private_folder},
    checked::{Artifact, LARGEST_ZIP},
    elf::Linkage,
    progress::{OnProgress, Progress},
};
use self::{
    cache::Cache,
    route::{Choice, choose},
    toolchain::Toolchain,
};
use crate::error::{Error, Result};

/// The kinds of directory, each a cargo feature of the handler.
const KINDS: [&str; 6] = ["jane", "http", "cognito", "postgres", "mysql", "ldap"];

/// Which handler to build, and where to keep it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kind of directory, which is the cargo feature of the handler: `jane`, `http`, `cognito`, `postgres`, `mysql` or `ldap`.
    pub kind: &'static str,
    /// The architecture of the function.
    pub architecture: Architecture,
    /// The folder for sources, build products and finished zips; see [`default_cache`].
    pub cache: PathBuf,
    /// The folder for the digests of the zips that were built here; see [`default_records`].
    pub records: PathBuf,
}

/// The digest of everything that decides what the handler does: its sources, the locked versions, the feature, the architecture
/// and the compiler flags. A function whose tag has this digest needs no build.
pub fn source_digest(kind: &str, architecture: Architecture) -> String {
    Bundle::embedded_digest(kind, architecture)
}

/// The kind of directory that code with this source digest serves, if this version built it.
pub fn kind_of(source: &str, architecture: Architecture) -> Option<&'static str> {
    KINDS
        .into_iter()
        .find(|kind| source_digest(kind, architecture) == source)
}

/// The kinds of directory whose handler for this architecture came with the release.
pub fn prebuilt(architecture: Architecture) -> Vec<&'static str> {
    let came =
        |kind: &&str| installed::find(&source_digest(kind, architecture), architecture).is_some();
    KINDS.into_iter().filter(came).collect()
}

/// The build tools of this machine.
pub async fn tools() -> Result<Tools> {
    Ok(toolchain::Toolchain::observe().await?.tools())
}

/// Uses the handler of the release or the cache, or builds it. Dropping the future ends cargo.
pub async fn build(request: &Request, progress: OnProgress<'_>) -> Result<Artifact> {
    build_from(&Bundle::embedded(), request, progress).await
}

/// Builds the handler from other sources than the embedded ones.
pub async fn build_from(
    bundle: &Bundle,
    request: &Request,
    progress: OnProgress<'_>,
) -> Result<Artifact> {
    let &Request {
        kind, architecture, ..
    } = request;
    let source = bundle.digest(kind, architecture);
    if let Some(artifact) = installed::find(&source, architecture) {
        return Ok(artifact);
    }
    let cache = Cache::open(&request.cache, &request.records)?;
    let mut toolchain = Toolchain::observe().await?;
    loop {
        let choice = choose(&toolchain, architecture)?;
        log::debug!(
            "building for {} by route {}, in {}",
            choice.target,
            choice.route.name(),
            cache.root().display()
        );
        let entry = cache.entry(&[&source, &toolchain.rustc, choice.route.name()]);
        let finished = |artifact| Artifact {
            source: source.clone(),
            ..artifact
        };
        if let Some(artifact) = entry.find(architecture) {
            return Ok(finished(artifact));
        }
        let _lock = cache.lock(progress).await?;
        // The process that held the lock may have built the same handler.
        if let Some(artifact) = entry.find(architecture) {
            return Ok(finished(artifact));
        }
        cache.make_ours()?;
        if choice.add_target && !add_target(&choice, progress).await {
            toolchain.rustup = false;
            continue;
        }
        bundle.unpack(&cache.source())?;
        let build = cargo::Build {
            cache: &cache,
            choice: &choice,
            kind,
            unplug: toolchain.unplug,
        };
        let bootstrap = build.run(progress).await?;
        elf::check(&bootstrap, architecture)?;
        return Ok(finished(
            entry.store(&archive::zip(&bootstrap)?, architecture)?,
        ));
    }
}

/// Takes a zip that was built elsewhere: it must hold an executable `bootstrap` for the architecture that starts on
/// `provided.al2023`, and if it lists the directories that it serves, this kind must be one of them.
pub fn open(zip: &Path, kind: &str, architecture: Architecture) -> Result<Artifact> {
    let opened = Artifact::inspect(zip, architecture).and_then(|artifact| {
        let kinds = served(&artifact.bootstrap()?);
        if !kinds.is_empty() && !kinds.contains(kind) {
            let kinds = kinds.into_iter().collect::<Vec<_>>().join("`, `");
            return Err(Error::new(
                format!("the handler in it serves directories of kind `{kinds}`, and the configuration has `{kind}`"),
                "name a zip for this kind with --artifact",
            ));
        }
        Ok(artifact)
    });
    opened.map_err(|error| {
        error
            .context(format!("failed to use artifact `{}`", zip.display()))
            .hint("`jane-migrate build --output FILE` makes a zip that fits, on any machine with the same configuration")
    })
}

/// The kinds of directory that a handler's executable lists.
fn served(executable: &[u8]) -> BTreeSet<String> {
    let words = SERVES_WORDS.as_bytes();
    memmem::find_iter(executable, words)
        .filter_map(|at| {
            let rest = &executable[at + words.len()..];
            KINDS
                .into_iter()
                .find(|kind| rest.starts_with(kind.as_bytes()))
        })
        .map(str::to_owned)
        .collect()
}

/// Adds a target to the toolchain. Reports that, and if it fails also the reason and that the build continues without it.
async fn add_target(choice: &Choice, progress: OnProgress<'_>) -> bool {
    let target = choice.target;
    progress(Progress::Note(&format!(
        "adding the Rust target {target} with `rustup target add {target}`"
    )));
    match toolchain::add_target(target).await {
        Ok(()) => true,
        Err(reason) => {
            progress(Progress::Note(&format!(
                "rustup could not add {target}, trying without: {reason}"
            )));
            false
        }
    }
}
