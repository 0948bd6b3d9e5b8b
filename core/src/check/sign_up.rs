//! What happens before a user is created: whether Jane is notified, whether a stranger can take a customer's address, and whether
//! another function can reject users.

use jane_migrate_config::Directory;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::fix::fix;
use crate::observed::deployed_settings;
use crate::read::Read;
use crate::trigger::Trigger;

/// What runs before the pool creates a user.
enum Answers<'a> {
    /// No function.
    Nobody,
    /// Our function, with the trigger on.
    Ours,
    /// Our function, but the live version ignores this trigger.
    Idle,
    /// Another function.
    Another(&'a str),
}

fn before_sign_up<'a>(subject: &'a Subject<'_>) -> Read<Answers<'a>> {
    let pool = &subject.observed.pool()?.document;
    let Some(arn) = pool.trigger(Trigger::PreSignUp) else {
        return Ok(Answers::Nobody);
    };
    if !subject.names.is_our_function(arn) {
        return Ok(Answers::Another(arn));
    }
    let settings = deployed_settings(subject.function()?);
    Ok(
        match settings.is_some_and(|settings| settings.triggers.pre_sign_up) {
            true => Answers::Ours,
            false => Answers::Idle,
        },
    )
}

const ON: &str = "pre_sign_up = true under [triggers]";

/// Jane is notified of the Cognito user name of each user who migrates.
pub(super) fn jane_connection(check: &Check, subject: &Subject<'_>) -> Findings {
    if !matches!(subject.wanted()?.directory, Directory::Jane(_)) {
        return Ok(Vec::new());
    }
    let (message, found, fix) = match before_sign_up(subject)? {
        Answers::Ours => {
            return check.holds("Jane is notified of each user who migrates or signs up");
        }
        Answers::Another(arn) => {
            return check
                .fails(
                    "another function is the pool's pre sign-up trigger, and whether it tells Jane of each user cannot be seen here",
                    ON,
                    arn,
                    fix![
                        format!("accept it in [verify] if it does; otherwise set {ON} and run `"),
                        subject.deploy_replacing(),
                        "`",
                    ],
                )
                .warning()
                .into();
        }
        Answers::Idle => (
            "the function does nothing before sign-ups, so Jane is not notified of users who migrate",
            "a function deployed without it",
            subject.deploy(),
        ),
        Answers::Nobody => (
            "Jane is not notified of users who migrate, and does not know their Cognito user names",
            "no pre sign-up trigger",
            subject.deploy(),
        ),
    };
    let fix = match subject.is_on(Trigger::PreSignUp) {
        true => fix,
        false => fix![format!("set {ON}, then run `"), fix, "`"],
    };
    check.fails(message, ON, found, fix).into()
}

/// The guard that the configuration turns on exists.
pub(super) fn sign_up_guard(check: &Check, subject: &Subject<'_>) -> Findings {
    if !subject.is_on(Trigger::PreSignUp) {
        return Ok(Vec::new());
    }
    let (found, fix) = match before_sign_up(subject)? {
        Answers::Ours => {
            return check.holds("sign-ups with the address of a customer are refused");
        }
        Answers::Idle => (
            "a function that does nothing before sign-ups",
            subject.deploy(),
        ),
        Answers::Nobody => ("no pre sign-up trigger", subject.deploy()),
        Answers::Another(arn) => (arn, subject.deploy_replacing()),
    };
    check
        .fails(
            "sign-ups are not checked, though the configuration turns the guard on",
            "our function as the pre sign-up trigger",
            found,
            fix,
        )
        .into()
}

/// No other function can reject a migrated user.
pub(super) fn pre_signup(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    let arn = match pool.trigger(Trigger::PreSignUp) {
        None => return check.holds("no PreSignUp trigger can refuse a migration"),
        Some(arn) if subject.names.is_our_function(arn) => {
            return check.holds("the PreSignUp trigger is our function");
        }
        Some(arn) => arn,
    };
    if matches!(subject.wanted()?.directory, Directory::Jane(_)) {
        return check
            .holds("Jane needs a PreSignUp trigger: jane-connection says what is known of it");
    }
    check
        .fails(
            "the pool's PreSignUp trigger also runs after each migration, and can veto it",
            "a trigger that lets migrated users pass, or none",
            arn,
            "sign in with one account, and look into that function's log",
        )
        .into()
}

/// No stranger can sign up with an address before its owner migrates.
pub(super) fn open_sign_up(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.observed.pool()?.document;
    if pool.admin_creates_users_only() {
        return check.holds("strangers cannot sign up with a customer's address");
    }
    let pre_sign_up = pool.trigger(Trigger::PreSignUp);
    let ours = pre_sign_up.is_some_and(|arn| subject.names.is_our_function(arn));
    if ours || subject.is_on(Trigger::PreSignUp) {
        return check.holds("the guard is on: sign-up-guard says whether it is there");
    }
    let (message, found) = match pre_sign_up {
        None => (
            "a stranger can sign up with the address of a customer who has not migrated, and that customer then cannot migrate",
            "open sign-up",
        ),
        Some(arn) => (
            "sign-up is open, and whether the pool's PreSignUp trigger refuses customers' addresses cannot be seen here",
            arn,
        ),
    };
    check
        .fails(
            message,
            format!("{ON}, or AllowAdminCreateUserOnly"),
            found,
            fix![
                format!("set {ON} and run `"),
                match pre_sign_up {
                    None => subject.deploy(),
                    Some(_) => subject.deploy_replacing(),
                },
                "`, or close self-registration while the window is open",
            ],
        )
        .into()
}
