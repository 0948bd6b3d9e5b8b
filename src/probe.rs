//! Tries the deployed function, as Cognito would call it. What an answer must look like is the core's to say.

use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::{ALIAS, Names, PoolId, log_group_name};
use jane_migrate_core::observed::Observed;
use jane_migrate_core::probe::{
    self, Answer, Attempt, Judge, Probes, Source, migrated, unmigrated,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::aws::{AwsError, Invoker, Reader};
use crate::error::{Context, Error, Result};

/// Invokes the function with the event, and judges its answer.
pub(crate) async fn ask(invoker: &Invoker, function: &str, event: &Value) -> Result<()> {
    let answer = invoker
        .invoke(function, event)
        .await
        .with_context(|| format!("failed to invoke function `{function}`"))?;
    unmigrated(event, &answer).map_err(|why| {
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
        causes.fold(first, Error::context).context(format!(
            "function `{function}` does not answer as it should"
        ))
    })
}

/// The name by which what customers meet is invoked: the alias, where there is one.
pub(crate) fn live(observed: &Observed) -> String {
    let function = &observed.names.function;
    match &observed.alias {
        Ok(None) => function.clone(),
        _ => format!("{function}:{ALIAS}"),
    }
}

/// What it means that a function fails which customers reach.
pub fn outage(error: Error, pool: &PoolId) -> Error {
    let hint = fix![
        "fix the cause and deploy again, or go back to the configuration or version that worked; `",
        Fix::ours("teardown", pool, " --force"),
        "` detaches the trigger",
    ];
    error.hint(hint).context(format!(
        "the trigger of user pool `{pool}` calls this function: customers who have not come over cannot sign in now"
    ))
}

/// A user of the directory who may be asked about.
#[derive(Debug)]
pub struct TestUser {
    /// The name as typed at sign-in.
    pub name: String,
    /// The password.
    pub password: SecretString,
}

/// Tries the function as an app client's users would reach it. `nonce` makes the users new ones.
pub async fn probe(
    aws: &Reader,
    names: &Names,
    qualifier: Option<&str>,
    client: &str,
    test_user: Option<&TestUser>,
    nonce: &str,
) -> Probes {
    let invoker = Invoker::new(aws);
    let function = match qualifier {
        Some(qualifier) => format!("{}:{qualifier}", names.function),
        None => names.function.clone(),
    };
    let event = |source: Source, round: u8| {
        let kind = match source {
            Source::SignIn => 's',
            Source::ForgotPassword => 'f',
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

    // Side by side first, so that Lambda starts what it has not started yet; then again, warm.
    let mut unknown = Vec::new();
    let mut probed = Vec::new();
    for round in [1, 2] {
        let events = [
            event(Source::SignIn, round),
            event(Source::ForgotPassword, round),
        ];
        let (sign_in, forgotten) = tokio::join!(
            attempt(&invoker, &function, Source::SignIn, &events[0], unmigrated),
            attempt(
                &invoker,
                &function,
                Source::ForgotPassword,
                &events[1],
                unmigrated
            ),
        );
        unknown.extend([sign_in, forgotten]);
        let name = |event: &Value| event["userName"].as_str().unwrap_or_default().to_owned();
        probed.extend(events.iter().map(name));
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
