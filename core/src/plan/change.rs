//! The parts of a plan: changes, each with everything that its execution needs, conflicts and findings.

use serde::Serialize;
use serde_json::Value;

use crate::document::{
    ClientDocument, Decisions, Difference, PoolDocument, Reason, Refusal, Rewrite, pool_update,
};
use crate::exposure::Alias;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::ids::Names;
use crate::lease::Lease;
use crate::line::one_line;
use crate::observed::Observed;
use crate::probe::Source;
use crate::record::{Place, Record};
use crate::resources::{Function, LogGroup, ObservedFunction, Role, Tags};
use crate::trigger::Trigger;
use crate::watch::Part;

/// What the operator allows beyond the configuration.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The clients whose sign-ins must migrate; `None`: all of the pool's.
    pub clients: Option<Vec<String>>,
    /// `--enable-password-auth`: allow USER_PASSWORD_AUTH on clients that lack it.
    pub enable_password_auth: bool,
    /// `--replace`: replace existing resources that are not ours.
    pub replace: bool,
    /// `--unknown KEY=carry|drop`: what to do with settings of the pool or client that this version does not know.
    pub unknown: Decisions,
    /// Makes the user name of the probe unique; `None`: no probe.
    pub probe: Option<String>,
    /// `--trust`: the record of deploy's changes to use, even if the other differs.
    pub trust: Option<Place>,
    /// `--trigger-account`: another account whose function may become the pool's trigger again.
    pub trigger_account: Option<String>,
}

/// What happens to a resource; each has a symbol in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// `+`
    Create,
    /// `~`
    Update,
    /// `-`
    Delete,
    /// The function is invoked; nothing is changed.
    Probe,
}

impl Action {
    /// The symbol in the plan.
    pub fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
            Self::Probe => '?',
        }
    }
}

/// The kinds of resource in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// CloudWatch's log group.
    LogGroup,
    /// The execution role.
    Role,
    /// The function.
    Function,
    /// A published version of it.
    Version,
    /// The alias that the pool calls.
    Alias,
    /// The statement that lets Cognito invoke it.
    Permission,
    /// An app client's sign-in flows.
    Client,
    /// Counts a line of the log as a metric.
    MetricFilter,
    /// An alarm of CloudWatch.
    Alarm,
    /// A dashboard of CloudWatch.
    Dashboard,
    /// The pool's triggers that call the function.
    Trigger,
    /// The pool's settings, from a snapshot.
    Pool,
}

impl Resource {
    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::LogGroup => "log group",
            Self::Role => "role",
            Self::Function => "function",
            Self::Version => "version",
            Self::Alias => "alias",
            Self::Permission => "permission",
            Self::Client => "client",
            Self::MetricFilter => "metric filter",
            Self::Alarm => "alarm",
            Self::Dashboard => "dashboard",
            Self::Trigger => "trigger",
            Self::Pool => "pool",
        }
    }
}

/// One change, complete: the text for people, and what `apply` does.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// The kind of resource.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// What changes, as text.
    pub detail: String,
    /// What an update changes, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<Difference>,
    /// What to do.
    #[serde(skip)]
    pub operation: Operation,
}

/// What `apply` does, with everything it needs.
#[derive(Debug, Clone)]
pub enum Operation {
    /// If the pool calls the function itself: publish it as it is, point the alias to that version and let Cognito invoke it.
    Adopt {
        /// The function to publish.
        function: Box<ObservedFunction>,
        /// The alias as it was read.
        from: Option<Alias>,
    },
    /// Before the function changes, make the pool call the alias, which points to the code that the pool calls now, and turn off
    /// the triggers that the settings turn off.
    MoveTrigger(Box<Rewrite>),
    /// Create the log group and set its retention.
    CreateLogGroup(LogGroup),
    /// Set retention, tags and key of the log group.
    UpdateLogGroup {
        /// The intended state.
        group: LogGroup,
        /// Its key differs.
        key: bool,
    },
    /// Create the role and its policy.
    CreateRole(Role),
    /// Add the permissions that the new version needs, and keep those that the live one needs; change the boundary only if it
    /// differs.
    WidenRole(Role),
    /// Create the function with the built code, its first version and the alias.
    CreateFunction(Function),
    /// Update the function to these settings. Customers do not use it yet: the pool calls the alias.
    UpdateFunction {
        /// The intended state.
        function: Function,
        /// Its role was created again, so its environment must be encrypted again: contains the temporary role.
        renew: Option<Box<Role>>,
        /// Its settings differ.
        configuration: bool,
        /// Its code or architecture differs.
        code: bool,
        /// Its reserved concurrency differs.
        concurrency: bool,
        /// Lambda is still changing it: wait for that.
        settling: bool,
        /// Our tags to remove.
        untag: Vec<String>,
    },
    /// Publish the function: as this run leaves it, or as it was read.
    Publish(Box<ObservedFunction>),
    /// Before customers use the version, invoke it for a user that cannot exist.
    Probe(Box<Probe>),
    /// Point the alias to a version. If this run published it, the versions older than the previous one are deleted.
    PointAlias {
        /// The alias as it was read.
        from: Option<Alias>,
        /// The version; `None`: the one that this run published, or else the alias's own version, without shares for others.
        to: Option<String>,
    },
    /// Let Cognito invoke the alias for this pool.
    AllowInvoke {
        /// A statement with our id has other content and must be removed first.
        replaces: bool,
        /// The alias already exists, so Cognito can be allowed before the probe.
        early: bool,
    },
    /// Change a client's flows.
    UpdateClient(Box<Rewrite>),
    /// Change the pool's triggers and nothing else.
    UpdatePool(Box<Rewrite>),
    /// Before removing what only the previous version needs, invoke the live version.
    ProbeLive(Box<Probe>),
    /// Set the role's trust policy and policies, and remove all others.
    NarrowRole {
        /// The intended state.
        role: Role,
        /// Inline policies to remove.
        surplus: Vec<String>,
        /// Managed policies to detach.
        detach: Vec<String>,
        /// The function has left its VPC: first delete the versions that are still in it, and wait for Lambda's network
        /// interfaces.
        leaves_vpc: bool,
    },
    /// Remove our statements from the function's own policy: the pool calls the alias.
    ForbidInvoke(Vec<&'static str>),
    /// Let Cognito invoke another tool's function, with a statement whose id names the snapshot with this record. Remove the
    /// stale statements afterwards.
    Attach {
        /// Deploy's earlier changes and those of this run.
        record: Record,
        /// Our existing statements.
        stale: Vec<String>,
    },
    /// Remove our statements from the policy of another tool's function, if the pool no longer calls it.
    Detach {
        /// Their ids.
        statements: Vec<String>,
    },
    /// Remove from the tags of function and role what was put back in the pool.
    Forget {
        /// The tags of the function.
        function: Tags,
        /// The tags of the role.
        role: Tags,
    },
    /// Create or update an alarm or what belongs to it.
    Watch(Part, Value),
    /// Delete an alarm or what belongs to it.
    Unwatch(Part),
    /// Delete the function with its versions, its alias and their policies, unless it is in use again.
    DeleteFunction {
        /// The record in its tags.
        record: Record,
    },
    /// Delete the role with its policies, after Lambda has used its permissions to delete the function's network interfaces.
    DeleteRole(Role),
    /// Delete the role for the log of an import, with its policy.
    DeleteImportRole,
    /// Delete the log group.
    DeleteLogGroup,
}

impl Operation {
    /// The changes of one stage do not depend on each other. A deploy runs the stages in order, so that the trigger goes live
    /// last; a teardown detaches it first.
    pub fn stage(&self) -> u8 {
        match self {
            Self::Adopt { .. } => 0,
            Self::MoveTrigger(_) => 1,
            // The first write of a first deploy: its tag takes the lease.
            Self::CreateRole(_) | Self::WidenRole(_) => 2,
            Self::CreateLogGroup(_)
            | Self::UpdateLogGroup { .. }
            | Self::CreateFunction(_)
            | Self::UpdateFunction { .. } => 3,
            Self::Publish(_) => 4,
            Self::Probe(_) | Self::AllowInvoke { early: true, .. } => 5,
            Self::Attach { .. } => 7,
            Self::PointAlias { .. } => 6,
            Self::AllowInvoke { early: false, .. } => 7,
            Self::UpdateClient(..) => 8,
            Self::UpdatePool(..) => 9,
            Self::ProbeLive(_) => 10,
            // What customers need comes before the alarms, which would go off meanwhile.
            Self::NarrowRole { .. }
            | Self::ForbidInvoke(_)
            | Self::Forget { .. }
            | Self::Watch(..)
            | Self::Unwatch(_)
            | Self::DeleteImportRole => 11,
            Self::DeleteFunction { .. } | Self::Detach { .. } => 12,
            Self::DeleteLogGroup => 13,
            // The last step: after the alias is deleted, the role's tag holds the lease.
            Self::DeleteRole(_) => 14,
        }
    }

    /// The differences in a document, if one is written.
    fn difference(&self) -> Vec<Difference> {
        match self {
            Self::UpdateClient(rewrite)
            | Self::UpdatePool(rewrite)
            | Self::MoveTrigger(rewrite) => rewrite.differences(),
            _ => Vec::new(),
        }
    }
}

/// What is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The version that this run publishes.
    Published,
    /// The version with this number.
    Version(String),
    /// The alias's version.
    Live,
}

/// How the function is probed.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The events to invoke it with.
    pub events: Vec<(Source, Value)>,
    /// What is probed.
    pub target: Target,
    /// The pool's customers use the alias's version.
    pub live: bool,
    /// The role is new or has new permissions, and IAM may need seconds to propagate them.
    pub patient: bool,
}

/// A resource in our place that is not ours, or that we must not change. With a conflict nothing is changed.
#[derive(Debug, Clone, Serialize)]
pub struct Conflict {
    /// The kind of resource.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// The fix. The report adds it to the document, with the given flags.
    #[serde(skip)]
    pub fix: Fix,
}

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The pool's id.
    pub pool: String,
    /// In the order of execution.
    pub changes: Vec<Change>,
    /// The app clients that a deploy does not change.
    pub left_alone: Vec<LeftAlone>,
    /// What stops the run.
    pub conflicts: Vec<Conflict>,
    /// Findings that stop the run (errors) or that the operator should know (warnings).
    pub findings: Vec<Finding>,
}

/// An app client that no user signs in with, and why.
#[derive(Debug, Clone, Serialize)]
pub struct LeftAlone {
    /// Its id.
    pub client: String,
    /// Its name.
    pub name: String,
    /// The reason.
    pub why: &'static str,
}

impl LeftAlone {
    pub(super) fn of(client: &ClientDocument) -> Option<Self> {
        Some(Self {
            client: client.id().to_owned(),
            name: client.name().to_string(),
            why: client.without_users()?,
        })
    }
}

impl Plan {
    /// Whether anything prevents applying it.
    pub fn is_blocked(&self) -> bool {
        !self.conflicts.is_empty() || self.findings.iter().any(Finding::stops)
    }

    /// Stops it: another run is changing the pool. `by_force` is the command that takes over its lease.
    pub fn stop_for(&mut self, lease: &Lease, by_force: &Fix) {
        let pool = self.pool.clone();
        self.conflict(Resource::Pool, pool, lease.explain(), Lease::wait(by_force));
    }

    /// Whether nothing would be changed: a probe alone does not count.
    pub fn is_empty(&self) -> bool {
        self.changes
            .iter()
            .all(|change| change.action == Action::Probe)
    }

    /// Whether code must be built and uploaded.
    pub fn needs_code(&self) -> bool {
        self.changes.iter().any(|change| {
            matches!(
                change.operation,
                Operation::CreateFunction(_) | Operation::UpdateFunction { code: true, .. }
            )
        })
    }

    /// How many changes of each kind.
    pub fn count(&self, action: Action) -> usize {
        self.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    }

    pub(super) fn change(
        &mut self,
        action: Action,
        resource: Resource,
        name: impl Into<String>,
        detail: impl Into<String>,
        operation: Operation,
    ) {
        self.changes.push(Change {
            action,
            resource,
            name: name.into(),
            detail: one_line(&detail.into()).into_owned(),
            difference: operation.difference(),
            operation,
        });
    }

    /// Sets the differences of the last planned change, field by field.
    pub(super) fn differs_by(&mut self, difference: Vec<Difference>) {
        if let Some(change) = self.changes.last_mut() {
            change.difference = difference;
        }
    }

    pub(super) fn conflict(
        &mut self,
        resource: Resource,
        name: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<Fix>,
    ) {
        self.conflicts.push(Conflict {
            resource,
            name: name.into(),
            message: one_line(&message.into()).into_owned(),
            fix: fix.into(),
        });
    }

    /// A plan without changes.
    pub fn new(names: &Names) -> Self {
        Self {
            pool: names.pool.id.to_string(),
            changes: Vec::new(),
            left_alone: Vec::new(),
            conflicts: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn sorted(mut self) -> Self {
        // A stable sort keeps the order of planning within a stage.
        self.changes.sort_by_key(|change| change.operation.stage());
        self
    }
}

/// Whether a resource in our place is not ours and stops the run; adds the conflict.
pub(super) fn foreign(plan: &mut Plan, resource: Resource, name: &str, allowed: &Allowed) -> bool {
    if allowed.replace {
        return false;
    }
    plan.conflict(
        resource,
        name,
        format!(
            "{} {} of this name exists and was not made by jane-migrate for this pool",
            match resource {
                Resource::Alarm => "an",
                _ => "a",
            },
            resource.label()
        ),
        "look at it; `--replace` takes it over",
    );
    true
}

/// Stops a run while a point-in-time recovery is active. If that could not be read, Cognito's error appears in the step.
pub(super) fn recovering(plan: &mut Plan, observed: &Observed) {
    if let Ok(Some(active)) = observed.active_recovery() {
        plan.conflict(
            Resource::Pool,
            observed.names.pool.id.to_string(),
            format!("a point-in-time recovery to {} is active ({}): the pool takes no writes, and may come back with an older trigger", active.day(), active.status),
            "wait until it has ended, or cancel its preview in the console",
        );
    }
}

pub(super) fn refuse(plan: &mut Plan, resource: Resource, name: &str, refusal: &Refusal) {
    let undecided: Vec<String> = refusal
        .reasons()
        .iter()
        .filter_map(|reason| match reason {
            Reason::Unknown { member } => Some(member.as_str()),
            Reason::Contradiction { member, .. } => Some(member),
            _ => None,
        })
        .map(|member| format!("`--unknown {member}=carry` or `--unknown {member}=drop`"))
        .collect();
    let fix = match &undecided[..] {
        [] => "change it as the message says".to_owned(),
        decisions => decisions.join(", and "),
    };
    plan.conflict(resource, name, refusal.to_string(), fix);
}

/// Our function's short name: its name, and the alias.
pub(super) fn short(arn: &str) -> &str {
    arn.rsplit("function:").next().unwrap_or(arn)
}

pub(super) fn set_triggers(
    pool: &PoolDocument,
    triggers: &[(Trigger, Option<&str>)],
    unknown: &Decisions,
) -> Result<Rewrite, Refusal> {
    Rewrite::of_pool(pool, pool_update(pool, triggers, unknown)?, unknown)
}

/// The tags of `desired` that `found` does not have, or has with another value.
pub fn missing_tags(desired: &Tags, found: &Tags) -> Tags {
    desired
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
