//! `init`: reads a pool, asks what it cannot read, and writes the migrate.toml that `draft` makes. It writes no secret and
//! overwrites no file.

mod questions;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jane_migrate_config::{Config, Date, PoolFacts, partition};
use serde_json::json;

use self::questions::Questions;
use super::example;
use crate::aws::{Connection, Reader};
use crate::cli::{Global, Init, Pools};
use crate::dates::today;
use crate::draft::{Client, Directory, Draft, Place, SCHEMA_FILE, propose};
use crate::environment;
use crate::error::{Error, Result};
use crate::observe::{Depth, Scope, observe, unread};
use crate::report::written;
use crate::settings::{self, DEFAULT_FILE, Target};
use crate::ui::layout::Layout;
use crate::ui::{self, Ui};
use jane_migrate_core::check::{Asked, Subject, before_deploy};
use jane_migrate_core::document::ClientDocument;
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::finding::Finding;
use jane_migrate_core::fix::Flags;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::observed::Observed;
use jane_migrate_core::read::Unread;
use jane_migrate_core::trigger::Trigger;

pub(super) async fn run(global: &Global, args: &Init, ui: &Ui) -> Result<ExitCode> {
    let output = args
        .output
        .clone()
        .or_else(|| global.config.clone())
        .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    if let Some(endpoint) = sandbox(global) {
        ui.warn(&format!(
            "the variables of the sandbox are set: init reads the sandbox at {endpoint}, not AWS; for a pool of AWS, run it in another terminal"
        ));
    }
    if output.exists() {
        return Err(occupied(&output));
    }
    check_folder(&output)?;
    let mut questions = Questions::new(ui, args.yes);
    let target = target(global, questions.pool(args.pool.as_ref())?)?;
    let aws = Reader::connect(&target.connection).await;
    let task = ui.task(format!("reading user pool {}", target.pool));
    let scope = Scope {
        clients: None,
        config: None,
        depth: Depth::Pool,
    };
    let observed = observe(&aws, &target.pool, &target.connection.region, scope).await?;
    let unread = |why: Unread| unread(&observed.names, &why);
    let pool = observed.pool().map_err(unread)?;
    let clients = observed.watched_clients(None).map_err(unread)?;
    task.clear();

    let facts = pool_facts(&pool.document, observed.mfa().map_err(unread)?);
    let directory = questions.directory(&args.directory, &target.pool)?;
    let draft = Draft {
        pool_name: pool.document.name().into_owned(),
        clients: clients.iter().map(|client| describe(client)).collect(),
        chosen_clients: chosen(
            &args.clients,
            observed.clients.as_deref().unwrap_or_default(),
        )?,
        triggers: [Trigger::PreSignUp, Trigger::PostConfirmation]
            .into_iter()
            .filter_map(|trigger| Some((trigger, pool.document.trigger(trigger)?.to_owned())))
            .collect(),
        closes: closes(&questions, args, ui)?,
        total_users: questions.total_users(args.total_users)?,
        pool: facts.clone(),
        directory,
    };
    let (text, config) = complete(&draft, &facts, &target.connection, ui).await?;
    create(&output, &text)?;
    let schema = output.with_file_name(SCHEMA_FILE);
    if !schema.exists() {
        create(&schema, example::SCHEMA)?;
        ui.note(&format!(
            "{} is for editors: they complete and check {} with it",
            schema.display(),
            output.display()
        ));
    }

    let findings = findings(&draft, &observed, &config)?;
    // The commands printed from here on use the new file.
    let flags = match output == Path::new(DEFAULT_FILE) && global.config.is_none() {
        true => target.given,
        false => global.flags_with(Some(&output)),
    };
    let next = flags.command("plan");
    let open = questions.open();
    if ui.json {
        ui.document(&json!({
            "pool": target.pool.as_str(),
            "file": output,
            "directory": draft.directory.kind(),
            "attributes": config.attributes,
            "open": open,
            "findings": written(findings, &flags),
            "next": next,
        }))?;
    } else {
        let summary = summary(
            &draft,
            &output,
            open,
            &findings,
            &flags,
            &observed.names.pool.region,
            ui,
        );
        ui.show(&format!("{summary}\nNext: {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The endpoint of the sandbox, if its variables are set: they name a pool and an endpoint other than AWS.
fn sandbox(global: &Global) -> Option<String> {
    environment::var("JANE_MIGRATE_POOL")?;
    let endpoint = global.endpoint_url.clone();
    let endpoint = endpoint.or_else(|| environment::var("AWS_ENDPOINT_URL"))?;
    (!partition::is_aws(endpoint.trim_end_matches('/'))).then_some(endpoint)
}

fn target(global: &Global, pool: PoolId) -> Result<Target> {
    let pools = Pools {
        pools: vec![pool],
        all: false,
    };
    settings::targets(global, &pools, None)?
        .pop()
        .ok_or_else(|| Error::bug("no user pool given"))
}

fn closes(questions: &Questions<'_>, args: &Init, ui: &Ui) -> Result<Option<Date>> {
    let closes = questions.closes(args.closes)?;
    if let Some(past) = closes.filter(|closes| today().is_ok_and(|today| *closes < today)) {
        ui.warn(&format!(
            "{past}, the last day of the migration, is in the past: no customer would migrate"
        ));
    }
    Ok(closes)
}

fn describe(client: &ClientDocument) -> Client {
    Client {
        id: client.id().to_owned(),
        name: client.name().into_owned(),
        allows_password: client.allows_password_auth(),
    }
}

/// The clients of the flag. Each must belong to the pool.
fn chosen(named: &[String], clients: &[ClientDocument]) -> Result<Vec<String>> {
    for id in named {
        if !clients.iter().any(|client| client.id() == id) {
            return Err(Error::new(
                format!("the pool has no app client `{id}`"),
                "omit --clients to have the file list all of the pool's",
            ));
        }
    }
    Ok(named.to_vec())
}

/// The file's text and the configuration in it.
async fn complete(
    draft: &Draft,
    facts: &PoolFacts,
    connection: &Connection,
    ui: &Ui,
) -> Result<(String, Config)> {
    // Only the parser knows the directory's default mapping.
    let failed = |error| {
        Error::bug(format!(
            "failed to make a configuration of these answers\n{error}"
        ))
    };
    let mapped = draft.directory.maps().map_err(failed)?;
    let mut fields = draft.directory.fields();
    if let Directory::Cognito(old) = &draft.directory {
        match old_schema(&old.pool_id, old.role_arn.as_deref(), connection).await {
            Ok(schema) => fields.extend(schema),
            Err(why) => ui.note(&format!("  {why}: fill in its custom attributes yourself")),
        }
    }
    let text = draft.render(&propose(facts, &mapped, &fields));
    let config = jane_migrate_config::parse(&text, "migrate.toml").map_err(failed)?;
    Ok((text, config))
}

/// The attributes of the old pool.
async fn old_schema(
    pool: &str,
    role: Option<&str>,
    connection: &Connection,
) -> Result<Vec<String>, String> {
    if role.is_some() {
        return Err("the old pool is in another account and was not read".to_owned());
    }
    let pool: PoolId = pool.parse().map_err(|error| format!("{error}"))?;
    let connection = Connection {
        region: pool.region().unwrap_or(&connection.region).to_owned(),
        ..connection.clone()
    };
    let old = Reader::connect(&connection)
        .await
        .describe_pool(&pool)
        .await;
    let old = old.map_err(|error| format!("the old pool could not be read ({error})"))?;
    Ok(old
        .schema_attributes()
        .map(|attribute| attribute.name.to_owned())
        .collect())
}

fn occupied(output: &Path) -> Error {
    Error::new(
        format!("failed to write `{}`: it exists already", output.display()),
        "init never overwrites a file: move it, or write another file with --output",
    )
}

/// The hint for another file.
const OTHERWISE: &str = "name another file with --output";

/// Checks that the output can be written, before the questions rather than after them.
fn check_folder(output: &Path) -> Result<()> {
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    tempfile::tempfile_in(folder)
        .map(drop)
        .map_err(|error| Error::unwritable(output, error, OTHERWISE))
}

fn create(output: &Path, text: &str) -> Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).open(output);
    let created = match created {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(occupied(output));
        }
        created => created,
    };
    created
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Error::unwritable(output, error, OTHERWISE))
}

/// The findings that plan will show for the pool with this configuration.
fn findings(draft: &Draft, observed: &Observed, config: &Config) -> Result<Vec<Finding>> {
    let chosen = Some(&draft.chosen_clients[..]).filter(|chosen| !chosen.is_empty());
    let asked = Asked {
        config: Some(config),
        clients: chosen,
        snapshots: &[],
        today: today()?,
        code_serves: None,
    };
    Ok(before_deploy(&Subject::new(observed, &asked)))
}

/// What was written, what is left to do, and the findings that plan will show.
fn summary(
    draft: &Draft,
    output: &Path,
    open: &[&str],
    findings: &[Finding],
    flags: &Flags,
    region: &str,
    ui: &Ui,
) -> String {
    let mut text = format!(
        "{} is written for user pool {} ({}), directory `{}`.\n",
        output.display(),
        draft.pool.id,
        draft.pool_name,
        draft.directory.kind()
    );
    if !open.is_empty() {
        text.push_str(&format!("  to fill in: {}\n", open.join(", ")));
    }
    let secret = draft.directory.secret();
    match secret {
        Some(Place::Environment(name)) => text.push_str(&format!(
            "  deploy reads the directory's secret from the environment variable {name}\n"
        )),
        Some(place) => text.push_str(&format!(
            "  the function reads the directory's secret from {}; to store it there, run this and type the secret:\n",
            place.service()
        )),
        None => {}
    }
    let end = match draft.directory.kind() {
        "postgres" | "mysql" => {
            "customers migrate as they sign in; `import` then imports the rest, with their passwords where Cognito accepts the hashes"
        }
        _ => {
            "customers migrate as they sign in; `import` then imports the rest, who must set a new password"
        }
    };
    text.push_str(&format!("  {end} (docs/import.md)\n"));
    text = Layout::of(&ui.out).flow(&text);
    // A command is copied, so its line is never wrapped.
    let command = secret.and_then(|place| place.command(region));
    text.extend(command.map(|command| format!("      {command}\n")));
    for finding in findings {
        text.push_str(&ui::plan::render_finding(finding, flags, &ui.out));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("migrate.toml");
        check_folder(&file).unwrap();
        create(&file, "first").unwrap();
        let error = create(&file, "second").unwrap_err();
        assert!(error.to_string().contains("it exists already"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_reported_before_the_questions() {
        let folder = tempfile::tempdir().unwrap();
        let error = check_folder(&folder.path().join("none/migrate.toml")).unwrap_err();
        assert!(error.advice().contains("create its folder"), "{error:?}");
        assert!(check_folder(Path::new("migrate.toml")).is_ok());
    }
}
