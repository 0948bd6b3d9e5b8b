//! What was done with a pool's function, by which principal and when, from the account's own records: the events of CloudTrail,
//! and the versions that Lambda keeps. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::ids::{Names, digest_of_statement};
use crate::lease::Lease;

/// The relevant events, by CloudTrail's names: Lambda's operations with the date of its API.
pub const EVENTS: [&str; 8] = [
    "CreateFunction20150331",
    "UpdateFunctionCode20150331v2",
    "PublishVersion20150331",
    "CreateAlias20150331",
    "UpdateAlias20150331",
    "DeleteFunction20150331",
    "AddPermission20150331v2",
    "RemovePermission20150331v2",
];

/// A version that Lambda keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub number: String,
    /// The digest of its code.
    pub code_sha256: String,
    /// When it was published, in Lambda's format.
    pub at: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// `deploy` ran.
    Deployed,
    /// The alias went back to an older version.
    RolledBack,
    /// `teardown` ran.
    TornDown,
    /// `restore` ran.
    Restored,
    /// `deploy` attached the pool to another tool's function.
    Attached,
    /// `teardown` detached it.
    Detached,
    /// The alias was moved by something else.
    AliasMoved,
    /// The code was changed by something else.
    CodeChanged,
    /// The function was deleted by something else.
    Deleted,
    /// A version was published before CloudTrail's history starts.
    Published,
}

impl What {
    /// In a word or two.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::RolledBack => "rolled back",
            Self::TornDown => "torn down",
            Self::Restored => "restored",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::AliasMoved => "alias moved",
            Self::CodeChanged => "code changed",
            Self::Deleted => "deleted",
            Self::Published => "published",
        }
    }

    /// The command in a lease.
    fn of(lease: &Lease) -> Self {
        match lease.by.split(' ').next() {
            Some("rollback") => Self::RolledBack,
            Some("teardown") => Self::TornDown,
            Some("restore") => Self::Restored,
            _ => Self::Deployed,
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it started, in UTC.
    pub at: String,
    /// What happened.
    pub what: What,
    /// The live version from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// The identity in AWS's event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The user and machine, from the run's lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The relevant parts of a CloudTrail event.
struct Event<'a> {
    name: &'a str,
    at: &'a str,
    who: Option<String>,
    request: &'a Value,
    response: &'a Value,
}

impl<'a> Event<'a> {
    /// The event, if it is about this function and succeeded.
    fn of(event: &'a Value, names: &Names) -> Option<Self> {
        let request = &event["requestParameters"];
        let named = request["functionName"].as_str()?;
        let named = named.split(":function:").last()?;
        let ours = named.split(':').next()? == names.function;
        if !ours || event["errorCode"].is_string() {
            return None;
        }
        let name = event["eventName"].as_str()?;
        let identity = &event["userIdentity"];
        let who = ["arn", "invokedBy", "principalId"];
        Some(Self {
            name: &name[..name
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(name.len())],
            at: event["eventTime"].as_str()?,
            who: who
                .into_iter()
                .find_map(|key| identity[key].as_str().map(str::to_owned)),
            request,
            response: &event["responseElements"],
        })
    }

    /// The order within one second: code before the alias that points to it, and the start of a run before its changes.
    fn rank(&self) -> u8 {
        match self.name {
            "CreateFunction" | "PublishVersion" => 0,
            "UpdateFunctionCode" => 2,
            "DeleteFunction" => 3,
            _ => 1,
        }
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.request[key].as_str()
    }
}

/// Combines the events of CloudTrail and the versions of Lambda; newest first.
pub fn read(events: &[Value], published: &[Published], names: &Names) -> Vec<Entry> {
    let mut events: Vec<Event<'_>> = events
        .iter()
        .filter_map(|event| Event::of(event, names))
        .collect();
    // The events of each name are newest first, and one second can have many.
    events.reverse();
    events.sort_by_key(|event| (event.at, event.rank()));
    let mut told = Telling::new(names);
    for event in &events {
        told.hear(event);
    }
    told.finish(published)
}

/// A run of this program.
struct Run {
    id: String,
    /// Its entry.
    at: usize,
    /// When it released its lease.
    ended: Option<String>,
}

/// The state after the events so far.
struct Telling<'a> {
    alias: &'a str,
    entries: Vec<Entry>,
    /// The current run, or the last one.
    run: Option<Run>,
    /// The version of the alias.
    version: Option<String>,
    digests: BTreeMap<String, String>,
    /// Our statements in the policy of another tool's function.
    statements: BTreeSet<String>,
    /// The entries before this index are about a function that was deleted.
    life: usize,
}

impl<'a> Telling<'a> {
    fn new(names: &'a Names) -> Self {
        Self {
            alias: names.live().unwrap_or_default(),
            entries: Vec::new(),
            run: None,
            version: None,
            digests: BTreeMap::new(),
            statements: BTreeSet::new(),
            life: 0,
        }
    }

    fn hear(&mut self, event: &Event<'_>) {
        match event.name {
            "PublishVersion" | "CreateFunction" => {
                let (version, digest) = (&event.response["version"], &event.response["codeSha256"]);
                if let (Some(version), Some(digest)) = (version.as_str(), digest.as_str()) {
                    self.digests.insert(version.to_owned(), digest.to_owned());
                }
            }
            "CreateAlias" | "UpdateAlias" if event.text("name") == Some(self.alias) => {
                self.alias_changed(event);
            }
            "UpdateFunctionCode" if self.at_work(event).is_none() => {
                self.tell(event, What::CodeChanged);
            }
            "DeleteFunction" if event.text("qualifier").is_none() => {
                if self.at_work(event).is_none() {
                    self.tell(event, What::Deleted);
                }
                self.run = None;
                self.version = None;
                self.digests.clear();
                self.life = self.entries.len();
            }
            "AddPermission" => {
                if let Some(id) = ours(event) {
                    self.statements.insert(id.to_owned());
                    self.tell(event, What::Attached);
                }
            }
            "RemovePermission" => {
                if let Some(id) = ours(event) {
                    self.statements.remove(id);
                    // A statement that is replaced by a newer one is no detach.
                    if self.statements.is_empty() {
                        self.tell(event, What::Detached);
                    }
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, event: &Event<'_>, what: What) {
        self.entries.push(Entry {
            at: event.at.to_owned(),
            what,
            version: None,
            code_sha256: None,
            who: event.who.clone(),
            run: None,
        });
    }

    /// The entry of the current run, if the event may be part of it.
    fn at_work(&self, event: &Event<'_>) -> Option<usize> {
        let run = self.run.as_ref()?;
        let lasts = run.ended.as_deref().is_none_or(|ended| event.at <= ended);
        Some(run.at).filter(|at| lasts && self.entries[*at].who == event.who)
    }

    fn alias_changed(&mut self, event: &Event<'_>) {
        let lease = event.text("description").and_then(Lease::parse);
        let to = event.text("functionVersion").map(str::to_owned);
        let moved = to.is_some() && to != self.version;
        if let Some(lease) = &lease {
            let known = self.run.as_ref().is_some_and(|run| run.id == lease.run);
            if !known && lease.until_s != 0 {
                self.tell(event, What::of(lease));
                let at = self.entries.len() - 1;
                self.entries[at].run = Some(lease.by.clone());
                self.run = Some(Run {
                    id: lease.run.clone(),
                    at,
                    ended: None,
                });
            }
        }
        if moved {
            // Events of one name are in order, even within a second.
            let ended = self.run.as_ref().is_some_and(|run| run.ended.is_some());
            let at = match self.at_work(event).filter(|_| !ended) {
                Some(at) => at,
                None => {
                    let number = |version: &Option<String>| version.as_ref()?.parse::<u64>().ok();
                    let older = number(&to).zip(number(&self.version));
                    // A rollback takes no lease, because it makes only one write.
                    let what = match older.is_some_and(|(to, from)| to < from) {
                        true => What::RolledBack,
                        false => What::AliasMoved,
                    };
                    self.tell(event, what);
                    self.entries.len() - 1
                }
            };
            let digest = to.as_ref().and_then(|to| self.digests.get(to).cloned());
            self.entries[at].code_sha256 = digest;
            self.entries[at].version.clone_from(&to);
        }
        self.version = to.or(self.version.take());
        let ends = lease.is_some_and(|lease| lease.until_s == 0);
        if let Some(run) = self.run.as_mut().filter(|_| ends) {
            run.ended = Some(event.at.to_owned());
        }
    }

    fn finish(mut self, published: &[Published]) -> Vec<Entry> {
        let here = &mut self.entries[self.life..];
        for entry in here.iter_mut() {
            let kept = published
                .iter()
                .find(|one| Some(&one.number) == entry.version.as_ref());
            if let (None, Some(kept)) = (&entry.code_sha256, kept) {
                entry.code_sha256 = Some(kept.code_sha256.clone());
            }
        }
        let told = |one: &&Published| {
            let of = |entry: &Entry| entry.version.as_ref() == Some(&one.number);
            !here.iter().any(of) && !self.digests.contains_key(&one.number)
        };
        let older: Vec<Entry> = published
            .iter()
            .filter(told)
            .map(|one| Entry {
                at: one.at.clone(),
                what: What::Published,
                version: Some(one.number.clone()),
                code_sha256: Some(one.code_sha256.clone()),
                who: None,
                run: None,
            })
            .collect();
        self.entries.extend(older);
        self.entries.sort_by(|a, b| b.at.cmp(&a.at));
        self.entries
    }
}

/// The statement's id, if it attaches a pool to another tool's function.
fn ours<'a>(event: &Event<'a>) -> Option<&'a str> {
    let id = event.text("statementId")?;
    digest_of_statement(id).map(|_| id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ANN: &str = "arn:aws:iam::123456789012:user/ann";
    const BOB: &str = "arn:aws:iam::123456789012:user/bob";

    fn event(second: u32, who: &str, name: &str, request: Value, response: Value) -> Value {
        let mut request = request;
        request["functionName"] = "jane-migrate-us-east-1_Ab1".into();
        json!({ "eventName": name, "eventTime": format!("2026-11-20T10:22:{second:02}Z"),
            "userIdentity": { "arn": who }, "requestParameters": request, "responseElements": response })
    }

    fn alias(second: u32, who: &str, version: &str, description: Value) -> Value {
        let mut request = json!({ "name": "live", "functionVersion": version });
        if description.is_string() {
            request["description"] = description;
        }
        event(second, who, "UpdateAlias20150331", request, Value::Null)
    }

    fn lease(run: &str, command: &str, until_s: i64) -> Value {
        let lease = Lease {
            by: format!("{command} by ann at laptop"),
            since: "2026-11-20T10:22:00Z".into(),
            until_s,
            run: run.into(),
        };
        lease.to_string().into()
    }

    fn told(
        events: &[Value],
        published: &[Published],
    ) -> Vec<(What, Option<String>, Option<String>)> {
        let arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Ab1";
        // In CloudTrail's order: newest first.
        let events: Vec<Value> = events.iter().rev().cloned().collect();
        let entries = read(&events, published, &Names::new(arn.parse().unwrap()));
        let short = entries.into_iter().map(|entry| {
            let who = entry
                .who
                .map(|who| who.rsplit('/').next().unwrap().to_owned());
            (
                entry.what,
                entry
                    .version
                    .zip(entry.code_sha256)
                    .map(|(v, c)| format!("{v} {c}")),
                who,
            )
        });
        short.collect()
    }

    #[test]
    fn each_run_is_one_entry_with_its_final_version() {
        let published = |second, number: &str, digest: &str| {
            let made = json!({ "version": number, "codeSha256": digest });
            event(second, ANN, "PublishVersion20150331", json!({}), made)
        };
        let events = [
            published(1, "1", "aaa"),
            event(
                2,
                ANN,
                "CreateAlias20150331",
                json!({ "name": "live", "functionVersion": "1", "description": lease("r1", "deploy", 9) }),
                Value::Null,
            ),
            alias(3, ANN, "1", lease("r1", "deploy", 0)),
            alias(10, ANN, "1", lease("r2", "deploy", 9)),
            event(
                11,
                ANN,
                "UpdateFunctionCode20150331v2",
                json!({}),
                Value::Null,
            ),
            published(12, "2", "bbb"),
            alias(13, ANN, "2", Value::Null),
            alias(14, ANN, "2", lease("r2", "deploy", 0)),
            alias(20, BOB, "1", Value::Null),
            event(
                30,
                BOB,
                "UpdateFunctionCode20150331v2",
                json!({}),
                Value::Null,
            ),
            alias(40, ANN, "1", lease("r3", "teardown", 9)),
            event(41, ANN, "DeleteFunction20150331", json!({}), Value::Null),
        ];
        let ann = Some("ann".to_owned());
        let bob = Some("bob".to_owned());
        let with = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(&events, &[]),
            [
                (What::TornDown, None, ann.clone()),
                (What::CodeChanged, None, bob.clone()),
                (What::RolledBack, with("1 aaa"), bob),
                (What::Deployed, with("2 bbb"), ann.clone()),
                (What::Deployed, with("1 aaa"), ann),
            ]
        );
    }

    #[test]
    fn versions_from_before_the_trail_are_listed_and_other_functions_ignored() {
        let mut other = alias(1, ANN, "7", Value::Null);
        other["requestParameters"]["functionName"] = "another".into();
        let mut refused = alias(2, ANN, "7", Value::Null);
        refused["errorCode"] = "AccessDenied".into();
        let kept = Published {
            number: "3".into(),
            code_sha256: "ccc".into(),
            at: "2026-01-01T00:00:00.000+0000".into(),
        };
        let statement = |second, name: &str, digest: &str| {
            let id = format!("jane-migrate-snapshot-{digest}");
            event(second, ANN, name, json!({ "statementId": id }), Value::Null)
        };
        let events = [
            other,
            refused,
            statement(5, "AddPermission20150331v2", "a"),
            statement(6, "AddPermission20150331v2", "b"),
            statement(7, "RemovePermission20150331v2", "a"),
            statement(8, "RemovePermission20150331v2", "b"),
        ];
        let told = told(&events, std::slice::from_ref(&kept));
        let whats: Vec<What> = told.into_iter().map(|(what, ..)| what).collect();
        let (attached, detached) = (What::Attached, What::Detached);
        assert_eq!(whats, [detached, attached, attached, What::Published]);
    }

    #[test]
    fn a_change_beside_a_run_is_not_part_of_it() {
        let code = |second, who: &str| {
            let name = "UpdateFunctionCode20150331v2";
            event(second, who, name, json!({}), Value::Null)
        };
        let whats = |events: &[Value]| -> Vec<(What, Option<String>)> {
            let told = told(events, &[]).into_iter();
            told.map(|(what, _, who)| (what, who)).collect()
        };
        let deployed = (What::Deployed, Some("ann".to_owned()));
        let changed = |who: &str| (What::CodeChanged, Some(who.to_owned()));
        let (begins, ends) = (lease("r1", "deploy", 9), lease("r1", "deploy", 0));
        // In one second, and CloudTrail does not say in which order.
        let within = [
            code(1, ANN),
            alias(1, ANN, "1", begins.clone()),
            alias(9, ANN, "1", ends.clone()),
            code(9, ANN),
        ];
        assert_eq!(whats(&within), std::slice::from_ref(&deployed));
        let beside = [
            alias(1, ANN, "1", begins),
            code(2, BOB),
            alias(9, ANN, "1", ends),
            code(10, ANN),
        ];
        assert_eq!(
            whats(&beside),
            [changed("ann"), changed("bob"), deployed.clone()]
        );
    }

    #[test]
    fn the_deletion_of_a_version_is_no_deletion_of_the_function() {
        let deletion = |second, request: Value| {
            event(second, BOB, "DeleteFunction20150331", request, Value::Null)
        };
        let events = [
            alias(1, ANN, "1", Value::Null),
            deletion(2, json!({ "qualifier": "0" })),
            deletion(3, json!({})),
        ];
        let whats: Vec<What> = told(&events, &[])
            .into_iter()
            .map(|(what, ..)| what)
            .collect();
        assert_eq!(whats, [What::Deleted, What::AliasMoved]);
    }

    #[test]
    fn a_version_is_listed_once_and_its_digest_found() {
        let kept = |number: &str| Published {
            number: number.into(),
            code_sha256: format!("digest-{number}"),
            at: "2026-11-20T10:22:00Z".into(),
        };
        let made = json!({ "version": "2", "codeSha256": "digest-2" });
        let events = [
            event(1, ANN, "PublishVersion20150331", json!({}), made),
            alias(2, ANN, "3", Value::Null),
            alias(3, ANN, "$LATEST", Value::Null),
        ];
        // The second was published within the trail, and the alias has never pointed to it.
        let told = told(&events, &[kept("1"), kept("2"), kept("3")]);
        let told: Vec<_> = told
            .into_iter()
            .map(|(what, version, _)| (what, version.unwrap_or_default()))
            .collect();
        assert_eq!(
            told,
            [
                (What::AliasMoved, String::new()),
                (What::AliasMoved, "3 digest-3".into()),
                (What::Published, "1 digest-1".into()),
            ]
        );
    }
}
