//! The handler with `kind = "postgres"`, against a real PostgreSQL.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    database::{DATABASE_PASSWORD, Server},
    function::{Function, forgot_password, settings, sign_in},
    server,
};

const PASSWORD: &str = "canary-user-password";

impl Server {
    pub fn function(&self, hash: &str, query: &str, more: &str) -> Function {
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
            ("PEPPER", "0123456789abcdef-pepper"),
        ];
        Function::start(&settings(&toml), &environment)
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
         CREATE TABLE firebase (email text, salt char(40), hash char(120));
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
    assert_eq!(calls, ["query", "hash"], "the connection existed already");
    for (event, outcome) in [
        (sign_in("ann@example.com", "wrong"), "wrong-password"),
        (sign_in("unknown@example.com", PASSWORD), "not-found"),
        (sign_in("x' OR '1'='1", PASSWORD), "not-found"),
        (sign_in("none@example.com", PASSWORD), "sso-only"),
        (sign_in("unusable@example.com", PASSWORD), "sso-only"),
        (sign_in("odd@example.com", PASSWORD), "unsupported-hash"),
        (sign_in("twice@example.com", PASSWORD), "not-eligible"),
        (forgot_password("ann@example.com"), "migrated-for-reset"),
        (forgot_password("eve@example.com"), "not-eligible"),
        (forgot_password("unknown@example.com"), "not-found"),
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
            .outcome(&sign_in("unknown@example.com", "user1password"))
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
fn a_query_without_the_named_columns_is_an_outage_that_names_the_key() {
    let server = Server::start(&users());
    let firebase = "[directory.firebase]\nsigner_key = { env = 'SIGNER_KEY' }\nsalt_separator = 'Bw=='\nmem_cost = 4\nsalt_column = 'salt'";
    for (hash, query, more, reason) in [
        (
            "bcrypt",
            "SELECT email, hash AS secret FROM users",
            "",
            "password_column",
        ),
        (
            "bcrypt",
            "SELECT a.hash, b.hash, a.email FROM users a JOIN users b USING (email)",
            "",
            "password_column",
        ),
        (
            "bcrypt",
            "SELECT hash, missing AS email FROM users",
            "",
            "query",
        ),
        (
            "firebase",
            "SELECT email, hash, salt AS grain FROM firebase",
            firebase,
            "salt_column",
        ),
        (
            "firebase",
            "SELECT email, salt, hash AS secret FROM firebase",
            firebase,
            "password_column",
        ),
    ] {
        let query = format!("{query} WHERE email = $1");
        let function = server.function(hash, &query, more);
        // No user has this name, as in the probe of a deploy.
        for name in ["ann@example.com", "unknown@example.com"] {
            function.invoke(&sign_in(name, PASSWORD)).error();
            assert_eq!(function.record()["reason"], reason, "{query}");
        }
    }
}

#[test]
fn the_operator_can_list_the_formats_of_stored_hashes() {
    let server = Server::start(&users());
    let sample = json!({ "janeMigrateTrial": true, "janeMigrateSample": 100 });
    let function = server.function("bcrypt", QUERY, "");
    let found = function.invoke(&sample).event()["sample"].take();
    assert_eq!(function.record()["trial"], true);
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

    let made = "SELECT email, coalesce(hash, 'x') AS hash FROM users WHERE email = $1";
    let function = server.function("bcrypt", made, "");
    assert_eq!(
        function.invoke(&sample).event()["sample"]["why"],
        "no-table"
    );
    function.record();
    let mut of_a_client = sign_in("eve@example.com", "wrong");
    of_a_client["janeMigrateSample"] = 100.into();
    assert_eq!(
        function.outcome(&of_a_client).0,
        "wrong-password",
        "a client cannot turn a sign-in into a request for hash formats"
    );
}

/// The hash is by Devise 4.8.1 with `config.pepper` (Debian's package `ruby-devise`).
#[test]
fn a_pepper_is_appended_as_devise_does() {
    let server = Server::start(
        "CREATE TABLE users (email text, hash text);
         INSERT INTO users VALUES ('ann@example.com', '$2a$04$Y6D0O7EVyaaLSzvnqk7CteYsBhHx9j09R6onLTdIZ6mqTLPjReteq');",
    );
    let query = "SELECT email, hash FROM users WHERE email = $1";
    for (pepper, password, outcome) in [
        (
            "pepper = { env = 'PEPPER' }",
            "P\u{e4}ssword 1!",
            "migrated",
        ),
        ("pepper = { env = 'PEPPER' }", "another", "wrong-password"),
        ("", "P\u{e4}ssword 1!", "wrong-password"),
    ] {
        let function = server.function("bcrypt", query, pepper);
        let event = sign_in("ann@example.com", password);
        assert_eq!(function.outcome(&event).0, outcome, "{pepper}");
        let output = function.output();
        assert!(!output.contains("0123456789abcdef"), "{output}");
    }
    // Without the pepper no password can be right: this is an outage, not the customer's mistake.
    let missing = server.function("bcrypt", query, "pepper = { env = 'NO_PEPPER' }");
    // The same for a name that does not exist: the test of a deploy uses one, and the difference would reveal who exists.
    for name in ["ann@example.com", "unknown@example.com"] {
        missing.invoke(&sign_in(name, "x")).error();
        assert_eq!(missing.record()["reason"], "secret", "{name}");
    }
}

#[test]
fn a_forgotten_password_can_be_limited_to_users_without_one() {
    let server = Server::start(&users());
    let function = server.function("bcrypt", QUERY, "[response]\nforgot_password = 'sso-only'");
    for (event, outcome) in [
        (forgot_password("ann@example.com"), "not-eligible"),
        (forgot_password("none@example.com"), "migrated-for-reset"),
        (
            forgot_password("unusable@example.com"),
            "migrated-for-reset",
        ),
        (forgot_password("unknown@example.com"), "not-found"),
        (sign_in("ann@example.com", PASSWORD), "migrated"),
    ] {
        assert_eq!(function.outcome(&event).0, outcome, "{event}");
    }
}

#[test]
fn quoted_values_in_database_errors_are_not_logged() {
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
        .event();
    assert_eq!(damaged.record()["reason"], "no known form: unknown format");
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

/// A proxy between functions and the database, like RDS Proxy and PgBouncer: it accepts no options with the connection.
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
fn a_proxy_in_front_of_the_database_needs_no_session_state() {
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
        "unknown@example.com",
        "none@example.com",
        "twice@example.com",
    ] {
        assert_eq!(hashed(name), ["query", "hash"], "{name}");
    }
    // An unreadable hash costs nothing, so the decoy is checked then.
    assert_eq!(hashed("odd@example.com"), ["query", "hash", "hash"]);
}

#[test]
fn a_restarted_database_is_used_again_and_an_unreachable_one_ends_in_time() {
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
    // Another program listens there and never responds.
    let _silent = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let started = Instant::now();
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "directory-unavailable"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_certificate_of_another_authority_is_not_trusted() {
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
