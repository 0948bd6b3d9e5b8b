//! The wire: HTTP on this machine, and the requests and answers of AWS on it. What a call means is the gateway's business.

mod answer;
mod call;
mod http;
mod upstream;

pub use answer::{Answer, Refusal};
pub use call::{Call, Callers};
pub(crate) use call::{Scope, parameter};
pub use http::{Body, Hangup, Server, full, read};
pub(crate) use http::{Client, header, json};
pub use upstream::Upstream;

/// The longest body: Lambda takes 50 MB of zip, which is a third more in base64.
pub const BODY_LIMIT: usize = 70_000_000;
