//! `coexist`: what keeps another tool from removing the trigger.

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use crate::aws::Reader;
use crate::cli::{Coexist, Global};
use crate::dates::today;
use crate::error::Result;
use crate::export::{Tool, snippet};
use crate::observe::{Depth, Scope, observe};
use crate::settings::{self, Target};
use crate::ui::Ui;
use crate::ui::layout::Layout;
use jane_migrate_core::ids::{Names, PoolArn};
use jane_migrate_core::trigger::Trigger;

/// The hint for a run without calls to AWS.
const ACCOUNT: &str = "with --account ID, the account's twelve digits, nothing is read from AWS";

pub(super) async fn run(global: &Global, args: &Coexist, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let tool = name_of(args.tool);
    let mut snippets = Vec::new();
    for target in settings::targets(global, &args.pools, loaded)? {
        let pool = target.pool.clone();
        let triggers = match target.config() {
            Some(config) => Trigger::on(config, today()?),
            None => vec![Trigger::UserMigration],
        };
        let loaded = target.loaded.clone();
        let config = loaded.as_deref().map(|loaded| &loaded.config.function);
        let names = Names::configured(arn(target, args.account.as_deref()).await?, config);
        let snippet = snippet(args.tool, &names, &triggers);
        if !ui.json {
            ui.show(&Layout::of(&ui.out).comments(&snippet));
        }
        snippets.push(json!({ "pool": pool.as_str(), "for": tool, "snippet": snippet }));
    }
    if ui.json {
        match &snippets[..] {
            [one] => ui.document(one)?,
            all => ui.document(&json!({ "pools": all }))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A tool's name on the command line.
pub(super) fn name_of(tool: Tool) -> String {
    let value = tool.to_possible_value();
    value
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// The pool's ARN: from AWS, or computed if the account is given.
async fn arn(target: Target, account: Option<&str>) -> Result<PoolArn> {
    let Target {
        pool, connection, ..
    } = target;
    if let Some(account) = account {
        return Ok(PoolArn::new(pool, connection.region, account.to_owned()));
    }
    let aws = Reader::connect(&connection).await;
    let scope = Scope {
        clients: None,
        config: None,
        depth: Depth::Description,
    };
    let observed = observe(&aws, &pool, &connection.region, scope)
        .await
        .map_err(|error| error.or_hint(ACCOUNT))?;
    Ok(observed.names.pool)
}
