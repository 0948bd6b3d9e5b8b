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

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const JANE: &str =
        "[directory]\nkind = 'jane'\nclient_id = 'c'\nclient_secret = { ssm = '/s' }\n";

    fn written(toml: &str) -> serde_json::Value {
        let config = crate::parse(toml, "m").unwrap();
        let settings = HandlerSettings::new(&config, &PoolFacts::default());
        let json = settings.to_json();
        assert_eq!(HandlerSettings::from_json(&json).unwrap(), settings);
        serde_json::from_str(&json).unwrap()
    }

    /// Lambda allows 4 KB for the environment.
    #[test]
    fn defaults_are_left_out_and_other_values_written() {
        let url = "[on_migrated]\nurl = 'https://shop.example/moved'\n";
        let plain = written(&format!("{JANE}{url}"));
        let told = &plain["on_migrated"];
        for member in ["method", "timeout_ms"] {
            assert!(told.get(member).is_none(), "{told}");
        }
        assert!(plain.get("response").is_none() && plain.get("triggers").is_none());
        let other = written(&format!(
            "{JANE}{url}method = 'PUT'\ntimeout_ms = 900\n[response]\nforgot_password = 'off'\n[triggers]\npre_sign_up = true\nconnect = 'best-effort'\n"
        ));
        assert_eq!(other["on_migrated"]["method"], "PUT");
        assert_eq!(other["on_migrated"]["timeout_ms"], 900);
        assert_eq!(other["response"]["forgot_password"], "off");
        assert_eq!(other["triggers"]["connect"], "best-effort");
        let some = written(&format!(
            "{JANE}[response]\nenable_sms_mfa = true\n[triggers]\npre_sign_up = true\n"
        ));
        assert!(some["response"].get("forgot_password").is_none(), "{some}");
        assert!(some["triggers"].get("connect").is_none(), "{some}");
    }

    #[test]
    fn a_request_is_written_without_its_defaults() {
        let http = |more: &str| {
            let toml = format!(
                "[directory]\nkind = 'http'\n[directory.authenticate]\nurl = 'https://a.example/'\njson = ['{{username}}', '{{password}}']\nok = [200]\nwrong_password = [401]\n{more}[attributes]\nemail = 'email'\n"
            );
            written(&toml)["directory"]["http"]["authenticate"].clone()
        };
        assert!(http("").get("names").is_none());
        assert_eq!(http("names = 'email'\n")["names"], "email");
        assert_eq!(http("")["json"][0], "{username}");
    }

    #[test]
    fn firebases_parameters_have_its_defaults() {
        let toml = "[directory]\nkind = 'postgres'\nhost = 'db'\ndatabase = 'shop'\nuser = 'm'\npassword = { ssm = '/p' }\n\
            query = 'select h, s, email from u where n = $1'\npassword_column = 'h'\nhash = 'firebase'\n\
            [directory.firebase]\nsigner_key = { ssm = '/k' }\nsalt_separator = 'Bw=='\nsalt_column = 's'\n\
            [attributes]\nemail = 'email'\n";
        let firebase = &written(toml)["directory"]["postgres"]["firebase"];
        assert_eq!(
            (&firebase["rounds"], &firebase["mem_cost"]),
            (&8.into(), &14.into())
        );
    }

    #[test]
    fn settings_of_another_version_are_named_with_the_cause() {
        let error = HandlerSettings::from_json("{").unwrap_err();
        assert_eq!(error.to_string(), "JANE_MIGRATE_SETTINGS cannot be read");
        assert!(error.source().is_some());
    }

    #[test]
    fn a_notifications_request_has_its_url_and_method() {
        let toml =
            format!("{JANE}[on_migrated]\nurl = 'https://shop.example/moved'\nmethod = 'PATCH'\n");
        let told = crate::parse(&toml, "m").unwrap().on_migrated.unwrap();
        let request = told.request().unwrap();
        assert_eq!(request.url, "https://shop.example/moved");
        assert_eq!(request.method, told.method);
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        let toml = format!("{JANE}[on_migrated]\nqueue = '{queue}'\n");
        let told = crate::parse(&toml, "m").unwrap().on_migrated.unwrap();
        assert!(told.request().is_none());
    }
}
