//! `[import]`: how `remaining` and `import` read the whole directory. The function does not get these settings.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// The column of password hashes in an import file, from the developer guide.
pub const HASH_COLUMN: &str = "password_hash";

/// `[import]`: how `remaining` and `import` read the whole directory. The function knows nothing of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Import {
    /// The database server as this machine reaches it. Without it: the directory's.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9._:-]+$")))]
    pub host: Option<String>,
    /// That server's port. Without it: the directory's.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub port: Option<u16>,
    /// A database user that may read the whole table, or with `ldap` the DN of one who may read all users. The function's own need not.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// The query for all users, with the columns that `[attributes]` names and the one with the hash.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^\s*([Ss][Ee][Ll][Ee][Cc][Tt]|[Ww][Ii][Tt][Hh])\s"))
    )]
    pub query: Option<String>,
    /// With `ldap`: the filter for all users, such as `(objectClass=person)`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^\(.*\)$")))]
    pub filter: Option<String>,
    /// With `ldap`: where they are. Without it: the directory's `base`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "=")))]
    pub base: Option<String>,
    /// The column with the name that a customer types to sign in.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub username_column: String,
    /// The column with the user's id in the old system, for `remaining --mapping`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub id_column: Option<String>,
    /// The column of the file of an import job that takes the hashes, as the pool's CSV header calls it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z0-9_:]+$")))]
    pub hash_column: String,
    /// The role with which Cognito writes the log of an import. Without it: one is created, and removed at the end.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ *?]+$"))
    )]
    pub role_arn: Option<String>,
}

impl Default for Import {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            user: None,
            password: None,
            query: None,
            filter: None,
            base: None,
            username_column: "email".to_owned(),
            id_column: None,
            hash_column: HASH_COLUMN.to_owned(),
            role_arn: None,
        }
    }
}
