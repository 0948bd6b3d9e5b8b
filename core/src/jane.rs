//! What Jane says of the pool's app clients. Asking is the program's business.

use std::collections::BTreeMap;

use crate::read::Unread;

/// What Jane says of one client.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is registered; for which pool and Region, where Jane says.
    Known {
        /// `pool_id`
        pool_id: Option<String>,
        /// `region`
        region: Option<String>,
    },
    /// It is not registered.
    Unknown,
    /// Jane gave no answer; why.
    NoAnswer(String),
}

/// What came of asking.
#[derive(Debug, Clone)]
pub enum Answers {
    /// The directory is not Jane, or Jane was not to be asked.
    NotAsked,
    /// Jane could not be asked; why.
    CouldNotAsk(String),
    /// Which clients to ask about is not known.
    Unread(Box<Unread>),
    /// By client id.
    Asked(BTreeMap<String, Answer>),
}
