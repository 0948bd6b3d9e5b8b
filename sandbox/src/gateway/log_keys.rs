//! The KMS keys of existing log groups: the emulator accepts keys only for new ones. They are stored and returned, and encrypt
//! nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::json::required;
use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal};

/// By account, Region and name; `None`: it was removed.
#[derive(Default)]
pub(crate) struct LogKeys(Mutex<BTreeMap<[String; 3], Option<String>>>);

impl LogKeys {
    /// Sets or removes the key of a log group. It does not check that the log group exists: only the emulator knows, and it lacks
    /// this call.
    pub fn set(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let name = required(&request, "logGroupName")?;
        let key = match call.action.as_str() {
            "AssociateKmsKey" => Some(required(&request, "kmsKeyId")?.to_owned()),
            _ => None,
        };
        lock(&self.0).insert(at(call, name), key);
        Ok(Answer::json(&json!({})))
    }

    /// Adds the keys set here to a list of log groups.
    pub fn show(&self, call: &Call, answer: Answer) -> Answer {
        let mut listed = answer.value();
        let keys = lock(&self.0);
        for group in listed["logGroups"].as_array_mut().into_iter().flatten() {
            let name = group["logGroupName"].as_str().unwrap_or_default();
            match keys.get(&at(call, name)) {
                Some(Some(key)) => group["kmsKeyId"] = json!(key),
                Some(None) => {
                    group.as_object_mut().map(|group| group.remove("kmsKeyId"));
                }
                None => {}
            }
        }
        match listed {
            Value::Null => answer,
            listed => answer.with_value(&listed),
        }
    }

    /// A group that is created or deleted starts without a key.
    pub fn forget(&self, call: &Call) {
        let request = call.request().unwrap_or_default();
        let name = request["logGroupName"].as_str().unwrap_or_default();
        lock(&self.0).remove(&at(call, name));
    }
}

fn at(call: &Call, name: &str) -> [String; 3] {
    let scope = &call.scope;
    [scope.account.clone(), scope.region.clone(), name.to_owned()]
}
