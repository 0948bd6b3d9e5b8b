//! `kind = "postgres"` and `kind = "mysql"`: a query for the user's row, and how its passwords are hashed.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// A database that holds the accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct Database {
    /// The host of the server.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9._:-]+$")))]
    pub host: String,
    /// The server's port. Without it: 5432 with `postgres`, 3306 with `mysql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub port: Option<u16>,
    /// The name of the database.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub database: String,
    /// The database user. It needs only `SELECT`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub user: String,
    /// That user's password.
    pub password: Secret,
    /// The query for one user. The user name is its placeholder, `$1` with `postgres` and `?` with `mysql`: a text.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^\s*([Ss][Ee][Ll][Ee][Cc][Tt]|[Ww][Ii][Tt][Hh])\s"))
    )]
    pub query: String,
    /// A statement that counts a refused sign-in. Its placeholder is the user name, as in `query`. The query can then exclude a
    /// name that was refused too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub on_wrong_password: Option<String>,
    /// The column with the password's hash.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub password_column: String,
    /// The hash format of the table.
    pub hash: HashFormat,
    /// A hash with the cost of the table's own. The function checks the passwords of unknown users against it, so that they take
    /// as long. Default: the last hash that it has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub decoy: Option<String>,
    /// The text that the framework appends to a password before it hashes it, such as Devise's `config.pepper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pepper: Option<Secret>,
    /// The parameters for `hash = "firebase"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firebase: Option<Firebase>,
    /// The timeout of the directory for one sign-in, in milliseconds.
    #[serde(default = "super::timeout::timeout_ms")]
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

fn rounds() -> u32 {
    8
}

fn mem_cost() -> u32 {
    14
}

impl Database {
    /// All secrets by reference, each with its key in `[directory]`.
    pub(super) fn secrets(&self) -> Vec<(String, &Secret)> {
        let firebase = self
            .firebase
            .iter()
            .map(|firebase| ("firebase.signer_key".to_owned(), &firebase.signer_key));
        let pepper = self.pepper.iter();
        std::iter::once(("password".to_owned(), &self.password))
            .chain(pepper.map(|pepper| ("pepper".to_owned(), pepper)))
            .chain(firebase)
            .collect()
    }
}

/// The format of a stored hash. All formats except Firebase's identify themselves, so a table may mix them. The function checks
/// the password of an unknown user against this one, until it has read a hash of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HashFormat {
    /// `$2a$`, `$2b$`, `$2y$`: Devise, PHP, many others; `$2x$` only for ASCII passwords.
    Bcrypt,
    /// `$argon2id$` and its siblings.
    Argon2,
    /// `$scrypt$`
    Scrypt,
    /// `$pbkdf2-sha256$`
    Pbkdf2,
    /// Django's `algorithm$...`: PBKDF2, argon2, bcrypt, scrypt.
    Django,
    /// `$P$`, `$H$`: WordPress before 6.8, phpBB.
    Phpass,
    /// `$5$`, `$6$`: crypt(3).
    ShaCrypt,
    /// `{SSHA}`, `{SSHA256}`, `{SSHA512}`: LDAP.
    Ssha,
    /// `scrypt:32768:8:1$...` and `pbkdf2:sha256:...`: Werkzeug, and so Flask.
    Werkzeug,
    /// `{bcrypt}`, `{argon2@...}`, `{pbkdf2@...}`, `{scrypt@...}`: Spring Security.
    Spring,
    /// Base64 of ASP.NET Core Identity, versions 2 and 3.
    AspnetIdentity,
    /// Keycloak's `credential_data` and `secret_data` as one JSON object.
    Keycloak,
    /// `$S$`: Drupal 7 to 10.0.
    Drupal,
    /// `hash:salt:version`: Magento 2.
    Magento,
    /// scrypt-kdf's base64: Medusa.
    ScryptKdf,
    /// `salt:hash` in hexadecimal digits: better-auth, Lucia.
    BetterAuth,
    /// Firebase's scrypt, as `firebase auth:export` writes it.
    Firebase,
}

/// The parameters of Firebase's password hashes, from the Firebase console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Firebase {
    /// `base64_signer_key`
    pub signer_key: Secret,
    /// `base64_salt_separator`
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub salt_separator: String,
    /// `rounds`
    #[serde(default = "rounds")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 8)))]
    pub rounds: u32,
    /// `mem_cost`
    #[serde(default = "mem_cost")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 14)))]
    pub mem_cost: u32,
    /// The column with the user's salt.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub salt_column: String,
}
