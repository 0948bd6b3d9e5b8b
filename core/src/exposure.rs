//! What AWS shows around the function: other ways to it than its trigger, places where its events end up, where the directory's
//! secrets are kept, and a day of its metrics. Data alone; reading it is the caller's business, judging it the checks'.

use crate::lease::Lease;
use crate::resources::ObservedFunction;

/// A function's own URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The URL.
    pub url: String,
    /// The alias it leads to; `None`: the function itself.
    pub qualifier: Option<String>,
    /// Who may call it: `NONE` is everybody.
    pub auth: String,
}

/// An alias, with every version it may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The version it leads to.
    pub version: String,
    /// The versions that get a share of its invocations.
    pub shares: Vec<String>,
    /// What an update is guarded by: it changes with the alias.
    pub revision: Option<String>,
    /// Who is at work on the pool, as its description says.
    pub lease: Option<Lease>,
}

impl Alias {
    /// Every version it may lead to.
    pub fn versions(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.version).chain(&self.shares)
    }
}

/// A version: what is frozen under a number, or the function itself.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number; `$LATEST` is the function itself.
    pub number: String,
    /// What it runs, and with which settings.
    pub runs: ObservedFunction,
}

/// A queue or stream that invokes the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// Id of the mapping.
    pub uuid: String,
    /// What invokes.
    pub source: String,
}

/// Where a copy of an event goes once it was handled, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCopy {
    /// The alias or version whose events go there; `None`: the function's own.
    pub qualifier: Option<String>,
    /// ARN of the queue, topic, bus, bucket or function.
    pub destination: String,
}

/// Somebody who is sent every line of the log that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Where the lines go.
    pub destination: String,
    /// Log groups whose lines do not: a policy of the account may leave some out.
    pub except: Vec<String>,
}

/// A place where a secret is kept, as its service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// It is to be deleted, and cannot be read any more.
    pub deleted: bool,
    /// Whether a key encrypts it; parameters need not be.
    pub encrypted: bool,
    /// That key, where it is not the service's own and the service tells.
    pub key: Option<String>,
    /// Regions that have a copy of it, each with a policy of its own.
    pub copies: Vec<String>,
    /// When its value was changed last, in milliseconds since 1970.
    pub changed_ms: Option<i64>,
}

/// What decides which code the function takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSigning {
    /// The configuration's ARN.
    pub arn: String,
    /// Code that nobody of these has signed is refused; else it is only told of.
    pub refuses: bool,
    /// ARNs of the versions of signing profiles that are trusted.
    pub trusted: Vec<String>,
}

/// What CloudWatch counted of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Invocations.
    pub invocations: f64,
    /// Invocations that ended in an error.
    pub errors: f64,
    /// Sign-ups that were refused on purpose: for Lambda each is an error, too.
    pub refused_sign_ups: f64,
    /// Invocations that Lambda refused.
    pub throttles: f64,
    /// Sign-ins that Cognito refused for their number (`TooManyRequestsException`).
    pub throttled_sign_ins: f64,
    /// The 99th percentile of the duration, of the slowest hour.
    pub p99_ms: Option<f64>,
}
