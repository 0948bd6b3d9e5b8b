//! `settings`: what a function needs if another tool creates it from the zip of `build`. Secrets are named and never
//! printed.

use std::process::ExitCode;

use jane_migrate_config::{HandlerSettings, Secret};
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::fix::quoted;
use jane_migrate_core::observed::Observed;
use jane_migrate_core::resources::{Desired, Environment};
use serde_json::{Value, json};

use super::many::each;
use crate::aws::{Connections, Reader};
use crate::cli::{Global, Settings};
use crate::error::Result;
use crate::observe::{Depth, Scope, observe, unread};
use crate::settings::{self, Target};
use crate::ui::Ui;

pub(super) async fn run(global: &Global, args: &Settings, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    let connections = Connections::default();
    let read = each(targets, async |target| needs(&target, &connections).await).await;
    let needed = read.into_iter().collect::<Result<Vec<Needs>>>()?;
    if ui.json {
        let documents: Vec<Value> = needed.iter().map(Needs::document).collect();
        match &documents[..] {
            [one] => ui.document(one)?,
            all => ui.document(&json!({ "pools": all }))?,
        }
    } else {
        for needs in &needed {
            ui.print(&needs.lines());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What one pool's function needs.
struct Needs {
    pool: String,
    function: jane_migrate_core::resources::Function,
    /// The variables that hold secrets.
    secrets: Vec<String>,
}

/// Reads the pool, and derives the handler's settings from it and the configuration.
pub(super) async fn read(aws: &Reader, target: &Target) -> Result<(Observed, HandlerSettings)> {
    let config = target.required()?;
    let scope = Scope {
        clients: Some(&[]),
        config: Some(config),
        depth: Depth::Pool,
    };
    let observed = observe(aws, &target.pool, &target.connection.region, scope).await?;
    let why = |why| unread(&observed.names, &why);
    let pool = observed.pool().map_err(why)?;
    let facts = pool_facts(&pool.document, observed.mfa().map_err(why)?);
    let handler = HandlerSettings::new(config, &facts);
    Ok((observed, handler))
}

async fn needs(target: &Target, connections: &Connections) -> Result<Needs> {
    let config = target.required()?;
    let aws = connections.get(&target.connection).await;
    let (observed, handler) = read(&aws, target).await?;
    let names = &observed.names;
    let desired = Desired::new(names, config, &handler, "", Environment::new());
    let secrets = config.secrets().into_iter();
    let kept_there = |(_, secret): (String, &Secret)| match secret {
        Secret::Env(name) => Some(name.clone()),
        Secret::SecretsManager { .. } | Secret::Ssm { .. } => None,
    };
    Ok(Needs {
        pool: target.pool.to_string(),
        function: desired.function,
        secrets: secrets.filter_map(kept_there).collect(),
    })
}

impl Needs {
    fn document(&self) -> Value {
        let function = &self.function;
        let environment = function.environment.iter();
        let environment: Value = environment
            .map(|(name, value)| (name.clone(), Value::from(value.expose())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({
            "pool": self.pool,
            "runtime": function.runtime,
            "handler": function.handler,
            "architecture": function.architecture.as_str(),
            "memory_mb": function.memory_mb,
            "timeout_s": function.timeout_s,
            "environment": environment,
            "secret_variables": self.secrets,
        })
    }

    /// The same in the form for a shell and for a file of variables.
    fn lines(&self) -> String {
        let function = &self.function;
        let mut text = format!(
            "# The function of user pool {}: runtime {}, handler {}, architecture {}, {} MB, timeout {} s\n",
            self.pool,
            function.runtime,
            function.handler,
            function.architecture.as_str(),
            function.memory_mb,
            function.timeout_s,
        );
        for (name, value) in &function.environment {
            text.push_str(&format!("{name}={}\n", quoted(value.expose())));
        }
        for name in &self.secrets {
            text.push_str(&format!("# and {name}, which holds a secret\n"));
        }
        text
    }
}
