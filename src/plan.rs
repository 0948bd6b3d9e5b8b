//! The pure core: what is there x what is wanted -> changes, conflicts, findings. Synchronous; knows no client, no clock and no
//! environment. Everything a change needs is in it, so nothing is decided while applying.

mod restore;
mod shown;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::document::{
    ClientDocument, Decisions, Difference, Opening, PoolDocument, Reason, Refusal, Rewrite,
    close_password_auth, open_password_auth, pool_update,
};
use crate::finding::{Finding, Severity};
use crate::ids::{Names, STAND_IN_ID, STATEMENT_ID};
use crate::permission::{self, Policy};
use crate::resources::{
    Desired, EnvValue, Function, LogGroup, ObservedFunction, Role, Tags, is_ours, opened_clients,
    opened_clients_tags, tag,
};

pub use restore::restore;

/// Everything read about one pool, in one go.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The pool.
    pub pool: PoolDocument,
    /// Its MFA settings, which the pool's own document leaves out.
    pub mfa: Value,
    /// The app clients whose sign-ins must migrate, and those whose flows deploy opened.
    pub clients: Vec<ClientDocument>,
    /// Our log group.
    pub log_group: Option<LogGroup>,
    /// Our role.
    pub role: Option<Role>,
    /// Our function.
    pub function: Option<ObservedFunction>,
    /// Our function's resource policy.
    pub policy: Policy,
}

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
        /// Our tags that it should no longer have.
        untag: Vec<String>,
    },
    /// Let Cognito invoke the function for this pool.
    AllowInvoke {
        /// A statement of our id says something else and must go first.
        replaces: bool,
    },
    /// Invoke the function for a user nobody knows, before any customer does.
    Probe,
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
            Self::AllowInvoke { .. } => 2,
            Self::Probe => 3,
            Self::UpdateClient(..) => 4,
            Self::UpdatePool(..) => 5,
            Self::RemovePermission => 6,
            Self::DeleteFunction => 7,
            Self::DeleteRole(_) | Self::DeleteLogGroup => 8,
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

/// Something in our place that is not ours, or that we must not touch. Nothing is changed while one stands.
#[derive(Debug, Clone, Serialize)]
pub struct Conflict {
    /// The kind of thing.
    pub resource: Resource,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What the operator may do.
    pub fix: String,
}

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The pool's id.
    pub pool: String,
    /// In the order they are applied.
    pub changes: Vec<Change>,
    /// What stops the run.
    pub conflicts: Vec<Conflict>,
    /// What stops the run (errors) or should be known (warnings).
    pub findings: Vec<Finding>,
}

impl Plan {
    /// Whether anything forbids applying it.
    pub fn is_blocked(&self) -> bool {
        !self.conflicts.is_empty()
            || self
                .findings
                .iter()
                .any(|finding| !finding.ok && finding.severity == Severity::Error)
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

    fn change(
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
    fn differs_by(&mut self, difference: Vec<Difference>) {
        if let Some(change) = self.changes.last_mut() {
            change.difference = difference;
        }
    }

    fn conflict(
        &mut self,
        resource: Resource,
        name: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.conflicts.push(Conflict {
            resource,
            name: name.into(),
            message: message.into(),
            fix: fix.into(),
        });
    }

    fn new(names: &Names) -> Self {
        Self {
            pool: names.pool.id.to_string(),
            changes: Vec::new(),
            conflicts: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn sorted(mut self) -> Self {
        // Stable: within a stage the order of planning stays.
        self.changes.sort_by_key(|change| change.operation.stage());
        self
    }
}

/// What deploy would do.
pub fn deploy(names: &Names, desired: &Desired, observed: &Observed, allowed: &Allowed) -> Plan {
    let mut plan = Plan::new(names);
    plan_log_group(&mut plan, names, &desired.log_group, observed, allowed);
    plan_role(&mut plan, names, &desired.role, observed, allowed);
    let mut opened = observed
        .function
        .as_ref()
        .map(|function| opened_clients(&function.function.tags))
        .unwrap_or_default();
    plan_clients(&mut plan, observed, allowed, &mut opened);
    let replaced = plan_trigger(&mut plan, names, observed, allowed);
    // The record goes onto the function before the clients and the pool are changed: whoever tears down after a run that
    // was cut short finds it there.
    let mut function = desired.function.clone();
    function.tags.extend(opened_clients_tags(&opened));
    function
        .tags
        .extend(replaced.map(|arn| (tag::REPLACED_TRIGGER.to_owned(), arn)));
    plan_function(&mut plan, names, function, observed, allowed);
    plan_permission(&mut plan, names, observed);
    plan.sorted()
}

fn foreign(plan: &mut Plan, resource: Resource, name: &str, allowed: &Allowed) -> bool {
    if allowed.replace {
        return false;
    }
    plan.conflict(
        resource,
        name,
        format!(
            "a {} of this name exists and was not made by jane-migrate for this pool",
            resource.label()
        ),
        "look at it; `--replace` takes it over",
    );
    true
}

fn plan_log_group(
    plan: &mut Plan,
    names: &Names,
    desired: &LogGroup,
    observed: &Observed,
    allowed: &Allowed,
) {
    let LogGroup {
        name,
        retention_days,
        tags,
    } = desired;
    let keeps = |days: &Option<u32>| match days {
        Some(days) => format!("keeps {days} days"),
        None => "keeps for ever".to_owned(),
    };
    let Some(found) = &observed.log_group else {
        return plan.change(
            Action::Create,
            Resource::LogGroup,
            name,
            keeps(retention_days),
            Operation::CreateLogGroup(desired.clone()),
        );
    };
    if !is_ours(&found.tags, &names.pool) && foreign(plan, Resource::LogGroup, name, allowed) {
        return;
    }
    let mut details = Vec::new();
    if found.retention_days != *retention_days {
        details.push(format!(
            "{} => {}",
            keeps(&found.retention_days),
            keeps(retention_days)
        ));
    }
    if !missing_tags(tags, &found.tags).is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        plan.change(
            Action::Update,
            Resource::LogGroup,
            name,
            details.join(", "),
            Operation::UpdateLogGroup(desired.clone()),
        );
        plan.differs_by(shown::log_group(found, desired));
    }
}

fn plan_role(
    plan: &mut Plan,
    names: &Names,
    desired: &Role,
    observed: &Observed,
    allowed: &Allowed,
) {
    let Role {
        name,
        trust,
        policies,
        attached,
        tags,
    } = desired;
    let Some(found) = &observed.role else {
        return plan.change(
            Action::Create,
            Resource::Role,
            name,
            "for Lambda alone; writes its own logs",
            Operation::CreateRole(desired.clone()),
        );
    };
    if !is_ours(&found.tags, &names.pool) && foreign(plan, Resource::Role, name, allowed) {
        return;
    }
    let surplus: Vec<String> = found
        .policies
        .keys()
        .filter(|policy| !policies.contains_key(*policy))
        .cloned()
        .collect();
    let detach: Vec<String> = found
        .attached
        .iter()
        .filter(|arn| !attached.contains(arn))
        .cloned()
        .collect();
    let mut details = Vec::new();
    if found.trust != *trust {
        details.push("trust policy".to_owned());
    }
    if policies
        .iter()
        .any(|(policy, document)| found.policies.get(policy) != Some(document))
    {
        details.push("permissions".into());
    }
    if !surplus.is_empty() {
        details.push(format!("removes policy {}", surplus.join(", ")));
    }
    if !detach.is_empty() {
        details.push(format!("detaches {}", detach.join(", ")));
    }
    if !missing_tags(tags, &found.tags).is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        plan.change(
            Action::Update,
            Resource::Role,
            name,
            details.join(", "),
            Operation::UpdateRole {
                role: desired.clone(),
                surplus,
                detach,
            },
        );
        plan.differs_by(shown::role(found, desired));
    }
}

fn plan_function(
    plan: &mut Plan,
    names: &Names,
    desired: Function,
    observed: &Observed,
    allowed: &Allowed,
) {
    let Some(found) = &observed.function else {
        let detail = format!(
            "{}, {} MB, {} s",
            desired.architecture.as_str(),
            desired.memory_mb,
            desired.timeout_s
        );
        return plan.change(
            Action::Create,
            Resource::Function,
            desired.name.clone(),
            detail,
            Operation::CreateFunction(desired),
        );
    };
    if !is_ours(&found.function.tags, &names.pool)
        && foreign(plan, Resource::Function, &desired.name, allowed)
    {
        return;
    }
    let (settings, code, concurrency) = function_differences(&desired, found);
    let untag: Vec<String> = found
        .function
        .tags
        .keys()
        .filter(|key| key.starts_with("jane-migrate:"))
        .filter(|key| !desired.tags.contains_key(*key))
        .filter(|key| *key != tag::CODE && *key != tag::SNAPSHOT)
        .cloned()
        .collect();
    let tags = !untag.is_empty() || !missing_tags(&desired.tags, &found.function.tags).is_empty();
    let mut details = settings.clone();
    if code {
        details.push("code".into());
    }
    details.extend(concurrency.clone());
    if tags && details.is_empty() {
        details.push("tags".into());
    }
    if !details.is_empty() {
        let difference = shown::function(found, &desired, &untag);
        plan.change(
            Action::Update,
            Resource::Function,
            desired.name.clone(),
            details.join(", "),
            Operation::UpdateFunction {
                function: desired,
                configuration: !settings.is_empty(),
                code,
                concurrency: concurrency.is_some(),
                untag,
            },
        );
        plan.differs_by(difference);
    }
}

/// What differs, in words: settings; code; reserved concurrency. Values of the environment are never shown.
fn function_differences(
    desired: &Function,
    found: &ObservedFunction,
) -> (Vec<String>, bool, Option<String>) {
    let Function {
        name: _,
        runtime,
        handler,
        architecture,
        memory_mb,
        timeout_s,
        role_arn,
        environment,
        kms_key_arn,
        vpc,
        layers,
        reserved_concurrency,
        tags,
    } = desired;
    let now = &found.function;
    let mut details = Vec::new();
    let mut differs = |what: &str, from: &str, to: &str| {
        if from != to {
            details.push(format!("{what}: {from} => {to}"));
        }
    };
    differs("runtime", &now.runtime, runtime);
    differs("handler", &now.handler, handler);
    differs(
        "memory",
        &format!("{} MB", now.memory_mb),
        &format!("{memory_mb} MB"),
    );
    differs(
        "timeout",
        &format!("{} s", now.timeout_s),
        &format!("{timeout_s} s"),
    );
    differs("role", &now.role_arn, role_arn);
    differs(
        "KMS key",
        now.kms_key_arn.as_deref().unwrap_or("Lambda's own"),
        kms_key_arn.as_deref().unwrap_or("Lambda's own"),
    );
    if now.vpc != *vpc {
        details.push("VPC".into());
    }
    if now.layers != *layers {
        details.push("layers".into());
    }
    let changed = changed_variables(&now.environment, environment);
    if !changed.is_empty() {
        details.push(format!("environment: {}", changed.join(", ")));
    }
    // The tags say what the deployed code was built from and what Lambda called it then; either being off means other code.
    let code = now.architecture != *architecture
        || now.tags.get(tag::SOURCE) != tags.get(tag::SOURCE)
        || now.tags.get(tag::CODE) != Some(&found.code_sha256);
    let shown = |n: &Option<u32>| n.map_or("none".to_owned(), |n| n.to_string());
    let concurrency = (now.reserved_concurrency != *reserved_concurrency).then(|| {
        format!(
            "reserved concurrency: {} => {}",
            shown(&now.reserved_concurrency),
            shown(reserved_concurrency)
        )
    });
    (details, code, concurrency)
}

/// The names of the variables that differ.
fn changed_variables(
    now: &BTreeMap<String, EnvValue>,
    desired: &BTreeMap<String, EnvValue>,
) -> Vec<String> {
    let mut names: Vec<String> = now
        .keys()
        .chain(desired.keys())
        .filter(|name| now.get(*name) != desired.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

fn plan_permission(plan: &mut Plan, names: &Names, observed: &Observed) {
    let detail = "cognito-idp.amazonaws.com for this pool only";
    let ours = observed.policy.statement(STATEMENT_ID);
    // Left by a run that was cut short while it replaced ours.
    let stand_in = observed.policy.statement(STAND_IN_ID).is_some();
    if !stand_in && ours.is_some_and(|statement| permission::is_for_pool(statement, &names.pool)) {
        return;
    }
    let action = match ours {
        Some(_) => Action::Update,
        None => Action::Create,
    };
    plan.change(
        action,
        Resource::Permission,
        STATEMENT_ID,
        detail,
        Operation::AllowInvoke {
            replaces: ours.is_some() || stand_in,
        },
    );
}

fn plan_clients(
    plan: &mut Plan,
    observed: &Observed,
    allowed: &Allowed,
    opened: &mut BTreeMap<String, String>,
) {
    let watched = |client: &&ClientDocument| {
        let named = allowed.clients.as_deref();
        named.is_none_or(|named| named.iter().any(|id| id == client.id()))
    };
    for client in observed.clients.iter().filter(watched) {
        if !client.allows_password_auth() && !allowed.enable_password_auth {
            plan.findings.push(lacks_password_auth(&plan.pool, client));
            continue;
        }
        let opening = open_password_auth(client, &allowed.unknown).and_then(|opening| {
            opening
                .map(|Opening { update, record }| {
                    Ok((
                        Rewrite::of_client(client, update, &allowed.unknown)?,
                        record,
                    ))
                })
                .transpose()
        });
        match opening {
            Ok(None) => {}
            Ok(Some((rewrite, record))) => {
                // What an earlier, interrupted run recorded is what the client was at first.
                opened
                    .entry(client.id().to_owned())
                    .or_insert_with(|| record.to_owned());
                plan.change(
                    Action::Update,
                    Resource::Client,
                    client.id(),
                    format!("{}: allows USER_PASSWORD_AUTH", client.name()),
                    Operation::UpdateClient(Box::new(rewrite)),
                );
            }
            Err(refusal) => refuse(plan, Resource::Client, client.id(), &refusal),
        }
    }
}

/// A client through which no password reaches the pool: its sign-ins never get as far as the trigger.
pub fn lacks_password_auth(pool: &str, client: &ClientDocument) -> Finding {
    let flows: Vec<&str> = client.flows().collect();
    Finding::failed(
        "client-password-auth",
        Severity::Error,
        format!(
            "app client {} ({}) does not allow USER_PASSWORD_AUTH, so its sign-ins never reach the trigger",
            client.name(),
            client.id()
        ),
        "ALLOW_USER_PASSWORD_AUTH",
        if flows.is_empty() {
            "the default flows: refresh, SRP, custom".to_owned()
        } else {
            flows.join(", ")
        },
        format!("jane-migrate deploy --pool {pool} --enable-password-auth"),
    )
}

fn refuse(plan: &mut Plan, resource: Resource, name: &str, refusal: &Refusal) {
    let decide = refusal.reasons().iter().find_map(|reason| match reason {
        Reason::Unknown { member } => Some(member.as_str()),
        Reason::Contradiction { member, .. } => Some(member),
        _ => None,
    });
    let fix = match decide {
        Some(member) => format!("`--unknown {member}=carry` or `--unknown {member}=drop`"),
        None => "change it as the message says".to_owned(),
    };
    plan.conflict(resource, name, refusal.to_string(), fix);
}

/// Plans the pool's change; gives the trigger that ours replaces, to be remembered.
fn plan_trigger(
    plan: &mut Plan,
    names: &Names,
    observed: &Observed,
    allowed: &Allowed,
) -> Option<String> {
    let remembered = observed
        .function
        .as_ref()
        .and_then(|function| function.function.tags.get(tag::REPLACED_TRIGGER))
        .cloned();
    let now = observed.pool.user_migration();
    let replaced = match now {
        Some(arn) if names.is_our_function(arn) => return remembered,
        Some(arn) if !allowed.replace => {
            plan.conflict(
                Resource::Trigger,
                names.pool.id.to_string(),
                format!("the pool already has a user migration trigger: {arn}"),
                "`--replace` puts ours in its place and lets teardown put it back",
            );
            return remembered;
        }
        Some(arn) => Some(arn.to_owned()),
        None => None,
    };
    let ours = Some(names.function_arn.as_str());
    match set_trigger(&observed.pool, ours, &allowed.unknown) {
        Ok(rewrite) => plan.change(
            Action::Update,
            Resource::Trigger,
            names.pool.id.to_string(),
            format!(
                "user migration: {} => {}",
                now.unwrap_or("none"),
                names.function
            ),
            Operation::UpdatePool(Box::new(rewrite)),
        ),
        Err(refusal) => refuse(plan, Resource::Trigger, names.pool.id.as_str(), &refusal),
    }
    replaced
}

fn set_trigger(
    pool: &PoolDocument,
    trigger: Option<&str>,
    unknown: &Decisions,
) -> Result<Rewrite, Refusal> {
    Rewrite::of_pool(pool, pool_update(pool, trigger, unknown)?, unknown)
}

/// What teardown would do, from what is there alone.
pub fn teardown(names: &Names, observed: &Observed, keep_logs: bool, allowed: &Allowed) -> Plan {
    let mut plan = Plan::new(names);
    let function = observed
        .function
        .as_ref()
        .filter(|function| is_ours(&function.function.tags, &names.pool));
    let foreign_function = observed.function.is_some() && function.is_none();
    let tags = function.map(|function| &function.function.tags);

    if let Some(arn) = observed
        .pool
        .user_migration()
        .filter(|arn| names.is_our_function(arn) && !foreign_function)
    {
        let back = tags.and_then(|tags| tags.get(tag::REPLACED_TRIGGER));
        match set_trigger(&observed.pool, back.map(String::as_str), &allowed.unknown) {
            Ok(rewrite) => plan.change(
                if back.is_some() {
                    Action::Update
                } else {
                    Action::Delete
                },
                Resource::Trigger,
                names.pool.id.to_string(),
                format!(
                    "user migration: {} => {}",
                    arn.rsplit("function:").next().unwrap_or(arn),
                    back.map_or("none", String::as_str)
                ),
                Operation::UpdatePool(Box::new(rewrite)),
            ),
            Err(refusal) => refuse(
                &mut plan,
                Resource::Trigger,
                names.pool.id.as_str(),
                &refusal,
            ),
        }
    }
    for (id, record) in tags.map(opened_clients).unwrap_or_default() {
        let Some(client) = observed.clients.iter().find(|client| client.id() == id) else {
            continue; // deleted since
        };
        let closing = close_password_auth(client, &record, &allowed.unknown).and_then(|update| {
            update
                .map(|update| Rewrite::of_client(client, update, &allowed.unknown))
                .transpose()
        });
        match closing {
            Ok(Some(rewrite)) => plan.change(
                Action::Update,
                Resource::Client,
                client.id(),
                format!("{}: its flows as before deploy", client.name()),
                Operation::UpdateClient(Box::new(rewrite)),
            ),
            Ok(None) => {}
            Err(refusal) => refuse(&mut plan, Resource::Client, client.id(), &refusal),
        }
    }
    if function.is_some() {
        if observed.policy.statement(STATEMENT_ID).is_some() {
            plan.change(
                Action::Delete,
                Resource::Permission,
                STATEMENT_ID,
                "",
                Operation::RemovePermission,
            );
        }
        plan.change(
            Action::Delete,
            Resource::Function,
            &names.function,
            "",
            Operation::DeleteFunction,
        );
    }
    if let Some(role) = &observed.role
        && is_ours(&role.tags, &names.pool)
    {
        plan.change(
            Action::Delete,
            Resource::Role,
            &names.function,
            "",
            Operation::DeleteRole(role.clone()),
        );
    }
    if let Some(group) = &observed.log_group
        && is_ours(&group.tags, &names.pool)
        && !keep_logs
    {
        plan.change(
            Action::Delete,
            Resource::LogGroup,
            &names.log_group,
            "",
            Operation::DeleteLogGroup,
        );
    }
    for (resource, there) in [
        (Resource::Function, foreign_function),
        (
            Resource::Role,
            observed
                .role
                .as_ref()
                .is_some_and(|role| !is_ours(&role.tags, &names.pool)),
        ),
        (
            Resource::LogGroup,
            observed
                .log_group
                .as_ref()
                .is_some_and(|group| !is_ours(&group.tags, &names.pool)),
        ),
    ] {
        if there {
            plan.findings.push(Finding::failed(
                "not-ours",
                Severity::Warning,
                format!(
                    "the {} of our name was not made by jane-migrate for this pool and is left alone",
                    resource.label()
                ),
                format!("tag {}", tag::POOL),
                "no such tag",
                "look at it and delete it by hand if nobody needs it",
            ));
        }
    }
    plan
}

/// The tags of `desired` that `found` lacks or has otherwise.
pub fn missing_tags(desired: &Tags, found: &Tags) -> Tags {
    desired
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
