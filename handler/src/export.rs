//! Lists the whole directory for the command line's `remaining` and `import`: every row of a database or entry of an LDAP server,
//! and the verdict that a sign-in by that user would get, from the same code. The function itself does not use it.

use std::{collections::BTreeMap, fmt, ops::ControlFlow, sync::Arc, time::Duration};

use jane_migrate_config::{
    self as config, Database, Directory, HandlerSettings, Import, LdapServer,
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::{
    budget::{Budget, Unavailable},
    decide::decide,
    directory::{
        Unusable, Verdict, hashes,
        ldap::{self, Ldap},
        mysql::Mysql,
        postgres::Postgres,
    },
    event::{Event, normal},
    hash::{NotImported, for_cognito},
    secrets::Secrets,
};

/// The timeout of the database's login.
const PATIENCE: Duration = Duration::from_secs(20);

/// The names of the columns of a file of users that has a hash.
const PASSWORD_COLUMN: &str = "password_hash";

/// Why a listing is not usable: it lacks the configured column.
const NO_NAMES: &str = "username_column";

/// The source of the list.
#[derive(Debug)]
enum Source {
    Postgres(Box<Postgres>),
    Mysql(Box<Mysql>),
    Ldap(Box<Ldap>),
}

/// How to list and judge users.
#[derive(Debug)]
pub struct Export {
    settings: HandlerSettings,
    username_column: String,
    id_column: Option<String>,
    password_column: String,
    /// Why no hash of this directory can be imported, whatever its format.
    without: Option<&'static str>,
    source: Option<Source>,
    today: i64,
}

/// A user of the directory.
pub struct Listed {
    /// The name that the user types to sign in, in the form that a sign-in uses.
    pub name: String,
    /// The id in the old system, if a column is configured for it.
    pub id: Option<String>,
    /// The verdict for a right password; the error is why the user would not migrate, in one word.
    pub judged: Result<Eligible, String>,
}

/// A user who would migrate.
pub struct Eligible {
    /// What Cognito would store.
    pub attributes: BTreeMap<String, String>,
    /// What is known of the password.
    pub password: Password,
}

/// What is known of a user's password. Nothing of it is printed.
pub enum Password {
    /// There is none: the user signs in through another provider.
    None,
    /// The list does not say.
    Unknown,
    /// A hash that an import accepts: its kind in the API, and its text.
    Importable(&'static str, SecretString),
    /// A hash that no import accepts.
    NotImportable(NotImported),
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listed")
    }
}

impl Export {
    /// The export of these settings. `secrets` has, or fetches, the password of `[import]`. It makes no call yet.
    pub fn new(
        settings: &HandlerSettings,
        import: &Import,
        secrets: Arc<Secrets>,
        today: i64,
    ) -> Result<Self, Unusable> {
        let database = settings.directory.database();
        let source = match (
            &settings.directory,
            database.and_then(|own| listing(own, import)),
        ) {
            (Directory::Postgres(_), Some(listing)) => Some(Source::Postgres(Box::new(
                Postgres::new(&listing, secrets)?,
            ))),
            (Directory::Mysql(_), Some(listing)) => {
                Some(Source::Mysql(Box::new(Mysql::new(&listing, secrets)?)))
            }
            (Directory::Ldap(own), _) => match entries(own, import) {
                Some(listing) => {
                    let columns = [&import.username_column]
                        .into_iter()
                        .chain(&import.id_column);
                    let fields = ldap::fields(settings.attributes.values().chain(columns));
                    Some(Source::Ldap(Box::new(Ldap::new(
                        &listing, fields, secrets,
                    )?)))
                }
                None => None,
            },
            _ => None,
        };
        let password_column = database.map_or(PASSWORD_COLUMN, |own| &own.password_column);
        let without = database.and_then(|own| match (&own.firebase, &own.pepper) {
            (Some(_), _) => Some("firebase"),
            (None, Some(_)) => Some("hash with a pepper"),
            (None, None) => None,
        });
        Ok(Self {
            username_column: import.username_column.clone(),
            id_column: import.id_column.clone(),
            password_column: password_column.to_owned(),
            without,
            source,
            today,
            settings: settings.clone(),
        })
    }

    /// Whether the settings say how to list the directory.
    pub fn lists(&self) -> bool {
        self.source.is_some()
    }

    /// Passes on each row of the directory, until the callback stops.
    pub async fn each(
        &self,
        each: &mut (dyn FnMut(Map<String, Value>) -> ControlFlow<()> + Send),
    ) -> Result<(), Unavailable> {
        let budget = Budget::new(PATIENCE);
        let column = &self.username_column;
        let mut lacking = false;
        let mut checked = |row: Map<String, Value>| match row.contains_key(column) {
            true => each(row),
            false => {
                lacking = true;
                ControlFlow::Break(())
            }
        };
        match &self.source {
            Some(Source::Postgres(database)) => database.each_row(&budget, &mut checked).await?,
            Some(Source::Mysql(database)) => database.each_row(&budget, &mut checked).await?,
            // One entry without the attribute is no error; if none has it, the name is wrong.
            Some(Source::Ldap(server)) => {
                let (mut some, mut named) = (false, false);
                let mut noted = |row: Map<String, Value>| {
                    some = true;
                    named |= row.contains_key(column);
                    each(row)
                };
                server.each_row(&budget, &mut noted).await?;
                lacking = some && !named;
            }
            None => {}
        }
        match lacking {
            true => Err(Unavailable(NO_NAMES)),
            false => Ok(()),
        }
    }

    /// The verdict about a row.
    pub fn judge(&self, mut row: Map<String, Value>) -> Listed {
        let stored = row.remove(&self.password_column);
        let text = |name: &String| match row.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let id = self.id_column.as_ref().and_then(text);
        let typed = text(&self.username_column).unwrap_or_default();
        let name = normal(self.settings.response.username, &typed);
        let judged = match name.is_empty() || name.contains(['\0', '\r', '\n']) {
            true => Err("no-name".to_owned()),
            false => self.eligible(&typed, row).map(|attributes| Eligible {
                attributes,
                password: self.password(stored),
            }),
        };
        Listed { name, id, judged }
    }

    fn eligible(
        &self,
        typed: &str,
        row: Map<String, Value>,
    ) -> Result<BTreeMap<String, String>, String> {
        let sign_in = json!({
            "triggerSource": "UserMigration_Authentication",
            "userPoolId": self.settings.pool,
            "userName": normal(self.settings.response.username, typed),
            "request": {},
            "response": {},
        });
        let event = Event::read(sign_in, &self.settings).map_err(|_| "invalid".to_owned())?;
        let decision = decide(&self.settings, &event, Verdict::Known(row), self.today);
        let Some(mut response) = decision.response else {
            return Err(match (decision.reason, &decision.missing[..]) {
                (Some(reason), _) => reason.to_owned(),
                (None, []) => "no-verified-address".to_owned(),
                (None, missing) => format!("missing-{}", missing.join("-")),
            });
        };
        let attributes = response.remove("userAttributes").unwrap_or_default();
        serde_json::from_value(attributes).map_err(|_| "invalid".to_owned())
    }

    fn password(&self, stored: Option<Value>) -> Password {
        if stored.is_none() {
            return Password::Unknown;
        }
        match (hashes::usable(stored.as_ref()), self.without) {
            (None, _) => Password::None,
            (Some(_), Some(why)) => {
                Password::NotImportable(NotImported::OtherFormat(why.to_owned()))
            }
            (Some(hash), None) => match for_cognito(&hash) {
                Ok((kind, text)) => Password::Importable(kind, text),
                Err(why) => Password::NotImportable(why),
            },
        }
    }
}

/// The database for `[import]`.
fn listing(own: &Database, import: &Import) -> Option<Database> {
    Some(Database {
        host: import.host.clone().unwrap_or_else(|| own.host.clone()),
        port: import.port.or(own.port),
        user: import.user.clone()?,
        password: import.password.clone()?,
        query: import.query.clone()?,
        ..own.clone()
    })
}

/// The LDAP server for `[import]`.
fn entries(own: &config::Ldap, import: &Import) -> Option<config::Ldap> {
    let server = LdapServer::parse(&own.url)?;
    let host = import.host.as_deref().unwrap_or(&server.host);
    // An IPv6 address is in brackets.
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let scheme = if server.tls { "ldaps" } else { "ldap" };
    let port = import.port.unwrap_or(server.port);
    Some(config::Ldap {
        url: format!("{scheme}://{host}:{port}"),
        base: Some(import.base.clone().or(own.base.clone())?),
        filter: Some(import.filter.clone()?),
        bind_dn: Some(import.user.clone()?),
        bind_password: Some(import.password.clone()?),
        user_dn: None,
        ..own.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{directory::hashes::tests::settings as database, fixtures};

    fn export(import: Import) -> Export {
        let mut settings = fixtures::settings(&[
            ("email", "mail"),
            ("email_verified", "verified"),
            ("name", "name"),
        ]);
        settings.directory = Directory::Postgres(Box::new(database(None)));
        settings.required_attributes = vec!["email".into()];
        let secrets = Arc::new(Secrets::new(None, String::new()));
        Export::new(&settings, &import, secrets, 0).expect("usable")
    }

    fn import() -> Import {
        Import {
            username_column: "mail".into(),
            id_column: Some("id".into()),
            ..Import::default()
        }
    }

    fn judged(row: Value) -> Listed {
        export(import()).judge(row.as_object().cloned().unwrap())
    }

    #[test]
    fn a_row_is_judged_as_a_sign_in_by_its_user() {
        let hash = "$2b$10$CtA.Rcu/szzn9U00wpUjOuN3vrgJRZycv4aOzcP3GzqzO8UDPEFq6";
        let ann = judged(
            json!({ "id": 7, "mail": " Ann@example.com", "verified": true, "name": "Ann", "hash": hash }),
        );
        assert_eq!(
            (ann.name.as_str(), ann.id.as_deref()),
            ("ann@example.com", Some("7"))
        );
        let ann = ann.judged.expect("eligible");
        assert_eq!(
            json!(ann.attributes),
            json!({ "email": "Ann@example.com", "email_verified": "true", "name": "Ann" })
        );
        assert!(matches!(ann.password, Password::Importable("BCRYPT", _)));
        let password = |hash: Value| {
            let row = json!({ "mail": "a@example.com", "hash": hash });
            judged(row).judged.expect("eligible").password
        };
        assert!(matches!(password(json!(null)), Password::None));
        assert!(matches!(password(json!("!x")), Password::None));
        assert!(matches!(
            password(json!("plain")),
            Password::NotImportable(NotImported::Unreadable(_))
        ));
        let unknown = judged(json!({ "mail": "a@example.com" }))
            .judged
            .expect("eligible");
        assert!(matches!(unknown.password, Password::Unknown));
    }

    #[test]
    fn a_user_who_would_not_migrate_is_listed_with_the_reason() {
        let reason = |row: Value| judged(row).judged.err();
        assert_eq!(reason(json!({ "mail": "" })).as_deref(), Some("no-name"));
        assert_eq!(reason(json!({ "mail": null })).as_deref(), Some("no-name"));
        assert_eq!(
            reason(json!({ "mail": "ann" })).as_deref(),
            Some("missing-email")
        );
    }

    #[test]
    fn only_a_database_with_its_own_query_is_listed() {
        assert!(!export(import()).lists());
        let with = Import {
            user: Some("export".into()),
            password: Some(jane_migrate_config::Secret::Env("P".into())),
            query: Some("SELECT 1".into()),
            ..import()
        };
        assert!(export(with).lists());
    }
}
