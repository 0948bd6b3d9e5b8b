//! The types of `migrate.toml`, shared by the CLI, which reads and validates the file, and the handler, which uses its settings.
//!
//! The CLI turns the file into a [`Config`] (feature `file`), adds what it read from the user pool ([`PoolFacts`]) and sends the
//! result to the function as [`HandlerSettings`]. This crate does not use AWS: it makes no call, reads no clock, and contains
//! references to secrets but never their values.

mod arn;
mod config;
mod date;
mod directory;
#[cfg(feature = "file")]
mod file;
mod import;
mod on_migrated;
pub mod partition;
mod pool_facts;
mod pool_id;
#[cfg(feature = "schema")]
mod schema;
mod secret;
mod settings;
mod source;
#[cfg(feature = "sources")]
pub mod sources;
pub mod template;

pub use arn::{Arn, InvalidArn};
pub use config::{
    Alarms, Architecture, Config, Connect, DeliveryMedium, FinalUserStatus, ForgotPassword,
    Function, MessageAction, Pool, RETENTIONS, Response, Triggers, Username, Verify, Vpc, Window,
};
pub use date::{Date, InvalidDate};
pub use directory::{
    Answers, Basic, Condition, Cost, Database, Directory, Firebase, HashFormat, Http, Jane, Ldap,
    LdapServer, Method, NAME_PLACEHOLDER, Names, OAuth, OldPool, Request, SecondFactor,
};
#[cfg(feature = "file")]
pub use file::{ConfigError, Problem, parse, presets};
pub use import::{HASH_COLUMN, Import};
pub use on_migrated::OnMigrated;
pub use pool_facts::{Constraint, Mfa, PasswordPolicy, PoolFacts, SchemaAttribute};
pub use pool_id::{InvalidPoolId, PoolArn, PoolId};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use secret::Secret;
pub use settings::{HandlerSettings, InvalidSettings};
pub use source::Source;

/// The function's environment variable with the [`HandlerSettings`] as JSON.
pub const SETTINGS_VARIABLE: &str = "JANE_MIGRATE_SETTINGS";

/// The function's environment variable that selects FIPS endpoints, as in every AWS tool.
pub const FIPS_VARIABLE: &str = "AWS_USE_FIPS_ENDPOINT";

/// The field that marks an event of the operator's tool: the event is logged, but does not count as a sign-in. It is a top-level
/// field, because only Cognito writes those; a client can influence `callerContext`.
pub const TRIAL: &str = "janeMigrateTrial";

/// The field of the response to a test event with the notifications that the directory would get: the calls with their bodies.
pub const TOLD: &str = "janeMigrateTold";

/// The field of a test event that requests the formats of stored hashes: how many to examine.
pub const SAMPLE: &str = "janeMigrateSample";

/// The form of a Region's name, as a regular expression for [`is_region`].
#[cfg(feature = "schema")]
const REGION: &str = "^[a-z]+(-[a-z]+)+-[0-9]+$";

/// Whether a text has the form of a Region's name, such as `us-east-1` or `us-gov-west-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a host in a URL is this machine, the only host to which a connection without TLS is allowed.
pub fn is_loopback(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_recognised_by_their_form() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "ap-southeast-12",
        ] {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "",
            "local",
            "us-1",
            "us-east",
            "us-east-",
            "us--1",
            "US-EAST-1",
            "us-east-1a",
            "us-ea5t-1",
            "-us-east-1",
        ] {
            assert!(!is_region(other), "{other}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        for host in [
            "localhost",
            "LocalHost",
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "localhost.example",
            "10.0.0.1",
            "[::2]",
            "127.0.0.1.example",
            "[localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
