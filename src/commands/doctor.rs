//! `doctor`: runs verify's checks, a probe of the function and an analysis of the log, and prints the causes, the most likely
//! first.

use std::process::ExitCode;

use super::machine;
use super::many::{Ending, Endings, each};
use super::status::Watched;
use super::verify::{Verifying, check};
use crate::aws::{Connections, Reader};
use crate::cli::{Doctor, Global};
use crate::dates::{date, day_of, now_ms};
use crate::diagnosis::Diagnosis;
use crate::error::Result;
use crate::settings::{self, Target};
use crate::ui::{self, Ui};
use jane_migrate_core::check::Choice;
use jane_migrate_core::finding::Finding;
use jane_migrate_core::finding::Severity;

pub(super) async fn run(global: &Global, args: &Doctor, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global);
    let configured =
        |loaded: &settings::Loaded| loaded.config.pools.iter().any(|pool| pool.id.is_some());
    let any = !args.pools.pools.is_empty()
        || loaded
            .as_ref()
            .is_ok_and(|loaded| loaded.as_ref().is_some_and(configured));
    // An invalid configuration is an error of its own, unless a report about it was requested.
    if args.bundle.is_some() || (!any && loaded.is_ok()) {
        return machine::run(global, loaded, args.bundle.clone(), ui).await;
    }
    let loaded = loaded?;
    let targets = settings::targets(global, &args.pools, loaded)?;
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let connections = Connections::default();
    let examined = each(targets, async |target| {
        let pool = target.pool.clone();
        let aws = connections.get(&target.connection).await;
        (pool, examine(&aws, target, &connections, ui).await)
    })
    .await;
    for (pool, diagnosis) in examined {
        match diagnosis {
            Ok(diagnosis) => {
                ui.say(&ui::diagnosis::render(&diagnosis, ui.width(), &ui.out));
                let ending = match (
                    diagnosis.causes.is_empty(),
                    diagnosis.not_examined.is_empty(),
                ) {
                    (false, _) => Ending::Failed,
                    (true, false) => Ending::Unchecked,
                    (true, true) => Ending::Done,
                };
                endings.ended(pool, &diagnosis, ending)?;
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    endings.finish()
}

/// Examines everything in parallel. A failed read does not stop the other examinations.
async fn examine(
    aws: &Reader,
    target: Target,
    connections: &Connections,
    ui: &Ui,
) -> Result<Diagnosis> {
    let choice = Choice {
        probe: true,
        ..Choice::default()
    };
    let yesterday = date(day_of(now_ms()) - 1);
    let verifying = Verifying::new(&target);
    let log = async {
        let mut watched = Watched::open(target.clone(), connections, Some(yesterday), ui).await?;
        watched.status(ui).await
    };
    let (findings, status, changed_ms) = tokio::join!(
        check(aws, &verifying, &choice, None, ui),
        log,
        changed(aws, &target)
    );
    let mut findings = findings?;
    let status = status.map_err(|error| {
        findings.push(Finding::unchecked(
            "log",
            Severity::Error,
            format!("{error:#}"),
        ));
    });
    Ok(Diagnosis::new(
        target.pool.as_str(),
        &findings,
        status.as_ref().ok(),
        changed_ms,
        now_ms(),
        &target.given,
    ))
}

/// When one of the directory's secrets last changed, if that can be read.
async fn changed(aws: &Reader, target: &Target) -> Option<i64> {
    let region = &target.connection.region;
    let mut last = None;
    for (_, secret) in target.config()?.secrets() {
        let place = aws.secret_place(secret, region).await;
        last = last.max(place.ok().flatten().and_then(|place| place.changed_ms));
    }
    last
}
