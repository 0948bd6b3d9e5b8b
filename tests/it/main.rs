//! The integration tests: the real program against real servers. One binary, because each links the SDKs anew.

mod artifact;
mod errors;
mod help;
mod init;
mod life;
mod many;
mod signals;
mod support;
mod terminal;
mod transcript;
