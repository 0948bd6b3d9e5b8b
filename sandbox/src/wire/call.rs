//! One request to AWS, parsed as far as a server in front of it needs: service, action, account.

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::http::header;

/// The account and Region of a request without a signature, until its pool is known.
const NO_ACCOUNT: &str = "000000000000";
const NO_REGION: &str = "us-east-1";
pub(super) const COGNITO_TARGET: &str = "AWSCognitoIdentityProviderService.";

/// Whether signatures and permissions of callers are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callers {
    /// Nothing is checked.
    #[default]
    Trusted,
    /// Signatures and IAM policies are checked. An access key of twelve digits is its account's root and needs neither.
    Checked,
}

/// The account and Region of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub account: String,
    pub region: String,
}

/// A request to AWS.
#[derive(Clone)]
pub struct Call {
    pub(crate) method: Method,
    /// Its path and query.
    pub uri: Uri,
    pub(crate) headers: HeaderMap,
    /// Its complete body.
    pub body: Bytes,
    /// The service, by its signing name.
    pub service: String,
    /// The API's name of the call, such as `UpdateUserPool`.
    pub action: String,
    pub(crate) scope: Scope,
    /// Whether it contains an access key; nothing was checked yet.
    pub(crate) signed: bool,
    /// Whether the account comes from the credentials: a key of twelve digits is an account of its own.
    pub(crate) account_known: bool,
    /// One of Cognito's public calls: the account is its pool's.
    pub(crate) unsigned: bool,
    /// Signed with a key whose permissions are checked.
    pub(crate) checked: bool,
}

/// Cognito's public calls. They need no signature and ignore one.
const UNSIGNED: [&str; 18] = [
    "AssociateSoftwareToken",
    "ChangePassword",
    "ConfirmForgotPassword",
    "ConfirmSignUp",
    "DeleteUser",
    "ForgotPassword",
    "GetTokensFromRefreshToken",
    "GetUser",
    "GlobalSignOut",
    "InitiateAuth",
    "ResendConfirmationCode",
    "RespondToAuthChallenge",
    "RevokeToken",
    "SetUserMFAPreference",
    "SignUp",
    "UpdateAuthEventFeedback",
    "UpdateUserAttributes",
    "VerifySoftwareToken",
];

impl Call {
    /// Parses a request.
    pub fn read(request: Parts, body: Bytes) -> Self {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = request;
        let credential = Credential::of(&headers);
        let target = header(&headers, "x-amz-target").unwrap_or_default();
        let cognito = target.strip_prefix(COGNITO_TARGET);
        let service = match (cognito, &credential) {
            (Some(_), _) => "cognito-idp".to_owned(),
            (None, Some(credential)) => credential.service.clone(),
            (None, None) => String::new(),
        };
        let action = match service.as_str() {
            "lambda" => lambda_action(&method, uri.path()).to_owned(),
            "iam" | "sts" | "ec2" => parameter(&body, "Action").unwrap_or_default(),
            _ => target.rsplit('.').next().unwrap_or_default().to_owned(),
        };
        let account = credential.as_ref().and_then(Credential::account);
        Self {
            checked: false,
            account_known: account.is_some(),
            signed: credential.is_some(),
            unsigned: service == "cognito-idp" && UNSIGNED.contains(&action.as_str()),
            scope: Scope {
                account: account.unwrap_or_else(|| NO_ACCOUNT.to_owned()),
                region: credential
                    .map_or_else(|| NO_REGION.to_owned(), |credential| credential.region),
            },
            method,
            uri,
            headers,
            body,
            service,
            action,
        }
    }

    /// The fields of its header.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Sets the account of a call that is signed with the key of an IAM user.
    pub(crate) fn resolve_key(&mut self, account: impl Fn(&str) -> Option<String>) {
        if self.unsigned || self.account_known {
            return;
        }
        let Some(credential) = Credential::of(&self.headers) else {
            return;
        };
        self.checked = true;
        if let Some(account) = account(&credential.key) {
            self.scope.account = account;
            self.account_known = true;
        }
    }

    /// The body as a JSON object; an empty one if there is no body.
    pub(crate) fn request(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        let object = serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object);
        object.ok_or_else(|| {
            Refusal::new(
                "SerializationException",
                "Start of structure or map found where not expected.",
            )
        })
    }

    /// The parameters of a form body.
    pub(crate) fn form(&self) -> impl Iterator<Item = (String, String)> {
        form(&self.body)
    }

    /// A parameter of a form body.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }

    /// A parameter of the query string.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        parameter(self.uri.query().unwrap_or_default().as_bytes(), name)
    }

    /// The path segment that follows the segment `before`.
    pub(crate) fn path_after(&self, before: &str) -> Option<&str> {
        let mut parts = self.uri.path().split('/');
        parts.find(|part| *part == before)?;
        parts.next()
    }

    /// The function in the path of a Lambda request: name or ARN, and the qualifier.
    pub(crate) fn function(&self) -> Option<(String, Option<String>)> {
        let name = self.path_after("functions")?;
        let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
        let parts: Vec<_> = name.split(':').collect();
        let (name, inline) = match parts[..] {
            [_, _, "lambda", _, _, "function", name] | [_, "function", name] => (name, None),
            [_, _, "lambda", _, _, "function", name, qualifier] => (name, Some(qualifier)),
            [name, qualifier] => (name, Some(qualifier)),
            _ => (name.as_str(), None),
        };
        let qualifier = self.query("Qualifier").or(inline.map(str::to_owned));
        Some((name.to_owned(), qualifier))
    }
}

pub(super) struct Credential {
    key: String,
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Credential {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...`.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let authorization = header(headers, "authorization")?;
        let credential = authorization
            .split("Credential=")
            .nth(1)?
            .split(',')
            .next()?;
        let mut parts = credential.trim().split('/');
        Some(Self {
            key: parts.next()?.to_owned(),
            date: parts.next()?.to_owned(),
            region: parts.next()?.to_owned(),
            service: parts.next()?.to_owned(),
        })
    }

    fn account(&self) -> Option<String> {
        let digits = self.key.len() == 12 && self.key.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| self.key.clone())
    }
}

/// The pairs of a form or a query string.
pub(crate) fn form(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(text).into_owned()
}

/// The first value with this name in a form or a query string.
pub(crate) fn parameter(text: &[u8], name: &str) -> Option<String> {
    form(text)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

fn lambda_action(method: &Method, path: &str) -> &'static str {
    let mut parts = path.trim_matches('/').split('/').skip(1);
    let resource = parts.next().unwrap_or_default();
    let id = parts.next().map(|_| "/*").unwrap_or_default();
    let part = parts.next().map(|part| format!("/{part}"));
    let part = part.unwrap_or_default();
    let last = parts.next();
    match format!("{method} {resource}{id}{part}").as_str() {
        "POST functions" => "CreateFunction",
        "GET functions" => "ListFunctions",
        "GET functions/*" => "GetFunction",
        "DELETE functions/*" => "DeleteFunction",
        "GET functions/*/configuration" => "GetFunctionConfiguration",
        "PUT functions/*/configuration" => "UpdateFunctionConfiguration",
        "PUT functions/*/code" => "UpdateFunctionCode",
        "POST functions/*/invocations" => "Invoke",
        "POST functions/*/policy" => "AddPermission",
        "GET functions/*/policy" => "GetPolicy",
        "DELETE functions/*/policy" => "RemovePermission",
        "GET functions/*/concurrency" => "GetFunctionConcurrency",
        "PUT functions/*/concurrency" => "PutFunctionConcurrency",
        "DELETE functions/*/concurrency" => "DeleteFunctionConcurrency",
        "GET functions/*/urls" => "ListFunctionUrlConfigs",
        "POST functions/*/url" => "CreateFunctionUrlConfig",
        "DELETE functions/*/url" => "DeleteFunctionUrlConfig",
        "GET functions/*/aliases" if last.is_none() => "ListAliases",
        "GET functions/*/aliases" => "GetAlias",
        "POST functions/*/aliases" => "CreateAlias",
        "PUT functions/*/aliases" => "UpdateAlias",
        "DELETE functions/*/aliases" => "DeleteAlias",
        "POST functions/*/versions" => "PublishVersion",
        "GET functions/*/versions" => "ListVersionsByFunction",
        "GET functions/*/event-invoke-config" if last == Some("list") => {
            "ListFunctionEventInvokeConfigs"
        }
        "GET functions/*/code-signing-config" => "GetFunctionCodeSigningConfig",
        "GET functions/*/runtime-management-config" => "GetRuntimeManagementConfig",
        "PUT functions/*/runtime-management-config" => "PutRuntimeManagementConfig",
        "POST code-signing-configs" => "CreateCodeSigningConfig",
        "GET code-signing-configs/*" => "GetCodeSigningConfig",
        "GET account-settings" => "GetAccountSettings",
        "GET event-source-mappings" => "ListEventSourceMappings",
        "GET tags/*" => "ListTags",
        "POST tags/*" => "TagResource",
        "DELETE tags/*" => "UntagResource",
        _ => "Other",
    }
}
