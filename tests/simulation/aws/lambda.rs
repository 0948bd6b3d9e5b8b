//! Lambda's functions: settings, versions, aliases, policies and tags, and the time that a change takes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ACCOUNT, Answer, Aws, Call, REGION, Refusal, Tags, refuse, texts};

/// The function itself, or a published version.
#[derive(Debug, Clone)]
pub struct Version {
    pub settings: Value,
    /// The role for which its environment was encrypted.
    pub role_id: Option<String>,
    /// The time from which it can be invoked.
    pub ready_ms: u64,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub latest: Version,
    /// The end of the current update.
    busy_ms: u64,
    pub versions: BTreeMap<u64, Version>,
    published: u64,
    pub aliases: BTreeMap<String, Value>,
    /// By alias or version; the function's own is under the empty text.
    pub policies: BTreeMap<String, Vec<Value>>,
    pub tags: Tags,
    concurrency: Value,
}

/// The fields that differ between a version and the function at that time.
const OF_VERSION: [&str; 5] = [
    "Version",
    "RevisionId",
    "FunctionArn",
    "State",
    "LastUpdateStatus",
];

impl Function {
    /// The version behind an alias or a number.
    pub fn at(&self, qualifier: Option<&str>) -> Option<&Version> {
        let qualifier = match qualifier {
            None | Some("" | "$LATEST") => return Some(&self.latest),
            Some(qualifier) => qualifier,
        };
        let alias = self.aliases.get(qualifier);
        let number = alias.map_or(Some(qualifier), |alias| alias["FunctionVersion"].as_str());
        match number? {
            "$LATEST" => Some(&self.latest),
            number => self.versions.get(&number.parse().ok()?),
        }
    }

    /// Whether Cognito may invoke it for this pool.
    pub fn lets_in(&self, qualifier: Option<&str>, pool: &str) -> bool {
        let policy = self.policies.get(qualifier.unwrap_or_default());
        policy.into_iter().flatten().any(|statement| {
            statement["Principal"]["Service"] == "cognito-idp.amazonaws.com"
                && statement["Effect"] == "Allow"
                && statement["Action"] == "lambda:InvokeFunction"
                && statement["Condition"]["ArnLike"]["AWS:SourceArn"] == *pool
        })
    }

    fn shown(&self, name: &str, qualifier: &str, now_ms: u64) -> Option<Value> {
        let version = self.at(Some(qualifier))?;
        let mut shown = version.settings.clone();
        shown["FunctionArn"] = json!(arn(name, qualifier));
        let pending = version.ready_ms > now_ms;
        shown["State"] = json!(if pending { "Pending" } else { "Active" });
        let busy = std::ptr::eq(version, &self.latest) && self.busy_ms > now_ms;
        if !pending {
            shown["LastUpdateStatus"] = json!(if busy { "InProgress" } else { "Successful" });
        }
        Some(shown)
    }

    /// Publishes the next version, unless nothing has changed since the last one.
    fn publish(&mut self, revision: Value) -> u64 {
        let plain = |version: &Version| {
            let mut settings = version.settings.clone();
            if let Some(members) = settings.as_object_mut() {
                members.retain(|name, _| !OF_VERSION.contains(&name.as_str()));
            }
            settings
        };
        let last = self.versions.get(&self.published);
        if last.is_some_and(|last| plain(last) == plain(&self.latest)) {
            return self.published;
        }
        self.published += 1;
        let mut version = self.latest.clone();
        version.settings["Version"] = json!(self.published.to_string());
        version.settings["RevisionId"] = revision;
        self.versions.insert(self.published, version);
        self.published
    }
}

fn arn(name: &str, qualifier: &str) -> String {
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}");
    match qualifier {
        "" | "$LATEST" => arn,
        qualifier => format!("{arn}:{qualifier}"),
    }
}

fn gone(what: &str) -> Refusal {
    refuse(
        404,
        "ResourceNotFoundException",
        format!("Function not found: {what}"),
    )
}

fn exists(what: &str) -> Refusal {
    refuse(
        409,
        "ResourceConflictException",
        format!("{what} already exist"),
    )
}

fn stale() -> Refusal {
    let message = "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId for your resource.";
    refuse(412, "PreconditionFailedException", message)
}

/// The fields of a function's configuration that a request can set.
const SETTINGS: [&str; 9] = [
    "Runtime",
    "Handler",
    "MemorySize",
    "Timeout",
    "Role",
    "Environment",
    "Description",
    "KMSKeyArn",
    "Layers",
];

fn configure(settings: &mut Value, request: &Value) {
    for member in SETTINGS {
        match request.get(member) {
            Some(empty)
                if *empty == json!("") && member != "Description" || *empty == json!([]) =>
            {
                if let Some(members) = settings.as_object_mut() {
                    members.remove(member);
                }
            }
            Some(value) => settings[member] = value.clone(),
            None => {}
        }
    }
}

fn digest(zip: &Value) -> Value {
    let zip = BASE64.decode(zip.as_str().unwrap_or_default());
    json!(BASE64.encode(Sha256::digest(zip.unwrap_or_default())))
}

impl Aws {
    pub(super) fn lambda(&mut self, call: &Call) -> Option<Answer> {
        Some(match call.action.as_str() {
            "CreateFunction" => self.create_function(&call.body),
            "GetAccountSettings" => Ok(json!({ "AccountLimit": { "ConcurrentExecutions": 1000 } })),
            "ListEventSourceMappings" => Ok(json!({ "EventSourceMappings": [] })),
            "TagResource" | "UntagResource" => {
                let name = call.field("Name").rsplit(':').next().unwrap_or_default();
                let Some(function) = self.functions.get_mut(name) else {
                    return Some(Err(gone(name)));
                };
                match call.action.as_str() {
                    "TagResource" => function.tags.extend(texts(&call.body["Tags"])),
                    _ => {
                        let keys: Vec<&str> = call.field("tagKeys").split(',').collect();
                        function.tags.retain(|key, _| !keys.contains(&key.as_str()));
                    }
                }
                Ok(json!({}))
            }
            "DeleteFunction" if call.field("Qualifier").is_empty() => {
                let name = call.field("Name");
                match self.functions.remove(name) {
                    Some(_) => Ok(json!({})),
                    None => Err(gone(name)),
                }
            }
            "UpdateFunctionConfiguration" => match self.assumable(&call.body["Role"]) {
                Ok(role) => self.of_function(call, Some(role)),
                Err(refusal) => return Some(Err(refusal)),
            }?,
            _ => self.of_function(call, None)?,
        })
    }

    /// The id of a role that Lambda can assume.
    fn assumable(&self, arn: &Value) -> Result<String, Refusal> {
        let name = arn.as_str().and_then(|arn| arn.rsplit('/').next());
        let role = self.roles.get(name.unwrap_or_default());
        let fits = role.filter(|role| role.trusts_lambda() && role.ready_ms <= self.now_ms);
        fits.map(|role| role.id.clone()).ok_or_else(|| {
            let message = "The role defined for the function cannot be assumed by Lambda.";
            refuse(400, "InvalidParameterValueException", message)
        })
    }

    fn create_function(&mut self, request: &Value) -> Answer {
        let name = request["FunctionName"].as_str().unwrap_or_default();
        if self.functions.contains_key(name) {
            return Err(exists(&format!("Function {name}")));
        }
        let role_id = self.assumable(&request["Role"])?;
        let mut settings = json!({
            "FunctionName": name, "Version": "$LATEST", "PackageType": "Zip", "RevisionId": self.revision(),
            "CodeSha256": digest(&request["Code"]["ZipFile"]), "Architectures": request["Architectures"],
            "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") },
        });
        configure(&mut settings, request);
        let mut function = Function {
            latest: Version {
                settings,
                role_id: Some(role_id),
                ready_ms: self.now_ms + self.pace.create,
            },
            busy_ms: 0,
            versions: BTreeMap::new(),
            published: 0,
            aliases: BTreeMap::new(),
            policies: BTreeMap::new(),
            tags: texts(&request["Tags"]),
            concurrency: Value::Null,
        };
        let mut shown = function.shown(name, "", self.now_ms).unwrap_or_default();
        if request["Publish"] == true {
            let version = function.publish(self.revision());
            shown["Version"] = json!(version.to_string());
        }
        self.functions.insert(name.to_owned(), function);
        Ok(shown)
    }

    /// The operations on one existing function. `role` is the id of the requested role.
    fn of_function(&mut self, call: &Call, role: Option<String>) -> Option<Answer> {
        let (name, qualifier) = (call.field("Name").to_owned(), call.field("Qualifier"));
        let now = self.now_ms;
        let revisions = [self.revision(), self.revision()];
        let answers = self.answers(&arn(&name, qualifier));
        let update = self.pace.update;
        let Some(function) = self.functions.get_mut(&name) else {
            return Some(Err(gone(&arn(&name, qualifier))));
        };
        let body = &call.body;
        let busy = function.busy_ms > now || function.latest.ready_ms > now;
        let changes = [
            "UpdateFunctionConfiguration",
            "UpdateFunctionCode",
            "PublishVersion",
        ];
        if busy && changes.contains(&call.action.as_str()) {
            let message = format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn(&name, "")
            );
            return Some(Err(refuse(409, "ResourceConflictException", message)));
        }
        let answer = match call.action.as_str() {
            "GetFunction" => {
                let Some(shown) = function.shown(&name, qualifier, now) else {
                    return Some(Err(gone(&arn(&name, qualifier))));
                };
                let mut answer = json!({ "Configuration": shown, "Code": {} });
                if !function.tags.is_empty() {
                    answer["Tags"] = json!(function.tags);
                }
                if !function.concurrency.is_null() {
                    answer["Concurrency"] = function.concurrency.clone();
                }
                answer
            }
            "UpdateFunctionConfiguration" => {
                let latest = &mut function.latest;
                if latest.settings["Role"] != body["Role"] && !body["Role"].is_null() {
                    latest.role_id = role;
                }
                configure(&mut latest.settings, body);
                latest.settings["RevisionId"] = revisions[0].clone();
                function.busy_ms = now + update;
                function.shown(&name, "", now).unwrap_or_default()
            }
            "UpdateFunctionCode" => {
                let settings = &mut function.latest.settings;
                settings["CodeSha256"] = digest(&body["ZipFile"]);
                settings["Architectures"] = body["Architectures"].clone();
                settings["RevisionId"] = revisions[0].clone();
                function.busy_ms = now + update;
                function.shown(&name, "", now).unwrap_or_default()
            }
            "PublishVersion" => {
                let settings = &function.latest.settings;
                let differs =
                    |member: &str| !body[member].is_null() && body[member] != settings[member];
                if differs("CodeSha256") {
                    let message = "CodeSHA256 is different from current CodeSHA256 in $LATEST.";
                    return Some(Err(refuse(400, "InvalidParameterValueException", message)));
                }
                if differs("RevisionId") {
                    return Some(Err(stale()));
                }
                let number = function.publish(revisions[0].clone()).to_string();
                function.shown(&name, &number, now).unwrap_or_default()
            }
            "ListVersionsByFunction" => {
                let numbers = function.versions.keys().map(u64::to_string);
                let all = std::iter::once("$LATEST".to_owned()).chain(numbers);
                let shown = all.filter_map(|number| function.shown(&name, &number, now));
                json!({ "Versions": shown.collect::<Vec<_>>() })
            }
            "DeleteFunction" => {
                let led = function
                    .aliases
                    .values()
                    .any(|alias| alias["FunctionVersion"] == qualifier);
                if led {
                    let message = "Version is used by an alias.";
                    return Some(Err(refuse(409, "ResourceConflictException", message)));
                }
                let number = qualifier.parse().unwrap_or_default();
                if function.versions.remove(&number).is_none() {
                    return Some(Err(gone(&arn(&name, qualifier))));
                }
                json!({})
            }
            "CreateAlias" => {
                let alias = body["Name"].as_str().unwrap_or_default();
                if function.aliases.contains_key(alias) {
                    return Some(Err(exists(&format!("Alias {alias}"))));
                }
                if function.at(body["FunctionVersion"].as_str()).is_none() {
                    return Some(Err(gone(&name)));
                }
                let made = json!({
                    "Name": alias, "FunctionVersion": body["FunctionVersion"], "RevisionId": revisions[0],
                    "Description": body["Description"].as_str().unwrap_or_default(), "AliasArn": arn(&name, alias),
                });
                function.aliases.insert(alias.to_owned(), made.clone());
                made
            }
            "ListAliases" => json!({ "Aliases": function.aliases.values().collect::<Vec<_>>() }),
            "GetAlias" => match function.aliases.get(call.field("Second")) {
                Some(alias) => alias.clone(),
                None => return Some(Err(gone(&arn(&name, call.field("Second"))))),
            },
            "UpdateAlias" => {
                let version = body["FunctionVersion"].as_str();
                if version.is_some() && function.at(version).is_none() {
                    return Some(Err(gone(&name)));
                }
                let Some(alias) = function.aliases.get_mut(call.field("Second")) else {
                    return Some(Err(gone(&arn(&name, call.field("Second")))));
                };
                if !body["RevisionId"].is_null() && body["RevisionId"] != alias["RevisionId"] {
                    return Some(Err(stale()));
                }
                for member in ["FunctionVersion", "Description"] {
                    if let Some(value) = body.get(member) {
                        alias[member] = value.clone();
                    }
                }
                alias["RevisionId"] = revisions[0].clone();
                alias.clone()
            }
            "AddPermission" | "GetPolicy" | "RemovePermission" => {
                return Some(function.policy(call, &name, revisions));
            }
            "PutFunctionConcurrency" => {
                function.concurrency = body.clone();
                body.clone()
            }
            "DeleteFunctionConcurrency" => {
                function.concurrency = Value::Null;
                json!({})
            }
            "Invoke" => match answers {
                Err(why) => {
                    json!({ "errorType": "DirectoryUnavailable", "errorMessage": why })
                }
                _ => body.clone(),
            },
            "ListFunctionUrlConfigs" => json!({ "FunctionUrlConfigs": [] }),
            "ListFunctionEventInvokeConfigs" => json!({ "FunctionEventInvokeConfigs": [] }),
            "GetFunctionCodeSigningConfig" => {
                json!({ "CodeSigningConfigArn": "", "FunctionName": name })
            }
            "GetRuntimeManagementConfig" => {
                json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": arn(&name, "") })
            }
            _ => return None,
        };
        Some(Ok(answer))
    }
}

impl Function {
    fn policy(&mut self, call: &Call, name: &str, [revision, of_policy]: [Value; 2]) -> Answer {
        let (qualifier, body) = (call.field("Qualifier"), &call.body);
        if self.at(Some(qualifier)).is_none() {
            return Err(gone(&arn(name, qualifier)));
        }
        let no_policy = || {
            refuse(
                404,
                "ResourceNotFoundException",
                "The resource you requested does not exist.",
            )
        };
        let statements = self.policies.entry(qualifier.to_owned()).or_default();
        let answer = match call.action.as_str() {
            "GetPolicy" if statements.is_empty() => return Err(no_policy()),
            "GetPolicy" => {
                let policy =
                    json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
                return Ok(json!({ "Policy": policy.to_string(), "RevisionId": of_policy }));
            }
            "AddPermission" => {
                if statements
                    .iter()
                    .any(|statement| statement["Sid"] == body["StatementId"])
                {
                    return Err(refuse(
                        409,
                        "ResourceConflictException",
                        "The statement id provided already exists.",
                    ));
                }
                let resource = match qualifier {
                    "" => arn(name, ""),
                    qualifier => arn(name, qualifier),
                };
                let statement = json!({
                    "Sid": body["StatementId"], "Effect": "Allow", "Action": body["Action"], "Resource": resource,
                    "Principal": { "Service": body["Principal"] },
                    "Condition": {
                        "StringEquals": { "AWS:SourceAccount": body["SourceAccount"] },
                        "ArnLike": { "AWS:SourceArn": body["SourceArn"] },
                    },
                });
                statements.push(statement.clone());
                json!({ "Statement": statement.to_string() })
            }
            _ => {
                let before = statements.len();
                statements.retain(|statement| statement["Sid"] != call.field("Second"));
                if statements.len() == before {
                    return Err(no_policy());
                }
                json!({})
            }
        };
        // The policy belongs to the alias, so the alias's revision changes too.
        if let Some(alias) = self.aliases.get_mut(qualifier) {
            alias["RevisionId"] = revision;
        }
        Ok(answer)
    }
}
