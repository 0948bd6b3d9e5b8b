//! Functions: the rules of Lambda that the emulator lacks. It rejects a role that cannot be assumed, an update or an invocation
//! in the wrong state, and an environment that is too large; a dry run changes nothing, and policies have revisions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::iam::Identities;
use super::json::remove;
use super::network::{LATEST, Network};
use crate::lock::lock;
use crate::wire::{Answer, Call, Key, Refusal, Scope, Upstream};

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

const ENVIRONMENT_LIMIT: usize = 4096;

/// The path below which the emulator gives code to every caller, and its placeholder for a signature.
const CODE: (&str, &str) = ("/_ministack/lambda-code/", "ministack-local-presigned");

/// Account, function and version.
type Version = (String, String, String);

/// The name of a role, and its unique id.
type Grant = (String, String);

pub(crate) struct Functions {
    upstream: Arc<Upstream>,
    identities: Arc<Identities>,
    /// Signs the URLs for code.
    key: Key,
    /// When functions get newer runtimes, by account and name. The default is `Auto`.
    runtime_updates: Mutex<BTreeMap<(String, String), Value>>,
    /// Code signing configurations, by ARN; the emulator lacks them. They reject no code.
    code_signing: Mutex<BTreeMap<String, Value>>,
    network: Network,
    /// The role, by name and unique id, for which each function's environment was encrypted: by account, function and version.
    /// With a role that was created again it can no longer be decrypted, and the function does not start.
    grants: Mutex<BTreeMap<Version, Grant>>,
}

impl Functions {
    /// Network interfaces outlive their last use by twice the time in which IAM `settles`.
    pub fn new(
        upstream: Arc<Upstream>,
        identities: Arc<Identities>,
        settles: Duration,
        key: Key,
    ) -> Self {
        Self {
            // Longer than removed permissions still apply.
            network: Network::new(upstream.clone(), 2 * settles),
            upstream,
            identities,
            key,
            grants: Mutex::default(),
            runtime_updates: Mutex::default(),
            code_signing: Mutex::default(),
        }
    }

    /// Whether this fetches code with a URL from GetFunction.
    pub fn hands_out(&self, call: &Call) -> bool {
        let path = call.uri.path();
        call.method == Method::GET
            && path.starts_with(CODE.0)
            && call.query("X-Amz-Signature").as_deref() == Some(&self.key.word(path))
    }

    pub async fn answer(&self, call: &Call) -> Result<Answer, Refusal> {
        match call.action.as_str() {
            "CreateFunction" => {
                let request = call.request()?;
                check_environment(&request)?;
                check_role(&self.identities, &call.scope, &request).await?;
                let (scope, role, vpc) = (&call.scope, &request["Role"], &request["VpcConfig"]);
                self.network.check(scope, role, vpc).await?;
                let made = self.tidied(call).await?;
                let name = request["FunctionName"].as_str().unwrap_or_default();
                self.network.set(scope, name, role, vpc);
                self.grant(scope, name, role).await;
                self.freeze(&call.scope, name, &made);
                Ok(made)
            }
            "PublishVersion" => {
                self.check_settled(call).await?;
                self.check_code(call).await?;
                let made = self.tidied(call).await?;
                let (name, _) = call.function().unwrap_or_default();
                self.freeze(&call.scope, &name, &made);
                Ok(made)
            }
            "CreateAlias" | "UpdateAlias" => {
                self.check_version(call).await?;
                self.upstream.forward(call).await
            }
            "UpdateFunctionConfiguration" => {
                let request = call.request()?;
                self.check_settled(call).await?;
                check_environment(&request)?;
                if request.get("Role").is_some() {
                    check_role(&self.identities, &call.scope, &request).await?;
                }
                let before = self.configuration(call).await?;
                let (scope, vpc) = (&call.scope, &request["VpcConfig"]);
                let role = match &request["Role"] {
                    Value::Null => &before["Role"],
                    given => given,
                };
                self.network.check(scope, role, vpc).await?;
                let updated = self.tidied(call).await?;
                let (name, _) = call.function().unwrap_or_default();
                if !vpc.is_null() {
                    self.network.set(scope, &name, role, vpc);
                }
                // Only a change of the role makes a new grant.
                if before["Role"] != *role {
                    self.grant(scope, &name, role).await;
                }
                Ok(updated)
            }
            "DeleteFunction" => {
                let deleted = self.upstream.forward(call).await?;
                let (name, version) = call.function().unwrap_or_default();
                self.network.forget(&call.scope, &name, version.as_deref());
                Ok(deleted)
            }
            "UpdateFunctionCode" => {
                self.check_settled(call).await?;
                if call.request()?["DryRun"] == true {
                    let mut current = self.configuration(call).await?;
                    tidy(&mut current);
                    return Ok(Answer::json(&current));
                }
                self.tidied(call).await
            }
            "GetFunction" | "GetFunctionConfiguration" => self.tidied(call).await,
            "Invoke" => {
                if self.configuration(call).await?["StateReasonCode"] == "Creating" {
                    return Err(conflict(
                        "The function is currently in the following state: Pending",
                    ));
                }
                let (name, qualifier) = call.function().unwrap_or_default();
                self.check_start(&call.scope, &name, qualifier.as_deref())
                    .await?;
                self.upstream.forward(call).await
            }
            "GetPolicy" => {
                self.upstream.permit(call).await?;
                let policy = self.policy(call).await?;
                Ok(Answer::json(
                    &json!({"Policy": policy.to_string(), "RevisionId": revision(&policy)}),
                ))
            }
            "AddPermission" => {
                let request = call.request()?;
                check_statement(&request)?;
                let given = request["RevisionId"].as_str();
                self.check_revision(call, given).await?;
                self.upstream.forward(call).await
            }
            "RemovePermission" => {
                let given = call.query("RevisionId");
                self.check_revision(call, given.as_deref()).await?;
                self.upstream.forward(call).await
            }
            "CreateCodeSigningConfig" => {
                let mut made = call.request()?;
                let mut all = lock(&self.code_signing);
                let Scope { account, region } = &call.scope;
                let id = format!("csc-{:017x}", all.len());
                let arn = format!("arn:aws:lambda:{region}:{account}:code-signing-config:{id}");
                made["CodeSigningConfigId"] = json!(id);
                made["CodeSigningConfigArn"] = json!(arn);
                all.insert(arn, made.clone());
                Ok(Answer::json(&json!({ "CodeSigningConfig": made })))
            }
            "GetCodeSigningConfig" => {
                let arn = call.uri.path().rsplit('/').next().unwrap_or_default();
                let arn = arn.replace("%3A", ":");
                let found = lock(&self.code_signing).get(&arn).cloned();
                let found = found.ok_or_else(|| {
                    let message = "The code signing configuration cannot be found.";
                    Refusal::new("ResourceNotFoundException", message)
                        .with_status(StatusCode::NOT_FOUND)
                })?;
                Ok(Answer::json(&json!({ "CodeSigningConfig": found })))
            }
            "GetRuntimeManagementConfig" => self.runtime_updates(call, &Value::Null).await,
            "PutRuntimeManagementConfig" => {
                let when = call.request()?["UpdateRuntimeOn"].take();
                self.runtime_updates(call, &when).await
            }
            _ => self.upstream.forward(call).await,
        }
    }

    /// Shows when a function gets a newer runtime; first sets it if `set` is not null.
    async fn runtime_updates(&self, call: &Call, set: &Value) -> Result<Answer, Refusal> {
        let configuration = self.configuration(call).await?;
        let (name, _) = call.function().unwrap_or_default();
        let key = (call.scope.account.clone(), name);
        let mut kept = lock(&self.runtime_updates);
        if !set.is_null() {
            if !["Auto", "FunctionUpdate", "Manual"].contains(&set.as_str().unwrap_or_default()) {
                return Err(invalid("updateRuntimeOn"));
            }
            kept.insert(key.clone(), set.clone());
        }
        let when = kept.get(&key).cloned().unwrap_or_else(|| json!("Auto"));
        Ok(Answer::json(
            &json!({ "FunctionArn": configuration["FunctionArn"], "UpdateRuntimeOn": when }),
        ))
    }

    /// Invokes a function as an AWS service does, and waits for its response.
    pub async fn invoke(&self, scope: &Scope, arn: &str, event: &Value) -> Result<Answer, Refusal> {
        let mut parts = arn.split(':').skip(6);
        let name = parts.next().unwrap_or_default();
        self.check_start(scope, name, parts.next()).await?;
        self.upstream.invoke(scope, arn, event).await
    }

    /// The network interfaces of functions, for EC2's call that lists them.
    pub fn interfaces(&self, call: &Call) -> Answer {
        self.network.describe(call)
    }

    /// Records the role for which the environment of a function was encrypted.
    async fn grant(&self, scope: &Scope, name: &str, role: &Value) {
        let role = role.as_str().unwrap_or_default();
        let role = role.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(id) = self.identities.id(&scope.account, &role).await {
            let latest = (scope.account.clone(), name.to_owned(), LATEST.to_owned());
            lock(&self.grants).insert(latest, (role, id));
        }
    }

    /// A version has the environment of the function that was published.
    fn freeze(&self, scope: &Scope, name: &str, made: &Answer) {
        let of = |version: &str| (scope.account.clone(), name.to_owned(), version.to_owned());
        let mut grants = lock(&self.grants);
        let grant = grants.get(&of(LATEST)).cloned();
        let made = made.value();
        let Some(version) = made["Version"].as_str() else {
            return;
        };
        self.network.freeze(scope, name, version);
        if let Some(grant) = grant {
            grants.insert(of(version), grant);
        }
    }

    /// Refuses to start a function that cannot decrypt its environment.
    async fn check_start(
        &self,
        scope: &Scope,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), Refusal> {
        let granted = |version: &str| {
            let of = (scope.account.clone(), name.to_owned(), version.to_owned());
            lock(&self.grants).get(&of).cloned()
        };
        let Some((role, _)) = granted(LATEST) else {
            return Ok(());
        };
        // Usually no role was deleted, and then no check is needed.
        if !self.identities.was_deleted(&scope.account, &role) {
            return Ok(());
        }
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let path = match qualifier {
            Some(qualifier) => format!("{path}?Qualifier={qualifier}"),
            None => path,
        };
        let configuration = self.upstream.lambda(scope, &path).await?;
        let version = configuration["Version"].as_str().unwrap_or(LATEST);
        let Some((role, id)) = granted(version) else {
            return Ok(());
        };
        let decrypts = self.identities.id(&scope.account, &role).await == Some(id);
        if decrypts || configuration["Environment"]["Variables"].is_null() {
            return Ok(());
        }
        Err(Refusal::new(
            "KMSAccessDeniedException",
            "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check the function's KMS key settings.",
        )
        .with_status(StatusCode::BAD_GATEWAY))
    }

    /// Publishes a version only if the code and the revision are still those that the caller has read.
    async fn check_code(&self, call: &Call) -> Result<(), Refusal> {
        let (request, now) = (call.request()?, self.configuration(call).await?);
        let differs = |given: &str| !request[given].is_null() && request[given] != now[given];
        if differs("CodeSha256") {
            return Err(Refusal::new(
                "InvalidParameterValueException",
                format!(
                    "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
                    request["CodeSha256"].as_str().unwrap_or_default(),
                    now["CodeSha256"].as_str().unwrap_or_default()
                ),
            ));
        }
        match differs("RevisionId") {
            true => Err(stale()),
            false => Ok(()),
        }
    }

    /// An alias needs an existing version.
    async fn check_version(&self, call: &Call) -> Result<(), Refusal> {
        let request = call.request()?;
        let Some(version) = request["FunctionVersion"].as_str() else {
            return Ok(());
        };
        let (name, _) = call.function().unwrap_or_default();
        let path = format!("/2015-03-31/functions/{name}/configuration?Qualifier={version}");
        self.upstream.lambda(&call.scope, &path).await?;
        Ok(())
    }

    /// Refuses a change while another one is in progress.
    async fn check_settled(&self, call: &Call) -> Result<(), Refusal> {
        let state = self.configuration(call).await?;
        if state["State"] == "Pending" || state["LastUpdateStatus"] == "InProgress" {
            let arn = state["FunctionArn"].as_str().unwrap_or_default();
            return Err(conflict(&format!(
                "An update is in progress for resource: {arn}"
            )));
        }
        Ok(())
    }

    async fn configuration(&self, call: &Call) -> Result<Value, Refusal> {
        self.about(call, "configuration").await
    }

    /// Reads a resource of the function that a call names.
    async fn about(&self, call: &Call, what: &str) -> Result<Value, Refusal> {
        let (name, _) = call.function().unwrap_or_default();
        let path = format!("/2015-03-31/functions/{name}/{what}");
        self.upstream.lambda(&call.scope, &path).await
    }

    /// The resource policy of the function, or of the alias or version that the call names: each has its own.
    async fn policy(&self, call: &Call) -> Result<Value, Refusal> {
        let emulated = self.about(call, "policy").await?;
        let policy = emulated["Policy"].as_str().unwrap_or_default();
        let mut policy: Value = serde_json::from_str(policy).unwrap_or_default();
        let Scope { account, region } = &call.scope;
        let (name, qualifier) = call.function().unwrap_or_default();
        let mut resource = format!("arn:aws:lambda:{region}:{account}:function:{name}");
        if let Some(qualifier) = qualifier {
            resource = format!("{resource}:{qualifier}");
        }
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.retain(|statement| statement["Resource"] == *resource);
            if !statements.is_empty() {
                return Ok(policy);
            }
        }
        let message = "The resource you requested does not exist.";
        let refusal = Refusal::new("ResourceNotFoundException", message);
        Err(refusal.with_status(StatusCode::NOT_FOUND))
    }

    async fn check_revision(&self, call: &Call, given: Option<&str>) -> Result<(), Refusal> {
        let Some(given) = given else {
            return Ok(());
        };
        let current = self.policy(call).await;
        if current.is_ok_and(|policy| revision(&policy) == given) {
            return Ok(());
        }
        Err(stale())
    }

    /// Forwards a call; the configuration in the response gets AWS's form.
    async fn tidied(&self, call: &Call) -> Result<Answer, Refusal> {
        let answer = self.upstream.forward(call).await?;
        let mut value = answer.value();
        if value["Configuration"].is_object() {
            tidy(&mut value["Configuration"]);
            if let Some(url) = value["Code"]["Location"]
                .as_str()
                .and_then(|url| url.parse().ok())
            {
                let url: Uri = url;
                let signed = url.to_string().replace(CODE.1, &self.key.word(url.path()));
                value["Code"]["Location"] = json!(signed);
            }
            if value["Tags"] == json!({}) {
                remove(&mut value, "Tags");
            }
        } else {
            tidy(&mut value);
        }
        Ok(answer.with_value(&value))
    }
}

/// Lambda accepts a role only if it can assume it.
async fn check_role(
    identities: &Identities,
    scope: &Scope,
    request: &Value,
) -> Result<(), Refusal> {
    let arn = request["Role"].as_str().unwrap_or_default();
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
    if account == scope.account && identities.lambda_assumes(scope, name).await? {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ))
}

fn check_environment(request: &Value) -> Result<(), Refusal> {
    let Value::Object(variables) = &request["Environment"]["Variables"] else {
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
    let names = variables.keys().map(String::as_str);
    let reserved: Vec<_> = names.filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(problem(format!(
            "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = json!(variables).to_string();
    if measured.len() > ENVIRONMENT_LIMIT {
        let quoted = format!("exceeded the 4KB limit. String measured: {measured}");
        return Err(problem(quoted));
    }
    Ok(())
}

fn invalid(path: &str) -> Refusal {
    Refusal::new(
        "ValidationException",
        format!("1 validation error detected: the value at '{path}' failed to satisfy constraint"),
    )
}

fn check_statement(request: &Value) -> Result<(), Refusal> {
    let text = |name: &str| request[name].as_str();
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

fn conflict(why: &str) -> Refusal {
    Refusal::new(
        "ResourceConflictException",
        format!("The operation cannot be performed at this time. {why}"),
    )
    .with_status(StatusCode::CONFLICT)
}

fn stale() -> Refusal {
    Refusal::new(
        "PreconditionFailedException",
        "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias/GetPolicy API to retrieve \
         the latest RevisionId for your resource.",
    )
    .with_status(StatusCode::PRECONDITION_FAILED)
}

/// The revision of a policy; it changes when the policy does.
fn revision(policy: &Value) -> String {
    let digest = Sha256::digest(policy.to_string());
    let hex = hex::encode(&digest[..16]);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Gives a configuration AWS's form: settings without a value are absent, and a function stays Active while it is updated.
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
