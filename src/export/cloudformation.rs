//! The resources for CloudFormation. SAM has one resource for a function with its version and alias; CDK and Serverless use
//! CloudFormation's own.

use jane_migrate_core::ids::ROLE_POLICY;
use jane_migrate_core::permission::COGNITO;
use jane_migrate_core::watch::Part;
use serde_json::Value;

use super::model::{self, Whole, ZIP};
use super::node::{Node, Resource, Settings, with};

pub(super) const FUNCTION: &str = "MigrationFunction";
pub(super) const ROLE: &str = "MigrationRole";
pub(super) const ALIAS: &str = "LiveAlias";
const LOG: &str = "MigrationLog";
/// The parameter for the bucket with the zip.
pub(super) const BUCKET: &str = "CodeBucket";
/// The parameter for the zip's key in the bucket.
pub(super) const KEY: &str = "CodeKey";

/// All resources.
pub(super) fn resources(whole: &Whole<'_>) -> Vec<Resource> {
    let version = format!("MigrationVersion{}", whole.version());
    let code = Node::Map(vec![
        ("S3Bucket", Node::Of(BUCKET.into(), "")),
        ("S3Key", Node::Of(KEY.into(), "")),
    ]);
    let function = with(
        vec![
            ("FunctionName", Node::text(&whole.names.function)),
            ("Code", code),
        ],
        function(whole).into_iter().map(Some),
    );
    let mut published = Resource::new(
        &version,
        "AWS::Lambda::Version",
        vec![
            ("FunctionName", Node::Of(FUNCTION.into(), "")),
            // Lambda publishes no other code then.
            ("CodeSha256", Node::text(whole.code_sha256)),
        ],
    );
    published.retained = true;
    let alias = vec![
        ("FunctionName", Node::Of(FUNCTION.into(), "")),
        ("FunctionVersion", Node::Of(version, "Version")),
        ("Name", Node::text(whole.alias())),
    ];
    let mut all = around(whole);
    all.extend([
        Resource::new(FUNCTION, "AWS::Lambda::Function", function).after([LOG.to_owned()]),
        published,
        Resource::new(ALIAS, "AWS::Lambda::Alias", alias),
        permission(whole, Node::Of(ALIAS.into(), "")),
    ]);
    all.extend(watch(whole));
    all
}

/// The same for SAM, which itself publishes versions and moves the alias.
pub(super) fn for_sam(whole: &Whole<'_>) -> Vec<Resource> {
    let function = with(
        vec![
            ("FunctionName", Node::text(&whole.names.function)),
            ("CodeUri", Node::text(ZIP)),
        ],
        function(whole)
            .into_iter()
            .map(|(name, value)| match (name, value) {
                // SAM wants tags as a map.
                ("Tags", _) => ("Tags", Node::Named(named(whole))),
                other => other,
            })
            .chain([
                ("AutoPublishAlias", Node::text(whole.alias())),
                ("AutoPublishAliasAllProperties", Node::Plain(true.into())),
                (
                    "AutoPublishCodeSha256",
                    Node::text(hex_of(whole.code_sha256)),
                ),
            ])
            .map(Some),
    );
    let mut all = around(whole);
    all.extend([
        Resource::new(FUNCTION, "AWS::Serverless::Function", function).after([LOG.to_owned()]),
        permission(whole, Node::Of(format!("{FUNCTION}.Alias"), "")),
    ]);
    all.extend(watch(whole));
    all
}

/// The digest in SAM's form.
fn hex_of(base64: &str) -> String {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_STANDARD.decode(base64);
    hex::encode(bytes.unwrap_or_default())
}

fn named(whole: &Whole<'_>) -> Vec<(String, String)> {
    whole.tags.clone().into_iter().collect()
}

/// Tags in the form of most types.
fn tags(whole: &Whole<'_>) -> Option<(&'static str, Node)> {
    let tag = |(key, value): (&String, &String)| {
        Node::Map(vec![("Key", Node::text(key)), ("Value", Node::text(value))])
    };
    let tags: Vec<Node> = whole.tags.iter().map(tag).collect();
    (!tags.is_empty()).then_some(("Tags", Node::List(tags)))
}

/// Log group and role.
fn around(whole: &Whole<'_>) -> Vec<Resource> {
    let group = &whole.desired.log_group;
    let log = with(
        vec![("LogGroupName", Node::text(&group.name))],
        [
            group
                .retention_days
                .map(|days| ("RetentionInDays", Node::number(days))),
            group
                .kms_key_arn
                .as_ref()
                .map(|key| ("KmsKeyId", Node::text(key))),
            tags(whole),
        ],
    );
    let mut log = Resource::new(LOG, "AWS::Logs::LogGroup", log);
    log.retained = true;
    let mut all = vec![log];
    if !whole.given_role {
        let role = &whole.desired.role;
        let policies = role.policies.get(ROLE_POLICY).map(|policy| {
            let policy = vec![
                ("PolicyName", Node::text(ROLE_POLICY)),
                ("PolicyDocument", Node::Document(policy.clone())),
            ];
            ("Policies", Node::List(vec![Node::Map(policy)]))
        });
        let settings = with(
            vec![
                ("RoleName", Node::text(&role.name)),
                ("Path", Node::text(&role.path)),
                (
                    "AssumeRolePolicyDocument",
                    Node::Document(role.trust.clone()),
                ),
            ],
            [
                policies,
                role.boundary
                    .as_ref()
                    .map(|arn| ("PermissionsBoundary", Node::text(arn))),
                tags(whole),
            ],
        );
        all.push(Resource::new(ROLE, "AWS::IAM::Role", settings));
    }
    all
}

/// The function's settings, without name and code.
fn function(whole: &Whole<'_>) -> Settings {
    let function = &whole.desired.function;
    let role = match whole.given_role {
        true => Node::text(&function.role_arn),
        false => Node::Of(ROLE.into(), "Arn"),
    };
    let variables = function.environment.iter();
    let variables = variables.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    with(
        vec![
            ("Runtime", Node::text(&function.runtime)),
            ("Handler", Node::text(&function.handler)),
            (
                "Architectures",
                Node::List(vec![Node::text(function.architecture.as_str())]),
            ),
            ("MemorySize", Node::number(function.memory_mb)),
            ("Timeout", Node::number(function.timeout_s)),
            ("Role", role),
            (
                "Environment",
                Node::Map(vec![("Variables", Node::Named(variables.collect()))]),
            ),
        ],
        [
            function
                .kms_key_arn
                .as_ref()
                .map(|key| ("KmsKeyArn", Node::text(key))),
            function.vpc.as_ref().map(|vpc| {
                let network = vec![
                    ("SubnetIds", Node::texts(&vpc.subnets)),
                    ("SecurityGroupIds", Node::texts(&vpc.security_groups)),
                ];
                ("VpcConfig", Node::Map(network))
            }),
            function
                .reserved_concurrency
                .map(|number| ("ReservedConcurrentExecutions", Node::number(number))),
            tags(whole),
        ],
    )
}

/// Lets Cognito invoke the alias, for this pool only.
fn permission(whole: &Whole<'_>, alias: Node) -> Resource {
    let pool = &whole.names.pool;
    let settings = vec![
        ("FunctionName", alias),
        ("Action", Node::text("lambda:InvokeFunction")),
        ("Principal", Node::text(COGNITO)),
        ("SourceArn", Node::text(pool.to_string())),
        ("SourceAccount", Node::text(&pool.account)),
    ];
    Resource::new("CognitoPermission", "AWS::Lambda::Permission", settings)
}

/// Alarms, metric filters, and the dashboard.
fn watch(whole: &Whole<'_>) -> Vec<Resource> {
    let all = whole.watch.iter();
    all.map(|((part, name), body)| match part {
        Part::MetricFilter => {
            let counted = &body["metricTransformations"][0];
            let counted = vec![
                ("MetricName", Node::json(&counted["metricName"])),
                ("MetricNamespace", Node::json(&counted["metricNamespace"])),
                ("MetricValue", Node::json(&counted["metricValue"])),
                ("DefaultValue", Node::json(&counted["defaultValue"])),
            ];
            let settings = vec![
                ("LogGroupName", Node::Of(LOG.into(), "")),
                ("FilterName", Node::text(name)),
                ("FilterPattern", Node::json(&body["filterPattern"])),
                (
                    "MetricTransformations",
                    Node::List(vec![Node::Map(counted)]),
                ),
            ];
            Resource::new(
                "DirectoryUnavailableFilter",
                "AWS::Logs::MetricFilter",
                settings,
            )
        }
        Part::Alarm => Resource::new(
            alarm_name(whole, name),
            "AWS::CloudWatch::Alarm",
            alarm(whole, body),
        ),
        Part::Dashboard => {
            let settings = vec![
                ("DashboardName", Node::text(name)),
                ("DashboardBody", Node::JsonText(body.clone())),
            ];
            Resource::new("MigrationDashboard", "AWS::CloudWatch::Dashboard", settings)
        }
    })
    .collect()
}

/// `FUNCTION-directory-unavailable` as `DirectoryUnavailableAlarm`.
fn alarm_name(whole: &Whole<'_>, name: &str) -> String {
    let end = name.strip_prefix(&*whole.names.function).unwrap_or(name);
    let words = end.split('-').filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).chain(["Alarm".to_owned()]).collect()
}

fn alarm(whole: &Whole<'_>, body: &Value) -> Settings {
    let dimensions: Vec<Node> = model::dimensions(body)
        .into_iter()
        .map(|(name, value)| {
            Node::Map(vec![
                ("Name", Node::text(name)),
                ("Value", Node::text(value)),
            ])
        })
        .collect();
    with(
        model::alarm(body, |(api, _)| api),
        [
            (!dimensions.is_empty()).then_some(("Dimensions", Node::List(dimensions))),
            tags(whole),
        ],
    )
}
