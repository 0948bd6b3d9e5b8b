//! The function, and everything that deploy would create around it, as code for another tool. One model; two vocabularies,
//! CloudFormation's and Terraform's, which the other tools share; three syntaxes. Pure. `pool` has what the owner adds to the
//! definition of the pool.

mod cloudformation;
mod hcl;
mod model;
mod node;
mod pool;
mod terraform;
mod typescript;
mod yaml;

pub use model::{Tool, Whole};
use model::{ZIP, comment};
pub use pool::snippet;

/// The code for a tool: comments on how to use it, and the resources.
pub fn whole(tool: Tool, whole: &Whole<'_>) -> String {
    let code = match tool {
        Tool::Cloudformation => yaml::cloudformation(&cloudformation::resources(whole), whole),
        Tool::Sam => yaml::sam(&cloudformation::for_sam(whole), whole),
        Tool::Serverless => yaml::serverless(&cloudformation::resources(whole), whole),
        Tool::Cdk => typescript::cdk(&cloudformation::resources(whole)),
        Tool::Terraform => hcl::terraform(&terraform::resources(whole)),
        Tool::Pulumi => typescript::pulumi(&terraform::resources(whole)),
    };
    let comment = comment(tool);
    let steps = steps(tool, whole);
    let steps: String = steps
        .iter()
        .map(|line| match line.is_empty() {
            true => format!("{comment}\n"),
            false => format!("{comment} {line}\n"),
        })
        .collect();
    format!("{steps}{code}")
}

/// What the owner of the pool adds to its definition, as a comment beside code that runs as it is.
pub fn commented(tool: Tool, snippet: &str) -> String {
    let comment = comment(tool);
    let lines = snippet
        .lines()
        .map(|line| match line.strip_prefix(comment) {
            Some(words) => format!("{comment}{words}\n"),
            None => format!("{comment}   {line}\n"),
        });
    let begin = format!("{comment} The user pool's own definition:\n");
    std::iter::once(begin).chain(lines).collect()
}

/// How to use the code, line by line.
fn steps(tool: Tool, whole: &Whole<'_>) -> Vec<String> {
    let pool = &whole.names.pool.id;
    let key = whole.code_key();
    let code = match tool {
        Tool::Cloudformation | Tool::Serverless => format!(
            "1. `jane-migrate build --output {ZIP}`, and copy it to a bucket of this Region as {key}."
        ),
        _ => format!("1. `jane-migrate build --output {ZIP}` beside this file."),
    };
    let apply = match tool {
        Tool::Cloudformation => {
            "2. Deploy it with CAPABILITY_NAMED_IAM and the parameter CodeBucket, the bucket's name."
        }
        Tool::Serverless => {
            "2. Add it to serverless.yml, and deploy it with --param codeBucket=NAME."
        }
        Tool::Sam => "2. Package and deploy it with CAPABILITY_NAMED_IAM.",
        Tool::Cdk => {
            "2. Add the stack to your app, in the pool's account and Region, and deploy it."
        }
        Tool::Terraform => "2. Apply it with a provider for the pool's account and Region.",
        Tool::Pulumi => "2. Bring it up with a provider for the pool's account and Region.",
    };
    vec![
        format!("The user migration of {}, as jane-migrate export wrote it.", whole.names.pool),
        code,
        apply.to_owned(),
        "3. Name it under [function] in migrate.toml:".to_owned(),
        format!("     arn = \"{}\"", whole.live_arn()),
        format!("     role_arn = \"{}\"", whole.desired.function.role_arn),
        format!("     code_sha256 = \"{}\"", whole.code_sha256),
        format!("4. `jane-migrate deploy --pool {pool}` lets the pool call it, and changes nothing of it."),
        "Export it again when migrate.toml, the pool or the version of jane-migrate is another one.".to_owned(),
        String::new(),
    ]
}
