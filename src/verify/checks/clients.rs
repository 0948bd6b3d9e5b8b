//! The app clients: whether their customers' passwords reach the pool, what strangers learn, and whether Jane knows them.

use super::{Line, Said, check, told, unless, wrong};
use crate::verify::jane::{Answer, Answers};
use crate::verify::{Check, Evidence};
use jane_migrate_core::finding::Finding;
use jane_migrate_core::finding::Severity::{Error, Warning};
use jane_migrate_core::suitability;

pub(super) const CHECKS: &[Check] = &[
    check(
        "client-password-auth",
        Error,
        "the app clients let passwords reach the pool",
        client_password_auth,
    ),
    check(
        "client-user-existence",
        Warning,
        "strangers are told the same of unknown users and wrong passwords",
        |evidence| {
            told(suitability::client_user_existence(
                &evidence.watched_clients()?,
            ))
        },
    ),
    check(
        "jane-knows-client",
        Error,
        "Jane knows the app clients, for this pool and Region",
        jane_knows_client,
    ),
];

fn client_password_auth<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let clients = evidence.watched_clients()?;
    if clients.is_empty() {
        return wrong(
            "the pool has no app client, so nobody can sign in",
            "an app client",
            "none",
            "create one, or name it as one of clients in [pool]",
        )
        .into();
    }
    let closed = clients
        .iter()
        .filter(|client| !client.allows_password_auth())
        .map(|client| {
            let flows: Vec<&str> = client.flows().collect();
            wrong(
                format!(
                    "app client {} ({}) lets no password reach the pool, so its users never migrate",
                    client.id(),
                    client.name()
                ),
                "USER_PASSWORD_AUTH or ADMIN_USER_PASSWORD_AUTH",
                match flows.is_empty() {
                    true => "the default flows".to_owned(),
                    false => flows.join(", "),
                },
                format!("{} --enable-password-auth", evidence.deploy()),
            )
            .of(client.id())
        });
    unless(
        closed.collect(),
        format!(
            "{} app client(s) let passwords reach the pool",
            clients.len()
        ),
    )
}

fn jane_knows_client<'e>(evidence: &'e Evidence<'_>) -> Said<'e> {
    let answers = match &evidence.jane {
        Answers::NotJane => return Ok(Vec::new()),
        Answers::CouldNotAsk(why) => return Ok(vec![Line::Unknown(why.clone(), None)]),
        Answers::Unread(error) => return Err(error.into()),
        Answers::Asked(answers) => answers,
    };
    let pool = &evidence.names.pool;
    let lines = answers.iter().map(|(client, answer)| {
        let fails = |message: String, expected: String, found: String| {
            Line::Fails(
                wrong(
                    message,
                    expected,
                    found,
                    "ask Jane's partner team to register the app client for this pool",
                )
                .of(client),
            )
        };
        match answer {
            Answer::Known { pool_id, region }
                if pool_id.as_deref().is_none_or(|id| id == pool.id.as_str())
                    && region.as_deref().is_none_or(|name| name == pool.region) =>
            {
                let message = format!("Jane knows app client {client}");
                Line::Told(Finding::holds("jane-knows-client", Error, message).about(client))
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
                let unknown = Finding::unchecked("jane-knows-client", Error, why);
                Line::Told(unknown.about(client))
            }
        }
    });
    Ok(lines.collect())
}
