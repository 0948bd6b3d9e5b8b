//! Checks of the configuration only.

use jane_migrate_config::{Config, Directory, Secret, Source};

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::placeholder;

/// The attributes of a migrated user: `=` alone leaves one out, `username` is the user name itself.
pub(super) fn mapped(config: &Config) -> impl Iterator<Item = &str> {
    let nothing = |source: &str| {
        Source::alternatives(source).all(|source| source == Source::Literal(String::new()))
    };
    config
        .attributes
        .iter()
        .filter(move |(name, source)| *name != "username" && !nothing(source))
        .map(|(name, _)| name.as_str())
}

/// No placeholder of `init` is left.
pub(super) fn filled_in(check: &Check, subject: &Subject<'_>) -> Findings {
    let config = subject.wanted()?;
    let open = match &config.directory {
        Directory::Jane(jane) => {
            vec![("directory.client_id", jane.client_id == placeholder::CLIENT)]
        }
        Directory::Http(http) => {
            let request = &http.authenticate;
            let form = |value: &str| request.form.values().any(|found| found == value);
            vec![
                (
                    "directory.url",
                    request.url.contains(placeholder::HTTP_HOST),
                ),
                (
                    "directory.settings.realm",
                    request.url.contains(placeholder::REALM),
                ),
                ("directory.settings.client_id", form(placeholder::CLIENT)),
            ]
        }
        Directory::Cognito(old) => vec![
            (
                "directory.pool_id",
                old.pool_id.as_str().ends_with(placeholder::OLD_POOL),
            ),
            (
                "directory.client_id",
                old.client_id == placeholder::OLD_CLIENT,
            ),
        ],
        Directory::Postgres(database) | Directory::Mysql(database) => vec![
            (
                "directory.host",
                database.host == placeholder::DATABASE_HOST,
            ),
            (
                "directory.database",
                database.database == placeholder::DATABASE,
            ),
        ],
        Directory::Ldap(ldap) => vec![
            (
                "directory.url",
                ldap.url == format!("ldaps://{}", placeholder::LDAP_HOST),
            ),
            (
                "directory.base",
                ldap.base.as_deref() == Some(placeholder::LDAP_BASE),
            ),
            (
                "directory.bind_dn",
                ldap.bind_dn.as_deref() == Some(placeholder::LDAP_BIND_DN),
            ),
        ],
    };
    let open: Vec<&str> = open
        .into_iter()
        .filter_map(|(key, open)| open.then_some(key))
        .collect();
    if open.is_empty() {
        return check.holds("the directory's settings are filled in");
    }
    let open = open.join(", ");
    check
        .fails(
            format!(
                "{open}: still the placeholder of `jane-migrate init`, so no user could be migrated"
            ),
            "the directory's own",
            "a placeholder",
            format!("write {open} into the configuration"),
        )
        .into()
}

/// No user's alias is taken away.
pub(super) fn alias_takeover(check: &Check, subject: &Subject<'_>) -> Findings {
    let config = subject.wanted()?;
    if !config.response.force_alias_creation {
        return check.holds("a migrated user takes no email or phone number from another user");
    }
    check.fails("force_alias_creation is on: a migrated user takes email and phone number from another user with the same ones",
        "force_alias_creation = false",
        "true",
        "set force_alias_creation = false under [response], unless the directory has verified every address",
    ).into()
}

/// No secret is in the function's environment if only Lambda's own key encrypts it.
pub(super) fn environment_secret(check: &Check, subject: &Subject<'_>) -> Findings {
    let config = subject.wanted()?;
    let named: Vec<String> = config
        .secrets()
        .into_iter()
        .filter(|(_, secret)| matches!(secret, Secret::Env(_)))
        .map(|(member, _)| member)
        .collect();
    if named.is_empty() || config.function.kms_key_arn.is_some() {
        return check.holds("no secret is readable with the function's settings");
    }
    check.fails(format!(
            "{} goes into the function's environment: every reader of the function's settings can see it",
            named.join(", ")
        ),
        "{ secretsmanager = \"...\" } or { ssm = \"...\" }, or kms_key_arn under [function]",
        "{ env = \"...\" }",
        "keep it in Secrets Manager or SSM and name it there",
    ).into()
}

/// The function has the memory and the share of a processor that its hashes need.
pub(super) fn hash_memory(check: &Check, subject: &Subject<'_>) -> Findings {
    let config = subject.wanted()?;
    let memory = config.function.memory_mb;
    let Some(database) = config.directory.database() else {
        return check.holds("the function has the memory that its hashes need");
    };
    let cost = database.cost();
    let proposed = cost.memory_mb();
    if memory >= proposed {
        return check.holds("the function has the memory that its hashes need");
    }
    let why = match cost.fits(memory) {
        false => format!(
            "a hash of the table needs {:.0} MiB of memory, which a function of {memory} MB does not have",
            cost.memory
        ),
        true => format!(
            "with {memory} MB the function has so little of a processor that checking one hash takes about {:.1} of the 5 seconds of a sign-in",
            cost.ms(memory) / 1000.0
        ),
    };
    check
        .fails(
            why,
            format!("{proposed} MB or more"),
            format!("{memory} MB"),
            format!("set memory_mb = {proposed} under [function]"),
        )
        .into()
}
