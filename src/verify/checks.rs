//! The checks, one function each. `ok` findings say what holds, in a few words; failed ones say what was expected, what was
//! found and the command that mends it.

use jane_migrate_config::SETTINGS_VARIABLE;
use serde_json::Value;

use super::Evidence;
use super::jane::Answer;
use crate::finding::{Finding, Severity};
use crate::ids::STATEMENT_ID;
use crate::permission;
use crate::plan::lacks_password_auth;
use crate::resources::{FunctionState, ObservedFunction, tag, trust_policy};

use Severity::{Error, Warning};

type Findings = Vec<Finding>;

fn holds(id: &'static str, message: impl Into<String>) -> Findings {
    vec![Finding::holds(id, Error, message)]
}

fn deploy(evidence: &Evidence<'_>) -> String {
    format!("jane-migrate deploy --pool {}", evidence.names.pool.id)
}

/// What a check of the function says where there is no function.
fn no_function(id: &'static str, evidence: &Evidence<'_>) -> Findings {
    vec![Finding::failed(
        id,
        Error,
        format!("function {} does not exist", evidence.names.function),
        "the function",
        "none",
        deploy(evidence),
    )]
}

fn function<'a>(evidence: &'a Evidence<'_>) -> Option<&'a ObservedFunction> {
    evidence.observed.function.as_ref()
}

pub(super) fn trigger_registered(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "trigger-registered";
    match evidence.observed.pool.user_migration() {
        Some(arn) if evidence.names.is_our_function(arn) => {
            holds(ID, "the pool calls our function for users it does not know")
        }
        other => vec![Finding::failed(
            ID,
            Error,
            "the pool does not call our function for users it does not know",
            &evidence.names.function_arn,
            other.unwrap_or("no user migration trigger"),
            match other {
                Some(_) => format!("{} --replace", deploy(evidence)),
                None => deploy(evidence),
            },
        )],
    }
}

pub(super) fn function_active(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "function-active";
    let Some(found) = function(evidence) else {
        return no_function(ID, evidence);
    };
    let state = match &found.state {
        FunctionState::Ready => return holds(ID, "the function can be invoked"),
        FunctionState::Settling(what) => what.clone(),
        FunctionState::Failed(reason) => format!("failed: {reason}"),
    };
    vec![Finding::failed(
        ID,
        Error,
        "the function cannot be invoked",
        "Active",
        state,
        deploy(evidence),
    )]
}

pub(super) fn function_code(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "function-code";
    let Some(found) = function(evidence) else {
        return no_function(ID, evidence);
    };
    match found.function.tags.get(tag::CODE) {
        Some(code) if *code == found.code_sha256 => {
            holds(ID, "the code is the one that was deployed")
        }
        deployed => vec![Finding::failed(
            ID,
            Error,
            "the function's code is not the one that was deployed",
            deployed.map_or("a tag with the deployed code's digest", String::as_str),
            &found.code_sha256,
            deploy(evidence),
        )],
    }
}

pub(super) fn function_settings(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "function-settings";
    let Some(found) = function(evidence) else {
        return no_function(ID, evidence);
    };
    let Some(configured) = &evidence.config else {
        return vec![Finding::unchecked(
            ID,
            Error,
            "no configuration to compare the function's settings with; name one with --config",
        )];
    };
    let deployed: Value = found
        .function
        .environment
        .get(SETTINGS_VARIABLE)
        .and_then(|settings| serde_json::from_str(settings.expose()).ok())
        .unwrap_or_default();
    let wanted = serde_json::from_str(&configured.settings.to_json()).unwrap_or_default();
    let different = crate::document::differences(&wanted, &deployed);
    if different.is_empty() {
        return holds(ID, "the function obeys the configuration");
    }
    let members: Vec<String> = different
        .iter()
        .map(|difference| difference.pointer.trim_start_matches('/').replace('/', "."))
        .collect();
    vec![Finding::failed(
        ID,
        Error,
        "the function does not obey the configuration",
        "the configuration's settings",
        format!("others for {}", members.join(", ")),
        deploy(evidence),
    )]
}

pub(super) fn invoke_permission(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "invoke-permission";
    let statements = &evidence.observed.policy.statements;
    if statements
        .iter()
        .any(|statement| permission::is_for_pool(statement, &evidence.names.pool))
    {
        return holds(ID, "Cognito may invoke the function for this pool");
    }
    let found = match evidence.observed.policy.statement(STATEMENT_ID) {
        Some(statement) => statement.to_string(),
        None => "no statement that does".to_owned(),
    };
    vec![Finding::failed(
        ID,
        Error,
        "Cognito may not invoke the function, so every sign-in of a user not yet migrated fails",
        format!(
            "cognito-idp.amazonaws.com with SourceArn {} and SourceAccount {}",
            evidence.names.pool, evidence.names.pool.account
        ),
        found,
        deploy(evidence),
    )]
}

pub(super) fn invoke_permission_only(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "invoke-permission-only";
    let others: Vec<&Value> = evidence
        .observed
        .policy
        .statements
        .iter()
        .filter(|statement| statement["Effect"] != "Deny")
        .filter(|statement| !permission::is_for_pool(statement, &evidence.names.pool))
        .collect();
    if others.is_empty() {
        return holds(ID, "nobody else may invoke the function");
    }
    others
        .into_iter()
        .map(|statement| {
            let id = statement["Sid"].as_str().unwrap_or_default();
            Finding::failed(
                ID,
                Error,
                format!("statement `{id}` lets somebody else use the function"),
                "one statement, for this pool",
                statement.to_string(),
                format!(
                    "aws lambda remove-permission --function-name {} --statement-id {id}",
                    evidence.names.function
                ),
            )
        })
        .collect()
}

pub(super) fn role_trust(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "role-trust";
    let found = evidence.observed.role.as_ref().map(|role| &role.trust);
    if found == Some(&trust_policy()) {
        return holds(ID, "Lambda alone may assume the role");
    }
    vec![Finding::failed(
        ID,
        Error,
        "the execution role is not for Lambda alone",
        trust_policy().to_string(),
        found.map_or("no role".to_owned(), Value::to_string),
        deploy(evidence),
    )]
}

/// What a directory that is an old user pool is asked with, and what reads a secret that a key of the operator's encrypts.
const ASKS: &[&str] = &[
    "cognito-idp:admininitiateauth",
    "cognito-idp:admingetuser",
    "kms:decrypt",
    "sts:assumerole",
];

/// Actions a sign-in otherwise never needs.
const NEVER: &[&str] = &["iam:", "lambda:", "cognito-idp:", "kms:", "sts:"];

pub(super) fn role_permissions(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "role-permissions";
    let Some(role) = &evidence.observed.role else {
        return vec![Finding::failed(
            ID,
            Error,
            "the execution role does not exist",
            "the role",
            "none",
            deploy(evidence),
        )];
    };
    let mut findings = Findings::new();
    let mut fails = |severity, found: String| {
        findings.push(Finding::failed(
            ID,
            severity,
            "the execution role may do more than a sign-in needs",
            "its own logs and the configured secrets",
            found,
            deploy(evidence),
        ));
    };
    for arn in &role.attached {
        fails(Warning, format!("attached policy {arn}"));
    }
    for (name, policy) in &role.policies {
        let statements = match &policy["Statement"] {
            Value::Array(statements) => statements.clone(),
            one => vec![one.clone()],
        };
        for statement in statements.iter().filter(|s| s["Effect"] != "Deny") {
            let actions = strings(&statement["Action"]);
            let resources = strings(&statement["Resource"]);
            if statement.get("NotAction").is_some() {
                fails(Error, format!("policy {name} allows with NotAction"));
            }
            for action in actions {
                let lower = action.to_ascii_lowercase();
                let asks = ASKS.contains(&lower.as_str());
                if action.contains('*') || (!asks && NEVER.iter().any(|p| lower.starts_with(p))) {
                    fails(Error, format!("policy {name} allows {action}"));
                } else if resources.contains(&"*") && !lower.starts_with("ec2:") {
                    fails(
                        Error,
                        format!("policy {name} allows {action} on everything"),
                    );
                } else if lower.starts_with("logs:")
                    && resources
                        .iter()
                        .any(|arn| !arn.starts_with(&evidence.names.log_group_arn))
                {
                    fails(
                        Warning,
                        format!("policy {name} allows {action} outside its own log group"),
                    );
                }
            }
        }
    }
    if findings.is_empty() {
        return holds(ID, "the role may do what a sign-in needs and no more");
    }
    findings
}

/// A string or an array of strings.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn log_group(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "log-group";
    let found = match &evidence.observed.log_group {
        Some(group) => match group.retention_days {
            Some(days) => return holds(ID, format!("logs are kept for {days} days")),
            None => "kept for ever",
        },
        None => "no log group",
    };
    vec![Finding::failed(
        ID,
        Error,
        "the function's logs have no end",
        "a log group with a retention",
        found,
        deploy(evidence),
    )]
}

pub(super) fn client_password_auth(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "client-password-auth";
    let clients: Vec<_> = evidence
        .observed
        .clients
        .iter()
        .filter(|client| {
            evidence
                .clients
                .is_none_or(|named| named.iter().any(|id| id == client.id()))
        })
        .collect();
    if clients.is_empty() {
        return vec![Finding::failed(
            ID,
            Error,
            "the pool has no app client, so nobody can sign in",
            "an app client",
            "none",
            "create one, or name it in [pool] clients",
        )];
    }
    let closed: Findings = clients
        .iter()
        .filter(|client| !client.allows_password_auth())
        .map(|client| lacks_password_auth(evidence.names.pool.id.as_str(), client))
        .collect();
    if closed.is_empty() {
        return holds(
            ID,
            format!(
                "{} app client(s) let passwords reach the pool",
                clients.len()
            ),
        );
    }
    closed
}

pub(super) fn jane_knows_client(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "jane-knows-client";
    let answers = match &evidence.jane {
        super::jane::Answers::NotJane => return Vec::new(),
        super::jane::Answers::CouldNotAsk(why) => {
            return vec![Finding::unchecked(ID, Error, why)];
        }
        super::jane::Answers::Asked(answers) => answers,
    };
    let pool = &evidence.names.pool;
    answers
        .iter()
        .map(|(client, answer)| {
            let fails = |message: String, expected: String, found: String| {
                Finding::failed(
                    ID,
                    Error,
                    message,
                    expected,
                    found,
                    "ask Jane's partner team to register the app client for this pool",
                )
            };
            match answer {
                Answer::Known { pool_id, region }
                    if pool_id.as_deref().is_none_or(|id| id == pool.id.as_str())
                        && region.as_deref().is_none_or(|name| name == pool.region) =>
                {
                    Finding::holds(ID, Error, format!("Jane knows app client {client}"))
                }
                Answer::Known { pool_id, region } => fails(
                    format!("Jane knows app client {client} for another pool"),
                    format!("{} in {}", pool.id, pool.region),
                    format!(
                        "{} in {}",
                        pool_id.as_deref().unwrap_or("no pool"),
                        region.as_deref().unwrap_or("no Region")
                    ),
                ),
                Answer::Unknown => fails(
                    format!("Jane does not know app client {client}, so no account is migrated through it"),
                    "registered".into(),
                    "not registered".into(),
                ),
                Answer::NoAnswer(why) => Finding::unchecked(ID, Error, why),
            }
        })
        .collect()
}

/// Days before the end of the window in which verify begins to warn.
const SOON_DAYS: i64 = 14;

pub(super) fn window_open(evidence: &Evidence<'_>) -> Findings {
    const ID: &str = "window-open";
    let deployed = function(evidence).and_then(super::deployed_settings);
    let closes = match (&evidence.config, deployed) {
        (Some(configured), _) => configured.config.window.closes,
        (None, Some(settings)) => settings.window_closes,
        (None, None) => None,
    };
    let Some(closes) = closes else {
        return holds(ID, "the window has no end");
    };
    let left = closes.epoch_days() - evidence.today.epoch_days();
    let fix = format!(
        "set a later [window] closes and run `{}`, or `jane-migrate teardown --pool {}`",
        deploy(evidence),
        evidence.names.pool.id
    );
    if left < 0 {
        return vec![Finding::failed(
            ID,
            Error,
            format!("the window closed on {closes}: nobody is migrated any more"),
            "today or later",
            closes.to_string(),
            fix,
        )];
    }
    if left <= SOON_DAYS {
        return vec![Finding::failed(
            ID,
            Warning,
            format!("the window closes in {left} day(s)"),
            format!("more than {SOON_DAYS} days"),
            closes.to_string(),
            fix,
        )];
    }
    holds(ID, format!("the window is open until {closes}"))
}
