//! PostgreSQL for the tests that need it: the machine's, or else PyPI's `pgserver`.

use std::{
    env,
    fs::{self, Permissions},
    io::Write,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    python::{environment, free_port},
    server,
};

pub const DATABASE_PASSWORD: &str = "canary-database-password";

/// A PostgreSQL server of its own, with TLS.
pub struct Server {
    process: Child,
    pub port: u16,
    /// The port for connections without TLS.
    pub plain: u16,
    /// Without it, the server itself has TLS.
    front: Option<Runtime>,
    data: PathBuf,
    pub certificate: String,
}

/// The directory with `postgres` and `initdb`, and whether they were built with TLS.
fn programs() -> (PathBuf, bool) {
    let packages = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let packaged = packages.map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let complete = |directory: &PathBuf| {
        ["postgres", "initdb"]
            .iter()
            .all(|program| directory.join(program).exists())
    };
    let found = packaged.chain(env::split_paths(&path)).find(complete);
    found.map_or_else(|| (bundled(), false), |directory| (directory, true))
}

/// The programs of PyPI's `pgserver`.
fn bundled() -> PathBuf {
    let python = environment("pgserver==0.1.4");
    let libraries = fs::read_dir(python.join("lib")).unwrap().flatten().next();
    libraries
        .unwrap()
        .path()
        .join("site-packages/pgserver/pginstall/bin")
}

/// A copy of the programs with their libraries for a user other than root, who may not be able to read what root installed.
fn reachable(programs: &Path, data: &Path) -> PathBuf {
    let packages = programs.ancestors().nth(3).unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .args(["pgserver", "pgserver.libs"].map(|part| packages.join(part)))
        .arg(data)
        .status();
    assert!(copied.unwrap().success(), "cp");
    data.join("pgserver/pginstall/bin")
}

/// TLS in front of a server that was built without it.
fn front(certified: &rcgen::CertifiedKey<rcgen::KeyPair>, server: u16) -> (Runtime, u16) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(server::tls(certified));
    runtime.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Clients ask in eight bytes whether the server supports TLS.
                client.read_exact(&mut [0; 8]).await?;
                client.write_all(b"S").await?;
                let mut client = acceptor.accept(client).await?;
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (runtime, port)
}

/// A command run as a user other than root: PostgreSQL refuses to run as root.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub const NOBODY: u32 = 65534;

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Waits until the server accepts queries, which it logs; before that it rejects them.
fn await_ready(cluster: &Path, process: &mut Child) {
    let started = Instant::now();
    let status = || fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
    while !status().lines().any(|line| line.trim() == "ready") {
        assert!(process.try_wait().unwrap().is_none(), "the server ended");
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the server does not get ready"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

impl Server {
    /// A server after these statements.
    pub fn start(sql: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let data = env::temp_dir().join(format!(
            "jane-migrate-postgres-{}-{number}",
            std::process::id()
        ));
        fs::create_dir(&data).unwrap();
        let certified = server::certificate();
        let write = |name: &str, text: &str, mode: u32| {
            let file = data.join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            file
        };
        let files = [
            write("password", DATABASE_PASSWORD, 0o600),
            write("cert", &certified.cert.pem(), 0o600),
            write("key", &certified.signing_key.serialize_pem(), 0o600),
        ];
        for owned in files.iter().chain([&data]) {
            if is_root() {
                chown(owned, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let (programs, tls) = match programs() {
            (bundled, false) if is_root() => (reachable(&bundled, &data), false),
            other => other,
        };
        let cluster = data.join("cluster");
        let made = command(&programs.join("initdb"))
            .args([
                "--auth=scram-sha-256",
                "--username=migration",
                "--no-sync",
                "--encoding=UTF8",
                "--no-locale",
            ])
            .arg(format!("--pwfile={}", files[0].display()))
            .arg("-D")
            .arg(&cluster)
            .status()
            .unwrap();
        assert!(made.success(), "initdb");
        let mut single = command(&programs.join("postgres"));
        let mut single = single
            .arg("--single")
            .arg("-D")
            .arg(&cluster)
            .arg("postgres")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        single
            .stdin
            .take()
            .unwrap()
            .write_all(format!("{}\n", sql.replace('\n', " ").replace(';', ";\n")).as_bytes())
            .unwrap();
        assert!(single.wait().unwrap().success());
        let port = free_port();
        // The shell ends the server and deletes its folder when its standard input ends, which happens whenever this
        // process ends.
        let mut process = command(Path::new("/bin/sh"))
            .arg("-c")
            .arg("\"$@\" </dev/null & cat; kill -QUIT $!; wait; rm -rf \"$0\"")
            .arg(&data)
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&cluster)
            .args([
                "-p",
                &port.to_string(),
                "-h",
                "127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
            ])
            .args(["-c", &format!("ssl={}", if tls { "on" } else { "off" })])
            .args(["-c", &format!("ssl_cert_file={}", files[1].display())])
            .args(["-c", &format!("ssl_key_file={}", files[2].display())])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        await_ready(&cluster, &mut process);
        let plain = port;
        let (front, port) = match tls {
            true => (None, port),
            false => {
                let (runtime, port) = front(&certified, port);
                (Some(runtime), port)
            }
        };
        Self {
            process,
            port,
            plain,
            front,
            data,
            certificate: certified.cert.pem(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(front) = self.front.take() {
            front.shutdown_background();
        }
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
