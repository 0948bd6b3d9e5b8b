//! Probes the code that customers use or will use. If the probe fails, the code does not go live.

use std::time::Duration;

use super::{Event, Run};
use crate::aws::Invoker;
use crate::error::{Error, Result};
use crate::host::{Instant, sleep};
use crate::probe;
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::ALIAS;
use jane_migrate_core::plan::{Change, Probe, Target};

/// How long IAM may take to propagate a new role or new permissions: others wait 15 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A user that cannot exist, for a manual `try`: the domain `.invalid` is reserved for this.
const TRIED: &str = "probe@probe.invalid";

impl Run<'_> {
    pub(super) async fn probe(&self, change: &Change, probe: &Probe) -> Result<()> {
        let pool = &self.names.pool.id;
        let version = match &probe.target {
            Target::Published => self.made().version.clone(),
            Target::Version(number) => Some(number.clone()),
            Target::Live => None,
        };
        let function = match &version {
            Some(version) => format!("{}:{version}", self.names.function),
            None => self.names.live_name(),
        };
        let Err(error) = self.answers(change, &function, probe).await else {
            return Ok(());
        };
        let try_locally = fix![
            "fix what the function reports and deploy again; to try the fix on this machine first, with any password, run `",
            Fix::ours(&format!("try --local --user {TRIED}"), pool, ""),
            "`",
        ];
        Err(match (version, probe.live) {
            (Some(version), true) => error
                .context(format!(
                    "version {version} fails, so alias `{ALIAS}` stays where it was, and customers meet what they met before"
                ))
                .hint(try_locally),
            (None, true) => probe::outage(error, pool),
            (_, false) => error,
        })
    }

    async fn answers(&self, change: &Change, function: &str, probe: &Probe) -> Result<(), Error> {
        let invoker = Invoker::new(self.reader);
        let started = Instant::now();
        let mut pause = Duration::from_secs(1);
        loop {
            let error = match probe::ask(&invoker, function, &probe.events).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !probe.patient || started.elapsed() + pause > PATIENCE {
                return Err(error);
            }
            (self.tell)(Event::Waiting(
                change,
                "for IAM to spread the role's rights",
            ));
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }
}
