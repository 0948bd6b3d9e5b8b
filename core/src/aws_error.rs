//! A failed AWS call for the rest of the program: the call, the service's own message, and a kind for decisions in code. The
//! caller turns the SDK's errors into one.

use std::error::Error;
use std::fmt;

/// The kind of failure, for decisions in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The requested resource does not exist.
    NotFound,
    /// The caller does not have the permission.
    Denied,
    /// The resource to create already exists.
    Exists,
    /// Another caller is changing it at this moment; a retry helps.
    Busy,
    /// Too many requests, even after the SDK's own retries.
    Throttled,
    /// No credentials were found, or they could not be loaded.
    NoCredentials,
    /// The credentials have expired or are not valid.
    BadCredentials,
    /// No connection to the endpoint.
    Unreachable,
    /// There was no response, or it could not be read: the call may or may not have taken effect.
    NoAnswer,
    /// The service rejected the request's content.
    Refused,
}

/// A failed call. `Display` is the service's own message with the request's id.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// The IAM action of the call, such as `cognito-idp:UpdateUserPool`.
    pub action: &'static str,
    /// The kind of failure.
    pub kind: Kind,
    /// The service's error code, or a word of this program if the service did not answer.
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
    /// Whether the call may still have taken effect.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self.kind, Kind::NoAnswer | Kind::Unreachable)
    }

    /// An error of this program: it comes from no service, and has no request id.
    pub fn ours(action: &'static str, kind: Kind, code: &str, message: impl fmt::Display) -> Self {
        Self {
            action,
            kind,
            code: code.to_owned(),
            message: message.to_string(),
            request_id: None,
        }
    }

    /// Whether the service's message contains `words`.
    pub fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

/// Turns "not found" into `None`.
pub trait Found<T> {
    /// `Ok(None)` if the resource does not exist.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind) -> AwsError {
        AwsError {
            request_id: Some("r-1".into()),
            ..AwsError::ours("iam:GetRole", kind, "NoSuchEntity", "no role of that name")
        }
    }

    #[test]
    fn not_found_becomes_none_and_other_errors_stay() {
        assert!(matches!(
            Err::<u8, _>(error(Kind::NotFound)).found(),
            Ok(None)
        ));
        assert!(Err::<u8, _>(error(Kind::Denied)).found().is_err());
        assert!(matches!(Ok(1).found(), Ok(Some(1))));
    }

    #[test]
    fn a_call_without_a_response_may_have_taken_effect() {
        for (kind, may) in [
            (Kind::NoAnswer, true),
            (Kind::Unreachable, true),
            (Kind::Denied, false),
            (Kind::Throttled, false),
        ] {
            assert_eq!(error(kind).may_have_taken_effect(), may, "{kind:?}");
        }
    }

    #[test]
    fn an_error_contains_the_services_message_and_the_request_id() {
        let error = error(Kind::NotFound);
        assert_eq!(
            error.to_string(),
            "NoSuchEntity: no role of that name (request id r-1)"
        );
        assert!(error.says("no role") && !error.says("no user"));
    }
}
