//! A simulated Jane API: tokens, the calls of the directory, accounts of each kind, and faults on demand. It counts requests, and
//! keeps the notifications about users: the connections and the new accounts.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::lock::lock;
use crate::wire::{self, Body, Hangup, Server};

const DIRECTORY: &str = "/roots/store_operations_api/v1/cognito/";
const BODY_LIMIT: usize = 64 * 1024;

/// A call of the Jane API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JaneCall {
    /// `POST /oauth/token`
    Token,
    /// `POST .../user_exists`
    UserExists,
    /// `POST .../verify_credentials`
    VerifyCredentials,
    /// `POST .../user_can_reset_password`
    UserCanResetPassword,
    /// `GET .../app_clients/{id}`
    AppClients,
    /// `POST .../ensure_external_user_exists`
    EnsureExternalUserExists,
    /// `POST .../create_user`
    CreateUser,
    /// `POST .../validate_user`
    ValidateUser,
    /// `POST .../verify_sso_user`
    VerifySsoUser,
}

impl JaneCall {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Token,
        Self::UserExists,
        Self::VerifyCredentials,
        Self::UserCanResetPassword,
        Self::AppClients,
        Self::EnsureExternalUserExists,
        Self::CreateUser,
        Self::ValidateUser,
        Self::VerifySsoUser,
    ];
}

/// A fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Never responds.
    Hang,
    /// Responds late, without another fault.
    Slow(Duration),
    /// Responds with this status, and an internal error in the body.
    Status(u16),
    /// Responds 200 with a body that is not JSON.
    Garbage,
    /// Closes the connection without a response.
    Reset,
    /// Redirects to another host.
    Redirect,
    /// Responds 200 with an endless body.
    Huge,
}

/// The kind of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A marketplace account, which belongs to no store.
    Marketplace,
    /// A store account with a password.
    Password,
    /// A store account that signs in through Google or Apple and may set a password.
    Sso,
    /// A store account that signs in through Google or Apple and may not set a password.
    SsoRefused,
}

/// An account of the simulated Jane.
#[derive(Clone)]
pub struct Account {
    /// Its kind.
    pub kind: AccountKind,
    /// Its e-mail address.
    pub email: String,
    /// Its password; an account that signs in through Google or Apple has none.
    pub password: Option<String>,
    /// The `user` of `verify_credentials`.
    pub user: Value,
}

impl Account {
    /// An account with the usual profile fields.
    pub fn new(kind: AccountKind, email: &str, password: Option<&str>) -> Self {
        Self {
            kind,
            email: email.to_owned(),
            password: password.map(str::to_owned),
            user: json!({
                "email": email,
                "nickname": "",
                "phone": "2065550100",
                "first_name": "Demo",
                "last_name": "Customer",
                "name": null,
                "birth_date": "1990-01-31",
                "created_at": "2019-06-01T12:00:00Z",
            }),
        }
    }
}

/// The simulated Jane. It stops when this is dropped.
pub struct JaneDirectory {
    state: Arc<State>,
    server: Server,
}

struct State {
    client_id: String,
    client_secret: String,
    inner: Mutex<Inner>,
    told: Told,
}

struct Inner {
    accounts: HashMap<String, Account>,
    clients: HashMap<String, Value>,
    tokens: HashMap<String, Instant>,
    token_life: Duration,
    says_expiry: bool,
    faults: HashMap<JaneCall, Fault>,
    counts: HashMap<JaneCall, usize>,
}

/// The notifications about users, in order: `{"call", "body"}`.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<Value>>>);

impl Told {
    /// Enough for any test run, and a limit for a sandbox that runs for days.
    const LIMIT: usize = 10_000;

    /// All notifications so far.
    pub fn told(&self) -> Vec<Value> {
        lock(&self.0).clone()
    }

    fn keep(&self, call: &str, body: &Value) {
        let mut told = lock(&self.0);
        if told.len() == Self::LIMIT {
            told.drain(..Self::LIMIT / 2);
        }
        told.push(json!({"call": call, "body": body}));
    }
}

impl JaneDirectory {
    /// Serves on a free loopback port.
    pub async fn start() -> Result<Self> {
        let state = Arc::new(State {
            client_id: "sandbox-client".to_owned(),
            client_secret: random(32),
            inner: Mutex::new(Inner {
                accounts: HashMap::new(),
                clients: HashMap::new(),
                tokens: HashMap::new(),
                token_life: Duration::from_secs(7200),
                says_expiry: true,
                faults: HashMap::new(),
                counts: HashMap::new(),
            }),
            told: Told::default(),
        });
        let serving = state.clone();
        let server = Server::serve(Server::bind(0).await?, move |request| {
            let state = serving.clone();
            async move { state.answer(request).await }
        })?;
        Ok(Self { state, server })
    }

    /// The API's base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The client id that gets a token.
    pub fn client_id(&self) -> &str {
        &self.state.client_id
    }

    /// The client secret for that id.
    pub fn client_secret(&self) -> &str {
        &self.state.client_secret
    }

    /// Adds an account, or replaces the one with the same address.
    pub fn add_account(&self, account: Account) {
        self.state
            .lock()
            .accounts
            .insert(account.email.to_lowercase(), account);
    }

    /// Registers an app client with its pool and Region. Users who sign up with it are confirmed without a code.
    pub fn register_client(&self, app_client_id: &str, pool_id: &str, region: &str) {
        self.register_client_that(app_client_id, pool_id, region, true);
    }

    /// The same, with the choice whether users who sign up are confirmed without a code.
    pub fn register_client_that(
        &self,
        app_client_id: &str,
        pool_id: &str,
        region: &str,
        auto_confirm_email: bool,
    ) {
        let client = json!({
            "id": 1,
            "operator_id": 1,
            "pool_id": pool_id,
            "region": region,
            "app_client_id": app_client_id,
            "auto_confirm_email": auto_confirm_email,
        });
        self.state
            .lock()
            .clients
            .insert(app_client_id.to_owned(), client);
    }

    /// Sets the fault of `call` from now on; `None` ends it.
    pub fn set_fault(&self, call: JaneCall, fault: Option<Fault>) {
        let mut inner = self.state.lock();
        match fault {
            Some(fault) => inner.faults.insert(call, fault),
            None => inner.faults.remove(&call),
        };
    }

    /// Sets the fault of every call from now on; `None` ends it.
    pub fn set_fault_everywhere(&self, fault: Option<Fault>) {
        for call in JaneCall::ALL {
            self.set_fault(call, fault);
        }
    }

    /// The lifetime of tokens issued from now on, and whether the response contains it.
    pub fn set_token_life(&self, life: Duration, say: bool) {
        let mut inner = self.state.lock();
        inner.token_life = life;
        inner.says_expiry = say;
    }

    /// Revokes every token issued so far.
    pub fn revoke_tokens(&self) {
        self.state.lock().tokens.clear();
    }

    /// The notifications about users.
    pub fn told(&self) -> Told {
        self.state.told.clone()
    }

    /// How often `call` was made, whether it succeeded or failed.
    pub fn count(&self, call: JaneCall) -> usize {
        self.state.lock().counts.get(&call).copied().unwrap_or(0)
    }
}

type Answered = (StatusCode, Value);

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let call = match (parts.method, path.strip_prefix(DIRECTORY)) {
            (Method::POST, None) if path == "/oauth/token" => JaneCall::Token,
            (Method::POST, Some("user_exists")) => JaneCall::UserExists,
            (Method::POST, Some("verify_credentials")) => JaneCall::VerifyCredentials,
            (Method::POST, Some("user_can_reset_password")) => JaneCall::UserCanResetPassword,
            (Method::GET, Some(rest)) if rest.starts_with("app_clients/") => JaneCall::AppClients,
            (Method::POST, Some("ensure_external_user_exists")) => {
                JaneCall::EnsureExternalUserExists
            }
            (Method::POST, Some("create_user")) => JaneCall::CreateUser,
            (Method::POST, Some("validate_user")) => JaneCall::ValidateUser,
            (Method::POST, Some("verify_sso_user")) => JaneCall::VerifySsoUser,
            _ => {
                let error = json!({"error": "not found"});
                return Ok(wire::json(StatusCode::NOT_FOUND, &error));
            }
        };
        let fault = {
            let mut inner = self.lock();
            *inner.counts.entry(call).or_default() += 1;
            inner.faults.get(&call).copied()
        };
        if let Some(fault) = fault {
            match fault {
                Fault::Slow(delay) => tokio::time::sleep(delay).await,
                fault => return broken(fault).await,
            }
        }
        let body = wire::read(body, BODY_LIMIT).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let authorization = wire::header(&parts.headers, "authorization");
        let (status, answer) = match call {
            JaneCall::Token => self.token(authorization, &body),
            _ if !self.knows_token(authorization) => {
                (StatusCode::UNAUTHORIZED, json!({"error": "invalid_token"}))
            }
            JaneCall::AppClients => self.app_client(path),
            JaneCall::EnsureExternalUserExists | JaneCall::CreateUser => self.tell(path, &body),
            JaneCall::ValidateUser => validate(&body),
            call => self.user(call, &body),
        };
        Ok(wire::json(status, &answer))
    }

    fn token(&self, authorization: Option<&str>, body: &Value) -> Answered {
        let wanted = BASE64_STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        if authorization.and_then(|value| value.strip_prefix("Basic ")) != Some(&wanted) {
            return (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}));
        }
        if body["grant_type"] != "client_credentials" {
            let error = json!({"error": "unsupported_grant_type"});
            return (StatusCode::BAD_REQUEST, error);
        }
        let token = random(43);
        let mut inner = self.lock();
        let life = inner.token_life;
        inner.tokens.insert(token.clone(), Instant::now() + life);
        let mut answer = json!({"access_token": token, "token_type": "Bearer", "scope": "public"});
        if inner.says_expiry {
            answer["expires_in"] = json!(life.as_secs());
        }
        (StatusCode::OK, answer)
    }

    fn knows_token(&self, authorization: Option<&str>) -> bool {
        let token = authorization
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        self.lock()
            .tokens
            .get(token)
            .is_some_and(|expires| Instant::now() < *expires)
    }

    fn app_client(&self, path: &str) -> Answered {
        let id = path.rsplit('/').next().unwrap_or_default();
        match self.lock().clients.get(id) {
            Some(client) => (StatusCode::OK, client.clone()),
            None => not_found("App client not found"),
        }
    }

    /// Keeps a notification about a user, if it names the user.
    fn tell(&self, path: &str, body: &Value) -> Answered {
        let call = path.rsplit('/').next().unwrap_or_default();
        let named = ["pool_id", "external_id", "email"].iter().all(|member| {
            let text = body[*member].as_str();
            text.is_some_and(|text| !text.is_empty())
        });
        if !named || !body["user_attributes"].is_object() {
            let errors = json!({"errors": "Missing parameters"});
            return (StatusCode::UNPROCESSABLE_ENTITY, errors);
        }
        self.told.keep(call, body);
        (StatusCode::OK, json!({}))
    }

    fn user(&self, call: JaneCall, body: &Value) -> Answered {
        let inner = self.lock();
        let email = body["email"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_lowercase();
        let client = body["app_client_id"].as_str().unwrap_or_default();
        let nobody = || not_found("User not found");
        let Some(account) = inner.accounts.get(&email) else {
            return nobody();
        };
        if call == JaneCall::VerifyCredentials {
            // The store does not matter for this call: a marketplace account has valid credentials too.
            return match (&account.password, body["password"].as_str()) {
                (None, _) if account.kind == AccountKind::SsoRefused => nobody(),
                (Some(password), Some(sent)) if password == sent => {
                    (StatusCode::OK, json!({"user": account.user}))
                }
                _ => {
                    let errors = json!({"errors": "Invalid email or password"});
                    (StatusCode::UNAUTHORIZED, errors)
                }
            };
        }
        if call == JaneCall::VerifySsoUser {
            let provider = body["user_attributes"]["identities"].is_array();
            let sso = matches!(account.kind, AccountKind::Sso | AccountKind::SsoRefused);
            return match sso && provider && inner.clients.contains_key(client) {
                true => (StatusCode::OK, json!({"user": account.user})),
                false => nobody(),
            };
        }
        match account.kind {
            AccountKind::Marketplace => nobody(),
            _ if !inner.clients.contains_key(client) => nobody(),
            AccountKind::SsoRefused if call == JaneCall::UserCanResetPassword => {
                not_found("Please sign in with your Google account")
            }
            _ => (StatusCode::OK, json!({})),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// Whether a user may sign up. Jane's own rule depends on the store and the day; this one does not.
fn validate(body: &Value) -> Answered {
    match body["birth_date"].as_str() {
        Some(day) if day >= "2010-01-01" => {
            let errors = json!({"errors": {"birth_date": ["must be before 2010"]}});
            (StatusCode::BAD_REQUEST, errors)
        }
        _ => (StatusCode::OK, json!({})),
    }
}

fn not_found(errors: &str) -> Answered {
    (StatusCode::NOT_FOUND, json!({ "errors": errors }))
}

async fn broken(fault: Fault) -> Result<Response<Body>, Hangup> {
    match fault {
        Fault::Hang | Fault::Slow(_) => pending().await,
        Fault::Reset => Err(Hangup),
        Fault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let error = json!({"error": "PG::ConnectionBad: could not connect to server"});
            Ok(wire::json(status, &error))
        }
        Fault::Garbage => Ok(Response::new(wire::full(
            "<html><title>Maintenance</title></html>",
        ))),
        Fault::Redirect => {
            let mut response = Response::new(wire::full(""));
            *response.status_mut() = StatusCode::FOUND;
            let elsewhere = HeaderValue::from_static("https://elsewhere.invalid/");
            response.headers_mut().insert(LOCATION, elsewhere);
            Ok(response)
        }
        Fault::Huge => Ok(Response::new(endless())),
    }
}

/// An endless body.
fn endless() -> Body {
    static SPACES: [u8; 65_536] = [b' '; 65_536];
    let spaces = || Ok(Frame::data(Bytes::from_static(&SPACES)));
    Body::new(StreamBody::new(stream::iter(std::iter::repeat_with(
        spaces,
    ))))
}

/// Random letters and digits.
fn random(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(length)
        .collect()
}
