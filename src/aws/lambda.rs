//! The function, its resource policy, and invoking it. Waiting for Lambda to settle lives here, because what a state means is
//! Lambda's affair; how long to wait and what to tell meanwhile is the caller's.

use std::time::{Duration, Instant};

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment as LambdaEnvironment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    LogType, Runtime, State, TracingMode, VpcConfig,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jane_migrate_config::{Architecture, Vpc};
use serde_json::Value;

use super::error::{During, answered};
use super::{Aws, AwsError, Found, Kind};
use jane_migrate_core::permission::{COGNITO, Policy};
use jane_migrate_core::resources::{EnvValue, Function, FunctionState, ObservedFunction, Tags};

/// How long a function may take to wake; those in a VPC take up to a minute.
const WAKING: Duration = Duration::from_secs(90);

/// What an invocation answered.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The payload, or `Null` where it is no JSON.
    pub payload: Value,
    /// `Unhandled` or `Handled` where the function threw.
    pub error: Option<String>,
    /// From request to answer as seen from here.
    pub took: Duration,
    /// The last of what it wrote to its log, where that was asked for.
    pub log: String,
}

impl Aws {
    pub(super) async fn get_function(&self, name: &str) -> Result<GetFunctionOutput, AwsError> {
        self.lambda
            .get_function()
            .function_name(name)
            .send()
            .await
            .during("lambda:GetFunction")
    }

    /// The function with its tags and reserved concurrency. `None` where it does not exist. A `name:qualifier` gives what an
    /// alias or a version runs.
    pub async fn function(&self, name: &str) -> Result<Option<ObservedFunction>, AwsError> {
        let Some(answer) = self.get_function(name).await.found()? else {
            return Ok(None);
        };
        let configuration = answer.configuration.unwrap_or_else(nothing_said);
        let mut found = configured(name, &configuration);
        found.function.reserved_concurrency = answer
            .concurrency
            .and_then(|concurrency| concurrency.reserved_concurrent_executions)
            .and_then(|n| n.try_into().ok());
        found.function.tags = answer.tags.unwrap_or_default().into_iter().collect();
        // The function is told all the same, and then without tags.
        found.tags_unread = answer
            .tags_error
            .map(|error| answered("lambda:ListTags", 403, &error.error_code, &error.message));
        Ok(Some(found))
    }

    /// Makes the function. Unless it is ready already, it can be invoked once `settled`.
    pub async fn create_function(
        &self,
        function: &Function,
        description: &str,
        zip: &[u8],
    ) -> Result<FunctionState, AwsError> {
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
            .send()
            .await
            .during("lambda:CreateFunction")?;
        Ok(state(
            &FunctionConfiguration::builder()
                .set_state(created.state)
                .set_state_reason(created.state_reason)
                .set_last_update_status(created.last_update_status)
                .set_last_update_status_reason(created.last_update_status_reason)
                .build(),
        ))
    }

    /// Sets everything but code, architecture, tags and concurrency.
    pub async fn configure_function(&self, function: &Function) -> Result<(), AwsError> {
        self.lambda
            .update_function_configuration()
            .function_name(&function.name)
            .runtime(Runtime::from(function.runtime.as_str()))
            .handler(&function.handler)
            .memory_size(function.memory_mb.try_into().unwrap_or(i32::MAX))
            .timeout(function.timeout_s.try_into().unwrap_or(i32::MAX))
            .role(&function.role_arn)
            .environment(environment(function))
            // An empty string is how a key is taken away.
            .kms_key_arn(function.kms_key_arn.clone().unwrap_or_default())
            .vpc_config(function.vpc.as_ref().map_or_else(leave_vpc, vpc))
            .set_layers(Some(function.layers.clone()))
            .send()
            .await
            .during("lambda:UpdateFunctionConfiguration")?;
        Ok(())
    }

    /// Uploads the code, with the architecture it is for.
    pub async fn upload_code(
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

    /// Waits until the function can be invoked: its state, or `Err` where it failed or `patience` ran out.
    pub async fn settled(&self, name: &str, patience: Duration) -> Result<(), AwsError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            // GetFunction has a rate of its own; GetFunctionConfiguration would take from the few requests a second that Lambda
            // has for everything else, and many pools may be waiting at once.
            let answer = self.get_function(name).await?;
            let failed = |code: &str, message: String| {
                AwsError::ours("lambda:GetFunction", Kind::Refused, code, message)
            };
            let configuration = answer.configuration.unwrap_or_else(nothing_said);
            match state(&configuration) {
                FunctionState::Ready | FunctionState::Inactive => return Ok(()),
                FunctionState::Failed(reason) => return Err(failed("function failed", reason)),
                FunctionState::Settling(what) if started.elapsed() > patience => {
                    return Err(failed(
                        "still waiting",
                        format!("the function is {what} after {} s", patience.as_secs()),
                    ));
                }
                FunctionState::Settling(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Adds tags to the function.
    pub async fn tag_function(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        self.lambda
            .tag_resource()
            .resource(arn)
            .set_tags(Some(tags.clone().into_iter().collect()))
            .send()
            .await
            .during("lambda:TagResource")?;
        Ok(())
    }

    /// Takes tags off the function.
    pub async fn untag_function(&self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        self.lambda
            .untag_resource()
            .resource(arn)
            .set_tag_keys(Some(keys.to_vec()))
            .send()
            .await
            .during("lambda:UntagResource")?;
        Ok(())
    }

    /// Sets or frees the function's reserved concurrency.
    pub async fn reserve_concurrency(
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

    /// The function's resource policy; empty where it has none or does not exist.
    pub async fn policy(&self, name: &str) -> Result<Policy, AwsError> {
        self.policy_of(name, None).await
    }

    /// The resource policy of the function itself, or of an alias or version: each has one of its own.
    pub async fn policy_of(&self, name: &str, qualifier: Option<&str>) -> Result<Policy, AwsError> {
        const ACTION: &str = "lambda:GetPolicy";
        let Some(answer) = self
            .lambda
            .get_policy()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .during(ACTION)
            .found()?
        else {
            return Ok(Policy::default());
        };
        Policy::parse(answer.policy().unwrap_or_default())
            .map_err(|error| AwsError::ours(ACTION, Kind::NoAnswer, "unreadable policy", error))
    }

    /// Lets Cognito invoke the function for this pool only.
    pub async fn add_permission(
        &self,
        name: &str,
        statement_id: &str,
        source_arn: &str,
        source_account: &str,
    ) -> Result<(), AwsError> {
        self.lambda
            .add_permission()
            .function_name(name)
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

    /// Takes a statement out of the function's policy; one that is gone already is no error.
    pub async fn remove_permission(&self, name: &str, statement_id: &str) -> Result<(), AwsError> {
        self.lambda
            .remove_permission()
            .function_name(name)
            .statement_id(statement_id)
            .send()
            .await
            .during("lambda:RemovePermission")
            .found()?;
        Ok(())
    }

    /// Invokes the function and waits for its answer, and for the last 4 KB of its log.
    pub async fn invoke(&self, name: &str, event: &Value) -> Result<Invocation, AwsError> {
        let first = Instant::now();
        let (started, answer) = loop {
            let started = Instant::now();
            let answer = self
                .lambda
                .invoke()
                .function_name(name)
                .log_type(LogType::Tail)
                .payload(Blob::new(event.to_string()))
                .send()
                .await
                .during("lambda:InvokeFunction");
            match answer {
                // What nobody called for weeks sleeps: Lambda refuses the call that finds it so, and wakes it for the next.
                Err(error) if error.kind == Kind::Busy && first.elapsed() < WAKING => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    self.settled(name, WAKING).await?;
                }
                answer => break (started, answer?),
            }
        };
        Ok(Invocation {
            payload: answer
                .payload
                .and_then(|payload| serde_json::from_slice(payload.as_ref()).ok())
                .unwrap_or_default(),
            error: answer.function_error,
            took: started.elapsed(),
            log: answer
                .log_result
                .and_then(|log| BASE64.decode(log).ok())
                .map(|log| String::from_utf8_lossy(&log).into_owned())
                .unwrap_or_default(),
        })
    }

    /// Deletes the function, its policy with it; one that is gone already is no error.
    pub async fn delete_function(&self, name: &str) -> Result<(), AwsError> {
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

/// What a function or a version of it is, as its configuration tells: neither tags nor concurrency are in there.
pub(super) fn configured(name: &str, configuration: &FunctionConfiguration) -> ObservedFunction {
    let function = Function {
        name: name.to_owned(),
        runtime: configuration
            .runtime()
            .map(|runtime| runtime.as_str().to_owned())
            .unwrap_or_default(),
        handler: configuration.handler().unwrap_or_default().to_owned(),
        architecture: architecture(configuration),
        memory_mb: positive(configuration.memory_size()),
        timeout_s: positive(configuration.timeout()),
        role_arn: configuration.role().unwrap_or_default().to_owned(),
        environment: configuration
            .environment()
            .and_then(|environment| environment.variables())
            .map(|variables| {
                variables
                    .iter()
                    .map(|(name, value)| (name.clone(), EnvValue::new(value)))
                    .collect()
            })
            .unwrap_or_default(),
        kms_key_arn: configuration
            .kms_key_arn()
            .filter(|arn| !arn.is_empty())
            .map(str::to_owned),
        vpc: configuration
            .vpc_config()
            .filter(|vpc| !vpc.subnet_ids().is_empty())
            .map(|vpc| Vpc {
                subnets: vpc.subnet_ids().to_vec(),
                security_groups: vpc.security_group_ids().to_vec(),
            }),
        layers: configuration
            .layers()
            .iter()
            .filter_map(|layer| layer.arn().map(str::to_owned))
            .collect(),
        reserved_concurrency: None,
        tags: Tags::new(),
    };
    let logging = configuration.logging_config();
    ObservedFunction {
        code_sha256: configuration.code_sha256().unwrap_or_default().to_owned(),
        state: state(configuration),
        log_level: logging
            .and_then(|logging| logging.application_log_level())
            .map(|level| level.as_str().to_owned()),
        log_group: logging
            .and_then(|logging| logging.log_group())
            .map(str::to_owned),
        dead_letters: configuration
            .dead_letter_config()
            .and_then(|queue| queue.target_arn())
            .filter(|arn| !arn.is_empty())
            .map(str::to_owned),
        traced: configuration
            .tracing_config()
            .is_some_and(|tracing| tracing.mode() == Some(&TracingMode::Active)),
        durable: configuration.durable_config().is_some(),
        tags_unread: None,
        function,
    }
}

fn positive(n: Option<i32>) -> u32 {
    n.and_then(|n| n.try_into().ok()).unwrap_or_default()
}

fn architecture(configuration: &FunctionConfiguration) -> Architecture {
    // Lambda leaves the list out where it was never set, and means x86_64.
    match configuration.architectures().first() {
        Some(name) if name.as_str() == Architecture::Arm64.as_str() => Architecture::Arm64,
        _ => Architecture::X86_64,
    }
}

fn environment(function: &Function) -> LambdaEnvironment {
    LambdaEnvironment::builder()
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

/// Empty lists are how a function leaves its VPC.
fn leave_vpc() -> VpcConfig {
    VpcConfig::builder()
        .set_subnet_ids(Some(Vec::new()))
        .set_security_group_ids(Some(Vec::new()))
        .build()
}

fn nothing_said() -> FunctionConfiguration {
    FunctionConfiguration::builder().build()
}

/// Lambda's two states as one. Both may be missing for a moment after a change; an update that comes too early for Lambda is
/// refused as busy and tried again, so a missing state counts as ready.
fn state(configuration: &FunctionConfiguration) -> FunctionState {
    let reason = |reason: Option<&str>| {
        let reason = reason.unwrap_or("no reason given");
        reason.trim_end_matches('.').to_owned()
    };
    match (configuration.state(), configuration.last_update_status()) {
        (Some(State::Failed), _) => FunctionState::Failed(reason(configuration.state_reason())),
        (_, Some(LastUpdateStatus::Failed)) => {
            FunctionState::Failed(reason(configuration.last_update_status_reason()))
        }
        (_, Some(LastUpdateStatus::InProgress)) => FunctionState::Settling("being updated".into()),
        (Some(State::Inactive), _) => FunctionState::Inactive,
        (Some(State::Active) | None, _) => FunctionState::Ready,
        (Some(other), _) => FunctionState::Settling(other.as_str().to_lowercase()),
    }
}
