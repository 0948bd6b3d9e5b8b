//! Runs a command for several pools: in parallel and independently. A pool that fails stops no other, and there is one document
//! and one summary for all. One pool alone works the same, without a summary.

use std::process::ExitCode;

use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};

use crate::apply::Report;
use crate::error::{Error, Result};
use crate::settings::Target;
use crate::signals::Signal;
use crate::ui::Ui;
use crate::ui::error::told;
use jane_migrate_core::ids::PoolId;

/// How many pools run in parallel. `aws::pace` keeps AWS's rates; this limits memory and connections.
const AT_ONCE: usize = 32;

/// How one pool's part of a command ended, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// There was nothing to do.
    Nothing,
    /// It succeeded.
    Done,
    /// `plan --detailed-exitcode` found changes.
    Changes,
    /// Something could not be checked.
    Unchecked,
    /// It failed, or a check did not hold.
    Failed,
    /// The operator interrupted it.
    Interrupted,
    /// SIGTERM ended it.
    Terminated,
}

impl Ending {
    fn code(self) -> ExitCode {
        match self {
            Self::Nothing | Self::Done => ExitCode::SUCCESS,
            Self::Changes | Self::Unchecked => ExitCode::from(2),
            Self::Failed => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(Signal::Interrupt.exit_code()),
            Self::Terminated => ExitCode::from(Signal::Terminate.exit_code()),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Done => "done",
            Self::Changes => "with changes",
            Self::Unchecked => "not checked",
            Self::Failed => "failed",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }
}

/// Runs the work for each item in parallel; the results are in the order of the items.
pub(super) async fn each<T, R, F>(
    items: impl IntoIterator<Item = T>,
    work: impl FnMut(T) -> F,
) -> Vec<R>
where
    F: Future<Output = R>,
{
    stream::iter(items)
        .map(work)
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// The results of the pools so far.
pub(super) struct Endings<'a> {
    ui: &'a Ui,
    /// The ending of a pool that could not be read.
    unreadable: Ending,
    several: bool,
    documents: Vec<Value>,
    endings: Vec<(PoolId, Ending)>,
}

impl<'a> Endings<'a> {
    pub(super) fn new(ui: &'a Ui, targets: &[Target], unreadable: Ending) -> Self {
        Self {
            ui,
            unreadable,
            several: targets.len() > 1,
            documents: Vec::new(),
            endings: Vec::new(),
        }
    }

    /// Records the ending of a pool.
    pub(super) fn ended(
        &mut self,
        pool: PoolId,
        document: &impl Serialize,
        ending: Ending,
    ) -> Result<()> {
        self.documents.push(to_json(document)?);
        self.endings.push((pool, ending));
        Ok(())
    }

    /// Records the ending of a pool that was changed, or was to be: the document contains its error and the hint.
    pub(super) fn ran(
        &mut self,
        pool: PoolId,
        report: &Report,
        document: &impl Serialize,
        ending: Ending,
    ) -> Result<()> {
        let mut document = to_json(document)?;
        if let Some(error) = report.errors.first() {
            document["error"] = json!(told(error, &self.ui.given));
        }
        self.ended(pool, &document, ending)
    }

    /// Records a pool that could not continue. If it is the only pool, the command fails.
    pub(super) fn broke_off(&mut self, pool: PoolId, error: impl Into<Error>) -> Result<()> {
        let error = error.into();
        if !self.several {
            return Err(error);
        }
        let document = json!({ "pool": pool.as_str(), "error": told(&error, &self.ui.given) });
        self.ui.error(&error.context(format!("user pool {pool}")));
        self.ended(pool, &document, self.unreadable)
    }

    /// Prints the document and the summary, and returns the exit code of the worst ending.
    pub(super) fn finish(self) -> Result<ExitCode> {
        if self.ui.json {
            match &self.documents[..] {
                [document] if !self.several => self.ui.document(document)?,
                documents => self.ui.document(&json!({ "pools": documents }))?,
            }
        }
        if self.several {
            self.ui.note(&summary(&self.endings));
        }
        let worst = self.endings.iter().map(|(_, ending)| *ending).max();
        Ok(worst.unwrap_or(Ending::Nothing).code())
    }
}

fn to_json(document: &impl Serialize) -> Result<Value> {
    serde_json::to_value(document)
        .map_err(|error| Error::bug(format!("failed to write JSON: {error}")))
}

/// `12 pools: 10 done, 1 unchanged, 1 failed (us-east-1_AbC)`; it names the pools that need attention.
fn summary(endings: &[(PoolId, Ending)]) -> String {
    let mut parts = Vec::new();
    for ending in [
        Ending::Done,
        Ending::Changes,
        Ending::Nothing,
        Ending::Unchecked,
        Ending::Failed,
        Ending::Interrupted,
        Ending::Terminated,
    ] {
        let pools: Vec<&str> = endings
            .iter()
            .filter(|(_, found)| *found == ending)
            .map(|(pool, _)| pool.as_str())
            .collect();
        if pools.is_empty() {
            continue;
        }
        let names = match ending {
            Ending::Unchecked | Ending::Failed | Ending::Interrupted | Ending::Terminated => {
                format!(" ({})", pools.join(", "))
            }
            _ => String::new(),
        };
        parts.push(format!("{} {}{names}", pools.len(), ending.word()));
    }
    format!("{} pools: {}", endings.len(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_pools_and_names_those_that_need_attention() {
        let pool = |n: u32| format!("us-east-1_P{n}").parse::<PoolId>().unwrap();
        let endings = [
            (pool(1), Ending::Done),
            (pool(2), Ending::Failed),
            (pool(3), Ending::Done),
            (pool(4), Ending::Nothing),
        ];
        assert_eq!(
            summary(&endings),
            "4 pools: 2 done, 1 unchanged, 1 failed (us-east-1_P2)"
        );
    }

    /// The first finishes only after the last, so they must have run in parallel.
    #[tokio::test]
    async fn results_are_in_order_whichever_finishes_first() {
        let last_is_done = tokio::sync::Notify::new();
        let done = std::cell::RefCell::new(Vec::new());
        let work = each([1, 2, 3], async |n| {
            match n {
                1 => last_is_done.notified().await,
                3 => last_is_done.notify_one(),
                _ => {}
            }
            done.borrow_mut().push(n);
            n
        });
        let patience = std::time::Duration::from_secs(60);
        let results = tokio::time::timeout(patience, work).await;
        assert_eq!(results.expect("side by side"), [1, 2, 3]);
        assert_eq!(*done.borrow(), [2, 3, 1]);
    }
}
