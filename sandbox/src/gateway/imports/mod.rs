//! User import jobs: the header, the job and its statuses, the upload to the pre-signed URL, the users, and the log. Follows the
//! API model and the developer guide; [`ImportRules`] has what these leave open.

mod csv;
mod hash;
mod users;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) use self::hash::Imported;
use self::hash::{KINDS, Kind};
use super::iam::Identities;
use super::json::{one_of, required, violation};
use super::pool::{Pool, Pools};
use crate::lock::lock;
use crate::wire::{Answer, Body, Call, Refusal, Scope, Upstream, full, header};

/// Where the upload goes, below the endpoint.
pub(crate) const UPLOADS: &str = "/aws-cognito-idp-user-import/";

/// How long a pre-signed URL is valid.
const URL_LASTS: Duration = Duration::from_secs(15 * 60);

/// The statuses of a job that was started and has not ended.
const ACTIVE: [&str; 3] = ["Pending", "InProgress", "Stopping"];

/// The column of the hashes.
const HASH_COLUMN: &str = "password_hash";

/// What the documentation leaves open about imports into a pool.
#[derive(Clone, Copy, Debug)]
pub struct ImportRules {
    /// Whether GetCSVHeader lists the column of the hashes: according to the guide, the console's template does.
    pub hash_column_listed: bool,
    /// Whether the pool is on the infrastructure that accepts hashes.
    pub takes_hashes: bool,
    /// The number of the first user's line in the log.
    pub first_line: u64,
    /// How long a job stays pending.
    pub pending: Duration,
    /// The minimum time for the import of one user.
    pub per_user: Duration,
}

impl Default for ImportRules {
    fn default() -> Self {
        Self {
            hash_column_listed: true,
            takes_hashes: true,
            first_line: 2,
            pending: Duration::from_millis(100),
            per_user: Duration::ZERO,
        }
    }
}

/// The jobs of all pools.
pub(crate) struct Imports {
    upstream: Arc<Upstream>,
    /// In the order in which they were created.
    jobs: Mutex<Vec<Job>>,
    rules: Mutex<HashMap<String, ImportRules>>,
    /// The hashes of users who have not signed in since, by pool and `sub`.
    hashes: Mutex<HashMap<(String, String), Imported>>,
}

#[derive(Clone)]
struct Job {
    id: String,
    name: String,
    pool: String,
    scope: Scope,
    kind: Option<(&'static str, Kind)>,
    role: String,
    url: String,
    signature: String,
    file: Option<Bytes>,
    status: &'static str,
    created: f64,
    started: Option<f64>,
    completed: Option<f64>,
    message: Option<&'static str>,
    imported: u64,
    skipped: u64,
    failed: u64,
}

impl Job {
    fn described(&self) -> Value {
        let mut shown = json!({
            "JobName": self.name,
            "JobId": self.id,
            "UserPoolId": self.pool,
            "PreSignedUrl": self.url,
            "CreationDate": self.created,
            "Status": self.status,
            "CloudWatchLogsRoleArn": self.role,
            "ImportedUsers": self.imported,
            "SkippedUsers": self.skipped,
            "FailedUsers": self.failed,
        });
        for (member, at) in [
            ("StartDate", self.started),
            ("CompletionDate", self.completed),
        ] {
            if let Some(at) = at {
                shown[member] = json!(at);
            }
        }
        if let Some(message) = self.message {
            shown["CompletionMessage"] = json!(message);
        }
        if let Some((name, _)) = self.kind {
            shown["PasswordHashingAlgorithm"] = json!(name);
        }
        shown
    }

    fn is_active(&self) -> bool {
        ACTIVE.contains(&self.status)
    }
}

/// Seconds since 1970, with three decimals.
fn now() -> f64 {
    millis() as f64 / 1000.0
}

fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}

fn unmet(message: &str) -> Refusal {
    Refusal::new("PreconditionNotMetException", message)
}

impl Imports {
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self {
            upstream,
            jobs: Mutex::default(),
            rules: Mutex::default(),
            hashes: Mutex::default(),
        }
    }

    /// Sets the rules of one pool.
    pub fn set_rules(&self, pool: &str, rules: ImportRules) {
        lock(&self.rules).insert(pool.to_owned(), rules);
    }

    fn rules(&self, pool: &str) -> ImportRules {
        lock(&self.rules).get(pool).copied().unwrap_or_default()
    }

    /// Rejects an update of a pool during an import.
    pub fn allow_update(&self, pool: &str) -> Result<(), Refusal> {
        let busy = |job: &Job| job.pool == pool && job.is_active();
        match lock(&self.jobs).iter().any(busy) {
            true => Err(Refusal::new(
                "UserImportInProgressException",
                "A user import job is in progress for this user pool.",
            )),
            false => Ok(()),
        }
    }

    /// The hash with which this user was imported, if it has not been used yet.
    pub fn hash(&self, pool: &str, sub: &str) -> Option<Imported> {
        let key = (pool.to_owned(), sub.to_owned());
        lock(&self.hashes).get(&key).cloned()
    }

    /// The user now has a password in the pool.
    pub fn forget_hash(&self, pool: &str, sub: &str) {
        lock(&self.hashes).remove(&(pool.to_owned(), sub.to_owned()));
    }

    /// The calls about imports.
    pub async fn answer(
        self: &Arc<Self>,
        call: &Call,
        pools: &Pools,
        identities: &Arc<Identities>,
    ) -> Result<Answer, Refusal> {
        self.upstream.permit(call).await?;
        let request = call.request()?;
        let pool = pools.named(call, &request)?;
        let shown = match call.action.as_str() {
            "GetCSVHeader" => {
                return Ok(Answer::json(&json!({
                    "UserPoolId": pool.id,
                    "CSVHeader": self.header(&pool).await?,
                })));
            }
            "ListUserImportJobs" => return self.list(&pool, &request),
            "CreateUserImportJob" => self.create(call, &pool, &request)?,
            "DescribeUserImportJob" => self.job(&pool, &request)?.described(),
            "StartUserImportJob" => self.start(&pool, &request, identities)?,
            _ => self.stop(&pool, &request)?,
        };
        Ok(Answer::json(&json!({ "UserImportJob": shown })))
    }

    /// The pool's own header.
    async fn header(&self, pool: &Pool) -> Result<Vec<String>, Refusal> {
        let emulated = pool.emulated(&self.upstream).await?;
        let schema = emulated["SchemaAttributes"].as_array();
        let names = schema.into_iter().flatten();
        let mut header: Vec<String> = names
            .filter_map(|attribute| attribute["Name"].as_str())
            .filter(|name| !["sub", "identities"].contains(name))
            .map(str::to_owned)
            .collect();
        header.extend(["cognito:mfa_enabled", "cognito:username"].map(str::to_owned));
        if self.rules(&pool.id).hash_column_listed {
            header.push(HASH_COLUMN.to_owned());
        }
        Ok(header)
    }

    fn list(&self, pool: &Pool, request: &Value) -> Result<Answer, Refusal> {
        let most = request["MaxResults"].as_u64();
        let most = most.ok_or_else(|| super::json::missing("maxResults"))?;
        if !(1..=60).contains(&most) {
            return Err(violation(
                most,
                "maxResults",
                "Member must be between 1 and 60",
            ));
        }
        let token = request["PaginationToken"].as_str();
        let from = match token.map(str::parse::<usize>) {
            None => 0,
            Some(Ok(from)) => from,
            Some(Err(_)) => return Err(Refusal::invalid("Invalid pagination token")),
        };
        let jobs = lock(&self.jobs);
        let of_pool: Vec<_> = jobs
            .iter()
            .rev()
            .filter(|job| job.pool == pool.id)
            .collect();
        let to = (from + most as usize).min(of_pool.len());
        let page = of_pool.get(from..to).unwrap_or_default();
        let listed: Vec<_> = page.iter().map(|job| job.described()).collect();
        let mut shown = json!({ "UserImportJobs": listed });
        if to < of_pool.len() {
            shown["PaginationToken"] = json!(to.to_string());
        }
        Ok(Answer::json(&shown))
    }

    fn create(&self, call: &Call, pool: &Pool, request: &Value) -> Result<Value, Refusal> {
        let name = required(request, "JobName")?;
        let known = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_+=,.@-".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(known) {
            return Err(violation(
                name,
                "jobName",
                "Member must satisfy regular expression pattern: [\\w\\s+=,.@-]+",
            ));
        }
        let role = required(request, "CloudWatchLogsRoleArn")?;
        let kind = match &request["PasswordHashingAlgorithm"] {
            Value::Null => None,
            asked => {
                let names = KINDS.map(|(name, _)| name);
                one_of(asked, "passwordHashingAlgorithm", &names)?;
                KINDS.into_iter().find(|(name, _)| asked == name)
            }
        };
        if kind.is_some() && !self.rules(&pool.id).takes_hashes {
            return Err(Refusal::new(
                "OperationNotEnabledException",
                "Password hash import is not available for this user pool.",
            ));
        }
        let letters = || fastrand::alphanumeric();
        let id: String = std::iter::repeat_with(letters).take(10).collect();
        let id = format!("import-{id}");
        let signature = format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        // The host of the caller's request, which may lead through a proxy.
        let host = header(&call.headers, "host").unwrap_or_default();
        let url = format!(
            "http://{host}{UPLOADS}{}/{id}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&\
             X-Amz-SignedHeaders=host%3Bx-amz-server-side-encryption&X-Amz-Signature={signature}",
            pool.id
        );
        let job = Job {
            id,
            name: name.to_owned(),
            pool: pool.id.clone(),
            scope: pool.scope.clone(),
            kind,
            role: role.to_owned(),
            url,
            signature,
            file: None,
            status: "Created",
            created: now(),
            started: None,
            completed: None,
            message: None,
            imported: 0,
            skipped: 0,
            failed: 0,
        };
        let shown = job.described();
        lock(&self.jobs).push(job);
        Ok(shown)
    }

    fn job(&self, pool: &Pool, request: &Value) -> Result<Job, Refusal> {
        let id = required(request, "JobId")?;
        let jobs = lock(&self.jobs);
        let found = jobs.iter().find(|job| job.pool == pool.id && job.id == id);
        found.cloned().ok_or_else(|| {
            let message = format!("User import job {id} does not exist.");
            Refusal::new("ResourceNotFoundException", message)
        })
    }

    /// Changes a job.
    fn edit(&self, id: &str, edit: impl FnOnce(&mut Job)) {
        if let Some(job) = lock(&self.jobs).iter_mut().find(|job| job.id == id) {
            edit(job);
        }
    }

    fn start(
        self: &Arc<Self>,
        pool: &Pool,
        request: &Value,
        identities: &Arc<Identities>,
    ) -> Result<Value, Refusal> {
        let job = self.job(pool, request)?;
        if job.status != "Created" {
            return Err(unmet("The user import job was started before."));
        }
        if job.file.is_none() {
            return Err(unmet("No file was uploaded for the user import job."));
        }
        let verified = &pool.settings["AutoVerifiedAttributes"];
        if verified.as_array().is_none_or(Vec::is_empty) {
            return Err(unmet(
                "The user pool must have at least one auto verified attribute.",
            ));
        }
        // "Only one import job can be active at a time per account."
        let busy = |other: &Job| other.scope == job.scope && other.is_active();
        if lock(&self.jobs).iter().any(busy) {
            return Err(unmet("Another user import job is active in this account."));
        }
        self.edit(&job.id, |job| {
            job.status = "Pending";
            job.started = Some(now());
        });
        let shown = self.job(pool, request)?.described();
        let (imports, pool, identities) = (self.clone(), pool.clone(), identities.clone());
        tokio::spawn(async move { imports.run(&pool, &job.id, &identities).await });
        Ok(shown)
    }

    fn stop(&self, pool: &Pool, request: &Value) -> Result<Value, Refusal> {
        let job = self.job(pool, request)?;
        if !["Pending", "InProgress"].contains(&job.status) {
            return Err(unmet("The user import job is not in progress."));
        }
        self.edit(&job.id, |job| job.status = "Stopping");
        Ok(self.job(pool, request)?.described())
    }

    fn ended(&self, id: &str, status: &'static str, message: Option<&'static str>) {
        self.edit(id, |job| {
            job.status = status;
            job.message = message;
            job.completed = Some(now());
            job.file = None;
        });
    }

    /// The upload, to which S3 responds.
    pub fn upload(&self, method: &Method, call: &Call) -> Response<Body> {
        let path = call.uri.path().strip_prefix(UPLOADS).unwrap_or_default();
        let encrypted = header(&call.headers, "x-amz-server-side-encryption") == Some("aws:kms");
        let signature = call.query("X-Amz-Signature").unwrap_or_default();
        let mut jobs = lock(&self.jobs);
        let job = jobs
            .iter_mut()
            .find(|job| path == format!("{}/{}", job.pool, job.id) && job.signature == signature);
        let status = match job {
            _ if method != Method::PUT => StatusCode::METHOD_NOT_ALLOWED,
            Some(job) if now() - job.created > URL_LASTS.as_secs_f64() => StatusCode::FORBIDDEN,
            // The header is one of those that the signature covers.
            Some(job) if encrypted && job.status == "Created" => {
                job.file = Some(call.body.clone());
                StatusCode::OK
            }
            _ => StatusCode::FORBIDDEN,
        };
        let body = match status {
            StatusCode::OK => "",
            _ => {
                "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>Forbidden</Message></Error>"
            }
        };
        let mut response = Response::new(full(body));
        *response.status_mut() = status;
        response
    }
}
