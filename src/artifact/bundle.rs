//! The handler's sources that are embedded in this binary, and how they are unpacked.
//!
//! Owns which files are part of the handler's build and what the digest covers. `cargo` compiles them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use include_dir::Dir;
use jane_migrate_config::{Architecture, sources as config};
use jane_migrate_handler::sources as handler;
use sha2::{Digest, Sha256};

use super::private::OTHERWISE as CACHE;
use crate::error::{Error, Result};

/// Increase it if the same sources must give another zip, because flags or the zip's layout changed.
const RECIPE: &str = "1";

/// A workspace to build the handler in: path relative to its root = content.
#[derive(Clone, Debug)]
pub struct Bundle {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

fn digest_of_build(files: &str, kind: &str, architecture: Architecture) -> String {
    digest_of([RECIPE, kind, architecture.as_str(), files].map(str::as_bytes))
}

fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // The length before it prevents one part from being taken for the end of the previous one.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

impl Bundle {
    /// The sources this binary was built with.
    pub fn embedded() -> Self {
        // `include_dir` embeds each file as `include_bytes` does, so an edit is noticed. A new file alone is not, but a module
        // is new only together with the `mod` that names it.
        let mut files: Vec<_> = [
            ("Cargo.toml", handler::WORKSPACE),
            ("Cargo.lock", handler::LOCK),
            ("handler/Cargo.toml", handler::MANIFEST),
            ("config/Cargo.toml", config::MANIFEST),
        ]
        .map(|(path, content)| (path.into(), content.to_vec()))
        .into();
        walk(&handler::SRC, Path::new("handler/src"), &mut files);
        walk(&config::SRC, Path::new("config/src"), &mut files);
        Self::new(files)
    }

    /// A workspace of these files. It needs a package `jane-migrate-handler` with a binary `bootstrap` and one feature for
    /// each kind.
    pub fn new(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    /// The digest of these sources and of how they are built.
    pub fn digest(&self, kind: &str, architecture: Architecture) -> String {
        digest_of_build(&self.digest_of_files(), kind, architecture)
    }

    /// The same for the embedded sources. A run needs it for each pool, and hashes them once.
    pub fn embedded_digest(kind: &str, architecture: Architecture) -> String {
        static FILES: LazyLock<String> = LazyLock::new(|| Bundle::embedded().digest_of_files());
        digest_of_build(&FILES, kind, architecture)
    }

    fn digest_of_files(&self) -> String {
        let parts = self.files.iter();
        digest_of(parts.flat_map(|(path, content)| [path.as_os_str().as_encoded_bytes(), content]))
    }

    /// Makes `root` hold exactly these files. Files that are already right keep their modification time, which cargo checks.
    pub(super) fn unpack(&self, root: &Path) -> Result<()> {
        let attempt = || {
            for stale in files_below(root)?
                .iter()
                .filter(|path| !self.files.contains_key(*path))
            {
                fs::remove_file(root.join(stale))?;
            }
            for (path, content) in &self.files {
                let path = root.join(path);
                if fs::read(&path).is_ok_and(|present| present == *content) {
                    continue;
                }
                fs::create_dir_all(path.parent().unwrap_or(root))?;
                fs::write(path, content)?;
            }
            io::Result::Ok(())
        };
        attempt().map_err(|error| {
            Error::unwritable(root, error, CACHE).context("failed to unpack the handler's sources")
        })
    }
}

fn walk(directory: &Dir<'_>, at: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    files.extend(
        directory
            .files()
            .map(|file| (at.join(file.path()), file.contents().to_vec())),
    );
    for below in directory.dirs() {
        walk(below, at, files);
    }
}

/// All files below a folder, relative to it; none if the folder does not exist.
fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        Bundle::new(
            files
                .iter()
                .map(|(path, content)| (path.into(), (*content).into())),
        )
    }

    fn digest(files: &[(&str, &str)]) -> String {
        bundle(files).digest("jane", Architecture::X86_64)
    }

    #[test]
    fn the_digest_covers_everything_that_decides_the_build() {
        let files = [
            ("Cargo.toml", "[workspace]"),
            ("handler/src/main.rs", "fn main() {}"),
        ];
        let digests = BTreeMap::from([
            (digest(&files), "as it is"),
            (
                digest(&[files[0], ("handler/src/main.rs", "fn main() { run() }")]),
                "content",
            ),
            (
                digest(&[files[0], ("handler/src/other.rs", "fn main() {}")]),
                "path",
            ),
            (
                digest(&[files[0], ("handler/src/main.rsfn", " main() {}")]),
                "where a path ends",
            ),
            (digest(&files[..1]), "fewer files"),
            (bundle(&files).digest("http", Architecture::X86_64), "kind"),
            (
                bundle(&files).digest("jane", Architecture::Arm64),
                "architecture",
            ),
        ]);
        assert_eq!(digests.len(), 7, "{digests:?}");
        assert_eq!(
            digest(&files),
            digest(&[files[1], files[0]]),
            "order is of no account"
        );
    }

    #[test]
    fn unpacking_leaves_exactly_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("source");
        bundle(&[("Cargo.toml", "old"), ("handler/src/gone.rs", "gone")])
            .unpack(&root)
            .unwrap();
        bundle(&[("Cargo.toml", "new"), ("handler/src/main.rs", "main")])
            .unpack(&root)
            .unwrap();
        let mut files = files_below(&root).unwrap();
        files.sort();
        assert_eq!(
            files,
            [Path::new("Cargo.toml"), Path::new("handler/src/main.rs")]
        );
        assert_eq!(fs::read_to_string(root.join("Cargo.toml")).unwrap(), "new");
    }

    #[test]
    fn unpacking_again_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(&[("Cargo.toml", "same")]);
        bundle.unpack(folder.path()).unwrap();
        let file = folder.path().join("Cargo.toml");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        bundle.unpack(folder.path()).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), long_ago);
    }

    #[test]
    fn the_embedded_sources_are_a_workspace() {
        let files = Bundle::embedded().files;
        for path in [
            "Cargo.toml",
            "Cargo.lock",
            "handler/Cargo.toml",
            "handler/src/main.rs",
            "config/Cargo.toml",
            "config/src/lib.rs",
        ] {
            assert!(
                files.contains_key(Path::new(path)),
                "{path} is missing among {:?}",
                files.keys()
            );
        }
    }
}
