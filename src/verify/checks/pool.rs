//! Whether the pool takes the users the directory sends, and who else can become one. What can be told of that before a deploy
//! too is `suitability`'s; here it is looked at again, and whether anybody changed the pool since.

use super::{Line, Said, check, holds, unless, wrong};
use crate::document::differences;
use crate::finding::Finding;
use crate::finding::Severity::{Error, Warning};
use crate::resources::tag;
use crate::suitability::{self, Subject};
use crate::verify::{Check, Evidence};

pub(super) const CHECKS: &[Check] = &[
    check(
        "attributes-schema",
        Error,
        "the pool has what is mapped, and what it requires is mapped",
        |evidence| suits(evidence, suitability::attributes_schema),
    ),
    check(
        "attributes-writable",
        Warning,
        "mapped attributes can be corrected later",
        |evidence| suits(evidence, suitability::attributes_writable),
    ),
    check(
        "username-case",
        Warning,
        "Ann and ann are one customer",
        |evidence| suits(evidence, suitability::username_case),
    ),
    check(
        "username-alias",
        Error,
        "in a pool with aliases, users get a user name of their own",
        |evidence| suits(evidence, suitability::username_alias),
    ),
    check(
        "alias-takeover",
        Warning,
        "nobody's email or phone number goes to a migrated user",
        |evidence| suits(evidence, suitability::alias_takeover),
    ),
    check(
        "pre-signup",
        Warning,
        "no PreSignUp trigger can veto a migration",
        |evidence| suits(evidence, suitability::pre_signup),
    ),
    check(
        "open-sign-up",
        Warning,
        "nobody can claim a customer's address by signing up first",
        |evidence| suits(evidence, suitability::open_sign_up),
    ),
    check(
        "mfa-phone",
        Warning,
        "where text messages are a second factor, phone numbers are mapped",
        |evidence| suits(evidence, suitability::mfa_phone),
    ),
    check(
        "recovery-channel",
        Warning,
        "migrated users can recover their account",
        |evidence| suits(evidence, suitability::recovery_channel),
    ),
    check(
        "environment-secret",
        Warning,
        "a secret configured into the environment has a key of its own",
        |evidence| suits(evidence, suitability::environment_secret),
    ),
    check(
        "hash-memory",
        Warning,
        "the function has the memory that its password hashes need",
        |evidence| suits(evidence, suitability::hash_memory),
    ),
    check(
        "pool-unchanged",
        Warning,
        "the pool is as deploy found it, but for its trigger",
        pool_unchanged,
    ),
];

/// A check of pool, clients and configuration against each other.
pub(super) fn suits<'e>(
    evidence: &'e Evidence<'_>,
    check: impl Fn(&Subject<'_>) -> Vec<Finding>,
) -> Said<'e> {
    let subject = Subject {
        pool: evidence.pool.as_ref()?,
        mfa: evidence.mfa.as_ref()?,
        clients: &evidence.watched_clients()?,
        config: evidence.wanted()?,
    };
    Ok(check(&subject).into_iter().map(Line::Told).collect())
}

fn pool_unchanged<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let found = evidence.function.as_ref()?.as_ref();
    let kept = found.and_then(|found| found.function.tags.get(tag::SNAPSHOT));
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
        });
    unless(
        different.collect(),
        "the pool is as deploy found it, but for its trigger",
    )
}
