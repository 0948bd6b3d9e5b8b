//! An LDAP server, such as OpenLDAP or Active Directory: a search finds the user's entry, and a bind as that entry checks the password.
//!
//! The connection of the search is kept. Each password has a connection of its own, so that it is sent once and no search runs
//! with a user's rights. That connection opens during the search, so also for an unknown user.

mod connection;
mod result;

#[cfg(feature = "export")]
use std::ops::ControlFlow;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jane_migrate_config::{self as config, LdapServer, NAME_PLACEHOLDER, Source};
#[cfg(feature = "export")]
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap as Handle, LdapError, Scope, SearchEntry, SearchOptions, dn_escape, ldap_escape};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::{sync::Mutex, time::Instant};

use self::result::{bound, searched};
use super::verdict::{Unusable, Verdict};
use crate::{
    brake::Brake,
    budget::{Budget, Unavailable},
    escape::hex,
    event::Event,
    outcome::Outcome,
    secrets::Secrets,
    upstream::tls,
};

/// How long a kept connection may take to answer. One that was lost while the function was frozen reports no error.
const SILENCE: Duration = Duration::from_millis(1500);

/// Active Directory returns at most a thousand entries at once.
#[cfg(feature = "export")]
const PAGE: i32 = 500;

/// Why a listing is incomplete: the server returns no more. It never happens in a sign-in.
#[cfg(feature = "export")]
const TOO_FEW: &str = "size-limit";

/// An LDAP server.
pub struct Ldap {
    settings: config::Ldap,
    server: LdapServer,
    /// TLS, except on this machine with `ldap://`.
    tls: Option<Arc<ClientConfig>>,
    secrets: Arc<Secrets>,
    /// The attributes that are read, as the settings spell them.
    fields: Vec<String>,
    kept: Mutex<Option<Handle>>,
    /// Wrong passwords by DN: an entry is found by several names, and by several spellings of each.
    brake: Brake,
}

/// The connection contains the signed-in user.
impl fmt::Debug for Ldap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ldap")
    }
}

/// The attributes of an entry that these lines of `[attributes]` use.
pub fn fields<'a>(sources: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let named = |source| match source {
        Source::Field(field) => Some(field),
        Source::Pointer(pointer) => pointer.split('/').nth(1).map(str::to_owned),
        Source::Literal(_) | Source::Username | Source::Uuid => None,
    };
    let sources = sources.into_iter();
    let named = sources.flat_map(|text| Source::alternatives(text).filter_map(named));
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Ldap {
    /// The server of the settings; these attributes of its entries are read. It makes no call yet.
    pub fn new(
        settings: &config::Ldap,
        fields: Vec<String>,
        secrets: Arc<Secrets>,
    ) -> Result<Self, Unusable> {
        let server = LdapServer::parse(&settings.url).ok_or(Unusable)?;
        let tls = match server.tls {
            true => {
                let tls = tls(settings.ca_certificate.as_deref()).map_err(|_| Unusable)?;
                Some(Arc::new(tls))
            }
            false => None,
        };
        Ok(Self {
            settings: settings.clone(),
            server,
            tls,
            secrets,
            fields,
            kept: Mutex::default(),
            brake: Brake::default(),
        })
    }

    /// Opens the connection of the search.
    pub async fn warm(&self, budget: &Budget) -> Result<(), Unavailable> {
        if self.settings.user_dn.is_none() {
            *self.kept.lock().await = Some(self.signed_in(budget).await?);
        }
        Ok(())
    }

    /// Whether the password is right.
    pub async fn authenticate(
        &self,
        event: &Event,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Verdict, Unavailable> {
        // A bind without a password is anonymous, and succeeds (RFC 4513, 5.1.2).
        if password.expose_secret().is_empty() {
            return Ok(Verdict::WrongPassword);
        }
        if let Some(template) = &self.settings.user_dn {
            let dn = template.replace(NAME_PLACEHOLDER, &dn_escape(event.name()));
            let mut connection = self.open(budget).await?;
            if let Some(refused) = self.bind(&mut connection, &dn, password, budget).await? {
                return Ok(refused);
            }
            let own = self.search(&mut connection, &dn, Scope::Base, "(objectClass=*)", budget);
            return Ok(self.known(event.name(), own.await?));
        }
        let (found, connection) = tokio::join!(self.find(event.name(), budget), self.open(budget));
        let entry = match only(found?) {
            Ok(entry) => entry,
            Err(verdict) => return Ok(verdict),
        };
        // The operator's tests are no guesses.
        let (counts, now) = (!event.is_trial(), SystemTime::now());
        if counts && !self.brake.allows(&entry.dn, now) {
            return Ok(Verdict::TooManyGuesses);
        }
        let mut connection = connection?;
        let refused = self.bind(&mut connection, &entry.dn, password, budget);
        let refused = refused.await?;
        if counts {
            let outcome = match refused {
                Some(_) => Outcome::WrongPassword,
                None => Outcome::Migrated,
            };
            self.brake.note(&entry.dn, outcome, now);
        }
        Ok(match refused {
            Some(refused) => refused,
            None => self.known(event.name(), vec![entry]),
        })
    }

    /// Whether the user exists. If the DN follows from the name, this cannot be known without the user's own password.
    pub async fn lookup(&self, event: &Event, budget: &Budget) -> Result<Verdict, Unavailable> {
        match self.settings.user_dn {
            Some(_) => Ok(Verdict::NotEligible),
            None => Ok(self.known(event.name(), self.find(event.name(), budget).await?)),
        }
    }

    fn known(&self, name: &str, entries: Vec<SearchEntry>) -> Verdict {
        only(entries).map_or_else(
            |verdict| verdict,
            |entry| Verdict::Known(object(entry, &self.fields, name)),
        )
    }

    /// The entries with this name, from the kept connection or a new one.
    async fn find(&self, name: &str, budget: &Budget) -> Result<Vec<SearchEntry>, Unavailable> {
        let base = self.settings.base.as_deref().unwrap_or_default();
        let filter = self.settings.filter.as_deref().unwrap_or_default();
        let filter = filter.replace(NAME_PLACEHOLDER, &ldap_escape(name));
        let mut kept = self.kept.lock().await;
        if let Some(mut connection) = kept.take().filter(|kept| !kept.clone().is_closed()) {
            let shorter = budget.shorter(SILENCE);
            let found = self.search(&mut connection, base, Scope::Subtree, &filter, &shorter);
            match found.await {
                Err(Unavailable("connection" | "timeout")) => {}
                found => {
                    *kept = Some(connection);
                    return found;
                }
            }
        }
        let mut connection = self.signed_in(budget).await?;
        let found = self.search(&mut connection, base, Scope::Subtree, &filter, budget);
        let found = found.await?;
        *kept = Some(connection);
        Ok(found)
    }

    async fn search(
        &self,
        connection: &mut Handle,
        base: &str,
        scope: Scope,
        filter: &str,
        budget: &Budget,
    ) -> Result<Vec<SearchEntry>, Unavailable> {
        let started = Instant::now();
        // Two entries show that the name is ambiguous.
        let options = SearchOptions::new().sizelimit(2);
        let fields = asked(&self.fields);
        let answered = async {
            let found = connection
                .with_search_options(options)
                .search(base, scope, filter, fields)
                .await;
            let found = found.map_err(|error| failed(&error))?;
            searched(found.1.rc)?;
            let entries = found.0.into_iter().filter(|entry| !entry.is_ref());
            Ok(entries.map(SearchEntry::construct).collect())
        };
        let answered = budget.within(answered).await;
        budget.record("search", Some(&self.server.host), started, None);
        answered
    }

    /// Checks a password. Returns the verdict, unless it is right.
    async fn bind(
        &self,
        connection: &mut Handle,
        dn: &str,
        password: &SecretString,
        budget: &Budget,
    ) -> Result<Option<Verdict>, Unavailable> {
        let started = Instant::now();
        let answered = async {
            let answer = connection.simple_bind(dn, password.expose_secret()).await;
            let answer = answer.map_err(|error| failed(&error))?;
            bound(answer.rc, &answer.text)
        };
        let answered = budget.within(answered).await;
        budget.record("bind", Some(&self.server.host), started, None);
        answered
    }

    /// A connection without a bind.
    async fn open(&self, budget: &Budget) -> Result<Handle, Unavailable> {
        let started = Instant::now();
        let opened = connection::open(&self.server, self.tls.as_ref(), connection::MOST);
        let opened = budget.within(opened).await;
        budget.record("connect", Some(&self.server.host), started, None);
        opened
    }

    /// A connection bound as the searching DN.
    async fn signed_in(&self, budget: &Budget) -> Result<Handle, Unavailable> {
        let (Some(dn), Some(secret)) = (&self.settings.bind_dn, &self.settings.bind_password)
        else {
            return self.open(budget).await;
        };
        let password = self.secrets.get(secret, budget).await?;
        let mut connection = self.open(budget).await?;
        let login = Unavailable("login");
        // A bind without the password would be anonymous.
        let mut refused = match password.expose_secret().is_empty() {
            true => return Err(login),
            false => self.bind(&mut connection, dn, &password, budget).await?,
        };
        // The password may have been replaced since it was fetched.
        if refused.is_some()
            && let Some(password) = self.secrets.changed(secret, budget).await?
        {
            refused = self.bind(&mut connection, dn, &password, budget).await?;
        }
        match refused {
            None => Ok(connection),
            Some(_) => Err(login),
        }
    }

    /// Passes on every entry that the filter finds, page by page, until the callback stops.
    #[cfg(feature = "export")]
    pub async fn each_row(
        &self,
        budget: &Budget,
        each: &mut (dyn FnMut(Map<String, Value>) -> ControlFlow<()> + Send),
    ) -> Result<(), Unavailable> {
        let mut connection = self.signed_in(budget).await?;
        let base = self.settings.base.as_deref().unwrap_or_default();
        let filter = self.settings.filter.as_deref().unwrap_or_default();
        let pages: Vec<Box<dyn Adapter<'_, _, _>>> = vec![
            Box::new(EntriesOnly::new()),
            Box::new(PagedResults::new(PAGE)),
        ];
        let fields = asked(&self.fields);
        let mut entries = connection
            .streaming_search_with(pages, base, Scope::Subtree, filter, fields)
            .await
            .map_err(|error| failed(&error))?;
        while let Some(entry) = entries.next().await.map_err(|error| failed(&error))? {
            let row = object(SearchEntry::construct(entry), &self.fields, "");
            if each(row).is_break() {
                return Ok(());
            }
        }
        match entries.finish().await.rc {
            result::SIZE_LIMIT => Err(Unavailable(TOO_FEW)),
            code => searched(code),
        }
    }
}

/// The attributes to request; `1.1` means none of them, and an empty list all.
fn asked(fields: &[String]) -> Vec<&str> {
    match fields.is_empty() {
        true => vec!["1.1"],
        false => fields.iter().map(String::as_str).collect(),
    }
}

/// Why a call ended without a result. The error itself is dropped: it may quote a value.
fn failed(error: &LdapError) -> Unavailable {
    Unavailable(match error {
        LdapError::FilterParsing => "query",
        LdapError::LdapResult { result } => {
            return searched(result.rc).err().unwrap_or(Unavailable("query"));
        }
        _ => "connection",
    })
}

/// The one entry, or the verdict if there is not exactly one.
fn only(mut entries: Vec<SearchEntry>) -> Result<SearchEntry, Verdict> {
    match (entries.pop(), entries.is_empty()) {
        (None, _) => Err(Verdict::NotFound),
        (Some(entry), true) => Ok(entry),
        // Two users have this name: the password may belong to either one.
        (Some(_), false) => Err(Verdict::NotEligible),
    }
}

/// The entry's attributes with the names of the settings, and its DN as `dn`. Of several values, the one that was typed is used,
/// or else the first.
pub(super) fn object(entry: SearchEntry, fields: &[String], name: &str) -> Map<String, Value> {
    let hexadecimal = |values: Vec<Vec<u8>>| values.iter().map(|value| hex(value)).collect();
    let binary = entry.bin_attrs.into_iter();
    let binary = binary.map(|(key, values)| (key, hexadecimal(values)));
    let attributes: BTreeMap<String, Vec<String>> = entry
        .attrs
        .into_iter()
        .chain(binary)
        .map(|(key, values)| (key.to_lowercase(), values))
        .collect();
    let value = |field: &String| {
        let values = attributes.get(&field.to_lowercase())?;
        let typed = values
            .iter()
            .find(|value| value.to_lowercase() == name.to_lowercase());
        let value = typed.or(values.first())?;
        Some((field.clone(), boolean(value)))
    };
    let mut object: Map<String, Value> = fields.iter().filter_map(value).collect();
    object.entry("dn").or_insert(entry.dn.into());
    object
}

/// LDAP writes booleans in capitals.
fn boolean(value: &str) -> Value {
    match value {
        "TRUE" => true.into(),
        "FALSE" => false.into(),
        text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        SearchEntry {
            dn: "uid=ann,ou=people".into(),
            attrs: attributes
                .iter()
                .map(|(key, values)| ((*key).to_owned(), owned(values)))
                .collect(),
            bin_attrs: [("objectGUID".to_owned(), vec![vec![0xff, 0x01]])].into(),
        }
    }

    #[test]
    fn the_mapped_attributes_are_requested() {
        let sources = [
            "mail",
            "/sn/0",
            "=text",
            "{username}",
            "cn | displayName",
            "mail",
        ];
        let sources = sources.map(str::to_owned);
        assert_eq!(fields(&sources), ["cn", "displayName", "mail", "sn"]);
        assert_eq!(asked(&[]), ["1.1"]);
    }

    #[test]
    fn an_entry_becomes_an_object_by_the_names_of_the_settings() {
        let found = entry(&[
            ("MAIL", &["second@example.com", "Ann@example.com"]),
            ("sn", &["Lee", "Ng"]),
            ("emailVerified", &["TRUE"]),
            ("cn", &[]),
        ]);
        let fields = ["mail", "sn", "emailverified", "cn", "objectGUID", "none"].map(str::to_owned);
        let object = object(found, &fields, "ann@example.com");
        assert_eq!(
            Value::Object(object),
            json!({ "mail": "Ann@example.com", "sn": "Lee", "emailverified": true, "objectGUID": "ff01", "dn": "uid=ann,ou=people" })
        );
    }

    #[test]
    fn only_one_entry_is_a_user() {
        assert_eq!(only(Vec::new()).err(), Some(Verdict::NotFound));
        assert!(only(vec![entry(&[])]).is_ok());
        let two = vec![entry(&[]), entry(&[])];
        assert_eq!(only(two).err(), Some(Verdict::NotEligible));
    }

    /// RFC 4515 and RFC 4514.
    #[test]
    fn a_name_is_always_escaped_as_a_value() {
        for (name, filter, dn) in [
            ("ann*", "ann\\2a", "ann*"),
            ("a)(uid=*", "a\\29\\28uid=\\2a", "a)(uid\\3d*"),
            ("a\\", "a\\5c", "a\\5c"),
            ("a,ou=x", "a,ou=x", "a\\2cou\\3dx"),
            (" #a+\"<>; ", " #a+\"<>; ", "\\20#a\\2b\\22\\3c\\3e\\3b\\20"),
            ("#a", "#a", "\\23a"),
            ("zoë", "zoë", "zoë"),
            ("a\0b", "a\\00b", "a\\00b"),
        ] {
            assert_eq!(ldap_escape(name), filter);
            assert_eq!(dn_escape(name), dn);
        }
    }
}
