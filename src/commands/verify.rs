//! `verify`: reads, checks, reports.

use std::process::ExitCode;

use anyhow::bail;
use jane_migrate_config::Config;

use super::many::{Ending, Endings, each};
use super::session::{self, Session, today};
use crate::cli::{Format, Global, Verify};
use crate::finding::Finding;
use crate::settings;
use crate::ui::Ui;
use crate::verify::report::{Document, Verdict, text, verdict};
use crate::verify::{self as checks, Configured, Evidence, jane};

pub(super) async fn run(global: &Global, args: &Verify, ui: &Ui) -> anyhow::Result<ExitCode> {
    for id in args.only.iter().chain(&args.skip) {
        if !checks::ids().any(|known| known == id) {
            let known: Vec<_> = checks::ids().collect();
            bail!(
                "there is no check `{id}`; the checks are {}",
                known.join(", ")
            );
        }
    }
    let loaded = settings::load_if_there(global)?;
    let config = loaded.as_ref().map(|loaded| &loaded.config);
    let chosen = |id: &str| {
        (args.only.is_empty() || args.only.iter().any(|only| only == id))
            && !args.skip.iter().any(|skip| skip == id)
    };
    let ui = &ui.as_json(args.format == Format::Json);
    let targets = settings::targets(global, &args.pools, config)?;
    let mut endings = Endings::new(ui, &targets, Ending::Unchecked);
    let checked = each(
        session::open_all(targets, ui).await,
        async |(pool, session)| {
            let findings = match session {
                Ok(session) => {
                    let config = config.map(|config| config.for_pool(pool.as_str()));
                    findings(&session, config, ui, chosen).await
                }
                Err(error) => Err(error),
            };
            (pool, findings)
        },
    )
    .await;
    for (pool, findings) in checked {
        let findings = match findings {
            Ok(findings) => findings,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        show(pool.as_str(), &findings, ui, true);
        let verdict = verdict(&findings, args.strict);
        let document = Document {
            pool: pool.as_str(),
            findings: &findings,
            ok: verdict == Verdict::Holds,
        };
        let ending = match verdict {
            Verdict::Holds => Ending::Done,
            Verdict::Fails => Ending::Failed,
            Verdict::Unknown => Ending::Unchecked,
        };
        endings.ended(pool.clone(), &document, ending)?;
    }
    endings.finish()
}

/// Runs the chosen checks over what the session observed.
pub(super) async fn findings(
    session: &Session,
    config: Option<&Config>,
    ui: &Ui,
    chosen: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Finding>> {
    let function = session.observed.function.as_ref();
    let jane = match config {
        Some(config) if chosen("jane-knows-client") => {
            let task = ui.task("asking the directory about the app clients");
            let answers = jane::ask(
                &session.aws,
                config,
                &session.names.pool.region,
                function.map(|function| &function.function.environment),
                session
                    .watched_clients()
                    .map(|client| client.id().to_owned()),
            )
            .await;
            task.clear();
            answers
        }
        _ => jane::Answers::NotJane,
    };
    let evidence = Evidence {
        names: &session.names,
        observed: &session.observed,
        config: config.map(|config| Configured {
            config,
            settings: session.handler_settings(config),
        }),
        clients: session.target.clients.as_deref(),
        today: today()?,
        jane,
    };
    Ok(checks::run(&evidence, chosen))
}

/// Shows the findings: all of them, or only those that do not hold. Says whether all do.
pub(super) fn show(pool: &str, findings: &[Finding], ui: &Ui, all: bool) -> bool {
    let shown: Vec<Finding> = findings
        .iter()
        .filter(|finding| all || !finding.ok)
        .cloned()
        .collect();
    if !shown.is_empty() {
        ui.say(&text(pool, &shown, &ui.out));
    }
    findings.iter().all(|finding| finding.ok)
}
