//! `kind = "ldap"`: how the entry of a user is found in an LDAP server, and which DN the search binds as.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// The placeholder of the user name in `filter` and `user_dn`.
pub const NAME_PLACEHOLDER: &str = "{username}";

/// An LDAP server that holds the accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct Ldap {
    /// The server: `ldaps://` with the host, and the port if it is not 636.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^ldaps?://[^@/?#]+/?$")))]
    pub url: String,
    /// The base of the search: the DN of an entry above the users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "=")))]
    pub base: Option<String>,
    /// The filter for one user's entry. `{username}` is the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^\(.*\{username\}.*\)$"))
    )]
    pub filter: Option<String>,
    /// The DN for the search. It needs permission to read the mapped attributes. Default: an anonymous bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"\S")))]
    pub bind_dn: Option<String>,
    /// The password of `bind_dn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_password: Option<Secret>,
    /// A user's DN, if it follows from the user name, `{username}`. It replaces `base`, `filter`, `bind_dn` and `bind_password`:
    /// the function binds as the user and reads that user's attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[^=]+=\{username\}(,|$)"))
    )]
    pub user_dn: Option<String>,
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

/// The parts of an LDAP server's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapServer {
    /// Whether it uses TLS.
    pub tls: bool,
    /// Its host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl LdapServer {
    /// Parses a URL. `None` if it is no LDAP URL.
    pub fn parse(url: &str) -> Option<Self> {
        let (tls, port, rest) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
            (Some(rest), _) => (true, 636, rest),
            (None, rest) => (false, 389, rest?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, port),
            Some((host, rest)) => (host, rest.strip_prefix(':')?.parse().ok()?),
            None => match rest.split_once(':') {
                Some((host, number)) => (host, number.parse().ok()?),
                None => (rest, port),
            },
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let valid = !host.is_empty() && host.bytes().all(allowed) && port != 0;
        valid.then(|| Self {
            tls,
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ldap_url_contains_only_the_server() {
        for (url, expected) in [
            (
                "ldaps://ldap.example.com",
                Some((true, "ldap.example.com", 636)),
            ),
            (
                "ldaps://ldap.example.com:3269/",
                Some((true, "ldap.example.com", 3269)),
            ),
            ("ldap://127.0.0.1", Some((false, "127.0.0.1", 389))),
            ("ldaps://[::1]:1636", Some((true, "::1", 1636))),
            ("ldaps://[::1]", Some((true, "::1", 636))),
            ("https://ldap.example.com", None),
            ("ldaps://", None),
            ("ldaps://ldap.example.com/dc=example", None),
            ("ldaps://cn=admin:secret@ldap.example.com", None),
            ("ldaps://ldap.example.com:0", None),
            ("ldaps://ldap.example.com:x", None),
            ("ldap.example.com", None),
        ] {
            let found = LdapServer::parse(url);
            let found = found
                .as_ref()
                .map(|found| (found.tls, &*found.host, found.port));
            assert_eq!(found, expected, "{url}");
        }
    }
}
