//! IAM: when each role last changed, because IAM takes time to propagate it, which roles were deleted, and which account each
//! access key belongs to.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::policy::{self, Attempt};
use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal, Scope, Upstream};

pub(crate) struct Identities {
    upstream: Arc<Upstream>,
    /// How old a role must be before Lambda accepts it.
    role_age: Duration,
    /// When a role was created or its trust policy changed, by account and name.
    roles: Mutex<HashMap<(String, String), Instant>>,
    /// Roles that were ever deleted, by account and name.
    deleted: Mutex<HashSet<(String, String)>>,
    /// The accounts of the access keys that IAM and STS issued.
    keys: Mutex<HashMap<String, String>>,
}

impl Identities {
    pub fn new(upstream: Arc<Upstream>, role_age: Duration) -> Self {
        Self {
            upstream,
            role_age,
            roles: Mutex::default(),
            deleted: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    pub async fn answer(&self, call: &Call) -> Result<Answer, Refusal> {
        let account = call.scope.account.clone();
        let role = call.parameter("RoleName").unwrap_or_default();
        // Its old policies still apply for a while.
        if let "PutRolePolicy" | "DeleteRolePolicy" | "AttachRolePolicy" | "DetachRolePolicy" =
            call.action.as_str()
        {
            let question = json!({ "changes": [account, role] });
            self.upstream.roles(&question).await?;
        }
        let answer = self.upstream.forward(call).await?;
        match call.action.as_str() {
            "CreateRole" | "UpdateAssumeRolePolicy" => {
                lock(&self.roles).insert((account, role), Instant::now());
            }
            "DeleteRole" => {
                lock(&self.deleted).insert((account, role));
            }
            "CreateAccessKey" | "AssumeRole" => {
                if let Some(key) = answer.element("AccessKeyId") {
                    lock(&self.keys).insert(key, account);
                }
            }
            _ => {}
        }
        Ok(answer)
    }

    /// The unique id of a role; a role that is created again has another.
    pub async fn id(&self, account: &str, role: &str) -> Option<String> {
        let scope = Scope {
            account: account.to_owned(),
            region: "us-east-1".to_owned(),
        };
        let role = self.upstream.role(&scope, role).await.ok()?;
        role.element("RoleId")
    }

    /// Whether a role with this name was ever deleted.
    pub fn was_deleted(&self, account: &str, role: &str) -> bool {
        lock(&self.deleted).contains(&(account.to_owned(), role.to_owned()))
    }

    /// The account of an access key.
    pub fn account(&self, key: &str) -> Option<String> {
        lock(&self.keys).get(key).cloned()
    }

    /// Whether Lambda can assume a role.
    pub async fn lambda_assumes(&self, scope: &Scope, role: &str) -> Result<bool, Refusal> {
        self.assumes(scope, role, "lambda.amazonaws.com").await
    }

    /// Whether a service can assume a role: it exists, trusts the service, and has propagated.
    pub async fn assumes(&self, scope: &Scope, role: &str, service: &str) -> Result<bool, Refusal> {
        let Some(trust) = self.upstream.trust_policy(scope, role).await? else {
            return Ok(false);
        };
        let attempt = Attempt {
            service,
            action: "sts:AssumeRole",
            resource: None,
            context: &[("aws:SourceAccount", &scope.account)],
        };
        let key = (scope.account.clone(), role.to_owned());
        let made = lock(&self.roles).get(&key).copied();
        let fresh = made.is_some_and(|made| made.elapsed() < self.role_age);
        Ok(policy::allows(&trust, &attempt) && !fresh)
    }
}
