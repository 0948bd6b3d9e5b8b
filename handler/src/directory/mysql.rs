//! A MySQL or MariaDB database: one query returns the user's row, and the password is checked against the row's hash.
//!
//! The session is read-only, and its only statement is prepared when the connection opens: a sign-in takes two round trips, and a
//! query that lacks a configured column fails before the first sign-in.

#[cfg(feature = "export")]
use std::ops::ControlFlow;
use std::{fmt, sync::Arc, time::Duration};

use jane_migrate_config::{self as config, is_loopback};
use mysql_async::{
    Column, Conn, Error, OptsBuilder, Params, Row, SslOpts, Statement, consts::ColumnType,
    prelude::Queryable,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    hashes::{Hashes, only},
    login::{is_call, log_in},
    verdict::{Unusable, Verdict},
};
use crate::{
    budget::{Budget, ON_WRONG_PASSWORD, Unavailable},
    escape::hex,
    event::Event,
    secrets::Secrets,
    upstream::tls,
};

const PORT: u16 = 3306;

/// How long a kept connection may take to show that it still works. One that was lost while the function was frozen reports no
/// error.
const SILENCE: Duration = Duration::from_millis(1500);

/// Set explicitly, so that the client does not query the server for them: that would take a round trip, and neither is needed
/// here.
const LARGEST_PACKET: usize = 16 << 20;
const IDLE_SECONDS: usize = 28_800;

/// "Access denied for user ... to database ...", which is not in error class 28.
const DATABASE_DENIED: u16 = 1044;

/// "Duplicate column name ..."
const TWO_COLUMNS: u16 = 1060;

/// A database.
#[derive(Debug)]
pub struct Mysql {
    settings: config::Database,
    /// TLS, except on this machine if the settings have no certificate.
    tls: Option<SslOpts>,
    secrets: Arc<Secrets>,
    query: String,
    connection: Mutex<Option<Open>>,
    hashes: Hashes,
}

/// A connection with its statement.
struct Open {
    connection: Conn,
    statement: Statement,
}

/// The connection contains the password.
impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

impl Mysql {
    /// The database of the settings. It makes no call yet.
    pub fn new(settings: &config::Database, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let certificate = settings.ca_certificate.as_deref();
        // Otherwise the client would find this only at the first connection.
        tls(certificate).map_err(|_| Unusable)?;
        let encrypted = match certificate {
            Some(pem) => Some(
                SslOpts::default()
                    .with_root_certs(vec![pem.as_bytes().to_vec().into()])
                    .with_disable_built_in_roots(true),
            ),
            None if is_loopback(&settings.host) => None,
            None => Some(SslOpts::default()),
        };
        Ok(Self {
            settings: settings.clone(),
            hashes: Hashes::new(settings, Arc::clone(&secrets)),
            tls: encrypted,
            secrets,
            // The line break ends a comment at the end of the query. Two rows show that the name is ambiguous.
            query: limited(
                settings.timeout_ms,
                &format!("* FROM ({}\n) AS found LIMIT 2", bare(&settings.query)),
            ),
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

    /// The formats of this many stored hashes.
    pub async fn sample(&self, rows: u32, budget: &Budget) -> Result<Value, Unavailable> {
        let mut open = self.connect(budget).await?;
        let started = Instant::now();
        let stored = budget.within(self.stored(&mut open.connection, rows)).await;
        budget.record("sample", Some(&self.settings.host), started, None);
        Ok(match stored? {
            Some(stored) => self.hashes.survey(stored).await,
            None => json!({ "why": "no-table" }),
        })
    }

    /// Stored hashes, read from the table that the query's column comes from. `None` if it comes from no table.
    async fn stored(
        &self,
        connection: &mut Conn,
        rows: u32,
    ) -> Result<Option<Vec<Option<String>>>, Unavailable> {
        // The statement is only prepared, which shows where its columns come from.
        let statement = connection
            .prep(bare(&self.settings.query))
            .await
            .map_err(failed)?;
        let columns = statement.columns();
        let mut columns = columns.iter();
        let column = columns.find(|column| column.name_str() == self.settings.password_column);
        let Some(column) = column.filter(|column| {
            !column.org_table_ref().is_empty() && !column.org_name_ref().is_empty()
        }) else {
            return Ok(None);
        };
        let (schema, table) = (column.schema_str(), column.org_table_str());
        let known: Option<Option<u64>> = connection
            .exec_first(
                "SELECT table_rows FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
                (schema.as_ref(), table.as_ref()),
            )
            .await
            .map_err(failed)?;
        let known = known.flatten().unwrap_or_default().max(1);
        // Rows of the whole table: the oldest users may have other formats. Twice as many as needed, because the number is an
        // estimate.
        let share = (2.0 * f64::from(rows) / known as f64).min(1.0);
        let sample = limited(
            self.settings.timeout_ms,
            &format!(
                "{} FROM {}.{} WHERE rand() < {share:.9} LIMIT {rows}",
                quoted(&column.org_name_str()),
                quoted(&schema),
                quoted(&table)
            ),
        );
        let found: Vec<Row> = connection.query(sample).await.map_err(failed)?;
        let hash = |row: &Row| match json(row.as_ref(0)?, row.columns_ref().first()?) {
            Value::String(hash) => Some(hash),
            _ => None,
        };
        Ok(Some(found.iter().map(hash).collect()))
    }

    /// Passes on every row of the query, until the callback stops.
    #[cfg(feature = "export")]
    pub async fn each_row(
        &self,
        budget: &Budget,
        each: &mut (dyn FnMut(Map<String, Value>) -> ControlFlow<()> + Send),
    ) -> Result<(), Unavailable> {
        let password = self.secrets.get(&self.settings.password, budget).await?;
        let mut connection = budget.within(self.connection(password)).await?;
        let mut rows = connection
            .query_iter(bare(&self.settings.query))
            .await
            .map_err(failed)?;
        while let Some(row) = rows.next().await.map_err(failed)? {
            if each(object(row)).is_break() {
                break;
            }
        }
        Ok(())
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
        let statement = match explain {
            true if is_call(statement) => return Ok(()),
            true => format!("EXPLAIN {}", bare(statement)),
            false => bare(statement).to_owned(),
        };
        let end = if explain { "ROLLBACK" } else { "COMMIT" };
        let mut kept = self.connection.lock().await;
        let mut open = self.opened(kept.take(), budget).await?;
        let started = Instant::now();
        let done = budget.within(run(&mut open.connection, &statement, value, end));
        let done = done.await;
        budget.record(call, Some(&self.settings.host), started, None);
        done?;
        *kept = Some(open);
        Ok(())
    }

    /// The kept connection, or a new one.
    async fn opened(&self, kept: Option<Open>, budget: &Budget) -> Result<Open, Unavailable> {
        let open = match kept {
            Some(open) => budget.within(still_open(open)).await?,
            None => None,
        };
        match open {
            Some(open) => Ok(open),
            None => self.connect(budget).await,
        }
    }

    /// The user's row, or the verdict if there is not exactly one.
    async fn row(
        &self,
        name: &str,
        budget: &Budget,
    ) -> Result<Result<Map<String, Value>, Verdict>, Unavailable> {
        let mut kept = self.connection.lock().await;
        let mut open = self.opened(kept.take(), budget).await?;
        let started = Instant::now();
        let rows = budget.within(ask(&mut open, name)).await;
        budget.record("query", Some(&self.settings.host), started, None);
        let rows = rows?;
        *kept = Some(open);
        Ok(only(rows))
    }

    async fn connect(&self, budget: &Budget) -> Result<Open, Unavailable> {
        log_in(&self.settings, &self.secrets, budget, |password| {
            self.open(password)
        })
        .await
    }

    /// A connection whose session is read-only.
    async fn connection(&self, password: SecretString) -> Result<Conn, Unavailable> {
        let settings = &self.settings;
        let options = OptsBuilder::default()
            .ip_or_hostname(&*settings.host)
            .tcp_port(settings.port.unwrap_or(PORT))
            .db_name(Some(&*settings.database))
            .user(Some(&*settings.user))
            .pass(Some(password.expose_secret()))
            .ssl_opts(self.tls.clone())
            .prefer_socket(false)
            .max_allowed_packet(Some(LARGEST_PACKET))
            .wait_timeout(Some(IDLE_SECONDS))
            .init(vec!["SET SESSION TRANSACTION READ ONLY"]);
        Conn::new(options).await.map_err(|error| match error {
            Error::Server(error)
                if error.state.starts_with("28") || error.code == DATABASE_DENIED =>
            {
                Unavailable("login")
            }
            _ => Unavailable("connect"),
        })
    }

    async fn open(&self, password: SecretString) -> Result<Open, Unavailable> {
        let mut connection = self.connection(password).await?;
        let statement = connection.prep(&*self.query).await;
        let statement = statement.map_err(|error| match &error {
            Error::Server(server) if server.code == TWO_COLUMNS => {
                let mut columns = self.columns();
                let named = columns.find(|(_, column)| server.message.contains(*column));
                named.map_or(Unavailable("query"), |(missing, _)| missing)
            }
            _ => failed(error),
        })?;
        // Without this check, every user would seem to have no password.
        let selected = statement.columns();
        for (missing, column) in self.columns() {
            if !selected.iter().any(|found| found.name_str() == column) {
                return Err(missing);
            }
        }
        Ok(Open {
            connection,
            statement,
        })
    }

    /// The configured columns, each with the error if it is missing or occurs twice.
    fn columns(&self) -> impl Iterator<Item = (Unavailable, &str)> {
        let password = (
            Unavailable("password_column"),
            self.settings.password_column.as_str(),
        );
        let salt = self.settings.firebase.iter();
        let salt = salt.map(|firebase| (Unavailable("salt_column"), firebase.salt_column.as_str()));
        std::iter::once(password).chain(salt)
    }
}

/// The connection, if its server still answers.
async fn still_open(mut open: Open) -> Result<Option<Open>, Unavailable> {
    let answer = timeout(SILENCE, open.connection.ping()).await;
    Ok(matches!(answer, Ok(Ok(()))).then_some(open))
}

/// The rows with this name.
async fn ask(open: &mut Open, name: &str) -> Result<Vec<Map<String, Value>>, Unavailable> {
    let Open {
        connection,
        statement,
    } = open;
    // Each placeholder is the name.
    let names = vec![name.into(); usize::from(statement.num_params())];
    let rows: Vec<Row> = connection
        .exec(&*statement, Params::Positional(names))
        .await
        .map_err(failed)?;
    Ok(rows.into_iter().map(object).collect())
}

/// Runs a statement in a transaction that may write; the session's other transactions may not.
async fn run(
    connection: &mut Conn,
    statement: &str,
    value: &str,
    end: &str,
) -> Result<(), Unavailable> {
    let begin = connection.query_drop("START TRANSACTION READ WRITE");
    begin.await.map_err(refused)?;
    let prepared = connection.prep(statement).await.map_err(refused)?;
    // Each placeholder is the same value.
    let values = vec![value.into(); usize::from(prepared.num_params())];
    let done = connection.exec_drop(&prepared, Params::Positional(values));
    done.await.map_err(refused)?;
    connection.close(prepared).await.map_err(refused)?;
    connection.query_drop(end).await.map_err(refused)
}

/// Why a statement was not run. The error itself is dropped: it may quote a value.
fn refused(error: Error) -> Unavailable {
    Unavailable(match error {
        Error::Server(error) => match error.code {
            // No permission for the database, the table, a column or a routine.
            1044 | 1142 | 1143 | 1227 | 1370 => "denied",
            1290 | 1792 | 1836 => "read-only",
            _ => "statement",
        },
        _ => "connection",
    })
}

/// A row by the names of its columns.
fn object(row: Row) -> Map<String, Value> {
    let columns = row.columns_ref().iter().enumerate();
    let values = columns.filter_map(|(at, column)| {
        Some((
            column.name_str().into_owned(),
            json(row.as_ref(at)?, column),
        ))
    });
    values.collect()
}

/// The error itself is dropped: it may quote the name or a value.
fn failed(error: Error) -> Unavailable {
    Unavailable(match error {
        Error::Server(_) => "query",
        _ => "connection",
    })
}

/// The query without a final semicolon.
fn bare(query: &str) -> &str {
    query.trim_end().trim_end_matches(';')
}

/// A SELECT with a time limit on the server. MariaDB reads the first comment, MySQL the second, and neither keeps the setting.
fn limited(ms: u64, select: &str) -> String {
    let seconds = ms as f64 / 1000.0;
    format!(
        "/*M!100101 SET STATEMENT max_statement_time={seconds} FOR */ SELECT /*+ MAX_EXECUTION_TIME({ms}) */ {select}"
    )
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A column's value in JSON.
pub(super) fn json(value: &mysql_async::Value, column: &Column) -> Value {
    use mysql_async::Value as Sql;
    match value {
        Sql::NULL => Value::Null,
        Sql::Int(number) => (*number).into(),
        Sql::UInt(number) => (*number).into(),
        Sql::Float(number) => json!(number),
        Sql::Double(number) => json!(number),
        Sql::Bytes(bytes) => match column.column_type() {
            // Programs in Java store booleans in bit(1).
            ColumnType::MYSQL_TYPE_BIT => bytes
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
                .into(),
            ColumnType::MYSQL_TYPE_JSON => serde_json::from_slice(bytes).unwrap_or_default(),
            _ => match std::str::from_utf8(bytes) {
                // Zeros pad a column of the type binary(n).
                Ok(text) => text.trim_end_matches('\0').into(),
                Err(_) => hex(bytes).into(),
            },
        },
        Sql::Date(year, month, day, hour, minute, second, _) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            match column.column_type() {
                ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => date.into(),
                _ => format!("{date}T{hour:02}:{minute:02}:{second:02}").into(),
            }
        }
        Sql::Time(negative, days, hours, minutes, seconds, _) => {
            let sign = if *negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hours);
            format!("{sign}{hours:02}:{minutes:02}:{seconds:02}").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::hashes::tests::settings;

    fn value(kind: ColumnType, value: mysql_async::Value) -> Value {
        json(&value, &Column::new(kind))
    }

    #[test]
    fn the_query_is_limited_in_rows_and_in_time() {
        let secrets = Secrets::new(None, String::new());
        let mut settings = settings(None);
        settings.query = "SELECT hash FROM users WHERE email = ? -- their address;".into();
        let database = Mysql::new(&settings, Arc::new(secrets)).unwrap();
        assert_eq!(
            database.query,
            "/*M!100101 SET STATEMENT max_statement_time=3.5 FOR */ SELECT /*+ MAX_EXECUTION_TIME(3500) */ * FROM \
             (SELECT hash FROM users WHERE email = ? -- their address\n) AS found LIMIT 2"
        );
        assert!(database.tls.is_none(), "this machine");
    }

    #[test]
    fn tls_is_off_only_on_this_machine_without_a_certificate() {
        let of = |host: &str| {
            let mut settings = settings(None);
            settings.host = host.into();
            let secrets = Secrets::new(None, String::new());
            Mysql::new(&settings, Arc::new(secrets)).unwrap().tls
        };
        assert!(of("127.0.0.1").is_none());
        let tls = of("db.example.com").unwrap();
        assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation());
    }

    #[test]
    fn values_of_each_type_become_json() {
        use mysql_async::Value as Sql;
        let text = |text: &str| Sql::Bytes(text.into());
        for (kind, sql, expected) in [
            (ColumnType::MYSQL_TYPE_LONG, Sql::NULL, Value::Null),
            (ColumnType::MYSQL_TYPE_LONG, Sql::Int(-7), json!(-7)),
            (
                ColumnType::MYSQL_TYPE_LONGLONG,
                Sql::UInt(u64::MAX),
                json!(u64::MAX),
            ),
            (ColumnType::MYSQL_TYPE_DOUBLE, Sql::Double(1.5), json!(1.5)),
            (ColumnType::MYSQL_TYPE_FLOAT, Sql::Float(0.5), json!(0.5)),
            (
                ColumnType::MYSQL_TYPE_NEWDECIMAL,
                text("12.50"),
                json!("12.50"),
            ),
            (ColumnType::MYSQL_TYPE_BIT, Sql::Bytes(vec![1]), json!(1)),
            (
                ColumnType::MYSQL_TYPE_BIT,
                Sql::Bytes(vec![1, 2]),
                json!(258),
            ),
            (
                ColumnType::MYSQL_TYPE_JSON,
                text(r#"{"a":[1]}"#),
                json!({ "a": [1] }),
            ),
            (ColumnType::MYSQL_TYPE_STRING, text("x\0\0"), json!("x")),
            (
                ColumnType::MYSQL_TYPE_STRING,
                Sql::Bytes(vec![0xff, 0]),
                json!("ff00"),
            ),
            (
                ColumnType::MYSQL_TYPE_DATE,
                Sql::Date(2024, 2, 9, 0, 0, 0, 0),
                json!("2024-02-09"),
            ),
            (
                ColumnType::MYSQL_TYPE_DATETIME,
                Sql::Date(0, 0, 0, 0, 0, 0, 0),
                json!("0000-00-00T00:00:00"),
            ),
            (
                ColumnType::MYSQL_TYPE_TIMESTAMP,
                Sql::Date(2024, 2, 9, 8, 7, 6, 5),
                json!("2024-02-09T08:07:06"),
            ),
            (
                ColumnType::MYSQL_TYPE_TIME,
                Sql::Time(true, 1, 2, 3, 4, 0),
                json!("-26:03:04"),
            ),
            // More days than MySQL has, from a hostile server.
            (
                ColumnType::MYSQL_TYPE_TIME,
                Sql::Time(false, u32::MAX, 1, 0, 0, 0),
                json!("103079215081:00:00"),
            ),
        ] {
            assert_eq!(value(kind, sql.clone()), expected, "{sql:?}");
        }
    }
}
