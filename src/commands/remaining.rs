//! `remaining`: counts exactly which users of the directory are not in the pool, and why. Changes nothing in AWS; saves the
//! figures next to the configuration, where `status` and `teardown` find them.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use tempfile::NamedTempFile;

use super::many::{Ending, Endings};
use crate::aws::Connections;
use crate::cli::{Global, Remaining};
use crate::dates::{now_ms, utc};
use crate::error::{Error, Result};
use crate::exact::Exact;
use crate::listing;
use crate::remaining::{Lists, Person, Place};
use crate::settings::{self, Target};
use crate::ui::Ui;
use crate::ui::census::sentences;
use jane_migrate_core::import::Category;
use jane_migrate_core::import::census::Census;

/// The result for one pool.
#[derive(Debug, Serialize)]
struct Document {
    pool: String,
    /// When this was counted, UTC.
    at: String,
    #[serde(flatten)]
    census: Census,
    /// Users of the pool who can sign in with a password, also those that the directory does not have.
    pool_users: u64,
}

pub(super) async fn run(global: &Global, args: &Remaining, ui: &Ui) -> Result<ExitCode> {
    let targets = settings::targets(global, &args.pools, Some(settings::load(global)?))?;
    if targets.len() > 1 && (args.from.is_some() || args.names.is_some() || args.mapping.is_some())
    {
        return Err(Error::new(
            "--from, --names and --mapping are about one pool, and there are several",
            "name the pool with --pool",
        ));
    }
    let mut endings = Endings::new(ui, &targets, Ending::Failed);
    let connections = Connections::default();
    // Sequentially: the lists are large.
    for target in targets {
        let pool = target.pool.clone();
        match count(&target, args, &connections, ui).await {
            Ok(document) => {
                ui.show(&sentences(&document.census, &ui.out));
                if document.census.remaining > 0 {
                    let command = |args: &str| target.given.ours(args, pool.as_str());
                    ui.remark(&format!(
                        "`{}` shows who of them can be imported, with their passwords or without.",
                        command(&args.import())
                    ));
                }
                endings.ended(pool, &document, Ending::Nothing)?;
            }
            Err(error) => endings.broke_off(pool, error)?,
        }
    }
    endings.finish()
}

async fn count(
    target: &Target,
    args: &Remaining,
    connections: &Connections,
    ui: &Ui,
) -> Result<Document> {
    if args.mapping.is_some() && target.required()?.import.id_column.is_none() {
        return Err(Error::new(
            "--mapping needs the column with the old id",
            "name it as id_column under [import]",
        ));
    }
    let mut names = args.names.as_deref().map(Private::create).transpose()?;
    let mut mapping = args.mapping.as_deref().map(Private::create).transpose()?;
    if let Some(file) = &mut names {
        file.row(["name", "category", "reason"]);
    }
    if let Some(file) = &mut mapping {
        file.row(["id", "sub"]);
    }
    let lists = Lists::open(target, args.from.as_deref(), connections).await?;
    let index = lists
        .index(mapping.is_some(), Some(target.folder()), ui)
        .await?;
    let census = lists
        .each(&index, ui, &mut |person: Person| {
            match (&person.place, &mut names, &mut mapping) {
                (Place::Pool(found), names, mapping) => {
                    if let (Some(file), true) = (names, found.half_finished) {
                        file.row([&person.name, "half-finished", "never set a new password"]);
                    }
                    if let (Some(file), Some(id)) = (mapping, &person.id) {
                        let sub = index.sub(*found).unwrap_or_default();
                        file.row([id.as_str(), &sub]);
                    }
                }
                (
                    Place::Left {
                        category, reason, ..
                    },
                    Some(file),
                    _,
                ) => {
                    let reason = reason.as_deref().unwrap_or_default();
                    file.row([&person.name, word(*category), reason]);
                }
                (Place::Left { .. }, None, _) => {}
            }
            ControlFlow::Continue(())
        })
        .await?;
    for file in [names, mapping].into_iter().flatten() {
        file.keep()?;
    }
    listing::forget(target.folder(), &target.pool);
    let at = utc(now_ms());
    keep(&census, target, ui);
    Ok(Document {
        pool: target.pool.to_string(),
        at,
        census,
        pool_users: index.users().0,
    })
}

/// Saves the figures. A failure is only a warning.
pub(super) fn keep(census: &Census, target: &Target, ui: &Ui) {
    let kept = Exact::of(census, now_ms()).keep(target.folder(), &target.pool);
    if let Err(error) = kept {
        ui.warn(&format!(
            "the figures cannot be kept next to the configuration, where status looks for them: {error}"
        ));
    }
}

/// The category's name in the document.
fn word(category: Category) -> &'static str {
    match category {
        Category::Password => "password",
        Category::Sso => "sso",
        Category::UnverifiedAddress => "unverified-address",
        Category::UnreadableHash => "unreadable-hash",
        Category::NotEligible => "not-eligible",
        Category::PasswordNotKnown => "password-not-known",
    }
}

/// A file that only its owner can read, and that is either complete or absent.
struct Private {
    path: PathBuf,
    file: csv::Writer<NamedTempFile>,
    failed: Option<io::Error>,
}

impl Private {
    fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let failed = |error| Error::unwritable(path, error, "name another file");
        fs::metadata(folder).map_err(failed)?;
        let file = tempfile::Builder::new()
            .prefix(".jane-migrate-")
            .tempfile_in(folder)
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file: csv::Writer::from_writer(file),
            failed: None,
        })
    }

    fn row<const N: usize>(&mut self, fields: [&str; N]) {
        if let (None, Err(error)) = (&self.failed, self.file.write_record(fields)) {
            self.failed = Some(error.into());
        }
    }

    fn keep(self) -> Result<()> {
        let failed = |error| Error::unwritable(&self.path, error, "name another file");
        if let Some(error) = self.failed {
            return Err(failed(error));
        }
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| failed(io::Error::other(error.to_string())))?;
        file.flush()
            .and_then(|()| file.as_file().sync_all())
            .map_err(failed)?;
        file.persist(&self.path)
            .map_err(|error| failed(error.error))?;
        Ok(())
    }
}
