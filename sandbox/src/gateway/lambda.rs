//! Functions: what real Lambda has and the emulator lacks. A role that cannot be assumed, an update or an invocation at the wrong
//! moment, environments that are too large, a dry run that changes nothing, policies with revisions.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::policy::{self, Attempt};
use super::{Shared, iam};
use crate::wire::{Answer, Call, Members, Refusal, Scope, Upstream};

/// Names that a function's environment cannot set.
const RESERVED: [&str; 16] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];
/// When functions get newer runtimes, by account and name. Those that nobody asked about get them at once.
pub(crate) type RuntimeUpdates = Mutex<BTreeMap<(String, String), Value>>;

const ENVIRONMENT_LIMIT: usize = 4096;

pub(crate) async fn answer(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let upstream = &shared.upstream;
    match call.action.as_str() {
        "CreateFunction" => {
            let request = call.members()?;
            check_environment(request.get("Environment"))?;
            check_role(shared, &call.scope, request.get("Role")).await?;
            tidied(upstream.forward(call).await?)
        }
        "UpdateFunctionConfiguration" => {
            let request = call.members()?;
            check_settled(upstream, call).await?;
            check_environment(request.get("Environment"))?;
            if request.contains_key("Role") {
                check_role(shared, &call.scope, request.get("Role")).await?;
            }
            tidied(upstream.forward(call).await?)
        }
        "UpdateFunctionCode" => {
            check_settled(upstream, call).await?;
            if call.members()?.get("DryRun") == Some(&json!(true)) {
                let (name, _) = call.function().unwrap_or_default();
                let path = format!("/2015-03-31/functions/{name}/configuration");
                let current = upstream.lambda(&call.scope, &path).await?;
                return tidied(Answer::json(&current));
            }
            tidied(upstream.forward(call).await?)
        }
        "GetFunction" | "GetFunctionConfiguration" => tidied(upstream.forward(call).await?),
        "Invoke" => {
            let state = configuration(upstream, call).await?;
            if state["StateReasonCode"] == "Creating" {
                return Err(conflict(
                    "The function is currently in the following state: Pending",
                ));
            }
            upstream.forward(call).await
        }
        "GetPolicy" => {
            upstream.permit(call).await?;
            let policy = policy_of(upstream, call).await?;
            Ok(Answer::json(
                &json!({"Policy": policy.to_string(), "RevisionId": revision(&policy)}),
            ))
        }
        "AddPermission" => {
            let request = call.members()?;
            check_statement(&request)?;
            check_revision(
                upstream,
                call,
                request.get("RevisionId").and_then(Value::as_str),
            )
            .await?;
            upstream.forward(call).await
        }
        "RemovePermission" => {
            check_revision(upstream, call, call.query("RevisionId").as_deref()).await?;
            upstream.forward(call).await
        }
        "GetRuntimeManagementConfig" => runtime_updates(shared, call, None).await,
        "PutRuntimeManagementConfig" => {
            let request = call.members()?;
            runtime_updates(shared, call, request.get("UpdateRuntimeOn").cloned()).await
        }
        _ => upstream.forward(call).await,
    }
}

/// Shows when a function gets a newer runtime, after setting it where that is asked for.
async fn runtime_updates(
    shared: &Shared,
    call: &Call,
    set: Option<Value>,
) -> Result<Answer, Refusal> {
    let configuration = configuration(&shared.upstream, call).await?;
    let (name, _) = call.function().unwrap_or_default();
    let key = (call.scope.account.clone(), name);
    let mut kept = shared
        .runtime_updates
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(when) = set {
        if !["Auto", "FunctionUpdate", "Manual"].contains(&when.as_str().unwrap_or_default()) {
            return Err(Refusal::new(
                "ValidationException",
                "1 validation error detected: the value at 'updateRuntimeOn' failed to satisfy constraint",
            ));
        }
        kept.insert(key.clone(), when);
    }
    let when = kept.get(&key).cloned().unwrap_or_else(|| json!("Auto"));
    Ok(Answer::json(
        &json!({ "FunctionArn": configuration["FunctionArn"], "UpdateRuntimeOn": when }),
    ))
}

/// Lambda takes a role only when it can assume it: it exists, trusts Lambda, and has had the time to be known everywhere.
async fn check_role(shared: &Shared, scope: &Scope, role: Option<&Value>) -> Result<(), Refusal> {
    let refusal = || {
        Refusal::new(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )
    };
    let arn = role.and_then(Value::as_str).unwrap_or_default();
    let Some((prefix, path)) = arn.split_once(":role/") else {
        return Err(Refusal::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{arn}' at 'role' failed to satisfy constraint"
            ),
        ));
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    let account = prefix.rsplit(':').next().unwrap_or_default();
    let trust = shared
        .upstream
        .trust_policy(scope, name)
        .await?
        .ok_or_else(refusal)?;
    let trusted = policy::allows(
        &trust,
        &Attempt {
            service: "lambda.amazonaws.com",
            action: "sts:AssumeRole",
            resource: None,
            context: &[("aws:SourceAccount", &scope.account)],
        },
    );
    if account != scope.account || !trusted || iam::is_fresh(shared, scope, name) {
        return Err(refusal());
    }
    Ok(())
}

fn check_environment(environment: Option<&Value>) -> Result<(), Refusal> {
    let Some(Value::Object(variables)) = environment.and_then(|given| given.get("Variables"))
    else {
        return Ok(());
    };
    let problem = |what: String| {
        Refusal::new(
            "InvalidParameterValueException",
            format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided {what}"
            ),
        )
    };
    let reserved: Vec<_> = variables
        .keys()
        .filter(|name| RESERVED.contains(&name.as_str()))
        .map(String::as_str)
        .collect();
    if !reserved.is_empty() {
        return Err(problem(format!(
            "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    if json!(variables).to_string().len() > ENVIRONMENT_LIMIT {
        return Err(problem("exceeded the 4KB limit.".to_owned()));
    }
    Ok(())
}

fn check_statement(request: &Members) -> Result<(), Refusal> {
    let invalid = |path: &str| {
        Refusal::new(
            "ValidationException",
            format!(
                "1 validation error detected: the value at '{path}' failed to satisfy constraint"
            ),
        )
    };
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let id = text("StatementId").unwrap_or_default();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=100).contains(&id.len()) || !id.bytes().all(word) {
        return Err(invalid("statementId"));
    }
    if !text("Action").is_some_and(|action| action == "*" || action.starts_with("lambda:")) {
        return Err(invalid("action"));
    }
    if text("Principal").is_none_or(str::is_empty) {
        return Err(invalid("principal"));
    }
    if text("SourceAccount")
        .is_some_and(|account| account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(invalid("sourceAccount"));
    }
    if text("SourceArn").is_some_and(|arn| !arn.starts_with("arn:")) {
        return Err(invalid("sourceArn"));
    }
    Ok(())
}

/// One change at a time.
async fn check_settled(upstream: &Upstream, call: &Call) -> Result<(), Refusal> {
    let state = configuration(upstream, call).await?;
    if state["State"] == "Pending" || state["LastUpdateStatus"] == "InProgress" {
        let arn = state["FunctionArn"].as_str().unwrap_or_default();
        return Err(conflict(&format!(
            "An update is in progress for resource: {arn}"
        )));
    }
    Ok(())
}

fn conflict(why: &str) -> Refusal {
    Refusal::new(
        "ResourceConflictException",
        format!("The operation cannot be performed at this time. {why}"),
    )
    .with_status(StatusCode::CONFLICT)
}

async fn configuration(upstream: &Upstream, call: &Call) -> Result<Value, Refusal> {
    let (name, _) = call.function().unwrap_or_default();
    upstream
        .lambda(
            &call.scope,
            &format!("/2015-03-31/functions/{name}/configuration"),
        )
        .await
}

/// The policy of the function, or of the alias or version that the call names: each has one of its own.
async fn policy_of(upstream: &Upstream, call: &Call) -> Result<Value, Refusal> {
    let (name, qualifier) = call.function().unwrap_or_default();
    let emulated = upstream
        .lambda(&call.scope, &format!("/2015-03-31/functions/{name}/policy"))
        .await?;
    let mut policy: Value =
        serde_json::from_str(emulated["Policy"].as_str().unwrap_or_default()).unwrap_or_default();
    let Scope { account, region } = &call.scope;
    let mut resource = format!("arn:aws:lambda:{region}:{account}:function:{name}");
    if let Some(qualifier) = qualifier {
        resource = format!("{resource}:{qualifier}");
    }
    let statements = policy["Statement"].as_array_mut();
    let kept = statements.map(|statements| {
        statements.retain(|statement| statement["Resource"] == *resource);
        statements.len()
    });
    if kept.is_none_or(|kept| kept == 0) {
        return Err(Refusal::new(
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )
        .with_status(StatusCode::NOT_FOUND));
    }
    Ok(policy)
}

async fn check_revision(
    upstream: &Upstream,
    call: &Call,
    given: Option<&str>,
) -> Result<(), Refusal> {
    let Some(given) = given else {
        return Ok(());
    };
    let current = policy_of(upstream, call)
        .await
        .map(|policy| revision(&policy));
    if current.is_ok_and(|current| current == given) {
        return Ok(());
    }
    Err(Refusal::new(
        "PreconditionFailedException",
        "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId \
         for your resource.",
    )
    .with_status(StatusCode::PRECONDITION_FAILED))
}

/// It changes when the policy does.
fn revision(policy: &Value) -> String {
    let digest = Sha256::digest(policy.to_string());
    let hex: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A configuration as AWS shows it: nothing for what is not set, and a function that stays active while it is updated.
fn tidied(answer: Answer) -> Result<Answer, Refusal> {
    if !answer.status.is_success() {
        return Ok(answer);
    }
    let mut value = answer.value();
    if value["Configuration"].is_object() {
        tidy(&mut value["Configuration"]);
        if value["Tags"] == json!({}) {
            remove(&mut value, "Tags");
        }
    } else {
        tidy(&mut value);
    }
    Ok(answer.with_value(&value))
}

fn tidy(configuration: &mut Value) {
    if configuration["StateReasonCode"] == "Updating" {
        configuration["State"] = json!("Active");
        remove(configuration, "StateReason");
        remove(configuration, "StateReasonCode");
    }
    if configuration["StateReasonCode"] == "Creating" {
        remove(configuration, "LastUpdateStatus");
    }
    if configuration["RuntimeVersionConfig"]["RuntimeVersionArn"] == "" {
        remove(configuration, "RuntimeVersionConfig");
    }
    if configuration["VpcConfig"]["SubnetIds"] == json!([]) {
        remove(configuration, "VpcConfig");
    }
    if let Some(members) = configuration.as_object_mut() {
        members
            .retain(|name, value| name == "Description" || (*value != "" && *value != json!([])));
    }
}

fn remove(value: &mut Value, member: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(member);
    }
}
