//! Debian's MariaDB, for the tests that need it.

use std::{
    fs,
    io::Read,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    database::{DATABASE_PASSWORD, NOBODY, command, is_root},
    python::{free_port, installed, run},
    server,
};

/// A MariaDB server of its own, with TLS.
pub struct MariaDb {
    process: Child,
    pub port: u16,
    data: PathBuf,
    pub certificate: String,
}

/// A program that a package installs where only root's path looks.
fn program(name: &str) -> PathBuf {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .map(|directory| Path::new(directory).join(name));
    let found = found.into_iter().find(|program| program.exists());
    found.unwrap_or_else(|| panic!("no {name}: `tests/run` installs it (mariadb-server-core)"))
}

/// A folder with the server's own tables, created once for each version.
fn own_tables() -> PathBuf {
    let version = run(Command::new(program("mariadbd")).arg("--version"));
    installed("mariadb", version.trim(), |directory| {
        let mut install = Command::new(program("mariadb-install-db"));
        install
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .arg("--innodb-log-file-size=4M")
            .arg(format!("--datadir={}", directory.join("data").display()));
        if is_root() {
            install.arg("--user=root");
        }
        run(&mut install);
    })
    .join("data")
}

impl MariaDb {
    /// A server whose database `shop` is made by these statements, each on its own line.
    pub fn start(sql: &str) -> Self {
        Self::start_with(sql, &[])
    }

    pub fn start_with(sql: &str, options: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let data = std::env::temp_dir().join(format!(
            "jane-migrate-mariadb-{}-{number}",
            std::process::id()
        ));
        run(Command::new("cp").arg("-r").arg(own_tables()).arg(&data));
        let certified = server::certificate();
        let write = |name: &str, text: &str| {
            let file = data.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let certificate = write("cert.pem", &certified.cert.pem());
        let key = write("key.pem", &certified.signing_key.serialize_pem());
        let init = write(
            "init.sql",
            &format!(
                "CREATE DATABASE shop CHARACTER SET utf8mb4;\n\
                 CREATE USER migration IDENTIFIED BY '{DATABASE_PASSWORD}';\n\
                 GRANT SELECT, EXECUTE ON shop.* TO migration;\n\
                 USE shop;\n{sql}\n\
                 CREATE DATABASE ready;\n"
            ),
        );
        if is_root() {
            let owner = format!("{NOBODY}:{NOBODY}");
            run(Command::new("chown").arg("-R").arg(owner).arg(&data));
        }
        let port = free_port();
        let path = |name: &str| data.join(name).display().to_string();
        // The shell ends the server and deletes its folder when its standard input ends, which happens whenever this
        // process ends.
        let mut process = command(Path::new("/bin/sh"))
            .arg("-c")
            .arg("\"$@\" </dev/null & cat; kill -KILL $!; wait; rm -rf \"$0\"")
            .arg(&data)
            .arg(program("mariadbd"))
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--init-file={}", init.display()))
            .arg(format!("--log-error={}", path("log")))
            .arg(format!("--ssl-cert={}", certificate.display()))
            .arg(format!("--ssl-key={}", key.display()))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--innodb-buffer-pool-size=8M",
                "--innodb-log-file-size=4M",
                "--innodb-flush-log-at-trx-commit=0",
                "--performance-schema=OFF",
            ])
            .args(options)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        await_ready(&data, port, &mut process);
        Self {
            process,
            port,
            data,
            certificate: certified.cert.pem(),
        }
    }
}

/// Waits until the server has executed its statements, the last of which creates a folder, and sends its greeting.
fn await_ready(data: &Path, port: u16, process: &mut Child) {
    let started = Instant::now();
    let log = || fs::read_to_string(data.join("log")).unwrap_or_default();
    let greets = || {
        let greeted =
            TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| stream.read(&mut [0; 1]));
        greeted.is_ok_and(|read| read == 1)
    };
    while !(data.join("ready").exists() && greets()) {
        assert!(
            process.try_wait().unwrap().is_none(),
            "the server ended: {}",
            log()
        );
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the server does not get ready: {}",
            log()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
