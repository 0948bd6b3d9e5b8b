//! The properties that must hold at every moment, with any faults: the pool loses no setting, no trigger calls a function that cannot
//! answer, and every change of the program is recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::{Aws, Call};
use crate::world::Run;

/// A document that the program did not create: the pool, or an app client by its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    Pool,
    Client(String),
}

impl Document {
    /// The document that a call reads or writes.
    pub fn of(call: &Call) -> Option<Self> {
        match call.action.as_str() {
            "DescribeUserPool" | "UpdateUserPool" => Some(Self::Pool),
            "DescribeUserPoolClient" | "UpdateUserPoolClient" => {
                Some(Self::Client(call.text("ClientId").to_owned()))
            }
            _ => None,
        }
    }

    fn now<'a>(&self, aws: &'a Aws) -> &'a Value {
        match self {
            Self::Pool => &aws.pool.document,
            Self::Client(id) => &aws.pool.clients[id],
        }
    }
}

/// The flows that allow a sign-in with a password.
const FLOWS: [&str; 2] = ["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"];

/// The triggers that the program may set.
const TRIGGERS: [&str; 3] = ["UserMigration", "PreSignUp", "PostConfirmation"];

/// The longest time in milliseconds from the arrival of the last read to the sending of the update, with the time of the read.
const GAP_MS: u64 = 1_150;

pub struct Judge {
    /// Each document as the other parties left it, without our changes.
    theirs: BTreeMap<Document, Value>,
    /// The last change by another party: the moment, and the time in milliseconds.
    changed: BTreeMap<Document, (u64, u64)>,
    moment: u64,
    /// A part of every ARN of our function.
    function: String,
    /// Our triggers that Terraform has put back, from an earlier read, and that the program has not written since.
    stale: BTreeMap<&'static str, Value>,
    /// Triggers that Terraform overwrote with ours in that way: the program cannot always know what to put back.
    overwritten: BTreeSet<&'static str>,
}

type Verdict = Result<(), String>;

impl Judge {
    pub fn new(aws: &Aws) -> Self {
        let clients = aws.pool.clients.iter();
        let clients = clients.map(|(id, client)| (Document::Client(id.clone()), client.clone()));
        let pool = (Document::Pool, aws.pool.document.clone());
        Self {
            theirs: clients.chain([pool]).collect(),
            changed: BTreeMap::new(),
            moment: 0,
            function: format!(":function:jane-migrate-{}", aws.pool.id()),
            stale: BTreeMap::new(),
            overwritten: BTreeSet::new(),
        }
    }

    pub fn moment(&self) -> u64 {
        self.moment
    }

    pub fn is_ours(&self, arn: &Value) -> bool {
        arn.as_str().is_some_and(|arn| arn.contains(&self.function))
    }

    /// A document as the other parties left it.
    pub fn theirs(&self, document: &Document) -> &Value {
        &self.theirs[document]
    }

    /// Another party changed a document; `theirs` is the result without our changes.
    pub fn changed(&mut self, document: Document, theirs: Value, now_ms: u64) {
        self.moment += 1;
        self.changed.insert(document.clone(), (self.moment, now_ms));
        self.theirs.insert(document, theirs);
    }

    /// A run of the program wrote. It sent the call at `sent_ms`; its last read of the document was at the moment `told`, or up to a
    /// second earlier.
    pub fn wrote(
        &mut self,
        aws: &Aws,
        run: &mut Run,
        call: &Call,
        (told, sent_ms): (u64, u64),
    ) -> Verdict {
        self.moment += 1;
        if let Some(document) = Document::of(call) {
            if document == Document::Pool {
                let now = &aws.pool.document["LambdaConfig"];
                self.stale.retain(|trigger, arn| now[*trigger] == *arn);
            }
            let (changed, changed_ms) = self.changed.get(&document).copied().unwrap_or_default();
            if changed > told || changed_ms + GAP_MS > sent_ms {
                // A change between the last read and the write: no order of calls prevents that. A read beside the write may show it.
                if changed > told && document == Document::Pool {
                    run.overwrote.push((document.clone(), changed, self.moment));
                }
                let theirs = self.without_ours(&document, document.now(aws));
                self.theirs.insert(document.clone(), theirs);
            }
            if let Some(snapshot) = &run.restores {
                self.restored(aws, &document, snapshot);
            }
        }
        self.changes(aws)
    }

    /// A run restores a document from a snapshot.
    fn restored(&mut self, aws: &Aws, document: &Document, snapshot: &Value) {
        let kept = match document {
            Document::Pool => Some(&snapshot["UserPool"]),
            Document::Client(id) => {
                let clients = snapshot["UserPoolClients"].as_array();
                clients
                    .into_iter()
                    .flatten()
                    .find(|client| client["ClientId"] == **id)
            }
        };
        let Some(kept) = kept else { return };
        let mut theirs = self.without_ours(document, kept);
        theirs["LastModifiedDate"] = document.now(aws)["LastModifiedDate"].clone();
        self.theirs.insert(document.clone(), theirs);
    }

    /// Whether the program has opened a client.
    fn is_open(&self, id: &str, client: &Value) -> bool {
        let theirs = &self.theirs[&Document::Client(id.to_owned())];
        let opens = |client: &Value| {
            flows(client)
                .iter()
                .any(|flow| FLOWS.contains(&flow.as_str()))
        };
        opens(client) && !opens(theirs)
    }

    /// A document without our changes: those settings are as the other parties left them.
    fn without_ours(&self, document: &Document, now: &Value) -> Value {
        let (mut now, theirs) = (now.clone(), &self.theirs[document]);
        match document {
            Document::Pool => {
                for trigger in TRIGGERS {
                    if self.is_ours(&now["LambdaConfig"][trigger]) {
                        set(
                            &mut now["LambdaConfig"],
                            trigger,
                            theirs["LambdaConfig"].get(trigger),
                        );
                    }
                }
            }
            Document::Client(id) if self.is_open(id, &now) => {
                let rest = flows(&now)
                    .into_iter()
                    .filter(|flow| !FLOWS.contains(&flow.as_str()));
                if rest.collect::<BTreeSet<_>>() == flows(theirs) {
                    set(
                        &mut now,
                        "ExplicitAuthFlows",
                        theirs.get("ExplicitAuthFlows"),
                    );
                }
            }
            Document::Client(_) => {}
        }
        now
    }

    /// Terraform has written the triggers, possibly from an earlier read.
    pub fn triggers_written(&mut self, before: &Value, after: &Value) {
        for trigger in TRIGGERS {
            let (was, is) = (
                &before["LambdaConfig"][trigger],
                &after["LambdaConfig"][trigger],
            );
            match self.is_ours(is) && (was != is || self.stale.contains_key(trigger)) {
                true => drop(self.stale.insert(trigger, is.clone())),
                false => drop(self.stale.remove(trigger)),
            }
        }
        let ours = |pool: &Value, trigger: &str| self.is_ours(&pool["LambdaConfig"][trigger]);
        let overwritten: Vec<_> = TRIGGERS
            .into_iter()
            .filter(|trigger| !ours(before, trigger) && ours(after, trigger))
            .collect();
        self.overwritten.extend(overwritten);
    }

    /// Accepts that a trigger is gone that Terraform overwrote.
    fn accept_overwritten(&mut self, pool: &Value) {
        let Some(theirs) = self.theirs.get_mut(&Document::Pool) else {
            return;
        };
        for trigger in std::mem::take(&mut self.overwritten) {
            match pool["LambdaConfig"][trigger].as_str() {
                None => set(&mut theirs["LambdaConfig"], trigger, None),
                Some(arn) if arn.contains(&self.function) => drop(self.overwritten.insert(trigger)),
                Some(_) => {}
            }
        }
    }

    /// The properties that must hold after each change.
    pub fn changes(&mut self, aws: &Aws) -> Verdict {
        self.accept_overwritten(&aws.pool.document);
        for (document, theirs) in &self.theirs {
            let now = self.without_ours(document, document.now(aws));
            let lost = differences(theirs, &now);
            if !lost.is_empty() {
                return Err(format!("{document:?} has lost something: {lost}"));
            }
        }
        self.recorded(aws)?;
        self.passes(aws)
    }

    /// The property that must hold at every moment, because time alone can break it: a customer can sign in.
    pub fn passes(&mut self, aws: &Aws) -> Verdict {
        self.moment += 1;
        let triggers = &aws.pool.document["LambdaConfig"];
        for trigger in TRIGGERS {
            let arn = &triggers[trigger];
            if !self.is_ours(arn) || self.stale.contains_key(trigger) {
                continue;
            }
            if let Err(why) = aws.serves(arn.as_str().unwrap_or_default()) {
                return Err(format!("a customer cannot sign in, {trigger}: {why}"));
            }
        }
        Ok(())
    }

    /// Each change of the program is recorded in tags.
    fn recorded(&self, aws: &Aws) -> Verdict {
        let name = format!("jane-migrate-{}", aws.pool.id());
        let function = aws.functions.get(&name).map(|function| &function.tags);
        let role = aws.roles.get(&name).map(|role| &role.tags);
        let says = |key: &str, what: &str| {
            let places = [function, role].into_iter().flatten();
            let mut tags = places.flatten();
            tags.any(|(tag, value)| tag.starts_with(key) && value.contains(what))
        };
        for (id, client) in &aws.pool.clients {
            if self.is_open(id, client) && !says("jane-migrate:opened-clients", &format!("{id}=")) {
                return Err(format!("client {id} is open, and no tag records it"));
            }
        }
        let replaced = &self.theirs[&Document::Pool]["LambdaConfig"]["UserMigration"];
        let ours = self.is_ours(&aws.pool.document["LambdaConfig"]["UserMigration"]);
        if let Some(replaced) = replaced.as_str()
            && ours
            && !self.overwritten.contains("UserMigration")
            && !says("jane-migrate:replaced-trigger", replaced)
        {
            return Err(format!(
                "trigger {replaced} was replaced, and no tag records it"
            ));
        }
        Ok(())
    }

    /// A run that overwrote a change, and saw that, must not succeed. After a deploy that succeeds, all our triggers must work.
    pub fn ended(&mut self, run: &Run, well: bool, deploy: bool) -> Verdict {
        if well && deploy {
            self.stale.clear();
        }
        for (document, changed, wrote) in &run.overwrote {
            let mut told = run.told.get(document).into_iter().flatten();
            if well && told.any(|moment| moment > changed && moment < wrote) {
                return Err(format!(
                    "{} succeeded, although it overwrote a change of {document:?} that it had read",
                    run.name
                ));
            }
        }
        Ok(())
    }

    /// Nothing of the program is left.
    pub fn is_gone(&self, aws: &Aws) -> Verdict {
        for (document, theirs) in &self.theirs {
            let left = differences(theirs, document.now(aws));
            if !left.is_empty() {
                return Err(format!("{document:?} has changed: {left}"));
            }
        }
        let functions = aws.functions.keys();
        let left = functions.chain(aws.roles.keys()).chain(aws.groups.keys());
        match left.cloned().collect::<Vec<_>>() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("left over: {left:?}")),
        }
    }

    /// The migration is live.
    pub fn is_deployed(&self, aws: &Aws) -> Verdict {
        if !self.is_ours(&aws.pool.document["LambdaConfig"]["UserMigration"]) {
            return Err("the trigger is not set".to_owned());
        }
        Ok(())
    }
}

/// The flows of a client; without a list, the default flows.
fn flows(client: &Value) -> BTreeSet<String> {
    let listed = client["ExplicitAuthFlows"].as_array();
    let listed = listed.filter(|listed| !listed.is_empty());
    let default = json!([
        "ALLOW_REFRESH_TOKEN_AUTH",
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_CUSTOM_AUTH"
    ]);
    let default = default.as_array().cloned().unwrap_or_default();
    let flows = listed.unwrap_or(&default).iter();
    flows
        .filter_map(|flow| flow.as_str().map(str::to_owned))
        .collect()
}

fn set(document: &mut Value, member: &str, value: Option<&Value>) {
    match (value, document.as_object_mut()) {
        (Some(value), Some(members)) => drop(members.insert(member.to_owned(), value.clone())),
        (None, Some(members)) => drop(members.remove(member)),
        (_, None) => {}
    }
}

/// The differences, without the time of the last change.
fn differences(expected: &Value, found: &Value) -> String {
    let names = |document: &Value| -> BTreeSet<String> {
        let members = document.as_object().into_iter().flatten();
        members.map(|(name, _)| name.clone()).collect()
    };
    let all = names(expected)
        .into_iter()
        .chain(names(found))
        .collect::<BTreeSet<_>>();
    let all = all.into_iter().filter(|name| name != "LastModifiedDate");
    let told = all.filter_map(|name| {
        let (one, other) = (&expected[&name], &found[&name]);
        (one != other).then(|| format!("{name} {one} => {other}"))
    });
    told.collect::<Vec<_>>().join("; ")
}
