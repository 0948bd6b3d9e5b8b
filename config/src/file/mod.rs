//! Reading `migrate.toml`: all of its problems at once, each with line, column and what would be right.

mod check;
mod directory;
mod error;
mod http;
mod preset;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml::{de::DeTable, value::Datetime};

use self::{error::Report, table::Table};
pub use self::{
    error::{ConfigError, Problem},
    preset::presets,
};
use crate::{
    Config, Date, Directory, Function, Pool, PoolId, Response, Verify, Vpc, Window,
    config::{DeliveryMedium, MessageAction},
};

/// Reads the text of a `migrate.toml`; `file` is what messages call it.
pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
    let report = Report::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    let config = if errors.is_empty() {
        config(Table::root(document, &report))
    } else {
        None
    };
    for error in errors {
        report.add(
            error.span().unwrap_or_default(),
            error.message().replace('\n', ", "),
        );
    }
    report.finish(config, text, file)
}

/// The tables that make a configuration, and which a pool may override.
#[derive(Clone)]
struct Tables<'r, 'i> {
    directory: Option<Table<'r, 'i>>,
    attributes: Option<Table<'r, 'i>>,
    response: Option<Table<'r, 'i>>,
    function: Option<Table<'r, 'i>>,
    window: Option<Table<'r, 'i>>,
    verify: Option<Table<'r, 'i>>,
}

impl<'r, 'i> Tables<'r, 'i> {
    fn of(parent: &mut Table<'r, 'i>) -> Self {
        Self {
            directory: parent.table("directory"),
            attributes: parent.table("attributes"),
            response: parent.table("response"),
            function: parent.table("function"),
            window: parent.table("window"),
            verify: parent.table("verify"),
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            directory,
            attributes,
            response,
            function,
            window,
            verify,
        } = self;
        [directory, attributes, response, function, window, verify]
            .into_iter()
            .all(Option::is_none)
    }

    /// A key of `over` takes the place of the same key here; a directory of another kind that of the whole directory.
    fn overlaid(self, over: Self) -> Self {
        let overlaid = |base: Option<Table<'r, 'i>>, over: Option<Table<'r, 'i>>| match (base, over)
        {
            (Some(base), Some(over)) => Some(base.overlaid(over, "kind")),
            (base, over) => over.or(base),
        };
        Self {
            directory: overlaid(self.directory, over.directory),
            attributes: overlaid(self.attributes, over.attributes),
            response: overlaid(self.response, over.response),
            function: overlaid(self.function, over.function),
            window: overlaid(self.window, over.window),
            verify: overlaid(self.verify, over.verify),
        }
    }
}

fn config(mut root: Table<'_, '_>) -> Option<Config> {
    let pools = root.tables("pool");
    root.require("directory");
    let tables = Tables::of(&mut root);
    let pools = self::pools(pools, &root, &tables);
    let config = settings(&root, tables);
    root.finish();
    config.map(|config| Config { pools, ..config })
}

/// Everything but the pools.
fn settings(root: &Table<'_, '_>, tables: Tables<'_, '_>) -> Option<Config> {
    let read = tables.directory.and_then(directory::directory);
    let mut attributes = tables.attributes.map(attributes).unwrap_or_default();
    let (directory, defaults) = read.map_or((None, Default::default()), |(directory, defaults)| {
        (Some(directory), defaults)
    });
    for (name, source) in defaults {
        attributes.entry(name).or_insert(source);
    }
    if attributes.is_empty()
        && matches!(directory, Some(Directory::Http(_) | Directory::Postgres(_)))
    {
        root.problem("[attributes] must map at least one attribute, such as `email = \"email\"`");
    }
    let response = tables.response.map(response).unwrap_or_default();
    let function = tables.function.map(function).unwrap_or_default();
    let window = tables.window.map(window).unwrap_or_default();
    let verify = tables.verify.map(verify).unwrap_or_default();
    Some(Config {
        pools: Vec::new(),
        directory: directory?,
        attributes,
        response,
        function,
        window,
        verify,
    })
}

fn pools<'r, 'i>(
    tables: Vec<Table<'r, 'i>>,
    root: &Table<'r, 'i>,
    shared: &Tables<'r, 'i>,
) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    let several = tables.len() > 1;
    for mut table in tables {
        if several {
            table.require("id");
        }
        let id = table
            .checked("id", |id: &String| check::pool_id(id))
            .and_then(|id| id.parse::<PoolId>().ok());
        let clients = table.list("clients", check::client_id);
        if clients.as_ref().is_some_and(Vec::is_empty) {
            table.problem(
                "`clients` in [pool] names no client; leave it out to mean all of the pool's",
            );
        }
        if id.is_some() && pools.iter().any(|pool| pool.id == id) {
            table.problem("the same pool is named twice");
        }
        let region = table.checked("region", |region: &String| check::region(region));
        let own = Tables::of(&mut table);
        let config = match own.is_empty() {
            true => None,
            false => settings(root, shared.clone().overlaid(own)).map(Box::new),
        };
        table.finish();
        pools.push(Pool {
            id,
            region,
            clients,
            config,
        });
    }
    pools
}

fn attributes(table: Table<'_, '_>) -> BTreeMap<String, String> {
    table.into_map(|name, source: &String| check::attribute(name, source))
}

fn response(mut table: Table<'_, '_>) -> Response {
    let message_action: MessageAction = table.get("message_action").unwrap_or_default();
    let delivery_mediums: Vec<DeliveryMedium> = table.get("delivery_mediums").unwrap_or_default();
    if message_action == MessageAction::Suppress && !delivery_mediums.is_empty() {
        table.problem(
            "`delivery_mediums` in [response] has no effect without `message_action = \"SEND\"`",
        );
    }
    if message_action == MessageAction::Send && delivery_mediums.is_empty() {
        // Cognito would send text messages, which few expect and everybody pays for.
        table.problem("`message_action = \"SEND\"` in [response] needs `delivery_mediums`, such as [\"EMAIL\"]");
    }
    let response = Response {
        final_user_status: table.get("final_user_status").unwrap_or_default(),
        enforce_password_policy: table.get("enforce_password_policy").unwrap_or_default(),
        message_action,
        delivery_mediums,
        force_alias_creation: table.get("force_alias_creation").unwrap_or_default(),
        enable_sms_mfa: table.get("enable_sms_mfa").unwrap_or_default(),
        username: table.get("username").unwrap_or_default(),
    };
    table.finish();
    response
}

fn function(mut table: Table<'_, '_>) -> Function {
    let default = Function::default();
    let function = Function {
        architecture: table.get("architecture").unwrap_or(default.architecture),
        memory_mb: table
            .integer("memory_mb", 128..=10_240)
            .unwrap_or(default.memory_mb),
        log_retention_days: table
            .checked("log_retention_days", check::retention)
            .unwrap_or(default.log_retention_days),
        reserved_concurrency: table.integer("reserved_concurrency", 1..=100_000),
        kms_key_arn: table.checked("kms_key_arn", directory::text(check::kms_key)),
        vpc: table.table("vpc").map(vpc),
        tags: table.map("tags", |name, value: &String| match name {
            _ if name.starts_with("aws:") => {
                Err("cannot be set: AWS keeps tags that begin with `aws:` to itself".to_owned())
            }
            _ if name.starts_with("jane-migrate") => {
                Err("is one of the tags the tool sets itself".to_owned())
            }
            _ if name.is_empty() || name.chars().count() > 128 => {
                Err("must have 1 to 128 characters".to_owned())
            }
            _ if value.chars().count() > 256 => {
                Err("must have a value of at most 256 characters".to_owned())
            }
            _ => Ok(()),
        }),
    };
    table.finish();
    function
}

fn vpc(mut table: Table<'_, '_>) -> Vpc {
    let mut ids = |key, prefix: &str| {
        table.require(key);
        let check = |id: &str| match id.strip_prefix(prefix) {
            Some(rest)
                if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                Ok(())
            }
            _ => Err(format!("must list ids such as {prefix}0123456789abcdef0")),
        };
        let ids = table.list(key, check).unwrap_or_default();
        if ids.is_empty() {
            table.problem(format_args!(
                "`{key}` in [function.vpc] must name at least one"
            ));
        }
        ids
    };
    let vpc = Vpc {
        subnets: ids("subnets", "subnet-"),
        security_groups: ids("security_groups", "sg-"),
    };
    table.finish();
    vpc
}

fn window(mut table: Table<'_, '_>) -> Window {
    let calendar_day = |written: &Datetime| match date(written) {
        Some(_) => Ok(()),
        None => Err("must be a date alone, such as 2027-03-31".to_owned()),
    };
    let window = Window {
        closes: table
            .checked("closes", calendar_day)
            .as_ref()
            .and_then(date),
        total_users: table.integer("total_users", 1..=i64::MAX),
    };
    table.finish();
    window
}

fn date(written: &Datetime) -> Option<Date> {
    match (written.date, written.time, written.offset) {
        (Some(date), None, None) => Date::new(date.year, date.month, date.day),
        _ => None,
    }
}

fn verify(mut table: Table<'_, '_>) -> Verify {
    let accept = table.map("accept", |id, reason: &String| {
        let kebab = id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !kebab || id.is_empty() {
            return Err("must be the id of a check, such as open-sign-up".to_owned());
        }
        check::not_empty(reason)
            .map_err(|_| "needs a reason: the next reader will want to know why".to_owned())
    });
    table.finish();
    Verify { accept }
}
