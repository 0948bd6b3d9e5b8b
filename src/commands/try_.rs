//! `try`: one migration without changing the pool, with the deployed function or with the handler on this machine.

use std::fmt::Write;
use std::process::ExitCode;

use jane_migrate_config::{Architecture, Directory, SETTINGS_VARIABLE};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};

use super::sample;
use super::session::{self, Look, Session, build};
use crate::aws::Invoker;
use crate::cli::{Global, Try};
use crate::environment;
use crate::error::{Context, Error, Explain, Result};
use crate::probe;
use crate::trial::{Connection, Trial};
use crate::ui::numbers::duration;
use crate::ui::{Styles, Ui};
use crate::{local, settings};
use jane_migrate_core::document::ClientDocument;
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::line::one_line;
use jane_migrate_core::observed::deployed_config;
use jane_migrate_core::probe::Invocation;
use jane_migrate_core::probe::{Source, connection, event_for, sample as sample_event};
use jane_migrate_core::reason;
use jane_migrate_core::resources::EnvValue;

/// The exit code if the user would not migrate.
const WOULD_NOT: u8 = 3;

/// The JSON document of try.
#[derive(Debug, Serialize)]
struct Document<'a> {
    pool: &'a str,
    name: &'a str,
    client: &'a str,
    trigger: &'static str,
    by: By,
    /// Whether the pool already has this user: then Cognito would not call the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    #[serde(flatten)]
    trial: Trial,
}

/// What ran the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Function,
    Local,
}

impl By {
    fn words(self) -> &'static str {
        match self {
            Self::Function => "the deployed function",
            Self::Local => "the handler on this machine",
        }
    }
}

pub(super) async fn run(global: &Global, args: &Try, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let targets = settings::targets(global, &args.pools, loaded)?;
    if targets.len() > 1 {
        return Err(Error::new(
            "one pool is tried at a time",
            "name it with --pool",
        ));
    }
    // The first thing of all, so that the operator can type it at once.
    let password = match &args.user {
        Some(user) if !args.forgot_password => Some(ui.password(user, args.password_stdin)?),
        _ => None,
    };
    let mut sessions = session::open_all(targets, Look::Ours { left: false }, ui).await;
    let (pool, session) = sessions.pop().ok_or_else(|| Error::bug("no pool"))?;
    let session = session?;
    if let Some(rows) = args.sample {
        let (by, answer) = ask(&session, args, &sample_event(rows), global, ui).await?;
        return sample::show(session.names(), by.words(), &answer, ui);
    }
    let user = args.user.as_deref().unwrap_or_default();
    let client = client(&session, args.client.as_deref())?;
    let event = event_for(
        &session.names().pool,
        client.id(),
        user,
        password.as_ref().map(ExposeSecret::expose_secret),
    );
    let (by, answer) = ask(&session, args, &event, global, ui).await?;
    let trial = Trial::new(&event, &answer, &session.pool()?.document).map_err(|error| {
        let tail = format!("logs tail {} --since 10m", session.names().log_group);
        Error::because(error, fix!["its log says why: `", Fix::aws(tail), "`"])
    })?;
    let trial = match connection_event(&session, args, client, user, &trial) {
        Some((event, jane)) => {
            let (_, answer) = ask(&session, args, &event, global, ui).await?;
            let trial = trial.with_on_migrated(&answer);
            match jane {
                true => trial.with_connection(Connection::new(&answer)),
                false => trial,
            }
        }
        None => trial,
    };
    let document = Document {
        pool: pool.as_str(),
        name: user,
        client: client.id(),
        trigger: match args.forgot_password {
            true => Source::ForgotPassword.trigger_source(),
            false => Source::SignIn.trigger_source(),
        },
        by,
        // Only for a note: `try` also works without the permission to read a user.
        known: session
            .aws
            .user(&session.names().pool.id, user)
            .await
            .ok()
            .map(|user| user.is_some()),
        trial,
    };
    ui.say(&render(&document, client, &ui.out));
    if ui.json {
        ui.document(&document)?;
    }
    Ok(match document.trial.would_migrate {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(WOULD_NOT),
    })
}

/// The event that Cognito would send before it creates a migrated user, if a notification is configured; and whether it goes to
/// Jane.
fn connection_event(
    session: &Session,
    args: &Try,
    client: &ClientDocument,
    typed: &str,
    trial: &Trial,
) -> Option<(Value, bool)> {
    let migrated = trial.user.as_ref().filter(|_| trial.would_migrate)?;
    let deployed = || deployed_config(session.observed.live.as_ref().ok()?.as_ref()?);
    let config = match args.local {
        true => session.target.config().cloned(),
        false => deployed(),
    };
    let config = config?;
    let jane = matches!(config.directory, Directory::Jane(_));
    if !config.triggers.pre_sign_up || !(jane || config.on_migrated.is_some()) {
        return None;
    }
    let pool = &session.observed.pool().ok()?.document;
    // If users sign in with an attribute, Cognito makes up the user name when it creates the user.
    let own = migrated.attributes.get("username").map(String::as_str);
    let name = match pool.username_attributes().next() {
        Some(_) => MADE_BY_COGNITO,
        None => own.unwrap_or(typed),
    };
    let attributes = json!(migrated.attributes);
    let event = connection(&session.names().pool, client.id(), name, attributes);
    Some((event, jane))
}

/// Stands for a user name that Cognito makes up.
const MADE_BY_COGNITO: &str = "(made by Cognito)";

fn client<'a>(session: &'a Session, named: Option<&str>) -> Result<&'a ClientDocument> {
    let (pool, region) = (&session.names().pool.id, &session.names().pool.region);
    match named {
        Some(id) => {
            let mut clients = session
                .needs(session.observed.clients.as_ref().map_err(Into::into))?
                .iter();
            clients.find(|client| client.id() == id).ok_or_else(|| {
                let list = format!("cognito-idp list-user-pool-clients --user-pool-id {pool}");
                Error::new(
                    format!("user pool {pool} has no app client {id}"),
                    fix!["`", Fix::aws_in(region, list), "` lists its app clients"],
                )
            })
        }
        None => session.probing_client()?.ok_or_else(|| {
            Error::new(
                format!("user pool {pool} has no app client"),
                "customers sign in through an app client: create one first",
            )
        }),
    }
}

/// The response of the deployed function, or of the handler on this machine.
async fn ask(
    session: &Session,
    args: &Try,
    event: &Value,
    global: &Global,
    ui: &Ui,
) -> Result<(By, Invocation)> {
    Ok(match args.local {
        true => (By::Local, try_here(session, event, global, ui).await?),
        false => (By::Function, try_function(session, args, event, ui).await?),
    })
}

async fn try_function(
    session: &Session,
    args: &Try,
    event: &serde_json::Value,
    ui: &Ui,
) -> Result<Invocation> {
    let name = &session.names().function;
    if session.function()?.is_none() {
        let here = format!("{} --local", args.again());
        return Err(Error::new(
            format!("there is no function `{name}`"),
            fix![
                "deploy it first, or try the handler on this machine: `",
                Fix::ours(&here, &session.names().pool.id, ""),
                "`",
            ],
        ));
    }
    let task = ui.task(format!("invoking function {name}"));
    let answer = Invoker::new(&session.aws)
        .invoke(&probe::live(&session.observed), event)
        .await
        .with_context(|| format!("failed to invoke function `{name}`"))?;
    task.clear();
    Ok(answer)
}

async fn try_here(
    session: &Session,
    event: &serde_json::Value,
    global: &Global,
    ui: &Ui,
) -> Result<Invocation> {
    let config = session.target.required()?;
    let deployed = session.function()?.map(|found| &found.function.environment);
    let mut environment = settings::environment_secrets(config, deployed)?;
    let mut set =
        |name: &str, value: &str| environment.insert(name.to_owned(), EnvValue::new(value));
    set(
        SETTINGS_VARIABLE,
        &session.handler_settings(config)?.to_json(),
    );
    set("AWS_REGION", &session.names().pool.region);
    let memory = config.function.memory_mb.to_string();
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory);
    // The handler fetches secrets with the operator's credentials, from the operator's endpoints.
    if let Some(credentials) = session.aws.credentials().await {
        set("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        set(
            "AWS_SECRET_ACCESS_KEY",
            credentials.secret_access_key.expose_secret(),
        );
        if let Some(token) = &credentials.session_token {
            set("AWS_SESSION_TOKEN", token.expose_secret());
        }
    }
    for (name, value) in environment::vars() {
        if !name.starts_with("AWS_ENDPOINT_URL") {
            continue;
        }
        set(&name, &value);
    }
    if let Some(url) = &global.endpoint_url {
        set("AWS_ENDPOINT_URL", url);
    }
    let mut config = config.clone();
    config.function.architecture = match std::env::consts::ARCH {
        "aarch64" => Architecture::Arm64,
        _ => Architecture::X86_64,
    };
    let bootstrap = build(&config, ui).await?.bootstrap()?;
    let task = ui.task("asking the handler on this machine");
    let answer = local::invoke(&bootstrap, &session.names().function, &environment, event)
        .await
        .explain(
            "failed to run the handler on this machine",
            "it is a program for Linux of this machine's architecture; without --local the deployed function is tried",
        )?;
    task.clear();
    Ok(answer)
}

fn render(document: &Document<'_>, client: &ClientDocument, styles: &Styles) -> String {
    let Document {
        pool,
        name,
        by,
        known,
        trial,
        ..
    } = document;
    let by = by.words();
    let mut text = format!(
        "{}\n",
        styles.strong.apply_to(format!(
            "{} at user pool {pool}, through client {} ({}), tried by {by}",
            one_line(name),
            client.name(),
            client.id()
        ))
    );
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label:<11} {value}");
    };
    let style = if trial.would_migrate {
        &styles.good
    } else {
        &styles.bad
    };
    row("outcome", &style.apply_to(&trial.outcome).to_string());
    if let Some(user) = &trial.user {
        row("status", &user.status);
        row(
            "welcome",
            &match user.welcome.as_slice() {
                [] => "no message".to_owned(),
                mediums => format!("a message by {}", mediums.join(" and ")),
            },
        );
        if user.force_alias_creation {
            row("alias", "taken from another user who has it");
        }
        if user.sms_mfa {
            row("second", "factor by SMS");
        }
        for (index, (name, value)) in user.attributes.iter().enumerate() {
            row(
                if index == 0 { "attributes" } else { "" },
                &one_line(&format!("{name} = {value}")),
            );
        }
    }
    for refusal in &trial.pool_refuses {
        row("refused", refusal);
    }
    if let Some(log) = &trial.log {
        if let Some(reason) = &log.reason {
            let meaning = reason::meaning(reason).map(|meaning| format!(": {meaning}"));
            row(
                "reason",
                &one_line(&format!("{reason}{}", meaning.unwrap_or_default())),
            );
        }
        for (index, call) in log.upstream.iter().enumerate() {
            row(if index == 0 { "directory" } else { "" }, &call.to_string());
        }
        let start = log.init_ms.map_or_else(String::new, |init| {
            format!(", {} of it to start", duration(init))
        });
        if let Some(took) = log.took_ms {
            row("took", &format!("{}{start}", duration(took)));
        }
    }
    if let Some(connection) = &trial.connection {
        row("Jane", &connection.outcome);
        for call in &connection.told {
            let name = call["call"].as_str().unwrap_or_default();
            row("would get", &one_line(name));
            let body = call["body"].as_object().into_iter().flatten();
            for (member, value) in body {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                row("", &one_line(&format!("{member} = {value}")));
            }
        }
    }
    if let Some(told) = &trial.on_migrated {
        row("on_migrated", &one_line(&told.outcome));
        let would = told.would_send.as_object().into_iter().flatten();
        for (member, value) in would.filter(|(_, value)| !value.is_null()) {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            row("", &one_line(&format!("{member} = {value}")));
        }
    }
    row("from here", &duration(trial.took_ms));
    text.push('\n');
    text.push_str(match (trial.would_migrate, known) {
        (_, Some(true)) => {
            "The pool has this user already, so Cognito would not ask. Nothing was stored."
        }
        (true, _) => "The user would migrate. Nothing was stored.",
        (false, _) => "The user would not migrate. Nothing was stored.",
    });
    text
}
