//! The directory's secrets: where they are stored, who can read them, and that no secret is in plain text in the function's
//! environment.

use std::collections::BTreeSet;

use jane_migrate_config::{Arn, FIPS_VARIABLE, SETTINGS_VARIABLE, Secret};
use serde_json::Value;

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::exposure::SecretPlace;
use crate::finding::Finding;
use crate::fix::fix;
use crate::ids::PoolArn;
use crate::observed::KeptSecret;
use crate::plain::{self, is_secret};

/// The variables that the function should have.
fn expected(subject: &Subject<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::from([SETTINGS_VARIABLE.to_owned()]);
    let Ok(wanted) = subject.wanted() else {
        return names;
    };
    if wanted.function.fips {
        names.insert(FIPS_VARIABLE.to_owned());
    }
    for (_, secret) in wanted.secrets() {
        if let Secret::Env(name) = secret {
            names.insert(name.clone());
        }
    }
    names
}

pub(super) fn env_secrets(check: &Check, subject: &Subject<'_>) -> Findings {
    let expected = expected(subject);
    let environment = &subject.function()?.function.environment;
    let mut suspects: Vec<Finding> = environment
        .iter()
        .filter(|(name, value)| !expected.contains(*name) && is_secret(name, value.expose()))
        .map(|(name, _)| {
            check
                .fails(
                    "the function's configuration exposes what looks like a secret",
                    "secrets in Secrets Manager or SSM, by reference",
                    format!("the variable {name} (its value is not shown)"),
                    subject.redeploy(),
                )
                .about(name)
        })
        .collect();
    let settings: Value = environment
        .get(SETTINGS_VARIABLE)
        .and_then(|settings| serde_json::from_str(settings.expose()).ok())
        .unwrap_or_default();
    suspects.extend(plain::members("", &settings).into_iter().map(|member| {
        check
            .fails(
                "the function's configuration exposes what looks like a secret",
                "secrets in Secrets Manager or SSM, by reference",
                format!("{member} of the settings (its value is not shown)"),
                subject.then_redeploy(
                    "move it to [directory.secrets] and write {secrets.NAME} in its place",
                ),
            )
            .about(member)
    }));
    check.unless(suspects, "the environment has no secret in plain text")
}

pub(super) fn env_only(check: &Check, subject: &Subject<'_>) -> Findings {
    let expected = expected(subject);
    let foreign = subject
        .function()?
        .function
        .environment
        .iter()
        .filter(|(name, value)| !expected.contains(*name) && !is_secret(name, value.expose()))
        .map(|(name, _)| {
            check.fails(
                "the function has a variable that deploy did not set; some redirect its calls or load other code",
                "the settings, and the secrets the configuration puts there",
                name,
                subject.redeploy(),
            )
            .about(name)
        });
    check.unless(foreign.collect(), "the environment has only our variables")
}

pub(super) fn env_kms(check: &Check, subject: &Subject<'_>) -> Findings {
    let found = subject.function()?.function.kms_key_arn.as_deref();
    let wanted = subject.wanted()?.function.kms_key_arn.as_deref();
    let shown = |key: Option<&str>| key.unwrap_or("Lambda's own key").to_owned();
    if found == wanted {
        return check.holds(format!("the environment is encrypted by {}", shown(found)));
    }
    check
        .fails(
            "another key than the configured one encrypts the environment",
            shown(wanted),
            shown(found),
            subject.redeploy(),
        )
        .into()
}

/// The findings for each secret in a service; an unreadable one gives a finding of its own.
fn of_each(
    check: &Check,
    subject: &Subject<'_>,
    holds: &str,
    judge: impl Fn(&KeptSecret) -> Findings,
) -> Findings {
    let mut findings = Vec::new();
    for kept in subject.observed.secrets.as_ref()? {
        match judge(kept) {
            Ok(wrong) => {
                let named = |wrong: Finding| wrong.about(kept.secret.to_string());
                findings.extend(wrong.into_iter().map(named));
            }
            Err(unread) => findings.push(check.unchecked(&unread)),
        }
    }
    if findings.is_empty() {
        findings.push(check.holding(holds));
    }
    Ok(findings)
}

pub(super) fn secret_exists(check: &Check, subject: &Subject<'_>) -> Findings {
    let holds = match subject.observed.secrets.as_ref()?.len() {
        0 => "no secret of the directory is in Secrets Manager or SSM".to_owned(),
        n => format!("{n} secret(s) of the directory are there"),
    };
    of_each(check, subject, &holds, |kept| {
        Ok(match (kept.place.as_ref()?, &kept.secret) {
            (Some(SecretPlace { deleted: true, .. }), Secret::SecretsManager { arn, .. }) => {
                vec![check.fails(
                    "a secret of the directory is being deleted, and no user can be migrated without it",
                    kept.secret.to_string(),
                    "scheduled for deletion",
                    subject.aws(format_args!(
                        "secretsmanager restore-secret --secret-id {arn}"
                    )),
                )]
            }
            (Some(_), _) => Vec::new(),
            (None, secret) => vec![check.fails(
                "a secret of the directory does not exist, and no user can be migrated without it",
                secret.to_string(),
                "nothing",
                match subject.names.given_function {
                    true => subject.then_redeploy("create it, or name another in [directory]"),
                    false => fix![
                        "create it, or name another in [directory] and run `",
                        subject.deploy(),
                        "`",
                    ],
                },
            )],
        })
    })
}

pub(super) fn secret_encrypted(check: &Check, subject: &Subject<'_>) -> Findings {
    let holds = "no secret of the directory is kept in plain text";
    of_each(check, subject, holds, |kept| {
        let place = kept.place.as_ref()?.as_ref();
        let plain = place.is_some_and(|place| !place.encrypted).then(|| {
            check.fails(
                "a secret of the directory is kept in plain text",
                "a SecureString",
                format!("{} is a String", kept.secret),
                fix![
                    "keep it under another name as a SecureString (the type of a parameter cannot change), name that in [directory], run `",
                    subject.deploy(),
                    "`, and delete this one",
                ],
            )
        });
        Ok(plain.into_iter().collect())
    })
}

pub(super) fn secret_key(check: &Check, subject: &Subject<'_>) -> Findings {
    let holds = "the role may use the keys of the directory's secrets";
    of_each(check, subject, holds, |kept| {
        let place = kept.place.as_ref()?.as_ref();
        let Some(key) = place.and_then(|place| place.key.as_deref()) else {
            return Ok(Vec::new());
        };
        let Secret::SecretsManager { kms_key: named, .. } = &kept.secret else {
            return Ok(Vec::new());
        };
        // An id, an ARN or an alias; the target of an alias is unknown.
        let id = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
        let same = |named: &str| key.contains("alias/") || id(named) == id(key);
        if named.as_deref().is_some_and(same) {
            return Ok(Vec::new());
        }
        Ok(vec![check.fails(
            "a key encrypts a secret of the directory that the role was not allowed to use: unless the key's own policy allows it, no user can be migrated",
            named.as_deref().unwrap_or("the service's own key"),
            key,
            subject.then_redeploy(
                "write kms_key = \"ARN OF THE KEY\" beside the secret in [directory]",
            ),
        )])
    })
}

pub(super) fn secret_copies(check: &Check, subject: &Subject<'_>) -> Findings {
    of_each(
        check,
        subject,
        "each secret is kept in one Region alone",
        |kept| {
            let Secret::SecretsManager { arn, .. } = &kept.secret else {
                return Ok(Vec::new());
            };
            let place = kept.place.as_ref()?.as_ref();
            let copies = place.into_iter().flat_map(|place| &place.copies);
            Ok(copies
            .map(|region| {
                check.fails(
                    "a secret of the directory is copied to another Region, where another policy says who may read it",
                    "no copy",
                    format!("{} in {region}", kept.secret),
                    subject.aws(format_args!(
                        "secretsmanager remove-regions-from-replication --secret-id {arn} --remove-replica-regions {region}"
                    )),
                )
            })
            .collect())
        },
    )
}

pub(super) fn secret_policy(check: &Check, subject: &Subject<'_>) -> Findings {
    of_each(
        check,
        subject,
        "no secret's policy lets strangers in",
        |kept| {
            let Secret::SecretsManager { arn, .. } = &kept.secret else {
                return Ok(Vec::new());
            };
            let statements = match &kept.policy.as_ref()?["Statement"] {
                Value::Array(statements) => statements.clone(),
                Value::Null => Vec::new(),
                one => vec![one.clone()],
            };
            let open = statements
                .iter()
                .filter(|statement| lets_strangers_in(statement, &subject.names.pool));
            Ok(open
                .map(|statement| {
                    check.fails(
                        "a secret of the directory may be read by others than this account",
                        "no policy of its own, or one for this account alone",
                        statement.to_string(),
                        subject.aws(format_args!(
                            "secretsmanager delete-resource-policy --secret-id {arn}"
                        )),
                    )
                })
                .collect())
        },
    )
}

/// Whether a statement allows a principal outside the pool's account. A service is allowed: it acts for the account.
fn lets_strangers_in(statement: &Value, pool: &PoolArn) -> bool {
    if statement["Effect"] == "Deny" {
        return false;
    }
    let ours = |principal: &str| {
        principal == pool.account
            || principal
                .parse::<Arn>()
                .is_ok_and(|principal| principal.account == pool.account)
    };
    let strangers = |principals: &Value| match principals {
        Value::String(one) => !ours(one),
        Value::Array(many) => many
            .iter()
            .any(|principal| !principal.as_str().is_some_and(ours)),
        // `*`, or everything but some.
        _ => true,
    };
    match &statement["Principal"] {
        Value::Object(kinds) => kinds.iter().any(|(kind, principals)| match kind.as_str() {
            "Service" => false,
            "AWS" => strangers(principals),
            // The users of an identity provider, or the user id of another account.
            _ => true,
        }),
        other => strangers(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_for_its_own_account() {
        let pool: PoolArn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1"
            .parse()
            .unwrap();
        for (principal, stranger) in [
            (json!("*"), true),
            (json!({ "AWS": "*" }), true),
            (json!({ "AWS": "arn:aws:iam::210987654321:root" }), true),
            (
                json!({ "AWS": ["arn:aws:iam::123456789012:role/r", "210987654321"] }),
                true,
            ),
            (Value::Null, true),
            (
                json!({ "Federated": "cognito-identity.amazonaws.com" }),
                true,
            ),
            (json!({ "CanonicalUser": "79a59df900b949e5" }), true),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/r" }), false),
            (json!({ "AWS": "123456789012" }), false),
            (
                json!({ "AWS": ["arn:aws:iam::123456789012:role/r", "123456789012"] }),
                false,
            ),
            (json!({ "Service": "rds.amazonaws.com" }), false),
        ] {
            let statement = json!({ "Effect": "Allow", "Principal": principal });
            assert_eq!(
                lets_strangers_in(&statement, &pool),
                stranger,
                "{statement}"
            );
        }
        let deny = json!({ "Effect": "Deny", "Principal": "*" });
        assert!(!lets_strangers_in(&deny, &pool));
    }
}
