//! jane-migrate installs a user migration Lambda for an Amazon Cognito user pool, verifies it, and removes it.
//!
//! The flow of every command that changes anything is `observe -> desired -> plan -> (confirm) -> apply -> report`:
//!
//! - [`observe`] reads a pool, its clients and our resources in parallel, as far as the command needs them.
//! - The crate `jane_migrate_core` is pure: observed state, desired state, the plan, the one table of checks, and the lossless
//!   updates of pools and clients.
//! - Only [`apply`] writes to AWS, and only [`aws`] uses the SDK.
//! - [`artifact`] builds the handler from the sources in this binary; [`probe`] tests the function, and [`jane`] asks Jane.
//! - [`draft`] proposes a migrate.toml; [`policy`] lists the permissions that a command needs; [`status`] counts the progress.
//! - [`report`] and [`ui`] do the output; [`commands`] connects everything.

mod apply;
pub mod artifact;
pub mod aws;
pub mod cli;
pub mod commands;
mod dates;
mod diagnosis;
mod draft;
mod environment;
pub mod error;
mod exact;
mod export;
mod files;
mod guide;
pub mod host;
mod jane;
mod lease;
mod listing;
mod local;
mod observe;
pub mod policy;
mod probe;
mod remaining;
mod report;
mod settings;
mod signals;
pub mod snapshot;
mod status;
mod trial;
pub mod ui;
