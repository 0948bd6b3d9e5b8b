//! One request to AWS, read as far as the gateway needs it: which service, which action, whose account; and the answers.

use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::journal;
use super::settings::Members;
use crate::http::{self, Body};

/// Where a request that nobody signed belongs, until a pool says otherwise.
const NO_ACCOUNT: &str = "000000000000";
const NO_REGION: &str = "us-east-1";
const COGNITO_TARGET: &str = "AWSCognitoIdentityProviderService.";

/// Whose a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub account: String,
    pub region: String,
}

pub(crate) struct Call {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The signing name.
    pub service: String,
    pub action: String,
    pub scope: Scope,
    /// Whether the account was read from the credentials: a key of twelve digits is an account of its own.
    pub account_known: bool,
    /// One of Cognito's public calls: whose it is, the pool says.
    pub unsigned: bool,
    /// Signed with a key that must be allowed what it asks.
    pub checked: bool,
}

/// Cognito's calls that need no signature, and ignore one.
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
    pub fn read(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        let credential = Credential::of(&headers);
        let target = text(&headers, "x-amz-target").unwrap_or_default();
        let cognito = target.strip_prefix(COGNITO_TARGET);
        let service = match (cognito, &credential) {
            (Some(_), _) => "cognito-idp".to_owned(),
            (None, Some(credential)) => credential.service.clone(),
            (None, None) => String::new(),
        };
        let action = match service.as_str() {
            "lambda" => lambda_action(&method, uri.path()).to_owned(),
            "iam" | "sts" => form(&body)
                .find(|(name, _)| name == "Action")
                .map(|(_, value)| value)
                .unwrap_or_default(),
            _ => target.rsplit('.').next().unwrap_or_default().to_owned(),
        };
        let account = credential.as_ref().and_then(Credential::account);
        Self {
            checked: false,
            account_known: account.is_some(),
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

    /// Learns whose a call is that is signed with the key of an IAM user.
    pub fn resolve_key(&mut self, account: impl Fn(&str) -> Option<String>) {
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

    /// The members of a JSON body.
    pub fn members(&self) -> Result<Members, Refusal> {
        if self.body.is_empty() {
            return Ok(Members::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(Refusal::new(
                "SerializationException",
                "Start of structure or map found where not expected.",
            )),
        }
    }

    /// A parameter of a form body.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form(&self.body)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// A parameter of the query string.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        form(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The function that a Lambda request names in its path: name or ARN, and the qualifier.
    pub fn function(&self) -> Option<(String, Option<String>)> {
        let name = self
            .uri
            .path()
            .split('/')
            .skip_while(|part| *part != "functions")
            .nth(1)?;
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

    /// What the journal says the call was about.
    pub fn about(&self) -> Vec<(String, String)> {
        match self.service.as_str() {
            "iam" | "sts" => {
                let parameters: Vec<_> = form(&self.body).collect();
                journal::identifiers(parameters.iter().map(|(k, v)| (k.as_str(), v.clone())))
            }
            "lambda" => {
                let named = self.function();
                let members = self.members().unwrap_or_default();
                let statement = members
                    .get("StatementId")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
                    .or_else(|| {
                        let mut path = self
                            .uri
                            .path()
                            .split('/')
                            .skip_while(|part| *part != "policy")
                            .skip(1);
                        path.next().map(str::to_owned)
                    });
                let name = named
                    .as_ref()
                    .map(|(name, _)| name.clone())
                    .or_else(|| Some(members.get("FunctionName")?.as_str()?.to_owned()));
                let qualifier = named.and_then(|(_, qualifier)| qualifier);
                let about = [
                    ("FunctionName", name),
                    ("StatementId", statement),
                    ("Qualifier", qualifier),
                ];
                journal::identifiers(
                    about
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?))),
                )
            }
            _ => {
                let members = self.members().unwrap_or_default();
                journal::identifiers(members.iter().map(|(name, value)| {
                    let value = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    (name.as_str(), value)
                }))
            }
        }
    }
}

struct Credential {
    key: String,
    region: String,
    service: String,
}

impl Credential {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...`.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let authorization = text(headers, "authorization")?;
        let credential = authorization
            .split("Credential=")
            .nth(1)?
            .split(',')
            .next()?;
        let mut parts = credential.trim().split('/');
        let (key, _date) = (parts.next()?, parts.next()?);
        Some(Self {
            key: key.to_owned(),
            region: parts.next()?.to_owned(),
            service: parts.next()?.to_owned(),
        })
    }

    fn account(&self) -> Option<String> {
        let digits = self.key.len() == 12 && self.key.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| self.key.clone())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn form(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |part: &str| {
            let part = part.replace('+', " ");
            percent_decode_str(&part)
                .decode_utf8()
                .ok()
                .map(|text| text.into_owned())
        };
        Some((decode(name)?, decode(value)?))
    })
}

fn lambda_action(method: &Method, path: &str) -> &'static str {
    let mut parts = path.trim_matches('/').split('/').skip(1);
    let (resource, id, part) = (parts.next(), parts.next(), parts.next());
    match (method.as_str(), resource, id, part, parts.next()) {
        ("POST", Some("functions"), None, ..) => "CreateFunction",
        ("GET", Some("functions"), None, ..) => "ListFunctions",
        ("GET", Some("functions"), _, None, _) => "GetFunction",
        ("DELETE", Some("functions"), _, None, _) => "DeleteFunction",
        ("GET", Some("functions"), _, Some("configuration"), _) => "GetFunctionConfiguration",
        ("PUT", Some("functions"), _, Some("configuration"), _) => "UpdateFunctionConfiguration",
        ("PUT", Some("functions"), _, Some("code"), _) => "UpdateFunctionCode",
        ("POST", Some("functions"), _, Some("invocations"), _) => "Invoke",
        ("POST", Some("functions"), _, Some("policy"), _) => "AddPermission",
        ("GET", Some("functions"), _, Some("policy"), _) => "GetPolicy",
        ("DELETE", Some("functions"), _, Some("policy"), _) => "RemovePermission",
        ("GET", Some("functions"), _, Some("concurrency"), _) => "GetFunctionConcurrency",
        ("PUT", Some("functions"), _, Some("concurrency"), _) => "PutFunctionConcurrency",
        ("DELETE", Some("functions"), _, Some("concurrency"), _) => "DeleteFunctionConcurrency",
        ("GET", Some("functions"), _, Some("urls"), _) => "ListFunctionUrlConfigs",
        ("POST", Some("functions"), _, Some("url"), _) => "CreateFunctionUrlConfig",
        ("DELETE", Some("functions"), _, Some("url"), _) => "DeleteFunctionUrlConfig",
        ("GET", Some("functions"), _, Some("aliases"), None) => "ListAliases",
        ("POST", Some("functions"), _, Some("aliases"), _) => "CreateAlias",
        ("POST", Some("functions"), _, Some("versions"), _) => "PublishVersion",
        ("GET", Some("functions"), _, Some("versions"), _) => "ListVersionsByFunction",
        ("GET", Some("functions"), _, Some("event-invoke-config"), Some("list")) => {
            "ListFunctionEventInvokeConfigs"
        }
        ("GET", Some("functions"), _, Some("code-signing-config"), _) => {
            "GetFunctionCodeSigningConfig"
        }
        ("GET", Some("functions"), _, Some("runtime-management-config"), _) => {
            "GetRuntimeManagementConfig"
        }
        ("PUT", Some("functions"), _, Some("runtime-management-config"), _) => {
            "PutRuntimeManagementConfig"
        }
        ("GET", Some("event-source-mappings"), None, ..) => "ListEventSourceMappings",
        ("GET", Some("tags"), ..) => "ListTags",
        ("POST", Some("tags"), ..) => "TagResource",
        ("DELETE", Some("tags"), ..) => "UntagResource",
        _ => "Other",
    }
}

/// An answer as it goes out, whole.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        Self {
            status: StatusCode::OK,
            headers,
            body: body.to_string().into(),
        }
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The same answer with another JSON body.
    pub fn with_value(mut self, value: &Value) -> Self {
        self.body = value.to_string().into();
        self.headers.remove(CONTENT_LENGTH);
        self
    }

    /// The error code, if it is an error.
    pub fn error(&self) -> Option<String> {
        if self.status.is_success() {
            return None;
        }
        let code = text(&self.headers, "x-amzn-errortype")
            .map(str::to_owned)
            .or_else(|| {
                let body = String::from_utf8_lossy(&self.body).into_owned();
                let json: Value = serde_json::from_str(&body).unwrap_or_default();
                let code = json["__type"].as_str().map(str::to_owned);
                code.or_else(|| Some(body.split("<Code>").nth(1)?.split('<').next()?.to_owned()))
            })?;
        code.rsplit('#')
            .next()?
            .split(':')
            .next()
            .map(str::to_owned)
    }

    pub fn message(&self) -> String {
        let body = self.value();
        let message = body["message"].as_str().or(body["Message"].as_str());
        message.unwrap_or_default().to_owned()
    }

    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(http::full(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let id = format!("{:032x}", fastrand::u128(..));
        if let (false, Ok(id)) = (
            response.headers().contains_key("x-amzn-requestid"),
            HeaderValue::from_str(&id),
        ) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        for hop in [
            "connection",
            "keep-alive",
            "transfer-encoding",
            "content-length",
        ] {
            response.headers_mut().remove(hop);
        }
        response
    }
}

/// An error that AWS would answer.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            message: message.into(),
        }
    }

    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// The emulator behind the gateway failed: nobody's fault but the sandbox's.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new("InternalErrorException", message).with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// In the words of the protocol that `service` speaks.
    pub fn into_answer(self, service: &str) -> Answer {
        if service == "iam" || service == "sts" {
            let kind = if self.status.is_server_error() {
                "Receiver"
            } else {
                "Sender"
            };
            let body = format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
                self.code, self.message
            );
            return Answer {
                status: self.status,
                headers: HeaderMap::from_iter([(
                    CONTENT_TYPE,
                    HeaderValue::from_static("text/xml"),
                )]),
                body: body.into(),
            };
        }
        let body = json!({"__type": self.code, "message": self.message, "Type": "User"});
        let mut answer = Answer::json(&body);
        answer.status = self.status;
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            answer
                .headers
                .insert(HeaderName::from_static("x-amzn-errortype"), code);
        }
        answer
    }
}
