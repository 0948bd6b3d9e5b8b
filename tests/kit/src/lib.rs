//! Tools for tests and benches only: a proxy that drops, changes, delays and counts calls, a second emulator, and
//! programs that a test creates. The sandbox itself is `jane-migrate-sandbox`.

mod moto;
mod program;
mod proxy;

pub use moto::moto;
pub use program::{copy_program, write_program};
pub use proxy::{Fate, Passing, Proxy};
