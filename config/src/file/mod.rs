//! Reads `migrate.toml`: reports all of its problems at once, each with line, column and what would be right.
//!
//! The types define the keys, with their types and defaults (see `read`). This module and those below check what types cannot
//! express: the form of values (`check`), what must fit together, and what overrides what.

mod check;
mod directory;
mod error;
mod http;
mod on_migrated;
mod preset;
mod read;
mod secret;
mod table;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, marker::PhantomData};

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use toml::de::DeTable;

use self::{
    error::Report,
    read::read,
    table::{Node, Table},
};
pub use self::{
    error::{ConfigError, Problem},
    preset::presets,
};
use crate::{
    Alarms, Arn, Config, Function, Import, OnMigrated, Pool, PoolId, Response, Triggers, Verify,
    Window,
};

#[cfg(feature = "schema")]
pub(crate) use self::{
    directory::{Directory as DirectoryTable, Partial},
    secret::SecretForms,
};

/// A whole `migrate.toml`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct File {
    /// The user pools to migrate into: `[pool]`, or one `[[pool]]` for each.
    #[serde(rename = "pool")]
    _pool: Option<Apart<Pools>>,
    /// The directory with the existing accounts.
    directory: directory::Directory,
    /// The sources of Cognito's attributes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "attributes_schema"))]
    attributes: BTreeMap<String, String>,
    /// The function's response to Cognito for a migrated user.
    #[serde(default)]
    response: Response,
    /// Further triggers of the pool that call the function.
    #[serde(default)]
    triggers: Triggers,
    /// The notification that a user has migrated.
    on_migrated: Option<OnMigrated>,
    /// The Lambda function.
    #[serde(default)]
    function: Function,
    /// The alarms for an error of the migration.
    #[serde(default)]
    alarms: Alarms,
    /// The time of the migration.
    #[serde(default)]
    window: Window,
    /// Accepted findings of `verify`.
    #[serde(default)]
    verify: Verify,
    /// How `remaining` and `import` read the whole directory.
    #[serde(default)]
    import: Import,
}

/// The schema of `[attributes]`.
#[cfg(feature = "schema")]
fn attributes_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Cognito attribute = the source of its value: a field of the directory's user, a JSON pointer into it, \
             several of these with `|` between them, `=text`, `{username}` or `{uuid}`.",
        "type": "object",
        "propertyNames": { "anyOf": [{ "enum": check::ATTRIBUTES }, { "pattern": "^(dev:)?custom:.{1,20}$" }] },
        "additionalProperties": { "type": "string", "pattern": r"\S" },
    })
}

/// The tables that a pool may override.
const TABLES: [&str; 10] = [
    "directory",
    "attributes",
    "response",
    "triggers",
    "on_migrated",
    "function",
    "alarms",
    "window",
    "verify",
    "import",
];

/// One pool, or several.
#[allow(dead_code, reason = "read one by one")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub(crate) enum Pools {
    One(Box<PoolTable>),
    Several(Vec<PoolTable>),
}

/// One user pool to migrate into. Its own `directory`, `attributes` and so on override those of the file, key by key.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what a pool overrides is read laid over the file")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct PoolTable {
    /// The pool's id. Optional if `--pool` names it.
    id: Option<PoolId>,
    /// The pool's Region. Default: the Region in its id.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::REGION)))]
    region: Option<String>,
    /// The app clients whose users must be able to migrate. Default: all of the pool's.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1), inner(regex(pattern = "^[A-Za-z0-9_+]{1,128}$")))
    )]
    clients: Option<Vec<String>>,
    /// The profile of the AWS configuration files for the pool's account. `--profile` overrides it.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    profile: Option<String>,
    /// The role to assume, with the present credentials, for all calls about this pool.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ *?]+$"))
    )]
    role_arn: Option<String>,
    directory: Option<Apart<directory::Partial>>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "attributes_schema"))]
    attributes: Option<Apart<BTreeMap<String, String>>>,
    response: Option<Apart<Response>>,
    triggers: Option<Apart<Triggers>>,
    on_migrated: Option<Apart<OnMigrated>>,
    function: Option<Apart<Function>>,
    alarms: Option<Apart<Alarms>>,
    window: Option<Apart<Window>>,
    verify: Option<Apart<Verify>>,
    import: Option<Apart<Import>>,
}

/// A key of the file whose value has this type, and that is read separately.
pub(crate) struct Apart<T>(PhantomData<T>);

impl<'de, T> Deserialize<'de> for Apart<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(PhantomData))
    }
}

/// Parses the text of a `migrate.toml`; `file` is its name in messages.
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

fn config(mut root: Table<'_, '_>) -> Option<Config> {
    let tables = root.take_tables("pool");
    let several = tables.len() > 1;
    let mut pools: Vec<Pool> = Vec::new();
    for table in &tables {
        let pool = pool(table, &root)?;
        if several && !table.has("id") {
            table.problem("`id` is missing in [pool]");
        }
        if pool.id.is_some() && pools.iter().any(|other| other.id == pool.id) {
            table.problem("the same pool is named twice");
        }
        pools.push(pool);
    }
    settings(root).map(|config| Config { pools, ..config })
}

fn pool<'r, 'i>(table: &Table<'r, 'i>, root: &Table<'r, 'i>) -> Option<Pool> {
    table.text("region", check::region);
    table.texts("clients", check::client_id);
    table.not_empty(
        "clients",
        "in [pool] names no client; leave it out to mean all of the pool's",
    );
    table.text("profile", check::not_empty);
    table.text("role_arn", check::role);
    check_key_region(table, root);
    let PoolTable {
        id,
        region,
        clients,
        profile,
        role_arn,
        ..
    } = read(table)?;
    let own = table.clone().only(&TABLES);
    let config = match own.entries().is_empty() {
        true => None,
        false => {
            // A directory of another kind replaces the whole directory.
            let kind = own.table("directory").is_some_and(|own| own.has("kind"));
            let deep = if kind { &TABLES[1..] } else { &TABLES };
            let shared = TABLES.iter().filter(|key| root.table(key).is_some());
            let shared: Vec<_> = shared.copied().collect();
            let mut whole = root.clone().only(&shared).overlaid(own, deep);
            if !whole.has("directory") {
                // The missing table is reported when the file itself is read.
                whole.put("directory", Node::StandIn);
            }
            settings(whole).map(Box::new)
        }
    };
    Some(Pool {
        id,
        region,
        clients,
        profile,
        role_arn,
        config,
    })
}

/// Everything except the pools.
fn settings(mut root: Table<'_, '_>) -> Option<Config> {
    let of_preset = preset::lay_under(&mut root);
    root.map("attributes", check::attribute);
    if let Some(response) = root.table("response") {
        check_response(response);
    }
    if let Some(function) = root.table("function") {
        check_function(function);
    }
    if let Some(alarms) = root.table("alarms") {
        alarms.text("topic", check::topic);
        alarms.range("p99_ms", 100..=5000);
        alarms.range("concurrency_percent", 1..=100);
    }
    if let Some(window) = root.table("window") {
        window.range("total_users", 1..=i64::MAX);
        window.range("share", 1..=100);
    }
    if let Some(verify) = root.table("verify") {
        verify.map("accept", check::accepted);
    }
    let table = directory::tag(&mut root);
    if let Some(table) = &table {
        directory::check(table);
    }
    if let (Some(response), Some(table)) = (root.table("response"), &table)
        && response.str("forgot_password") == Some("sso-only")
        && !directory::DATABASES.contains(&table.str("kind").unwrap_or_default())
    {
        response.problem(
            "`forgot_password = \"sso-only\"` in [response] is for `kind = \"postgres\"` and `kind = \"mysql\"`: other directories do not say who has a password; use \"migrate\" or \"off\"",
        );
    }
    if let (Some(triggers), Some(table)) = (root.table("triggers"), &table) {
        check_triggers(triggers, table);
    }
    if let Some(told) = root.table("on_migrated") {
        let kind = table.as_ref().and_then(|table| table.str("kind"));
        on_migrated::check(told, kind);
    }
    if let Some(import) = root.table("import") {
        check_import(import, table.as_ref().and_then(|table| table.str("kind")));
    }
    let file: File = read(&root)?;
    let mut attributes = file.attributes;
    let brought = file.directory.attributes().into_iter();
    let brought = brought.map(|(name, source)| (name.to_owned(), source.to_owned()));
    for (name, source) in brought.chain(of_preset) {
        attributes.entry(name).or_insert(source);
    }
    if attributes.is_empty() {
        root.problem("[attributes] must map at least one attribute, such as `email = \"email\"`");
    }
    Some(Config {
        pools: Vec::new(),
        directory: file.directory.finished(&table?)?,
        attributes,
        response: file.response,
        triggers: file.triggers,
        on_migrated: file.on_migrated,
        function: file.function,
        alarms: file.alarms,
        window: file.window,
        verify: file.verify,
        import: file.import,
    })
}

fn check_response(table: &Table<'_, '_>) {
    let send = table.str("message_action") == Some("SEND");
    let mediums = table.list_len("delivery_mediums");
    if !send && mediums.is_some_and(|count| count > 0) {
        table.problem(
            "`delivery_mediums` in [response] has no effect without `message_action = \"SEND\"`",
        );
    }
    if send && (mediums == Some(0) || !table.has("delivery_mediums")) {
        // Cognito would send text messages, which users rarely expect and the account pays for.
        table.problem(
            "`message_action = \"SEND\"` in [response] needs `delivery_mediums`, such as [\"EMAIL\"]",
        );
    }
}

/// A trigger that is on must have an effect with this kind of directory. One that is off is allowed, for a pool that overrides
/// the file.
fn check_triggers(table: &Table<'_, '_>, directory: &Table<'_, '_>) {
    let at = |key: &str, message: &str| {
        let span = table.get(key).map_or(table.span(), Node::span);
        table.problem_at(span, format_args!("`{key}` in [triggers] {message}"));
    };
    let kind = directory.str("kind").unwrap_or_default();
    if kind != "jane" {
        let jane = "is for `kind = \"jane\"`: no other directory is notified of users";
        if table.is_true("post_confirmation") {
            at("post_confirmation", jane);
        }
        if table.str("connect") == Some("best-effort") {
            at("connect", jane);
        }
    }
    if kind == "ldap" && directory.has("user_dn") && table.is_true("pre_sign_up") {
        at(
            "pre_sign_up",
            "needs `base` and `filter` under [directory], which ask the directory for an address without a password",
        );
    }
    if kind == "http" && !directory.has("lookup") && table.is_true("pre_sign_up") {
        at(
            "pre_sign_up",
            "needs [directory.lookup], which asks the directory for an address without a password",
        );
    }
}

fn check_function(table: &Table<'_, '_>) {
    table.range("memory_mb", 128..=10_240);
    table.integer("log_retention_days", check::retention);
    table.range("reserved_concurrency", 1..=100_000);
    table.text("kms_key_arn", check::kms_key);
    table.text("log_kms_key_arn", check::kms_key);
    table.text("signing_profile", check::signing_profile);
    table.text("name_prefix", check::name_prefix);
    table.text("permissions_boundary", check::managed_policy);
    table.text("role_path", check::role_path);
    table.text("role_arn", check::role);
    table.text("arn", check::function);
    table.text("code_sha256", check::code_sha256);
    if let (true, false, Some(node)) = (table.has("arn"), table.has("role_arn"), table.get("arn")) {
        table.problem_at(
            node.span(),
            "`arn` in [function] needs `role_arn`: the role that the function's owner gave it, which verify holds it to",
        );
    }
    if let (false, Some(node)) = (table.has("arn"), table.get("code_sha256")) {
        table.problem_at(
            node.span(),
            "`code_sha256` in [function] has no effect without `arn`: deploy uploads the code itself",
        );
    }
    for key in ["permissions_boundary", "role_path"] {
        // With `arn`, these settings only change the output of `export`.
        let unused = table.has("role_arn") && !table.has("arn");
        if let (true, Some(node)) = (unused, table.get(key)) {
            let message = format_args!(
                "`{key}` in [function] has no effect with `role_arn`: that role is never changed"
            );
            table.problem_at(node.span(), message);
        }
    }
    table.map("tags", check::tag);
    table.distinct_without_case("tags");
    if let Some(vpc) = table.table("vpc") {
        for (key, prefix, most) in [("subnets", "subnet-", 16), ("security_groups", "sg-", 5)] {
            vpc.texts(key, |id| check::id(id, prefix));
            vpc.not_empty(key, "in [function.vpc] must name at least one");
            vpc.at_most(key, most);
        }
    }
}

/// The database user of `[import]` is not the function's, and has its own query.
fn check_import(table: &Table<'_, '_>, kind: Option<&str>) {
    table.text("host", check::host);
    table.range("port", 1..=65_535);
    for key in ["user", "username_column", "id_column"] {
        table.text(key, check::not_empty);
    }
    table.text("query", check::export);
    table.text("base", check::dn);
    table.text("filter", check::import_filter);
    table.text("hash_column", check::column);
    table.text("role_arn", |arn| {
        let example = "arn:aws:iam::123456789012:role/import-log";
        check::arn(arn, "iam", "role/", example)
    });
    // Settings that define how all users are listed, and those that depend on them.
    const LIST: [&str; 7] = [
        "query", "base", "filter", "user", "password", "host", "port",
    ];
    let (needed, used): (&[&str], &[&str]) = match kind {
        Some("ldap") => (
            &["filter", "user", "password"],
            &["filter", "base", "user", "password", "host", "port"],
        ),
        Some(kind) if !directory::DATABASES.contains(&kind) => (&[], &[]),
        _ => (
            &["query", "user", "password"],
            &["query", "user", "password", "host", "port"],
        ),
    };
    for key in LIST.iter().filter(|key| !used.contains(key)) {
        if let Some(node) = table.get(key) {
            let message = match (*key, kind) {
                (key, None | Some("postgres" | "mysql" | "ldap")) => format!(
                    "`{key}` in [import] is for {}",
                    match key {
                        "query" => "`kind = \"postgres\"` and `kind = \"mysql\"`",
                        _ => "`kind = \"ldap\"`",
                    }
                ),
                (key, Some(_)) => format!(
                    "`{key}` in [import] is for `kind = \"postgres\"`, `kind = \"mysql\"` and `kind = \"ldap\"`; users of another directory come from the pool itself or with --from FILE"
                ),
            };
            table.problem_at(node.span(), message);
        }
    }
    let given = needed.iter().filter(|key| table.has(key)).count();
    if given > 0 && given < needed.len() {
        let first = needed[0];
        table.problem(format_args!(
            "`{first}`, `user` and `password` in [import] belong together"
        ));
    }
}

/// Lambda and CloudWatch need a KMS key of their own Region, and Cognito calls a function in its own Region: the pool's, if the
/// file names it.
fn check_key_region(pool: &Table<'_, '_>, root: &Table<'_, '_>) {
    let id = pool.str("id").and_then(|id| id.parse::<PoolId>().ok());
    let of_id = id.as_ref().and_then(PoolId::region);
    for key in ["kms_key_arn", "log_kms_key_arn", "arn"] {
        let named = [pool, root].into_iter().find_map(|table| {
            let function = table.table("function")?;
            Some((function.str(key)?, function.get(key)?))
        });
        if let (Some(own), Some((arn, node))) = (pool.str("region").or(of_id), named)
            && let Ok(arn) = arn.parse::<Arn>()
            && arn.region != own
        {
            let message = format_args!(
                "`{key}` must be in {own}, where the pool is, not in {}",
                arn.region
            );
            pool.problem_at(node.span(), message);
        }
    }
}
