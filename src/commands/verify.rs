//! `verify`: reads, probes the function if requested, runs the checks, and reports.

use std::path::Path;
use std::process::ExitCode;

use jane_migrate_config::Config;

use super::many::{Ending, Endings, each};
use super::session::{Session, code_serves, nonce};
use crate::aws::{Connections, Reader};
use crate::cli::{Format, Global, Verify};
use crate::dates::today;
use crate::error::{Error, Result};
use crate::jane;
use crate::observe::{Depth, Scope, observe};
use crate::probe::{Probing, TestUser, probe};
use crate::report::{self, Document, Verdict, Written, text, verdict, written};
use crate::settings::{self, Target};
use crate::snapshot;
use crate::ui::Ui;
use jane_migrate_core::check::{self as core_check, Asked, Choice, Snapshot, Subject, checks};
use jane_migrate_core::finding::{Finding, Severity};
use jane_migrate_core::fix::Flags;
use jane_migrate_core::observed::{Observed, deployed_config};
use jane_migrate_core::trigger::Trigger;

pub(super) async fn run(global: &Global, args: &Verify, ui: &Ui) -> Result<ExitCode> {
    if global.json && !matches!(args.format, Format::Text | Format::Json) {
        return Err(Error::new(
            "--json and --format name two formats of the one document on stdout",
            "leave one of them out",
        ));
    }
    let loaded = settings::load_if_there(global)?;
    let path = loaded.as_ref().map(|loaded| loaded.path.clone());
    let choice = choice(args, loaded.as_ref().map(|loaded| &loaded.config))?;
    let test_user = test_user(args, ui)?;
    let format = match args.format {
        Format::Text if global.json => Format::Json,
        format => format,
    };
    // Only the document goes to stdout; the summary of several pools prints it for JSON only.
    let mut ui = ui.clone();
    ui.json = format == Format::Json;
    let ui = &ui;
    let targets = settings::targets(global, &args.pools, loaded)?;
    let mut endings = Endings::new(ui, &targets, Ending::Unchecked);
    let connections = Connections::default();
    let verified = each(targets, async |target| {
        let aws = connections.get(&target.connection).await;
        let verifying = Verifying::new(&target);
        let findings = check(&aws, &verifying, &choice, test_user.as_ref(), ui).await;
        (
            target.pool,
            findings.map(|findings| written(findings, &target.given)),
        )
    })
    .await;
    let mut reports = Vec::new();
    for (pool, findings) in verified {
        let findings = match findings {
            Ok(findings) => findings,
            // The report for a CI system also contains what could not be checked, so that the system shows it.
            Err(error) if matches!(format, Format::Junit | Format::Sarif | Format::Github) => {
                ui.error(&error);
                let why = format!("{error:#}");
                written(
                    vec![Finding::unchecked("pool", Severity::Error, why)],
                    &Flags::default(),
                )
            }
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        if format == Format::Text {
            show(pool.as_str(), &findings, ui, |finding| {
                !ui.quiet || !finding.ok
            });
        }
        let verdict = verdict(&findings, args.strict);
        let ending = match verdict {
            Verdict::Holds => Ending::Done,
            Verdict::Fails => Ending::Failed,
            Verdict::Unknown => Ending::Unchecked,
        };
        let document = Document {
            pool: pool.as_str(),
            findings: &findings,
            ok: verdict == Verdict::Holds,
        };
        endings.ended(pool.clone(), &document, ending)?;
        reports.push((pool, findings, verdict));
    }
    let documents: Vec<Document<'_>> = reports
        .iter()
        .map(|(pool, findings, verdict)| Document {
            pool: pool.as_str(),
            findings,
            ok: *verdict == Verdict::Holds,
        })
        .collect();
    // Reports use the path in the repository.
    let file = path.as_deref().unwrap_or(Path::new(settings::DEFAULT_FILE));
    let content = std::fs::read_to_string(file).unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let file = file.strip_prefix(here).unwrap_or(file).to_string_lossy();
    match format {
        Format::Text | Format::Json => {}
        Format::Junit => ui.markup(&report::junit(&documents, args.strict)?),
        Format::Sarif => ui.document(&report::sarif(&documents, &file, &content))?,
        Format::Github => {
            let commands = report::github(&documents, &file, args.strict);
            if !commands.is_empty() {
                ui.print(&commands);
            }
        }
    }
    endings.finish()
}

/// The chosen checks; an id that no check has is an error, in a flag or in the file.
fn choice(args: &Verify, config: Option<&Config>) -> Result<Choice> {
    let accepted = config
        .into_iter()
        .flat_map(|config| config.verify.accept.keys());
    for id in args.only.iter().chain(&args.skip).chain(accepted) {
        if !checks().any(|check| check.id == id) {
            let known: Vec<_> = checks().map(|check| check.id).collect();
            return Err(Error::new(
                format!("there is no check `{id}`"),
                format!("the checks are {}", known.join(", ")),
            ));
        }
    }
    let choice = Choice {
        only: args.only.clone(),
        skip: args.skip.clone(),
        probe: args.probe,
    };
    if !checks().any(|check| choice.includes(check)) {
        return Err(Error::new(
            "no check is left",
            "probe-* and log-hygiene run only with --probe or --only",
        ));
    }
    Ok(choice)
}

fn test_user(args: &Verify, ui: &Ui) -> Result<Option<TestUser>> {
    let Some(name) = &args.test_user else {
        return Ok(None);
    };
    Ok(Some(TestUser {
        name: name.clone(),
        password: ui.password(name, args.password_stdin)?,
    }))
}

/// What is verified.
pub(super) struct Verifying<'a> {
    pub target: &'a Target,
    /// The pool before the first deploy, from the snapshots next to the configuration; one for each migration of the pool.
    pub snapshots: Vec<Snapshot>,
    /// This run created the function moments ago.
    pub fresh: bool,
}

impl<'a> Verifying<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            target,
            snapshots: snapshot::kept(target.folder(), &target.pool),
            fresh: false,
        }
    }

    pub(super) fn findings(&self, observed: &Observed, choice: &Choice) -> Result<Vec<Finding>> {
        let asked = Asked {
            config: self.target.config(),
            clients: self.target.clients.as_deref(),
            snapshots: &self.snapshots,
            today: today()?,
            code_serves: code_serves(observed),
        };
        let accepted = self
            .target
            .config()
            .map(|config| config.verify.accept.clone());
        let subject = Subject::new(observed, &asked);
        Ok(core_check::run(
            &subject,
            choice,
            &accepted.unwrap_or_default(),
        ))
    }
}

/// Runs the chosen checks for one pool.
pub(super) async fn check(
    aws: &Reader,
    verifying: &Verifying<'_>,
    choice: &Choice,
    test_user: Option<&TestUser>,
    ui: &Ui,
) -> Result<Vec<Finding>> {
    let target = verifying.target;
    let task = ui.task(format!("verifying user pool {}", target.pool));
    let scope = Scope {
        clients: target.clients.as_deref(),
        config: target.config(),
        depth: Depth::Checks {
            choice,
            fresh: verifying.fresh,
            plan: false,
        },
    };
    let mut observed = observe(aws, &target.pool, &target.connection.region, scope).await?;
    let client = observed.probing_client(target.clients.as_deref());
    let tried_by = match (&observed.live, client) {
        (Ok(Some(_)), Ok(client)) if choice.probe => client.map(|client| client.id().to_owned()),
        _ => None,
    };
    if let Some(client) = tried_by {
        task.doing("trying the function");
        let qualifier = observed.trigger_qualifier();
        let names = &observed.names;
        let deployed = observed.live.as_ref().ok().and_then(Option::as_ref);
        let deployed = deployed.and_then(deployed_config);
        let triggers = match target.config().or(deployed.as_ref()) {
            Some(config) => Trigger::on(config, today()?),
            None => Vec::new(),
        };
        let probing = Probing {
            qualifier,
            client: &client,
            test_user,
            triggers: &triggers,
        };
        let probes = probe(aws, names, &probing, &nonce()).await;
        observed.probes = Some(probes);
    }
    task.clear();
    verifying.findings(&observed, choice)
}

/// Runs the checks that need no more reads than those of an unchanged deploy.
pub(super) async fn recheck(session: &Session, config: &Config, ui: &Ui) -> Result<Vec<Finding>> {
    let task = ui.task(format!("verifying user pool {}", session.target.pool));
    let environment = session.function()?.map(|found| &found.function.environment);
    let clients = session.watched_clients()?.into_iter();
    let jane = jane::ask(
        &session.aws,
        config,
        &session.names().pool.region,
        environment,
        clients.map(|client| client.id().to_owned()),
    )
    .await;
    let observed = Observed {
        jane,
        ..session.observed.clone()
    };
    task.clear();
    Verifying::new(&session.target).findings(&observed, &Choice::default())
}

/// Prints the findings that `is_shown` selects.
pub(super) fn show(pool: &str, findings: &[Written], ui: &Ui, is_shown: impl Fn(&Written) -> bool) {
    let shown: Vec<&Written> = findings.iter().filter(|found| is_shown(found)).collect();
    if !shown.is_empty() {
        ui.say(&text(pool, &shown, &ui.out));
    }
}
