//! How the pool calls the function, and all other ways to call it.

use serde_json::Value;

use super::kind::{Check, Findings, with_qualifier};
use super::subject::Subject;
use crate::document::ClientDocument;
use crate::finding::Finding;
use crate::fix::{Fix, fix};
use crate::ids::{ALIAS, LATEST, STATEMENT_ID};
use crate::permission;
use crate::read::Unread;
use crate::record::{Doubt, Records, Trust, given_statements};
use crate::snapshot::Snapshot;
use crate::trigger::{Trigger, listed};
use crate::version;

pub(super) fn trigger_registered(check: &Check, subject: &Subject<'_>) -> Findings {
    let (names, pool) = (subject.names, &subject.observed.pool()?.document);
    let (mut called, mut wrong) = (Vec::new(), Vec::new());
    for trigger in Trigger::ALL {
        let now = pool.trigger(trigger);
        let (found, fix) = match now {
            Some(arn) if names.is_our_function(arn) => {
                match (subject.observed.alias_gone, arn == names.live_arn) {
                    (true, _) => wrong.push(alias_gone(check, subject, trigger, arn)),
                    (false, true) => called.push(trigger.moment()),
                    (false, false) => wrong.push(other_way(check, subject, trigger, arn)),
                }
                continue;
            }
            _ if !subject.is_on(trigger) => continue,
            Some(other) => (other.to_owned(), subject.deploy_replacing()),
            None => {
                let found = format!("no {} trigger", trigger.label());
                (found, attach(subject, trigger))
            }
        };
        let moment = trigger.moment();
        let missing = check.fails(
            format!("the pool does not call our function {moment}"),
            &names.live_arn,
            found,
            fix,
        );
        wrong.push(about(missing, trigger));
    }
    let ended = match subject.migrates() {
        true => "",
        false => "; migration has ended",
    };
    check.unless(
        wrong,
        format!("the pool calls our function {}{ended}", listed(called)),
    )
}

/// If other triggers call the function, a teardown may have ended the migration on purpose.
fn attach(subject: &Subject<'_>, trigger: Trigger) -> Fix {
    let ended =
        trigger == Trigger::UserMigration && subject.observed.our_triggers().next().is_some();
    match ended {
        true => fix![
            "if migration has ended, set closes under [window] to a day that has passed; then run `",
            subject.deploy(),
            "`",
        ],
        false => subject.deploy(),
    }
}

/// Findings about the migration trigger have no subject: it was once the only trigger.
fn about(finding: Finding, trigger: Trigger) -> Finding {
    match trigger {
        Trigger::UserMigration => finding,
        Trigger::PreSignUp | Trigger::PostConfirmation => finding.about(trigger.label()),
    }
}

/// The function is called, but not by our alias, which deploy moves only to a version that has passed a probe.
fn other_way(check: &Check, subject: &Subject<'_>, trigger: Trigger, arn: &str) -> Finding {
    let what = match subject.names.is_latest(arn) {
        true => {
            "the pool calls the function itself, so customers meet each change of it before it is tried"
        }
        false => {
            "the pool calls the function by another alias, which stays where it is when deploy has something new"
        }
    };
    let wrong = check
        .fails(what, &subject.names.live_arn, arn, subject.deploy())
        .warning();
    about(wrong, trigger)
}

/// The function exists, but not the alias that the pool calls.
fn alias_gone(check: &Check, subject: &Subject<'_>, trigger: Trigger, arn: &str) -> Finding {
    let alias = subject.names.qualifier(arn).unwrap_or_default();
    let gone = check.fails(
        format!(
            "the pool calls alias `{alias}` of the function, which is gone: {} fails",
            trigger.stakes()
        ),
        arn,
        "no such alias",
        subject.redeploy(),
    );
    about(gone, trigger)
}

/// What fails if Cognito cannot invoke the function.
fn stakes(subject: &Subject<'_>) -> String {
    let at_stake =
        |trigger: &Trigger| subject.is_on(*trigger) || subject.observed.calls_us(*trigger);
    let triggers = Trigger::ALL.into_iter().filter(at_stake);
    let stakes: Vec<&str> = triggers.map(Trigger::stakes).collect();
    match &stakes[..] {
        [one] => format!("{one} fails"),
        all => format!("{} fail", listed(all.iter().copied())),
    }
}

pub(super) fn live_version(check: &Check, subject: &Subject<'_>) -> Findings {
    let observed = subject.observed;
    let (Some(latest), Some(behind), Some(alias)) = (
        observed.function.as_ref()?,
        observed.behind.as_ref()?,
        observed.alias.as_ref()?,
    ) else {
        return check
            .holds("there is no version behind the alias that the function could differ from");
    };
    let differs = version::differences(latest, behind);
    if differs.is_empty() {
        return check.holds(format!(
            "customers use version {}, the newest",
            alias.version
        ));
    }
    check
        .fails(
            format!(
                "customers use version {}, and the function holds something else that was never tried or was rolled back",
                alias.version
            ),
            "the newest version",
            differs.join(", "),
            subject.redeploy(),
        )
        .into()
}

/// Deploy's record is kept in two places, and teardown only trusts what both contain.
pub(super) fn record_intact(check: &Check, subject: &Subject<'_>) -> Findings {
    let names = subject.names;
    let snapshots = subject.asked.snapshots;
    let records = subject.observed.records(snapshots)?;
    if names.given_function {
        return given_record(check, subject, &records);
    }
    let trust = Trust {
        snapshots,
        ..Trust::default()
    };
    let doubted = |doubt: &Doubt, what: &str| {
        check.fails(
            doubt.explain(what),
            "the same in the tags of the function and of the role, and in the snapshot",
            doubt.found(),
            fix![
                "find out what changed the tags: CloudTrail has TagResource of Lambda and TagRole of IAM. Give both the right value, or end the migration with `",
                Fix::ours("teardown", &names.pool.id, &doubt.flag().unwrap_or_default()),
                "`",
            ],
        )
    };
    let mut wrong = Vec::new();
    for trigger in Trigger::ALL {
        match records.replaced(trigger, names, &trust) {
            // A trigger of another account can be in the record; teardown asks about it.
            Ok(_) | Err(Doubt::OtherAccount(..) | Doubt::Alone(..)) => {}
            Err(doubt) => {
                let what = format!("the {} trigger to put back", trigger.label());
                wrong.push(doubted(&doubt, &what));
            }
        }
    }
    let clients = subject.observed.clients.as_ref()?;
    for client in clients
        .iter()
        .filter(|client| client.allows_password_auth())
    {
        let about = |finding: Finding| finding.about(client.id());
        match records.opened(client.id(), &trust) {
            Err(doubt) => {
                let what = format!("the flows of app client {} before deploy", client.name());
                wrong.push(about(doubted(&doubt, &what)));
            }
            Ok(None) if was_closed(snapshots, client) => {
                let what = format!(
                    "app client {} allows USER_PASSWORD_AUTH, did not before deploy, and is on no record: teardown leaves it as it is",
                    client.name()
                );
                let closed = check.fails(
                    what,
                    "a record, or the flows of the snapshot",
                    client.flows().collect::<Vec<_>>().join(", "),
                    "if deploy opened it, take the flow away in the console after teardown; if your team did, all is well",
                );
                wrong.push(about(closed).warning());
            }
            Ok(_) => {}
        }
    }
    check.unless(wrong, "the two records of what teardown will undo agree")
}

/// For another tool's function: the policy names a snapshot, which must be on this machine.
fn given_record(check: &Check, subject: &Subject<'_>, records: &Records) -> Findings {
    let policy = subject.observed.policy(subject.names.live())?;
    let named = given_statements(&policy).next();
    let found = match (&records.snapshot, named) {
        (Some(_), _) => {
            return check.holds("the record for teardown is a snapshot that is here");
        }
        (None, Some(_)) => {
            return check.holds("the record for teardown is a snapshot on another machine");
        }
        // Nothing was deployed, and there is no record.
        (None, None) if subject.observed.our_triggers().next().is_none() => {
            return check.holds("there is nothing for teardown to take back");
        }
        (None, None) => "no such statement",
    };
    check
        .fails(
            "nothing says any more what deploy changed: teardown will take the trigger away, put none back and close no app client",
            "a statement in the function's policy whose id names the snapshot",
            found,
            subject.deploy(),
        )
        .warning()
        .into()
}

/// Whether all snapshots with this client show that it allowed no password sign-in.
fn was_closed(snapshots: &[Snapshot], client: &ClientDocument) -> bool {
    let all = snapshots
        .iter()
        .filter_map(|one| one.json["UserPoolClients"].as_array());
    let kept = all.flatten().filter(|kept| kept["ClientId"] == client.id());
    let mut kept = kept
        .filter_map(|kept| ClientDocument::from_json(kept.clone()).ok())
        .peekable();
    kept.peek().is_some() && kept.all(|kept| !kept.allows_password_auth())
}

pub(super) fn invoke_permission(check: &Check, subject: &Subject<'_>) -> Findings {
    let pool = &subject.names.pool;
    let qualifier = subject.observed.trigger_qualifier().map(str::to_owned);
    let policy = subject.observed.policies.as_ref()?.get(&qualifier);
    let statements = policy
        .map(|policy| &policy.statements[..])
        .unwrap_or_default();
    let denials: Vec<Finding> = statements
        .iter()
        .filter(|statement| permission::denies_pool(statement, pool))
        .map(|statement| {
            check
                .fails(
                    format!(
                        "a statement denies Cognito the invocation, so {}",
                        stakes(subject)
                    ),
                    "no denial",
                    statement.to_string(),
                    remove_permission(subject, qualifier.as_deref(), statement),
                )
                .about(sid(statement))
        })
        .collect();
    if !denials.is_empty() {
        return check.unless(denials, "");
    }
    if statements
        .iter()
        .any(|statement| permission::is_for_pool(statement, subject.names))
    {
        return check.holds("Cognito may invoke the function for this pool");
    }
    check.fails(
        format!("Cognito may not invoke the function, so {}", stakes(subject)),
        format!(
            "cognito-idp.amazonaws.com with SourceArn {pool} and SourceAccount {}, and no other condition",
            pool.account
        ),
        policy
            .and_then(|policy| policy.statement(STATEMENT_ID))
            .map_or("no statement that does".to_owned(), Value::to_string),
        subject.deploy(),
    )
    .into()
}

fn sid(statement: &Value) -> &str {
    statement["Sid"].as_str().unwrap_or_default()
}

fn remove_permission(subject: &Subject<'_>, qualifier: Option<&str>, statement: &Value) -> Fix {
    let (name, id) = (&subject.names.function, sid(statement));
    let command = format!("lambda remove-permission --function-name {name} --statement-id {id}");
    subject.of_function(subject.aws(with_qualifier(command, qualifier)))
}

pub(super) fn invoke_permission_only(check: &Check, subject: &Subject<'_>) -> Findings {
    let mut others = Vec::new();
    for (qualifier, policy) in subject.observed.policies.as_ref()? {
        for statement in &policy.statements {
            let ours = permission::lets_in_only(statement, &subject.names.pool);
            if ours || statement["Effect"] == "Deny" {
                continue;
            }
            let id = sid(statement);
            others.push(
                check
                    .fails(
                        format!("statement `{id}` lets another caller use the function"),
                        "one statement, for this pool",
                        statement.to_string(),
                        remove_permission(subject, qualifier.as_deref(), statement),
                    )
                    .about(with_qualifier(id.to_owned(), qualifier.as_deref())),
            );
        }
    }
    of_every_qualifier(
        check,
        subject,
        others,
        "only Cognito may invoke the function",
    )
}

/// The findings for the known aliases and versions; if they could not be listed, also that findings may be missing.
fn of_every_qualifier(
    check: &Check,
    subject: &Subject<'_>,
    mut findings: Vec<Finding>,
    message: &str,
) -> Findings {
    let unlisted = [
        subject.observed.aliases.as_ref().err(),
        subject.observed.versions.as_ref().err(),
    ];
    // A deploy without changes reads none of them.
    let failed = |unread: &&Unread| matches!(unread, Unread::Failed(_));
    if let Some(unread) = unlisted.into_iter().flatten().find(failed) {
        findings.push(check.unchecked(unread));
    } else if findings.is_empty() {
        findings.push(check.holding(message));
    }
    Ok(findings)
}

pub(super) fn function_url(check: &Check, subject: &Subject<'_>) -> Findings {
    let urls = subject.observed.urls.as_ref()?.iter().map(|url| {
        let command = format!(
            "lambda delete-function-url-config --function-name {}",
            subject.names.function
        );
        let caller = match url.auth.as_str() {
            "NONE" => "everyone on the internet",
            _ => "every principal with the IAM right",
        };
        check
            .fails(
                format!("the function has a URL, by which {caller} can try passwords"),
                "no URL",
                format!("{} (auth {})", url.url, url.auth),
                subject.of_function(subject.aws(with_qualifier(command, url.qualifier.as_deref()))),
            )
            .about(&url.url)
    });
    check.unless(urls.collect(), "the function has no URL")
}

pub(super) fn event_sources(check: &Check, subject: &Subject<'_>) -> Findings {
    let sources = subject
        .observed
        .event_sources
        .as_ref()?
        .iter()
        .map(|source| {
            check
                .fails(
                    "something else than Cognito invokes the function",
                    "no event source",
                    &source.source,
                    subject.of_function(subject.aws(format_args!(
                        "lambda delete-event-source-mapping --uuid {}",
                        source.uuid
                    ))),
                )
                .about(&source.source)
        });
    let message = "no queue or stream invokes the function";
    of_every_qualifier(check, subject, sources.collect(), message)
}

pub(super) fn aliases(check: &Check, subject: &Subject<'_>) -> Findings {
    let (aliases, versions) = (
        subject.observed.aliases.as_ref()?,
        subject.observed.versions.as_ref()?,
    );
    let Some(found) = subject.observed.live.as_ref()? else {
        return check.holds("there is no function");
    };
    // Other checks examine the function itself, unless the trigger calls an alias of it.
    let looked_at = subject.observed.trigger_qualifier().is_none();
    let astray = aliases.iter().flat_map(|alias| {
        let live = Some(alias.name.as_str()) == subject.observed.trigger_qualifier();
        let reached = alias.versions().filter_map(move |number| {
            if (number == LATEST && looked_at) || (live && *number == alias.version) {
                return None;
            }
            let different = match versions.iter().find(|version| version.number == *number) {
                Some(version) => version::differences(&version.runs, found),
                None => vec!["not one of the function's versions".to_owned()],
            };
            (!different.is_empty()).then(|| format!("version {number}: {}", different.join(", ")))
        });
        reached.map(|reached| {
            check.fails(
                format!(
                    "alias `{}` leads to code that jane-migrate did not deploy, or to other settings than the trigger's",
                    alias.name
                ),
                "the code and the settings that customers meet",
                reached,
                lead_back(subject, &alias.name),
            )
            .about(&alias.name)
        })
    });
    check.unless(astray.collect(), "no alias leads to other code or settings")
}

/// Deploy moves our alias. Another alias is moved to the version of ours.
fn lead_back(subject: &Subject<'_>, alias: &str) -> Fix {
    let live = match &subject.observed.alias {
        Ok(Some(live)) if alias != ALIAS => &live.version,
        _ => return subject.redeploy(),
    };
    subject.of_function(subject.aws(format_args!(
        "lambda update-alias --function-name {} --name {alias} --function-version '{live}' --routing-config AdditionalVersionWeights={{}}",
        subject.names.function
    )))
}
