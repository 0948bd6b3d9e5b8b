//! Where the existing accounts live: one file a kind, each behind a cargo feature, and what they all answer.

#[cfg(feature = "cognito")]
pub mod cognito;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "jane")]
pub mod jane;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(test)]
mod properties;
#[cfg(any(feature = "http", feature = "jane"))]
mod token;
mod verdict;

use std::sync::Arc;

use jane_migrate_config::Directory as Settings;
use secrecy::SecretString;

pub use self::verdict::{Unusable, Verdict};
use crate::{
    budget::{Budget, Unavailable},
    event::Event,
    secrets::Secrets,
};

/// What the words of [`SERVES`] begin with.
pub const SERVES_WORDS: &str = "jane-migrate-handler serves ";

/// The kinds of directory in this build. The words stand in the executable as they are, so that whoever has a zip can tell
/// what is in it.
pub const SERVES: &[&str] = &[
    #[cfg(feature = "jane")]
    "jane-migrate-handler serves jane",
    #[cfg(feature = "http")]
    "jane-migrate-handler serves http",
    #[cfg(feature = "cognito")]
    "jane-migrate-handler serves cognito",
    #[cfg(feature = "postgres")]
    "jane-migrate-handler serves postgres",
];

/// A directory.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and mostly one variant"
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
}

impl Directory {
    /// The directory the settings name. Nothing is asked yet.
    pub fn new(settings: &Settings, secrets: Arc<Secrets>) -> Result<Self, Unusable> {
        match settings {
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
            #[allow(
                unreachable_patterns,
                reason = "with every feature, no kind is left over"
            )]
            _ => Err(Unusable),
        }
    }

    /// Does ahead of the first sign-in what can be done: fetches secrets and tokens, opens the connection.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        match self {
            #[cfg(feature = "jane")]
            Self::Jane(jane) => jane.warm(budget).await,
            #[cfg(feature = "http")]
            Self::Http(http) => http.warm(budget).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(pool) => pool.warm(budget).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.warm(budget).await,
        }
    }

    /// Whether the password is right.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        match self {
            #[cfg(feature = "jane")]
            Self::Jane(jane) => {
                jane.authenticate(event.name(), password, event.client_id(), budget)
                    .await
            }
            #[cfg(feature = "http")]
            Self::Http(http) => http.authenticate(event, password, budget).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(pool) => pool.authenticate(event.name(), password, budget).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.authenticate(event.name(), password, budget).await,
        }
    }

    /// Whether the user may set a new password.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        match self {
            #[cfg(feature = "jane")]
            Self::Jane(jane) => jane.lookup(event.name(), event.client_id(), budget).await,
            #[cfg(feature = "http")]
            Self::Http(http) => http.lookup(event, budget).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(pool) => pool.lookup(event.name(), budget).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.lookup(event.name(), budget).await,
        }
    }
}
