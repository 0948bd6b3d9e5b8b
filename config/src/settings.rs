//! The settings in the function's environment: the part of the configuration that the handler uses, with the facts about
//! its pool.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    Config, Constraint, Date, Directory, Mfa, OnMigrated, PasswordPolicy, PoolFacts, Response,
    Triggers,
};

/// The handler's settings, one document for one pool. Lambda allows 4 KB for the whole environment, so default values are
/// left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandlerSettings {
    /// The id of the pool that the handler serves.
    pub pool: String,
    /// The directory with the existing accounts.
    pub directory: Directory,
    /// Cognito attribute = the source of its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The function's response to Cognito for a migrated user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response: Response,
    /// What the sign-up triggers do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub triggers: Triggers,
    /// The notification that a user has migrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_migrated: Option<OnMigrated>,
    /// Attributes that a user must have to be accepted by the pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_attributes: Vec<String>,
    /// The limits of mapped attributes' values, if the pool's schema has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, Constraint>,
    /// Attributes that users may sign in with besides a user name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alias_attributes: Vec<String>,
    /// Attributes that users sign in with instead of a user name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub username_attributes: Vec<String>,
    /// Whether `Ann` and `ann` are different users in the pool.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub case_sensitive: bool,
    /// The policy a password must meet; only if the configuration enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_policy: Option<PasswordPolicy>,
    /// The last day on which users are migrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_closes: Option<Date>,
    /// The percentage of names that migrate; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_share: Option<u8>,
}

/// Attributes whose values the handler makes valid for every pool, because they have the same limits in all pools.
const ALWAYS_VALID: [&str; 3] = ["birthdate", "email_verified", "phone_number_verified"];

impl HandlerSettings {
    /// The settings of the function that serves this pool.
    pub fn new(config: &Config, pool: &PoolFacts) -> Self {
        let mut response = config.response.clone();
        // Cognito rejects the user if the pool has no such factor.
        response.enable_sms_mfa &= pool.sms_mfa && pool.mfa != Mfa::Off;
        let policy = pool
            .password_policy
            .clone()
            .filter(|_| response.enforce_password_policy);
        // `sub` is marked as required in every pool, and only Cognito sets it.
        let required = pool
            .attributes
            .iter()
            .filter(|attribute| attribute.required && attribute.name != "sub");
        let constrained = pool.attributes.iter().filter(|attribute| {
            let name = attribute.name.as_str();
            config.attributes.contains_key(name) && !ALWAYS_VALID.contains(&name)
        });
        let constraints = constrained
            .filter_map(|attribute| Some((attribute.name.clone(), attribute.constraint?)));
        Self {
            pool: pool.id.clone(),
            directory: config.directory.clone(),
            attributes: config.attributes.clone(),
            response,
            triggers: config.triggers,
            on_migrated: config.on_migrated.clone(),
            required_attributes: required.map(|attribute| attribute.name.clone()).collect(),
            constraints: constraints.collect(),
            alias_attributes: pool.alias_attributes.clone(),
            username_attributes: pool.username_attributes.clone(),
            case_sensitive: pool.case_sensitive,
            password_policy: policy,
            window_closes: config.window.closes,
            window_share: config.window.share.filter(|share| *share < 100),
        }
    }

    /// Compact JSON; the same settings always give the same text.
    pub fn to_json(&self) -> String {
        // Maps with string keys and plain values: serde_json has no way to fail on them.
        serde_json::to_string(self).expect("settings are plain data")
    }

    /// Parses the output of [`HandlerSettings::to_json`].
    pub fn from_json(text: &str) -> Result<Self, InvalidSettings> {
        serde_json::from_str(text).map_err(InvalidSettings)
    }
}

/// The error for settings in the environment that are not from this version.
#[derive(Debug)]
pub struct InvalidSettings(serde_json::Error);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be read", crate::SETTINGS_VARIABLE)
    }
}

impl std::error::Error for InvalidSettings {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
