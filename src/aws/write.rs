//! Every call that changes something in AWS. Only `apply` has a `Writer`.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::config::Builder;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    Runtime, State, VpcConfig,
};
use jane_migrate_config::{Architecture, Vpc};
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use jane_migrate_core::document::ClientDocument;
use jane_migrate_core::exposure::Alias;
use jane_migrate_core::ids::{LATEST, PoolId};
use jane_migrate_core::permission::COGNITO;
use jane_migrate_core::resources::{
    Function, FunctionState, LogGroup, ObservedFunction, Role, Tags,
};
use jane_migrate_core::watch::Part;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::client::Reader;
use super::error::{During, failed};
use super::known;
use super::lambda::{alias_of, state};
use super::logs;
use super::metrics::CLOUDWATCH;
use super::raw::{Capture, Replace};
use super::service;

/// A function or version that this call created.
#[derive(Debug)]
pub(crate) struct Made {
    /// The version's number, if Lambda made one.
    pub version: Option<String>,
    /// Whether it can be invoked yet.
    pub state: FunctionState,
}

/// Changes things in one Region.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(super) cognito: aws_sdk_cognitoidentityprovider::Client,
    iam: aws_sdk_iam::Client,
    lambda: aws_sdk_lambda::Client,
    pub(super) config: SdkConfig,
    pub(super) uploads: Arc<Semaphore>,
}

impl Writer {
    /// Writes with the connection of this reader.
    pub(crate) fn new(reader: &Reader) -> Self {
        Self {
            cognito: reader.cognito.clone(),
            iam: reader.iam.clone(),
            lambda: reader.lambda.clone(),
            config: reader.config.clone(),
            uploads: reader.uploads.clone(),
        }
    }
}

/// The function's log group.
impl Writer {
    /// Creates the log group, with its tags.
    pub(crate) async fn create_log_group(&self, group: &LogGroup) -> Result<(), AwsError> {
        let mut new = json!({ "logGroupName": group.name, "tags": group.tags });
        if let Some(key) = &group.kms_key_arn {
            new["kmsKeyId"] = json!(key);
        }
        logs::ask(&self.config, "logs:CreateLogGroup", new).await?;
        Ok(())
    }

    /// Adds tags to the log group.
    pub(crate) async fn tag_log_group(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let added = json!({ "resourceArn": arn, "tags": tags });
        logs::ask(&self.config, "logs:TagResource", added).await?;
        Ok(())
    }

    /// Sets how many days events are kept.
    pub(crate) async fn keep_logs(&self, name: &str, days: u32) -> Result<(), AwsError> {
        let policy = json!({ "logGroupName": name, "retentionInDays": days });
        logs::ask(&self.config, "logs:PutRetentionPolicy", policy).await?;
        Ok(())
    }

    /// Sets the key that encrypts new log events.
    pub(crate) async fn encrypt_logs(&self, name: &str, key: Option<&str>) -> Result<(), AwsError> {
        let (action, order) = match key {
            Some(key) => (
                "logs:AssociateKmsKey",
                json!({ "logGroupName": name, "kmsKeyId": key }),
            ),
            None => ("logs:DisassociateKmsKey", json!({ "logGroupName": name })),
        };
        logs::ask(&self.config, action, order).await?;
        Ok(())
    }

    /// Deletes the log group; it is no error if it does not exist.
    pub(crate) async fn delete_log_group(&self, name: &str) -> Result<(), AwsError> {
        logs::ask(
            &self.config,
            "logs:DeleteLogGroup",
            json!({ "logGroupName": name }),
        )
        .await
        .found()?;
        Ok(())
    }
}

/// Alarms and what belongs to them.
impl Writer {
    /// Creates or updates an alarm or what belongs to it. Only a new alarm gets the tags.
    pub(crate) async fn watch(
        &self,
        (part, name): (Part, &str),
        region: &str,
        body: &Value,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        let (action, body) = match part {
            Part::MetricFilter => {
                logs::ask(&self.config, "logs:PutMetricFilter", body.clone()).await?;
                return Ok(());
            }
            Part::Alarm => ("cloudwatch:PutMetricAlarm", alarm(body, tags)),
            Part::Dashboard => (
                "cloudwatch:PutDashboard",
                json!({ "DashboardName": name, "DashboardBody": body.to_string() }),
            ),
        };
        service::ask(&self.config, &CLOUDWATCH, action, region, body).await?;
        Ok(())
    }

    /// Deletes an alarm or what belongs to it; it is no error if it does not exist.
    pub(crate) async fn unwatch(
        &self,
        (part, name): (Part, &str),
        region: &str,
        log_group: &str,
    ) -> Result<(), AwsError> {
        let (action, body) = match part {
            Part::MetricFilter => {
                let filter = json!({ "logGroupName": log_group, "filterName": name });
                let deleted = logs::ask(&self.config, "logs:DeleteMetricFilter", filter).await;
                deleted.found()?;
                return Ok(());
            }
            Part::Alarm => ("cloudwatch:DeleteAlarms", json!({ "AlarmNames": [name] })),
            Part::Dashboard => (
                "cloudwatch:DeleteDashboards",
                json!({ "DashboardNames": [name] }),
            ),
        };
        let deleted = service::ask(&self.config, &CLOUDWATCH, action, region, body).await;
        deleted.found()?;
        Ok(())
    }
}

/// The execution role.
impl Writer {
    /// Creates the role, without its policies, and returns its id.
    pub(crate) async fn create_role(
        &self,
        role: &Role,
        description: &str,
    ) -> Result<Option<String>, AwsError> {
        const ACTION: &str = "iam:CreateRole";
        let created = self
            .iam
            .create_role()
            .role_name(&role.name)
            .path(&role.path)
            .set_permissions_boundary(role.boundary.clone())
            .description(description)
            .assume_role_policy_document(role.trust.to_string())
            .set_tags(Some(tags(ACTION, &role.tags)?))
            .send()
            .await
            .during(ACTION)?;
        Ok(created.role.map(|role| role.role_id))
    }

    /// Sets the role's trust policy.
    pub(crate) async fn set_trust(&self, role: &str, trust: &Value) -> Result<(), AwsError> {
        self.iam
            .update_assume_role_policy()
            .role_name(role)
            .policy_document(trust.to_string())
            .send()
            .await
            .during("iam:UpdateAssumeRolePolicy")?;
        Ok(())
    }

    /// Sets the permissions boundary.
    pub(crate) async fn bound_role(&self, role: &str, boundary: &str) -> Result<(), AwsError> {
        self.iam
            .put_role_permissions_boundary()
            .role_name(role)
            .permissions_boundary(boundary)
            .send()
            .await
            .during("iam:PutRolePermissionsBoundary")?;
        Ok(())
    }

    /// Sets an inline policy.
    pub(crate) async fn put_role_policy(
        &self,
        role: &str,
        name: &str,
        policy: &Value,
    ) -> Result<(), AwsError> {
        self.iam
            .put_role_policy()
            .role_name(role)
            .policy_name(name)
            .policy_document(policy.to_string())
            .send()
            .await
            .during("iam:PutRolePolicy")?;
        Ok(())
    }

    /// Adds tags to the role.
    pub(crate) async fn tag_role(&self, role: &str, add: &Tags) -> Result<(), AwsError> {
        const ACTION: &str = "iam:TagRole";
        self.iam
            .tag_role()
            .role_name(role)
            .set_tags(Some(tags(ACTION, add)?))
            .send()
            .await
            .during(ACTION)?;
        Ok(())
    }

    /// Deletes an inline policy; it is no error if it does not exist.
    pub(crate) async fn delete_role_policy(&self, role: &str, name: &str) -> Result<(), AwsError> {
        self.iam
            .delete_role_policy()
            .role_name(role)
            .policy_name(name)
            .send()
            .await
            .during("iam:DeleteRolePolicy")
            .found()?;
        Ok(())
    }

    /// Detaches a managed policy; it is no error if it is not attached.
    pub(crate) async fn detach_role_policy(&self, role: &str, arn: &str) -> Result<(), AwsError> {
        self.iam
            .detach_role_policy()
            .role_name(role)
            .policy_arn(arn)
            .send()
            .await
            .during("iam:DetachRolePolicy")
            .found()?;
        Ok(())
    }

    /// Deletes the role; it is no error if it does not exist.
    pub(crate) async fn delete_role(&self, role: &str) -> Result<(), AwsError> {
        self.iam
            .delete_role()
            .role_name(role)
            .send()
            .await
            .during("iam:DeleteRole")
            .found()?;
        Ok(())
    }
}

/// The function and its resource policy.
impl Writer {
    /// Creates the function and its first version. Unless it is ready at once, wait with `settled` before invoking it.
    pub(crate) async fn create_function(
        &self,
        function: &Function,
        description: &str,
        zip: &[u8],
    ) -> Result<Made, AwsError> {
        let _turn = self.uploads.acquire().await;
        let created = self
            .lambda
            .create_function()
            .function_name(&function.name)
            .description(description)
            .runtime(Runtime::from(function.runtime.as_str()))
            .handler(&function.handler)
            .architectures(function.architecture.as_str().into())
            .memory_size(function.memory_mb.try_into().unwrap_or(i32::MAX))
            .timeout(function.timeout_s.try_into().unwrap_or(i32::MAX))
            .role(&function.role_arn)
            .environment(environment(function))
            .set_kms_key_arn(function.kms_key_arn.clone())
            .set_vpc_config(function.vpc.as_ref().map(vpc))
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
            .set_tags(Some(function.tags.clone().into_iter().collect()))
            .publish(true)
            .send()
            .await
            .during("lambda:CreateFunction")?;
        Ok(Made {
            version: created.version.filter(|version| version != LATEST),
            state: made_state(
                created.state,
                created.state_reason,
                created.last_update_status,
                created.last_update_status_reason,
            ),
        })
    }

    /// Sets everything but code, architecture, tags and concurrency.
    pub(crate) async fn configure_function(
        &self,
        function: &Function,
        description: &str,
    ) -> Result<(), AwsError> {
        self.lambda
            .update_function_configuration()
            .function_name(&function.name)
            .description(description)
            .runtime(Runtime::from(function.runtime.as_str()))
            .handler(&function.handler)
            .memory_size(function.memory_mb.try_into().unwrap_or(i32::MAX))
            .timeout(function.timeout_s.try_into().unwrap_or(i32::MAX))
            .role(&function.role_arn)
            .environment(environment(function))
            // An empty string removes a key.
            .kms_key_arn(function.kms_key_arn.clone().unwrap_or_default())
            .vpc_config(function.vpc.as_ref().map_or_else(leave_vpc, vpc))
            .set_layers(Some(function.layers.clone()))
            .send()
            .await
            .during("lambda:UpdateFunctionConfiguration")?;
        Ok(())
    }

    /// Takes the function out of its VPC, and changes nothing else.
    pub(crate) async fn leave_vpc(&self, name: &str) -> Result<(), AwsError> {
        self.lambda
            .update_function_configuration()
            .function_name(name)
            .vpc_config(leave_vpc())
            .send()
            .await
            .during("lambda:UpdateFunctionConfiguration")?;
        Ok(())
    }

    /// Uploads the code, with the architecture it is for.
    pub(crate) async fn upload_code(
        &self,
        name: &str,
        architecture: Architecture,
        zip: &[u8],
    ) -> Result<(), AwsError> {
        let _turn = self.uploads.acquire().await;
        self.lambda
            .update_function_code()
            .function_name(name)
            .architectures(architecture.as_str().into())
            .zip_file(Blob::new(zip))
            .send()
            .await
            .during("lambda:UpdateFunctionCode")?;
        Ok(())
    }

    /// Adds tags to the function.
    pub(crate) async fn tag_function(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        self.lambda
            .tag_resource()
            .resource(arn)
            .set_tags(Some(tags.clone().into_iter().collect()))
            .send()
            .await
            .during("lambda:TagResource")?;
        Ok(())
    }

    /// Removes tags from the function.
    pub(crate) async fn untag_function(&self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        self.lambda
            .untag_resource()
            .resource(arn)
            .set_tag_keys(Some(keys.to_vec()))
            .send()
            .await
            .during("lambda:UntagResource")?;
        Ok(())
    }

    /// Sets or removes the function's reserved concurrency.
    pub(crate) async fn reserve_concurrency(
        &self,
        name: &str,
        reserved: Option<u32>,
    ) -> Result<(), AwsError> {
        match reserved {
            Some(n) => {
                self.lambda
                    .put_function_concurrency()
                    .function_name(name)
                    .reserved_concurrent_executions(n.try_into().unwrap_or(i32::MAX))
                    .send()
                    .await
                    .during("lambda:PutFunctionConcurrency")?;
            }
            None => {
                self.lambda
                    .delete_function_concurrency()
                    .function_name(name)
                    .send()
                    .await
                    .during("lambda:DeleteFunctionConcurrency")?;
            }
        }
        Ok(())
    }

    /// Publishes a version, if the function is still as it was seen, and returns its number. If nothing has changed since the
    /// last version, Lambda returns that one.
    pub(crate) async fn publish(
        &self,
        name: &str,
        seen: &ObservedFunction,
    ) -> Result<Made, AwsError> {
        let published = self
            .lambda
            .publish_version()
            .function_name(name)
            .code_sha256(&seen.code_sha256)
            .set_revision_id(seen.revision.clone())
            .send()
            .await
            .during("lambda:PublishVersion")?;
        Ok(Made {
            state: made_state(
                published.state,
                published.state_reason,
                published.last_update_status,
                published.last_update_status_reason,
            ),
            version: published.version,
        })
    }

    /// Deletes a version; it is no error if it does not exist.
    pub(crate) async fn delete_version(&self, name: &str, version: &str) -> Result<(), AwsError> {
        self.lambda
            .delete_function()
            .function_name(name)
            .qualifier(version)
            .send()
            .await
            .during("lambda:DeleteFunction")
            .found()?;
        Ok(())
    }

    /// Creates an alias for a version, with the lease in its description.
    pub(crate) async fn create_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
        description: Option<String>,
    ) -> Result<Alias, AwsError> {
        let made = self
            .lambda
            .create_alias()
            .function_name(name)
            .name(alias)
            .function_version(version)
            .set_description(description)
            .send()
            .await
            .during("lambda:CreateAlias")?;
        Ok(alias_of(
            made.name,
            made.function_version,
            made.routing_config,
            made.revision_id,
            made.description,
        ))
    }

    /// Points an alias to a version only, if the alias still has this revision.
    pub(crate) async fn update_alias(
        &self,
        name: &str,
        alias: &Alias,
        version: &str,
    ) -> Result<Alias, AwsError> {
        let made = self
            .lambda
            .update_alias()
            .function_name(name)
            .name(&alias.name)
            .function_version(version)
            .routing_config(
                AliasRoutingConfiguration::builder()
                    .set_additional_version_weights(Some(HashMap::new()))
                    .build(),
            )
            .set_revision_id(alias.revision.clone())
            .send()
            .await
            .during("lambda:UpdateAlias")?;
        Ok(alias_of(
            made.name,
            made.function_version,
            made.routing_config,
            made.revision_id,
            made.description,
        ))
    }

    /// Writes the lease into the alias's description, if the alias still has this revision. Its version does not change.
    pub(crate) async fn describe_alias(
        &self,
        name: &str,
        alias: &Alias,
        description: &str,
    ) -> Result<Alias, AwsError> {
        let made = self
            .lambda
            .update_alias()
            .function_name(name)
            .name(&alias.name)
            .function_version(&alias.version)
            .description(description)
            .set_revision_id(alias.revision.clone())
            .send()
            .await
            .during("lambda:UpdateAlias")?;
        Ok(alias_of(
            made.name,
            made.function_version,
            made.routing_config,
            made.revision_id,
            made.description,
        ))
    }

    /// Lets Cognito invoke an alias of the function for this pool only.
    pub(crate) async fn add_permission(
        &self,
        name: &str,
        alias: Option<&str>,
        statement_id: &str,
        source_arn: &str,
        source_account: &str,
    ) -> Result<(), AwsError> {
        self.lambda
            .add_permission()
            .function_name(name)
            .set_qualifier(alias.map(str::to_owned))
            .statement_id(statement_id)
            .principal(COGNITO)
            .action("lambda:InvokeFunction")
            .source_arn(source_arn)
            .source_account(source_account)
            .send()
            .await
            .during("lambda:AddPermission")?;
        Ok(())
    }

    /// Removes a statement from the policy of an alias or of the function itself; it is no error if it does not exist.
    pub(crate) async fn remove_permission(
        &self,
        name: &str,
        alias: Option<&str>,
        statement_id: &str,
    ) -> Result<(), AwsError> {
        self.lambda
            .remove_permission()
            .function_name(name)
            .set_qualifier(alias.map(str::to_owned))
            .statement_id(statement_id)
            .send()
            .await
            .during("lambda:RemovePermission")
            .found()?;
        Ok(())
    }

    /// Deletes the function with its policy; it is no error if it does not exist.
    pub(crate) async fn delete_function(&self, name: &str) -> Result<(), AwsError> {
        self.lambda
            .delete_function()
            .function_name(name)
            .send()
            .await
            .during("lambda:DeleteFunction")
            .found()?;
        Ok(())
    }
}

/// The pool and its app clients.
impl Writer {
    /// Replaces the pool's settings. `body` is the whole request. It is sent once: before a repetition the caller checks for
    /// changes by other tools.
    pub(crate) async fn update_pool(&self, pool: &PoolId, body: &Value) -> Result<(), AwsError> {
        self.cognito
            .update_user_pool()
            .user_pool_id(pool.as_str())
            .customize()
            .config_override(once())
            .interceptor(Replace::with(body))
            .send()
            .await
            .during("cognito-idp:UpdateUserPool")?;
        Ok(())
    }

    /// Replaces an app client's settings. `body` is the whole request, sent only once. Returns the client as the response shows it.
    pub(crate) async fn update_client(
        &self,
        pool: &PoolId,
        client: &str,
        body: &Value,
    ) -> Result<Option<ClientDocument>, AwsError> {
        let answer = Capture::default();
        self.cognito
            .update_user_pool_client()
            .user_pool_id(pool.as_str())
            .client_id(client)
            .customize()
            .config_override(once())
            .interceptor(Replace::with(body))
            .interceptor(answer.clone())
            .send()
            .await
            .during("cognito-idp:UpdateUserPoolClient")?;
        Ok(ClientDocument::from_describe(answer.take()).ok())
    }
}

fn made_state(
    what: Option<State>,
    reason: Option<String>,
    update: Option<LastUpdateStatus>,
    update_reason: Option<String>,
) -> FunctionState {
    state(
        &FunctionConfiguration::builder()
            .set_state(what)
            .set_state_reason(reason)
            .set_last_update_status(update)
            .set_last_update_status_reason(update_reason)
            .build(),
    )
}

/// An alarm in the form of the request: a percentile has a field of its own.
fn alarm(body: &Value, tags: &Tags) -> Value {
    let mut alarm = body.clone();
    let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
    alarm["Tags"] = tags.iter().map(tag).collect();
    let percentile = |statistic: &&str| statistic.starts_with('p');
    if body["Statistic"].as_str().filter(percentile).is_some()
        && let Some(members) = alarm.as_object_mut()
        && let Some(statistic) = members.remove("Statistic")
    {
        members.insert("ExtendedStatistic".into(), statistic);
    }
    alarm
}

/// The settings of a call without retries.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

fn tags(action: &'static str, tags: &Tags) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| failed(action, Kind::Refused, "request not made", error))
}

fn environment(function: &Function) -> Environment {
    known::know_environment(&function.environment);
    Environment::builder()
        .set_variables(Some(
            function
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                .collect(),
        ))
        .build()
}

fn vpc(vpc: &Vpc) -> VpcConfig {
    VpcConfig::builder()
        .set_subnet_ids(Some(vpc.subnets.clone()))
        .set_security_group_ids(Some(vpc.security_groups.clone()))
        .build()
}

/// Empty lists take a function out of its VPC.
fn leave_vpc() -> VpcConfig {
    VpcConfig::builder()
        .set_subnet_ids(Some(Vec::new()))
        .set_security_group_ids(Some(Vec::new()))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

    /// The sources below a folder, each with its path from `src` on.
    fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(sources(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(SRC).unwrap().to_owned(), text));
            }
        }
        found
    }

    fn has_word(text: &str, word: &str) -> bool {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|other| other == word)
    }

    #[test]
    fn only_apply_creates_a_writer() {
        let users: BTreeSet<_> = sources(Path::new(SRC))
            .into_iter()
            .filter(|(_, text)| has_word(&text.replace("csv::Writer", ""), "Writer"))
            .map(|(path, _)| path)
            .collect();
        let expected = [
            "apply/import.rs",
            "apply/lease.rs",
            "apply/mod.rs",
            "aws/import.rs",
            "aws/mod.rs",
            "aws/write.rs",
        ];
        assert_eq!(users, expected.map(PathBuf::from).into());
    }

    /// Each call names its IAM action, and the name of an action says whether it only reads.
    #[test]
    fn a_reader_has_no_call_that_writes() {
        // Starting a query of Logs Insights changes nothing.
        const READS: [&str; 6] = [
            "AdminGet",
            "Describe",
            "Filter",
            "Get",
            "List",
            "StartQuery",
        ];
        let readers = "cognito exposure iam lambda logs metrics secrets";
        let mut seen = 0;
        for name in readers.split(' ').chain(["write"]) {
            let text = std::fs::read_to_string(format!("{SRC}/aws/{name}.rs")).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let actions = code.split('"').filter_map(|text| text.split_once(':'));
            for (service, action) in actions.filter(|(service, action)| {
                service.starts_with(|c: char| c.is_ascii_lowercase())
                    && service.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    && action.starts_with(|c: char| c.is_ascii_uppercase())
                    && action.chars().all(|c| c.is_ascii_alphanumeric())
                    // A permission, not a call.
                    && *action != "InvokeFunction"
            }) {
                seen += 1;
                let reads = READS.iter().any(|verb| action.starts_with(verb));
                assert_eq!(reads, name != "write", "{service}:{action} in {name}.rs");
            }
        }
        assert!(seen > 40, "{seen}");
    }
}
