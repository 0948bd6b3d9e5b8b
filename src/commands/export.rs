//! `export`: the function and everything around it as another tool's code, and what that tool's definition of the
//! pool needs.

use std::process::ExitCode;

use jane_migrate_config::{Config, Secret};
use jane_migrate_core::resources::{Desired, Environment};
use jane_migrate_core::retention::by_default;
use jane_migrate_core::trigger::Trigger;
use jane_migrate_core::watch::{Watch, as_exported, wanted};
use serde_json::json;

use super::coexist::name_of;
use super::session;
use crate::artifact;
use crate::aws::Reader;
use crate::cli::{Export, Global};
use crate::dates::today;
use crate::error::{Error, Result};
use crate::export::{Whole, commented, snippet, whole};
use crate::settings;
use crate::ui::Ui;

pub(super) async fn run(global: &Global, args: &Export, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    let [target] = &targets[..] else {
        return Err(Error::new(
            "export writes the code of one pool at a time",
            "name the pool with --pool",
        ));
    };
    let config = target.required()?;
    no_secrets(config)?;
    let aws = Reader::connect(&target.connection).await;
    let (observed, handler) = super::settings::read(&aws, target).await?;
    let names = &observed.names;
    let today = today()?;
    let watch = match config.alarms.topic.is_some() {
        true => wanted(names, config, today, aws.concurrency_limit().await?),
        false => Watch::new(),
    };
    let built = match &args.artifact {
        Some(zip) => artifact::open(zip, config.directory.kind(), config.function.architecture)?,
        None => session::build(config, ui).await?,
    };
    let mut desired = Desired::new(names, config, &handler, "", Environment::new());
    let log = &mut desired.log_group;
    if log.retention_days.is_none() {
        log.retention_days = Some(by_default(config.window.closes, None, today).0);
    }
    let code = whole(
        args.tool,
        &Whole {
            names,
            desired: &desired,
            watch: &as_exported(&watch),
            tags: &config.function.tags,
            given_role: names.given_role && !names.given_function,
            code_sha256: &built.code_sha256,
        },
    );
    let of_pool = snippet(args.tool, names, &Trigger::on(config, today));
    if ui.json {
        ui.document(&json!({
            "pool": target.pool.as_str(),
            "for": name_of(args.tool),
            "code": code,
            "pool_code": of_pool,
            "code_sha256": built.code_sha256,
            "function_arn": names.live_arn,
            "role_arn": names.role_arn,
        }))?;
    } else {
        ui.print(&format!("{code}\n{}", commented(args.tool, &of_pool)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if the environment has a secret, which would be in the code.
fn no_secrets(config: &Config) -> Result<()> {
    let secrets = config.secrets().into_iter();
    let mut plain = secrets.filter(|(_, secret)| matches!(secret, Secret::Env(_)));
    match plain.next() {
        None => Ok(()),
        Some((member, _)) => Err(Error::new(
            format!(
                "directory.{member} is kept in the function's environment, and code holds no secrets"
            ),
            "keep it in Secrets Manager or SSM, and name it there in [directory]",
        )),
    }
}
