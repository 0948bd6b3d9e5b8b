//! A request as AWS reads it: service, operation and parameters.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Answer, Refusal};

#[derive(Debug, Clone)]
pub struct Call {
    pub service: &'static str,
    pub action: String,
    /// The parameters of the path, the query and the form.
    pub fields: BTreeMap<String, String>,
    pub body: Value,
}

/// The prefixes of `x-amz-target` that name the service.
const TARGETS: [(&str, &str); 6] = [
    ("AWSWAF_20190729", "wafv2"),
    ("AWSCognitoIdentityProviderService", "cognito-idp"),
    ("Logs_20140328", "logs"),
    ("GraniteServiceVersion20100801", "monitoring"),
    ("AmazonSSM", "ssm"),
    ("secretsmanager", "secretsmanager"),
];

/// Lambda's operations: the method, the path after the date, and the name.
const LAMBDA: [(&str, &str, &str); 30] = [
    ("POST", "functions", "CreateFunction"),
    ("GET", "functions/*", "GetFunction"),
    ("DELETE", "functions/*", "DeleteFunction"),
    (
        "PUT",
        "functions/*/configuration",
        "UpdateFunctionConfiguration",
    ),
    ("PUT", "functions/*/code", "UpdateFunctionCode"),
    ("POST", "functions/*/versions", "PublishVersion"),
    ("GET", "functions/*/versions", "ListVersionsByFunction"),
    ("POST", "functions/*/aliases", "CreateAlias"),
    ("GET", "functions/*/aliases", "ListAliases"),
    ("GET", "functions/*/aliases/*", "GetAlias"),
    ("PUT", "functions/*/aliases/*", "UpdateAlias"),
    ("POST", "functions/*/policy", "AddPermission"),
    ("GET", "functions/*/policy", "GetPolicy"),
    ("DELETE", "functions/*/policy/*", "RemovePermission"),
    ("POST", "functions/*/invocations", "Invoke"),
    ("PUT", "functions/*/concurrency", "PutFunctionConcurrency"),
    (
        "DELETE",
        "functions/*/concurrency",
        "DeleteFunctionConcurrency",
    ),
    ("GET", "functions/*/urls", "ListFunctionUrlConfigs"),
    (
        "GET",
        "functions/*/event-invoke-config/list",
        "ListFunctionEventInvokeConfigs",
    ),
    (
        "GET",
        "functions/*/code-signing-config",
        "GetFunctionCodeSigningConfig",
    ),
    (
        "GET",
        "functions/*/runtime-management-config",
        "GetRuntimeManagementConfig",
    ),
    ("GET", "account-settings", "GetAccountSettings"),
    ("GET", "event-source-mappings", "ListEventSourceMappings"),
    ("POST", "tags/*", "TagResource"),
    ("DELETE", "tags/*", "UntagResource"),
    // Some of these paths end in a slash.
    ("GET", "account-settings/", "GetAccountSettings"),
    ("GET", "event-source-mappings/", "ListEventSourceMappings"),
    ("POST", "functions/", "CreateFunction"),
    ("GET", "functions/", "ListFunctions"),
    ("GET", "functions", "ListFunctions"),
];

impl Call {
    /// Reads a request.
    pub fn read(method: &str, uri: &str, target: Option<&str>, body: &[u8]) -> Self {
        let json = || serde_json::from_slice(body).unwrap_or_default();
        if let Some((target, action)) = target.and_then(|target| target.split_once('.')) {
            let service = TARGETS.iter().find(|(prefix, _)| *prefix == target);
            return Self {
                service: service.map_or("unknown", |(_, service)| service),
                action: action.to_owned(),
                fields: BTreeMap::new(),
                body: json(),
            };
        }
        let (_, path) = uri.split_once("://").unwrap_or(("", uri));
        let (_, path) = path.split_once('/').unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path.is_empty() {
            let fields = pairs(&String::from_utf8_lossy(body));
            return Self {
                service: "iam",
                action: fields.get("Action").cloned().unwrap_or_default(),
                fields,
                body: Value::Null,
            };
        }
        let (_, path) = path.split_once('/').unwrap_or_default();
        let mut fields = pairs(query);
        let found = LAMBDA.iter().find_map(|(verb, pattern, action)| {
            let (pattern, path): (Vec<_>, Vec<_>) =
                (pattern.split('/').collect(), path.split('/').collect());
            let fits = pattern.len() == path.len()
                && std::iter::zip(&pattern, &path).all(|(one, other)| *one == "*" || one == other);
            let named = std::iter::zip(&pattern, path.iter().copied());
            let named = named.filter(|(part, _)| **part == "*");
            (*verb == method && fits)
                .then(|| (*action, named.map(|(_, it)| it).collect::<Vec<_>>()))
        });
        let (action, named) = found.unwrap_or(("unknown", vec![path]));
        for (key, value) in ["Name", "Second"].into_iter().zip(named) {
            fields.insert(key.to_owned(), decoded(value));
        }
        // A qualifier may follow the name.
        let whole = fields.get("Name").cloned().unwrap_or_default();
        if let Some((name, qualifier)) = whole.split_once(':')
            && name != "arn"
        {
            fields.insert("Name".to_owned(), name.to_owned());
            fields.insert("Qualifier".to_owned(), qualifier.to_owned());
        }
        Self {
            service: "lambda",
            action: action.to_owned(),
            fields,
            body: json(),
        }
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// A string of the body.
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// Whether the call changes nothing.
    pub fn reads(&self) -> bool {
        ["Describe", "Filter", "Get", "Invoke", "List", "StartQuery"]
            .iter()
            .any(|verb| self.action.starts_with(verb))
    }

    /// The status, the error code and the body of the response.
    pub fn written(&self, answer: Answer) -> (u16, Option<&'static str>, String) {
        let xml = self.service == "iam";
        match answer {
            Ok(Value::String(text)) if xml => {
                let action = &self.action;
                let text = format!(
                    "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{text}</{action}Result></{action}Response>"
                );
                (200, None, text)
            }
            Ok(document) => (200, None, document.to_string()),
            Err(Refusal {
                status,
                code,
                message,
            }) => {
                let text = match xml {
                    true => format!(
                        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                    ),
                    false => serde_json::json!({ "__type": code, "message": message }).to_string(),
                };
                (status, Some(code), text)
            }
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.action)?;
        for name in ["Name", "Qualifier", "Second", "RoleName"] {
            if let Some(value) = self.fields.get(name) {
                write!(f, " {value}")?;
            }
        }
        match self.text("ClientId") {
            "" => Ok(()),
            client => write!(f, " {client}"),
        }
    }
}

/// A parameter that is given several times becomes a list.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        let field = fields.entry(decoded(key)).or_default();
        if !field.is_empty() {
            field.push(',');
        }
        field.push_str(&decoded(value));
    }
    fields
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}
