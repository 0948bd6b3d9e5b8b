//! Servers and libraries from PyPI and npm, installed below the target directory if they are not there.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The virtual environment with this package, such as `moto[server]==5.2.5`. It has the same place and form as the sandbox's, so
/// that the tests of both share it.
pub fn environment(package: &str) -> PathBuf {
    let name = package.replace("[server]", "").replace("==", "-");
    installed(&name, package, |directory| {
        run(Command::new("python3").args(["-m", "venv"]).arg(directory));
        run(Command::new(directory.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(package.split_whitespace()));
    })
}

/// The folder whose `node_modules` contains these packages, such as `scrypt-kdf@4.0.0`.
pub fn node_modules(name: &str, packages: &str) -> PathBuf {
    installed(name, packages, |directory| {
        fs::create_dir_all(directory).unwrap();
        run(Command::new("npm")
            .args([
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
            ])
            .arg("--prefix")
            .arg(directory)
            .args(packages.split_whitespace()));
    })
}

/// A folder below the target directory, created once for each list of packages. Processes that need it at the same time wait for
/// each other.
pub fn installed(name: &str, packages: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let directory = cache.join(name);
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(directory.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let complete = directory.join("complete");
    if fs::read_to_string(&complete).ok().as_deref() != Some(packages) {
        let _ = fs::remove_dir_all(&directory);
        install(&directory);
        fs::write(complete, packages).unwrap();
    }
    directory
}

pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until a server listens.
fn await_port(address: SocketAddr, process: &mut Child) {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(process.try_wait().unwrap().is_none(), "the server ended");
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the server does not listen"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// moto: an AWS emulator for tests.
pub struct Moto {
    address: SocketAddr,
}

/// Runs moto until its standard input ends, which happens whenever this process ends.
const MOTO: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

impl Moto {
    /// The shared instance of this run. It ends with this process, whose end closes its standard input.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Moto> = LazyLock::new(Moto::start);
        &SHARED
    }

    fn start() -> Self {
        let python = environment("moto[server]==5.2.5").join("bin/python");
        let port = free_port();
        let mut process = Command::new(python)
            .args(["-c", MOTO, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        await_port(address, &mut process);
        // Its input must stay open.
        std::mem::forget(process);
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls an action as an operator.
    pub fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: {target}\r\nauthorization: AWS4-HMAC-SHA256 Credential=A/20270101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{target}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }
}
