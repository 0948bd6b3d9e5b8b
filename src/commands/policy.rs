//! `policy`: the least IAM policy for each duty. Reads only the pool from AWS, or nothing if the account is given.

use std::fmt::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Value;

use crate::aws::Reader;
use crate::cli::{Global, Policy};
use crate::error::Result;
use crate::observe::{Depth, Scope, observe, unread};
use crate::policy::{Duty, Statement, Subject, document, statements};
use crate::settings::{self, Target};
use crate::ui::Ui;
use jane_migrate_core::ids::{Names, PoolArn};

/// The hint for a run without calls to AWS.
const ACCOUNT: &str = "with --account ID, the account's twelve digits, nothing is read from AWS";

pub(super) async fn run(global: &Global, args: &Policy, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load_if_there(global)?;
    let targets = settings::targets(global, &args.pools, loaded)?;
    let mut subjects = Vec::new();
    for target in &targets {
        subjects.push(subject(target, args, ui).await?);
    }
    let duties = match &args.duties[..] {
        [] => Duty::value_variants(),
        chosen => chosen,
    };
    if ui.json {
        // For duties that were named, print one document that IAM accepts.
        let policy = if args.duties.is_empty() {
            let each = duties.iter().map(|duty| {
                let statements = statements(&[*duty], &subjects);
                (duty.name().to_owned(), document(&statements))
            });
            Value::Object(each.collect())
        } else {
            document(&statements(duties, &subjects))
        };
        ui.document(&policy)?;
        return Ok(ExitCode::SUCCESS);
    }
    let strong = &ui.out.strong;
    let mut text = String::new();
    for duty in duties {
        let _ = writeln!(text, "{}", strong.apply_to(duty.name()));
        for statement in statements(&[*duty], &subjects) {
            show(&statement, &mut text);
        }
        text.push('\n');
    }
    text.push_str("As a document for IAM: jane-migrate policy --for DUTY --json");
    ui.show(&text);
    Ok(ExitCode::SUCCESS)
}

fn show(statement: &Statement, text: &mut String) {
    for resource in &statement.resources {
        let _ = writeln!(text, "  on {resource}");
    }
    for action in &statement.actions {
        let _ = writeln!(text, "    {action}");
    }
    if let Some((key, value)) = &statement.condition {
        let _ = writeln!(text, "    where {key} is {value}");
    }
}

/// The pool's ARN, from the given account or from the pool itself.
async fn subject<'a>(target: &'a Target, args: &Policy, ui: &Ui) -> Result<Subject<'a>> {
    let config = target.config();
    let region = &target.connection.region;
    if let Some(account) = &args.account {
        return Ok(Subject {
            names: Names::configured(
                PoolArn::new(target.pool.clone(), region.clone(), account.clone()),
                config.map(|config| &config.function),
            ),
            sms_role: args.sms_role.clone(),
            sender_key: None,
            config,
        });
    }
    let aws = Reader::connect(&target.connection).await;
    let task = ui.task(format!("reading user pool {}", target.pool));
    let scope = Scope {
        clients: None,
        config,
        depth: Depth::Description,
    };
    let observed = observe(&aws, &target.pool, region, scope)
        .await
        .map_err(|error| error.or_hint(ACCOUNT))?;
    task.clear();
    let pool = observed
        .pool()
        .map_err(|why| unread(&observed.names, &why))?;
    Ok(Subject::new(observed.names.clone(), &pool.document, config))
}
