//! Everything the checks look at: what was read of AWS and of the directory, each read with its own error, so that one that is
//! denied keeps only its own checks from being made. `read` fills it; the checks only look.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jane_migrate_config::{
    Config, Date, Function, HandlerSettings, SETTINGS_VARIABLE, Secret, Verify, Window,
};
use serde_json::Value;

use super::jane;
use super::probe::Probes;
use crate::aws::{AwsError, Kind};
use jane_migrate_core::document::{ClientDocument, PoolDocument};
use jane_migrate_core::exposure::Metrics;
use jane_migrate_core::exposure::SecretPlace;
use jane_migrate_core::exposure::{
    Alias, EventCopy, EventSource, FunctionUrl, Subscription, Version,
};
use jane_migrate_core::fix::Flags;
use jane_migrate_core::ids::Names;
use jane_migrate_core::permission::Policy;
use jane_migrate_core::resources::{LogGroup, ObservedFunction, Role, Tags};

/// What came of one read.
pub type Read<T> = Result<T, Unread>;

/// Why something was not read.
#[derive(Debug, Clone)]
pub enum Unread {
    /// The call failed.
    Failed(AwsError),
    /// Nobody asked for it: its checks are not made.
    NotAsked,
}

impl From<AwsError> for Unread {
    fn from(error: AwsError) -> Self {
        Self::Failed(error)
    }
}

/// Everything the checks look at.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The pool and all that is named after it.
    pub names: Names,
    /// What the configuration asks for, where there is one.
    pub config: Option<&'a Config>,
    /// The configuration, or else what the deployed function says of it.
    pub wanted: Option<Cow<'a, Config>>,
    /// The clients whose sign-ins must migrate; `None`: all.
    pub named_clients: Option<&'a [String]>,
    /// The pool as deploy first found it, where that is kept on this machine; one for each life of its migration.
    pub snapshots: Vec<Snapshot>,
    /// Today, in UTC.
    pub today: Date,
    /// The flags that were given, for the commands that are printed.
    pub given: Flags,

    /// The pool.
    pub pool: Read<PoolDocument>,
    /// Its MFA settings.
    pub mfa: Read<Value>,
    /// Its app clients.
    pub clients: Read<Vec<ClientDocument>>,
    /// The function that the trigger calls, or else would.
    pub function: Read<Option<ObservedFunction>>,
    /// Whether the trigger calls an alias that the function does not have; `function` is then without one.
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
    pub code_signing: Read<Option<String>>,
    /// When its runtime is updated.
    pub runtime_updates: Read<Option<String>>,
    /// The execution role, without its policies.
    pub role: Read<Option<Role>>,
    /// The role's inline policies, by name.
    pub role_policies: Read<BTreeMap<String, Value>>,
    /// What the managed policies attached to the role say, by ARN.
    pub attached_policies: Read<BTreeMap<String, Value>>,
    /// What the policy that bounds the role says, where there is one.
    pub boundary: Read<Option<Value>>,
    /// The log group, without its tags.
    pub log_group: Read<Option<LogGroup>>,
    /// Who is sent the lines of the log group.
    pub log_subscriptions: Read<Vec<Subscription>>,
    /// Who is sent the lines of every log group of the account.
    pub account_log_subscriptions: Read<Vec<Subscription>>,
    /// The places where the directory's secrets are kept.
    pub secrets: Read<Vec<KeptSecret>>,
    /// The function's last day.
    pub metrics: Read<Metrics>,
    /// When a line was logged in the last day that holds a password's field, in milliseconds since 1970; only where it was asked.
    pub leak: Read<Option<i64>>,
    /// What Jane says of the clients, where Jane is the directory.
    pub jane: jane::Answers,
    /// What the function answered when it was tried; only where that was asked for.
    pub probes: Option<Probes>,
}

/// The pool before the first deploy.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `UserPool` and `UserPoolMfaConfig`.
    pub json: Value,
    /// SHA-256 of the file.
    pub digest: String,
}

/// A secret of the directory that a service keeps.
#[derive(Debug)]
pub struct KeptSecret {
    /// Which, and where.
    pub secret: Secret,
    /// What the service says of it.
    pub place: Read<Option<SecretPlace>>,
    /// The secret's resource policy; `Null` where it has none.
    pub policy: Read<Value>,
}

/// Why a check could not be made.
#[derive(Debug)]
pub(super) enum Obstacle<'e> {
    /// A read failed.
    Unread(&'e AwsError),
    /// It was not read, because nobody asked.
    NotAsked,
    /// What it looks at is not there; the check for that says so.
    Gone(&'static str),
    /// It compares with the configuration, and there is none.
    NoConfig,
    /// Something else, in words.
    Because(String),
}

impl<'e> From<&'e AwsError> for Obstacle<'e> {
    fn from(error: &'e AwsError) -> Self {
        Self::Unread(error)
    }
}

impl<'e> From<&'e Unread> for Obstacle<'e> {
    fn from(unread: &'e Unread) -> Self {
        match unread {
            Unread::Failed(error) => Self::Unread(error),
            Unread::NotAsked => Self::NotAsked,
        }
    }
}

impl Obstacle<'_> {
    /// Why, and what to do about it.
    pub(super) fn explain(&self) -> (String, Option<String>) {
        match self {
            Self::Unread(error) if error.kind == Kind::Denied => (
                format!("could not be checked: {} is denied", error.action),
                Some(format!("allow `{}` for whoever verifies", error.action)),
            ),
            Self::Unread(error) => (
                format!("could not be checked: {} failed: {error}", error.action),
                None,
            ),
            Self::NotAsked => ("not asked for".into(), None),
            Self::Gone(what) => (format!("could not be checked: there is no {what}"), None),
            Self::NoConfig => (
                "could not be checked: no configuration to compare with".into(),
                Some("name the file with --config".into()),
            ),
            Self::Because(why) => (format!("could not be checked: {why}"), None),
        }
    }
}

impl<'a> Evidence<'a> {
    pub(super) fn config(&self) -> Result<&'a Config, Obstacle<'_>> {
        self.config.ok_or(Obstacle::NoConfig)
    }

    pub(super) fn wanted(&self) -> Result<&Config, Obstacle<'_>> {
        self.wanted.as_deref().ok_or(Obstacle::NoConfig)
    }

    pub(super) fn function(&self) -> Result<&ObservedFunction, Obstacle<'_>> {
        self.function
            .as_ref()?
            .as_ref()
            .ok_or(Obstacle::Gone("function"))
    }

    pub(super) fn role(&self) -> Result<&Role, Obstacle<'_>> {
        self.role.as_ref()?.as_ref().ok_or(Obstacle::Gone("role"))
    }

    /// The clients whose sign-ins must migrate.
    pub(super) fn watched_clients(&self) -> Result<Vec<&ClientDocument>, Obstacle<'_>> {
        let named = |client: &&ClientDocument| {
            self.named_clients
                .is_none_or(|named| named.iter().any(|id| id == client.id()))
        };
        Ok(self.clients.as_ref()?.iter().filter(named).collect())
    }

    /// The alias or version that the trigger calls.
    pub fn trigger_qualifier(&self) -> Option<String> {
        qualifier(&self.names, self.pool.as_ref().ok()?)
    }

    /// The function's tags.
    pub(super) fn tags(&self) -> Result<&Tags, Obstacle<'_>> {
        let found = self.function()?;
        match &found.tags_unread {
            Some(error) => Err(error.into()),
            None => Ok(&found.function.tags),
        }
    }

    /// A command of ours for this pool.
    pub(super) fn ours(&self, command: &str) -> String {
        self.given.ours(command, self.names.pool.id.as_str())
    }

    /// A command of AWS's command line.
    pub(super) fn aws(&self, command: fmt::Arguments<'_>) -> String {
        self.given.aws(command)
    }

    /// The command that puts back what deploy put in place.
    pub(super) fn deploy(&self) -> String {
        self.ours("deploy")
    }

    /// The commands that put back what deploy put into the function, down to what the trigger calls.
    pub(super) fn redeploy(&self) -> String {
        self.for_trigger(self.deploy())
    }

    /// A change of the function, with what takes it to the trigger: an alias stays with the version it leads to.
    pub(super) fn for_trigger(&self, change: String) -> String {
        let name = &self.names.function;
        let Some(alias) = self.trigger_qualifier().filter(|_| !self.alias_gone) else {
            return change;
        };
        let settled = self.aws(format_args!(
            "lambda wait function-updated-v2 --function-name {name}"
        ));
        let publish = self.aws(format_args!(
            "lambda publish-version --function-name {name} --query Version --output text"
        ));
        let lead = self.aws(format_args!(
            "lambda update-alias --function-name {name} --name {alias} --function-version $VERSION --routing-config AdditionalVersionWeights={{}}"
        ));
        // Deploy's last word is verify's, which finds the alias where it was.
        format!("{change}; {settled} && VERSION=$({publish}) && {lead}")
    }
}

/// The alias or version of our function that the pool calls.
pub(super) fn qualifier(names: &Names, pool: &PoolDocument) -> Option<String> {
    pool.user_migration()?
        .strip_prefix(&names.function_arn)?
        .strip_prefix(':')
        .map(str::to_owned)
}

/// The settings in the deployed function's environment, where they can be read.
pub(crate) fn deployed_settings(function: &ObservedFunction) -> Option<HandlerSettings> {
    let settings = function.function.environment.get(SETTINGS_VARIABLE)?;
    HandlerSettings::from_json(settings.expose()).ok()
}

/// The configuration as far as the deployed function tells it. Nothing that it says of the function can differ from the function.
pub(super) fn deployed_config(found: &ObservedFunction) -> Option<Config> {
    let settings = deployed_settings(found)?;
    let function = &found.function;
    Some(Config {
        pools: Vec::new(),
        directory: settings.directory,
        attributes: settings.attributes,
        response: settings.response,
        function: Function {
            architecture: function.architecture,
            memory_mb: function.memory_mb,
            reserved_concurrency: function.reserved_concurrency,
            kms_key_arn: function.kms_key_arn.clone(),
            vpc: function.vpc.clone(),
            ..Function::default()
        },
        window: Window {
            closes: settings.window_closes,
            total_users: None,
        },
        verify: Verify::default(),
    })
}
