//! Jane's responses about the pool's app clients. The program makes the requests.

use std::collections::BTreeMap;

use crate::read::Unread;

/// Jane's response about one client.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is registered; with the pool and Region, if Jane sends them.
    Known {
        /// `pool_id`
        pool_id: Option<String>,
        /// `region`
        region: Option<String>,
    },
    /// It is not registered.
    Unknown,
    /// Jane gave no response, and why.
    NoAnswer(String),
}

/// The result of the requests.
#[derive(Debug, Clone)]
pub enum Answers {
    /// The directory is not Jane, or no request was to be made.
    NotAsked,
    /// No request could be made, and why.
    CouldNotAsk(String),
    /// The list of clients is unknown.
    Unread(Box<Unread>),
    /// By client id.
    Asked(BTreeMap<String, Answer>),
}
