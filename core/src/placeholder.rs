//! The placeholders that `init` writes for values that only the operator knows. The check
//! `filled-in` looks for them.

/// A client id of letters and hyphens.
pub const CLIENT: &str = "your-client-id";
/// The id of an app client of an old pool.
pub const OLD_CLIENT: &str = "yourclientid";
/// The part after the Region in an old pool's id.
pub const OLD_POOL: &str = "YourOldPool";
/// The host of a service.
pub const HTTP_HOST: &str = "your-directory.example.com";
/// Keycloak's realm.
pub const REALM: &str = "your-realm";
/// A database server.
pub const DATABASE_HOST: &str = "your-database.example.com";
/// A database.
pub const DATABASE: &str = "your-database";
/// An LDAP server.
pub const LDAP_HOST: &str = "your-ldap.example.com";
/// The base of its users.
pub const LDAP_BASE: &str = "ou=people,dc=your-company,dc=example";
/// The DN that searches for them.
pub const LDAP_BIND_DN: &str = "cn=your-reader,dc=your-company,dc=example";
