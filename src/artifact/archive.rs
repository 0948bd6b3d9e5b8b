//! The zip: one executable file `bootstrap`, and the same bytes on every day and machine.
//!
//! Owns mode, time and compression. `elf` checks the executable.

use std::io::{Cursor, Read, Write};

use zip::{
    CompressionMethod, DateTime, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions,
};

use crate::error::{Error, Explain, Result};

/// The name that `provided.al2023` starts.
const NAME: &str = "bootstrap";

/// Lambda's limit, unzipped.
const LARGEST: u64 = 250 * 1024 * 1024;

/// The hint for a damaged zip.
const ANOTHER: &str = "the file is damaged or no zip: copy it again";

/// The zip of an executable; the same bytes for the same executable.
pub(super) fn zip(bootstrap: &[u8]) -> Result<Vec<u8>> {
    let attempt = || {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o755);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(NAME, options)?;
        zip.write_all(bootstrap)?;
        Ok::<_, ZipError>(zip.finish()?.into_inner())
    };
    attempt().map_err(|error| Error::bug(format!("failed to zip the handler: {error}")))
}

/// The executable in a zip.
pub(super) fn bootstrap(zip: &[u8]) -> Result<Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(zip)).explain("failed to read the zip", ANOTHER)?;
    let mut file = match zip.by_name(NAME) {
        Err(ZipError::FileNotFound) => {
            return Err(Error::new(
                format!("the zip has no file `{NAME}` at its top"),
                format!("name the executable `{NAME}` and zip it without a folder around it"),
            ));
        }
        file => file.explain("failed to read the zip", ANOTHER)?,
    };
    if file.unix_mode().is_none_or(|mode| mode & 0o111 == 0) {
        return Err(Error::new(
            format!("`{NAME}` is not marked as executable in the zip"),
            format!("`chmod 755 {NAME}` before zipping it, on a system that stores modes"),
        ));
    }
    if file.size() > LARGEST {
        return Err(Error::new(
            format!("`{NAME}` is larger than the {LARGEST} bytes that Lambda takes unzipped"),
            "strip the executable of its debug information",
        ));
    }
    let mut bootstrap = Vec::new();
    // The size is only what the zip claims.
    file.by_ref()
        .take(LARGEST)
        .read_to_end(&mut bootstrap)
        .explain(format_args!("failed to unzip `{NAME}`"), ANOTHER)?;
    Ok(bootstrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip_of(name: &str, mode: u32) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .unix_permissions(mode);
        zip.start_file(name, options).unwrap();
        zip.write_all(b"content").unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn the_bytes_depend_only_on_the_executable() {
        assert_eq!(zip(b"the handler").unwrap(), zip(b"the handler").unwrap());
        assert_ne!(
            zip(b"the handler").unwrap(),
            zip(b"another handler").unwrap()
        );
    }

    #[test]
    fn the_zip_has_one_executable_file_with_a_fixed_time() {
        let bytes = zip(b"the handler").unwrap();
        let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(zip.len(), 1);
        let file = zip.by_index(0).unwrap();
        assert_eq!(file.name().unwrap(), "bootstrap");
        assert_eq!(file.unix_mode(), Some(0o100_755));
        assert_eq!(file.last_modified(), Some(DateTime::DEFAULT));
        assert_eq!(file.compression(), CompressionMethod::Deflated);
    }

    #[test]
    fn the_zipped_executable_is_unzipped_unchanged() {
        assert_eq!(
            bootstrap(&zip(b"the handler").unwrap()).unwrap(),
            b"the handler"
        );
    }

    #[test]
    fn a_zip_without_bootstrap_is_refused() {
        let error = bootstrap(&zip_of("target/bootstrap", 0o755)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the zip has no file `bootstrap` at its top"
        );
    }

    #[test]
    fn a_bootstrap_without_execute_bit_is_refused() {
        let error = bootstrap(&zip_of("bootstrap", 0o644)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`bootstrap` is not marked as executable in the zip"
        );
        assert!(error.advice().contains("chmod 755"));
    }

    #[test]
    fn an_invalid_zip_is_refused() {
        assert!(bootstrap(b"\x7fELF").is_err());
    }
}
