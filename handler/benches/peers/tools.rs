//! What is measured: the handler, built as for a deploy; the C program; and the peers, with AWS's runtime clients for Node
//! and Python from npm and PyPI, in a folder below the target directory.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const NODE_CLIENT: &str = "aws-lambda-ric@3.3.0";

const PYTHON_CLIENT: &str = "awslambdaric==4.2.2";

const TARGET: &str = "x86_64-unknown-linux-musl";

/// The programs.
pub struct Tools {
    pub floor: Program,
    pub jane: Program,
    pub http: Program,
    pub postgres: Program,
    pub node_loop: Program,
    pub python_loop: Program,
    /// `None` if AWS's client could not be installed.
    pub node: Option<Program>,
    pub python: Option<Program>,
}

/// A program with its arguments.
#[derive(Clone)]
pub struct Program(pub Vec<PathBuf>);

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Program {
    /// The size of the executable, and its size in a zip.
    pub fn sizes(&self) -> (u64, usize) {
        let file = &self.0[0];
        let output = Command::new("gzip").args(["-9", "-c"]).arg(file).output();
        (
            fs::metadata(file).map_or(0, |file| file.len()),
            output.map_or(0, |output| output.stdout.len()),
        )
    }
}

/// The handler's sources as in a deployment, and the folder where everything is built.
fn sources() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle");
    let root = here.parent().unwrap();
    let _ = fs::remove_dir_all(cache.join("handler"));
    let _ = fs::remove_dir_all(cache.join("config"));
    fs::create_dir_all(&cache).unwrap();
    // Keep the modification times, so that nothing is built again.
    run(Command::new("cp")
        .arg("-a")
        .args([here, &root.join("config")])
        .arg(&cache));
    fs::copy(here.join("bundle.toml"), cache.join("Cargo.toml")).unwrap();
    fs::copy(root.join("Cargo.lock"), cache.join("Cargo.lock")).unwrap();
    cache
}

fn script(program: &str, name: &str) -> Program {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Program(vec![program.into(), here.join("benches/peers").join(name)])
}

/// This handler, and the equivalent of Jane's package: with AWS's client, and in a simple loop.
pub struct OfJane {
    pub handler: Program,
    pub node: Option<Program>,
    pub node_loop: Program,
}

impl OfJane {
    pub fn build() -> Self {
        let cache = sources();
        Self {
            handler: handler(&cache, "jane"),
            node: node(&cache.join("node")),
            node_loop: script("node", "node_loop.mjs"),
        }
    }
}

impl Tools {
    pub fn build() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cache = sources();
        let floor = cache.join("floor");
        run(Command::new("cc")
            .args(["-O2", "-static", "-o"])
            .arg(&floor)
            .arg(here.join("benches/peers/floor.c")));
        Self {
            floor: Program(vec![floor]),
            jane: handler(&cache, "jane"),
            http: handler(&cache, "http"),
            postgres: handler(&cache, "postgres"),
            node_loop: script("node", "node_loop.mjs"),
            python_loop: script("python3", "python_loop.py"),
            node: node(&cache.join("node")),
            python: python(&cache.join("python")),
        }
    }
}

/// Builds the handler for one kind of directory in the same way as a deploy.
fn handler(copy: &Path, feature: &str) -> Program {
    run(Command::new(env!("CARGO"))
        .current_dir(copy)
        .env("CC_x86_64_unknown_linux_musl", "cc")
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .args(["build", "--release", "--quiet", "--no-default-features"])
        .args(["-p", "jane-migrate-handler", "--features", "silent"])
        .args(["--features", feature])
        .args(["--target", TARGET]));
    let built = copy.join("target").join(TARGET).join("release/bootstrap");
    let kept = copy.join(format!("bootstrap-{feature}"));
    fs::copy(built, &kept).unwrap();
    Program(vec![kept])
}

/// AWS's runtime client for Node is compiled while it is installed.
fn node(folder: &Path) -> Option<Program> {
    let client = folder.join("node_modules/aws-lambda-ric/bin/index.mjs");
    let install = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .arg(NODE_CLIENT)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let installed = install.is_ok_and(|status| status.success()) && client.exists();
    installed.then(|| Program(vec!["node".into(), client, "node_fetch.handler".into()]))
}

fn python(folder: &Path) -> Option<Program> {
    let python = folder.join("bin/python");
    let install = [
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder)
            .status(),
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", PYTHON_CLIENT])
            .status(),
    ];
    let installed = install
        .into_iter()
        .all(|step| step.is_ok_and(|status| status.success()));
    let client = ["-m", "awslambdaric", "python_urllib.handler"];
    installed.then(|| Program([python].into_iter().chain(client.map(Into::into)).collect()))
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}");
}
