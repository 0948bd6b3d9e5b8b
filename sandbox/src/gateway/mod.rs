//! The gateway: an HTTP proxy in front of MiniStack that adds the rules of Cognito, Lambda and IAM that MiniStack lacks. It
//! follows AWS's documentation and measurements, never the requests of this project's client. If the live behaviour is unknown,
//! it behaves in the way that makes a careless client fail.

mod account_policies;
mod client_settings;
mod clients;
mod deliveries;
mod execution;
mod iam;
mod imports;
mod insights;
mod journal;
mod json;
mod lambda;
mod log_keys;
mod network;
mod new_users;
mod policy;
mod pool;
mod pools;
mod recoveries;
mod rules;
mod settings;
mod sign_in;
mod trail;
mod trigger;
mod users;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OwnedMutexGuard;

use self::account_policies::AccountPolicies;
use self::deliveries::Deliveries;
use self::iam::Identities;
pub use self::imports::ImportRules;
use self::imports::{Imports, UPLOADS};
use self::insights::Logs;
pub use self::journal::Entry;
use self::journal::Journal;
use self::lambda::Functions;
use self::log_keys::LogKeys;
use self::new_users::NewUsers;
use self::pool::{Pool, Pools};
use self::recoveries::Recoveries;
use self::sign_in::SignIn;
use self::trail::Trail;
use crate::jane::Told;
use crate::wire::{
    self, Answer, BODY_LIMIT, Body, Call, Callers, Hangup, Key, Refusal, Server, Upstream,
};

/// The proxy. It stops when this is dropped.
pub struct Gateway {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    upstream: Arc<Upstream>,
    callers: Callers,
    key: Key,
    pools: Pools,
    identities: Arc<Identities>,
    imports: Arc<Imports>,
    functions: Functions,
    logs: Logs,
    log_keys: LogKeys,
    account_policies: AccountPolicies,
    recoveries: Recoveries,
    deliveries: Deliveries,
    journal: Journal,
    trail: Trail,
    jane: Told,
}

impl Gateway {
    /// Serves on `listener` in front of the emulator at `upstream`, which must have been started for the same `callers` and
    /// `key`. Lambda rejects roles younger than `role_age`.
    pub(crate) fn start(
        listener: TcpListener,
        upstream: &str,
        role_age: Duration,
        callers: Callers,
        key: &Key,
        jane: Told,
    ) -> Result<Self> {
        let upstream = Arc::new(Upstream::locked(upstream, key));
        let identities = Arc::new(Identities::new(upstream.clone(), role_age));
        let shared = Arc::new(Shared {
            callers,
            key: key.clone(),
            pools: Pools::new(upstream.clone()),
            identities: identities.clone(),
            imports: Arc::new(Imports::new(upstream.clone())),
            functions: Functions::new(upstream.clone(), identities.clone(), role_age, key.clone()),
            logs: Logs::new(upstream.clone()),
            log_keys: LogKeys::default(),
            account_policies: AccountPolicies::default(),
            recoveries: Recoveries::default(),
            deliveries: Deliveries::default(),
            journal: Journal::default(),
            trail: Trail::default(),
            jane,
            upstream,
        });
        let serving = shared.clone();
        let server = Server::serve(listener, move |request| {
            let shared = serving.clone();
            async move { shared.answer(request).await }
        })?;
        Ok(Self { shared, server })
    }

    /// Its URL: the endpoint for AWS clients.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All calls of `account` so far, in the order in which they ended.
    pub fn journal(&self, account: &str) -> Vec<Entry> {
        self.shared.journal.read(Some(account))
    }

    /// The code of the newest password reset of `user`: a username, the name that was typed, or an address.
    pub fn code(&self, pool: &str, user: &str) -> Option<String> {
        Some(self.shared.deliveries.code(pool, user)?.code)
    }

    /// Sets what the documentation leaves open about imports into this pool.
    pub fn set_import_rules(&self, pool: &str, rules: ImportRules) {
        self.shared.imports.set_rules(pool, rules);
    }

    /// After its next update this pool shows defaults that it did not show before.
    pub fn let_defaults_appear(&self, pool: &str) {
        self.shared.pools.hide_defaults(pool);
    }

    /// Blocks a pool as during another update, until the result is dropped.
    pub fn hold_pool(&self, pool: &str) -> Result<PoolHold> {
        let claim = self.shared.pools.claim(pool);
        claim
            .map(PoolHold)
            .map_err(|refusal| anyhow::anyhow!("{}: {}", refusal.code, refusal.message))
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. The sandbox makes its keys anew \
    each time it starts: use those that it printed.";

/// While this exists, updates of the pool fail with ConcurrentModificationException.
pub struct PoolHold(#[expect(dead_code, reason = "held for its drop")] OwnedMutexGuard<()>);

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
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
        if call.uri.path().starts_with(UPLOADS) {
            return Ok(self.imports.upload(&call.method, &call));
        }
        if let Err(refusal) = self.admit(&call) {
            return Ok(refusal.into_answer(&call.service).into_response());
        }
        if let Some(path) = call.uri.path().strip_prefix("/_sandbox/") {
            return Ok(self.own(path, call.uri.query().unwrap_or_default()).await);
        }
        if self.callers == Callers::Checked {
            call.resolve_key(|key| self.identities.account(key));
            self.resolve_by_pool(&mut call);
        }
        let pool = self.pool_of_unsigned(&call);
        if let Some(pool) = &pool {
            call.scope = pool.scope.clone();
        }
        let answered = match execution::check(&self.upstream, &call).await {
            Ok(()) => self.route(&call, pool).await,
            Err(refusal) => Err(refusal),
        };
        let answer = answered.unwrap_or_else(|refusal| refusal.into_answer(&call.service));
        self.trail.write(&call, &answer);
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

    /// Rejects callers without the key of this run. Cognito's public calls are open to all callers, as on AWS; what only the sandbox
    /// and the emulator have is at paths of its own, and no header makes it public.
    fn admit(&self, call: &Call) -> Result<(), Refusal> {
        let own = call.uri.path().starts_with("/_");
        // The emulator checks the keys that it issued itself, but not for calls that only the gateway has.
        let issued = self.callers == Callers::Checked && call.signed && !call.account_known;
        let admitted = !own && (call.unsigned || issued)
            || self.functions.hands_out(call)
            || self.key.admits(call);
        if admitted {
            return Ok(());
        }
        let (code, message) = match (call.signed, call.service.as_str()) {
            (false, _) => (
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ),
            (true, "iam" | "sts") => ("SignatureDoesNotMatch", MISMATCH),
            (true, _) => ("InvalidSignatureException", MISMATCH),
        };
        Err(Refusal::new(code, message).with_status(StatusCode::FORBIDDEN))
    }

    async fn route(&self, call: &Call, pool: Option<Pool>) -> Result<Answer, Refusal> {
        let (pools, upstream) = (&self.pools, &self.upstream);
        let sign_in = self.sign_in();
        match call.service.as_str() {
            "cognito-idp" => match call.action.as_str() {
                "CreateUserPool" => pools.create(call).await,
                "DescribeUserPool" => pools.describe(call).await,
                "UpdateUserPool" => {
                    let pool = pools.named(call, &call.request()?)?;
                    self.imports.allow_update(&pool.id)?;
                    pools.update(call).await
                }
                "GetCSVHeader" => self.import(call).await,
                action if action.contains("UserImportJob") => self.import(call).await,
                "DeleteUserPool" => pools.delete(call).await,
                "ListUserPools" => pools.list(call).await,
                "AddCustomAttributes" | "SetUserPoolMfaConfig" => {
                    pools.change_elsewhere(call).await
                }
                "TagResource" | "UntagResource" | "ListTagsForResource" => pools.tags(call).await,
                "CreateUserPoolClient" => pools.create_client(call).await,
                "DescribeUserPoolClient" => pools.describe_client(call).await,
                "UpdateUserPoolClient" => pools.update_client(call).await,
                "DeleteUserPoolClient" => pools.delete_client(call).await,
                action if action.contains("PointInTimeRecover") => {
                    self.recoveries.answer(call, pools)
                }
                "InitiateAuth" | "AdminInitiateAuth" => sign_in.initiate(call).await,
                "ForgotPassword" => sign_in.forgot_password(call).await,
                "ConfirmForgotPassword" => sign_in.confirm_forgot_password(call).await,
                "AdminResetUserPassword" => sign_in.reset_password(call).await,
                "AdminCreateUser" => {
                    let pool = pools.named(call, &call.request()?)?;
                    self.new_users().admin_create_user(call, &pool).await
                }
                "AdminConfirmSignUp" => {
                    let pool = pools.named(call, &call.request()?)?;
                    self.new_users().confirm_sign_up(call, &pool).await
                }
                "SignUp" | "ConfirmSignUp" => {
                    let request = call.request()?;
                    let (pool, _) = pools.of_client(json::required(&request, "ClientId")?)?;
                    match call.action.as_str() {
                        "SignUp" => self.new_users().sign_up(call, &pool).await,
                        _ => self.new_users().confirm_sign_up(call, &pool).await,
                    }
                }
                "AdminSetUserPassword" | "AdminRespondToAuthChallenge" => {
                    let pool = pools.named(call, &call.request()?)?;
                    sign_in.with_password(call, &pool).await
                }
                "ChangePassword" | "RespondToAuthChallenge" => match pool {
                    Some(pool) => sign_in.with_password(call, &pool).await,
                    None => upstream.forward(call).await,
                },
                _ => upstream.forward(call).await,
            },
            "lambda" => self.functions.answer(call).await,
            "ec2" if call.action == "DescribeNetworkInterfaces" => {
                Ok(self.functions.interfaces(call))
            }
            "iam" | "sts" => self.identities.answer(call).await,
            "cloudtrail" if call.action == "LookupEvents" => self.trail.answer(call),
            "logs" if call.action.contains("AccountPolic") => self.account_policies.answer(call),
            "logs" => match call.action.as_str() {
                "AssociateKmsKey" | "DisassociateKmsKey" => self.log_keys.set(call),
                "CreateLogGroup" | "DeleteLogGroup" => {
                    self.log_keys.forget(call);
                    self.logs.answer(call).await
                }
                "DescribeLogGroups" => {
                    let listed = self.logs.answer(call).await?;
                    Ok(self.log_keys.show(call, listed))
                }
                _ => self.logs.answer(call).await,
            },
            _ => upstream.forward(call).await,
        }
    }

    async fn import(&self, call: &Call) -> Result<Answer, Refusal> {
        self.imports
            .answer(call, &self.pools, &self.identities)
            .await
    }

    fn sign_in(&self) -> SignIn<'_> {
        SignIn {
            imports: &self.imports,
            upstream: &self.upstream,
            functions: &self.functions,
            pools: &self.pools,
            deliveries: &self.deliveries,
            new_users: self.new_users(),
        }
    }

    fn new_users(&self) -> NewUsers<'_> {
        NewUsers {
            upstream: &self.upstream,
            functions: &self.functions,
            journal: &self.journal,
        }
    }

    /// The pool of an unsigned call, from its app client or from the issuer of its token.
    fn pool_of_unsigned(&self, call: &Call) -> Option<Pool> {
        if !call.unsigned {
            return None;
        }
        let request = call.request().ok()?;
        if let Some(client) = request["ClientId"].as_str() {
            let (pool, _) = self.pools.of_client(client).ok()?;
            return Some(pool);
        }
        let token = request["AccessToken"].as_str()?;
        let claims = token.split('.').nth(1)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        self.pools.get(claims["iss"].as_str()?.rsplit('/').next()?)
    }

    /// The emulator issues the keys of a function's role, so the gateway does not know their account: it uses the pool's.
    fn resolve_by_pool(&self, call: &mut Call) {
        if !call.checked || call.account_known {
            return;
        }
        let request = call.request().unwrap_or_default();
        let named = request["UserPoolId"].as_str();
        if let Some(pool) = named.and_then(|id| self.pools.get(id)) {
            call.scope = pool.scope;
            call.account_known = true;
        }
    }

    /// The resources that only the sandbox has: the journal, the codes that are not sent, the notifications to Jane, and a first
    /// sign-in with an external provider.
    async fn own(&self, path: &str, query: &str) -> Response<Body> {
        // A plus sign is not a space here: phone numbers start with one.
        let query = query.replace('+', "%2B");
        let parameter = |name: &str| wire::parameter(query.as_bytes(), name).unwrap_or_default();
        let missing = |error| wire::json(StatusCode::NOT_FOUND, &json!({ "error": error }));
        match path {
            "journal" => {
                let account = parameter("account");
                let account = Some(account.as_str()).filter(|account| !account.is_empty());
                let entries = self.journal.read(account);
                let entries: Vec<_> = entries.iter().map(Entry::to_json).collect();
                wire::json(StatusCode::OK, &json!(entries))
            }
            "codes" => match self.deliveries.code(&parameter("pool"), &parameter("user")) {
                Some(sent) => wire::json(
                    StatusCode::OK,
                    &json!({"code": sent.code, "medium": sent.medium, "destination": sent.destination}),
                ),
                None => missing("no code was sent"),
            },
            "jane" => wire::json(StatusCode::OK, &json!(self.jane.told())),
            "federated" => {
                let Some(pool) = self.pools.get(&parameter("pool")) else {
                    return missing("no such pool");
                };
                let (client, provider) = (parameter("client"), parameter("provider"));
                let (subject, email) = (parameter("subject"), parameter("email"));
                let new_users = self.new_users();
                let came = new_users
                    .first_federated(&pool, &client, &provider, &subject, &email)
                    .await;
                match came {
                    Ok(username) => wire::json(StatusCode::OK, &json!({ "username": username })),
                    Err(refusal) => refusal.into_answer("cognito-idp").into_response(),
                }
            }
            _ => missing("the sandbox has journal, codes, jane and federated here"),
        }
    }
}
