//! What protects the pool against password guessing before a customer has migrated. Cognito's own lockout only works
//! afterwards.

use jane_migrate_config::Directory;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::firewall::WebAcl;
use crate::read::{Read, Unread};

/// The function always has this limit, but alone it is not enough: each instance counts separately.
const OURS: &str = "the function's limit for each name";

/// Something counts wrong passwords across all instances of the function, or limits requests before they reach it.
pub(super) fn guessing_brake(check: &Check, subject: &Subject<'_>) -> Findings {
    if !subject.migrates() {
        return Ok(Vec::new());
    }
    let of_directory = by_directory(&subject.wanted()?.directory);
    let acl = &subject.observed.web_acl;
    let limiting = acl.as_ref().ok().and_then(Option::as_ref).and_then(limits);
    if of_directory.is_none() && limiting.is_none() {
        return without(check, acl);
    }
    let unread = match acl {
        Ok(_) | Err(Unread::NotAsked) => String::new(),
        Err(unread) => format!("; AWS WAF {}", unread.explain().0),
    };
    let all: Vec<String> = limiting
        .into_iter()
        .chain(of_directory.map(str::to_owned))
        .collect();
    check.holds(format!(
        "guessing of passwords is slowed down by {} and {OURS}{unread}",
        all.join(", ")
    ))
}

/// The part of the directory that counts wrong passwords.
fn by_directory(directory: &Directory) -> Option<&'static str> {
    match directory {
        Directory::Cognito(_) => Some("the old pool's lockout"),
        Directory::Jane(_) => Some("what Jane does about wrong passwords (not seen from here)"),
        Directory::Http(_) | Directory::Ldap(_) => {
            Some("the directory's lockout, if it has one (not seen from here)")
        }
        Directory::Postgres(database) | Directory::Mysql(database) => database
            .on_wrong_password
            .as_ref()
            .map(|_| "on_wrong_password"),
    }
}

/// How the web ACL limits requests, if it does.
fn limits(acl: &WebAcl) -> Option<String> {
    let WebAcl {
        name,
        limits,
        groups,
    } = acl;
    match (limits.first(), groups) {
        (Some(rule), _) => Some(format!("AWS WAF (rule {rule} of web ACL {name})")),
        (None, true) => Some(format!(
            "AWS WAF (the rule groups of web ACL {name}, if one has a rate-based rule: they are not read)"
        )),
        (None, false) => None,
    }
}

/// The finding if neither the table nor AWS WAF counts, or if WAF could not be read.
fn without(check: &Check, acl: &Read<Option<WebAcl>>) -> Findings {
    let found = match acl.as_ref()? {
        Some(acl) => format!("web ACL {} without a rate-based rule that blocks", acl.name),
        None => "no on_wrong_password, and no web ACL".to_owned(),
    };
    check
        .fails(
            "the table counts no wrong passwords and AWS WAF limits no requests: until a customer has migrated, only the function's limit for each name slows down guessing, and each of its instances counts for itself",
            "on_wrong_password under [directory], or a web ACL with a rate-based rule",
            found,
            "set on_wrong_password under [directory], or associate an AWS WAF web ACL that has a rate-based rule with the pool",
        )
        .into()
}
