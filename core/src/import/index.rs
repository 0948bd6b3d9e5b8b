//! The users of the pool: their names as digests, a million of them in 16 bytes each, found by what a customer types.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A name's digest: 96 bits, so that two of a million names collide in one of 10^17 pools.
type Key = [u8; 12];

/// The bit of a user's number for a user who never set a password.
const HALF: u32 = 1 << 31;

/// How a pool identifies its users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// Attributes that users sign in with instead of a user name.
    pub username_attributes: Vec<String>,
    /// Attributes that users sign in with besides a user name.
    pub alias_attributes: Vec<String>,
    /// Whether `Ann` and `ann` are different users.
    pub case_sensitive: bool,
}

/// A user of the pool, found by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    user: u32,
    /// The user never set a password.
    pub half_finished: bool,
}

/// A part of an index, saved for a run that continues later: digests without names.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// A digest in hexadecimal digits and the user's number for each name.
    names: Vec<(String, u32)>,
    /// `sub` of each user, if requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subs: Vec<String>,
    users: u32,
    half_finished: u64,
}

/// A position in the index.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    names: usize,
    users: u32,
    half_finished: u64,
}

/// The users of a pool, by name.
#[derive(Debug, Default)]
pub struct Index {
    naming: Naming,
    /// Sorted by key after [`Index::finish`].
    entries: Vec<(Key, u32)>,
    /// `sub` of each user, if requested.
    subs: Option<Vec<u128>>,
    users: u32,
    half_finished: u64,
}

impl Index {
    /// An index for about this many users; with `subs`, it also stores the `sub` of each.
    pub fn new(naming: Naming, users: u64, subs: bool) -> Self {
        let names = match naming.alias_attributes.len() {
            0 => 1,
            aliases => 1 + aliases,
        };
        let room = usize::try_from(users).unwrap_or_default();
        Self {
            entries: Vec::with_capacity(room.saturating_mul(names)),
            subs: subs.then(|| Vec::with_capacity(room)),
            naming,
            users: 0,
            half_finished: 0,
        }
    }

    /// Adds a user of the pool.
    pub fn add(&mut self, name: &str, status: &str, attributes: &Map<String, Value>) {
        // A user of another provider has no password, and so no name to type.
        if status == "EXTERNAL_PROVIDER" {
            return;
        }
        let half = matches!(status, "FORCE_CHANGE_PASSWORD" | "RESET_REQUIRED");
        let user = self.users | if half { HALF } else { 0 };
        self.users += 1;
        self.half_finished += u64::from(half);
        let text = |attribute: &str| attributes.get(attribute).and_then(Value::as_str);
        if let Some(subs) = &mut self.subs {
            let sub = text("sub").unwrap_or(name).replace('-', "");
            subs.push(u128::from_str_radix(&sub, 16).unwrap_or_default());
        }
        let mut names: Vec<&str> = Vec::new();
        if self.naming.username_attributes.is_empty() {
            names.push(name);
            // An address is an alias only after it was verified.
            names.extend(self.naming.alias_attributes.iter().filter_map(|alias| {
                let verified = alias == "preferred_username"
                    || text(&format!("{alias}_verified")) == Some("true");
                text(alias).filter(|_| verified)
            }));
        } else {
            let attributes = self.naming.username_attributes.iter();
            names.extend(attributes.filter_map(|attribute| text(attribute)));
            if names.is_empty() {
                names.push(name);
            }
        }
        for name in names {
            let key = self.key(name);
            self.entries.push((key, user));
        }
    }

    /// The current position.
    pub fn mark(&self) -> Mark {
        Mark {
            names: self.entries.len(),
            users: self.users,
            half_finished: self.half_finished,
        }
    }

    /// What was added since.
    pub fn since(&self, mark: Mark) -> Part {
        let hex = |key: &Key| key.iter().map(|byte| format!("{byte:02x}")).collect();
        let names = self.entries[mark.names..].iter();
        let subs = self
            .subs
            .iter()
            .flat_map(|subs| &subs[mark.users as usize..]);
        Part {
            names: names.map(|(key, user)| (hex(key), *user)).collect(),
            subs: subs.map(|sub| format!("{sub:032x}")).collect(),
            users: self.users - mark.users,
            half_finished: self.half_finished - mark.half_finished,
        }
    }

    /// Adds what an earlier run saved. Returns whether it is valid; if not, nothing is added.
    pub fn restore(&mut self, part: &Part) -> bool {
        let key = |hex: &str| -> Option<Key> {
            let digits = u128::from_str_radix(hex, 16)
                .ok()
                .filter(|_| hex.len() == 24)?;
            let bytes = digits.to_be_bytes();
            Some(std::array::from_fn(|at| bytes[at + 4]))
        };
        let names = part
            .names
            .iter()
            .map(|(hex, user)| Some((key(hex)?, *user)));
        let Some(names) = names.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let subs = part
            .subs
            .iter()
            .map(|sub| u128::from_str_radix(sub, 16).ok());
        let Some(read) = subs.collect::<Option<Vec<_>>>() else {
            return false;
        };
        match &mut self.subs {
            Some(subs) if read.len() == part.users as usize => subs.extend(read),
            Some(_) => return false,
            None => {}
        }
        self.entries.extend(names);
        self.users += part.users;
        self.half_finished += part.half_finished;
        true
    }

    /// Call this after the last user.
    pub fn finish(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup_by_key(|(key, _)| *key);
    }

    /// How many users can sign in with a password, and how many of them never set one.
    pub fn users(&self) -> (u64, u64) {
        (self.users.into(), self.half_finished)
    }

    /// The user with one of these names.
    pub fn find<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<Found> {
        names.into_iter().find_map(|name| {
            let key = self.key(name);
            let at = self.entries.binary_search_by_key(&key, |(key, _)| *key);
            let (_, user) = self.entries[at.ok()?];
            Some(Found {
                user: user & !HALF,
                half_finished: user & HALF != 0,
            })
        })
    }

    /// The `sub` of a user, as a UUID.
    pub fn sub(&self, found: Found) -> Option<String> {
        let sub = self.subs.as_ref()?.get(found.user as usize)?;
        let hex = format!("{sub:032x}");
        let (a, b, c, d, e) = (
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        );
        Some(format!("{a}-{b}-{c}-{d}-{e}"))
    }

    fn key(&self, name: &str) -> Key {
        key(name, self.naming.case_sensitive)
    }

    /// An empty set of names that compares them as this pool does.
    pub fn names(&self) -> Names {
        Names {
            keys: HashSet::new(),
            case_sensitive: self.naming.case_sensitive,
        }
    }
}

/// Names that were seen. A digest of 64 bits is enough here: two of a million names collide in one of 30 million directories, and
/// the second one is then left out.
#[derive(Debug)]
pub struct Names {
    keys: HashSet<u64>,
    case_sensitive: bool,
}

impl Names {
    /// Adds a name; returns whether it is new.
    pub fn add(&mut self, name: &str) -> bool {
        self.keys.insert(short(name, self.case_sensitive))
    }

    /// Whether it was added.
    pub fn has(&self, name: &str) -> bool {
        self.keys.contains(&short(name, self.case_sensitive))
    }
}

fn key(name: &str, case_sensitive: bool) -> Key {
    let digest = match case_sensitive {
        true => Sha256::digest(name.as_bytes()),
        false => Sha256::digest(name.to_lowercase().as_bytes()),
    };
    std::array::from_fn(|at| digest[at])
}

fn short(name: &str, case_sensitive: bool) -> u64 {
    let key = key(name, case_sensitive);
    u64::from_be_bytes(std::array::from_fn(|at| key[at]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(naming: Naming, users: &[(&str, &str, Value)]) -> Index {
        let mut index = Index::new(naming, 0, true);
        for (name, status, attributes) in users {
            index.add(name, status, attributes.as_object().unwrap());
        }
        index.finish();
        index
    }

    fn naming(username: &[&str], alias: &[&str]) -> Naming {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Naming {
            username_attributes: owned(username),
            alias_attributes: owned(alias),
            case_sensitive: false,
        }
    }

    const SUB: &str = "5a3f0c11-2233-4455-8677-8899aabbccdd";

    #[test]
    fn users_are_found_by_what_they_type_in_any_case() {
        let by_email = index(
            naming(&["email"], &[]),
            &[
                (
                    SUB,
                    "CONFIRMED",
                    json!({ "sub": SUB, "email": "Ann@example.com" }),
                ),
                ("x", "RESET_REQUIRED", json!({ "email": "bob@example.com" })),
                (
                    "google_1",
                    "EXTERNAL_PROVIDER",
                    json!({ "email": "eve@example.com" }),
                ),
            ],
        );
        let ann = by_email.find(["ann@example.com"]).expect("found");
        assert!(!ann.half_finished);
        assert_eq!(by_email.sub(ann).as_deref(), Some(SUB));
        assert!(
            by_email
                .find(["BOB@example.com"])
                .expect("found")
                .half_finished
        );
        assert_eq!(by_email.find(["eve@example.com"]), None, "has no password");
        assert_eq!(by_email.find([SUB]), None, "is no name to sign in with");
        assert_eq!(by_email.users(), (2, 1));
    }

    #[test]
    fn an_alias_counts_only_after_verification() {
        let pool = index(
            naming(&[], &["email", "preferred_username"]),
            &[
                (
                    "ann",
                    "CONFIRMED",
                    json!({ "email": "ann@example.com", "email_verified": "true" }),
                ),
                (
                    "bob",
                    "CONFIRMED",
                    json!({ "email": "bob@example.com", "preferred_username": "bobby" }),
                ),
            ],
        );
        for (name, found) in [
            ("ann", true),
            ("ann@example.com", true),
            ("bob@example.com", false),
            ("bobby", true),
        ] {
            assert_eq!(pool.find([name]).is_some(), found, "{name}");
        }
        assert!(pool.find(["unknown", "bob"]).is_some(), "the second name");
    }

    #[test]
    fn an_index_saved_page_by_page_is_the_same() {
        let whole = naming(&[], &["email"]);
        let (mut one, mut other) = (
            Index::new(whole.clone(), 0, true),
            Index::new(whole, 0, true),
        );
        for n in 0..7 {
            let mark = one.mark();
            let email = json!({ "sub": SUB, "email": format!("user{n}@example.com"), "email_verified": "true" });
            let status = if n == 3 {
                "RESET_REQUIRED"
            } else {
                "CONFIRMED"
            };
            one.add(&format!("user{n}"), status, email.as_object().unwrap());
            let kept = serde_json::to_string(&one.since(mark)).unwrap();
            assert!(!kept.contains("user{n}"), "digests alone: {kept}");
            assert!(other.restore(&serde_json::from_str(&kept).unwrap()));
        }
        for damaged in [
            r#"{"names":[["zz",1]],"users":1,"half_finished":0}"#,
            r#"{"names":[],"users":1,"half_finished":0}"#,
        ] {
            assert!(
                !other.restore(&serde_json::from_str(damaged).unwrap()),
                "{damaged}"
            );
        }
        one.finish();
        other.finish();
        assert_eq!(one.entries, other.entries);
        assert_eq!((one.users(), one.subs), (other.users(), other.subs));
    }

    #[test]
    fn names_are_case_sensitive_if_the_pool_is() {
        let naming = Naming {
            case_sensitive: true,
            ..Naming::default()
        };
        let pool = index(naming, &[("Ann", "CONFIRMED", json!({}))]);
        assert!(pool.find(["Ann"]).is_some() && pool.find(["ann"]).is_none());
        let mut names = pool.names();
        assert!(names.add("a") && names.add("A") && !names.add("a") && names.has("A"));
    }
}
