//! CloudWatch Logs' policies of a whole account, which the emulator lacks. It keeps and shows them; they do nothing here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::Shared;
use crate::wire::{Answer, Call, Refusal};

/// By account, kind and name.
pub(crate) type AccountPolicies = Mutex<BTreeMap<(String, String, String), Value>>;

pub(crate) fn answer(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let request = call.members()?;
    let text = |name: &str| {
        let value = request.get(name).and_then(Value::as_str);
        value.map(str::to_owned)
    };
    let missing = || {
        Refusal::new(
            "InvalidParameterException",
            "1 validation error detected: policyType and policyName must be given",
        )
    };
    let account = call.scope.account.clone();
    let kind = text("policyType").ok_or_else(missing)?;
    let mut policies = shared
        .account_policies
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if call.action == "DescribeAccountPolicies" {
        let name = text("policyName");
        let found: Vec<&Value> = policies
            .iter()
            .filter(|((of, is, _), _)| *of == account && *is == kind)
            .filter(|((_, _, called), _)| name.as_ref().is_none_or(|name| name == called))
            .map(|(_, policy)| policy)
            .collect();
        return Ok(Answer::json(&json!({ "accountPolicies": found })));
    }
    let name = text("policyName").ok_or_else(missing)?;
    let key = (account.clone(), kind.clone(), name.clone());
    if call.action == "DeleteAccountPolicy" {
        return match policies.remove(&key) {
            Some(_) => Ok(Answer::json(&json!({}))),
            None => Err(Refusal::new(
                "ResourceNotFoundException",
                "The specified policy does not exist.",
            )),
        };
    }
    let policy = json!({
        "accountId": account,
        "policyName": name,
        "policyType": kind,
        "policyDocument": text("policyDocument"),
        "selectionCriteria": text("selectionCriteria"),
        "scope": "ALL",
    });
    policies.insert(key, policy.clone());
    Ok(Answer::json(&json!({ "accountPolicy": policy })))
}
