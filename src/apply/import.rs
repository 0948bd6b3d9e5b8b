//! Runs import jobs: the role for the log, a job with its file, the wait, and the log's outcome of each row. Which users are in a
//! file is decided elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Interrupt;
use crate::aws::{ImportFile, ImportJob, Reader, Writer};
use crate::error::{Context, Error, Result};
use crate::host::{Instant, sleep};
use jane_migrate_core::aws_error::Kind;
use jane_migrate_core::ids::{Names, ROLE_POLICY, import_log_group};
use jane_migrate_core::import::Batch;
use jane_migrate_core::import::log::{self, Outcome};
use jane_migrate_core::permission::COGNITO;
use jane_migrate_core::resources::{Role, Tags, tag};

/// The prefix of this program's job names.
const PREFIX: &str = "jane-migrate-";

/// How long until Cognito can assume a new role.
const PROPAGATION: Duration = Duration::from_secs(60);

/// How long the log may lag behind the job.
const LAG: Duration = Duration::from_secs(30);

/// The longest pause between two looks at a job.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Imports users into one pool.
pub(crate) struct Importer<'a> {
    reader: &'a Reader,
    writer: Writer,
    names: &'a Names,
    /// The log group of its jobs.
    group: String,
    interrupt: &'a Interrupt,
    tell: &'a (dyn Fn(&str) + Sync),
}

/// The role that writes the log.
pub(crate) struct LogRole {
    arn: String,
    /// When this run made it.
    made: Option<Instant>,
    /// This program created it, and removes it.
    ours: bool,
}

/// A job that ended, or that the run no longer waits for.
pub(crate) struct Ran {
    pub job: ImportJob,
    /// The outcome of each row, if the log has one.
    pub rows: Vec<Option<Outcome>>,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(
        reader: &'a Reader,
        names: &'a Names,
        pool_name: &str,
        interrupt: &'a Interrupt,
        tell: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        Self {
            writer: Writer::new(reader),
            group: import_log_group(&names.pool.id, pool_name),
            reader,
            names,
            interrupt,
            tell,
        }
    }

    /// Waits for a job that an earlier run of this program left. Returns whether the run was stopped meanwhile.
    pub(crate) async fn wait_for_earlier(&self) -> Result<bool> {
        let pool = &self.names.pool.id;
        let jobs = self.reader.import_jobs(pool).await?;
        let Some(job) = jobs.into_iter().find(ImportJob::is_active) else {
            return Ok(false);
        };
        if !job.name.starts_with(PREFIX) {
            return Err(Error::new(
                format!("the import job {} ({}) is running, and Cognito runs one at a time", job.name, job.id),
                "wait until it has ended, or stop it in the console (Users, Import users), then run the command again",
            )
            .context("nothing was imported"));
        }
        (self.tell)("waiting for the job that an earlier run started");
        Ok(self.ended(job).await?.is_active())
    }

    /// The role for the log: the given one, or a new one of ours with this permissions boundary.
    pub(crate) async fn role(
        &self,
        given: Option<&str>,
        boundary: Option<&str>,
    ) -> Result<LogRole> {
        if let Some(arn) = given {
            return Ok(LogRole {
                arn: arn.to_owned(),
                made: None,
                ours: false,
            });
        }
        let name = &self.names.import_role;
        let pool = self.names.pool.to_string();
        let found = self.reader.role_settings(name).await?;
        let made = match &found {
            Some(role) if role.tags.get(tag::POOL) == Some(&pool) => None,
            Some(_) => {
                return Err(Error::new(
                    format!("there is a role {name} that this program did not make"),
                    "name a role for the log as role_arn under [import], or delete that role",
                )
                .context("nothing was imported"));
            }
            None => {
                (self.tell)("creating the role for the log");
                let role = Role {
                    name: name.clone(),
                    path: self.names.import_path.clone(),
                    trust: trust(),
                    policies: BTreeMap::new(),
                    attached: Vec::new(),
                    boundary: boundary.map(str::to_owned),
                    id: None,
                    tags: Tags::from([(tag::POOL.to_owned(), pool)]),
                };
                let described =
                    "Lets Cognito write the log of an import; made and removed by jane-migrate";
                self.writer.create_role(&role, described).await?;
                Some(Instant::now())
            }
        };
        let policy = self.policy();
        self.writer
            .put_role_policy(name, ROLE_POLICY, &policy)
            .await?;
        Ok(LogRole {
            arn: self.names.import_role_arn.clone(),
            made,
            ours: true,
        })
    }

    /// Removes a role of our own, also one that an earlier run left.
    pub(crate) async fn remove_role(&self, role: &LogRole) -> Result<()> {
        if !role.ours {
            return Ok(());
        }
        let name = &self.names.import_role;
        self.writer.delete_role_policy(name, ROLE_POLICY).await?;
        self.writer.delete_role(name).await?;
        Ok(())
    }

    /// The role of our own that an earlier run left, if there is one.
    pub(crate) async fn left_role(&self) -> Result<Option<LogRole>> {
        let found = self.reader.role_settings(&self.names.import_role).await?;
        let pool = self.names.pool.to_string();
        let ours = found.is_some_and(|role| role.tags.get(tag::POOL) == Some(&pool));
        Ok(ours.then(|| LogRole {
            arn: self.names.import_role_arn.clone(),
            made: None,
            ours: true,
        }))
    }

    /// Runs one job with this many rows.
    pub(crate) async fn run(
        &self,
        batch: Batch,
        number: usize,
        role: &LogRole,
        file: &ImportFile,
        rows: usize,
    ) -> Result<Ran> {
        let pool = &self.names.pool.id;
        let name = match batch.algorithm() {
            Some(kind) => format!("{PREFIX}{kind}-{number}"),
            None => format!("{PREFIX}reset-{number}"),
        };
        loop {
            let created = self
                .writer
                .create_import_job(pool, &name, &role.arn, batch.algorithm())
                .await;
            let (job, place) = created.map_err(|error| {
                // The code of this error is not documented.
                let refused = batch.algorithm().is_some() && error.kind == Kind::Refused;
                let error = Error::from(error);
                match refused {
                    true => error.hint("where the pool does not take hashes yet (its import page in the console then shows no hashing algorithm), do not import, and let customers migrate by signing in"),
                    false => error,
                }
            })?;
            (self.tell)(&format!("uploading the file of job {name}"));
            self.writer
                .upload_import_file(&place, file)
                .await
                .context("failed to upload the file of the import; nothing of it was imported")?;
            let started = self.writer.start_import_job(pool, &job.id).await;
            started.map_err(|error| {
                Error::from(error)
                    .hint("only one import job runs at a time in an account: wait for another pool's to end, then run the command again")
                    .context(format!("failed to start import job {name}"))
            })?;
            let job = self.ended(job).await?;
            if job.is_active() {
                return Ok(Ran {
                    rows: vec![None; rows],
                    job,
                });
            }
            // A role that IAM has not propagated yet fails the job before the first row.
            let fresh = role.made.is_some_and(|made| made.elapsed() < PROPAGATION);
            if job.status == "Failed" && job.rows() == 0 && fresh {
                (self.tell)("waiting for IAM propagation");
                sleep(Duration::from_secs(2)).await;
                if self.interrupt.requested().is_none() {
                    continue;
                }
            }
            let rows = self.outcomes(&job, rows).await?;
            return Ok(Ran { job, rows });
        }
    }

    /// The job once it has ended, or as it is when the run is stopped.
    async fn ended(&self, mut job: ImportJob) -> Result<ImportJob> {
        let mut pause = Duration::from_millis(200);
        loop {
            let shown = self.reader.import_job(&self.names.pool.id, &job.id).await?;
            job = shown.unwrap_or(job);
            // `Created` is not started: the response may be from before the start.
            if !job.is_active() && job.status != "Created" {
                return Ok(job);
            }
            (self.tell)(&format!(
                "job {}: {} imported, {} skipped, {} failed",
                job.name, job.imported, job.skipped, job.failed
            ));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.interrupt.wait() => {
                    job.status = "InProgress".to_owned();
                    return Ok(job);
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The log's outcome of each row, once the log has as many lines as the job has rows.
    async fn outcomes(&self, job: &ImportJob, rows: usize) -> Result<Vec<Option<Outcome>>> {
        let deadline = Instant::now() + LAG;
        loop {
            let mut lines = BTreeMap::new();
            let read = self.reader.each_import_line(&self.group, job, |message| {
                lines.extend(log::parse(message))
            });
            read.await.with_context(|| {
                format!(
                    "failed to read the log of import job {} in `{}`",
                    job.name, self.group
                )
            })?;
            if lines.len() as u64 >= job.rows() || Instant::now() > deadline {
                return Ok(log::of_rows(rows, &lines));
            }
            (self.tell)("waiting for the job's log");
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn policy(&self) -> Value {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": [
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ],
                "Resource": format!("{}*", self.names.import_log_arn),
            }],
        })
    }
}

/// As in Cognito's developer guide.
fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": COGNITO },
            "Action": "sts:AssumeRole",
        }],
    })
}
