//! What the code for every tool is made from.

use clap::ValueEnum;
use jane_migrate_core::ids::{ALIAS, Names};
use jane_migrate_core::resources::{Desired, Tags};
use jane_migrate_core::watch::Watch;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::node::{Node, Settings};

/// A tool that may define the pool, or make the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// HashiCorp Terraform, or OpenTofu.
    Terraform,
    /// AWS CDK, in TypeScript.
    Cdk,
    /// AWS CloudFormation.
    Cloudformation,
    /// Pulumi, in TypeScript.
    Pulumi,
    /// Serverless Framework.
    Serverless,
    /// AWS SAM.
    Sam,
}

/// The file that `build --output` writes, in the same folder as the code.
pub(super) const ZIP: &str = "handler.zip";

/// Everything that the code describes.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The pool and all names that follow from it.
    pub names: &'a Names,
    /// What deploy would make.
    pub desired: &'a Desired,
    /// The alarms.
    pub watch: &'a Watch,
    /// The configured tags. Our own tags record what deploy created.
    pub tags: &'a Tags,
    /// The role already exists.
    pub given_role: bool,
    /// The zip's digest, as Lambda shows it.
    pub code_sha256: &'a str,
}

impl Whole<'_> {
    /// The alias that the pool calls. Lambda numbers the versions, so none can be named in advance.
    pub(super) fn alias(&self) -> &str {
        let named = self.names.live().filter(|_| self.names.given_function);
        let named = named.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        named.unwrap_or(ALIAS)
    }

    /// The ARN of that alias.
    pub(super) fn live_arn(&self) -> String {
        format!("{}:{}", self.names.function_arn, self.alias())
    }

    /// The zip's key in a bucket: other code gets another key.
    pub(super) fn code_key(&self) -> String {
        format!("jane-migrate-{}.zip", self.short(self.code_sha256))
    }

    /// Distinguishes this version from one with other code or settings.
    pub(super) fn version(&self) -> String {
        let function = &self.desired.function;
        let environment: Vec<(&String, &str)> = function
            .environment
            .iter()
            .map(|(name, value)| (name, value.expose()))
            .collect();
        self.short(&format!(
            "{} {:?} {} {} {} {:?} {:?}",
            self.code_sha256,
            environment,
            function.memory_mb,
            function.architecture.as_str(),
            function.role_arn,
            function.kms_key_arn,
            function.vpc,
        ))
    }

    fn short(&self, text: &str) -> String {
        let digest = hex::encode(Sha256::digest(text));
        digest.get(..8).unwrap_or_default().to_owned()
    }
}

/// The fields of an alarm: their names in the API and CloudFormation, and in Terraform. A percentile has a field of its own.
const ALARM: [(&str, &str); 14] = [
    ("AlarmName", "alarm_name"),
    ("AlarmDescription", "alarm_description"),
    ("ActionsEnabled", "actions_enabled"),
    ("AlarmActions", "alarm_actions"),
    ("OKActions", "ok_actions"),
    ("Namespace", "namespace"),
    ("MetricName", "metric_name"),
    ("Period", "period"),
    ("EvaluationPeriods", "evaluation_periods"),
    ("Threshold", "threshold"),
    ("ComparisonOperator", "comparison_operator"),
    ("TreatMissingData", "treat_missing_data"),
    ("Statistic", "statistic"),
    ("ExtendedStatistic", "extended_statistic"),
];

/// An alarm with one of these sets of field names, without dimensions and tags.
pub(super) fn alarm(
    body: &Value,
    named: fn((&'static str, &'static str)) -> &'static str,
) -> Settings {
    let statistic = &body["Statistic"];
    let percentile = statistic.as_str().is_some_and(|it| it.starts_with('p'));
    let value = |member| match member {
        "Statistic" if percentile => None,
        "ExtendedStatistic" => percentile.then_some(statistic),
        _ => Some(&body[member]),
    };
    let members = ALARM.into_iter();
    members
        .filter_map(|both| Some((named(both), Node::json(value(both.0)?))))
        .collect()
}

/// The dimensions of an alarm.
pub(super) fn dimensions(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = body["Dimensions"].as_array().into_iter().flatten();
    all.map(|one| (text(&one["Name"]), text(&one["Value"])))
        .collect()
}

/// What starts a comment.
pub(super) fn comment(tool: Tool) -> &'static str {
    match tool {
        Tool::Cdk | Tool::Pulumi => "//",
        _ => "#",
    }
}
