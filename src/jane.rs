//! Asks Jane whether it knows the pool's app clients: the one check that needs the directory itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jane_migrate_config::{Config, Directory, Secret};
use jane_migrate_handler::{Budget, Jane, Secrets};

use crate::aws::Reader;
use crate::environment;
use jane_migrate_core::jane::{Answer, Answers};
use jane_migrate_core::resources::Environment;

/// How long Jane may take for all of the clients.
const PATIENCE: Duration = Duration::from_secs(15);

/// Clients asked about at once.
const AT_ONCE: usize = 4;

/// Asks about each client with the configured credentials. The secret is read where the configuration says it is; one that
/// lives in an environment variable is the function's where this machine does not have it.
pub async fn ask(
    aws: &Reader,
    config: &Config,
    region: &str,
    deployed: Option<&Environment>,
    clients: impl IntoIterator<Item = String>,
) -> Answers {
    let Directory::Jane(settings) = &config.directory else {
        return Answers::NotAsked;
    };
    let secret = &settings.client_secret;
    let kept = match aws.secret_value(secret, region).await {
        Ok(kept) => kept,
        Err(error) => return Answers::Unread(Box::new(error.into())),
    };
    let of_environment = || {
        let Secret::Env(name) = secret else {
            return None;
        };
        let here = environment::var(name);
        let there = || Some(deployed?.get(name)?.expose().to_owned());
        here.or_else(there).map(Into::into)
    };
    let Some(value) = kept.or_else(of_environment) else {
        return Answers::CouldNotAsk(format!(
            "Jane was not asked about the app clients: {secret} is not set"
        ));
    };
    let secrets = Secrets::new(None, region.to_owned()).with(secret.clone(), value);
    let Ok(jane) = Jane::new(settings, Arc::new(secrets)) else {
        return Answers::CouldNotAsk("Jane was not asked: directory.url cannot be used".into());
    };
    let budget = Budget::new(PATIENCE);
    // One token serves them all. A refusal shows in each of the answers.
    let _ = jane.warm(&budget).await;
    let answers = stream::iter(clients)
        .map(async |client| {
            let answer = match jane.app_client(&client, &budget).await {
                Ok(Some(known)) => Answer::Known {
                    pool_id: known.pool_id,
                    region: known.region,
                },
                Ok(None) => Answer::Unknown,
                Err(unavailable) => Answer::NoAnswer(format!(
                    "Jane gave no answer about app client {client}: {unavailable}"
                )),
            };
            (client, answer)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Answers::Asked(answers)
}
