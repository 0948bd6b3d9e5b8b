//! Point-in-time recoveries, which the emulator lacks. A started one waits until its preview is applied or cancelled; no
//! users are restored. What a pool rejects meanwhile is not documented, and not simulated here.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::json::required;
use super::pool::Pools;
use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal};

/// The recoveries of each pool, newest first.
#[derive(Default)]
pub(crate) struct Recoveries(Mutex<HashMap<String, Vec<Value>>>);

impl Recoveries {
    pub fn answer(&self, call: &Call, pools: &Pools) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let pool = pools.named(call, &request)?;
        if pool.settings["UserPoolTier"] == "LITE" {
            let message = "Point-in-time recovery is not available in this feature plan.";
            return Err(Refusal::new("FeatureUnavailableInTierException", message));
        }
        let mut all = lock(&self.0);
        let recoveries = all.entry(pool.id.clone()).or_default();
        let answer = match call.action.as_str() {
            "ListPointInTimeRecoveries" => json!({ "Restorations": recoveries }),
            "InitiatePointInTimeRecovery" => {
                let recovery = json!({
                    "RestoreId": format!("00000000-0000-0000-0000-{:012}", recoveries.len()),
                    "RestoreStatus": "PREVIEW_GENERATED",
                    "RestoreTimestamp": request["RestoreTimestamp"],
                });
                recoveries.insert(0, recovery.clone());
                json!({ "Restoration": recovery })
            }
            _ => {
                let id = required(&request, "RestoreId")?;
                let recovery = recoveries.iter_mut().find(|one| one["RestoreId"] == id);
                let missing = || Refusal::new("ResourceNotFoundException", "Recovery not found.");
                let recovery = recovery.ok_or_else(missing)?;
                let cancels = call.action == "CancelPointInTimeRecovery";
                let status = if cancels {
                    "PREVIEW_CANCELLED"
                } else {
                    "RESTORE_COMPLETED"
                };
                recovery["RestoreStatus"] = status.into();
                json!({ "Restoration": recovery })
            }
        };
        Ok(Answer::json(&answer))
    }
}
