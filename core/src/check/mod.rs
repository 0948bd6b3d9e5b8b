//! The one table of checks. Each has an id, a severity, one decision and one text: a pure function of what was observed and what
//! was requested. `verify` applies them to the current state, `plan` and `deploy` to the future state.

mod capture;
mod clients;
mod configuration;
mod function;
mod guessing;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
mod kind;
mod logs;
mod pool;
mod probe;
mod role;
mod secrets;
mod sign_up;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod trigger;

pub use crate::snapshot::Snapshot;
pub use kind::{Check, Deploy, Findings, When};
pub use role::judged;
pub use subject::{Asked, Subject};
pub use table::{Choice, before_deploy, checks, run};
pub use time::ERRORS;
