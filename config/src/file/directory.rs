//! `[directory]` in the file: one of the kinds, each with its default mapping.

use serde::Deserialize;
use toml::de::DeTable;

use super::{
    check,
    http::{self, ANSWERS, ANSWERS_KEY, HttpTable},
    table::{Node, Table, one_of},
};
use crate::{Database, Jane, Ldap, OldPool};

/// The directory with the existing accounts.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(tag = "kind")
)]
pub(crate) enum Directory {
    /// Jane's API.
    Jane(Jane),
    /// Any HTTP service that checks passwords.
    Http(Box<HttpTable>),
    /// An old Cognito user pool, in this or another account.
    Cognito(OldPool),
    /// A table of users in a PostgreSQL database.
    Postgres(Box<Database>),
    /// A table of users in a MySQL or MariaDB database.
    Mysql(Box<Database>),
    /// An LDAP server, such as OpenLDAP or Active Directory.
    Ldap(Box<Ldap>),
}

const KINDS: [&str; 6] = ["jane", "http", "cognito", "postgres", "mysql", "ldap"];

/// The kinds whose accounts are in a table.
pub(super) const DATABASES: [&str; 2] = ["postgres", "mysql"];

/// The part of the file's directory that a pool overrides. With a `kind` it replaces the whole directory.
pub(crate) struct Partial;

/// The attributes of Jane's users. Jane identifies them by their email, which it has verified.
const JANE_ATTRIBUTES: [(&str, &str); 6] = [
    ("email", "{username}"),
    ("email_verified", "=true"),
    ("given_name", "first_name"),
    ("family_name", "last_name"),
    ("phone_number", "phone"),
    ("birthdate", "birth_date"),
];

/// Replaces a directory of unknown kind, so that reading can continue.
const STAND_IN: &str = "jane = { client_id = \"x\", client_secret = { env = \"XX\" } }";

/// Gives `[directory]` the form of a serde enum: the kind, with the rest of the table below it. Returns the original table,
/// unless its kind is unknown, which is reported.
pub(super) fn tag<'r, 'i>(root: &mut Table<'r, 'i>) -> Option<Table<'r, 'i>> {
    let table = table_of_a_kind(root);
    let mut tagged = root.beside(DeTable::parse(STAND_IN).ok()?);
    if let Some(table) = &table {
        let mut rest = table.clone();
        rest.remove("kind");
        for request in ["authenticate", "lookup"] {
            if let Some(request) = rest.table_mut(request) {
                request.nest(&ANSWERS, ANSWERS_KEY);
            }
        }
        tagged = tagged.only(&[]);
        tagged.put(table.str("kind")?, Node::Table(rest));
    }
    root.put("directory", Node::Table(tagged));
    table
}

fn table_of_a_kind<'r, 'i>(root: &Table<'r, 'i>) -> Option<Table<'r, 'i>> {
    let table = match root.get("directory") {
        Some(Node::Table(table)) => table,
        Some(Node::StandIn) => return None,
        Some(Node::Value(value)) => {
            let place = root.place();
            let message = format!("`directory` in {place}: must be a table");
            root.problem_at(value.span(), message);
            return None;
        }
        None => {
            root.problem("`directory` is missing in the file");
            return None;
        }
    };
    let Some(kind) = table.get("kind") else {
        table.problem(format_args!("`kind` is missing in {}", table.place()));
        return None;
    };
    let known = one_of(table.str("kind").unwrap_or_default(), &KINDS);
    table
        .checked("kind", kind.span(), known)
        .then(|| table.clone())
}

/// Checks each value of the table.
pub(super) fn check(table: &Table<'_, '_>) {
    table.range("timeout_ms", 100..=4500);
    table.text("ca_certificate", check::pem);
    match table.str("kind").unwrap_or_default() {
        "jane" => {
            table.text("url", check::url);
            table.text("client_id", check::not_empty);
        }
        "http" => http::check(table),
        "cognito" => {
            table.text("client_id", check::client_id);
            table.text("region", check::region);
            table.text("external_id", check::external_id);
            table.text("role_arn", |arn| {
                let example = "arn:aws:iam::123456789012:role/read-old-pool";
                check::arn(arn, "iam", "role/", example)
            });
            if table.has("external_id") && !table.has("role_arn") {
                table.problem("`external_id` in [directory] has no effect without `role_arn`");
            }
        }
        "mysql" => check_database(table, "?"),
        "ldap" => check_ldap(table),
        _ => check_database(table, "$1"),
    }
}

/// `name` is the placeholder of the user name in the query.
fn check_database(table: &Table<'_, '_>, name: &str) {
    table.text("host", check::host);
    table.range("port", 1..=65_535);
    for key in ["database", "user", "password_column", "decoy"] {
        table.text(key, check::not_empty);
    }
    table.text("query", |query| check::query(query, name));
    table.text("on_wrong_password", |text| check::statement(text, name));
    let query = table.str("query").unwrap_or_default();
    let selected = |column: &str| check::selected(column, query, name);
    table.text("password_column", selected);
    let is_firebase = table.str("hash") == Some("firebase");
    let firebase = table.table("firebase");
    if is_firebase != firebase.is_some() {
        table.problem("`hash = \"firebase\"` and the table [directory.firebase] need each other");
    }
    if let Some(table) = firebase {
        table.text("salt_separator", check::not_empty);
        table.text("salt_column", check::not_empty);
        table.text("salt_column", selected);
        table.range("rounds", 1..=8);
        table.range("mem_cost", 1..=14);
    }
}

/// The table has either a search for users or the DN derived from the name.
fn check_ldap(table: &Table<'_, '_>) {
    table.text("url", check::ldap_url);
    table.text("base", check::dn);
    table.text("filter", check::ldap_filter);
    table.text("bind_dn", check::not_empty);
    table.text("user_dn", check::user_dn);
    let search = ["base", "filter", "bind_dn", "bind_password"];
    match (table.has("user_dn"), table.has("base"), table.has("filter")) {
        (true, ..) => {
            for key in search.into_iter().filter(|key| table.has(key)) {
                table.problem(format_args!(
                    "`{key}` in [directory] has no effect with `user_dn`: there is no search"
                ));
            }
        }
        (false, true, true) => {
            if table.has("bind_dn") != table.has("bind_password") {
                table.problem("`bind_dn` and `bind_password` in [directory] need each other");
            }
        }
        (false, ..) => table.problem(
            "[directory] needs `base` and `filter`, which find a user's entry, or `user_dn`",
        ),
    }
}

impl Directory {
    /// The complete directory, including what its table does not contain; none if that is impossible, which is reported.
    pub(super) fn finished(self, table: &Table<'_, '_>) -> Option<crate::Directory> {
        Some(match self {
            Self::Jane(jane) => crate::Directory::Jane(jane),
            Self::Http(http) => crate::Directory::Http(Box::new(http::finished(*http, table)?)),
            Self::Cognito(mut pool) => {
                if !table.has("region") {
                    match pool.pool_id.region() {
                        Some(region) => pool.region = region.to_owned(),
                        // The value replaces a missing or invalid one.
                        None if table.str("pool_id") != Some(pool.pool_id.as_str()) => {}
                        None => table.problem(
                            "`region` is missing in [directory]: `pool_id` begins with none",
                        ),
                    }
                }
                crate::Directory::Cognito(pool)
            }
            Self::Postgres(database) => crate::Directory::Postgres(database),
            Self::Mysql(database) => crate::Directory::Mysql(database),
            Self::Ldap(ldap) => crate::Directory::Ldap(ldap),
        })
    }

    /// The default mapping: Cognito attribute = the source of its value.
    pub(super) fn attributes(&self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Jane(_) => JANE_ATTRIBUTES.into(),
            Self::Cognito(_) => {
                let carried = check::ATTRIBUTES.into_iter();
                let carried = carried.filter(|name| *name != "username");
                carried.map(|name| (name, name)).collect()
            }
            Self::Http(_) | Self::Postgres(_) | Self::Mysql(_) | Self::Ldap(_) => Vec::new(),
        }
    }
}
