//! A PostgreSQL database: one query returns the user's row, and the password is checked against the row's hash.
//!
//! Each query has its own read-only transaction and leaves nothing in the session, neither settings nor a prepared statement: RDS
//! Proxy and PgBouncer refuse these, or give them to other clients.
//!
//! The password of an unknown user is checked against a decoy hash, so that the time of an answer does not show which names exist.
//! The decoy is the configured one, or the last hash of the table, which costs as much as the others.

use std::{
    sync::{self, Arc},
    time::Duration,
};

use jane_migrate_config::{self as config, Firebase, is_loopback};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};
use tokio_postgres::{
    Client, Config, NoTls,
    config::SslMode,
    error::{ErrorPosition, SqlState},
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::verdict::{Unusable, Verdict};
use crate::{
    budget::{Budget, Unavailable},
    event::Event,
    hash::{self, FirebaseKey},
    lock::lock,
    secrets::Secrets,
    upstream::tls,
};

/// How long a connection may take to open, and how long sent data may stay unacknowledged.
const SILENCE: Duration = Duration::from_millis(1500);

/// A database.
#[derive(Debug)]
pub struct Postgres {
    settings: config::Postgres,
    /// TLS, except on this machine without a certificate in the settings.
    tls: Option<ClientConfig>,
    secrets: Arc<Secrets>,
    begin: String,
    query: Query,
    connection: Mutex<Option<Client>>,
    /// The last hash that a password was checked against.
    seen: sync::Mutex<Option<SecretString>>,
}

impl Postgres {
    /// The database of the settings. It makes no call yet.
    pub fn new(settings: &config::Postgres, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let certificate = settings.ca_certificate.as_deref();
        let tls = match is_loopback(&settings.host) && certificate.is_none() {
            true => None,
            false => Some(tls(certificate).map_err(|_| Unusable)?),
        };
        Ok(Self {
            settings: settings.clone(),
            tls,
            secrets,
            begin: format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
                settings.timeout_ms
            ),
            query: Query::new(settings),
            connection: Mutex::default(),
            seen: sync::Mutex::default(),
        })
    }

    /// Opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        if let Some(Firebase { signer_key, .. }) = &self.settings.firebase {
            self.secrets.get(signer_key, budget).await?;
        }
        *self.connection.lock().await = Some(self.connect(budget).await?);
        Ok(())
    }

    /// Whether the password is right.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let mut row = self.row(event.name(), budget).await?;
        let stored = row
            .as_mut()
            .ok()
            .and_then(|row| row.remove(&self.settings.password_column));
        let salt = match (&self.settings.firebase, row.as_mut()) {
            (Some(firebase), Ok(row)) => row.remove(&firebase.salt_column),
            _ => None,
        };
        let usable = usable(stored.as_ref()).map(str::to_owned);
        let hash = usable.clone().unwrap_or_else(|| self.decoy());
        let right = self.check(password, hash, salt, budget).await;
        match (row, usable) {
            (Err(verdict), _) => Ok(verdict),
            (Ok(_), None) => Ok(Verdict::SsoOnly),
            (Ok(row), Some(hash)) => {
                let right = right?;
                self.saw(hash);
                Ok(match right {
                    true => Verdict::Known(row),
                    false => Verdict::WrongPassword,
                })
            }
        }
    }

    /// The hash that an unknown user's password is checked against.
    fn decoy(&self) -> String {
        let seen = lock(&self.seen);
        let seen = seen.as_ref().map(|hash| hash.expose_secret().to_owned());
        let configured = self.settings.decoy.clone();
        configured
            .or(seen)
            .unwrap_or_else(|| hash::decoy(self.settings.hash).to_owned())
    }

    /// Remembers a hash of the table.
    fn saw(&self, hash: String) {
        *lock(&self.seen) = Some(hash.into());
    }

    /// Whether the user exists.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        Ok(match self.row(event.name(), budget).await? {
            Ok(mut row) => {
                row.remove(&self.settings.password_column);
                Verdict::Known(row)
            }
            Err(verdict) => verdict,
        })
    }

    /// Checks the password in another thread, so that the budget can end the wait: a hash keeps the processor busy.
    async fn check(
        &self,
        password: &SecretString,
        stored: String,
        salt: Option<Value>,
        budget: &Budget,
    ) -> Result<bool, Unavailable> {
        let started = Instant::now();
        let password = password.clone();
        let firebase = match &self.settings.firebase {
            Some(firebase) => Some((
                firebase.clone(),
                self.secrets.get(&firebase.signer_key, budget).await?,
            )),
            None => None,
        };
        let work = spawn_blocking(move || {
            let password = password.expose_secret().as_bytes();
            match &firebase {
                Some((firebase, signer_key)) => {
                    let key = FirebaseKey {
                        salt_separator: &firebase.salt_separator,
                        rounds: firebase.rounds,
                        mem_cost: firebase.mem_cost,
                    };
                    let salt = salt.as_ref().and_then(Value::as_str).unwrap_or_default();
                    hash::firebase(password, &stored, salt, key, signer_key.expose_secret())
                }
                None => hash::verify(password, &stored),
            }
        });
        let right = budget
            .within(async { work.await.map_err(|_| Unavailable("hash")) })
            .await;
        budget.record("hash", None, started, None);
        right?.map_err(|hash::Unreadable| Unavailable("hash"))
    }

    /// The user's row, or the verdict if there is not exactly one.
    async fn row(
        &self,
        name: &str,
        budget: &Budget,
    ) -> Result<Result<Map<String, Value>, Verdict>, Unavailable> {
        let mut kept = self.connection.lock().await;
        let mut rows = match kept.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => {
                let rows = self.ask(&connection, name, budget).await;
                if rows.is_ok() {
                    *kept = Some(connection);
                }
                rows
            }
            None => Err(Unavailable("connection")),
        };
        // The server may have closed an idle connection.
        if rows == Err(Unavailable("connection")) {
            let connection = self.connect(budget).await?;
            rows = self.ask(&connection, name, budget).await;
            if rows.is_ok() {
                *kept = Some(connection);
            }
        }
        only(&rows?)
    }

    async fn ask(
        &self,
        connection: &Client,
        name: &str,
        budget: &Budget,
    ) -> Result<Vec<String>, Unavailable> {
        let started = Instant::now();
        let asked = async {
            // Sent together, so that the transaction adds no round trip. The name is sent as a text of unknown type; the
            // server infers the type.
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&name, Type::UNKNOWN)];
            let (began, rows, _) = tokio::join!(
                connection.batch_execute(&self.begin),
                connection.query_typed(&self.query.text, &parameters),
                connection.batch_execute("ROLLBACK"),
            );
            let rows =
                began
                    .and(rows)
                    .map_err(|error| match self.query.missing_column(&error) {
                        _ if error.is_closed() => Unavailable("connection"),
                        Some(unavailable) => unavailable,
                        None => Unavailable("query"),
                    })?;
            rows.iter()
                .map(|row| row.try_get(0).map_err(|_| Unavailable("query")))
                .collect()
        };
        let rows = budget.within(asked).await;
        budget.record("query", Some(&self.settings.host), started, None);
        rows
    }

    async fn connect(&self, budget: &Budget) -> Result<Client, Unavailable> {
        let settings = &self.settings;
        let password = self.secrets.get(&settings.password, budget).await?;
        let started = Instant::now();
        let opened = match budget.within(self.open(&password)).await {
            // The password may have been replaced since it was fetched.
            Err(login @ Unavailable("login")) => {
                match self.secrets.changed(&settings.password, budget).await? {
                    Some(password) => budget.within(self.open(&password)).await,
                    None => Err(login),
                }
            }
            opened => opened,
        };
        budget.record("connect", Some(&settings.host), started, None);
        opened
    }

    async fn open(&self, password: &SecretString) -> Result<Client, Unavailable> {
        let settings = &self.settings;
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .dbname(&settings.database)
            .user(&settings.user)
            .password(password.expose_secret())
            .application_name("jane-migrate")
            .connect_timeout(SILENCE)
            .tcp_user_timeout(SILENCE);
        let failed = |error: tokio_postgres::Error| {
            let login = error
                .code()
                .is_some_and(|code| code.code().starts_with("28"));
            Unavailable(if login { "login" } else { "connect" })
        };
        match &self.tls {
            None => {
                let connecting = config.ssl_mode(SslMode::Disable).connect(NoTls);
                let (client, connection) = connecting.await.map_err(failed)?;
                tokio::spawn(connection);
                Ok(client)
            }
            Some(tls) => {
                let tls = MakeRustlsConnect::new(tls.clone());
                let connecting = config.ssl_mode(SslMode::Require).connect(tls);
                let (client, connection) = connecting.await.map_err(failed)?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    }
}

/// The query as it is sent. It fails if the user's query does not select a column that the settings name: without this check,
/// every user would seem to have no password.
#[derive(Debug)]
struct Query {
    text: String,
    /// The error if a column is not there, and where in the text the column ends, in characters.
    columns: Vec<(Unavailable, usize)>,
}

impl Query {
    fn new(settings: &config::Postgres) -> Self {
        // As JSON, so that columns of every type can be mapped.
        let mut text = "SELECT to_json(found)::text".to_owned();
        let mut columns = Vec::new();
        let salt = settings.firebase.as_ref();
        let password = (Unavailable("password_column"), &settings.password_column);
        let salt = salt.map(|firebase| (Unavailable("salt_column"), &firebase.salt_column));
        for (missing, column) in std::iter::once(password).chain(salt) {
            text += &format!(", found.\"{}\" IS NULL", column.replace('"', "\"\""));
            columns.push((missing, text.chars().count()));
        }
        // The line break ends a comment at the end of the query. Two rows show that the name is ambiguous.
        let query = settings.query.trim_end().trim_end_matches(';');
        text += &format!(" FROM ({query}\n) AS found LIMIT 2");
        Self { text, columns }
    }

    /// The error if a column that the settings name is not there, or is there twice, and the database says so.
    fn missing_column(&self, error: &tokio_postgres::Error) -> Option<Unavailable> {
        let error = error.as_db_error()?;
        let about_a_column = [
            SqlState::UNDEFINED_COLUMN,
            SqlState::AMBIGUOUS_COLUMN,
            // A name that is no column is looked up as a function.
            SqlState::UNDEFINED_FUNCTION,
        ];
        match error.position()? {
            ErrorPosition::Original(at) if about_a_column.contains(error.code()) => {
                let mut columns = self.columns.iter();
                let found = columns.find(|(_, end)| *at as usize <= *end);
                found.map(|(missing, _)| *missing)
            }
            _ => None,
        }
    }
}

/// The one row, or the verdict if there is not exactly one.
pub(super) fn only(rows: &[String]) -> Result<Result<Map<String, Value>, Verdict>, Unavailable> {
    match rows {
        [] => Ok(Err(Verdict::NotFound)),
        [row] => match serde_json::from_str(row) {
            Ok(Value::Object(row)) => Ok(Ok(row)),
            _ => Err(Unavailable("malformed")),
        },
        // Two accounts have this name: the password may belong to either.
        _ => Ok(Err(Verdict::NotEligible)),
    }
}

/// The hash in a column. `None` if the user has no password: Django and shadow files mark such accounts with `!` or `*`.
pub(super) fn usable(stored: Option<&Value>) -> Option<&str> {
    stored?
        .as_str()
        .filter(|hash| !hash.is_empty() && !hash.starts_with(['!', '*']))
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::{HashFormat, Secret};

    use super::*;

    fn database(decoy: Option<&str>) -> Postgres {
        let settings = config::Postgres {
            host: "localhost".into(),
            port: 5432,
            database: "shop".into(),
            user: "migration".into(),
            password: Secret::Env("P".into()),
            query: "SELECT $1".into(),
            password_column: "hash".into(),
            hash: HashFormat::Bcrypt,
            decoy: decoy.map(str::to_owned),
            firebase: None,
            timeout_ms: 3500,
            ca_certificate: None,
        };
        Postgres::new(&settings, Arc::new(Secrets::new(None, String::new()))).unwrap()
    }

    fn cost(hash: &str) -> &str {
        &hash[..7]
    }

    #[test]
    fn a_decoy_costs_as_much_as_the_hashes_of_the_table() {
        let seen = "$2y$10$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG";
        let own = database(None);
        assert_eq!(cost(&own.decoy()), "$2b$12$", "nothing is known yet");
        own.saw(seen.to_owned());
        assert_eq!(cost(&own.decoy()), cost(seen));
        assert!(!format!("{own:?}").contains("mzL0N04"));
        let configured = database(Some("$2b$08$x"));
        configured.saw(seen.to_owned());
        assert_eq!(cost(&configured.decoy()), "$2b$08$");
    }

    #[test]
    fn only_one_row_is_a_user() {
        let row = r#"{"id":1}"#.to_owned();
        let user = Map::from_iter([("id".to_owned(), 1.into())]);
        assert_eq!(only(&[]), Ok(Err(Verdict::NotFound)));
        assert_eq!(only(std::slice::from_ref(&row)), Ok(Ok(user)));
        assert_eq!(only(&["1".to_owned()]), Err(Unavailable("malformed")));
        assert_eq!(only(&[row.clone(), row]), Ok(Err(Verdict::NotEligible)));
    }

    #[test]
    fn a_marked_or_empty_password_is_none() {
        for none in ["", "!", "!x", "*", "*LK*"] {
            assert_eq!(usable(Some(&none.into())), None, "{none}");
        }
        assert_eq!(usable(None), None);
        assert_eq!(usable(Some(&1.into())), None);
        assert_eq!(usable(Some(&"$2b$".into())), Some("$2b$"));
    }

    #[test]
    fn the_query_is_limited_to_two_rows_and_its_transaction_is_read_only() {
        let database = database(None);
        assert_eq!(
            database.query.text,
            "SELECT to_json(found)::text, found.\"hash\" IS NULL FROM (SELECT $1\n) AS found LIMIT 2"
        );
        assert_eq!(
            database.begin,
            "BEGIN READ ONLY; SET LOCAL statement_timeout = 3500"
        );
        assert!(database.tls.is_none());
    }
}
