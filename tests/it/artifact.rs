//! Builds the handler with real cargo: tiny packages in place of the handler, and once the handler itself.
//!
//! The packages have no dependencies, so that only a toolchain is needed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use jane_migrate::artifact::{self, Artifact, Bundle, Linkage, Progress, Request};
use jane_migrate_config::Architecture;
use jane_migrate_core::fix::Flags;
use jane_migrate_test_kit::{copy_program, write_program};
use tempfile::TempDir;

use crate::support::{Corner, cache};

const WORKSPACE: &str = "
    [workspace]
    members = ['handler']
    resolver = '3'
    [profile.release]
    strip = true
";

const MANIFEST: &str = "
    [package]
    name = 'jane-migrate-handler'
    version = '0.1.0'
    edition = '2024'
    [features]
    jane = []
    silent = []
    [[bin]]
    name = 'bootstrap'
    path = 'src/main.rs'
";

/// A build script whose output contains its own path, and a panic that contains the path of its source.
const BUILD_SCRIPT: &str = r#"
    fn main() {
        let folder = std::env::var("OUT_DIR").unwrap();
        std::fs::write(format!("{folder}/path.rs"), "pub fn path() -> &'static str { file!() }").unwrap();
    }
"#;
const MAIN: &str = r#"
    include!(concat!(env!("OUT_DIR"), "/path.rs"));
    fn main() { println!("{}", path()); if std::env::args().count() > 9 { panic!("many") } }
"#;

fn stand_in(main: &str, build_script: &str) -> Bundle {
    let files = [
        ("Cargo.toml", WORKSPACE),
        ("handler/Cargo.toml", MANIFEST),
        ("handler/src/main.rs", main),
        ("handler/build.rs", build_script),
    ];
    Bundle::new(files.map(|(path, content)| (path.into(), content.into())))
}

fn request(cache: &Path) -> Request {
    Request {
        kind: "jane",
        architecture: native(),
        cache: cache.to_owned(),
        records: cache.join("jane-migrate"),
    }
}

/// The architecture that this machine builds without further tools.
fn native() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86_64
    }
}

/// A build, and its progress messages.
async fn build(
    bundle: &Bundle,
    cache: &Path,
) -> (jane_migrate::error::Result<Artifact>, Vec<String>) {
    let said = Mutex::new(Vec::new());
    let built = artifact::build_from(bundle, &request(cache), &|progress| {
        said.lock().unwrap().push(format!("{progress:?}"));
    })
    .await;
    (built, said.into_inner().unwrap())
}

#[tokio::test]
async fn the_same_sources_give_the_same_zip_in_every_folder() {
    let bundle = stand_in(MAIN, BUILD_SCRIPT);
    let (one, other) = (
        TempDir::new().unwrap(),
        TempDir::with_prefix("a-longer-name-").unwrap(),
    );
    let (one, _) = build(&bundle, one.path()).await;
    let (other, _) = build(&bundle, other.path()).await;
    assert_eq!(one.unwrap().code_sha256, other.unwrap().code_sha256);
}

#[tokio::test]
async fn a_second_build_compiles_nothing_and_a_change_does() {
    let cache = TempDir::new().unwrap();
    let (first, said) = build(&stand_in(MAIN, BUILD_SCRIPT), cache.path()).await;
    let first = first.unwrap();
    assert!(!first.cached);
    let last = r#"Crate { name: "bootstrap", done: 1, total: 1 }"#;
    assert_eq!(said.last().unwrap(), last, "{said:#?}");

    let (second, said) = build(&stand_in(MAIN, BUILD_SCRIPT), cache.path()).await;
    let second = second.unwrap();
    assert!(second.cached);
    assert_eq!(
        (second.zip, second.code_sha256),
        (first.zip.clone(), first.code_sha256.clone())
    );
    assert!(said.is_empty(), "{said:#?}");

    let (changed, said) = build(&stand_in("fn main() {}", BUILD_SCRIPT), cache.path()).await;
    let changed = changed.unwrap();
    assert!(!changed.cached, "{said:#?}");
    assert_ne!(changed.code_sha256, first.code_sha256);

    // The first one's zip still exists; its digest distinguishes it from the other.
    assert_eq!(
        artifact::open(&first.zip, "jane", native())
            .unwrap()
            .code_sha256,
        first.code_sha256
    );
}

#[tokio::test]
async fn a_damaged_zip_is_built_again() {
    let cache = TempDir::new().unwrap();
    let bundle = stand_in(MAIN, BUILD_SCRIPT);
    let first = build(&bundle, cache.path()).await.0.unwrap();
    fs::write(&first.zip, "damaged").unwrap();
    let second = build(&bundle, cache.path()).await.0.unwrap();
    assert!(!second.cached);
    assert_eq!(second.code_sha256, first.code_sha256);
}

#[tokio::test]
async fn of_two_parallel_builds_one_compiles_and_both_get_the_zip() {
    let cache = TempDir::new().unwrap();
    let bundle = stand_in(MAIN, BUILD_SCRIPT);
    let ((one, said_by_one), (other, said_by_other)) =
        tokio::join!(build(&bundle, cache.path()), build(&bundle, cache.path()));
    assert_eq!(one.unwrap().code_sha256, other.unwrap().code_sha256);
    let said = [said_by_one, said_by_other].concat();
    let compiled = said
        .iter()
        .filter(|line| line.contains("compiling"))
        .count();
    assert_eq!(compiled, 1, "{said:#?}");
}

#[tokio::test]
async fn a_compile_error_is_shown_with_the_compilers_message() {
    let cache = TempDir::new().unwrap();
    let (built, _) = build(
        &stand_in("fn main() { nonsense() }", BUILD_SCRIPT),
        cache.path(),
    )
    .await;
    let error = built.unwrap_err();
    let hint = error.hints()[0].render(&Flags::default());
    assert!(
        error
            .to_string()
            .contains("cannot find function `nonsense`"),
        "{error}"
    );
    assert!(
        hint.contains("cargo build --package jane-migrate-handler"),
        "{hint}"
    );
    assert!(hint.contains("--artifact ZIP"), "{hint}");
}

#[tokio::test]
async fn dropping_the_build_ends_cargo() {
    let cache = TempDir::new().unwrap();
    // Runs until cargo, its parent, has ended.
    let build_script = format!(
        r#"
            use std::os::unix::process::parent_id;
            fn main() {{
                let cargo = parent_id();
                std::fs::write({0:?}, "").unwrap();
                while parent_id() == cargo {{ std::thread::sleep(std::time::Duration::from_millis(5)) }}
                std::fs::write({1:?}, "").unwrap();
            }}
        "#,
        cache.path().join("started"),
        cache.path().join("cargo-is-gone"),
    );
    let bundle = stand_in(MAIN, &build_script);
    tokio::select! {
        (built, _) = build(&bundle, cache.path()) => panic!("the build ended by itself: {built:?}"),
        () = appears(cache.path().join("started")) => {}
    }
    appears(cache.path().join("cargo-is-gone")).await;
    // And a leftover lock does not block the next one.
    build(&stand_in(MAIN, BUILD_SCRIPT), cache.path())
        .await
        .0
        .unwrap();
}

async fn appears(path: PathBuf) {
    let wait = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait)
        .await
        .unwrap_or_else(|_| panic!("`{}` did not appear", path.display()));
}

#[tokio::test]
async fn a_build_script_has_no_network_if_the_system_can_cut_it_off() {
    let cache = TempDir::new().unwrap();
    let network = cache.path().join("network").display().to_string();
    let script = format!(
        "fn main() {{ std::fs::write({network:?}, std::fs::read_to_string(\"/proc/net/dev\").unwrap()).unwrap() }}"
    );
    build(&stand_in("fn main() {}", &script), cache.path())
        .await
        .0
        .unwrap();
    let seen = fs::read_to_string(network).unwrap();
    let unshares = |flag: &str| {
        let unshare = std::process::Command::new("unshare")
            .args([flag, "true"])
            .status();
        unshare.is_ok_and(|status| status.success())
    };
    let cut = unshares("-n") || unshares("-rn");
    let only_loopback = seen
        .lines()
        .skip(2)
        .all(|line| line.trim().starts_with("lo:"));
    assert!(only_loopback || !cut, "{seen}");
}

/// A `cargo` that records its arguments and environment, and builds nothing.
const NOSY_CARGO: &str = "#!/bin/sh
{ echo \"cargo $*\"; env; } > \"$(dirname \"$0\")/seen-$1\"
[ \"$1\" = tree ]
";

#[tokio::test]
async fn a_build_sees_none_of_the_operators_keys_and_downloads_nothing() {
    let mut corner = Corner::new().await;
    let tools = corner.folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    write_program(&tools.join("cargo"), NOSY_CARGO);
    let path = std::env::var("PATH").unwrap();
    let own = corner.folder.path().join("cache").display().to_string();
    let keys = [
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "CARGO_REGISTRY_TOKEN",
        "HTTPS_PROXY",
    ];
    corner.environment = keys
        .map(|name| (name.to_owned(), "http://canary:7".to_owned()))
        .to_vec();
    corner.environment.extend([
        ("PATH".to_owned(), format!("{}:{path}", tools.display())),
        ("JANE_MIGRATE_CACHE".to_owned(), own),
    ]);
    corner.run(&["build"]).await.ended(1);

    let seen = |duty: &str| fs::read_to_string(tools.join(format!("seen-{duty}"))).unwrap();
    let (fetched, built) = (seen("tree"), seen("build"));
    assert!(
        built.contains("cargo build") && built.contains("--offline"),
        "{built}"
    );
    assert!(!built.contains("canary"), "{built}");
    for (name, seen) in [
        ("HTTPS_PROXY", true),
        ("CARGO_REGISTRY_TOKEN", true),
        ("GITHUB_TOKEN", false),
    ] {
        assert_eq!(fetched.contains(name), seen, "{fetched}");
    }
    for seen in [fetched, built] {
        assert!(!seen.contains("AWS_") && !seen.contains("JANE_"), "{seen}");
        assert!(
            !seen.contains(&corner.secret) && !seen.contains(corner.jane.client_secret()),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn files_above_the_cache_choose_no_compiler() {
    // As in /tmp, where each user may put a file.
    let above = TempDir::new().unwrap();
    let ran = above.path().join("ran");
    let compiler = above.path().join("compiler");
    write_program(
        &compiler,
        &format!("#!/bin/sh\ntouch {}\nexec \"$@\"\n", ran.display()),
    );
    let toolchain = above.path().join("toolchain/bin");
    fs::create_dir_all(&toolchain).unwrap();
    for tool in ["cargo", "rustc"] {
        symlink(&compiler, toolchain.join(tool)).unwrap();
    }
    let cache = above.path().join("cache");
    for (file, text) in [
        (
            ".cargo/config.toml",
            format!("[build]\nrustc-wrapper = {compiler:?}"),
        ),
        (
            "rust-toolchain.toml",
            format!("[toolchain]\npath = {:?}", above.path().join("toolchain")),
        ),
    ] {
        let file = above.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        build(&stand_in(MAIN, BUILD_SCRIPT), &cache)
            .await
            .0
            .unwrap();
        assert!(!ran.exists(), "{}", file.display());
        fs::remove_file(&file).unwrap();
        fs::remove_dir_all(&cache).unwrap();
    }
}

#[tokio::test]
async fn a_cache_that_others_can_write_to_is_refused() {
    let mut corner = Corner::new().await;
    let folder = corner.folder.path().join("cache");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let cache = (
        "JANE_MIGRATE_CACHE".to_owned(),
        folder.display().to_string(),
    );
    corner.environment.push(cache);
    for command in ["build", "sandbox"] {
        let ran = corner.run(&[command]).await.ended(1);
        assert!(
            ran.stderr.contains("can be written to by others"),
            "{ran:#?}"
        );
        assert!(
            ran.stderr
                .contains(&format!("hint: `chmod go-w {}`", folder.display())),
            "{ran:#?}"
        );
    }
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "nothing was put there"
    );
}

#[tokio::test]
async fn a_zip_for_another_architecture_is_refused() {
    let cache = TempDir::new().unwrap();
    let built = build(&stand_in(MAIN, BUILD_SCRIPT), cache.path())
        .await
        .0
        .unwrap();
    let other = match native() {
        Architecture::X86_64 => Architecture::Arm64,
        Architecture::Arm64 => Architecture::X86_64,
    };
    let error = artifact::open(&built.zip, "jane", other).unwrap_err();
    assert!(
        format!("{error:#}").contains(&format!("was compiled for {}", native().as_str())),
        "{error:#}"
    );
}

#[tokio::test]
async fn the_handler_builds_from_the_sources_in_this_binary() {
    // The cache of every test that deploys: the handler is compiled once.
    let request = request(&cache());
    let artifact = artifact::build(&request, &|_: Progress<'_>| {})
        .await
        .unwrap();
    assert_eq!(artifact.linkage, Linkage::Static);
    assert_eq!(artifact.architecture, native());
    assert_eq!(artifact.source, artifact::source_digest("jane", native()));
    assert_eq!(artifact.size, fs::metadata(&artifact.zip).unwrap().len());
    assert!(artifact.size < 1_700_000, "{} bytes", artifact.size);
    // The zip contains the directories that it serves: on a pool with another directory it would answer no event.
    artifact::open(&artifact.zip, "jane", native()).unwrap();
    let error = artifact::open(&artifact.zip, "cognito", native()).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("serves directories of kind `jane`, and"),
        "{error}"
    );
    // Without a subscriber, the linker leaves the runtime's trace events out, one of which contains the password.
    let zip = std::io::Cursor::new(artifact.read().unwrap());
    let mut executable = Vec::new();
    let mut zip = zip::ZipArchive::new(zip).unwrap();
    std::io::copy(&mut zip.by_name("bootstrap").unwrap(), &mut executable).unwrap();
    let event = b"raw JSON event received";
    assert!(!executable.windows(event.len()).any(|part| part == event));
    let again = artifact::build(&request, &|progress| {
        panic!("{progress:?}, although the zip is in the cache")
    })
    .await
    .unwrap();
    assert!(again.cached);
    assert_eq!(again.read().unwrap(), artifact.read().unwrap());
}

#[tokio::test]
async fn a_handler_from_the_release_needs_no_compiler() {
    let mut corner = Corner::new().await;
    let built = corner.run(&["build", "--json"]).await.ended(0).json();
    let prefix = corner.folder.path().join("prefix");
    let handlers = prefix.join("share/jane-migrate/handlers");
    let unused = corner.folder.path().join("unused").display().to_string();
    fs::create_dir_all(&handlers).unwrap();
    fs::create_dir(prefix.join("bin")).unwrap();
    let program = prefix.join("bin/jane-migrate");
    copy_program(Path::new(env!("CARGO_BIN_EXE_jane-migrate")), &program);
    let source = built["source"].as_str().unwrap();
    let zip = handlers.join(format!("{source}.zip"));
    fs::copy(built["zip"].as_str().unwrap(), &zip).unwrap();
    corner.environment = vec![
        ("PATH".to_owned(), "/nowhere".to_owned()),
        ("JANE_MIGRATE_CACHE".to_owned(), unused.clone()),
    ];
    // Like package managers: a symbolic link elsewhere.
    let link = corner.folder.path().join("linked");
    symlink(&program, &link).unwrap();
    let link = link.to_str().unwrap();

    let taken = corner.run_as(link, &["build", "--json"]).await.ended(0);
    assert_eq!(taken.json()["code_sha256"], built["code_sha256"]);
    assert!(!Path::new(&unused).exists(), "it needs no cache");
    let machine = corner.run_as(link, &["doctor"]).await;
    assert!(
        machine
            .stdout
            .contains("  handlers   jane, which came with the program\n"),
        "{machine:#?}"
    );

    // A handler of another version is not used.
    fs::rename(&zip, handlers.join(format!("{:0>64}.zip", 1))).unwrap();
    let refused = corner.run_as(link, &["build"]).await.ended(1);
    assert!(refused.stderr.contains("rustup.rs"), "{refused:#?}");
}
