//! The compiled `bootstrap` against a Runtime API and directories that speak real HTTP over loopback.

mod function;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "jane")]
mod jane;
mod server;
