//! The flags of `init`: every question it may ask has one, so that nothing need be asked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ids::PoolId;

/// `init`
#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal init asks for what the flags leave open; --yes takes the defaults instead, as does a run without a terminal. A secret is named by where it is kept, and never asked for."
)]
pub struct Init {
    /// The user pool's id
    #[arg(
        long,
        value_name = "ID",
        env = "JANE_MIGRATE_POOL",
        hide_env_values = true
    )]
    pub pool: Option<PoolId>,
    /// Write this file, which must not exist [default: the file of --config, else migrate.toml]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// The app clients whose sign-ins must migrate [default: all of the pool's]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// The last day, in UTC, on which anybody is migrated
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub closes: Option<jane_migrate_config::Date>,
    /// How many accounts there are to migrate
    #[arg(long, value_name = "N")]
    pub total_users: Option<u64>,
    /// Where the existing accounts live
    #[command(flatten)]
    pub directory: Directory,
}

/// Where the existing accounts live.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Directory")]
pub struct Directory {
    /// The kind of directory [default: jane; http with --preset]
    #[arg(long = "directory", value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// A ready-made http directory: auth0, devise, django, firebase, keycloak or okta
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// jane, http: its base URL
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// jane, cognito, auth0, keycloak: the id of the client to ask as
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The directory's secret is in Secrets Manager
    #[arg(long, value_name = "ARN", group = "secret")]
    pub client_secret_arn: Option<String>,
    /// The directory's secret is in the SSM parameter store
    #[arg(long, value_name = "PATH", group = "secret")]
    pub client_secret_ssm: Option<String>,
    /// The directory's secret is in an environment variable at deploy
    #[arg(long, value_name = "NAME", group = "secret")]
    pub client_secret_env: Option<String>,
    /// keycloak: the realm
    #[arg(long, value_name = "NAME")]
    pub realm: Option<String>,
    /// cognito: the pool to move away from
    #[arg(long, value_name = "ID")]
    pub old_pool: Option<PoolId>,
    /// cognito: the role to assume, where that pool is another account's
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// postgres: the server
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// postgres: the database
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// postgres: the database user, who needs SELECT and no more
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// postgres: the query for one user's row, with the name as $1
    #[arg(long, value_name = "SELECT")]
    pub query: Option<String>,
    /// postgres: the column with the password's hash
    #[arg(long, value_name = "NAME")]
    pub password_column: Option<String>,
    /// postgres: how passwords are hashed
    #[arg(long, value_name = "FORMAT")]
    pub hash: Option<String>,
}

/// The kinds of directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Jane's user database.
    Jane,
    /// Any HTTP service that can check a password.
    Http,
    /// An old Cognito user pool.
    Cognito,
    /// A PostgreSQL table.
    Postgres,
}
