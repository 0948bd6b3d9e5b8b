//! The steps for log group, role and permission, and those that delete. Each can be repeated: after a lost response or an
//! interrupted run a second attempt succeeds.

use serde_json::Value;

use super::Run;
use super::reading::{Look, is_fresh};
use crate::aws::{AwsError, Kind};
use crate::error::{Context, Error, Result};
use crate::host::Instant;
use jane_migrate_core::ids::{ALIAS, ROLE_POLICY, STAND_IN_ID, STATEMENT_ID, given_statement};
use jane_migrate_core::lease::Lease;
use jane_migrate_core::permission;
use jane_migrate_core::plan::{Change, Operation, missing_tags};
use jane_migrate_core::record::Record;
use jane_migrate_core::resources::{LogGroup, Role, Tags, is_ours, tag};
use jane_migrate_core::watch::Part;

impl Run<'_> {
    pub(super) async fn create_log_group(&self, group: &LogGroup) -> Result<()> {
        match self.writer.create_log_group(group).await {
            Err(error) if error.kind == Kind::Exists => {
                // Either the response to this run's own call was lost, or another run created it first: the tags decide.
                let found = self
                    .reader
                    .with_tags(group.clone(), &self.names.log_group_arn)
                    .await?;
                if !is_ours(&found.tags, &self.names.pool) {
                    return Err(error)
                        .with_context(|| format!("failed to create log group `{}`", group.name));
                }
            }
            other => {
                other.with_context(|| format!("failed to create log group `{}`", group.name))?;
            }
        }
        self.keep_logs(group).await
    }

    async fn keep_logs(&self, group: &LogGroup) -> Result<()> {
        let Some(days) = group.retention_days else {
            return Ok(());
        };
        self.writer
            .keep_logs(&group.name, days)
            .await
            .with_context(|| format!("failed to set the retention of log group `{}`", group.name))
    }

    pub(super) async fn update_log_group(&self, group: &LogGroup, key: bool) -> Result<()> {
        self.writer
            .tag_log_group(&self.names.log_group_arn, &group.tags)
            .await
            .with_context(|| format!("failed to tag log group `{}`", group.name))?;
        if key {
            self.writer
                .encrypt_logs(&group.name, group.kms_key_arn.as_deref())
                .await
                .with_context(|| {
                    format!("failed to set the KMS key of log group `{}`", group.name)
                })?;
        }
        self.keep_logs(group).await
    }

    pub(super) async fn create_role(&self, role: &Role) -> Result<()> {
        let description = format!(
            "Execution role of the user migration of pool {}",
            self.names.pool.id
        );
        let failed = || format!("failed to create role `{}`", role.name);
        let mut role = role.clone();
        if role.name == self.names.role {
            role.tags.extend(self.lease_of_role());
        }
        let role = &role;
        let id = match self.writer.create_role(role, &description).await {
            Err(error) if error.kind == Kind::Exists => {
                let found = self.reader.role(&role.name).await?;
                let found = found.filter(|found| is_ours(&found.tags, &self.names.pool));
                let found = found.ok_or(error).with_context(failed)?;
                let lease = found.tags.get(tag::LEASE);
                let lease = lease.and_then(|lease| Lease::parse(lease));
                self.unless_overtaken(lease.as_ref())?;
                // Another deploy created it, perhaps for other clients than this one.
                let lacking = missing_tags(&role.tags, &found.tags);
                if !lacking.is_empty() {
                    let tagged = self.writer.tag_role(&role.name, &lacking).await;
                    tagged.with_context(failed)?;
                }
                found.id
            }
            other => other.with_context(failed)?,
        };
        if role.name == self.names.role {
            let mut made = self.made();
            made.role_id = id;
            made.role = true;
        }
        self.put_policies(role).await
    }

    async fn put_policies(&self, role: &Role) -> Result<()> {
        for (name, policy) in &role.policies {
            self.writer
                .put_role_policy(&role.name, name, policy)
                .await
                .with_context(|| format!("failed to set the policy of role `{}`", role.name))?;
        }
        Ok(())
    }

    pub(super) async fn widen_role(&self, role: &Role) -> Result<()> {
        let failed = || format!("failed to update role `{}`", role.name);
        if let Some(boundary) = &role.boundary {
            let bound = self.writer.bound_role(&role.name, boundary).await;
            bound.with_context(failed)?;
        }
        self.writer
            .tag_role(&role.name, &role.tags)
            .await
            .with_context(failed)?;
        self.writer
            .set_trust(&role.name, &role.trust)
            .await
            .with_context(failed)?;
        self.put_policies(role).await
    }

    pub(super) async fn narrow_role(
        &self,
        role: &Role,
        surplus: &[String],
        detach: &[String],
    ) -> Result<()> {
        let failed = || {
            format!(
                "failed to take from role `{}` what it no longer needs",
                role.name
            )
        };
        self.writer
            .set_trust(&role.name, &role.trust)
            .await
            .with_context(failed)?;
        self.put_policies(role).await?;
        for policy in surplus {
            self.writer
                .delete_role_policy(&role.name, policy)
                .await
                .with_context(failed)?;
        }
        for arn in detach {
            self.writer
                .detach_role_policy(&role.name, arn)
                .await
                .with_context(failed)?;
        }
        Ok(())
    }

    pub(super) async fn allow_invoke(&self, replaces: bool) -> Result<()> {
        let name = &self.names.function;
        let allow = async {
            if !replaces {
                return self.add_permission(STATEMENT_ID).await;
            }
            // A statement cannot be changed. A second one keeps the sign-ins of a live pool working while ours is replaced.
            self.add_permission(STAND_IN_ID).await?;
            let alias = Some(ALIAS);
            self.writer
                .remove_permission(name, alias, STATEMENT_ID)
                .await?;
            self.add_permission(STATEMENT_ID).await?;
            self.writer
                .remove_permission(name, alias, STAND_IN_ID)
                .await
        };
        allow
            .await
            .with_context(|| format!("failed to let Cognito invoke function `{name}`"))
    }

    pub(super) async fn add_permission(&self, id: &str) -> Result<(), AwsError> {
        let (name, pool) = (&self.names.function, &self.names.pool);
        let live = self.names.live();
        let added = self
            .writer
            .add_permission(name, live, id, &pool.to_string(), &pool.account)
            .await;
        match added {
            // AddPermission is not idempotent: after a lost response the statement already exists.
            Err(error) if error.kind == Kind::Exists => {
                let policy = self.reader.policy(name, live).await?;
                let there = policy
                    .statement(id)
                    .is_some_and(|statement| permission::is_for_pool(statement, self.names));
                there.then_some(()).ok_or(error)
            }
            other => other,
        }
    }

    /// Lets Cognito invoke a function that another tool made. The id of the statement names the snapshot of this run.
    pub(super) async fn attach(&self, stale: &[String]) -> Result<()> {
        let name = &self.names.function;
        let failed = || format!("failed to let Cognito invoke function `{name}`");
        let snapshot = self.inputs.snapshot.as_ref();
        let digest = snapshot.map(|snapshot| &*snapshot.digest);
        let id = given_statement(digest.unwrap_or_default());
        // A statement with this id has other content, and cannot be changed.
        let (same, others): (Vec<_>, Vec<_>) = stale.iter().partition(|stale| **stale == id);
        self.remove(&same).await.with_context(failed)?;
        self.add_permission(&id).await.with_context(failed)?;
        self.remove(&others).await.with_context(failed)
    }

    async fn remove(&self, ids: &[&String]) -> Result<(), AwsError> {
        let (name, live) = (&self.names.function, self.names.live());
        for id in ids {
            self.writer.remove_permission(name, live, id).await?;
        }
        Ok(())
    }

    /// Removes our statements from the policy of another tool's function. If a pool calls the function again meanwhile, its
    /// statement stays.
    pub(super) async fn detach(&self, ids: &[String]) -> Result<()> {
        let name = &self.names.function;
        let failed = || format!("failed to remove the permission of function `{name}`");
        self.still_detached().await?;
        let all: Vec<&String> = ids.iter().collect();
        self.remove(&all).await.with_context(failed)?;
        if let Err(error) = self.still_detached().await {
            for id in ids {
                self.add_permission(id).await.with_context(failed)?;
            }
            return Err(error);
        }
        Ok(())
    }

    /// Removes the statements that let Cognito invoke the function itself.
    pub(super) async fn forbid_invoke(&self, ids: &[&'static str]) -> Result<()> {
        let name = &self.names.function;
        for id in ids {
            self.writer
                .remove_permission(name, None, id)
                .await
                .with_context(|| format!("failed to remove the permission of function `{name}`"))?;
        }
        Ok(())
    }

    /// Removes what was put back from the tags.
    pub(super) async fn forget(&self, function: &Tags, role: &Tags) -> Result<()> {
        if !function.is_empty() {
            let arn = &self.names.function_arn;
            let tagged = self.writer.tag_function(arn, function).await;
            tagged.with_context(|| format!("failed to tag function `{}`", self.names.function))?;
        }
        if !role.is_empty() {
            let tagged = self.writer.tag_role(&self.names.role, role).await;
            tagged.with_context(|| format!("failed to tag role `{}`", self.names.role))?;
        }
        Ok(())
    }

    /// `look` was read while the previous step was checked.
    pub(super) async fn delete_function(&self, record: &Record, look: Option<Look>) -> Result<()> {
        let name = &self.names.function;
        let look = match look.filter(|look| is_fresh(look.at)) {
            Some(look) => look,
            None => self.look_before_deletion().await?,
        };
        let found = look.function;
        if let Some(found) = &found
            && Record::of(&found.function.tags) != *record
        {
            return Err(in_use_again(
                "the function's tags name other changes than when this run began",
            ));
        }
        if found.is_some_and(|found| found.function.vpc.is_some()) {
            self.leave_vpc().await?;
        }
        self.writer
            .delete_function(name)
            .await
            .with_context(|| format!("failed to delete function `{name}`"))?;
        let mut made = self.made();
        made.alias = None;
        made.deleted = true;
        Ok(())
    }

    /// Checks that the pool does not call the function, and reads the function. The alias is deleted with the function; from then
    /// on the role's tag shows that this run is active.
    pub(super) async fn look_before_deletion(&self) -> Result<Look> {
        let name = &self.names.function;
        let failed = || format!("failed to delete function `{name}`");
        let (detached, found, held) = tokio::join!(
            self.still_detached(),
            self.reader.function(name),
            self.hold_by_role()
        );
        detached?;
        held.with_context(failed)?;
        Ok(Look {
            at: Instant::now(),
            function: found.with_context(failed)?,
        })
    }

    /// Reads the pool once more after the function's deletion: it may have been attached between the last look and the deletion,
    /// a gap that no order of calls closes. The roles lose their policies in parallel; if that fails, the step that deletes the
    /// roles does it again and reports the error.
    pub(super) async fn look_after(&self) -> Result<()> {
        if !std::mem::take(&mut self.made().deleted) {
            return Ok(());
        }
        let mut operations = self.plan.changes.iter().map(|change| &change.operation);
        let role = operations.find_map(|operation| match operation {
            Operation::DeleteRole(role) => Some(role),
            _ => None,
        });
        let clear = async {
            // Lambda deletes network interfaces with the rights of the role.
            let may =
                |role: &&Role| !role.keeps_interfaces() && self.interrupt.requested().is_none();
            if let Some(role) = role.filter(may) {
                let cleared = self.clear_roles(role).await.is_ok();
                self.made().cleared = cleared;
            }
        };
        let (detached, ()) = tokio::join!(self.still_detached(), clear);
        detached
    }

    /// Fails if the pool calls the function.
    async fn still_detached(&self) -> Result<()> {
        let pool = match self.reader.describe_pool(&self.names.pool.id).await {
            Err(error) if error.kind == Kind::NotFound => return Ok(()),
            other => other.context("failed to see whether the pool still calls nothing of ours")?,
        };
        let called = pool.our_triggers(self.names).next();
        match called.is_some() {
            true => Err(in_use_again("the pool calls the function again")),
            false => Ok(()),
        }
    }

    pub(super) async fn delete_role(&self, role: &Role) -> Result<()> {
        self.clear_role(role).await?;
        self.delete_clear_role(role).await
    }

    /// Removes the role's policies, so that it can be deleted.
    async fn clear_role(&self, role: &Role) -> Result<()> {
        let failed = || format!("failed to delete role `{}`", role.name);
        for policy in role.policies.keys() {
            self.writer
                .delete_role_policy(&role.name, policy)
                .await
                .with_context(failed)?;
        }
        for arn in &role.attached {
            self.writer
                .detach_role_policy(&role.name, arn)
                .await
                .with_context(failed)?;
        }
        Ok(())
    }

    async fn delete_clear_role(&self, role: &Role) -> Result<()> {
        let deleted = self.writer.delete_role(&role.name).await;
        deleted.with_context(|| format!("failed to delete role `{}`", role.name))
    }

    /// Deletes the spare role, if an interrupted run left it, and removes the execution role's policies.
    async fn clear_roles(&self, role: &Role) -> Result<()> {
        let spare = Role {
            name: self.names.spare_role.clone(),
            policies: [(ROLE_POLICY.to_owned(), Value::Null)].into(),
            attached: Vec::new(),
            ..role.clone()
        };
        // The spare role rarely exists, and a role with policies cannot be deleted: the deletion is tried at once, and again if
        // the role exists.
        let (cleared, spare_cleared, spare_gone) = tokio::join!(
            self.clear_role(role),
            self.clear_role(&spare),
            self.delete_clear_role(&spare)
        );
        spare_cleared.and(cleared)?;
        match spare_gone {
            Ok(()) => Ok(()),
            Err(_) => self.delete_clear_role(&spare).await,
        }
    }

    /// Deletes the roles, the execution role last: its tag holds the lease.
    pub(super) async fn delete_roles(&self, role: &Role) -> Result<()> {
        let cleared = self.made().cleared;
        if !cleared {
            self.clear_roles(role).await?;
        }
        self.delete_clear_role(role).await?;
        self.made().role = false;
        Ok(())
    }

    pub(super) async fn watch(&self, change: &Change, part: Part, body: &Value) -> Result<()> {
        let (kind, name) = (change.resource.label(), change.name.as_str());
        let region = &self.names.pool.region;
        self.writer
            .watch((part, name), region, body, &self.inputs.tags)
            .await
            .with_context(|| format!("failed to set {kind} `{name}`"))
    }

    pub(super) async fn unwatch(&self, change: &Change, part: Part) -> Result<()> {
        let (kind, name) = (change.resource.label(), change.name.as_str());
        let region = &self.names.pool.region;
        self.writer
            .unwatch((part, name), region, &self.names.log_group)
            .await
            .with_context(|| format!("failed to delete {kind} `{name}`"))
    }

    pub(super) async fn delete_import_role(&self) -> Result<()> {
        let name = &self.names.import_role;
        let removed = async {
            self.writer.delete_role_policy(name, ROLE_POLICY).await?;
            self.writer.delete_role(name).await
        };
        removed
            .await
            .with_context(|| format!("failed to delete role `{name}`"))
    }

    pub(super) async fn delete_log_group(&self) -> Result<()> {
        let name = &self.names.log_group;
        self.writer
            .delete_log_group(name)
            .await
            .with_context(|| format!("failed to delete log group `{name}`"))
    }
}

/// A deploy runs at the same time as this teardown.
fn in_use_again(why: &str) -> Error {
    Error::new(
        format!("{why}: another run deploys this pool, so nothing more is taken away"),
        "find out which run is to win; once the other has ended, run the command again",
    )
}
