//! The function itself: its code, its settings, and whether it can run when a customer signs in.

use jane_migrate_config::{HandlerSettings, SETTINGS_VARIABLE};
use serde_json::Value;

use super::{Said, check, holds, unless, wrong};
use crate::artifact::kind_of;
use crate::verify::{Check, Evidence};
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::finding::Severity::{Error, Warning};
use jane_migrate_core::resources::{FunctionState, RUNTIME, TRIGGER_TIMEOUT_S, is_ours, tag};

pub(super) const CHECKS: &[Check] = &[
    check(
        "function-active",
        Error,
        "the function is there and can be invoked",
        function_active,
    ),
    check(
        "function-code",
        Error,
        "its code and architecture are those that were deployed",
        function_code,
    ),
    check(
        "function-runtime",
        Error,
        "it runs on provided.al2023",
        function_runtime,
    ),
    check(
        "function-settings",
        Error,
        "it obeys the configuration",
        function_settings,
    ),
    check(
        "function-limits",
        Warning,
        "its time ends with Cognito's 5 s, and it has 256 MB or more",
        function_limits,
    ),
    check(
        "function-role",
        Error,
        "it runs as its own execution role",
        function_role,
    ),
    check(
        "function-network",
        Error,
        "it is in the configured network",
        function_network,
    ),
    check(
        "concurrency",
        Error,
        "no reserved concurrency keeps customers out",
        concurrency,
    ),
    check(
        "code-signing",
        Warning,
        "nothing will refuse the code of the next deploy",
        code_signing,
    ),
    check(
        "runtime-updates",
        Warning,
        "the runtime gets its security updates",
        runtime_updates,
    ),
];

fn function_active<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = match evidence.function.as_ref()? {
        None => "no function".to_owned(),
        Some(found) => match &found.state {
            FunctionState::Ready => return holds("the function can be invoked"),
            FunctionState::Inactive => return inactive(evidence),
            FunctionState::Settling(what) => what.clone(),
            FunctionState::Failed(reason) => format!("failed: {reason}"),
        },
    };
    wrong(
        format!("function {} cannot be invoked", evidence.names.function),
        "an active function",
        found,
        evidence.redeploy(),
    )
    .into()
}

/// Nobody signed in for weeks, and the first who does pays for it.
fn inactive<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    wrong(
        "the function sleeps: the next sign-in fails, and wakes it",
        "an active function",
        "inactive",
        // Whoever invokes it wakes it; a probe is nobody's sign-in.
        format!("{} --probe", evidence.ours("verify")),
    )
    .into()
}

fn function_code<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.function()?;
    let architecture = found.function.architecture;
    let wanted = evidence.wanted()?.function.architecture;
    if wanted != architecture {
        return wrong(
            "the function is of another architecture than configured",
            wanted.as_str(),
            architecture.as_str(),
            evidence.redeploy(),
        )
        .into();
    }
    let tags = evidence.tags()?;
    // The settings of a deploy that was cut short can be of another kind than the code.
    let kind = evidence.wanted()?.directory.kind();
    let source = tags.get(tag::SOURCE);
    if let Some(served) = source.and_then(|source| kind_of(source, architecture))
        && served != kind
    {
        return wrong(
            "the function's code serves another kind of directory than configured",
            kind,
            served,
            evidence.redeploy(),
        )
        .into();
    }
    match tags.get(tag::CODE) {
        Some(code) if *code == found.code_sha256 => holds("the code is the one that was deployed"),
        deployed => wrong(
            "the function's code is not the one that was deployed",
            deployed.map_or("a tag with the deployed code's digest", String::as_str),
            &found.code_sha256,
            match is_ours(tags, &evidence.names.pool) {
                true => evidence.redeploy(),
                false => evidence.for_trigger(format!("{} --replace", evidence.deploy())),
            },
        )
        .into(),
    }
}

fn function_runtime<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let function = &evidence.function()?.function;
    if function.runtime == RUNTIME && function.handler == "bootstrap" {
        return holds(format!("the function runs on {RUNTIME}"));
    }
    wrong(
        "the function has another runtime than the handler is built for",
        format!("{RUNTIME}, handler bootstrap"),
        format!("{}, handler {}", function.runtime, function.handler),
        evidence.redeploy(),
    )
    .into()
}

fn function_settings<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.function()?;
    let facts = pool_facts(evidence.pool.as_ref()?, evidence.mfa.as_ref()?);
    let settings = HandlerSettings::new(evidence.config()?, &facts);
    let deployed: Value = found
        .function
        .environment
        .get(SETTINGS_VARIABLE)
        .and_then(|settings| serde_json::from_str(settings.expose()).ok())
        .unwrap_or_default();
    let wanted = serde_json::from_str(&settings.to_json()).unwrap_or_default();
    let different = jane_migrate_core::document::differences(&wanted, &deployed);
    if different.is_empty() {
        return holds("the function obeys the configuration");
    }
    let members: Vec<String> = different
        .iter()
        .map(|difference| difference.pointer.trim_start_matches('/').replace('/', "."))
        .collect();
    wrong(
        "the function does not obey the configuration",
        "the configuration's settings",
        format!("others for {}", members.join(", ")),
        evidence.redeploy(),
    )
    .into()
}

/// Less memory is less of a core, and hashes and TLS take their time.
const ENOUGH_MB: u32 = 256;

fn function_limits<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let function = &evidence.function()?.function;
    let mut limits = Vec::new();
    if function.timeout_s != TRIGGER_TIMEOUT_S {
        limits.push(wrong(
            match function.timeout_s > TRIGGER_TIMEOUT_S {
                true => "Cognito gives up, and calls again, while the function still works",
                false => "Lambda ends the function before Cognito would",
            },
            format!("a timeout of {TRIGGER_TIMEOUT_S} s"),
            format!("{} s", function.timeout_s),
            evidence.redeploy(),
        ));
    }
    if function.memory_mb < ENOUGH_MB {
        let configured = evidence.wanted()?.function.memory_mb;
        limits.push(wrong(
            "the function has little memory, and with it little of a processor",
            format!("{ENOUGH_MB} MB or more"),
            format!("{} MB", function.memory_mb),
            match configured < ENOUGH_MB {
                true => format!(
                    "set memory_mb = {ENOUGH_MB} in [function], then run `{}`",
                    evidence.redeploy()
                ),
                false => evidence.redeploy(),
            },
        ));
    }
    unless(
        limits,
        format!("{} MB, and as long as Cognito waits", function.memory_mb),
    )
}

fn function_role<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let role = &evidence.function()?.function.role_arn;
    if *role == evidence.names.role_arn {
        return holds("the function runs as its own role");
    }
    wrong(
        "the function runs as another role, with whatever that one may do",
        &evidence.names.role_arn,
        role,
        evidence.redeploy(),
    )
    .into()
}

fn function_network<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = &evidence.function()?.function.vpc;
    let wanted = &evidence.wanted()?.function.vpc;
    let shown = |vpc: &Option<jane_migrate_config::Vpc>| match vpc {
        Some(vpc) => format!(
            "subnets {}, security groups {}",
            vpc.subnets.join(" "),
            vpc.security_groups.join(" ")
        ),
        None => "no VPC".to_owned(),
    };
    if found == wanted {
        return holds(format!(
            "the function is in the configured network: {}",
            shown(found)
        ));
    }
    wrong(
        "the function is in another network, where the directory may not be reached or others may listen",
        shown(wanted),
        shown(found),
        evidence.redeploy(),
    )
    .into()
}

/// Fewer are soon in use when a newsletter goes out.
const FEW: u32 = 5;

fn concurrency<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let reserved = evidence.function()?.function.reserved_concurrency;
    let configured = evidence.wanted()?.function.reserved_concurrency;
    let fix = match configured {
        Some(configured) if configured < FEW => format!(
            "raise reserved_concurrency in [function], or leave it out, then run `{}`",
            evidence.deploy()
        ),
        _ => evidence.deploy(),
    };
    match reserved {
        Some(0) => wrong(
            "reserved concurrency is 0: no sign-in reaches the function",
            "none reserved, or enough",
            "0",
            fix,
        )
        .into(),
        Some(few @ ..FEW) => wrong(
            format!("only {few} sign-in(s) can migrate at the same time; more of them fail"),
            format!("{FEW} or more"),
            few.to_string(),
            fix,
        )
        .warning()
        .into(),
        Some(many) => holds(format!("{many} sign-ins can migrate at the same time")),
        None => holds("no limit of its own keeps customers out"),
    }
}

fn code_signing<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    match evidence.code_signing.as_ref()? {
        None => holds("no code signing configuration; function-code proves the code"),
        Some(arn) => wrong(
            "the function wants signed code, and what jane-migrate builds is not signed: the next deploy may be refused",
            "no code signing configuration",
            arn,
            evidence.aws(format_args!(
                "lambda delete-function-code-signing-config --function-name {}",
                evidence.names.function
            )),
        )
        .into(),
    }
}

fn runtime_updates<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    match evidence.runtime_updates.as_ref()?.as_deref() {
        Some("Manual") => wrong(
            "the function is pinned to a runtime that gets no security updates",
            "Auto or FunctionUpdate",
            "Manual",
            evidence.aws(format_args!(
                "lambda put-runtime-management-config --function-name {} --update-runtime-on Auto",
                evidence.names.function
            )),
        )
        .into(),
        _ => holds("Lambda keeps the runtime up to date"),
    }
}
