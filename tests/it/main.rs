//! The integration tests: the real program against real servers. One binary, because each links the SDKs anew.

mod artifact;
mod browser;
mod life;
mod many;
mod status;
mod support;
mod teardown;
mod try_;
mod verify;
