//! The facts about a user pool that the CLI reads and the handler needs.

use serde::{Deserialize, Serialize};

/// The facts about one user pool that decide the handler's responses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFacts {
    /// The pool's id.
    pub id: String,
    /// Whether `Ann` and `ann` are two users.
    pub case_sensitive: bool,
    /// `UsernameAttributes`: users sign in with these instead of a user name.
    pub username_attributes: Vec<String>,
    /// `AliasAttributes`: users may sign in with these besides their user name.
    pub alias_attributes: Vec<String>,
    /// The pool's schema.
    pub attributes: Vec<SchemaAttribute>,
    /// The second factor of sign-ins.
    pub mfa: Mfa,
    /// Whether text messages are one of the second factors.
    pub sms_mfa: bool,
    /// The pool's password policy.
    pub password_policy: Option<PasswordPolicy>,
}

/// One attribute of the pool's schema.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaAttribute {
    /// Its name, with `custom:` for a custom attribute.
    pub name: String,
    /// Whether a user cannot be created without it.
    pub required: bool,
    /// Whether it can be changed after the user was created.
    pub mutable: bool,
    /// The limits of its values, unless any text of up to 2,048 characters is allowed.
    pub constraint: Option<Constraint>,
}

/// The limits of an attribute's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Constraint {
    /// A text of this many characters, at least and at most.
    Length(u32, u32),
    /// A whole number within these limits; `None` is no limit.
    Number(Option<i64>, Option<i64>),
    /// `true` or `false`.
    Boolean,
}

impl Constraint {
    /// Whether Cognito accepts this value. Its treatment of numbers with a fraction is not documented.
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
    /// A second factor for users who set one up.
    Optional,
    /// A second factor for all users.
    On,
}

/// The pool's password policy, as far as a single password can be checked against it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_must_be_within_its_limits() {
        for (constraint, allowed, refused) in [
            (
                Constraint::Length(2, 3),
                &["ab", "äöü"][..],
                &["a", "abcd", ""][..],
            ),
            (
                Constraint::Number(Some(-1), Some(2)),
                &["-1", "0", "2"],
                &["-2", "3", "1.5", "x"],
            ),
            (Constraint::Number(None, None), &["-99999"], &[""]),
            (Constraint::Boolean, &["true", "false"], &["True", "1", ""]),
        ] {
            for value in allowed {
                assert!(constraint.allows(value), "{constraint:?} {value}");
            }
            for value in refused {
                assert!(!constraint.allows(value), "{constraint:?} {value}");
            }
        }
    }
}
