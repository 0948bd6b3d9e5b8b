//! A change of a document that is not ours, with all that a careful writer needs: what it was made from, so that nothing is
//! written over anybody else's change, and what undoes it.

use serde_json::Value;

use super::diff::{Difference, differences};
use super::{
    ClientDocument, Decisions, PoolDocument, Refusal, Update, restore_client, restore_pool,
};

/// An update of a pool or client that somebody else owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// The document as it was described when the update was made.
    pub seen: Value,
    /// What to write.
    pub update: Update,
    /// What puts it back.
    pub back: Update,
}

impl Rewrite {
    /// Of a pool.
    pub fn of_pool(
        pool: &PoolDocument,
        update: Update,
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            seen: pool.json().clone(),
            update,
            back: restore_pool(pool, unknown)?,
        })
    }

    /// Of an app client.
    pub fn of_client(
        client: &ClientDocument,
        update: Update,
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            seen: client.json().clone(),
            update,
            back: restore_client(client, unknown)?,
        })
    }

    /// What brings a pool back to an earlier description of it, as far as updates reach.
    pub fn pool_back(
        now: &PoolDocument,
        earlier: &PoolDocument,
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        let target = earlier.with_fixed_of(now);
        Self::of_pool(now, restore_pool(&target, unknown)?, unknown)
    }

    /// What brings an app client back to an earlier description of it.
    pub fn client_back(
        now: &ClientDocument,
        earlier: &ClientDocument,
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        let target = earlier.with_fixed_of(now);
        Self::of_client(now, restore_client(&target, unknown)?, unknown)
    }

    /// What it changes.
    pub fn differences(&self) -> Vec<Difference> {
        differences(&self.seen, self.update.expected())
    }
}
