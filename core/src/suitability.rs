//! Whether a pool, its app clients and a configuration suit each other: what can be told before anything is deployed, and holds
//! afterwards as well. Pure; `plan`, `verify` and `init` show what comes of it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jane_migrate_config::{Config, Directory, HashFormat, Secret, Source, Username};
use serde_json::Value;

use crate::document::{ClientDocument, PoolDocument};
use crate::finding::{Finding, Severity};
use crate::fix::Flags;
use crate::placeholder;

use Severity::{Error, Warning};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The pool.
    pub pool: &'a PoolDocument,
    /// Its MFA settings.
    pub mfa: &'a Value,
    /// The clients whose sign-ins must migrate.
    pub clients: &'a [&'a ClientDocument],
    /// The configuration, as it is for this pool.
    pub config: &'a Config,
    /// The flags that were given, for the commands that are printed.
    pub given: &'a Flags,
}

/// Every check there is here. A deploy stops at its errors; what holds is told by `verify` alone.
pub fn findings(subject: &Subject<'_>) -> Vec<Finding> {
    let Subject {
        pool,
        mfa,
        clients,
        config,
        given,
    } = *subject;
    [
        filled_in(config),
        attributes_schema(pool, config, given),
        attributes_writable(pool, clients, config),
        username_case(pool, config),
        username_alias(pool, config),
        alias_takeover(config),
        pre_signup(pool),
        open_sign_up(pool),
        mfa_phone(mfa, config),
        recovery_channel(pool, config),
        client_user_existence(clients),
        environment_secret(config),
        plain_secrets(config),
        hash_memory(config),
    ]
    .concat()
}

fn holds(id: &'static str, severity: Severity, message: &str) -> Vec<Finding> {
    vec![Finding::holds(id, severity, message)]
}

fn failed(
    id: &'static str,
    severity: Severity,
    message: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
    fix: impl Into<String>,
) -> Vec<Finding> {
    vec![Finding::failed(id, severity, message, expected, found, fix)]
}

/// The attributes that a migrated user is given: `=` alone leaves one out, `username` is the name itself.
fn mapped(config: &Config) -> impl Iterator<Item = &str> {
    let nothing = |source: &str| {
        Source::alternatives(source).all(|source| source == Source::Literal(String::new()))
    };
    config
        .attributes
        .iter()
        .filter(move |(name, source)| *name != "username" && !nothing(source))
        .map(|(name, _)| name.as_str())
}

/// Nothing is left as `init` proposed it that only the operator can know.
pub fn filled_in(config: &Config) -> Vec<Finding> {
    const ID: &str = "filled-in";
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
        Directory::Postgres(postgres) => vec![
            (
                "directory.host",
                postgres.host == placeholder::DATABASE_HOST,
            ),
            (
                "directory.database",
                postgres.database == placeholder::DATABASE,
            ),
        ],
    };
    let open: Vec<&str> = open
        .into_iter()
        .filter_map(|(key, open)| open.then_some(key))
        .collect();
    if open.is_empty() {
        return holds(ID, Error, "the directory's settings are filled in");
    }
    let open = open.join(", ");
    failed(
        ID,
        Error,
        format!("{open}: still what `jane-migrate init` put there, so nobody could be migrated"),
        "the directory's own",
        "a placeholder",
        format!("write {open} into the configuration"),
    )
}

/// Every attribute that is mapped is one of the pool's, and every one the pool requires is mapped.
pub fn attributes_schema(pool: &PoolDocument, config: &Config, given: &Flags) -> Vec<Finding> {
    const ID: &str = "attributes-schema";
    let schema: BTreeMap<&str, bool> = pool
        .schema_attributes()
        .map(|attribute| (attribute.name, attribute.required))
        .collect();
    let mut findings = Vec::new();
    // The standard ones are every pool's, whether or not a service lists them.
    for name in mapped(config).filter(|name| name.contains(':')) {
        if !schema.contains_key(name) {
            let bare = name.strip_prefix("custom:").unwrap_or(name);
            findings.extend(failed(
                ID,
                Error,
                format!("[attributes] maps {name}, which the pool does not have: Cognito refuses every user that brings it"),
                "an attribute of the pool's schema",
                "none of that name",
                format!(
                    "take {name} out of [attributes], or add it: `{}`",
                    given.aws(format_args!(
                        "cognito-idp add-custom-attributes --user-pool-id {} --custom-attributes Name={bare},AttributeDataType=String,Mutable=true",
                        pool.id()
                    ))
                ),
            ).into_iter().map(|finding| finding.about(name)));
        }
    }
    // Cognito gives `sub` itself, and calls it required.
    for (name, _) in schema
        .iter()
        .filter(|(name, required)| **required && **name != "sub")
    {
        if !mapped(config).any(|mapped| mapped == *name) {
            findings.extend(failed(
                ID,
                Error,
                format!("the pool requires {name}, and [attributes] does not map it: nobody can be migrated"),
                format!("{name} = \"FIELD\" under [attributes]"),
                "not mapped",
                format!("map it: {name} = \"FIELD OF THE DIRECTORY\" under [attributes], or \"=TEXT\" for the same text for everybody"),
            ).into_iter().map(|finding| finding.about(*name)));
        }
    }
    if findings.is_empty() {
        return holds(ID, Error, "the mapped attributes fit the pool's schema");
    }
    findings
}

/// What is mapped can be changed later, by the user and by the app.
pub fn attributes_writable(
    pool: &PoolDocument,
    clients: &[&ClientDocument],
    config: &Config,
) -> Vec<Finding> {
    const ID: &str = "attributes-writable";
    let fixed: Vec<&str> = pool
        .schema_attributes()
        .filter(|attribute| !attribute.mutable)
        .map(|attribute| attribute.name)
        .filter(|name| mapped(config).any(|mapped| mapped == *name))
        .collect();
    let mut findings = Vec::new();
    if !fixed.is_empty() {
        findings.extend(failed(
            ID,
            Warning,
            format!(
                "{} can never be changed in this pool: what the directory says at the first sign-in stays",
                fixed.join(", ")
            ),
            "mutable attributes",
            fixed.join(", "),
            "see that the directory's values are right, or leave them out of [attributes]",
        ));
    }
    for client in clients {
        let Some(writable) = client.write_attributes() else {
            continue;
        };
        // What is verified is no app's to say, and no client may write it.
        let closed: Vec<&str> = mapped(config)
            .filter(|name| !name.ends_with("_verified") && !writable.contains(name))
            .collect();
        if !closed.is_empty() {
            findings.extend(failed(
                ID,
                Warning,
                format!(
                    "app client {} ({}) may not write {}; whether Cognito then takes them from the trigger is not documented",
                    client.name(),
                    client.id(),
                    closed.join(", ")
                ),
                "write permission for every mapped attribute",
                writable.join(", "),
                "try one account, and let the client write them if it fails",
            ).into_iter().map(|finding| finding.about(client.id())));
        }
    }
    if findings.is_empty() {
        return holds(
            ID,
            Warning,
            "the mapped attributes can be written and changed",
        );
    }
    findings
}

/// In a pool that tells `Ann` from `ann`, names are read in one way.
pub fn username_case(pool: &PoolDocument, config: &Config) -> Vec<Finding> {
    const ID: &str = "username-case";
    if !pool.case_sensitive() || config.response.username == Username::Lowercase {
        return holds(ID, Warning, "names that differ in case alone are one user");
    }
    failed(
        ID,
        Warning,
        "the pool tells Ann from ann, and names are taken as typed: one customer may become two users",
        "username = \"lowercase\" under [response]",
        "as-typed",
        "set username = \"lowercase\", and let the apps lower what is typed",
    )
}

/// Where people sign in with an alias, the user gets a name that is none.
pub fn username_alias(pool: &PoolDocument, config: &Config) -> Vec<Finding> {
    const ID: &str = "username-alias";
    let alias = pool
        .alias_attributes()
        .find(|alias| matches!(*alias, "email" | "phone_number"));
    let Some(alias) = alias else {
        return holds(ID, Error, "what people type may be their user name");
    };
    if config.attributes.contains_key("username") {
        return holds(
            ID,
            Error,
            "people who sign in with an alias get a user name",
        );
    }
    failed(
        ID,
        Error,
        format!(
            "people sign in with {alias} as an alias, which Cognito does not take for a user name: nobody who does can be migrated"
        ),
        "username = \"{uuid}\" under [attributes]",
        "not mapped",
        "set username = \"{uuid}\" under [attributes]",
    )
}

/// Nobody's alias is taken away.
pub fn alias_takeover(config: &Config) -> Vec<Finding> {
    const ID: &str = "alias-takeover";
    if !config.response.force_alias_creation {
        return holds(
            ID,
            Warning,
            "nobody loses an email or phone number to a migrated user",
        );
    }
    failed(
        ID,
        Warning,
        "force_alias_creation is on: whoever migrates takes their email and phone number away from another user who has them",
        "force_alias_creation = false",
        "true",
        "set force_alias_creation = false under [response], unless the directory has verified every address",
    )
}

/// No trigger can turn a migrated user away.
pub fn pre_signup(pool: &PoolDocument) -> Vec<Finding> {
    const ID: &str = "pre-signup";
    let Some(arn) = pool.trigger("PreSignUp") else {
        return holds(
            ID,
            Warning,
            "no PreSignUp trigger has a say after a migration",
        );
    };
    failed(
        ID,
        Warning,
        "the pool's PreSignUp trigger also runs after each migration, and can veto it",
        "a trigger that lets migrated users pass, or none",
        arn,
        "sign in with one account, and look into that function's log",
    )
}

/// Nobody can claim an address before its owner migrates.
pub fn open_sign_up(pool: &PoolDocument) -> Vec<Finding> {
    const ID: &str = "open-sign-up";
    if pool.admin_creates_users_only() || pool.trigger("PreSignUp").is_some() {
        return holds(
            ID,
            Warning,
            "strangers cannot sign up with a customer's address",
        );
    }
    failed(
        ID,
        Warning,
        "anybody may sign up with the address of a customer who has not come over yet, who then cannot migrate",
        "AllowAdminCreateUserOnly, or a PreSignUp trigger that asks the directory",
        "open sign-up",
        "close self-registration while the window is open, or check addresses in a PreSignUp trigger",
    )
}

/// A second factor by SMS has a number to go to.
pub fn mfa_phone(mfa: &Value, config: &Config) -> Vec<Finding> {
    const ID: &str = "mfa-phone";
    let mode = mfa["MfaConfiguration"].as_str().unwrap_or("OFF");
    let by_sms = mfa["SmsMfaConfiguration"]
        .as_object()
        .is_some_and(|sms| !sms.is_empty());
    let mapped = mapped(config).any(|name| name == "phone_number");
    if mode == "OFF" || !by_sms || mapped {
        return holds(ID, Warning, "whoever needs a second factor can get one");
    }
    failed(
        ID,
        Warning,
        "the pool's second factor goes by SMS, and migrated users bring no phone number",
        "phone_number under [attributes]",
        "not mapped",
        "map phone_number under [attributes], or let the pool offer an authenticator app",
    )
}

/// Whoever forgets a password has a verified way back.
pub fn recovery_channel(pool: &PoolDocument, config: &Config) -> Vec<Finding> {
    const ID: &str = "recovery-channel";
    let mechanisms = pool.recovery_mechanisms();
    let verified = |address: &str, verified: &str| {
        let mapped: Vec<&str> = mapped(config).collect();
        mapped.contains(&address) && mapped.contains(&verified)
    };
    let reaches = |mechanism: &str| match mechanism {
        "verified_email" => verified("email", "email_verified"),
        "verified_phone_number" => verified("phone_number", "phone_number_verified"),
        _ => false,
    };
    // A pool without a setting of its own tries the phone number, then the email.
    let usable = match mechanisms.is_empty() {
        true => reaches("verified_email") || reaches("verified_phone_number"),
        false => mechanisms.iter().any(|mechanism| reaches(mechanism)),
    };
    if usable {
        return holds(
            ID,
            Warning,
            "whoever forgets a password has a verified way back",
        );
    }
    let found = match mechanisms.is_empty() {
        true => "phone number, then email".to_owned(),
        false => mechanisms.join(", "),
    };
    failed(
        ID,
        Warning,
        "no way of recovery is one that migrated users have verified: whoever forgets a password is locked out, and nobody migrates by forgotten password",
        "a recovery mechanism whose address is mapped as verified",
        found,
        "map email_verified (or phone_number_verified) under [attributes], or change the pool's account recovery",
    )
}

/// Callers cannot find out who has an account.
pub fn client_user_existence(clients: &[&ClientDocument]) -> Vec<Finding> {
    const ID: &str = "client-user-existence";
    let telling: Vec<Finding> = clients
        .iter()
        .filter(|client| !client.prevents_user_existence_errors())
        .flat_map(|client| {
            failed(
                ID,
                Warning,
                format!(
                    "app client {} ({}) tells callers whether a user exists",
                    client.name(),
                    client.id()
                ),
                "PreventUserExistenceErrors ENABLED",
                "LEGACY",
                format!(
                    "set PreventUserExistenceErrors of client {} to ENABLED in the console, or in what manages the pool",
                    client.id()
                ),
            )
            .into_iter()
            .map(|finding| finding.about(client.id()))
        })
        .collect();
    if telling.is_empty() {
        return holds(
            ID,
            Warning,
            "the app clients do not tell who has an account",
        );
    }
    telling
}

/// No secret lies in the function's environment under Lambda's own key alone.
pub fn environment_secret(config: &Config) -> Vec<Finding> {
    const ID: &str = "environment-secret";
    let named: Vec<String> = config
        .secrets()
        .into_iter()
        .filter(|(_, secret)| matches!(secret, Secret::Env(_)))
        .map(|(member, _)| format!("directory.{member}"))
        .collect();
    if named.is_empty() || config.function.kms_key_arn.is_some() {
        return holds(
            ID,
            Warning,
            "no secret is readable with the function's settings",
        );
    }
    failed(
        ID,
        Warning,
        format!(
            "{} goes into the function's environment: whoever may read the function's settings reads it",
            named.join(", ")
        ),
        "{ secretsmanager = \"...\" } or { ssm = \"...\" }, or kms_key_arn under [function]",
        "{ env = \"...\" }",
        "keep it in Secrets Manager or SSM and name it there",
    )
}

/// No secret is written out in the configuration, from where it would go into the function's settings.
pub fn plain_secrets(config: &Config) -> Vec<Finding> {
    const ID: &str = "env-secrets";
    let directory = serde_json::to_value(&config.directory).unwrap_or_default();
    let members = crate::plain::members("directory", &directory);
    if members.is_empty() {
        return holds(ID, Error, "no secret in plain text in the configuration");
    }
    let members = members.iter().flat_map(|member| {
        failed(
            ID,
            Error,
            format!(
                "{member} looks like a secret, and whoever may look at the function would see it"
            ),
            "secrets in Secrets Manager or SSM, by reference",
            "written out (its value is not shown)",
            "move it to [directory.secrets] and write {secrets.NAME} in its place",
        )
        .into_iter()
        .map(move |finding| finding.about(member))
    });
    members.collect()
}

/// The memory, and with it the share of a core, under which costly hashes take longer than a sign-in may.
const COSTLY_HASH_MB: u32 = 512;

/// The function is quick enough for the hashes it has to check.
pub fn hash_memory(config: &Config) -> Vec<Finding> {
    const ID: &str = "hash-memory";
    let memory = config.function.memory_mb;
    let costly = match &config.directory {
        Directory::Postgres(postgres) => matches!(
            postgres.hash,
            HashFormat::Bcrypt | HashFormat::Argon2 | HashFormat::Django
        ),
        _ => false,
    };
    if !costly || memory >= COSTLY_HASH_MB {
        return holds(
            ID,
            Warning,
            "the function has the memory that its hashes need",
        );
    }
    failed(
        ID,
        Warning,
        format!(
            "with {memory} MB the function has so little of a processor that a costly hash (bcrypt 12 and beyond) takes seconds of the five there are"
        ),
        format!("{COSTLY_HASH_MB} MB or more"),
        format!("{memory} MB"),
        format!("set memory_mb = {COSTLY_HASH_MB} under [function]"),
    )
}
