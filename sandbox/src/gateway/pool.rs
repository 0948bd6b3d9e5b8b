//! The store of pools and app clients: the gateway's documents, by id. The calls that use it are in `pools` and `clients`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::json::{remove, required, strings};
use super::settings::{self, CREATE_ONLY};
use crate::lock::lock;
use crate::wire::{Call, Refusal, Scope, Upstream};

#[derive(Clone)]
pub(crate) struct Pool {
    pub id: String,
    pub scope: Scope,
    pub settings: Value,
    /// Settings that are set at creation and cannot change.
    pub identity: Value,
    pub clients: HashMap<String, AppClient>,
    /// Whether SetUserPoolMfaConfig gave the pool a factor other than SMS.
    pub second_factors: bool,
    pub times: Times,
    pub defaults: Defaults,
    pub update: Arc<AsyncMutex<()>>,
}

/// From their first update on, some pools show defaults that were never set. AWS does not document which pools.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Defaults {
    /// From the beginning, as far as they are known.
    #[default]
    Shown,
    /// Only after the next update.
    Hidden,
}

impl Pool {
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        let id = &self.id;
        format!("arn:aws:cognito-idp:{region}:{account}:userpool/{id}")
    }

    /// Whether user names are case-sensitive, which is the API's default.
    pub fn case_sensitive(&self) -> bool {
        self.identity["UsernameConfiguration"]["CaseSensitive"] != false
    }

    /// A list that is set at creation, such as `AliasAttributes`.
    pub fn identity(&self, member: &str) -> Vec<&str> {
        strings(&self.identity[member])
    }

    pub fn client(&self, id: &str) -> Result<&AppClient, Refusal> {
        self.clients.get(id).ok_or_else(|| no_client(id))
    }

    /// The emulator's description of the pool.
    pub async fn emulated(&self, upstream: &Upstream) -> Result<Value, Refusal> {
        let asked = json!({"UserPoolId": self.id});
        let answer = upstream.cognito(&self.scope, "DescribeUserPool", &asked);
        Ok(answer.await?["UserPool"].take())
    }

    /// The pool in AWS's form. Some of it, such as the schema, comes from the emulator.
    pub fn described(&self, emulated: &Value) -> Value {
        let mut shown = settings::described(&self.settings);
        let given = CREATE_ONLY.iter().filter(|member| **member != "Schema");
        let shown_by_emulator = [
            "SchemaAttributes",
            "EstimatedNumberOfUsers",
            "Domain",
            "CustomDomain",
        ];
        let members = given.map(|member| (*member, &self.identity[member]));
        let more = shown_by_emulator.map(|member| (member, &emulated[member]));
        for (member, value) in members.chain(more) {
            if !value.is_null() {
                shown[member] = value.clone();
            }
        }
        shown["Id"] = json!(self.id);
        shown["Arn"] = json!(self.arn());
        self.times.show(&mut shown);
        if self.defaults == Defaults::Hidden {
            for (member, inner) in [
                ("VerificationMessageTemplate", "DefaultEmailOption"),
                ("EmailConfiguration", "EmailSendingAccount"),
            ] {
                remove(&mut shown[member], inner);
            }
        }
        shown
    }
}

#[derive(Clone)]
pub(crate) struct AppClient {
    pub id: String,
    pub settings: Value,
    pub secret: Option<String>,
    pub times: Times,
}

impl AppClient {
    /// Whether PreventUserExistenceErrors is ENABLED.
    pub fn hides_users(&self) -> bool {
        self.settings["PreventUserExistenceErrors"] == "ENABLED"
    }

    /// The client in AWS's form.
    pub fn described(&self, pool: &str) -> Value {
        let mut shown = self.settings.clone();
        shown["UserPoolId"] = json!(pool);
        shown["ClientId"] = json!(self.id);
        if let Some(secret) = &self.secret {
            shown["ClientSecret"] = json!(secret);
        }
        self.times.show(&mut shown);
        shown
    }
}

/// Creation and last change, in AWS's form: seconds with three decimals.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    created: f64,
    modified: f64,
}

impl Times {
    pub fn now() -> Self {
        let now = later(0.0);
        Self {
            created: now,
            modified: now,
        }
    }

    /// Sets the last change to now, and always to a later time than before.
    pub fn change(&mut self) {
        self.modified = later(self.modified);
    }

    pub fn show(&self, shown: &mut Value) {
        shown["CreationDate"] = json!(self.created);
        shown["LastModifiedDate"] = json!(self.modified);
    }
}

fn later(before: f64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.unwrap_or_default().as_millis() as f64;
    millis.max((before * 1000.0).round() + 1.0) / 1000.0
}

pub(crate) struct Pools {
    pub upstream: Arc<Upstream>,
    pools: Mutex<HashMap<String, Pool>>,
}

impl Pools {
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self {
            upstream,
            pools: Mutex::default(),
        }
    }

    /// The pool in a request.
    pub fn named(&self, call: &Call, request: &Value) -> Result<Pool, Refusal> {
        let id = required(request, "UserPoolId")?;
        self.get(id)
            .filter(|pool| !call.account_known || pool.scope == call.scope)
            .ok_or_else(|| no_pool(id))
    }

    pub fn get(&self, id: &str) -> Option<Pool> {
        lock(&self.pools).get(id).cloned()
    }

    /// An app client and its pool.
    pub fn of_client(&self, id: &str) -> Result<(Pool, AppClient), Refusal> {
        let pools = lock(&self.pools);
        let found = pools.values().find_map(|pool| {
            let client = pool.clients.get(id)?;
            Some((pool.clone(), client.clone()))
        });
        found.ok_or_else(|| no_client(id))
    }

    pub fn insert(&self, pool: Pool) {
        lock(&self.pools).insert(pool.id.clone(), pool);
    }

    pub fn remove(&self, id: &str) {
        lock(&self.pools).remove(id);
    }

    /// Changes a pool without changing the time of its last change.
    pub fn edit(&self, id: &str, edit: impl FnOnce(&mut Pool)) {
        if let Some(pool) = lock(&self.pools).get_mut(id) {
            edit(pool);
        }
    }

    /// Changes a pool and the time of its last change.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Pool)) {
        self.edit(id, |pool| {
            change(pool);
            pool.times.change();
        });
    }

    /// Starts an update of a pool; another update is rejected until the guard is dropped.
    pub fn claim(&self, id: &str) -> Result<OwnedMutexGuard<()>, Refusal> {
        let update = self.get(id).ok_or_else(|| no_pool(id))?.update;
        update.try_lock_owned().map_err(|_| {
            Refusal::new(
                "ConcurrentModificationException",
                "Only one request to update this UserPool can be processed at a time.",
            )
        })
    }
}

pub(crate) fn no_pool(id: &str) -> Refusal {
    let message = format!("User pool {id} does not exist.");
    Refusal::new("ResourceNotFoundException", message)
}

fn no_client(id: &str) -> Refusal {
    let message = format!("User pool client {id} does not exist.");
    Refusal::new("ResourceNotFoundException", message)
}
