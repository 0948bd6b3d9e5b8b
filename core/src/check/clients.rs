//! The app clients: whether their customers' passwords reach the pool, what attackers can learn, and whether Jane has
//! them.

use super::kind::{Check, Findings};
use super::subject::Subject;
use crate::finding::Finding;
use crate::jane::{Answer, Answers};

/// Callers cannot find out which users exist.
pub(super) fn client_user_existence(check: &Check, subject: &Subject<'_>) -> Findings {
    let clients = subject.watched_clients()?;
    let telling = clients
        .iter()
        .filter(|client| !client.prevents_user_existence_errors())
        .map(|client| {
            check.fails(format!(
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
            .about(client.id())
        });
    check.unless(
        telling.collect(),
        "the app clients do not reveal which users exist",
    )
}

pub(super) fn client_password_auth(check: &Check, subject: &Subject<'_>) -> Findings {
    if !subject.migrates() {
        return check.holds("migration has ended, and no client needs to let passwords in");
    }
    let clients = subject.watched_clients()?;
    if clients.is_empty() {
        let alone = subject.observed.clients_left_alone(subject.asked.clients)?;
        let (what, found) = match alone.is_empty() {
            true => ("the pool has no app client, so no user can sign in", "none"),
            false => (
                "no app client of the pool has users who sign in with a password",
                "machines' and federated clients alone",
            ),
        };
        let none = check.fails(
            what,
            "an app client",
            found,
            "create one, or name it as one of clients in [pool]",
        );
        // An app client can be created later; a deploy does not need one.
        return Finding {
            stops_deploy: false,
            ..none
        }
        .into();
    }
    let closed = clients
        .iter()
        .filter(|client| !client.allows_password_auth())
        .map(|client| {
            let flows: Vec<&str> = client.flows().collect();
            check.fails(
                format!(
                    "app client {} ({}) does not allow USER_PASSWORD_AUTH, so its users cannot migrate",
                    client.name(),
                    client.id()
                ),
                "USER_PASSWORD_AUTH or ADMIN_USER_PASSWORD_AUTH",
                match flows.is_empty() {
                    true => "the default flows".to_owned(),
                    false => flows.join(", "),
                },
                subject.deploy(),
            )
            .about(client.id())
        });
    check.unless(
        closed.collect(),
        format!(
            "{} app client(s) let passwords reach the pool",
            clients.len()
        ),
    )
}

pub(super) fn jane_knows_client(check: &Check, subject: &Subject<'_>) -> Findings {
    let answers = match &subject.observed.jane {
        Answers::NotAsked => return Ok(Vec::new()),
        Answers::CouldNotAsk(why) => {
            return Finding::unchecked(check.id, check.severity, why).into();
        }
        Answers::Unread(unread) => return Err(unread.as_ref().into()),
        Answers::Asked(answers) => answers,
    };
    let pool = &subject.names.pool;
    let clients = subject.observed.clients.as_deref().unwrap_or_default();
    let has_users = |id: &str| {
        let client = clients.iter().find(|client| client.id() == id);
        client.is_none_or(|client| client.without_users().is_none())
    };
    let answers = answers.iter().filter(|(client, _)| has_users(client));
    let findings = answers.map(|(client, answer)| {
        let fails = |message: String, expected: String, found: String| {
            check
                .fails(
                    message,
                    expected,
                    found,
                    "ask Jane's partner team to register the app client for this pool",
                )
                .about(client)
        };
        match answer {
            Answer::Known { pool_id, region }
                if pool_id.as_deref().is_none_or(|id| id == pool.id.as_str())
                    && region.as_deref().is_none_or(|name| name == pool.region) =>
            {
                let message = format!("Jane knows app client {client}");
                check.holding(message).about(client)
            }
            Answer::Known { pool_id, region } => fails(
                format!("Jane knows app client {client} for another pool"),
                format!("{} in {}", pool.id, pool.region),
                format!(
                    "{} in {}",
                    pool_id.as_deref().unwrap_or("no pool"),
                    region.as_deref().unwrap_or("no Region")
                ),
            ),
            Answer::Unknown => fails(
                format!(
                    "Jane does not know app client {client}, so no account is migrated through it"
                ),
                "registered".into(),
                "not registered".into(),
            ),
            Answer::NoAnswer(why) => {
                Finding::unchecked(check.id, check.severity, why).about(client)
            }
        }
    });
    Ok(findings.collect())
}
