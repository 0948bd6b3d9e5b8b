//! The remaining users: compares the directory's list with the pool's users, for `remaining` and `import`. The list comes from
//! the database or LDAP server with its own user and query, from the old pool, or from a file; each user is judged as in a
//! sign-in.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jane_migrate_config::{Config, Directory, HandlerSettings, PoolId, Secret};
use jane_migrate_core::aws_error::Kind;
use jane_migrate_core::document::PoolDocument;
use jane_migrate_core::facts::pool_facts;
use jane_migrate_core::import::census::Census;
use jane_migrate_core::import::index::{Found, Index, Names, Naming};
use jane_migrate_core::import::{self, Batch, Candidate, Category, HashKind};
use jane_migrate_handler::{Export, NotImported, Password, Secrets, Unavailable};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::aws::{Connection, Connections, Pages, Reader};
use crate::dates::today;
use crate::environment;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::settings::Target;
use crate::ui::numbers::thousands;
use crate::ui::{Task, Ui};

/// How often progress is shown.
const TELL_EVERY: u64 = 1_000;

/// Why the password of another pool's user cannot be imported.
const OF_A_POOL: &str = "password of a user pool, which cannot be read";

/// A user of the directory.
pub(crate) struct Person {
    /// What the user types to sign in.
    pub name: String,
    /// The id in the old system.
    pub id: Option<String>,
    /// What Cognito would store; empty if the user would not migrate.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// The hash in the form for an import.
    pub hash: Option<SecretString>,
    /// Whether the user is in the pool.
    pub place: Place,
}

/// Whether a user of the directory is in the pool.
#[derive(Clone)]
pub(crate) enum Place {
    /// In the pool.
    Pool(Found),
    /// Not in the pool.
    Left {
        /// The user's category.
        category: Category,
        /// Why the user would not migrate, if there is a reason.
        reason: Option<String>,
        /// The job that imports the user.
        batch: Option<Batch>,
    },
}

/// Where the list of users comes from.
enum Source {
    /// The database or LDAP server of `[import]`.
    Directory,
    OldPool(Box<Reader>, PoolId),
    File(PathBuf),
}

/// The two lists.
pub(crate) struct Lists {
    aws: Reader,
    pool: PoolId,
    /// The pool's description.
    pub document: PoolDocument,
    export: Export,
    source: Source,
    naming: Naming,
    /// The attributes that the pool verifies by itself.
    pub auto_verified: Vec<String>,
}

impl Lists {
    /// Reads what the lists depend on. `from` is a file of users.
    pub(crate) async fn open(
        target: &Target,
        from: Option<&Path>,
        connections: &Connections,
    ) -> Result<Self> {
        let aws = connections.get(&target.connection).await;
        let config = target.required()?;
        let (pool, region) = (&target.pool, &target.connection.region);
        let (document, mfa) = tokio::join!(aws.describe_pool(pool), aws.mfa_config(pool));
        let document = document.map_err(|error| Error::unreadable_pool(error, pool, region))?;
        let facts = pool_facts(&document, &mfa?);
        let naming = Naming {
            username_attributes: facts.username_attributes.clone(),
            alias_attributes: facts.alias_attributes.clone(),
            case_sensitive: facts.case_sensitive,
        };
        let settings = HandlerSettings::new(config, &facts);
        let mut secrets = Secrets::new(None, region.clone());
        if let (None, Some(secret)) = (from, &config.import.password) {
            secrets = secrets.with(secret.clone(), password(&aws, secret, region).await?);
        }
        let today = today()?.epoch_days();
        let export = Export::new(&settings, &config.import, Arc::new(secrets), today);
        let export = export.map_err(|_| {
            Error::new(
                "the server of [directory] cannot be used",
                "check host or url, and ca_certificate, under [directory] and [import]",
            )
        })?;
        let source = source(config, from, &export, &target.connection, connections).await?;
        let verified = document.json()["AutoVerifiedAttributes"].as_array();
        let verified = verified.into_iter().flatten().filter_map(Value::as_str);
        let auto_verified = verified.map(str::to_owned).collect();
        Ok(Self {
            pool: pool.clone(),
            auto_verified,
            naming,
            export,
            source,
            document,
            aws,
        })
    }

    /// The pool's users. With a folder, an interrupted listing saved there is continued.
    pub(crate) async fn index(&self, subs: bool, folder: Option<&Path>, ui: &Ui) -> Result<Index> {
        let users = self.document.estimated_users().unwrap_or_default();
        let new = || Index::new(self.naming.clone(), users, subs);
        let mut index = new();
        let listing = |folder| Listing::of(folder, &self.pool, &self.naming, subs);
        let mut listing = folder.map(listing);
        let task = ui.task(format!("users of pool {}", self.pool));
        let earlier = listing
            .as_mut()
            .and_then(|listing| listing.resume(&mut index));
        let mut resumed = earlier.is_some();
        if !resumed {
            index = new();
        }
        let mut whole = earlier == Some(None);
        let mut next = earlier.flatten();
        let mut pages = Pages::of_users();
        while !whole {
            let mark = index.mark();
            let page = match self.aws.users(&self.pool, &mut pages, next).await {
                // A token is valid for some time, and its length is not documented.
                Err(error) if resumed && error.kind == Kind::Refused => {
                    listing.iter_mut().for_each(Listing::forget);
                    index = new();
                    (next, resumed, pages) = (None, false, Pages::of_users());
                    continue;
                }
                page => page,
            };
            let (users, more) = page.map_err(|error| {
                Error::from(error)
                    .context(format!("failed to list the users of pool {}", self.pool))
                    .or_hint("run the command again")
            })?;
            resumed = false;
            for user in &users {
                index.add(&user.name, &user.status, &user.attributes);
            }
            task.doing(&format!("({} so far)", thousands(index.users().0)));
            next = more;
            if let Some(listing) = &mut listing {
                listing.keep(index.since(mark), next.clone());
            }
            whole = next.is_none();
        }
        index.finish();
        task.clear();
        Ok(index)
    }

    /// Passes on each user of the directory until the callback stops; returns how many. A name that occurs twice is left out: a
    /// sign-in refuses it too.
    pub(crate) async fn each(
        &self,
        index: &Index,
        ui: &Ui,
        each: &mut (dyn FnMut(Person) -> ControlFlow<()> + Send),
    ) -> Result<Census> {
        let task = ui.task("users of the directory");
        let mut walk = Walk {
            lists: self,
            index,
            twice: index.names(),
            census: Census::default(),
            task: &task,
            each,
        };
        match &self.source {
            Source::Directory => {
                let ended = self.export.each(&mut |row| walk.row(row, None)).await;
                ended.map_err(unavailable)?;
            }
            Source::File(path) => read(path, &mut |row| walk.row(row, None))?,
            Source::OldPool(aws, pool) => {
                let (mut next, mut read) = (None, Pages::of_users());
                'pages: loop {
                    let page = aws.users(pool, &mut read, next).await;
                    let (users, more) = page.map_err(|error| {
                        Error::from(error).context("failed to list the users of the old pool")
                    })?;
                    for user in users {
                        let mut row = user.attributes;
                        row.insert("username".to_owned(), user.name.into());
                        if walk.row(row, Some(&user.status)).is_break() {
                            break 'pages;
                        }
                    }
                    next = more;
                    if next.is_none() {
                        break;
                    }
                }
            }
        }
        let census = walk.census;
        task.clear();
        Ok(census)
    }

    fn is_verified(&self, attributes: &std::collections::BTreeMap<String, String>) -> bool {
        let verified = |name: &String| {
            let flag = attributes.get(&format!("{name}_verified"));
            flag.is_some_and(|flag| flag == "true")
        };
        self.auto_verified.iter().any(verified)
    }
}

/// The users one by one.
struct Walk<'a> {
    lists: &'a Lists,
    index: &'a Index,
    twice: Names,
    census: Census,
    task: &'a Task,
    each: &'a mut (dyn FnMut(Person) -> ControlFlow<()> + Send),
}

impl Walk<'_> {
    /// `status` is the status of a user of the old pool.
    fn row(&mut self, row: Map<String, Value>, status: Option<&str>) -> ControlFlow<()> {
        let listed = self.lists.export.judge(row);
        let name = listed.name;
        let (attributes, password, mut reason) = match listed.judged {
            Ok(user) => (user.attributes, Some(user.password), None),
            Err(reason) => (Default::default(), None, Some(reason)),
        };
        let names = [
            Some(name.as_str()),
            attributes.get("username").map(String::as_str),
        ];
        let found = self.index.find(names.into_iter().flatten());
        if let Some(found) = found {
            self.census.migrated(found.half_finished);
            return self.tell(Person {
                name,
                id: listed.id,
                attributes,
                hash: None,
                place: Place::Pool(found),
            });
        }
        match status {
            Some("UNCONFIRMED") => reason = Some("unconfirmed".to_owned()),
            Some("FORCE_CHANGE_PASSWORD") => reason = Some("never-signed-in".to_owned()),
            _ => {}
        }
        if reason.is_none() && !self.twice.add(&name) {
            reason = Some("name-twice".to_owned());
        }
        let label = match &password {
            Some(Password::NotImportable(why)) => match why {
                NotImported::Unreadable(label) | NotImported::OtherFormat(label) => label.clone(),
                NotImported::TooCostly(label) => format!("{label} above Cognito's limit"),
            },
            _ => String::new(),
        };
        let secret = match (&password, status) {
            (_, Some("EXTERNAL_PROVIDER")) => import::Secret::None,
            (_, Some(_)) => import::Secret::NotImportable(OF_A_POOL),
            (None | Some(Password::Unknown), None) => import::Secret::Unknown,
            (Some(Password::None), None) => import::Secret::None,
            (Some(Password::NotImportable(NotImported::Unreadable(_))), None) => {
                import::Secret::Unreadable(&label)
            }
            (Some(Password::NotImportable(_)), None) => import::Secret::NotImportable(&label),
            (Some(Password::Importable(kind, _)), None) => match HashKind::of(kind) {
                Some(kind) => import::Secret::Importable(kind),
                None => import::Secret::NotImportable(kind),
            },
        };
        let candidate = Candidate {
            not_eligible: reason.as_deref(),
            verified: self.lists.is_verified(&attributes),
            secret,
        };
        self.census.remains(&candidate);
        let (category, batch) = (candidate.category(), candidate.batch());
        let hash = match password {
            Some(Password::Importable(_, hash)) => Some(hash),
            _ => None,
        };
        self.tell(Person {
            name,
            id: listed.id,
            attributes,
            hash,
            place: Place::Left {
                category,
                reason,
                batch,
            },
        })
    }

    fn tell(&mut self, person: Person) -> ControlFlow<()> {
        if self.census.directory.is_multiple_of(TELL_EVERY) {
            let (all, left) = (self.census.directory, self.census.remaining);
            let (all, left) = (thousands(all), thousands(left));
            self.task
                .doing(&format!("({all} so far, {left} not in the pool)"));
        }
        (self.each)(person)
    }
}

async fn source(
    config: &Config,
    from: Option<&Path>,
    export: &Export,
    connection: &Connection,
    connections: &Connections,
) -> Result<Source> {
    if let Some(path) = from {
        return Ok(Source::File(path.to_owned()));
    }
    match &config.directory {
        Directory::Cognito(old) if old.role_arn.is_none() => {
            let there = Connection {
                region: old.region.clone(),
                ..connection.clone()
            };
            let aws = connections.get(&there).await;
            Ok(Source::OldPool(Box::new(aws), old.pool_id.clone()))
        }
        Directory::Cognito(_) => Err(Error::new(
            "the old pool is another account's, whose role is the function's",
            "list its users there into a CSV file with the columns of [attributes], and name it with --from FILE",
        )),
        Directory::Postgres(_) | Directory::Mysql(_) if export.lists() => Ok(Source::Directory),
        Directory::Postgres(_) | Directory::Mysql(_) => Err(Error::new(
            "the configuration does not say how to list all users",
            "set query, user and password under [import] (`jane-migrate example` shows them), or name a CSV file with --from FILE",
        )),
        Directory::Ldap(_) if export.lists() => Ok(Source::Directory),
        Directory::Ldap(_) => Err(Error::new(
            "the configuration does not say how to list all users",
            "set filter, user and password under [import] (and base, where [directory] has none), or name a CSV file with --from FILE",
        )),
        other => Err(Error::new(
            format!("a directory of kind `{}` cannot be listed", other.kind()),
            "name a CSV file of its users with --from FILE: the first line names the columns, and the column email is enough",
        )),
    }
}

/// The password of `[import]`: this machine reads it, the function never does.
async fn password(aws: &Reader, secret: &Secret, region: &str) -> Result<SecretString> {
    let kept = aws
        .secret_value(secret, region)
        .await
        .map_err(|error| Error::from(error).context("failed to read the password of [import]"))?;
    let here = || match secret {
        Secret::Env(name) => environment::var(name).map(SecretString::from),
        _ => None,
    };
    kept.or_else(here).ok_or_else(|| {
        Error::new(
            format!("{secret} is not set, and import.password says that the password is there"),
            "set it for this command without leaving it in the shell's history: `IFS= read -rs NAME; export NAME`",
        )
    })
}

fn unavailable(Unavailable(reason): Unavailable) -> Error {
    let (what, hint) = match reason {
        "login" => (
            "refused the user of [import]",
            "check user and password under [import], and that this user may connect",
        ),
        "connect" => (
            "cannot be reached from this machine",
            "set host and port under [import] to where this machine reaches it, such as a replica or a tunnel",
        ),
        "connection" => (
            "closed the connection before the end",
            "run the command again: nothing was changed by the listing",
        ),
        "base" => (
            "has nothing at the base, or nothing that the user of [import] may see",
            "check base under [directory] and [import]",
        ),
        "size-limit" => (
            "gives the user of [import] no more entries than its limit",
            "raise the server's size limit for that user (OpenLDAP: olcLimits)",
        ),
        "username_column" => (
            "gave no column of the name in username_column",
            "name the column with the sign-in name in username_column under [import]",
        ),
        _ => (
            "did not answer the query of [import]",
            "try the query (ldap: the filter) under [import] with the server's own client, as the user of [import]",
        ),
    };
    Error::new(format!("the directory {what} ({reason})"), hint)
        .context("failed to list the directory")
}

/// Passes on each row of a CSV file. The first line names the columns; a file that contains only addresses does not need it.
fn read(
    path: &Path,
    each: &mut (dyn FnMut(Map<String, Value>) -> ControlFlow<()> + Send),
) -> Result<()> {
    const HINT: &str = "--from names a CSV file in UTF-8: the first line names the columns, and the column email is enough";
    let failed = |error: csv::Error| {
        // The crate's error message may quote a row.
        let line = error.position().map_or(0, csv::Position::line);
        let what = match error.kind() {
            csv::ErrorKind::Io(error) => error.to_string(),
            csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8"),
            csv::ErrorKind::UnequalLengths { .. } => {
                format!("line {line} has another number of columns")
            }
            _ => format!("line {line} cannot be read"),
        };
        Error::new(format!("failed to read `{}`: {what}", path.display()), HINT)
    };
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut columns: Option<Vec<String>> = None;
    for row in reader.records() {
        let row = row.map_err(failed)?;
        let names = match &columns {
            Some(names) => names,
            None => {
                let first: Vec<String> = row
                    .iter()
                    .map(|name| name.trim_start_matches('\u{feff}').to_owned())
                    .collect();
                if !(first.len() == 1 && first[0].contains('@')) {
                    columns = Some(first);
                    continue;
                }
                columns.insert(vec!["email".to_owned()])
            }
        };
        let pairs = names.iter().zip(row.iter());
        let value = |text: &str| match text {
            "" => Value::Null,
            text => text.into(),
        };
        let row = pairs
            .map(|(name, text)| (name.clone(), value(text)))
            .collect();
        if each(row).is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.csv");
        std::fs::write(&path, text).unwrap();
        let mut rows = Vec::new();
        read(&path, &mut |row| {
            rows.push(Value::Object(row).to_string());
            ControlFlow::Continue(())
        })
        .unwrap();
        rows
    }

    #[test]
    fn a_file_names_its_columns_or_is_a_list_of_addresses() {
        assert_eq!(
            rows("a@example.com\nb@example.com\n"),
            [
                r#"{"email":"a@example.com"}"#,
                r#"{"email":"b@example.com"}"#
            ]
        );
        assert_eq!(
            rows("\u{feff}email,name\na@example.com,\"Roe, A\"\nb@example.com,\n"),
            [
                r#"{"email":"a@example.com","name":"Roe, A"}"#,
                r#"{"email":"b@example.com","name":null}"#
            ]
        );
        assert_eq!(rows(""), [] as [&str; 0]);
    }

    #[test]
    fn an_unreadable_line_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.csv");
        std::fs::write(&path, "email,hash\na@example.com,canary,canary\n").unwrap();
        let error = read(&path, &mut |_| ControlFlow::Continue(())).unwrap_err();
        let shown = format!("{error:?}");
        assert!(
            shown.contains("line 2") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
