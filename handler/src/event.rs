//! The trigger's JSON, in and out. The handler reads a few fields; all others, including fields that AWS adds later, are
//! returned unchanged. The password is removed from the JSON at once and added again to the response, so that no code in
//! between can print it.

use std::fmt;

use jane_migrate_config::{HandlerSettings, TOLD, TRIAL, Username};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::outcome::{Refusal, Trigger};

/// One event of the trigger.
pub struct Event {
    fields: Map<String, Value>,
    trigger: Trigger,
    /// Exactly what was typed.
    typed: String,
    name: String,
    password: Option<SecretString>,
}

impl Event {
    /// Reads an event of the pool in the settings.
    pub fn read(payload: Value, settings: &HandlerSettings) -> Result<Self, Refusal> {
        let Value::Object(mut fields) = payload else {
            return Err(Refusal::InvalidEvent);
        };
        let text = |field: &str| fields.get(field).and_then(Value::as_str);
        let trigger = text("triggerSource").and_then(Trigger::of);
        let trigger = trigger.ok_or(Refusal::UnsupportedTrigger)?;
        if text("userPoolId") != Some(&settings.pool) {
            return Err(Refusal::InvalidEvent);
        }
        let typed = text("userName").ok_or(Refusal::InvalidEvent)?.to_owned();
        // In the sign-up triggers `userName` is often an id. The directory identifies users by their address.
        let address = || {
            let attributes = fields.get("request")?.get("userAttributes")?;
            let texts = ["email", "phone_number"].map(|name| attributes[name].as_str());
            texts.into_iter().flatten().find(|text| !text.is_empty())
        };
        let name = match trigger.is_migration() {
            true => &typed,
            false => address().unwrap_or(&typed),
        };
        let name = normal(settings.response.username, name);
        let password = match fields
            .get_mut("request")
            .and_then(|request| request.get_mut("password"))
        {
            Some(Value::String(password)) => Some(std::mem::take(password).into()),
            _ => None,
        };
        Ok(Self {
            fields,
            trigger,
            typed,
            name,
            password,
        })
    }

    /// Why Cognito called.
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Cognito's name for why it called, in a form that is safe for a log.
    pub fn source(&self) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let source = self.fields.get("triggerSource")?.as_str()?;
        (source.len() <= 64 && source.bytes().all(plain)).then_some(source)
    }

    /// The Region of the pool.
    pub fn region(&self) -> &str {
        let region = self.fields.get("region").and_then(Value::as_str);
        region.unwrap_or_default()
    }

    /// An attribute of the user who is created.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.request("userAttributes", name)
            .filter(|value| !value.is_empty())
    }

    /// All attributes of the user who is created, with the email in the spelling for requests to the directory.
    pub fn attributes_for_directory(&self) -> Map<String, Value> {
        let attributes = self
            .fields
            .get("request")
            .and_then(|request| request["userAttributes"].as_object());
        let mut attributes = attributes.cloned().unwrap_or_default();
        if let Some(email) = attributes
            .get_mut("email")
            .filter(|email| email.is_string())
        {
            *email = self.name.clone().into();
        }
        attributes
    }

    /// The same event for another name.
    pub fn about(&self, name: String) -> Self {
        Self {
            fields: self.fields.clone(),
            trigger: self.trigger,
            typed: self.typed.clone(),
            name,
            password: self.password.clone(),
        }
    }

    /// The user name exactly as it was typed, or as Cognito created it.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The user name, in the form of `[response] username`. In the sign-up triggers: the user's address, if there is one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password of a sign-in.
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// The app client of the sign-in.
    pub fn client_id(&self) -> &str {
        self.fields
            .get("callerContext")
            .and_then(|context| context["clientId"].as_str())
            .unwrap_or_default()
    }

    /// Whether the event comes from the operator's tool and not from a customer.
    pub fn is_trial(&self) -> bool {
        self.fields.get(TRIAL) == Some(&Value::Bool(true))
    }

    /// A value of `validationData`, which an app sends with a sign-in.
    pub fn validation(&self, key: &str) -> Option<&str> {
        self.request("validationData", key)
    }

    /// A value of `clientMetadata`, which an app sends with a request.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.request("clientMetadata", key)
    }

    fn request(&self, field: &str, key: &str) -> Option<&str> {
        self.fields.get("request")?.get(field)?.get(key)?.as_str()
    }

    /// The response to the operator's tool, with the notifications that the directory would get.
    pub fn answer_trial(self, response: Option<Map<String, Value>>, told: Vec<Value>) -> Value {
        let mut answer = self.answer(response);
        if !told.is_empty() {
            answer[TOLD] = told.into();
        }
        answer
    }

    /// The event with these fields of its response set. `None` leaves the response unchanged.
    pub fn answer(mut self, response: Option<Map<String, Value>>) -> Value {
        if let Some(password) = self.password {
            self.fields["request"]["password"] = password.expose_secret().into();
        }
        if let Some(set) = response {
            match self.fields.get_mut("response") {
                Some(Value::Object(fields)) => fields.extend(set),
                _ => {
                    self.fields
                        .insert("response".to_owned(), Value::Object(set));
                }
            }
        }
        Value::Object(self.fields)
    }
}

/// A name in the form of `[response] username`.
pub fn normal(username: Username, typed: &str) -> String {
    match username {
        Username::Lowercase => typed.trim().to_lowercase(),
        Username::AsTyped => typed.to_owned(),
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("trigger", &self.trigger)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{event, forgot_password, settings, sign_in, sign_up};

    fn refusal(payload: Value) -> Option<Refusal> {
        Event::read(payload, &settings(&[])).err()
    }

    #[test]
    fn a_sign_in_and_a_forgotten_password_are_read() {
        let signed_in = event(sign_in("ann", "secret"), &settings(&[]));
        assert_eq!(signed_in.trigger(), Trigger::Authentication);
        assert_eq!(signed_in.name(), "ann");
        assert_eq!(signed_in.client_id(), "client-1");
        assert_eq!(signed_in.password().unwrap().expose_secret(), "secret");
        assert!(!signed_in.is_trial());
        let forgotten = event(forgot_password("ann"), &settings(&[]));
        assert_eq!(forgotten.trigger(), Trigger::ForgotPassword);
        assert!(forgotten.password().is_none());
    }

    #[test]
    fn an_event_for_another_function_is_refused() {
        assert_eq!(refusal(json!([])), Some(Refusal::InvalidEvent));
        for (field, value, expected) in [
            (
                "triggerSource",
                "TokenGeneration_Authentication",
                Refusal::UnsupportedTrigger,
            ),
            ("userPoolId", "us-east-1_Other", Refusal::InvalidEvent),
        ] {
            let mut payload = sign_in("ann", "secret");
            payload[field] = value.into();
            assert_eq!(refusal(payload), Some(expected), "{field}");
        }
        let mut nameless = sign_in("ann", "secret");
        nameless["userName"] = Value::Null;
        assert_eq!(refusal(nameless), Some(Refusal::InvalidEvent));
    }

    #[test]
    fn a_name_is_trimmed_and_lower_case_unless_the_settings_say_otherwise() {
        let mut settings = settings(&[]);
        let typed = sign_in(" Ann@Example.com ", "secret");
        assert_eq!(event(typed.clone(), &settings).name(), "ann@example.com");
        settings.response.username = Username::AsTyped;
        assert_eq!(event(typed, &settings).name(), " Ann@Example.com ");
    }

    #[test]
    fn an_event_about_a_new_user_uses_the_address() {
        let email = json!({ "email": " Ann@Example.com", "phone_number": "+15550100000" });
        let mut settings = settings(&[]);
        let read = |payload: Value, settings: &HandlerSettings| event(payload, settings);
        let signed_up = read(sign_up("5a3f", email.clone()), &settings);
        assert_eq!(signed_up.trigger(), Trigger::SignUp);
        assert_eq!(signed_up.name(), "ann@example.com");
        assert_eq!(signed_up.typed(), "5a3f");
        let for_directory = signed_up.attributes_for_directory();
        assert_eq!(for_directory["email"], "ann@example.com");
        assert_eq!(for_directory["phone_number"], "+15550100000");
        let by_phone = read(
            sign_up("5a3f", json!({ "phone_number": "+1555" })),
            &settings,
        );
        assert_eq!(by_phone.name(), "+1555");
        assert_eq!(by_phone.attributes_for_directory().get("email"), None);
        assert_eq!(read(sign_up("Ann", json!(null)), &settings).name(), "ann");
        assert_eq!(signed_up.about("other".into()).name(), "other");
        settings.response.username = Username::AsTyped;
        assert_eq!(
            read(sign_up("5a3f", email), &settings).name(),
            " Ann@Example.com"
        );
    }

    #[test]
    fn a_source_is_logged_as_far_as_it_is_a_word() {
        let source = |source: &str| {
            let mut payload = sign_up("ann", json!({}));
            payload["triggerSource"] = source.into();
            event(payload, &settings(&[])).source().map(str::to_owned)
        };
        let new = "PreSignUp_Passkey";
        assert_eq!(source(new).as_deref(), Some(new));
        assert_eq!(source("PreSignUp_ann@example.com"), None);
        assert_eq!(source(&format!("PreSignUp_{}", "x".repeat(64))), None);
    }

    #[test]
    fn an_event_of_the_operators_tool_is_a_test() {
        let mut payload = sign_in("ann", "secret");
        payload["callerContext"]["awsSdkVersion"] = "jane-migrate".into();
        payload["request"]["clientMetadata"] = json!({ TRIAL: true });
        assert!(
            !event(payload.clone(), &settings(&[])).is_trial(),
            "a client can send these"
        );
        payload[TRIAL] = true.into();
        assert!(event(payload, &settings(&[])).is_trial());
    }

    #[test]
    fn values_that_the_app_sent_are_found_by_their_key() {
        let mut payload = sign_in("ann", "secret");
        payload["request"]["validationData"] = json!({ "shop": "1" });
        payload["request"]["clientMetadata"] = json!({ "language": "de" });
        let event = event(payload, &settings(&[]));
        assert_eq!(event.validation("shop"), Some("1"));
        assert_eq!(event.metadata("language"), Some("de"));
        assert_eq!(event.validation("language"), None);
        assert_eq!(event.metadata("shop"), None);
    }

    #[test]
    fn the_response_returns_the_password_and_changes_nothing_else() {
        let payload = sign_in("ann", "secret");
        let read = || event(payload.clone(), &settings(&[]));
        assert_eq!(read().answer(None), payload);
        let set = json!({ "finalUserStatus": "CONFIRMED" });
        let mut expected = payload.clone();
        expected["response"]["finalUserStatus"] = "CONFIRMED".into();
        assert_eq!(read().answer(set.as_object().cloned()), expected);
        let mut without = payload.clone();
        without["response"] = Value::Null;
        let answer = event(without, &settings(&[])).answer(set.as_object().cloned());
        assert_eq!(answer["response"], set);
    }

    #[test]
    fn an_event_prints_its_trigger_and_nothing_else() {
        let printed = format!("{:?}", event(sign_in("ann", "secret"), &settings(&[])));
        assert_eq!(printed, "Event { trigger: Authentication, .. }");
    }
}
