//! What the owner of a pool's definition adds to it, so that their tool knows the trigger and does not take it away at its next
//! run. Owns the words for each tool; pure.

use clap::ValueEnum;

use jane_migrate_core::ids::Names;

/// A tool that may define the pool.
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

/// The snippet for the tool. It states the trigger and nothing else: whatever the definition says already stays beside it.
pub fn snippet(tool: Tool, names: &Names) -> String {
    let comment = match tool {
        Tool::Cdk | Tool::Pulumi => "//",
        _ => "#",
    };
    let advice = [
        "Add the trigger to the definition of the user pool, beside what is there already. Without it, the next run",
        "takes the trigger away, and customers who have not migrated can no longer sign in.",
        "Take it out of here again once `jane-migrate teardown` has run, and before the next run of this.",
    ];
    let mut text: String = advice
        .iter()
        .chain(hint(tool))
        .map(|line| format!("{comment} {line}\n"))
        .collect();
    text.push_str(&code(tool, &names.live_arn));
    text
}

/// What is peculiar to the tool.
fn hint(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::Serverless => &[
            "Use the logical id that the pool has: for a pool of `cognitoUserPool` events, CognitoUserPool and its name. A pool with",
            "`existing: true` is rewritten outside of CloudFormation: run `jane-migrate deploy` after each `serverless deploy`.",
        ],
        Tool::Cloudformation | Tool::Sam => &["Use the logical id that the pool has."],
        Tool::Cdk => &["`pool` is the cognito.UserPool that the stack defines."],
        Tool::Terraform | Tool::Pulumi => &[],
    }
}

fn code(tool: Tool, arn: &str) -> String {
    match tool {
        Tool::Terraform => format!(
            r#"resource "aws_cognito_user_pool" "pool" {{
  lambda_config {{
    user_migration = "{arn}"
  }}
}}
"#
        ),
        Tool::Cdk => format!(
            r#"const definition = pool.node.defaultChild as cognito.CfnUserPool;
definition.addPropertyOverride("LambdaConfig.UserMigration", "{arn}");
"#
        ),
        Tool::Pulumi => format!(
            r#"const pool = new aws.cognito.UserPool("pool", {{
  lambdaConfig: {{
    userMigration: "{arn}",
  }},
}});
"#
        ),
        Tool::Cloudformation => format!("Resources:\n{}", resource(arn, 2)),
        Tool::Sam => format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n{}",
            resource(arn, 2)
        ),
        Tool::Serverless => format!("resources:\n  Resources:\n{}", resource(arn, 4)),
    }
}

/// The pool as CloudFormation has it.
fn resource(arn: &str, indent: usize) -> String {
    [
        "UserPool:",
        "  Type: AWS::Cognito::UserPool",
        "  Properties:",
        "    LambdaConfig:",
        &format!("      UserMigration: {arn}"),
    ]
    .map(|line| format!("{:indent$}{line}\n", ""))
    .concat()
}
