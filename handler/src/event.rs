//! The trigger's JSON, in and out. Only the few members the handler needs are looked at; everything else, also what AWS
//! adds later, is handed back as it came. The password leaves the JSON at once and returns with the answer, so that
//! nothing in between can print it.

use std::fmt;

use jane_migrate_config::{HandlerSettings, Username};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::outcome::{Refusal, Trigger};

/// The `awsSdkVersion` of an event that the operator's tool made up: what becomes of it is logged, but counts as nobody's
/// sign-in.
pub const TRIAL: &str = "jane-migrate";

/// One event of the trigger.
pub struct Event {
    members: Map<String, Value>,
    trigger: Trigger,
    name: String,
    password: Option<SecretString>,
}

impl Event {
    /// Reads an event of the pool the settings name.
    pub fn read(payload: Value, settings: &HandlerSettings) -> Result<Self, Refusal> {
        let Value::Object(mut members) = payload else {
            return Err(Refusal::InvalidEvent);
        };
        let text = |member: &str| members.get(member).and_then(Value::as_str);
        let trigger = match text("triggerSource") {
            Some("UserMigration_Authentication") => Trigger::Authentication,
            Some("UserMigration_ForgotPassword") => Trigger::ForgotPassword,
            _ => return Err(Refusal::UnsupportedTrigger),
        };
        if text("userPoolId") != Some(&settings.pool) {
            return Err(Refusal::InvalidEvent);
        }
        let typed = text("userName").ok_or(Refusal::InvalidEvent)?;
        let name = match settings.response.username {
            Username::Lowercase => typed.trim().to_lowercase(),
            Username::AsTyped => typed.to_owned(),
        };
        let password = match members
            .get_mut("request")
            .and_then(|request| request.get_mut("password"))
        {
            Some(Value::String(password)) => Some(std::mem::take(password).into()),
            _ => None,
        };
        Ok(Self {
            members,
            trigger,
            name,
            password,
        })
    }

    /// What made Cognito ask.
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The name that was typed, as the settings have it read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password that was typed; a forgotten one is not there.
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// The app client the user signs in with.
    pub fn client_id(&self) -> &str {
        self.members
            .get("callerContext")
            .and_then(|context| context["clientId"].as_str())
            .unwrap_or_default()
    }

    /// Whether no customer asked, but the operator's tool.
    pub fn is_trial(&self) -> bool {
        self.members
            .get("callerContext")
            .is_some_and(|context| context["awsSdkVersion"] == TRIAL)
    }

    /// A value the app sent along with a sign-in.
    pub fn validation(&self, key: &str) -> Option<&str> {
        self.request("validationData", key)
    }

    /// A value the app sent along with the request.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.request("clientMetadata", key)
    }

    fn request(&self, member: &str, key: &str) -> Option<&str> {
        self.members.get("request")?.get(member)?.get(key)?.as_str()
    }

    /// The event as it came, with these members of its response set; without any, the response is untouched.
    pub fn answer(mut self, response: Option<Map<String, Value>>) -> Value {
        if let Some(password) = self.password {
            self.members["request"]["password"] = password.expose_secret().into();
        }
        if let Some(set) = response {
            match self.members.get_mut("response") {
                Some(Value::Object(members)) => members.extend(set),
                _ => {
                    self.members
                        .insert("response".to_owned(), Value::Object(set));
                }
            }
        }
        Value::Object(self.members)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("trigger", &self.trigger)
            .finish_non_exhaustive()
    }
}
