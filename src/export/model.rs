//! What the code of every tool is made of.

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

/// The file that `build --output` is told to write, beside the code.
pub(super) const ZIP: &str = "handler.zip";

/// All that is written down.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The pool and all that is named after it.
    pub names: &'a Names,
    /// What deploy would make.
    pub desired: &'a Desired,
    /// The alarms.
    pub watch: &'a Watch,
    /// The tags that the configuration asks for. Ours say what deploy made.
    pub tags: &'a Tags,
    /// The role is there already.
    pub given_role: bool,
    /// The zip's digest, as Lambda shows it.
    pub code_sha256: &'a str,
}

impl Whole<'_> {
    /// The alias that the pool calls. A version has its number from Lambda, so none can be named beforehand.
    pub(super) fn alias(&self) -> &str {
        let named = self.names.live().filter(|_| self.names.given_function);
        let named = named.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        named.unwrap_or(ALIAS)
    }

    /// The ARN of that alias.
    pub(super) fn live_arn(&self) -> String {
        format!("{}:{}", self.names.function_arn, self.alias())
    }

    /// The key of the zip in a bucket: another one for other code.
    pub(super) fn code_key(&self) -> String {
        format!("jane-migrate-{}.zip", self.short(self.code_sha256))
    }

    /// What tells this version from one with other code or settings.
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

/// The members of an alarm: as the API and CloudFormation call them, and as Terraform does. A percentile has a member of its own.
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

/// An alarm by one of its members' names, its dimensions and tags aside.
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

/// What begins a comment.
pub(super) fn comment(tool: Tool) -> &'static str {
    match tool {
        Tool::Cdk | Tool::Pulumi => "//",
        _ => "#",
    }
}
