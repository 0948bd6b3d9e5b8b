//! The pool's own settings: whether it takes the users the directory sends, and who else can become one.

use super::{Said, check, holds, unless, wrong};
use crate::document::differences;
use crate::finding::Severity::{Error, Warning};
use crate::resources::tag;
use crate::verify::{Check, Evidence};
use jane_migrate_config::Username;

pub(super) const CHECKS: &[Check] = &[
    check(
        "attributes-schema",
        Error,
        "the pool has every mapped attribute, and every required one is mapped",
        attributes_schema,
    ),
    check(
        "attributes-writable",
        Warning,
        "mapped attributes can be corrected later",
        attributes_writable,
    ),
    check(
        "username-case",
        Warning,
        "Ann and ann are one customer",
        username_case,
    ),
    check(
        "username-alias",
        Error,
        "in a pool with aliases, users get a user name of their own",
        username_alias,
    ),
    check(
        "pre-signup",
        Warning,
        "no PreSignUp trigger can veto a migration",
        pre_signup,
    ),
    check(
        "open-sign-up",
        Warning,
        "nobody can claim a customer's address by signing up first",
        open_sign_up,
    ),
    check(
        "mfa-phone",
        Warning,
        "where text messages are a second factor, phone numbers are mapped",
        mfa_phone,
    ),
    check(
        "recovery-channel",
        Warning,
        "migrated users can recover their account",
        recovery_channel,
    ),
    check(
        "pool-unchanged",
        Warning,
        "the pool is as deploy found it, but for its trigger",
        pool_unchanged,
    ),
];

/// Cognito's own attributes; every pool has them.
fn is_custom(name: &str) -> bool {
    name.contains(':')
}

fn attributes_schema<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let pool = evidence.pool.as_ref()?;
    let mapped = evidence.mapped()?;
    let missing = mapped
        .iter()
        .filter(|name| is_custom(name))
        .filter(|name| !pool.schema_attributes().any(|known| known.name == **name))
        .map(|name| {
            wrong(
                format!("the pool has no attribute {name}, and refuses every user who has it"),
                "an attribute of the pool's schema",
                name,
                format!("take it out of [attributes] and run `{}`, or add it to the pool", evidence.deploy()),
            )
        });
    let unmapped = pool
        .schema_attributes()
        .filter(|known| known.required && known.name != "sub")
        .filter(|known| !mapped.iter().any(|name| name == known.name))
        .map(|known| {
            wrong(
                format!("the pool requires {}, and refuses every user without it", known.name),
                format!("{} in [attributes]", known.name),
                "not mapped",
                format!("map it in [attributes], then run `{}`", evidence.deploy()),
            )
        });
    unless(
        missing.chain(unmapped).collect(),
        format!("the pool takes the {} mapped attributes", mapped.len()),
    )
}

/// What no client and no user ever writes.
const NEVER_WRITTEN: [&str; 3] = ["username", "email_verified", "phone_number_verified"];

fn attributes_writable<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let pool = evidence.pool.as_ref()?;
    let clients = evidence.watched_clients()?;
    let mapped = evidence.mapped()?;
    let mut fixed = Vec::new();
    for name in mapped.iter().filter(|name| !NEVER_WRITTEN.contains(&name.as_str())) {
        let immutable = pool
            .schema_attributes()
            .any(|known| known.name == *name && !known.mutable);
        let kept_out = clients.iter().find(|client| {
            client
                .write_attributes()
                .is_some_and(|own| !own.contains(&name.as_str()))
        });
        let found = match (immutable, kept_out) {
            (true, _) => "it is immutable".to_owned(),
            (_, Some(client)) => format!("app client {} may not write it", client.id()),
            _ => continue,
        };
        fixed.push(wrong(
            format!("{name} comes with the migration, and nobody can correct it afterwards"),
            "mutable, and writable by the app clients",
            found,
            "leave it, or let the app clients write it",
        ));
    }
    unless(fixed, "mapped attributes can be corrected later")
}

fn username_case<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let response = match evidence.config {
        Some(config) => Some(config.response.username),
        None => evidence.deployed().map(|settings| settings.response.username),
    };
    if !evidence.pool.as_ref()?.case_sensitive() {
        return holds("the pool takes Ann and ann for one");
    }
    match response {
        Some(Username::AsTyped) => wrong(
            "in this pool Ann and ann are two users, and a customer who types both is migrated twice",
            "username = \"lowercase\"",
            "username = \"as-typed\"",
            format!("set username = \"lowercase\" in [response], then run `{}`", evidence.deploy()),
        )
        .into(),
        _ => holds("the pool tells Ann from ann, and the function asks for ann"),
    }
}

fn username_alias<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let pool = evidence.pool.as_ref()?;
    let aliases: Vec<&str> = pool
        .alias_attributes()
        .filter(|alias| ["email", "phone_number"].contains(alias))
        .collect();
    if aliases.is_empty() || evidence.mapped()?.iter().any(|name| name == "username") {
        return holds("users get a name the pool takes");
    }
    wrong(
        format!("people sign in by {} in this pool, and it takes none as a user name", aliases.join(" or ")),
        "username in [attributes]",
        "not mapped",
        format!("set username = \"{{uuid}}\" in [attributes], then run `{}`", evidence.deploy()),
    )
    .into()
}

fn pre_signup<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    match evidence.pool.as_ref()?.trigger("PreSignUp") {
        None => holds("no PreSignUp trigger can veto a migration"),
        Some(arn) => wrong(
            "a PreSignUp trigger runs after each migration and can refuse the user",
            "none, or one that lets migrated users through",
            arn,
            "sign in as one user of the directory, and accept this in [verify] once that works",
        )
        .into(),
    }
}

fn open_sign_up<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let pool = evidence.pool.as_ref()?;
    if pool.admin_creates_users_only() {
        return holds("nobody signs up by themselves");
    }
    if pool.trigger("PreSignUp").is_some() {
        return holds("a PreSignUp trigger decides who signs up");
    }
    wrong(
        "whoever signs up with a customer's address before that customer signs in keeps the customer out",
        "AllowAdminCreateUserOnly, or a PreSignUp trigger that refuses the directory's addresses",
        "anybody may sign up",
        "restrict sign-up where the pool is managed until the window closes, or accept the risk in [verify]",
    )
    .into()
}

fn mfa_phone<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let facts = crate::facts::pool_facts(evidence.pool.as_ref()?, evidence.mfa.as_ref()?);
    let mapped = evidence.mapped()?;
    if facts.mfa == jane_migrate_config::Mfa::Off || !facts.sms_mfa {
        return holds("text messages are no second factor");
    }
    if mapped.iter().any(|name| name == "phone_number") {
        return holds("phone numbers are mapped");
    }
    wrong(
        "text messages are a second factor, and migrated users have no phone number",
        "phone_number in [attributes]",
        "not mapped",
        format!("map phone_number in [attributes], then run `{}`", evidence.deploy()),
    )
    .into()
}

fn recovery_channel<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let mapped = evidence.mapped()?;
    let verified = |address: &str| {
        [address.to_owned(), format!("{address}_verified")]
            .iter()
            .all(|name| mapped.contains(name))
    };
    let mechanisms = evidence.pool.as_ref()?.recovery_mechanisms();
    // Saying nothing is Cognito's old way: by text message, or else by email.
    let mechanisms = match mechanisms.is_empty() {
        true => vec!["verified_phone_number", "verified_email"],
        false => mechanisms,
    };
    let channel = mechanisms.iter().find(|mechanism| match **mechanism {
        "verified_email" => verified("email"),
        "verified_phone_number" => verified("phone_number"),
        _ => false,
    });
    match channel {
        Some(channel) => holds(format!("migrated users recover their account by {channel}")),
        None => wrong(
            "migrated users have nothing by which the pool lets them recover their account",
            "a verified address of a kind that account recovery uses",
            format!("recovery by {}", mechanisms.join(", ")),
            format!("map email and email_verified in [attributes] and run `{}`, or let the pool recover by what is mapped", evidence.deploy()),
        )
        .into(),
    }
}

fn pool_unchanged<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let Some(snapshot) = &evidence.snapshot else {
        return holds("not compared: the snapshot that the first deploy kept is not on this machine");
    };
    if let Some(found) = evidence.function.as_ref()? {
        let kept = found.function.tags.get(tag::SNAPSHOT);
        if kept.is_some_and(|digest| *digest != snapshot.digest) {
            return wrong(
                "the snapshot on this machine is not the one that deploy kept",
                kept.map_or("", String::as_str),
                &snapshot.digest,
                "put the snapshot of the first deploy next to the configuration",
            )
            .into();
        }
    }
    let mut before = snapshot.json["UserPool"].clone();
    let mut now = evidence.pool.as_ref()?.json().clone();
    for pool in [&mut before, &mut now] {
        if let Some(triggers) = pool["LambdaConfig"].as_object_mut() {
            triggers.remove("UserMigration");
        }
    }
    let mfa = differences(&snapshot.json["UserPoolMfaConfig"], evidence.mfa.as_ref()?);
    let different = differences(&before, &now).into_iter().chain(mfa).map(|difference| {
        wrong(
            "the pool has been changed since the first deploy",
            "as it was, but for its trigger",
            difference.to_string(),
            "review it; if it is meant, accept it in [verify]",
        )
    });
    unless(different.collect(), "the pool is as deploy found it, but for its trigger")
}
