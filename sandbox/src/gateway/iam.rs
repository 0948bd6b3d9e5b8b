//! Roles: when each was last made or changed, since a role is not known everywhere at once. Access keys: whose they are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use super::Shared;
use crate::wire::{Answer, Call, Refusal, Scope};

#[derive(Default)]
pub(crate) struct Roles(Mutex<HashMap<(String, String), Instant>>);

pub(crate) async fn answer(shared: &Shared, call: &Call) -> Result<Answer, Refusal> {
    let answer = shared.upstream.forward(call).await?;
    let changes_trust = ["CreateRole", "UpdateAssumeRolePolicy"].contains(&call.action.as_str());
    if let (true, true, Some(role)) = (
        changes_trust,
        answer.status.is_success(),
        call.parameter("RoleName"),
    ) {
        let key = (call.scope.account.clone(), role);
        shared.roles.lock().insert(key, Instant::now());
    }
    let gives_keys = ["CreateAccessKey", "AssumeRole"].contains(&call.action.as_str());
    if gives_keys && answer.status.is_success() {
        let xml = String::from_utf8_lossy(&answer.body);
        let key = xml
            .split("<AccessKeyId>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        if let Some(key) = key {
            shared
                .keys
                .lock()
                .insert(key.to_owned(), call.scope.account.clone());
        }
    }
    Ok(answer)
}

/// The access keys that IAM and STS gave out.
#[derive(Default)]
pub(crate) struct Keys(Mutex<HashMap<String, String>>);

impl Keys {
    pub fn account(&self, key: &str) -> Option<String> {
        self.lock().get(key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether Lambda may not know the role yet.
pub(crate) fn is_fresh(shared: &Shared, scope: &Scope, role: &str) -> bool {
    let key = (scope.account.clone(), role.to_owned());
    let roles = shared.roles.lock();
    roles
        .get(&key)
        .is_some_and(|made| made.elapsed() < shared.role_age)
}

impl Roles {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Instant>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
