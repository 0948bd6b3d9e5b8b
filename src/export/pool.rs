//! What the owner adds to the definition of a pool, so that their tool knows the trigger and does not remove it in its next
//! run. Owns the text for each tool; pure.

use jane_migrate_core::ids::Names;
use jane_migrate_core::trigger::Trigger;

use super::model::{Tool, comment};

/// The snippet for the tool. It has only our triggers: the rest of the definition stays as it is.
pub fn snippet(tool: Tool, names: &Names, triggers: &[Trigger]) -> String {
    let comment = comment(tool);
    let advice = match triggers {
        [Trigger::UserMigration] => [
            "Add the trigger to the definition of the user pool, beside what is there already. Without it, the next run",
            "takes the trigger away, and customers who have not migrated can no longer sign in.",
            "Take it out of here again once `jane-migrate teardown` has run, and before the next run of this.",
        ],
        _ => [
            "Add the triggers to the definition of the user pool, beside what is there already. Without them, the next run",
            "takes them away: customers who have not migrated can no longer sign in, and sign-ups are no longer checked.",
            "Take out of here again what `jane-migrate teardown` has taken away, before the next run of this.",
        ],
    };
    let mut text: String = advice
        .iter()
        .chain(hint(tool))
        .map(|line| format!("{comment} {line}\n"))
        .collect();
    text.push_str(&code(tool, &names.live_arn, triggers));
    text
}

/// The hints for one tool.
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

fn code(tool: Tool, arn: &str, triggers: &[Trigger]) -> String {
    let lines = |indent: usize, line: &dyn Fn(&str) -> String| -> String {
        let lines = triggers.iter().map(|trigger| line(trigger.member()));
        lines
            .map(|line| format!("{:indent$}{line}\n", ""))
            .collect()
    };
    match tool {
        Tool::Terraform => format!(
            "resource \"aws_cognito_user_pool\" \"pool\" {{\n  lambda_config {{\n{}  }}\n}}\n",
            lines(4, &|member| format!("{} = \"{arn}\"", snake(member)))
        ),
        Tool::Cdk => format!(
            "const definition = pool.node.defaultChild as cognito.CfnUserPool;\n{}",
            lines(0, &|member| format!(
                "definition.addPropertyOverride(\"LambdaConfig.{member}\", \"{arn}\");"
            ))
        ),
        Tool::Pulumi => format!(
            "const pool = new aws.cognito.UserPool(\"pool\", {{\n  lambdaConfig: {{\n{}  }},\n}});\n",
            lines(4, &|member| format!("{}: \"{arn}\",", camel(member)))
        ),
        Tool::Cloudformation => format!("Resources:\n{}", resource(arn, 2, triggers)),
        Tool::Sam => format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n{}",
            resource(arn, 2, triggers)
        ),
        Tool::Serverless => format!("resources:\n  Resources:\n{}", resource(arn, 4, triggers)),
    }
}

/// `UserMigration` in Terraform's spelling: `user_migration`.
fn snake(member: &str) -> String {
    let mut spelt = String::new();
    for letter in member.chars() {
        if letter.is_ascii_uppercase() && !spelt.is_empty() {
            spelt.push('_');
        }
        spelt.push(letter.to_ascii_lowercase());
    }
    spelt
}

/// In Pulumi's spelling: `userMigration`.
fn camel(member: &str) -> String {
    let (first, rest) = member.split_at(1);
    first.to_ascii_lowercase() + rest
}

/// The pool in CloudFormation's form.
fn resource(arn: &str, indent: usize, triggers: &[Trigger]) -> String {
    let pool = [
        "UserPool:",
        "  Type: AWS::Cognito::UserPool",
        "  Properties:",
        "    LambdaConfig:",
    ]
    .map(str::to_owned);
    let triggers = triggers.iter();
    let triggers = triggers.map(|trigger| format!("      {}: {arn}", trigger.member()));
    pool.into_iter()
        .chain(triggers)
        .map(|line| format!("{:indent$}{line}\n", ""))
        .collect()
}
