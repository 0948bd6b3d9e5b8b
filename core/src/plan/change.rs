//! What a plan is made of: changes, each with everything that carrying it out needs, conflicts and findings.

use serde::Serialize;
use serde_json::Value;

use crate::document::{
    ClientDocument, Decisions, Difference, PoolDocument, Reason, Refusal, Rewrite, pool_update,
};
use crate::finding::Finding;
use crate::fix::Fix;
use crate::ids::Names;
use crate::line::one_line;
use crate::resources::{Function, LogGroup, Role, Tags};

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
    /// The statement that lets Cognito invoke it.
    Permission,
    /// An app client's sign-in flows.
    Client,
    /// The pool's UserMigration trigger.
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
            Self::Permission => "permission",
            Self::Client => "client",
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
    /// Make the log group and set its retention.
    CreateLogGroup(LogGroup),
    /// Set retention and tags of the log group.
    UpdateLogGroup(LogGroup),
    /// Make the role and its policy.
    CreateRole(Role),
    /// Bring trust, policies and tags of the role to these; detach what is attached.
    UpdateRole {
        /// As it should be.
        role: Role,
        /// Inline policies to take away.
        surplus: Vec<String>,
        /// Managed policies to detach.
        detach: Vec<String>,
    },
    /// Make the function with the built code.
    CreateFunction(Function),
    /// Bring the function to these settings.
    UpdateFunction {
        /// As it should be.
        function: Function,
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
    /// Let Cognito invoke the function for this pool.
    AllowInvoke {
        /// A statement of our id says something else and must go first.
        replaces: bool,
    },
    /// Invoke the function for a user that cannot exist, before any customer does.
    Probe(Box<Probe>),
    /// Change a client's flows.
    UpdateClient(Box<Rewrite>),
    /// Change the pool's trigger and nothing else.
    UpdatePool(Box<Rewrite>),
    /// Take our statement out of the function's policy.
    RemovePermission,
    /// Delete the function.
    DeleteFunction,
    /// Delete the role with its policies.
    DeleteRole(Role),
    /// Delete the log group.
    DeleteLogGroup,
}

impl Operation {
    /// Changes of one stage depend on nothing of each other. A deploy runs the stages in order, so that the trigger goes live
    /// last; a teardown detaches it first.
    pub fn stage(&self) -> u8 {
        match self {
            Self::CreateLogGroup(_)
            | Self::UpdateLogGroup(_)
            | Self::CreateRole(_)
            | Self::UpdateRole { .. } => 0,
            Self::CreateFunction(_) | Self::UpdateFunction { .. } => 1,
            Self::AllowInvoke { .. } | Self::Probe(_) => 2,
            Self::UpdateClient(..) => 3,
            Self::UpdatePool(..) => 4,
            Self::RemovePermission => 5,
            Self::DeleteFunction => 6,
            Self::DeleteRole(_) | Self::DeleteLogGroup => 7,
        }
    }

    /// How a document will differ from what it is, where one is written.
    fn difference(&self) -> Vec<Difference> {
        match self {
            Self::UpdateClient(rewrite) | Self::UpdatePool(rewrite) => rewrite.differences(),
            _ => Vec::new(),
        }
    }
}

/// How the function is tried.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The event to invoke it with.
    pub event: Value,
    /// The pool's trigger calls it already.
    pub live: bool,
    /// What it was before this run, where it could be invoked and the run changes it.
    pub before: Option<Before>,
}

/// A function as it was, as far as it can be put back.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its settings.
    pub function: Function,
    /// The digest of its code.
    pub code_sha256: String,
    /// The run changes its settings.
    pub configured: bool,
    /// The run changes its code.
    pub recoded: bool,
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

    /// Whether nothing would be changed: trying the function alone is no reason to.
    pub fn is_empty(&self) -> bool {
        self.changes
            .iter()
            .all(|change| change.action == Action::Probe)
    }

    /// How the function is tried.
    pub fn probe(&self) -> Option<&Probe> {
        self.changes
            .iter()
            .find_map(|change| match &change.operation {
                Operation::Probe(probe) => Some(&**probe),
                _ => None,
            })
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

    pub(super) fn new(names: &Names) -> Self {
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

pub(super) fn set_trigger(
    pool: &PoolDocument,
    trigger: Option<&str>,
    unknown: &Decisions,
) -> Result<Rewrite, Refusal> {
    Rewrite::of_pool(pool, pool_update(pool, trigger, unknown)?, unknown)
}

/// The tags of `desired` that `found` lacks or has otherwise.
pub fn missing_tags(desired: &Tags, found: &Tags) -> Tags {
    desired
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
