//! The stored hashes of a database: checking a password against one, the decoy for unknown users, and a survey of a table's formats.
//!
//! The password of an unknown user is checked against a decoy hash, so that the response time does not reveal which names exist.
//! The decoy is the configured one, or a hash with the cost that most of the users seen so far have: one account must not decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    hash::{BuildHasher, RandomState},
    sync::{self, Arc},
    time::{Duration, SystemTime},
};

use jane_migrate_config as config;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::{sync::Semaphore, task::spawn_blocking, time::Instant};

use super::verdict::Verdict;
use crate::{
    brake::Brake,
    budget::{Budget, Unavailable},
    event::Event,
    hash::{self, FirebaseKey, Why},
    lock::lock,
    outcome::Outcome,
    secrets::Secrets,
};

/// The function's own need without the hash: its program, connections and TLS.
const RESERVE: u64 = 40 << 20;

/// The memory of a function on Lambda without a setting.
const LEAST_MEMORY: u64 = 128 << 20;

/// How many users of one cost, and how many costs, are counted.
const MOST_USERS: usize = 64;
const MOST_COSTS: usize = 32;

/// How long a survey may check hashes; the function itself has five seconds.
const SURVEY: Duration = Duration::from_millis(2500);

/// The hashes of a table.
#[derive(Debug)]
pub struct Hashes {
    settings: config::Database,
    secrets: Arc<Secrets>,
    seen: sync::Mutex<Seen>,
    /// Wrong passwords by stored hash: many collations find one account by several spellings of its name.
    brake: Brake,
    /// How much memory one check may take.
    memory: u64,
    /// One check at a time: a check continues after its sign-in has timed out, and two could need more memory than there is.
    turn: Arc<Semaphore>,
}

/// The costs of the hashes that passwords were checked against, in the order of their first use.
#[derive(Debug, Default)]
struct Seen {
    costs: Vec<SeenCost>,
    names: RandomState,
}

#[derive(Debug)]
struct SeenCost {
    label: String,
    /// Keyed hashes of the names of its users.
    users: BTreeSet<u64>,
    /// One of the hashes.
    hash: SecretString,
}

impl Seen {
    fn note(&mut self, name: &str, hash: String) {
        let (label, user) = (hash::label(&hash), self.names.hash_one(name));
        let known = self.costs.iter().position(|cost| cost.label == label);
        match known {
            Some(at) if self.costs[at].users.len() < MOST_USERS => {
                self.costs[at].users.insert(user);
            }
            None if self.costs.len() < MOST_COSTS => self.costs.push(SeenCost {
                label,
                users: BTreeSet::from([user]),
                hash: hash.into(),
            }),
            _ => {}
        }
    }

    /// A hash with the cost that most users have; of two equal counts, the one seen first.
    fn usual(&self) -> Option<&SecretString> {
        let costs = self.costs.iter().rev();
        let usual = costs.max_by_key(|cost| cost.users.len());
        usual.map(|cost| &cost.hash)
    }
}

/// Whether the password is right; or the format of a hash that cannot be checked, and why.
type Checked = Result<bool, String>;

impl Hashes {
    /// The hashes of these settings.
    pub fn new(settings: &config::Database, secrets: Arc<Secrets>) -> Self {
        let size = env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        let size = size.ok().and_then(|size| size.parse::<u64>().ok());
        Self {
            settings: settings.clone(),
            secrets,
            seen: sync::Mutex::default(),
            brake: Brake::default(),
            memory: size
                .map_or(LEAST_MEMORY, |size| size << 20)
                .saturating_sub(RESERVE),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Fetches the secrets that checks need.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        let signer_key = self.settings.firebase.iter().map(|key| &key.signer_key);
        for secret in self.settings.pepper.iter().chain(signer_key) {
            self.secrets.get(secret, budget).await?;
        }
        Ok(())
    }

    /// The verdict about a password and a row, whose hash and salt are removed; or about a name without a row.
    pub async fn judge(
        &self,
        event: &Event,
        row: Result<Map<String, Value>, Verdict>,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        let mut row = row;
        let stored = row
            .as_mut()
            .ok()
            .and_then(|row| row.remove(&self.settings.password_column));
        let salt = match (&self.settings.firebase, row.as_mut()) {
            (Some(firebase), Ok(row)) => row.remove(&firebase.salt_column),
            _ => None,
        };
        let usable = usable(stored.as_ref());
        // The operator's tests are no guesses.
        let (counts, now) = (!event.is_trial(), SystemTime::now());
        let blocks = |hash: &String| !self.brake.allows(hash, now);
        if counts && usable.as_ref().is_some_and(blocks) {
            return Ok(Verdict::TooManyGuesses);
        }
        let hash = usable.clone().unwrap_or_else(|| self.decoy());
        // A failed check is an outage also if there is no user: otherwise it would reveal who exists, and the test of a deploy,
        // whose user is unknown, would not find it.
        let checked = self.check(password, hash, salt, budget).await?;
        match (row, usable) {
            (Err(verdict), _) => Ok(verdict),
            (Ok(_), None) => Ok(Verdict::SsoOnly),
            (Ok(row), Some(hash)) => Ok(match checked {
                Ok(right) => {
                    let (verdict, outcome) = match right {
                        true => (Verdict::Known(row), Outcome::Migrated),
                        false => (Verdict::WrongPassword, Outcome::WrongPassword),
                    };
                    if counts {
                        self.brake.note(&hash, outcome, now);
                    }
                    lock(&self.seen).note(event.name(), hash);
                    verdict
                }
                Err(format) => {
                    // It takes as long as a wrong password. Whether it matches does not matter.
                    let _ = self.check(password, self.decoy(), None, budget).await?;
                    Verdict::UnsupportedHash(format)
                }
            }),
        }
    }

    /// The verdict about a user who sets a new password; `without_password`: only if there is none yet. The row's hash is
    /// removed.
    pub fn known(
        &self,
        row: Result<Map<String, Value>, Verdict>,
        without_password: bool,
    ) -> Verdict {
        match row {
            Ok(mut row) => {
                let stored = row.remove(&self.settings.password_column);
                match without_password && usable(stored.as_ref()).is_some() {
                    true => Verdict::NotEligible,
                    false => Verdict::Known(row),
                }
            }
            Err(verdict) => verdict,
        }
    }

    /// The hash that an unknown user's password is checked against.
    fn decoy(&self) -> String {
        let seen = lock(&self.seen);
        let seen = seen.usual().map(|hash| hash.expose_secret().to_owned());
        // A decoy that cannot be checked would take no time, which would reveal unknown names.
        let configured = self.settings.decoy.clone();
        let configured = configured
            .filter(|decoy| self.settings.firebase.is_some() || hash::read(decoy).is_ok());
        configured
            .or(seen)
            .unwrap_or_else(|| hash::decoy(self.settings.hash).to_owned())
    }

    /// Checks the password in another thread, so that the budget can end the wait: a hash keeps the processor busy.
    async fn check(
        &self,
        password: &SecretString,
        stored: String,
        salt: Option<Value>,
        budget: &Budget,
    ) -> Result<Checked, Unavailable> {
        let started = Instant::now();
        let mut password = password.clone();
        if let Some(pepper) = &self.settings.pepper {
            let pepper = self.secrets.get(pepper, budget).await?;
            password = [password.expose_secret(), pepper.expose_secret()]
                .concat()
                .into();
        }
        let firebase = match &self.settings.firebase {
            Some(firebase) => Some((
                firebase.clone(),
                self.secrets.get(&firebase.signer_key, budget).await?,
            )),
            None => None,
        };
        let (memory, turn) = (self.memory, Arc::clone(&self.turn));
        let checked = budget
            .within(async {
                let turn = turn
                    .acquire_owned()
                    .await
                    .map_err(|_| Unavailable("hash"))?;
                let work = spawn_blocking(move || {
                    let _turn = turn;
                    let password = password.expose_secret().as_bytes();
                    match &firebase {
                        Some((firebase, signer_key)) => {
                            let key = FirebaseKey {
                                salt_separator: &firebase.salt_separator,
                                rounds: firebase.rounds,
                                mem_cost: firebase.mem_cost,
                            };
                            let salt = salt.as_ref().and_then(Value::as_str).unwrap_or_default();
                            // A column of the type char(n) pads it with spaces.
                            let salt = salt.trim_end_matches(' ');
                            hash::firebase(password, &stored, salt, key, signer_key.expose_secret())
                                .map_err(|why| format!("firebase: {}", why.words()))
                        }
                        None => matches(password, &stored, memory)
                            .map_err(|why| format!("{}: {}", hash::label(&stored), why.words())),
                    }
                });
                work.await.map_err(|_| Unavailable("hash"))
            })
            .await;
        budget.record("hash", None, started, None);
        checked
    }

    /// The kinds of these hashes, with the time and the memory that one check of each kind needs.
    pub async fn survey(&self, stored: Vec<Option<String>>) -> Value {
        let memory = self.memory;
        let (rows, firebase) = (stored.len(), self.settings.firebase.is_some());
        let formats = spawn_blocking(move || formats(stored, memory, firebase)).await;
        json!({
            "rows": rows,
            "formats": formats.unwrap_or_default(),
            "functionMb": (memory + RESERVE) >> 20,
        })
    }
}

/// Whether the hash belongs to the password, if its check fits into this memory.
fn matches(password: &[u8], stored: &str, memory: u64) -> Result<bool, Why> {
    let hash = hash::read(stored)?;
    if hash.memory() > memory {
        return Err(Why::Memory);
    }
    hash.matches(password)
}

/// Each format among these hashes, the most frequent first.
fn formats(stored: Vec<Option<String>>, memory: u64, firebase: bool) -> Vec<Value> {
    let mut groups: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut without = 0;
    for stored in stored {
        let stored = stored.map(Value::from);
        match usable(stored.as_ref()) {
            None => without += 1,
            Some(hash) => {
                let label = if firebase {
                    "firebase".to_owned()
                } else {
                    hash::label(&hash)
                };
                groups.entry(label).or_insert((0, hash)).0 += 1;
            }
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (rows, _))| std::cmp::Reverse(*rows));
    let started = Instant::now();
    let mut formats: Vec<Value> = groups
        .into_iter()
        .map(|(format, (rows, hash))| {
            let mut shown = json!({ "format": format, "rows": rows });
            let began = Instant::now();
            // The time is the same for any password. Firebase's hashes all have one cost.
            let timed = !firebase && started.elapsed() < SURVEY;
            let checked = match (timed, firebase) {
                (true, _) => matches(b"survey", &hash, memory).map(drop),
                (false, true) => Ok(()),
                (false, false) => hash::read(&hash).map(drop),
            };
            match checked {
                Err(why) => shown["unsupported"] = why.words().into(),
                Ok(()) if timed => {
                    shown["ms"] = (began.elapsed().as_micros() as f64 / 1000.0).into()
                }
                Ok(()) => {}
            }
            shown
        })
        .collect();
    if without > 0 {
        formats.push(json!({ "format": "no password", "rows": without }));
    }
    formats
}

/// The one row, or the verdict if there is not exactly one.
pub(super) fn only(mut rows: Vec<Map<String, Value>>) -> Result<Map<String, Value>, Verdict> {
    match (rows.pop(), rows.is_empty()) {
        (None, _) => Err(Verdict::NotFound),
        (Some(row), true) => Ok(row),
        // Two accounts have this name: the password may belong to either one.
        (Some(_), false) => Err(Verdict::NotEligible),
    }
}

/// The hash in a column. `None` if the user has no password: Django and shadow files mark such accounts with `!` or `*`.
/// Keycloak's column may have the type json.
pub(crate) fn usable(stored: Option<&Value>) -> Option<String> {
    let text = match stored? {
        Value::String(text) => text.clone(),
        Value::Object(object) => json!(object).to_string(),
        _ => return None,
    };
    let text = text.trim_end_matches(' ');
    // MySQL's own hashes begin with a star too.
    let is_mysql = text.len() == 41 && text.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
    let is_marked = text.starts_with('!') || (text.starts_with('*') && !is_mysql);
    (!text.is_empty() && !is_marked).then(|| text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use jane_migrate_config::{HashFormat, Secret};

    use super::*;
    use crate::fixtures::{event, sign_in};

    /// The settings of a table with one kind of hash.
    pub(crate) fn settings(decoy: Option<&str>) -> config::Database {
        config::Database {
            host: "localhost".into(),
            port: None,
            database: "shop".into(),
            user: "migration".into(),
            password: Secret::Env("P".into()),
            query: "SELECT $1".into(),
            on_wrong_password: None,
            password_column: "hash".into(),
            hash: HashFormat::Bcrypt,
            decoy: decoy.map(str::to_owned),
            pepper: None,
            firebase: None,
            timeout_ms: 3500,
            ca_certificate: None,
        }
    }

    fn hashes(decoy: Option<&str>) -> Hashes {
        let secrets = Secrets::new(None, String::new());
        Hashes::new(&settings(decoy), Arc::new(secrets))
    }

    fn cost(hash: &str) -> &str {
        &hash[..7]
    }

    const SEEN: &str = "$2y$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG";

    #[test]
    fn a_decoy_costs_as_much_as_the_hashes_of_the_table() {
        let own = hashes(None);
        assert_eq!(cost(&own.decoy()), "$2b$12$", "nothing is known yet");
        lock(&own.seen).note("ann", SEEN.to_owned());
        assert_eq!(cost(&own.decoy()), cost(SEEN));
        assert!(!format!("{own:?}").contains("mzL0N04"));
        let eight = SEEN.replace("$04$", "$08$");
        let configured = hashes(Some(&eight));
        lock(&configured.seen).note("ann", SEEN.to_owned());
        assert_eq!(cost(&configured.decoy()), "$2y$08$");
        let damaged = hashes(Some("$2b$08$x"));
        assert_eq!(cost(&damaged.decoy()), "$2b$12$", "it cannot be checked");
    }

    #[test]
    fn one_account_does_not_decide_the_decoys_cost() {
        let hashes = hashes(None);
        let of = |cost: &str| SEEN.replace("$04$", cost);
        for (name, cost) in [
            ("ann", "$10$"),
            ("bob", "$10$"),
            ("eve", "$04$"),
            ("eve", "$04$"),
            ("eve", "$04$"),
        ] {
            lock(&hashes.seen).note(name, of(cost));
        }
        assert_eq!(cost(&hashes.decoy()), "$2y$10$");
        for name in ["fay", "gus"] {
            lock(&hashes.seen).note(name, of("$04$"));
        }
        assert_eq!(cost(&hashes.decoy()), "$2y$04$");
        for number in 0..100 {
            lock(&hashes.seen).note(
                &format!("name {number}"),
                of(&format!("${}$", 10 + number % 50)),
            );
        }
        assert!(lock(&hashes.seen).costs.len() <= MOST_COSTS);
    }

    #[tokio::test]
    async fn an_unsupported_hash_is_named_and_takes_as_long_as_a_wrong_password() {
        let hashes = hashes(Some(SEEN));
        let event = event(sign_in("ann", "secret"), &crate::fixtures::settings(&[]));
        for (stored, expected) in [
            (
                json!("$1$salt$qJH7.N4xYta3aEG/dfqo/0"),
                "$1$: unknown format",
            ),
            (json!("hunter2"), "no known form: unknown format"),
            (
                json!("{noop}hunter2"),
                "{noop}: plain text or a digest that is not fit for passwords",
            ),
            (json!("$2b$12$canary"), "no known form: damaged"),
        ] {
            let budget = Budget::new(Duration::from_secs(5));
            let row = Map::from_iter([("hash".to_owned(), stored)]);
            let verdict = hashes
                .judge(&event, Ok(row), &"secret".into(), &budget)
                .await;
            assert_eq!(verdict, Ok(Verdict::UnsupportedHash(expected.to_owned())));
            let calls: Vec<_> = budget.calls().iter().map(|call| call.call).collect();
            assert_eq!(calls, ["hash", "hash"], "the second is against the decoy");
        }
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_is_an_outage_for_every_name() {
        let slow = SEEN.replace("$04$", "$14$");
        let hashes = hashes(Some(&slow));
        let event = event(sign_in("ann", "secret"), &crate::fixtures::settings(&[]));
        let row = |hash: Value| Ok(Map::from_iter([("hash".to_owned(), hash)]));
        for row in [
            row(slow.clone().into()),
            row(Value::Null),
            Err(Verdict::NotFound),
        ] {
            let budget = Budget::new(Duration::from_millis(20));
            let verdict = hashes.judge(&event, row, &"secret".into(), &budget).await;
            assert_eq!(verdict, Err(Unavailable("timeout")));
        }
    }

    #[test]
    fn a_hash_too_large_for_the_functions_memory_is_not_checked() {
        let argon2 = "$argon2id$v=19$m=65536,t=1,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8";
        assert_eq!(matches(b"x", argon2, 64 << 20), Ok(false));
        assert_eq!(matches(b"x", argon2, (64 << 20) - 1), Err(Why::Memory));
    }

    #[test]
    fn a_survey_counts_formats_and_measures_each() {
        let hash = |text: &str| Some(text.to_owned());
        let stored = vec![
            hash(SEEN),
            None,
            hash("$1$salt$qJH7.N4xYta3aEG/dfqo/0"),
            hash(SEEN),
            hash("!"),
        ];
        let formats = formats(stored, 64 << 20, false);
        assert_eq!(
            (&formats[0]["format"], &formats[0]["rows"]),
            (&json!("$2y$04$"), &json!(2))
        );
        assert!(formats[0]["ms"].as_f64().unwrap() > 0.0);
        assert_eq!(formats[1]["unsupported"], "unknown format");
        assert_eq!(formats[2], json!({ "format": "no password", "rows": 2 }));
        assert!(!format!("{formats:?}").contains("mzL0N04"));
    }

    #[test]
    fn only_one_row_is_a_user() {
        let user = Map::from_iter([("id".to_owned(), 1.into())]);
        assert_eq!(only(vec![]), Err(Verdict::NotFound));
        assert_eq!(only(vec![user.clone()]), Ok(user.clone()));
        assert_eq!(only(vec![user.clone(), user]), Err(Verdict::NotEligible));
    }

    #[test]
    fn a_marked_or_empty_hash_is_no_password() {
        for none in ["", "  ", "!", "!x", "*", "*LK*"] {
            assert_eq!(usable(Some(&none.into())), None, "{none}");
        }
        assert_eq!(usable(None), None);
        assert_eq!(usable(Some(&1.into())), None);
        let mysql = "*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29";
        assert_eq!(usable(Some(&mysql.into())).as_deref(), Some(mysql));
        assert_eq!(usable(Some(&"$2b$   ".into())).as_deref(), Some("$2b$"));
        assert_eq!(
            usable(Some(&json!({ "value": "x" }))).as_deref(),
            Some(r#"{"value":"x"}"#)
        );
    }
}
