//! Whether the pool takes the users the directory sends, and who else can become one. What can be told of that before a deploy
//! too is `suitability`'s; here it is looked at again, and whether anybody changed the pool since.

use super::{Said, check, holds, told, unless, wrong};
use crate::verify::{Check, Evidence};
use jane_migrate_core::document::differences;
use jane_migrate_core::finding::Severity::{Error, Warning};
use jane_migrate_core::resources::tag;
use jane_migrate_core::suitability;

pub(super) const CHECKS: &[Check] = &[
    check(
        "attributes-schema",
        Error,
        "the pool has what is mapped, and what it requires is mapped",
        |evidence| {
            told(suitability::attributes_schema(
                evidence.pool.as_ref()?,
                evidence.wanted()?,
                &evidence.given,
            ))
        },
    ),
    check(
        "attributes-writable",
        Warning,
        "mapped attributes can be corrected later",
        |evidence| {
            told(suitability::attributes_writable(
                evidence.pool.as_ref()?,
                &evidence.watched_clients()?,
                evidence.wanted()?,
            ))
        },
    ),
    check(
        "username-case",
        Warning,
        "Ann and ann are one customer",
        |evidence| {
            told(suitability::username_case(
                evidence.pool.as_ref()?,
                evidence.wanted()?,
            ))
        },
    ),
    check(
        "username-alias",
        Error,
        "in a pool with aliases, users get a user name of their own",
        |evidence| {
            told(suitability::username_alias(
                evidence.pool.as_ref()?,
                evidence.wanted()?,
            ))
        },
    ),
    check(
        "alias-takeover",
        Warning,
        "nobody's email or phone number goes to a migrated user",
        |evidence| told(suitability::alias_takeover(evidence.wanted()?)),
    ),
    check(
        "pre-signup",
        Warning,
        "no PreSignUp trigger can veto a migration",
        |evidence| told(suitability::pre_signup(evidence.pool.as_ref()?)),
    ),
    check(
        "open-sign-up",
        Warning,
        "nobody can claim a customer's address by signing up first",
        |evidence| told(suitability::open_sign_up(evidence.pool.as_ref()?)),
    ),
    check(
        "mfa-phone",
        Warning,
        "where text messages are a second factor, phone numbers are mapped",
        |evidence| {
            told(suitability::mfa_phone(
                evidence.mfa.as_ref()?,
                evidence.wanted()?,
            ))
        },
    ),
    check(
        "recovery-channel",
        Warning,
        "migrated users can recover their account",
        |evidence| {
            told(suitability::recovery_channel(
                evidence.pool.as_ref()?,
                evidence.wanted()?,
            ))
        },
    ),
    check(
        "environment-secret",
        Warning,
        "a secret configured into the environment has a key of its own",
        |evidence| told(suitability::environment_secret(evidence.wanted()?)),
    ),
    check(
        "hash-memory",
        Warning,
        "the function has the memory that its password hashes need",
        |evidence| told(suitability::hash_memory(evidence.wanted()?)),
    ),
    check(
        "pool-unchanged",
        Warning,
        "the pool is as deploy found it, but for its trigger",
        pool_unchanged,
    ),
];

fn pool_unchanged<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let kept = match evidence.function.as_ref()? {
        Some(_) => evidence.tags()?.get(tag::SNAPSHOT),
        None => None,
    };
    let snapshots = &evidence.snapshots;
    let this = snapshots.iter().find(|one| kept == Some(&one.digest));
    let Some(snapshot) = this.or(snapshots.first()) else {
        return holds(
            "not compared: the snapshot that the first deploy kept is not on this machine",
        );
    };
    if let Some(kept) = kept
        && *kept != snapshot.digest
    {
        return wrong(
            "the snapshot on this machine is not the one that deploy kept",
            kept,
            &snapshot.digest,
            "put the snapshot of the first deploy next to the configuration",
        )
        .into();
    }
    let mut before = snapshot.json["UserPool"].clone();
    let mut now = evidence.pool.as_ref()?.json().clone();
    for pool in [&mut before, &mut now] {
        if let Some(triggers) = pool["LambdaConfig"].as_object_mut() {
            triggers.remove("UserMigration");
        }
    }
    let mfa = differences(&snapshot.json["UserPoolMfaConfig"], evidence.mfa.as_ref()?);
    let different = differences(&before, &now)
        .into_iter()
        .chain(mfa)
        .map(|difference| {
            wrong(
                "the pool has been changed since the first deploy",
                "as it was, but for its trigger",
                difference.to_string(),
                "review it; if it is meant, accept it in [verify]",
            )
            .of(&difference.pointer)
        });
    unless(
        different.collect(),
        "the pool is as deploy found it, but for its trigger",
    )
}
