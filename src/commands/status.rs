//! `status`: how the migration goes, once or again and again. Needs to read the pool and its log, and nothing else.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jane_migrate_config::Date;
use tokio::time::sleep;

use super::session::{since_epoch_ms, today};
use crate::aws::Aws;
use crate::cli;
use crate::cli::Global;
use crate::ids::{function_name, log_group_name};
use crate::settings::{self, Target};
use crate::status::read::Log;
use crate::status::{Facts, Status, page};
use crate::ui::{self, Ui};

pub(super) async fn run(global: &Global, args: &cli::Status, ui: &Ui) -> anyhow::Result<ExitCode> {
    ensure!(
        args.watch.is_none() || !ui.json,
        "--watch has no end and --json is one document; run `status --json` again in its place"
    );
    let loaded = settings::load_if_there(global)?;
    let config = loaded.as_ref().map(|loaded| &loaded.config);
    let window = config
        .map(|config| config.window.clone())
        .unwrap_or_default();
    let since = args.since.first_day(today()?);
    let shown = async {
        let mut pools = Vec::new();
        for target in settings::targets(global, &args.pools, config)? {
            pools.push(Watched::open(target, since, &window, ui).await?);
        }
        loop {
            let mut statuses = Vec::new();
            for pool in &mut pools {
                statuses.push(pool.status(ui).await?);
            }
            show(&statuses, args, ui)?;
            match args.watch {
                Some(seconds) => sleep(Duration::from_secs(seconds)).await,
                None => return anyhow::Ok(()),
            }
        }
    };
    tokio::select! {
        shown = shown => shown?,
        _ = tokio::signal::ctrl_c(), if args.watch.is_some() => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn show(statuses: &[Status], args: &cli::Status, ui: &Ui) -> anyhow::Result<()> {
    if let Some(path) = &args.html {
        std::fs::write(path, page::render(statuses))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let views =
        |view: &dyn Fn(&Status) -> String| -> Vec<String> { statuses.iter().map(view).collect() };
    let whole = |status: &Status| ui::status::render(status, ui.width(), &ui.out);
    match args.watch {
        None => {
            ui.say(&views(&whole).join("\n"));
            super::print_documents(ui, statuses)?;
        }
        Some(_) if ui.can_redraw() => ui.redraw(&views(&whole).join("\n")),
        Some(_) => ui.say(&views(&ui::status::line).join("\n")),
    }
    if let (Some(path), None) = (&args.html, args.watch) {
        ui.note(&format!("the page is in {}", path.display()));
    }
    Ok(())
}

/// One pool whose log is read, once or again.
struct Watched {
    target: Target,
    aws: Aws,
    log: Log,
    facts: Facts,
}

impl Watched {
    async fn open(
        target: Target,
        since: Date,
        window: &jane_migrate_config::Window,
        ui: &Ui,
    ) -> anyhow::Result<Self> {
        let aws = Aws::connect(&target.connection).await;
        let task = ui.task(format!("reading the log of user pool {}", target.pool));
        let pool = &target.pool;
        let group = log_group_name(&function_name(pool, &target.connection.region));
        let now_ms = since_epoch_ms();
        let (described, clients, there, log) = tokio::join!(
            aws.describe_pool(pool),
            aws.client_names(pool),
            aws.log_group_settings(&group),
            Log::open(&aws, &group, since.epoch_days() * 86_400_000, now_ms),
        );
        let described = described.with_context(|| format!("failed to read user pool `{pool}`"))?;
        let clients = clients
            .with_context(|| format!("failed to read the app clients of user pool `{pool}`"))?;
        let failed = || format!("failed to read log group `{group}`");
        if there.with_context(failed)?.is_none() {
            bail!(
                "there is no log group `{group}`: nothing is deployed for user pool {pool}, or it was torn down with its log"
            );
        }
        let log = log.with_context(failed)?;
        task.clear();
        Ok(Self {
            facts: Facts {
                pool: pool.to_string(),
                name: described.name().to_owned(),
                pool_users: described.estimated_users(),
                clients,
                total_users: window.total_users,
                closes: window.closes,
                since,
                now_ms,
            },
            target,
            aws,
            log,
        })
    }

    /// As of now.
    async fn status(&mut self, ui: &Ui) -> anyhow::Result<Status> {
        let pool = &self.target.pool;
        let task = ui.task(format!("reading the log of user pool {pool}"));
        self.facts.now_ms = since_epoch_ms();
        let seen = |lines: u64| {
            if lines.is_multiple_of(1000) {
                task.doing(&format!("({} lines)", ui::status::thousands(lines)));
            }
        };
        let (described, tally) = tokio::join!(
            self.aws.describe_pool(pool),
            self.log.read(self.facts.now_ms, seen)
        );
        let described = described.with_context(|| format!("failed to read user pool `{pool}`"))?;
        let tally =
            tally.with_context(|| format!("failed to read the log of user pool `{pool}`"))?;
        self.facts.pool_users = described.estimated_users();
        task.clear();
        Ok(Status::new(&tally, &self.facts, self.log.source))
    }
}
