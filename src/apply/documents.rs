//! The steps for what deploy did not create: the pool and its app clients. Each is read again just before the write, written in
//! full, then read again and compared. If anything but the intended setting changed, the old settings are written back. A call
//! without a response may have taken effect, so the state is read before anything else happens.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use serde_json::{Value, json};

use super::reading::{Reading, is_fresh};
use super::{Event, Run, SIDE_BY_SIDE};
use crate::aws::{self, AwsError, Kind};
use crate::error::{Context, Error, Result};
use crate::host::{Instant, sleep};
use jane_migrate_core::document::{Difference, Rewrite, Update, appeared, differences};
use jane_migrate_core::fix::{Fix, fix, quoted};
use jane_migrate_core::ids::ALIAS;
use jane_migrate_core::plan::{Change, Operation, Resource};
use jane_migrate_core::trigger::Trigger;

/// How long to wait for other updates of the same document. Cognito runs one at a time, and each takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a sign-in that began before the pool was changed may still call the function itself: Cognito's own limit for a trigger.
const MOVED: Duration = Duration::from_secs(5);

/// How long a read beside an update may take once the update is answered. The proof does not wait for it any longer.
const BESIDE: Duration = Duration::from_secs(1);

/// A proof that was read later than this after the update was sent may show what another tool did since.
const AT_ONCE: Duration = Duration::from_secs(10);

/// When a document was last written.
const WRITTEN: &str = "LastModifiedDate";

/// The one setting of a client that deploy changes.
const FLOWS: &str = "ExplicitAuthFlows";

/// A document that deploy did not create.
#[derive(Clone, Copy)]
enum Document<'a> {
    Pool,
    Client(&'a str),
}

impl Run<'_> {
    pub(super) async fn update_pool(&self, change: &Change, rewrite: &Rewrite) -> Result<()> {
        let pool = &self.names.pool.id;
        self.rewrite(Document::Pool, rewrite)
            .await
            .with_context(|| match change.resource {
                Resource::Pool => format!("failed to put user pool `{pool}` back"),
                _ => format!("failed to set the trigger of user pool `{pool}`"),
            })
    }

    /// Makes the pool call the alias, turns off the triggers that the settings turn off, and waits until the last sign-in that
    /// calls the old target has ended, because the next step changes the function.
    pub(super) async fn move_trigger(&self, change: &Change, rewrite: &Rewrite) -> Result<()> {
        self.update_pool(change, rewrite).await?;
        (self.tell)(Event::Waiting(change, "for sign-ins under way to end"));
        sleep(MOVED).await;
        Ok(())
    }

    pub(super) async fn update_client(&self, change: &Change, rewrite: &Rewrite) -> Result<()> {
        let client = &change.name;
        self.rewrite(Document::Client(client), rewrite)
            .await
            .with_context(|| format!("failed to update app client `{client}`"))
    }

    /// Whether the pool now calls an alias that no longer exists. If the alias cannot be read, the checks at the end find it.
    async fn alias_is_gone(&self, what: Document<'_>, rewrite: &Rewrite) -> bool {
        let triggers = &rewrite.update.expected()["LambdaConfig"];
        let called = |trigger: Trigger| triggers[trigger.member()] == json!(self.names.live_arn);
        let given = self.names.given_function;
        if given || !matches!(what, Document::Pool) || !Trigger::ALL.into_iter().any(called) {
            return false;
        }
        // Before this run creates the function, a trigger that another tool has put back leads nowhere.
        let creates = |change: &Change| matches!(change.operation, Operation::CreateFunction(_));
        if self.plan.changes.iter().any(creates) && self.made().latest.is_none() {
            return false;
        }
        let alias = self.reader.alias(&self.names.function, ALIAS).await;
        matches!(alias, Ok(None))
    }

    /// Whether a difference is no loss: a default that Cognito now shows, or one that the operator accepts. Reports it.
    fn is_accepted(&self, difference: &Difference) -> bool {
        let accepted = |pointer: &String| {
            let below = difference.pointer.strip_prefix(pointer.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        let why = match difference {
            _ if appeared(difference) => "a default that Cognito now shows, and had all along",
            _ if self.inputs.accepted.iter().any(accepted) => "accepted by --accept-difference",
            _ => return false,
        };
        (self.tell)(Event::Noted(&format!("{difference} ({why})")));
        true
    }

    async fn rewrite(&self, what: Document<'_>, rewrite: &Rewrite) -> Result<()> {
        let planned = Reading {
            document: rewrite.seen.clone(),
            mfa: match what {
                Document::Pool => self.inputs.mfa.clone(),
                Document::Client(_) => Value::Null,
            },
        };
        // If this run changed the pool before, compare with what that change left: what the plan expects, except for the date.
        let left = match what {
            Document::Pool => self.made().pool.take(),
            Document::Client(_) => None,
        };
        let seen = left.unwrap_or(planned);
        let sent = self.write(what, &rewrite.update, &seen).await?;
        let (read, gone, ()) = tokio::join!(
            self.unintended(what, &rewrite.update, &seen),
            self.alias_is_gone(what, rewrite),
            self.look_ahead()
        );
        let (mut changed, mut proof) = read.context(
            "the update was made, but could not be read back to prove that nothing else changed",
        )?;
        changed.retain(|difference| !self.is_accepted(difference));
        // A late reading may show another tool's change, which the old settings would overwrite. If an earlier one shows the update
        // complete and without a loss, the difference is certainly another tool's.
        let late = sent.at.elapsed() >= AT_ONCE;
        let later = seen.mfa == proof.mfa && sent.was_right(&rewrite.update, &proof);
        let theirs = !changed.is_empty() && (late || later);
        if gone {
            let back = self.undo(what, rewrite, &seen, &proof, theirs).await;
            return Err(back.context(
                "the function was deleted meanwhile: a teardown runs beside this deploy",
            ));
        }
        if only_flows(&changed) && rewrite.update.body().get(FLOWS).is_none() {
            // Without this list the client has the default flows. A server that keeps a setting that the request leaves out needs
            // the empty list.
            let mut body = rewrite.update.body().clone();
            body[FLOWS] = json!([]);
            self.send(what, &body).await?;
            (changed, proof) = self.unintended(what, &rewrite.update, &seen).await?;
            changed.retain(|difference| !self.is_accepted(difference));
        }
        if changed.is_empty() {
            let lost = overwritten(rewrite, sent.beside.as_ref(), &proof);
            if !lost.is_empty() {
                return Err(written_over(what, &lost));
            }
            if matches!(what, Document::Pool) {
                self.made().pool = Some(proof);
            }
            return Ok(());
        }
        let stayed = |difference: &Difference| {
            seen.document.pointer(&difference.pointer)
                == proof.document.pointer(&difference.pointer)
        };
        if seen.mfa == proof.mfa && changed.iter().all(stayed) {
            // Nothing is worse than before, and all other settings are as intended.
            return Err(Error::new(
                format!(
                    "Cognito took the update and kept these as they were; all else is as intended:\n{}",
                    listed(&changed)
                ),
                "set them in the console",
            ));
        }
        let back = self.undo(what, rewrite, &seen, &proof, theirs).await;
        Err(back.context(format!(
            "the update changed more than it should, or another tool changed it at that moment:\n{}\nIf the difference is right, `--accept-difference {}` lets the next run keep it",
            listed(&changed),
            changed[0].pointer
        )))
    }

    /// Writes the update only if the document is still as it was read. Cognito has no conditional write: a change by another tool
    /// between the last read and the update is lost.
    async fn write(&self, what: Document<'_>, update: &Update, seen: &Reading) -> Result<Sent> {
        let started = Instant::now();
        let mut last = Sent {
            at: started,
            beside: None,
            response: None,
        };
        let mut unanswered: Option<AwsError> = None;
        let mut ahead = self.made().ahead.remove(self.name_of(what));
        for tries in 1.. {
            let now = match ahead.take() {
                Some((read, reading)) if is_fresh(read) => Ok(reading),
                _ => self.read(what).await,
            };
            let now = match (now, &unanswered) {
                (Ok(now), Some(_)) if took_effect(update, seen, &now) => return Ok(last),
                (Ok(now), _) => now,
                (Err(unreadable), None) => return Err(unreadable.into()),
                (Err(unreadable), Some(error)) => {
                    return Err(unreadable).with_context(|| format!(
                        "{error}; whether the update took effect is not known, because the {} cannot be read",
                        what.kind()
                    ));
                }
            };
            unchanged(seen, &now)?;
            if let Some(error) = unanswered.take()
                && !self.may_try_again(&error, tries - 1, started)
            {
                return Err(error).with_context(|| {
                    format!(
                        "Cognito gave no usable answer; the {0} was read again and is as it was",
                        what.kind()
                    )
                });
            }
            last.at = Instant::now();
            let (sent, beside) = self.send_and_read(what, update).await;
            match sent {
                Ok(response) => {
                    return Ok(Sent {
                        beside,
                        response,
                        ..last
                    });
                }
                Err(error) if error.may_have_taken_effect() || error.kind == Kind::Throttled => {
                    pause(tries).await;
                    unanswered = Some(error);
                }
                Err(error) if self.may_try_again(&error, tries, started) => pause(tries).await,
                Err(error) => {
                    return Err(error).with_context(|| format!(
                        "the settings of the {0} were handed back as they are, and Cognito did not take them; nothing of the {0} was changed",
                        what.kind()
                    ));
                }
            }
        }
        Ok(last)
    }

    /// Sends the update and reads the document at the same time.
    async fn send_and_read(
        &self,
        what: Document<'_>,
        update: &Update,
    ) -> (Result<Option<Value>, AwsError>, Option<Value>) {
        let (send, read) = (
            pin!(self.send(what, update.body())),
            pin!(self.document(what)),
        );
        match select(send, read).await {
            Either::Right((beside, send)) => (send.await, beside.ok()),
            Either::Left((sent, read)) => match select(read, pin!(sleep(BESIDE))).await {
                Either::Left((beside, _)) => (sent, beside.ok()),
                Either::Right(_) => (sent, None),
            },
        }
    }

    /// Writes the old settings back, unless the difference may be another tool's (`theirs`). Returns the error that says so.
    async fn undo(
        &self,
        what: Document<'_>,
        rewrite: &Rewrite,
        seen: &Reading,
        proof: &Reading,
        theirs: bool,
    ) -> Error {
        if !theirs {
            return self.put_back(what, &rewrite.back, seen, proof).await;
        }
        Error::new(
            format!(
                "another tool may have changed the {} after the update, so nothing was put back",
                what.kind()
            ),
            self.by_hand(),
        )
    }

    /// Writes the old settings back and returns the error that says how that went. If another tool has changed the document since
    /// `proof` was read, it is left as it is.
    async fn put_back(
        &self,
        what: Document<'_>,
        back: &Update,
        seen: &Reading,
        proof: &Reading,
    ) -> Error {
        if let Ok(now) = self.read(what).await
            && let Some(moved) = moved(proof, &now)
        {
            return Error::new(
                format!(
                    "another tool is changing the {} at this moment, so nothing was put back:\n{moved}",
                    what.kind(),
                ),
                self.by_hand(),
            );
        }
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self.send(what, back.body()).await;
            if let Err(error) = &sent
                && self.may_try_again(error, tries, started)
            {
                pause(tries).await;
                continue;
            }
            let left = self.unintended(what, back, seen).await;
            return match (sent, left.map(|(left, _)| left)) {
                (_, Ok(left)) if left.is_empty() => Error::new(
                    format!(
                        "the old settings were put back, and the {} is as it was",
                        what.kind()
                    ),
                    "show the lines above to the owner of the pool, and report them to jane-migrate",
                ),
                (Ok(_), Ok(left)) => Error::new(
                    format!(
                        "the old settings were put back, but these stay different:\n{}",
                        listed(&left)
                    ),
                    self.by_hand(),
                ),
                (Ok(_), Err(error)) => Error::new(
                    format!(
                        "the old settings were sent back, but whether they arrived cannot be read ({error})"
                    ),
                    self.by_hand(),
                ),
                (Err(error), _) => Error::new(
                    format!("putting the old settings back failed ({error})"),
                    self.by_hand(),
                ),
            };
        }
    }

    /// How the operator puts the settings back.
    fn by_hand(&self) -> Fix {
        let taken = self.inputs.snapshot.as_ref();
        let file = taken
            .map(|snapshot| snapshot.path.display().to_string())
            .or_else(|| self.inputs.kept.clone());
        match file {
            Some(file) => fix![
                "`",
                Fix::command(&format!("restore --snapshot {}", quoted(&file)), ""),
                "` shows how it differs from what it was at first, and puts that back",
            ],
            None => "set what the lines above name in the console".into(),
        }
    }

    /// The differences from the intended document, and the reading that shows them.
    async fn unintended(
        &self,
        what: Document<'_>,
        update: &Update,
        seen: &Reading,
    ) -> Result<(Vec<Difference>, Reading), AwsError> {
        let now = self.read(what).await?;
        let mut found = update.differences(&now.document);
        found.extend(differences(&seen.mfa, &now.mfa));
        Ok((found, now))
    }

    /// Reads what the next step reads first, while this step is still being checked.
    async fn look_ahead(&self) {
        let Some(next) = self.made().next.take() else {
            return;
        };
        let stage = self.stage_from(next);
        let deletes =
            |change: &Change| matches!(change.operation, Operation::DeleteFunction { .. });
        if stage.first().is_some_and(deletes) {
            let look = self.look_before_deletion().await.ok();
            self.made().look = look;
        } else {
            self.read_ahead(stage).await;
        }
    }

    /// Reads what these steps change. If a read fails, its step reads again.
    pub(super) async fn read_ahead(&self, stage: &[Change]) {
        let changes = stage.iter().take(SIDE_BY_SIDE);
        let documents = changes.filter_map(|change| match &change.operation {
            Operation::UpdatePool(_) | Operation::MoveTrigger(_) => Some(Document::Pool),
            Operation::UpdateClient(_) => Some(Document::Client(&change.name)),
            _ => None,
        });
        let read = documents.map(async |what| {
            if let Ok(reading) = self.read(what).await {
                let name = self.name_of(what).to_owned();
                self.made().ahead.insert(name, (Instant::now(), reading));
            }
        });
        join_all(read).await;
    }

    fn name_of<'d>(&'d self, what: Document<'d>) -> &'d str {
        match what {
            Document::Pool => self.names.pool.id.as_str(),
            Document::Client(client) => client,
        }
    }

    async fn read(&self, what: Document<'_>) -> Result<Reading, AwsError> {
        let mfa = async {
            match what {
                Document::Pool => self.reader.mfa_config(&self.names.pool.id).await,
                Document::Client(_) => Ok(Value::Null),
            }
        };
        let (document, mfa) = tokio::try_join!(self.document(what), mfa)?;
        Ok(Reading { document, mfa })
    }

    async fn document(&self, what: Document<'_>) -> Result<Value, AwsError> {
        let pool = &self.names.pool.id;
        Ok(match what {
            Document::Pool => self.reader.describe_pool(pool).await?.json().clone(),
            Document::Client(client) => {
                let client = self.reader.describe_client(pool, client).await?;
                client.json().clone()
            }
        })
    }

    /// Sends the update; returns the document that the response shows. The response for a pool shows none.
    async fn send(&self, what: Document<'_>, body: &Value) -> Result<Option<Value>, AwsError> {
        let pool = &self.names.pool.id;
        Ok(match what {
            Document::Pool => {
                self.writer.update_pool(pool, body).await?;
                None
            }
            Document::Client(client) => {
                let shown = self.writer.update_client(pool, client, body).await?;
                shown.map(|client| client.json().clone())
            }
        })
    }

    /// Waits while another update is in progress. A call that AWS rejected or did not answer is repeated as often as any other.
    fn may_try_again(&self, error: &AwsError, tries: u32, started: Instant) -> bool {
        if error.kind == Kind::Busy || error.says("Only one request to update") {
            return started.elapsed() < PATIENCE;
        }
        let again = error.may_have_taken_effect() || error.kind == Kind::Throttled;
        again && tries < aws::attempts()
    }
}

/// An update that was sent.
struct Sent {
    /// When.
    at: Instant,
    /// A read in parallel with it. It may show what another tool changed at that moment, and the update has overwritten.
    beside: Option<Value>,
    /// The document in the response.
    response: Option<Value>,
}

impl Sent {
    /// Whether the document was as intended before `proof` was read. A response shows that if the document was written again since.
    fn was_right(&self, update: &Update, proof: &Reading) -> bool {
        let complete = |shown: &&Value| update.differences(shown).is_empty();
        let written_again = |shown: &&Value| {
            let written = shown.get(WRITTEN);
            written.is_some() && written != proof.document.get(WRITTEN)
        };
        let response = self.response.iter().filter(written_again);
        self.beside
            .iter()
            .chain(response)
            .any(|shown| complete(&shown))
    }
}

impl Document<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Client(_) => "client",
        }
    }
}

/// Whether an earlier attempt took effect: every setting that was to change is as intended. The comparison after the update finds
/// other differences.
fn took_effect(update: &Update, seen: &Reading, now: &Reading) -> bool {
    let left = update.differences(&now.document);
    differences(&seen.document, update.expected())
        .iter()
        .all(|intended| left.iter().all(|left| left.pointer != intended.pointer))
}

/// The changes by another tool, made while the update was in progress, that the update has overwritten.
fn overwritten(rewrite: &Rewrite, beside: Option<&Value>, proof: &Reading) -> Vec<Difference> {
    let Some(beside) = beside else {
        return Vec::new();
    };
    let found = differences(&rewrite.seen, beside).into_iter();
    found
        .filter(|difference| {
            let at = |document: &Value| document.pointer(&difference.pointer).cloned();
            let (theirs, left) = (at(beside), at(&proof.document));
            theirs != left && theirs != at(rewrite.update.expected())
        })
        .collect()
}

fn written_over(what: Document<'_>, lost: &[Difference]) -> Error {
    Error::new(
        format!(
            "the update was made; another person or tool changed the {} at the same moment, and the update overwrote that:\n{}",
            what.kind(),
            listed(lost)
        ),
        format!(
            "set these again, in the console or by the tool that did it; CloudTrail names it under Update{}",
            match what {
                Document::Pool => "UserPool",
                Document::Client(_) => "UserPoolClient",
            }
        ),
    )
}

/// Fails if another tool has changed the document, so that its change is not overwritten.
fn unchanged(seen: &Reading, now: &Reading) -> Result<()> {
    match moved(seen, now) {
        None => Ok(()),
        Some(what) => Err(Error::new(
            format!(
                "it was changed since the plan was made, so nothing was written to it:\n{what}"
            ),
            "run the command again to plan with what is there now",
        )),
    }
}

/// What another tool changed between two readings.
fn moved(seen: &Reading, now: &Reading) -> Option<String> {
    let mut changed = differences(&seen.document, &now.document);
    changed.extend(differences(&seen.mfa, &now.mfa));
    match &changed[..] {
        [] if seen.document.get(WRITTEN) == now.document.get(WRITTEN) => None,
        [] => Some(format!("  {WRITTEN}")),
        changed => Some(listed(changed)),
    }
}

fn only_flows(changed: &[Difference]) -> bool {
    !changed.is_empty()
        && changed
            .iter()
            .all(|difference| difference.pointer.split('/').nth(1) == Some(FLOWS))
}

async fn pause(tries: u32) {
    sleep(Duration::from_millis(100) * 2u32.pow(tries.min(5))).await;
}

fn listed(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("  {difference}"))
        .collect::<Vec<_>>()
        .join("\n")
}
