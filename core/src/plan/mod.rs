//! What is there x what is wanted -> changes, conflicts, findings. Pure and synchronous. Everything a change needs is in it, so
//! nothing is decided while applying.

mod after;
mod attach;
mod change;
mod deploy;
mod function;
mod keys;
mod restore;
mod role;
mod rollback;
mod shown;
mod teardown;
#[cfg(test)]
mod tests;
mod watch;

pub use change::{
    Action, Allowed, Change, Conflict, LeftAlone, Operation, Plan, Probe, Resource, Target,
    missing_tags,
};
pub use deploy::deploy;
pub use restore::restore;
pub use rollback::rollback;
pub use teardown::{Extent, remaining, teardown};
