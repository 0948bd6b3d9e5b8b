//! Handles invocations: settings, directory, decision, log line.

use std::{
    env,
    hint::black_box,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jane_migrate_config::{
    Connect, ForgotPassword, HandlerSettings, SAMPLE, SETTINGS_VARIABLE, TRIAL,
};
use ring::{hmac, rand::SystemRandom};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    brake::{Brake, is_guess},
    breaker::Breaker,
    budget::{Budget, Unavailable, lambda_deadline},
    decide::{Decision, decide},
    directory::{Directory, SERVES, Verdict},
    event::Event,
    on_migrated::OnMigrated,
    outcome::{Outcome, Record, Refusal, Thrown, Trigger, user_hash, write_line},
    pace::Pace,
    secrets::Secrets,
    share,
};

/// How long init may wait for the directory. Cognito's five seconds have started by then; the first sign-in does the rest.
const WARM: Duration = Duration::from_millis(1200);

/// How long Cognito waits for a cold start and the first response together, minus a reserve for the time before this process.
const COLD: Duration = Duration::from_millis(4500);

/// The payload of an invocation. JSON that cannot be read is an invalid event like any other. It must not fail while it is
/// deserialized, because the runtime would then return its own error text.
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
    brake: Brake,
    pace: Pace,
    on_migrated: Option<OnMigrated>,
    secrets: Arc<Secrets>,
    random_key: hmac::Key,
}

impl Handler {
    /// The function with the settings of its environment. If these are invalid, every response is that error.
    pub fn from_environment() -> Self {
        let settings = env::var(SETTINGS_VARIABLE)
            .ok()
            .and_then(|json| HandlerSettings::from_json(&json).ok());
        let ready = settings.and_then(|settings| Ready::new(settings, Secrets::from_environment()));
        Self::new(ready)
    }

    fn new(ready: Option<Ready>) -> Self {
        Self {
            ready,
            invoked: AtomicBool::new(false),
            started: Instant::now(),
            init: OnceLock::new(),
        }
    }

    /// Prepares for the first sign-in, within a time limit. If the directory is down, the first sign-in tries again.
    pub async fn warm(self: Arc<Self>) {
        let this = Arc::clone(&self);
        let warm = async move {
            if let Some(ready) = &this.ready {
                let budget = Budget::new(WARM);
                let _ = budget.within(ready.directory.warm(&budget)).await;
            }
        };
        // In its own task, so that a panic does not end the function before its first invocation.
        let _ = tokio::spawn(warm).await;
        let _ = self.init.set(self.started.elapsed());
    }

    /// Answers one invocation and writes its log line.
    pub async fn answer(
        self: Arc<Self>,
        payload: Payload,
        deadline_ms: u64,
    ) -> Result<Value, Thrown> {
        let this = Arc::clone(&self);
        let work = async move {
            let (line, answer) = this.handle(payload, deadline_ms).await;
            write_line(&line);
            answer
        };
        let pool = self.ready.as_ref().map(|ready| &*ready.settings.pool);
        contained(work, pool.unwrap_or_default()).await
    }

    /// The log line of an invocation, and its answer.
    async fn handle(&self, payload: Payload, deadline_ms: u64) -> (Value, Result<Value, Thrown>) {
        let cold = !self.invoked.swap(true, Ordering::Relaxed);
        let init = self.init.get().copied();
        let record = |outcome| Record {
            cold,
            init: init.filter(|_| cold),
            ..Record::new(outcome)
        };
        let Some(ready) = &self.ready else {
            let refusal = Refusal::InvalidSettings;
            let record = Record {
                // One possible cause: settings for another kind of directory.
                reason: black_box(SERVES).first().copied(),
                ..record(Outcome::Refused(refusal))
            };
            return (record.to_json(), Err(refusal.into()));
        };
        let mut limit = timeout(&ready.settings);
        if cold {
            limit = limit.min(cold_limit(init));
        }
        let budget = Budget::until(limit, lambda_deadline(deadline_ms));
        let pool = &ready.settings.pool;
        let payload = payload.0.unwrap_or_default();
        if let Some(rows) = sample_of(&payload) {
            return ready.sample(rows, &budget).await;
        }
        let event = match Event::read(payload, &ready.settings) {
            Ok(event) => event,
            Err(refusal) => {
                let record = Record {
                    pool,
                    took: budget.spent(),
                    ..record(Outcome::Refused(refusal))
                };
                return (record.to_json(), Err(refusal.into()));
            }
        };
        let mut decision = ready.answer(&event, &budget, today()).await;
        if event.trigger() == Trigger::Authentication {
            // A cold start takes longer, and a name without a request to the directory takes no time: neither is representative.
            if !cold && !budget.calls().is_empty() {
                ready.pace.note(decision.outcome, budget.spent());
            }
            ready.pace.wait(decision.outcome, &budget).await;
        }
        let told = ready.tell(&event, &mut decision, &budget).await;
        let line = Record {
            pool,
            source: event.source(),
            client_id: Some(event.client_id()),
            user: Some(user_hash(&ready.user_key(), event.name())),
            took: budget.spent(),
            calls: &budget.calls(),
            trial: event.is_trial(),
            reason: decision.reason.or(decision.unsupported.as_deref()),
            missing: &decision.missing,
            told,
            not_counted: decision.not_counted,
            ..record(decision.outcome)
        }
        .to_json();
        let answer = match decision.outcome {
            Outcome::Refused(refusal) => Err(Thrown {
                refusal,
                shown: decision.shown,
            }),
            _ => Ok(event.answer_trial(decision.response, decision.told)),
        };
        (line, answer)
    }
}

impl Ready {
    fn new(settings: HandlerSettings, secrets: Secrets) -> Option<Self> {
        let secrets = Arc::new(secrets);
        let directory = Directory::new(&settings, Arc::clone(&secrets)).ok()?;
        let on_migrated = settings.on_migrated.as_ref();
        let on_migrated = on_migrated.map(|told| OnMigrated::new(told, &secrets));
        let random_key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self {
            breaker: Breaker::new(timeout(&settings)),
            brake: Brake::default(),
            pace: Pace::default(),
            on_migrated: on_migrated.transpose().ok()?,
            settings,
            directory,
            secrets,
            random_key,
        })
    }

    /// The response to an event, also if the directory gives none.
    async fn answer(&self, event: &Event, budget: &Budget, today: i64) -> Decision {
        let decided = match event.trigger().is_migration() {
            true => self.decide(event, budget, today).await,
            false => self.account(event, budget, today).await,
        };
        decided.unwrap_or_else(|Unavailable(reason)| Decision {
            reason: Some(reason),
            ..Decision::unchanged(unanswered(event.trigger(), self.settings.triggers.connect))
        })
    }

    /// Sends the notification that a user has migrated, if this is one. Returns the result, in a word.
    async fn tell(
        &self,
        event: &Event,
        decision: &mut Decision,
        budget: &Budget,
    ) -> Option<&'static str> {
        let (settings, directory) = (&self.settings, &self.directory);
        let on_migrated = self.on_migrated.as_ref()?;
        let told = on_migrated.tell(settings, directory, event, decision, budget);
        let told = told.await?;
        decision.told.extend(told.would);
        Some(told.word)
    }

    /// The pre sign-up and post confirmation triggers. The window's end does not affect them.
    async fn account(
        &self,
        event: &Event,
        budget: &Budget,
        today: i64,
    ) -> Result<Decision, Unavailable> {
        let triggers = self.settings.triggers;
        let on = match event.trigger().is_post_confirmation() {
            true => triggers.post_confirmation,
            false => triggers.pre_sign_up,
        };
        match event.trigger() {
            // Cognito may still call while a deploy turns the trigger off.
            _ if !on => return Ok(Decision::unchanged(Outcome::TriggerOff)),
            Trigger::OtherPreSignUp | Trigger::OtherPostConfirmation => {
                return Ok(Decision::unchanged(Outcome::UnknownSource));
            }
            Trigger::ConfirmForgotPassword => {
                return Ok(Decision::unchanged(Outcome::NothingToDo));
            }
            _ => {}
        }
        self.breaker.allow(SystemTime::now())?;
        let asked = self
            .directory
            .account(&self.settings, event, today, budget)
            .await;
        self.breaker
            .note(event.name(), &asked, budget.spent(), SystemTime::now());
        asked
    }

    async fn decide(
        &self,
        event: &Event,
        budget: &Budget,
        today: i64,
    ) -> Result<Decision, Unavailable> {
        let closes = self.settings.window_closes;
        if closes.is_some_and(|last| today > last.epoch_days()) {
            return Ok(Decision::unchanged(Outcome::WindowClosed));
        }
        // No user has such a name. Headers and databases cannot contain these characters, so the directory would seem unavailable.
        if event.name().is_empty() || event.name().contains(['\0', '\r', '\n']) {
            return Ok(Decision::unchanged(Outcome::NotFound));
        }
        if let Some(percent) = self.settings.window_share
            && !share::has(percent, &self.settings.pool, event.name())
        {
            return Ok(Decision::unchanged(Outcome::OutsideShare));
        }
        // The operator's tests are no guesses.
        let counts = event.trigger() == Trigger::Authentication && !event.is_trial();
        if counts && !self.brake.allows(event.name(), SystemTime::now()) {
            return Ok(Decision::unchanged(Outcome::TooManyGuesses));
        }
        self.breaker.allow(SystemTime::now())?;
        let verdict = self.ask(event, budget).await;
        self.breaker
            .note(event.name(), &verdict, budget.spent(), SystemTime::now());
        let mut decision = decide(&self.settings, event, verdict?, today);
        if counts {
            self.brake
                .note(event.name(), decision.outcome, SystemTime::now());
        }
        let refused = event.trigger() == Trigger::Authentication && is_guess(decision.outcome);
        if refused {
            let directory = &self.directory;
            let counted = directory.count_refused(event.name(), event.is_trial(), budget);
            match counted.await {
                // The operator gets the error of a failed statement; a customer's response does not depend on it.
                Err(unavailable) if event.is_trial() => return Err(unavailable),
                counted => decision.not_counted = counted.err().map(|Unavailable(why)| why),
            }
        }
        Ok(decision)
    }

    /// The formats of some stored hashes, for the operator's tool. No user and no password is involved.
    async fn sample(&self, rows: u32, budget: &Budget) -> (Value, Result<Value, Thrown>) {
        let sampled = self.directory.sample(rows, budget).await;
        let line = json!({ "sample": rows, "trial": true, "durationMs": budget.spent().as_millis() as u64 });
        // The operator reads the response, so it contains the reason too.
        let answer = match sampled {
            Ok(sampled) => json!({ "sample": sampled }),
            Err(Unavailable(reason)) => json!({ "reason": reason }),
        };
        (line, Ok(answer))
    }

    async fn ask(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        match (event.trigger(), event.password()) {
            (Trigger::ForgotPassword, _) => match self.settings.response.forgot_password {
                ForgotPassword::Off => Ok(Verdict::NotEligible),
                who => {
                    let without_password = who == ForgotPassword::SsoOnly;
                    self.directory.lookup(event, without_password, budget).await
                }
            },
            (Trigger::Authentication, Some(password)) if !password.expose_secret().is_empty() => {
                self.directory.authenticate(event, password, budget).await
            }
            // Some directories treat a sign-in without a password as anonymous and accept it.
            _ => Ok(Verdict::WrongPassword),
        }
    }

    /// The key for user names in the log. It is derived from a secret of the directory, so that all instances of the function
    /// have the same key. Without a secret, each instance has its own.
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

/// The log line of one invocation of a new function, and its answer.
#[cfg(any(test, fuzzing))]
pub(crate) async fn invoked(
    settings: HandlerSettings,
    payload: Value,
) -> (Value, Result<Value, Thrown>) {
    let ready = Ready::new(settings, Secrets::new(None, String::new()));
    Handler::new(ready).handle(Payload(Some(payload)), 0).await
}

/// How many hashes the operator's tool wants to examine. Cognito's events never have these fields.
fn sample_of(payload: &Value) -> Option<u32> {
    let rows = payload.get(SAMPLE)?.as_u64()?;
    let is_trial = payload.get(TRIAL) == Some(&Value::Bool(true));
    is_trial.then(|| u32::try_from(rows).unwrap_or(u32::MAX))
}

/// How long a sign-in may wait for the directory.
fn timeout(settings: &HandlerSettings) -> Duration {
    Duration::from_millis(settings.directory.timeout_ms())
}

/// How long the first sign-in may take after this much of init. The time between init and the first sign-in does not count: a
/// function that was started in advance is idle then, and no user waits.
fn cold_limit(init: Option<Duration>) -> Duration {
    COLD.saturating_sub(init.unwrap_or_default())
}

/// Runs the work in its own task, so that a panic ends in a constant text instead of the panic's message, and the function
/// continues.
async fn contained<T: Send + 'static>(
    work: impl Future<Output = Result<T, Thrown>> + Send + 'static,
    pool: &str,
) -> Result<T, Thrown> {
    let started = Instant::now();
    tokio::spawn(work).await.unwrap_or_else(|_| {
        let refusal = Refusal::DirectoryUnavailable;
        let record = Record {
            pool,
            took: started.elapsed(),
            reason: Some("panic"),
            ..Record::new(Outcome::Refused(refusal))
        };
        write_line(&record.to_json());
        Err(refusal.into())
    })
}

/// The outcome of an event if the directory gives no usable response.
fn unanswered(trigger: Trigger, connect: Connect) -> Outcome {
    Outcome::Refused(match trigger {
        Trigger::AdminCreateUser if connect == Connect::BestEffort => return Outcome::Unconnected,
        Trigger::AdminCreateUser => Refusal::NotConnected,
        Trigger::SignUp | Trigger::ExternalProvider => Refusal::SignUpUnavailable,
        Trigger::ConfirmSignUp => Refusal::AccountNotCreated,
        _ => Refusal::DirectoryUnavailable,
    })
}

/// Makes a panic print only its place: its message may quote the event.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()));
        write_line(&json!({ "level": "ERROR", "message": "panic", "place": place }));
    }));
}

/// Today's date in UTC, counted as in [`jane_migrate_config::Date::epoch_days`].
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

    use jane_migrate_config::{Date, Directory as Kind, Triggers};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::fixtures::{account, event, forgot_password, settings, sign_in, sign_up};

    /// A directory without its secret: a request fails at once as unavailable.
    fn ready(settings: HandlerSettings) -> Ready {
        Ready::new(settings, Secrets::new(None, String::new())).unwrap()
    }

    /// The outcome of an event that needs no directory; otherwise why the directory is unavailable.
    async fn outcome(ready: &Ready, payload: Value, today: i64) -> Result<Outcome, &'static str> {
        let event = event(payload, &ready.settings);
        let budget = Budget::new(Duration::from_secs(1));
        let decision = ready.decide(&event, &budget, today).await;
        let decision = decision.map_err(|Unavailable(reason)| reason)?;
        assert_eq!(decision, Decision::unchanged(decision.outcome));
        Ok(decision.outcome)
    }

    #[tokio::test]
    async fn the_window_closes_after_its_last_day() {
        let last = "2027-03-31".parse::<Date>().unwrap();
        let ready = ready(HandlerSettings {
            window_closes: Some(last),
            ..settings(&[])
        });
        let on = |day| outcome(&ready, sign_in("ann@example.com", "secret"), day);
        assert_eq!(on(last.epoch_days()).await, Err("secret"));
        assert_eq!(on(last.epoch_days() + 1).await, Ok(Outcome::WindowClosed));
    }

    #[tokio::test]
    async fn a_name_outside_the_share_is_not_looked_up() {
        let names = [
            "ann@example.com",
            "bob@example.com",
            "eve@example.com",
            "zoe@example.com",
        ];
        let of = async |share: Option<u8>, name: &str| {
            let ready = ready(HandlerSettings {
                window_share: share,
                ..settings(&[])
            });
            outcome(&ready, sign_in(name, "secret"), 0).await
        };
        let pool = settings(&[]).pool;
        for name in names {
            let expected = match share::has(50, &pool, name) {
                // Here a request to the directory would follow.
                true => Err("secret"),
                false => Ok(Outcome::OutsideShare),
            };
            assert_eq!(of(Some(50), name).await, expected, "{name}");
            assert_eq!(of(Some(50), &name.to_uppercase()).await, expected, "{name}");
            assert_eq!(of(None, name).await, Err("secret"));
        }
        let outside = names
            .iter()
            .filter(|name| !share::has(50, &pool, name))
            .count();
        assert!((1..4).contains(&outside), "the names are on both sides");
    }

    #[tokio::test]
    async fn an_empty_name_or_password_is_not_sent_to_the_directory() {
        let ready = ready(settings(&[]));
        let mut without = sign_in("ann@example.com", "");
        let empty = outcome(&ready, without.clone(), 0).await;
        assert_eq!(empty, Ok(Outcome::WrongPassword));
        without["request"] = json!({});
        let missing = outcome(&ready, without, 0).await;
        assert_eq!(missing, Ok(Outcome::WrongPassword));
        let nameless = outcome(&ready, sign_in(" ", "secret"), 0).await;
        assert_eq!(nameless, Ok(Outcome::NotFound));
    }

    #[tokio::test]
    async fn a_name_with_a_line_break_or_a_nul_is_unknown() {
        let ready = ready(settings(&[]));
        for name in [
            "ann\0@example.com",
            "ann@\rexample.com",
            "ann\n@example.com",
        ] {
            for payload in [sign_in(name, "secret"), forgot_password(name)] {
                let outcome = outcome(&ready, payload, 0).await;
                assert_eq!(outcome, Ok(Outcome::NotFound), "{name:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_sign_in_and_a_forgotten_password_call_the_directory() {
        let ready = ready(settings(&[]));
        for payload in [
            sign_in("ann@example.com", "secret"),
            forgot_password("ann@example.com"),
        ] {
            assert_eq!(outcome(&ready, payload, 0).await, Err("secret"));
        }
    }

    #[tokio::test]
    async fn a_forgotten_password_that_is_off_calls_no_directory() {
        let mut settings = settings(&[]);
        settings.response.forgot_password = ForgotPassword::Off;
        let ready = ready(settings);
        let forgotten = outcome(&ready, forgot_password("ann@example.com"), 0).await;
        assert_eq!(forgotten, Ok(Outcome::NotEligible));
        let sign_in = outcome(&ready, sign_in("ann@example.com", "secret"), 0).await;
        assert_eq!(sign_in, Err("secret"), "a sign-in asks as before");
    }

    #[tokio::test]
    async fn a_directory_that_hung_twice_gets_no_request() {
        let ready = ready(settings(&[]));
        let hung: Result<(), _> = Err(Unavailable("timeout"));
        for name in ["ann", "bob"] {
            let took = timeout(&ready.settings);
            ready.breaker.note(name, &hung, took, SystemTime::now());
        }
        let payload = sign_in("ann@example.com", "secret");
        assert_eq!(outcome(&ready, payload, 0).await, Err("paused"));
    }

    #[tokio::test]
    async fn a_response_ends_a_series_of_long_waits() {
        let ready = ready(settings(&[]));
        let hung: Result<(), _> = Err(Unavailable("timeout"));
        let hang = |name| {
            let took = timeout(&ready.settings);
            ready.breaker.note(name, &hung, took, SystemTime::now());
        };
        hang("ann");
        let payload = sign_in("ann@example.com", "");
        assert!(outcome(&ready, payload.clone(), 0).await.is_ok());
        hang("bob");
        assert!(outcome(&ready, payload, 0).await.is_ok());
    }

    fn handler(settings: HandlerSettings) -> Handler {
        Handler::new(Some(ready(settings)))
    }

    async fn handled(handler: &Handler, payload: Value) -> (Value, Result<Value, Thrown>) {
        handler.handle(Payload(Some(payload)), 0).await
    }

    #[tokio::test]
    async fn an_unavailable_directory_is_an_error_with_its_reason_in_the_log() {
        let handler = handler(settings(&[]));
        let (line, answer) = handled(&handler, sign_in("Ann@example.com", "secret")).await;
        assert_eq!(answer, Err(Refusal::DirectoryUnavailable.into()));
        let user = user_hash(
            &handler.ready.as_ref().unwrap().random_key,
            "ann@example.com",
        );
        for (field, expected) in [
            ("outcome", json!("directory-unavailable")),
            ("reason", json!("secret")),
            ("userPoolId", json!("us-east-1_AbC123456")),
            ("triggerSource", json!("UserMigration_Authentication")),
            ("clientId", json!("client-1")),
            ("user", json!(user)),
        ] {
            assert_eq!(line[field], expected, "{field}");
        }
        assert!(!line.to_string().contains("ann@"), "{line}");
    }

    /// The settings of an HTTP directory that answers every request with this user.
    async fn answering(user: Value) -> HandlerSettings {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = user.to_string();
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
                let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let request = json!({ "method": "POST", "url": url, "answers": { "ok": [200] } });
        let directory = json!({ "http": { "authenticate": request, "timeout_ms": 4000 } });
        HandlerSettings {
            directory: serde_json::from_value(directory).unwrap(),
            ..settings(&[("email", "email")])
        }
    }

    #[tokio::test]
    async fn a_user_of_the_directory_migrates_and_the_line_has_the_calls() {
        let handler = handler(answering(json!({ "email": "ann@example.com" })).await);
        let (line, answer) = handled(&handler, sign_in("ann@example.com", "secret")).await;
        let response = &answer.unwrap()["response"];
        assert_eq!(response["finalUserStatus"], "CONFIRMED");
        assert_eq!(
            response["userAttributes"],
            json!({ "email": "ann@example.com" })
        );
        assert_eq!(line["outcome"], "migrated");
        assert_eq!(line["upstream"][0]["status"], 200);
        assert!(line["durationMs"].as_f64().unwrap() > 0.0);
        assert!(line.get("trial").is_none() && line.get("missing").is_none());
    }

    #[tokio::test]
    async fn the_line_names_required_attributes_that_are_missing_and_trials() {
        let mut settings = answering(json!({ "email": "ann@example.com" })).await;
        settings.required_attributes = vec!["name".into()];
        let mut payload = sign_in("ann@example.com", "secret");
        payload[TRIAL] = true.into();
        let (line, answer) = handled(&handler(settings), payload.clone()).await;
        assert_eq!(answer, Ok(payload));
        assert_eq!(
            (&line["missing"], &line["trial"]),
            (&json!(["name"]), &json!(true))
        );
    }

    fn with_triggers(triggers: Triggers) -> HandlerSettings {
        HandlerSettings {
            triggers,
            window_closes: Some("2020-01-01".parse().unwrap()),
            ..settings(&[])
        }
    }

    const BOTH: Triggers = Triggers {
        pre_sign_up: true,
        post_confirmation: true,
        connect: Connect::Required,
    };

    const SOURCES: [&str; 7] = [
        "PreSignUp_AdminCreateUser",
        "PreSignUp_SignUp",
        "PreSignUp_ExternalProvider",
        "PreSignUp_New",
        "PostConfirmation_ConfirmSignUp",
        "PostConfirmation_ConfirmForgotPassword",
        "PostConfirmation_New",
    ];

    #[tokio::test]
    async fn a_trigger_that_is_off_changes_nothing_and_calls_no_directory() {
        for (triggers, on) in [
            (Triggers::default(), ""),
            (
                Triggers {
                    post_confirmation: false,
                    ..BOTH
                },
                "PreSignUp",
            ),
            (
                Triggers {
                    pre_sign_up: false,
                    ..BOTH
                },
                "PostConfirmation",
            ),
        ] {
            let handler = handler(with_triggers(triggers));
            for source in SOURCES {
                let payload = account(source, "id", json!({ "email": "ann@example.com" }));
                let (line, answer) = handled(&handler, payload.clone()).await;
                if on.is_empty() || !source.starts_with(on) {
                    assert_eq!(line["outcome"], "trigger-off", "{source}");
                    assert_eq!(answer, Ok(payload));
                    assert_eq!(line["triggerSource"], source);
                } else {
                    assert_ne!(line["outcome"], "trigger-off", "{source}");
                }
            }
        }
    }

    #[tokio::test]
    async fn an_outage_stops_a_user_from_being_created_and_the_window_does_not() {
        let handler = handler(with_triggers(BOTH));
        for (source, outcome) in [
            ("PreSignUp_AdminCreateUser", "not-connected"),
            ("PreSignUp_SignUp", "sign-up-unavailable"),
            ("PreSignUp_ExternalProvider", "sign-up-unavailable"),
            ("PostConfirmation_ConfirmSignUp", "account-not-created"),
        ] {
            let payload = account(source, "id", json!({ "email": "ann@example.com" }));
            let (line, answer) = handled(&handler, payload).await;
            assert_eq!(
                (&line["outcome"], &line["reason"]),
                (&json!(outcome), &json!("secret"))
            );
            assert!(answer.is_err(), "{source}");
            assert!(!line.to_string().contains("ann@"), "{line}");
        }
    }

    #[tokio::test]
    async fn a_user_migrates_without_a_connection_if_configured() {
        let handler = handler(with_triggers(Triggers {
            connect: Connect::BestEffort,
            ..BOTH
        }));
        let payload = account(
            "PreSignUp_AdminCreateUser",
            "id",
            json!({ "email": "ann@example.com" }),
        );
        let (line, answer) = handled(&handler, payload.clone()).await;
        assert_eq!(
            (&line["outcome"], &line["reason"]),
            (&json!("unconnected"), &json!("secret"))
        );
        assert_eq!(answer, Ok(payload));
    }

    #[tokio::test]
    async fn events_of_unknown_sources_are_returned_unchanged_and_counted() {
        let handler = handler(with_triggers(BOTH));
        for (source, outcome) in [
            ("PreSignUp_New", "unknown-source"),
            ("PostConfirmation_New", "unknown-source"),
            ("PostConfirmation_ConfirmForgotPassword", "nothing-to-do"),
        ] {
            let payload = account(source, "id", json!({}));
            let (line, answer) = handled(&handler, payload.clone()).await;
            assert_eq!(
                (&line["outcome"], &line["count"]),
                (&json!(outcome), &json!(1))
            );
            assert_eq!(answer, Ok(payload));
        }
    }

    #[tokio::test]
    async fn an_address_in_the_directory_cannot_sign_up() {
        let mut settings = answering(json!({ "email": "ann@example.com" })).await;
        let Kind::Http(directory) = &mut settings.directory else {
            unreachable!("the fixture is an HTTP directory")
        };
        directory.lookup = Some(directory.authenticate.clone());
        settings.triggers.pre_sign_up = true;
        let handler = handler(settings);
        let email = json!({ "email": "ann@example.com" });
        let (line, answer) = handled(&handler, sign_up("ann@example.com", email.clone())).await;
        assert_eq!(answer, Err(Refusal::UserExists.into()));
        assert_eq!(line["outcome"], "user-exists");
        assert_eq!(line["upstream"].as_array().unwrap().len(), 1, "{line}");
        for source in ["PreSignUp_AdminCreateUser", "PreSignUp_ExternalProvider"] {
            let payload = account(source, "ann", email.clone());
            let (line, answer) = handled(&handler, payload.clone()).await;
            assert_eq!(
                (&line["outcome"], answer),
                (&json!("nothing-to-do"), Ok(payload))
            );
        }
    }

    #[test]
    fn the_timeout_is_that_of_the_directory() {
        assert_eq!(timeout(&settings(&[])), Duration::from_millis(1000));
    }

    #[tokio::test]
    async fn a_user_who_does_not_migrate_gets_the_unchanged_event() {
        let payload = sign_in("ann", "secret");
        let (line, answer) = handled(&handler(settings(&[])), payload.clone()).await;
        assert_eq!(
            (&line["outcome"], answer),
            (&json!("not-found"), Ok(payload))
        );
    }

    #[tokio::test]
    async fn the_first_invocation_is_cold_and_knows_its_init() {
        let handler = handler(settings(&[]));
        handler.init.set(Duration::from_millis(80)).unwrap();
        let (first, _) = handled(&handler, sign_in("ann", "secret")).await;
        assert_eq!(
            (&first["cold"], &first["initMs"]),
            (&json!(true), &json!(80.0))
        );
        let (second, _) = handled(&handler, sign_in("ann", "secret")).await;
        assert_eq!(
            (&second["cold"], second.get("initMs")),
            (&json!(false), None)
        );
    }

    #[tokio::test]
    async fn an_invalid_event_is_refused() {
        let handler = handler(settings(&[]));
        let (line, answer) = handler.handle(Payload(None), 0).await;
        assert_eq!(answer, Err(Refusal::InvalidEvent.into()));
        assert_eq!(line["outcome"], "invalid-event");
        assert_eq!(line["userPoolId"], "us-east-1_AbC123456");
    }

    #[tokio::test]
    async fn invalid_settings_are_an_error_that_names_the_build() {
        let handler = Handler::new(None);
        let (line, answer) = handled(&handler, sign_in("ann", "secret")).await;
        assert_eq!(answer, Err(Refusal::InvalidSettings.into()));
        assert_eq!(line["outcome"], "invalid-settings");
        assert_eq!(line["reason"], "jane-migrate-handler serves jane");
    }

    #[test]
    fn any_payload_can_be_deserialized() {
        let read = |text: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            Payload::deserialize(&mut deserializer).unwrap().0
        };
        assert_eq!(read("{}"), Some(json!({})));
        assert_eq!(read("{\"a\": nonsense}"), None);
    }

    #[test]
    fn instances_with_the_same_secret_give_a_user_the_same_hash() {
        let with = |value: Option<&str>, pool: &str| {
            let settings = HandlerSettings {
                pool: pool.into(),
                ..settings(&[])
            };
            let Kind::Jane(jane) = &settings.directory else {
                unreachable!("the fixture is Jane's")
            };
            let secrets = Secrets::new(None, String::new());
            let secrets = match value {
                Some(value) => secrets.with(jane.client_secret.clone(), value.into()),
                None => secrets,
            };
            let ready = Ready::new(settings, secrets).unwrap();
            user_hash(&ready.user_key(), "ann")
        };
        assert_eq!(with(Some("one"), "a"), with(Some("one"), "a"));
        assert_ne!(with(Some("one"), "a"), with(Some("two"), "a"));
        assert_ne!(with(Some("one"), "a"), with(Some("one"), "b"));
        assert_ne!(with(None, "a"), with(None, "a"));
    }

    #[test]
    fn today_is_a_day_of_this_century() {
        let day = |text: &str| text.parse::<Date>().unwrap().epoch_days();
        assert!((day("2025-01-01")..day("2100-01-01")).contains(&today()));
    }

    #[test]
    fn init_shortens_the_first_sign_in() {
        assert_eq!(cold_limit(Some(WARM)), COLD - WARM);
        assert_eq!(cold_limit(None), COLD);
    }

    /// Panics print to the process, so the test runs itself again as another process.
    #[test]
    fn a_panic_ends_in_a_constant_text_and_quotes_nothing() {
        const INSIDE: &str = "JANE_MIGRATE_TEST_INSIDE";
        if env::var_os(INSIDE).is_some() {
            silence_panics();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let first = runtime.block_on(contained::<()>(
                async {
                    std::thread::sleep(Duration::from_millis(2));
                    panic!("canary-password")
                },
                "us-east-1_AbC123456",
            ));
            assert_eq!(first, Err(Refusal::DirectoryUnavailable.into()));
            let next = runtime.block_on(contained(async { Ok("answered") }, ""));
            assert_eq!(next, Ok("answered"));
            return;
        }
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("handler::tests::a_panic_ends_in_a_constant_text_and_quotes_nothing")
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
        assert!(lines[1]["durationMs"].as_f64().unwrap() >= 2.0, "{written}");
    }
}
