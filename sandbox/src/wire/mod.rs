//! HTTP on this machine, and the requests and responses of AWS. The gateway implements the calls.

mod answer;
mod call;
mod http;
mod key;
mod upstream;

pub use answer::{Answer, Refusal};
pub use call::{Call, Callers};
pub(crate) use call::{Scope, parameter};
pub use http::{Body, Hangup, Server, full, read};
pub(crate) use http::{Client, header, json};
pub use key::{KEY_HEADER, Key};
pub use upstream::Upstream;

/// The longest body: an import job's file of 100 MB. (Lambda accepts a zip of 50 MB, and base64 adds a third.)
pub const BODY_LIMIT: usize = 105_000_000;
