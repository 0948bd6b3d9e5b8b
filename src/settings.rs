//! Combines flags, environment and migrate.toml, in one place and once. Reads the file and the environment; calls no service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jane_migrate_config::{Config, Pool, Secret};
use jane_migrate_core::fix::Flags;

use crate::aws::{Connection, ca_bundle};
use crate::cli::{Allow, Global, Pools};
use crate::environment;
use crate::error::{Error, Result};
use jane_migrate_core::ids::{PoolId, function_name, log_group_name};
use jane_migrate_core::plan::Allowed;
use jane_migrate_core::resources::{EnvValue, Environment};

/// The configuration file without `--config`.
pub const DEFAULT_FILE: &str = "migrate.toml";

/// A configuration and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file.
    pub path: PathBuf,
}

/// The configuration; without a file, an error that says how to create one.
pub fn load(global: &Global) -> Result<Loaded> {
    load_if_there(global)?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::new(
        format!("there is no {DEFAULT_FILE} here"),
        "`jane-migrate init --pool ID` writes one; --config names a file elsewhere",
    )
}

/// The configuration. `None` only if no file was named and the default one does not exist.
pub fn load_if_there(global: &Global) -> Result<Option<Loaded>> {
    let path = global
        .config
        .clone()
        .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {
            return Ok(None);
        }
        Err(error) => {
            return Err(Error::new(
                format!("failed to read `{}`: {error}", path.display()),
                "check the file that --config or JANE_MIGRATE_CONFIG names, and that this user may read it",
            ));
        }
    };
    let config =
        jane_migrate_config::parse(&text, &path.display().to_string()).map_err(|error| {
            Error::new(
                format!("failed to understand the configuration\n{error}"),
                "`jane-migrate example` prints every key with its default",
            )
        })?;
    Ok(Some(Loaded { config, path }))
}

/// One pool to work on.
#[derive(Debug, Clone)]
pub struct Target {
    /// The pool's id.
    pub pool: PoolId,
    /// The configuration for this pool, if there is a file.
    pub loaded: Option<Arc<Loaded>>,
    /// The clients whose sign-ins must migrate; `None`: all.
    pub clients: Option<Vec<String>>,
    /// Where to connect.
    pub connection: Connection,
    /// The flags for printed commands.
    pub given: Flags,
}

impl Target {
    /// The configuration of this pool, if there is a file.
    pub fn config(&self) -> Option<&Config> {
        self.loaded.as_deref().map(|loaded| &loaded.config)
    }

    /// The same for commands that need one.
    pub fn required(&self) -> Result<&Config> {
        self.config().ok_or_else(missing)
    }

    /// The log group of its function.
    pub fn log_group(&self) -> String {
        let function = self.config().map(|config| &config.function);
        log_group_name(&function_name(
            &self.pool,
            &self.connection.region,
            function,
        ))
    }

    /// The folder of its snapshots: next to the configuration.
    pub fn folder(&self) -> &Path {
        let file = self.loaded.as_deref().map(|loaded| loaded.path.as_path());
        file.and_then(Path::parent).unwrap_or(Path::new(""))
    }
}

/// The pools to work on: those of `--pool`, else all of the configuration's.
pub fn targets(global: &Global, pools: &Pools, loaded: Option<Loaded>) -> Result<Vec<Target>> {
    let loaded = loaded.map(Arc::new);
    let config = loaded.as_deref().map(|loaded| &loaded.config);
    let configured = config
        .map(|config| &config.pools[..])
        .unwrap_or_default()
        .iter()
        .filter_map(|pool| pool.id.clone());
    let ids: Vec<PoolId> = if pools.pools.is_empty() || pools.all {
        configured.collect()
    } else {
        pools.pools.clone()
    };
    if ids.is_empty() {
        return Err(Error::new(
            "no user pool given",
            format!("name it with --pool, or as [pool] id in {DEFAULT_FILE}"),
        ));
    }
    // Reported here once, instead of by every request.
    ca_bundle()?;
    let mut targets: Vec<Target> = Vec::new();
    for pool in ids {
        if targets.iter().any(|target| target.pool == pool) {
            continue;
        }
        let entry = config.and_then(|config| config.pool(&pool));
        let of_file = entry.and_then(|entry| entry.profile.clone());
        let profile = global.profile.clone().or(of_file);
        let connection = Connection {
            region: region(global, entry, &pool)?,
            profile: profile.clone(),
            role_arn: entry.and_then(|entry| entry.role_arn.clone()),
            endpoint_url: global.endpoint_url.clone(),
            timeout: global.timeout.map(Duration::from_secs),
        };
        targets.push(Target {
            clients: entry.and_then(|entry| entry.clients.clone()),
            loaded: loaded.as_ref().map(|whole| of_pool(whole, &pool)),
            connection,
            // Our own commands read it from the file; those of the AWS CLI do not.
            given: match &global.profile {
                Some(_) => global.flags(),
                None => global.flags().as_profile(profile.as_deref()),
            },
            pool,
        });
    }
    Ok(targets)
}

/// The configuration for one pool.
fn of_pool(whole: &Arc<Loaded>, pool: &PoolId) -> Arc<Loaded> {
    let own = whole.config.for_pool(pool);
    if std::ptr::eq(own, &whole.config) {
        return Arc::clone(whole);
    }
    Arc::new(Loaded {
        config: own.clone(),
        path: whole.path.clone(),
    })
}

fn region(global: &Global, entry: Option<&Pool>, pool: &PoolId) -> Result<String> {
    let from_environment = || {
        ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .iter()
            .find_map(|name| environment::var(name))
    };
    global
        .region
        .clone()
        .or_else(|| entry?.region.clone())
        .or_else(|| pool.region().map(str::to_owned))
        .or_else(from_environment)
        .ok_or_else(|| {
            Error::new(
                format!("the Region of user pool `{pool}` is not known"),
                "name it with --region, or as [pool] region in the configuration",
            )
        })
}

/// What the operator allows for this pool.
pub fn allowed(allow: &Allow, target: &Target) -> Allowed {
    Allowed {
        clients: target.clients.clone(),
        enable_password_auth: allow.enable_password_auth,
        replace: allow.replace,
        unknown: allow.unknown.iter().cloned().collect(),
        ..Allowed::default()
    }
}

/// The values of the configuration's `{ env = NAME }` secrets: from the operator's environment, or else from the deployed
/// function, so that a machine without them can deploy other changes.
pub fn environment_secrets(config: &Config, deployed: Option<&Environment>) -> Result<Environment> {
    let mut values = BTreeMap::new();
    for (member, secret) in config.secrets() {
        let Secret::Env(name) = secret else { continue };
        let value = environment::var(name)
            .map(EnvValue::new)
            .or_else(|| deployed.and_then(|deployed| deployed.get(name)).cloned())
            .ok_or_else(|| {
                Error::new(
                    format!("the environment variable {name} is not set, and {member} says that the secret is there"),
                    format!("set {name} for this command without leaving it in the shell's history (`IFS= read -rs {name}; export {name}`), or keep the secret in Secrets Manager or SSM"),
                )
            })?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}
