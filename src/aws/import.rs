//! User import jobs: their header, their state, their log, and the file that goes to the pre-signed URL.

use std::fmt;

use aws_sdk_cognitoidentityprovider::types::{PasswordHashingAlgorithmType, UserImportJobType};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use jane_migrate_core::aws_error::AwsError;
use jane_migrate_core::ids::PoolId;
use secrecy::zeroize::Zeroizing;
use serde_json::json;
use std::time::Duration;

use super::client::Reader;
use super::error::During;
use super::known::know;
use super::write::Writer;

/// The upload's name in errors: the URL authorizes it, not an IAM action.
const UPLOAD: &str = "s3:PutObject (pre-signed URL)";

/// A job, as described by Cognito.
#[derive(Debug, Clone)]
pub(crate) struct ImportJob {
    pub id: String,
    pub name: String,
    /// `Created`, `Pending` and so on.
    pub status: String,
    pub imported: u64,
    pub skipped: u64,
    pub failed: u64,
    /// The reason of its result.
    pub message: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
}

impl ImportJob {
    fn of(job: UserImportJobType) -> Self {
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        Self {
            id: job.job_id.unwrap_or_default(),
            name: job.job_name.unwrap_or_default(),
            status: job
                .status
                .map_or_else(String::new, |status| status.as_str().to_owned()),
            imported: count(job.imported_users),
            skipped: count(job.skipped_users),
            failed: count(job.failed_users),
            message: job.completion_message,
            created_ms: job
                .creation_date
                .and_then(|date| date.to_millis().ok())
                .unwrap_or_default(),
        }
    }

    /// Whether it imports users or is about to.
    pub(crate) fn is_active(&self) -> bool {
        ["Pending", "InProgress", "Stopping"].contains(&&*self.status)
    }

    /// How many rows have an outcome.
    pub(crate) fn rows(&self) -> u64 {
        self.imported + self.skipped + self.failed
    }
}

/// Where to upload the file. Anyone with this URL can upload another file, so it does not print.
pub(crate) struct Place(String);

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

/// The file of a job: only in memory, and wiped when no longer needed, except for the copies of the HTTP client. It holds hashes,
/// so it does not print.
pub(crate) struct ImportFile(Zeroizing<Vec<u8>>);

impl ImportFile {
    /// A file that begins with these bytes.
    pub(crate) fn new(head: &str) -> Self {
        Self(Zeroizing::new(head.as_bytes().to_vec()))
    }

    /// How large it is.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a row. If the buffer grows and moves, the old memory is wiped.
    pub(crate) fn push(&mut self, row: &[u8]) {
        if self.0.capacity() < self.0.len() + row.len() {
            let mut larger = Vec::with_capacity((self.0.capacity() * 2).max(1 << 20));
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(row);
    }
}

impl fmt::Debug for ImportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportFile({} bytes)", self.0.len())
    }
}

impl Reader {
    /// The columns of an import file, as the pool names them.
    pub(crate) async fn csv_header(&self, pool: &PoolId) -> Result<Vec<String>, AwsError> {
        let answer = self
            .cognito
            .get_csv_header()
            .user_pool_id(pool.as_str())
            .send()
            .await
            .during("cognito-idp:GetCSVHeader")?;
        Ok(answer.csv_header.unwrap_or_default())
    }

    /// The newest import jobs of the pool.
    pub(crate) async fn import_jobs(&self, pool: &PoolId) -> Result<Vec<ImportJob>, AwsError> {
        let answer = self
            .cognito
            .list_user_import_jobs()
            .user_pool_id(pool.as_str())
            .max_results(60)
            .send()
            .await
            .during("cognito-idp:ListUserImportJobs")?;
        let jobs = answer.user_import_jobs.unwrap_or_default();
        Ok(jobs.into_iter().map(ImportJob::of).collect())
    }

    /// The progress of a job.
    pub(crate) async fn import_job(
        &self,
        pool: &PoolId,
        job: &str,
    ) -> Result<Option<ImportJob>, AwsError> {
        let answer = self
            .cognito
            .describe_user_import_job()
            .user_pool_id(pool.as_str())
            .job_id(job)
            .send()
            .await
            .during("cognito-idp:DescribeUserImportJob")?;
        Ok(answer.user_import_job.map(ImportJob::of))
    }

    /// Reads each line of a job's log.
    pub(crate) async fn each_import_line(
        &self,
        group: &str,
        job: &ImportJob,
        mut each: impl FnMut(&str),
    ) -> Result<(), AwsError> {
        let stream = format!("{}/{}", job.id, job.name);
        let query = json!({
            "logGroupName": group,
            "logStreamNames": [stream],
            "startTime": job.created_ms - 60_000,
        });
        self.log_lines(query, |message| each(message)).await
    }
}

impl Writer {
    /// Creates a job; returns it with the URL for its file.
    pub(crate) async fn create_import_job(
        &self,
        pool: &PoolId,
        name: &str,
        role: &str,
        algorithm: Option<&str>,
    ) -> Result<(ImportJob, Place), AwsError> {
        let answer = self
            .cognito
            .create_user_import_job()
            .user_pool_id(pool.as_str())
            .job_name(name)
            .cloud_watch_logs_role_arn(role)
            .set_password_hashing_algorithm(algorithm.map(PasswordHashingAlgorithmType::from))
            .send()
            .await
            .during("cognito-idp:CreateUserImportJob")?;
        let mut job = answer.user_import_job.ok_or_else(|| {
            super::error::failed(
                "cognito-idp:CreateUserImportJob",
                jane_migrate_core::aws_error::Kind::NoAnswer,
                "unreadable answer",
                "there is no job in the answer",
            )
        })?;
        let url = job.pre_signed_url.take().unwrap_or_default();
        know(&url);
        Ok((ImportJob::of(job), Place(url)))
    }

    /// Starts a job after the upload of its file.
    pub(crate) async fn start_import_job(&self, pool: &PoolId, job: &str) -> Result<(), AwsError> {
        self.cognito
            .start_user_import_job()
            .user_pool_id(pool.as_str())
            .job_id(job)
            .send()
            .await
            .during("cognito-idp:StartUserImportJob")?;
        Ok(())
    }

    /// Uploads the file. The URL's signature covers the header field.
    pub(crate) async fn upload_import_file(
        &self,
        place: &Place,
        file: &ImportFile,
    ) -> Result<(), AwsError> {
        let _turn = self.uploads.acquire().await;
        let url = place.0.as_str();
        let start = url.find("://").map_or(0, |scheme| scheme + 3);
        let path = url[start..].find('/').map_or(url.len(), |at| start + at);
        let (host, path) = (url[..path].to_owned(), url[path..].to_owned());
        // A large file takes longer than the timeout of a call.
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(10));
        let mut operation = Operation::builder()
            .service_name("S3")
            .operation_name("PutObject")
            .endpoint_url(&host)
            .no_auth()
            .timeout_config(timeouts.build());
        if let Some(behaviour) = self.config.behavior_version() {
            operation = operation.behavior_version(behaviour);
        }
        if let Some(client) = self.config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(retries) = self.config.retry_config() {
            operation = operation.standard_retry(retries);
        }
        operation
            .serializer(move |file: Upload| {
                let length = file.0.len();
                let mut request = HttpRequest::new(SdkBody::from(file.0));
                request.set_method("PUT")?;
                request.set_uri(path.as_str())?;
                let headers = request.headers_mut();
                headers.insert("content-length", length.to_string());
                headers.insert("x-amz-server-side-encryption", "aws:kms");
                Ok(request)
            })
            .deserializer(uploaded)
            .build()
            .invoke(Upload(file.0.to_vec()))
            .await
            .during(UPLOAD)
    }
}

/// The bytes of a file during the upload. They do not print.
struct Upload(Vec<u8>);

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}

fn uploaded(answer: &HttpResponse) -> Result<(), OrchestratorError<ErrorMetadata>> {
    if answer.status().is_success() {
        return Ok(());
    }
    // S3 returns XML, of which only the code is used: the rest quotes the request.
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default()).into_owned();
    let code = body
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code.to_owned());
    let mut error = ErrorMetadata::builder();
    error = error.code(code.unwrap_or_else(|| format!("HTTP {}", answer.status().as_u16())));
    Err(OrchestratorError::operation(
        error
            .message("the file of the import was not accepted")
            .build(),
    ))
}
