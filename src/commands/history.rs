//! `history`: what was done with a pool's function, when and by which principal, from CloudTrail
//! and Lambda.

use std::process::ExitCode;

use jane_migrate_core::history::{EVENTS, Entry, Published, read};
use serde::Serialize;

use super::many::{Ending, Endings, each};
use crate::aws::{Connections, Reader};
use crate::cli::{Global, History};
use crate::dates::{DAY_MS, minute, now_ms, utc};
use crate::error::{Context, Result};
use crate::observe::{Depth, Scope, observe};
use crate::settings::{self, Target};
use crate::ui::Ui;
use crate::ui::layout::Layout;

/// The JSON document of history.
#[derive(Debug, Serialize)]
struct Document {
    pool: String,
    function: String,
    /// The start of CloudTrail's events.
    since: String,
    /// The newest first.
    events: Vec<Entry>,
}

pub(super) async fn run(global: &Global, args: &History, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, settings::load_if_there(global)?)?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let connections = Connections::default();
    let since_ms = now_ms() - i64::from(args.days) * DAY_MS;
    let told = each(targets, async |target| {
        let aws = connections.get(&target.connection).await;
        let told = tell(&aws, &target, since_ms).await;
        (target.pool, told)
    })
    .await;
    for (pool, told) in told {
        match told {
            Ok(document) => {
                show(&document, ui);
                endings.ended(pool, &document, Ending::Done)?;
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    endings.finish()
}

async fn tell(aws: &Reader, target: &Target, since_ms: i64) -> Result<Document> {
    let region = &target.connection.region;
    let scope = Scope {
        clients: Some(&[]),
        config: target.config(),
        depth: Depth::Description,
    };
    let observed = observe(aws, &target.pool, region, scope).await?;
    let names = &observed.names;
    let published = async {
        let read = aws.published(&names.function).await;
        read.with_context(|| format!("failed to list the versions of `{}`", names.function))
    };
    let events = async {
        // CloudTrail allows only two requests a second.
        let mut events = Vec::new();
        for name in EVENTS {
            let found = aws.trail_events(region, name, since_ms / 1000).await;
            events.extend(found.context("failed to read CloudTrail's event history")?);
        }
        Ok(events)
    };
    let (published, events): (Result<Vec<Published>>, Result<Vec<_>>) =
        tokio::join!(published, events);
    Ok(Document {
        pool: target.pool.to_string(),
        function: names.function.clone(),
        since: utc(since_ms),
        events: read(&events?, &published?, names),
    })
}

fn show(document: &Document, ui: &Ui) {
    let mut text = format!(
        "User pool {}, function {}, the newest first, in UTC\n",
        document.pool, document.function,
    );
    for entry in &document.events {
        let version = entry.version.as_deref().unwrap_or("-");
        let code = entry.code_sha256.as_deref().unwrap_or("-");
        let who = entry.who.as_deref().unwrap_or("before CloudTrail's events");
        // A run's entry begins with its command.
        let run = entry.run.as_deref().and_then(|run| run.split_once(' '));
        let run = run.map_or_else(String::new, |(_, by)| format!(" ({by})"));
        text.push_str(&format!(
            "  {}  {:<12}  version {version:<3} {code}  {who}{run}\n",
            minute(&entry.at),
            entry.what.label(),
        ));
    }
    text.push_str(&format!(
        "CloudTrail's events begin with {}.",
        minute(&document.since)
    ));
    ui.show(&Layout::of(&ui.out).flow(&text));
}
