//! The directory with the existing accounts. Each kind is one file behind a cargo feature; this module chooses the kind.

#[cfg(feature = "cognito")]
mod cognito;
#[cfg(feature = "sql")]
pub(crate) mod hashes;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "jane")]
pub mod jane;
#[cfg(feature = "ldap")]
pub(crate) mod ldap;
#[cfg(feature = "sql")]
mod login;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(test)]
mod properties;
#[cfg(any(feature = "http", feature = "jane"))]
mod token;
mod verdict;

use std::sync::Arc;

use jane_migrate_config::{Directory as Settings, HandlerSettings};
use secrecy::SecretString;
use serde_json::{Value, json};

pub use self::verdict::{Unusable, Verdict};
use crate::{
    budget::{Budget, Unavailable},
    decide::Decision,
    event::Event,
    guard,
    outcome::{Outcome, Refusal, Trigger},
    secrets::Secrets,
};

/// The start of each text in [`SERVES`].
pub const SERVES_WORDS: &str = "jane-migrate-handler serves ";

/// The kinds of directory in this build. The executable contains these texts, so that a zip shows which kinds it serves.
pub const SERVES: &[&str] = &[
    #[cfg(feature = "jane")]
    "jane-migrate-handler serves jane",
    #[cfg(feature = "http")]
    "jane-migrate-handler serves http",
    #[cfg(feature = "cognito")]
    "jane-migrate-handler serves cognito",
    #[cfg(feature = "postgres")]
    "jane-migrate-handler serves postgres",
    #[cfg(feature = "mysql")]
    "jane-migrate-handler serves mysql",
    #[cfg(feature = "ldap")]
    "jane-migrate-handler serves ldap",
];

/// A directory.
#[allow(
    clippy::large_enum_variant,
    reason = "a process has one directory, and most builds have one variant"
)]
#[derive(Debug)]
pub enum Directory {
    /// Jane's API.
    #[cfg(feature = "jane")]
    Jane(jane::Jane),
    /// Any HTTP service.
    #[cfg(feature = "http")]
    Http(http::Http),
    /// An old user pool.
    #[cfg(feature = "cognito")]
    Cognito(cognito::OldPool),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Postgres),
    /// A MySQL or MariaDB database.
    #[cfg(feature = "mysql")]
    Mysql(mysql::Mysql),
    /// An LDAP server.
    #[cfg(feature = "ldap")]
    Ldap(ldap::Ldap),
}

/// Runs the same code for the directory of each kind.
macro_rules! each {
    ($self:ident, $directory:ident => $work:expr) => {
        match $self {
            #[cfg(feature = "jane")]
            Self::Jane($directory) => $work,
            #[cfg(feature = "http")]
            Self::Http($directory) => $work,
            #[cfg(feature = "cognito")]
            Self::Cognito($directory) => $work,
            #[cfg(feature = "postgres")]
            Self::Postgres($directory) => $work,
            #[cfg(feature = "mysql")]
            Self::Mysql($directory) => $work,
            #[cfg(feature = "ldap")]
            Self::Ldap($directory) => $work,
        }
    };
}

impl Directory {
    /// The directory of the settings. It makes no call yet.
    pub fn new(settings: &HandlerSettings, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        match &settings.directory {
            #[cfg(feature = "jane")]
            Settings::Jane(settings) => jane::Jane::new(settings, secrets).map(Self::Jane),
            #[cfg(feature = "http")]
            Settings::Http(settings) => http::Http::new(settings, secrets).map(Self::Http),
            #[cfg(feature = "cognito")]
            Settings::Cognito(settings) => {
                cognito::OldPool::new(settings, secrets).map(Self::Cognito)
            }
            #[cfg(feature = "postgres")]
            Settings::Postgres(settings) => {
                postgres::Postgres::new(settings, secrets).map(Self::Postgres)
            }
            #[cfg(feature = "mysql")]
            Settings::Mysql(settings) => mysql::Mysql::new(settings, secrets).map(Self::Mysql),
            #[cfg(feature = "ldap")]
            Settings::Ldap(ldap) => {
                let fields = ldap::fields(settings.attributes.values());
                ldap::Ldap::new(ldap, fields, secrets).map(Self::Ldap)
            }
            #[allow(
                unreachable_patterns,
                reason = "a build with every feature has no other kind"
            )]
            _ => Err(Unusable),
        }
    }

    /// Prepares for the first sign-in: fetches secrets and tokens, opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        each!(self, directory => directory.warm(budget).await)
    }

    /// Whether the password is right.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        each!(self, directory => directory.authenticate(event, password, budget).await)
    }

    /// The formats of some stored hashes, and what it costs to check one of each. Only a database has hashes.
    pub async fn sample(&self, rows: u32, budget: &Budget) -> Result<Value, Unavailable> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(directory) => directory.sample(rows, budget).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(directory) => directory.sample(rows, budget).await,
            #[allow(
                unreachable_patterns,
                reason = "a build may have no other kind of directory"
            )]
            _ => {
                let _ = (rows, budget);
                Ok(json!({ "why": "no-hashes" }))
            }
        }
    }

    /// What the sign-up triggers do about a user who is created. With Jane there are requests to Jane; with the other kinds, a
    /// sign-up with a name that the directory has is rejected.
    pub async fn account(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        today: i64,
        budget: &Budget,
    ) -> Result<Decision, Unavailable> {
        match self {
            #[cfg(feature = "jane")]
            Self::Jane(directory) => directory.account(settings, event, today, budget).await,
            #[allow(
                unreachable_patterns,
                reason = "a build may have no other kind of directory"
            )]
            _ => {
                let _ = today;
                self.guard(settings, event, budget).await
            }
        }
    }

    async fn guard(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        budget: &Budget,
    ) -> Result<Decision, Unavailable> {
        // Migrations must be allowed. So must users that the operator creates, and users of another provider.
        if event.trigger() != Trigger::SignUp {
            return Ok(Decision::unchanged(Outcome::NothingToDo));
        }
        for name in guard::names(settings, event) {
            let verdict = self.lookup(&event.about(name), false, budget).await?;
            // Any other verdict means that the directory has the user.
            if verdict != Verdict::NotFound {
                return Ok(Decision::unchanged(Outcome::Refused(Refusal::UserExists)));
            }
        }
        Ok(Decision::unchanged(Outcome::SignUpAllowed))
    }

    /// Counts a refused sign-in with this name, if that is configured; with `explain` the database only checks the statement.
    pub async fn count_refused(
        &self,
        name: &str,
        explain: bool,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(directory) => directory.count_refused(name, explain, budget).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(directory) => directory.count_refused(name, explain, budget).await,
            // The other kinds count by themselves: they get each attempt.
            #[allow(
                unreachable_patterns,
                reason = "a build may have no other kind of directory"
            )]
            _ => {
                let _ = (name, explain, budget);
                Ok(())
            }
        }
    }

    /// Runs a statement about a user who has migrated; with `explain` the database only checks the statement.
    pub async fn execute(
        &self,
        statement: &str,
        value: &str,
        explain: bool,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(directory) => {
                let call = (crate::budget::ON_MIGRATED, statement);
                directory.execute(call, value, explain, budget).await
            }
            #[cfg(feature = "mysql")]
            Self::Mysql(directory) => {
                let call = (crate::budget::ON_MIGRATED, statement);
                directory.execute(call, value, explain, budget).await
            }
            // The file's parser rejects a statement for any other kind.
            #[allow(
                unreachable_patterns,
                reason = "a build may have no other kind of directory"
            )]
            _ => {
                let _ = (statement, value, explain, budget);
                Err(Unavailable("request"))
            }
        }
    }

    /// Whether the user may set a new password; `without_password`: only if there is none yet.
    pub async fn lookup(
        &self,
        event: &Event,
        without_password: bool,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(directory) => directory.lookup(event, without_password, budget).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(directory) => directory.lookup(event, without_password, budget).await,
            // No other kind shows who has a password; the file's parser rejects the combination.
            #[allow(
                unreachable_patterns,
                reason = "a build may have no other kind of directory"
            )]
            _ if without_password => Ok(Verdict::NotEligible),
            #[cfg(feature = "jane")]
            Self::Jane(directory) => directory.lookup(event, budget).await,
            #[cfg(feature = "http")]
            Self::Http(directory) => directory.lookup(event, budget).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(directory) => directory.lookup(event, budget).await,
            #[cfg(feature = "ldap")]
            Self::Ldap(directory) => directory.lookup(event, budget).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_build_is_named() {
        let kinds: Vec<_> = SERVES
            .iter()
            .map(|text| text.strip_prefix(SERVES_WORDS))
            .collect();
        let all = ["jane", "http", "cognito", "postgres", "mysql", "ldap"];
        assert_eq!(kinds, all.map(Some));
    }
}
