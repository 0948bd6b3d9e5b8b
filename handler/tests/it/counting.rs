//! `on_wrong_password`: a real database counts refused sign-ins, and the query that reads the count no longer finds a name that
//! was refused too often, for any instance of the function.

use serde_json::{Value, json};

use crate::{
    database::{DATABASE_PASSWORD, Server as Database},
    function::{Function, settings, sign_in},
    mariadb::MariaDb,
};

const PASSWORD: &str = "canary-user-password";

fn tables() -> String {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    format!(
        "CREATE TABLE users (email varchar(80), hash varchar(100));\n\
         CREATE TABLE refused (name varchar(255), at timestamp);\n\
         INSERT INTO users VALUES ('ann@example.com', '{bcrypt}'), ('bob@example.com', '{bcrypt}');\n"
    )
}

/// Users have `custom:refused`: how many sign-ins with other names were refused.
fn started(kind: &str, port: u16, user: &str, certificate: &str) -> Function {
    let (database, name, since) = match kind {
        "postgres" => ("postgres", "$1", "now() - interval '15 minutes'"),
        _ => ("shop", "?", "now() - INTERVAL 15 MINUTE"),
    };
    let toml = format!(
        "[directory]\nkind = '{kind}'\nhost = '127.0.0.1'\nport = {port}\ndatabase = '{database}'\nuser = '{user}'\n\
         password = {{ env = 'DATABASE_PASSWORD' }}\npassword_column = 'hash'\nhash = 'bcrypt'\nca_certificate = '''{certificate}'''\n\
         query = \"SELECT email, hash, (SELECT count(*) FROM refused WHERE name <> {name}) AS refused FROM users \
         WHERE lower(email) = {name} AND (SELECT count(*) FROM refused WHERE name = {name} AND at > {since}) < 3\"\n\
         on_wrong_password = \"INSERT INTO refused VALUES ({name}, now())\"\n\
         [attributes]\nemail = 'email'\n'custom:refused' = 'refused'\n"
    );
    Function::start(
        &settings(&toml),
        &[("DATABASE_PASSWORD", DATABASE_PASSWORD)],
    )
}

fn counts(start: impl Fn() -> Function) {
    let function = start();
    let refused = |expected: &str| {
        let answer = function
            .invoke(&sign_in("bob@example.com", PASSWORD))
            .event();
        assert_eq!(function.record()["outcome"], "migrated");
        assert_eq!(
            answer["response"]["userAttributes"]["custom:refused"],
            expected
        );
    };
    let ann = |password: &str| sign_in("Ann@Example.com", password);
    assert_eq!(function.outcome(&ann(PASSWORD)).0, "migrated");
    let mut trial = ann("wrong");
    trial["janeMigrateTrial"] = true.into();
    assert_eq!(function.outcome(&trial).0, "wrong-password");
    refused("0");
    for _ in 0..3 {
        assert_eq!(function.outcome(&ann("wrong")).0, "wrong-password");
    }
    assert_eq!(function.outcome(&ann(PASSWORD)).0, "not-found");
    refused("4");
    // Another instance has not counted anything itself.
    let other = start();
    assert_eq!(other.outcome(&ann(PASSWORD)).0, "not-found");
    assert_eq!(
        other.outcome(&sign_in("eve@example.com", "guess")).0,
        "not-found"
    );
    refused("6");
    let said = function.output() + &other.output();
    assert!(
        !said.contains("canary") && !said.contains("notCounted"),
        "{said}"
    );
}

/// If the statement fails, a customer is still refused; the operator's test shows why it failed.
fn fails(function: &Function, why: &str) {
    let wrong = sign_in("ann@example.com", "wrong");
    let _ = function.invoke(&wrong).event();
    let record = function.record();
    assert_eq!(
        (&record["outcome"], &record["notCounted"]),
        (&json!("wrong-password"), &json!(why))
    );
    assert_eq!(
        function.outcome(&sign_in("ann@example.com", PASSWORD)).0,
        "migrated"
    );
    let mut trial: Value = wrong;
    trial["janeMigrateTrial"] = true.into();
    function.invoke(&trial);
    let record = function.record();
    assert_eq!(
        (&record["outcome"], &record["reason"]),
        (&json!("directory-unavailable"), &json!(why))
    );
}

#[test]
fn postgres_counts_refused_sign_ins_for_all_instances() {
    let sql = format!(
        "{}CREATE ROLE reader LOGIN PASSWORD '{DATABASE_PASSWORD}';\nGRANT SELECT ON users, refused TO reader;",
        tables()
    );
    let server = Database::start(&sql);
    let start = |user: &str| started("postgres", server.port, user, &server.certificate);
    fails(&start("reader"), "denied");
    counts(|| start("migration"));
}

#[test]
fn mariadb_counts_refused_sign_ins_for_all_instances() {
    let sql = tables() + "GRANT INSERT ON shop.refused TO migration;";
    let server = MariaDb::start(&sql);
    counts(|| started("mysql", server.port, "migration", &server.certificate));
}

#[test]
fn a_failed_statement_in_mariadb_fails_no_sign_in() {
    let server = MariaDb::start(&tables());
    fails(
        &started("mysql", server.port, "migration", &server.certificate),
        "denied",
    );
}
