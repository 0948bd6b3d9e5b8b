//! `[directory]`: the kinds of directory, and the settings of each.

mod cost;
mod database;
mod http;
mod ldap;
mod timeout;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
pub(crate) use self::http::Written;
#[cfg(feature = "file")]
pub(crate) use self::timeout::timeout_ms;
pub use self::{
    cost::Cost,
    database::{Database, Firebase, HashFormat},
    http::{Answers, Basic, Condition, Http, Method, Names, OAuth, Request},
    ldap::{Ldap, LdapServer, NAME_PLACEHOLDER},
};
use crate::{PoolId, Secret};

/// The directory with the existing accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directory {
    /// Jane's API.
    Jane(Jane),
    /// Any HTTP service.
    Http(Box<Http>),
    /// An old Cognito user pool.
    Cognito(OldPool),
    /// A PostgreSQL database.
    Postgres(Box<Database>),
    /// A MySQL or MariaDB database.
    Mysql(Box<Database>),
    /// An LDAP server.
    Ldap(Box<Ldap>),
}

impl Directory {
    /// The kind's name, which is also the handler's cargo feature for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Jane(_) => "jane",
            Self::Http(_) => "http",
            Self::Cognito(_) => "cognito",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Ldap(_) => "ldap",
        }
    }

    /// The database, if it is one.
    pub fn database(&self) -> Option<&Database> {
        match self {
            Self::Postgres(database) | Self::Mysql(database) => Some(database),
            Self::Jane(_) | Self::Http(_) | Self::Cognito(_) | Self::Ldap(_) => None,
        }
    }

    /// The timeout of the directory for one sign-in, in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        match self {
            Self::Jane(jane) => jane.timeout_ms,
            Self::Http(http) => http.timeout_ms,
            Self::Cognito(pool) => pool.timeout_ms,
            Self::Postgres(database) | Self::Mysql(database) => database.timeout_ms,
            Self::Ldap(ldap) => ldap.timeout_ms,
        }
    }

    /// All secrets that the directory needs, each with its key in `[directory]`.
    pub fn secrets(&self) -> Vec<(String, &Secret)> {
        match self {
            Self::Jane(jane) => vec![("client_secret".to_owned(), &jane.client_secret)],
            Self::Http(http) => http.secrets(),
            Self::Cognito(pool) => pool
                .client_secret
                .iter()
                .map(|secret| ("client_secret".to_owned(), secret))
                .collect(),
            Self::Postgres(database) | Self::Mysql(database) => database.secrets(),
            Self::Ldap(ldap) => ldap
                .bind_password
                .iter()
                .map(|secret| ("bind_password".to_owned(), secret))
                .collect(),
        }
    }
}

/// What happens if the directory asks for a second factor after a correct password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// The user does not migrate at sign-in: the password alone is not enough proof.
    #[default]
    Refuse,
    /// The user migrates, and the pool does not have the second factor.
    Accept,
}

impl SecondFactor {
    /// Whether such users do not migrate.
    pub fn is_refused(&self) -> bool {
        *self == Self::Refuse
    }
}

fn jane_url() -> String {
    "https://api.iheartjane.com".to_owned()
}

/// `kind = "jane"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct Jane {
    /// The API's base URL.
    #[serde(default = "jane_url")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^https?://[^@?#]+$")))]
    pub url: String,
    /// The operator's client id.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub client_id: String,
    /// The operator's client secret.
    pub client_secret: Secret,
    /// The timeout of the directory for one sign-in, in milliseconds.
    #[serde(default = "timeout::timeout_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 4_500)))]
    pub timeout_ms: u64,
    /// CA certificates in PEM to trust instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))
    )]
    pub ca_certificate: Option<String>,
}

/// `kind = "cognito"`: a user pool people are moving away from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct OldPool {
    /// The old pool's id.
    pub pool_id: PoolId,
    /// An app client of the old pool that allows `ADMIN_USER_PASSWORD_AUTH`.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^[A-Za-z0-9_+]{1,128}$"))
    )]
    pub client_id: String,
    /// That client's secret, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// The old pool's Region. Default: the Region in its id.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::REGION)))]
    pub region: String,
    /// The role to assume, if the old pool is in another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ *?]+$"))
    )]
    pub role_arn: Option<String>,
    /// What happens if a user has a second factor.
    #[serde(default, skip_serializing_if = "SecondFactor::is_refused")]
    pub second_factor: SecondFactor,
    /// The external id that the role requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            length(min = 2, max = 1224),
            regex(pattern = "^[A-Za-z0-9_+=,.@:/-]*$")
        )
    )]
    pub external_id: Option<String>,
    /// The timeout of the directory for one sign-in, in milliseconds.
    #[serde(default = "timeout::timeout_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 4_500)))]
    pub timeout_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(lines: &str) -> Directory {
        let toml = format!("[directory]\n{lines}\n[attributes]\nemail = 'email'\n");
        crate::parse(&toml, "m").unwrap().directory
    }

    #[test]
    fn each_kind_has_its_timeout_and_two_are_databases() {
        let database = "host = 'db'\ndatabase = 'shop'\nuser = 'm'\npassword = { ssm = '/p' }\npassword_column = 'h'\nhash = 'bcrypt'\n";
        let jane = "kind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n";
        let pool = "kind = 'cognito'\npool_id = 'us-east-1_Old1'\nclient_id = 'c'\n";
        for (lines, database) in [
            (jane.to_owned(), false),
            (pool.to_owned(), false),
            (
                format!(
                    "kind = 'postgres'\nquery = 'select h, email from u where n = $1'\n{database}"
                ),
                true,
            ),
            (
                format!("kind = 'mysql'\nquery = 'select h, email from u where n = ?'\n{database}"),
                true,
            ),
        ] {
            let directory = directory(&format!("{lines}timeout_ms = 1234"));
            assert_eq!(directory.timeout_ms(), 1234, "{lines}");
            assert_eq!(directory.database().is_some(), database, "{lines}");
        }
    }

    #[test]
    fn an_old_pools_second_factor_is_refused_unless_it_is_accepted() {
        assert!(SecondFactor::default().is_refused());
        assert!(!SecondFactor::Accept.is_refused());
    }
}
