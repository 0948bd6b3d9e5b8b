//! What a failed AWS call is to the rest of the program: the call, the service's own words, and a kind that code may decide on.
//! Leaves to `ui::hint` what to advise.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What kind of failure it was, as far as code decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thing asked for is not there.
    NotFound,
    /// The caller may not do this.
    Denied,
    /// The thing to be made is there already.
    Exists,
    /// Something else is changing it at this moment; trying again helps.
    Busy,
    /// Too many requests, also after the SDK's own retries.
    Throttled,
    /// No credentials were found, or they could not be loaded.
    NoCredentials,
    /// The credentials have expired or are not valid.
    BadCredentials,
    /// No connection to the endpoint.
    Unreachable,
    /// The answer did not come, or could not be read: the call may or may not have taken effect.
    NoAnswer,
    /// The service refused the request for what it says.
    Refused,
}

/// A failed call. `Display` is the service's own words with the request's id.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// The IAM action of the call, such as `cognito-idp:UpdateUserPool`.
    pub action: &'static str,
    /// What kind of failure.
    pub kind: Kind,
    /// The service's error code, or a word of ours where the service did not answer.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// The id AWS support asks for.
    pub request_id: Option<String>,
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl Error for AwsError {}

impl AwsError {
    /// Whether the call may have taken effect all the same.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self.kind, Kind::NoAnswer | Kind::Unreachable)
    }

    /// A failure in our own words: no service said so, and there is no request to name.
    pub(super) fn ours(
        action: &'static str,
        kind: Kind,
        code: &str,
        message: impl fmt::Display,
    ) -> Self {
        Self {
            action,
            kind,
            code: code.to_owned(),
            message: message.to_string(),
            request_id: None,
        }
    }

    /// What a service tells of a call that it made itself.
    pub(super) fn answered(action: &'static str, status: u16, code: &str, message: &str) -> Self {
        Self {
            action,
            kind: kind_of(code, message, status),
            code: code.rsplit('#').next().unwrap_or(code).to_owned(),
            message: message.trim_end_matches('.').to_owned(),
            request_id: None,
        }
    }

    /// Whether the service's message contains `words`.
    pub fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

/// Turns "not there" into `None`.
pub trait Found<T> {
    /// `Ok(None)` where the thing does not exist.
    fn found(self) -> Result<Option<T>, AwsError>;
}

impl<T> Found<T> for Result<T, AwsError> {
    fn found(self) -> Result<Option<T>, AwsError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Names the action that failed.
pub(super) trait During<T> {
    fn during(self, action: &'static str) -> Result<T, AwsError>;
}

impl<T, E> During<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn during(self, action: &'static str) -> Result<T, AwsError> {
        self.map_err(|error| describe(action, &error))
    }
}

fn describe<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let request_id = error
        .raw_response()
        .and_then(|response| {
            ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
                .iter()
                .find_map(|name| response.headers().get(name))
        })
        .map(str::to_owned);
    let failure = |kind, code: &str, message: String| AwsError {
        action,
        kind,
        code: code.to_owned(),
        message,
        request_id: request_id.clone(),
    };
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            if code.is_empty() {
                // An answer that is not AWS's: a proxy's page, an emulator's crash.
                let kind = if status >= 500 {
                    Kind::NoAnswer
                } else {
                    Kind::Refused
                };
                return failure(
                    kind,
                    &format!("HTTP {status}"),
                    "the answer was not one of AWS's".into(),
                );
            }
            failure(
                kind_of(code, message, status),
                code,
                message.trim_end_matches('.').to_owned(),
            )
        }
        SdkError::ResponseError(unread) if unread.raw().status().as_u16() >= 400 => {
            // A page of a proxy on the way.
            let status = unread.raw().status().as_u16();
            let kind = match status {
                500.. => Kind::NoAnswer,
                _ => Kind::Refused,
            };
            failure(
                kind,
                &format!("HTTP {status}"),
                "the answer was not one of AWS's".into(),
            )
        }
        SdkError::ResponseError(_) => failure(
            Kind::NoAnswer,
            "unreadable answer",
            "the answer was cut off or malformed; the call may or may not have taken effect".into(),
        ),
        other => {
            let chain = causes(other);
            if let Some(credentials) = find::<CredentialsError>(other) {
                let kind = match credentials {
                    CredentialsError::CredentialsNotLoaded(_) => Kind::NoCredentials,
                    _ => Kind::BadCredentials,
                };
                return failure(kind, "no usable credentials", of_credentials(&chain));
            }
            if matches!(other, SdkError::ConstructionFailure(_)) {
                return failure(Kind::Refused, "request not made", chain);
            }
            if chain.contains("read timeout") {
                return failure(
                    Kind::NoAnswer,
                    "timeout",
                    "no answer in time; the call may or may not have taken effect".into(),
                );
            }
            let lost = chain.contains("connection closed")
                || chain.contains("reset")
                || chain.contains("incomplete");
            if lost {
                return failure(
                    Kind::NoAnswer,
                    "connection lost",
                    format!("{chain}; the call may or may not have taken effect"),
                );
            }
            failure(Kind::Unreachable, "endpoint not reached", chain)
        }
    }
}

fn kind_of(code: &str, message: &str, status: u16) -> Kind {
    // Lambda and Cognito name the same situations differently, IAM's query protocol differently again; emulators add the
    // service's prefix or leave the suffix `Exception` off.
    let code = code.rsplit('#').next().unwrap_or(code);
    match code.strip_suffix("Exception").unwrap_or(code) {
        "ResourceNotFound" | "NoSuchEntity" | "UserNotFound" | "ParameterNotFound" | "NotFound" => {
            Kind::NotFound
        }
        "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" | "Forbidden" => Kind::Denied,
        "EntityAlreadyExists" | "ResourceAlreadyExists" => Kind::Exists,
        "ResourceConflict" if message.contains("already exist") => Kind::Exists,
        "ResourceConflict"
        | "ConcurrentModification"
        | "OperationAborted"
        | "PreconditionFailed"
        | "DeleteConflict" => Kind::Busy,
        "TooManyRequests"
        | "Throttling"
        | "ThrottlingException"
        | "LimitExceeded"
        | "RequestLimitExceeded" => Kind::Throttled,
        "ExpiredToken"
        | "UnrecognizedClient"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "RequestExpired"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => Kind::BadCredentials,
        _ if status >= 500 => Kind::NoAnswer,
        _ => Kind::Refused,
    }
}

/// What matters of the words the SDK has for credentials: not the places where none were expected, nor a service's answer as Rust
/// prints it.
fn of_credentials(chain: &str) -> String {
    let chain = chain.strip_prefix("other: ").unwrap_or(chain);
    if let Some((tried, places)) = chain.split_once(" Attempted:") {
        let profile = places
            .lines()
            .find_map(|place| place.split_once("not enabled: profile "))
            .map(|(_, why)| format!("profile {why}"));
        return profile.unwrap_or_else(|| {
            let tried = tried.rsplit(": ").next().unwrap_or(tried);
            tried.trim_end_matches('.').to_owned()
        });
    }
    let told = |member: &str| {
        let (_, rest) = chain.split_once(&format!("{member}: \""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    match (told("code"), told("message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => chain.to_owned(),
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The causes below the SDK's own wording ("dispatch failure" says nothing to an operator).
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let words = error.to_string();
        if !said.iter().any(|before| before.contains(&words)) {
            said.push(words);
        }
        next = error.source();
    }
    if said.is_empty() {
        error.to_string()
    } else {
        said.join(": ")
    }
}
