//! The user-migration trigger of an Amazon Cognito user pool, with pre sign-up and post confirmation if they are configured.
//!
//! Cognito invokes the function when a user who is not in the pool signs in or resets a password. The function checks the
//! directory with the existing accounts. It returns the user, or the unchanged event, which means: no such user. When users are
//! created, it notifies Jane of them, or rejects a sign-up with an address that the directory has. It always answers within its
//! budget, gives the same response for an unknown name and a wrong password, and writes one log line for each invocation,
//! without a password, token or name.
//!
//! `main` connects this to the Lambda Runtime API. The command line uses [`Jane`] for requests about app clients.

#![cfg_attr(
    not(all(
        feature = "cognito",
        feature = "http",
        feature = "jane",
        feature = "ldap",
        feature = "mysql",
        feature = "postgres"
    )),
    allow(
        dead_code,
        reason = "a build with one directory leaves out the users of some shared functions; the build with all of them finds dead code"
    )
)]

mod attributes;
mod aws;
mod brake;
mod breaker;
mod budget;
#[cfg(test)]
mod corpus;
mod decide;
mod directory;
mod escape;
mod event;
#[cfg(all(
    feature = "export",
    feature = "ldap",
    feature = "mysql",
    feature = "postgres"
))]
mod export;
#[cfg(any(test, fuzzing))]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the fuzzer uses the settings alone")
)]
mod fixtures;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod handler;
#[cfg(feature = "sql")]
mod hash;
mod lock;
mod on_migrated;
mod outcome;
mod pace;
mod password;
#[cfg(test)]
mod properties;
mod request;
mod secrets;
mod share;
mod sign_in_name;
#[cfg(feature = "sources")]
pub mod sources;
mod upstream;

#[cfg(feature = "jane")]
pub use directory::jane::{AppClient, Jane};
#[cfg(all(
    feature = "export",
    feature = "ldap",
    feature = "mysql",
    feature = "postgres"
))]
pub use export::{Eligible, Export, Listed, Password};
#[cfg(all(
    feature = "export",
    feature = "ldap",
    feature = "mysql",
    feature = "postgres"
))]
pub use hash::NotImported;
pub use {
    aws::Credentials,
    budget::{Budget, Unavailable},
    directory::SERVES_WORDS,
    handler::{Handler, Payload, silence_panics},
    outcome::{Refusal, Thrown},
    secrets::Secrets,
};
