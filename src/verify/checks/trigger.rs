//! The way from the pool to the function, and every other way to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Line, Obstacle, Said, Wrong, check, holds, unless, with_qualifier, wrong};
use crate::verify::{Check, Evidence, Unread};
use jane_migrate_core::finding::Severity::Error;
use jane_migrate_core::ids::STATEMENT_ID;
use jane_migrate_core::permission;
use jane_migrate_core::resources::{ObservedFunction, tag};

/// The function itself, as a version is called.
const LATEST: &str = "$LATEST";

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
        "every alias leads to what was deployed, and to nothing else",
        aliases,
    ),
];

fn trigger_registered<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let deploy = evidence.deploy();
    let (found, fix) = match evidence.pool.as_ref()?.user_migration() {
        Some(arn) if evidence.alias_gone => return alias_gone(evidence, arn),
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

/// The function is there, and the name by which the pool calls it is not.
fn alias_gone<'e>(evidence: &'e Evidence<'_>, arn: &str) -> Said<'e> {
    let alias = evidence.trigger_qualifier().unwrap_or_default();
    wrong(
        format!("the pool calls alias `{alias}` of the function, which is gone: every sign-in of a user not yet migrated fails"),
        arn,
        "no such alias",
        evidence.aws(format_args!(
            "lambda create-alias --function-name {} --name {alias} --function-version '$LATEST'",
            evidence.names.function
        )),
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
    let denials: Vec<Wrong> = statements
        .iter()
        .filter(|statement| permission::denies_pool(statement, pool))
        .map(|statement| {
            wrong(
                "a statement denies Cognito the invocation, so every sign-in of a user not yet migrated fails",
                "no denial",
                statement.to_string(),
                remove_permission(evidence, qualifier.as_deref(), statement),
            )
            .of(sid(statement))
        })
        .collect();
    if !denials.is_empty() {
        return unless(denials, "");
    }
    if statements
        .iter()
        .any(|statement| permission::is_for_pool(statement, pool))
    {
        return holds("Cognito may invoke the function for this pool");
    }
    let fix = match &qualifier {
        None => evidence.deploy(),
        Some(qualifier) => evidence.aws(format_args!(
            "lambda add-permission --function-name {} --qualifier {qualifier} --statement-id {STATEMENT_ID}-{qualifier} --action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn {pool} --source-account {}",
            evidence.names.function, pool.account
        )),
    };
    wrong(
        "Cognito may not invoke the function, so every sign-in of a user not yet migrated fails",
        format!(
            "cognito-idp.amazonaws.com with SourceArn {pool} and SourceAccount {}, and no other condition",
            pool.account
        ),
        policy
            .and_then(|policy| policy.statement(STATEMENT_ID))
            .map_or("no statement that does".to_owned(), Value::to_string),
        fix,
    )
    .into()
}

fn sid(statement: &Value) -> &str {
    statement["Sid"].as_str().unwrap_or_default()
}

fn remove_permission(
    evidence: &Evidence<'_>,
    qualifier: Option<&str>,
    statement: &Value,
) -> String {
    let (name, id) = (&evidence.names.function, sid(statement));
    let command = evidence.aws(format_args!(
        "lambda remove-permission --function-name {name} --statement-id {id}"
    ));
    with_qualifier(command, qualifier)
}

fn invoke_permission_only<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mut others = Vec::new();
    for (qualifier, policy) in evidence.policies.as_ref()? {
        for statement in &policy.statements {
            let ours = permission::lets_in_only(statement, &evidence.names.pool);
            if ours || statement["Effect"] == "Deny" {
                continue;
            }
            let id = sid(statement);
            others.push(
                wrong(
                    format!("statement `{id}` lets somebody else use the function"),
                    "one statement, for this pool",
                    statement.to_string(),
                    remove_permission(evidence, qualifier.as_deref(), statement),
                )
                .of(with_qualifier(id.to_owned(), qualifier.as_deref())),
            );
        }
    }
    of_every_qualifier(evidence, others, "nobody else may invoke the function")
}

/// What was found for the aliases and versions that are known; where they could not be listed, that it may not be all.
fn of_every_qualifier<'e>(
    evidence: &'e Evidence<'_>,
    wrong: Vec<Wrong>,
    message: &str,
) -> Said<'e> {
    let mut lines: Vec<Line> = wrong.into_iter().map(Line::Fails).collect();
    let unlisted = [
        evidence.aliases.as_ref().err(),
        evidence.versions.as_ref().err(),
    ];
    // A deploy that changes nothing asks for none of them.
    let failed = |unread: &&Unread| matches!(unread, Unread::Failed(_));
    if let Some(unread) = unlisted.into_iter().flatten().find(failed) {
        lines.push(Obstacle::from(unread).into());
    } else if lines.is_empty() {
        lines.push(Line::Holds(message.to_owned()));
    }
    Ok(lines)
}

fn function_url<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let urls = evidence.urls.as_ref()?.iter().map(|url| {
        let command = evidence.aws(format_args!(
            "lambda delete-function-url-config --function-name {}",
            evidence.names.function
        ));
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
        .of(&url.url)
    });
    unless(urls.collect(), "the function has no URL")
}

fn event_sources<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let sources = evidence.event_sources.as_ref()?.iter().map(|source| {
        wrong(
            "something else than Cognito invokes the function",
            "no event source",
            &source.source,
            evidence.aws(format_args!(
                "lambda delete-event-source-mapping --uuid {}",
                source.uuid
            )),
        )
        .of(&source.source)
    });
    let message = "no queue or stream invokes the function";
    of_every_qualifier(evidence, sources.collect(), message)
}

fn aliases<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let (aliases, versions) = (evidence.aliases.as_ref()?, evidence.versions.as_ref()?);
    let Some(found) = evidence.function.as_ref()? else {
        return holds("there is no function");
    };
    let deployed = match aliases.is_empty() {
        true => None,
        false => evidence.tags()?.get(tag::CODE),
    };
    // The function itself is what the other checks look at, unless the trigger calls an alias of it.
    let looked_at = evidence.trigger_qualifier().is_none();
    let astray = aliases.iter().flat_map(|alias| {
        let reached = alias.versions.iter().filter_map(|number| {
            if number == LATEST && looked_at {
                return None;
            }
            let different = match versions.iter().find(|version| version.number == *number) {
                Some(version) => differences(&version.runs, found, deployed),
                None => vec!["not one of the function's versions".to_owned()],
            };
            (!different.is_empty()).then(|| format!("version {number}: {}", different.join(", ")))
        });
        reached.map(|reached| {
            wrong(
                format!(
                    "alias `{}` leads to code that jane-migrate did not deploy, or to other settings than the trigger's",
                    alias.name
                ),
                "the code and the settings that were deployed",
                reached,
                evidence.aws(format_args!(
                    "lambda update-alias --function-name {} --name {} --function-version '$LATEST' --routing-config AdditionalVersionWeights={{}}",
                    evidence.names.function, alias.name
                )),
            )
            .of(&alias.name)
        })
    });
    unless(astray.collect(), "no alias leads to other code or settings")
}

/// What a version that an alias reaches runs otherwise than what the other checks look at, in words. Values of the environment
/// are never shown.
fn differences(
    version: &ObservedFunction,
    trusted: &ObservedFunction,
    deployed: Option<&String>,
) -> Vec<String> {
    let (runs, ours) = (&version.function, &trusted.function);
    let mut different = Vec::new();
    if Some(&version.code_sha256) != deployed {
        different.push("other code".to_owned());
    }
    let layers = runs
        .layers
        .iter()
        .filter(|layer| !ours.layers.contains(layer));
    different.extend(layers.map(|layer| format!("layer {layer}")));
    let names: BTreeSet<&String> = runs
        .environment
        .keys()
        .chain(ours.environment.keys())
        .collect();
    let variables = names
        .into_iter()
        .filter(|name| runs.environment.get(*name) != ours.environment.get(*name));
    different.extend(variables.map(|name| format!("variable {name}")));
    let others = [
        (runs.role_arn != ours.role_arn, "role"),
        (runs.vpc != ours.vpc, "network"),
        (runs.kms_key_arn != ours.kms_key_arn, "KMS key"),
        (runs.runtime != ours.runtime, "runtime"),
        (runs.handler != ours.handler, "handler"),
        (runs.architecture != ours.architecture, "architecture"),
        (runs.timeout_s != ours.timeout_s, "timeout"),
        (runs.memory_mb != ours.memory_mb, "memory"),
        (version.log_group != trusted.log_group, "log group"),
        (version.log_level != trusted.log_level, "log level"),
        (
            version.dead_letters != trusted.dead_letters,
            "dead-letter queue",
        ),
        (version.traced != trusted.traced, "tracing"),
        (version.durable != trusted.durable, "durable execution"),
    ];
    let others = others.into_iter().filter(|(differs, _)| *differs);
    different.extend(others.map(|(_, what)| format!("another {what}")));
    different
}
