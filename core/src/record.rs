//! The record of deploy's changes to the pool and its clients, which teardown puts back. It is written twice, in the tags of the
//! function and of the role, because different permissions protect them (`lambda:TagResource` and `iam:TagRole`): a value in only
//! one of them is not trusted. Deploy adds to each and copies nothing from one to the other, unless the other no longer exists.
//!
//! Another tool's function gets no tags of ours. For it, the snapshot beside the configuration records deploy's changes, and the
//! id of our statement in the function's policy contains the snapshot's digest: again two places with different permissions.

use std::collections::{BTreeMap, BTreeSet};

use jane_migrate_config::Arn;
use serde_json::{Value, json};

use crate::ids::{Names, PoolArn, digest_of_statement};
use crate::permission::Policy;
use crate::resources::{ObservedFunction, Role, Tags, is_ours, tag};
use crate::snapshot::Snapshot;
use crate::trigger::Trigger;

/// Deploy's changes, according to one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The clients whose flows were changed, each with the word that undoes it.
    pub opened: BTreeMap<String, String>,
    /// The triggers that ours replaced. One that is no longer ours stays here: only a trigger that calls our function is ever put
    /// back.
    pub replaced: BTreeMap<Trigger, String>,
}

impl Record {
    /// Reads the record from tags.
    pub fn of(tags: &Tags) -> Self {
        let replaced = |trigger| {
            let arn = tags.get(replaced_tag(trigger))?;
            (arn != NO_TRIGGER).then(|| (trigger, arn.clone()))
        };
        Self {
            opened: opened_clients(tags),
            replaced: Trigger::ALL.into_iter().filter_map(replaced).collect(),
        }
    }

    /// Reads the record from a snapshot.
    pub fn of_snapshot(snapshot: &Value) -> Option<Self> {
        let texts = |value: &Value| -> BTreeMap<String, String> {
            let members = value.as_object().into_iter().flatten();
            members
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        let changed = snapshot.get(CHANGED)?;
        let replaced = texts(&changed["Replaced"]);
        let replaced = Trigger::ALL.into_iter().filter_map(|trigger| {
            let arn = replaced.get(trigger.member())?;
            Some((trigger, arn.clone()))
        });
        Some(Self {
            replaced: replaced.collect(),
            opened: texts(&changed["Opened"]),
        })
    }

    /// The record in a snapshot, under [`CHANGED`].
    pub fn to_json(&self) -> Value {
        let replaced = self.replaced.iter();
        let replaced: BTreeMap<_, _> = replaced
            .map(|(trigger, arn)| (trigger.member(), arn))
            .collect();
        json!({ "Opened": self.opened, "Replaced": replaced })
    }

    /// The same without what a teardown of the migration puts back.
    #[must_use]
    pub fn without_migration(&self) -> Self {
        let mut rest = self.clone();
        rest.opened.clear();
        rest.replaced.remove(&Trigger::UserMigration);
        rest
    }

    /// The tags to set on a place in addition to its existing ones. No existing tag gets a new value, except the trigger's: two
    /// deploys that change different clients at the same time do not overwrite each other.
    pub fn tags_beside(&self, there: &Tags) -> Tags {
        let known = Self::of(there);
        let new = self
            .opened
            .iter()
            .filter(|(client, _)| !known.opened.contains_key(*client));
        let mut tags: Tags = there
            .iter()
            .filter(|(key, _)| is_of_record(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .chain(opened_clients_tags(new))
            .collect();
        for trigger in Trigger::ALL {
            let key = replaced_tag(trigger);
            match self.replaced.get(&trigger) {
                Some(arn) => {
                    tags.insert(key.to_owned(), arn.clone());
                }
                None => {
                    if let Some(value) = tags.get_mut(key) {
                        NO_TRIGGER.clone_into(value);
                    }
                }
            }
        }
        tags
    }
}

/// The field of a snapshot with the record.
pub const CHANGED: &str = "Changed";

/// The value of the trigger's tag if there is none to put back. A tag of clients with this value names none.
const NO_TRIGGER: &str = "none";

/// The tags that erase another owner's record. Overwriting tags is easier than removing them.
pub fn forgotten(there: &Tags) -> Tags {
    let keys = there.keys().filter(|key| is_of_record(key));
    keys.map(|key| (key.clone(), NO_TRIGGER.to_owned()))
        .collect()
}

/// The tags that erase the record after a teardown of the migration, if the function stays for other triggers: the changes were
/// put back, and must not be put back a second time.
pub fn settled(there: &Tags) -> Tags {
    let migration = replaced_tag(Trigger::UserMigration);
    let of_migration = |key: &str| key.starts_with(tag::OPENED_CLIENTS) || key == migration;
    there
        .iter()
        .filter(|(key, value)| of_migration(key) && *value != NO_TRIGGER)
        .map(|(key, _)| (key.clone(), NO_TRIGGER.to_owned()))
        .collect()
}

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the function's tags.
    Function,
    /// In the role's tags.
    Role,
}

impl Place {
    /// The name for the operator.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Role => "role",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Function => Self::Role,
            Self::Role => Self::Function,
        }
    }
}

/// Both records; `None`: the function or role does not exist, or is not ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// The record of the function.
    pub function: Option<Record>,
    /// The record of the role.
    pub role: Option<Record>,
    /// For another tool's function: the record of the snapshot that the function's policy names.
    pub snapshot: Option<Record>,
}

/// What is trusted in the records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust<'a> {
    /// The only record to use, even if the other differs.
    pub alone: Option<Place>,
    /// Another account whose function may become the pool's trigger.
    pub account: Option<&'a str>,
    /// The snapshots on this machine.
    pub snapshots: &'a [Snapshot],
}

/// Why a record is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The two differ: the function's, the role's.
    Differ(Option<String>, Option<String>),
    /// Only this place is left, and no snapshot confirms it.
    Alone(Place, String),
    /// The snapshots on this machine have another trigger.
    NotInSnapshot(String),
    /// It belongs to this account, which is not the pool's.
    OtherAccount(String, String),
    /// It is no Lambda function.
    NoFunction(String),
}

impl Records {
    /// Reads both.
    pub fn of(function: Option<&ObservedFunction>, role: Option<&Role>, pool: &PoolArn) -> Self {
        let read = |tags: Option<&Tags>| Some(Record::of(tags.filter(|tags| is_ours(tags, pool))?));
        Self {
            function: read(function.map(|function| &function.function.tags)),
            role: read(role.map(|role| &role.tags)),
            snapshot: None,
        }
    }

    /// Reads the record for another tool's function.
    pub fn given(policy: &Policy, snapshots: &[Snapshot]) -> Self {
        let digests: Vec<&str> = given_statements(policy)
            .filter_map(digest_of_statement)
            .collect();
        let named = |snapshot: &&Snapshot| {
            let mut digests = digests.iter();
            digests.any(|begin| !begin.is_empty() && snapshot.digest.starts_with(begin))
        };
        Self {
            snapshot: snapshots
                .iter()
                .filter(named)
                .find_map(|snapshot| Record::of_snapshot(&snapshot.json)),
            ..Self::default()
        }
    }

    /// The record of one place.
    pub fn at(&self, place: Place) -> Option<&Record> {
        match place {
            Place::Function => self.function.as_ref(),
            Place::Role => self.role.as_ref(),
        }
    }

    fn both(&self) -> impl Iterator<Item = &Record> {
        [&self.function, &self.role, &self.snapshot]
            .into_iter()
            .flatten()
    }

    /// The record for a place that is created again: the other's. An existing place keeps its own.
    pub fn for_new(&self, place: Place) -> Record {
        self.at(place.other()).cloned().unwrap_or_default()
    }

    /// The opened clients for a snapshot, without those about which the records differ: `restore` closes each, and a person who can
    /// write only one of the records must not decide that.
    pub fn agreed(&self) -> Record {
        let trust = Trust::default();
        let agreed = self.clients().into_iter().filter_map(|client| {
            let word = self.opened(client, &trust).ok()??;
            Some((client.to_owned(), word.to_owned()))
        });
        Record {
            opened: agreed.collect(),
            ..Record::default()
        }
    }

    /// Every client in either of them.
    pub fn clients(&self) -> BTreeSet<&str> {
        self.both()
            .flat_map(|record| record.opened.keys())
            .map(String::as_str)
            .collect()
    }

    /// The word that undoes the change of a client; `None`: it was never changed. If only one place is left, it is trusted:
    /// closing a flow exposes no password.
    ///
    /// # Errors
    /// The two differ.
    pub fn opened(&self, client: &str, trust: &Trust<'_>) -> Result<Option<&str>, Doubt> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(snapshot.opened.get(client).map(String::as_str));
        }
        let word = |place| Some(self.at(place)?.opened.get(client).map(String::as_str));
        let said = match trust.alone {
            Some(place) => word(place).flatten(),
            None => match (word(Place::Function), word(Place::Role)) {
                (Some(function), Some(role)) if function != role => {
                    return Err(Doubt::differ(function, role));
                }
                (function, role) => function.or(role).flatten(),
            },
        };
        Ok(said)
    }

    /// The trigger that ours replaced, to put back.
    ///
    /// # Errors
    /// There is a trigger, but it is not confirmed enough: customers' passwords would go there.
    pub fn replaced(
        &self,
        trigger: Trigger,
        names: &Names,
        trust: &Trust<'_>,
    ) -> Result<Option<&str>, Doubt> {
        let said = |place| {
            let record = self.at(place)?;
            Some(record.replaced.get(&trigger).map(String::as_str))
        };
        let arn = match trust.alone {
            _ if self.snapshot.is_some() => self
                .snapshot
                .as_ref()
                .and_then(|record| record.replaced.get(&trigger))
                .map(String::as_str),
            Some(place) => said(place).flatten(),
            None => {
                let (function, role) = (said(Place::Function), said(Place::Role));
                confirmed(trigger, names, function, role, trust.snapshots)?
            }
        };
        let Some(arn) = arn else { return Ok(None) };
        let Some(account) = account_of_function(arn) else {
            return Err(Doubt::NoFunction(arn.to_owned()));
        };
        match account == names.pool.account || trust.account == Some(&account) {
            true => Ok(Some(arn)),
            false => Err(Doubt::OtherAccount(account, arn.to_owned())),
        }
    }
}

/// The ids of our statements in the policy of another tool's function.
pub fn given_statements(policy: &Policy) -> impl Iterator<Item = &str> {
    let ids = policy
        .statements
        .iter()
        .filter_map(|one| one["Sid"].as_str());
    ids.filter(|id| digest_of_statement(id).is_some())
}

/// The account of a Lambda function's ARN. It becomes part of a printed command.
fn account_of_function(arn: &str) -> Option<String> {
    let arn: Arn = arn.parse().ok()?;
    let named = arn.resource.strip_prefix("function:");
    let is_account = arn.account.len() == 12 && arn.account.bytes().all(|b| b.is_ascii_digit());
    let is_function = arn.service == "lambda" && named.is_some_and(|name| !name.is_empty());
    (is_account && is_function).then_some(arn.account)
}

/// The trigger, if it is confirmed enough.
fn confirmed<'a>(
    trigger: Trigger,
    names: &Names,
    function: Option<Option<&'a str>>,
    role: Option<Option<&'a str>>,
    snapshots: &[Snapshot],
) -> Result<Option<&'a str>, Doubt> {
    let (arn, alone) = match (function, role) {
        (Some(function), Some(role)) if function != role => {
            return Err(Doubt::differ(function, role));
        }
        (Some(function), Some(_)) => (function, None),
        (Some(function), None) => (function, Some(Place::Function)),
        (None, role) => (role.flatten(), Some(Place::Role)),
    };
    let Some(named) = arn else { return Ok(None) };
    // A snapshot from after our trigger was set does not show the trigger before.
    let before = snapshots.iter().filter_map(|snapshot| {
        let kept = snapshot.json["UserPool"]["LambdaConfig"][trigger.member()].as_str();
        (!kept.is_some_and(|arn| names.is_our_function(arn))).then_some(kept)
    });
    let before: Vec<_> = before.collect();
    match (before.contains(&Some(named)), alone) {
        (true, _) => Ok(arn),
        (false, _) if !before.is_empty() => Err(Doubt::NotInSnapshot(named.to_owned())),
        (false, Some(place)) => Err(Doubt::Alone(place, named.to_owned())),
        (false, None) => Ok(arn),
    }
}

impl Doubt {
    fn differ(function: Option<&str>, role: Option<&str>) -> Self {
        Self::Differ(function.map(str::to_owned), role.map(str::to_owned))
    }

    /// As a sentence, about what was `written down`.
    pub fn explain(&self, written_down: &str) -> String {
        match self {
            Self::Differ(..) => format!(
                "the tags of the function and those of the role name different values for {written_down}"
            ),
            Self::Alone(place, _) => format!(
                "{written_down} is named by the tags of the {} alone: the {} is gone or not deploy's own, and no snapshot of the pool is on this machine",
                place.name(),
                place.other().name()
            ),
            Self::NotInSnapshot(_) => format!(
                "{written_down} is named by the tags, and no snapshot of the pool on this machine has it"
            ),
            Self::OtherAccount(account, _) => format!(
                "{written_down} belongs to another account, {account}: its owner would get customers' passwords"
            ),
            Self::NoFunction(_) => {
                format!(
                    "{written_down} is named by the tags, and is not the ARN of a Lambda function"
                )
            }
        }
    }

    /// What was found.
    pub fn found(&self) -> String {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Differ(function, role) => {
                format!("function: {}; role: {}", shown(function), shown(role))
            }
            Self::Alone(_, arn)
            | Self::NotInSnapshot(arn)
            | Self::OtherAccount(_, arn)
            | Self::NoFunction(arn) => arn.clone(),
        }
    }

    /// The flag that overrides it, after an operator has looked. None: the tags must be corrected first.
    pub fn flag(&self) -> Option<String> {
        match self {
            Self::Differ(..) => Some(" --trust role".to_owned()),
            Self::Alone(place, _) => Some(format!(" --trust {}", place.name())),
            Self::NotInSnapshot(_) => Some(" --trust function".to_owned()),
            Self::OtherAccount(account, _) => Some(format!(" --trigger-account {account}")),
            Self::NoFunction(_) => None,
        }
    }
}

fn replaced_tag(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::UserMigration => tag::REPLACED_TRIGGER,
        Trigger::PreSignUp => tag::REPLACED_PRE_SIGN_UP,
        Trigger::PostConfirmation => tag::REPLACED_POST_CONFIRMATION,
    }
}

fn is_of_record(key: &str) -> bool {
    let replaced = Trigger::ALL.into_iter().map(replaced_tag);
    key.starts_with(tag::OPENED_CLIENTS) || replaced.into_iter().any(|known| known == key)
}

fn opened_clients(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter()
        .filter(|(key, _)| key.starts_with(tag::OPENED_CLIENTS))
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(|entry| entry.split_once('='))
        .map(|(client, record)| (client.to_owned(), record.to_owned()))
        .collect()
}

/// As many clients per value as its 256 characters hold. The key is derived from the value, so another run that records other
/// clients at the same time uses another key.
fn opened_clients_tags<'a>(
    opened: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = (String, String)> {
    let mut values: Vec<String> = Vec::new();
    for (client, record) in opened {
        let entry = format!("{client}={record}");
        match values.last_mut() {
            Some(value) if value.len() + 1 + entry.len() <= 256 => {
                value.push(' ');
                value.push_str(&entry);
            }
            _ => values.push(entry),
        }
    }
    values.into_iter().map(|value| {
        (
            format!("{}-{:08x}", tag::OPENED_CLIENTS, fnv(&value)),
            value,
        )
    })
}

/// FNV-1a: different values only need different keys.
fn fnv(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::given_statement;

    const POOL: &str = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
    const OLD: &str = "arn:aws:lambda:us-east-1:123456789012:function:old";
    const EVIL: &str = "arn:aws:lambda:us-east-1:123456789012:function:evil";

    fn record(opened: &[(&str, &str)], trigger: Option<&str>) -> Record {
        let opened = opened.iter();
        Record {
            opened: opened
                .map(|(id, word)| ((*id).to_owned(), (*word).to_owned()))
                .collect(),
            replaced: trigger
                .map(|arn| (Trigger::UserMigration, arn.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    fn snapshot(trigger: Value) -> Snapshot {
        Snapshot {
            json: json!({ "UserPool": { "LambdaConfig": { "UserMigration": trigger } } }),
            digest: String::new(),
            path: String::new(),
        }
    }

    fn trigger(
        function: Option<Option<&str>>,
        role: Option<Option<&str>>,
        trust: &Trust<'_>,
    ) -> Result<Option<String>, Doubt> {
        let place = |said: Option<Option<&str>>| said.map(|arn| record(&[], arn));
        let records = Records {
            function: place(function),
            role: place(role),
            snapshot: None,
        };
        let names = Names::new(POOL.parse().unwrap());
        let replaced = records.replaced(Trigger::UserMigration, &names, trust)?;
        Ok(replaced.map(str::to_owned))
    }

    #[test]
    fn only_a_function_of_an_account_is_put_back() {
        for odd in [
            "hello",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:lambda:us-east-1::function:x",
            "arn:aws:lambda:us-east-1:123456789012:layer:x",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            // The account becomes part of a printed command.
            "arn:aws:lambda:us-east-1:999999999999 --yes:function:x",
        ] {
            let doubt = trigger(Some(Some(odd)), Some(Some(odd)), &Trust::default());
            assert_eq!(doubt, Err(Doubt::NoFunction(odd.to_owned())));
        }
    }

    #[test]
    fn a_trigger_is_put_back_only_if_two_places_name_it() {
        let nothing = Trust::default();
        let old = Ok(Some(OLD.to_owned()));
        assert_eq!(trigger(Some(Some(OLD)), Some(Some(OLD)), &nothing), old);
        assert_eq!(trigger(Some(None), Some(None), &nothing), Ok(None));
        assert_eq!(trigger(None, None, &nothing), Ok(None));
        for (function, role) in [
            (Some(EVIL), None),
            (None, Some(EVIL)),
            (Some(EVIL), Some(OLD)),
        ] {
            let doubt = trigger(Some(function), Some(role), &nothing);
            assert!(matches!(doubt, Err(Doubt::Differ(..))), "{doubt:?}");
        }
        let doubt = trigger(Some(Some(OLD)), None, &nothing);
        assert_eq!(doubt, Err(Doubt::Alone(Place::Function, OLD.into())));
        let doubt = trigger(None, Some(Some(OLD)), &nothing);
        assert_eq!(doubt, Err(Doubt::Alone(Place::Role, OLD.into())));
    }

    #[test]
    fn a_snapshot_confirms_or_contradicts_a_trigger() {
        let (with, without) = ([snapshot(json!(OLD))], [snapshot(Value::Null)]);
        let trust = |snapshots| Trust {
            snapshots,
            ..Trust::default()
        };
        let old = Ok(Some(OLD.to_owned()));
        assert_eq!(trigger(None, Some(Some(OLD)), &trust(&with)), old);
        let not_in = |arn: &str| Err(Doubt::NotInSnapshot(arn.to_owned()));
        let both = |arn, snapshots| trigger(Some(Some(arn)), Some(Some(arn)), &trust(snapshots));
        assert_eq!(both(OLD, &with[..]), old);
        assert_eq!(both(EVIL, &with), not_in(EVIL));
        assert_eq!(both(OLD, &without), not_in(OLD));

        // The snapshot of a second operator, whose pool was already live.
        let ours = Names::new(POOL.parse().unwrap()).live_arn;
        let later = [snapshot(json!(ours))];
        let two = [snapshot(json!(ours)), snapshot(json!(OLD))];
        assert_eq!(both(OLD, &later), old);
        assert_eq!(both(EVIL, &two), not_in(EVIL));
    }

    #[test]
    fn the_operator_can_choose_the_record_and_the_account() {
        let role = Trust {
            alone: Some(Place::Role),
            ..Trust::default()
        };
        let old = Ok(Some(OLD.to_owned()));
        assert_eq!(trigger(Some(Some(EVIL)), Some(Some(OLD)), &role), old);
        assert_eq!(trigger(Some(Some(EVIL)), None, &role), Ok(None));

        let foreign = OLD.replace("123456789012", "210987654321");
        let both = |trust: &Trust<'_>| trigger(Some(Some(&foreign)), Some(Some(&foreign)), trust);
        let doubt = Doubt::OtherAccount("210987654321".into(), foreign.clone());
        assert_eq!(both(&Trust::default()), Err(doubt.clone()));
        assert_eq!(doubt.flag().unwrap(), " --trigger-account 210987654321");
        let account = |account| Trust {
            account: Some(account),
            ..Trust::default()
        };
        assert_eq!(both(&account("210987654321")), Ok(Some(foreign.clone())));
        assert!(both(&account("111111111111")).is_err());
        assert!(trigger(Some(Some("odd")), Some(Some("odd")), &Trust::default()).is_err());
    }

    #[test]
    fn a_client_is_closed_if_both_records_agree_or_one_is_left() {
        let nothing = Trust::default();
        let records = |function, role| Records {
            function,
            role,
            snapshot: None,
        };
        let one = record(&[("a", "X")], None);
        let other = record(&[("a", "Y"), ("b", "X")], None);
        let both = records(Some(one.clone()), Some(other));
        assert_eq!(both.clients(), ["a", "b"].into());
        assert!(both.opened("a", &nothing).is_err());
        assert!(both.opened("b", &nothing).is_err());
        assert_eq!(both.agreed(), Record::default());
        let same = records(Some(one.clone()), Some(one.clone()));
        assert_eq!(same.agreed(), one);
        let role = Trust {
            alone: Some(Place::Role),
            ..nothing
        };
        assert_eq!(both.opened("a", &role), Ok(Some("Y")));
        assert_eq!(
            records(None, Some(one)).opened("a", &nothing),
            Ok(Some("X"))
        );
        assert_eq!(Records::default().opened("a", &nothing), Ok(None));
    }

    #[test]
    fn opened_clients_are_written_to_tags_and_read_back() {
        let all: Vec<(String, &str)> = (0..40)
            .map(|n| (format!("client{n:020}"), "ALLOW_USER_PASSWORD_AUTH"))
            .collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(id, word)| (&**id, *word)).collect();
        let whole = record(&all, None);
        let tags = whole.tags_beside(&Tags::new());
        assert!(tags.len() > 2 && tags.values().all(|value| value.len() <= 256));
        assert_eq!(Record::of(&tags), whole);
        assert!(Record::default().tags_beside(&Tags::new()).is_empty());
        // Existing clients keep their key, and none is recorded twice.
        assert_eq!(whole.tags_beside(&tags), tags);
    }

    #[test]
    fn two_parallel_deploys_do_not_overwrite_each_other() {
        let word = "ALLOW_USER_PASSWORD_AUTH";
        let before = record(&[("a", word)], None).tags_beside(&Tags::new());
        let one = record(&[("b", word), ("c", word)], None).tags_beside(&before);
        let other = record(&[("b", word), ("d", word)], None).tags_beside(&before);
        let mut both = one;
        both.extend(other);
        let all = [("a", word), ("b", word), ("c", word), ("d", word)];
        assert_eq!(Record::of(&both), record(&all, None));
    }

    #[test]
    fn a_foreign_record_is_overwritten() {
        let word = "ALLOW_USER_PASSWORD_AUTH";
        let mut there = record(&[("a", word)], Some(OLD)).tags_beside(&Tags::new());
        there.insert("Team".into(), "web".into());
        let forgotten = forgotten(&there);
        assert_eq!(forgotten.len(), 2);
        there.extend(forgotten);
        assert_eq!(Record::of(&there), Record::default());
        assert_eq!(there["Team"], "web");
    }

    #[test]
    fn a_trigger_that_is_not_put_back_is_removed_from_the_record() {
        let mut there = record(&[], Some(OLD)).tags_beside(&Tags::new());
        assert_eq!(Record::of(&there), record(&[], Some(OLD)));
        there.extend(Record::default().tags_beside(&there));
        assert_eq!(Record::of(&there), Record::default());
    }

    #[test]
    fn the_record_of_another_tools_function_is_in_the_snapshot_that_its_policy_names() {
        let kept = record(&[("web", "password"), ("app", "all")], Some(OLD));
        let digest = "0123456789abcdef0123456789abcdef0123456789abcdef";
        let named = Snapshot {
            json: json!({ CHANGED: kept.to_json() }),
            digest: digest.to_owned(),
            path: String::new(),
        };
        assert_eq!(Record::of_snapshot(&named.json), Some(kept.clone()));
        assert_eq!(Record::of_snapshot(&json!({})), None);
        let other = Snapshot {
            json: json!({ CHANGED: record(&[("x", "all")], None).to_json() }),
            digest: "f".repeat(48),
            path: String::new(),
        };
        let snapshots = [other, named];
        let policy = |ids: &[&str]| Policy {
            statements: ids.iter().map(|id| json!({ "Sid": id })).collect(),
        };
        let ours = given_statement(digest);
        let records = Records::given(&policy(&["another", &ours]), &snapshots);
        assert_eq!(records.snapshot.as_ref(), Some(&kept));
        let trust = Trust::default();
        assert_eq!(records.opened("web", &trust), Ok(Some("password")));
        assert_eq!(records.opened("x", &trust), Ok(None));
        let names = Names::new(POOL.parse().unwrap());
        let migration = Trigger::UserMigration;
        assert_eq!(records.replaced(migration, &names, &trust), Ok(Some(OLD)));
        // A teardown of the migration puts these back; other triggers stay.
        let rest = kept.without_migration();
        assert_eq!(rest, Record::default());
        let sign_up = Record {
            replaced: [(Trigger::PreSignUp, OLD.to_owned())].into(),
            ..Record::default()
        };
        assert_eq!(sign_up.without_migration(), sign_up);
        // An id without a digest names no snapshot.
        for ids in [&["another"][..], &[&given_statement("")]] {
            let records = Records::given(&policy(ids), &snapshots);
            assert_eq!(records, Records::default(), "{ids:?}");
        }
    }

    #[test]
    fn a_place_that_is_made_again_gets_the_record_of_the_other() {
        let records = Records {
            function: Some(record(&[("web", "all")], None)),
            role: None,
            snapshot: None,
        };
        assert_eq!(
            records.for_new(Place::Role),
            record(&[("web", "all")], None)
        );
        assert_eq!(records.for_new(Place::Function), Record::default());
        assert_eq!(Place::Function.name(), "function");
        assert_eq!(Place::Role.name(), "role");
    }
}
