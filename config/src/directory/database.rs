//! `kind = "postgres"` and `kind = "mysql"`: a query for the user's row, and how its passwords are hashed.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// A database that holds the accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct Database {
    /// The server's host.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9._:-]+$")))]
    pub host: String,
    /// The server's port. Without it: 5432 with `postgres`, 3306 with `mysql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub port: Option<u16>,
    /// The database.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub database: String,
    /// The database user, who needs nothing but `SELECT`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub user: String,
    /// That user's password.
    pub password: Secret,
    /// The query for one user's row. The user name is `$1` with `postgres` and `?` with `mysql`, a text.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^\s*([Ss][Ee][Ll][Ee][Cc][Tt]|[Ww][Ii][Tt][Hh])\s"))
    )]
    pub query: String,
    /// A statement that counts a refused sign-in; the user name is its placeholder, as in `query`, which can then leave out a name that
    /// was refused too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub on_wrong_password: Option<String>,
    /// The column with the password's hash.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub password_column: String,
    /// How passwords are hashed.
    pub hash: HashFormat,
    /// A hash, made like the table's own, to check passwords of unknown users against, so that they take as long; without it,
    /// the last one that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub decoy: Option<String>,
    /// The text that the framework appends to a password before it hashes it, such as Devise's `config.pepper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pepper: Option<Secret>,
    /// What `hash = "firebase"` needs besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firebase: Option<Firebase>,
    /// How long one sign-in may wait for the directory.
    #[serde(default = "super::timeout::timeout_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 4_500)))]
    pub timeout_ms: u64,
    /// Certificates, in PEM, to trust instead of the public ones.
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

/// How a password was hashed. A table may mix formats that say what they are; this one is what an unknown user's
/// password is checked against until one of the table's was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HashFormat {
    /// `$2a$`, `$2b$`, `$2y$`: Devise, PHP, many others; `$2x$` for passwords of ASCII alone.
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
    /// Firebase's own scrypt, as `firebase auth:export` writes it.
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
