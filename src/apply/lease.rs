//! The lease of the pool: taken before the first step, renewed while the run lasts, released at its end. Two runs never hold it
//! at once: Lambda changes the alias only for a caller that names its current revision, and the plan was made from that revision.
//! A run that loses the lease starts no further step.

use std::time::Duration;

use super::{Inputs, Interrupt, Run};
use crate::aws::{AwsError, Kind, Reader, Writer};
use crate::dates::now_ms;
use crate::error::{Context, Error, Result};
use crate::host::sleep;
use crate::lease::holds;
use jane_migrate_core::exposure::Alias;
use jane_migrate_core::fix::Fix;
use jane_migrate_core::ids::{ALIAS, Names};
use jane_migrate_core::lease::Lease;
use jane_migrate_core::plan::Plan;
use jane_migrate_core::resources::{Tags, tag};

/// Lambda's error code if the revision has changed.
pub(super) const PRECONDITION: &str = "PreconditionFailedException";

/// How often a lease is renewed: it survives two failed renewals.
const RENEWAL: Duration = Duration::from_secs(40);

/// What a run needs to take the lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The lease of this run.
    pub lease: Lease,
    /// The alias as the plan saw it.
    pub alias: Option<Alias>,
    /// A role of ours exists: without an alias, its tag holds the lease.
    pub role: bool,
    /// Take over the lease of another run.
    pub breaks: bool,
    /// The command that takes over the lease of another run.
    pub by_force: Fix,
}

/// Does work that changes the pool without a plan, while the alias holds the lease. Without an alias it only checks that no other
/// run is active; only Cognito's own rules then stop a deploy that starts later.
pub(crate) async fn holding<T>(
    reader: &Reader,
    names: &Names,
    mut claim: Claim,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    claim.alias = reader.alias(&names.function, ALIAS).await?;
    let found = match &claim.alias {
        Some(alias) => alias.lease.clone(),
        None => {
            let role = reader.role_settings(&names.role).await?;
            role.and_then(|role| Lease::parse(role.tags.get(tag::LEASE)?))
        }
    };
    let inputs = Inputs {
        claim: Some(claim),
        ..Inputs::default()
    };
    let interrupt = Interrupt::default();
    let nothing = Plan::new(names);
    let run = Run::new(reader, names, &nothing, &inputs, &interrupt, &|_| ());
    run.unless_barred(found.as_ref())?;
    run.claim().await?;
    let done = tokio::select! {
        biased;
        done = work => done,
        lost = run.keep_lease() => Err(lost),
    };
    if let Some(held) = run.held() {
        held.release().await;
    }
    done
}

impl Claim {
    fn now(&self) -> Lease {
        self.lease.renewed(now_ms() / 1000)
    }

    /// Whether a lease of another run blocks this one.
    fn bars(&self, lease: &Lease) -> bool {
        !self.breaks && lease.run != self.lease.run && holds(lease)
    }

    fn taken(&self, by: &Lease) -> Error {
        Error::new(by.explain(), Lease::wait(&self.by_force))
    }
}

/// The lease, until it is released.
#[derive(Debug)]
pub struct Held {
    reader: Reader,
    writer: Writer,
    lease: Lease,
    function: String,
    alias: Option<Alias>,
    /// The role whose tag holds it.
    role: Option<String>,
}

/// This run no longer holds the lease; contains the new lease, if the alias has one.
struct Lost(Option<Lease>);

impl Held {
    /// Releases the lease. If this fails, the lease soon expires.
    pub async fn release(self) {
        let ended = self.lease.ended();
        match &self.alias {
            Some(alias) => drop(self.say(alias, &ended).await),
            None => self.tag(&ended).await,
        }
    }

    /// Writes the lease into the alias, if the alias still holds the lease of this run. The alias's revision also changes with
    /// its policy. `None` if AWS rejected the write or did not answer, which may be temporary.
    async fn say(&self, alias: &Alias, lease: &Lease) -> Result<Option<Alias>, Lost> {
        let (name, text) = (&self.function, lease.to_string());
        match self.writer.describe_alias(name, alias, &text).await {
            Err(error) if error.code == PRECONDITION => {}
            other => return Ok(other.ok()),
        }
        let now = match self.reader.alias(name, ALIAS).await {
            Ok(Some(now)) if is_of(&now, lease) => now,
            Ok(now) => return Err(Lost(now.and_then(|now| now.lease))),
            Err(_) => return Ok(None),
        };
        let said = self.writer.describe_alias(name, &now, &text).await;
        Ok(said.ok())
    }

    /// Writes the lease into the role's tag, if the tag holds the lease.
    async fn tag(&self, lease: &Lease) {
        if let Some(role) = &self.role {
            let _ = self.writer.tag_role(role, &tag_of(lease)).await;
        }
    }
}

impl Run<'_> {
    /// Takes the lease, or fails with the run that holds it.
    pub(super) async fn claim(&self) -> Result<()> {
        let Some(claim) = &self.inputs.claim else {
            return Ok(());
        };
        let taken = match &claim.alias {
            Some(alias) => self.claim_alias(claim, alias).await,
            None => self.hold_by_role().await.map_err(Error::from),
        };
        taken.with_context(|| format!("failed to take the lease of pool `{}`", self.names.pool.id))
    }

    async fn claim_alias(&self, claim: &Claim, seen: &Alias) -> Result<()> {
        let (name, text) = (&self.names.function, claim.now().to_string());
        let taken = match self.writer.describe_alias(name, seen, &text).await {
            Err(error) if error.code == PRECONDITION => {
                let now = self.reader.alias(name, ALIAS).await?;
                match now.as_ref().and_then(|now| now.lease.as_ref()) {
                    // A response to this run was lost.
                    Some(lease) if lease.run == claim.lease.run => now,
                    Some(lease) if claim.bars(lease) => return Err(claim.taken(lease)),
                    Some(lease) if seen.lease.as_ref() != Some(lease) => {
                        return Err(overtaken(lease));
                    }
                    _ => {
                        return Err(error).context("the alias was changed since the plan was made");
                    }
                }
            }
            Err(error) if error.kind == Kind::NotFound => {
                return Err(error).context("the function was deleted since the plan was made");
            }
            other => Some(other?),
        };
        self.made().alias = taken;
        Ok(())
    }

    /// Holds the pool by the role's tag, for when there is no alias or it is about to be deleted. AWS has no conditional write
    /// for tags.
    pub(super) async fn hold_by_role(&self) -> Result<(), AwsError> {
        let Some(claim) = self.inputs.claim.as_ref().filter(|claim| claim.role) else {
            return Ok(());
        };
        self.made().role = true;
        let tags = tag_of(&claim.now());
        match self.writer.tag_role(&self.names.role, &tags).await {
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The tag of a new role, if there is no alias yet. The run that creates the role has the lease.
    pub(super) fn lease_of_role(&self) -> Tags {
        match &self.inputs.claim {
            Some(claim) if claim.alias.is_none() => tag_of(&claim.now()),
            _ => Tags::new(),
        }
    }

    /// The lease for an alias that this run creates.
    pub(super) fn lease_of_alias(&self) -> Option<String> {
        let claim = self.inputs.claim.as_ref()?;
        Some(claim.now().to_string())
    }

    /// Fails if this lease belongs to another active run.
    pub(super) fn unless_barred(&self, found: Option<&Lease>) -> Result<()> {
        let claim = self.inputs.claim.as_ref();
        match claim.zip(found) {
            Some((claim, lease)) if claim.bars(lease) => Err(claim.taken(lease)),
            _ => Ok(()),
        }
    }

    /// Fails if another run, which may have ended by now, created something that the plan does not know.
    pub(super) fn unless_overtaken(&self, found: Option<&Lease>) -> Result<()> {
        self.unless_barred(found)?;
        let claim = self.inputs.claim.as_ref();
        match claim.zip(found) {
            Some((claim, lease)) if lease.run != claim.lease.run => Err(overtaken(lease)),
            _ => Ok(()),
        }
    }

    /// Whether the alias is as this run left it. Only its revision may differ: it also changes with the alias's policy.
    pub(super) fn is_held(&self, alias: &Alias) -> bool {
        let claim = self.inputs.claim.as_ref();
        claim.is_some_and(|claim| is_of(alias, &claim.lease))
    }

    /// Renews the lease until it is lost, and returns the error.
    pub(super) async fn keep_lease(&self) -> Error {
        let Some(claim) = &self.inputs.claim else {
            return std::future::pending().await;
        };
        loop {
            sleep(RENEWAL).await;
            let _turn = self.turn.lock().await;
            let Some(held) = self.held() else { continue };
            // A failed renewal is tried again. If the lease expired meanwhile and another run took it, the next attempt returns
            // that error.
            let Some(alias) = &held.alias else {
                held.tag(&claim.now()).await;
                continue;
            };
            match held.say(alias, &claim.now()).await {
                Ok(Some(alias)) => self.made().alias = Some(alias),
                Ok(None) => {}
                Err(Lost(Some(lease))) => return claim.taken(&lease),
                Err(Lost(None)) => {
                    return Error::new(
                        format!(
                            "another run or tool changed alias `{ALIAS}`, by which this run held pool `{}`",
                            self.names.pool.id
                        ),
                        "find out what changes the function, and run the command again when it has stopped",
                    );
                }
            }
        }
    }

    /// The lease to release.
    pub(super) fn held(&self) -> Option<Held> {
        let claim = self.inputs.claim.as_ref()?;
        let made = self.made();
        Some(Held {
            reader: self.reader.clone(),
            writer: self.writer.clone(),
            lease: claim.lease.clone(),
            function: self.names.function.clone(),
            alias: made.alias.clone(),
            role: made.role.then(|| self.names.role.clone()),
        })
    }
}

fn is_of(alias: &Alias, lease: &Lease) -> bool {
    let there = alias.lease.as_ref();
    there.is_some_and(|there| there.run == lease.run)
}

fn tag_of(lease: &Lease) -> Tags {
    Tags::from([(tag::LEASE.to_owned(), lease.to_string())])
}

/// Another run has started since the plan was made, and may have ended since.
pub(super) fn overtaken(by: &Lease) -> Error {
    Error::new(
        format!(
            "another run has been at work on this pool since the plan was made: {}, since {}",
            by.by, by.since
        ),
        "run the command again to plan with what is there now",
    )
}
