//! Calls triggers: the function's resource policy and the attempts. For the UserMigration trigger also the event, and Cognito's
//! requirements for the response. The events of the other triggers are in `new_users`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::lambda::Functions;
use super::policy::{self, Attempt};
use super::pool::Pool;
use crate::wire::{Answer, Refusal, Scope, Upstream};

/// "You can't change this five-second timeout value."
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 3;

/// One invocation of the trigger, for one user.
pub(crate) struct Question<'a> {
    pub source: Source<'a>,
    pub client: &'a str,
    /// Exactly what was typed.
    pub username: &'a str,
    pub metadata: Option<&'a Value>,
}

pub(crate) enum Source<'a> {
    Authentication { password: &'a str },
    ForgotPassword,
}

/// The user in the trigger's response, checked.
#[derive(Debug)]
pub(crate) struct Migrated {
    pub username: String,
    pub attributes: BTreeMap<String, String>,
    pub confirmed: bool,
    pub force_alias: bool,
}

impl Question<'_> {
    pub fn source(&self) -> &'static str {
        match self.source {
            Source::Authentication { .. } => "UserMigration_Authentication",
            Source::ForgotPassword => "UserMigration_ForgotPassword",
        }
    }

    fn event(&self, pool: &Pool) -> Value {
        let request = match self.source {
            Source::Authentication { password } => {
                json!({"password": password, "validationData": self.metadata, "userAttributes": null})
            }
            Source::ForgotPassword => {
                json!({"clientMetadata": self.metadata, "userAttributes": null})
            }
        };
        json!({
            "version": "1",
            "triggerSource": self.source(),
            "region": pool.scope.region,
            "userPoolId": pool.id,
            "userName": self.username,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client},
            "request": request,
            "response": {
                "userAttributes": null,
                "forceAliasCreation": null,
                "enableSMSMFA": null,
                "finalUserStatus": null,
                "messageAction": null,
                "desiredDeliveryMediums": null,
            },
        })
    }

    /// The error of a migration that failed for a reason that Cognito does not show.
    pub fn failed(&self) -> Refusal {
        Refusal::new(
            "UserNotFoundException",
            format!("Exception migrating user in app client {}", self.client),
        )
    }
}

/// Invokes the function at `arn` for the user of `question`.
pub(crate) async fn ask(
    (upstream, functions): (&Upstream, &Functions),
    pool: &Pool,
    arn: &str,
    question: &Question<'_>,
) -> Result<Option<Migrated>, Refusal> {
    if !may_invoke(upstream, pool, arn).await {
        return Err(question.failed());
    }
    let event = question.event(pool);
    let returned = invoke(functions, arn, "UserMigration", &event).await?;
    let response = &returned["response"];
    let members = response.as_object().ok_or_else(unrecognizable)?;
    let nothing = |value: &Value| value.is_null() || *value == json!({}) || *value == false;
    if members.values().all(nothing) {
        return Ok(None);
    }
    let emulated = pool.emulated(upstream).await?;
    let schema = emulated["SchemaAttributes"].as_array();
    let schema = schema.map(Vec::as_slice).unwrap_or_default();
    check(pool, question, response, schema).map(Some)
}

/// Invokes the function at `arn` as the trigger with this name; returns its response.
pub(crate) async fn call(
    (upstream, functions): (&Upstream, &Functions),
    pool: &Pool,
    arn: &str,
    name: &str,
    event: &Value,
) -> Result<Value, Refusal> {
    if !may_invoke(upstream, pool, arn).await {
        return Err(unexpected(name, "AccessDeniedException"));
    }
    let returned = invoke(functions, arn, name, event).await?;
    match returned["response"].is_object() {
        true => Ok(returned),
        false => Err(unrecognizable()),
    }
}

/// Whether the function's resource policy lets Cognito invoke it for this pool.
async fn may_invoke(upstream: &Upstream, pool: &Pool, arn: &str) -> bool {
    let mut parts = arn.split(':').skip(6);
    let name = parts.next().unwrap_or_default();
    let mut path = format!("/2015-03-31/functions/{name}/policy");
    if let Some(qualifier) = parts.next() {
        path = format!("{path}?Qualifier={qualifier}");
    }
    // Cognito treats a missing function or policy like a missing permission.
    let Ok(answer) = upstream.lambda(&function_scope(arn), &path).await else {
        return false;
    };
    let document = answer["Policy"].as_str().unwrap_or_default();
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    policy::allows(
        &document,
        &Attempt {
            service: "cognito-idp.amazonaws.com",
            action: "lambda:InvokeFunction",
            resource: Some(arn),
            context: &[
                ("aws:SourceArn", &pool.arn()),
                ("aws:SourceAccount", &pool.scope.account),
            ],
        },
    )
}

fn unexpected(name: &str, reason: &str) -> Refusal {
    Refusal::new(
        "UnexpectedLambdaException",
        format!("{name} invocation failed due to error {reason}."),
    )
}

async fn invoke(
    functions: &Functions,
    arn: &str,
    name: &str,
    event: &Value,
) -> Result<Value, Refusal> {
    let scope = &function_scope(arn);
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        match timeout(ATTEMPT_LIMIT, functions.invoke(scope, arn, event)).await {
            Err(_) => reason = "Socket timeout while invoking Lambda function".to_owned(),
            Ok(Err(refusal)) if refusal.code == "KMSAccessDeniedException" => {
                return Err(unexpected(name, &refusal.code));
            }
            Ok(Err(refusal)) => reason = refusal.message,
            Ok(Ok(answer)) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                reason = "TooManyRequestsException".to_owned();
            }
            Ok(Ok(answer)) if !answer.status.is_success() => {
                return Err(unexpected(name, &answer.error().unwrap_or_default()));
            }
            Ok(Ok(answer)) => return returned(&answer, name),
        }
    }
    Err(unexpected(name, &reason))
}

fn returned(answer: &Answer, name: &str) -> Result<Value, Refusal> {
    let body = answer.value();
    if !answer.headers.contains_key("x-amz-function-error") {
        return Some(body)
            .filter(Value::is_object)
            .ok_or_else(unrecognizable);
    }
    let message = body["errorMessage"].as_str().unwrap_or("null");
    // An error that the function threw goes to the app; a failure of the platform (timeout, exit) is unexpected.
    let kind = body["errorType"].as_str().unwrap_or_default();
    let code = if kind.starts_with("Sandbox.") || kind.starts_with("Runtime.") {
        "UnexpectedLambdaException"
    } else {
        "UserLambdaValidationException"
    };
    Err(Refusal::new(
        code,
        format!("{name} failed with error {message}."),
    ))
}

pub(crate) fn unrecognizable() -> Refusal {
    Refusal::new(
        "InvalidLambdaResponseException",
        "Unrecognizable lambda output",
    )
}

/// Checks the `response` that the function returned against the pool.
fn check(
    pool: &Pool,
    question: &Question,
    response: &Value,
    schema: &[Value],
) -> Result<Migrated, Refusal> {
    let refused = |message: String| Refusal::new("UserNotFoundException", message);
    let mut attributes = BTreeMap::new();
    for (name, value) in response["userAttributes"].as_object().into_iter().flatten() {
        let value = value.as_str().ok_or_else(unrecognizable)?;
        attributes.insert(name.clone(), value.to_owned());
    }
    if attributes.is_empty() {
        return Err(question.failed());
    }
    let username = username(pool, question.username, attributes.remove("username"))?;
    if let Some(attribute) = pool.identity("UsernameAttributes").first() {
        // The typed name is the value of that attribute, unless the function returns another.
        let phone = username.starts_with('+')
            && pool
                .identity("UsernameAttributes")
                .contains(&"phone_number");
        let attribute = if phone { "phone_number" } else { attribute };
        let given = attributes
            .entry(attribute.to_owned())
            .or_insert_with(|| username.clone());
        // Whether this is case-sensitive is not documented; here it is.
        if *given != username {
            let name = attribute.trim_end_matches("_number");
            return Err(Refusal::invalid(format!(
                "User {name} should be empty or same as username, since username attribute is {name}."
            )));
        }
    }
    check_attributes(&attributes, schema).map_err(|problem| {
        refused(format!(
            "Attributes did not conform to the schema: {problem}"
        ))
    })?;

    let status = &response["finalUserStatus"];
    let confirmed = match status.as_str() {
        Some("CONFIRMED") => true,
        None if status.is_null() => false,
        // The guide also lists RESET_REQUIRED; according to others it is rejected like any other value.
        _ => {
            return Err(refused(
                "Error during migration: Invalid finalUserStatus".to_owned(),
            ));
        }
    };
    if response["enableSMSMFA"] == true
        && (pool.settings["MfaConfiguration"] == "OFF" || !attributes.contains_key("phone_number"))
    {
        return Err(question.failed());
    }
    let mediums = match &response["desiredDeliveryMediums"] {
        Value::Null => &[],
        Value::Array(mediums) => mediums.as_slice(),
        _ => return Err(unrecognizable()),
    };
    if !mediums
        .iter()
        .all(|medium| medium == "SMS" || medium == "EMAIL")
    {
        return Err(unrecognizable());
    }
    Ok(Migrated {
        username,
        attributes,
        confirmed,
        force_alias: response["forceAliasCreation"] == true,
    })
}

fn username(pool: &Pool, typed: &str, given: Option<String>) -> Result<String, Refusal> {
    let aliases = pool.identity("AliasAttributes");
    let (email, phone) = (is_email(typed), is_phone(typed));
    let is_alias = (email && aliases.contains(&"email"))
        || (phone && aliases.contains(&"phone_number"))
        || aliases.contains(&"preferred_username");
    // "You can return a username parameter only if the submitted user name matches an alias attribute."
    let username = match given {
        Some(given) if is_alias => given,
        Some(_) => {
            return Err(Refusal::new(
                "UserNotFoundException",
                "Attributes did not conform to the schema: username: Attribute does not exist in the schema.",
            ));
        }
        None => typed.to_owned(),
    };
    let format = |what: &str, alias: &str| {
        Refusal::invalid(format!(
            "Username cannot be of {what} format, since user pool is configured for {alias} alias."
        ))
    };
    let names = pool.identity("UsernameAttributes");
    let fits = names.is_empty()
        || (names.contains(&"email") && is_email(&username))
        || (names.contains(&"phone_number") && is_phone(&username));
    if !fits {
        return Err(Refusal::invalid(match names[..] {
            ["email"] => "Username should be an email.",
            ["phone_number"] => "Username should be a phone number.",
            _ => "Username should be either an email or a phone number.",
        }));
    }
    if is_email(&username) && aliases.contains(&"email") {
        return Err(format("email", "email"));
    }
    if is_phone(&username) && aliases.contains(&"phone_number") {
        return Err(format("phone number", "phone number"));
    }
    Ok(username)
}

fn check_attributes(attributes: &BTreeMap<String, String>, schema: &[Value]) -> Result<(), String> {
    for (name, value) in attributes {
        if name == "sub" {
            return Err("sub: The attribute cannot be written.".to_owned());
        }
        let Some(attribute) = schema.iter().find(|attribute| attribute["Name"] == **name) else {
            return Err(format!("{name}: Attribute does not exist in the schema."));
        };
        let limit = |group: &str, member: &str| {
            let limit = &attribute[group][member];
            limit
                .as_str()
                .and_then(|text| text.parse().ok())
                .or(limit.as_f64())
        };
        let fits = |size: f64, group: &str, least: &str, most: &str| {
            limit(group, least).is_none_or(|least| size >= least)
                && limit(group, most).is_none_or(|most| size <= most)
        };
        let good = match attribute["AttributeDataType"].as_str() {
            Some("Number") => value.parse().is_ok_and(|number| {
                fits(number, "NumberAttributeConstraints", "MinValue", "MaxValue")
            }),
            Some("Boolean") => value == "true" || value == "false",
            _ => fits(
                value.chars().count() as f64,
                "StringAttributeConstraints",
                "MinLength",
                "MaxLength",
            ),
        };
        if !good {
            return Err(format!("{name}: The attribute value is not valid."));
        }
        if name == "phone_number" && !is_phone(value) {
            return Err("Invalid phone number format.".to_owned());
        }
        if name == "email" && !is_email(value) {
            return Err("Invalid email address format.".to_owned());
        }
    }
    let required = schema
        .iter()
        .filter(|attribute| attribute["Required"] == true);
    for name in required.filter_map(|attribute| attribute["Name"].as_str()) {
        if name != "sub" && !attributes.contains_key(name) {
            return Err(format!("{name}: The attribute {name} is required"));
        }
    }
    Ok(())
}

pub(crate) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.contains('@') && !text.contains(' ')
    })
}

/// E.164.
pub(crate) fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// The function's own account and region.
fn function_scope(arn: &str) -> Scope {
    let mut parts = arn.split(':').skip(3);
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let region = part();
    Scope {
        account: part(),
        region,
    }
}
