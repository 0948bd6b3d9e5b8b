//! Places that could keep or copy an event, which contains the password.

use super::kind::{Check, Findings, with_qualifier};
use super::subject::Subject;
use crate::finding::Finding;
use crate::fix::{Fix, fix};

pub(super) fn layers(check: &Check, subject: &Subject<'_>) -> Findings {
    let layers = subject.function()?.function.layers.iter().map(|layer| {
        check.fails(
            "a layer is attached: an extension in it runs beside the handler and could read every password",
            "no layers",
            layer,
            subject.redeploy(),
        )
        .about(layer)
    });
    check.unless(
        layers.collect(),
        "no layer or extension runs beside the handler",
    )
}

pub(super) fn event_copies(check: &Check, subject: &Subject<'_>) -> Findings {
    let name = &subject.names.function;
    let copied = |to: &str, fix: Fix| {
        check
            .fails(
                "events, and the passwords in them, would be sent on",
                "no dead-letter queue and no destination",
                to,
                fix,
            )
            .about(to)
    };
    let mut copies: Vec<Finding> = subject
        .observed
        .event_copies
        .as_ref()?
        .iter()
        .map(|copy| {
            let command =
                format!("lambda delete-function-event-invoke-config --function-name {name}");
            copied(
                &copy.destination,
                subject
                    .of_function(subject.aws(with_qualifier(command, copy.qualifier.as_deref()))),
            )
        })
        .collect();
    if let Some(queue) = subject
        .observed
        .live
        .as_ref()?
        .as_ref()
        .and_then(|found| found.dead_letters.as_deref())
    {
        copies.push(copied(
            queue,
            subject.for_trigger(subject.aws(format_args!(
                "lambda update-function-configuration --function-name {name} --dead-letter-config TargetArn="
            ))),
        ));
    }
    check.unless(copies, "events are sent nowhere else")
}

pub(super) fn durable_execution(check: &Check, subject: &Subject<'_>) -> Findings {
    if !subject.function()?.durable {
        return check.holds("durable execution is off");
    }
    check
        .fails(
            "the function is a durable one: Lambda keeps each event, password included, for days",
            "no durable execution",
            "durable execution",
            // Lambda sets this when the function is created.
            subject.of_function(fix![
                "create the function again: `",
                Fix::ours("teardown", &subject.names.pool.id, " --force"),
                "`, then `",
                subject.deploy(),
                "`",
            ]),
        )
        .into()
}

pub(super) fn tracing(check: &Check, subject: &Subject<'_>) -> Findings {
    if !subject.function()?.traced {
        return check.holds("X-Ray does not trace sign-ins");
    }
    check.fails(
        "X-Ray traces sign-ins: when and how long, and whatever is added to a trace",
        "PassThrough",
        "Active",
        subject.for_trigger(subject.aws(format_args!(
            "lambda update-function-configuration --function-name {} --tracing-config Mode=PassThrough",
            subject.names.function
        ))),
    )
    .into()
}
