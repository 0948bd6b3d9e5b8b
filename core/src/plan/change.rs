//! What a plan is made of: changes, each with everything that carrying it out needs, conflicts and findings.

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

/// What the operator allows beyond the config.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The clients whose sign-ins must migrate; `None`: all of the pool's.
    pub clients: Option<Vec<String>>,
    /// `--enable-password-auth`: open USER_PASSWORD_AUTH on clients that lack it.
    pub enable_password_auth: bool,
    /// `--replace`: take over what stands in our place and is not ours.
    pub replace: bool,
    /// `--unknown KEY=carry|drop`: what to do with members of the pool or client that this build does not know.
    pub unknown: Decisions,
    /// What makes the name of the user new with whom the function is tried; `None`: it is not tried.
    pub probe: Option<String>,
    /// `--trust`: the record of what deploy changed that is believed, whatever the other says.
    pub trust: Option<Place>,
    /// `--trigger-account`: another account, whose function may become the pool's trigger again.
    pub trigger_account: Option<String>,
}

/// What happens to a resource; the symbols of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// `+`
    Create,
    /// `~`
    Update,
    /// `-`
    Delete,
    /// The function is invoked, nothing is changed.
    Probe,
}

impl Action {
    /// The symbol a plan shows.
    pub fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
            Self::Probe => '?',
        }
    }
}

/// The kinds of thing a plan touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// CloudWatch's log group.
    LogGroup,
    /// The execution role.
    Role,
    /// The function.
    Function,
    /// A version of it, frozen under a number.
    Version,
    /// The alias that the pool calls.
    Alias,
    /// The statement that lets Cognito invoke it.
    Permission,
    /// An app client's sign-in flows.
    Client,
    /// What counts a line of the log as a metric.
    MetricFilter,
    /// An alarm of CloudWatch.
    Alarm,
    /// A dashboard of CloudWatch.
    Dashboard,
    /// The pool's triggers that call the function.
    Trigger,
    /// The pool's settings, as a snapshot has them.
    Pool,
}

impl Resource {
    /// As people read it.
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

/// One change, complete: what people read of it and what `apply` does.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// To what kind of thing.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// What is new about it, in words.
    pub detail: String,
    /// What an update changes, member by member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<Difference>,
    /// What to do.
    #[serde(skip)]
    pub operation: Operation,
}

/// What `apply` does, with all it needs.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Where the pool calls the function itself: publish it as it is, point the alias to that version and let Cognito invoke it.
    Adopt {
        /// What is published.
        function: Box<ObservedFunction>,
        /// The alias as it is.
        from: Option<Alias>,
    },
    /// Before the function changes, let the pool call the alias, which leads to what the pool calls now, and no longer call the function
    /// by a trigger that is turned off.
    MoveTrigger(Box<Rewrite>),
    /// Make the log group and set its retention.
    CreateLogGroup(LogGroup),
    /// Set retention, tags and key of the log group.
    UpdateLogGroup {
        /// As it should be.
        group: LogGroup,
        /// Its key is another.
        key: bool,
    },
    /// Make the role and its policy.
    CreateRole(Role),
    /// Give the role what the new version needs, and leave it what the live one needs; the boundary only where it is another.
    WidenRole(Role),
    /// Make the function with the built code, its first version and the alias.
    CreateFunction(Function),
    /// Bring the function to these settings. No customer meets it: the pool calls the alias.
    UpdateFunction {
        /// As it should be.
        function: Function,
        /// Its role was made again, so its environment must be encrypted anew: the role that it has meanwhile.
        renew: Option<Box<Role>>,
        /// Its settings differ.
        configuration: bool,
        /// Its code or architecture differs.
        code: bool,
        /// Its reserved concurrency differs.
        concurrency: bool,
        /// Lambda is in the middle of something, which is waited for.
        settling: bool,
        /// Our tags that it should no longer have.
        untag: Vec<String>,
    },
    /// Freeze the function under a number: as this run leaves it, or as it was read.
    Publish(Box<ObservedFunction>),
    /// Invoke what customers will meet for a user that cannot exist, before any customer does.
    Probe(Box<Probe>),
    /// Point the alias to a version. Where this run published that, those before the one that it led to are deleted.
    PointAlias {
        /// The alias as it is.
        from: Option<Alias>,
        /// The version; `None`: the one that this run published, or the one that it leads to, and nothing beside it.
        to: Option<String>,
    },
    /// Let Cognito invoke the alias for this pool.
    AllowInvoke {
        /// A statement of our id says something else and must go first.
        replaces: bool,
        /// The alias is there before anything is tried, and may be let in meanwhile.
        early: bool,
    },
    /// Change a client's flows.
    UpdateClient(Box<Rewrite>),
    /// Change the pool's triggers and nothing else.
    UpdatePool(Box<Rewrite>),
    /// Invoke what customers meet now, before anything is taken away that only the version before needs.
    ProbeLive(Box<Probe>),
    /// Bring trust and policies of the role to these, and take the rest away.
    NarrowRole {
        /// As it should be.
        role: Role,
        /// Inline policies to take away.
        surplus: Vec<String>,
        /// Managed policies to detach.
        detach: Vec<String>,
        /// The function has left its VPC: versions that are still in it go first, and Lambda's network interfaces.
        leaves_vpc: bool,
    },
    /// Take statements of ours out of the function's own policy: the pool calls the alias.
    ForbidInvoke(Vec<&'static str>),
    /// Let Cognito invoke a function that another tool made, by a statement whose id names the snapshot with this record. Takes the
    /// stale ones out afterwards.
    Attach {
        /// What deploy changed, and changes.
        record: Record,
        /// Our statements that are there.
        stale: Vec<String>,
    },
    /// Take our statements out of the policy of a function that another tool made, where the pool calls it no more.
    Detach {
        /// Their ids.
        statements: Vec<String>,
    },
    /// Take out of the tags what was taken back of the pool: those of the function and of the role that say nothing any more.
    Forget {
        /// The function's.
        function: Tags,
        /// The role's.
        role: Tags,
    },
    /// Make an alarm or what belongs to it, or bring it to this.
    Watch(Part, Value),
    /// Delete an alarm or what belongs to it.
    Unwatch(Part),
    /// Delete the function, and with it its versions, its alias and their policies, where nobody has taken it into use again.
    DeleteFunction {
        /// What it says that deploy changed.
        record: Record,
    },
    /// Delete the role with its policies, once Lambda has deleted the function's network interfaces with its rights.
    DeleteRole(Role),
    /// Delete the role for the log of an import, with its policy.
    DeleteImportRole,
    /// Delete the log group.
    DeleteLogGroup,
}

impl Operation {
    /// Changes of one stage depend on nothing of each other. A deploy runs the stages in order, so that the trigger goes live
    /// last; a teardown detaches it first.
    pub fn stage(&self) -> u8 {
        match self {
            Self::Adopt { .. } => 0,
            Self::MoveTrigger(_) => 1,
            // The first write of a first deploy, which takes the lease of the pool by it.
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
            // What customers need comes before the alarms, which would ring meanwhile.
            Self::NarrowRole { .. }
            | Self::ForbidInvoke(_)
            | Self::Forget { .. }
            | Self::Watch(..)
            | Self::Unwatch(_)
            | Self::DeleteImportRole => 11,
            Self::DeleteFunction { .. } | Self::Detach { .. } => 12,
            Self::DeleteLogGroup => 13,
            // The last of it: it says that a teardown is at work, once the alias is gone.
            Self::DeleteRole(_) => 14,
        }
    }

    /// How a document will differ from what it is, where one is written.
    fn difference(&self) -> Vec<Difference> {
        match self {
            Self::UpdateClient(rewrite)
            | Self::UpdatePool(rewrite)
            | Self::MoveTrigger(rewrite) => rewrite.differences(),
            _ => Vec::new(),
        }
    }
}

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The version that this run published.
    Published,
    /// The version of this number.
    Version(String),
    /// What the alias leads to.
    Live,
}

/// How the function is tried.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The events to invoke it with.
    pub events: Vec<(Source, Value)>,
    /// What is tried.
    pub target: Target,
    /// Customers of the pool meet what the alias leads to.
    pub live: bool,
    /// The role is new or has new rights, and IAM may need seconds to tell everybody.
    pub patient: bool,
}

/// Something in our place that is not ours, or that we must not touch. Nothing is changed while one stands.
#[derive(Debug, Clone, Serialize)]
pub struct Conflict {
    /// The kind of thing.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What the operator may do. The report adds it to the document, with the flags that were given.
    #[serde(skip)]
    pub fix: Fix,
}

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The pool's id.
    pub pool: String,
    /// In the order they are applied.
    pub changes: Vec<Change>,
    /// The app clients that a deploy does not look at.
    pub left_alone: Vec<LeftAlone>,
    /// What stops the run.
    pub conflicts: Vec<Conflict>,
    /// What stops the run (errors) or should be known (warnings).
    pub findings: Vec<Finding>,
}

/// An app client that nobody signs in through, and why.
#[derive(Debug, Clone, Serialize)]
pub struct LeftAlone {
    /// Its id.
    pub client: String,
    /// The name people gave it.
    pub name: String,
    /// Why nobody does.
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
    /// Whether anything forbids applying it.
    pub fn is_blocked(&self) -> bool {
        !self.conflicts.is_empty() || self.findings.iter().any(Finding::stops)
    }

    /// Stops it: another run is at work on the pool. `by_force` is the command that takes its lease.
    pub fn stop_for(&mut self, lease: &Lease, by_force: &Fix) {
        let pool = self.pool.clone();
        self.conflict(Resource::Pool, pool, lease.explain(), Lease::wait(by_force));
    }

    /// Whether nothing would be changed: trying the function alone is no reason to.
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
            detail: detail.into(),
            difference: operation.difference(),
            operation,
        });
    }

    /// Says what the change planned last does, member by member.
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

    /// Nothing is to be done yet.
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
        // Stable: within a stage the order of planning stays.
        self.changes.sort_by_key(|change| change.operation.stage());
        self
    }
}

/// Whether a run must stop at something in our place that is not ours; says so.
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

/// Stops a run while a point-in-time recovery is active. Where it could not be asked, what Cognito refuses is an error of the step.
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

/// Our function as people know it: its name, and the alias.
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

/// The tags of `desired` that `found` lacks or has otherwise.
pub fn missing_tags(desired: &Tags, found: &Tags) -> Tags {
    desired
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
