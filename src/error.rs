//! The error of the program: what failed and why, its kind, and what to do next. Every error has a hint, which it gets where it
//! occurs. `ui::error` shows it.

mod aws;

use std::fmt::{self, Debug, Display};
use std::io;
use std::path::Path;

use jane_migrate_core::aws_error::{self, AwsError};
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::PoolId;
use serde::Serialize;

/// The result of most functions that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of failure, for code that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something failed.
    Failed,
    /// `verify` could not check something, which is not a finding.
    Unchecked,
}

impl Kind {
    /// The program's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Unchecked => 2,
        }
    }
}

/// The AWS call that failed, for programs that depend on it.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The IAM action.
    pub action: &'static str,
    /// The service's error code.
    pub code: String,
    /// The id AWS support asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A failure. `{}` is what failed, `{:#}` with all of its causes.
pub struct Error {
    kind: Kind,
    /// What failed, followed by the causes.
    chain: anyhow::Error,
    /// The most urgent first.
    hints: Vec<Fix>,
    call: Option<Call>,
}

impl Error {
    /// What failed, and what to do next.
    pub fn new(
        message: impl Display + Debug + Send + Sync + 'static,
        hint: impl Into<Fix>,
    ) -> Self {
        Self::because(anyhow::Error::msg(message), hint)
    }

    /// A failure with a cause from elsewhere, and what to do next. [`Error::context`] says what failed because of it.
    pub fn because(cause: impl Into<anyhow::Error>, hint: impl Into<Fix>) -> Self {
        Self {
            kind: Kind::Failed,
            chain: cause.into(),
            hints: vec![hint.into()],
            call: None,
        }
    }

    /// A case that should be impossible.
    pub fn bug(message: impl Display + Debug + Send + Sync + 'static) -> Self {
        Self::new(
            message,
            "this is a fault of jane-migrate: please report it with the command and its output",
        )
    }

    /// A pool could not be described: it does not exist for these credentials, or reading it failed.
    pub fn unreadable_pool(error: AwsError, pool: &PoolId, region: &str) -> Self {
        if error.kind != aws_error::Kind::NotFound {
            return Self::from(error).context(format!("failed to read user pool `{pool}`"));
        }
        Self {
            hints: vec![no_such_pool(pool, region)],
            ..Self::from(error)
        }
        .context(format!("failed to find user pool `{pool}` in {region}"))
    }

    /// A file or folder that cannot be written; `otherwise` is the hint for another one.
    pub fn unwritable(path: &Path, error: io::Error, otherwise: &str) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => format!("create its folder first, or {otherwise}"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                format!("this user may not write there: change that, or {otherwise}")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("the disk is full: free some space, or {otherwise}")
            }
            _ => otherwise.to_owned(),
        };
        Self::because(error, hint).context(format!("failed to write `{}`", path.display()))
    }

    /// Adds what failed because of this.
    pub fn context(mut self, message: impl Display + Send + Sync + 'static) -> Self {
        self.chain = self.chain.context(message);
        self
    }

    /// Adds a hint before the others.
    pub fn hint(mut self, hint: impl Into<Fix>) -> Self {
        self.hints.insert(0, hint.into());
        self
    }

    /// Adds what to do if the hints before do not help.
    pub fn or_hint(mut self, hint: impl Into<Fix>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure as something that could not be checked.
    pub fn unchecked(self) -> Self {
        Self {
            kind: Kind::Unchecked,
            ..self
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The causes, from the nearest to the last.
    pub fn causes(&self) -> impl Iterator<Item = String> {
        self.chain.chain().skip(1).map(ToString::to_string)
    }

    /// What to do next, the most urgent first.
    pub fn hints(&self) -> &[Fix] {
        &self.hints
    }

    /// What to do next, without given flags.
    #[cfg(test)]
    pub(crate) fn advice(&self) -> String {
        use jane_migrate_core::fix::Flags;

        let hints = self.hints.iter().map(|hint| hint.render(&Flags::default()));
        hints.collect::<Vec<_>>().join("\n")
    }

    /// The AWS call that failed, if there is one.
    pub fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.chain, f)
    }
}

impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#} ({:?})", self.chain, self.hints)
    }
}

/// A pool of another account gives the same error as one that does not exist.
fn no_such_pool(pool: &PoolId, region: &str) -> Fix {
    match pool.region().filter(|own| *own != region) {
        Some(own) => format!(
            "the pool's id begins with its Region, {own}: leave --region (JANE_MIGRATE_REGION) out, unless {region} holds a replica of it"
        )
        .into(),
        None => fix![
            "find out which account these credentials belong to with `",
            Fix::aws_in(region, "sts get-caller-identity"),
            "` and which pools it has with `",
            Fix::aws_in(region, "cognito-idp list-user-pools --max-results 60"),
            "`; --profile chooses another account",
        ],
    }
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        let hint = aws::hint(&error);
        let call = Call {
            action: error.action,
            code: error.code.clone(),
            request_id: error.request_id.clone(),
        };
        Self {
            call: Some(call),
            ..Self::because(error, hint)
        }
    }
}

/// Adds what failed to an error that has its hint.
pub trait Context<T> {
    /// What failed because of it.
    fn context(self, message: impl Display + Send + Sync + 'static) -> Result<T>;

    /// The same with a text that is only built on failure.
    fn with_context<M>(self, message: impl FnOnce() -> M) -> Result<T>
    where
        M: Display + Send + Sync + 'static;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, message: impl Display + Send + Sync + 'static) -> Result<T> {
        self.with_context(|| message)
    }

    fn with_context<M>(self, message: impl FnOnce() -> M) -> Result<T>
    where
        M: Display + Send + Sync + 'static,
    {
        self.map_err(|error| error.into().context(message()))
    }
}

/// Adds what an error of another crate lacks: what failed, and what to do next.
pub trait Explain<T> {
    /// `message` says what failed, `hint` what to do next.
    fn explain(self, message: impl Display, hint: impl Into<Fix>) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Explain<T> for Result<T, E> {
    fn explain(self, message: impl Display, hint: impl Into<Fix>) -> Result<T> {
        self.map_err(|error| Error::because(error, hint).context(message.to_string()))
    }
}
