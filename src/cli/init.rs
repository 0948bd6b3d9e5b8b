//! The flags of `init`: one for every question, so that it can run without questions.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use jane_migrate_core::ids::PoolId;

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
    /// Take the defaults and ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// The app clients whose sign-ins must migrate [default: all of the pool's]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// The last day of the migration, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub closes: Option<jane_migrate_config::Date>,
    /// How many accounts there are to migrate
    #[arg(long, value_name = "N", value_parser = total_users)]
    pub total_users: Option<u64>,
    /// Where the existing accounts are
    #[command(flatten)]
    pub directory: Directory,
}

/// Where the existing accounts are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Directory")]
pub struct Directory {
    /// The kind of directory [default: jane; http with --preset]
    #[arg(long = "directory", value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// A ready-made http directory: auth0, devise, django, firebase, fusionauth, keycloak, okta or supabase
    #[arg(long, value_name = "NAME", value_parser = line)]
    pub preset: Option<String>,
    /// jane, http: its base URL; ldap: ldaps:// with the host
    #[arg(long, value_name = "URL", value_parser = line)]
    pub url: Option<String>,
    /// jane, cognito, auth0, fusionauth, keycloak: the id of the client to ask as
    #[arg(long, value_name = "ID", value_parser = line)]
    pub client_id: Option<String>,
    /// The directory's secret is in Secrets Manager
    #[arg(long, value_name = "ARN", group = "secret", value_parser = line)]
    pub client_secret_arn: Option<String>,
    /// The directory's secret is in the SSM parameter store
    #[arg(long, value_name = "PATH", group = "secret", value_parser = line)]
    pub client_secret_ssm: Option<String>,
    /// The directory's secret is in an environment variable at deploy
    #[arg(long, value_name = "NAME", group = "secret", value_parser = line)]
    pub client_secret_env: Option<String>,
    /// keycloak: the realm
    #[arg(long, value_name = "NAME", value_parser = line)]
    pub realm: Option<String>,
    /// cognito: the pool to move away from
    #[arg(long, value_name = "ID")]
    pub old_pool: Option<PoolId>,
    /// cognito: the role to assume, where that pool is another account's
    #[arg(long, value_name = "ARN", value_parser = line)]
    pub role_arn: Option<String>,
    /// postgres, mysql: the server
    #[arg(long, value_name = "HOST", value_parser = line)]
    pub host: Option<String>,
    /// postgres, mysql: the database
    #[arg(long, value_name = "NAME", value_parser = line)]
    pub database: Option<String>,
    /// postgres, mysql: the database user, who needs SELECT and no more
    #[arg(long, value_name = "NAME", value_parser = line)]
    pub user: Option<String>,
    /// postgres, mysql: the query for one user's row, with the name as $1 (postgres) or ? (mysql)
    #[arg(long, value_name = "SELECT")]
    pub query: Option<String>,
    /// postgres, mysql: the column with the password's hash
    #[arg(long, value_name = "NAME", value_parser = line)]
    pub password_column: Option<String>,
    /// postgres, mysql: how passwords are hashed
    #[arg(long, value_name = "FORMAT", value_parser = line)]
    pub hash: Option<String>,
    /// ldap: where users are searched for
    #[arg(long, value_name = "DN", value_parser = line)]
    pub base: Option<String>,
    /// ldap: the filter that finds one user's entry, with the name as {username}
    #[arg(long, value_name = "FILTER", value_parser = line)]
    pub filter: Option<String>,
    /// ldap: as whom users are searched for
    #[arg(long, value_name = "DN", value_parser = line)]
    pub bind_dn: Option<String>,
}

impl Directory {
    /// The first flag that was given and that a directory of this kind has no use for.
    pub fn unfit(&self, kind: Kind, preset: Option<&str>) -> Option<&'static str> {
        let http = kind == Kind::Http;
        let table = matches!(kind, Kind::Postgres | Kind::Mysql);
        let ldap = kind == Kind::Ldap;
        let old_pool = kind == Kind::Cognito;
        let with_client = http && matches!(preset, Some("auth0" | "keycloak"));
        let with_url = http && preset != Some("firebase");
        [
            ("--preset", self.preset.is_some(), http),
            (
                "--url",
                self.url.is_some(),
                kind == Kind::Jane || with_url || ldap,
            ),
            (
                "--client-id",
                self.client_id.is_some(),
                kind == Kind::Jane || old_pool || with_client,
            ),
            (
                "--realm",
                self.realm.is_some(),
                http && preset == Some("keycloak"),
            ),
            ("--old-pool", self.old_pool.is_some(), old_pool),
            ("--role-arn", self.role_arn.is_some(), old_pool),
            ("--host", self.host.is_some(), table),
            ("--database", self.database.is_some(), table),
            ("--user", self.user.is_some(), table),
            ("--query", self.query.is_some(), table),
            ("--password-column", self.password_column.is_some(), table),
            ("--hash", self.hash.is_some(), table),
            ("--base", self.base.is_some(), ldap),
            ("--filter", self.filter.is_some(), ldap),
            ("--bind-dn", self.bind_dn.is_some(), ldap),
        ]
        .into_iter()
        .find(|(_, given, fits)| *given && !fits)
        .map(|(flag, _, _)| flag)
    }
}

/// What 100 % is.
pub fn total_users(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|users| (1..=i64::MAX as u64).contains(users))
        .ok_or("expected a number of accounts, 1 or more")
}

/// A value that stands in one line of the file.
fn line(text: &str) -> Result<String, &'static str> {
    match text.contains(char::is_control) {
        true => Err("it must be one line, without control characters"),
        false => Ok(text.to_owned()),
    }
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
    /// A MySQL or MariaDB table.
    Mysql,
    /// An LDAP server.
    Ldap,
}
