//! A whole directory, listed from real servers in the same way as the command line does.

use std::{ops::ControlFlow, sync::Arc};

use jane_migrate_config::{Import, Secret};
use jane_migrate_handler::{Export, Password, Secrets, Unavailable};
use tokio::task::spawn_blocking;

use crate::{
    database::{DATABASE_PASSWORD, Server},
    function::settings,
    mariadb::MariaDb,
};

const BCRYPT: &str = "$2b$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG";

/// The result for each user of the listing: the name, and the kind of the hash or why there is
/// none.
async fn listed(
    [kind, database, certificate]: [&str; 3],
    port: u16,
    import: &Import,
) -> Result<Vec<String>, Unavailable> {
    let toml = format!(
        "[directory]\nkind = '{kind}'\nhost = '127.0.0.1'\nport = {port}\ndatabase = '{database}'\nuser = 'nobody'\n\
         password = {{ env = 'OTHER' }}\nquery = 'SELECT hash FROM users WHERE email IN ($1, ?)'\npassword_column = 'hash'\n\
         hash = 'bcrypt'\nca_certificate = \'\'\'{certificate}\'\'\'\n[attributes]\nemail = 'email'\n",
    );
    let settings = settings(&toml);
    let password = DATABASE_PASSWORD;
    let secrets =
        Secrets::new(None, String::new()).with(Secret::Env("EXPORT".into()), password.into());
    let export = Export::new(&settings, import, Arc::new(secrets), 0).expect("usable");
    let mut rows = Vec::new();
    export
        .each(&mut |row| {
            let user = export.judge(row);
            let what = match user.judged {
                Err(reason) => reason,
                Ok(user) => match user.password {
                    Password::Importable(kind, _) => kind.to_owned(),
                    Password::None => "none".to_owned(),
                    Password::Unknown => "unknown".to_owned(),
                    Password::NotImportable(_) => "not importable".to_owned(),
                },
            };
            rows.push(format!("{}: {what}", user.name));
            match rows.len() {
                3 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .await?;
    Ok(rows)
}

fn import(user: &str, query: &str) -> Import {
    Import {
        user: Some(user.to_owned()),
        password: Some(Secret::Env("EXPORT".to_owned())),
        query: Some(query.to_owned()),
        ..Import::default()
    }
}

fn table() -> String {
    format!(
        "CREATE TABLE users (email varchar(80), hash varchar(200));\nINSERT INTO users VALUES ('Ann@example.com', '{BCRYPT}'), ('none@example.com', NULL), ('odd@example.com', 'plain'), \
         ('last@example.com', NULL);\n"
    )
}

const EXPECTED: [&str; 3] = [
    "ann@example.com: BCRYPT",
    "none@example.com: none",
    "odd@example.com: not importable",
];

#[tokio::test]
async fn a_postgresql_is_listed_with_its_own_user_and_query_until_stopped() {
    let server = spawn_blocking(|| Server::start(&table())).await.unwrap();
    let query = "SELECT email, hash FROM users -- all of them;";
    let place = ["postgres", "postgres", &server.certificate];
    let of = async |user: &str, query: &str| listed(place, server.port, &import(user, query)).await;
    assert_eq!(of("migration", query).await.unwrap(), EXPECTED);
    assert_eq!(of("stranger", query).await, Err(Unavailable("login")));
    let nameless = of("migration", "SELECT hash AS name FROM users").await;
    assert_eq!(nameless, Err(Unavailable("username_column")));
    let writing =
        "WITH gone AS (DELETE FROM users RETURNING email, hash) SELECT email, hash FROM gone";
    let writing = of("migration", writing).await;
    assert_eq!(
        writing,
        Err(Unavailable("query")),
        "the transaction is read-only"
    );
    assert_eq!(of("migration", query).await.unwrap(), EXPECTED);
}

#[tokio::test]
async fn a_mariadb_is_listed_with_its_own_user_and_query_until_stopped() {
    let server = spawn_blocking(|| MariaDb::start(&table())).await.unwrap();
    let query = "SELECT email, hash FROM users;";
    let place = ["mysql", "shop", &server.certificate];
    let of = async |user: &str, query: &str| listed(place, server.port, &import(user, query)).await;
    assert_eq!(of("migration", query).await.unwrap(), EXPECTED);
    assert_eq!(of("stranger", query).await, Err(Unavailable("login")));
    let nameless = of("migration", "SELECT hash AS name FROM users").await;
    assert_eq!(nameless, Err(Unavailable("username_column")));
    assert_eq!(
        of("migration", "SELECT nothing").await,
        Err(Unavailable("query"))
    );
}
