//! Other ways to a function than its trigger, and places where its events end up: URLs, aliases, versions, event sources,
//! destinations, subscriptions of its log. Reads only; `verify` decides what is wrong.

use jane_migrate_config::Arn;
use serde_json::{Value, json};

use super::client::Reader;
use super::error::During;
use super::lambda::{alias_of, configured};
use super::logs::text;
use super::pages;
use jane_migrate_core::aws_error::{AwsError, Found};
use jane_migrate_core::exposure::{
    Alias, CodeSigning, EventCopy, EventSource, FunctionUrl, Subscription, Version,
};

/// The most of a kind: each alias and version needs two more calls, and Lambda allows fifteen a second.
const MOST: usize = 1000;

impl Reader {
    /// The URLs of the function and of its aliases.
    pub(crate) async fn function_urls(&self, name: &str) -> Result<Vec<FunctionUrl>, AwsError> {
        let call = self.lambda.list_function_url_configs().function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during("lambda:ListFunctionUrlConfigs").found()?;
            Ok(page.map(|page| (page.function_url_configs, page.next_marker)))
        };
        Ok(pages::all("lambda:ListFunctionUrlConfigs", MOST, page)
            .await?
            .into_iter()
            .map(|url| FunctionUrl {
                qualifier: qualifier(&url.function_arn),
                auth: url.auth_type.as_str().to_owned(),
                url: url.function_url,
            })
            .collect())
    }

    /// The function's aliases.
    pub(crate) async fn aliases(&self, name: &str) -> Result<Vec<Alias>, AwsError> {
        let call = self.lambda.list_aliases().function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during("lambda:ListAliases").found()?;
            Ok(page.map(|page| (page.aliases.unwrap_or_default(), page.next_marker)))
        };
        Ok(pages::all("lambda:ListAliases", MOST, page)
            .await?
            .into_iter()
            .map(|alias| {
                alias_of(
                    alias.name,
                    alias.function_version,
                    alias.routing_config,
                    alias.revision_id,
                    alias.description,
                )
            })
            .collect())
    }

    /// The function's versions, itself among them.
    pub async fn versions(&self, name: &str) -> Result<Vec<Version>, AwsError> {
        let call = self.lambda.list_versions_by_function().function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during("lambda:ListVersionsByFunction").found()?;
            Ok(page.map(|page| (page.versions.unwrap_or_default(), page.next_marker)))
        };
        Ok(pages::all("lambda:ListVersionsByFunction", MOST, page)
            .await?
            .into_iter()
            .filter_map(|version| {
                Some(Version {
                    runs: configured(name, &version),
                    number: version.version?,
                })
            })
            .collect())
    }

    /// What invokes the function, or the alias of a `name:alias`, besides Cognito.
    pub(crate) async fn event_sources(&self, name: &str) -> Result<Vec<EventSource>, AwsError> {
        let call = self.lambda.list_event_source_mappings().function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page.during("lambda:ListEventSourceMappings").found()?;
            Ok(page.map(|page| {
                (
                    page.event_source_mappings.unwrap_or_default(),
                    page.next_marker,
                )
            }))
        };
        Ok(pages::all("lambda:ListEventSourceMappings", MOST, page)
            .await?
            .into_iter()
            .map(|mapping| EventSource {
                uuid: mapping.uuid.unwrap_or_default(),
                source: mapping
                    .event_source_arn
                    .unwrap_or_else(|| "an event source".to_owned()),
            })
            .collect())
    }

    /// Where Lambda sends copies of asynchronous events.
    pub(crate) async fn event_copies(&self, name: &str) -> Result<Vec<EventCopy>, AwsError> {
        let call = self
            .lambda
            .list_function_event_invoke_configs()
            .function_name(name);
        let page = async |marker| {
            let page = call.clone().set_marker(marker).send().await;
            let page = page
                .during("lambda:ListFunctionEventInvokeConfigs")
                .found()?;
            Ok(page.map(|page| {
                (
                    page.function_event_invoke_configs.unwrap_or_default(),
                    page.next_marker,
                )
            }))
        };
        Ok(
            pages::all("lambda:ListFunctionEventInvokeConfigs", MOST, page)
                .await?
                .into_iter()
                .flat_map(|config| {
                    let destinations = config.destination_config();
                    let failure = destinations
                        .and_then(|to| to.on_failure())
                        .and_then(|to| to.destination());
                    let success = destinations
                        .and_then(|to| to.on_success())
                        .and_then(|to| to.destination());
                    let qualifier = config.function_arn().and_then(qualifier);
                    failure
                        .into_iter()
                        .chain(success)
                        .map(|destination| EventCopy {
                            qualifier: qualifier.clone(),
                            destination: destination.to_owned(),
                        })
                        .collect::<Vec<_>>()
                })
                .collect(),
        )
    }

    /// The function's code signing configuration, if it has one. A deleted one trusts no signer.
    pub(crate) async fn code_signing(&self, name: &str) -> Result<Option<CodeSigning>, AwsError> {
        let answer = self
            .lambda
            .get_function_code_signing_config()
            .function_name(name)
            .send()
            .await
            .during("lambda:GetFunctionCodeSigningConfig")
            .found()?;
        let arn = answer.map(|answer| answer.code_signing_config_arn);
        let Some(arn) = arn.filter(|arn| !arn.is_empty()) else {
            return Ok(None);
        };
        let answer = self
            .lambda
            .get_code_signing_config()
            .code_signing_config_arn(&arn)
            .send()
            .await
            .during("lambda:GetCodeSigningConfig")
            .found()?;
        let found = answer.and_then(|answer| answer.code_signing_config);
        let policy = found
            .as_ref()
            .and_then(|found| found.code_signing_policies.as_ref());
        let untrusted = policy.and_then(|policy| policy.untrusted_artifact_on_deployment.as_ref());
        Ok(Some(CodeSigning {
            // The default is to warn only.
            refuses: found.is_none()
                || untrusted.is_some_and(|policy| policy.as_str() == "Enforce"),
            trusted: found
                .and_then(|found| found.allowed_publishers)
                .map(|publishers| publishers.signing_profile_version_arns)
                .unwrap_or_default(),
            arn,
        }))
    }

    /// When the function gets a newer runtime: `Auto`, `FunctionUpdate`, or `Manual` for never.
    pub(crate) async fn runtime_updates(&self, name: &str) -> Result<Option<String>, AwsError> {
        let answer = self
            .lambda
            .get_runtime_management_config()
            .function_name(name)
            .send()
            .await
            .during("lambda:GetRuntimeManagementConfig")
            .found()?;
        Ok(answer
            .and_then(|answer| answer.update_runtime_on)
            .map(|when| when.as_str().to_owned()))
    }

    /// The subscribers of a log group.
    pub(crate) async fn log_subscriptions(
        &self,
        group: &str,
    ) -> Result<Vec<Subscription>, AwsError> {
        let filters = self
            .all_listed(
                "logs:DescribeSubscriptionFilters",
                json!({ "logGroupName": group }),
                "subscriptionFilters",
            )
            .await?;
        Ok(filters
            .iter()
            .map(|filter| Subscription {
                name: text(filter, "filterName"),
                destination: text(filter, "destinationArn"),
                except: Vec::new(),
            })
            .collect())
    }

    /// The subscribers of every log group of the account.
    pub(crate) async fn account_log_subscriptions(&self) -> Result<Vec<Subscription>, AwsError> {
        let policies = self
            .all_listed(
                "logs:DescribeAccountPolicies",
                json!({ "policyType": "SUBSCRIPTION_FILTER_POLICY" }),
                "accountPolicies",
            )
            .await?;
        Ok(policies
            .iter()
            .map(|policy| {
                let document: Value =
                    serde_json::from_str(&text(policy, "policyDocument")).unwrap_or_default();
                Subscription {
                    destination: document["DestinationArn"]
                        .as_str()
                        .unwrap_or("a destination of the account")
                        .to_owned(),
                    except: left_out(&text(policy, "selectionCriteria")),
                    name: text(policy, "policyName"),
                }
            })
            .collect())
    }
}

/// The log groups of `LogGroupName NOT IN ["a", "b"]`, the only criterion that these policies can have.
fn left_out(criteria: &str) -> Vec<String> {
    let names = criteria
        .trim()
        .strip_prefix("LogGroupName")
        .and_then(|rest| rest.trim_start().strip_prefix("NOT IN"));
    names
        .and_then(|names| serde_json::from_str(names).ok())
        .unwrap_or_default()
}

/// The alias or version at the end of a function's ARN.
fn qualifier(arn: &str) -> Option<String> {
    // `function:NAME:QUALIFIER`
    let arn: Arn = arn.parse().ok()?;
    let qualifier = arn.resource.split(':').nth(2)?;
    (qualifier != "$LATEST").then(|| qualifier.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_policys_excluded_log_groups_are_read() {
        assert_eq!(
            left_out(r#"LogGroupName NOT IN ["/aws/lambda/f", "g"]"#),
            ["/aws/lambda/f", "g"]
        );
        for other in [
            "",
            r#"LogGroupName IN ["/aws/lambda/f"]"#,
            "LogGroupName NOT IN f",
        ] {
            assert!(left_out(other).is_empty(), "{other}");
        }
    }
}
