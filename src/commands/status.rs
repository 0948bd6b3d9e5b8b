//! `status`: the migration's progress, once or repeatedly. Reads the pool and its log, and nothing else.

use std::process::ExitCode;
use std::time::Duration;

use jane_migrate_config::{Date, Directory};
use tokio::time::sleep;

use super::many::{Ending, Endings, each};
use super::verify::Verifying;
use crate::aws::{Connections, Reader};
use crate::cli;
use crate::cli::Global;
use crate::dates::{date, day_of, now_ms, today};
use crate::error::{Context, Error, Explain, Result};
use crate::exact::Exact;
use crate::files;
use crate::observe::{Depth, Scope, observe, unread};
use crate::settings::{self, Target};
use crate::signals::{Signal, Signals};
use crate::status::read::{self, Log, Wanted};
use crate::status::{Coverage, Facts, LONGEST_DAYS, Status, live};
use crate::ui::numbers::thousands;
use crate::ui::{self, Ui};
use jane_migrate_core::check::Choice;
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::observed::Observed;
use jane_migrate_core::read::Unread;

pub(super) async fn run(global: &Global, args: &cli::Status, ui: &Ui) -> Result<ExitCode> {
    if args.watch.is_some() && ui.json {
        return Err(Error::new(
            "--watch and --json cannot be combined: --json prints one document",
            fix![
                "run `",
                Fix::command("status --json", ""),
                "` again for each reading",
            ],
        ));
    }
    let loaded = settings::load_if_there(global)?;
    let today = today()?;
    let since = args.since.map(|since| since.first_day(today));
    let targets = settings::targets(global, &args.pools, loaded)?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let connections = Connections::default();
    let opened = each(targets, async |target| {
        let pool = target.pool.clone();
        (pool, Watched::open(target, &connections, since, ui).await)
    })
    .await;
    let mut pools = Vec::new();
    for (pool, opened) in opened {
        match opened {
            Ok(watched) => pools.push(watched),
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    if let Some(seconds) = args.watch {
        let mut signals =
            Signals::listen().explain("failed to listen for signals", "run it without --watch")?;
        return tokio::select! {
            watched = watch(&mut pools, Duration::from_secs(seconds), args, ui) => {
                watched.map(|()| ExitCode::SUCCESS)
            }
            () = quit(ui) => Ok(ExitCode::SUCCESS),
            signal = signals.next() => Ok(match signal {
                Signal::Interrupt => ExitCode::SUCCESS,
                Signal::Terminate => ExitCode::from(signal.exit_code()),
            }),
        };
    }
    let mut statuses = Vec::new();
    for (pool, status) in read(&mut pools, ui).await {
        match status {
            Ok(status) => {
                endings.ended(pool, &status, Ending::Done)?;
                statuses.push(status);
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    ui.show(&views(&statuses, |status| {
        ui::status::render(status, ui.width(), &ui.out)
    }));
    write_page(args, &statuses)?;
    if let Some(path) = &args.html {
        ui.note(&format!("page written to {}", path.display()));
    }
    endings.finish()
}

/// Shows the pools repeatedly, as long as the output has a reader. A failed read is reported and tried again.
async fn watch(pools: &mut [Watched], pause: Duration, args: &cli::Status, ui: &Ui) -> Result<()> {
    loop {
        let mut statuses = Vec::new();
        let mut failures = Vec::new();
        for (_, status) in read(pools, ui).await {
            match status {
                Ok(status) => statuses.push(status),
                Err(error) => failures.push(error),
            }
        }
        write_page(args, &statuses)?;
        if ui.can_redraw() {
            let whole = |status: &Status| ui::status::render(status, ui.width(), &ui.out);
            let last = format!("every {} s; q ends it", pause.as_secs());
            ui.redraw(&views(&statuses, whole), &last);
        } else {
            ui.show(&views(&statuses, ui::status::line));
        }
        if !ui.is_read()? {
            return Ok(());
        }
        failures.iter().for_each(|error| ui.error(error));
        sleep(pause).await;
    }
}

/// Waits until q is pressed; forever without a terminal.
async fn quit(ui: &Ui) {
    #[cfg(unix)]
    if ui.can_redraw() {
        return ui::keys::Keys::listen().wait_for(b'q').await;
    }
    #[cfg(not(unix))]
    let _ = ui;
    std::future::pending().await
}

/// The current status of all pools, read in parallel.
async fn read(pools: &mut [Watched], ui: &Ui) -> Vec<(PoolId, Result<Status>)> {
    each(pools, async |watched| {
        (watched.target.pool.clone(), watched.status(ui).await)
    })
    .await
}

fn views(statuses: &[Status], view: impl Fn(&Status) -> String) -> String {
    statuses.iter().map(view).collect::<Vec<_>>().join("\n")
}

fn write_page(args: &cli::Status, statuses: &[Status]) -> Result<()> {
    let Some(path) = &args.html else {
        return Ok(());
    };
    files::write(path, ui::page::render(statuses).as_bytes())
        .map_err(|error| Error::unwritable(path, error, "name another file with --html"))
}

/// A pool whose log is read, once or repeatedly.
pub(super) struct Watched {
    target: Target,
    aws: Reader,
    log: Log,
    facts: Facts,
    /// What was read at the start, for the first status.
    observed: Option<Observed>,
}

impl Watched {
    pub(super) async fn open(
        target: Target,
        connections: &Connections,
        since: Option<Date>,
        ui: &Ui,
    ) -> Result<Self> {
        let aws = connections.get(&target.connection).await;
        let task = ui.task(format!("reading the log of user pool {}", target.pool));
        let pool = &target.pool;
        let config = target.config();
        let group = target.log_group();
        let now_ms = now_ms();
        let ever = date(day_of(now_ms) - LONGEST_DAYS);
        let region = &target.connection.region;
        let scope = Scope {
            clients: None,
            config,
            depth: Depth::Live,
        };
        let (observed, clients, log) = tokio::join!(
            observe(&aws, pool, region, scope),
            aws.client_names(pool),
            Log::open(
                &aws,
                &group,
                since.unwrap_or(ever),
                now_ms,
                Wanted::Everything
            ),
        );
        let observed = observed?;
        let unread = |why: Unread| unread(&observed.names, &why);
        let described = &observed.pool().map_err(unread)?.document;
        let clients = clients
            .with_context(|| format!("failed to read the app clients of user pool `{pool}`"))?;
        let there = observed.log_group.as_ref();
        let Some(there) = there.map_err(|why| unread(why.clone()))? else {
            return Err(Error::new(
                format!(
                    "there is no log group `{group}`: nothing is deployed for user pool {pool}, or it was torn down with its log"
                ),
                fix!["`", Fix::ours("plan", pool, ""), "` shows what is deployed"],
            ));
        };
        let log = log.with_context(|| format!("failed to read log group `{group}`"))?;
        let coverage = Coverage::of(there);
        let everything = since.is_none();
        let since = since.or(coverage.created()).unwrap_or(ever);
        let asked = (since.max(ever), now_ms);
        let earlier = read::earlier(&aws, pool, region, coverage, asked).await;
        let window = target.config().map(|config| config.window.clone());
        let window = window.unwrap_or_default();
        task.clear();
        let facts = Facts {
            pool: pool.clone(),
            name: described.name().into_owned(),
            pool_users: described.estimated_users(),
            clients,
            total_users: window.total_users,
            exact: Exact::kept(target.folder(), pool),
            window_share: window.share.filter(|share| *share < 100),
            closes: window.closes,
            connects: target
                .config()
                .is_some_and(|config| matches!(config.directory, Directory::Jane(_))),
            since,
            everything,
            coverage,
            earlier,
            now_ms,
            findings: Vec::new(),
            flags: target.given.clone(),
        };
        Ok(Self {
            facts,
            target,
            aws,
            log,
            observed: Some(observed),
        })
    }

    /// The current status.
    pub(super) async fn status(&mut self, ui: &Ui) -> Result<Status> {
        let pool = &self.target.pool;
        let task = ui.task(format!("reading the log of user pool {pool}"));
        self.facts.now_ms = now_ms();
        let seen = |lines: u64| {
            if lines.is_multiple_of(1000) {
                task.doing(&format!("({} lines)", thousands(lines)));
            }
        };
        let region = &self.target.connection.region;
        let verifying = Verifying::new(&self.target);
        let live = Choice {
            only: live::CHECKS.map(str::to_owned).into(),
            ..Choice::default()
        };
        let scope = Scope {
            clients: None,
            config: self.target.config(),
            depth: Depth::Live,
        };
        let kept = self.observed.take();
        let observed = async {
            match kept {
                Some(kept) => Ok(kept),
                None => observe(&self.aws, pool, region, scope).await,
            }
        };
        let (observed, tally) = tokio::join!(observed, self.log.read(self.facts.now_ms, seen));
        let observed = observed?;
        self.facts.findings = verifying.findings(&observed, &live)?;
        let described = observed
            .pool()
            .map_err(|why| unread(&observed.names, &why))?;
        let tally =
            tally.with_context(|| format!("failed to read the log of user pool `{pool}`"))?;
        self.facts.pool_users = described.document.estimated_users();
        task.clear();
        Ok(Status::new(&tally, &self.facts, self.log.source))
    }
}
