//! A corner of AWS on this machine, to try and test a migration in: MiniStack behind a gateway that behaves where it matters as
//! AWS does, and a stand-in for the Jane API. It knows nothing of the client that will use it.

mod emulator;
mod gateway;
mod jane;
mod lock;
mod sandbox;
mod seed;
mod venv;
pub mod wire;

pub use emulator::Emulator;
pub use gateway::{Entry, Gateway, PoolHold};
pub use jane::{Account, AccountKind, Fault, JaneCall, JaneDirectory};
pub use sandbox::{Options, Sandbox};
pub use seed::Demo;
pub use venv::{Progress, Venv};
pub use wire::Callers;
