//! The pure core: the model of a pool, its clients and what deploy creates, their lossless updates, the planned changes, and the
//! checks. No SDK, clock, environment or terminal: the compiler guarantees that, because none of them is a dependency.

pub mod aws_error;
pub mod check;
pub mod demand;
pub mod document;
pub mod exposure;
pub mod facts;
pub mod finding;
pub mod firewall;
pub mod fix;
#[cfg(test)]
mod fixtures;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod history;
pub mod ids;
pub mod import;
pub mod jane;
pub mod lease;
pub mod line;
pub mod observed;
pub mod permission;
pub mod placeholder;
pub mod plain;
pub mod plan;
pub mod probe;
pub mod read;
pub mod reason;
pub mod record;
pub mod recovery;
pub mod resources;
pub mod retention;
pub mod snapshot;
pub mod trigger;
pub mod version;
pub mod watch;
