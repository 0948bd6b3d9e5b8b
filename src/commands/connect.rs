//! `connect`: notifies Jane of the users that the pool already has, each by its Cognito user name. Changes nothing in AWS, and
//! without `--yes` nothing at all. Jane accepts the same user twice, so after an interruption a run can continue at the page that
//! was printed, or start again.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jane_migrate_handler::{Budget, Jane};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::many::{Ending, Endings, each};
use super::session::Operator;
use crate::aws::{Connections, Pages, PoolUser};
use crate::cli::{Connect, Global};
use crate::error::{Error, Result};
use crate::jane::{self, NotOpen};
use crate::settings::{self, Target};
use crate::ui::Ui;
use crate::ui::error::told;
use crate::ui::numbers::thousands;

/// How many users Jane is notified of in parallel.
const AT_ONCE: usize = 4;

/// The timeout for one user.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many attempts Jane gets for a user before the user counts as failed.
const TRIES: u32 = 3;

/// This many failed users in a row are an outage.
const OUTAGE: usize = 5;

/// The result for the users of a pool.
#[derive(Debug, Default, Serialize)]
struct Document {
    pool: String,
    /// The users were only counted.
    dry_run: bool,
    /// How many were examined.
    users: u64,
    /// How many Jane was notified of, or would be.
    connected: u64,
    /// Left out: the sign-up was never confirmed.
    unconfirmed: u64,
    /// Left out: there is no email, or it is not verified.
    without_email: u64,
    /// The Cognito user names of the users whose notification failed.
    failed: Vec<String>,
    /// The page to continue from, if the run did not reach the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<serde_json::Value>,
}

/// What happens with a user.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// Jane is notified.
    Tell,
    /// The sign-up was never confirmed.
    Unconfirmed,
    /// Jane identifies users by email, so an unverified address must not give access to its account.
    WithoutEmail,
}

fn choose(user: &PoolUser) -> Choice {
    let attribute = |name: &str| user.attributes.get(name).and_then(|value| value.as_str());
    match (attribute("email"), attribute("email_verified")) {
        _ if user.status == "UNCONFIRMED" => Choice::Unconfirmed,
        (Some(email), Some("true")) if !email.is_empty() => Choice::Tell,
        _ => Choice::WithoutEmail,
    }
}

pub(super) async fn run(global: &Global, args: &Connect, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    let several = targets.len() > 1;
    if several && args.from.is_some() {
        return Err(Error::new(
            "--from is a page of one pool, and there are several",
            "name the pool with --pool",
        ));
    }
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let operator = Operator::listen(several, ui)?;
    let connections = Connections::default();
    let walked = each(targets, async |target| {
        let pool = target.pool.clone();
        let walk = Walk::begin(&target, args, &connections, &operator, ui).await;
        let walked = match walk {
            Ok(walk) => Ok(walk.all().await),
            Err(error) => Err(error),
        };
        (pool, target, walked)
    })
    .await;
    for (pool, target, walked) in walked {
        let (document, stopped) = match walked {
            Ok(walked) => walked,
            Err(error) => {
                endings.broke_off(pool, error)?;
                continue;
            }
        };
        ui.say(&sentence(&document));
        let failed = stopped.is_some() || !document.failed.is_empty();
        if let Some(error) = stopped {
            ui.error(&error);
        }
        let command = |args: &str| target.given.ours(args, pool.as_str());
        if let Some(page) = &document.next {
            ui.note(&format!(
                "`{}` continues from there. Cognito keeps a page for a limited time: without --from it starts again.",
                command(&args.again(Some(page)))
            ));
        } else if document.dry_run && document.connected > 0 {
            let connect = Connect {
                yes: true,
                ..args.clone()
            };
            ui.remark(&format!("`{}` tells Jane.", command(&connect.again(None))));
        }
        let ending = match (failed, document.next.is_some()) {
            (true, _) => Ending::Failed,
            (false, true) => Ending::Interrupted,
            (false, false) if document.dry_run => Ending::Nothing,
            (false, false) => Ending::Done,
        };
        endings.ended(pool, &document, ending)?;
    }
    endings.finish()
}

fn sentence(document: &Document) -> String {
    let Document {
        pool,
        dry_run,
        users,
        connected,
        unconfirmed,
        without_email,
        failed,
        ..
    } = document;
    let told = match dry_run {
        true => "Jane would be notified of",
        false => "Jane was notified of",
    };
    let mut text = format!(
        "{told} {} of {} user(s) of pool {pool}.",
        thousands(*connected),
        thousands(*users)
    );
    for (n, what) in [
        (*unconfirmed, "whose sign-up is not confirmed"),
        (*without_email, "without a verified email"),
    ] {
        if n > 0 {
            text.push_str(&format!(" Left out: {} {what}.", thousands(n)));
        }
    }
    if !failed.is_empty() {
        let n = failed.len() as u64;
        text.push_str(&format!(
            " Jane did not take {} of them; --json names them.",
            thousands(n)
        ));
    }
    text
}

/// A pass over the users of a pool.
struct Walk<'a> {
    target: &'a Target,
    args: &'a Connect,
    aws: crate::aws::Reader,
    /// `None` for a dry run.
    jane: Option<Jane>,
    pace: Mutex<Interval>,
    operator: &'a Operator,
    ui: &'a Ui,
}

impl<'a> Walk<'a> {
    async fn begin(
        target: &'a Target,
        args: &'a Connect,
        connections: &Connections,
        operator: &'a Operator,
        ui: &'a Ui,
    ) -> Result<Self> {
        let aws = connections.get(&target.connection).await;
        let config = target.required()?;
        let jane = jane::open(&aws, config, &target.connection.region, None).await;
        let jane = jane.map_err(|error| match error {
            NotOpen::Unread(error) => Error::from(error).context("failed to read Jane's client secret"),
            NotOpen::Because(why) => Error::new(
                format!("Jane cannot be notified: {why}"),
                "`connect` needs `kind = \"jane\"` under [directory], and the client secret on this machine where it is { env = NAME }",
            ),
        })?;
        if args.yes {
            let reached = jane.warm(&Budget::new(PATIENCE)).await;
            reached.map_err(|why| {
                let error = Error::new(
                    format!("Jane gives no token: {why}"),
                    "look at url, client_id and client_secret under [directory], and whether this machine reaches Jane",
                );
                error.context("Jane was notified of no user")
            })?;
        }
        let mut pace = interval(Duration::from_secs(1) / args.per_second.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            target,
            args,
            aws,
            jane: args.yes.then_some(jane),
            pace: Mutex::new(pace),
            operator,
            ui,
        })
    }

    /// Reads all pages, or returns the error that stopped it.
    async fn all(self) -> (Document, Option<Error>) {
        let pool = &self.target.pool;
        let mut document = Document {
            pool: pool.to_string(),
            dry_run: self.jane.is_none(),
            next: self.args.from.clone(),
            ..Document::default()
        };
        let task = self.ui.task(format!("users of pool {pool}"));
        let mut in_a_row = 0;
        let mut pages = Pages::of_users();
        loop {
            let page = self.aws.users(pool, &mut pages, document.next.clone());
            let page = page.await;
            let (users, next) = match page {
                Ok(page) => page,
                Err(error) => {
                    let error = Error::from(error).context("failed to list the pool's users");
                    return (stopped(document, &error, self.ui), Some(error));
                }
            };
            let told = self.tell(users, &mut document).await;
            for (name, done) in told {
                match done {
                    true => {
                        document.connected += 1;
                        in_a_row = 0;
                    }
                    false => {
                        document.failed.push(name);
                        in_a_row += 1;
                    }
                }
            }
            if in_a_row >= OUTAGE {
                let error = Error::new(
                    format!("Jane gave no usable answer for {in_a_row} users one after the other"),
                    "run it again once Jane answers: Jane takes the same user twice",
                );
                return (stopped(document, &error, self.ui), Some(error));
            }
            document.next = next;
            task.doing(&format!("({} so far)", thousands(document.users)));
            if document.next.is_none() || self.operator.stops() {
                break;
            }
        }
        task.clear();
        (document, None)
    }

    /// Notifies Jane of a page of users; returns the users that Jane was to be notified of, and whether that worked.
    async fn tell(&self, users: Vec<PoolUser>, document: &mut Document) -> Vec<(String, bool)> {
        document.users += users.len() as u64;
        let chosen: Vec<PoolUser> = users
            .into_iter()
            .filter(|user| match choose(user) {
                Choice::Tell => true,
                Choice::Unconfirmed => {
                    document.unconfirmed += 1;
                    false
                }
                Choice::WithoutEmail => {
                    document.without_email += 1;
                    false
                }
            })
            .collect();
        stream::iter(chosen)
            .map(async |user| {
                let done = match &self.jane {
                    Some(jane) => self.connect(jane, &user).await,
                    None => true,
                };
                (user.name, done)
            })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn connect(&self, jane: &Jane, user: &PoolUser) -> bool {
        let pool = self.target.pool.as_str();
        for tries in 1..=TRIES {
            self.pace.lock().await.tick().await;
            let budget = Budget::new(PATIENCE);
            let told = jane.connect(pool, &user.name, &user.attributes, &budget);
            if told.await.is_ok() {
                return true;
            }
            if tries < TRIES {
                tokio::time::sleep(Duration::from_millis(500) * tries).await;
            }
        }
        false
    }
}

fn stopped(mut document: Document, error: &Error, ui: &Ui) -> Document {
    document.error = serde_json::to_value(told(error, &ui.given)).ok();
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn jane_is_notified_only_of_users_with_a_verified_address() {
        let user = |status: &str, attributes: serde_json::Value| PoolUser {
            name: "5a3f".into(),
            status: status.into(),
            attributes: attributes.as_object().cloned().unwrap_or_default(),
        };
        let verified = json!({ "email": "ann@example.com", "email_verified": "true" });
        for status in [
            "CONFIRMED",
            "RESET_REQUIRED",
            "FORCE_CHANGE_PASSWORD",
            "EXTERNAL_PROVIDER",
        ] {
            assert_eq!(
                choose(&user(status, verified.clone())),
                Choice::Tell,
                "{status}"
            );
        }
        assert_eq!(choose(&user("UNCONFIRMED", verified)), Choice::Unconfirmed);
        for attributes in [
            json!({}),
            json!({ "email": "ann@example.com" }),
            json!({ "email": "ann@example.com", "email_verified": "false" }),
            json!({ "email": "", "email_verified": "true" }),
        ] {
            assert_eq!(choose(&user("CONFIRMED", attributes)), Choice::WithoutEmail);
        }
    }
}
