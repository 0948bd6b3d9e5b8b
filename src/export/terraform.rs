//! The resources for Terraform's AWS provider. Pulumi's provider is built from it.

use jane_migrate_core::ids::{ROLE_POLICY, STATEMENT_ID};
use jane_migrate_core::permission::COGNITO;
use jane_migrate_core::watch::Part;
use serde_json::Value;

use super::model::{self, Whole};
use super::node::{Node, Resource, Settings, with};

const FUNCTION: &str = "migration";
const ROLE: &str = "migration_role";
const POLICY: &str = "migration_policy";
const LOG: &str = "migration_log";
const ALIAS: &str = "live";

/// All resources.
pub(super) fn resources(whole: &Whole<'_>) -> Vec<Resource> {
    let mut all = around(whole);
    let before: Vec<String> = all
        .iter()
        .filter(|one| one.name != ROLE)
        .map(|one| one.name.clone())
        .collect();
    let alias = vec![
        ("name", Node::text(whole.alias())),
        ("function_name", Node::Of(FUNCTION.into(), "function_name")),
        ("function_version", Node::Of(FUNCTION.into(), "version")),
    ];
    let pool = &whole.names.pool;
    // The id differs from deploy's, because deploy also adds its own statement.
    let permission = vec![
        (
            "statement_id",
            Node::text(format!("{STATEMENT_ID}-exported")),
        ),
        ("function_name", Node::Of(FUNCTION.into(), "function_name")),
        ("qualifier", Node::Of(ALIAS.into(), "name")),
        ("action", Node::text("lambda:InvokeFunction")),
        ("principal", Node::text(COGNITO)),
        ("source_arn", Node::text(pool.to_string())),
        ("source_account", Node::text(&pool.account)),
    ];
    all.extend([
        Resource::new(FUNCTION, "aws_lambda_function", function(whole)).after(before),
        Resource::new(ALIAS, "aws_lambda_alias", alias),
        Resource::new("cognito", "aws_lambda_permission", permission),
    ]);
    all.extend(watch(whole));
    all
}

fn tags(whole: &Whole<'_>) -> Option<(&'static str, Node)> {
    let tags: Vec<_> = whole.tags.clone().into_iter().collect();
    (!tags.is_empty()).then_some(("tags", Node::Named(tags)))
}

/// Log group, role and its policy.
fn around(whole: &Whole<'_>) -> Vec<Resource> {
    let group = &whole.desired.log_group;
    let log = with(
        vec![("name", Node::text(&group.name))],
        [
            group
                .retention_days
                .map(|days| ("retention_in_days", Node::number(days))),
            group
                .kms_key_arn
                .as_ref()
                .map(|key| ("kms_key_id", Node::text(key))),
            tags(whole),
        ],
    );
    let mut all = vec![Resource::new(LOG, "aws_cloudwatch_log_group", log)];
    if whole.given_role {
        return all;
    }
    let role = &whole.desired.role;
    let settings = with(
        vec![
            ("name", Node::text(&role.name)),
            ("path", Node::text(&role.path)),
            ("assume_role_policy", Node::JsonText(role.trust.clone())),
        ],
        [
            role.boundary
                .as_ref()
                .map(|arn| ("permissions_boundary", Node::text(arn))),
            tags(whole),
        ],
    );
    all.push(Resource::new(ROLE, "aws_iam_role", settings));
    let policy = role.policies.get(ROLE_POLICY).cloned().unwrap_or_default();
    let policy = vec![
        ("name", Node::text(ROLE_POLICY)),
        ("role", Node::Of(ROLE.into(), "name")),
        ("policy", Node::JsonText(policy)),
    ];
    all.push(Resource::new(POLICY, "aws_iam_role_policy", policy));
    all
}

fn function(whole: &Whole<'_>) -> Settings {
    let function = &whole.desired.function;
    let role = match whole.given_role {
        true => Node::text(&function.role_arn),
        false => Node::Of(ROLE.into(), "arn"),
    };
    let variables = function.environment.iter();
    let variables = variables.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    with(
        vec![
            ("function_name", Node::text(&whole.names.function)),
            ("filename", Node::Zip),
            ("source_code_hash", Node::text(whole.code_sha256)),
            ("runtime", Node::text(&function.runtime)),
            ("handler", Node::text(&function.handler)),
            (
                "architectures",
                Node::List(vec![Node::text(function.architecture.as_str())]),
            ),
            ("memory_size", Node::number(function.memory_mb)),
            ("timeout", Node::number(function.timeout_s)),
            ("role", role),
            ("publish", Node::Plain(true.into())),
            (
                "environment",
                Node::Block(vec![("variables", Node::Named(variables.collect()))]),
            ),
        ],
        [
            function
                .kms_key_arn
                .as_ref()
                .map(|key| ("kms_key_arn", Node::text(key))),
            function.vpc.as_ref().map(|vpc| {
                let network = vec![
                    ("subnet_ids", Node::texts(&vpc.subnets)),
                    ("security_group_ids", Node::texts(&vpc.security_groups)),
                ];
                ("vpc_config", Node::Block(network))
            }),
            function
                .reserved_concurrency
                .map(|number| ("reserved_concurrent_executions", Node::number(number))),
            tags(whole),
        ],
    )
}

/// Alarms, metric filters, and the dashboard.
fn watch(whole: &Whole<'_>) -> Vec<Resource> {
    let all = whole.watch.iter();
    all.map(|((part, name), body)| match part {
        Part::MetricFilter => {
            let counted = &body["metricTransformations"][0];
            let counted = vec![
                ("name", Node::json(&counted["metricName"])),
                ("namespace", Node::json(&counted["metricNamespace"])),
                ("value", Node::json(&counted["metricValue"])),
                (
                    "default_value",
                    Node::text(counted["defaultValue"].to_string()),
                ),
            ];
            let settings = vec![
                ("name", Node::text(name)),
                ("log_group_name", Node::Of(LOG.into(), "name")),
                ("pattern", Node::json(&body["filterPattern"])),
                ("metric_transformation", Node::Block(counted)),
            ];
            Resource::new(
                "directory_unavailable",
                "aws_cloudwatch_log_metric_filter",
                settings,
            )
        }
        Part::Alarm => {
            let end = name.strip_prefix(&*whole.names.function).unwrap_or(name);
            let local = format!("alarm{}", end.replace('-', "_"));
            Resource::new(local, "aws_cloudwatch_metric_alarm", alarm(whole, body))
        }
        Part::Dashboard => {
            let settings = vec![
                ("dashboard_name", Node::text(name)),
                ("dashboard_body", Node::JsonText(body.clone())),
            ];
            Resource::new("dashboard", "aws_cloudwatch_dashboard", settings)
        }
    })
    .collect()
}

fn alarm(whole: &Whole<'_>, body: &Value) -> Settings {
    let dimensions = model::dimensions(body);
    with(
        model::alarm(body, |(_, terraform)| terraform),
        [
            (!dimensions.is_empty()).then_some(("dimensions", Node::Named(dimensions))),
            tags(whole),
        ],
    )
}
