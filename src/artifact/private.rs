//! Checks that only this user can write to a folder: what is built, kept and run there runs in production.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// The hint for another cache folder.
pub(super) const OTHERWISE: &str = "set JANE_MIGRATE_CACHE to a folder that can be written to";

/// Creates the folder if it does not exist, for this user only.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Refuses a folder, by its real path, in which another user could replace a file. A user who can write to a folder above it
/// could do that, too.
#[cfg(unix)]
pub(super) fn check(folder: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    for path in folder.ancestors() {
        let found =
            fs::metadata(path).map_err(|error| Error::unwritable(path, error, OTHERWISE))?;
        let (mode, owner, above) = (found.mode(), found.uid(), path != folder);
        // The user's own group, which many systems create, counts as the user. In a folder such as /tmp users can remove only
        // their own files.
        let others = mode & 0o002 != 0 || (mode & 0o020 != 0 && found.gid() != owner);
        let open = others && !(above && mode & 0o1000 != 0);
        // In a container, root works below folders of users that do not exist there.
        let foreign = owner != user && owner != 0 && !(above && user == 0);
        if open || foreign {
            let path = path.display();
            let (why, remedy) = match foreign {
                true => ("belongs to another user", String::new()),
                false => (
                    "can be written to by others",
                    format!("`chmod go-w {path}`, or "),
                ),
            };
            return Err(Error::new(
                format!(
                    "failed to trust the cache folder `{}`: `{path}` {why}",
                    folder.display()
                ),
                format!("{remedy}set JANE_MIGRATE_CACHE to a folder that only you can write to"),
            ));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check(_folder: &Path) -> Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn refused(folder: &Path) -> Option<String> {
        check(folder).err().map(|error| error.to_string())
    }

    #[test]
    fn a_private_folder_is_accepted_and_one_writable_by_others_is_not() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().canonicalize().unwrap().join("a/cache");
        create(&folder).unwrap();
        assert_eq!(
            fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(refused(&folder), None);
        for (path, mode, fine) in [
            (folder.clone(), 0o707, false),
            (folder.clone(), 0o1777, false),
            (folder.clone(), 0o755, true),
            (folder.parent().unwrap().to_owned(), 0o777, false),
            (folder.parent().unwrap().to_owned(), 0o1777, true),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = refused(&folder);
            assert_eq!(
                refused.is_none(),
                fine,
                "{mode:o} {}: {refused:?}",
                path.display()
            );
        }
    }
}
