//! The way from the pool to the function, and every other way to it.

use serde_json::Value;

use super::{Said, check, holds, unless, with_qualifier, wrong};
use crate::finding::Severity::Error;
use crate::ids::STATEMENT_ID;
use crate::permission;
use crate::verify::{Check, Evidence};

pub(super) const CHECKS: &[Check] = &[
    check(
        "trigger-registered",
        Error,
        "the pool calls our function for users it does not know",
        trigger_registered,
    ),
    check(
        "invoke-permission",
        Error,
        "Cognito may invoke the function for exactly this pool",
        invoke_permission,
    ),
    check(
        "invoke-permission-only",
        Error,
        "nobody else may invoke the function, an alias or a version of it",
        invoke_permission_only,
    ),
    check(
        "function-url",
        Error,
        "the function has no URL of its own",
        function_url,
    ),
    check(
        "event-sources",
        Error,
        "no queue or stream invokes the function",
        event_sources,
    ),
    check(
        "aliases",
        Error,
        "every alias leads to the code that was deployed, and to no other",
        aliases,
    ),
];

fn trigger_registered<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let deploy = evidence.deploy();
    let (found, fix) = match evidence.pool.as_ref()?.user_migration() {
        Some(arn) if evidence.names.is_our_function(arn) => {
            return holds("the pool calls our function for users it does not know");
        }
        Some(other) => (other, format!("{deploy} --replace")),
        None => ("no user migration trigger", deploy),
    };
    wrong(
        "the pool does not call our function for users it does not know",
        &evidence.names.function_arn,
        found,
        fix,
    )
    .into()
}

fn invoke_permission<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let pool = &evidence.names.pool;
    let qualifier = evidence.trigger_qualifier();
    let policy = evidence.policies.as_ref()?.get(&qualifier);
    let statements = policy
        .map(|policy| &policy.statements[..])
        .unwrap_or_default();
    if statements
        .iter()
        .any(|statement| permission::is_for_pool(statement, pool))
    {
        return holds("Cognito may invoke the function for this pool");
    }
    let fix = match &qualifier {
        None => evidence.deploy(),
        Some(qualifier) => format!(
            "aws lambda add-permission --function-name {} --qualifier {qualifier} --statement-id {STATEMENT_ID}-{qualifier} --action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn {pool} --source-account {}",
            evidence.names.function, pool.account
        ),
    };
    wrong(
        "Cognito may not invoke the function, so every sign-in of a user not yet migrated fails",
        format!(
            "cognito-idp.amazonaws.com with SourceArn {pool} and SourceAccount {}",
            pool.account
        ),
        policy
            .and_then(|policy| policy.statement(STATEMENT_ID))
            .map_or("no statement that does".to_owned(), Value::to_string),
        fix,
    )
    .into()
}

fn invoke_permission_only<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mut others = Vec::new();
    for (qualifier, policy) in evidence.policies.as_ref()? {
        for statement in &policy.statements {
            let ours = permission::is_for_pool(statement, &evidence.names.pool);
            if ours || statement["Effect"] == "Deny" {
                continue;
            }
            let id = statement["Sid"].as_str().unwrap_or_default();
            let command = format!(
                "aws lambda remove-permission --function-name {} --statement-id {id}",
                evidence.names.function
            );
            others.push(wrong(
                format!("statement `{id}` lets somebody else use the function"),
                "one statement, for this pool",
                statement.to_string(),
                with_qualifier(command, qualifier.as_deref()),
            ));
        }
    }
    unless(others, "nobody else may invoke the function")
}

fn function_url<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let urls = evidence.urls.as_ref()?.iter().map(|url| {
        let command = format!(
            "aws lambda delete-function-url-config --function-name {}",
            evidence.names.function
        );
        let who = match url.auth.as_str() {
            "NONE" => "anybody on the internet",
            _ => "whoever IAM lets",
        };
        wrong(
            format!("the function has a URL, by which {who} can try passwords"),
            "no URL",
            format!("{} (auth {})", url.url, url.auth),
            with_qualifier(command, url.qualifier.as_deref()),
        )
    });
    unless(urls.collect(), "the function has no URL")
}

fn event_sources<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let sources = evidence.event_sources.as_ref()?.iter().map(|source| {
        wrong(
            "something else than Cognito invokes the function",
            "no event source",
            &source.source,
            format!(
                "aws lambda delete-event-source-mapping --uuid {}",
                source.uuid
            ),
        )
    });
    unless(sources.collect(), "no queue or stream invokes the function")
}

fn aliases<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let (aliases, versions) = (evidence.aliases.as_ref()?, evidence.versions.as_ref()?);
    let Some(found) = evidence.function.as_ref()? else {
        return holds("there is no function");
    };
    let deployed = found.function.tags.get(crate::resources::tag::CODE);
    let is_deployed = |number: &String| {
        number == "$LATEST"
            || versions
                .iter()
                .any(|version| version.number == *number && Some(&version.code_sha256) == deployed)
    };
    let astray = aliases.iter().filter_map(|alias| {
        let foreign: Vec<&String> = alias
            .versions
            .iter()
            .filter(|number| !is_deployed(number))
            .collect();
        let foreign = foreign.first()?;
        Some(wrong(
            format!(
                "alias `{}` leads to code that jane-migrate did not deploy",
                alias.name
            ),
            "the deployed code",
            format!("version {foreign}"),
            format!(
                "aws lambda update-alias --function-name {} --name {} --function-version '$LATEST' --routing-config AdditionalVersionWeights={{}}",
                evidence.names.function, alias.name
            ),
        ))
    });
    unless(astray.collect(), "no alias leads to other code")
}
