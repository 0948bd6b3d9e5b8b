//! The try of the function, and the way back: where customers reach it already, what does not answer is taken back.

use std::sync::atomic::Ordering;

use super::steps::FUNCTION_PATIENCE;
use super::{Code, Event, Run};
use crate::aws::{AwsError, Invoker};
use crate::error::{Error, Result};
use crate::probe;
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::plan::{Before, Change, Probe};
use jane_migrate_core::resources::{Tags, tag};

/// A user that cannot exist, for a try by hand: `.invalid` is reserved for that.
const TRIED: &str = "probe@probe.invalid";

impl Run<'_> {
    pub(super) async fn probe(&self, change: &Change, probe: &Probe) -> Result<()> {
        let Probe {
            event,
            live,
            before,
        } = probe;
        // What was replaced and cannot be put back is as if it had never been.
        let code = self.inputs.running_code.as_ref();
        let before = before
            .as_ref()
            .filter(|before| before.configured || code.is_some());
        let (name, pool) = (&self.names.function, &self.names.pool.id);
        let invoker = Invoker::new(self.reader);
        let Err(error) = probe::ask(&invoker, name, event).await else {
            return Ok(());
        };
        if !live {
            return Err(error);
        }
        let outage = |error: Error| probe::outage(error, pool);
        let Some(before) = before else {
            return Err(outage(error));
        };
        let (new, earlier) = match (code, before.configured) {
            (Some(_), true) => ("code and settings", "earlier ones"),
            (Some(_), false) => ("code", "earlier code"),
            (None, _) => ("settings", "earlier ones"),
        };
        (self.tell)(Event::Waiting(change, "for what worked to be put back"));
        if let Err(kept) = self.undo(change, before, code).await {
            let failed = format!("the {earlier} could not be put back: {kept}");
            return Err(outage(error.context(failed)));
        }
        self.function_is_back.store(true, Ordering::Relaxed);
        Err(match probe::ask(&invoker, name, event).await {
            Ok(()) => error
                .context(format!(
                    "with the new {new} the function fails, so it has its {earlier} back and answers"
                ))
                .hint(fix![
                    "customers sign in as before; fix what the function reports and deploy again; to try the fix on this machine first, with any password, run `",
                    Fix::ours(&format!("try --local --user {TRIED}"), pool, ""),
                    "`",
                ]),
            Err(_) => outage(
                error.context(format!("it has its {earlier} back, and fails all the same")),
            ),
        })
    }

    /// Gives the function what it had before the run; its tags tell the truth about the code again.
    async fn undo(
        &self,
        change: &Change,
        before: &Before,
        code: Option<&Code>,
    ) -> Result<(), AwsError> {
        let function = &before.function;
        let name = &function.name;
        if before.configured {
            self.until_lambda_takes_it(change, || self.writer.configure_function(function))
                .await?;
            self.reader.settled(name, FUNCTION_PATIENCE).await?;
        }
        if let Some(code) = code {
            self.until_lambda_takes_it(change, || {
                self.writer
                    .upload_code(name, function.architecture, &code.zip)
            })
            .await?;
            self.reader.settled(name, FUNCTION_PATIENCE).await?;
            let told: Tags = [tag::CODE, tag::SOURCE, tag::VERSION]
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), function.tags.get(key)?.clone())))
                .collect();
            if !told.is_empty() {
                self.writer
                    .tag_function(&self.names.function_arn, &told)
                    .await?;
            }
        }
        Ok(())
    }
}
