//! A PostgreSQL database: one query returns the user's row, and the password is checked against the row's hash.
//!
//! Each query has its own read-only transaction, and the statement of `[on_migrated]` one that may write. Nothing stays in the
//! session, neither settings nor a prepared statement: RDS Proxy and PgBouncer reject these, or pass them to other clients.

use std::{error::Error, sync::Arc, time::Duration};
#[cfg(feature = "export")]
use std::{ops::ControlFlow, pin::pin};

use bytes::BytesMut;
#[cfg(feature = "export")]
use futures_util::StreamExt;
use jane_migrate_config::{self as config, is_loopback};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::{sync::Mutex, time::Instant};
use tokio_postgres::{
    Client, Config, NoTls,
    config::SslMode,
    error::{ErrorPosition, SqlState},
    types::{Format, IsNull, ToSql, Type, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    hashes::{Hashes, only},
    login::{is_call, log_in},
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, ON_WRONG_PASSWORD, Unavailable},
    event::Event,
    secrets::Secrets,
    upstream::tls,
};

const PORT: u16 = 5432;

/// How long a connection may take to open, and how long sent data may stay unacknowledged.
const SILENCE: Duration = Duration::from_millis(1500);

/// A database.
#[derive(Debug)]
pub struct Postgres {
    settings: config::Database,
    /// TLS, except on this machine if the settings have no certificate.
    tls: Option<ClientConfig>,
    secrets: Arc<Secrets>,
    begin: String,
    query: Query,
    connection: Mutex<Option<Client>>,
    hashes: Hashes,
}

/// A query or a statement with its transaction.
struct Asked<'a> {
    call: &'static str,
    /// It changes something, and its rows do not matter.
    writes: bool,
    begin: &'a str,
    text: &'a str,
    /// The value of `$1`.
    value: &'a str,
    end: &'static str,
}

impl Postgres {
    /// The database of the settings. It makes no call yet.
    pub fn new(settings: &config::Database, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let certificate = settings.ca_certificate.as_deref();
        let tls = match is_loopback(&settings.host) && certificate.is_none() {
            true => None,
            false => Some(tls(certificate).map_err(|_| Unusable)?),
        };
        Ok(Self {
            settings: settings.clone(),
            hashes: Hashes::new(settings, Arc::clone(&secrets)),
            tls,
            secrets,
            begin: format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
                settings.timeout_ms
            ),
            query: Query::new(settings),
            connection: Mutex::default(),
        })
    }

    /// Opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        self.hashes.warm(budget).await?;
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
        let row = self.row(event.name(), budget).await?;
        self.hashes.judge(event, row, password, budget).await
    }

    /// The formats of this many stored hashes.
    pub async fn sample(&self, rows: u32, budget: &Budget) -> Result<Value, Unavailable> {
        let connection = self.connect(budget).await?;
        let started = Instant::now();
        let stored = budget.within(self.stored(&connection, rows)).await;
        budget.record("sample", Some(&self.settings.host), started, None);
        Ok(match stored? {
            Some(stored) => self.hashes.survey(stored).await,
            None => json!({ "why": "no-table" }),
        })
    }

    /// Stored hashes, read from the table that the query's column comes from. `None` if it comes from no table.
    async fn stored(
        &self,
        connection: &Client,
        rows: u32,
    ) -> Result<Option<Vec<Option<String>>>, Unavailable> {
        let failed = |error: tokio_postgres::Error| {
            self.query
                .missing_column(&error)
                .unwrap_or(Unavailable("query"))
        };
        // No user has the name `$1` here: the statement is only prepared, which shows where its columns come from.
        let statement = connection
            .prepare(&self.query.column)
            .await
            .map_err(failed)?;
        let origin = statement.columns().first();
        let origin = origin.and_then(|column| column.table_oid().zip(column.column_id()));
        let Some((table, column)) = origin else {
            return Ok(None);
        };
        let named = format!(
            "SELECT c.oid::regclass::text, quote_ident(a.attname), c.relkind IN ('r', 'm', 'p'), greatest(c.reltuples, 1)::float8 \
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = {table} AND a.attnum = {column}"
        );
        let named = connection.query_typed(&named, &[]).await.map_err(failed)?;
        let Some(named) = named.first() else {
            return Ok(None);
        };
        let (table, column): (String, String) = (named.get(0), named.get(1));
        // Pages of the whole table, and twice as many as needed: some may be empty.
        let share = match named.get(2) {
            true => format!(
                " TABLESAMPLE SYSTEM ({})",
                (200.0 * f64::from(rows) / named.get::<_, f64>(3)).clamp(0.000_1, 100.0)
            ),
            false => String::new(),
        };
        let sample = format!("SELECT {column}::text FROM {table}{share} LIMIT {rows}");
        let (began, found, _) = tokio::join!(
            connection.batch_execute(&self.begin),
            connection.query_typed(&sample, &[]),
            connection.batch_execute("ROLLBACK"),
        );
        let found = began.and(found).map_err(failed)?;
        let hashes = found.iter().map(|row| row.try_get(0).ok());
        Ok(hashes.collect())
    }

    /// Passes on every row of the query, until the callback stops.
    #[cfg(feature = "export")]
    pub async fn each_row(
        &self,
        budget: &Budget,
        each: &mut (dyn FnMut(Map<String, Value>) -> ControlFlow<()> + Send),
    ) -> Result<(), Unavailable> {
        let connection = self.connect(budget).await?;
        let failed = |error: tokio_postgres::Error| match error.is_closed() {
            true => Unavailable("connection"),
            false => Unavailable("query"),
        };
        // The line break ends a comment at the end of the query.
        let query = self.settings.query.trim_end().trim_end_matches(';');
        let query = format!("SELECT to_json(found)::text FROM ({query}\n) AS found");
        connection
            .batch_execute("BEGIN READ ONLY")
            .await
            .map_err(failed)?;
        let none: [(i32, Type); 0] = [];
        let rows = connection.query_typed_raw(&query, none).await;
        let mut rows = pin!(rows.map_err(failed)?);
        while let Some(row) = rows.next().await {
            let text: String = row
                .map_err(failed)?
                .try_get(0)
                .map_err(|_| Unavailable("query"))?;
            for row in objects(&[text])? {
                if each(row).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the user exists.
    pub async fn lookup(
        &self,
        event: &Event,
        without_password: bool,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let row = self.row(event.name(), budget).await?;
        Ok(self.hashes.known(row, without_password))
    }

    /// Counts a refused sign-in, if that is configured.
    pub async fn count_refused(
        &self,
        name: &str,
        explain: bool,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        match &self.settings.on_wrong_password {
            Some(statement) => {
                let call = (ON_WRONG_PASSWORD, statement.as_str());
                self.execute(call, name, explain, budget).await
            }
            None => Ok(()),
        }
    }

    /// Runs a statement about a user; with `explain` the database only checks it, as far as it can.
    pub async fn execute(
        &self,
        (call, statement): (&'static str, &str),
        value: &str,
        explain: bool,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        let statement = statement.trim_end().trim_end_matches(';');
        let explained = match explain {
            true if is_call(statement) => return Ok(()),
            true => format!("EXPLAIN {statement}"),
            false => statement.to_owned(),
        };
        let asked = Asked {
            call,
            writes: true,
            begin: &format!(
                "BEGIN READ WRITE; SET LOCAL statement_timeout = {}",
                self.settings.timeout_ms
            ),
            text: &explained,
            value,
            end: if explain { "ROLLBACK" } else { "COMMIT" },
        };
        self.rows(&asked, budget).await.map(drop)
    }

    /// The user's row, or the verdict if there is not exactly one.
    async fn row(
        &self,
        name: &str,
        budget: &Budget,
    ) -> Result<Result<Map<String, Value>, Verdict>, Unavailable> {
        let asked = Asked {
            call: "query",
            writes: false,
            begin: &self.begin,
            text: &self.query.text,
            value: name,
            end: "ROLLBACK",
        };
        objects(&self.rows(&asked, budget).await?).map(only)
    }

    /// The database's response, from the kept connection or a new one.
    async fn rows(&self, asked: &Asked<'_>, budget: &Budget) -> Result<Vec<String>, Unavailable> {
        let mut kept = self.connection.lock().await;
        let mut rows = match kept.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => {
                let rows = self.ask(&connection, asked, budget).await;
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
            rows = self.ask(&connection, asked, budget).await;
            if rows.is_ok() {
                *kept = Some(connection);
            }
        }
        rows
    }

    async fn ask(
        &self,
        connection: &Client,
        asked: &Asked<'_>,
        budget: &Budget,
    ) -> Result<Vec<String>, Unavailable> {
        let started = Instant::now();
        let answered = async {
            // Sent together, so that the transaction adds no round trip. The name is sent as a text of unknown type; the
            // server infers the type.
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = match asked.writes {
                true => [(&Text(asked.value), Type::UNKNOWN)],
                false => [(&asked.value, Type::UNKNOWN)],
            };
            let (began, rows, ended) = tokio::join!(
                connection.batch_execute(asked.begin),
                connection.query_typed(asked.text, &parameters),
                connection.batch_execute(asked.end),
            );
            if asked.writes {
                let done = began.and(rows).and(ended);
                return done.map(|()| Vec::new()).map_err(|error| refused(&error));
            }
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
        let rows = budget.within(answered).await;
        budget.record(asked.call, Some(&self.settings.host), started, None);
        rows
    }

    async fn connect(&self, budget: &Budget) -> Result<Client, Unavailable> {
        log_in(&self.settings, &self.secrets, budget, |password| {
            self.open(password)
        })
        .await
    }

    async fn open(&self, password: SecretString) -> Result<Client, Unavailable> {
        let settings = &self.settings;
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port.unwrap_or(PORT))
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

/// A value in its text form, whatever its type in the query.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Why a statement was not run. The error itself is dropped: it may quote a value.
fn refused(error: &tokio_postgres::Error) -> Unavailable {
    Unavailable(match error.code() {
        _ if error.is_closed() => "connection",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "denied",
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => "read-only",
        _ => "statement",
    })
}

/// The rows, which PostgreSQL sends as JSON.
pub(super) fn objects(rows: &[String]) -> Result<Vec<Map<String, Value>>, Unavailable> {
    let object = |row: &String| match serde_json::from_str(row) {
        Ok(Value::Object(row)) => Ok(row),
        _ => Err(Unavailable("malformed")),
    };
    rows.iter().map(object).collect()
}

/// The query in the form that is sent. It fails if the user's query does not select a configured column: without this check,
/// every user would seem to have no password.
#[derive(Debug)]
struct Query {
    text: String,
    /// The same for the hash's column only.
    column: String,
    /// The error if a column is missing, and the position in the text where the column ends, in characters.
    columns: Vec<(Unavailable, usize)>,
}

impl Query {
    fn new(settings: &config::Database) -> Self {
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
        let column = settings.password_column.replace('"', "\"\"");
        let column = format!("SELECT found.\"{column}\" FROM ({query}\n) AS found");
        Self {
            text,
            column,
            columns,
        }
    }

    /// The error if the database says that a configured column is missing or occurs twice.
    fn missing_column(&self, error: &tokio_postgres::Error) -> Option<Unavailable> {
        let error = error.as_db_error()?;
        let about_a_column = [
            SqlState::UNDEFINED_COLUMN,
            SqlState::AMBIGUOUS_COLUMN,
            // A name that is not a column is looked up as a function.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::hashes::tests::settings;

    fn database(decoy: Option<&str>) -> Postgres {
        let secrets = Secrets::new(None, String::new());
        Postgres::new(&settings(decoy), Arc::new(secrets)).unwrap()
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
