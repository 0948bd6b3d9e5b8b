//! Account policies of CloudWatch Logs, which the emulator lacks. They are stored and returned, and have no
//! effect.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal};

/// By account, kind and name.
#[derive(Default)]
pub(crate) struct AccountPolicies(Mutex<BTreeMap<[String; 3], Value>>);

impl AccountPolicies {
    pub fn answer(&self, call: &Call) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let text = |name: &str| {
            let text = request[name].as_str().map(str::to_owned);
            text.ok_or_else(|| {
                Refusal::new(
                    "InvalidParameterException",
                    "1 validation error detected: policyType and policyName must be given",
                )
            })
        };
        let (account, kind) = (call.scope.account.clone(), text("policyType")?);
        let mut policies = lock(&self.0);
        if call.action == "DescribeAccountPolicies" {
            let name = text("policyName").ok();
            let found: Vec<&Value> = policies
                .iter()
                .filter(|([of, is, _], _)| *of == account && *is == kind)
                .filter(|([_, _, called], _)| name.as_ref().is_none_or(|name| name == called))
                .map(|(_, policy)| policy)
                .collect();
            return Ok(Answer::json(&json!({ "accountPolicies": found })));
        }
        let name = text("policyName")?;
        let policy = json!({
            "accountId": account,
            "policyName": name,
            "policyType": kind,
            "policyDocument": request["policyDocument"].as_str(),
            "selectionCriteria": request["selectionCriteria"].as_str(),
            "scope": "ALL",
        });
        let key = [account, kind, name];
        if call.action == "DeleteAccountPolicy" {
            let removed = policies.remove(&key).ok_or_else(|| {
                Refusal::new(
                    "ResourceNotFoundException",
                    "The specified policy does not exist.",
                )
            });
            return removed.map(|_| Answer::json(&json!({})));
        }
        policies.insert(key, policy.clone());
        Ok(Answer::json(&json!({ "accountPolicy": policy })))
    }
}
