//! The way from the pool to the function, and every other way to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kind::{Check, Findings, with_qualifier};
use super::subject::Subject;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::ids::STATEMENT_ID;
use crate::permission;
use crate::read::Unread;
use crate::resources::{ObservedFunction, tag};

/// The function itself, as a version is called.
const LATEST: &str = "$LATEST";

pub(super) fn trigger_registered(check: &Check, subject: &Subject<'_>) -> Findings {
    let (found, fix) = match subject.observed.pool()?.document.user_migration() {
        Some(arn) if subject.observed.alias_gone => return alias_gone(check, subject, arn),
        Some(arn) if subject.names.is_our_function(arn) => {
            return check.holds("the pool calls our function for users it does not know");
        }
        Some(other) => (other, subject.deploy_replacing()),
        None => ("no user migration trigger", subject.deploy()),
    };
    check
        .fails(
            "the pool does not call our function for users it does not know",
            &subject.names.function_arn,
            found,
            fix,
        )
        .into()
}

/// The function is there, and the name by which the pool calls it is not.
fn alias_gone(check: &Check, subject: &Subject<'_>, arn: &str) -> Findings {
    let alias = subject.observed.trigger_qualifier().unwrap_or_default();
    check.fails(
        format!("the pool calls alias `{alias}` of the function, which is gone: every sign-in of a user not yet migrated fails"),
        arn,
        "no such alias",
        subject.aws(format_args!(
            "lambda create-alias --function-name {} --name {alias} --function-version '$LATEST'",
            subject.names.function
        )),
    )
    .into()
}

pub(super) fn invoke_permission(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.names.pool;
    let qualifier = subject.observed.trigger_qualifier().map(str::to_owned);
    let policy = subject.observed.policies.as_ref()?.get(&qualifier);
    let statements = policy
        .map(|policy| &policy.statements[..])
        .unwrap_or_default();
    let denials: Vec<Finding> = statements
        .iter()
        .filter(|statement| permission::denies_pool(statement, pool))
        .map(|statement| {
            check.fails(
                "a statement denies Cognito the invocation, so every sign-in of a user not yet migrated fails",
                "no denial",
                statement.to_string(),
                remove_permission(subject, qualifier.as_deref(), statement),
            )
            .about(sid(statement))
        })
        .collect();
    if !denials.is_empty() {
        return check.unless(denials, "");
    }
    if statements
        .iter()
        .any(|statement| permission::is_for_pool(statement, pool))
    {
        return check.holds("Cognito may invoke the function for this pool");
    }
    let fix = match &qualifier {
        None => subject.deploy(),
        Some(qualifier) => subject.aws(format_args!(
            "lambda add-permission --function-name {} --qualifier {qualifier} --statement-id {STATEMENT_ID}-{qualifier} --action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn {pool} --source-account {}",
            subject.names.function, pool.account
        )),
    };
    check.fails(
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

fn remove_permission(subject: &Subject<'_>, qualifier: Option<&str>, statement: &Value) -> Fix {
    let (name, id) = (&subject.names.function, sid(statement));
    let command = format!("lambda remove-permission --function-name {name} --statement-id {id}");
    subject.aws(with_qualifier(command, qualifier))
}

pub(super) fn invoke_permission_only(check: &Check, subject: &Subject<'_>) -> Findings {
    let mut others = Vec::new();
    for (qualifier, policy) in subject.observed.policies.as_ref()? {
        for statement in &policy.statements {
            let ours = permission::lets_in_only(statement, &subject.names.pool);
            if ours || statement["Effect"] == "Deny" {
                continue;
            }
            let id = sid(statement);
            others.push(
                check
                    .fails(
                        format!("statement `{id}` lets somebody else use the function"),
                        "one statement, for this pool",
                        statement.to_string(),
                        remove_permission(subject, qualifier.as_deref(), statement),
                    )
                    .about(with_qualifier(id.to_owned(), qualifier.as_deref())),
            );
        }
    }
    of_every_qualifier(
        check,
        subject,
        others,
        "nobody else may invoke the function",
    )
}

/// What was found for the aliases and versions that are known; where they could not be listed, that it may not be all.
fn of_every_qualifier(
    check: &Check,
    subject: &Subject<'_>,
    mut findings: Vec<Finding>,
    message: &str,
) -> Findings {
    let unlisted = [
        subject.observed.aliases.as_ref().err(),
        subject.observed.versions.as_ref().err(),
    ];
    // A deploy that changes nothing asks for none of them.
    let failed = |unread: &&Unread| matches!(unread, Unread::Failed(_));
    if let Some(unread) = unlisted.into_iter().flatten().find(failed) {
        findings.push(check.unchecked(unread));
    } else if findings.is_empty() {
        findings.push(check.holding(message));
    }
    Ok(findings)
}

pub(super) fn function_url(check: &Check, subject: &Subject<'_>) -> Findings {
    let urls = subject.observed.urls.as_ref()?.iter().map(|url| {
        let command = format!(
            "lambda delete-function-url-config --function-name {}",
            subject.names.function
        );
        let who = match url.auth.as_str() {
            "NONE" => "anybody on the internet",
            _ => "whoever IAM lets",
        };
        check
            .fails(
                format!("the function has a URL, by which {who} can try passwords"),
                "no URL",
                format!("{} (auth {})", url.url, url.auth),
                subject.aws(with_qualifier(command, url.qualifier.as_deref())),
            )
            .about(&url.url)
    });
    check.unless(urls.collect(), "the function has no URL")
}

pub(super) fn event_sources(check: &Check, subject: &Subject<'_>) -> Findings {
    let sources = subject
        .observed
        .event_sources
        .as_ref()?
        .iter()
        .map(|source| {
            check
                .fails(
                    "something else than Cognito invokes the function",
                    "no event source",
                    &source.source,
                    subject.aws(format_args!(
                        "lambda delete-event-source-mapping --uuid {}",
                        source.uuid
                    )),
                )
                .about(&source.source)
        });
    let message = "no queue or stream invokes the function";
    of_every_qualifier(check, subject, sources.collect(), message)
}

pub(super) fn aliases(check: &Check, subject: &Subject<'_>) -> Findings {
    let (aliases, versions) = (
        subject.observed.aliases.as_ref()?,
        subject.observed.versions.as_ref()?,
    );
    let Some(found) = subject.observed.live.as_ref()? else {
        return check.holds("there is no function");
    };
    let deployed = match aliases.is_empty() {
        true => None,
        false => subject.tags()?.get(tag::CODE),
    };
    // The function itself is what the other checks look at, unless the trigger calls an alias of it.
    let looked_at = subject.observed.trigger_qualifier().is_none();
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
            check.fails(
                format!(
                    "alias `{}` leads to code that jane-migrate did not deploy, or to other settings than the trigger's",
                    alias.name
                ),
                "the code and the settings that were deployed",
                reached,
                subject.aws(format_args!(
                    "lambda update-alias --function-name {} --name {} --function-version '$LATEST' --routing-config AdditionalVersionWeights={{}}",
                    subject.names.function, alias.name
                )),
            )
            .about(&alias.name)
        })
    });
    check.unless(astray.collect(), "no alias leads to other code or settings")
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
