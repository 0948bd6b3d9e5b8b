//! What several pools in one run have in common: they are worked on side by side, each ends on its own, one that fails stops no
//! other, and one document and one summary speak for all. One pool alone is the same with nothing to sum up.

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

/// Pools worked on at once. AWS's rates are kept elsewhere (`aws::pace`); this bounds memory and connections.
const AT_ONCE: usize = 32;

/// How one pool's part of a command ended, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// Nothing was to be done.
    Nothing,
    /// All is well.
    Done,
    /// `plan --detailed-exitcode` found changes.
    Changes,
    /// Something could not be checked.
    Unchecked,
    /// It failed, or a check did not hold.
    Failed,
    /// The operator interrupted it.
    Interrupted,
    /// The system asked it to end.
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

/// Does the work for each item, side by side; the results are in the items' order.
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

/// What has come of the pools so far.
pub(super) struct Endings<'a> {
    ui: &'a Ui,
    /// How a pool ends of which nothing could even be read.
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

    /// A pool's part ended so.
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

    /// A pool's part changed something, or tried to: the document says what stopped it, and what to do about that.
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

    /// A pool's part could not go on. Where there is no other pool, neither can the command.
    pub(super) fn broke_off(&mut self, pool: PoolId, error: impl Into<Error>) -> Result<()> {
        let error = error.into();
        if !self.several {
            return Err(error);
        }
        let document = json!({ "pool": pool.as_str(), "error": told(&error, &self.ui.given) });
        self.ui.error(&error.context(format!("user pool {pool}")));
        self.ended(pool, &document, self.unreadable)
    }

    /// Prints the document, sums up, and gives the exit code: that of the worst ending.
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

/// `12 pools: 10 done, 1 unchanged, 1 failed (us-east-1_AbC)`; the pools to look at are named.
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
    fn the_summary_counts_and_names_what_to_look_at() {
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

    /// The first is done only after the last, so that they must have run side by side.
    #[tokio::test]
    async fn results_keep_the_order_whoever_is_done_first() {
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
