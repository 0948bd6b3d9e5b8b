//! The steps for what is ours: log group, role, function, permission. Each may be repeated: an answer lost after the
//! write took effect, or a run cut short, leaves nothing that a second try trips over.

use std::time::{Duration, Instant};

use super::{Code, Event, Run};
use crate::aws::{AwsError, Kind};
use crate::error::{Context, Error, Result};
use jane_migrate_core::ids::{STAND_IN_ID, STATEMENT_ID};
use jane_migrate_core::permission;
use jane_migrate_core::plan::{Change, Operation};
use jane_migrate_core::resources::{Function, FunctionState, LogGroup, Role, is_ours, tag};

/// How long a fresh role may take to be assumable by Lambda. Seconds as a rule; half a minute has been seen by others.
const ROLE_PATIENCE: Duration = Duration::from_secs(90);

/// How long a function may be pending or being updated; a VPC's interfaces take the longest.
pub(super) const FUNCTION_PATIENCE: Duration = Duration::from_secs(300);

impl Run<'_> {
    pub(super) async fn create_log_group(&self, group: &LogGroup) -> Result<()> {
        match self.writer.create_log_group(group).await {
            Err(error) if error.kind == Kind::Exists => {
                // Either our own call whose answer was lost, or somebody was faster: its tags tell.
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

    pub(super) async fn update_log_group(&self, group: &LogGroup) -> Result<()> {
        self.writer
            .tag_log_group(&self.names.log_group_arn, &group.tags)
            .await
            .with_context(|| format!("failed to tag log group `{}`", group.name))?;
        self.keep_logs(group).await
    }

    pub(super) async fn create_role(&self, role: &Role) -> Result<()> {
        let description = format!(
            "Execution role of the user migration of pool {}",
            self.names.pool.id
        );
        match self.writer.create_role(role, &description).await {
            Err(error) if error.kind == Kind::Exists => {
                let found = self.reader.role(&role.name).await?;
                if !found.is_some_and(|found| is_ours(&found.tags, &self.names.pool)) {
                    return Err(error)
                        .with_context(|| format!("failed to create role `{}`", role.name));
                }
            }
            other => other.with_context(|| format!("failed to create role `{}`", role.name))?,
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

    pub(super) async fn update_role(
        &self,
        role: &Role,
        surplus: &[String],
        detach: &[String],
    ) -> Result<()> {
        let failed = || format!("failed to update role `{}`", role.name);
        self.writer
            .tag_role(&role.name, &role.tags)
            .await
            .with_context(failed)?;
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

    pub(super) async fn create_function(&self, change: &Change, function: &Function) -> Result<()> {
        let name = &function.name;
        let failed = || format!("failed to create function `{name}`");
        let code = self.code(change)?;
        let mut function = function.clone();
        function
            .tags
            .insert(tag::CODE.into(), code.code_sha256.clone());
        if let Some(snapshot) = &self.inputs.snapshot {
            let digest = snapshot.digest.clone();
            function.tags.insert(tag::SNAPSHOT.into(), digest);
        }
        let description = format!(
            "User migration for the Cognito user pool {}",
            self.names.pool.id
        );
        let created = self
            .until_lambda_takes_it(change, || {
                self.writer
                    .create_function(&function, &description, &code.zip)
            })
            .await;
        let state = match created {
            Err(error) if error.kind == Kind::Exists => {
                let found = self.reader.function(name).await.with_context(failed)?;
                let ours = found.filter(|found| {
                    is_ours(&found.function.tags, &self.names.pool)
                        && found.code_sha256 == code.code_sha256
                });
                match ours {
                    Some(found) => found.state,
                    None => {
                        return Err(error)
                            .context("somebody else made it meanwhile")
                            .with_context(failed);
                    }
                }
            }
            other => other.with_context(failed)?,
        };
        if state != FunctionState::Ready {
            (self.tell)(Event::Waiting(change, "for Lambda to make it ready"));
            self.reader
                .settled(name, FUNCTION_PATIENCE)
                .await
                .with_context(failed)?;
        }
        if function.reserved_concurrency.is_some() {
            self.writer
                .reserve_concurrency(name, function.reserved_concurrency)
                .await
                .with_context(failed)?;
        }
        Ok(())
    }

    pub(super) async fn update_function(&self, change: &Change) -> Result<()> {
        let Operation::UpdateFunction {
            function,
            configuration,
            code,
            concurrency,
            settling,
            untag,
        } = &change.operation
        else {
            return Err(Error::bug("not an update of the function"));
        };
        let name = &function.name;
        let failed = || format!("failed to update function `{name}`");
        if *settling {
            (self.tell)(Event::Waiting(change, "for Lambda to make it ready"));
            self.reader
                .settled(name, FUNCTION_PATIENCE)
                .await
                .with_context(failed)?;
        }
        if *configuration {
            self.until_lambda_takes_it(change, || self.writer.configure_function(function))
                .await
                .with_context(failed)?;
            self.reader
                .settled(name, FUNCTION_PATIENCE)
                .await
                .with_context(failed)?;
        }
        let mut tags = function.tags.clone();
        if *code {
            let code = self.code(change)?;
            self.until_lambda_takes_it(change, || {
                self.writer
                    .upload_code(name, function.architecture, &code.zip)
            })
            .await
            .with_context(failed)?;
            self.reader
                .settled(name, FUNCTION_PATIENCE)
                .await
                .with_context(failed)?;
            tags.insert(tag::CODE.into(), code.code_sha256.clone());
        }
        if let Some(snapshot) = &self.inputs.snapshot {
            tags.insert(tag::SNAPSHOT.into(), snapshot.digest.clone());
        }
        if *concurrency {
            self.writer
                .reserve_concurrency(name, function.reserved_concurrency)
                .await
                .with_context(failed)?;
        }
        // Last: only now do the tags tell the truth about the code.
        let arn = &self.names.function_arn;
        self.writer
            .tag_function(arn, &tags)
            .await
            .with_context(failed)?;
        if !untag.is_empty() {
            self.writer
                .untag_function(arn, untag)
                .await
                .with_context(failed)?;
        }
        Ok(())
    }

    /// The code to upload, which takes a while.
    fn code(&self, change: &Change) -> Result<&Code> {
        let code = self
            .inputs
            .code
            .as_ref()
            .ok_or_else(|| Error::bug("the plan uploads code and none was built"))?;
        let size = code.zip.len() / 1000;
        (self.tell)(Event::Waiting(
            change,
            &format!("for the upload of {size} KB"),
        ));
        Ok(code)
    }

    /// Repeats the call while Lambda says that the role, or an update in progress, is not ready for it.
    pub(super) async fn until_lambda_takes_it<T, F>(
        &self,
        change: &Change,
        call: impl Fn() -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let started = Instant::now();
        let mut pause = Duration::from_millis(500);
        loop {
            let error = match call().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let waiting_for = match error.kind {
                Kind::Busy => "for an update in progress",
                Kind::Refused if role_is_fresh(&error) => "for the fresh role to spread",
                _ => return Err(error),
            };
            if started.elapsed() > ROLE_PATIENCE {
                return Err(error);
            }
            (self.tell)(Event::Waiting(change, waiting_for));
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(5));
        }
    }

    pub(super) async fn allow_invoke(&self, replaces: bool) -> Result<()> {
        let name = &self.names.function;
        let allow = async {
            if !replaces {
                return self.add_permission(STATEMENT_ID).await;
            }
            // A statement cannot be changed. While ours gives way to a new one, another keeps the sign-ins of a live pool going.
            self.add_permission(STAND_IN_ID).await?;
            self.writer.remove_permission(name, STATEMENT_ID).await?;
            self.add_permission(STATEMENT_ID).await?;
            self.writer.remove_permission(name, STAND_IN_ID).await
        };
        allow
            .await
            .with_context(|| format!("failed to let Cognito invoke function `{name}`"))
    }

    async fn add_permission(&self, id: &str) -> Result<(), AwsError> {
        let (name, pool) = (&self.names.function, &self.names.pool);
        let added = self
            .writer
            .add_permission(name, id, &pool.to_string(), &pool.account)
            .await;
        match added {
            // AddPermission is not idempotent: after a lost answer the statement is there already.
            Err(error) if error.kind == Kind::Exists => {
                let policy = self.reader.policy(name).await?;
                let there = policy
                    .statement(id)
                    .is_some_and(|statement| permission::is_for_pool(statement, pool));
                there.then_some(()).ok_or(error)
            }
            other => other,
        }
    }

    pub(super) async fn remove_permission(&self) -> Result<()> {
        let name = &self.names.function;
        self.writer
            .remove_permission(name, STATEMENT_ID)
            .await
            .with_context(|| format!("failed to remove the permission of function `{name}`"))
    }

    pub(super) async fn delete_function(&self) -> Result<()> {
        let name = &self.names.function;
        self.writer
            .delete_function(name)
            .await
            .with_context(|| format!("failed to delete function `{name}`"))
    }

    pub(super) async fn delete_role(&self, role: &Role) -> Result<()> {
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
        self.writer
            .delete_role(&role.name)
            .await
            .with_context(failed)
    }

    pub(super) async fn delete_log_group(&self) -> Result<()> {
        let name = &self.names.log_group;
        self.writer
            .delete_log_group(name)
            .await
            .with_context(|| format!("failed to delete log group `{name}`"))
    }
}

/// A role that Lambda cannot use yet, in the words Lambda has for it.
fn role_is_fresh(error: &AwsError) -> bool {
    error.says("cannot be assumed by Lambda")
        || error.says("does not have permissions")
        || error.says("KMS key is invalid for CreateGrant")
}
