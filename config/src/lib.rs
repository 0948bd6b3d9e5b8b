//! The types of `migrate.toml`, shared by the CLI, which reads and validates the file, and the handler, which obeys it.
//!
//! The CLI turns the file into a [`Config`] (feature `file`), adds what it read from the user pool ([`PoolFacts`]) and
//! sends the result to the function as [`HandlerSettings`]. This crate knows the words of the file and nothing of AWS's
//! API: it makes no call, reads no clock and never holds the value of a secret, only where it is kept.

mod config;
mod date;
mod directory;
#[cfg(feature = "file")]
mod file;
mod pool_facts;
mod secret;
mod settings;
mod source;
pub mod template;

pub use config::{
    Architecture, Config, DeliveryMedium, FinalUserStatus, Function, MessageAction, Pool, Response,
    Username, Verify, Vpc, Window,
};
pub use date::{Date, InvalidDate};
pub use directory::{
    Answers, Basic, Condition, Directory, Firebase, HashFormat, Http, Jane, Method, Names, OAuth,
    OldPool, Postgres, Request,
};
#[cfg(feature = "file")]
pub use file::{ConfigError, Problem, parse, presets};
pub use pool_facts::{Constraint, Mfa, PasswordPolicy, PoolFacts, SchemaAttribute};
pub use secret::Secret;
pub use settings::{HandlerSettings, InvalidSettings};
pub use source::Source;

/// The environment variable of the function that carries [`HandlerSettings`] as JSON.
pub const SETTINGS_VARIABLE: &str = "JANE_MIGRATE_SETTINGS";

/// Whether a host, as URLs write it, is this machine: the only one that may be spoken to without TLS.
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
