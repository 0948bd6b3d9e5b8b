//! The questions of `init`, and the defaults without a terminal. The parser that reads the file judges each answer.

use jane_migrate_config::Date;

use crate::cli::{self, Kind};
use crate::draft::{Database, Directory, Http, Jane, Ldap, OldPool, Place};
use crate::error::{Error, Result};
use crate::ui::Ui;
use jane_migrate_core::fix::{Fix, fix};
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::placeholder;

/// Asks on a terminal. Elsewhere, and with `--yes`, takes the defaults and notes which values they leave open.
pub(super) struct Questions<'a> {
    ui: &'a Ui,
    asking: bool,
    open: Vec<&'static str>,
}

/// A question about one value of `[directory]`.
struct Question<T> {
    /// The value in the draft.
    field: fn(&mut T) -> &mut String,
    /// The flag that answers it.
    flag: fn(&cli::Directory) -> Option<&str>,
    /// Its key in the file.
    key: &'static str,
    /// The question on the terminal.
    text: &'static str,
    /// Whether the draft has a default already. Without one the value stays open: a placeholder for the operator to replace.
    has_default: bool,
}

const JANE: [Question<Jane>; 2] = [
    Question {
        field: |jane| &mut jane.url,
        flag: |given| given.url.as_deref(),
        key: "directory.url",
        text: "Base URL of Jane's API",
        has_default: true,
    },
    Question {
        field: |jane| &mut jane.client_id,
        flag: |given| given.client_id.as_deref(),
        key: "directory.client_id",
        text: "Client id, from Jane's partner team",
        has_default: false,
    },
];

const HTTP_URL: Question<Http> = Question {
    field: |http| &mut http.url,
    flag: |given| given.url.as_deref(),
    key: "directory.url",
    text: "Base URL of the service",
    has_default: false,
};

const HTTP_REALM: Question<Http> = Question {
    field: |http| &mut http.realm,
    flag: |given| given.realm.as_deref(),
    key: "directory.settings.realm",
    text: "Realm",
    has_default: false,
};

const HTTP_CLIENT: Question<Http> = Question {
    field: |http| &mut http.client_id,
    flag: |given| given.client_id.as_deref(),
    key: "directory.settings.client_id",
    text: "Client id, of a client that allows the password grant",
    has_default: false,
};

const OLD_POOL: [Question<OldPool>; 2] = [
    Question {
        field: |old| &mut old.pool_id,
        flag: |given| given.old_pool.as_ref().map(PoolId::as_str),
        key: "directory.pool_id",
        text: "Id of the user pool to migrate from",
        has_default: false,
    },
    Question {
        field: |old| &mut old.client_id,
        flag: |given| given.client_id.as_deref(),
        key: "directory.client_id",
        text: "Id of an app client of it that allows ADMIN_USER_PASSWORD_AUTH",
        has_default: false,
    },
];

const DATABASE: [Question<Database>; 4] = [
    Question {
        field: |database| &mut database.host,
        flag: |given| given.host.as_deref(),
        key: "directory.host",
        text: "Database server",
        has_default: false,
    },
    Question {
        field: |database| &mut database.database,
        flag: |given| given.database.as_deref(),
        key: "directory.database",
        text: "Database",
        has_default: false,
    },
    Question {
        field: |database| &mut database.user,
        flag: |given| given.user.as_deref(),
        key: "directory.user",
        text: "Database user, with SELECT on the users table and nothing else",
        has_default: true,
    },
    Question {
        field: |database| &mut database.password_column,
        flag: |given| given.password_column.as_deref(),
        key: "directory.password_column",
        text: "Column with the password's hash",
        has_default: true,
    },
];

const LDAP: [Question<Ldap>; 4] = [
    Question {
        field: |ldap| &mut ldap.url,
        flag: |given| given.url.as_deref(),
        key: "directory.url",
        text: "URL of the LDAP server, such as ldaps://ldap.example.com",
        has_default: false,
    },
    Question {
        field: |ldap| &mut ldap.base,
        flag: |given| given.base.as_deref(),
        key: "directory.base",
        text: "DN above the users, such as ou=people,dc=example,dc=com",
        has_default: false,
    },
    Question {
        field: |ldap| &mut ldap.filter,
        flag: |given| given.filter.as_deref(),
        key: "directory.filter",
        text: "Filter for one user's entry, with the user name as {username}",
        has_default: true,
    },
    Question {
        field: |ldap| &mut ldap.bind_dn,
        flag: |given| given.bind_dn.as_deref(),
        key: "directory.bind_dn",
        text: "DN to search as, with the right to read the mapped attributes and nothing else",
        has_default: false,
    },
];

/// Asked after the column, which the query must select.
const QUERY: [Question<Database>; 2] = [
    Question {
        field: |database| &mut database.query,
        flag: |given| given.query.as_deref(),
        key: "directory.query",
        text: "Query for one user's row, with the user name as $1 (postgres) or ? (mysql)",
        has_default: true,
    },
    Question {
        field: |database| &mut database.hash,
        flag: |given| given.hash.as_deref(),
        key: "directory.hash",
        text: "Password hash, such as bcrypt, argon2 or django; docs/from-sql.md lists them by framework",
        has_default: true,
    },
];

impl<'a> Questions<'a> {
    pub(super) fn new(ui: &'a Ui, yes: bool) -> Self {
        Self {
            ui,
            asking: ui.can_ask() && !yes,
            open: Vec::new(),
        }
    }

    /// The keys whose values the operator must still fill in.
    pub(super) fn open(&self) -> &[&'static str] {
        &self.open
    }

    pub(super) fn pool(&self, given: Option<&PoolId>) -> Result<PoolId> {
        if let Some(pool) = given {
            return Ok(pool.clone());
        }
        if !self.asking {
            return Err(Error::new(
                "no user pool given",
                fix![
                    "name it with --pool; `",
                    Fix::aws("cognito-idp list-user-pools --max-results 60"),
                    "` lists them",
                ],
            ));
        }
        self.until(
            || self.ui.ask("User pool id", ""),
            |text| text.parse().map_err(|error| format!("`{text}` {error}")),
        )
    }

    pub(super) fn closes(&self, given: Option<Date>) -> Result<Option<Date>> {
        let question = "Last day of the migration, such as 2027-03-31 (empty: no end)";
        self.optional(given, question, |text| {
            text.parse().map_err(|error| format!("{error}"))
        })
    }

    pub(super) fn total_users(&self, given: Option<u64>) -> Result<Option<u64>> {
        let question =
            "Number of accounts to migrate, for the progress in `status` (empty: unknown)";
        self.optional(given, question, |text| {
            cli::total_users(text).map_err(str::to_owned)
        })
    }

    fn optional<T>(
        &self,
        given: Option<T>,
        question: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
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

    /// Asks until an answer is valid.
    fn until<T>(
        &self,
        ask: impl Fn() -> Result<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        loop {
            match read(&ask()?) {
                Ok(value) => return Ok(value),
                Err(why) => self.ui.warn(&why),
            }
        }
    }

    pub(super) fn directory(&mut self, given: &cli::Directory, pool: &PoolId) -> Result<Directory> {
        let kind = self.kind(given)?;
        if kind != Kind::Http {
            fits(given, kind, None)?;
        }
        match kind {
            Kind::Jane => self.jane(given, pool),
            Kind::Http => self.http(given, pool),
            Kind::Cognito => self.cognito(given, pool),
            Kind::Postgres => self.database(given, pool, Directory::Postgres, "$1"),
            Kind::Mysql => self.database(given, pool, Directory::Mysql, "?"),
            Kind::Ldap => self.ldap(given, pool),
        }
    }

    fn kind(&self, given: &cli::Directory) -> Result<Kind> {
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
                    "Where are the existing accounts? jane, http, cognito (an old pool), postgres, mysql or ldap",
                    "jane",
                )
            },
            |text| Kind::from_str(text, true),
        )
    }

    fn jane(&mut self, given: &cli::Directory, pool: &PoolId) -> Result<Directory> {
        let mut jane = Jane {
            url: "https://api.iheartjane.com".into(),
            client_id: placeholder::CLIENT.into(),
            secret: default_place(pool, "client-secret"),
        };
        self.fill(&mut jane, Directory::Jane, &JANE, given)?;
        self.secret(given, "client secret", Directory::Jane(jane))
    }

    fn http(&mut self, given: &cli::Directory, pool: &PoolId) -> Result<Directory> {
        let mut http = Http {
            preset: None,
            url: format!("https://{}", placeholder::HTTP_HOST),
            client_id: placeholder::CLIENT.into(),
            realm: placeholder::REALM.into(),
            secret: default_place(pool, "directory-secret"),
        };
        http.preset = self.preset(given.preset.as_deref(), &http)?;
        let preset = http.preset.clone();
        let preset = preset.as_deref();
        fits(given, Kind::Http, preset)?;
        if preset != Some("firebase") {
            self.fill(&mut http, Directory::Http, &[HTTP_URL], given)?;
        }
        if preset == Some("keycloak") {
            self.fill(&mut http, Directory::Http, &[HTTP_REALM], given)?;
        }
        if Http::has_client(preset) {
            self.fill(&mut http, Directory::Http, &[HTTP_CLIENT], given)?;
        }
        if preset.is_none() {
            self.open
                .extend(["directory.authenticate", "directory.lookup"]);
        }
        self.secret(given, "secret", Directory::Http(http))
    }

    fn preset(&self, given: Option<&str>, http: &Http) -> Result<Option<String>> {
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
                Error::new(problem, "see --preset in `jane-migrate init --help`")
            }),
            None if !self.asking => Ok(None),
            None => {
                let names: Vec<_> = jane_migrate_config::presets().collect();
                let question = format!("Is it one of {}?", names.join(", "));
                self.until(|| self.ui.ask(&question, "none"), read)
            }
        }
    }

    fn cognito(&mut self, given: &cli::Directory, pool: &PoolId) -> Result<Directory> {
        let region = pool.region().unwrap_or("us-east-1");
        let mut old = OldPool {
            pool_id: format!("{region}_{}", placeholder::OLD_POOL),
            client_id: placeholder::OLD_CLIENT.into(),
            role_arn: given.role_arn.clone(),
            // Most such clients have no secret, so only a flag brings one.
            secret: None,
        };
        if let Some(problem) = Directory::Cognito(old.clone()).problem() {
            return Err(Error::new(
                problem,
                "see --role-arn in `jane-migrate init --help`",
            ));
        }
        self.fill(&mut old, Directory::Cognito, &OLD_POOL, given)?;
        self.secret(given, "client secret", Directory::Cognito(old))
    }

    /// `name` is the placeholder of the user name in the query.
    fn database(
        &mut self,
        given: &cli::Directory,
        pool: &PoolId,
        wrap: fn(Database) -> Directory,
        name: &str,
    ) -> Result<Directory> {
        let mut database = Database {
            host: placeholder::DATABASE_HOST.into(),
            database: placeholder::DATABASE.into(),
            user: "migration".into(),
            secret: default_place(pool, "database-password"),
            query: format!("SELECT * FROM users WHERE lower(email) = {name}"),
            password_column: "password_hash".into(),
            hash: "bcrypt".into(),
        };
        self.fill(&mut database, wrap, &DATABASE, given)?;
        database.query = format!(
            "SELECT email, {} FROM users WHERE lower(email) = {name}",
            database.password_column
        );
        self.fill(&mut database, wrap, &QUERY, given)?;
        if given.query.is_none() && !self.asking {
            self.open.push("directory.query");
        }
        self.secret(given, "the database user's password", wrap(database))
    }

    fn ldap(&mut self, given: &cli::Directory, pool: &PoolId) -> Result<Directory> {
        let mut ldap = Ldap {
            url: format!("ldaps://{}", placeholder::LDAP_HOST),
            base: placeholder::LDAP_BASE.into(),
            filter: "(&(objectClass=person)(mail={username}))".into(),
            bind_dn: placeholder::LDAP_BIND_DN.into(),
            secret: default_place(pool, "ldap-password"),
        };
        self.fill(&mut ldap, Directory::Ldap, &LDAP, given)?;
        self.secret(given, "password of that DN", Directory::Ldap(ldap))
    }

    /// Puts each answer into the draft, once the parser accepts it.
    fn fill<T: Clone>(
        &mut self,
        draft: &mut T,
        wrap: fn(T) -> Directory,
        questions: &[Question<T>],
        given: &cli::Directory,
    ) -> Result<()> {
        for question in questions {
            let read = |answer: &str| {
                if answer.is_empty() {
                    return Ok(None);
                }
                let mut answered = draft.clone();
                answer.clone_into((question.field)(&mut answered));
                match wrap(answered.clone()).problem() {
                    Some(problem) => Err(problem),
                    None => Ok(Some(answered)),
                }
            };
            let default = match question.has_default {
                true => (question.field)(&mut draft.clone()).clone(),
                false => String::new(),
            };
            match self.answer(question, (question.flag)(given), &default, read)? {
                Some(answered) => *draft = answered,
                None => self.open.push(question.key),
            }
        }
        Ok(())
    }

    /// The answer by flag, on the terminal or by default.
    fn answer<T, A>(
        &self,
        question: &Question<T>,
        flag: Option<&str>,
        default: &str,
        read: impl Fn(&str) -> Result<A, String>,
    ) -> Result<A> {
        if flag.is_some() || !self.asking {
            let hint = "the flags of `jane-migrate init --help` say what each takes";
            return read(flag.unwrap_or(default)).map_err(|problem| Error::new(problem, hint));
        }
        let text = match default {
            "" => format!("{} (empty: later)", question.text),
            _ => question.text.to_owned(),
        };
        self.until(|| self.ui.ask(&text, default), read)
    }

    /// Asks where the secret is stored, never for the secret itself. A secret that is typed by mistake is not shown or kept.
    fn secret(
        &self,
        given: &cli::Directory,
        what: &str,
        directory: Directory,
    ) -> Result<Directory> {
        let judged = |place| {
            let mut directory = directory.clone();
            directory.set_secret(place);
            match directory.problem() {
                Some(problem) => Err(problem),
                None => Ok(directory),
            }
        };
        if let Some(place) = given_secret(given)? {
            return judged(place).map_err(|problem| {
                Error::new(problem, "name where the secret is stored, never the secret")
            });
        }
        let default = match directory.secret() {
            Some(Place::Ssm(path)) if self.asking => path,
            _ => return Ok(directory),
        };
        self.ui.note(&format!(
            "Where is the {what} stored? A Secrets Manager ARN, a /path in the SSM parameter store, or the NAME of an environment variable.\nNever type the secret itself."
        ));
        self.until(
            || self.ui.ask("Stored in", default),
            |text| {
                // Not quoted, because it may be the secret.
                let none = "that is none of the three: arn:..., /path, or a NAME such as JANE_CLIENT_SECRET";
                judged(Place::at(text).ok_or(none)?)
            },
        )
    }
}

/// Where the secret is stored, from a flag. It takes the same forms as the prompt.
fn given_secret(given: &cli::Directory) -> Result<Option<Place>> {
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
    let kept = Place::at(place).filter(|kept| match kept {
        Place::SecretsManager(_) => given.client_secret_arn.is_some(),
        Place::Ssm(_) => given.client_secret_ssm.is_some(),
        Place::Environment(_) => given.client_secret_env.is_some(),
    });
    let kept =
        kept.ok_or_else(|| Error::new(takes, "name where the secret is stored, never the secret"))?;
    Ok(Some(kept))
}

/// Refuses a flag that this kind of directory would ignore.
fn fits(given: &cli::Directory, kind: Kind, preset: Option<&str>) -> Result<()> {
    use clap::ValueEnum;
    let Some(flag) = given.unfit(kind, preset) else {
        return Ok(());
    };
    let kind = kind.to_possible_value();
    let kind = kind.as_ref().map_or("", |kind| kind.get_name());
    let with = preset.map_or_else(String::new, |preset| format!(" with the preset `{preset}`"));
    Err(Error::new(
        format!("{flag} does not apply to a directory of kind `{kind}`{with}"),
        "omit it, or choose another kind with --directory; `jane-migrate init --help` lists the flags of each kind",
    ))
}

/// The default place of a secret: encrypted, and for this pool only.
fn default_place(pool: &PoolId, what: &str) -> Place {
    Place::Ssm(format!("/jane-migrate/{pool}/{what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;

    /// The directory that `init` drafts from these flags without a terminal, and the keys that stay open.
    fn drafted(flags: &[&str]) -> Result<(Directory, Vec<&'static str>)> {
        let words = ["jane-migrate", "init"].iter().chain(flags);
        let words: Vec<_> = words.map(Into::into).collect();
        let cli = cli::parse(&words).expect("the flags are known");
        let ui = Ui::new(&cli);
        let Command::Init(init) = cli.command else {
            panic!("another command")
        };
        let mut questions = Questions::new(&ui, true);
        let pool = "us-east-1_AbC123".parse().unwrap();
        let directory = questions.directory(&init.directory, &pool)?;
        Ok((directory, questions.open))
    }

    #[track_caller]
    fn refused(flags: &[&str]) -> String {
        let error = drafted(flags).unwrap_err();
        format!("{error}; {}", error.advice())
    }

    #[test]
    fn without_flags_the_directory_is_jane_and_only_the_client_is_open() {
        let (directory, open) = drafted(&[]).unwrap();
        let Directory::Jane(jane) = &directory else {
            panic!("{directory:?}")
        };
        assert_eq!(jane.url, "https://api.iheartjane.com");
        assert_eq!(jane.client_id, placeholder::CLIENT);
        let place = Place::Ssm("/jane-migrate/us-east-1_AbC123/client-secret".into());
        assert_eq!(directory.secret(), Some(&place));
        assert_eq!(open, ["directory.client_id"]);
        let (_, open) = drafted(&["--client-id", "shop"]).unwrap();
        assert_eq!(open, [] as [&str; 0]);
    }

    #[test]
    fn each_kind_leaves_open_what_only_the_operator_knows() {
        for (flags, kind, expected) in [
            (
                &["--directory", "http"][..],
                "http",
                &[
                    "directory.url",
                    "directory.authenticate",
                    "directory.lookup",
                ][..],
            ),
            (&["--preset", "devise"], "http", &["directory.url"]),
            (&["--preset", "firebase"], "http", &[]),
            (
                &["--preset", "auth0"],
                "http",
                &["directory.url", "directory.settings.client_id"],
            ),
            (
                &["--preset", "keycloak"],
                "http",
                &[
                    "directory.url",
                    "directory.settings.realm",
                    "directory.settings.client_id",
                ],
            ),
            (
                &["--directory", "cognito"],
                "cognito",
                &["directory.pool_id", "directory.client_id"],
            ),
            (
                &["--directory", "postgres"],
                "postgres",
                &["directory.host", "directory.database", "directory.query"],
            ),
            (
                &["--directory", "mysql"],
                "mysql",
                &["directory.host", "directory.database", "directory.query"],
            ),
            (
                &["--directory", "ldap"],
                "ldap",
                &["directory.url", "directory.base", "directory.bind_dn"],
            ),
        ] {
            let (directory, open) = drafted(flags).unwrap();
            assert_eq!((directory.kind(), &open[..]), (kind, expected), "{flags:?}");
            assert_eq!(directory.problem(), None, "{flags:?}");
        }
    }

    #[test]
    fn a_flag_is_an_answer_and_the_parser_judges_it() {
        let flags = ["--directory", "postgres", "--hash", "argon2"];
        let (directory, _) = drafted(&flags).unwrap();
        let Directory::Postgres(postgres) = directory else {
            panic!("{directory:?}")
        };
        assert_eq!((&*postgres.hash, &*postgres.user), ("argon2", "migration"));
        let said = refused(&["--url", "http://jane.example.com"]);
        assert!(said.contains("https://"), "{said}");
        let said = refused(&["--preset", "auht0"]);
        assert!(said.contains("see --preset"), "{said}");
    }

    #[test]
    fn a_flag_for_another_kind_is_refused() {
        let said = refused(&["--preset", "auth0", "--realm", "shop"]);
        let expected =
            "--realm does not apply to a directory of kind `http` with the preset `auth0`";
        assert!(said.starts_with(expected), "{said}");
        let said = refused(&["--old-pool", "us-west-2_AbCdEf123"]);
        assert!(said.contains("of kind `jane`;"), "{said}");
    }

    #[test]
    fn a_secret_s_place_must_have_the_form_of_its_flag() {
        let of = |flags: &[&str]| drafted(flags).unwrap().0.secret().cloned();
        let path = "/jane/secret";
        assert_eq!(
            of(&["--client-secret-ssm", path]),
            Some(Place::Ssm(path.into()))
        );
        let name = "JANE_SECRET";
        let in_environment = Some(Place::Environment(name.into()));
        assert_eq!(of(&["--client-secret-env", name]), in_environment);
        let cognito = ["--directory", "cognito"];
        assert_eq!(of(&cognito), None);
        let with_secret = [&cognito[..], &["--client-secret-env", name]].concat();
        assert_eq!(of(&with_secret), in_environment);
        for (flag, typed) in [
            ("--client-secret-ssm", "hunter2"),
            ("--client-secret-env", "hunter2"),
            ("--client-secret-arn", "/hunter2"),
        ] {
            let said = refused(&[flag, typed]);
            assert!(
                said.starts_with(flag) && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
