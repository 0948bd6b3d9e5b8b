//! A local AWS environment to try and test a migration in: MiniStack behind a gateway that adds the AWS behaviour that a
//! migration depends on, and a simulated Jane API. It does not depend on its clients.

mod emulator;
mod gateway;
mod jane;
mod lock;
mod sandbox;
mod seed;
mod venv;
pub mod wire;

pub use emulator::Emulator;
pub use gateway::{Entry, Gateway, ImportRules, PoolHold};
pub use jane::{Account, AccountKind, Fault, JaneCall, JaneDirectory, Told};
pub use sandbox::{Options, Sandbox};
pub use seed::Demo;
pub use venv::{Progress, Venv};
pub use wire::Callers;
