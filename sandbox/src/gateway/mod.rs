//! The gateway: an HTTP proxy in front of MiniStack that adds what the real Cognito, Lambda and IAM have and MiniStack lacks. It
//! follows what is documented and measured of AWS, and never what this project's own client happens to send; where the live
//! behaviour is not known, it takes the reading that a careless client trips over.

mod account_policies;
mod client_settings;
mod clients;
mod iam;
mod insights;
mod journal;
mod lambda;
mod policy;
mod pools;
mod rules;
mod settings;
mod sign_in;
mod trigger;
mod users;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OwnedMutexGuard;

use self::iam::{Keys, Roles};
use self::insights::Queries;
pub use self::journal::Entry;
use self::journal::Journal;
use self::pools::{Pool, Pools};
use self::sign_in::{Deliveries, Delivery};
use crate::wire::{
    self, Answer, BODY_LIMIT, Body, Call, Callers, Hangup, Refusal, Server, Upstream,
};

/// The proxy. It stops when this is dropped.
pub struct Gateway {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    upstream: Upstream,
    pools: Pools,
    roles: Roles,
    keys: Keys,
    callers: Callers,
    role_age: Duration,
    deliveries: Deliveries,
    journal: Journal,
    queries: Queries,
    refusals: Mutex<Vec<Ordered>>,
    runtime_updates: lambda::RuntimeUpdates,
    account_policies: account_policies::AccountPolicies,
}

/// A refusal that a test ordered.
struct Ordered {
    account: String,
    action: String,
    refusal: Refusal,
}

impl Gateway {
    /// Serves on `listener` in front of the emulator at `upstream`, which must have been started for the same `callers`. Lambda
    /// refuses roles younger than `role_age`.
    pub fn start(
        listener: TcpListener,
        upstream: &str,
        role_age: Duration,
        callers: Callers,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            upstream: Upstream::new(upstream),
            pools: Pools::default(),
            roles: Roles::default(),
            keys: Keys::default(),
            callers,
            role_age,
            deliveries: Deliveries::default(),
            journal: Journal::default(),
            queries: Queries::default(),
            refusals: Mutex::default(),
            runtime_updates: lambda::RuntimeUpdates::default(),
            account_policies: account_policies::AccountPolicies::default(),
        });
        let serving = shared.clone();
        let server = Server::serve(listener, move |request| {
            let shared = serving.clone();
            async move { shared.answer(request).await }
        })?;
        Ok(Self { shared, server })
    }

    /// Where it listens: the endpoint to give to AWS clients.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Every call about `account` so far, in the order in which they ended.
    pub fn journal(&self, account: &str) -> Vec<Entry> {
        self.shared.journal.of(account)
    }

    /// The code of the newest password reset of `user`: a username, the name that was typed, or an address.
    pub fn code(&self, pool: &str, user: &str) -> Option<String> {
        self.shared.deliveries.code(pool, user)?.code
    }

    /// To whom the pool sent a welcome: pairs of medium and destination.
    pub fn welcomes(&self, pool: &str) -> Vec<(String, String)> {
        let sent = self.shared.deliveries.welcomes(pool);
        sent.into_iter()
            .map(|delivery| (delivery.medium.to_owned(), delivery.destination))
            .collect()
    }

    /// Refuses the next call of `action` (such as `UpdateUserPool`) in `account`, without passing it on. Each order is good for
    /// one call; orders for the same action are used up one after another.
    pub fn refuse_next(
        &self,
        account: &str,
        action: &str,
        status: u16,
        code: &str,
        message: &str,
    ) -> Result<()> {
        let status = StatusCode::from_u16(status).context("not an HTTP status")?;
        self.shared.refusals().push(Ordered {
            account: account.to_owned(),
            action: action.to_owned(),
            refusal: Refusal::new(code, message).with_status(status),
        });
        Ok(())
    }

    /// Holds a pool as if another update of it were under way, until the answer is dropped.
    pub fn hold_pool(&self, pool: &str) -> Result<PoolHold> {
        let claim = self.shared.pools.claim(pool);
        claim
            .map(PoolHold)
            .map_err(|refusal| anyhow::anyhow!("{}: {}", refusal.code, refusal.message))
    }
}

/// While this lives, updates of the pool fail with ConcurrentModificationException.
pub struct PoolHold(#[expect(dead_code, reason = "held for its drop")] OwnedMutexGuard<()>);

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
        if let Some(path) = parts.uri.path().strip_prefix("/_sandbox/") {
            return Ok(self.own(path, parts.uri.query().unwrap_or_default()));
        }
        let Some(body) = wire::read(body, BODY_LIMIT).await else {
            let refusal = Refusal::new(
                "RequestEntityTooLargeException",
                format!("Request must be smaller than {BODY_LIMIT} bytes"),
            );
            return Ok(refusal
                .with_status(StatusCode::PAYLOAD_TOO_LARGE)
                .into_answer("")
                .into_response());
        };
        let mut call = Call::read(parts, body);
        if self.callers == Callers::Checked {
            call.resolve_key(|key| self.keys.account(key));
            self.resolve_by_pool(&mut call);
        }
        let pool = self.pool_of_unsigned(&call);
        if let Some(pool) = &pool {
            call.scope = pool.scope.clone();
        }
        let answered = match self.ordered_refusal(&call) {
            Some(refusal) => Err(refusal),
            None => self.route(&call, pool).await,
        };
        let answer = answered.unwrap_or_else(|refusal| refusal.into_answer(&call.service));
        self.journal.write(Entry {
            about: journal::about(&call),
            service: call.service,
            action: call.action,
            account: call.scope.account,
            status: answer.status.as_u16(),
            error: answer.error(),
        });
        Ok(answer.into_response())
    }

    async fn route(&self, call: &Call, pool: Option<Pool>) -> Result<Answer, Refusal> {
        let (pools, upstream) = (&self.pools, &self.upstream);
        match call.service.as_str() {
            "cognito-idp" => match call.action.as_str() {
                "CreateUserPool" => pools.create(call, upstream).await,
                "DescribeUserPool" => pools.describe(call, upstream).await,
                "UpdateUserPool" => pools.update(call, upstream).await,
                "DeleteUserPool" => pools.delete(call, upstream).await,
                "ListUserPools" => pools.list(call, upstream).await,
                "AddCustomAttributes" | "SetUserPoolMfaConfig" => {
                    pools.change_elsewhere(call, upstream).await
                }
                "TagResource" | "UntagResource" | "ListTagsForResource" => {
                    pools.tags(call, upstream).await
                }
                "CreateUserPoolClient" => pools.create_client(call, upstream).await,
                "DescribeUserPoolClient" => pools.describe_client(call, upstream).await,
                "UpdateUserPoolClient" => pools.update_client(call, upstream).await,
                "DeleteUserPoolClient" => pools.delete_client(call, upstream).await,
                "InitiateAuth" | "AdminInitiateAuth" => sign_in::initiate(self, call).await,
                "ForgotPassword" => sign_in::forgot_password(self, call).await,
                "ConfirmForgotPassword" => sign_in::confirm_forgot_password(self, call).await,
                "AdminResetUserPassword" => sign_in::reset_password(self, call).await,
                "AdminCreateUser" | "AdminSetUserPassword" | "AdminRespondToAuthChallenge" => {
                    let pool = pools.named(call, &call.members()?)?;
                    sign_in::with_password(self, call, &pool).await
                }
                "SignUp" | "ChangePassword" | "RespondToAuthChallenge" => match pool {
                    Some(pool) => sign_in::with_password(self, call, &pool).await,
                    None => upstream.forward(call).await,
                },
                _ => upstream.forward(call).await,
            },
            "lambda" => lambda::answer(self, call).await,
            "iam" | "sts" => iam::answer(self, call).await,
            "logs" if call.action.contains("AccountPolic") => account_policies::answer(self, call),
            "logs" => insights::answer(self, call).await,
            _ => upstream.forward(call).await,
        }
    }

    /// The pool that a call without signature is about: by its client, or by the issuer of its token.
    fn pool_of_unsigned(&self, call: &Call) -> Option<Pool> {
        if !call.unsigned {
            return None;
        }
        let members = call.members().ok()?;
        if let Some(client) = members.get("ClientId").and_then(Value::as_str) {
            return self.pools.of_client(client).ok();
        }
        let token = members.get("AccessToken")?.as_str()?;
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1)?)
            .ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        self.pools.get(claims["iss"].as_str()?.rsplit('/').next()?)
    }

    /// The keys of a function's role come from the emulator and were never seen here: whose they are, the pool says.
    fn resolve_by_pool(&self, call: &mut Call) {
        if !call.checked || call.account_known {
            return;
        }
        let members = call.members().unwrap_or_default();
        let named = members.get("UserPoolId").and_then(Value::as_str);
        if let Some(pool) = named.and_then(|id| self.pools.get(id)) {
            call.scope = pool.scope.clone();
            call.account_known = true;
        }
    }

    fn ordered_refusal(&self, call: &Call) -> Option<Refusal> {
        let mut ordered = self.refusals();
        let found = ordered
            .iter()
            .position(|order| order.account == call.scope.account && order.action == call.action)?;
        Some(ordered.remove(found).refusal)
    }

    fn refusals(&self) -> std::sync::MutexGuard<'_, Vec<Ordered>> {
        self.refusals
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What only the sandbox has: the journal, and the codes that nobody mails.
    fn own(&self, path: &str, query: &str) -> Response<Body> {
        // A plus is one here: people type telephone numbers into the address.
        let query = query.replace('+', "%2B");
        let parameter = |name: &str| wire::parameter(query.as_bytes(), name).unwrap_or_default();
        match path {
            "journal" => {
                let account = parameter("account");
                let entries = if account.is_empty() {
                    self.journal.all()
                } else {
                    self.journal.of(&account)
                };
                let entries: Vec<_> = entries.iter().map(Entry::to_json).collect();
                wire::json(StatusCode::OK, &json!(entries))
            }
            "codes" => match self.deliveries.code(&parameter("pool"), &parameter("user")) {
                Some(Delivery {
                    medium,
                    destination,
                    code,
                    ..
                }) => wire::json(
                    StatusCode::OK,
                    &json!({"code": code, "medium": medium, "destination": destination}),
                ),
                None => wire::json(StatusCode::NOT_FOUND, &json!({"error": "no code was sent"})),
            },
            _ => wire::json(
                StatusCode::NOT_FOUND,
                &json!({"error": "the sandbox has journal and codes here"}),
            ),
        }
    }
}
