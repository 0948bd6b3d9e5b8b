//! Logs in to a database: with its password, and once more with a new one if the password was replaced.

use jane_migrate_config::Database;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{
    budget::{Budget, Unavailable},
    secrets::Secrets,
};

/// The connection that `open` opens with the database's password.
pub(super) async fn log_in<T, Opened>(
    settings: &Database,
    secrets: &Secrets,
    budget: &Budget,
    open: impl Fn(SecretString) -> Opened,
) -> Result<T, Unavailable>
where
    Opened: Future<Output = Result<T, Unavailable>>,
{
    let password = secrets.get(&settings.password, budget).await?;
    let started = Instant::now();
    let opened = match budget.within(open(password)).await {
        // The password may have been replaced since it was fetched.
        Err(login @ Unavailable("login")) => {
            match secrets.changed(&settings.password, budget).await? {
                Some(password) => budget.within(open(password)).await,
                None => Err(login),
            }
        }
        opened => opened,
    };
    budget.record("connect", Some(&settings.host), started, None);
    opened
}

/// Whether the statement is one that no database explains.
pub(super) fn is_call(statement: &str) -> bool {
    let first = statement.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case("call")
}
