//! The integration tests: the real program against real servers. One binary, because each links the SDKs anew.

mod artifact;
mod life;
mod policy;
mod support;
