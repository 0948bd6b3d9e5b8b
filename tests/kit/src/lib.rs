//! Tools for tests and benches only: a proxy that drops, changes, delays and counts calls, and a second emulator. The sandbox itself
//! is `jane-migrate-sandbox`.

mod moto;
mod proxy;

pub use moto::moto;
pub use proxy::{Fate, Passing, Proxy};
