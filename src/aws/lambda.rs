//! The function and its resource policy. The wait for Lambda is here, because only Lambda defines what a state means; the caller
//! decides how long to wait and what to show meanwhile.

use std::time::Duration;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, FunctionConfiguration, LastUpdateStatus, State, TracingMode,
};
use jane_migrate_config::{Architecture, Vpc};

use super::client::Reader;
use super::error::{During, answered, failed};
use super::known;
use crate::host::{Instant, sleep};
use jane_migrate_core::aws_error::{AwsError, Found, Kind};
use jane_migrate_core::exposure::Alias;
use jane_migrate_core::lease::Lease;
use jane_migrate_core::permission::Policy;
use jane_migrate_core::resources::{Function, FunctionState, ObservedFunction, Tags, role_id};

impl Reader {
    pub(super) async fn get_function(&self, name: &str) -> Result<GetFunctionOutput, AwsError> {
        self.lambda
            .get_function()
            .function_name(name)
            .send()
            .await
            .during("lambda:GetFunction")
    }

    /// The function with its tags and reserved concurrency. `None` if it does not exist. A `name:qualifier` reads what an alias
    /// or a version runs.
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
        // Lambda returns the function even then, without tags.
        found.tags_unread = answer
            .tags_error
            .map(|error| answered("lambda:ListTags", 403, &error.error_code, &error.message));
        Ok(Some(found))
    }

    /// Waits until the function can be invoked, and returns its state then; `Err` if it failed or `patience` ran out.
    pub async fn settled(
        &self,
        name: &str,
        patience: Duration,
    ) -> Result<ObservedFunction, AwsError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            // GetFunction has a rate limit of its own; GetFunctionConfiguration counts against the few requests a second that
            // Lambda allows for all other calls, and many pools may be waiting at once.
            let answer = self.get_function(name).await?;
            let failed = |code: &str, message: String| {
                failed("lambda:GetFunction", Kind::Refused, code, message)
            };
            let configuration = answer.configuration.unwrap_or_else(nothing_said);
            match state(&configuration) {
                FunctionState::Ready | FunctionState::Inactive => {
                    return Ok(configured(name, &configuration));
                }
                FunctionState::Failed(reason) => return Err(failed("function failed", reason)),
                FunctionState::Settling(what) if started.elapsed() > patience => {
                    return Err(failed(
                        "still waiting",
                        format!("the function is {what} after {} s", patience.as_secs()),
                    ));
                }
                FunctionState::Settling(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// The account's limit of concurrent executions of all functions in this Region.
    pub(crate) async fn concurrency_limit(&self) -> Result<Option<u32>, AwsError> {
        let answer = self
            .lambda
            .get_account_settings()
            .send()
            .await
            .during("lambda:GetAccountSettings")?;
        let limit = answer.account_limit;
        Ok(limit.and_then(|limit| limit.concurrent_executions.try_into().ok()))
    }

    /// An alias of the function; `None` if it does not exist.
    pub async fn alias(&self, function: &str, name: &str) -> Result<Option<Alias>, AwsError> {
        let answer = self
            .lambda
            .get_alias()
            .function_name(function)
            .name(name)
            .send()
            .await
            .during("lambda:GetAlias")
            .found()?;
        Ok(answer.map(|alias| {
            alias_of(
                alias.name,
                alias.function_version,
                alias.routing_config,
                alias.revision_id,
                alias.description,
            )
        }))
    }

    /// The resource policy of the function itself, or of an alias or version: each has its own. Empty if there is none.
    pub async fn policy(&self, name: &str, qualifier: Option<&str>) -> Result<Policy, AwsError> {
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
            .map_err(|error| failed(ACTION, Kind::NoAnswer, "unreadable policy", error))
    }
}

pub(super) fn alias_of(
    name: Option<String>,
    version: Option<String>,
    routing: Option<AliasRoutingConfiguration>,
    revision: Option<String>,
    description: Option<String>,
) -> Alias {
    let weights = routing.and_then(|routing| routing.additional_version_weights);
    let mut shares: Vec<String> = weights.unwrap_or_default().into_keys().collect();
    shares.sort();
    Alias {
        name: name.unwrap_or_default(),
        version: version.unwrap_or_default(),
        shares,
        revision,
        lease: description.as_deref().and_then(Lease::parse),
    }
}

/// A function or version as its configuration describes it, which has neither tags nor concurrency.
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
        role_id: configuration
            .description()
            .and_then(role_id)
            .map(str::to_owned),
        environment: configuration
            .environment()
            .and_then(|environment| environment.variables())
            .map(|variables| {
                variables
                    .iter()
                    .map(|(name, value)| (name.clone(), known::env_value(value)))
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
        revision: configuration.revision_id().map(str::to_owned),
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
    // Lambda omits the list if it was never set; the default is x86_64.
    match configuration.architectures().first() {
        Some(name) if name.as_str() == Architecture::Arm64.as_str() => Architecture::Arm64,
        _ => Architecture::X86_64,
    }
}

fn nothing_said() -> FunctionConfiguration {
    FunctionConfiguration::builder().build()
}

/// Lambda's two states as one. Both may be missing for a moment after a change. A missing state counts as ready: if an update
/// then comes too early, Lambda rejects it as busy and it is tried again.
pub(super) fn state(configuration: &FunctionConfiguration) -> FunctionState {
    let reason = |reason: Option<&str>| {
        let reason = reason.unwrap_or("no reason given");
        known::without_secrets(reason.trim_end_matches('.'))
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
