//! Observed and desired state -> changes, conflicts, findings. Pure and synchronous. A change contains everything it needs, so
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
pub use restore::{Kept, restore};
pub use rollback::rollback;
pub use teardown::{Extent, remaining, teardown};

use crate::check::Asked;
use crate::observed::Observed;
use crate::read::Read;
use crate::resources::Desired;

/// What deploy would do, with the findings: every check that would fail afterwards.
///
/// # Errors
/// Something that the plan needs was not read.
pub fn deploy(
    desired: &Desired,
    observed: &Observed,
    asked: &Asked<'_>,
    allowed: &Allowed,
) -> Read<Plan> {
    match observed.names.given_function {
        true => attach::deploy(desired, observed, asked, allowed),
        false => deploy::deploy(desired, observed, asked, allowed),
    }
}
