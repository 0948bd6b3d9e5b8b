//! jane-migrate puts a user migration Lambda in place for an Amazon Cognito user pool, proves that it holds, and takes it away.
//!
//! The flow of every command that changes anything is `observe -> desired -> plan -> (confirm) -> apply -> report`:
//!
//! - [`observe`] reads the pool, its clients and what is ours, side by side.
//! - [`resources`] says what should be there; [`plan`] compares, purely and synchronously; nothing is decided afterwards.
//! - [`apply`] is the one place from which AWS is written to, [`aws`] the one that knows the SDK.
//! - [`document`] is the heart: updates of a pool or client that lose nothing of it.
//! - [`artifact`] builds the handler from the sources this binary carries.
//! - [`draft`] proposes a migrate.toml; [`suitability`] tells whether pool and configuration suit each other.
//! - [`policy`] says who must be allowed what; [`status`] counts how it goes; [`verify`] checks that it holds.
//! - [`ui`] shows things; [`commands`] ties them together.

pub mod apply;
pub mod artifact;
pub mod aws;
pub mod cli;
pub mod coexist;
pub mod commands;
pub mod draft;
pub mod failure;
pub mod local;
pub mod observe;
pub mod policy;
pub mod probe;
pub mod settings;
pub mod snapshot;
pub mod status;
pub mod trial;
pub mod ui;
pub mod verify;
