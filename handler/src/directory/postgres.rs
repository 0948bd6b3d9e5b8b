//! A PostgreSQL database: one query for the user's row, and the password checked against the row's hash.
//!
//! Each query has a read-only transaction of its own and leaves nothing in the session, neither settings nor a prepared
//! statement: RDS Proxy and PgBouncer refuse those, or hand them to others.
//!
//! An unknown user's password is checked against a decoy, so that the time an answer takes does not tell who is known:
//! the configured one, or else the last hash of the table's that was seen, whose cost is theirs.

use std::{
    sync::{self, Arc, PoisonError},
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
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::verdict::{Unusable, Verdict};
use crate::{
    budget::{Budget, Unavailable},
    hash::{self, FirebaseKey},
    secrets::Secrets,
    upstream::tls,
};

/// How long a connection may take to open, and how long one may stay silent after data was sent.
const SILENCE: Duration = Duration::from_millis(1500);

/// A database.
#[derive(Debug)]
pub struct Postgres {
    settings: config::Postgres,
    /// TLS, except on this machine without a certificate to expect.
    tls: Option<ClientConfig>,
    secrets: Arc<Secrets>,
    begin: String,
    query: String,
    connection: Mutex<Option<Client>>,
    /// The last hash that a password was checked against.
    seen: sync::Mutex<Option<SecretString>>,
}

impl Postgres {
    /// The database the settings name. Nothing is asked yet.
    pub fn new(settings: &config::Postgres, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        let certificate = settings.ca_certificate.as_deref();
        let tls = match is_loopback(&settings.host) && certificate.is_none() {
            true => None,
            false => Some(tls(certificate).map_err(|_| Unusable)?),
        };
        // As JSON, so that columns of every type can be mapped; one row more than may be there.
        let query = settings.query.trim_end().trim_end_matches(';');
        Ok(Self {
            settings: settings.clone(),
            tls,
            secrets,
            begin: format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
                settings.timeout_ms
            ),
            // The query may end in a comment, which ends with its line.
            query: format!("SELECT to_json(found)::text FROM ({query}\n) AS found LIMIT 2"),
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
        name: &str,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let mut row = self.row(name, budget).await?;
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

    /// What an unknown user's password is checked against.
    fn decoy(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref().map(|hash| hash.expose_secret().to_owned());
        let configured = self.settings.decoy.clone();
        configured
            .or(seen)
            .unwrap_or_else(|| hash::decoy(self.settings.hash).to_owned())
    }

    /// Remembers a hash of the table's.
    fn saw(&self, hash: String) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash.into());
    }

    /// Whether the user exists.
    pub async fn lookup(&self, name: &str, budget: &Budget) -> Result<Verdict, Unavailable> {
        Ok(match self.row(name, budget).await? {
            Ok(mut row) => {
                row.remove(&self.settings.password_column);
                Verdict::Known(row)
            }
            Err(verdict) => verdict,
        })
    }

    /// Hashing keeps a processor busy, so it is done aside: the budget holds for it too.
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
        budget.record("hash", started, None);
        right?.map_err(|hash::Unreadable| Unavailable("hash"))
    }

    /// The user's row, or what it means that there is not exactly one.
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
        // A connection that died while it lay idle shows only now.
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
            // Sent together, so that the transaction costs no wait of its own. The server finds out what type the name
            // has to have, which must be one of texts: it is sent as one.
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&name, Type::UNKNOWN)];
            let (began, rows, _) = tokio::join!(
                connection.batch_execute(&self.begin),
                connection.query_typed(&self.query, &parameters),
                connection.batch_execute("ROLLBACK"),
            );
            let rows = began.and(rows).map_err(|error| {
                Unavailable(if error.is_closed() {
                    "connection"
                } else {
                    "query"
                })
            })?;
            rows.iter()
                .map(|row| row.try_get(0).map_err(|_| Unavailable("query")))
                .collect()
        };
        let rows = budget.within(asked).await;
        budget.record("query", started, None);
        rows
    }

    async fn connect(&self, budget: &Budget) -> Result<Client, Unavailable> {
        let settings = &self.settings;
        let password = self.secrets.get(&settings.password, budget).await?;
        let started = Instant::now();
        let opened = match budget.within(self.open(&password)).await {
            // The password may have been replaced since it was fetched.
            Err(Unavailable("login")) => {
                let password = self.secrets.fetch(&settings.password, budget).await?;
                budget.within(self.open(&password)).await
            }
            opened => opened,
        };
        budget.record("connect", started, None);
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

/// The one row, or what it means that there is not exactly one.
pub(super) fn only(rows: &[String]) -> Result<Result<Map<String, Value>, Verdict>, Unavailable> {
    match rows {
        [] => Ok(Err(Verdict::NotFound)),
        [row] => match serde_json::from_str(row) {
            Ok(Value::Object(row)) => Ok(Ok(row)),
            _ => Err(Unavailable("malformed")),
        },
        // Two accounts of one name: nobody can say whose password this is.
        _ => Ok(Err(Verdict::NotEligible)),
    }
}

/// The hash in a column; none where there is no password, which Django and shadow files write in ways of their own.
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
    fn a_decoy_costs_what_the_tables_hashes_cost() {
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
}
