//! The only code that reads a pool, for every command: the pool, its clients and everything that deploy creates for it, in
//! parallel and once. A [`Scope`] says how much. Each read keeps its own error; only if the pool itself is unknown, there is
//! nothing to return.

mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jane_migrate_config::{Arn, Config, Secret};
use jane_migrate_core::check::{Check, Choice, checks};
use jane_migrate_core::document::{ClientDocument, PoolDocument};
use jane_migrate_core::exposure::{Alias, EventSource, Metrics, Version};
use jane_migrate_core::firewall::WebAcl;
use jane_migrate_core::ids::{
    ALIAS, Names, PoolArn, PoolId, ROLE_POLICY, function_name, import_role, live_qualifier,
    log_group_name, role_name,
};
use jane_migrate_core::jane::Answers;
use jane_migrate_core::observed::{KeptSecret, Observed, PoolState, deployed_config};
use jane_migrate_core::permission::Policy;
use jane_migrate_core::read::{Read, Unread};
use jane_migrate_core::record::Records;
use jane_migrate_core::resources::{FunctionState, LogGroup, ObservedFunction, Role, Tags, tag};
use jane_migrate_core::watch::Watch;
use serde_json::Value;

use crate::aws::{AwsError, Kind, Reader};
use crate::dates::{DAY_MS, now_ms};
use crate::error::{Error, Result};
use crate::host::{Instant, sleep};
use crate::jane;

/// Parallel calls of one kind; Cognito and Lambda throttle reads too.
const AT_ONCE: usize = 8;

/// How long to wait for a function that is being changed. A pipeline verifies right after a change, and the state after it
/// counts.
const SETTLING: Duration = Duration::from_secs(30);

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The clients whose sign-ins must migrate; `None`: all of the pool's.
    pub clients: Option<&'a [String]>,
    /// The configuration, if there is one.
    pub config: Option<&'a Config>,
    /// How much beyond the pool and its clients.
    pub depth: Depth<'a>,
}

/// How much of a pool is read.
#[derive(Debug, Clone, Copy)]
pub enum Depth<'a> {
    /// Only the pool's own description.
    Description,
    /// What decides whether customers migrate: the pool, the path from its trigger to the function, and the log group. Two round
    /// trips.
    Live,
    /// The pool and its clients: nothing of ours can exist yet.
    Pool,
    /// What deploy and teardown change, in two round trips. With `left`, what remains of it if the pool no longer exists.
    Ours {
        /// A deleted pool is no error.
        left: bool,
        /// Also the role's permissions boundary and attached policies, if the configuration names a role or a boundary: a deploy
        /// does not start with a role that it cannot fix.
        judge: bool,
    },
    /// Everything that the chosen checks need: three round trips, and one more for every eight clients, aliases or versions after
    /// the first eight.
    Checks {
        /// The checks.
        choice: &'a Choice,
        /// This run created the function moments ago.
        fresh: bool,
        /// Also what only a plan compares: the tags of the log group.
        plan: bool,
    },
}

/// Reads a pool to the extent of the scope.
pub async fn observe(
    aws: &Reader,
    pool_id: &PoolId,
    region: &str,
    scope: Scope<'_>,
) -> Result<Observed> {
    let observer = Observer::new(aws, pool_id, region, scope.clients, scope.config);
    match scope.depth {
        Depth::Description => observer.description().await,
        Depth::Live => observer.live().await,
        Depth::Pool => observer.pool_alone().await,
        Depth::Ours { left, judge } => observer.ours(left, judge).await,
        Depth::Checks {
            choice,
            fresh,
            plan,
        } => observer.everything(choice, fresh, plan).await,
    }
}

/// Reads what a rollback needs, in one round trip: the versions, the alias and the role. Also returns an app client for the
/// probe.
pub async fn versions(
    aws: &Reader,
    pool_id: &PoolId,
    region: &str,
    clients: Option<&[String]>,
    config: Option<&Config>,
) -> Result<(Observed, Option<String>)> {
    let observer = Observer::new(aws, pool_id, region, clients, config);
    let (name, role_name) = (observer.function.as_str(), observer.role.as_str());
    let (pool, ids, function, alias, versions, role, inline, recoveries) = tokio::join!(
        aws.describe_pool(pool_id),
        observer.client_ids(),
        aws.function(name),
        observer.alias(),
        aws.versions(name),
        aws.role_settings(role_name),
        aws.inline_policy(role_name, ROLE_POLICY),
        aws.recoveries(pool_id),
    );
    let names = observer.names(&pool, &function)?;
    let client = ids?.into_iter().next();
    let observed = Observed {
        pool: kept(pool).map(|document| {
            Some(PoolState {
                document,
                mfa: Err(Unread::NotAsked),
            })
        }),
        function: kept(function),
        alias: kept(alias),
        versions: kept(versions),
        role: kept(role),
        // No other policy is changed, so their content does not matter.
        role_policies: kept(inline).map(|own| own.into_iter().collect()),
        recoveries: kept(recoveries),
        attached_policies: Ok(BTreeMap::new()),
        ..Observed::nothing(names)
    };
    Ok((observed, client))
}

/// The error of a run that needs a value that was not read.
pub fn unread(names: &Names, unread: &Unread) -> Error {
    let pool = &names.pool.id;
    let (error, what) = match unread {
        Unread::Client(id, error) => (error, format!("app client `{id}`")),
        Unread::Failed(error) => {
            let what = match error.action.split_once(':') {
                Some(("iam", _)) => format!("role `{}`", names.role),
                Some(("lambda", "GetAlias")) => {
                    format!("alias `{ALIAS}` of function `{}`", names.function)
                }
                Some(("lambda", "GetPolicy")) => {
                    format!("the policy of function `{}`", names.function)
                }
                Some(("lambda", _)) => format!("function `{}`", names.function),
                Some(("logs", _)) => format!("log group `{}`", names.log_group),
                Some(("cognito-idp", "GetUserPoolMfaConfig")) => {
                    format!("the MFA settings of user pool `{pool}`")
                }
                Some(("cognito-idp", "DescribeUserPool")) => format!("user pool `{pool}`"),
                _ => format!("the app clients of user pool `{pool}`"),
            };
            (error, what)
        }
        other => {
            let (why, hint) = other.explain();
            let hint = hint.unwrap_or_else(|| "run the command again, and look at the pool".into());
            return Error::new(why, hint);
        }
    };
    Error::from(error.clone()).context(format!("failed to read {what}"))
}

/// The result of one call.
type Called<T> = Result<T, AwsError>;

/// The result in the form of `Observed`.
fn kept<T>(answer: Called<T>) -> Read<T> {
    answer.map_err(Unread::Failed)
}

fn tags_of(group: &Called<Option<LogGroup>>) -> Read<Tags> {
    let group = kept(group.clone())?;
    Ok(group.map(|group| group.tags).unwrap_or_default())
}

fn pool_state(pool: Called<PoolDocument>, mfa: Called<Value>) -> Read<Option<PoolState>> {
    let document = kept(pool)?;
    let mfa = kept(mfa);
    Ok(Some(PoolState { document, mfa }))
}

/// A pool's names, and the connection to it.
struct Observer<'a> {
    aws: &'a Reader,
    pool_id: &'a PoolId,
    region: &'a str,
    function: String,
    /// The alias or version that the pool is to call; `None`: the function itself.
    qualifier: Option<&'a str>,
    /// Another tool created the function.
    given: bool,
    role: String,
    named: Option<&'a [String]>,
    config: Option<&'a Config>,
}

impl<'a> Observer<'a> {
    fn new(
        aws: &'a Reader,
        pool_id: &'a PoolId,
        region: &'a str,
        named: Option<&'a [String]>,
        config: Option<&'a Config>,
    ) -> Self {
        let settings = config.map(|config| &config.function);
        let function = function_name(pool_id, region, settings);
        Self {
            aws,
            pool_id,
            region,
            role: role_name(&function, settings),
            qualifier: live_qualifier(settings),
            given: settings.is_some_and(|settings| settings.arn.is_some()),
            function,
            named,
            config,
        }
    }

    /// The names for this pool, which need its ARN.
    fn names_of(&self, pool: PoolArn) -> Result<Names> {
        let names = Names::configured(pool, self.config.map(|config| &config.function));
        match names.elsewhere() {
            None => Ok(names),
            Some(why) => Err(Error::new(
                why,
                "name a function of the pool's own account and Region as arn under [function]",
            )),
        }
    }

    /// Our alias, which holds the lease. Another tool's function has no alias of ours.
    async fn alias(&self) -> Called<Option<Alias>> {
        match self.given {
            true => Ok(None),
            false => self.aws.alias(&self.function, ALIAS).await,
        }
    }

    /// The version behind the alias that the pool is to call.
    async fn behind(&self) -> Called<Option<ObservedFunction>> {
        match self.qualifier {
            Some(qualifier) => {
                let version = format!("{}:{qualifier}", self.function);
                self.aws.function(&version).await
            }
            None => Ok(None),
        }
    }

    /// Whether the role's permissions boundary and attached policies decide if a deploy may start: deploy would not fix them.
    fn judges_role(&self) -> bool {
        let function = self.config.map(|config| &config.function);
        function.is_some_and(|function| {
            function.role_arn.is_some() || function.permissions_boundary.is_some()
        })
    }

    /// The role, and the document of its current or configured permissions boundary.
    async fn bounded_role(&self) -> (Called<Option<Role>>, Called<Option<Value>>) {
        let configured = self
            .config
            .and_then(|config| config.function.permissions_boundary.as_deref());
        let read = async |arn: Option<&str>| match arn {
            Some(arn) => self.aws.managed_policy(arn).await.map(Some),
            None => Ok(None),
        };
        if configured.is_some() {
            return tokio::join!(self.role(), read(configured));
        }
        let role = self.role().await;
        let found = role.as_ref().ok().and_then(Option::as_ref);
        let boundary = read(found.and_then(|role| role.boundary.as_deref())).await;
        (role, boundary)
    }

    /// The role. A given role is not ours, whatever its tags say: its tags are ignored, so no record is read from them and the
    /// role is never deleted.
    async fn role(&self) -> Called<Option<Role>> {
        let given = self
            .config
            .is_some_and(|config| config.function.role_arn.is_some());
        let role = self.aws.role_settings(&self.role).await?;
        Ok(role.map(|role| match given {
            true => Role {
                tags: Tags::new(),
                ..role
            },
            false => role,
        }))
    }

    async fn description(&self) -> Result<Observed> {
        let pool = self.aws.describe_pool(self.pool_id).await;
        let names = self.names(&pool, &Ok(None))?;
        Ok(Observed {
            pool: kept(pool).map(|document| {
                Some(PoolState {
                    document,
                    mfa: Err(Unread::NotAsked),
                })
            }),
            ..Observed::nothing(names)
        })
    }

    async fn pool_alone(&self) -> Result<Observed> {
        let (pool, mfa, clients) = tokio::join!(
            self.aws.describe_pool(self.pool_id),
            self.aws.mfa_config(self.pool_id),
            async { self.describe_clients(self.client_ids().await).await },
        );
        let names = self.names(&pool, &Ok(None))?;
        Ok(Observed {
            pool: pool_state(pool, mfa),
            clients,
            ..Observed::nothing(names)
        })
    }

    async fn ours(&self, left: bool, judged: bool) -> Result<Observed> {
        let judge = judged && self.judges_role();
        let name = self.function.as_str();
        let group = log_group_name(name);
        let described = async {
            let ids = self.client_ids().await;
            (ids.clone(), self.describe_clients(ids).await)
        };
        let role = async {
            match judge {
                true => {
                    let (role, boundary) = self.bounded_role().await;
                    (role, kept(boundary))
                }
                false => {
                    let role = self.role().await;
                    let bound = matches!(&role, Ok(Some(role)) if role.boundary.is_some());
                    let unread = match bound {
                        true => Err(Unread::NotAsked),
                        false => Ok(None),
                    };
                    (role, unread)
                }
            }
        };
        // A teardown deletes the whole function with its policies; for another tool's function it removes statements.
        let unread = left && !self.given;
        // A run that takes the lease by the alias's revision knows that no other run has changed anything since the alias was read.
        // So the plan's decisions rest on what is read after it. The role's policies and the log group take two calls, and are read
        // beside it: if they are too old, the probe or the checks after the deploy report it.
        let changed_by_runs = async {
            let alias = self.alias().await;
            let rest = async {
                tokio::join!(
                    self.aws.function(name),
                    role,
                    unless_left(left, self.behind()),
                    unless_left(unread, self.aws.policy(name, None)),
                    unless_left(unread, async {
                        match self.qualifier {
                            Some(qualifier) => self.aws.policy(name, Some(qualifier)).await,
                            None => Ok(Policy::default()),
                        }
                    }),
                )
            };
            (alias, rest.await)
        };
        let (
            pool,
            mfa,
            (ids, clients),
            (alias, (function, (role, boundary), behind, own_policy, policy)),
            inline,
            attached,
            import_role,
            group,
            recoveries,
        ) = tokio::join!(
            self.aws.describe_pool(self.pool_id),
            self.aws.mfa_config(self.pool_id),
            described,
            changed_by_runs,
            self.aws.inline_policies(&self.role),
            async {
                match judge {
                    true => kept(attached_policies(self.aws, &self.role).await),
                    false => kept(self.aws.attached_policies(&self.role).await).map(|arns| {
                        let unread = |arn| (arn, Err(Unread::NotAsked));
                        arns.into_iter().map(unread).collect()
                    }),
                }
            },
            async {
                match left {
                    true => self.aws.role_settings(&import_role(name)).await,
                    false => Ok(None),
                }
            },
            self.aws.tagged_log_group(&group),
            self.aws.recoveries(self.pool_id),
        );
        let gone = matches!(&pool, Err(error) if error.kind == Kind::NotFound);
        let remains = match gone && left {
            true => self.names_of_what_is_left(&function, &role, &group)?,
            false => None,
        };
        let is_left = remains.is_some();
        let names = match remains {
            Some(names) => names,
            None => self.names(&pool, &function)?,
        };
        let (pool, clients) = match is_left {
            true => (Ok(None), Ok(Vec::new())),
            false => {
                let role = role.as_ref().ok().and_then(Option::as_ref);
                let function = function.as_ref().ok().and_then(Option::as_ref);
                let records = Records::of(function, role, &names.pool);
                let clients = self.with_opened(clients, ids, &records).await;
                (pool_state(pool, mfa), clients)
            }
        };
        let (watch, concurrency_limit) = match left || judged {
            true => self.watch(&names, &function, !left).await,
            false => (Err(Unread::NotAsked), Err(Unread::NotAsked)),
        };
        let document = pool.as_ref().ok().and_then(Option::as_ref);
        let ours = document.and_then(|pool| pool.document.our_triggers(&names).next());
        let behind = behind.map(|behind| behind.map(|behind| as_function(behind, &function)));
        let called = ours.map_or(names.live(), |(_, arn)| names.qualifier(arn));
        let (live, alias_gone) = match called {
            None => (kept(function.clone()), false),
            called if called == names.live() => match (&behind, &function) {
                (Ok(Ok(None)), Ok(Some(_))) => (kept(function.clone()), ours.is_some()),
                _ => (behind.clone().and_then(kept), false),
            },
            Some(_) => (Err(Unread::NotAsked), false),
        };
        Ok(Observed {
            pool,
            clients,
            live,
            alias_gone,
            alias: kept(alias),
            behind: behind.and_then(kept),
            function: kept(function),
            policies: own_policy.and_then(|own| {
                let mut policies = BTreeMap::from([(None, kept(own)?)]);
                if let Some(qualifier) = self.qualifier {
                    policies.insert(Some(qualifier.to_owned()), policy.and_then(kept)?);
                }
                Ok(policies)
            }),
            role: kept(role),
            import_role: kept(import_role),
            role_policies: kept(inline),
            attached_policies: attached,
            boundary,
            recoveries: kept(recoveries),
            log_group_tags: tags_of(&group),
            log_group: kept(group),
            watch,
            concurrency_limit,
            ..Observed::nothing(names)
        })
    }

    /// The alarms, if some exist or should exist, and the account's concurrency limit if an alarm or the configured number of
    /// users needs it.
    async fn watch(
        &self,
        names: &Names,
        function: &Called<Option<ObservedFunction>>,
        limit: bool,
    ) -> (Read<Watch>, Read<Option<u32>>) {
        let found = function.as_ref().ok().and_then(Option::as_ref);
        let tagged = !names.given_function
            && found.is_some_and(|found| found.function.tags.contains_key(tag::ALARMS));
        let config = self.config;
        let wanted = config.is_some_and(|config| config.alarms.topic.is_some());
        let compared = config.is_some_and(|config| config.window.total_users.is_some());
        let limit = async {
            match (wanted || compared) && limit {
                true => self.aws.concurrency_limit().await,
                false => Ok(None),
            }
        };
        let watch = async {
            match wanted || tagged {
                true => self.aws.watch(names).await,
                false => Ok(Watch::new()),
            }
        };
        let (watch, limit) = tokio::join!(watch, limit);
        (kept(watch), kept(limit))
    }

    /// The names according to the tags of what remains, if the pool itself no longer exists.
    fn names_of_what_is_left(
        &self,
        function: &Called<Option<ObservedFunction>>,
        role: &Called<Option<Role>>,
        group: &Called<Option<LogGroup>>,
    ) -> Result<Option<Names>> {
        let function = function.as_ref().ok().and_then(Option::as_ref);
        let role = role.as_ref().ok().and_then(Option::as_ref);
        let group = group.as_ref().ok().and_then(Option::as_ref);
        let tags = [
            function.map(|function| &function.function.tags),
            role.map(|role| &role.tags),
            group.map(|group| &group.tags),
        ];
        tags.into_iter()
            .flatten()
            .filter_map(|tags| tags.get(tag::POOL)?.parse::<PoolArn>().ok())
            .find(|arn| arn.id == *self.pool_id && arn.region == self.region)
            .map(|arn| self.names_of(arn))
            .transpose()
    }

    async fn everything(&self, choice: &Choice, fresh: bool, plan: bool) -> Result<Observed> {
        let config = self.config;
        let (aws, name) = (self.aws, self.function.as_str());
        let group = log_group_name(name);
        let configured = config.map(kept_secrets).unwrap_or_default();
        // First what other reads wait for, then those reads.
        let leading = self.what_depends_on_the_function(config, choice);
        let rest = async {
            tokio::join!(
                aws.mfa_config(self.pool_id),
                aws.recoveries(self.pool_id),
                self.bounded_role(),
                aws.inline_policies(&self.role),
                attached_policies(aws, &self.role),
                log_group(aws, &group, plan),
                aws.log_subscriptions(&group),
                aws.account_log_subscriptions(),
                unless_fresh(fresh, aws.function_urls(name)),
                unless_fresh(fresh, aws.event_copies(name)),
                unless_fresh(fresh, aws.code_signing(name)),
                unless_fresh(fresh, aws.runtime_updates(name)),
                metrics(aws, self.pool_id, name, self.region, choice),
                leak(aws, &group, choice),
                secrets(aws, self.region, configured, choice),
            )
        };
        let (leading, rest) = tokio::join!(leading, rest);
        let (
            mfa,
            recoveries,
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
        let (pool, elsewhere, observed) = leading?;
        Ok(Observed {
            pool: pool_state(pool, mfa),
            recoveries: kept(recoveries),
            urls: kept(urls),
            event_copies: kept(event_copies),
            code_signing: kept(code_signing),
            runtime_updates: kept(runtime_updates),
            role: kept(role),
            role_policies: kept(role_policies),
            attached_policies: kept(attached_policies),
            boundary: kept(boundary),
            log_group_tags: match plan {
                true => tags_of(&log_group),
                false => Err(Unread::NotAsked),
            },
            log_group: kept(log_group),
            log_subscriptions: kept(log_subscriptions),
            account_log_subscriptions: kept(account_log_subscriptions),
            secrets: configured
                .and_then(|configured| Ok(configured.into_iter().chain(elsewhere?).collect())),
            metrics,
            leak,
            ..observed
        })
    }

    /// The pool, its clients and the function, then the reads that depend on them.
    async fn what_depends_on_the_function(
        &self,
        config: Option<&Config>,
        choice: &Choice,
    ) -> Result<(Called<PoolDocument>, Read<Vec<KeptSecret>>, Observed)> {
        let (aws, name) = (self.aws, self.function.as_str());
        let (pool, ids, found, aliases, versions, own_policy, own_sources) = tokio::join!(
            aws.describe_pool(self.pool_id),
            self.client_ids(),
            settled_function(aws, name),
            aws.aliases(name),
            aws.versions(name),
            aws.policy(name, None),
            aws.event_sources(name),
        );
        let names = self.names(&pool, &found)?;
        let document = pool.as_ref().ok();
        let ours = document.and_then(|pool| pool.our_triggers(&names).next());
        let called = ours.map_or(names.live(), |(_, arn)| names.qualifier(arn));
        // The trigger's own qualifier is known without a list.
        let qualifiers: BTreeSet<String> = {
            let aliases = aliases.iter().flatten().map(|alias| alias.name.clone());
            let versions = versions.iter().flatten().map(|version| &version.number);
            let published = versions.filter(|number| *number != "$LATEST").cloned();
            let named = [called, names.live()].into_iter().flatten();
            let named = named.map(str::to_owned);
            aliases.chain(published).chain(named).collect()
        };
        // Without a configuration, the deployed settings name the places of the secrets and the directory.
        let deployed = match (config, &found) {
            (None, Ok(Some(found))) => deployed_config(found),
            _ => None,
        };
        let elsewhere = deployed.iter().flat_map(kept_secrets).collect();
        let directory = config.or(deployed.as_ref());
        let (clients, (live, alias_gone), policies, event_sources, jane, elsewhere, watch, web_acl) = tokio::join!(
            self.describe_clients(ids.clone()),
            at_qualifier(aws, name, found.clone(), called),
            policies(aws, name, own_policy, &qualifiers),
            event_sources(aws, name, own_sources, &qualifiers),
            ask_jane(aws, directory, self.region, &found, &ids, choice),
            secrets(aws, self.region, elsewhere, choice),
            self.watch(&names, &found, true),
            web_acl(aws, &names.pool, choice),
        );
        let (watch, concurrency_limit) = watch;
        let alias = aliases.clone().map(|aliases| {
            aliases
                .into_iter()
                .find(|alias| Some(&*alias.name) == names.live())
        });
        let behind = match called {
            Some(_) if called == names.live() && alias_gone => Ok(None),
            Some(_) if called == names.live() => live.clone(),
            _ if names.given_function => self.behind().await,
            _ => behind(&alias, &versions, &found),
        };
        let alias_gone = alias_gone && ours.is_some();
        let observed = Observed {
            clients,
            function: kept(found),
            alias: kept(alias),
            behind: kept(behind),
            live: kept(live),
            alias_gone,
            policies: kept(policies),
            aliases: kept(aliases),
            versions: kept(versions),
            event_sources: kept(event_sources),
            watch,
            concurrency_limit,
            web_acl,
            jane,
            ..Observed::nothing(names)
        };
        Ok((pool, elsewhere, observed))
    }

    /// Names need the pool's account. If the pool cannot be described, the account comes from the function's role.
    fn names(
        &self,
        pool: &Called<PoolDocument>,
        function: &Called<Option<ObservedFunction>>,
    ) -> Result<Names> {
        let unreadable = |error| Error::unreadable_pool(error, self.pool_id, self.region);
        let error = match pool {
            Ok(pool) => {
                let arn = pool.arn().parse().map_err(|why: String| {
                    let update = "this version of jane-migrate does not know such ARNs: update it";
                    Error::new(why, update)
                        .context(format!("failed to read user pool `{}`", self.pool_id))
                });
                return self.names_of(arn?);
            }
            Err(error) => error.clone(),
        };
        let role = match function {
            Ok(Some(found)) if error.kind == Kind::Denied => found.function.role_arn.clone(),
            _ => return Err(unreadable(error)),
        };
        match role.parse::<Arn>() {
            Ok(role) => self.names_of(PoolArn {
                partition: role.partition,
                region: self.region.to_owned(),
                account: role.account,
                id: self.pool_id.clone(),
            }),
            Err(_) => Err(unreadable(error)),
        }
    }

    async fn client_ids(&self) -> Called<Vec<String>> {
        match self.named {
            Some(named) => Ok(named.to_vec()),
            None => self.aws.client_ids(self.pool_id).await,
        }
    }

    /// A listed client may be deleted a moment later; a client named in the configuration must exist.
    async fn describe_clients(&self, ids: Called<Vec<String>>) -> Read<Vec<ClientDocument>> {
        let must_be_there = |id: &String| {
            self.named
                .is_some_and(|named| named.iter().any(|name| name == id))
        };
        let described: Vec<Option<ClientDocument>> = stream::iter(ids?)
            .map(
                async |id| match self.aws.describe_client(self.pool_id, &id).await {
                    Err(error) if error.kind == Kind::NotFound && !must_be_there(&id) => Ok(None),
                    Err(error) => Err(Unread::Client(id, error)),
                    Ok(client) => Ok(Some(client)),
                },
            )
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(described.into_iter().flatten().collect())
    }

    /// Adds clients whose flows deploy changed and that the configuration no longer names: teardown restores them.
    async fn with_opened(
        &self,
        clients: Read<Vec<ClientDocument>>,
        ids: Called<Vec<String>>,
        records: &Records,
    ) -> Read<Vec<ClientDocument>> {
        let (mut clients, ids) = (clients?, ids?);
        let opened = records.clients().into_iter().map(str::to_owned);
        let others: Vec<String> = opened.filter(|id| !ids.contains(id)).collect();
        clients.extend(self.describe_clients(Ok(others)).await?);
        clients.sort_by(|a, b| a.id().cmp(b.id()));
        clients.dedup_by(|a, b| a.id() == b.id());
        Ok(clients)
    }
}

/// A function's settings are deleted with it, so a fresh function has none and needs no reads: Lambda allows fifteen such
/// requests a second for all functions of a Region together. Event sources are read anyway: they outlive their function.
async fn unless_fresh<T: Default>(
    fresh: bool,
    asked: impl Future<Output = Called<T>>,
) -> Called<T> {
    match fresh {
        true => Ok(T::default()),
        false => asked.await,
    }
}

/// Not read for a teardown, which deletes the whole function.
async fn unless_left<T>(left: bool, asked: impl Future<Output = Called<T>>) -> Read<Called<T>> {
    match left {
        true => Err(Unread::NotAsked),
        false => Ok(asked.await),
    }
}

/// Waits until the function's state is final. If it does not become final, returns the last state.
async fn settled_function(aws: &Reader, name: &str) -> Called<Option<ObservedFunction>> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let found = aws.function(name).await?;
        let settling = matches!(&found, Some(function) if matches!(function.state, FunctionState::Settling(_)));
        if !settling || started.elapsed() > SETTLING {
            return Ok(found);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// A trigger on an alias runs that version, with the version's own settings. Also returns whether the alias is missing.
async fn at_qualifier(
    aws: &Reader,
    name: &str,
    found: Called<Option<ObservedFunction>>,
    qualifier: Option<&str>,
) -> (Called<Option<ObservedFunction>>, bool) {
    let (Ok(Some(latest)), Some(qualifier)) = (&found, qualifier) else {
        return (found, false);
    };
    match aws.function(&format!("{name}:{qualifier}")).await {
        Ok(Some(version)) => (Ok(Some(version_of(version, latest))), false),
        Ok(None) => (found, true),
        Err(error) => (Err(error), false),
    }
}

/// A version with the values that belong to the function: name, tags and concurrency.
fn version_of(mut version: ObservedFunction, latest: &ObservedFunction) -> ObservedFunction {
    version.function.name = latest.function.name.clone();
    version.function.tags = latest.function.tags.clone();
    version.function.reserved_concurrency = latest.function.reserved_concurrency;
    version.tags_unread = latest.tags_unread.clone();
    version
}

fn as_function(
    version: Option<ObservedFunction>,
    latest: &Called<Option<ObservedFunction>>,
) -> Option<ObservedFunction> {
    match (version, latest) {
        (Some(version), Ok(Some(latest))) => Some(version_of(version, latest)),
        (version, _) => version,
    }
}

/// The version that our alias points to, according to the lists.
fn behind(
    alias: &Called<Option<Alias>>,
    versions: &Called<Vec<Version>>,
    latest: &Called<Option<ObservedFunction>>,
) -> Called<Option<ObservedFunction>> {
    let Some(alias) = alias.clone()? else {
        return Ok(None);
    };
    let mut versions = versions.clone()?.into_iter();
    let version = versions.find(|version| version.number == alias.version);
    Ok(as_function(version.map(|version| version.runs), latest))
}

async fn policies(
    aws: &Reader,
    name: &str,
    own: Called<Policy>,
    qualifiers: &BTreeSet<String>,
) -> Called<BTreeMap<Option<String>, Policy>> {
    let mut policies: BTreeMap<Option<String>, Policy> = stream::iter(qualifiers)
        .map(async |qualifier| {
            let policy = aws.policy(name, Some(qualifier)).await?;
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

async fn log_group(aws: &Reader, name: &str, with_tags: bool) -> Called<Option<LogGroup>> {
    match with_tags {
        true => aws.tagged_log_group(name).await,
        false => aws.log_group_settings(name).await,
    }
}

async fn attached_policies(aws: &Reader, role: &str) -> Called<BTreeMap<String, Read<Value>>> {
    let arns = aws.attached_policies(role).await?;
    Ok(stream::iter(arns)
        .map(async |arn| {
            let policy = aws.managed_policy(&arn).await;
            (arn, kept(policy))
        })
        .buffered(AT_ONCE)
        .collect()
        .await)
}

/// The secrets that are stored in a service.
fn kept_secrets(config: &Config) -> Vec<Secret> {
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
                place: kept(place),
                policy: kept(policy),
                secret,
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(kept)
}

async fn metrics(
    aws: &Reader,
    pool: &PoolId,
    function: &str,
    region: &str,
    choice: &Choice,
) -> Read<Metrics> {
    match choice.wants("health") {
        true => Ok(aws.day_of_metrics(pool, function, region).await?),
        false => Err(Unread::NotAsked),
    }
}

async fn web_acl(aws: &Reader, pool: &PoolArn, choice: &Choice) -> Read<Option<WebAcl>> {
    match choice.wants("guessing-brake") {
        true => Ok(aws.web_acl(pool).await?),
        false => Err(Unread::NotAsked),
    }
}

/// The field in JSON, searched for in one day of the log; the handler's own lines have no field of this name.
const PASSWORD_FIELD: &str = "\"password\"";

async fn leak(aws: &Reader, group: &str, choice: &Choice) -> Read<Option<i64>> {
    if !choice.wants("log-hygiene") {
        return Err(Unread::NotAsked);
    }
    let since_ms = now_ms() - DAY_MS;
    // The pattern is a search term, which also matches if the field is escaped once more.
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
) -> Answers {
    match (config, clients) {
        (Some(config), Ok(clients)) if choice.wants("jane-knows-client") => {
            let deployed = match function {
                Ok(Some(found)) => Some(&found.function.environment),
                _ => None,
            };
            jane::ask(aws, config, region, deployed, clients.clone()).await
        }
        (Some(_), Err(error)) => Answers::Unread(Box::new(error.clone().into())),
        _ => Answers::NotAsked,
    }
}
