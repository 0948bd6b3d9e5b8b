//! The steps for what is not ours: the pool and its app clients. Read again just before the write, written whole, read again
//! and proven; put back when anything but the intended member changed.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::Run;
use crate::aws::{AwsError, Kind};
use crate::document::{
    ClientDocument, Decisions, Difference, PoolDocument, Update, differences, restore_client,
    restore_pool,
};

/// Cognito takes one update of a pool at a time and says so; others' updates are over within seconds.
const TRIES: u32 = 8;

impl Run<'_> {
    pub(super) async fn update_pool(
        &self,
        update: &Update,
        seen: &PoolDocument,
    ) -> anyhow::Result<()> {
        let pool = &self.names.pool.id;
        let failed = || format!("failed to set the trigger of user pool `{pool}`");
        let describe = || self.aws.describe_pool(pool);
        let mut tries = 0;
        loop {
            tries += 1;
            let now = describe().await.with_context(failed)?;
            // An earlier try whose answer was lost may have taken effect.
            if tries > 1 && update.differences(now.json()).is_empty() {
                break;
            }
            unchanged(
                seen.json(),
                now.json(),
                seen.last_modified() == now.last_modified(),
            )
            .with_context(failed)?;
            match self.aws.update_pool(pool, update.body()).await {
                Ok(()) => break,
                Err(error) if tries < TRIES && may_try_again(&error) => pause(tries).await,
                Err(error) => {
                    return Err(error)
                        .context("the pool's settings were handed back as they are, and Cognito did not take them; nothing of the pool was changed")
                        .with_context(failed);
                }
            }
        }
        let (now, mfa) = tokio::join!(describe(), self.aws.mfa_config(pool));
        let mut changed = update.differences(now.with_context(failed)?.json());
        changed.extend(differences(&self.inputs.mfa, &mfa.with_context(failed)?));
        if changed.is_empty() {
            return Ok(());
        }
        // The plan has projected the same document already, so nothing of it is in doubt.
        let old = restore_pool(seen, &Decisions::new())?;
        let left = match self.aws.update_pool(pool, old.body()).await {
            Ok(()) => old.differences(describe().await.with_context(failed)?.json()),
            Err(error) => bail!(
                "the update changed more of user pool `{pool}` than the trigger:\n{}\nand putting the old settings back failed: {error}",
                listed(&changed)
            ),
        };
        if left.is_empty() {
            bail!(
                "the update changed more of user pool `{pool}` than the trigger:\n{}\nthe old settings were put back, and the pool is as it was",
                listed(&changed)
            )
        }
        bail!(
            "the update changed more of user pool `{pool}` than the trigger:\n{}\nthe old settings were put back, but these stay different:\n{}",
            listed(&changed),
            listed(&left)
        )
    }

    pub(super) async fn update_client(
        &self,
        update: &Update,
        seen: &ClientDocument,
    ) -> anyhow::Result<()> {
        let pool = &self.names.pool.id;
        let client = seen.id();
        let failed = || format!("failed to set the sign-in flows of app client `{client}`");
        let describe = || self.aws.describe_client(pool, client);
        let mut tries = 0;
        loop {
            tries += 1;
            let now = describe().await.with_context(failed)?;
            if tries > 1 && update.differences(now.json()).is_empty() {
                break;
            }
            unchanged(
                seen.json(),
                now.json(),
                seen.last_modified() == now.last_modified(),
            )
            .with_context(failed)?;
            match self.aws.update_client(pool, client, update.body()).await {
                Ok(()) => break,
                Err(error) if tries < TRIES && may_try_again(&error) => pause(tries).await,
                Err(error) => {
                    return Err(error)
                        .context("the client's settings were handed back as they are, and Cognito did not take them; nothing of the client was changed")
                        .with_context(failed);
                }
            }
        }
        let mut changed = update.differences(describe().await.with_context(failed)?.json());
        if only_flows(&changed) && update.body().get(FLOWS).is_none() {
            // Leaving the list out means the default flows. A server that keeps what is left out must be told so.
            let mut body = update.body().clone();
            body[FLOWS] = json!([]);
            self.aws
                .update_client(pool, client, &body)
                .await
                .with_context(failed)?;
            changed = update.differences(describe().await.with_context(failed)?.json());
        }
        if changed.is_empty() {
            return Ok(());
        }
        let old = restore_client(seen, &Decisions::new())?;
        let back = match self.aws.update_client(pool, client, old.body()).await {
            Ok(()) => "the old settings were put back".to_owned(),
            Err(error) => format!("putting the old settings back failed: {error}"),
        };
        bail!(
            "the update changed more of app client `{client}` than its flows:\n{}\n{back}",
            listed(&changed)
        )
    }
}

/// The one member of a client that is ours to change.
const FLOWS: &str = "ExplicitAuthFlows";

fn only_flows(changed: &[Difference]) -> bool {
    !changed.is_empty()
        && changed
            .iter()
            .all(|difference| difference.pointer.split('/').nth(1) == Some(FLOWS))
}

/// Nothing is written over somebody else's change.
fn unchanged(
    seen: &serde_json::Value,
    now: &serde_json::Value,
    same_date: bool,
) -> anyhow::Result<()> {
    let changed = differences(seen, now);
    if changed.is_empty() && same_date {
        return Ok(());
    }
    let what = if changed.is_empty() {
        "  LastModifiedDate".to_owned()
    } else {
        listed(&changed)
    };
    bail!(
        "it was changed by somebody else since the plan was made, so nothing was written to it:\n{what}\nrun the command again to plan with what is there now"
    )
}

/// Another update in progress, or an answer that did not come: the next try looks first.
fn may_try_again(error: &AwsError) -> bool {
    matches!(error.kind, Kind::Busy | Kind::Throttled | Kind::NoAnswer)
        || error.says("Only one request to update")
}

async fn pause(tries: u32) {
    tokio::time::sleep(Duration::from_millis(250) * 2u32.pow(tries.min(5))).await;
}

fn listed(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("  {difference}"))
        .collect::<Vec<_>>()
        .join("\n")
}
