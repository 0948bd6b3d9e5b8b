//! A plan that is approved before it is applied: `plan --out` writes the file, `deploy --plan` applies it, or refuses if the plan
//! or its pool has changed since. The file contains no secret: documents have the form of a snapshot, and a digest stands for
//! what deploy would write.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::session::Planned;
use crate::cli::Deploy;
use crate::error::{Error, Result};
use crate::files;
use jane_migrate_core::document::{ClientDocument, differences};
use jane_migrate_core::fix::quoted;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::plan::{Action, Operation};

/// The approved part of a pool's plan.
pub(super) fn of(planned: &Planned, source: &str) -> Result<Value> {
    let Planned { session, plan } = planned;
    let config = session.target.required()?;
    let mut digest = Sha256::new();
    digest.update(source);
    digest.update(session.handler_settings(config)?.to_json());
    let changes = plan.changes.iter();
    let changes: Vec<_> = changes
        .filter(|change| change.action != Action::Probe)
        .collect();
    for change in &changes {
        digest.update(made(&change.operation));
    }
    let clients = session.needs(session.observed.clients.as_deref().map_err(Into::into))?;
    let by_id = |client: &ClientDocument| (client.id().to_owned(), client.json().clone());
    Ok(json!({
        "pool": plan.pool,
        "changes": changes,
        "digest": hex::encode(digest.finalize()),
        "UserPool": session.pool()?.document.json(),
        "UserPoolMfaConfig": session.mfa()?,
        "UserPoolClients": clients.iter().map(by_id).collect::<Map<_, _>>(),
    }))
}

/// What an operation would write. For a document this is the update; what was read of it is compared separately.
fn made(operation: &Operation) -> String {
    match operation {
        Operation::UpdateClient(rewrite)
        | Operation::UpdatePool(rewrite)
        | Operation::MoveTrigger(rewrite) => rewrite.update.body().to_string(),
        // Each read of the function gives other values.
        Operation::Publish(_) | Operation::Adopt { .. } | Operation::PointAlias { .. } => {
            String::new()
        }
        // Secrets cannot be printed.
        other => format!("{other:?}"),
    }
}

/// Writes the plans into a file.
pub(super) fn write(path: &Path, pools: &[Value]) -> Result<()> {
    let document = json!({ "jane-migrate": env!("CARGO_PKG_VERSION"), "pools": pools });
    files::write(path, format!("{document:#}\n").as_bytes())
        .map_err(|error| Error::unwritable(path, error, "name another file with --out"))
}

/// Plans that were approved.
pub(super) struct Approved(BTreeMap<String, Value>);

impl Approved {
    /// The plans in the file of `--plan`, if it is given.
    pub(super) fn read(args: &Deploy) -> Result<Option<Self>> {
        let Some(path) = &args.plan else {
            return Ok(None);
        };
        let failed = |why: String| {
            Error::new(
                format!("failed to read the plan `{}`: {why}", path.display()),
                "name the file that `jane-migrate plan --out FILE` wrote",
            )
        };
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let document: Value =
            serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        let pools = document["pools"].as_array().into_iter().flatten();
        let pools =
            pools.filter_map(|pool| Some((pool["pool"].as_str()?.to_owned(), pool.clone())));
        let pools: BTreeMap<_, _> = pools.collect();
        match pools.is_empty() {
            true => Err(failed("it holds no plan".into())),
            false => Ok(Some(Self(pools))),
        }
    }

    /// The pools of the plans.
    pub(super) fn pools(&self) -> Result<Vec<PoolId>> {
        let ids = self.0.keys().map(|id| id.parse());
        ids.collect::<std::result::Result<_, _>>().map_err(|error| {
            Error::new(
                format!("the plan names no user pool: {error}"),
                "name the file that `jane-migrate plan --out FILE` wrote",
            )
        })
    }

    /// Checks that the current plan is the approved one.
    ///
    /// # Errors
    /// They differ; the error lists the differences.
    pub(super) fn check(&self, pool: &PoolId, now: &Value, args: &Deploy) -> Result<()> {
        let Some(approved) = self.0.get(pool.as_str()) else {
            return Err(Error::new(
                format!("the plan is not about user pool {pool}, so nothing of it was changed"),
                "leave --pool out to apply the plan to the pools that it is about",
            ));
        };
        let mut lines = Vec::new();
        for part in [
            "UserPool",
            "UserPoolMfaConfig",
            "UserPoolClients",
            "changes",
        ] {
            let (then, now) = (&approved[part], &now[part]);
            // Each client is a separate document; `differences` ignores fields of a document that change by themselves.
            let found = match (part, now.as_object()) {
                ("UserPoolClients", Some(clients)) => clients
                    .keys()
                    .chain(then.as_object().into_iter().flat_map(Map::keys))
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .flat_map(|id| {
                        let found = differences(&then[id], &now[id]).into_iter();
                        found.map(move |difference| format!("/{id}{difference}"))
                    })
                    .collect(),
                _ => differences(then, now)
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
            };
            lines.extend(found.into_iter().map(|line| format!("  {part}{line}")));
        }
        if lines.is_empty() && approved["digest"] != now["digest"] {
            lines.push(
                "  what deploy would make is another: the configuration, its secrets' places, the handler or this program's version"
                    .to_owned(),
            );
        }
        if lines.is_empty() {
            return Ok(());
        }
        let again = args.planned_again();
        Err(Error::new(
            format!(
                "user pool {pool} is not as it was when the plan was made (then => now), so nothing of it was changed:\n{}",
                lines.join("\n")
            ),
            format!(
                "make the plan again and have it approved: `jane-migrate {again} --pool {}`",
                quoted(pool.as_str())
            ),
        ))
    }
}
