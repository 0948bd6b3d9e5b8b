//! What was read of one pool and of everything that deploy creates for it. Each read keeps its own error, so that a denied one
//! does not affect the others. `observe` of the program fills it; plan and checks only read it.

use std::collections::BTreeMap;

use jane_migrate_config::{
    Alarms, Config, FIPS_VARIABLE, Function, HandlerSettings, Import, SETTINGS_VARIABLE, Secret,
    Verify, Window,
};
use serde_json::Value;

use crate::document::{ClientDocument, PoolDocument};
use crate::exposure::{
    Alias, CodeSigning, EventCopy, EventSource, FunctionUrl, Metrics, SecretPlace, Subscription,
    Version,
};
use crate::firewall::WebAcl;
use crate::ids::Names;
use crate::jane::Answers;
use crate::lease::Lease;
use crate::permission::Policy;
use crate::probe::Probes;
use crate::read::{Read, Unread};
use crate::record::Records;
use crate::recovery::Recovery;
use crate::resources::{Environment, LogGroup, ObservedFunction, Role, Tags, is_ours, tag};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;
use crate::watch::Watch;

/// A pool, with the settings that its own document does not have.
#[derive(Debug, Clone)]
pub struct PoolState {
    /// The response of DescribeUserPool.
    pub document: PoolDocument,
    /// The response of GetUserPoolMfaConfig.
    pub mfa: Read<Value>,
}

/// Everything that was read.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The pool and all names that follow from it.
    pub names: Names,
    /// The pool; `None`: it was deleted, and resources of ours remain.
    pub pool: Read<Option<PoolState>>,
    /// The app clients whose sign-ins must migrate, and those whose flows deploy changed.
    pub clients: Read<Vec<ClientDocument>>,
    /// The function itself, which deploy changes.
    pub function: Read<Option<ObservedFunction>>,
    /// Our alias; `None`: the function does not have it.
    pub alias: Read<Option<Alias>>,
    /// The version of our alias; `None`: there is no alias, or no such version.
    pub behind: Read<Option<ObservedFunction>>,
    /// What the trigger calls: the version behind its alias, or else the function itself.
    pub live: Read<Option<ObservedFunction>>,
    /// Whether the trigger calls an alias that the function does not have; `live` is then the function itself.
    pub alias_gone: bool,
    /// The function's resource policies, by alias or version; `None` is its own.
    pub policies: Read<BTreeMap<Option<String>, Policy>>,
    /// Its URLs.
    pub urls: Read<Vec<FunctionUrl>>,
    /// Its aliases.
    pub aliases: Read<Vec<Alias>>,
    /// Its versions.
    pub versions: Read<Vec<Version>>,
    /// What else invokes it.
    pub event_sources: Read<Vec<EventSource>>,
    /// Where copies of events go.
    pub event_copies: Read<Vec<EventCopy>>,
    /// Its code signing configuration.
    pub code_signing: Read<Option<CodeSigning>>,
    /// When its runtime is updated.
    pub runtime_updates: Read<Option<String>>,
    /// The execution role, without its policies.
    pub role: Read<Option<Role>>,
    /// The role for the log of an import, which a killed import leaves behind; only a teardown reads it.
    pub import_role: Read<Option<Role>>,
    /// The role's inline policies, by name.
    pub role_policies: Read<BTreeMap<String, Value>>,
    /// The documents of the managed policies attached to the role, by ARN.
    pub attached_policies: Read<BTreeMap<String, Read<Value>>>,
    /// The document of the role's permissions boundary, if it has one.
    pub boundary: Read<Option<Value>>,
    /// The log group, without its tags.
    pub log_group: Read<Option<LogGroup>>,
    /// The log group's tags; none if there is no log group.
    pub log_group_tags: Read<Tags>,
    /// Where the lines of the log group are sent.
    pub log_subscriptions: Read<Vec<Subscription>>,
    /// Where the lines of every log group of the account are sent.
    pub account_log_subscriptions: Read<Vec<Subscription>>,
    /// The places of the directory's secrets.
    pub secrets: Read<Vec<KeptSecret>>,
    /// The function's metrics of the last day.
    pub metrics: Read<Metrics>,
    /// The time of a log line of the last day that contains a password field, in milliseconds since 1970.
    pub leak: Read<Option<i64>>,
    /// The pool's AWS WAF web ACL.
    pub web_acl: Read<Option<WebAcl>>,
    /// The pool's point-in-time recoveries, the newest first.
    pub recoveries: Read<Vec<Recovery>>,
    /// The alarms, with their metric filters and dashboard.
    pub watch: Read<Watch>,
    /// The account's limit of concurrent executions of all functions; `None`: it was not needed.
    pub concurrency_limit: Read<Option<u32>>,
    /// Jane's responses about the clients, if Jane is the directory.
    pub jane: Answers,
    /// The function's responses to the probe, if one was requested.
    pub probes: Option<Probes>,
}

/// A secret of the directory in a service.
#[derive(Debug, Clone)]
pub struct KeptSecret {
    /// The secret and its place.
    pub secret: Secret,
    /// The service's description of it.
    pub place: Read<Option<SecretPlace>>,
    /// The secret's resource policy; `Null` if it has none.
    pub policy: Read<Value>,
}

impl Observed {
    /// Nothing is read yet.
    pub fn nothing(names: Names) -> Self {
        Self {
            names,
            pool: Err(Unread::NotAsked),
            clients: Err(Unread::NotAsked),
            function: Err(Unread::NotAsked),
            alias: Err(Unread::NotAsked),
            behind: Err(Unread::NotAsked),
            live: Err(Unread::NotAsked),
            alias_gone: false,
            policies: Err(Unread::NotAsked),
            urls: Err(Unread::NotAsked),
            aliases: Err(Unread::NotAsked),
            versions: Err(Unread::NotAsked),
            event_sources: Err(Unread::NotAsked),
            event_copies: Err(Unread::NotAsked),
            code_signing: Err(Unread::NotAsked),
            runtime_updates: Err(Unread::NotAsked),
            role: Err(Unread::NotAsked),
            import_role: Ok(None),
            role_policies: Err(Unread::NotAsked),
            attached_policies: Err(Unread::NotAsked),
            boundary: Err(Unread::NotAsked),
            log_group: Err(Unread::NotAsked),
            log_group_tags: Err(Unread::NotAsked),
            log_subscriptions: Err(Unread::NotAsked),
            account_log_subscriptions: Err(Unread::NotAsked),
            secrets: Err(Unread::NotAsked),
            metrics: Err(Unread::NotAsked),
            leak: Err(Unread::NotAsked),
            web_acl: Err(Unread::NotAsked),
            recoveries: Err(Unread::NotAsked),
            watch: Ok(Watch::new()),
            concurrency_limit: Ok(None),
            jane: Answers::NotAsked,
            probes: None,
        }
    }

    /// The pool, which exists.
    pub fn pool(&self) -> Read<&PoolState> {
        self.pool
            .as_ref()?
            .as_ref()
            .ok_or(Unread::Gone("user pool"))
    }

    /// The pool's MFA settings.
    pub fn mfa(&self) -> Read<&Value> {
        Ok(self.pool()?.mfa.as_ref()?)
    }

    /// The function itself, with its tags: without them it is unknown whether it is ours.
    pub fn function(&self) -> Read<Option<&ObservedFunction>> {
        match self.function.as_ref()? {
            Some(found) => match &found.tags_unread {
                Some(unread) => Err(unread.into()),
                None => Ok(Some(found)),
            },
            None => Ok(None),
        }
    }

    /// The execution role with all its policies.
    pub fn whole_role(&self) -> Read<Option<Role>> {
        let Some(role) = self.role.as_ref()? else {
            return Ok(None);
        };
        Ok(Some(Role {
            policies: self.role_policies.clone()?,
            attached: self.attached_policies.as_ref()?.keys().cloned().collect(),
            ..role.clone()
        }))
    }

    /// The log group with its tags.
    pub fn whole_log_group(&self) -> Read<Option<LogGroup>> {
        let Some(group) = self.log_group.as_ref()? else {
            return Ok(None);
        };
        Ok(Some(LogGroup {
            tags: self.log_group_tags.clone()?,
            ..group.clone()
        }))
    }

    /// The resource policy of an alias, or of the function itself.
    pub fn policy(&self, qualifier: Option<&str>) -> Read<Policy> {
        let policies = self.policies.as_ref()?;
        let policy = policies.get(&qualifier.map(str::to_owned));
        Ok(policy.cloned().unwrap_or_default())
    }

    /// The recovery that pauses writes to the pool now.
    pub fn active_recovery(&self) -> Read<Option<&Recovery>> {
        let mut all = self.recoveries.as_ref()?.iter();
        Ok(all.find(|recovery| recovery.is_active()))
    }

    /// The record of deploy's changes, from the tags or the snapshots.
    pub fn records(&self, snapshots: &[Snapshot]) -> Read<Records> {
        if self.names.given_function {
            let policy = self.policy(self.names.live())?;
            return Ok(Records::given(&policy, snapshots));
        }
        let role = self.role.as_ref()?.as_ref();
        Ok(Records::of(self.function()?, role, &self.names.pool))
    }

    /// The lease of the current or last run. Another tool's function has none.
    pub fn lease(&self) -> Option<Lease> {
        if self.names.given_function {
            return None;
        }
        match &self.alias {
            Ok(Some(alias)) => alias.lease.clone(),
            Ok(None) => Lease::parse(self.own_role()?.tags.get(tag::LEASE)?),
            Err(_) => None,
        }
    }

    /// The execution role, if it is ours.
    pub fn own_role(&self) -> Option<&Role> {
        let role = self.role.as_ref().ok()?.as_ref()?;
        Some(role).filter(|role| is_ours(&role.tags, &self.names.pool))
    }

    /// The triggers of the pool that call our function, with the ARN that they call.
    pub fn our_triggers(&self) -> impl Iterator<Item = (Trigger, &str)> {
        let pool = self.pool().ok().into_iter();
        pool.flat_map(|pool| pool.document.our_triggers(&self.names))
    }

    /// Whether the pool calls our function with this trigger.
    pub fn calls_us(&self, trigger: Trigger) -> bool {
        self.our_triggers().any(|(ours, _)| ours == trigger)
    }

    /// Whether the pool calls the function itself, so that customers use each change of it at once.
    pub fn calls_function_itself(&self) -> bool {
        self.our_triggers()
            .any(|(_, arn)| self.names.is_latest(arn))
    }

    /// The alias or version of our function that the pool calls, or would call: ours, unless a trigger calls another. `None`: the
    /// function itself.
    pub fn trigger_qualifier(&self) -> Option<&str> {
        match self.our_triggers().next() {
            Some((_, arn)) => self.names.qualifier(arn),
            None => self.names.live(),
        }
    }

    /// The clients whose sign-ins must migrate: the named ones, or else all of the pool's; without those that have no users.
    pub fn watched_clients(&self, named: Option<&[String]>) -> Read<Vec<&ClientDocument>> {
        let clients = self.clients_named(named)?;
        let has_users = |client: &&ClientDocument| client.without_users().is_none();
        Ok(clients.filter(has_users).collect())
    }

    /// Of these, the clients that are not changed, because they have no users.
    pub fn clients_left_alone(&self, named: Option<&[String]>) -> Read<Vec<&ClientDocument>> {
        let clients = self.clients_named(named)?;
        let has_none = |client: &&ClientDocument| client.without_users().is_some();
        Ok(clients.filter(has_none).collect())
    }

    /// The client for the function's probe: one that customers use, if there is one.
    pub fn probing_client(&self, named: Option<&[String]>) -> Read<Option<&ClientDocument>> {
        let watched = self.watched_clients(named)?;
        let open = watched.iter().find(|client| client.allows_password_auth());
        Ok(open.or(watched.first()).copied())
    }

    fn clients_named(
        &self,
        named: Option<&[String]>,
    ) -> Read<impl Iterator<Item = &ClientDocument>> {
        let watched = move |client: &&ClientDocument| {
            named.is_none_or(|named| named.iter().any(|id| id == client.id()))
        };
        Ok(self.clients.as_ref()?.iter().filter(watched))
    }
}

/// The settings in the deployed function's environment, if they can be read.
pub fn deployed_settings(function: &ObservedFunction) -> Option<HandlerSettings> {
    settings_of(&function.function.environment)
}

/// The handler's settings in a function's environment.
pub fn settings_of(environment: &Environment) -> Option<HandlerSettings> {
    let settings = environment.get(SETTINGS_VARIABLE)?;
    HandlerSettings::from_json(settings.expose()).ok()
}

/// The configuration, as far as the deployed function's settings contain it. Its values about the function are those of the
/// function.
pub fn deployed_config(found: &ObservedFunction) -> Option<Config> {
    let settings = deployed_settings(found)?;
    let function = &found.function;
    Some(Config {
        pools: Vec::new(),
        directory: settings.directory,
        attributes: settings.attributes,
        response: settings.response,
        triggers: settings.triggers,
        on_migrated: settings.on_migrated,
        function: Function {
            architecture: function.architecture,
            memory_mb: function.memory_mb,
            reserved_concurrency: function.reserved_concurrency,
            kms_key_arn: function.kms_key_arn.clone(),
            fips: function.environment.contains_key(FIPS_VARIABLE),
            vpc: function.vpc.clone(),
            ..Function::default()
        },
        alarms: Alarms::default(),
        window: Window {
            closes: settings.window_closes,
            total_users: None,
            share: settings.window_share,
        },
        verify: Verify::default(),
        import: Import::default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;
    use crate::resources::EnvValue;

    fn deployed() -> (Observed, Config) {
        let fixture = fixtures::all("checks")
            .into_iter()
            .find(|fixture| fixture.name == "trigger-registered-holds-1")
            .unwrap();
        (fixture.observed(), fixture.config().unwrap())
    }

    #[test]
    fn a_role_is_read_with_all_its_policies() {
        let (mut observed, _) = deployed();
        let arn = "arn:aws:iam::123456789012:policy/p".to_owned();
        observed.attached_policies = Ok([(arn.clone(), Err(Unread::NotAsked))].into());
        let role = observed.whole_role().unwrap().unwrap();
        assert_eq!(role.attached, [arn]);
        assert!(!role.policies.is_empty());
        observed.role_policies = Err(Unread::NotAsked);
        assert!(observed.whole_role().is_err());
        observed.role = Ok(None);
        assert!(matches!(observed.whole_role(), Ok(None)));
    }

    #[test]
    fn the_named_clients_are_watched_or_else_all() {
        let (observed, _) = deployed();
        let all = observed.watched_clients(None).unwrap();
        let first = vec![all[0].id().to_owned()];
        let named = observed.watched_clients(Some(&first)).unwrap();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].id(), first[0]);
        assert!(observed.watched_clients(Some(&[])).unwrap().is_empty());
    }

    #[test]
    fn clients_without_users_are_neither_watched_nor_probed_by() {
        let (mut observed, _) = deployed();
        let client = |id: &str, members: Value| {
            let mut client = members;
            client["ClientId"] = id.into();
            client["UserPoolId"] = "us-west-2_Ab1".into();
            ClientDocument::from_json(client).unwrap()
        };
        let machine = json!({ "AllowedOAuthFlows": ["client_credentials"], "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"] });
        observed.clients = Ok(vec![
            client("a", machine),
            client("b", json!({})),
            client(
                "c",
                json!({ "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"] }),
            ),
        ]);
        let ids = |clients: Vec<&ClientDocument>| -> Vec<String> {
            clients
                .iter()
                .map(|client| client.id().to_owned())
                .collect()
        };
        assert_eq!(ids(observed.watched_clients(None).unwrap()), ["b", "c"]);
        assert_eq!(ids(observed.clients_left_alone(None).unwrap()), ["a"]);
        let probing = observed.probing_client(None).unwrap().unwrap();
        assert_eq!(probing.id(), "c");
        let named = ["a".to_owned()];
        assert!(observed.watched_clients(Some(&named)).unwrap().is_empty());
        assert!(observed.probing_client(Some(&named)).unwrap().is_none());
    }

    /// Their numbers are at a place where serde accepts two forms.
    #[test]
    fn settings_with_statuses_are_read_back() {
        let toml = "[directory]\nkind = 'http'\n[directory.authenticate]\nurl = 'https://a.example/'\njson = '{password}'\n\
            ok = [200]\nwrong_password = [401, { status = 400, pointer = '/code', equals = 7 }]\n[attributes]\nemail = 'email'\n";
        let config = jane_migrate_config::parse(toml, "migrate.toml").unwrap();
        let settings = HandlerSettings::new(&config, &Default::default());
        let read = HandlerSettings::from_json(&settings.to_json()).unwrap();
        assert_eq!(read, settings);
    }

    #[test]
    fn the_configuration_is_read_from_the_deployed_function() {
        let (observed, config) = deployed();
        let mut found = observed.live.unwrap().unwrap();
        found.function.memory_mb = 1024;
        found.function.reserved_concurrency = Some(7);
        found.function.kms_key_arn = Some("arn:aws:kms:us-west-2:123456789012:key/k".into());
        found.function.vpc = Some(jane_migrate_config::Vpc {
            subnets: vec!["subnet-1".into()],
            security_groups: vec!["sg-1".into()],
        });
        let told = deployed_config(&found).unwrap();
        assert_eq!(told.directory, config.directory);
        assert_eq!(told.attributes, config.attributes);
        assert_eq!(told.function.memory_mb, 1024);
        assert_eq!(told.function.reserved_concurrency, Some(7));
        assert_eq!(told.function.kms_key_arn, found.function.kms_key_arn);
        assert_eq!(told.function.vpc, found.function.vpc);
        assert!(!told.function.fips);
        let fips = EnvValue::new("true");
        found
            .function
            .environment
            .insert(FIPS_VARIABLE.to_owned(), fips);
        assert!(deployed_config(&found).unwrap().function.fips);
        let other = match found.function.architecture {
            jane_migrate_config::Architecture::X86_64 => jane_migrate_config::Architecture::Arm64,
            _ => jane_migrate_config::Architecture::X86_64,
        };
        found.function.architecture = other;
        assert_eq!(
            deployed_config(&found).unwrap().function.architecture,
            other
        );
        found.function.environment.clear();
        assert!(deployed_settings(&found).is_none());
    }

    #[test]
    fn the_lease_is_the_aliass_or_else_the_roles() {
        let (mut observed, _) = deployed();
        let Ok(Some(role)) = &mut observed.role else {
            panic!("no role")
        };
        let lease = Lease::parse("teardown by ann since Monday until 7 run r7").unwrap();
        role.tags.insert(tag::LEASE.to_owned(), lease.to_string());
        assert!(observed.own_role().is_some());
        observed.alias = Ok(None);
        assert_eq!(observed.lease(), Some(lease.clone()));
        observed.names.given_function = true;
        assert_eq!(observed.lease(), None);
        observed.names.given_function = false;
        let Ok(Some(role)) = &mut observed.role else {
            panic!("no role")
        };
        role.tags.remove(tag::POOL);
        assert!(observed.own_role().is_none());
        assert_eq!(observed.lease(), None, "the role is another owner's");
    }

    #[test]
    fn a_trigger_of_the_pool_that_calls_our_function_is_ours() {
        let (observed, _) = deployed();
        assert!(observed.calls_us(Trigger::UserMigration));
        assert!(!observed.calls_us(Trigger::PreSignUp));
        assert_eq!(observed.trigger_qualifier(), Some("live"));
    }
}
