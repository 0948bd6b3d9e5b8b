//! AWS in memory, for the calls of the program: their effects and responses, according to AWS's documentation. Callers and faults are
//! in `world`.

mod call;
mod cognito;
mod iam;
mod lambda;
mod logs;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use call::Call;
pub use cognito::{Pool, updated_client, updated_pool};
pub use iam::Role;
pub use lambda::Function;
pub use logs::Group;

pub const REGION: &str = "us-east-1";
pub const ACCOUNT: &str = "123456789012";

pub type Tags = BTreeMap<String, String>;

/// The result of a call: a document, or a refusal.
pub type Answer = Result<Value, Refusal>;

#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

pub fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        code,
        message: message.into(),
    }
}

/// Delays of AWS, in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Until Lambda can assume a new role.
    pub role: u64,
    /// Until a new permission works.
    pub rights: u64,
    /// Until a new function is active.
    pub create: u64,
    /// Until an update of a function is done.
    pub update: u64,
}

/// The whole AWS.
#[derive(Debug)]
pub struct Aws {
    pub now_ms: u64,
    pub pace: Pace,
    pub pool: Pool,
    pub functions: BTreeMap<String, Function>,
    pub roles: BTreeMap<String, Role>,
    pub groups: BTreeMap<String, Group>,
    /// The names of the parameters in SSM.
    pub parameters: Vec<String>,
    /// The digests of the zips that work.
    pub good: Vec<String>,
    /// The directory's secret is being rotated: the parameter does not have the value that the directory accepts.
    pub rotating: bool,
    numbers: u64,
    /// Calls that this model does not have yet. Any fails the test.
    pub unknown: Vec<String>,
}

impl Aws {
    pub fn new(pool: Pool) -> Self {
        Self {
            now_ms: 0,
            pace: Pace::default(),
            pool,
            functions: BTreeMap::new(),
            roles: BTreeMap::new(),
            groups: BTreeMap::new(),
            parameters: Vec::new(),
            good: Vec::new(),
            rotating: false,
            numbers: 0,
            unknown: Vec::new(),
        }
    }

    /// A new number.
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A new revision id.
    fn revision(&mut self) -> Value {
        json!(format!("00000000-0000-4000-8000-{:012x}", self.number()))
    }

    pub fn answer(&mut self, call: &Call) -> Answer {
        let answer = match call.service {
            "cognito-idp" => self.cognito(call),
            "lambda" => self.lambda(call),
            "iam" => self.iam(call),
            "logs" => self.logs(call),
            "monitoring" => Some(Ok(json!({ "MetricDataResults": [] }))),
            "ssm" => Some(self.parameter(call)),
            // The pool has no web ACL.
            "wafv2" => Some(Ok(json!({}))),
            _ => None,
        };
        answer.unwrap_or_else(|| {
            self.unknown.push(call.to_string());
            Err(refuse(400, "UnknownOperationException", call.to_string()))
        })
    }

    fn parameter(&self, call: &Call) -> Answer {
        let name = call.text("Name");
        match self.parameters.iter().any(|there| *there == name) {
            true => Ok(
                json!({ "Parameter": { "Name": name, "Type": "SecureString", "Value": "secret" } }),
            ),
            false => Err(refuse(400, "ParameterNotFound", "")),
        }
    }

    /// Whether this trigger works for a customer who has not migrated.
    pub fn serves(&self, arn: &str) -> Result<(), String> {
        let mut parts = arn.split(':').skip(6);
        let function = self.functions.get(parts.next().unwrap_or_default());
        let pool = self.pool.arn();
        match function.is_some_and(|function| function.lets_in(parts.next(), &pool)) {
            true => self.runs(arn),
            false => Err("Cognito may not invoke it".to_owned()),
        }
    }

    /// Whether the function answers an invocation.
    fn answers(&self, arn: &str) -> Result<(), String> {
        match self.rotating {
            true => Err("the directory refuses the secret".to_owned()),
            false => self.runs(arn),
        }
    }

    /// Whether the function works once it is invoked, if the directory accepts its secret.
    fn runs(&self, arn: &str) -> Result<(), String> {
        let mut parts = arn.split(':').skip(6);
        let (name, qualifier) = (parts.next().unwrap_or_default(), parts.next());
        let function = self.functions.get(name).ok_or("no such function")?;
        let version = function.at(qualifier).ok_or("no such alias or version")?;
        if version.ready_ms > self.now_ms {
            return Err("the function is pending".to_owned());
        }
        let role = version.settings["Role"].as_str().unwrap_or_default();
        let role = role.rsplit('/').next().unwrap_or_default();
        let role = self.roles.get(role).ok_or("its role is gone")?;
        if version.role_id.as_deref() != Some(&*role.id) {
            return Err("its environment was encrypted for another role".to_owned());
        }
        if !role.trusts_lambda() {
            return Err("Lambda may not assume its role".to_owned());
        }
        let environment = version.settings["Environment"].to_string();
        for parameter in &self.parameters {
            let needed = environment.contains(&format!("{parameter}\\\""));
            if needed && !role.may(&format!("parameter{parameter}"), self.now_ms) {
                return Err(format!("its role may not read {parameter}"));
            }
        }
        let digest = version.settings["CodeSha256"].as_str().unwrap_or_default();
        match self.good.iter().any(|good| good == digest) {
            true => Ok(()),
            false => Err("its code fails".to_owned()),
        }
    }
}

/// The members of an object; empty for other values.
fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn texts(value: &Value) -> Tags {
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    members(value).into_iter().filter_map(text).collect()
}
