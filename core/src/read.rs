//! What came of a read: the answer, or why it is not known.

use crate::aws_error::{AwsError, Kind};

/// What came of one read.
pub type Read<T> = Result<T, Unread>;

/// Why something is not known.
#[derive(Debug, Clone)]
pub enum Unread {
    /// The call failed.
    Failed(AwsError),
    /// The call about the app client of this id failed.
    Client(String, AwsError),
    /// It is outside of what was asked for.
    NotAsked,
    /// It belongs to something that does not exist. A check of that thing's own says so.
    Gone(&'static str),
    /// It needs a configuration, and there is none.
    NoConfig,
    /// Something else, in words.
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
    /// Why something could not be checked, and what would let it be.
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
