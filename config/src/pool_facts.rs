//! What the CLI reads from a user pool and the handler must know of it.

use serde::{Deserialize, Serialize};

/// The facts of one user pool that decide what the handler may answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFacts {
    /// The pool's id.
    pub id: String,
    /// Whether `Ann` and `ann` are two users.
    pub case_sensitive: bool,
    /// `UsernameAttributes`: people sign in with these instead of a user name.
    pub username_attributes: Vec<String>,
    /// `AliasAttributes`: people may sign in with these besides their user name.
    pub alias_attributes: Vec<String>,
    /// The pool's schema.
    pub attributes: Vec<SchemaAttribute>,
    /// Whether sign-ins have a second factor.
    pub mfa: Mfa,
    /// Whether text messages are one of the second factors.
    pub sms_mfa: bool,
    /// The pool's password policy.
    pub password_policy: Option<PasswordPolicy>,
}

/// One attribute of the pool's schema.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaAttribute {
    /// Its name, with `custom:` where it is one.
    pub name: String,
    /// Whether a user cannot be created without it.
    pub required: bool,
    /// Whether it can be changed after the user was created.
    pub mutable: bool,
    /// What its values must be, where not any text of up to 2,048 characters.
    pub constraint: Option<Constraint>,
}

/// What the values of an attribute must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Constraint {
    /// A text of this many characters, at least and at most.
    Length(u32, u32),
    /// A whole number between these; `None` is no limit.
    Number(Option<i64>, Option<i64>),
    /// `true` or `false`.
    Boolean,
}

impl Constraint {
    /// Whether Cognito takes this value. What it makes of numbers that are not whole is not documented.
    pub fn allows(self, value: &str) -> bool {
        match self {
            Self::Length(least, most) => {
                (least as usize..=most as usize).contains(&value.chars().count())
            }
            Self::Number(least, most) => value.parse().is_ok_and(|number: i64| {
                least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
            }),
            Self::Boolean => matches!(value, "true" | "false"),
        }
    }
}

/// `MfaConfiguration` of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mfa {
    /// No second factor.
    #[default]
    Off,
    /// A second factor for those who set one up.
    Optional,
    /// A second factor for all users.
    On,
}

/// The pool's password policy, as far as a password alone can be checked against it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordPolicy {
    /// `MinimumLength`
    pub minimum_length: u32,
    /// `RequireUppercase`
    pub uppercase: bool,
    /// `RequireLowercase`
    pub lowercase: bool,
    /// `RequireNumbers`
    pub numbers: bool,
    /// `RequireSymbols`
    pub symbols: bool,
}
