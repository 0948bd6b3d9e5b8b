//! Asks Jane whether it knows the pool's app clients: the one check that needs the directory itself.

use std::collections::BTreeMap;

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
    /// The directory is not Jane.
    NotJane,
    /// Jane could not be asked; why.
    CouldNotAsk(String),
    /// By client id.
    Asked(BTreeMap<String, Answer>),
}
