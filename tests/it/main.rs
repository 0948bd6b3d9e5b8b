//! The integration tests: the real program against real servers. One binary, because each links the SDKs anew.

mod artifact;
mod browser;
mod docs;
mod life;
mod many;
mod policy;
mod status;
mod support;
mod teardown;
mod try_;
