//! The handler with `kind = "mysql"`, against a real MariaDB.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    database::DATABASE_PASSWORD,
    function::{Function, forgot_password, settings, sign_in},
    mariadb::MariaDb,
    server,
};

const PASSWORD: &str = "canary-user-password";

const QUERY: &str = "SELECT id, email, verified, born, hash FROM users WHERE email = ?;";

impl MariaDb {
    fn toml(&self, query: &str, more: &str) -> String {
        format!(
            "[directory]\nkind = 'mysql'\nhost = '127.0.0.1'\nport = {}\ndatabase = 'shop'\nuser = 'migration'\n\
             password = {{ env = 'DATABASE_PASSWORD' }}\nquery = \"{query}\"\npassword_column = 'hash'\nhash = 'bcrypt'\n\
             ca_certificate = '''{}'''\n{more}\n[attributes]\nemail = 'email'\nemail_verified = 'verified'\n\
             'custom:id' = 'id'\nbirthdate = 'born'\n",
            self.port, self.certificate
        )
    }

    fn function(&self, query: &str, more: &str) -> Function {
        started(&self.toml(query, more))
    }
}

fn started(toml: &str) -> Function {
    let environment = [
        ("DATABASE_PASSWORD", DATABASE_PASSWORD),
        ("PEPPER", "0123456789abcdef-pepper"),
    ];
    Function::start(&settings(toml), &environment)
}

fn users() -> String {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    format!(
        "CREATE TABLE users (id binary(2), email varchar(80), verified bit(1), born date, hash char(100), padded binary(80));\n\
         INSERT INTO users VALUES \
           (x'00ff', 'Ann@example.com', 1, '1990-02-28', '{bcrypt}', '{bcrypt}'), \
           (NULL, 'eve@example.com', 0, NULL, '{bcrypt}', NULL), \
           (NULL, 'none@example.com', 1, NULL, NULL, NULL), \
           (NULL, 'unusable@example.com', 1, NULL, '!Ab', NULL), \
           (NULL, 'odd@example.com', 1, NULL, 'plain text', NULL), \
           (NULL, 'damaged@example.com', 1, NULL, 'canary-damaged-hash', NULL), \
           (NULL, 'twice@example.com', 1, NULL, '{bcrypt}', NULL), \
           (NULL, 'TWICE@example.com', 1, NULL, '{bcrypt}', NULL);\n\
         CREATE FUNCTION forget(address varchar(80)) RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM users; RETURN 1; END;"
    )
}

#[test]
fn users_of_a_database_migrate_with_columns_of_any_type() {
    let server = MariaDb::start(&users());
    let function = server.function(QUERY, "");
    let answer = function
        .invoke(&sign_in("ann@Example.com", PASSWORD))
        .event();
    assert_eq!(
        answer["response"]["userAttributes"],
        json!({
            "email": "Ann@example.com", "email_verified": "true", "birthdate": "1990-02-28", "custom:id": "00ff",
        })
    );
    let record = function.record();
    let calls = record["upstream"].as_array().unwrap().iter();
    let calls: Vec<_> = calls.map(|call| &call["call"]).collect();
    assert_eq!(calls, ["query", "hash"], "the connection existed already");
    for (event, outcome) in [
        (sign_in("ann@example.com", "wrong"), "wrong-password"),
        (sign_in("unknown@example.com", PASSWORD), "not-found"),
        (sign_in("x' OR '1'='1", PASSWORD), "not-found"),
        (sign_in("x\\' OR 1=1 -- ", PASSWORD), "not-found"),
        (sign_in("x\" OR \"\"=\"", PASSWORD), "not-found"),
        (sign_in("%", PASSWORD), "not-found"),
        (sign_in("none@example.com", PASSWORD), "sso-only"),
        (sign_in("unusable@example.com", PASSWORD), "sso-only"),
        (sign_in("odd@example.com", PASSWORD), "unsupported-hash"),
        (sign_in("damaged@example.com", PASSWORD), "unsupported-hash"),
        (sign_in("twice@example.com", PASSWORD), "not-eligible"),
        (forgot_password("ann@example.com"), "migrated-for-reset"),
        (forgot_password("eve@example.com"), "not-eligible"),
        (forgot_password("unknown@example.com"), "not-found"),
    ] {
        assert_eq!(function.outcome(&event).0, outcome, "{event}");
    }
    let function = server.function(QUERY, "[response]\nforgot_password = 'sso-only'");
    for (name, outcome) in [
        ("ann@example.com", "not-eligible"),
        ("none@example.com", "migrated-for-reset"),
    ] {
        assert_eq!(function.outcome(&forgot_password(name)).0, outcome);
        assert!(
            !function.output().contains("canary"),
            "{}",
            function.output()
        );
    }
}

/// MySQL's collations treat some different letters as equal.
#[test]
fn a_name_equal_only_by_collation_verifies_no_address() {
    let server = MariaDb::start(&users());
    let function = server.function(QUERY, "");
    let answer = function.invoke(&sign_in("änn@example.com", PASSWORD));
    assert!(answer.event()["response"]["userAttributes"]["email_verified"].is_null());
    assert_eq!(function.record()["outcome"], "migrated");
    let forgotten = function.outcome(&forgot_password("änn@example.com")).0;
    assert_eq!(forgotten, "not-eligible");
    let exact =
        "SELECT email, hash FROM users WHERE email = ? AND lower(email) = ? COLLATE utf8mb4_bin";
    let function = server.function(exact, "");
    for (name, outcome) in [
        ("ann@example.com", "migrated"),
        ("änn@example.com", "not-found"),
    ] {
        assert_eq!(function.outcome(&sign_in(name, PASSWORD)).0, outcome);
    }
}

/// The limit on guesses counts the account, however its name is spelled.
#[test]
fn spellings_that_are_equal_by_collation_share_the_limit_on_guesses() {
    let other = bcrypt::hash(PASSWORD, 4).unwrap();
    let other = format!("\nINSERT INTO users (email, hash) VALUES ('zoe@example.com', '{other}');");
    let server = MariaDb::start(&(users() + &other));
    let function = server.function(QUERY, "");
    let spellings = ["ann", "änn", "àñn", "ánn", "âñn", "ăńň"];
    let names: Vec<String> = spellings
        .iter()
        .map(|name| format!("{name}@example.com"))
        .collect();
    for name in names.iter().cycle().take(10) {
        let wrong = sign_in(name, "wrong");
        assert_eq!(function.outcome(&wrong).0, "wrong-password", "{name}");
    }
    for name in &names {
        let right = sign_in(name, PASSWORD);
        assert_eq!(function.outcome(&right).0, "too-many-guesses", "{name}");
    }
    let other = sign_in("zoe@example.com", PASSWORD);
    assert_eq!(function.outcome(&other).0, "migrated");
}

#[test]
fn padding_of_a_column_is_not_part_of_the_hash() {
    let padded = "--sql-mode=PAD_CHAR_TO_FULL_LENGTH";
    let server = MariaDb::start_with(&users(), &[padded]);
    for column in ["hash", "padded AS hash"] {
        let query = format!("SELECT email, {column} FROM users WHERE email = ? -- with a comment");
        let function = server.function(&query, "");
        for (password, outcome) in [(PASSWORD, "migrated"), ("wrong", "wrong-password")] {
            let event = sign_in("ann@example.com", password);
            assert_eq!(function.outcome(&event).0, outcome, "{column}");
        }
    }
}

#[test]
fn a_query_without_the_named_column_is_an_outage_that_names_the_key() {
    let server = MariaDb::start(&users());
    for (query, reason) in [
        ("SELECT email, hash AS secret FROM users", "password_column"),
        (
            "SELECT a.hash, b.hash, a.email FROM users a JOIN users b USING (email)",
            "password_column",
        ),
        ("SELECT hash, missing AS email FROM users", "query"),
    ] {
        let query = format!("{query} WHERE email = ?");
        let function = server.function(&query, "");
        // No user has this name, as in the probe of a deploy.
        for name in ["ann@example.com", "unknown@example.com"] {
            function.invoke(&sign_in(name, PASSWORD)).error();
            assert_eq!(function.record()["reason"], reason, "{query}");
        }
    }
}

#[test]
fn the_operator_can_list_the_formats_of_stored_hashes() {
    let server = MariaDb::start(&users());
    let sample = json!({ "janeMigrateTrial": true, "janeMigrateSample": 100 });
    let function = server.function(QUERY, "");
    let found = function.invoke(&sample).event()["sample"].take();
    assert_eq!(found["rows"], 8, "{found}");
    let formats = found["formats"].as_array().unwrap();
    let rows = |name: &str| {
        let found = formats.iter().find(|format| format["format"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {formats:?}"))
    };
    assert_eq!(rows("$2b$04$")["rows"], 4);
    assert!(rows("$2b$04$")["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(rows("no known form")["unsupported"], "unknown format");
    assert_eq!(rows("no password")["rows"], 2);
    assert!(
        !function.output().contains("canary"),
        "{}",
        function.output()
    );
    let made = "SELECT email, coalesce(hash, 'x') AS hash FROM users WHERE email = ?";
    let function = server.function(made, "");
    assert_eq!(
        function.invoke(&sample).event()["sample"]["why"],
        "no-table"
    );
}

#[test]
fn the_query_cannot_change_anything() {
    let server = MariaDb::start(&users());
    let query = "SELECT email, hash, forget(email) FROM users WHERE email = ?";
    let function = server.function(query, "");
    function
        .invoke(&sign_in("eve@example.com", PASSWORD))
        .error();
    assert_eq!(function.record()["reason"], "query");
    let function = server.function(QUERY, "");
    assert_eq!(
        function.outcome(&sign_in("eve@example.com", PASSWORD)).0,
        "migrated"
    );
}

#[test]
fn quoted_values_in_database_errors_are_not_logged() {
    let sql = "\nCREATE FUNCTION quote_it(address varchar(80)) RETURNS int BEGIN \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = address; RETURN 1; END;";
    let server = MariaDb::start(&(users() + sql));
    let quoting = "SELECT email, hash FROM users WHERE email = ? AND quote_it(email) = 1";
    let function = server.function(quoting, "");
    function
        .invoke(&sign_in("ann@example.com", PASSWORD))
        .error();
    let record = function.record();
    assert_eq!(record["reason"], "query");
    assert_eq!(
        record["upstream"][0]["call"], "query",
        "it was run: {record}"
    );
    let output = function.output();
    assert!(!output.to_lowercase().contains("ann@"), "{output}");
}

#[test]
fn a_slow_query_ends_within_the_budget_also_on_the_server() {
    let server = MariaDb::start(&users());
    let slow = "SELECT email, hash FROM users WHERE email = ? AND sleep(30) = 0";
    let function = server.function(slow, "timeout_ms = 1000");
    let started = Instant::now();
    function
        .invoke(&sign_in("ann@example.com", PASSWORD))
        .error();
    assert!(started.elapsed() < Duration::from_secs(4));
    let reason = function.record()["reason"].clone();
    assert!(reason == "timeout" || reason == "query", "{reason}");
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    let running = format!(
        "SELECT concat(count(*), '@running') AS email, '{bcrypt}' AS hash FROM information_schema.processlist \
         WHERE info LIKE '%sleep(30)%' AND info NOT LIKE '%processlist%' AND ? <> ''"
    );
    let function = server.function(&running, "");
    let ends = Instant::now() + Duration::from_secs(5);
    loop {
        let answer = function.invoke(&sign_in("ann@example.com", PASSWORD));
        let running = answer.event()["response"]["userAttributes"]["email"].take();
        if running == "0@running" {
            break;
        }
        assert!(
            Instant::now() < ends,
            "the query still runs on the server: {running}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn nothing_is_sent_to_a_server_without_tls_or_with_an_untrusted_certificate() {
    let mut server = MariaDb::start(&users());
    let plain = MariaDb::start_with(&users(), &["--skip-ssl"]);
    let trusted = server.toml(QUERY, "");
    let without_tls = plain.toml(QUERY, "");
    server.certificate = server::certificate().cert.pem();
    let untrusted = server.toml(QUERY, "");
    assert_eq!(
        started(&trusted)
            .outcome(&sign_in("ann@example.com", PASSWORD))
            .0,
        "migrated"
    );
    for toml in [without_tls, untrusted] {
        let function = started(&toml);
        function
            .invoke(&sign_in("ann@example.com", PASSWORD))
            .error();
        assert_eq!(function.record()["reason"], "connect", "{toml}");
    }
}

#[test]
fn a_local_database_needs_no_tls_and_a_refused_login_is_named() {
    let sql = format!(
        "{}\nCREATE USER demanding IDENTIFIED BY '{DATABASE_PASSWORD}' REQUIRE SSL;\n\
         GRANT SELECT ON shop.* TO demanding;\nCREATE DATABASE other;",
        users()
    );
    let server = MariaDb::start(&sql);
    let toml = server.toml(QUERY, "");
    let plain = toml.replace(
        &format!("ca_certificate = '''{}'''", server.certificate),
        "",
    );
    assert_ne!(plain, toml);
    let demanding = |toml: &str| toml.replace("user = 'migration'", "user = 'demanding'");
    for good in [plain.clone(), demanding(&toml)] {
        let function = started(&good);
        let event = sign_in("ann@example.com", PASSWORD);
        assert_eq!(function.outcome(&event).0, "migrated", "{good}");
    }
    for refused in [
        demanding(&plain),
        toml.replace("'DATABASE_PASSWORD'", "'PEPPER'"),
        toml.replace("user = 'migration'", "user = 'nobody'"),
        toml.replace("database = 'shop'", "database = 'other'"),
    ] {
        let function = started(&refused);
        function
            .invoke(&sign_in("ann@example.com", PASSWORD))
            .error();
        assert_eq!(function.record()["reason"], "login", "{refused}");
        let output = function.output();
        assert!(
            !output.contains("canary") && !output.contains("0123456789abcdef"),
            "{output}"
        );
    }
}

#[test]
fn an_unreachable_or_silent_database_ends_in_time() {
    let server = MariaDb::start(&users());
    let function = server.function(QUERY, "");
    let event = sign_in("ann@example.com", PASSWORD);
    assert_eq!(function.outcome(&event).0, "migrated");
    let port = server.port;
    drop(server);
    let started = Instant::now();
    assert_eq!(function.outcome(&event).0, "directory-unavailable");
    assert!(started.elapsed() < Duration::from_secs(4));
    // Another program listens there and never responds.
    let _silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let started = Instant::now();
    assert_eq!(function.outcome(&event).0, "directory-unavailable");
    assert!(started.elapsed() < Duration::from_secs(4));
}

/// The server has closed the connection, or it leads nowhere, as after a function was frozen.
#[test]
fn a_dead_connection_is_replaced_within_the_sign_in() {
    let server = MariaDb::start(&users());
    for closes in [true, false] {
        let (port, cut) = proxy(server.port, closes);
        let own = format!("port = {}", server.port);
        let toml = server
            .toml(QUERY, "")
            .replace(&own, &format!("port = {port}"));
        let function = started(&toml);
        let event = sign_in("ann@example.com", PASSWORD);
        assert_eq!(function.outcome(&event).0, "migrated");
        cut.store(true, Ordering::SeqCst);
        let began = Instant::now();
        assert_eq!(function.outcome(&event).0, "migrated", "closes: {closes}");
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}

/// A proxy whose first connection can be cut: it ends, or its data goes nowhere.
fn proxy(server: u16, closes: bool) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = Arc::new(AtomicBool::new(false));
    let mut signal = Arc::clone(&cut);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let back = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            let signals = (Arc::clone(&signal), std::mem::take(&mut signal));
            thread::spawn(move || pass(client, upstream, &signals.0, closes));
            thread::spawn(move || pass(back.0, back.1, &signals.1, closes));
        }
    });
    (port, cut)
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool, closes: bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        match (cut.load(Ordering::SeqCst), closes) {
            (false, _) => to.write_all(&buffer[..read]).unwrap(),
            (true, true) => break,
            (true, false) => {}
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn the_query_may_contain_the_name_twice() {
    let server = MariaDb::start(&users());
    let query = "SELECT email, hash FROM users WHERE email = ? OR concat('shop-', email) = ?";
    for (more, outcome) in [
        ("", "migrated"),
        ("pepper = { env = 'PEPPER' }", "wrong-password"),
    ] {
        let function = server.function(query, more);
        for name in ["ann@example.com", "shop-ann@example.com"] {
            assert_eq!(function.outcome(&sign_in(name, PASSWORD)).0, outcome);
        }
    }
}
