//! Turns the SDK's errors into [`AwsError`]. No other file of the program creates one, so none can contain a text with secrets.
//! `error` adds the advice.

use std::error::Error;
use std::fmt::Display;

use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jane_migrate_core::aws_error::{AwsError, Kind};

use super::known::without_secrets;

/// The error that a service returned.
pub(super) fn answered(action: &'static str, status: u16, code: &str, message: &str) -> AwsError {
    failed(
        action,
        kind_of(code, message, status),
        code.rsplit('#').next().unwrap_or(code),
        message.trim_end_matches('.'),
    )
}

/// The error of a call that no service answered, or that this program derives from a response.
pub(super) fn failed(
    action: &'static str,
    kind: Kind,
    code: &str,
    message: impl Display,
) -> AwsError {
    let message = without_secrets(&message.to_string());
    AwsError::ours(action, kind, &without_secrets(code), message)
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
        .map(without_secrets);
    let failure = |kind, code: &str, message: String| AwsError {
        request_id: request_id.clone(),
        ..failed(action, kind, code, message)
    };
    // The page of a proxy, or an emulator's crash.
    let not_aws = |status: u16| {
        let kind = match status {
            500.. => Kind::NoAnswer,
            _ => Kind::Refused,
        };
        let message = "the answer was not one of AWS's".to_owned();
        failure(kind, &format!("HTTP {status}"), message)
    };
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let message = service.err().message().unwrap_or_default();
            match service.err().code() {
                None | Some("") => not_aws(status),
                Some(code) => AwsError {
                    request_id,
                    ..answered(action, status, code, message)
                },
            }
        }
        SdkError::ResponseError(unread) if unread.raw().status().as_u16() >= 400 => {
            not_aws(unread.raw().status().as_u16())
        }
        SdkError::ResponseError(_) => failure(
            Kind::NoAnswer,
            "unreadable answer",
            "the answer was cut off or malformed; the call may or may not have taken effect".into(),
        ),
        other => {
            // From this program's own call for the credentials.
            if let Some(ours) = find::<AwsError>(other) {
                return ours.clone();
            }
            let chain = causes(other);
            if let Some(credentials) = find::<CredentialsError>(other) {
                let (kind, message) = without_credentials(credentials, &chain);
                return failure(kind, "no usable credentials", message);
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

/// Why there are no usable credentials. The instance metadata service is the last source, so its refusal means that there are no
/// credentials, not that some are invalid.
fn without_credentials(error: &CredentialsError, chain: &str) -> (Kind, String) {
    if let Some(refusal) = find::<ImdsError>(error) {
        let status = match refusal {
            ImdsError::ErrorResponse(answer) => Some(answer.response().status()),
            _ => find::<SdkError<TokenError, HttpResponse>>(refusal)
                .and_then(SdkError::raw_response)
                .map(|answer| answer.status()),
        };
        let answer = match status {
            Some(status) => format!("answered HTTP {status}"),
            None => "gave no usable answer".to_owned(),
        };
        let message = format!("the instance metadata service {answer}");
        return (Kind::NoCredentials, message);
    }
    let kind = match error {
        CredentialsError::CredentialsNotLoaded(_) => Kind::NoCredentials,
        _ => Kind::BadCredentials,
    };
    (kind, of_credentials(chain))
}

fn kind_of(code: &str, message: &str, status: u16) -> Kind {
    // Lambda and Cognito name the same situations differently, IAM's query protocol differently again; emulators add the
    // service's prefix or leave the suffix `Exception` off.
    let code = code.rsplit('#').next().unwrap_or(code);
    match code.strip_suffix("Exception").unwrap_or(code) {
        "ResourceNotFound"
        | "DashboardNotFoundError"
        | "NoSuchEntity"
        | "UserNotFound"
        | "ParameterNotFound"
        | "NotFound" => Kind::NotFound,
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

/// The relevant part of the SDK's message about credentials: without the sources where none were expected, and without a
/// service's response in Rust's debug format.
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

/// The causes below the SDK's own wording ("dispatch failure" does not help an operator).
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
