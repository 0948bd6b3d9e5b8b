//! What `init` writes where only the operator knows the value. The check `filled-in` looks for it.

/// A client id, where letters and hyphens will do.
pub const CLIENT: &str = "your-client-id";
/// The id of an app client of an old pool.
pub const OLD_CLIENT: &str = "yourclientid";
/// What follows the Region in an old pool's id.
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
/// Where its users are.
pub const LDAP_BASE: &str = "ou=people,dc=your-company,dc=example";
/// The one who searches for them.
pub const LDAP_BIND_DN: &str = "cn=your-reader,dc=your-company,dc=example";
