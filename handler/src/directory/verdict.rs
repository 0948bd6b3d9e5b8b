//! What every kind of directory answers.

use serde_json::{Map, Value};

/// What a directory says about a name, or about a name and a password.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The password is right, or the user may set a new one; with what the directory knows of the user.
    Known(Map<String, Value>),
    /// There is no such user.
    NotFound,
    /// There is such a user, but not for this pool.
    NotEligible,
    /// The password is wrong.
    WrongPassword,
    /// The user has no password, since it signs in elsewhere.
    SsoOnly,
}

/// The settings name a directory this build lacks, or describe one that cannot be.
#[derive(Debug)]
pub struct Unusable;
