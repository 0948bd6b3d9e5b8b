//! A change of a document that deploy did not create, with what a safe write needs: the document that it was made from, so
//! that no other change is overwritten, and the update that undoes it.

use serde_json::Value;

use super::diff::{Difference, differences};
use super::{
    ClientDocument, Decisions, PoolDocument, Refusal, Update, restore_client, restore_pool,
};

/// An update of a pool or client that another party owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// The document when the update was made.
    pub seen: Value,
    /// What to write.
    pub update: Update,
    /// The update that puts it back.
    pub back: Update,
}

impl Rewrite {
    /// A rewrite of a pool.
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

    /// A rewrite of an app client.
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

    /// The rewrite that puts a pool back to an earlier description, as far as updates can.
    pub fn pool_back(
        now: &PoolDocument,
        earlier: &PoolDocument,
        unknown: &Decisions,
    ) -> Result<Self, Refusal> {
        let target = earlier.with_fixed_of(now);
        Self::of_pool(now, restore_pool(&target, unknown)?, unknown)
    }

    /// The rewrite that puts an app client back to an earlier description.
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
