//! The response to Cognito, decided from the directory's verdict and the settings. Pure. Only this module decides the table "The
//! handler's answers" in `ARCHITECTURE.md`.

use jane_migrate_config::{FinalUserStatus, HandlerSettings, MessageAction};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::{
    attributes::{Attributes, attributes},
    directory::Verdict,
    event::Event,
    outcome::{Outcome, Trigger},
    password, sign_in_name,
};

/// The response to Cognito, and what the log says about it.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// The fields of the response to set. `None` leaves the response unchanged, which means to Cognito: no such user.
    pub response: Option<Map<String, Value>>,
    /// The outcome.
    pub outcome: Outcome,
    /// Why a user of the directory is not eligible, in one word.
    pub reason: Option<&'static str>,
    /// Required attributes that the directory's user lacks.
    pub missing: Vec<String>,
    /// Which stored hash cannot be checked, and why.
    pub unsupported: Option<String>,
    /// The text of the rejection, if it is not the constant one: it is about what the user typed.
    pub shown: Option<String>,
    /// The notifications that the directory would get, for the operator's tool.
    pub told: Vec<Value>,
    /// Why the directory could not count a refused sign-in.
    pub not_counted: Option<&'static str>,
}

impl Decision {
    /// The user is not migrated.
    pub fn unchanged(outcome: Outcome) -> Self {
        Self {
            response: None,
            outcome,
            reason: None,
            missing: Vec::new(),
            unsupported: None,
            shown: None,
            told: Vec::new(),
            not_counted: None,
        }
    }
}

/// The response to this event. `today` is counted as in [`jane_migrate_config::Date::epoch_days`].
pub fn decide(settings: &HandlerSettings, event: &Event, verdict: Verdict, today: i64) -> Decision {
    let user = match verdict {
        Verdict::Known(user) => user,
        Verdict::NotFound => return Decision::unchanged(Outcome::NotFound),
        Verdict::NotEligible => return Decision::unchanged(Outcome::NotEligible),
        Verdict::WrongPassword => return Decision::unchanged(Outcome::WrongPassword),
        Verdict::SsoOnly => return Decision::unchanged(Outcome::SsoOnly),
        Verdict::TooManyGuesses => return Decision::unchanged(Outcome::TooManyGuesses),
        Verdict::UnsupportedHash(format) => {
            return Decision {
                unsupported: Some(format),
                ..Decision::unchanged(Outcome::UnsupportedHash)
            };
        }
    };
    let mut attributes = attributes(settings, event.name(), &user, today);
    let named = sign_in_name::keep(settings, event.typed(), &mut attributes);
    let missing: Vec<_> = settings
        .required_attributes
        .iter()
        .filter(|name| !attributes.contains_key(*name))
        .cloned()
        .collect();
    let status = status(settings, event);
    // A user who must set a new password needs a code first. Without an address for it the user would be locked out of the
    // pool and of the directory.
    let unreachable = status.is_none() && !has_verified_address(&attributes);
    if attributes.is_empty() || !missing.is_empty() || unreachable || named.is_err() {
        return Decision {
            reason: named.err(),
            missing,
            ..Decision::unchanged(Outcome::NotEligible)
        };
    }
    let outcome = match event.trigger() {
        Trigger::ForgotPassword => Outcome::MigratedForReset,
        _ => Outcome::Migrated,
    };
    Decision {
        response: Some(response(settings, status, attributes)),
        ..Decision::unchanged(outcome)
    }
}

/// Whether there is a verified address to which Cognito can send a code.
fn has_verified_address(attributes: &Attributes) -> bool {
    ["email_verified", "phone_number_verified"]
        .iter()
        .any(|name| attributes.contains_key(*name))
}

fn response(
    settings: &HandlerSettings,
    status: Option<&str>,
    attributes: Attributes,
) -> Map<String, Value> {
    let wanted = &settings.response;
    let mut response = Map::new();
    let mut set = |field: &str, value: Value| response.insert(field.to_owned(), value);
    if wanted.enable_sms_mfa && attributes.contains_key("phone_number") {
        set("enableSMSMFA", true.into());
    }
    if let Some(status) = status {
        set("finalUserStatus", status.into());
    }
    set("userAttributes", json!(attributes));
    set("forceAliasCreation", wanted.force_alias_creation.into());
    match wanted.message_action {
        MessageAction::Suppress => {
            set("messageAction", "SUPPRESS".into());
        }
        // Cognito has no value for "send": it sends unless the action is SUPPRESS.
        MessageAction::Send => {
            set("desiredDeliveryMediums", json!(wanted.delivery_mediums));
        }
    }
    response
}

/// The `finalUserStatus` to set. Without one the user must set a new password. The guide calls that `RESET_REQUIRED`, but
/// according to others Cognito rejects every value except this one: "Invalid finalUserStatus".
fn status(settings: &HandlerSettings, event: &Event) -> Option<&'static str> {
    let keeps_password = settings.response.final_user_status == FinalUserStatus::Confirmed
        && meets_policy(settings, event);
    match event.trigger() {
        Trigger::Authentication if keeps_password => Some("CONFIRMED"),
        _ => None,
    }
}

/// Whether the password meets the policy, if the settings enforce one.
fn meets_policy(settings: &HandlerSettings, event: &Event) -> bool {
    match (&settings.password_policy, event.password()) {
        (Some(policy), Some(password)) => password::satisfies(policy, password.expose_secret()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use jane_migrate_config::{DeliveryMedium, PasswordPolicy};

    use super::*;
    use crate::fixtures::{event, forgot_password, settings as settings_with, sign_in};

    fn settings() -> HandlerSettings {
        settings_with(&[
            ("email", "email"),
            ("email_verified", "email_verified"),
            ("phone_number", "phone"),
            ("phone_number_verified", "phone_verified"),
        ])
    }

    fn known(user: Value) -> Verdict {
        Verdict::Known(user.as_object().cloned().unwrap())
    }

    fn ann() -> Verdict {
        known(json!({ "email": "ann@example.com", "email_verified": true }))
    }

    fn on_sign_in(settings: &HandlerSettings, verdict: Verdict) -> Decision {
        let event = event(sign_in("ann@example.com", "Secret-1"), settings);
        decide(settings, &event, verdict, 0)
    }

    fn on_forgotten(settings: &HandlerSettings, verdict: Verdict) -> Decision {
        let event = event(forgot_password("ann@example.com"), settings);
        decide(settings, &event, verdict, 0)
    }

    fn response(decision: Decision) -> Value {
        Value::Object(decision.response.expect("the user migrates"))
    }

    #[test]
    fn a_verdict_without_a_user_leaves_the_event_unchanged() {
        for (verdict, outcome) in [
            (Verdict::NotFound, Outcome::NotFound),
            (Verdict::NotEligible, Outcome::NotEligible),
            (Verdict::WrongPassword, Outcome::WrongPassword),
            (Verdict::SsoOnly, Outcome::SsoOnly),
        ] {
            let expected = Decision::unchanged(outcome);
            assert_eq!(on_sign_in(&settings(), verdict.clone()), expected);
            assert_eq!(on_forgotten(&settings(), verdict), expected);
        }
    }

    #[test]
    fn a_hash_that_cannot_be_checked_gets_the_response_of_a_wrong_password() {
        let unsupported = on_sign_in(&settings(), Verdict::UnsupportedHash("$1$".into()));
        let wrong = on_sign_in(&settings(), Verdict::WrongPassword);
        assert_eq!(unsupported.response, wrong.response);
        assert_eq!(unsupported.outcome, Outcome::UnsupportedHash);
        assert_eq!(unsupported.unsupported.as_deref(), Some("$1$"));
    }

    #[test]
    fn a_right_password_migrates_the_user_confirmed() {
        let decision = on_sign_in(&settings(), ann());
        assert_eq!(decision.outcome, Outcome::Migrated);
        assert_eq!(
            response(decision),
            json!({
                "finalUserStatus": "CONFIRMED",
                "userAttributes": { "email": "ann@example.com", "email_verified": "true" },
                "forceAliasCreation": false,
                "messageAction": "SUPPRESS",
            })
        );
    }

    #[test]
    fn after_a_forgotten_password_cognito_sets_the_status() {
        let decision = on_forgotten(&settings(), ann());
        assert_eq!(decision.outcome, Outcome::MigratedForReset);
        assert!(response(decision).get("finalUserStatus").is_none());
    }

    #[test]
    fn a_password_that_fails_the_policy_must_be_reset() {
        let mut settings = settings();
        settings.password_policy = Some(PasswordPolicy {
            minimum_length: 8,
            ..PasswordPolicy::default()
        });
        let long = response(on_sign_in(&settings, ann()));
        assert_eq!(long["finalUserStatus"], "CONFIRMED");
        settings.password_policy = Some(PasswordPolicy {
            minimum_length: 9,
            ..PasswordPolicy::default()
        });
        let short = response(on_sign_in(&settings, ann()));
        assert_eq!(short.get("finalUserStatus"), None);
    }

    #[test]
    fn every_password_must_be_reset_if_configured() {
        let mut settings = settings();
        settings.response.final_user_status = FinalUserStatus::ResetRequired;
        let reset = response(on_sign_in(&settings, ann()));
        assert_eq!(reset.get("finalUserStatus"), None);
    }

    #[test]
    fn a_user_who_needs_a_code_must_have_a_verified_address() {
        let unverified = || known(json!({ "email": "ann@example.com" }));
        let phone = || known(json!({ "phone": "+15550100000", "phone_verified": true }));
        let mut settings = settings();
        assert_eq!(
            on_sign_in(&settings, unverified()).outcome,
            Outcome::Migrated
        );
        let refused = Decision::unchanged(Outcome::NotEligible);
        assert_eq!(on_forgotten(&settings, unverified()), refused);
        assert_eq!(
            on_forgotten(&settings, phone()).outcome,
            Outcome::MigratedForReset
        );
        settings.response.final_user_status = FinalUserStatus::ResetRequired;
        assert_eq!(on_sign_in(&settings, unverified()), refused);
        assert_eq!(on_sign_in(&settings, phone()).outcome, Outcome::Migrated);
    }

    #[test]
    fn a_user_without_attributes_or_without_a_required_one_is_not_eligible() {
        let mut settings = settings();
        let nothing = on_sign_in(&settings, known(json!({ "name": "Ann" })));
        assert_eq!(nothing, Decision::unchanged(Outcome::NotEligible));
        settings.required_attributes = vec!["email".into(), "phone_number".into()];
        let decision = on_sign_in(&settings, ann());
        assert_eq!(decision.missing, ["phone_number"]);
        assert_eq!(
            (decision.outcome, decision.response),
            (Outcome::NotEligible, None)
        );
    }

    #[test]
    fn sms_becomes_the_second_factor_of_users_with_a_phone_number() {
        let mut settings = settings();
        settings.response.enable_sms_mfa = true;
        let with = known(json!({ "phone": "+15550100000" }));
        assert_eq!(
            response(on_sign_in(&settings, with.clone()))["enableSMSMFA"],
            true
        );
        assert!(
            response(on_sign_in(&settings, ann()))
                .get("enableSMSMFA")
                .is_none()
        );
        settings.response.enable_sms_mfa = false;
        assert!(
            response(on_sign_in(&settings, with))
                .get("enableSMSMFA")
                .is_none()
        );
    }

    #[test]
    fn the_welcome_message_and_the_alias_are_as_configured() {
        let mut settings = settings();
        settings.response.force_alias_creation = true;
        settings.response.message_action = MessageAction::Send;
        settings.response.delivery_mediums = vec![DeliveryMedium::Email, DeliveryMedium::Sms];
        let response = response(on_sign_in(&settings, ann()));
        assert_eq!(response["forceAliasCreation"], true);
        assert_eq!(response["desiredDeliveryMediums"], json!(["EMAIL", "SMS"]));
        assert!(response.get("messageAction").is_none());
    }
}
