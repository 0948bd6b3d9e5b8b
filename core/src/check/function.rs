//! The function itself: its code, its settings, and whether it can run when a customer signs in.

use jane_migrate_config::{HandlerSettings, SETTINGS_VARIABLE};
use serde_json::Value;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::demand;
use crate::facts::pool_facts;
use crate::finding::Finding;
use crate::fix::{Fix, fix};
use crate::read::Unread;
use crate::resources::{FunctionState, RUNTIME, TRIGGER_TIMEOUT_S, is_ours, tag};

pub(super) fn function_active(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = match subject.observed.live.as_ref()? {
        None => "no function".to_owned(),
        Some(found) => match &found.state {
            FunctionState::Ready => return check.holds("the function can be invoked"),
            FunctionState::Inactive => return inactive(check, subject),
            FunctionState::Settling(what) => what.clone(),
            FunctionState::Failed(reason) => format!("failed: {reason}"),
        },
    };
    check
        .fails(
            format!("function {} cannot be invoked", subject.names.function),
            "an active function",
            found,
            subject.redeploy(),
        )
        .into()
}

/// There were no sign-ins for weeks, and the first one fails.
fn inactive(check: &Check, subject: &Subject<'_>) -> Findings {
    check
        .fails(
            "the function is inactive: the next sign-in fails while Lambda activates it",
            "an active function",
            "inactive",
            // Any invocation activates it; a probe is no customer's sign-in.
            Fix::ours("verify", &subject.names.pool.id, " --probe"),
        )
        .into()
}

pub(super) fn function_code(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = subject.function()?;
    let architecture = found.function.architecture;
    let wanted = subject.wanted()?.function.architecture;
    if wanted != architecture {
        return check
            .fails(
                "the function is of another architecture than configured",
                wanted.as_str(),
                architecture.as_str(),
                subject.redeploy(),
            )
            .into();
    }
    if subject.names.given_function {
        return given_code(check, subject, &found.code_sha256);
    }
    let tags = subject.tags()?;
    // After an interrupted deploy, the settings can be for another kind than the code.
    let kind = subject.wanted()?.directory.kind();
    if let Some(served) = subject.asked.code_serves
        && served != kind
    {
        return check
            .fails(
                "the function's code serves another kind of directory than configured",
                kind,
                served,
                subject.redeploy(),
            )
            .into();
    }
    match tags.get(tag::CODE) {
        Some(code) if *code == found.code_sha256 => {
            check.holds("the code is the one that was deployed")
        }
        _ if tags.get(tag::CODE_BEFORE) == Some(&found.code_sha256) => {
            check.holds("the code is the one that was deployed before the newest")
        }
        deployed => check
            .fails(
                "the function's code is not the one that was deployed",
                deployed.map_or("a tag with the deployed code's digest", String::as_str),
                &found.code_sha256,
                match is_ours(tags, &subject.names.pool) {
                    true => subject.redeploy(),
                    false => subject.deploy_replacing(),
                },
            )
            .into(),
    }
}

/// Compares the code that another tool uploaded with the digest in the configuration.
fn given_code(check: &Check, subject: &Subject<'_>, found: &str) -> Findings {
    match subject.wanted()?.function.code_sha256.as_deref() {
        Some(wanted) if wanted == found => check.holds("the code is the one of code_sha256"),
        Some(wanted) => check
            .fails(
                "the function's code is not the one of code_sha256",
                wanted,
                found,
                subject.redeploy(),
            )
            .into(),
        None => check
            .fails(
                "nothing says which code the function should have",
                "code_sha256 under [function]",
                found,
                "compare it with the CodeSha256 that `jane-migrate build` prints, and set that as code_sha256 under [function]",
            )
            .warning()
            .into(),
    }
}

pub(super) fn function_runtime(check: &Check, subject: &Subject<'_>) -> Findings {
    let function = &subject.function()?.function;
    if function.runtime == RUNTIME && function.handler == "bootstrap" {
        return check.holds(format!("the function runs on {RUNTIME}"));
    }
    check
        .fails(
            "the function has another runtime than the handler is built for",
            format!("{RUNTIME}, handler bootstrap"),
            format!("{}, handler {}", function.runtime, function.handler),
            subject.redeploy(),
        )
        .into()
}

pub(super) fn function_settings(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = subject.function()?;
    let facts = pool_facts(&subject.observed.pool()?.document, subject.observed.mfa()?);
    let settings = HandlerSettings::new(subject.config()?, &facts);
    let deployed: Value = found
        .function
        .environment
        .get(SETTINGS_VARIABLE)
        .and_then(|settings| serde_json::from_str(settings.expose()).ok())
        .unwrap_or_default();
    let wanted = serde_json::from_str(&settings.to_json()).unwrap_or_default();
    let different = crate::document::differences(&wanted, &deployed);
    if different.is_empty() {
        return check.holds("the function's settings match the configuration");
    }
    let members: Vec<String> = different
        .iter()
        .map(|difference| difference.pointer.trim_start_matches('/').replace('/', "."))
        .collect();
    check
        .fails(
            "the function does not obey the configuration",
            "the configuration's settings",
            format!("others for {}", members.join(", ")),
            subject.redeploy(),
        )
        .into()
}

/// Less memory means a smaller share of a core, and hashes and TLS become slow.
const ENOUGH_MB: u32 = 256;

pub(super) fn function_limits(check: &Check, subject: &Subject<'_>) -> Findings {
    let function = &subject.function()?.function;
    let mut limits = Vec::new();
    if function.timeout_s != TRIGGER_TIMEOUT_S {
        limits.push(check.fails(
            match function.timeout_s > TRIGGER_TIMEOUT_S {
                true => "Cognito gives up, and calls again, while the function still works",
                false => "Lambda ends the function before Cognito would",
            },
            format!("a timeout of {TRIGGER_TIMEOUT_S} s"),
            format!("{} s", function.timeout_s),
            subject.redeploy(),
        ));
    }
    if function.memory_mb < ENOUGH_MB {
        let configured = subject.wanted()?.function.memory_mb;
        limits.push(check.fails(
            "the function has little memory, and with it little of a processor",
            format!("{ENOUGH_MB} MB or more"),
            format!("{} MB", function.memory_mb),
            match configured < ENOUGH_MB {
                true => {
                    subject.then_redeploy(format_args!("set memory_mb = {ENOUGH_MB} in [function]"))
                }
                false => subject.redeploy(),
            },
        ));
    }
    check.unless(
        limits,
        format!(
            "{} MB, timeout as long as Cognito waits",
            function.memory_mb
        ),
    )
}

pub(super) fn function_role(check: &Check, subject: &Subject<'_>) -> Findings {
    let role = &subject.function()?.function.role_arn;
    if *role == subject.names.role_arn {
        return check.holds(match subject.names.given_role {
            true => "the function runs as the configured role",
            false => "the function runs as its own role",
        });
    }
    check
        .fails(
            "the function runs as another role, with whatever that one may do",
            &subject.names.role_arn,
            role,
            subject.redeploy(),
        )
        .into()
}

pub(super) fn function_network(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = &subject.function()?.function.vpc;
    let wanted = &subject.wanted()?.function.vpc;
    let shown = |vpc: &Option<jane_migrate_config::Vpc>| match vpc {
        Some(vpc) => format!(
            "subnets {}, security groups {}",
            vpc.subnets.join(" "),
            vpc.security_groups.join(" ")
        ),
        None => "no VPC".to_owned(),
    };
    if found == wanted {
        return check.holds(format!(
            "the function is in the configured network: {}",
            shown(found)
        ));
    }
    check.fails(
        "the function is in another network, where the directory may not be reached or others may listen",
        shown(wanted),
        shown(found),
        subject.redeploy(),
    )
    .into()
}

/// Fewer are quickly used up when a newsletter is sent.
const FEW: u32 = 5;

pub(super) fn concurrency(check: &Check, subject: &Subject<'_>) -> Findings {
    let reserved = subject.function()?.function.reserved_concurrency;
    let configured = subject.wanted()?.function.reserved_concurrency;
    let fix = match configured {
        Some(configured) if configured < FEW => {
            subject.then_redeploy("raise reserved_concurrency in [function], or leave it out")
        }
        _ => subject.redeploy(),
    };
    let mut wrong = Vec::new();
    match reserved {
        Some(0) => wrong.push(check.fails(
            "reserved concurrency is 0: no sign-in reaches the function",
            "none reserved, or enough",
            "0",
            fix,
        )),
        Some(few @ ..FEW) => wrong.push(
            check
                .fails(
                    format!(
                        "only {few} sign-in(s) can migrate at the same time; more of them fail"
                    ),
                    format!("{FEW} or more"),
                    few.to_string(),
                    fix,
                )
                .warning(),
        ),
        _ => wrong.extend(first_day(check, subject, reserved)),
    }
    let said = match reserved {
        Some(many) => format!("{many} sign-ins can migrate at the same time"),
        None => "the function has no concurrency limit of its own".to_owned(),
    };
    check.unless(wrong, said)
}

/// Compares the function's concurrency with what the first day of the window needs.
fn first_day(check: &Check, subject: &Subject<'_>, reserved: Option<u32>) -> Option<Finding> {
    let total = subject.wanted().ok()?.window.total_users?;
    let limit = match &subject.observed.concurrency_limit {
        Ok(limit) => *limit,
        Err(Unread::NotAsked) => None,
        Err(unread) => return Some(check.unchecked(unread).warning()),
    };
    let need = demand::executions_at_once(total);
    let fails = |what: &str, found: u32, fix: Fix| {
        let message = format!(
            "{what} at the same time, and the first day of {total} customers may need {need}: sign-ins beyond that fail"
        );
        let expected = format!("{need} or more");
        check
            .fails(message, expected, found.to_string(), fix)
            .warning()
    };
    match (reserved, limit) {
        (Some(many), _) if u64::from(many) < need => Some(fails(
            &format!("only {many} sign-ins can migrate"),
            many,
            subject.then_redeploy("raise reserved_concurrency in [function], or leave it out"),
        )),
        (None, Some(limit)) if u64::from(limit) < need => Some(fails(
            &format!("all functions of this account together can run {limit} times"),
            limit,
            // The quota's code is the same in every account and Region.
            fix![
                "ask AWS for more: `",
                subject.aws(format_args!(
                    "service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value {}",
                    need.max(1000)
                )),
                "`",
            ],
        )),
        _ => None,
    }
}

pub(super) fn code_signing(check: &Check, subject: &Subject<'_>) -> Findings {
    let Some(found) = subject.observed.code_signing.as_ref()? else {
        return check.holds("no code signing configuration; function-code proves the code");
    };
    if subject.names.given_function {
        return check
            .holds("another tool uploads the code, and the code signing configuration judges it");
    }
    if !found.refuses {
        return check.holds("the code signing configuration tells of unsigned code and takes it");
    }
    let wanted = subject.asked.config;
    let Some(profile) = wanted.and_then(|config| config.function.signing_profile.as_deref()) else {
        return check.fails(
            "the function takes signed code alone, and what jane-migrate builds is not signed: the next deploy may be refused",
            "signing_profile under [function], which the configuration trusts",
            &found.arn,
            "sign what `jane-migrate build --output handler.zip` writes with a profile of AWS Signer that the configuration trusts, name that as signing_profile under [function], and give the signed zip to deploy with --artifact",
        )
        .into();
    };
    // Only versions of profiles can be trusted.
    let is_version = |trusted: &String| {
        let version = trusted.strip_prefix(profile);
        version.is_some_and(|version| version.is_empty() || version.starts_with('/'))
    };
    if found.trusted.iter().any(is_version) {
        return check.holds("the code signing configuration trusts the configured profile");
    }
    check
        .fails(
            "the function's code signing configuration does not trust the configured profile: the next deploy will be refused",
            profile,
            format!("{}: {}", found.arn, found.trusted.join(", ")),
            "ask the owner of the code signing configuration to trust that profile, or name one that it trusts as signing_profile under [function]",
        )
        .into()
}

pub(super) fn runtime_updates(check: &Check, subject: &Subject<'_>) -> Findings {
    match subject.observed.runtime_updates.as_ref()?.as_deref() {
        Some("Manual") => check.fails(
            "the function is pinned to a runtime that gets no security updates",
            "Auto or FunctionUpdate",
            "Manual",
            subject.of_function(subject.aws(format_args!(
                "lambda put-runtime-management-config --function-name {} --update-runtime-on Auto",
                subject.names.function
            ))),
        )
        .into(),
        _ => check.holds("Lambda keeps the runtime up to date"),
    }
}
