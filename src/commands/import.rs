//! `import`: imports the users that the directory has and the pool does not, with import jobs. Without `--yes` it only plans. The
//! pool itself is the record of what was done, so a run continues where an earlier one was stopped, and imports no user twice.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

use super::many::{Ending, Endings};
use super::session::{Operator, Taking};
use crate::apply::holding;
use crate::apply::import::{Importer, LogRole};
use crate::aws::{Connections, ImportFile, Reader};
use crate::cli::{Global, Import};
use crate::error::{Error, Result};
use crate::listing;
use crate::remaining::{Lists, Person, Place};
use crate::settings::{self, Target};
use crate::ui::Ui;
use crate::ui::census::sentences;
use crate::ui::error::told;
use crate::ui::numbers::thousands;
use jane_migrate_core::ids::Names;
use jane_migrate_core::import::Batch;
use jane_migrate_core::import::census::Census;
use jane_migrate_core::import::index::{Index, Names as Seen};
use jane_migrate_core::import::log::Outcome;
use jane_migrate_core::import::sheet::{Columns, MOST_BYTES, MOST_ROWS};

/// The result for a pool.
#[derive(Debug, Default, Serialize)]
struct Document {
    pool: String,
    /// No user was imported.
    dry_run: bool,
    /// The count before.
    before: Census,
    /// The jobs, planned or run.
    jobs: Vec<Job>,
    /// Users who were imported with their password.
    with_password: u64,
    /// Users who were imported and must set a new one.
    must_reset: u64,
    /// Rows of users that the pool already had.
    skipped: u64,
    /// Users who were not imported, by reason.
    failed: BTreeMap<String, u64>,
    /// The count afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Census>,
    /// The run was stopped.
    interrupted: bool,
    /// What stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// One job.
#[derive(Debug, Clone, Serialize)]
struct Job {
    /// The kind of its hashes, by its name in the API; none if users must reset.
    algorithm: Option<&'static str>,
    users: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

pub(super) async fn run(global: &Global, args: &Import, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    let several = targets.len() > 1;
    if several && args.from.is_some() {
        return Err(Error::new(
            "--from is the directory of one pool, and there are several",
            "name the pool with --pool",
        ));
    }
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let operator = Operator::listen(several, ui)?;
    let connections = Connections::default();
    // Sequentially: Cognito runs one import job at a time.
    for target in targets {
        let pool = target.pool.clone();
        let mut run = match Run::begin(&target, args, &connections, ui).await {
            Ok(run) => run,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        run.show_plan();
        let ran = match args.yes {
            true => run.all(&operator).await,
            false => Ok(()),
        };
        let command = |args: &str| target.given.ours(args, pool.as_str());
        let failed = ran.is_err();
        if let Err(error) = ran {
            run.document.error = serde_json::to_value(told(&error, &ui.given)).ok();
            ui.error(&error.or_hint(format!(
                "`{}` continues: it leaves users who are in the pool as they are",
                command(&args.again())
            )));
        }
        run.show_end(&command);
        let document = run.document;
        let ending = match () {
            () if failed => Ending::Failed,
            () if document.interrupted => Ending::Interrupted,
            () if document.dry_run => Ending::Nothing,
            () if !document.failed.is_empty() => Ending::Failed,
            () => Ending::Done,
        };
        endings.ended(pool, &document, ending)?;
    }
    endings.finish()
}

/// The import into one pool.
struct Run<'a> {
    target: &'a Target,
    args: &'a Import,
    aws: Reader,
    lists: Lists,
    names: Names,
    header: Vec<String>,
    index: Index,
    document: Document,
    ui: &'a Ui,
}

/// The rows of one file.
struct Sheet {
    batch: Batch,
    file: ImportFile,
    names: Vec<String>,
}

impl<'a> Run<'a> {
    /// Reads both lists and counts the users.
    async fn begin(
        target: &'a Target,
        args: &'a Import,
        connections: &Connections,
        ui: &'a Ui,
    ) -> Result<Self> {
        let lists = Lists::open(target, args.from.as_deref(), connections).await?;
        let aws = connections.get(&target.connection).await;
        let arn = lists.document.arn().parse();
        let arn = arn.map_err(|_| Error::bug("the pool's ARN cannot be read"))?;
        let names = Names::configured(arn, Some(&target.required()?.function));
        if lists.auto_verified.is_empty() {
            return Err(Error::new(
                "the pool verifies neither email addresses nor phone numbers by itself, and Cognito starts no import without",
                "set AutoVerifiedAttributes of the pool (Sign-up, attribute verification), then run the command again",
            )
            .context("nothing was imported"));
        }
        let header = aws.csv_header(&target.pool).await?;
        let index = lists.index(false, None, ui).await?;
        let mut run = Self {
            document: Document {
                pool: target.pool.to_string(),
                dry_run: !args.yes,
                ..Document::default()
            },
            target,
            args,
            aws,
            lists,
            names,
            header,
            index,
            ui,
        };
        let everyone = &mut |_| ControlFlow::Continue(());
        run.document.before = run.lists.each(&run.index, ui, everyone).await?;
        run.document.jobs = run.planned();
        Ok(run)
    }

    fn wants(&self, batch: Batch) -> bool {
        !(self.args.no_reset && batch == Batch::Reset)
    }

    /// The jobs that the service's limits require, except for the limit of bytes: only the rows show that.
    fn planned(&self) -> Vec<Job> {
        let batches = self.document.before.batches.iter();
        let wanted = batches.filter(|(batch, _)| self.wants(**batch));
        let jobs = wanted.flat_map(|(batch, users)| {
            let most = MOST_ROWS as u64;
            (0..users.div_ceil(most)).map(move |at| Job {
                algorithm: batch.algorithm(),
                users: (users - at * most).min(most),
                id: None,
                status: None,
            })
        });
        jobs.collect()
    }

    fn show_plan(&self) {
        let Document { before, jobs, .. } = &self.document;
        let mut text = sentences(before, &self.ui.out);
        for job in jobs {
            let users = thousands(job.users);
            text += &match job.algorithm {
                Some(kind) => format!(
                    "+ import job: {users} user(s) with {kind} hashes keep their password\n"
                ),
                None => format!("+ import job: {users} user(s) must set a new password\n"),
            };
        }
        if jobs.is_empty() {
            text += "No user is to be imported.\n";
        } else {
            text += "An import is free of charge, and imported users count as active once they sign in. The pool cannot be updated while a job runs.\n";
        }
        self.ui.show(&text);
    }

    /// Imports while this run holds the lease of the pool.
    async fn all(&mut self, operator: &Operator) -> Result<()> {
        let (breaks, again) = (self.args.break_lease, self.args.again());
        let taking = Taking::of_pool("import", breaks, &again, &self.target.pool);
        let (aws, names) = (self.aws.clone(), self.names.clone());
        holding(&aws, &names, taking.claim(), self.import(operator)).await
    }

    /// Runs job after job until no importable user remains.
    async fn import(&mut self, operator: &Operator) -> Result<()> {
        self.document.jobs.clear();
        listing::forget(self.target.folder(), &self.target.pool);
        let task = self
            .ui
            .task(format!("import into pool {}", self.target.pool));
        let tell = |what: &str| task.doing(&format!("({what})"));
        let name = self.lists.document.name().into_owned();
        let (aws, names) = (self.aws.clone(), self.names.clone());
        let importer = Importer::new(&aws, &names, &name, operator.interrupt(), &tell);
        if importer.wait_for_earlier().await? {
            self.document.interrupted = true;
            return Ok(());
        }
        // The users of an earlier run.
        self.index = self.lists.index(false, None, self.ui).await?;
        let mut role = None;
        let ran = self.jobs(&importer, operator, &mut role).await;
        let given = self.target.required()?.import.role_arn.is_some();
        if role.is_none() && !given {
            role = importer.left_role().await?;
        }
        // A job that is still running needs the role for its log.
        if let (Some(role), false) = (&role, self.document.interrupted) {
            let removed = importer.remove_role(role).await;
            if ran.is_ok() {
                removed?;
            }
        }
        match ran.is_ok() && !self.document.interrupted {
            true => task.done(),
            false => task.clear(),
        }
        ran
    }

    async fn jobs(
        &mut self,
        importer: &Importer<'_>,
        operator: &Operator,
        role: &mut Option<LogRole>,
    ) -> Result<()> {
        let mut tried = self.index.names();
        for batch in Batch::ALL {
            while self.wants(batch) {
                if operator.stops() {
                    self.document.interrupted = true;
                    return Ok(());
                }
                let sheet = self.sheet(batch, &mut tried).await?;
                if sheet.names.is_empty() {
                    break;
                }
                if role.is_none() {
                    let config = self.target.required()?;
                    let given = config.import.role_arn.as_deref();
                    let boundary = config.function.permissions_boundary.as_deref();
                    *role = Some(importer.role(given, boundary).await?);
                }
                if let Some(role) = &*role {
                    self.job(importer, sheet, role, &mut tried).await?;
                }
                if self.document.interrupted {
                    return Ok(());
                }
            }
        }
        // The final count comes from the pool.
        self.index = self.lists.index(false, None, self.ui).await?;
        let everyone = &mut |_| ControlFlow::Continue(());
        let after = self.lists.each(&self.index, self.ui, everyone).await?;
        super::remaining::keep(&after, self.target, self.ui);
        self.document.after = Some(after);
        Ok(())
    }

    /// The next users of a batch that were not tried yet, as many as fit in one file.
    async fn sheet(&mut self, batch: Batch, tried: &mut Seen) -> Result<Sheet> {
        let column = &self.target.required()?.import.hash_column;
        let columns = Columns::new(&self.header, column, batch.algorithm().is_some());
        let mut sheet = Sheet {
            batch,
            file: ImportFile::new(&columns.head()),
            names: Vec::new(),
        };
        let mut unwritable = BTreeMap::<String, u64>::new();
        let (rows, failed) = (&mut sheet, &mut unwritable);
        self.lists
            .each(&self.index, self.ui, &mut |person: Person| {
                let Place::Left { batch: own, .. } = &person.place else {
                    return ControlFlow::Continue(());
                };
                if *own != Some(batch) || tried.has(&person.name) {
                    return ControlFlow::Continue(());
                }
                let hash = person.hash.as_ref().map(|hash| hash.expose_secret());
                let hash = hash.filter(|_| batch.algorithm().is_some());
                let username = person.attributes.get("username").unwrap_or(&person.name);
                let row = match columns.row(username, &person.attributes, hash) {
                    Ok(row) => row,
                    Err(what) => {
                        tried.add(&person.name);
                        let why = format!("the import's file cannot hold {what}");
                        *failed.entry(why).or_default() += 1;
                        return ControlFlow::Continue(());
                    }
                };
                let full = rows.names.len() >= MOST_ROWS
                    || rows.file.len() + row.bytes().len() > MOST_BYTES;
                if full {
                    return ControlFlow::Break(());
                }
                rows.file.push(row.bytes());
                rows.names.push(person.name);
                ControlFlow::Continue(())
            })
            .await?;
        for (why, n) in unwritable {
            *self.document.failed.entry(why).or_default() += n;
        }
        Ok(sheet)
    }

    /// Runs one job and records the outcome of each of its rows.
    async fn job(
        &mut self,
        importer: &Importer<'_>,
        sheet: Sheet,
        role: &LogRole,
        tried: &mut Seen,
    ) -> Result<()> {
        let Sheet { batch, file, names } = sheet;
        let number = self.document.jobs.len() + 1;
        let ran = importer
            .run(batch, number, role, &file, names.len())
            .await?;
        drop(file);
        self.document.jobs.push(Job {
            algorithm: batch.algorithm(),
            users: names.len() as u64,
            id: Some(ran.job.id.clone()),
            status: Some(ran.job.status.clone()),
        });
        if ran.job.is_active() {
            self.document.interrupted = true;
            return Ok(());
        }
        let index = match ran.rows.iter().all(Option::is_some) {
            true => None,
            // For rows without an outcome in the log, the pool decides.
            false => Some(self.lists.index(false, None, self.ui).await?),
        };
        let mut known = 0_u64;
        for (name, outcome) in names.iter().zip(ran.rows) {
            let in_pool = || {
                let index = index.as_ref()?;
                index.find([name.as_str()]).map(|_| Outcome::Imported)
            };
            let Some(outcome) = outcome.or_else(in_pool) else {
                // The job ended before this row: the next job contains it again.
                continue;
            };
            known += 1;
            tried.add(name);
            match (outcome, batch) {
                (Outcome::Imported, Batch::Hash(_)) => self.document.with_password += 1,
                (Outcome::Imported, Batch::Reset) => self.document.must_reset += 1,
                (Outcome::Skipped, _) => self.document.skipped += 1,
                (Outcome::Failed(why), _) => {
                    *self.document.failed.entry(why).or_default() += 1;
                }
            }
        }
        if known == 0 {
            let why = ran.job.message.as_deref().unwrap_or("without a reason");
            return Err(Error::new(
                format!("import job {} ended as {}: {why}", ran.job.name, ran.job.status),
                "look at the reason, and at hash_column and role_arn under [import], then run the command again",
            )
            .context("failed to import"));
        }
        if let Some(index) = index {
            self.index = index;
        }
        Ok(())
    }

    fn show_end(&self, command: &dyn Fn(&str) -> String) {
        let document = &self.document;
        if document.dry_run {
            if !document.jobs.is_empty() {
                let import = Import {
                    yes: true,
                    ..self.args.clone()
                };
                self.ui
                    .remark(&format!("`{}` imports them.", command(&import.again())));
            }
            return;
        }
        let mut text = format!(
            "{} user(s) were imported with their password, {} must set a new one.",
            thousands(document.with_password),
            thousands(document.must_reset)
        );
        if document.skipped > 0 {
            text += &format!(" {} were in the pool already.", thousands(document.skipped));
        }
        self.ui.say(&text);
        for (why, n) in &document.failed {
            self.ui
                .say(&format!("  {} not imported: {why}", thousands(*n)));
        }
        if document.must_reset > 0 {
            self.ui.remark(
                "Customers who must set a new password get a code by \"forgot password\". Inform them before they try to sign in.",
            );
        }
        if let Some(after) = &document.after {
            let left = thousands(after.remaining);
            self.ui.say(&match after.remaining {
                0 => "No customer of the directory is left.".to_owned(),
                _ => format!("{left} of the directory are left."),
            });
            if after.remaining > 0 {
                let list = command("remaining --names left.csv");
                self.ui
                    .remark(&format!("`{list}` says who they are, and why."));
            }
        }
        if document.interrupted {
            self.ui.note(&format!(
                "stopped: a job that was started continues in AWS; `{}` waits for it and does the rest",
                command(&self.args.again())
            ));
        }
    }
}
