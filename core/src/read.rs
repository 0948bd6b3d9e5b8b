//! The result of a read: the value, or why it is unknown.

use crate::aws_error::{AwsError, Kind};

/// The result of one read.
pub type Read<T> = Result<T, Unread>;

/// Why a value is unknown.
#[derive(Debug, Clone)]
pub enum Unread {
    /// The call failed.
    Failed(AwsError),
    /// The call about the app client of this id failed.
    Client(String, AwsError),
    /// It is outside the requested scope.
    NotAsked,
    /// It belongs to something that does not exist. Another check reports that.
    Gone(&'static str),
    /// It needs a configuration, and there is none.
    NoConfig,
    /// Another reason, as text.
    Because(String),
}

impl From<AwsError> for Unread {
    fn from(error: AwsError) -> Self {
        Self::Failed(error)
    }
}

impl From<&AwsError> for Unread {
    fn from(error: &AwsError) -> Self {
        Self::Failed(error.clone())
    }
}

impl From<&Unread> for Unread {
    fn from(unread: &Unread) -> Self {
        unread.clone()
    }
}

impl Unread {
    /// Why something could not be checked, and how to make the check possible.
    pub fn explain(&self) -> (String, Option<String>) {
        match self {
            Self::Failed(error) | Self::Client(_, error) if error.kind == Kind::Denied => (
                format!("could not be checked: {} is denied", error.action),
                Some(format!(
                    "allow `{}` for the credentials in use",
                    error.action
                )),
            ),
            Self::Failed(error) => (
                format!("could not be checked: {} failed: {error}", error.action),
                None,
            ),
            Self::Client(id, error) => (
                format!(
                    "could not be checked: {} failed for app client {id}: {error}",
                    error.action
                ),
                None,
            ),
            Self::NotAsked => ("not asked for".into(), None),
            Self::Gone(what) => (format!("could not be checked: there is no {what}"), None),
            Self::NoConfig => (
                "could not be checked: no configuration to compare with".into(),
                Some("name the file with --config".into()),
            ),
            Self::Because(why) => (format!("could not be checked: {why}"), None),
        }
    }
}
