//! What is there x what is wanted -> changes, conflicts, findings. Pure and synchronous. Everything a change needs is in it, so
//! nothing is decided while applying.

mod after;
mod change;
mod deploy;
mod keys;
mod restore;
mod shown;
mod teardown;
#[cfg(test)]
mod tests;

pub use change::{
    Action, Allowed, Before, Change, Conflict, LeftAlone, Operation, Plan, Probe, Resource,
    missing_tags,
};
pub use deploy::deploy;
pub use restore::restore;
pub use teardown::teardown;
