//! User pools and app clients as the service describes them, and the updates that lose nothing of
//! them.
//!
//! `UpdateUserPool` and `UpdateUserPoolClient` reset most of what a request leaves out, so every
//! update is made from the complete description: the target document, projected onto the fields of
//! the request. All of it is pure and works on raw JSON, because typed structs drop newer fields
//! and cannot leave out a plain number. The callers describe, write and compare.

mod appear;
mod client;
mod defaults;
mod diff;
mod pool;
mod rewrite;
mod rules;

#[cfg(test)]
mod generate;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
#[cfg(test)]
mod properties;
#[cfg(any(test, fuzzing))]
mod service;

pub use appear::appeared;
pub use client::{
    ClientDocument, Opening, close_password_auth, open_password_auth, restore_client,
};
pub use diff::{Difference, differences};
pub use pool::{PoolDocument, SchemaAttribute, pool_update, restore_pool};
pub use rewrite::Rewrite;
pub use rules::{Decision, Decisions, Incomplete, Reason, Refusal, Update};
