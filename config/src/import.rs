//! `[import]`: how `remaining` and `import` read the whole directory. The function does not get these settings.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// The column of password hashes in an import file, from the developer guide.
pub const HASH_COLUMN: &str = "password_hash";

/// `[import]`: how `remaining` and `import` read the whole directory. The function does not use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Import {
    /// The host of the database server, as seen from this machine. Default: the directory's.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9._:-]+$")))]
    pub host: Option<String>,
    /// The port of that server. Default: the directory's.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub port: Option<u16>,
    /// A database user with permission to read the whole table; with `ldap`, the DN of a user with permission to read all users.
    /// The function's own user does not need that permission.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// The query for all users, with the columns of `[attributes]` and the column of the hash.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^\s*([Ss][Ee][Ll][Ee][Cc][Tt]|[Ww][Ii][Tt][Hh])\s"))
    )]
    pub query: Option<String>,
    /// With `ldap`: the filter for all users, such as `(objectClass=person)`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^\(.*\)$")))]
    pub filter: Option<String>,
    /// With `ldap`: the base of the search. Default: the directory's `base`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "=")))]
    pub base: Option<String>,
    /// The column with the user name that a customer types at sign-in.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub username_column: String,
    /// The column with the user's id in the old system, for `remaining --mapping`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub id_column: Option<String>,
    /// The name of the column for the hashes in the CSV header of an import job.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z0-9_:]+$")))]
    pub hash_column: String,
    /// The role with which Cognito writes the log of an import. Default: import creates one, and removes it at the end.
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
