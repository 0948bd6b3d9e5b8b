//! CloudFormation's resources as a CDK stack, and Terraform's as a Pulumi program, both in TypeScript.

use serde_json::Value;

use super::cloudformation::{BUCKET, KEY};
use super::model::ZIP;
use super::node::{Node, Resource, Settings};

/// The differences between the two.
struct Dialect<'a> {
    /// The name of a setting of a resource of this type.
    setting: &'a dyn Fn(&str, &str) -> String,
    /// A reference to another resource.
    refer: &'a dyn Fn(&str, &str) -> String,
    /// The function that makes a string of a document.
    text_of: &'a str,
}

pub(super) fn cdk(resources: &[Resource]) -> String {
    let refer = |name: &str, attribute: &str| match (name, attribute) {
        (BUCKET, _) => "code.s3BucketName".to_owned(),
        (KEY, _) => "code.s3ObjectKey".to_owned(),
        (name, "") => format!("{}.ref", variable(name)),
        (name, attribute) => format!("{}.attr{attribute}", variable(name)),
    };
    let dialect = Dialect {
        setting: &|_, name| lower(name),
        refer: &refer,
        text_of: "JSON.stringify",
    };
    let mut out = String::from(
        "import * as cdk from \"aws-cdk-lib\";\n\
         import { aws_cloudwatch, aws_iam, aws_lambda, aws_logs, aws_s3_assets } from \"aws-cdk-lib\";\n\
         import { Construct } from \"constructs\";\n\n\
         export class MigrationStack extends cdk.Stack {\n\
         \u{20} constructor(scope: Construct, id: string, props?: cdk.StackProps) {\n\
         \u{20}   super(scope, id, props);\n",
    );
    out.push_str(&format!(
        "    const code = new aws_s3_assets.Asset(this, \"Code\", {{ path: \"{ZIP}\" }});\n"
    ));
    for resource in resources {
        let parts: Vec<&str> = resource.kind.split("::").collect();
        let [_, service, what] = parts[..] else {
            continue;
        };
        let name = variable(&resource.name);
        out.push_str(&format!(
            "    const {name} = new aws_{}.Cfn{what}(this, \"{}\", {});\n",
            service.to_ascii_lowercase(),
            resource.name,
            dialect.object(resource.kind, &resource.settings, 4),
        ));
        for other in &resource.after {
            out.push_str(&format!("    {name}.addDependency({});\n", variable(other)));
        }
        if resource.retained {
            out.push_str(&format!(
                "    {name}.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN);\n"
            ));
        }
    }
    out.push_str(&format!(
        "    new cdk.CfnOutput(this, \"FunctionArn\", {{ value: {}.ref }});\n",
        variable(super::cloudformation::ALIAS)
    ));
    out.push_str("  }\n}\n");
    out
}

pub(super) fn pulumi(resources: &[Resource]) -> String {
    let refer = |name: &str, attribute: &str| match attribute {
        "" => camel(name),
        // Pulumi names the function's name just `name`, as for most resources.
        "function_name" => format!("{}.name", camel(name)),
        attribute => format!("{}.{}", camel(name), camel(attribute)),
    };
    let setting = |kind: &str, name: &str| match (kind, name) {
        ("aws_lambda_function", "function_name")
        | ("aws_cloudwatch_metric_alarm", "alarm_name") => "name".to_owned(),
        ("aws_lambda_permission", "function_name") => "function".to_owned(),
        (_, "filename") => "code".to_owned(),
        (_, name) => camel(name),
    };
    let dialect = Dialect {
        setting: &setting,
        refer: &refer,
        text_of: "JSON.stringify",
    };
    let mut out = String::from(
        "import * as aws from \"@pulumi/aws\";\nimport * as pulumi from \"@pulumi/pulumi\";\n\n",
    );
    for resource in resources {
        let name = camel(&resource.name);
        let after: Vec<String> = resource.after.iter().map(|name| camel(name)).collect();
        let options = match after.is_empty() {
            true => String::new(),
            false => format!(", {{ dependsOn: [{}] }}", after.join(", ")),
        };
        out.push_str(&format!(
            "const {name} = new aws.{}(\"{}\", {}{options});\n",
            class(resource.kind),
            resource.name.replace('_', "-"),
            dialect.object(resource.kind, &resource.settings, 0),
        ));
    }
    out.push_str("\nexport const functionArn = live.arn;\n");
    out
}

/// Pulumi's class for a Terraform type.
fn class(kind: &str) -> &'static str {
    match kind {
        "aws_cloudwatch_log_group" => "cloudwatch.LogGroup",
        "aws_cloudwatch_log_metric_filter" => "cloudwatch.LogMetricFilter",
        "aws_cloudwatch_metric_alarm" => "cloudwatch.MetricAlarm",
        "aws_cloudwatch_dashboard" => "cloudwatch.Dashboard",
        "aws_iam_role" => "iam.Role",
        "aws_iam_role_policy" => "iam.RolePolicy",
        "aws_lambda_function" => "lambda.Function",
        "aws_lambda_alias" => "lambda.Alias",
        "aws_lambda_permission" => "lambda.Permission",
        _ => "",
    }
}

impl Dialect<'_> {
    fn object(&self, kind: &str, settings: &Settings, indent: usize) -> String {
        let members: Vec<(String, String)> = settings
            .iter()
            .map(|(name, node)| ((self.setting)(kind, name), self.value(node, indent + 2)))
            .collect();
        braces(&members, indent)
    }

    fn value(&self, node: &Node, indent: usize) -> String {
        match node {
            Node::Text(value) => text(value),
            Node::Plain(value) => value.to_string(),
            Node::List(nodes) => {
                let nodes: Vec<String> =
                    nodes.iter().map(|node| self.value(node, indent)).collect();
                format!("[{}]", nodes.join(", "))
            }
            Node::Map(settings) | Node::Block(settings) => self.object("", settings, indent),
            Node::Named(named) => {
                let named = named.iter();
                let named: Vec<_> = named
                    .map(|(name, value)| (text(name), text(value)))
                    .collect();
                braces(&named, indent)
            }
            Node::Document(value) => json(value, indent),
            Node::JsonText(value) => format!("{}({})", self.text_of, json(value, indent)),
            Node::Of(name, attribute) => (self.refer)(name, attribute),
            Node::Zip => format!("new pulumi.asset.FileArchive(\"{ZIP}\")"),
        }
    }
}

fn braces(members: &[(String, String)], indent: usize) -> String {
    let inner = indent + 2;
    let members = members.iter();
    let members: String = members
        .map(|(name, value)| format!("{:inner$}{name}: {value},\n", ""))
        .collect();
    format!("{{\n{members}{:indent$}}}", "")
}

fn json(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            let members: Vec<_> = members
                .map(|(name, value)| (text(name), json(value, indent + 2)))
                .collect();
            braces(&members, indent)
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| json(value, indent)).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// A variable name: `MigrationFunction` becomes `migrationFunction`.
fn variable(name: &str) -> String {
    lower(name)
}

/// CloudFormation's names in CDK: `KmsKeyArn` is `kmsKeyArn`, and `OKActions` is `okActions`.
fn lower(name: &str) -> String {
    let capitals = name.chars().take_while(char::is_ascii_uppercase).count();
    let begin = match capitals {
        0 | 1 => capitals,
        many => many - 1,
    };
    let (begin, rest) = name.split_at(begin);
    begin.to_ascii_lowercase() + rest
}

/// Terraform's names in Pulumi: `memory_size` is `memorySize`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| {
        let (begin, rest) = word.split_at(word.len().min(1));
        all + &begin.to_ascii_uppercase() + rest
    })
}
