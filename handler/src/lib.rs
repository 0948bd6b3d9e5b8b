//! The user-migration trigger of an Amazon Cognito user pool.
//!
//! Cognito invokes the function when somebody signs in, or has forgotten a password, whom the pool does not know. The
//! function asks the directory where the existing accounts live and answers with the user, or with the event as it came,
//! which means: no such user. It always answers within its budget, says the same to callers whether the name or the
//! password was wrong, and writes one line about each invocation, in which no password, token or name appears.
//!
//! `main` connects this to the Lambda Runtime API. The CLI uses [`directory::jane`] to ask Jane about app clients.

#![cfg_attr(
    not(all(
        feature = "cognito",
        feature = "http",
        feature = "jane",
        feature = "postgres"
    )),
    allow(
        dead_code,
        reason = "one directory needs only some of what all of them share; the build with every directory finds the rest"
    )
)]

mod attributes;
mod aws;
mod breaker;
mod budget;
#[cfg(test)]
mod corpus;
mod decide;
mod directory;
mod escape;
mod event;
mod handler;
#[cfg(feature = "postgres")]
mod hash;
mod outcome;
mod password;
#[cfg(test)]
mod properties;
mod secrets;
mod upstream;

#[cfg(feature = "jane")]
pub use directory::jane::{AppClient, Jane};
pub use {
    aws::Credentials,
    budget::{Budget, Unavailable},
    directory::SERVES_WORDS,
    event::TRIAL,
    handler::{Handler, Payload, silence_panics},
    outcome::Refusal,
    secrets::Secrets,
};
