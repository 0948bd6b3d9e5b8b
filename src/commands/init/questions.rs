//! What `init` asks, and what it takes where nobody answers. Each answer is judged by the parser that will read the file.

use jane_migrate_config::Date;

use crate::cli::{self, Kind};
use crate::draft::{Directory, Http, Jane, Kept, OldPool, Postgres};
use crate::failure::Failure;
use crate::ui::Ui;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::placeholder;

/// Asks on a terminal; elsewhere, and with `--yes`, takes the defaults and notes what they leave open.
pub(super) struct Questions<'a> {
    ui: &'a Ui,
    asking: bool,
    open: Vec<&'static str>,
}

/// A question about one value of `[directory]`.
struct Question<'a> {
    /// The value, where a flag gave it.
    given: Option<&'a str>,
    /// As it is put to people.
    text: &'a str,
    /// What an empty answer means; empty itself where nobody can know, and the value is left open.
    default: &'a str,
    /// Its key in the file.
    key: &'static str,
}

impl<'a> Questions<'a> {
    pub(super) fn new(ui: &'a Ui, yes: bool) -> Self {
        Self {
            ui,
            asking: ui.can_ask() && !yes,
            open: Vec::new(),
        }
    }

    /// The keys whose values must still be filled in.
    pub(super) fn open(&self) -> &[&'static str] {
        &self.open
    }

    pub(super) fn pool(&self, given: Option<&PoolId>) -> anyhow::Result<PoolId> {
        if let Some(pool) = given {
            return Ok(pool.clone());
        }
        if !self.asking {
            return Err(Failure::new(
                "failed to tell which user pool is meant",
                "name it with --pool; `aws cognito-idp list-user-pools --max-results 60` lists them",
            )
            .into());
        }
        self.until(
            || self.ui.ask("User pool id", ""),
            |text| text.parse().map_err(|error| format!("`{text}` {error}")),
        )
    }

    pub(super) fn closes(&self, given: Option<Date>) -> anyhow::Result<Option<Date>> {
        let question = "Last day of the migration, such as 2027-03-31 (empty: no end)";
        self.optional(given, question, |text| {
            text.parse().map_err(|error| format!("{error}"))
        })
    }

    pub(super) fn total_users(&self, given: Option<u64>) -> anyhow::Result<Option<u64>> {
        let question =
            "How many accounts there are to migrate, for the progress shown (empty: unknown)";
        self.optional(given, question, |text| {
            cli::total_users(text).map_err(str::to_owned)
        })
    }

    fn optional<T>(
        &self,
        given: Option<T>,
        question: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        if given.is_some() || !self.asking {
            return Ok(given);
        }
        self.until(
            || self.ui.ask(question, ""),
            |text| match text {
                "" => Ok(None),
                text => read(text).map(Some),
            },
        )
    }

    /// Asks until the answer will do.
    fn until<T>(
        &self,
        ask: impl Fn() -> anyhow::Result<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            match read(&ask()?) {
                Ok(value) => return Ok(value),
                Err(why) => self.ui.warn(&why),
            }
        }
    }

    pub(super) fn directory(
        &mut self,
        given: &cli::Directory,
        pool: &PoolId,
    ) -> anyhow::Result<Directory> {
        let kind = self.kind(given)?;
        if kind != Kind::Http {
            fits(given, kind, None)?;
        }
        match kind {
            Kind::Jane => self.jane(given, pool),
            Kind::Http => self.http(given, pool),
            Kind::Cognito => self.cognito(given, pool),
            Kind::Postgres => self.postgres(given, pool),
        }
    }

    fn kind(&self, given: &cli::Directory) -> anyhow::Result<Kind> {
        use clap::ValueEnum;
        let implied = match given.preset {
            Some(_) => Kind::Http,
            None => Kind::Jane,
        };
        if given.kind.is_some() || given.preset.is_some() || !self.asking {
            return Ok(given.kind.unwrap_or(implied));
        }
        self.until(
            || {
                self.ui.ask(
                    "Where do the existing accounts live? jane, http, cognito (an old pool) or postgres",
                    "jane",
                )
            },
            |text| Kind::from_str(text, true),
        )
    }

    fn jane(&mut self, given: &cli::Directory, pool: &PoolId) -> anyhow::Result<Directory> {
        let mut jane = Jane {
            url: "https://api.iheartjane.com".into(),
            client_id: placeholder::CLIENT.into(),
            secret: kept(pool, "client-secret"),
        };
        let url = Question {
            given: given.url.as_deref(),
            text: "Base URL of Jane's API",
            default: "https://api.iheartjane.com",
            key: "directory.url",
        };
        self.fill(&mut jane, Directory::Jane, |jane| &mut jane.url, url)?;
        let client = Question {
            given: given.client_id.as_deref(),
            text: "Client id, from Jane's partner team",
            default: "",
            key: "directory.client_id",
        };
        self.fill(
            &mut jane,
            Directory::Jane,
            |jane| &mut jane.client_id,
            client,
        )?;
        let secret = |jane: &Jane, secret| {
            Directory::Jane(Jane {
                secret,
                ..jane.clone()
            })
        };
        self.secret(given, "client secret", &jane.secret.clone(), |s| {
            secret(&jane, s)
        })
    }

    fn http(&mut self, given: &cli::Directory, pool: &PoolId) -> anyhow::Result<Directory> {
        let mut http = Http {
            preset: None,
            url: format!("https://{}", placeholder::HTTP_HOST),
            client_id: placeholder::CLIENT.into(),
            realm: placeholder::REALM.into(),
            secret: kept(pool, "directory-secret"),
        };
        http.preset = self.preset(given.preset.as_deref(), &http)?;
        let preset = http.preset.clone();
        fits(given, Kind::Http, preset.as_deref())?;
        let wrap: fn(Http) -> Directory = Directory::Http;
        if preset.as_deref() != Some("firebase") {
            let url = Question {
                given: given.url.as_deref(),
                text: "Base URL of the service",
                default: "",
                key: "directory.url",
            };
            self.fill(&mut http, wrap, |http| &mut http.url, url)?;
        }
        if preset.as_deref() == Some("keycloak") {
            let realm = Question {
                given: given.realm.as_deref(),
                text: "Realm",
                default: "",
                key: "directory.settings.realm",
            };
            self.fill(&mut http, wrap, |http| &mut http.realm, realm)?;
        }
        if Http::has_client(preset.as_deref()) {
            let client = Question {
                given: given.client_id.as_deref(),
                text: "Client id, of a client that allows the password grant",
                default: "",
                key: "directory.settings.client_id",
            };
            self.fill(&mut http, wrap, |http| &mut http.client_id, client)?;
        }
        if preset.is_none() {
            self.open
                .extend(["directory.authenticate", "directory.lookup"]);
        }
        let default = http.secret.clone();
        self.secret(given, "secret", &default, |secret| {
            Directory::Http(Http {
                secret,
                ..http.clone()
            })
        })
    }

    fn preset(&self, given: Option<&str>, http: &Http) -> anyhow::Result<Option<String>> {
        let read = |text: &str| {
            let preset = (text != "none").then(|| text.to_owned());
            let tried = Http {
                preset: preset.clone(),
                ..http.clone()
            };
            match Directory::Http(tried).problem() {
                Some(problem) => Err(problem),
                None => Ok(preset),
            }
        };
        match given {
            Some(name) => read(name).map_err(|problem| {
                Failure::new(problem, "see --preset in `jane-migrate init --help`").into()
            }),
            None if !self.asking => Ok(None),
            None => {
                let names: Vec<_> = jane_migrate_config::presets().collect();
                let question = format!("Is it one of {}?", names.join(", "));
                self.until(|| self.ui.ask(&question, "none"), read)
            }
        }
    }

    fn cognito(&mut self, given: &cli::Directory, pool: &PoolId) -> anyhow::Result<Directory> {
        let region = pool.region().unwrap_or("us-east-1");
        let mut old = OldPool {
            pool_id: format!("{region}_{}", placeholder::OLD_POOL),
            client_id: placeholder::OLD_CLIENT.into(),
            role_arn: given.role_arn.clone(),
            secret: None,
        };
        if let Some(problem) = Directory::Cognito(old.clone()).problem() {
            return Err(
                Failure::new(problem, "see --role-arn in `jane-migrate init --help`").into(),
            );
        }
        let wrap: fn(OldPool) -> Directory = Directory::Cognito;
        let from = Question {
            given: given.old_pool.as_ref().map(PoolId::as_str),
            text: "Id of the user pool to move away from",
            default: "",
            key: "directory.pool_id",
        };
        self.fill(&mut old, wrap, |old| &mut old.pool_id, from)?;
        let client = Question {
            given: given.client_id.as_deref(),
            text: "Id of an app client of it that allows ADMIN_USER_PASSWORD_AUTH",
            default: "",
            key: "directory.client_id",
        };
        self.fill(&mut old, wrap, |old| &mut old.client_id, client)?;
        // Most such clients have no secret, so only a flag brings one.
        match given_secret(given)? {
            None => Ok(Directory::Cognito(old)),
            Some(secret) => self.secret(given, "client secret", &secret, |secret| {
                Directory::Cognito(OldPool {
                    secret: Some(secret),
                    ..old.clone()
                })
            }),
        }
    }

    fn postgres(&mut self, given: &cli::Directory, pool: &PoolId) -> anyhow::Result<Directory> {
        let mut postgres = Postgres {
            host: placeholder::DATABASE_HOST.into(),
            database: placeholder::DATABASE.into(),
            user: "migration".into(),
            secret: kept(pool, "database-password"),
            query: "SELECT email, password_hash FROM users WHERE lower(email) = $1".into(),
            password_column: "password_hash".into(),
            hash: "bcrypt".into(),
        };
        let default = postgres.clone();
        let wrap: fn(Postgres) -> Directory = Directory::Postgres;
        type Field = fn(&mut Postgres) -> &mut String;
        let questions: [(Field, Question<'_>); 6] = [
            (
                |postgres| &mut postgres.host,
                Question {
                    given: given.host.as_deref(),
                    text: "Database server",
                    default: "",
                    key: "directory.host",
                },
            ),
            (
                |postgres| &mut postgres.database,
                Question {
                    given: given.database.as_deref(),
                    text: "Database",
                    default: "",
                    key: "directory.database",
                },
            ),
            (
                |postgres| &mut postgres.user,
                Question {
                    given: given.user.as_deref(),
                    text: "Database user, who needs SELECT and no more",
                    default: &default.user,
                    key: "directory.user",
                },
            ),
            (
                |postgres| &mut postgres.query,
                Question {
                    given: given.query.as_deref(),
                    text: "Query for one user's row, with the name as $1",
                    default: &default.query,
                    key: "directory.query",
                },
            ),
            (
                |postgres| &mut postgres.password_column,
                Question {
                    given: given.password_column.as_deref(),
                    text: "Column with the password's hash",
                    default: &default.password_column,
                    key: "directory.password_column",
                },
            ),
            (
                |postgres| &mut postgres.hash,
                Question {
                    given: given.hash.as_deref(),
                    text: "How passwords are hashed: bcrypt, argon2, scrypt, pbkdf2, django, phpass, sha-crypt or ssha",
                    default: &default.hash,
                    key: "directory.hash",
                },
            ),
        ];
        for (field, question) in questions {
            self.fill(&mut postgres, wrap, field, question)?;
        }
        if given.query.is_none() && !self.asking {
            self.open.push("directory.query");
        }
        self.secret(
            given,
            "the database user's password",
            &default.secret,
            |secret| {
                Directory::Postgres(Postgres {
                    secret,
                    ..postgres.clone()
                })
            },
        )
    }

    /// Puts the answer where it belongs, once the parser takes it.
    fn fill<T: Clone>(
        &mut self,
        directory: &mut T,
        wrap: impl Fn(T) -> Directory,
        field: impl Fn(&mut T) -> &mut String,
        question: Question<'_>,
    ) -> anyhow::Result<()> {
        loop {
            let answer = match question.given {
                Some(given) => given.to_owned(),
                None if self.asking => {
                    let text = match question.default {
                        "" => format!("{} (empty: later)", question.text),
                        _ => question.text.to_owned(),
                    };
                    self.ui.ask(&text, question.default)?
                }
                None => question.default.to_owned(),
            };
            if answer.is_empty() {
                self.open.push(question.key);
                return Ok(());
            }
            let mut tried = directory.clone();
            *field(&mut tried) = answer;
            match wrap(tried.clone()).problem() {
                None => {
                    *directory = tried;
                    return Ok(());
                }
                Some(problem) if question.given.is_none() && self.asking => self.ui.warn(&problem),
                Some(problem) => {
                    return Err(Failure::new(
                        problem,
                        "the flags of `jane-migrate init --help` say what each takes",
                    )
                    .into());
                }
            }
        }
    }

    /// Where the secret is kept. The secret itself is never asked for; one that is typed all the same goes nowhere.
    fn secret(
        &self,
        given: &cli::Directory,
        what: &str,
        default: &Kept,
        with: impl Fn(Kept) -> Directory,
    ) -> anyhow::Result<Directory> {
        let judged = |secret| {
            let directory = with(secret);
            match directory.problem() {
                Some(problem) => Err(problem),
                None => Ok(directory),
            }
        };
        if let Some(secret) = given_secret(given)? {
            return judged(secret).map_err(|problem| {
                Failure::new(problem, "name where the secret is kept, never the secret").into()
            });
        }
        if !self.asking {
            return Ok(with(default.clone()));
        }
        let Kept::Ssm(path) = default else {
            return Ok(with(default.clone()));
        };
        self.ui.note(&format!(
            "Where is the {what} kept? An ARN of Secrets Manager, a /path of SSM's parameter store, or the NAME of an environment variable.\nNever type the secret itself."
        ));
        self.until(
            || self.ui.ask("Kept in", path),
            |text| {
                // Not quoted: it may be the secret.
                let none = "that is none of the three: arn:..., /path, or a NAME such as JANE_CLIENT_SECRET";
                judged(Kept::at(text).ok_or(none)?)
            },
        )
    }
}

/// Where a flag says that the secret is kept. What the prompt would not take for a place, a flag is not taken for either.
fn given_secret(given: &cli::Directory) -> anyhow::Result<Option<Kept>> {
    let flags = [
        (
            &given.client_secret_arn,
            "--client-secret-arn takes an ARN of Secrets Manager, which begins with arn:",
        ),
        (
            &given.client_secret_ssm,
            "--client-secret-ssm takes a path of SSM's parameter store, which begins with /",
        ),
        (
            &given.client_secret_env,
            "--client-secret-env takes the name of an environment variable in capitals, such as JANE_CLIENT_SECRET",
        ),
    ];
    let Some((place, takes)) = flags
        .into_iter()
        .find_map(|(place, takes)| Some((place.as_ref()?, takes)))
    else {
        return Ok(None);
    };
    let kept = Kept::at(place).filter(|kept| match kept {
        Kept::SecretsManager(_) => given.client_secret_arn.is_some(),
        Kept::Ssm(_) => given.client_secret_ssm.is_some(),
        Kept::Environment(_) => given.client_secret_env.is_some(),
    });
    let kept =
        kept.ok_or_else(|| Failure::new(takes, "name where the secret is kept, never the secret"))?;
    Ok(Some(kept))
}

/// Refuses a flag that would be ignored: whoever gave it expects something of it.
fn fits(given: &cli::Directory, kind: Kind, preset: Option<&str>) -> anyhow::Result<()> {
    use clap::ValueEnum;
    let Some(flag) = given.unfit(kind, preset) else {
        return Ok(());
    };
    let kind = kind.to_possible_value();
    let kind = kind.as_ref().map_or("", |kind| kind.get_name());
    let with = preset.map_or_else(String::new, |preset| format!(" with the preset `{preset}`"));
    Err(Failure::new(
        format!("{flag} says nothing about a directory of kind `{kind}`{with}"),
        "leave it out, or choose another kind with --directory; `jane-migrate init --help` says which flag is for which",
    )
    .into())
}

/// Where a secret is kept unless somebody says otherwise: encrypted, and for this pool alone.
fn kept(pool: &PoolId, what: &str) -> Kept {
    Kept::Ssm(format!("/jane-migrate/{pool}/{what}"))
}
