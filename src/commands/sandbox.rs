//! `sandbox`: a local AWS for trying a migration, until it is stopped; or the tour through one.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use jane_migrate_sandbox::{Demo, Options, Sandbox};

use super::tour;
use crate::artifact;
use crate::cli;
use crate::error::{Error, Explain, Result};
use crate::signals::Signals;
use crate::ui::Ui;
use crate::ui::layout::Layout;

/// The hint if the cause is not on the operator's side.
const FAULT: &str = "run it again; if it fails again, please report it with its output";

/// The hint for another place of temporary files.
const TEMPORARY: &str = "set TMPDIR to a folder that can be written to";

/// The variable that holds Jane's client secret in the sandbox.
const JANE_SECRET: &str = "JANE_CLIENT_SECRET";

pub(super) async fn run(args: &cli::Sandbox, ui: &Ui) -> Result<ExitCode> {
    let shown = ui.clone();
    let options = Options {
        port: args.port.unwrap_or(0),
        progress: Arc::new(move |step: &str| shown.note(&format!("  {step}"))),
        ..Options::new(artifact::private_folder(&artifact::default_cache()?)?)
    };
    let task = ui.task("starting the sandbox");
    let sandbox = Sandbox::start(&options)
        .await
        .explain(
            "failed to start the sandbox",
            "it needs Python 3 with venv, and PyPI for the first start; if the port is taken, give another with --port, or none for a free one",
        )?;
    let demo = sandbox
        .seed()
        .await
        .explain("failed to fill the sandbox", FAULT)?;
    task.done();
    let folder = tempfile::Builder::new()
        .prefix("jane-migrate-sandbox-")
        .tempdir()
        .map_err(|error| Error::unwritable(&std::env::temp_dir(), error, TEMPORARY))?;
    let file = folder.path().join("migrate.toml");
    std::fs::write(&file, config(&sandbox, &demo))
        .map_err(|error| Error::unwritable(&file, error, TEMPORARY))?;

    let code = if args.tour {
        tour::run(
            &sandbox,
            &demo,
            folder.path(),
            &environment(&sandbox, &demo, folder.path()),
            ui,
            !args.no_pause && ui.can_ask(),
        )
        .await?
    } else {
        let mut signals = Signals::listen().explain("failed to listen for signals", FAULT)?;
        let exports = exports(&sandbox, &demo, folder.path());
        ui.show(&Layout::of(&ui.out).comments(&exports));
        signals.next().await;
        ExitCode::SUCCESS
    };
    sandbox
        .stop()
        .await
        .explain("failed to stop the sandbox", FAULT)?;
    Ok(code)
}

/// A configuration for the sandbox's directory. The sandbox runs the function on this machine's processor.
fn config(sandbox: &Sandbox, demo: &Demo) -> String {
    let function = match cfg!(target_arch = "aarch64") {
        true => "\n[function]\narchitecture = \"arm64\"\n",
        false => "",
    };
    format!(
        "[pool]\nid = \"{}\"\n\n[directory]\nkind = \"jane\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ env = \"{JANE_SECRET}\" }}\n\n[triggers]\npre_sign_up = true\npost_confirmation = true\n\n[window]\ntotal_users = {}\n{function}",
        demo.pool_id,
        sandbox.jane().url(),
        sandbox.jane().client_id(),
        demo.accounts.len(),
    )
}

/// The variables that the commands need in the sandbox.
fn environment(sandbox: &Sandbox, demo: &Demo, folder: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", sandbox.endpoint()),
        ("AWS_ACCESS_KEY_ID", sandbox.account_id().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", sandbox.secret_key().to_owned()),
        ("AWS_REGION", sandbox.region().to_owned()),
        // Python's SDK reads only this one.
        ("AWS_DEFAULT_REGION", sandbox.region().to_owned()),
        (JANE_SECRET, sandbox.jane().client_secret().to_owned()),
        (
            "JANE_MIGRATE_CONFIG",
            folder.join("migrate.toml").display().to_string(),
        ),
        ("JANE_MIGRATE_POOL", demo.pool_id.clone()),
    ]
}

fn exports(sandbox: &Sandbox, demo: &Demo, folder: &Path) -> String {
    let exports: Vec<String> = environment(sandbox, demo, folder)
        .iter()
        .map(|(name, value)| format!("export {name}={value}"))
        .collect();
    let accounts: Vec<String> = demo
        .accounts
        .iter()
        .map(|account| {
            format!(
                "#   {:<28} {:?}{}",
                account.email,
                account.kind,
                account
                    .password
                    .as_ref()
                    .map(|password| format!(", password {password}"))
                    .unwrap_or_default()
            )
        })
        .collect();
    format!(
        "# The sandbox runs until Ctrl-C. Nothing in it is real, its secrets included. In another terminal:\n\n{}\n\n# then\n#   jane-migrate plan --enable-password-auth\n#   jane-migrate deploy --enable-password-auth\n#\n# User pool {} with the app clients {} (web) and {} (mobile).\n# Accounts of the directory:\n{}",
        exports.join("\n"),
        demo.pool_id,
        demo.web_client,
        demo.mobile_client,
        accounts.join("\n"),
    )
}
