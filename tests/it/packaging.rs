//! The installable files of a release: the archive, the installer, the Debian package, the formula. The program in them is a
//! script that starts the program under test, because packing that one takes seconds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jane_migrate_test_kit::write_program;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::npm;

const TARGET: &str = "x86_64-unknown-linux-musl";
const ARCHIVE: &str = "jane-migrate-x86_64-unknown-linux-musl.tar.gz";

/// Packs the archive into `output`, as the release's workflow does, with one empty handler.
pub fn pack(folder: &Path, output: &Path) {
    let program = folder.join("program");
    let script = format!(
        "#!/bin/sh\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_jane-migrate")
    );
    write_program(&program, &script);
    let handlers = folder.join("handlers");
    fs::create_dir_all(&handlers).expect("a folder");
    fs::write(handlers.join("jane.zip"), "a zip").expect("written");
    let built = format!("{{\n  \"source\": \"{:0>64}\"\n}}\n", 7);
    fs::write(handlers.join("jane.json"), built).expect("written");
    let arguments = [Path::new(TARGET), &program, &handlers, output];
    let mut pack = Command::new(root().join("packaging/archive"));
    succeeded(pack.args(arguments));
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn succeeded(command: &mut Command) -> String {
    let ended = command.output().expect("it starts");
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).expect("text")
}

/// A release on this disk, with its list of checksums.
fn release() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let files = folder.path().join("latest/download");
    pack(folder.path(), &files);
    let sum = hex::encode(Sha256::digest(
        fs::read(files.join(ARCHIVE)).expect("the archive"),
    ));
    let others = "00  jane-migrate-aarch64-apple-darwin.tar.gz\n11  jane-migrate-aarch64-unknown-linux-musl.tar.gz\n";
    fs::write(
        files.join("SHA256SUMS"),
        format!("{others}{sum}  {ARCHIVE}\n"),
    )
    .expect("written");
    (folder, files)
}

fn install(release: &Path, prefix: &Path) -> Output {
    Command::new("sh")
        .arg(root().join("packaging/install.sh"))
        .env("PREFIX", prefix)
        .env(
            "JANE_MIGRATE_RELEASES",
            format!("file://{}", release.display()),
        )
        .output()
        .expect("sh starts")
}

#[test]
fn the_installer_installs_only_a_file_with_the_right_checksum() {
    let (release, files) = release();
    let prefix = release.path().join("prefix");
    let installed = install(release.path(), &prefix);
    assert!(installed.status.success(), "{installed:?}");
    let said = String::from_utf8(installed.stdout).expect("text");
    assert!(
        said.contains(concat!(
            "installed: jane-migrate ",
            env!("CARGO_PKG_VERSION")
        )),
        "{said}"
    );
    for file in [
        "share/man/man1/jane-migrate-deploy.1",
        "share/bash-completion/completions/jane-migrate",
        "share/zsh/site-functions/_jane-migrate",
        "share/fish/vendor_completions.d/jane-migrate.fish",
        "share/doc/jane-migrate/LICENSE-MIT",
        "share/doc/jane-migrate/docs/start-to-end.md",
        &format!("share/jane-migrate/handlers/{:0>64}.zip", 7),
    ] {
        assert!(prefix.join(file).is_file(), "{file}");
    }
    let mode = fs::metadata(prefix.join("bin/jane-migrate")).expect("the program");
    assert_eq!(mode.permissions().mode() & 0o777, 0o755);

    // With one more byte, nothing is installed.
    let archive = files.join(ARCHIVE);
    let mut bytes = fs::read(&archive).expect("the archive");
    bytes.push(0);
    fs::write(&archive, bytes).expect("written");
    let elsewhere = release.path().join("elsewhere");
    let refused = install(release.path(), &elsewhere);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).expect("text");
    assert!(said.contains("nothing was installed"), "{said}");
    assert!(!elsewhere.exists());
}

#[test]
fn the_same_files_give_the_same_archive() {
    let (_first, one) = release();
    let (_second, other) = release();
    let read = |files: &Path| fs::read(files.join(ARCHIVE)).expect("the archive");
    // The script contains no folder of the test.
    assert!(
        read(&one) == read(&other),
        "two archives of the same files differ"
    );
}

#[test]
fn debian_unpacks_the_package() {
    let (release, files) = release();
    let mut deb = Command::new(root().join("packaging/deb"));
    deb.args(["1.2.3", "amd64"])
        .args([files.join(ARCHIVE), files.clone()]);
    succeeded(deb.env("MAINTAINER", "Release <release@example.com>"));
    let package = files.join("jane-migrate_1.2.3_amd64.deb");
    let field = |name: &str| {
        succeeded(
            Command::new("dpkg-deb")
                .arg("--field")
                .arg(&package)
                .arg(name),
        )
    };
    assert_eq!(field("Version"), "1.2.3\n");
    assert_eq!(field("Depends"), "ca-certificates\n");
    let system = release.path().join("system");
    succeeded(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&package)
            .arg(&system),
    );
    for file in [
        "usr/bin/jane-migrate",
        "usr/share/man/man1/jane-migrate.1.gz",
        "usr/share/zsh/vendor-completions/_jane-migrate",
        "usr/share/doc/jane-migrate/copyright",
    ] {
        assert!(system.join(file).is_file(), "{file}");
    }
}

/// Homebrew itself is not run: it is only available from GitHub.
#[test]
fn ruby_parses_the_formula() {
    let (_release, files) = release();
    let formula = succeeded(
        Command::new(root().join("packaging/formula"))
            .args(["1.2.3", "OWNER/REPOSITORY"])
            .arg(files.join("SHA256SUMS")),
    );
    assert!(formula.contains("releases/download/v1.2.3/jane-migrate-aarch64-apple-darwin.tar.gz"));
    let tools = npm("prism-1.9.0", &["@ruby/prism@1.9.0"]);
    let parse = "import { loadPrism } from '@ruby/prism';
        const parse = await loadPrism();
        const parsed = parse(process.argv[2]);
        const found = parsed.errors.map(error => error.message);
        console.log(JSON.stringify(found));";
    let script = tools.join("parse.mjs");
    fs::write(&script, parse).expect("written");
    let errors = |ruby: &str| succeeded(Command::new("node").arg(&script).arg(ruby));
    assert_eq!(errors(&formula), "[]\n");
    // A parser that never reports an error would accept this.
    assert_ne!(errors(&formula.replacen("end", "", 1)), "[]\n");
}
