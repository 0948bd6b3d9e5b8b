//! A shop whose users and hashes of four kinds are in PostgreSQL: it migrates with sign-ins and an import, down to the last row.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use serde_json::json;

use crate::database::{DATABASE_PASSWORD, Server};
use crate::import::{HASHES, PASSWORD, has_no_hash};
use crate::support::Corner;

/// A table with this many users of a shop, with hashes of the four kinds at the lowest cost.
fn table(users: usize) -> String {
    let [bcrypt, scrypt, argon2, pbkdf2] = HASHES;
    format!(
        "CREATE TABLE users (id integer PRIMARY KEY, email text, verified boolean, hash text);
         INSERT INTO users SELECT n, 'User' || n || '@example.com', n % 50 <> 7,
           CASE n % 4 WHEN 0 THEN '{bcrypt}' WHEN 1 THEN '{scrypt}' WHEN 2 THEN '{argon2}' ELSE '{pbkdf2}' END
           FROM generate_series(1, {users}) AS n;
         CREATE INDEX ON users (lower(email));"
    )
}

/// Writes the configuration of a shop in PostgreSQL, whose export has its own user and query.
fn configure_database(corner: &mut Corner, server: &Server) {
    corner
        .environment
        .push(("EXPORT_PASSWORD".into(), DATABASE_PASSWORD.into()));
    corner
        .environment
        .push(("DATABASE_PASSWORD".into(), DATABASE_PASSWORD.into()));
    let config = format!(
        "[directory]\nkind = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"postgres\"\nuser = \"migration\"\n\
         password = {{ env = \"DATABASE_PASSWORD\" }}\nquery = \"SELECT email, verified, hash FROM users WHERE lower(email) = $1\"\n\
         password_column = \"hash\"\nhash = \"bcrypt\"\n[attributes]\nemail = \"email\"\nemail_verified = \"verified\"\n\
         [import]\nuser = \"migration\"\npassword = {{ env = \"EXPORT_PASSWORD\" }}\n\
         query = \"SELECT id, email, verified, hash FROM users\"\nid_column = \"id\"\n",
        server.plain
    );
    corner.write("migrate.toml", &config);
}

#[tokio::test]
async fn a_shop_in_postgresql_is_imported_to_the_last_row() {
    const USERS: usize = 200;
    let server = tokio::task::spawn_blocking(|| Server::start(&table(USERS)))
        .await
        .unwrap();
    let mut corner = Corner::new().await;
    let (pool, client) = corner.shop().await;
    configure_database(&mut corner, &server);
    // Sixty percent have already migrated.
    for n in 1..=USERS * 6 / 10 {
        let email = format!("user{n}@example.com");
        let user = json!({ "UserPoolId": pool, "Username": email, "MessageAction": "SUPPRESS",
            "UserAttributes": [{ "Name": "email", "Value": email }, { "Name": "email_verified", "Value": "true" }] });
        corner.cognito("AdminCreateUser", user).await;
        let password = json!({ "UserPoolId": pool, "Username": email, "Password": PASSWORD, "Permanent": true });
        corner.cognito("AdminSetUserPassword", password).await;
    }
    let import = ["import", "--pool", &pool, "--yes", "--json"];
    let ran = corner.run(&import).await.ended(0);
    has_no_hash(&ran);
    let done = ran.json();
    let unverified = (121..=USERS).filter(|n| n % 50 == 7).count() as u64;
    assert_eq!(done["before"]["remaining"], 80, "{done}");
    assert_eq!(
        done["before"]["categories"]["unverified-address"],
        unverified
    );
    assert_eq!(done["with_password"], 80 - unverified, "{done}");
    assert_eq!(done["after"]["remaining"], unverified, "{done}");
    let jobs = done["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 4, "one for each kind: {done}");
    for n in 121..=USERS {
        let email = format!("user{n}@example.com");
        assert_eq!(
            corner.can_sign_in(&client, &email).await,
            n % 50 != 7,
            "{email}"
        );
    }
    let mapping = ["remaining", "--pool", &pool, "--mapping", "ids.csv"];
    corner.run(&mapping).await.ended(0);
    let ids = corner.read("ids.csv");
    assert_eq!(ids.lines().count() as u64, 1 + USERS as u64 - unverified);
    let row = ids
        .lines()
        .find(|line| line.starts_with("150,"))
        .expect("a row");
    let body = json!({ "UserPoolId": pool, "Username": "user150@example.com" });
    let user = corner.cognito("AdminGetUser", body).await;
    let attributes = user["UserAttributes"].as_array().unwrap();
    let sub = attributes.iter().find(|one| one["Name"] == "sub").unwrap();
    assert_eq!(row, format!("150,{}", sub["Value"].as_str().unwrap()));
    // The function's own settings contain nothing of the export.
    corner
        .environment
        .retain(|(name, _)| name != "EXPORT_PASSWORD");
    let ran = corner.run(&["remaining", "--pool", &pool]).await.ended(1);
    assert!(ran.stderr.contains("import.password"), "{ran:#?}");
}

#[tokio::test]
async fn a_missing_column_stops_the_deploy_and_the_formats_are_listed_before_it() {
    let server = tokio::task::spawn_blocking(|| Server::start(&table(20)))
        .await
        .unwrap();
    let mut corner = Corner::new().await;
    let (pool, _) = corner.shop().await;
    configure_database(&mut corner, &server);
    let sample = ["try", "--pool", &pool, "--local", "--sample", "1000"];
    let ran = corner.run(&sample).await.ended(0);
    for shown in [
        "Stored hashes of 20 user(s)",
        "$2b$",
        "$argon2id$",
        " ms a sign-in",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}: {ran:#?}");
    }
    has_no_hash(&ran);
    let good = corner.read("migrate.toml");
    let bad = good
        .replace(
            "SELECT email, verified, hash FROM users WHERE",
            "SELECT * FROM users WHERE",
        )
        .replace("password_column = \"hash\"", "password_column = \"digest\"");
    assert_ne!(good, bad);
    corner.write("migrate.toml", &bad);
    let ran = corner.run(&["deploy", "--pool", &pool, "--yes"]).await;
    assert_ne!(ran.code, 0, "{ran:#?}");
    assert!(ran.stderr.contains("`password_column`"), "{ran:#?}");
}

/// The same shop with `USERS` users, 100,000 by default. Sixty percent migrate by signing in, through the function; the rest is
/// imported, each row has an outcome, and all of them sign in with the old password afterwards. CONTRIBUTING.md has the command.
#[tokio::test]
#[ignore = "an hour: 100,000 sign-ins, and each user once more"]
#[expect(clippy::print_stdout, reason = "its figures go into the docs")]
async fn a_large_shop_migrates_by_sign_in_and_by_import_to_the_last_row() {
    let users: usize =
        std::env::var("USERS").map_or(100_000, |users| users.parse().expect("a number"));
    let server = tokio::task::spawn_blocking(move || Server::start(&table(users)))
        .await
        .unwrap();
    let mut corner = Corner::new().await;
    let (pool, client) = corner.shop().await;
    configure_database(&mut corner, &server);
    corner.deploy(&pool).await;
    let (corner, client) = (&corner, &client);
    let unverified = |n: &usize| n % 50 == 7;
    let shop = Progress::new();
    // A user without a verified address also migrates with a sign-in: the password was right.
    let migrated = users * 6 / 10;
    stream::iter(1..=migrated)
        .for_each_concurrent(AT_ONCE, async |n| {
            for _ in 0..5 {
                match corner.sign_in(client, &email(n)).await {
                    Ok(()) => return shop.count("migrated"),
                    Err(answer) => {
                        assert!(!answer.contains("InternalError"), "{answer}");
                        shop.repeat(n, answer);
                    }
                }
                // A busy machine answers some sign-ins too late, like an outage; a customer tries again.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            panic!("{} does not migrate", email(n));
        })
        .await;
    let signed_in = shop.elapsed();
    let import = ["import", "--pool", &pool, "--yes", "--json"];
    let ran = corner.run(&import).await.ended(0);
    has_no_hash(&ran);
    let done = ran.json();
    let imported = shop.elapsed() - signed_in;
    println!("{:.0?}: imported: {done}", shop.elapsed());
    let left = (migrated + 1..=users).filter(unverified).count();
    assert_eq!(done["before"]["directory"], users, "{done}");
    assert_eq!(done["before"]["migrated"], migrated, "{done}");
    assert_eq!(done["with_password"], users - migrated - left, "{done}");
    assert_eq!(
        (&done["must_reset"], &done["failed"]),
        (&json!(0), &json!({})),
        "{done}"
    );
    assert_eq!(done["after"]["remaining"], left, "{done}");
    assert_eq!(done["after"]["migrated"], users - left, "{done}");
    // Without the function no user migrates any more, and each password is in the pool.
    let teardown = ["teardown", "--pool", &pool, "--yes", "--force"];
    corner.run(&teardown).await.ended(0);
    let torn_down = shop.elapsed();
    println!("{torn_down:.0?}: torn down");
    let wrong: Vec<_> = stream::iter(1..=users)
        .map(async |n| {
            let signed_in = corner.sign_in(client, &email(n)).await;
            shop.count("signed in again");
            (n, signed_in)
        })
        .buffered(AT_ONCE)
        .filter(|(n, signed_in)| {
            let is_left = *n > migrated && unverified(n);
            std::future::ready(signed_in.is_ok() == is_left)
        })
        .collect()
        .await;
    assert_eq!(wrong, [], "the old password");
    println!(
        "{users} users: {migrated} signed in ({signed_in:.0?}), {} imported ({imported:.0?}), {left} without a verified address left, \
         all others signed in again ({:.0?}); sign-ins that were repeated: {:?}",
        users - migrated - left,
        shop.elapsed() - torn_down,
        shop.repeats.lock().unwrap(),
    );
}

/// How many sign-ins run in parallel.
const AT_ONCE: usize = 8;

fn email(n: usize) -> String {
    format!("user{n}@example.com")
}

/// The progress of a long run: one line for every thousand users.
struct Progress {
    started: Instant,
    counted: Mutex<BTreeMap<&'static str, usize>>,
    /// The errors after which a sign-in was repeated, with their counts.
    repeats: Mutex<BTreeMap<String, usize>>,
}

#[expect(clippy::print_stdout, reason = "the run takes long")]
impl Progress {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            counted: Mutex::default(),
            repeats: Mutex::default(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn count(&self, what: &'static str) {
        let mut counted = self.counted.lock().unwrap();
        let count = counted.entry(what).or_default();
        *count += 1;
        if count.is_multiple_of(1000) {
            println!("{:.0?}: {count} {what}", self.elapsed());
        }
    }

    fn repeat(&self, n: usize, answer: String) {
        println!("{:.0?}: {} repeats: {answer}", self.elapsed(), email(n));
        *self.repeats.lock().unwrap().entry(answer).or_default() += 1;
    }
}
