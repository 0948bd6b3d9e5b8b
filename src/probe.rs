//! Invokes the deployed function as Cognito would. The core decides what a correct response is.

use futures_util::future::{join_all, try_join_all};
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::{Names, PoolId, log_group_name};
use jane_migrate_core::observed::Observed;
use jane_migrate_core::probe::{self, Answer, Attempt, Judge, Probes, Source, migrated};
use jane_migrate_core::trigger::Trigger;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::aws::{AwsError, Invoker, Reader};
use crate::error::{Context, Error, Result};

/// Invokes the function with these events in parallel, and checks its responses.
pub(crate) async fn ask(
    invoker: &Invoker,
    function: &str,
    events: &[(Source, Value)],
) -> Result<()> {
    let asked = events
        .iter()
        .map(|(source, event)| ask_one(invoker, function, *source, event));
    try_join_all(asked).await.map(drop)
}

async fn ask_one(invoker: &Invoker, function: &str, source: Source, event: &Value) -> Result<()> {
    let answer = invoker
        .invoke(function, event)
        .await
        .with_context(|| format!("failed to invoke function `{function}`"))?;
    source.judge()(event, &answer).map_err(|why| {
        let log = fix![
            "fix what the function reports; its log says more: `",
            Fix::aws(format!(
                "logs tail {} --since 10m",
                log_group_name(function.split(':').next().unwrap_or(function))
            )),
            "`",
        ];
        let mut causes = why.into_iter().rev();
        let first = Error::new(causes.next().unwrap_or_default(), log);
        let to = match source {
            Source::SignIn => String::new(),
            other => format!(" to {}", other.label()),
        };
        causes.fold(first, Error::context).context(format!(
            "function `{function}` does not answer{to} as it should"
        ))
    })
}

/// The name to invoke what customers use: the alias, if there is one.
pub(crate) fn live(observed: &Observed) -> String {
    let function = &observed.names.function;
    match &observed.alias {
        Ok(None) if !observed.names.given_function => function.clone(),
        _ => observed.names.live_name(),
    }
}

/// The error if a function fails that customers use.
pub fn outage(error: Error, pool: &PoolId) -> Error {
    let hint = fix![
        "fix the cause and deploy again, or go back to the configuration or version that worked; `",
        Fix::ours("teardown", pool, " --force"),
        "` detaches the trigger",
    ];
    error.hint(hint).context(format!(
        "the trigger of user pool `{pool}` calls this function: customers who have not migrated cannot sign in now"
    ))
}

/// A user of the directory for testing.
#[derive(Debug)]
pub struct TestUser {
    /// The name as typed at sign-in.
    pub name: String,
    /// The password.
    pub password: SecretString,
}

/// What is probed, and with which users.
#[derive(Debug)]
pub struct Probing<'a> {
    /// The alias or version; `None`: the function itself.
    pub qualifier: Option<&'a str>,
    /// The app client.
    pub client: &'a str,
    /// A user of the directory to test as well.
    pub test_user: Option<&'a TestUser>,
    /// The triggers that are on.
    pub triggers: &'a [Trigger],
}

/// Probes the function like an app client's users. `nonce` makes the user names unique.
pub async fn probe(aws: &Reader, names: &Names, probing: &Probing<'_>, nonce: &str) -> Probes {
    let Probing {
        qualifier,
        client,
        test_user,
        triggers,
    } = *probing;
    let invoker = Invoker::new(aws);
    let function = match qualifier {
        Some(qualifier) => format!("{}:{qualifier}", names.function),
        None => names.function.clone(),
    };
    let event = |source: Source, round: u8| {
        let kind = match source {
            Source::SignIn => 's',
            Source::ForgotPassword => 'f',
            Source::SignUp => 'u',
            Source::NewPassword => 'c',
        };
        probe::event(
            &names.pool,
            client,
            source,
            &format!("{nonce}{kind}{round}"),
        )
    };
    let status = async |name: &str| {
        let user = aws.user(&names.pool.id, name).await?;
        Ok::<_, AwsError>(user.map(|(status, _)| status))
    };
    let before = match test_user {
        Some(user) => status(&user.name).await,
        None => Ok(None),
    };

    // First in parallel, so that Lambda starts all that it has not started yet; then again, warm.
    let mut unknown = Vec::new();
    let mut probed = Vec::new();
    for round in [1, 2] {
        let others = triggers
            .iter()
            .filter(|trigger| **trigger != Trigger::UserMigration);
        let sources = [Source::SignIn, Source::ForgotPassword].into_iter();
        let sources = sources.chain(others.map(|trigger| Source::of(*trigger)));
        let events: Vec<(Source, Value)> = sources
            .map(|source| (source, event(source, round)))
            .collect();
        let attempts = events
            .iter()
            .map(|(source, event)| attempt(&invoker, &function, *source, event, source.judge()));
        unknown.extend(join_all(attempts).await);
        let name = |event: &Value| event["userName"].as_str().unwrap_or_default().to_owned();
        probed.extend(events.iter().map(|(_, event)| name(event)));
    }
    let known = match test_user {
        Some(user) => {
            let password = user.password.expose_secret();
            let event = probe::event_for(&names.pool, client, &user.name, Some(password));
            Some(attempt(&invoker, &function, Source::SignIn, &event, migrated).await)
        }
        None => None,
    };

    let migrated = async {
        let mut migrated = Vec::new();
        for name in probed {
            if status(&name).await?.is_some() {
                migrated.push(name);
            }
        }
        if let Some(user) = test_user
            && before? != status(&user.name).await?
        {
            migrated.push(user.name.clone());
        }
        Ok(migrated)
    };
    Probes {
        unknown,
        known,
        migrated: migrated.await,
    }
}

async fn attempt(
    invoker: &Invoker,
    function: &str,
    source: Source,
    event: &Value,
    judge: Judge,
) -> Attempt {
    let answer = invoker.invoke(function, event).await;
    Attempt {
        source,
        answer: answer.map(|invocation| Answer::new(event, &invocation, judge)),
    }
}
