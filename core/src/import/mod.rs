//! The users that a directory has and a pool does not: which of them remain and why, which import job each belongs to, the file
//! of a job, and the outcome of each row in its log. Pure: the users come from elsewhere, and no hash is printed.

pub mod census;
pub mod index;
pub mod log;
pub mod sheet;

use serde::Serialize;

/// The kind of hashes in one job: each job accepts one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashKind {
    /// `BCRYPT`
    Bcrypt,
    /// `SCRYPT`
    Scrypt,
    /// `ARGON2ID`
    Argon2id,
    /// `PBKDF2_SHA256`
    Pbkdf2Sha256,
}

impl HashKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Bcrypt,
        Self::Scrypt,
        Self::Argon2id,
        Self::Pbkdf2Sha256,
    ];

    /// Its name in the API.
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Bcrypt => "BCRYPT",
            Self::Scrypt => "SCRYPT",
            Self::Argon2id => "ARGON2ID",
            Self::Pbkdf2Sha256 => "PBKDF2_SHA256",
        }
    }

    /// The kind with this name in the API.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.api_name() == name)
    }
}

/// The job that imports a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batch {
    /// With the password.
    Hash(HashKind),
    /// Without the password: the user must set a new one.
    Reset,
}

impl Batch {
    /// In the order of the imports: users who keep their password first.
    pub const ALL: [Self; 5] = [
        Self::Hash(HashKind::Bcrypt),
        Self::Hash(HashKind::Scrypt),
        Self::Hash(HashKind::Argon2id),
        Self::Hash(HashKind::Pbkdf2Sha256),
        Self::Reset,
    ];

    /// The hashes' kind in the API, if there are hashes.
    pub fn algorithm(self) -> Option<&'static str> {
        match self {
            Self::Hash(kind) => Some(kind.api_name()),
            Self::Reset => None,
        }
    }

    /// As text.
    pub fn label(self) -> &'static str {
        self.algorithm().unwrap_or("must reset")
    }
}

/// What is known of a user's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret<'a> {
    /// There is none: the user signs in through another provider.
    None,
    /// The list does not say.
    Unknown,
    /// A hash that an import accepts.
    Importable(HashKind),
    /// A hash of this format, which the handler can check but an import does not accept.
    NotImportable(&'a str),
    /// A hash that cannot be checked.
    Unreadable(&'a str),
}

/// A user of the directory who is not in the pool.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Why the user would not migrate, in one word, if there is a reason.
    pub not_eligible: Option<&'a str>,
    /// Whether the user has a verified address of a kind that the pool verifies automatically: an import accepts no user without
    /// one.
    pub verified: bool,
    /// The password.
    pub secret: Secret<'a>,
}

/// The category of a remaining user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Has a password.
    Password,
    /// Has no password and signs in through another provider.
    Sso,
    /// Has no verified address.
    UnverifiedAddress,
    /// Has a hash that cannot be checked.
    UnreadableHash,
    /// Would not migrate.
    NotEligible,
    /// The list does not say whether there is a password.
    PasswordNotKnown,
}

impl Candidate<'_> {
    /// The user's category: the first that applies of the obstacles to migration.
    pub fn category(&self) -> Category {
        match (self.not_eligible, self.secret) {
            (Some(_), _) => Category::NotEligible,
            (None, _) if !self.verified => Category::UnverifiedAddress,
            (None, Secret::Unreadable(_)) => Category::UnreadableHash,
            (None, Secret::None) => Category::Sso,
            (None, Secret::Unknown) => Category::PasswordNotKnown,
            (None, Secret::Importable(_) | Secret::NotImportable(_)) => Category::Password,
        }
    }

    /// The job that imports the user; `None` if none can.
    pub fn batch(&self) -> Option<Batch> {
        match self.category() {
            Category::NotEligible | Category::UnverifiedAddress => None,
            _ => Some(match self.secret {
                Secret::Importable(kind) => Batch::Hash(kind),
                _ => Batch::Reset,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_counted_once_and_goes_into_one_job_or_none() {
        let candidate = |not_eligible, verified, secret| Candidate {
            not_eligible,
            verified,
            secret,
        };
        let bcrypt = Secret::Importable(HashKind::Bcrypt);
        for (given, category, batch) in [
            (
                candidate(None, true, bcrypt),
                Category::Password,
                Some(Batch::Hash(HashKind::Bcrypt)),
            ),
            (
                candidate(None, true, Secret::NotImportable("$6$")),
                Category::Password,
                Some(Batch::Reset),
            ),
            (
                candidate(None, true, Secret::Unreadable("x")),
                Category::UnreadableHash,
                Some(Batch::Reset),
            ),
            (
                candidate(None, true, Secret::None),
                Category::Sso,
                Some(Batch::Reset),
            ),
            (
                candidate(None, true, Secret::Unknown),
                Category::PasswordNotKnown,
                Some(Batch::Reset),
            ),
            (
                candidate(None, false, bcrypt),
                Category::UnverifiedAddress,
                None,
            ),
            (
                candidate(Some("no-name"), true, bcrypt),
                Category::NotEligible,
                None,
            ),
        ] {
            assert_eq!((given.category(), given.batch()), (category, batch));
        }
        for kind in HashKind::ALL {
            assert_eq!(HashKind::of(kind.api_name()), Some(kind));
        }
    }

    #[test]
    fn each_batch_has_the_apis_name_of_its_hashes() {
        let named = Batch::ALL.map(|batch| (batch.algorithm(), batch.label()));
        assert_eq!(
            named,
            [
                (Some("BCRYPT"), "BCRYPT"),
                (Some("SCRYPT"), "SCRYPT"),
                (Some("ARGON2ID"), "ARGON2ID"),
                (Some("PBKDF2_SHA256"), "PBKDF2_SHA256"),
                (None, "must reset"),
            ]
        );
    }
}
