//! jane-migrate puts a user migration Lambda in place for an Amazon Cognito user pool, proves that it holds, and takes it away.
//!
//! The flow of every command that changes anything is `observe -> desired -> plan -> (confirm) -> apply -> report`:
//!
//! - [`observe`] reads a pool, its clients and what is ours, side by side: for every command, as far as it asks for.
//! - The crate `jane_migrate_core` is pure: what is there, what should be there, the plan, the one table of checks, and the updates
//!   of pools and clients that lose nothing of them.
//! - [`apply`] is the one place from which AWS is written to, [`aws`] the one that knows the SDK.
//! - [`artifact`] builds the handler from the sources this binary carries; [`probe`] and [`jane`] ask what only they can answer.
//! - [`draft`] proposes a migrate.toml; [`policy`] says which rights a command needs; [`status`] counts how it goes.
//! - [`report`] and [`ui`] show things; [`commands`] ties them together.

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
