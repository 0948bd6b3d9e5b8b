//! The user-migration trigger of an Amazon Cognito user pool.
//!
//! Cognito invokes the function when somebody signs in, or has forgotten a password, whom the pool does not know. The
//! function asks the directory where the existing accounts live and answers with the user, or with the event as it came,
//! which means: no such user. It always answers within its budget, says the same to callers whether the name or the
//! password was wrong, and writes one line about each invocation, in which no password, token or name appears.
//!
//! `main` connects this to the Lambda Runtime API. The CLI uses [`directory::jane`] to ask Jane about app clients.

mod attributes;
pub mod aws;
mod breaker;
pub mod budget;
pub mod decide;
pub mod directory;
mod escape;
pub mod event;
mod handler;
#[cfg(feature = "postgres")]
mod hash;
pub mod outcome;
mod password;
#[cfg(test)]
mod properties;
pub mod secrets;
pub mod upstream;

pub use handler::{Handler, Payload, silence_panics};

/// What the words of [`SERVES`] begin with.
pub const SERVES_WORDS: &str = "jane-migrate-handler serves ";

/// The kinds of directory in this build. The words stand in the executable as they are, so that whoever has a zip can tell
/// what is in it.
pub const SERVES: &[&str] = &[
    #[cfg(feature = "jane")]
    "jane-migrate-handler serves jane",
    #[cfg(feature = "http")]
    "jane-migrate-handler serves http",
    #[cfg(feature = "cognito")]
    "jane-migrate-handler serves cognito",
    #[cfg(feature = "postgres")]
    "jane-migrate-handler serves postgres",
];
