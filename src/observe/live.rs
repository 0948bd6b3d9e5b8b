//! What decides whether customers migrate: the pool, the path from its trigger to the function, and the
//! log group.

use std::collections::BTreeSet;

use jane_migrate_core::document::PoolDocument;
use jane_migrate_core::ids::log_group_name;
use jane_migrate_core::observed::{Observed, PoolState};
use jane_migrate_core::read::Unread;

use super::{Observer, at_qualifier, kept, policies};
use crate::error::Result;

impl Observer<'_> {
    /// Reads it in two round trips.
    pub(super) async fn live(&self) -> Result<Observed> {
        let (aws, name) = (self.aws, self.function.as_str());
        let group = log_group_name(name);
        let (pool, recoveries, found, own_policy, group) = tokio::join!(
            aws.describe_pool(self.pool_id),
            aws.recoveries(self.pool_id),
            aws.function(name),
            aws.policy(name, None),
            aws.log_group_settings(&group),
        );
        let names = self.names(&pool, &found)?;
        let trigger = pool.as_ref().ok().and_then(PoolDocument::user_migration);
        let ours = trigger.filter(|arn| names.is_our_function(arn));
        let called = ours.map_or(names.live(), |arn| names.qualifier(arn));
        let qualifiers: BTreeSet<String> = called.map(str::to_owned).into_iter().collect();
        let ((live, alias_gone), policies) = tokio::join!(
            at_qualifier(aws, name, found.clone(), called),
            policies(aws, name, own_policy, &qualifiers),
        );
        let alias_gone = alias_gone && ours.is_some();
        Ok(Observed {
            pool: kept(pool).map(|document| {
                Some(PoolState {
                    document,
                    mfa: Err(Unread::NotAsked),
                })
            }),
            recoveries: kept(recoveries),
            function: kept(found),
            live: kept(live),
            alias_gone,
            policies: kept(policies),
            log_group: kept(group),
            ..Observed::nothing(names)
        })
    }
}
