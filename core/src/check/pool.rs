//! Whether the pool accepts the directory's users, who else can become a user, and whether the pool has changed since.

use std::collections::{BTreeMap, BTreeSet};

use jane_migrate_config::Username;

use super::configuration::mapped;
use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::document::{Difference, appeared, differences};
use crate::finding::{Finding, Severity};
use crate::fix::{Fix, fix, quoted};
use crate::ids::digest_of_statement;
use crate::record::given_statements;
use crate::resources::tag;
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;

/// The pool has every mapped attribute, and every attribute that it requires is mapped.
pub(super) fn attributes_schema(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let config = subject.wanted()?;
    let schema: BTreeMap<&str, bool> = pool
        .schema_attributes()
        .map(|attribute| (attribute.name, attribute.required))
        .collect();
    let mut findings = Vec::new();
    // Every pool has the standard attributes, even if a service does not list them.
    for name in mapped(config).filter(|name| name.contains(':')) {
        if !schema.contains_key(name) {
            let bare = name.strip_prefix("custom:").unwrap_or(name);
            findings.push(check.fails(format!("[attributes] maps {name}, which the pool does not have: Cognito refuses every user that brings it"),
                "an attribute of the pool's schema",
                "none of that name",
                fix![
                    format!("take {name} out of [attributes], or add it: `"),
                    subject.aws(format_args!(
                        "cognito-idp add-custom-attributes --user-pool-id {} --custom-attributes Name={bare},AttributeDataType=String,Mutable=true",
                        pool.id()
                    )),
                    "`",
                ],
            ).about(name));
        }
    }
    // Cognito sets `sub` itself, and shows it as required.
    for (name, _) in schema
        .iter()
        .filter(|(name, required)| **required && **name != "sub")
    {
        if !mapped(config).any(|mapped| mapped == *name) {
            findings.push(check.fails(format!("the pool requires {name}, and [attributes] does not map it: no user can be migrated"),
                format!("{name} = \"FIELD\" under [attributes]"),
                "not mapped",
                format!("map it: {name} = \"FIELD OF THE DIRECTORY\" under [attributes], or \"=TEXT\" for the same text for all users"),
            ).about(*name));
        }
    }
    if findings.is_empty() {
        return check.holds("the mapped attributes fit the pool's schema");
    }
    Ok(findings)
}

/// The user and the app can change mapped attributes later.
pub(super) fn attributes_writable(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let config = subject.wanted()?;
    let fixed: Vec<&str> = pool
        .schema_attributes()
        .filter(|attribute| !attribute.mutable)
        .map(|attribute| attribute.name)
        .filter(|name| mapped(config).any(|mapped| mapped == *name))
        .collect();
    let mut findings = Vec::new();
    if !fixed.is_empty() {
        findings.push(check.fails(format!(
                "{} can never be changed in this pool: what the directory says at the first sign-in stays",
                fixed.join(", ")
            ),
            "mutable attributes",
            fixed.join(", "),
            "see that the directory's values are right, or leave them out of [attributes]",
        ));
    }
    for client in subject.watched_clients()? {
        let Some(writable) = client.write_attributes() else {
            continue;
        };
        // Apps must not set what is verified, so no client needs to write it.
        let closed: Vec<&str> = mapped(config)
            .filter(|name| !name.ends_with("_verified") && !writable.contains(name))
            .collect();
        if !closed.is_empty() {
            findings.push(check.fails(format!(
                    "app client {} ({}) may not write {}; whether Cognito then takes them from the trigger is not documented",
                    client.name(),
                    client.id(),
                    closed.join(", ")
                ),
                "write permission for every mapped attribute",
                writable.join(", "),
                "try one account, and let the client write them if it fails",
            ).about(client.id()));
        }
    }
    if findings.is_empty() {
        return check.holds("the mapped attributes can be written and changed");
    }
    Ok(findings)
}

/// In a pool with case-sensitive names, names are read in one way.
pub(super) fn username_case(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let config = subject.wanted()?;
    if !pool.case_sensitive() {
        return check.holds("names that differ in case alone are one user");
    }
    if config.response.username == Username::Lowercase {
        return check.holds("the function asks the directory in lower case; let the apps convert typed names to lower case, because Ann and ann are two users in this pool");
    }
    check.fails("Ann and ann are two users in this pool, and names are used as typed: one customer may become two users",
        "username = \"lowercase\" under [response]",
        "as-typed",
        "set username = \"lowercase\", and let the apps lower what is typed",
    ).into()
}

/// If users sign in with an alias, the user name is not an alias, and the alias can be verified.
pub(super) fn username_alias(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let config = subject.wanted()?;
    let aliases: Vec<&str> = pool
        .alias_attributes()
        .filter(|alias| matches!(*alias, "email" | "phone_number"))
        .collect();
    let Some(alias) = aliases.first() else {
        let names: Vec<&str> = pool.username_attributes().collect();
        return check.holds(match names.is_empty() {
            true => "what people type may be their user name".to_owned(),
            false => format!(
                "people sign in with their {}; a customer who has another one at the directory is not migrated",
                names.join(" or ")
            ),
        });
    };
    if config.attributes.contains_key("username") {
        let mapped: Vec<&str> = mapped(config).collect();
        let verified = |alias: &&&str| {
            let flag = format!("{alias}_verified");
            mapped.contains(*alias) && mapped.contains(&flag.as_str())
        };
        if aliases.iter().any(|alias| verified(&alias)) {
            return check.holds("people who sign in with an alias get a user name; where the directory has not verified the alias, they are not migrated");
        }
        return check
            .fails(
                format!("people sign in with {alias} as an alias, which counts only once it is verified, and no setting says that it is: these users are not migrated"),
                format!("{alias} and {alias}_verified under [attributes]"),
                "not mapped",
                format!("map {alias} and {alias}_verified under [attributes]"),
            )
            .into();
    }
    check.fails(format!(
            "people sign in with {alias} as an alias, which Cognito does not accept as a user name: these users cannot be migrated"
        ),
        "username = \"{uuid}\" under [attributes]",
        "not mapped",
        "set username = \"{uuid}\" under [attributes]",
    ).into()
}

/// No point-in-time recovery pauses writes to the pool.
pub(super) fn point_in_time_recovery(check: &Check, subject: &Subject<'_>) -> Findings {
    if let Some(active) = subject.observed.active_recovery()? {
        return check
            .fails(
                format!(
                    "a point-in-time recovery to {} is active: the pool accepts no writes, so no user can be migrated until it has ended",
                    active.day()
                ),
                "no active recovery",
                format!("{} ({})", active.status, active.id),
                "wait until it has ended, or cancel its preview in the console; then run `verify` again",
            )
            .into();
    }
    let done = subject.observed.recoveries.as_ref()?;
    let done = done.iter().find(|recovery| recovery.is_done());
    check.holds(match done {
        None => "no point-in-time recovery is active".to_owned(),
        Some(done) => format!(
            "no point-in-time recovery is active; the pool was put back to {}: customers who had migrated after that are asked of the directory again",
            done.day()
        ),
    })
}

/// A second factor by SMS has a phone number.
pub(super) fn mfa_phone(check: &Check, subject: &Subject<'_>) -> Findings {
    let mfa = subject.observed.mfa()?;
    let config = subject.wanted()?;
    let mode = mfa["MfaConfiguration"].as_str().unwrap_or("OFF");
    let by_sms = mfa["SmsMfaConfiguration"]
        .as_object()
        .is_some_and(|sms| !sms.is_empty());
    let mapped = mapped(config).any(|name| name == "phone_number");
    if mode == "OFF" || !by_sms || mapped {
        return check.holds("users who need a second factor can receive it");
    }
    check
        .fails(
            "the pool's second factor goes by SMS, and migrated users bring no phone number",
            "phone_number under [attributes]",
            "not mapped",
            "map phone_number under [attributes], or let the pool offer an authenticator app",
        )
        .into()
}

/// Users who forget their password have a verified channel for recovery.
pub(super) fn recovery_channel(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let config = subject.wanted()?;
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
    // A pool without its own setting tries the phone number, then the email.
    let usable = match mechanisms.is_empty() {
        true => reaches("verified_email") || reaches("verified_phone_number"),
        false => mechanisms.iter().any(|mechanism| reaches(mechanism)),
    };
    if usable {
        return check.holds("users who forget their password can recover by a verified address");
    }
    let found = match mechanisms.is_empty() {
        true => "phone number, then email".to_owned(),
        false => mechanisms.join(", "),
    };
    check.fails("no recovery method uses an address that migrated users have verified: users who forget their password are locked out, and no user migrates by *forgot password*",
        "a recovery mechanism whose address is mapped as verified",
        found,
        "map email_verified (or phone_number_verified) under [attributes], or change the pool's account recovery",
    ).into()
}

/// The settings that changed, if they look like an update that named only a few settings: Cognito resets the others. A person who
/// changes a pool on purpose rarely empties several settings at once.
fn reset(different: &[Difference]) -> Option<Vec<&str>> {
    let members = |only_emptied: bool| -> BTreeSet<&str> {
        different
            .iter()
            .filter(|difference| !only_emptied || difference.values().1 == "none")
            .filter_map(|difference| difference.pointer.split('/').nth(1))
            .collect()
    };
    let (changed, emptied) = (members(false), members(true));
    (changed.len() >= 4 && emptied.len() >= 2).then(|| changed.into_iter().collect())
}

pub(super) fn pool_unchanged(check: &Check, subject: &Subject<'_>) -> Findings {
    let snapshots = subject.asked.snapshots;
    let kept = match subject.observed.live.as_ref()? {
        // The policy names the newest snapshot, and all snapshots of one migration have the same pool, except for deploy's
        // changes.
        Some(_) if subject.names.given_function => {
            let policy = subject.observed.policy(subject.names.live())?;
            let named = given_statements(&policy).find_map(digest_of_statement);
            let begins = |one: &&Snapshot| {
                named.is_some_and(|begin| !begin.is_empty() && one.digest.starts_with(begin))
            };
            snapshots
                .iter()
                .find(begins)
                .map(|one| one.digest.clone())
                .or(named.map(str::to_owned))
        }
        Some(_) => subject.tags()?.get(tag::SNAPSHOT).cloned(),
        None => None,
    };
    let kept = kept.as_ref();
    let this = snapshots.iter().find(|one| kept == Some(&one.digest));
    let Some(snapshot) = this.or(snapshots.first()) else {
        return check
            .holds("not compared: the snapshot that the first deploy kept is not on this machine");
    };
    if let Some(kept) = kept
        && *kept != snapshot.digest
    {
        return check
            .fails(
                "the snapshot on this machine is not the one that deploy kept",
                kept,
                &snapshot.digest,
                "put the snapshot of the first deploy next to the configuration",
            )
            .into();
    }
    let mut before = snapshot.json["UserPool"].clone();
    let mut now = subject.observed.pool()?.document.json().clone();
    for pool in [&mut before, &mut now] {
        if let Some(triggers) = pool["LambdaConfig"].as_object_mut() {
            triggers.remove(Trigger::UserMigration.member());
            for (ours, _) in subject.observed.our_triggers() {
                triggers.remove(ours.member());
            }
        }
    }
    let mfa = differences(&snapshot.json["UserPoolMfaConfig"], subject.observed.mfa()?);
    let different: Vec<Difference> = differences(&before, &now)
        .into_iter()
        .chain(mfa)
        .filter(|difference| !appeared(difference))
        .collect();
    if let (Some(_), Some(lost)) = (kept, reset(&different)) {
        let restore = format!("restore --snapshot {}", quoted(&snapshot.path));
        return Ok(vec![Finding {
            severity: Severity::Error,
            stops_deploy: true,
            ..check.fails(
                "the pool was reset: an update that left settings out has wiped them since the first deploy",
                "as it was, but for its trigger",
                format!("lost or changed: {}", lost.join(", ")),
                fix!["`", Fix::command(&restore, ""), "`; if the pool is meant to be so, accept it in [verify]"],
            )
        }]);
    }
    let different = different.into_iter().map(|difference| {
        check
            .fails(
                "the pool has been changed since the first deploy",
                "as it was, but for its trigger",
                difference.to_string(),
                "review it; if it is meant, accept it in [verify]",
            )
            .about(&difference.pointer)
    });
    check.unless(
        different.collect(),
        "the pool's settings are as deploy found them, except the trigger",
    )
}
