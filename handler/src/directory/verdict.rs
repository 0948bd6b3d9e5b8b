//! The verdicts that all kinds of directory give.

use serde_json::{Map, Value};

/// The verdict about a name, or about a name and a password.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The password is right, or the user may set a new one; with the directory's data about the user.
    Known(Map<String, Value>),
    /// There is no such user.
    NotFound,
    /// The account is not for this pool.
    NotEligible,
    /// The password is wrong.
    WrongPassword,
    /// The stored hash cannot be checked: its format, and why.
    UnsupportedHash(String),
    /// There were too many wrong passwords for this account.
    TooManyGuesses,
    /// The user has no password and signs in through another provider.
    SsoOnly,
}

/// The settings name a kind of directory that this build lacks, or have a value that cannot be used.
#[derive(Debug)]
pub struct Unusable;
