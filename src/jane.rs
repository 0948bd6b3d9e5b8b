//! Access to Jane from this machine, and whether Jane knows the pool's app clients: the only check that needs the directory
//! itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jane_migrate_config::{Config, Directory, Secret};
use jane_migrate_handler::{Budget, Jane, Secrets};

use crate::aws::{AwsError, Reader};
use crate::environment;
use jane_migrate_core::jane::{Answer, Answers};
use jane_migrate_core::resources::Environment;

/// The time limit for all clients together.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many clients are checked in parallel.
const AT_ONCE: usize = 4;

/// Why Jane cannot be used.
#[derive(Debug)]
pub enum NotOpen {
    /// The secret was not read.
    Unread(AwsError),
    /// Another reason, as text.
    Because(String),
}

/// Jane with the configured credentials. The secret is read from its configured place; if it is in an environment variable that
/// this machine does not have, the function's variable is used.
pub async fn open(
    aws: &Reader,
    config: &Config,
    region: &str,
    deployed: Option<&Environment>,
) -> Result<Jane, NotOpen> {
    let Directory::Jane(settings) = &config.directory else {
        let kind = config.directory.kind();
        return Err(NotOpen::Because(format!(
            "the directory is of kind `{kind}`"
        )));
    };
    let secret = &settings.client_secret;
    let kept = aws
        .secret_value(secret, region)
        .await
        .map_err(NotOpen::Unread)?;
    let of_environment = || {
        let Secret::Env(name) = secret else {
            return None;
        };
        let here = environment::var(name);
        let there = || Some(deployed?.get(name)?.expose().to_owned());
        here.or_else(there).map(Into::into)
    };
    let Some(value) = kept.or_else(of_environment) else {
        return Err(NotOpen::Because(format!("{secret} is not set")));
    };
    let secrets = Secrets::new(None, region.to_owned()).with(secret.clone(), value);
    Jane::new(settings, Arc::new(secrets))
        .map_err(|_| NotOpen::Because("directory.url cannot be used".into()))
}

/// Checks each client with the configured credentials.
pub async fn ask(
    aws: &Reader,
    config: &Config,
    region: &str,
    deployed: Option<&Environment>,
    clients: impl IntoIterator<Item = String>,
) -> Answers {
    if !matches!(config.directory, Directory::Jane(_)) {
        return Answers::NotAsked;
    }
    let jane = match open(aws, config, region, deployed).await {
        Ok(jane) => jane,
        Err(NotOpen::Unread(error)) => return Answers::Unread(Box::new(error.into())),
        Err(NotOpen::Because(why)) => {
            return Answers::CouldNotAsk(format!(
                "Jane was not asked about the app clients: {why}"
            ));
        }
    };
    let budget = Budget::new(PATIENCE);
    // One token serves all requests. If it is refused, each response shows that.
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
