//! The steps for the function, its versions and the alias that the pool calls. Each can be repeated: after a lost response or an
//! interrupted run a second attempt succeeds. Customers notice none of these steps until the alias moves.

use std::time::Duration;

use super::lease::{PRECONDITION, overtaken};
use super::{Code, Event, Retag, Run};
use crate::aws::{AwsError, Kind};
use crate::error::{Context, Error, Result};
use crate::host::{Instant, sleep};
use jane_migrate_core::exposure::Alias;
use jane_migrate_core::ids::{ALIAS, STATEMENT_ID};
use jane_migrate_core::plan::{Change, Operation, missing_tags};
use jane_migrate_core::resources::{
    Function, FunctionState, ObservedFunction, description, is_ours, tag,
};
use jane_migrate_core::version;

/// How long until Lambda can assume a new role. Usually seconds; others have seen half a minute.
const ROLE_PATIENCE: Duration = Duration::from_secs(90);

/// How long a function may stay pending or in an update; network interfaces of a VPC take the longest.
const FUNCTION_PATIENCE: Duration = Duration::from_secs(300);

impl Run<'_> {
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
        let description = self.description(&function);
        let created = self
            .until_lambda_takes_it(change, || {
                self.writer
                    .create_function(&function, &description, &code.zip)
            })
            .await;
        let (state, version) = match created {
            Err(error) if error.kind == Kind::Exists => {
                let found = self.reader.function(name).await.with_context(failed)?;
                let ours = found.filter(|found| {
                    is_ours(&found.function.tags, &self.names.pool)
                        && found.code_sha256 == code.code_sha256
                });
                match ours {
                    Some(found) => {
                        // Another deploy created it, perhaps for other clients than this one.
                        let lacking = missing_tags(&function.tags, &found.function.tags);
                        if !lacking.is_empty() {
                            let arn = &self.names.function_arn;
                            let tagged = self.writer.tag_function(arn, &lacking).await;
                            tagged.with_context(failed)?;
                        }
                        (found.state, None)
                    }
                    None => {
                        return Err(error)
                            .context("another run or tool created it meanwhile")
                            .with_context(failed);
                    }
                }
            }
            other => {
                let made = other.with_context(failed)?;
                (made.state, made.version)
            }
        };
        if state != FunctionState::Ready {
            (self.tell)(Event::Waiting(change, "for Lambda to make it ready"));
        }
        let ready = async {
            match state {
                FunctionState::Ready => Ok(()),
                _ => self.settled(name).await,
            }
        };
        // An alias may point to a version that is not ready yet: nothing calls it.
        let led = async {
            match &version {
                Some(version) => self.lead(None, version).await,
                None => Ok(()),
            }
        };
        let (ready, led) = tokio::join!(ready, led);
        ready.with_context(failed)?;
        led.with_context(failed)?;
        if version.is_none() {
            let seen = self.reader.settled(name, FUNCTION_PATIENCE).await;
            let version = self.freeze(change, &seen.with_context(failed)?).await?;
            self.lead(None, &version).await.with_context(failed)?;
        } else {
            self.made().version = version;
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
            renew,
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
            self.settled(name).await.with_context(failed)?;
        }
        if let Some(spare) = renew {
            self.create_role(spare).await?;
            let meanwhile = Function {
                role_arn: self.names.spare_role_arn.clone(),
                ..function.clone()
            };
            self.configure(change, &meanwhile)
                .await
                .with_context(failed)?;
        }
        if *configuration || renew.is_some() {
            self.configure(change, function)
                .await
                .with_context(failed)?;
        }
        if let Some(spare) = renew {
            self.delete_role(spare).await?;
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
            self.settled(name).await.with_context(failed)?;
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
        // Last: only now do the tags match the code. A version is published in parallel.
        let tags = Retag {
            tags,
            untag: untag.clone(),
        };
        if *configuration || *code || renew.is_some() {
            self.made().retag = Some(tags);
            return Ok(());
        }
        self.retag(tags).await
    }

    async fn retag(&self, Retag { tags, untag }: Retag) -> Result<()> {
        let failed = || format!("failed to tag function `{}`", self.names.function);
        let arn = &self.names.function_arn;
        let tagged = self.writer.tag_function(arn, &tags).await;
        tagged.with_context(failed)?;
        if !untag.is_empty() {
            let untagged = self.writer.untag_function(arn, &untag).await;
            untagged.with_context(failed)?;
        }
        Ok(())
    }

    async fn configure(&self, change: &Change, function: &Function) -> Result<(), AwsError> {
        let description = self.description(function);
        self.until_lambda_takes_it(change, || {
            self.writer.configure_function(function, &description)
        })
        .await?;
        self.settled(&function.name).await
    }

    /// Creates the alias for the function as it is.
    pub(super) async fn adopt(
        &self,
        change: &Change,
        function: &ObservedFunction,
        from: Option<&Alias>,
    ) -> Result<()> {
        let failed = || format!("failed to put alias `{ALIAS}` before the function");
        let mut function = function.clone();
        if matches!(function.state, FunctionState::Settling(_)) {
            (self.tell)(Event::Waiting(change, "for Lambda to make it ready"));
            let name = &self.names.function;
            let settled = self.reader.settled(name, FUNCTION_PATIENCE).await;
            function = settled.with_context(failed)?;
        }
        let version = self.freeze(change, &function).await?;
        self.lead(from, &version).await.with_context(failed)?;
        self.add_permission(STATEMENT_ID).await.with_context(failed)
    }

    pub(super) async fn publish(&self, change: &Change, seen: &ObservedFunction) -> Result<()> {
        let left = self.made().latest.clone();
        let seen = left.as_ref().unwrap_or(seen);
        let name = &self.names.function;
        let retag = self.made().retag.take();
        let retag = async {
            match retag {
                Some(tags) => self.retag(tags).await,
                None => Ok(()),
            }
        };
        let (version, before, tagged) =
            tokio::join!(self.freeze(change, seen), self.reader.versions(name), retag);
        tagged?;
        let mut made = self.made();
        made.version = Some(version?);
        // If the versions cannot be listed, none is deleted.
        let before = before.into_iter().flatten().map(|version| version.number);
        made.versions = before.filter(|number| is_number(number)).collect();
        Ok(())
    }

    pub(super) async fn point_alias(&self, from: Option<&Alias>, to: Option<&str>) -> Result<()> {
        let (adopted, version, versions) = {
            let mut made = self.made();
            let versions = std::mem::take(&mut made.versions);
            (made.alias.clone(), made.version.clone(), versions)
        };
        let from = adopted.as_ref().or(from);
        let named = to.map(str::to_owned).or(version);
        let version = match named.or_else(|| from.map(|from| from.version.clone())) {
            Some(version) => version,
            None => return Err(Error::bug("no version for the alias to lead to")),
        };
        let older = versions.iter().filter(|number| {
            **number != version && from.is_none_or(|from| from.version != **number)
        });
        // Lambda keeps a version that another alias points to; the next deploy deletes what is left.
        let prune = async {
            for number in older {
                let _ = self
                    .writer
                    .delete_version(&self.names.function, number)
                    .await;
            }
        };
        let (led, ()) = tokio::join!(self.lead(from, &version), prune);
        led.with_context(|| format!("failed to point alias `{ALIAS}` to version {version}"))
    }

    /// Publishes the function as it was seen, and returns the version's number.
    async fn freeze(&self, change: &Change, seen: &ObservedFunction) -> Result<String> {
        let name = &self.names.function;
        let failed = || format!("failed to publish a version of function `{name}`");
        let mut seen = seen.clone();
        loop {
            let published = self
                .until_lambda_takes_it(change, || self.writer.publish(name, &seen))
                .await;
            let made = match published {
                // Another tool changed the function, or a response was lost and our own change moved the revision.
                Err(error) if error.says("RevisionId") || error.code == PRECONDITION => {
                    let now = self.reader.settled(name, FUNCTION_PATIENCE).await;
                    let now = now.with_context(failed)?;
                    if now.revision == seen.revision
                        || !version::differences(&now, &seen).is_empty()
                    {
                        return Err(error)
                            .context("another run or tool changed the function meanwhile")
                            .with_context(failed);
                    }
                    seen = now;
                    continue;
                }
                other => other.with_context(failed)?,
            };
            let Some(version) = made.version else {
                return Err(Error::bug("Lambda published a version without a number"));
            };
            if made.state != FunctionState::Ready {
                (self.tell)(Event::Waiting(
                    change,
                    "for Lambda to make the version ready",
                ));
                self.reader
                    .settled(&format!("{name}:{version}"), FUNCTION_PATIENCE)
                    .await
                    .with_context(failed)?;
            }
            return Ok(version);
        }
    }

    /// Points the alias to this version only, if the alias is still as it was seen.
    async fn lead(&self, from: Option<&Alias>, version: &str) -> Result<()> {
        let name = &self.names.function;
        let _turn = self.turn.lock().await;
        let from = self.made().alias.clone().or_else(|| from.cloned());
        let seen = from.as_ref().and_then(|alias| alias.lease.clone());
        let there = |alias: &Alias| alias.version == version && alias.shares.is_empty();
        let led = match from {
            Some(alias) if there(&alias) => Ok(alias),
            Some(alias) => self.writer.update_alias(name, &alias, version).await,
            None => {
                let lease = self.lease_of_alias();
                self.writer.create_alias(name, ALIAS, version, lease).await
            }
        };
        let alias = match led {
            Err(error) if error.kind == Kind::Exists || error.code == PRECONDITION => {
                // A response to this run was lost, the alias's policy changed, or another run or tool moved the alias.
                let Some(now) = self.reader.alias(name, ALIAS).await? else {
                    return Err(error.into());
                };
                self.unless_barred(now.lease.as_ref())?;
                match there(&now) {
                    true => now,
                    false if self.is_held(&now) => {
                        self.writer.update_alias(name, &now, version).await?
                    }
                    false => {
                        return Err(
                            match now.lease.filter(|lease| Some(lease) != seen.as_ref()) {
                                Some(lease) => overtaken(&lease),
                                None => error.into(),
                            },
                        );
                    }
                }
            }
            other => other?,
        };
        self.made().alias = Some(alias);
        Ok(())
    }

    /// Waits until Lambda has finished with the function, and stores its new state.
    pub(super) async fn settled(&self, name: &str) -> Result<(), AwsError> {
        let latest = self.reader.settled(name, FUNCTION_PATIENCE).await?;
        self.made().latest = Some(latest);
        Ok(())
    }

    fn description(&self, function: &Function) -> String {
        let made = self.made().role_id.clone();
        let id = made.or_else(|| function.role_id.clone());
        description(&self.names.pool, id.as_deref())
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

    /// Repeats the call while Lambda answers that the role is not ready, or that an update is in progress.
    async fn until_lambda_takes_it<T, F>(
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
                // Waiting does not help against a changed revision.
                Kind::Busy if error.code != PRECONDITION => "for an update in progress",
                Kind::Refused if role_is_fresh(&error) => "for the new role to take effect",
                _ => return Err(error),
            };
            if started.elapsed() > ROLE_PATIENCE {
                return Err(error);
            }
            (self.tell)(Event::Waiting(change, waiting_for));
            sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(5));
        }
    }
}

fn is_number(version: &str) -> bool {
    version.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether Lambda's message says that it cannot use the role yet.
fn role_is_fresh(error: &AwsError) -> bool {
    error.says("cannot be assumed by Lambda")
        || error.says("does not have permissions")
        || error.says("KMS key is invalid for CreateGrant")
}
