//! Places where an event could be kept or copied: it carries the password.

use super::{Said, Wrong, check, holds, unless, with_qualifier, wrong};
use crate::verify::{Check, Evidence};
use jane_migrate_core::finding::Severity::{Error, Warning};

pub(super) const CHECKS: &[Check] = &[
    check(
        "layers",
        Error,
        "no layer, and so no extension, runs beside the handler",
        layers,
    ),
    check(
        "event-copies",
        Error,
        "no dead-letter queue and no destination gets a copy of events",
        event_copies,
    ),
    check(
        "durable-execution",
        Error,
        "Lambda keeps no event to replay it",
        durable_execution,
    ),
    check("tracing", Warning, "X-Ray does not trace sign-ins", tracing),
];

fn layers<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let layers = evidence.function()?.function.layers.iter().map(|layer| {
        wrong(
            "a layer is attached: an extension in it runs beside the handler and could read every password",
            "no layers",
            layer,
            evidence.redeploy(),
        )
        .of(layer)
    });
    unless(
        layers.collect(),
        "no layer or extension runs beside the handler",
    )
}

fn event_copies<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let name = &evidence.names.function;
    let copied = |to: &str, fix: String| {
        wrong(
            "events, and the passwords in them, would be sent on",
            "no dead-letter queue and no destination",
            to,
            fix,
        )
        .of(to)
    };
    let mut copies: Vec<Wrong> = evidence
        .event_copies
        .as_ref()?
        .iter()
        .map(|copy| {
            let command = evidence.aws(format_args!(
                "lambda delete-function-event-invoke-config --function-name {name}"
            ));
            copied(
                &copy.destination,
                with_qualifier(command, copy.qualifier.as_deref()),
            )
        })
        .collect();
    if let Some(queue) = evidence
        .function
        .as_ref()?
        .as_ref()
        .and_then(|found| found.dead_letters.as_deref())
    {
        copies.push(copied(
            queue,
            evidence.for_trigger(evidence.aws(format_args!(
                "lambda update-function-configuration --function-name {name} --dead-letter-config TargetArn="
            ))),
        ));
    }
    unless(copies, "events are sent nowhere else")
}

fn durable_execution<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    if !evidence.function()?.durable {
        return holds("Lambda keeps no event to replay it");
    }
    wrong(
        "the function is a durable one: Lambda keeps each event, password included, for days",
        "no durable execution",
        "durable execution",
        // It is a property of the function's birth.
        format!(
            "make the function anew: `{} --force`, then `{}`",
            evidence.ours("teardown"),
            evidence.deploy()
        ),
    )
    .into()
}

fn tracing<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    if !evidence.function()?.traced {
        return holds("X-Ray does not trace sign-ins");
    }
    wrong(
        "X-Ray traces sign-ins: when and how long, and whatever is added to a trace",
        "PassThrough",
        "Active",
        evidence.for_trigger(evidence.aws(format_args!(
            "lambda update-function-configuration --function-name {} --tracing-config Mode=PassThrough",
            evidence.names.function
        ))),
    )
    .into()
}
