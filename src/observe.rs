//! Reads everything about one pool, side by side and once: two round trips, whatever the pool.

use std::fmt;

use anyhow::Context;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::aws::{AwsError, Kind, Reader};
use jane_migrate_core::document::{ClientDocument, PoolDocument};
use jane_migrate_core::ids::{Names, PoolArn, PoolId, function_name, log_group_name};
use jane_migrate_core::permission::Policy;
use jane_migrate_core::plan::Observed;
use jane_migrate_core::resources::{ObservedFunction, Record, tag};

/// Clients described at once; Cognito throttles reads too.
const CLIENTS_AT_ONCE: usize = 8;

/// What is there, and the names that follow from the pool's ARN. `clients` are the ones whose sign-ins must migrate; `None`
/// means all of the pool's.
pub async fn observe(
    aws: &Reader,
    pool_id: &PoolId,
    region: &str,
    clients: Option<&[String]>,
) -> anyhow::Result<(Names, Observed)> {
    // Names need no account, so nothing waits for the pool's ARN.
    let function = function_name(pool_id, region);
    let log_group = log_group_name(&function);
    let described = async {
        let ids = client_ids(aws, pool_id, clients)
            .await
            .with_context(|| format!("failed to read the app clients of user pool `{pool_id}`"))?;
        let described = describe_clients(aws, pool_id, &ids, clients).await?;
        Ok::<_, anyhow::Error>((ids, described))
    };
    let (pool, mfa, described, function, policy, role, group) = tokio::join!(
        aws.describe_pool(pool_id),
        aws.mfa_config(pool_id),
        described,
        tagged_function(aws, &function),
        aws.policy(&function),
        aws.role(&function),
        aws.tagged_log_group(&log_group),
    );
    let pool = pool.map_err(|error| unreadable_pool(error, pool_id, region))?;
    let arn: PoolArn = pool
        .arn()
        .parse()
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("failed to read user pool `{pool_id}`"))?;
    let names = Names::new(arn);
    let failed = |what: &str, name: &str| format!("failed to read {what} `{name}`");
    let function = function.with_context(|| failed("function", &names.function))?;
    let policy = policy.with_context(|| failed("the policy of function", &names.function))?;
    let role = role.with_context(|| failed("role", &names.function))?;
    let group = group.with_context(|| failed("log group", &names.log_group))?;
    let mfa = mfa.with_context(|| failed("the MFA settings of user pool", pool_id.as_str()))?;
    let (ids, mut clients) = described?;
    // One whose flows deploy opened and that is no longer named: teardown closes them again.
    let record = Record::of(function.as_ref(), role.as_ref(), &names.pool);
    let others: Vec<String> = record
        .opened
        .into_keys()
        .filter(|id| !ids.contains(id))
        .collect();
    clients.extend(describe_clients(aws, pool_id, &others, None).await?);
    clients.sort_by(|a, b| a.id().cmp(b.id()));
    clients.dedup_by(|a, b| a.id() == b.id());
    let observed = Observed {
        pool,
        mfa,
        clients,
        log_group: group,
        role,
        function,
        policy,
    };
    Ok((names, observed))
}

/// The pool and all of its clients alone: what `init` looks at, where nothing of ours can be there yet.
pub async fn observe_pool(
    aws: &Reader,
    pool_id: &PoolId,
    region: &str,
) -> anyhow::Result<(Names, Observed)> {
    let (pool, mfa, ids) = tokio::join!(
        aws.describe_pool(pool_id),
        aws.mfa_config(pool_id),
        aws.client_ids(pool_id),
    );
    let pool = pool.map_err(|error| unreadable_pool(error, pool_id, region))?;
    let arn: PoolArn = pool.arn().parse().map_err(anyhow::Error::msg)?;
    let failed = |what: &str| format!("failed to read the {what} of user pool `{pool_id}`");
    let ids = ids.with_context(|| failed("app clients"))?;
    let observed = Observed {
        pool,
        mfa: mfa.with_context(|| failed("MFA settings"))?,
        clients: describe_clients(aws, pool_id, &ids, None).await?,
        log_group: None,
        role: None,
        function: None,
        policy: Policy::default(),
    };
    Ok((Names::new(arn), observed))
}

/// What is left of ours where the pool is gone: everything has its name from the pool's id, and the pool's ARN stands in the tags.
/// `None` where nothing is left.
pub async fn observe_without_pool(
    aws: &Reader,
    pool_id: &PoolId,
    region: &str,
) -> anyhow::Result<Option<(Names, Observed)>> {
    let name = function_name(pool_id, region);
    let log_group = log_group_name(&name);
    let (function, policy, role, group) = tokio::try_join!(
        tagged_function(aws, &name),
        aws.policy(&name),
        aws.role(&name),
        aws.tagged_log_group(&log_group),
    )
    .with_context(|| format!("failed to read what is left of user pool `{pool_id}`"))?;
    let tags = [
        function.as_ref().map(|function| &function.function.tags),
        role.as_ref().map(|role| &role.tags),
        group.as_ref().map(|group| &group.tags),
    ];
    let Some(names) = tags
        .into_iter()
        .flatten()
        .filter_map(|tags| tags.get(tag::POOL)?.parse::<PoolArn>().ok())
        .filter(|arn| arn.id == *pool_id && arn.region == region)
        .map(Names::new)
        .next()
    else {
        return Ok(None);
    };
    let pool =
        json!({ "Id": pool_id.as_str(), "Name": "which is gone", "Arn": names.pool.to_string() });
    Ok(Some((
        names,
        Observed {
            pool: PoolDocument::from_json(pool).context("failed to stand in for the pool")?,
            mfa: Value::Null,
            clients: Vec::new(),
            log_group: group,
            role,
            function,
            policy,
        },
    )))
}

/// There is no such pool for these credentials in this Region; one of another account looks the same.
#[derive(Debug)]
pub struct NoSuchPool {
    /// The pool that was asked for.
    pub pool: PoolId,
    /// Where.
    pub region: String,
}

impl fmt::Display for NoSuchPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to find user pool `{}` in {}",
            self.pool, self.region
        )
    }
}

fn unreadable_pool(error: AwsError, pool: &PoolId, region: &str) -> anyhow::Error {
    let missing = error.kind == Kind::NotFound;
    let error = anyhow::Error::new(error);
    if missing {
        error.context(NoSuchPool {
            pool: pool.clone(),
            region: region.to_owned(),
        })
    } else {
        error.context(format!("failed to read user pool `{pool}`"))
    }
}

/// The function with its tags: without them nothing is known to be ours.
async fn tagged_function(aws: &Reader, name: &str) -> Result<Option<ObservedFunction>, AwsError> {
    let found = aws.function(name).await?;
    match found.as_ref().and_then(|found| found.tags_unread.clone()) {
        Some(unread) => Err(unread),
        None => Ok(found),
    }
}

async fn client_ids(
    aws: &Reader,
    pool: &PoolId,
    clients: Option<&[String]>,
) -> Result<Vec<String>, AwsError> {
    match clients {
        Some(clients) => Ok(clients.to_vec()),
        None => aws.client_ids(pool).await,
    }
}

/// A client that the config names must be there; one that only a tag remembers may have been deleted since.
async fn describe_clients(
    aws: &Reader,
    pool: &PoolId,
    ids: &[String],
    named: Option<&[String]>,
) -> anyhow::Result<Vec<ClientDocument>> {
    let described: Vec<Option<ClientDocument>> = stream::iter(ids)
        .map(async |id| match aws.describe_client(pool, id).await {
            Ok(client) => Ok(Some(client)),
            Err(error)
                if error.kind == Kind::NotFound
                    && !named.is_some_and(|named| named.contains(id)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("failed to read app client `{id}`")),
        })
        .buffered(CLIENTS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(described.into_iter().flatten().collect())
}
