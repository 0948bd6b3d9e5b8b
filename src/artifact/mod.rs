//! The artifact: the zip that holds the handler, built with cargo from the sources this binary carries.
//!
//! Owns everything between "this kind of directory, this architecture" and a zip that is known to start on
//! `provided.al2023`: the bundled sources, the choice of a build route, cargo, the check of the executable, the reproducible
//! zip, the cache. Leaves uploading it to `aws`, and showing progress to `ui`.

mod archive;
mod bundle;
mod cache;
mod cargo;
mod elf;
mod route;
mod toolchain;

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jane_migrate_config::Architecture;
use jane_migrate_handler::SERVES_WORDS;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use self::{bundle::Bundle, cache::default_cache, elf::Linkage};
use self::{
    cache::Cache,
    route::{Choice, choose},
    toolchain::Toolchain,
};

/// What Lambda takes in one direct upload.
pub const LARGEST_ZIP: u64 = 50 * 1024 * 1024;

/// The kinds of directory, each a cargo feature of the handler.
const KINDS: [&str; 4] = ["jane", "http", "cognito", "postgres"];

/// Which handler to build, and where to keep it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kind of directory, which is the cargo feature of the handler: `jane`, `http`, `cognito` or `postgres`.
    pub kind: &'static str,
    /// The architecture of the function.
    pub architecture: Architecture,
    /// The folder for sources, build products and finished zips; see [`default_cache`].
    pub cache: PathBuf,
}

/// A zip that Lambda can run.
#[derive(Clone, Debug, Serialize)]
pub struct Artifact {
    /// Where it lies.
    pub zip: PathBuf,
    /// Its SHA-256 as Lambda shows it (`CodeSha256`).
    pub code_sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What its `bootstrap` was compiled for.
    pub architecture: Architecture,
    /// What its `bootstrap` needs of the system it runs on.
    pub linkage: Linkage,
    /// The digest of what it was built from, as [`source_digest`] gives it; of the zip itself for one that was brought.
    pub source: String,
    /// Whether it was there already.
    pub cached: bool,
}

impl Artifact {
    /// The bytes to upload. Fails where they are no longer the ones that were checked.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let zip = read(&self.zip)?;
        ensure!(
            BASE64.encode(Sha256::digest(&zip)) == self.code_sha256,
            "`{}` changed while it was being used",
            self.zip.display()
        );
        Ok(zip)
    }

    /// The executable inside, to run it here.
    pub fn bootstrap(&self) -> anyhow::Result<Vec<u8>> {
        archive::bootstrap(&self.read()?)
    }

    /// Looks into a zip: everything is learned from its bytes, so a cached, a fresh and a brought one pass the same checks.
    fn inspect(path: &Path, architecture: Architecture) -> anyhow::Result<Self> {
        let zip = read(path)?;
        let size = zip.len() as u64;
        ensure!(
            size <= LARGEST_ZIP,
            "{size} bytes are more than the {LARGEST_ZIP} that Lambda takes in an upload"
        );
        let digest = Sha256::digest(&zip);
        Ok(Self {
            zip: path.to_owned(),
            code_sha256: BASE64.encode(digest),
            size,
            architecture,
            linkage: elf::check(&archive::bootstrap(&zip)?, architecture)?,
            source: hex(&digest),
            cached: false,
        })
    }
}

/// What is going on while an artifact is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A new step began, which may take long.
    Step(&'a str),
    /// Something the operator should know afterwards, too.
    Note(&'a str),
    /// One more crate is compiled.
    Crate {
        /// Its name.
        name: &'a str,
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
}

/// Who is told about [`Progress`].
pub type OnProgress<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// Why there is no artifact, and what to do about it.
#[derive(Debug)]
pub struct Error {
    message: String,
    hint: String,
}

impl Error {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The digest of all that decides what the handler does: its sources, the locked versions, the feature, the architecture and
/// how it is compiled. A function that carries it needs no build.
pub fn source_digest(kind: &str, architecture: Architecture) -> String {
    Bundle::embedded().digest(kind, architecture)
}

/// The kind of directory that code with this source digest serves, where this very version built it.
pub fn kind_of(source: &str, architecture: Architecture) -> Option<&'static str> {
    KINDS
        .into_iter()
        .find(|kind| source_digest(kind, architecture) == source)
}

/// Builds the handler, or finds it in the cache. Dropping the future ends cargo.
pub async fn build(request: &Request, progress: OnProgress<'_>) -> anyhow::Result<Artifact> {
    build_from(&Bundle::embedded(), request, progress).await
}

/// Builds the handler from other sources than the embedded ones.
pub async fn build_from(
    bundle: &Bundle,
    request: &Request,
    progress: OnProgress<'_>,
) -> anyhow::Result<Artifact> {
    let &Request {
        kind, architecture, ..
    } = request;
    let cache = Cache::open(&request.cache)?;
    let source = bundle.digest(kind, architecture);
    let mut toolchain = Toolchain::observe(cache.root()).await?;
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
        // Whoever held the lock may have built the very same.
        if let Some(artifact) = entry.find(architecture) {
            return Ok(finished(artifact));
        }
        if choice.add_target && !add_target(&choice, cache.root(), progress).await {
            toolchain.rustup = false;
            continue;
        }
        bundle.unpack(&cache.source())?;
        let build = cargo::Build {
            cache: &cache,
            choice: &choice,
            kind,
        };
        let bootstrap = build.run(progress).await?;
        elf::check(&bootstrap, architecture)?;
        return Ok(finished(
            entry.store(&archive::zip(&bootstrap)?, architecture)?,
        ));
    }
}

/// A zip with this `CodeSha256`, where the default cache still has one.
pub fn cached(code_sha256: &str) -> Option<Vec<u8>> {
    cache::zip_of(&default_cache().ok()?, code_sha256)
}

/// Takes a zip that was built elsewhere: it must hold an executable `bootstrap` for the architecture that starts on
/// `provided.al2023`, and where it says which directories it serves, this kind must be one.
pub fn open(zip: &Path, kind: &str, architecture: Architecture) -> anyhow::Result<Artifact> {
    let opened = Artifact::inspect(zip, architecture).and_then(|artifact| {
        let kinds = served(&artifact.bootstrap()?);
        ensure!(
            kinds.is_empty() || kinds.contains(kind),
            "the handler in it serves directories of kind `{}`, and the configuration has `{kind}`",
            kinds.into_iter().collect::<Vec<_>>().join("`, `")
        );
        Ok(artifact)
    });
    opened.map_err(|cause| {
        let error = Error::new(
            format!("failed to use artifact `{}`: {cause:#}", zip.display()),
            "`jane-migrate build --output FILE` makes a zip that will do, on any machine with the same configuration",
        );
        error.into()
    })
}

/// The kinds of directory that a handler's executable says it serves.
fn served(executable: &[u8]) -> BTreeSet<String> {
    let words = SERVES_WORDS.as_bytes();
    let begins = (0..executable.len())
        .filter(|at| executable[*at] == words[0] && executable[*at..].starts_with(words));
    begins
        .filter_map(|at| {
            let rest = &executable[at + words.len()..];
            KINDS
                .into_iter()
                .find(|kind| rest.starts_with(kind.as_bytes()))
        })
        .map(str::to_owned)
        .collect()
}

/// Adds a target to the toolchain; says so before, and where it failed, why and that it goes on without.
async fn add_target(choice: &Choice, directory: &Path, progress: OnProgress<'_>) -> bool {
    let target = choice.target;
    progress(Progress::Note(&format!(
        "adding the Rust target {target} with `rustup target add {target}`"
    )));
    match toolchain::add_target(target, directory).await {
        Ok(()) => true,
        Err(reason) => {
            progress(Progress::Note(&format!(
                "rustup could not add {target}, trying without: {reason}"
            )));
            false
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
