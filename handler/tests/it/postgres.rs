//! The handler with `kind = "postgres"`, against a PostgreSQL of the machine's, or else of PyPI's `pgserver`.

use std::{
    env,
    fs::{self, Permissions},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
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

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    function::{Function, forgot_password, settings, sign_in},
    python::{environment, free_port},
    server,
};

const PASSWORD: &str = "canary-user-password";
const DATABASE_PASSWORD: &str = "canary-database-password";

/// A PostgreSQL server of its own, with TLS.
struct Server {
    process: Child,
    port: u16,
    /// The port that takes connections without TLS too.
    plain: u16,
    /// Without it: the server speaks TLS itself.
    front: Option<Runtime>,
    data: PathBuf,
    certificate: String,
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

/// A copy of the programs, with their libraries, for somebody else than root, who may not be able to reach what root
/// installed.
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

/// TLS before a server that was built without it.
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
                // Clients ask in eight bytes whether there is TLS.
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

/// A command as somebody else than root, whom PostgreSQL refuses.
fn command(program: &Path) -> Command {
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

const NOBODY: u32 = 65534;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Waits until the server takes queries, which it writes down; before that it refuses them.
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
    fn start(sql: &str) -> Self {
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
        // The shell ends the server when its standard input ends, which it does when this process ends, however that happens.
        let mut process = command(Path::new("/bin/sh"))
            .arg("-c")
            .arg("\"$@\" </dev/null & cat; kill -QUIT $!; wait")
            .arg("sh")
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

    fn function(&self, hash: &str, query: &str, more: &str) -> Function {
        let toml = format!(
            "[directory]\nkind = 'postgres'\nhost = '127.0.0.1'\nport = {}\ndatabase = 'postgres'\nuser = 'migration'\n\
             password = {{ env = 'DATABASE_PASSWORD' }}\nquery = \"{query}\"\npassword_column = 'hash'\nhash = '{hash}'\n\
             ca_certificate = '''{}'''\n{more}\n[attributes]\nemail = 'email'\nemail_verified = 'verified'\n\
             'custom:id' = 'id'\nzoneinfo = '/extra/zone'\n",
            self.port, self.certificate
        );
        let environment = [
            ("DATABASE_PASSWORD", DATABASE_PASSWORD),
            ("SIGNER_KEY", SIGNER_KEY),
        ];
        Function::start(&settings(&toml), &environment)
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

const QUERY: &str = "SELECT id, email, verified, extra, hash FROM users WHERE lower(email) = $1;";

const SIGNER_KEY: &str =
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";

fn users() -> String {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    format!(
        "CREATE TABLE users (id uuid, email varchar(80), verified boolean, extra jsonb, hash text);
         INSERT INTO users VALUES
           ('11111111-2222-3333-4444-555555555555', 'Ann@example.com', true, '{{\"zone\": \"UTC\"}}', '{bcrypt}'),
           (NULL, 'eve@example.com', false, NULL, '{bcrypt}'),
           (NULL, 'none@example.com', true, NULL, NULL),
           (NULL, 'unusable@example.com', true, NULL, '!Ab'),
           (NULL, 'odd@example.com', true, NULL, 'plain text'),
           (NULL, 'twice@example.com', true, NULL, '{bcrypt}'),
           (NULL, 'TWICE@example.com', true, NULL, '{bcrypt}');
         CREATE TABLE members (number int, email text, hash text);
         INSERT INTO members VALUES (7, 'ann@example.com', '{bcrypt}');
         INSERT INTO users VALUES (NULL, 'damaged@example.com', true, NULL, 'canary-damaged-hash');
         CREATE TABLE firebase (email text, salt text, hash text);
         INSERT INTO firebase VALUES ('fire@example.com', '42xEC+ixf3L2lw==',
           'NJuYoAYsze0WXuT4l9NCver7kb9B6YVzrhmX44Kn8rxRsXndH14O4xZL+9a05RRnMCCpQ0Z/SWEO8tcSaKrfOg==');"
    )
}

#[test]
fn users_of_a_database_migrate_with_columns_of_any_type() {
    let server = Server::start(&users());
    let function = server.function("bcrypt", QUERY, "");
    let answer = function
        .invoke(&sign_in("ann@Example.com", PASSWORD))
        .event();
    assert_eq!(
        answer["response"]["userAttributes"],
        json!({
            "email": "Ann@example.com", "email_verified": "true", "zoneinfo": "UTC",
            "custom:id": "11111111-2222-3333-4444-555555555555",
        })
    );
    let record = function.record();
    let calls: Vec<_> = record["upstream"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["call"])
        .collect();
    assert_eq!(calls, ["query", "hash"], "the connection was there already");
    for (event, outcome) in [
        (sign_in("ann@example.com", "wrong"), "wrong-password"),
        (sign_in("nobody@example.com", PASSWORD), "not-found"),
        (sign_in("x' OR '1'='1", PASSWORD), "not-found"),
        (sign_in("none@example.com", PASSWORD), "sso-only"),
        (sign_in("unusable@example.com", PASSWORD), "sso-only"),
        (
            sign_in("odd@example.com", PASSWORD),
            "directory-unavailable",
        ),
        (sign_in("twice@example.com", PASSWORD), "not-eligible"),
        (forgot_password("ann@example.com"), "migrated-for-reset"),
        (forgot_password("eve@example.com"), "not-eligible"),
        (forgot_password("nobody@example.com"), "not-found"),
    ] {
        assert_eq!(function.outcome(&event).0, outcome, "{event}");
    }
    assert!(
        !function.output().contains("canary"),
        "{}",
        function.output()
    );

    let firebase = "[directory.firebase]\nsigner_key = { env = 'SIGNER_KEY' }\nsalt_separator = 'Bw=='\nmem_cost = 4\nsalt_column = 'salt'";
    let function = server.function(
        "firebase",
        "SELECT email, salt, hash FROM firebase WHERE email = $1",
        firebase,
    );
    assert_eq!(
        function
            .outcome(&sign_in("fire@example.com", "user1password"))
            .0,
        "migrated"
    );
    assert_eq!(
        function
            .outcome(&sign_in("fire@example.com", "user2password"))
            .0,
        "wrong-password"
    );
    assert_eq!(
        function
            .outcome(&sign_in("nobody@example.com", "user1password"))
            .0,
        "not-found"
    );
}

#[test]
fn a_number_is_looked_up_as_a_text_and_the_query_may_end_in_a_comment() {
    let server = Server::start(&users());
    let query = "SELECT email, hash FROM members WHERE number::text = $1 -- the member's card";
    let function = server.function("bcrypt", query, "");
    for (name, outcome) in [("7", "migrated"), ("8", "not-found"), ("x", "not-found")] {
        assert_eq!(function.outcome(&sign_in(name, PASSWORD)).0, outcome);
    }
}

#[test]
fn what_a_database_quotes_in_its_errors_is_not_written() {
    let server = Server::start(&users());
    let quoting = "SELECT email, hash FROM members WHERE number = $1::text::int";
    let function = server.function("bcrypt", quoting, "");
    function
        .invoke(&sign_in("canary.user@example.com", PASSWORD))
        .error();
    assert_eq!(function.record()["reason"], "query");
    let damaged = server.function("bcrypt", QUERY, "");
    damaged
        .invoke(&sign_in("damaged@example.com", PASSWORD))
        .error();
    assert_eq!(damaged.record()["reason"], "hash");
    for function in [function, damaged] {
        let output = function.output();
        assert!(!output.contains("canary"), "{output}");
    }
}

#[test]
fn the_query_cannot_change_anything() {
    let server = Server::start(&users());
    let query = "WITH gone AS (DELETE FROM users WHERE email = $1 RETURNING *) SELECT * FROM gone";
    let function = server.function("bcrypt", query, "");
    assert_eq!(
        function.outcome(&sign_in("eve@example.com", PASSWORD)).0,
        "directory-unavailable"
    );
    let function = server.function("bcrypt", QUERY, "");
    assert_eq!(
        function.outcome(&sign_in("eve@example.com", PASSWORD)).0,
        "migrated"
    );
}

/// A proxy between functions and the database, as RDS Proxy and PgBouncer are: it takes no options with the connection.
fn proxy(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut client = client;
            let mut length = [0; 4];
            client.read_exact(&mut length).unwrap();
            let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
            client.read_exact(&mut startup).unwrap();
            if startup.windows(8).any(|window| window == b"options\0") {
                continue;
            }
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            server.write_all(&length).unwrap();
            server.write_all(&startup).unwrap();
            let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut client, &mut server));
            thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
        }
    });
    port
}

#[test]
fn a_proxy_before_the_database_needs_to_keep_nothing() {
    let server = Server::start(&users());
    let toml = format!(
        "[directory]\nkind = 'postgres'\nhost = '127.0.0.1'\nport = {}\ndatabase = 'postgres'\nuser = 'migration'\n\
         password = {{ env = 'DATABASE_PASSWORD' }}\npassword_column = 'hash'\nhash = 'bcrypt'\n\
         query = \"SELECT email, hash, current_setting('default_transaction_read_only') AS session, \
         current_setting('transaction_read_only') AS read_only FROM users \
         WHERE lower(email) = $1\"\n[attributes]\nemail = 'email'\nprofile = 'session'\nwebsite = 'read_only'\n",
        proxy(server.plain)
    );
    let function = Function::start(
        &settings(&toml),
        &[("DATABASE_PASSWORD", DATABASE_PASSWORD)],
    );
    for _ in 0..2 {
        let answer = function.invoke(&sign_in("ann@example.com", PASSWORD));
        let attributes = &answer.event()["response"]["userAttributes"];
        assert_eq!(
            (&attributes["profile"], &attributes["website"]),
            (&json!("off"), &json!("on"))
        );
    }
}

#[test]
fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    let server = Server::start(&users());
    let function = server.function(
        "bcrypt",
        QUERY,
        "decoy = '$2b$04$C6UzMDM.H6dfI/f/IKcEeO7ZpYb5rDN3ZQm8ZqvNa2eYGRRyVvhQK'",
    );
    let hashed = |name: &str| {
        function.invoke(&sign_in(name, "wrong"));
        let record = function.record();
        let calls = record["upstream"].as_array().unwrap().clone();
        calls
            .iter()
            .map(|call| call["call"].clone())
            .collect::<Vec<Value>>()
    };
    for name in [
        "ann@example.com",
        "nobody@example.com",
        "none@example.com",
        "twice@example.com",
    ] {
        assert_eq!(hashed(name), ["query", "hash"], "{name}");
    }
}

#[test]
fn a_database_that_comes_back_is_used_again_and_one_that_is_gone_ends_in_time() {
    let server = Server::start(&users());
    let function = server.function("bcrypt", QUERY, "");
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "migrated"
    );
    let port = server.port;
    drop(server);
    let started = Instant::now();
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "directory-unavailable"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
    // Something else that listens there and never speaks.
    let _silent = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let started = Instant::now();
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "directory-unavailable"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_certificate_of_somebody_else_is_not_trusted() {
    let mut server = Server::start(&users());
    server.certificate = server::certificate().cert.pem();
    let function = server.function("bcrypt", QUERY, "");
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "directory-unavailable"
    );
    assert_eq!(
        function.output().matches("\"reason\":\"connect\"").count(),
        1
    );
}
