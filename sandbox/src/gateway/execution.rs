//! The permissions of a function. The emulator gets the role from each call of a function; here the call is translated into the
//! actions and resources that IAM would evaluate, and the emulator's evaluator judges the role's policies with them. Covers what
//! a sign-in may need: secrets and parameters with their keys, other roles, other user pools, a queue or bus for notifications.
//! Other kinds of call pass.

use serde_json::{Value, json};

use crate::wire::{Call, Refusal, Scope, Upstream, header};

/// One permission that a call needs.
struct Needed {
    action: String,
    resource: String,
    context: Value,
}

impl Needed {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            context: json!({}),
        }
    }

    /// A service decrypts something on behalf of the caller.
    fn decrypt(scope: &Scope, service: &str, key: &str) -> Self {
        let Scope { account, region } = scope;
        let key = match key.starts_with("arn:") {
            true => key.to_owned(),
            false => format!("arn:aws:kms:{region}:{account}:key/{key}"),
        };
        Self {
            context: json!({ "kms:viaservice": format!("{service}.{region}.amazonaws.com") }),
            ..Self::new("kms:Decrypt", key)
        }
    }
}

/// Rejects what the role of a function does not allow. A call that does not come from a function passes.
pub(crate) async fn check(upstream: &Upstream, call: &Call) -> Result<(), Refusal> {
    let token = header(&call.headers, "x-amz-security-token").unwrap_or_default();
    let Some((_, role)) = token
        .strip_prefix("role=")
        .and_then(|arn| arn.rsplit_once('/'))
    else {
        return Ok(());
    };
    let Scope { account, region } = &call.scope;
    for needed in needed(upstream, call).await? {
        let Needed {
            action,
            resource,
            context,
        } = &needed;
        let question = json!({ "may": [account, role, region, action, resource, context] });
        if upstream.roles(&question).await? != true {
            return Err(Refusal::new(
                "AccessDeniedException",
                format!(
                    "User: arn:aws:sts::{account}:assumed-role/{role}/function is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
                ),
            ));
        }
    }
    Ok(())
}

async fn needed(upstream: &Upstream, call: &Call) -> Result<Vec<Needed>, Refusal> {
    let Scope { account, region } = &call.scope;
    let request = match call.service.as_str() {
        "sts" => Value::Null,
        _ => call.request()?,
    };
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let action = format!("{}:{}", call.service, call.action);
    Ok(match action.as_str() {
        "secretsmanager:GetSecretValue" => {
            let id = json!({ "SecretId": text("SecretId") });
            let target = "secretsmanager.DescribeSecret";
            let secret = upstream.json(&call.scope, &call.service, target, &id).await;
            // A missing secret is rejected by its name, like a name that the role may not read.
            let secret = secret.unwrap_or_else(|_| {
                let name = text("SecretId");
                json!({ "ARN": format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????") })
            });
            let arn = match text("SecretId").starts_with("arn:") {
                true => text("SecretId"),
                false => secret["ARN"].as_str().unwrap_or_default(),
            };
            let mut needed = vec![Needed::new(action, arn)];
            needed.extend(key(&secret["KmsKeyId"], &call.scope, &call.service));
            needed
        }
        "ssm:GetParameter" => {
            let name = text("Name").trim_start_matches('/');
            let arn = format!("arn:aws:ssm:{region}:{account}:parameter/{name}");
            let filter = json!({ "ParameterFilters": [{ "Key": "Name", "Option": "Equals", "Values": [text("Name")] }] });
            let target = "AmazonSSM.DescribeParameters";
            let found = upstream
                .json(&call.scope, &call.service, target, &filter)
                .await;
            let found = found.unwrap_or_default();
            let parameter = found["Parameters"].as_array().into_iter().flatten();
            let mut named = parameter.filter(|parameter| parameter["Name"] == text("Name"));
            let named = named.next().cloned().unwrap_or_default();
            let mut needed = vec![Needed::new(action, arn)];
            needed.extend(key(&named["KeyId"], &call.scope, &call.service));
            needed
        }
        "sts:AssumeRole" => vec![Needed::new(
            action,
            call.parameter("RoleArn").unwrap_or_default(),
        )],
        "sqs:SendMessage" => {
            let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default();
            vec![Needed::new(
                action,
                format!("arn:aws:sqs:{region}:{account}:{queue}"),
            )]
        }
        "events:PutEvents" => {
            let entries = request["Entries"].as_array().into_iter().flatten();
            let buses = entries.map(|entry| entry["EventBusName"].as_str().unwrap_or("default"));
            let arn = |bus: &str| match bus.starts_with("arn:") {
                true => bus.to_owned(),
                false => format!("arn:aws:events:{region}:{account}:event-bus/{bus}"),
            };
            buses.map(|bus| Needed::new(&*action, arn(bus))).collect()
        }
        _ if call.service == "cognito-idp" && !text("UserPoolId").is_empty() => {
            let pool = text("UserPoolId");
            let arn = format!("arn:aws:cognito-idp:{region}:{account}:userpool/{pool}");
            vec![Needed::new(action, arn)]
        }
        _ => Vec::new(),
    })
}

/// The permission to decrypt with a customer managed key; AWS's own keys need none.
fn key(key: &Value, scope: &Scope, service: &str) -> Option<Needed> {
    let key = key.as_str().filter(|key| !key.starts_with("alias/"))?;
    Some(Needed::decrypt(scope, service, key))
}
