//! One invocation after the other: settings, directory, decision, record.

use std::{
    env,
    hint::black_box,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jane_migrate_config::{HandlerSettings, SETTINGS_VARIABLE};
use ring::{hmac, rand::SystemRandom};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    breaker::Breaker,
    budget::{Budget, Unavailable, lambda_deadline},
    decide::{Decision, decide},
    directory::{Directory, SERVES, Verdict},
    event::Event,
    outcome::{Outcome, Record, Refusal, Trigger, user_hash, write_line},
    secrets::Secrets,
};

/// How long init may wait for the directory. Cognito's five seconds have begun by then; what is not ready is done by the
/// first sign-in.
const WARM: Duration = Duration::from_millis(1200);

/// What Cognito waits for a cold start and the first answer together, less a reserve for what goes before this process.
const COLD: Duration = Duration::from_millis(4500);

/// What an invocation brings. JSON that cannot be read is an invalid event like any other, so it never fails here, where
/// the runtime would answer with a text of its own.
pub struct Payload(Option<Value>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer).ok()))
    }
}

/// The function.
pub struct Handler {
    ready: Option<Ready>,
    invoked: AtomicBool,
    started: Instant,
    init: OnceLock<Duration>,
}

struct Ready {
    settings: HandlerSettings,
    directory: Directory,
    breaker: Breaker,
    secrets: Arc<Secrets>,
    random_key: hmac::Key,
}

impl Handler {
    /// The function as its environment describes it. An environment that cannot be read shows in every answer.
    pub fn from_environment() -> Self {
        let settings = env::var(SETTINGS_VARIABLE)
            .ok()
            .and_then(|json| HandlerSettings::from_json(&json).ok());
        Self {
            ready: settings.and_then(Ready::new),
            invoked: AtomicBool::new(false),
            started: Instant::now(),
            init: OnceLock::new(),
        }
    }

    /// Gets ready for the first sign-in, for as long as that may take; a directory that is down is met again then.
    pub async fn warm(self: Arc<Self>) {
        let this = Arc::clone(&self);
        let warm = async move {
            if let Some(ready) = &this.ready {
                let budget = Budget::new(WARM);
                let _ = budget.within(ready.directory.warm(&budget)).await;
            }
        };
        // In a task of its own, so that a panic does not end the function before it was asked anything.
        let _ = tokio::spawn(warm).await;
        let _ = self.init.set(self.started.elapsed());
    }

    /// Answers one invocation.
    pub async fn answer(
        self: Arc<Self>,
        payload: Payload,
        deadline_ms: u64,
    ) -> Result<Value, Refusal> {
        let this = Arc::clone(&self);
        let work = async move { this.handle(payload, deadline_ms).await };
        let pool = self.ready.as_ref().map(|ready| &*ready.settings.pool);
        contained(work, pool.unwrap_or_default()).await
    }

    async fn handle(&self, payload: Payload, deadline_ms: u64) -> Result<Value, Refusal> {
        let cold = !self.invoked.swap(true, Ordering::Relaxed);
        let init = self.init.get().copied().filter(|_| cold);
        let Some(ready) = &self.ready else {
            Record {
                cold,
                init,
                // Settings for another kind of directory are a way to get here.
                reason: black_box(SERVES).first().copied(),
                ..Record::new(Outcome::Refused(Refusal::InvalidSettings))
            }
            .write();
            return Err(Refusal::InvalidSettings);
        };
        let mut limit = timeout(&ready.settings);
        if cold {
            limit = limit.min(cold_limit(self.init.get().copied()));
        }
        let budget = Budget::until(limit, lambda_deadline(deadline_ms));
        let event = match Event::read(payload.0.unwrap_or_default(), &ready.settings) {
            Ok(event) => event,
            Err(refusal) => {
                let pool = &ready.settings.pool;
                Record {
                    cold,
                    init,
                    pool,
                    took: budget.spent(),
                    ..Record::new(Outcome::Refused(refusal))
                }
                .write();
                return Err(refusal);
            }
        };
        let (decision, reason) = match ready.decide(&event, &budget).await {
            Ok(decision) => (decision, None),
            Err(Unavailable(reason)) => (
                Decision::untouched(Outcome::Refused(Refusal::DirectoryUnavailable)),
                Some(reason),
            ),
        };
        Record {
            outcome: decision.outcome,
            pool: &ready.settings.pool,
            trigger: Some(event.trigger()),
            client_id: Some(event.client_id()),
            user: Some(user_hash(&ready.user_key(), event.name())),
            took: budget.spent(),
            calls: &budget.calls(),
            cold,
            init,
            trial: event.is_trial(),
            reason,
            missing: &decision.missing,
        }
        .write();
        match decision.outcome {
            Outcome::Refused(refusal) => Err(refusal),
            _ => Ok(event.answer(decision.response)),
        }
    }
}

impl Ready {
    fn new(settings: HandlerSettings) -> Option<Self> {
        let secrets = Arc::new(Secrets::from_environment());
        let directory = Directory::new(&settings.directory, Arc::clone(&secrets)).ok()?;
        let random_key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self {
            breaker: Breaker::new(timeout(&settings)),
            settings,
            directory,
            secrets,
            random_key,
        })
    }

    async fn decide(&self, event: &Event, budget: &Budget) -> Result<Decision, Unavailable> {
        if self
            .settings
            .window_closes
            .is_some_and(|last| today() > last.epoch_days())
        {
            return Ok(Decision::untouched(Outcome::WindowClosed));
        }
        if event.name().is_empty() {
            return Ok(Decision::untouched(Outcome::NotFound));
        }
        self.breaker.allow(SystemTime::now())?;
        let verdict = self.ask(event, budget).await;
        self.breaker
            .note(&verdict, budget.spent(), SystemTime::now());
        Ok(decide(&self.settings, event, verdict?))
    }

    async fn ask(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        match (event.trigger(), event.password()) {
            (Trigger::ForgotPassword, _) => self.directory.lookup(event, budget).await,
            (Trigger::Authentication, Some(password)) if !password.expose_secret().is_empty() => {
                self.directory.authenticate(event, password, budget).await
            }
            // Some directories take a sign-in without a password for an anonymous one, and grant it.
            (Trigger::Authentication, _) => Ok(Verdict::WrongPassword),
        }
    }

    /// The key of user names in the log: made from a secret of the directory, so that all instances of the function have
    /// the same; where there is none, each has its own.
    fn user_key(&self) -> hmac::Key {
        let secrets = self.settings.directory.secrets();
        let secret = secrets
            .first()
            .and_then(|(_, secret)| self.secrets.known(secret));
        secret.map_or_else(
            || self.random_key.clone(),
            |secret| {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
                let purpose = format!("user names in the log of {}", self.settings.pool);
                hmac::Key::new(
                    hmac::HMAC_SHA256,
                    hmac::sign(&key, purpose.as_bytes()).as_ref(),
                )
            },
        )
    }
}

/// How long one sign-in may wait for the directory.
fn timeout(settings: &HandlerSettings) -> Duration {
    Duration::from_millis(settings.directory.timeout_ms())
}

/// How long the first sign-in may take, after this much of init. Nobody waits while the function lies idle in between, as
/// one does that was started ahead of time.
fn cold_limit(init: Option<Duration>) -> Duration {
    COLD.saturating_sub(init.unwrap_or_default())
}

/// Does the work in a task of its own, so that a panic ends in a constant text instead of the panic's message, and the
/// function goes on.
async fn contained<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    pool: &str,
) -> Result<T, Refusal> {
    let started = Instant::now();
    tokio::spawn(work).await.unwrap_or_else(|_| {
        let refusal = Refusal::DirectoryUnavailable;
        Record {
            pool,
            took: started.elapsed(),
            reason: Some("panic"),
            ..Record::new(Outcome::Refused(refusal))
        }
        .write();
        Err(refusal)
    })
}

/// Lets panics say where they were and nothing else: their messages may quote what was being worked on.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()));
        write_line(&json!({ "level": "ERROR", "message": "panic", "place": place }));
    }));
}

/// The day it is, in UTC, as [`jane_migrate_config::Date::epoch_days`] counts.
fn today() -> i64 {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    i64::try_from(seconds / 86_400).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_init_is_taken_from_what_the_first_sign_in_may_take() {
        assert_eq!(cold_limit(Some(WARM)), COLD - WARM);
        assert_eq!(cold_limit(None), COLD);
    }

    /// Panics print to the process, so the test is run once more as a process of its own.
    #[test]
    fn a_panic_ends_in_a_constant_text_and_says_nothing_of_the_sign_in() {
        const INSIDE: &str = "JANE_MIGRATE_TEST_INSIDE";
        if env::var_os(INSIDE).is_some() {
            silence_panics();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let first = runtime.block_on(contained::<()>(
                async { panic!("canary-password") },
                "us-east-1_AbC123456",
            ));
            assert_eq!(first, Err(Refusal::DirectoryUnavailable));
            let next = runtime.block_on(contained(async { Ok("answered") }, ""));
            assert_eq!(next, Ok("answered"));
            return;
        }
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("handler::tests::a_panic_ends_in_a_constant_text_and_says_nothing_of_the_sign_in")
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let written = [output.stdout, output.stderr].concat();
        let written = String::from_utf8(written).unwrap();
        assert!(output.status.success(), "{written}");
        assert!(!written.contains("canary"), "{written}");
        let lines: Vec<Value> = written
            .lines()
            .filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok())
            .collect();
        assert_eq!(lines.len(), 2, "{written}");
        assert_eq!(lines[0]["message"], "panic");
        let expected = ("directory-unavailable", "panic", "us-east-1_AbC123456");
        let member = |name: &str| lines[1][name].as_str().unwrap_or_default();
        assert_eq!(
            (member("outcome"), member("reason"), member("userPoolId")),
            expected
        );
    }
}
