//! The input of the checks: what was observed and what was requested; and the commands that fix a failed check.

use std::borrow::Cow;
use std::fmt;

use jane_migrate_config::{Config, Date};

use crate::document::ClientDocument;
use crate::fix::{Fix, fix};
use crate::ids::Names;
use crate::observed::{Observed, deployed_config};
use crate::read::{Read, Unread};
use crate::resources::{ObservedFunction, Role, Tags};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;

/// What was requested, beside what was observed.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The configuration, if there is one.
    pub config: Option<&'a Config>,
    /// The clients whose sign-ins must migrate; `None`: all.
    pub clients: Option<&'a [String]>,
    /// The snapshots of the pool on this machine; one for each migration of the pool.
    pub snapshots: &'a [Snapshot],
    /// Today, in UTC.
    pub today: Date,
    /// The kind of directory that the deployed code serves, if its digest is known.
    pub code_serves: Option<&'static str>,
}

/// The input of the checks.
#[derive(Debug)]
pub struct Subject<'a> {
    pub(super) observed: &'a Observed,
    pub(super) asked: &'a Asked<'a>,
    pub(super) names: &'a Names,
    wanted: Option<Cow<'a, Config>>,
}

impl<'a> Subject<'a> {
    /// Combines what was observed and what was requested.
    pub fn new(observed: &'a Observed, asked: &'a Asked<'a>) -> Self {
        let wanted = match (asked.config, &observed.live) {
            (Some(config), _) => Some(Cow::Borrowed(config)),
            (None, Ok(Some(found))) => deployed_config(found).map(Cow::Owned),
            _ => None,
        };
        Self {
            observed,
            asked,
            names: &observed.names,
            wanted,
        }
    }

    pub(super) fn config(&self) -> Read<&'a Config> {
        self.asked.config.ok_or(Unread::NoConfig)
    }

    /// The configuration, or else the settings of the deployed function.
    pub(super) fn wanted(&self) -> Read<&Config> {
        self.wanted.as_deref().ok_or(Unread::NoConfig)
    }

    /// Whether the pool should call our function with this trigger.
    pub(super) fn is_on(&self, trigger: Trigger) -> bool {
        match self.wanted() {
            Ok(config) => trigger.is_on(config, self.asked.today),
            Err(_) => trigger == Trigger::UserMigration,
        }
    }

    /// Whether customers migrate, or should.
    pub(super) fn migrates(&self) -> bool {
        let migration = Trigger::UserMigration;
        self.is_on(migration) || self.observed.calls_us(migration)
    }

    /// The function version that the trigger calls.
    pub(super) fn function(&self) -> Read<&ObservedFunction> {
        let found = self.observed.live.as_ref()?.as_ref();
        found.ok_or(Unread::Gone("function"))
    }

    pub(super) fn role(&self) -> Read<&Role> {
        let found = self.observed.role.as_ref()?.as_ref();
        found.ok_or(Unread::Gone("role"))
    }

    /// The clients whose sign-ins must migrate.
    pub(super) fn watched_clients(&self) -> Read<Vec<&ClientDocument>> {
        self.observed.watched_clients(self.asked.clients)
    }

    /// The function's tags.
    pub(super) fn tags(&self) -> Read<&Tags> {
        let found = self.function()?;
        match &found.tags_unread {
            Some(error) => Err(error.into()),
            None => Ok(&found.function.tags),
        }
    }

    /// A command of this program for this pool.
    pub(super) fn ours(&self, command: &str) -> Fix {
        Fix::ours(command, &self.names.pool.id, "")
    }

    /// A command of the AWS CLI.
    pub(super) fn aws(&self, command: impl fmt::Display) -> Fix {
        Fix::aws(command)
    }

    /// The `deploy` command that repairs a deployment. It includes the flag for the clients that would stop it; it replaces
    /// foreign resources only in the fix of a check about them, because an operator should look at them first.
    pub(super) fn deploy(&self) -> Fix {
        self.deploy_with("")
    }

    /// The same, but replaces foreign resources.
    pub(super) fn deploy_replacing(&self) -> Fix {
        self.deploy_with(" --replace")
    }

    fn deploy_with(&self, more: &str) -> Fix {
        let closed = self
            .watched_clients()
            .is_ok_and(|clients| clients.iter().any(|client| !client.allows_password_auth()));
        let open = if closed {
            " --enable-password-auth"
        } else {
            ""
        };
        Fix::ours("deploy", &self.names.pool.id, &format!("{open}{more}"))
    }

    /// The fix for the function, its log group or its role: a deploy, or the tool that owns the function.
    pub(super) fn redeploy(&self) -> Fix {
        self.of_function(self.deploy())
    }

    /// The same after a first step: `first` is a sentence without its full stop.
    pub(super) fn then_redeploy(&self, first: impl fmt::Display) -> Fix {
        match self.names.given_function {
            true => fix![format!("{first}; then "), self.redeploy()],
            false => fix![format!("{first}, then run `"), self.deploy(), "`"],
        }
    }

    /// The same if another command than deploy fixes our own function.
    pub(super) fn of_function(&self, ours: Fix) -> Fix {
        if !self.names.given_function {
            return ours;
        }
        fix![
            format!(
                "change it where function {} is defined; jane-migrate never changes that function. What it needs: `",
                self.names.function
            ),
            self.ours("settings"),
            "`",
        ]
    }

    /// A change of the function, followed by a deploy, because an alias keeps its version.
    pub(super) fn for_trigger(&self, change: Fix) -> Fix {
        self.of_function(match self.observed.trigger_qualifier() {
            Some(_) => fix![change, " && ", self.deploy()],
            None => change,
        })
    }
}
