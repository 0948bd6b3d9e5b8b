//! Takes the function out of its VPC. Lambda deletes the network interfaces that it made for a function with the permissions of the
//! function's role, up to twenty minutes after the function and all of its versions have left the subnets. If the role loses its
//! permissions earlier, the interfaces stay forever.

use std::time::Duration;

use super::{Event, Run};
use crate::aws::Kind;
use crate::error::{Context, Error, Result};
use crate::host::{Instant, sleep};
use jane_migrate_core::plan::Change;

/// Pauses between two looks: short at first, because a function without interfaces needs no wait.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];

impl Run<'_> {
    /// Takes the function itself out of its VPC, so that Lambda starts to release its interfaces. Without the permission for it,
    /// this starts with the function's deletion.
    pub(super) async fn leave_vpc(&self) -> Result<()> {
        let name = &self.names.function;
        let failed = || format!("failed to take function `{name}` out of its VPC");
        match self.writer.leave_vpc(name).await {
            Err(error) if error.kind == Kind::Denied => return Ok(()),
            other => other.with_context(failed)?,
        }
        self.settled(name).await.with_context(failed)
    }

    /// Versions keep the VPC in which they were published. The version that customers use has left it.
    pub(super) async fn delete_versions_in_a_vpc(&self) -> Result<()> {
        let name = &self.names.function;
        let failed = || format!("failed to delete the versions of function `{name}` in its VPC");
        let versions = self.reader.versions(name).await.with_context(failed)?;
        for version in versions {
            if version.number != "$LATEST" && version.runs.function.vpc.is_some() {
                let deleted = self.writer.delete_version(name, &version.number).await;
                deleted.with_context(failed)?;
            }
        }
        Ok(())
    }

    /// Waits until Lambda has deleted the function's network interfaces.
    pub(super) async fn until_interfaces_are_gone(&self, change: &Change) -> Result<()> {
        let name = &self.names.function;
        let limit = self.inputs.interface_wait;
        if limit.is_zero() {
            return Ok(());
        }
        let began = Instant::now();
        let mut pause = PAUSES[0];
        loop {
            let left = self.reader.interfaces(name).await;
            let left = left.with_context(|| {
                format!("failed to see whether network interfaces of function `{name}` are left")
            })?;
            if left.is_empty() {
                return Ok(());
            }
            let ids: Vec<&str> = left.iter().map(|one| one.id.as_str()).collect();
            let told = format!("for Lambda to delete {}", ids.join(", "));
            (self.tell)(Event::Waiting(change, &told));
            let stopped = tokio::select! {
                biased;
                () = sleep(pause.min(limit)) => false,
                () = self.interrupt.wait() => true,
            };
            if stopped || began.elapsed() >= limit {
                let shown = left
                    .iter()
                    .map(|one| format!("{} ({})", one.id, one.status));
                return Err(Error::new(
                    format!(
                        "network interfaces of function `{name}` are left: {}. Lambda deletes them with the rights of role `{}`, which therefore stays",
                        shown.collect::<Vec<_>>().join(", "),
                        self.names.role,
                    ),
                    "run the same command again later. What is `available`, `aws ec2 delete-network-interface --network-interface-id ID` deletes; one in use serves another function with the same subnets and security groups, and then --interface-wait 0 goes on without waiting",
                ));
            }
            pause = (pause * 2).min(PAUSES[1]);
        }
    }
}
