//! What only tests and benches need around the program: a proxy that loses, spoils, delays and counts what passes, and a second
//! emulator. What they stand in for or in front of is `jane-migrate-sandbox`.

mod moto;
mod proxy;

pub use moto::moto;
pub use proxy::{Fate, Passing, Proxy};
