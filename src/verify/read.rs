//! Reads all that the checks look at, side by side and once: in three waves, and one more for each eight clients, aliases or
//! versions beyond the first eight. A read that fails is kept as such;
//! only where the pool itself cannot be found is there nothing to say.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jane_migrate_config::{Arn, Config, Date, Secret};
use serde_json::Value;

use super::evidence::{Evidence, KeptSecret, Read, Snapshot, Unread, deployed_config, qualifier};
use super::{Check, Choice, checks, jane};
use crate::aws::{AwsError, Kind, Reader};
use jane_migrate_core::document::{ClientDocument, PoolDocument};
use jane_migrate_core::exposure::EventSource;
use jane_migrate_core::exposure::Metrics;
use jane_migrate_core::fix::Flags;
use jane_migrate_core::ids::{Names, PoolArn, PoolId, function_name, log_group_name};
use jane_migrate_core::permission::Policy;
use jane_migrate_core::plan::Observed;
use jane_migrate_core::resources::{FunctionState, ObservedFunction, Role};

/// Calls of one kind made at once; Cognito and Lambda throttle reads too.
const AT_ONCE: usize = 8;

/// How far back the log is searched.
const LOG: Duration = Duration::from_secs(24 * 3600);

/// What is verified.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The pool.
    pub pool: &'a PoolId,
    /// Its Region.
    pub region: &'a str,
    /// The clients whose sign-ins must migrate; `None`: all.
    pub clients: Option<&'a [String]>,
    /// The configuration, where there is one.
    pub config: Option<&'a Config>,
    /// The pool before the first deploy, where that is kept; one for each life of its migration.
    pub snapshots: Vec<Snapshot>,
    /// Today, in UTC.
    pub today: Date,
    /// The flags that were given.
    pub given: Flags,
    /// The function was made moments ago, by the run that verifies.
    pub fresh: bool,
}

/// How long a function may be in the middle of a change. A pipeline verifies right after it; what counts is what it will be.
const SETTLING: Duration = Duration::from_secs(30);

/// Reads what the chosen checks look at.
pub async fn read<'a>(
    aws: &Reader,
    subject: Subject<'a>,
    choice: &Choice,
) -> anyhow::Result<Evidence<'a>> {
    let Subject {
        pool: pool_id,
        region,
        clients: named_clients,
        config,
        snapshots,
        today,
        given,
        fresh,
    } = subject;
    let function_name = function_name(pool_id, region);
    let function = function_name.as_str();
    let group = log_group_name(function);

    // What others wait for, and then those others.
    let leading = async {
        let (pool, ids, found, aliases, versions, own_policy, own_sources) = tokio::join!(
            aws.describe_pool(pool_id),
            client_ids(aws, pool_id, named_clients),
            settled_function(aws, function),
            unless_fresh(fresh, aws.aliases(function)),
            unless_fresh(fresh, aws.versions(function)),
            aws.policy(function),
            aws.event_sources(function),
        );
        let names = names(pool_id, region, &pool, &found)?;
        let named_by_trigger = pool.as_ref().ok().and_then(|pool| qualifier(&names, pool));
        // The trigger's own is known without a list.
        let qualifiers: BTreeSet<String> = {
            let aliases = aliases.iter().flatten().map(|alias| alias.name.clone());
            let versions = versions.iter().flatten().map(|version| &version.number);
            let published = versions.filter(|number| *number != "$LATEST").cloned();
            aliases
                .chain(published)
                .chain(named_by_trigger.clone())
                .collect()
        };
        // Without a configuration, what is deployed says where the secrets are, and what the directory is.
        let deployed = match (config, &found) {
            (None, Ok(Some(found))) => deployed_config(found),
            _ => None,
        };
        let kept_elsewhere = deployed.iter().flat_map(kept).collect();
        let directory = config.or(deployed.as_ref());
        let (clients, (found, alias_gone), policies, event_sources, jane, secrets) = tokio::join!(
            describe_clients(aws, pool_id, ids.clone(), named_clients),
            at_qualifier(aws, function, found.clone(), named_by_trigger),
            policies(aws, function, own_policy, &qualifiers),
            event_sources(aws, function, own_sources, &qualifiers),
            ask_jane(aws, directory, region, &found, &ids, choice),
            secrets(aws, region, kept_elsewhere, choice),
        );
        Ok::<_, anyhow::Error>((
            names,
            pool,
            clients,
            found,
            alias_gone,
            aliases,
            versions,
            policies,
            event_sources,
            jane,
            secrets,
        ))
    };
    let configured = config.map(kept).unwrap_or_default();
    let (leading, rest) = tokio::join!(leading, async {
        tokio::join!(
            aws.mfa_config(pool_id),
            bounded_role(aws, function),
            aws.inline_policies(function),
            attached_policies(aws, function),
            aws.log_group_settings(&group),
            aws.log_subscriptions(&group),
            aws.account_log_subscriptions(),
            unless_fresh(fresh, aws.function_urls(function)),
            unless_fresh(fresh, aws.event_copies(function)),
            unless_fresh(fresh, aws.code_signing(function)),
            unless_fresh(fresh, aws.runtime_updates(function)),
            metrics(aws, function, region, choice),
            leak(aws, &group, choice),
            secrets(aws, region, configured, choice),
        )
    });
    let (
        names,
        pool,
        clients,
        found,
        alias_gone,
        aliases,
        versions,
        policies,
        event_sources,
        jane,
        deployed,
    ) = leading?;
    let (
        mfa,
        (role, boundary),
        role_policies,
        attached_policies,
        log_group,
        log_subscriptions,
        account_log_subscriptions,
        urls,
        event_copies,
        code_signing,
        runtime_updates,
        metrics,
        leak,
        configured,
    ) = rest;
    let wanted = match (config, &found) {
        (Some(config), _) => Some(Cow::Borrowed(config)),
        (None, Ok(Some(found))) => deployed_config(found).map(Cow::Owned),
        _ => None,
    };
    Ok(Evidence {
        names,
        config,
        wanted,
        named_clients,
        snapshots,
        today,
        given,
        pool: called(pool),
        mfa: called(mfa),
        clients: called(clients),
        function: called(found),
        alias_gone,
        policies: called(policies),
        urls: called(urls),
        aliases: called(aliases),
        versions: called(versions),
        event_sources: called(event_sources),
        event_copies: called(event_copies),
        code_signing: called(code_signing),
        runtime_updates: called(runtime_updates),
        role: called(role),
        role_policies: called(role_policies),
        attached_policies: called(attached_policies),
        boundary: called(boundary),
        log_group: called(log_group),
        log_subscriptions: called(log_subscriptions),
        account_log_subscriptions: called(account_log_subscriptions),
        secrets: configured
            .and_then(|configured| Ok(configured.into_iter().chain(deployed?).collect())),
        metrics,
        leak,
        jane,
        probes: None,
    })
}

/// What a deploy that changed nothing has read anyway; the checks that want more are not made.
pub fn observed<'a>(
    names: &Names,
    observed: &Observed,
    subject: Subject<'a>,
    jane: jane::Answers,
) -> Evidence<'a> {
    let policies = match qualifier(names, &observed.pool) {
        None => Ok(BTreeMap::from([(None, observed.policy.clone())])),
        Some(_) => Err(Unread::NotAsked),
    };
    let role = observed.role.as_ref();
    let attached_policies = match role.is_none_or(|role| role.attached.is_empty()) {
        true => Ok(BTreeMap::new()),
        false => Err(Unread::NotAsked),
    };
    let boundary = match role.and_then(|role| role.boundary.as_ref()) {
        None => Ok(None),
        Some(_) => Err(Unread::NotAsked),
    };
    Evidence {
        names: names.clone(),
        config: subject.config,
        wanted: subject.config.map(Cow::Borrowed),
        named_clients: subject.clients,
        snapshots: subject.snapshots,
        today: subject.today,
        given: subject.given,
        pool: Ok(observed.pool.clone()),
        mfa: Ok(observed.mfa.clone()),
        clients: Ok(observed.clients.clone()),
        function: Ok(observed.function.clone()),
        alias_gone: false,
        policies,
        urls: Err(Unread::NotAsked),
        aliases: Err(Unread::NotAsked),
        versions: Err(Unread::NotAsked),
        event_sources: Err(Unread::NotAsked),
        event_copies: Err(Unread::NotAsked),
        code_signing: Err(Unread::NotAsked),
        runtime_updates: Err(Unread::NotAsked),
        role_policies: Ok(role.map(|role| role.policies.clone()).unwrap_or_default()),
        role: Ok(observed.role.clone()),
        attached_policies,
        boundary,
        log_group: Ok(observed.log_group.clone()),
        log_subscriptions: Err(Unread::NotAsked),
        account_log_subscriptions: Err(Unread::NotAsked),
        secrets: Err(Unread::NotAsked),
        metrics: Err(Unread::NotAsked),
        leak: Err(Unread::NotAsked),
        jane,
        probes: None,
    }
}

/// What hangs on a function is gone with it, so a fresh one has none of it, and is not asked: Lambda takes fifteen such requests a
/// second for all functions of a Region together. Event sources are asked for all the same: they outlive their function.
async fn unless_fresh<T: Default>(
    fresh: bool,
    asked: impl Future<Output = Called<T>>,
) -> Called<T> {
    match fresh {
        true => Ok(T::default()),
        false => asked.await,
    }
}

/// What one call answered.
type Called<T> = Result<T, AwsError>;

/// As evidence.
fn called<T>(answer: Called<T>) -> Read<T> {
    answer.map_err(Unread::Failed)
}

/// Names need the pool's account. Where the pool may not be described, the function's role tells it.
fn names(
    pool_id: &PoolId,
    region: &str,
    pool: &Called<PoolDocument>,
    function: &Called<Option<ObservedFunction>>,
) -> anyhow::Result<Names> {
    let failed = || format!("failed to read user pool `{pool_id}`");
    let error = match pool {
        Ok(pool) => {
            let arn: PoolArn = pool
                .arn()
                .parse()
                .map_err(anyhow::Error::msg)
                .with_context(failed)?;
            return Ok(Names::new(arn));
        }
        Err(error) => error.clone(),
    };
    let role = match function {
        Ok(Some(found)) if error.kind == Kind::Denied => found.function.role_arn.clone(),
        _ => return Err(error).with_context(failed),
    };
    match role.parse::<Arn>() {
        Ok(role) => Ok(Names::new(PoolArn {
            partition: role.partition,
            region: region.to_owned(),
            account: role.account,
            id: pool_id.clone(),
        })),
        Err(_) => Err(error).with_context(failed),
    }
}

/// The function, once it has come to rest. One that does not is as it was read last.
async fn settled_function(aws: &Reader, name: &str) -> Called<Option<ObservedFunction>> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let found = aws.function(name).await?;
        let settling = matches!(&found, Some(function) if matches!(function.state, FunctionState::Settling(_)));
        if !settling || started.elapsed() > SETTLING {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn client_ids(
    aws: &Reader,
    pool: &PoolId,
    named: Option<&[String]>,
) -> Result<Vec<String>, AwsError> {
    match named {
        Some(named) => Ok(named.to_vec()),
        None => aws.client_ids(pool).await,
    }
}

/// A client that is listed may be deleted a moment later; one that the configuration names must be there.
async fn describe_clients(
    aws: &Reader,
    pool: &PoolId,
    ids: Called<Vec<String>>,
    named: Option<&[String]>,
) -> Called<Vec<ClientDocument>> {
    let described: Vec<Option<ClientDocument>> = stream::iter(ids?)
        .map(async |id| match aws.describe_client(pool, &id).await {
            Err(error) if error.kind == Kind::NotFound && named.is_none() => Ok(None),
            described => described.map(Some),
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(described.into_iter().flatten().collect())
}

/// What a trigger on an alias runs is that version, with settings of its own. Whether there is no such alias is said, too.
async fn at_qualifier(
    aws: &Reader,
    name: &str,
    found: Called<Option<ObservedFunction>>,
    qualifier: Option<String>,
) -> (Called<Option<ObservedFunction>>, bool) {
    let (Ok(Some(latest)), Some(qualifier)) = (&found, qualifier) else {
        return (found, false);
    };
    match aws.function(&format!("{name}:{qualifier}")).await {
        Ok(Some(mut version)) => {
            // Tags and concurrency are the function's.
            version.function.name = latest.function.name.clone();
            version.function.tags = latest.function.tags.clone();
            version.function.reserved_concurrency = latest.function.reserved_concurrency;
            version.tags_unread = latest.tags_unread.clone();
            (Ok(Some(version)), false)
        }
        Ok(None) => (found, true),
        Err(error) => (Err(error), false),
    }
}

async fn policies(
    aws: &Reader,
    name: &str,
    own: Called<Policy>,
    qualifiers: &BTreeSet<String>,
) -> Called<BTreeMap<Option<String>, Policy>> {
    let mut policies: BTreeMap<Option<String>, Policy> = stream::iter(qualifiers)
        .map(async |qualifier| {
            let policy = aws.policy_of(name, Some(qualifier)).await?;
            Ok((Some(qualifier.clone()), policy))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    policies.insert(None, own?);
    Ok(policies)
}

async fn event_sources(
    aws: &Reader,
    name: &str,
    own: Called<Vec<EventSource>>,
    qualifiers: &BTreeSet<String>,
) -> Called<Vec<EventSource>> {
    let qualified: Vec<Vec<EventSource>> = stream::iter(qualifiers)
        .map(async |qualifier| aws.event_sources(&format!("{name}:{qualifier}")).await)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut sources: Vec<EventSource> = own?
        .into_iter()
        .chain(qualified.into_iter().flatten())
        .collect();
    sources.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    sources.dedup();
    Ok(sources)
}

/// The role, and what the policy says that bounds it.
async fn bounded_role(aws: &Reader, name: &str) -> (Called<Option<Role>>, Called<Option<Value>>) {
    let role = aws.role_settings(name).await;
    let bound = role.as_ref().ok().and_then(Option::as_ref);
    let boundary = match bound.and_then(|role| role.boundary.as_deref()) {
        Some(arn) => aws.managed_policy(arn).await.map(Some),
        None => Ok(None),
    };
    (role, boundary)
}

async fn attached_policies(aws: &Reader, role: &str) -> Called<BTreeMap<String, Value>> {
    stream::iter(aws.attached_policies(role).await?)
        .map(async |arn| {
            let policy = aws.managed_policy(&arn).await?;
            Ok((arn, policy))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// The secrets that a service keeps.
fn kept(config: &Config) -> Vec<Secret> {
    let secrets = config.secrets().into_iter();
    let mut kept: Vec<Secret> = secrets
        .map(|(_, secret)| secret.clone())
        .filter(|secret| !matches!(secret, Secret::Env(_)))
        .collect();
    kept.sort();
    kept.dedup();
    kept
}

async fn secrets(
    aws: &Reader,
    region: &str,
    secrets: Vec<Secret>,
    choice: &Choice,
) -> Read<Vec<KeptSecret>> {
    let about_secrets = |check: &Check| check.id.starts_with("secret-");
    if !checks().any(|check| about_secrets(check) && choice.includes(check)) {
        return Err(Unread::NotAsked);
    }
    let kept = stream::iter(secrets)
        .map(async |secret| {
            let policy = async {
                match &secret {
                    Secret::SecretsManager { arn, .. } => aws.secret_policy(arn).await,
                    Secret::Ssm { .. } | Secret::Env(_) => Ok(Value::Null),
                }
            };
            let (place, policy) = tokio::join!(aws.secret_place(&secret, region), policy);
            KeptSecret {
                place: called(place),
                policy: called(policy),
                secret,
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(kept)
}

async fn metrics(aws: &Reader, function: &str, region: &str, choice: &Choice) -> Read<Metrics> {
    match choice.wants("health") {
        true => Ok(aws.day_of_metrics(function, region).await?),
        false => Err(Unread::NotAsked),
    }
}

/// The field as JSON spells it; the handler's own lines have none of this name.
const PASSWORD_FIELD: &str = "\"password\"";

async fn leak(aws: &Reader, group: &str, choice: &Choice) -> Read<Option<i64>> {
    if !choice.wants("log-hygiene") {
        return Err(Unread::NotAsked);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let since_ms = i64::try_from((now.saturating_sub(LOG)).as_millis()).unwrap_or_default();
    // The pattern is a term; where the field is escaped once more, it still is.
    let holds_password = |line: &str| line.replace('\\', "").contains(PASSWORD_FIELD);
    Ok(aws
        .find_log_event(group, "password", since_ms, holds_password)
        .await?)
}

async fn ask_jane(
    aws: &Reader,
    config: Option<&Config>,
    region: &str,
    function: &Called<Option<ObservedFunction>>,
    clients: &Called<Vec<String>>,
    choice: &Choice,
) -> jane::Answers {
    match (config, clients) {
        (Some(config), Ok(clients)) if choice.wants("jane-knows-client") => {
            let deployed = match function {
                Ok(Some(found)) => Some(&found.function.environment),
                _ => None,
            };
            jane::ask(aws, config, region, deployed, clients.clone()).await
        }
        (Some(_), Err(error)) => jane::Answers::Unread(error.clone()),
        _ => jane::Answers::NotJane,
    }
}
