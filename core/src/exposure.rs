//! What AWS shows around the function: other ways to call it than its trigger, places where its events end up, where the
//! directory's secrets are stored, and a day of its metrics. Only data; the caller reads it, the checks judge it.

use crate::lease::Lease;
use crate::resources::ObservedFunction;

/// A function's own URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The URL.
    pub url: String,
    /// The alias that it calls; `None`: the function itself.
    pub qualifier: Option<String>,
    /// Who may call it: `NONE` means everyone.
    pub auth: String,
}

/// An alias, with every version that it may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The versions that get a share of its invocations.
    pub shares: Vec<String>,
    /// Guards updates: it changes with the alias.
    pub revision: Option<String>,
    /// The lease in its description.
    pub lease: Option<Lease>,
}

impl Alias {
    /// Every version that it may call.
    pub fn versions(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.version).chain(&self.shares)
    }
}

/// A published version, or the function itself.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number; `$LATEST` is the function itself.
    pub number: String,
    /// Its code and settings.
    pub runs: ObservedFunction,
}

/// A queue or stream that invokes the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// Id of the mapping.
    pub uuid: String,
    /// The ARN of the source.
    pub source: String,
}

/// Where a copy of an event goes after it was handled, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCopy {
    /// The alias or version with this setting; `None`: the function itself.
    pub qualifier: Option<String>,
    /// The ARN of the queue, topic, bus, bucket or function.
    pub destination: String,
}

/// A subscription to the matching lines of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Where the lines go.
    pub destination: String,
    /// The log groups that are left out: a policy of the account may exclude some.
    pub except: Vec<String>,
}

/// A place of a secret, as its service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// It is scheduled for deletion, and can no longer be read.
    pub deleted: bool,
    /// Whether a key encrypts it; parameters need not be.
    pub encrypted: bool,
    /// The key, if it is not the service's own and the service shows it.
    pub key: Option<String>,
    /// Regions with a copy of it, each with its own policy.
    pub copies: Vec<String>,
    /// When its value last changed, in milliseconds since 1970.
    pub changed_ms: Option<i64>,
}

/// Which code the function accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSigning {
    /// The configuration's ARN.
    pub arn: String,
    /// Code that none of these has signed is rejected; otherwise there is only a warning.
    pub refuses: bool,
    /// The ARNs of the trusted versions of signing profiles.
    pub trusted: Vec<String>,
}

/// CloudWatch's metrics of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Invocations.
    pub invocations: f64,
    /// Invocations that ended in an error.
    pub errors: f64,
    /// Sign-ups that the handler rejected: Lambda counts each as an error, too.
    pub refused_sign_ups: f64,
    /// Invocations that Lambda throttled.
    pub throttles: f64,
    /// Sign-ins that Cognito throttled (`TooManyRequestsException`).
    pub throttled_sign_ins: f64,
    /// The p99 of the duration in the slowest hour.
    pub p99_ms: Option<f64>,
}
